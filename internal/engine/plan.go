package engine

import (
	"context"
	"log/slog"
	"maps"
	"net/http"
	"slices"

	"github.com/outcrop-ai/outcrop/internal/bedrock/converse"
	"github.com/outcrop-ai/outcrop/internal/bedrock/invoke"
	"github.com/outcrop-ai/outcrop/internal/bedrock/wire"
	"github.com/outcrop-ai/outcrop/internal/catalog"
	"github.com/outcrop-ai/outcrop/internal/telemetry"
	"github.com/outcrop-ai/outcrop/llm"
)

// plan is a call that is ready to be sent.
type plan struct {
	target *target
	body   *wire.Body
	// turn reads the answer of Converse, invoked that of InvokeModel, whose request has headers of its own.
	turn    *converse.Turn
	invoked *invoke.Turn
	header  http.Header
}

// prepare chooses the deployment, completes the request with its defaults and rules, and encodes it. The caller
// releases the plan's body.
func (e *Engine) prepare(ctx context.Context, call *Call) (*plan, *llm.Error) {
	failed := e.choose(ctx, call, modeChat)
	if failed != nil {
		return nil, failed
	}
	if failed := e.checkChoices(call.Request); failed != nil {
		return nil, failed
	}
	return e.encode(call, call.target, call.Request)
}

// choose finds the deployment for a call, completes the request with its defaults and rules, and fetches its files.
func (e *Engine) choose(ctx context.Context, call *Call, want mode) *llm.Error {
	if denied := e.checkRights(call); denied != nil {
		return denied
	}
	q, failed := e.ask(call, call.Request.Model, want)
	if failed != nil {
		return failed
	}
	q.modelID = call.OwnModelID
	call.tries = newTries(call.Request, q)
	t, none := e.pick(call, &q)
	if none != nil {
		if other := call.substitute(none); other != "" {
			if q, failed = e.ask(call, other, want); failed != nil {
				return failed
			}
			call.tries = newTries(call.Request, q)
			t, none = e.pick(call, &q)
		}
	}
	if failed := e.admit(ctx, call, t); failed != nil {
		call.leave()
		return failed
	}
	if none != nil { // another model may stand in
		return e.goOn(ctx, call, none)
	}
	return e.take(ctx, call, t)
}

// take has a target answer a call: it completes the request with the deployment's defaults and rules, and fetches its files.
func (e *Engine) take(ctx context.Context, call *Call, t *target) *llm.Error {
	t = t.codecFor(call.Request)
	call.Deployment, call.Region, call.ModelID, call.Endpoint = t.deployment, t.region, t.id, t.endpoint
	call.target = t
	e.complete(call)
	if call.Connection != nil || t.attributed {
		if failed := e.goAs(call); failed != nil {
			return failed
		}
	}
	return e.fetch(ctx, call.Request)
}

// encode plans a request of a call. The caller releases the plan's body.
func (e *Engine) encode(call *Call, t *target, r *llm.Request) (*plan, *llm.Error) {
	p, failed := e.leastLoss(call, t, r)
	if failed != nil {
		return nil, failed
	}
	t = p.target
	if e.o.Debug && e.o.Logger.Enabled(context.Background(), slog.LevelDebug) {
		e.o.Logger.Debug("upstream request", "call_id", call.ID, "path", p.path(r.Stream), "region", t.region, "body", telemetry.Body(p.body.B))
	}
	return p, nil
}

// planFor encodes a request for a target.
func (e *Engine) planFor(t *target, r *llm.Request) (*plan, *llm.Error) {
	p := &plan{target: t, body: wire.NewBody()}
	if err := p.encode(r); err != nil {
		p.body.Release()
		return nil, e.refused(err)
	}
	return p, nil
}

// encode writes the request in the words of the deployment's route.
func (p *plan) encode(r *llm.Request) error {
	ref := p.target.deployment.Ref
	api, onMantle := p.target.api()
	if o := r.Original; o != nil && !(api == catalog.RouteResponses && invoke.Relays(r)) { // said in other words, it loses more
		for _, l := range o.Losses {
			r.Lose(l.Path, l.Why)
		}
	}
	if api != "" {
		request, err := invoke.EncodeNative(p.body.B, r, ref, invoke.Native{API: api, Model: p.target.id, Mantle: onMantle, Stream: r.Stream && p.target.streams})
		if err != nil {
			return err
		}
		p.body.B, p.header, p.invoked = request.Body, request.Header, request.Turn
		p.project(api, onMantle)
		return nil
	}
	if ref.Route == catalog.RouteInvoke {
		request, err := invoke.Encode(p.body.B, r, ref)
		if err != nil {
			return err
		}
		p.body.B, p.header, p.invoked = request.Body, request.Header, request.Turn
		return nil
	}
	body, turn, err := converse.Encode(p.body.B, r, ref)
	if err != nil {
		return err
	}
	p.body.B, p.turn = body, turn
	return nil
}

func (e *Engine) refused(err error) *llm.Error {
	known, ok := err.(*llm.Error) //nolint:errorlint // codecs return it bare
	if !ok {
		return &llm.Error{Kind: llm.KindInternal, Message: "internal error", Cause: err}
	}
	return known
}

// complete merges the deployment's defaults and rules into the request. What the request says itself wins, but for a
// guardrail that the configuration has locked.
func (e *Engine) complete(call *Call) {
	r, d := call.Request, call.Deployment
	if d.ForwardHeaders {
		for _, value := range call.Header["Anthropic-Beta"] {
			r.AddBetas(value)
		}
	}
	if d.Defaults != nil {
		if d.GuardrailLocked && d.Defaults.Guardrail != nil && r.Guardrail != nil {
			r.Guardrail = d.Defaults.Guardrail
			r.Lose("guardrailConfig", "locked")
		}
		r.ApplyDefaults(d.Defaults)
	}
	e.refusedFlags.leaveOut(call.ModelID, r)
	allowed, rules := r.Policy.Allowed, r.Policy.CacheRules
	r.Policy = d.Policy
	if rules != nil {
		r.Policy.CacheRules = rules
	}
	r.Policy.Allowed = append(allowed[:len(allowed):len(allowed)], d.Policy.Allowed...)
	if call.Drop != nil {
		r.Policy.Drop = *call.Drop
	}
	if call.Modify != nil {
		r.Policy.Modify = *call.Modify
	}
	if call.UserContinue != nil {
		r.Policy.UserContinue = call.UserContinue
	}
	if call.AssistantContinue != nil {
		r.Policy.AssistantContinue = call.AssistantContinue
	}
	if len(call.Remove)+len(d.Remove) > 0 { // members of objects are taken out in place
		r.Params, r.Extra = slices.Clone(r.Params), slices.Clone(r.Extra)
	}
	for _, path := range call.Remove {
		Remove(r, path)
	}
	for _, path := range d.Remove {
		Remove(r, path)
	}
	if len(r.Policy.CacheRules) > 0 {
		r.System, r.Messages = slices.Clone(r.System), slices.Clone(r.Messages)
		for i := range r.Messages {
			r.Messages[i].Blocks = slices.Clone(r.Messages[i].Blocks)
		}
		injectCachePoints(r, r.Policy.CacheRules)
		r.Change()
	}
}

// project names the project that a call to Mantle's host is booked to.
func (p *plan) project(api catalog.Route, onMantle bool) {
	if project := p.target.deployment.Project; onMantle && project != "" {
		name := "OpenAI-Project"
		if api == catalog.RouteMessages {
			name = "Anthropic-Workspace-Id"
		}
		p.header.Set(name, project)
	}
}

func (p *plan) path(stream bool) string {
	if stream {
		return p.target.stream
	}
	return p.target.plain
}

// call returns the upstream call.
func (p *plan) call(c *Call, stream bool, keyHeader string) *wire.Call {
	d := p.target.deployment
	out := &wire.Call{Path: p.path(stream), Body: p.body, Stream: stream, Refused: &c.refused, Timeouts: wire.Timeouts{
		Total: d.Timeouts.Total, FirstByte: d.Timeouts.FirstByte, FirstEvent: d.Timeouts.FirstEvent, Idle: d.Timeouts.Idle,
	}}
	if api, _ := p.target.api(); api != "" && stream {
		out.Accept = "text/event-stream"
	}
	if c.Timeout > 0 {
		out.Timeouts.Total, out.Timeouts.FirstEvent = c.Timeout, c.Timeout
	}
	if c.StreamTimeout > 0 {
		out.Timeouts.FirstEvent = c.StreamTimeout
	}
	if d.ForwardHeaders {
		out.Header = forwarded(c.Header, keyHeader)
	}
	for _, more := range []http.Header{c.Headers, p.header} {
		if len(more) > 0 && out.Header == nil {
			out.Header = http.Header{}
		}
		maps.Copy(out.Header, more)
	}
	return out
}

func (p *plan) decode(data []byte, header http.Header) (*llm.Response, error) {
	if p.invoked != nil {
		return invoke.Decode(data, header, p.invoked)
	}
	return converse.Decode(data, p.turn)
}

func (p *plan) stream(reply *wire.Reply) llm.Stream {
	if reply.IsEvents() {
		return invoke.NewEventStream(reply.Events(), reply.Header, p.invoked, reply.RequestID)
	}
	if p.invoked != nil {
		return invoke.NewStream(reply.Frames(), reply.Header, p.invoked, reply.RequestID)
	}
	return converse.NewStream(reply.Frames(), p.turn, reply.RequestID)
}

// Explanation is what would happen to a request, see [Engine.Explain].
type Explanation struct {
	// Deployment, Group, Route, Region and ModelID say where the request would go.
	Deployment, Group, Route, Region, ModelID string
	// Method, URL and Header are those of the upstream call, without what a signature adds. Body is its JSON.
	Method, URL string
	Header      http.Header
	Body        []byte
	// Losses is what would be dropped or changed.
	Losses []llm.Loss
	// PriceKey and Prices are the price basis, in USD per token by LiteLLM's names; Prices is nil when it is unknown.
	PriceKey string
	Prices   map[string]float64
}

// Explain says what would happen to a call, without sending anything to AWS. Files that the request names by URL are
// fetched if the engine has a Fetcher.
func (e *Engine) Explain(ctx context.Context, call *Call) (*Explanation, *llm.Error) {
	p, failed := e.prepare(ctx, call)
	if failed != nil {
		return nil, failed
	}
	defer p.body.Release()
	t := p.target
	header := http.Header{"Content-Type": {"application/json"}}
	maps.Copy(header, p.header)
	x := &Explanation{
		Deployment: t.deployment.ID, Group: t.deployment.Group, Route: t.deployment.Ref.RouteName(), Region: t.region, ModelID: t.id,
		Method: http.MethodPost, URL: t.client.URL(p.path(call.Request.Stream)), Header: header,
		Body: append([]byte(nil), p.body.B...), Losses: call.Request.Losses,
	}
	if t.priced {
		x.PriceKey, x.Prices = t.price.Key, t.price.LiteLLM()
	}
	return x, nil
}
