package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// missingMetrics are those that LiteLLM has and Outcrop does not: they count what there is not here, or what has other metrics.
var missingMetrics = []string{
	"litellm_overhead_with_guardrails_latency_metric", "litellm_input_audio_tokens_metric", "litellm_output_audio_tokens_metric",
	"litellm_video_duration_seconds_metric", "litellm_team_members_metric", "litellm_pod_lock_manager_size", "litellm_in_memory_daily_spend_update_queue_size",
	"litellm_redis_daily_spend_update_queue_size", "litellm_in_memory_spend_update_queue_size", "litellm_redis_spend_update_queue_size",
	"litellm_request_queue_time_seconds", "litellm_guardrail_latency_seconds", "litellm_guardrail_errors_total", "litellm_guardrail_requests_total",
	"litellm_zero_cost_requests_total", "litellm_spend_capture_rate", "litellm_remaining_api_key_requests_for_model", "litellm_remaining_api_key_tokens_for_model",
	"litellm_api_key_rate_limit_allowed_metric", "litellm_api_key_rate_limit_used_metric", "litellm_team_rate_limit_allowed_metric",
	"litellm_team_rate_limit_used_metric", "litellm_project_model_rate_limit_allowed_metric", "litellm_project_model_rate_limit_used_metric",
	"litellm_llm_api_failed_requests_metric", "litellm_managed_batch_created_total", "litellm_managed_file_size_bytes",
	"litellm_managed_batch_duration_seconds", "litellm_managed_file_created_total", "litellm_managed_file_deleted_total",
	"litellm_check_batch_cost_jobs_polled", "litellm_check_batch_cost_jobs_processed_total", "litellm_check_batch_cost_errors_total",
	"litellm_check_batch_cost_last_run_timestamp", "litellm_mcp_tool_calls_total", "litellm_mcp_tool_call_spend_metric",
}

// missingLabels are LiteLLM's that no metric of Outcrop's has.
var missingLabels = []string{
	"project_id", "project_alias", "tag", "callback_name", "mcp_tool_name", "mcp_server_name", "guardrail_name", "status", "hook_type", "error_type", "reason",
}

// telling reads what operators are told, and reports whether dst is of that kind.
func (l *loader) telling(n *node, path string, dst any) bool {
	switch p := dst.(type) {
	case *[]MetricsGroup:
		l.metricsGroups(n, path, p)
	case *AlertURLs:
		l.alertURLs(n, path, p)
	case *AlertingArgs:
		l.section(n, path, SectionAlerting, p, nil)
	default:
		return false
	}
	return true
}

// metricsGroups reads [{group: name, metrics: […], include_labels: […]}].
func (l *loader) metricsGroups(n *node, path string, dst *[]MetricsGroup) {
	if n.kind != kindList {
		l.errorf(n.at, path, "%s must be a list of {group, metrics, include_labels}, not %s", lastKey(path), n.what())
		return
	}
	out := make([]MetricsGroup, 0, len(n.items))
	for i, item := range n.items {
		p := fmt.Sprintf("%s[%d]", path, i)
		if item.kind != kindMap {
			l.errorf(item.at, p, "a group of metrics must be a mapping with metrics, not %s", item.what())
			continue
		}
		var g MetricsGroup
		l.section(item, p, SectionMetrics, &g, nil)
		if len(g.Metrics) == 0 {
			l.errorf(item.at, p, "a group of metrics needs metrics, a list of their names")
			continue
		}
		out = append(out, g)
	}
	*dst = out
}

// checkMetrics complains about names of metrics that there are not.
func (l *loader) checkMetrics(n *node, path string) {
	known := l.opts.Metrics
	if known == nil {
		return
	}
	for _, item := range n.items {
		_, is := known[item.text]
		_, counter := known[strings.TrimSuffix(item.text, "_total")]
		switch {
		case is || item.kind != kindString:
		case slices.Contains(missingMetrics, item.text):
			l.warnf(item.at, path, "Outcrop does not have the metric %s", item.text)
		case strings.HasPrefix(item.text, "outcrop_") && strings.HasSuffix(path, "exclude_metrics"):
		case counter:
			l.add(Error, item.at, path, strings.TrimSuffix(item.text, "_total"), "unknown metric %s", item.quote())
		default:
			l.add(Error, item.at, path, Nearest(item.text, slices.Sorted(maps.Keys(known))), "unknown metric %s", item.quote())
		}
	}
}

// checkExcludedLabels complains about labels that no metric has.
func (l *loader) checkExcludedLabels(n *node, path string) {
	if l.opts.Metrics != nil {
		l.checkLabels(n, path, allLabels(l.opts.Metrics), "of any metric")
	}
}

func allLabels(metrics map[string][]string) []string {
	all := slices.Concat(slices.Collect(maps.Values(metrics))...)
	slices.Sort(all)
	return slices.Compact(all)
}

func (l *loader) checkLabels(n *node, path string, known []string, whose string) {
	for _, item := range n.items {
		switch {
		case item.kind != kindString || slices.Contains(known, item.text):
		case slices.Contains(missingLabels, item.text) && whose == "of any metric":
			l.warnf(item.at, path, "Outcrop has no label %s", item.text)
		default:
			l.add(Error, item.at, path, Nearest(item.text, known), "%s is no label %s", item.quote(), whose)
		}
	}
}

// checkMetricsLabels checks the labels of groups of metrics, once it is known which an operator has made up.
func (l *loader) checkMetricsLabels(tree *node, s *LitellmSettings) {
	groups := tree.present("prometheus_metrics_config")
	if l.opts.Metrics == nil || groups == nil || groups.kind != kindList {
		return
	}
	var made []string
	for _, text := range s.CustomPrometheusMetadataLabels {
		made = append(made, labelName(text))
	}
	for _, text := range s.CustomPrometheusTags {
		made = append(made, labelName("tag_"+text))
	}
	for i, item := range groups.items {
		metrics, labels := item.present("metrics"), item.present("include_labels")
		if metrics == nil || labels == nil || labels.kind != kindList {
			continue
		}
		path := fmt.Sprintf("litellm_settings.prometheus_metrics_config[%d].include_labels", i)
		for _, metric := range metrics.items {
			if known, ok := l.opts.Metrics[metric.text]; ok {
				l.checkLabels(labels, path, slices.Concat(known, made), "of "+metric.text)
			}
		}
		for _, label := range labels.items {
			if label.text == "client_ip" {
				l.once("client_ip", Warning, label.at, path, "the label client_ip is always None: metrics tell no addresses")
			}
		}
	}
}

// labelName makes a name that Prometheus takes for a label of any text.
func labelName(text string) string {
	name := strings.Map(func(r rune) rune {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') {
			return '_'
		}
		return r
	}, text)
	if name == "" || name[0] >= '0' && name[0] <= '9' {
		return "_" + name
	}
	return name
}
