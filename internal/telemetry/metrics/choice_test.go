package metrics

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/internal/telemetry"
)

// families returns the names of LiteLLM's metrics on a page.
func families(page string) []string {
	var out []string
	for line := range strings.SplitSeq(page, "\n") {
		if rest, ok := strings.CutPrefix(line, "# TYPE litellm_"); ok {
			name, _, _ := strings.Cut(rest, " ")
			out = append(out, "litellm_"+name)
		}
	}
	return out
}

func TestGroupsLeaveTheirMetricsWithTheirLabels(t *testing.T) {
	m := New(Options{InFlight: func() int64 { return 1 }, Callbacks: func(yield func(Callback)) { yield(Callback{Name: "file", Failures: 2}) }, Choice: Choice{
		Groups: []Group{
			{Metrics: []string{"litellm_spend_metric"}, Labels: []string{"team", "user_agent", "nonsense"}},
			{Metrics: []string{"litellm_total_tokens_metric", "litellm_deployment_state", "litellm_callback_logging_failures_metric"}},
		},
		NoLabels: []string{"user_email", "org_alias"},
	}})
	if !m.Watches() {
		t.Error("the client's program is known to watchers only")
	}
	m.Finished(&telemetry.Event{Record: call(), Agent: "curl/8"})
	r := call()
	r.TeamID, r.KeyHash = "t1", "another"
	m.Finished(&telemetry.Event{Record: r, Agent: "curl/8"})
	p := page(t, m)
	if got := families(p); !slices.Equal(got, []string{"litellm_callback_logging_failures_metric_total", "litellm_spend_metric_total", "litellm_total_tokens_metric_total"}) {
		t.Errorf("there are %v", got)
	}
	has(
		t, p, `litellm_spend_metric_total{team="t1",user_agent="curl/8"} 3`, `litellm_callback_logging_failures_metric_total{callback_name="file"} 2`,
		`litellm_total_tokens_metric_total{api_key_alias="ci",api_provider="bedrock",end_user="None",hashed_api_key="abc",model="m1",model_id="d1",org_id="o1",requested_model="claude",team="t1",team_alias="core",user="u1"} 42`,
		`outcrop_cache_hits_total{model_group="claude"} 0`,
	)
}

func TestMetricsCanBeLeftOut(t *testing.T) {
	m := New(Options{InFlight: func() int64 { return 1 }, Choice: Choice{NoMetrics: []string{"litellm_spend_metric", "litellm_in_flight_requests", "litellm_request_total_latency_metric", "outcrop_cost_usd_total"}}})
	m.Add(call())
	p := page(t, m)
	for _, name := range []string{"litellm_spend_metric", "litellm_in_flight_requests", "litellm_request_total_latency_metric", "outcrop_cost_usd"} {
		if strings.Contains(p, name) {
			t.Errorf("%s is there", name)
		}
	}
	has(t, p, `outcrop_in_flight_requests 1`)
}

func TestLabelsThatAreAskedFor(t *testing.T) {
	m := New(Options{
		Names: func(_ account.EntityKind, id string) Names { return Names{Email: id + "@example.com"} },
		Choice: Choice{
			Stream: true, SequenceLength: true, RateLimits: true, Callers: "user_email",
			Groups: []Group{
				{Metrics: []string{"litellm_proxy_total_requests_metric"}, Labels: []string{"stream", "status_code"}},
				{Metrics: []string{"litellm_proxy_failed_requests_metric"}, Labels: []string{"rate_limit_category", "rate_limit_type"}},
				{Metrics: []string{"litellm_llm_api_latency_metric"}, Labels: []string{"input_sequence_length"}},
				{Metrics: []string{"litellm_deployment_total_requests"}},
			},
		},
	})
	m.Add(call())
	r := call()
	r.Status, r.ErrorKind, r.ErrorCode, r.Stream, r.Usage.Input = 429, "rate_limit", account.CodeTokens, false, 3000
	m.Add(r)
	r.ErrorCode, r.AWSException = "throttled", "ThrottlingException"
	m.Add(r)
	has(
		t, page(t, m),
		`litellm_proxy_total_requests_metric_total{status_code="200",stream="True"} 1`, `litellm_proxy_total_requests_metric_total{status_code="429",stream="False"} 2`,
		`litellm_proxy_failed_requests_metric_total{rate_limit_category="litellm_rate_limit",rate_limit_type="tokens"} 1`,
		`litellm_proxy_failed_requests_metric_total{rate_limit_category="vendor_rate_limit",rate_limit_type="None"} 1`,
		`litellm_llm_api_latency_metric_count{input_sequence_length="0-1k"} 1`, `litellm_llm_api_latency_metric_count{input_sequence_length="1k-4k"} 2`,
		`litellm_deployment_total_requests_total{api_base="None",api_provider="bedrock",hashed_api_key="abc",litellm_model_name="bedrock/m1",model_group="claude",model_id="d1",requested_model="claude",team="t1",team_alias="core",user_email="u1@example.com"} 3`,
	)
}

func TestLabelsOfMetadataAndTags(t *testing.T) {
	groups := []Group{{Metrics: []string{"litellm_requests_metric"}, Labels: []string{"metadata_department", "a_b", "tag_prod", "tag_User_Agent__curl__", "user_api_key_team_alias"}}}
	m := New(Options{Choice: Choice{Metadata: []string{"metadata.department", "a.b", "user_api_key_team_alias"}, Tags: []string{"prod", "User-Agent: curl/*"}, Groups: groups}})
	if !m.Watches() {
		t.Error("metadata is known to watchers only")
	}
	told := func(keys, request, row string, tags ...string) {
		e := &telemetry.Event{Record: call(), Content: &telemetry.Content{Metadata: json.RawMessage(request)}}
		e.Metadata = json.RawMessage(row)
		e.Tags, e.Caller.Key = tags, &account.Key{Metadata: json.RawMessage(keys)}
		m.Finished(e)
	}
	told(`{"department":"law"}`, `{"department":"the client's","a":{"b":"deep"}}`, ``, "prod")
	told(`{"a":"no object"}`, `{"department":"art","a":{"b":7}}`, `{"department":"sales\u2028\n"}`, "User-Agent: curl/8.1", "product")
	told(``, `{`, ``)
	m.Finished(&telemetry.Event{Record: call()})
	has(
		t, page(t, m),
		`litellm_requests_metric_total{a_b="deep",metadata_department="law",tag_User_Agent__curl__="false",tag_prod="true",user_api_key_team_alias="core"} 1`,
		`litellm_requests_metric_total{a_b="None",metadata_department="sales  ",tag_User_Agent__curl__="true",tag_prod="false",user_api_key_team_alias="core"} 1`,
		`litellm_requests_metric_total{a_b="None",metadata_department="None",tag_User_Agent__curl__="false",tag_prod="false",user_api_key_team_alias="core"} 2`,
	)
	if m := New(Options{Choice: Choice{Tags: []string{"prod"}}}); m.Watches() {
		t.Error("records have the tags")
	}
}

func TestWildcardsInTags(t *testing.T) {
	f := func(pattern, tag string, want bool) {
		t.Helper()
		if matches(pattern, tag) != want {
			t.Errorf("%s for %s: %v", pattern, tag, !want)
		}
	}
	f("prod", "prod", true)
	f("prod", "production", false)
	f("prod*", "production", true)
	f("*", "", true)
	f("a*b*c", "a-b-b-c", true)
	f("a*b*c", "a-c", false)
	f("aa*aa", "aaa", false)
	f("User-Agent: */2*", "User-Agent: python/2.0", true)
}

// What clients make up is no reason to fall over, whatever it is: Prometheus takes no text that is not UTF-8.
func TestValuesThatAreNoText(t *testing.T) {
	m := New(Options{EndUsers: true})
	r := call()
	r.User, r.Asked, r.Group, r.Model = "\xff", "a\xfeb", "\xff", "\xff"
	m.Add(r)
	r.Status, r.ErrorKind = 500, "internal"
	m.Add(r)
	has(t, page(t, m), "outcrop_client_closed_total{model_group=\"\uFFFD\"} 0")
}

func TestModelsThatStandIn(t *testing.T) {
	m := New(Options{})
	r := call()
	r.Group, r.Tries = "nova", "d0;status=429;error=ThrottlingException,d1;status=200;why=fallback"
	m.Add(r)
	r.Tries, r.Status, r.ErrorKind = "d0;status=503,d1;status=500;why=fallback", 500, "internal"
	m.Add(r)
	const of = `{api_key_alias="ci",exception_class="RateLimitError",exception_status="429",fallback_model="nova",hashed_api_key="abc",model_id="d1",requested_model="claude",team="t1",team_alias="core"} 1`
	has(
		t, page(t, m), `litellm_deployment_successful_fallbacks_total`+of,
		`litellm_deployment_failed_fallbacks_total`+strings.NewReplacer("RateLimitError", "ServiceUnavailableError", "429", "503").Replace(of),
	)
}

func TestCachedAnswers(t *testing.T) {
	m := New(Options{})
	r := call()
	r.CacheKey = "k"
	m.Add(r)
	r.CacheHit = true
	m.Add(r)
	const of = `{api_key_alias="ci",api_provider="bedrock",end_user="None",hashed_api_key="abc",model="m1",model_id="d1",team="t1",team_alias="core",user="u1"} `
	has(t, page(t, m), `litellm_cache_hits_metric_total`+of+`1`, `litellm_cache_misses_metric_total`+of+`1`, `litellm_cached_tokens_metric_total`+of+`42`, `litellm_provider_cache_read_input_tokens_metric_total`+of+`40`)
}
