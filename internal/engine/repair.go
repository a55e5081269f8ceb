package engine

import (
	"bytes"
	"context"
	"slices"
	"strconv"

	"github.com/outcrop-ai/outcrop/internal/bedrock/converse"
	"github.com/outcrop-ai/outcrop/internal/bedrock/wire"
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// send makes an upstream call. One that AWS refuses for something that the request can do without is made once more
// without it. The returned plan is the one that was answered.
func (e *Engine) send(ctx context.Context, call *Call, p *plan, stream bool) (*wire.Reply, *plan, error) {
	reply, err := p.target.client.Send(ctx, p.call(call, stream, e.o.KeyHeader))
	if err != nil {
		return e.resend(ctx, call, p, stream, err)
	}
	call.Upstream, call.RequestID = reply.Header, reply.RequestID
	return reply, p, nil
}

// resend answers a refusal with another call, where there is one that may fare better; else it gives the refusal back.
// The refused plan's body may have been released.
func (e *Engine) resend(ctx context.Context, call *Call, p *plan, stream bool, refusal error) (*wire.Reply, *plan, error) {
	flags := flagsOf(call.Request)
	again := e.mend(call, p, refusal)
	if again == nil {
		return nil, p, refusal
	}
	defer again.body.Release()
	e.o.Logger.Debug("refused, and asked again without it", "call_id", call.ID, "error", refusal)
	reply, err := again.target.client.Send(ctx, again.call(call, stream, e.o.KeyHeader))
	if err != nil {
		return nil, again, err
	}
	e.refusedFlags.learn(again.target.id, flags, flagsOf(call.Request))
	call.Upstream, call.RequestID = reply.Header, reply.RequestID
	return reply, again, nil
}

// mend returns the call to make after a refusal, nil if the refusal is final. All ways out of a refusal begin here.
func (e *Engine) mend(call *Call, p *plan, refusal error) *plan {
	if wire.RefusalOf(refusal, nil).Converse {
		return e.withoutConverse(call, p)
	}
	r := mended(call.Request, refusal)
	if r == nil {
		return nil
	}
	refused, failed := e.encode(call, p.target, copyOf(call.Request))
	if failed != nil {
		return nil
	}
	defer refused.body.Release()
	again, failed := e.encode(call, p.target, r)
	if failed != nil {
		return nil
	}
	if bytes.Equal(again.body.B, refused.body.B) { // what was refused was no part of the request
		again.body.Release()
		return nil
	}
	call.Request = r
	return again
}

// withoutConverse plans the call through InvokeModel, nil if that is no way for it.
func (e *Engine) withoutConverse(call *Call, p *plan) *plan {
	t := e.onInvoke(p.target)
	if t == nil {
		return nil
	}
	r := copyOf(call.Request)
	again, failed := e.encode(call, t, r)
	if failed != nil {
		return nil
	}
	call.Request, call.target, call.Deployment = r, t, t.deployment
	return again
}

// mendable reports whether the request has anything that it can do without.
func mendable(r *llm.Request) bool {
	return r.Format != nil || len(r.Betas) > 0 || slices.ContainsFunc(r.Tools, isStrict) ||
		llm.Lookup(r.Extra, betasParam) != nil || llm.Lookup(r.Extra, fieldsParam) != nil
}

// mended returns a copy of the request without what was refused, nil if it can do without nothing of that.
func mended(r *llm.Request, refusal error) *llm.Request {
	if !mendable(r) {
		return nil
	}
	flags := flagsOf(r)
	found := wire.RefusalOf(refusal, flags)
	m := copyOf(r)
	did := false
	if found.UnnamedBeta { // those that nobody knows are the likeliest
		found.Betas = slices.DeleteFunc(slices.Clone(flags), converse.KnowsBeta)
	}
	if len(found.Betas) > 0 {
		withoutFlags(m, flags, found.Betas)
		did = true
	}
	switch {
	case found.Schema && m.Format != nil && len(m.Format.Schema) > 0:
		m.Policy.NoNativeFormat = true
		m.Lose("response_format", "refused")
		did = true
	case found.Strict && slices.ContainsFunc(m.Tools, isStrict):
		withoutStrict(m)
		did = true
	}
	if !did {
		return nil
	}
	return m
}

func isStrict(t llm.Tool) bool { return t.Strict != nil && *t.Strict }

func withoutStrict(r *llm.Request) {
	r.Change()
	r.Tools = slices.Clone(r.Tools)
	for i := range r.Tools {
		if isStrict(r.Tools[i]) {
			r.Tools[i].Strict = nil
			r.Lose("tools["+strconv.Itoa(i)+"].function.strict", "refused")
		}
	}
}

// The parameters in which feature flags may stand beside Request.Betas.
const (
	betasParam  = "anthropic_beta"
	fieldsParam = "additionalModelRequestFields"
)

// flagsOf returns the request's feature flags, wherever they stand.
func flagsOf(r *llm.Request) []string {
	all := llm.Request{Betas: slices.Clone(r.Betas)}
	for _, list := range [...][]byte{llm.Lookup(r.Extra, betasParam), jsonscan.Member(llm.Lookup(r.Extra, fieldsParam), betasParam)} {
		all.AddBetas(string(jsonscan.AppendCompact(nil, list)))
	}
	return all.Betas
}

// withoutFlags leaves the request only those of its flags that were not refused, in one place.
func withoutFlags(r *llm.Request, flags, refused []string) {
	r.Betas = slices.DeleteFunc(slices.Clone(flags), func(flag string) bool { return slices.Contains(refused, flag) })
	r.Extra, _ = without(r.Extra, betasParam)
	if i := slices.IndexFunc(r.Extra, func(f llm.Field) bool { return f.Name == fieldsParam }); i >= 0 {
		r.Extra = slices.Clone(r.Extra)
		r.Extra[i].Value, _ = jsonscan.Delete(r.Extra[i].Value, betasParam)
	}
	for _, flag := range refused {
		r.Lose("anthropic_beta."+flag, "refused")
	}
}
