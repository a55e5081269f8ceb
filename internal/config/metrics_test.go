package config

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestMetricsAndLabelsAreCheckedWithTheirPosition(t *testing.T) {
	text := inSection("litellm_settings",
		"custom_prometheus_metadata_labels: [metadata.shop]", "custom_prometheus_tags: [prod]",
		"prometheus_metrics_config:",
		"  - {group: money, metrics: [litellm_spend_metric, litellm_spent_metric, litellm_requests_metric_total], include_labels: [team, metadata_shop, tag_prod, taem, client_ip]}",
		"  - {group: batches, metrics: [litellm_managed_batch_created_total]}",
		"  - {group: none}",
		"  - nonsense",
		"prometheus_exclude_metrics: [outcrop_tries_total, litellm_nothing]", "prometheus_exclude_labels: [team, project_id, tema]",
		"prometheus_deployment_and_latency_caller_identity: email",
	)
	l := Loader{Metrics: map[string][]string{"litellm_spend_metric": {"team", "user", "client_ip"}, "litellm_requests_metric": {"model"}}}
	c, problems := l.Parse("c", []byte(text))
	want := []string{
		`c:6:54: error: unknown metric "litellm_spent_metric"; did you mean "litellm_spend_metric"?`,
		`c:6:76: error: unknown metric "litellm_requests_metric_total"; did you mean "litellm_requests_metric"?`,
		`c:6:156: error: "taem" is no label of litellm_spend_metric; did you mean "team"?`,
		`c:6:162: warning: the label client_ip is always None: metrics tell no addresses`,
		`c:7:34: warning: Outcrop does not have the metric litellm_managed_batch_created_total`,
		`c:8:7: error: a group of metrics needs metrics, a list of their names`,
		`c:9:7: error: a group of metrics must be a mapping with metrics, not a string`,
		`c:10:53: error: unknown metric "litellm_nothing"`,
		`c:11:37: warning: Outcrop has no label project_id`,
		`c:11:49: error: "tema" is no label of any metric; did you mean "team"?`,
		`c:12:54: error: prometheus_deployment_and_latency_caller_identity must be api_key_alias, user_email or both, not "email"`,
	}
	if got := printed(problems); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	s := &c.LitellmSettings
	if g := s.PrometheusMetrics[0]; g.Group != "money" || len(g.Metrics) != 3 || len(g.IncludeLabels) != 5 {
		t.Errorf("got %+v", g)
	}
}

func TestMetricsAreNotCheckedWhereNobodyKnowsThem(t *testing.T) {
	c := complains(t, inSection("litellm_settings", "prometheus_metrics_config: [{group: g, metrics: [anything], include_labels: [some]}]", "prometheus_emit_stream_label: true"), nil)
	want := []MetricsGroup{{Group: "g", Metrics: []string{"anything"}, IncludeLabels: []string{"some"}}}
	if s := &c.LitellmSettings; !reflect.DeepEqual(s.PrometheusMetrics, want) || !s.PrometheusStreamLabel {
		t.Errorf("got %+v", s.PrometheusMetrics)
	}
}
