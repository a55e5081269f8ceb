package alerts

import (
	"errors"
	"slices"
	"time"

	"github.com/outcrop-ai/outcrop/internal/secret"
)

// Type is LiteLLM's word for a kind of alert.
type Type string

// The types of alerts that there are.
const (
	// Budgets is about budgets that are nearly or wholly spent, and soft budgets that are crossed.
	Budgets Type = "budget_alerts"
	// LostSpend is about rows of calls that are lost.
	LostSpend Type = "failed_tracking_spend"
	// Database is about a database that does not answer.
	Database Type = "db_exceptions"
	// Cooldown is about a deployment that is left alone because it fails.
	Cooldown Type = "cooldown_deployment"
	// Outage is about many failures of a deployment, RegionOutage about many failures of several deployments in a region.
	Outage       Type = "outage_alerts"
	RegionOutage Type = "region_outage_alerts"
)

// Types are all types of alerts that there are.
func Types() []Type { return []Type{Budgets, LostSpend, Database, Cooldown, Outage, RegionOutage} }

// Rules say when an alert is due; the zero value is LiteLLM's.
type Rules struct {
	// BudgetTTL is how long an event of an owner's budget is not told again. Default: 24 h.
	BudgetTTL time.Duration
	// OutageTTL and RegionTTL are how long failures of a deployment, or in a region, count together. Default: 1 min.
	OutageTTL, RegionTTL time.Duration
	// Minor and Major are how many failures are an outage. Defaults: 5 and 10.
	Minor, Major int
}

func (r *Rules) fill() {
	if r.BudgetTTL <= 0 {
		r.BudgetTTL = 24 * time.Hour
	}
	if r.OutageTTL <= 0 {
		r.OutageTTL = time.Minute
	}
	if r.RegionTTL <= 0 {
		r.RegionTTL = time.Minute
	}
	if r.Minor <= 0 {
		r.Minor = 5
	}
	if r.Major <= 0 {
		r.Major = 10
	}
}

// Places are where alerts go. Addresses are secrets: whoever knows one can write there.
type Places struct {
	// Webhook gets the events of budgets, as LiteLLM's JSON.
	Webhook secret.Secret
	// Slack and Teams get messages.
	Slack, Teams secret.Secret
	// ByType are the places in Slack of some types, in place of Slack.
	ByType map[Type][]secret.Secret
}

// Wishes say which places a configuration asks for.
type Wishes struct{ Webhook, Slack, Teams bool }

// PlacesOf returns the places that are wished for, by LiteLLM's variables, and what is wrong with them. Those that are wrong
// are left out.
func PlacesOf(w Wishes, byType map[Type][]secret.Secret, lookup func(string) (string, bool)) (Places, []error) {
	p := Places{}
	var problems []error
	find := func(wanted bool, names ...string) secret.Secret {
		if !wanted {
			return secret.Secret{}
		}
		for _, name := range names {
			if value, _ := lookup(name); value != "" {
				if !isURL(value) {
					problems = append(problems, errors.New("the variable "+name+" must be an http:// or https:// URL"))
					return secret.Secret{}
				}
				return secret.New(value)
			}
		}
		if names[0] != "SLACK_WEBHOOK_URL" || len(byType) == 0 {
			problems = append(problems, errors.New("the variable "+names[0]+" is not set"))
		}
		return secret.Secret{}
	}
	p.Webhook = find(w.Webhook, "WEBHOOK_URL")
	p.Slack = find(w.Slack, "SLACK_WEBHOOK_URL", "ALERTING_WEBHOOK_URL")
	p.Teams = find(w.Teams, "MS_TEAMS_WEBHOOK_URL")
	if w.Slack {
		for _, t := range Types() {
			for _, address := range byType[t] {
				if !isURL(address.Reveal()) {
					problems = append(problems, errors.New("alert_to_webhook_url of "+string(t)+" must be an http:// or https:// URL"))
					continue
				}
				if p.ByType == nil {
					p.ByType = map[Type][]secret.Secret{}
				}
				p.ByType[t] = append(p.ByType[t], address)
			}
		}
	}
	return p, problems
}

// any reports whether there is any place.
func (p *Places) any() bool {
	return p.Webhook.IsSet() || p.Slack.IsSet() || p.Teams.IsSet() || len(p.ByType) > 0
}

// wants reports whether a type is among those that are to be told; no list is all.
func wants(list []Type, t Type) bool { return list == nil || slices.Contains(list, t) }
