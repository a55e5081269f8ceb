package router

import (
	"time"

	"github.com/outcrop-ai/outcrop/internal/catalog"
	"github.com/outcrop-ai/outcrop/llm"
)

// Deployment is one way to call a model: which model, where, as whom, and under which rules. It is not changed once it
// is in a router.
type Deployment struct {
	// ID is stable over restarts. Group is the model_name that it answers to, possibly with a "*".
	ID, Group string
	// Model is the upstream model as the configuration names it, possibly with a "*"; BaseModel gives facts and price when
	// the name is opaque; ModelID replaces the model in the URL.
	Model, BaseModel, ModelID string
	// Connection names the upstream identity and endpoint: an index that the engine's owner gave out.
	Connection int
	// Project is the project that calls to Mantle's host are booked to; empty is none.
	Project string
	// Region is the configured region, empty when the model's name or the environment decides.
	Region string

	// Ref is what the catalogue knows of Model. It is zero for a wildcard.
	Ref catalog.Ref
	// Defaults are request parameters that the client left out. GuardrailLocked keeps their guardrail from being replaced.
	Defaults        *llm.Request
	GuardrailLocked bool
	// Policy is the deployment's word on dropping and repairing; Remove lists parameters that are always removed.
	Policy llm.Policy
	Remove []string
	// Prices replace the catalogue's, by LiteLLM's names, in USD per unit.
	Prices map[string]float64
	// Timeouts bound a call.
	Timeouts Timeouts
	// Drain reads the answer of a client that has gone to its end, for its usage.
	Drain bool
	// ForwardHeaders sends the client's x- headers and anthropic-beta upstream.
	ForwardHeaders bool
	// Weight is the share of the group's traffic, 0 for none unless all are 0.
	Weight float64
	// Order ranks the deployments of a group: those of the lowest order are used.
	Order int
	// Limits are its quotas; Parallel is how many calls may be under way at once, 0 for any number.
	Limits   Limits
	Parallel int64
	// Budget is what it may cost in each BudgetDuration ("30d"; empty is for ever), in pico-dollars; nil is no bound.
	Budget         *int64
	BudgetDuration string
	// Tags are what requests may ask for.
	Tags []string
	// Retries is how many further tries a failed call gets; nil leaves it to the group and the router. AllowedFails and
	// Cooldown replace those of the router's rules; nil and 0 leave them.
	// AllowedByClass is AllowedFails by the class of a failure, LiteLLM's word for its exception.
	Retries        *int
	AllowedFails   *int
	AllowedByClass map[string]int
	Cooldown       time.Duration
	// Blocked takes it out of use.
	Blocked bool
	// Access are the groups of rights that it is in.
	Access []string
	// Mode and the limits, in tokens, describe the model to clients.
	Mode               string
	Context, MaxOutput int64
	// Info is the model_info of the configuration as JSON, for /model/info.
	Info []byte
}

// Timeouts bound one upstream call; 0 means no bound.
type Timeouts struct {
	// Total bounds a call that is no stream. FirstByte bounds the wait for an answer's headers, FirstEvent that for a
	// stream's first event, Idle the silence between two events.
	Total, FirstByte, FirstEvent, Idle time.Duration
}
