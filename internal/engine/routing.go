package engine

import (
	"net/http"
	"slices"
	"time"

	"github.com/outcrop-ai/outcrop/internal/router"
	"github.com/outcrop-ai/outcrop/llm"
)

// Routing says how often a call is tried, and where else, when it fails. The zero value tries it once.
type Routing struct {
	// Retries is how many further tries a call gets in its group. Policy says otherwise for some classes of failures,
	// Groups for those of some groups.
	Retries int
	Policy  map[FailureClass]int
	Groups  map[string]map[FailureClass]int
	// Cooldown says when a failing deployment is left alone. Single deployments of a group never are.
	Cooldown router.Rules
	// Fallbacks, ContextFallbacks and FilterFallbacks are the models that are asked in the place of a group's, by the group's
	// name or "*": after a failure that another model may not have, where the prompt is too long, and where it is refused
	// for its content. Default are those of every group without any of the first kind.
	Fallbacks, ContextFallbacks, FilterFallbacks map[string][]Fallback
	Default                                      []Fallback
	// MaxFallbacks bounds how many are asked for one call; 0 means 5.
	MaxFallbacks int
	// AllowedFails says by the class of a failure how many a minute may have; a class that it lacks follows Cooldown.
	AllowedFails map[FailureClass]int
	// RetryAfter is the least time before a deployment is asked again.
	RetryAfter time.Duration

	// Strategy chooses among the deployments of a group; empty is simple-shuffle. LatencyBuffer lets those share the traffic
	// that are slower than the fastest by this share of its latency.
	Strategy      router.Strategy
	LatencyBuffer float64
	// Affinity says what keeps calls at one deployment.
	Affinity Affinity
	// EnforceLimits refuses calls for which no deployment has quota left; else the limits only say where to go.
	EnforceLimits bool
	// PreCallChecks looks before a call whether it fits the context window and the abilities of a deployment.
	PreCallChecks bool
	// Hedge asks a second deployment when the first is slow.
	Hedge Hedge
	// TagFiltering sends requests to the deployments with all of their tags; TagsMatchAny is content with one of them.
	TagFiltering, TagsMatchAny bool
}

// Hedge says when a call is asked a second time elsewhere while the first is still under way.
type Hedge struct {
	// After is how long the first may take to begin its answer; 0 asks nobody twice.
	After time.Duration
	// Share is which share of all calls may be asked twice.
	Share float64
}

// enforces reports whether configured quotas are never exceeded.
func (o *Routing) enforces() bool {
	return o.EnforceLimits || o.Strategy == router.Usage || o.Strategy == router.UsageV2
}

// Fallback is a model to ask in the place of another.
type Fallback struct {
	// Model is the name of a group, or the id of a deployment.
	Model string
	// Request holds what replaces the client's own words; nil is nothing.
	Request *llm.Request
}

// FailureClass is a class of failures, by LiteLLM's word for its exception.
type FailureClass string

// The classes.
const (
	FailTimeout     FailureClass = "Timeout"
	FailRateLimit   FailureClass = "RateLimit"
	FailFilter      FailureClass = "ContentPolicyViolation"
	FailAuth        FailureClass = "Authentication"
	FailBadRequest  FailureClass = "BadRequest"
	FailNotFound    FailureClass = "NotFound"
	FailUnavailable FailureClass = "ServiceUnavailable"
	FailBadGateway  FailureClass = "BadGateway"
	FailInternal    FailureClass = "InternalServer"
)

// classOf returns the class of a failure.
func classOf(failed *llm.Error) FailureClass {
	if failed.Kind == llm.KindContentFilter {
		return FailFilter
	}
	switch s := failed.Status(); {
	case s == http.StatusRequestTimeout || s == http.StatusGatewayTimeout:
		return FailTimeout
	case s == http.StatusTooManyRequests:
		return FailRateLimit
	case s == http.StatusUnauthorized || s == http.StatusForbidden:
		return FailAuth
	case s == http.StatusNotFound:
		return FailNotFound
	case s < http.StatusInternalServerError:
		return FailBadRequest
	case s == http.StatusServiceUnavailable:
		return FailUnavailable
	case s == http.StatusBadGateway:
		return FailBadGateway
	}
	return FailInternal
}

// tries reports whether a call that fails may be tried again at all.
func (o *Routing) tries(call *Call) bool {
	return o.Retries > 0 || len(o.Policy)+len(o.Groups)+len(o.Fallbacks)+len(o.ContextFallbacks)+len(o.FilterFallbacks)+len(o.Default) > 0 ||
		call.Retries != nil || len(call.Fallbacks)+len(call.ContextFallbacks)+len(call.FilterFallbacks) > 0
}

// retries returns how many further tries a failure of a call to a group is worth.
func (o *Routing) retries(call *Call, group string, failed *llm.Error) int {
	if call.Retries != nil {
		return *call.Retries
	}
	if d := call.Deployment; d != nil && d.Retries != nil {
		return *d.Retries
	}
	if n, ok := o.policy(group, failed); ok {
		return n
	}
	return o.Retries
}

// policy returns how many further tries the configuration gives the failures of a class.
func (o *Routing) policy(group string, failed *llm.Error) (n int, ok bool) {
	class := classOf(failed)
	if n, ok = o.Groups[group][class]; !ok {
		n, ok = o.Policy[class]
	}
	return n, ok
}

// isWorthAnother reports whether a request that has failed is made again in its group: where it may succeed at another time
// or at another deployment, or where the configuration has said of the failure's class that it is. Where a model stands in
// for failures of its kind, that one is asked.
func (o *Routing) isWorthAnother(call *Call, q *query, failed *llm.Error) bool {
	special := failed.Kind == llm.KindContextWindow || failed.Kind == llm.KindContentFilter
	if !special && (failed.Retryable() || isRefusal(failed) || failed.Status() == http.StatusConflict) {
		return true
	}
	n, said := o.policy(q.name, failed)
	return said && n > 0 && failed.Kind != llm.KindContextWindow && (!special || len(o.fallbacks(call, q.names(), failed)) == 0)
}

// usualFallbacks is how many fallbacks a call has when nobody says.
const usualFallbacks = 5

func (o *Routing) maxFallbacks() int {
	if o.MaxFallbacks <= 0 {
		return usualFallbacks
	}
	return o.MaxFallbacks
}

// MaxFallbacks returns how many other models one call may be asked of.
func (e *Engine) MaxFallbacks() int { return e.o.Routing.maxFallbacks() }

// fallbacks returns the models to ask after a failure of a group: the client's, else the configuration's.
func (o *Routing) fallbacks(call *Call, names []string, failed *llm.Error) []Fallback {
	if call.NoFallbacks {
		return nil
	}
	own, of := call.Fallbacks, o.Fallbacks
	usual := o.Default
	switch failed.Kind {
	case llm.KindContextWindow:
		own, of, usual = call.ContextFallbacks, o.ContextFallbacks, nil
	case llm.KindContentFilter:
		own, of, usual = call.FilterFallbacks, o.FilterFallbacks, nil
	default:
		if class := classOf(failed); class == FailBadRequest && failed.Status() != http.StatusConflict {
			return nil // the request would be as bad elsewhere
		}
	}
	list := own
	for _, name := range append(slices.Clone(names), "*") {
		if len(list) > 0 {
			break
		}
		list = of[name]
	}
	if len(list) == 0 {
		list = usual
	}
	return list[:min(len(list), o.maxFallbacks())]
}

// over returns asked with what f says in the place of the client's words.
func (f *Fallback) over(asked llm.Request) llm.Request {
	if f.Request == nil {
		return asked
	}
	r := *f.Request
	r.Params, r.Extra, r.Metadata = slices.Clip(r.Params), slices.Clip(r.Extra), slices.Clip(r.Metadata)
	r.ApplyDefaults(&asked)
	r.Model, r.System, r.Messages, r.LegacyFunctions = asked.Model, asked.System, asked.Messages, asked.LegacyFunctions
	r.Stream, r.IncludeUsage, r.Tags = asked.Stream, asked.IncludeUsage, asked.Tags
	r.Embed, r.Rerank, r.Image, r.Policy, r.Losses = asked.Embed, asked.Rerank, asked.Image, asked.Policy, asked.Losses
	if r.Original = asked.Original; len(f.Request.Tools) > 0 {
		r.Change()
	}
	return r
}
