package outcrop

import (
	"context"
	"net/http"
	"strconv"

	"github.com/outcrop-ai/outcrop/internal/bedrock/wire"
	"github.com/outcrop-ai/outcrop/internal/engine"
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// ApplyGuardrail has a guardrail judge texts and images without a model, by AWS's operation of this name.
func (c *Client) ApplyGuardrail(ctx context.Context, r llm.GuardrailRequest) (*llm.GuardrailResponse, error) {
	k, err := c.ready(ctx)
	if err != nil {
		return nil, err
	}
	call := &engine.Call{
		ID: engine.NewID(), Type: "apply_guardrail", Path: "ApplyGuardrail", Start: now(), Request: &llm.Request{Model: r.Model}, Owner: true,
	}
	body, failed := judged(&r)
	var out *llm.GuardrailResponse
	if failed == nil {
		var reply *engine.NativeReply
		reply, _, failed = k.engine.Native(ctx, call, &engine.Native{
			Service: wire.ServiceRuntime, Method: http.MethodPost, Operation: "guardrail", Body: body,
			Path:   "/guardrail/" + wire.Label(r.ID) + "/version/" + wire.Label(r.Version) + "/apply",
			Header: http.Header{"Content-Type": {"application/json"}},
		})
		if failed == nil {
			var data []byte
			if data, failed = reply.ReadAll(); failed == nil {
				out = verdict(data)
				out.RequestID = call.RequestID
			}
			reply.Close()
		}
	}
	k.settle(ctx, call, failed)
	if failed != nil {
		return nil, failed
	}
	out.Cost = call.Cost()
	return out, nil
}

// judged is the body of the operation.
func judged(r *llm.GuardrailRequest) ([]byte, *llm.Error) {
	switch {
	case r.ID == "":
		return nil, missing("id")
	case r.Version == "":
		return nil, missing("version")
	case len(r.Content) == 0:
		return nil, missing("content")
	}
	p := preparation{arena: make([]llm.Block, 0, len(r.Content))}
	content := p.blocks(r.Content, func(i int) llm.Path { return llm.Path{Part: int32(i)} }) //nolint:gosec // no request has 2^31 blocks
	if p.failed != nil {
		return nil, p.failed
	}
	dst := []byte(`{"source":"INPUT","content":[`)
	if r.Output {
		dst = []byte(`{"source":"OUTPUT","content":[`)
	}
	for i := range content {
		b := &content[i]
		if i > 0 {
			dst = append(dst, ',')
		}
		switch {
		case b.Kind == llm.BlockText || b.Kind == llm.BlockGuarded:
			dst = b.Text.AppendJSON(append(dst, `{"text":{"text":`...))
			for j, q := range b.Qualifiers {
				dst = llm.AppendString(append(dst, [...]string{`,"qualifiers":[`, `,`}[min(j, 1)]...), q)
			}
			if len(b.Qualifiers) > 0 {
				dst = append(dst, ']')
			}
			dst = append(dst, `}}`...)
		case b.Kind == llm.BlockImage && !b.Media.Base64.IsEmpty():
			dst = append(llm.AppendString(append(dst, `{"image":{"format":`...), b.Media.Format), `,"source":{"bytes":`...)
			dst = append(b.Media.Base64.AppendJSON(dst), `}}}`...)
		default:
			at := "content[" + strconv.Itoa(i) + "]"
			return nil, llm.Invalid(at, at+" is neither a text nor an image's content, which is all that guardrails judge")
		}
	}
	return append(dst, `]}`...), nil
}

// verdict reads the operation's answer.
func verdict(data []byte) *llm.GuardrailResponse {
	out := &llm.GuardrailResponse{
		Intervened: jsonscan.Text(jsonscan.Member(data, "action")) == "GUARDRAIL_INTERVENED", Reason: jsonscan.Text(jsonscan.Member(data, "actionReason")),
		Assessments: jsonscan.Member(data, "assessments"), Usage: jsonscan.Member(data, "usage"),
	}
	for output := range jsonscan.Elements(jsonscan.Member(data, "outputs")) {
		out.Outputs = append(out.Outputs, jsonscan.Text(jsonscan.Member(output, "text")))
	}
	return out
}
