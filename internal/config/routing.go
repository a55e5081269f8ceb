package config

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
)

// Fallbacks are the models that stand in for a group's, by the group's name; "*" is any.
type Fallbacks map[string][]Fallback

// Fallback is a model that stands in for another.
type Fallback struct {
	// Model is the name of a group or the id of a deployment.
	Model string
	// Params is a JSON object of parameters that replace the request's; nil is none.
	Params json.RawMessage
}

// FallbackList are models that stand in for any.
type FallbackList []Fallback

// FailureCounts are numbers by classes of failures: the class is LiteLLM's name of its exception, without "Error".
type FailureCounts map[string]int

// GroupFailureCounts are FailureCounts by the name of a group.
type GroupFailureCounts map[string]FailureCounts

// failureClasses are LiteLLM's, in which retry_policy and allowed_fails_policy count.
var failureClasses = []string{
	"Timeout", "RateLimit", "ContentPolicyViolation", "Authentication", "BadRequest", "NotFound", "ServiceUnavailable", "BadGateway", "InternalServer",
}

// routing stores n in dst if that is one of the types above, or of what operators are told, and reports whether it is.
func (l *loader) routing(n *node, path string, dst any) bool {
	switch p := dst.(type) {
	case *Fallbacks:
		l.fallbacks(n, path, p)
	case *FallbackList:
		l.fallbackList(n, path, p)
	case *FailureCounts:
		l.failureCounts(n, path, p)
	case *GroupFailureCounts:
		l.groupFailureCounts(n, path, p)
	case *Aliases:
		l.aliases(n, path, p)
	case *CacheParams:
		l.section(n, path, SectionCache, p, nil)
	case *ProviderBudgets:
		l.providerBudgets(n, path, p)
	case *FileCallback:
		l.section(n, path, SectionFile, p, nil)
	case *S3Callback:
		l.section(n, path, SectionS3, p, nil)
	case *Redis:
		l.section(n, path, SectionRedis, p, nil)
	case *RoutingStrategyArgs:
		l.section(n, path, SectionStrategy, p, nil)
	default:
		return l.telling(n, path, dst)
	}
	return true
}

// fallbacks reads [{group: [model, {model: …, parameter: …}]}], or the mapping alone.
func (l *loader) fallbacks(n *node, path string, dst *Fallbacks) {
	items := n.items
	if n.kind == kindMap {
		items = []*node{n}
	} else if n.kind != kindList {
		l.errorf(n.at, path, "%s must be a list of {model group: [models]}, not %s", lastKey(path), n.what())
		return
	}
	out := Fallbacks{}
	for _, item := range items {
		if item.kind != kindMap {
			l.errorf(item.at, path, "%s must be a list of {model group: [models]}, and this is %s", lastKey(path), item.what())
			return
		}
		for _, f := range item.fields {
			var list FallbackList
			l.fallbackList(f.value, join(path, f.key), &list)
			out[f.key] = append(out[f.key], list...)
		}
	}
	*dst = out
}

// fallbackList reads a list of models: names, and mappings of a model and parameters.
func (l *loader) fallbackList(n *node, path string, dst *FallbackList) {
	items := n.items
	if n.kind != kindList {
		items = []*node{n}
	}
	for _, item := range items {
		if item.kind != kindMap {
			if name, ok := l.text(item, path); ok && name != "" {
				*dst = append(*dst, Fallback{Model: name})
			}
			continue
		}
		f := Fallback{}
		var rest []field
		for _, member := range item.fields {
			if member.key == "model" {
				f.Model, _ = l.text(member.value, join(path, "model"))
			} else {
				rest = append(rest, member)
			}
		}
		if f.Model == "" {
			l.errorf(item.at, path, "a fallback needs model, the name of a model group")
			continue
		}
		if len(rest) > 0 {
			f.Params = appendObject(nil, rest)
		}
		*dst = append(*dst, f)
	}
}

// failureCounts reads {TimeoutErrorRetries: 2, …} or {TimeoutErrorAllowedFails: 100, …}.
func (l *loader) failureCounts(n *node, path string, dst *FailureCounts) {
	if n.kind != kindMap {
		l.errorf(n.at, path, "%s must be a mapping of failures to numbers, not %s", lastKey(path), n.what())
		return
	}
	out := FailureCounts{}
	for _, f := range n.fields {
		class, known := strings.CutSuffix(strings.TrimSuffix(strings.TrimSuffix(f.key, "Retries"), "AllowedFails"), "Error")
		if !known || !slices.Contains(failureClasses, class) {
			var names []string
			for _, c := range failureClasses {
				names = append(names, c+"ErrorRetries")
			}
			l.add(Error, f.at, join(path, f.key), Nearest(f.key, names), "unknown key %q in %s", clip(f.key), lastKey(path))
			continue
		}
		if !f.value.isSet() {
			continue
		}
		count, ok := number(f.value)
		if !ok || count != math.Trunc(count) || count < 0 || count > 1e6 {
			l.errorf(f.value.at, join(path, f.key), "%s must be a whole number, not %s", f.key, f.value.quote())
			continue
		}
		out[class] = int(count)
	}
	*dst = out
}

func (l *loader) groupFailureCounts(n *node, path string, dst *GroupFailureCounts) {
	if n.kind != kindMap {
		l.errorf(n.at, path, "%s must be a mapping of model groups to policies, not %s", lastKey(path), n.what())
		return
	}
	out := GroupFailureCounts{}
	for _, f := range n.fields {
		var counts FailureCounts
		l.failureCounts(f.value, join(path, f.key), &counts)
		out[f.key] = counts
	}
	*dst = out
}

// ProviderBudgets are what calls to a provider may cost together.
type ProviderBudgets map[string]ProviderBudget

// providerBudgets reads {bedrock: {budget_limit: USD, time_period: 1d}}. Other providers are not called.
func (l *loader) providerBudgets(n *node, path string, dst *ProviderBudgets) {
	if n.kind != kindMap {
		l.errorf(n.at, path, "%s must be a mapping {bedrock: {budget_limit: USD, time_period: 1d}}, not %s", lastKey(path), n.what())
		return
	}
	out := ProviderBudgets{}
	for _, f := range n.fields {
		if f.key != "bedrock" {
			l.add(Note, f.at, join(path, f.key), "", "%s has no effect: only bedrock is called", clip(f.key))
			continue
		}
		var b ProviderBudget
		l.section(f.value, join(path, f.key), SectionProviderBudget, &b, nil)
		out[f.key] = b
	}
	*dst = out
}
