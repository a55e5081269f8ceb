package alerts

import (
	"cmp"
	"context"
	"encoding/json"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
)

// The shares of a budget that are left when an alert is due: LiteLLM's.
const (
	nearlySpent = 0.15
	almostSpent = 0.05
)

// standingPatience bounds how long one look at budgets waits for counters that are not in memory.
const standingPatience = 5 * time.Second

// watched is an owner whose budget is looked at, and what an event says of him.
type watched struct {
	owner account.Owner
	about budgetEvent
	title string
}

// titles are LiteLLM's words for owners, at the beginning of messages, and groups its words for what an event is about.
func wordsOf(scope string) (title, group string) {
	switch scope {
	case string(account.EntityKey):
		return "Key Budget: ", "key"
	case account.ScopeMember:
		return "Team Member Budget: ", "team_member"
	case string(account.EntityTeam):
		return "Team Budget: ", "team"
	case string(account.EntityUser):
		return "User Budget: ", "user"
	case string(account.EntityOrganization):
		return "Organization Budget: ", "organization"
	case string(account.EntityEndUser):
		return "End User Budget: ", "end_user"
	case "provider":
		return "Provider Budget: ", "proxy"
	default:
		return "Proxy Budget: ", "proxy"
	}
}

// owners returns those whose budgets calls of these keys and end users have counted against.
func (a *Alerts) owners(keys, endUsers map[string]struct{}, now time.Time) []watched {
	var list []watched
	seen := map[[2]string]bool{}
	add := func(o *account.Owner, about budgetEvent) {
		name := [2]string{o.Scope, o.ID}
		if t := o.Terms; t == nil || t.MaxBudget == nil && t.SoftBudget == nil || seen[name] {
			return
		}
		seen[name] = true
		w := watched{owner: *o, about: about}
		w.title, w.about.Group = wordsOf(o.Scope)
		list = append(list, w)
	}
	add(a.o.Limits.Global(), budgetEvent{})
	add(a.o.Limits.Provider(), budgetEvent{})
	for hash := range keys {
		if a.o.Directory == nil {
			break
		}
		c := a.o.Directory.CallerOf(hash, now)
		if c == nil {
			continue
		}
		about := budgetEvent{
			Token: optional(c.KeyHash), KeyAlias: optional(c.KeyAlias), UserID: optional(c.UserID), TeamID: optional(c.TeamID), TeamAlias: optional(c.TeamAlias),
			OrganizationID: optional(c.OrganizationID),
		}
		if c.User != nil {
			about.UserEmail = optional(c.User.Email)
		}
		for i := range c.Owners {
			add(&c.Owners[i], about)
		}
	}
	for id := range endUsers {
		if o, ok := a.o.Limits.EndUser(id); ok {
			add(&o, budgetEvent{CustomerID: optional(id)})
		}
	}
	return list
}

// budgets looks at how owners stand, and tells of those for whom something is due.
func (a *Alerts) budgets(ctx context.Context, keys, endUsers map[string]struct{}, now time.Time) {
	list := a.owners(keys, endUsers, now)
	if len(list) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, standingPatience)
	defer cancel()
	owners := make([]account.Owner, len(list))
	for i := range list {
		owners[i] = list[i].owner
	}
	a.o.Limits.Standings(ctx, owners, func(i int, s account.Standing) {
		a.judge(&list[i], &s, now)
	})
}

// judge tells what is due of one owner.
func (a *Alerts) judge(w *watched, s *account.Standing, now time.Time) {
	about := w.about
	about.Spend, about.MaxBudget, about.SoftBudget = json.Number(s.Spent.String()), money(s.Max), money(s.Soft)
	if s.Soft != nil && s.Spent >= *s.Soft {
		about.Event, about.Message = eventSoft, "Soft Budget Crossed: Total Soft Budget:`"+s.Soft.String()+"`"
		a.tellBudget(w, about, now)
	}
	if s.Soft != nil && s.Spent < *s.Soft && w.owner.Scope == string(account.EntityKey) {
		a.project(w, about, s, now)
	}
	if s.Max == nil || *s.Max <= 0 {
		return
	}
	left := float64(*s.Max-s.Spent) / float64(*s.Max)
	switch {
	case s.Spent >= *s.Max:
		about.Event, about.Message = eventCrossed, w.title+"Budget Crossed\n Total Budget:`"+s.Max.String()+"`"
	case left <= almostSpent:
		about.Event, about.Message = eventThreshold, w.title+"5% or less of budget remaining"
	case left <= nearlySpent:
		about.Event, about.Message = eventThreshold, w.title+"15% or less of budget remaining"
	default:
		return
	}
	a.tellBudget(w, about, now)
}

// leastElapsed is the share of a period before which nothing is projected from less: LiteLLM's.
const leastElapsed = 1.0 / 24

// project tells of a soft budget that will be crossed before its period ends, if things go on as they have. A budget for ever
// is looked at until the end of the calendar's month, by what its owner has spent since he was made: LiteLLM takes all of that
// for the month's.
func (a *Alerts) project(w *watched, about budgetEvent, s *account.Standing, now time.Time) {
	from, to := s.From, s.Reset
	if to.IsZero() {
		year, month, _ := now.Date()
		to = time.Date(year, month+1, 1, 0, 0, 0, 0, now.Location())
		if from = w.owner.Created; from.IsZero() {
			return
		}
	}
	whole := to.Sub(from).Seconds()
	elapsed := max(now.Sub(from).Seconds(), whole*leastElapsed)
	if whole <= 0 || s.Spent <= 0 || now.Before(from) {
		return
	}
	rate := float64(s.Spent) / elapsed
	projected := account.Amount(float64(s.Spent) + rate*max(to.Sub(now).Seconds(), 0))
	if projected <= *s.Soft {
		return
	}
	when := now.Add(time.Duration(float64(*s.Soft-s.Spent) / rate * float64(time.Second)))
	if when.After(to) {
		when = to
	}
	date := when.Format(time.DateOnly)
	about.Event, about.Message, about.MaxBudget = eventProjected, w.title+"Projected Limit Exceeded", money(s.Soft)
	about.ProjectedSpend, about.ProjectedDate = money(&projected), &date
	a.tellBudget(w, about, now)
}

// tellBudget tells an event, unless it was told of late.
func (a *Alerts) tellBudget(w *watched, e budgetEvent, now time.Time) {
	if !a.due(cmp.Or(e.Event, "?")+":"+w.owner.Scope+":"+w.owner.ID, a.o.Rules.BudgetTTL, now) {
		return
	}
	a.tell(message{kind: Budgets, level: "High", text: e.Message + "\n\n" + e.details(), event: &e}, now)
}
