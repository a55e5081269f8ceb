package alerts

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
)

// LiteLLM's words for what has happened to a budget.
const (
	eventCrossed   = "budget_crossed"
	eventThreshold = "threshold_crossed"
	eventSoft      = "soft_budget_crossed"
	eventProjected = "projected_limit_exceeded"
)

// budgetEvent is LiteLLM's event of a webhook. Money is USD; the token is the key's digest.
type budgetEvent struct {
	Spend           json.Number  `json:"spend"`
	MaxBudget       *json.Number `json:"max_budget"`
	SoftBudget      *json.Number `json:"soft_budget"`
	Token           *string      `json:"token"`
	CustomerID      *string      `json:"customer_id"`
	UserID          *string      `json:"user_id"`
	TeamID          *string      `json:"team_id"`
	TeamAlias       *string      `json:"team_alias"`
	OrganizationID  *string      `json:"organization_id"`
	UserEmail       *string      `json:"user_email"`
	KeyAlias        *string      `json:"key_alias"`
	ProjectedDate   *string      `json:"projected_exceeded_date"`
	ProjectedSpend  *json.Number `json:"projected_spend"`
	Group           string       `json:"event_group"`
	Emails          []string     `json:"alert_emails"`
	EmailsByPercent *struct{}    `json:"max_budget_alert_emails"`
	Event           string       `json:"event"`
	Message         string       `json:"event_message"`
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func money(a *account.Amount) *json.Number {
	if a == nil {
		return nil
	}
	n := json.Number(a.String())
	return &n
}

// details lists what is known, as LiteLLM lists it for people. The key's digest is not for them.
func (e *budgetEvent) details() string {
	var b strings.Builder
	add := func(name string, value *string) {
		if value != nil {
			b.WriteString("*" + name + ":* `" + plain(*value) + "`\n")
		}
	}
	number := func(name string, value *json.Number) {
		if value != nil {
			b.WriteString("*" + name + ":* `" + value.String() + "`\n")
		}
	}
	number("spend", &e.Spend)
	number("max_budget", e.MaxBudget)
	number("soft_budget", e.SoftBudget)
	add("customer_id", e.CustomerID)
	add("user_id", e.UserID)
	add("team_id", e.TeamID)
	add("team_alias", e.TeamAlias)
	add("organization_id", e.OrganizationID)
	add("user_email", e.UserEmail)
	add("key_alias", e.KeyAlias)
	add("projected_exceeded_date", e.ProjectedDate)
	number("projected_spend", e.ProjectedSpend)
	add("event_group", &e.Group)
	return b.String()
}

// maxText bounds a name in a message, in bytes: clients make up end users.
const maxText = 256

// plain takes from a name what would make something else of a message.
func plain(s string) string {
	s = strings.ToValidUTF8(s[:min(len(s), maxText)], "")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '`' || r == '<' || r == '>':
			return '\''
		case r < ' ' || r == 0x7f:
			return ' '
		}
		return r
	}, s)
}

// message is an alert, before it is said in the words of the places that get it.
type message struct {
	kind  Type
	level string // Low, Medium or High
	text  string
	event *budgetEvent // of budgets
}

// forPeople says an alert as LiteLLM says it.
func (m *message) forPeople(now time.Time, proxy string) string {
	text := "Alert type: `" + string(m.kind) + "`\nLevel: `" + m.level + "`\nTimestamp: `" + now.Format(time.TimeOnly) + "`\n\nMessage: " + m.text
	if proxy != "" {
		text += "\n\nProxy URL: `" + plain(proxy) + "`"
	}
	return text
}

// slack is a message as Slack takes it, and whatever takes what Slack does.
func slack(text string) ([]byte, error) {
	return json.Marshal(map[string]string{"text": text})
}

// teams is a message as Microsoft Teams takes it: learn.microsoft.com, "Create incoming webhooks with Workflows".
func teams(text string) ([]byte, error) {
	type block struct {
		Type string `json:"type"`
		Text string `json:"text"`
		Wrap bool   `json:"wrap"`
	}
	type card struct {
		Type    string  `json:"type"`
		Version string  `json:"version"`
		Body    []block `json:"body"`
	}
	type attachment struct {
		ContentType string `json:"contentType"`
		Content     card   `json:"content"`
	}
	return json.Marshal(map[string]any{"type": "message", "attachments": []attachment{{
		"application/vnd.microsoft.card.adaptive", card{"AdaptiveCard", "1.4", []block{{"TextBlock", text, true}}},
	}}})
}

func count(n int) string { return strconv.Itoa(n) }
