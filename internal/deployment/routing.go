package deployment

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/internal/config"
	"github.com/outcrop-ai/outcrop/internal/dialect/openai"
	"github.com/outcrop-ai/outcrop/internal/engine"
	"github.com/outcrop-ai/outcrop/internal/router"
)

// usualRetries is how many further tries a call gets when nobody says: LiteLLM's number.
const usualRetries = 2

// NewRouting reads how often calls are tried, and where else. router_settings win over litellm_settings. Its error names a
// fallback whose parameters are none.
func NewRouting(c *config.Config) (engine.Routing, error) {
	r, l := &c.RouterSettings, &c.LitellmSettings
	o := engine.Routing{
		Retries: *cmp.Or(r.NumRetries, l.NumRetries, ptr(usualRetries)), Policy: classes(r.RetryPolicy),
		MaxFallbacks: *cmp.Or(r.MaxFallbacks, l.MaxFallbacks, ptr(0)),
		Cooldown: router.Rules{
			Disabled: r.DisableCooldowns, AllowedFails: *cmp.Or(r.AllowedFails, l.AllowedFails, ptr(-1)), Cooldown: cmp.Or(r.CooldownTime, l.CooldownTime),
		},
	}
	for group, counts := range r.ModelGroupRetryPolicy {
		if o.Groups == nil {
			o.Groups = map[string]map[engine.FailureClass]int{}
		}
		o.Groups[group] = classes(counts)
	}
	strategies(&o, r)
	var err error
	for _, kind := range []struct {
		dst  *map[string][]engine.Fallback
		name string
		said [2]config.Fallbacks
	}{
		{&o.Fallbacks, "fallbacks", [2]config.Fallbacks{r.Fallbacks, l.Fallbacks}},
		{&o.ContextFallbacks, "context_window_fallbacks", [2]config.Fallbacks{r.ContextWindowFallbacks, l.ContextWindowFallbacks}},
		{&o.FilterFallbacks, "content_policy_fallbacks", [2]config.Fallbacks{r.ContentPolicyFallbacks, l.ContentPolicyFallbacks}},
	} {
		for _, said := range kind.said {
			for group, list := range said {
				if _, has := (*kind.dst)[group]; has {
					continue
				}
				if *kind.dst == nil {
					*kind.dst = map[string][]engine.Fallback{}
				}
				if (*kind.dst)[group], err = fallbacks(list); err != nil {
					return o, fmt.Errorf("%s of %s: %w", kind.name, group, err)
				}
			}
		}
	}
	usual := r.DefaultFallbacks
	if len(usual) == 0 {
		usual = l.DefaultFallbacks
	}
	if o.Default, err = fallbacks(usual); err != nil {
		return o, fmt.Errorf("default_fallbacks: %w", err)
	}
	return o, nil
}

// strategies reads how a deployment is chosen.
func strategies(o *engine.Routing, r *config.RouterSettings) {
	checks := func(name string) bool { return slices.Contains(r.OptionalPreCallChecks, name) }
	o.Strategy, o.LatencyBuffer = router.Strategy(r.RoutingStrategy), r.RoutingStrategyArgs.LowestLatencyBuffer
	o.AllowedFails, o.RetryAfter = classes(r.AllowedFailsPolicy), r.RetryAfter
	o.Affinity = engine.Affinity{
		NoCache: r.CacheAwareRouting != nil && !*r.CacheAwareRouting,
		Session: checks("session_affinity"), Caller: checks("deployment_affinity"), TTL: r.DeploymentAffinityTTL,
	}
	o.EnforceLimits, o.PreCallChecks = checks("enforce_model_rate_limits"), r.EnablePreCallChecks
	o.TagFiltering, o.TagsMatchAny = r.EnableTagFiltering, r.TagFilteringMatchAny == nil || *r.TagFilteringMatchAny
	o.Hedge = engine.Hedge{After: r.HedgeAfter, Share: usualHedges}
	if r.HedgeMaxPercent != nil {
		o.Hedge.Share = *r.HedgeMaxPercent / 100
	}
}

// usualHedges is the share of calls that may be asked twice.
const usualHedges = 0.05

// quotas reads the quotas of a deployment, its tags, and when it is left alone.
func quotas(c *config.Config, entry *config.Deployment, d *router.Deployment) {
	p, info := &entry.Params, &entry.Info
	of := func(n *int) int64 {
		if n == nil {
			return 0
		}
		return int64(*n)
	}
	d.Limits = router.Limits{
		Requests: of(p.RPM), Tokens: of(p.TPM), InputTokens: of(p.ITPM), OutputTokens: of(p.OTPM), DayRequests: of(p.RPD), DayTokens: of(p.TPD),
	}
	d.Parallel = of(cmp.Or(p.MaxParallelRequests, c.RouterSettings.DefaultMaxParallelRequests))
	d.Tags = append(slices.Clone(p.Tags), info.Tags...)
	if p.MaxBudget != nil {
		most := int64(account.USD(*p.MaxBudget))
		d.Budget, d.BudgetDuration = &most, p.BudgetDuration
	}
	d.Retries = cmp.Or(p.NumRetries, p.MaxRetries)
	d.AllowedFails, d.AllowedByClass, d.Cooldown, d.Blocked = info.AllowedFails, info.AllowedFailsPolicy, info.CooldownTime, info.Blocked
}

func ptr(n int) *int { return &n }

func classes(counts config.FailureCounts) map[engine.FailureClass]int {
	if len(counts) == 0 {
		return nil
	}
	out := map[engine.FailureClass]int{}
	for class, n := range counts {
		out[engine.FailureClass(class)] = n
	}
	return out
}

func fallbacks(list config.FallbackList) ([]engine.Fallback, error) {
	var out []engine.Fallback
	for _, f := range list {
		one := engine.Fallback{Model: f.Model}
		if len(f.Params) > 0 {
			said, _, err := openai.DecodeDefaults(f.Params)
			if err != nil {
				return nil, fmt.Errorf("the fallback %s: %w", f.Model, err)
			}
			one.Request = said
		}
		out = append(out, one)
	}
	return out, nil
}
