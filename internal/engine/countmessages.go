package engine

import (
	"context"
	"time"

	"github.com/outcrop-ai/outcrop/internal/bedrock/invoke"
	"github.com/outcrop-ai/outcrop/internal/bedrock/wire"
	"github.com/outcrop-ai/outcrop/internal/catalog"
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// messagesCount is where Anthropic's own count_tokens is on Mantle's host. AWS names it for Claude models that CountTokens on
// bedrock-runtime does not serve (Bedrock User Guide, "Count tokens").
const messagesCount = "/anthropic/v1/messages/count_tokens"

// countByMessages counts at Anthropic's endpoint on Mantle's host. ok is false for models that are not known to be there, and
// where the deployment's identity or connection does not get there: then there is an estimate.
func (e *Engine) countByMessages(ctx context.Context, call *Call) (tokens int64, ok bool, failed *llm.Error) {
	t := call.target
	ref := t.deployment.Ref
	if ref.Model == nil || !ref.Model.Has(catalog.RouteMessages, true) {
		return 0, false, nil
	}
	key := countKey{"mantle/" + ref.Model.ID, t.region}
	if _, never := e.uncounted.Load(key); never {
		return 0, false, nil
	}
	client, err := t.connection.Mantle(t.region)
	if err != nil {
		return 0, false, nil
	}
	request, err := invoke.EncodeNative(nil, call.Request, ref, invoke.Native{API: catalog.RouteMessages, Model: ref.Model.MantleID(), Mantle: true})
	if err != nil {
		return 0, false, e.refused(err)
	}
	p := &plan{target: t, body: wire.NewBody(), header: request.Header}
	defer p.body.Release()
	p.body.B = appendCounted(p.body.B, request.Body)
	p.project(catalog.RouteMessages, true)
	up := p.call(call, false, e.o.KeyHeader)
	up.Path, up.Accept = messagesCount, ""
	call.sent = time.Now()
	reply, err := client.Send(ctx, up)
	if err != nil {
		failed := e.failed(call, err)
		switch failed.Kind {
		case llm.KindNotFound:
			e.uncounted.Store(key, true)
			return 0, false, nil
		case llm.KindPermission, llm.KindUpstream: // Mantle has actions of its own, and need not be reachable
			call.Warning = "tokens are not counted by AWS: Mantle's endpoint cannot be asked as this deployment"
			return 0, false, nil
		}
		return 0, false, failed
	}
	call.Upstream, call.RequestID = reply.Header, reply.RequestID
	data, err := reply.ReadAll(maxAnswer)
	call.answered = time.Now()
	if err != nil {
		return 0, false, e.failed(call, err)
	}
	tokens, ok = wholeNumber(jsonscan.Member(data, "input_tokens"))
	return tokens, ok, nil
}

// appendCounted writes the members of a Messages request that are counted: others are refused there.
func appendCounted(dst, body []byte) []byte {
	dst = append(dst, '{')
	first := true
	for name, value := range jsonscan.Members(body) {
		switch name {
		case "model", "messages", "system", "tools", "tool_choice", "thinking":
			if !first {
				dst = append(dst, ',')
			}
			first = false
			dst = append(append(llm.AppendString(dst, name), ':'), value...)
		}
	}
	return append(dst, '}')
}
