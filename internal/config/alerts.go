package config

import (
	"slices"

	"github.com/outcrop-ai/outcrop/internal/secret"
)

// alertPlaces are where alerts can go.
var alertPlaces = []string{"webhook", "slack", "ms_teams"}

// alertTypes are LiteLLM's; those that are false are never sent.
var alertTypes = []struct {
	name string
	sent bool
}{
	{"budget_alerts", true},
	{"cooldown_deployment", true},
	{"outage_alerts", true},
	{"region_outage_alerts", true},
	{"db_exceptions", true},
	{"failed_tracking_spend", true},
	{"llm_exceptions", false},
	{"llm_too_slow", false},
	{"llm_requests_hanging", false},
	{"spend_reports", false},
	{"user_spend_thresholds", false},
	{"user_spend_anomalies", false},
	{"daily_reports", false},
	{"new_model_added", false},
	{"model_deprecation_warnings", false},
	{"fallback_reports", false},
	{"new_virtual_key_created", false},
	{"virtual_key_updated", false},
	{"virtual_key_deleted", false},
	{"new_team_created", false},
	{"team_updated", false},
	{"team_deleted", false},
	{"new_internal_user_created", false},
	{"internal_user_updated", false},
	{"internal_user_deleted", false},
	{"mcp_tool_description_blocked", false},
	{"mcp_pinned_tools_changed", false},
}

// AlertTypeNames are the types of alerts that are sent.
func AlertTypeNames() []string {
	var list []string
	for _, t := range alertTypes {
		if t.sent {
			list = append(list, t.name)
		}
	}
	return list
}

// checkAlerting complains about places that alerts do not go to.
func (l *loader) checkAlerting(n *node, path string) {
	for _, item := range n.items {
		switch {
		case item.kind != kindString || slices.Contains(alertPlaces, item.text):
		case item.text == "email" || item.text == "sentry":
			l.warnf(item.at, path, "alerts do not go to %s: webhook, slack and ms_teams are there", item.text)
		default:
			l.add(Error, item.at, path, Nearest(item.text, alertPlaces), "%s is no place for alerts", item.quote())
		}
	}
}

// checkAlertTypes complains about alerts that are never sent.
func (l *loader) checkAlertTypes(n *node, path string) {
	for _, item := range n.items {
		if item.kind == kindString {
			l.checkAlertType(item, item.text, path)
		}
	}
}

func (l *loader) checkAlertType(at *node, name, path string) {
	var names []string
	for _, t := range alertTypes {
		if names = append(names, t.name); t.name != name {
			continue
		}
		if !t.sent {
			l.warnf(at.at, path, "alerts of the type %s are not sent", name)
		}
		return
	}
	l.add(Error, at.at, path, Nearest(name, names), "unknown type of alerts %q", clip(name))
}

// alertURLs reads {budget_alerts: URL, outage_alerts: [URL, URL]}.
func (l *loader) alertURLs(n *node, path string, dst *AlertURLs) {
	if n.kind != kindMap {
		l.errorf(n.at, path, "%s must be a mapping of types of alerts to URLs, not %s", lastKey(path), n.what())
		return
	}
	out := AlertURLs{}
	for _, f := range n.fields {
		p := join(path, f.key)
		l.checkAlertType(&node{kind: kindString, at: f.at, text: f.key}, f.key, p)
		items := []*node{f.value}
		if f.value.kind == kindList {
			items = f.value.items
		}
		for _, item := range items {
			if !item.isSet() {
				continue
			}
			if text, ok := l.text(item, p); ok && text != "" {
				out[f.key] = append(out[f.key], secret.New(text))
			}
		}
	}
	*dst = out
}
