package metrics

import (
	"slices"
	"strconv"
	"strings"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/llm"
)

// none is LiteLLM's word for a label that says nothing.
const none = "None"

// provider is LiteLLM's name of Bedrock.
const provider = "bedrock"

func word(s string) string {
	if s == "" {
		return none
	}
	return s
}

// labels are all that tells series apart. Those after status are empty unless a metric shows them.
type labels struct {
	endUser, key, alias, team, teamAlias, user, org string
	requested, group, model, id, tier               string
	status, class, route                            string
	agent, stream, length, custom                   string
	// Of failed requests only, and of deployments' states; no series differ by them.
	refuser, limit, base string
}

// other counts what is over the bound of series.
func other() labels {
	const o = "other"
	return labels{
		endUser: o, key: o, alias: o, team: o, teamAlias: o, user: o, org: o, requested: o, group: o, model: o, id: o, tier: o, status: o, class: o, route: o,
		agent: o, stream: o, length: o, custom: o,
	}
}

func labelsOf(r *account.Record) labels {
	return labels{
		endUser: word(r.User), key: word(r.KeyHash), alias: word(r.KeyAlias), team: word(r.TeamID), teamAlias: word(r.TeamAlias), user: word(r.UserID), org: word(r.OrganizationID),
		requested: word(r.Asked), group: word(r.Group), model: word(r.Model), id: word(r.Deployment), tier: word(r.Tier),
		status: strconv.Itoa(r.Status), class: word(classOf(r)), route: word(r.Path),
	}
}

// classOf is LiteLLM's name for the class of a failure, empty for a success.
func classOf(r *account.Record) string {
	if !r.Failed() {
		return ""
	}
	if name, ok := map[string]string{
		"invalid_request": "BadRequestError", "authentication": "AuthenticationError", "permission": "PermissionDeniedError", "not_found": "NotFoundError",
		"too_large": "BadRequestError", "context_window": "ContextWindowExceededError", "content_filter": "ContentPolicyViolationError",
		"rate_limit": "RateLimitError", "timeout": "Timeout", "gateway_timeout": "Timeout", "unavailable": "ServiceUnavailableError",
		"upstream": "APIConnectionError", "canceled": "ClientClosedRequest",
	}[r.ErrorKind]; ok {
		return name
	}
	return "InternalServerError"
}

// limitOf is LiteLLM's word for who has refused a failed call because of a limit, and because of which.
func limitOf(r *account.Record) (refuser, limit string) {
	if r.ErrorKind != "rate_limit" {
		return "", ""
	}
	if r.AWSException != "" {
		return "vendor_rate_limit", ""
	}
	switch r.ErrorCode {
	case account.CodeRequests:
		limit = "requests"
	case account.CodeTokens:
		limit = "tokens"
	case account.CodeParallel:
		limit = "concurrent_requests"
	case account.CodeReserved, strconv.Itoa(r.Status):
		limit = "budget"
	}
	return "litellm_rate_limit", limit
}

// lengthOf is LiteLLM's word for how long a prompt is.
func lengthOf(u *llm.Usage) string {
	n := u.Prompt()
	switch {
	case n < 1000:
		return "0-1k"
	case n < 4000:
		return "1k-4k"
	case n < 16000:
		return "4k-16k"
	case n < 64000:
		return "16k-64k"
	default:
		return "64k+"
	}
}

// between stands between the values of custom labels in labels.custom.
const between = "\x1f"

// reader says what a label of a name has for a value.
type reader func(*labels) string

// reader returns what reads a label. Names of the options' own read their part of custom.
func (o *Options) reader(name string) reader {
	if i := slices.Index(o.custom(), name); i >= 0 {
		return func(l *labels) string {
			rest := l.custom
			for range i {
				_, rest, _ = strings.Cut(rest, between)
			}
			value, _, _ := strings.Cut(rest, between)
			return word(value)
		}
	}
	switch name {
	case "end_user":
		return func(l *labels) string { return l.endUser }
	case "hashed_api_key":
		return func(l *labels) string { return l.key }
	case "api_key_alias":
		return func(l *labels) string { return l.alias }
	case "requested_model":
		return func(l *labels) string { return l.requested }
	case "team":
		return func(l *labels) string { return l.team }
	case "team_alias":
		return func(l *labels) string { return l.teamAlias }
	case "user":
		return func(l *labels) string { return l.user }
	case "user_email":
		return func(l *labels) string { return o.named(account.EntityUser, l.user).Email }
	case "user_alias":
		return func(l *labels) string { return o.named(account.EntityUser, l.user).Alias }
	case "org_id":
		return func(l *labels) string { return l.org }
	case "org_alias":
		return func(l *labels) string { return o.named(account.EntityOrganization, l.org).Alias }
	case "model":
		return func(l *labels) string { return l.model }
	case "model_group", "fallback_model":
		return func(l *labels) string { return l.group }
	case "model_id":
		return func(l *labels) string { return l.id }
	case "litellm_model_name":
		return func(l *labels) string { return modelName(l.model) }
	case "api_provider":
		return func(*labels) string { return provider }
	case "service_tier":
		return func(l *labels) string { return l.tier }
	case "status_code", "exception_status":
		return func(l *labels) string { return l.status }
	case "exception_class":
		return func(l *labels) string { return l.class }
	case "route":
		return func(l *labels) string { return l.route }
	case "user_agent":
		return func(l *labels) string { return word(l.agent) }
	case "stream":
		return func(l *labels) string { return word(l.stream) }
	case "input_sequence_length":
		return func(l *labels) string { return word(l.length) }
	case "rate_limit_type":
		return func(l *labels) string { return word(l.limit) }
	case "rate_limit_category":
		return func(l *labels) string { return word(l.refuser) }
	case "api_base":
		return func(l *labels) string { return word(l.base) }
	default: // client_ip: metrics tell no addresses
		return func(*labels) string { return none }
	}
}

// modelName is LiteLLM's name of a model of Bedrock.
func modelName(model string) string {
	if model == none || model == "" {
		return none
	}
	return provider + "/" + model
}

// Names are what people call an owner.
type Names struct{ Alias, Email string }

// named returns what people call an owner, None where nobody knows.
func (o *Options) named(kind account.EntityKind, id string) Names {
	n := Names{}
	if o.Names != nil && id != none {
		n = o.Names(kind, id)
	}
	return Names{word(n.Alias), word(n.Email)}
}
