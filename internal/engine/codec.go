package engine

import (
	"slices"

	"github.com/outcrop-ai/outcrop/internal/bedrock/invoke"
	"github.com/outcrop-ai/outcrop/internal/catalog"
	"github.com/outcrop-ai/outcrop/internal/router"
	"github.com/outcrop-ai/outcrop/llm"
)

// codecFor returns the target as the request is best said to it: one in the words of an API that the model speaks goes
// where they are taken nearly as they are, and Converse would have to be told in its own. Claude's words go to InvokeModel,
// those of the Responses API to its endpoint. Who names a route in the model's name gets that route.
//
// This and leastLoss are the two places that choose between the ways to one deployment; a further codec is a further choice
// here.
func (t *target) codecFor(r *llm.Request) *target {
	switch {
	case r.Original == nil:
	case r.Original.Dialect == llm.DialectMessages && t.messages != nil:
		return t.messages
	case r.Original.Dialect == llm.DialectResponses && slices.Contains(t.ways, catalog.RouteResponses):
		return t.through(catalog.RouteResponses)
	}
	return t
}

// leastLoss plans a request by the way that loses least of it: the target's own, if nothing is lost there, else the first of
// the others that loses less. What is refused there may be served elsewhere.
func (e *Engine) leastLoss(call *Call, t *target, r *llm.Request) (*plan, *llm.Error) {
	before := slices.Clip(r.Losses)
	p, failed := e.planFor(t, r)
	if len(t.ways) == 0 || failed == nil && len(r.Losses) == len(before) {
		return p, failed
	}
	for _, way := range t.ways {
		other := *r
		other.Losses = before
		q, refused := e.planFor(t.through(way), &other)
		if refused != nil {
			continue
		}
		if failed == nil && len(other.Losses) >= len(r.Losses) {
			q.body.Release()
			continue
		}
		if failed == nil {
			p.body.Release()
		}
		p, failed, r.Losses = q, nil, other.Losses
		call.target, call.Deployment, call.ModelID, call.Endpoint = q.target, q.target.deployment, q.target.id, q.target.endpoint
		if len(r.Losses) == len(before) {
			break
		}
	}
	return p, failed
}

// nameCodecs prepares the choices of codecFor and leastLoss. Only what the catalogue knows of a model is a choice, and only
// on the host that the model is asked at anyway.
func (t *target) nameCodecs() {
	ref := t.deployment.Ref
	if ref.Route == catalog.RouteConverse && !ref.Forced && invoke.SpeaksMessages(ref) {
		t.messages = t.throughInvoke()
	}
	m := ref.Model
	own, onMantle := t.api()
	if onMantle {
		t.deployment.Ref.API = own // it is said in headers, logs and rows
	}
	if m == nil || t.mode != modeChat {
		return
	}
	switch {
	case onMantle && ref.API == "", ref.Route == catalog.RouteConverse && !ref.Forced, ref.Route == catalog.RouteChatCompletions && !ref.Forced:
		for _, api := range m.APIs(onMantle) {
			if api != own {
				t.ways = append(t.ways, api)
			}
		}
	case ref.Route == catalog.RouteChatCompletions && m.HasConverse() && ref.ARN == nil: // as LiteLLM: for what only Converse knows
		t.ways = []catalog.Route{catalog.RouteConverse}
	}
}

// through returns the same target by another way on the same host.
func (t *target) through(way catalog.Route) *target {
	d, next := *t.deployment, *t
	if d.Ref.Route == catalog.RouteMantle {
		d.Ref.API = way
	} else {
		d.Ref.Route = way
	}
	next.deployment, next.ways, next.messages = &d, nil, nil
	next.route()
	return &next
}

// api returns the native endpoint that the target is asked at, empty for Converse, InvokeModel and all else, and whether it
// is on Mantle's host. Where the name tells none there, it is the one that chats are best said to.
func (t *target) api() (api catalog.Route, onMantle bool) {
	ref := &t.deployment.Ref
	switch {
	case ref.Route.IsNative():
		return ref.Route, false
	case ref.Route != catalog.RouteMantle:
		return "", false
	case ref.API != "":
		return ref.API, true
	case invoke.SpeaksMessages(*ref):
		return catalog.RouteMessages, true
	case ref.Model != nil && !ref.Model.Has(catalog.RouteChatCompletions, true) && ref.Model.Has(catalog.RouteResponses, true):
		return catalog.RouteResponses, true
	}
	return catalog.RouteChatCompletions, true
}

// nativePath is the path of the target's endpoint.
func (t *target) nativePath() string {
	api, onMantle := t.api()
	openAI := "/openai/v1"
	if onMantle && !t.deployment.Ref.Model.MantleOpenAIPath() {
		openAI = "/v1"
	}
	switch api {
	case catalog.RouteResponses:
		return openAI + "/responses"
	case catalog.RouteMessages:
		return "/anthropic/v1/messages"
	default:
		return openAI + "/chat/completions"
	}
}

// nativeRoute checks that a model has the endpoint that its name asks for, and finds its name there. Of models that the
// catalogue does not know AWS decides.
func nativeRoute(d *router.Deployment) *llm.Error {
	ref := &d.Ref
	t := target{deployment: d}
	api, onMantle := t.api()
	switch {
	case ref.ARN != nil && ref.ARN.Kind != "inference-profile" && ref.ARN.Kind != "foundation-model":
		return noRoute(d, "an ARN names no model there")
	case ref.Model == nil:
	case (api == catalog.RouteMessages) != invoke.SpeaksMessages(*ref):
		if api == catalog.RouteMessages {
			return noRoute(d, "only Claude is asked there")
		}
		return noRoute(d, "Claude has Anthropic's endpoint alone: mantle/, or messages/")
	}
	if onMantle && ref.Model != nil && ref.ARN == nil { // there are no profiles there
		ref.ID = ref.Model.MantleID()
	}
	return nil
}

func noRoute(d *router.Deployment, why string) *llm.Error {
	return &llm.Error{
		Kind: llm.KindInvalid, Code: "unsupported_route", Param: "model",
		Message: "the route " + d.Ref.RouteName() + " does not lead to " + d.Ref.ID + ": " + why,
	}
}
