package config

import (
	"slices"
	"testing"
	"time"
)

func TestAlertsAreCheckedWithTheirPosition(t *testing.T) {
	c := complains(t, inSection("general_settings",
		"alerting: [slack, email, slak]", "alert_types: [budget_alerts, llm_too_slow, budget_alert]", "alerting_threshold: 300",
		"alert_to_webhook_url: {budget_alerts: os.environ/B, outage_alerts: [https://hooks.example/1, https://hooks.example/2], daily_reports: https://x.example, outages: x}",
		"alerting_args: {budget_alert_ttl: 3600, minor_outage_alert_threshold: 3, log_to_console: true, daily_report_frequency: 5, budget_ttl: 1}",
	), vars("B", "https://hooks.example/secret"),
		`config.yaml:3:21: warning: alerts do not go to email: webhook, slack and ms_teams are there`,
		`config.yaml:3:28: error: "slak" is no place for alerts; did you mean "slack"?`,
		`config.yaml:4:32: warning: alerts of the type llm_too_slow are not sent`,
		`config.yaml:4:46: error: unknown type of alerts "budget_alert"; did you mean "budget_alerts"?`,
		`config.yaml:5:3: warning: Outcrop does not have alerting_threshold in general_settings: no alert is about slow or hanging requests; litellm_request_total_latency_metric tells of them`,
		`config.yaml:6:122: warning: alerts of the type daily_reports are not sent`,
		`config.yaml:6:156: error: unknown type of alerts "outages"`,
		`config.yaml:7:76: note: log_to_console in alerting_args has no effect: alerts are always in the log`,
		`config.yaml:7:98: warning: Outcrop does not have daily_report_frequency in alerting_args: reports are not sent; /spend and /metrics have their numbers`,
		`config.yaml:7:125: error: unknown key "budget_ttl" in alerting_args`,
	)
	g := &c.GeneralSettings
	if g.AlertingArgs.BudgetAlertTTL != time.Hour || g.AlertingArgs.MinorOutageAlertThreshold != 3 {
		t.Errorf("got %+v", g.AlertingArgs)
	}
	if u := g.AlertToWebhookURL; len(u["outage_alerts"]) != 2 || u["budget_alerts"][0].Reveal() != "https://hooks.example/secret" {
		t.Errorf("got %v", u)
	}
	if !slices.Contains(AlertTypeNames(), "cooldown_deployment") || slices.Contains(AlertTypeNames(), "llm_too_slow") {
		t.Errorf("got %v", AlertTypeNames())
	}
}
