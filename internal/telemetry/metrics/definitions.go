package metrics

import (
	"maps"
	"slices"
	"strings"
)

// definition is one of LiteLLM's metrics.
type definition struct {
	// name is LiteLLM's; what counts has the ending _total on the page.
	name, help string
	// labels are those that it has, further those that it has if somebody asks for them: there may be very many values.
	labels, further []string
}

// Labels that many of LiteLLM's metrics share.
var (
	callerLabels     = []string{"end_user", "hashed_api_key", "api_key_alias", "requested_model", "team", "team_alias", "user"}
	deploymentLabels = []string{"litellm_model_name", "model_id", "api_base", "api_provider"}
	// senderLabels are about the client's program. Every value of them makes series of their own.
	senderLabels = []string{"client_ip", "user_agent"}
	ownerLabels  = []string{"hashed_api_key", "api_key_alias", "team", "team_alias"}
)

func with(list []string, more ...string) []string { return append(list[:len(list):len(list)], more...) }

// definitions are LiteLLM's metrics that there are, by their names.
func definitions() map[string]definition {
	ofModel := with(callerLabels, "model", "model_id", "api_provider", "user_email")
	ofOrg := with(ofModel, "org_id", "org_alias")
	ofRequest := with(callerLabels, "user_email", "route", "model_id", "api_provider", "org_id", "org_alias")
	ofCall := with(callerLabels, "model", "model_group", "model_id", "api_provider", "service_tier", "org_id", "org_alias")
	ofDeployment := with(deploymentLabels, "model_group", "hashed_api_key", "api_key_alias")
	ofTry := with(with(deploymentLabels, ownerLabels...), "model_group", "requested_model")
	ofCache := with(ownerLabels, "model", "end_user", "user", "model_id", "api_provider")
	ofFallback := with(ownerLabels, "requested_model", "fallback_model", "exception_status", "exception_class", "model_id")
	key, team, user, org, endUser := ownerLabels[:2], ownerLabels[2:], []string{"user"}, []string{"org_id", "org_alias"}, []string{"end_user"}
	ofUser := []string{"user_email", "user_alias"}
	sequence := []string{"input_sequence_length", "user_email"}
	all := map[string]definition{}
	for _, d := range []definition{
		{"litellm_proxy_total_requests_metric", "Requests of clients.", with(ofRequest, "status_code"), with(senderLabels, "stream")},
		{"litellm_proxy_failed_requests_metric", "Requests of clients that failed.", with(ofRequest, "exception_status", "exception_class"), with(senderLabels, "rate_limit_category", "rate_limit_type")},
		{"litellm_requests_metric", "Calls.", ofOrg, senderLabels},
		{"litellm_spend_metric", "Spend in USD.", with(ofOrg, "service_tier"), senderLabels},
		{"litellm_total_tokens_metric", "Tokens of prompts and answers.", ofOrg, nil},
		{"litellm_input_tokens_metric", "Tokens of prompts, cached ones included.", ofOrg, nil},
		{"litellm_output_tokens_metric", "Tokens of answers.", ofOrg, nil},
		{"litellm_input_cached_tokens_metric", "Tokens of prompts that were read from a cache.", ofModel, nil},
		{"litellm_input_cache_creation_tokens_metric", "Tokens of prompts that were written to a cache.", ofModel, nil},
		{"litellm_output_reasoning_tokens_metric", "Tokens of answers that were thinking.", ofModel, nil},
		{"litellm_images_generated_metric", "Images that were made.", ofOrg, nil},
		{"litellm_request_total_latency_metric", "Seconds from the request to the end of its answer.", ofCall, sequence},
		{"litellm_llm_api_latency_metric", "Seconds in AWS's hands.", ofCall, sequence},
		{"litellm_llm_api_time_to_first_token_metric", "Seconds to the first token of streams.", ofCall, sequence},
		{"litellm_overhead_latency_metric", "Seconds in the gateway's own hands.", ofDeployment, []string{"user_email"}},
		{"litellm_deployment_latency_per_output_token", "Seconds in AWS's hands for each token of the answer.", with(ofDeployment, "team", "team_alias", "org_id", "org_alias"), []string{"user_email"}},
		{"litellm_deployment_success_responses", "Answers of deployments.", ofTry, with(senderLabels, "user_email")},
		{"litellm_deployment_failure_responses", "Failures of deployments.", with(ofTry, "exception_status", "exception_class"), with(senderLabels, "user_email")},
		{"litellm_deployment_total_requests", "Calls to deployments.", ofTry, with(senderLabels, "user_email")},
		{"litellm_deployment_cooled_down", "Failures after which a deployment may have been left alone.", with(deploymentLabels, "exception_status"), nil},
		{"litellm_deployment_successful_fallbacks", "Calls that another model has answered.", ofFallback, nil},
		{"litellm_deployment_failed_fallbacks", "Calls that no other model has answered either.", ofFallback, nil},
		{"litellm_cache_hits_metric", "Calls that were answered from the cache of answers.", ofCache, nil},
		{"litellm_cache_misses_metric", "Calls that the cache of answers had no answer for.", ofCache, nil},
		{"litellm_cached_tokens_metric", "Tokens of answers from the cache of answers, and of their prompts.", ofCache, nil},
		{"litellm_provider_cache_read_input_tokens_metric", "Tokens of prompts that were read from the model's cache.", ofCache, nil},
		{"litellm_provider_cache_creation_input_tokens_metric", "Tokens of prompts that were written to the model's cache.", ofCache, nil},

		{"litellm_remaining_api_key_budget_metric", "What is left of a key's budget, in USD.", key, nil},
		{"litellm_api_key_max_budget_metric", "A key's budget, in USD.", key, nil},
		{"litellm_api_key_budget_remaining_hours_metric", "Hours until a key's budget is reset.", key, nil},
		{"litellm_remaining_team_budget_metric", "What is left of a team's budget, in USD.", team, nil},
		{"litellm_team_max_budget_metric", "A team's budget, in USD.", team, nil},
		{"litellm_team_budget_remaining_hours_metric", "Hours until a team's budget is reset.", team, nil},
		{"litellm_remaining_user_budget_metric", "What is left of a user's budget, in USD.", user, ofUser},
		{"litellm_user_max_budget_metric", "A user's budget, in USD.", user, ofUser},
		{"litellm_user_budget_remaining_hours_metric", "Hours until a user's budget is reset.", user, ofUser},
		{"litellm_remaining_org_budget_metric", "What is left of an organization's budget, in USD.", org, nil},
		{"litellm_org_max_budget_metric", "An organization's budget, in USD.", org, nil},
		{"litellm_org_budget_remaining_hours_metric", "Hours until an organization's budget is reset.", org, nil},
		{"litellm_remaining_customer_budget_metric", "What is left of an end user's budget, in USD.", endUser, nil},
		{"litellm_customer_max_budget_metric", "An end user's budget, in USD.", endUser, nil},
		{"litellm_customer_budget_remaining_hours_metric", "Hours until an end user's budget is reset.", endUser, nil},
		{"litellm_provider_remaining_budget_metric", "What is left of the provider's budget, in USD.", []string{"api_provider"}, nil},
		{"litellm_remaining_requests_metric", "Requests that are left of a model group's limit, in this minute.", ofDeployment, nil},
		{"litellm_remaining_tokens_metric", "Tokens that are left of a model group's limit, in this minute.", ofDeployment, nil},
		{"litellm_deployment_rpm_limit", "A deployment's limit of requests a minute.", with(deploymentLabels, "model_group"), nil},
		{"litellm_deployment_tpm_limit", "A deployment's limit of tokens a minute.", with(deploymentLabels, "model_group"), nil},
		{"litellm_deployment_state", "State of a deployment: 0 is well, 1 has failed of late, 2 is left alone.", deploymentLabels, nil},
		{"litellm_callback_logging_failures_metric", "Tries to tell a callback that failed.", []string{"callback_name"}, nil},
		{"litellm_in_flight_requests", "Requests under way.", nil, nil},
	} {
		all[d.name] = d
	}
	return all
}

// Known returns LiteLLM's names of the metrics that there are, with the labels that each can have.
func Known() map[string][]string {
	all := map[string][]string{}
	for name, d := range definitions() {
		all[name] = slices.Concat(d.labels, d.further)
	}
	return all
}

// Group is some metrics that shall have some of their labels.
type Group struct{ Metrics, Labels []string }

// Choice says which of LiteLLM's metrics there are, and with which labels. The zero value is all, with those that LiteLLM has
// unless it is told otherwise, but for those of the client's program.
type Choice struct {
	// Groups are the only metrics that there are, if there is any group. One without labels has all.
	Groups []Group
	// NoMetrics and NoLabels are left out. Outcrop's own metrics may be among them.
	NoMetrics, NoLabels []string
	// Metadata are members of the metadata of keys and requests that become labels, Tags are tags that do: true or false.
	Metadata, Tags []string
	// Stream, SequenceLength, RateLimits and UserNames add labels to some metrics: stream; input_sequence_length;
	// rate_limit_category and rate_limit_type; user_email and user_alias.
	Stream, SequenceLength, RateLimits, UserNames bool
	// Callers says by what callers are told apart in the metrics of latencies and deployments: api_key_alias, which is the
	// default, user_email or both.
	Callers string
}

// has reports whether there is a metric, by its name in configurations or by the one on the page.
func (c *Choice) has(name string) bool {
	short := strings.TrimSuffix(name, "_total")
	if slices.Contains(c.NoMetrics, name) || slices.Contains(c.NoMetrics, short) {
		return false
	}
	return len(c.Groups) == 0 || strings.HasPrefix(name, "outcrop_") || slices.ContainsFunc(c.Groups, func(g Group) bool { return slices.Contains(g.Metrics, short) })
}

// labels returns the labels that a metric has.
func (c *Choice) labels(d *definition, custom []string) []string {
	list := slices.Clone(d.labels)
	add := func(label string, wanted bool) {
		if wanted && slices.Contains(d.further, label) {
			list = append(list, label)
		}
	}
	add("stream", c.Stream)
	add("input_sequence_length", c.SequenceLength)
	add("rate_limit_category", c.RateLimits)
	add("rate_limit_type", c.RateLimits)
	add("user_alias", c.UserNames)
	counted := slices.Contains(d.labels, "api_key_alias") && len(d.labels) > len(ownerLabels)
	switch identity := counted && slices.Contains(d.further, "user_email"); {
	case identity && c.Callers == "user_email":
		list = slices.DeleteFunc(list, func(l string) bool { return l == "api_key_alias" })
		add("user_email", true)
	case identity:
		add("user_email", c.Callers == "both")
	default:
		add("user_email", c.UserNames)
	}
	if counted && !strings.HasPrefix(d.name, "litellm_remaining_") {
		for _, label := range custom {
			if !slices.Contains(list, label) {
				list = append(list, label)
			}
		}
	}
	for _, g := range c.Groups {
		if slices.Contains(g.Metrics, d.name) && len(g.Labels) > 0 { // the last group wins, as in LiteLLM
			all := slices.Concat(d.further, list)
			list = slices.DeleteFunc(slices.Clone(g.Labels), func(l string) bool { return !slices.Contains(all, l) })
		}
	}
	slices.Sort(list)
	return slices.DeleteFunc(slices.Compact(list), func(l string) bool { return slices.Contains(c.NoLabels, l) })
}

// wants reports whether any metric has one of some labels.
func (c *Choice) wants(custom []string, labels ...string) bool {
	all := definitions()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		d := all[name]
		if c.has(name) && slices.ContainsFunc(c.labels(&d, custom), func(l string) bool { return slices.Contains(labels, l) }) {
			return true
		}
	}
	return false
}
