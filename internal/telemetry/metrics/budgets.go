package metrics

import (
	"context"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/outcrop-ai/outcrop/internal/account"
)

// budgetPatience bounds how long a page waits for what was spent, where that must be read from elsewhere.
const budgetPatience = 5 * time.Second

// budgetKind is a kind of owner, as LiteLLM's metrics of budgets have it.
type budgetKind struct {
	kind                   account.EntityKind
	remaining, most, hours string
	// of returns an owner's id, labels those that tell him.
	of     func(*labels) string
	labels func(id, alias string) labels
}

// budgetKinds are the owners that LiteLLM has metrics of budgets for. An alias that there is not is empty in them, not None.
func budgetKinds() []budgetKind {
	return []budgetKind{
		{
			account.EntityKey, "litellm_remaining_api_key_budget_metric", "litellm_api_key_max_budget_metric", "litellm_api_key_budget_remaining_hours_metric",
			func(l *labels) string { return l.key }, func(id, alias string) labels { return labels{key: id, alias: alias} },
		},
		{
			account.EntityTeam, "litellm_remaining_team_budget_metric", "litellm_team_max_budget_metric", "litellm_team_budget_remaining_hours_metric",
			func(l *labels) string { return l.team }, func(id, alias string) labels { return labels{team: id, teamAlias: alias} },
		},
		{
			account.EntityUser, "litellm_remaining_user_budget_metric", "litellm_user_max_budget_metric", "litellm_user_budget_remaining_hours_metric",
			func(l *labels) string { return l.user }, func(id, _ string) labels { return labels{user: id} },
		},
		{
			account.EntityOrganization, "litellm_remaining_org_budget_metric", "litellm_org_max_budget_metric", "litellm_org_budget_remaining_hours_metric",
			func(l *labels) string { return l.org }, func(id, _ string) labels { return labels{org: id} },
		},
		{
			account.EntityEndUser, "litellm_remaining_customer_budget_metric", "litellm_customer_max_budget_metric", "litellm_customer_budget_remaining_hours_metric",
			func(l *labels) string { return l.endUser }, func(id, _ string) labels { return labels{endUser: id} },
		},
	}
}

// budgets tells how those who have called stand towards their budgets. Who has no budget has an infinite one, as in LiteLLM.
func (s *states) budgets(out chan<- prometheus.Metric) {
	if s.m.o.Budgets == nil {
		return
	}
	limits, directory := s.m.o.Budgets()
	if limits == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), budgetPatience)
	defer cancel()
	now := time.Now()
	for _, kind := range budgetKinds() {
		remaining, most, hours := s.gauge(kind.remaining), s.gauge(kind.most), s.gauge(kind.hours)
		if remaining == nil && most == nil && hours == nil || kind.kind == account.EntityEndUser && !s.m.o.EndUsers {
			continue
		}
		owners, sets := s.owners(&kind, limits, directory, now)
		limits.Standings(ctx, owners, func(i int, standing account.Standing) {
			l := &sets[i]
			left := math.Inf(1)
			if standing.Max != nil {
				left = (*standing.Max - standing.Spent).Dollars()
				most.set(l, standing.Max.Dollars(), smaller)
			}
			remaining.set(l, left, smaller)
			if !standing.Reset.IsZero() {
				hours.set(l, standing.Reset.Sub(now).Hours(), smaller)
			}
		})
		for _, g := range []*gauge{remaining, most, hours} {
			g.send(out)
		}
	}
	if o := limits.Provider(); o.Terms.MaxBudget != nil {
		g := s.gauge("litellm_provider_remaining_budget_metric")
		limits.Standings(ctx, []account.Owner{*o}, func(_ int, standing account.Standing) {
			g.set(&labels{}, (*standing.Max - standing.Spent).Dollars(), smaller)
		})
		g.send(out)
	}
}

// owners returns those of a kind who have called, at most as many as there may be series, with the labels that tell them.
func (s *states) owners(kind *budgetKind, limits *account.Limits, directory *account.Directory, now time.Time) ([]account.Owner, []labels) {
	ids := map[string]bool{}
	s.m.each(func(l *labels) {
		if id := kind.of(l); id != none && id != "" {
			ids[id] = true
		}
	})
	if s.m.o.AllBudgets && directory != nil {
		for o := range directory.All(kind.kind) {
			if len(ids) >= s.m.o.MaxSeries {
				break
			}
			ids[o.ID] = true
		}
	}
	var owners []account.Owner
	var sets []labels
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		var o account.Owner
		alias, ok := "", false
		switch {
		case kind.kind == account.EntityEndUser:
			o, ok = limits.EndUser(id)
		case directory != nil:
			if holder := directory.Get(kind.kind, id); holder != nil {
				alias = holder.Alias
				o, ok = directory.Owner(kind.kind, id, now)
			}
		}
		if ok {
			owners, sets = append(owners, o), append(sets, kind.labels(id, alias))
		}
	}
	return owners, sets
}
