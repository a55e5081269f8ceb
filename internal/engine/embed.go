package engine

import (
	"context"
	"net/http"

	"github.com/outcrop-ai/outcrop/internal/bedrock/embed"
	"github.com/outcrop-ai/outcrop/internal/bedrock/invoke"
	"github.com/outcrop-ai/outcrop/llm"
)

// Embed answers a call for embeddings with one vector to each input. The calls that it takes are made side by side; the
// first failure ends them all. The vectors may alias memory that lives as long as they do.
func (e *Engine) Embed(ctx context.Context, call *Call) (*llm.Embeddings, *llm.Error) {
	if failed := e.choose(ctx, call, modeEmbedding); failed != nil {
		return nil, failed
	}
	list, header, failed := e.encodeInputs(call)
	if failed != nil {
		return nil, failed
	}
	ctx, leave := e.upstream(ctx, call)
	defer leave()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	bodies := make([][]byte, len(list))
	for i := range list {
		bodies[i] = list[i].Body
	}
	ps := upstreamCalls(call, call.target, header, bodies)
	defer ps.release()
	vectors := make([]llm.Vector, len(call.Request.Embed.Inputs))
	failure := e.each(ps, cancel, func(i int) *llm.Error {
		p := &ps.list[i]
		return e.attempt(ctx, p.call, false, e.replanned(p, func(c *Call) (*plan, *llm.Error) {
			var header http.Header
			again, header, failed := e.encodeInputs(c)
			switch {
			case failed != nil:
				return nil, failed
			case len(again) != len(list):
				return nil, otherShape(c)
			}
			list[i] = again[i]
			return newPlan(c.target, header, again[i].Body), nil
		}, func(plan *plan) *llm.Error { return e.embedPart(ctx, p.call, plan, list[i], vectors) }))
	})
	call.sum(ps)
	if failure != nil {
		return nil, e.failed(call, failure)
	}
	return &llm.Embeddings{Vectors: vectors, Usage: call.Usage}, nil
}

// encodeInputs plans the upstream calls for what the call asks its target.
func (e *Engine) encodeInputs(call *Call) ([]*embed.Part, http.Header, *llm.Error) {
	if call.target.mode != modeEmbedding { // a model that the catalogue does not know: its id may tell what it is
		call.target = call.target.throughInvoke()
	}
	list, err := embed.Encode(call.Request, call.target.deployment.Ref)
	if err != nil {
		return nil, nil, e.refused(err)
	}
	header, failed := invoke.GuardrailHeader(call.Request.Guardrail)
	return list, header, failed
}

// embedPart makes one of the calls.
func (e *Engine) embedPart(ctx context.Context, call *Call, p *plan, asked *embed.Part, vectors []llm.Vector) *llm.Error {
	data, header, err := e.exchange(ctx, call, p)
	if err != nil {
		return e.failed(call, err)
	}
	usage, err := embed.Decode(asked, data, header, vectors)
	if err != nil {
		return e.failed(call, err)
	}
	for _, i := range asked.Inputs {
		addSeconds(call.Request.Embed.Inputs[i], &usage)
	}
	if usage == (llm.Usage{}) { // nobody counted
		usage = estimateInputs(call.Request.Embed, asked.Inputs)
	}
	call.firstToken = call.answered
	call.Usage, call.HasUsage = usage, true
	e.price(call)
	return nil
}

// estimateInputs guesses the tokens of inputs by their length.
func estimateInputs(r *llm.Embed, inputs []int) llm.Usage {
	var sent int64
	for _, i := range inputs {
		for j := range r.Inputs[i] {
			sent += int64(r.Inputs[i][j].Text.Size())
		}
	}
	return llm.Usage{Input: (sent + bytesPerToken - 1) / bytesPerToken, Estimated: true}
}
