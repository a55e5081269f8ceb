package engine

import (
	"context"
	"encoding/base64"
	"time"

	"github.com/outcrop-ai/outcrop/internal/bedrock/converse"
	"github.com/outcrop-ai/outcrop/internal/bedrock/invoke"
	"github.com/outcrop-ai/outcrop/internal/bedrock/wire"
	"github.com/outcrop-ai/outcrop/internal/catalog"
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// CountTokens returns how many tokens a call's request would be to its model. The count is Bedrock's own where the model has
// one; else it is an estimate that is rather too high than too low, so that whoever makes room for an answer makes
// enough, or an error if the engine's options want one.
func (e *Engine) CountTokens(ctx context.Context, call *Call) (tokens int64, estimated bool, failed *llm.Error) {
	call.Request.Stream = false
	if failed := e.choose(ctx, call, modeChat); failed != nil {
		return 0, false, failed
	}
	ctx, leave := e.upstream(ctx, call)
	defer leave()
	failed = e.attempt(ctx, call, false, func() (failed *llm.Error) {
		tokens, estimated, failed = e.countOnce(ctx, call)
		return failed
	})
	if estimated && e.o.ExactCounts {
		return 0, false, &llm.Error{
			Kind: llm.KindInvalid, Code: "unsupported_operation", Param: "model",
			Message: "Bedrock does not count the tokens of " + call.ModelID + ", and the gateway's configuration wants no estimates (count_tokens_estimates: false)",
		}
	}
	call.costKnown = failed == nil // it is free
	return tokens, estimated, failed
}

// countOnce asks for the call's target.
func (e *Engine) countOnce(ctx context.Context, call *Call) (tokens int64, estimated bool, failed *llm.Error) {
	t := call.target
	if id := countedAs(t); id != "" {
		key := countKey{id, t.region}
		if _, never := e.uncounted.Load(key); !never {
			tokens, err := e.countByRuntime(ctx, call, id)
			if err == nil {
				return tokens, false, nil
			}
			failed := e.failed(call, err)
			refusal := wire.RefusalOf(err, nil)
			switch {
			case refusal.CountTokens || failed.Kind == llm.KindNotFound:
				e.uncounted.Store(key, true)
			case failed.Kind == llm.KindPermission: // the action is one of its own, which may not be allowed
				call.Warning = "tokens are not counted by AWS: the identity of the deployment lacks bedrock:CountTokens"
			default:
				return 0, false, failed
			}
		}
	}
	if tokens, ok, failed := e.countByMessages(ctx, call); ok || failed != nil {
		return tokens, false, failed
	}
	call.answered = time.Now()
	return roughly(call.Request), true, nil
}

// countKey is a model that cannot be counted somewhere.
type countKey struct{ model, region string }

// countedAs is the model under which CountTokens knows a target: profiles and ARNs are refused there, the base models
// behind them are not. It is empty where that is not known, or the model can only be reached by its profiles.
func countedAs(t *target) string {
	ref := t.deployment.Ref
	switch {
	case ref.Route == catalog.RouteConverseLike, ref.Route == catalog.RouteMantle:
		return ""
	case ref.Model != nil && !ref.Model.ProfileOnly:
		return ref.Model.ID
	case ref.Model == nil && ref.ARN == nil:
		return ref.ID
	}
	return ""
}

// countByRuntime calls CountTokens.
func (e *Engine) countByRuntime(ctx context.Context, call *Call, id string) (int64, error) {
	t := call.target
	p := &plan{target: t, body: wire.NewBody()}
	defer p.body.Release()
	var err error
	if p.body.B, err = appendCount(p.body.B, call.Request, t.deployment.Ref); err != nil {
		return 0, err
	}
	up := p.call(call, false, e.o.KeyHeader)
	up.Path = wire.ModelPath(id, "count-tokens")
	call.sent = time.Now()
	reply, err := t.client.Send(ctx, up)
	if err != nil {
		return 0, err
	}
	call.Upstream, call.RequestID = reply.Header, reply.RequestID
	data, err := reply.ReadAll(maxAnswer)
	call.answered = time.Now()
	if err != nil {
		return 0, err
	}
	n, ok := wholeNumber(jsonscan.Member(data, "inputTokens"))
	if !ok {
		return 0, &llm.Error{Kind: llm.KindUpstream, Message: "the answer of AWS has no count", RequestID: reply.RequestID}
	}
	return n, nil
}

// wholeNumber reads a count.
func wholeNumber(raw []byte) (n int64, ok bool) {
	for _, c := range raw {
		if c < '0' || c > '9' || n > 1<<50 {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, len(raw) > 0
}

// appendCount writes the body of CountTokens: what the call would send, in the words of Claude's own body or of Converse.
func appendCount(dst []byte, r *llm.Request, ref catalog.Ref) ([]byte, error) {
	if invoke.SpeaksMessages(ref) {
		request, err := invoke.Encode(nil, r, ref)
		if err != nil {
			return dst, err
		}
		dst = base64.StdEncoding.AppendEncode(append(dst, `{"input":{"invokeModel":{"body":"`...), request.Body)
		return append(dst, `"}}}`...), nil
	}
	body, _, err := converse.Encode(nil, r, ref)
	if err != nil {
		return dst, err
	}
	dst = append(dst, `{"input":{"converse":{`...)
	n := 0
	for name, value := range jsonscan.Members(body) {
		switch name {
		case "messages", "system", "toolConfig", "additionalModelRequestFields":
			if n++; n > 1 {
				dst = append(dst, ',')
			}
			dst = append(append(append(append(dst, '"'), name...), `":`...), value...)
		}
	}
	return append(dst, `}}}`...), nil
}

// What an estimate takes for a token. Models of today make one of 2.6 to 4 characters of English or code, and of fewer in
// other writings; what is left unseen, such as the words around tools, is added on top.
const (
	asciiTenths   = 24 // tenths of a byte of ASCII in a token
	otherTenths   = 18 // of other text, in UTF-8
	perMessage    = 8
	perTool       = 40
	toolsTogether = 500
	// perImage is the most that Claude counts for an image, perPage for a page of a document, bytesPerPage how small a page
	// may be.
	perImage     = 4800
	perPage      = 3000
	bytesPerPage = 12 << 10
)

// roughly estimates the tokens of a request, rather too high.
func roughly(r *llm.Request) int64 {
	var e estimator
	e.blocks(r.System)
	for i := range r.Messages {
		e.tokens += perMessage
		e.blocks(r.Messages[i].Blocks)
	}
	for i := range r.Tools {
		t := &r.Tools[i]
		e.tokens += perTool
		e.bytes([]byte(t.Name))
		e.text(t.Description)
		e.bytes(t.Schema)
		e.bytes(t.Raw)
	}
	if len(r.Tools) > 0 {
		e.tokens += toolsTogether
	}
	return e.tokens + (e.ascii*10+asciiTenths-1)/asciiTenths + (e.other*10+otherTenths-1)/otherTenths
}

type estimator struct{ tokens, ascii, other int64 }

func (e *estimator) bytes(b []byte) {
	for _, c := range b {
		if c < 0x80 {
			e.ascii++
		} else {
			e.other++
		}
	}
}

func (e *estimator) text(t llm.Text) {
	if raw, spelled := t.Raw(); spelled {
		e.bytes(raw)
		return
	}
	e.bytes([]byte(t.String()))
}

func (e *estimator) blocks(blocks []llm.Block) {
	for i := range blocks {
		b := &blocks[i]
		e.text(b.Text)
		e.text(b.Signature)
		e.bytes(b.Raw)
		if b.Tool != nil {
			e.bytes([]byte(b.Tool.Name))
			e.bytes(b.Tool.Input)
			e.blocks(b.Tool.Result)
			e.tokens += perMessage
		}
		if m := b.Media; m != nil {
			e.text(m.Text)
			e.text(m.Context)
			switch b.Kind {
			case llm.BlockImage:
				e.tokens += perImage
			default:
				if !m.Base64.IsEmpty() {
					size := int64(m.Base64.Size()) * 3 / 4
					e.tokens += perPage * (1 + size/bytesPerPage)
				}
			}
		}
	}
}
