package metrics

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/llm"
)

// page returns the page that Prometheus reads.
func page(t *testing.T, m *Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	data, err := io.ReadAll(w.Body)
	if err != nil || w.Code != http.StatusOK {
		t.Fatalf("%d %v\n%s", w.Code, err, data)
	}
	return string(data)
}

// has checks that the page has lines.
func has(t *testing.T, page string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !strings.Contains(page, line+"\n") {
			name, _, _ := strings.Cut(line, "{")
			t.Errorf("the page lacks\n%s\nit has\n%s", line, of(page, name))
		}
	}
}

func of(page, name string) string {
	var out []string
	for line := range strings.SplitSeq(page, "\n") {
		if strings.HasPrefix(line, name) {
			out = append(out, line)
		}
	}
	return strings.Join(out, "\n")
}

// call is a finished call.
func call() account.Record {
	start := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	return account.Record{
		Type: "acompletion", Path: "/v1/chat/completions", KeyHash: "abc", KeyAlias: "ci", TeamID: "t1", TeamAlias: "core", UserID: "u1", OrganizationID: "o1", User: "ann",
		Asked: "claude", Group: "claude", Deployment: "d1", Model: "m1", Region: "us-east-1", Status: 200,
		Usage:       llm.Usage{Input: 10, CacheRead: 20, CacheWrite5m: 5, Output: 7, Reasoning: 3},
		UsageSource: account.UsageAWS, Cost: 1_500_000_000_000, CostKnown: true, Lines: account.Lines{Input: 1_000_000_000_000, Output: 500_000_000_000},
		Start: start, FirstToken: start.Add(300 * time.Millisecond), End: start.Add(2 * time.Second), Stream: true,
		Upstream: 1900 * time.Millisecond, Own: 100 * time.Millisecond,
	}
}

func TestACallByLiteLLMsNames(t *testing.T) {
	m := New(Options{Names: func(kind account.EntityKind, id string) Names {
		if kind == account.EntityOrganization {
			return Names{Alias: "Acme"}
		}
		return Names{Email: id + "@example.com"}
	}})
	m.Add(call())
	m.Add(call())
	const caller = `api_key_alias="ci",api_provider="bedrock",end_user="None",hashed_api_key="abc"`
	const model, org = caller + `,model="m1",model_id="d1",org_alias="Acme",org_id="o1",requested_model="claude"`, `org_alias="Acme",org_id="o1",`
	const plain = caller + `,model="m1",model_id="d1",requested_model="claude"`
	const user = `,team="t1",team_alias="core",user="u1",user_email="u1@example.com"} `
	has(
		t, page(t, m),
		`litellm_spend_metric_total{`+model+`,service_tier="None"`+user+`3`,
		`litellm_total_tokens_metric_total{`+model+user+`84`,
		`litellm_input_tokens_metric_total{`+model+user+`70`,
		`litellm_output_tokens_metric_total{`+model+user+`14`,
		`litellm_input_cached_tokens_metric_total{`+plain+user+`40`,
		`litellm_output_reasoning_tokens_metric_total{`+plain+user+`6`,
		`litellm_proxy_total_requests_metric_total{`+caller+`,model_id="d1",`+org+`requested_model="claude",route="/v1/chat/completions",status_code="200"`+user+`2`,
		`litellm_request_total_latency_metric_sum{`+caller+`,model="m1",model_group="claude",model_id="d1",`+org+`requested_model="claude",service_tier="None",team="t1",team_alias="core",user="u1"} 4`,
		`litellm_llm_api_time_to_first_token_metric_count{`+caller+`,model="m1",model_group="claude",model_id="d1",`+org+`requested_model="claude",service_tier="None",team="t1",team_alias="core",user="u1"} 2`,
		`litellm_deployment_success_responses_total{api_base="None",api_key_alias="ci",api_provider="bedrock",hashed_api_key="abc",litellm_model_name="bedrock/m1",model_group="claude",model_id="d1",requested_model="claude",team="t1",team_alias="core"} 2`,
		`outcrop_tokens_total{class="cache_read",model="m1",model_group="claude"} 40`,
		`outcrop_cost_usd_total{line="output",model="m1",model_group="claude"} 1`,
		`outcrop_requests_total{call_type="acompletion",error="None",model_group="claude",status="200"} 2`,
		`outcrop_tries_total{deployment="d1",status="200"} 2`,
	)
}

// TestEachLineOfACost has a line of its own for whatever is paid for.
func TestEachLineOfACost(t *testing.T) {
	m := New(Options{})
	r := call()
	const usd = 1_000_000_000_000
	r.Lines = account.Lines{Input: usd, Images: 2 * usd, Made: 3 * usd, Queries: 4 * usd, VideoIn: 5 * usd, AudioIn: 6 * usd, VideoMade: 7 * usd, Time: 8 * usd, Searches: 9 * usd}
	r.Cost = int64(r.Lines.Total())
	m.Add(r)
	for line, want := range map[string]string{"input": "1", "images": "5", "queries": "4", "seconds": "26", "web_searches": "9"} {
		has(t, page(t, m), `outcrop_cost_usd_total{line="`+line+`",model="m1",model_group="claude"} `+want)
	}
}

// TestCallsOfManyTypes are counted each as its own, in whatever order they come.
func TestCallsOfManyTypes(t *testing.T) {
	m := New(Options{})
	for range 2 {
		for _, kind := range []string{"acompletion", "anthropic_messages", "acompletion", ""} {
			r := call()
			r.Type = "acompletion"
			if kind == "" {
				r.ErrorKind = "canceled"
			} else {
				r.Type = kind
			}
			m.Add(r)
		}
	}
	has(
		t, page(t, m),
		`outcrop_requests_total{call_type="acompletion",error="None",model_group="claude",status="200"} 4`,
		`outcrop_requests_total{call_type="anthropic_messages",error="None",model_group="claude",status="200"} 2`,
		`outcrop_requests_total{call_type="acompletion",error="canceled",model_group="claude",status="200"} 2`,
	)
}

func TestAFailure(t *testing.T) {
	m := New(Options{EndUsers: true})
	r := call()
	r.Status, r.ErrorKind, r.Cost, r.CostKnown, r.UsageSource, r.Usage = 429, "rate_limit", 0, false, account.UsageNone, llm.Usage{}
	r.Tries = "d1;status=429;error=ThrottlingException,d2;status=429"
	m.Add(r)
	r = call()
	r.CostKnown, r.UsageSource, r.ClientClosed = false, account.UsageEstimated, true
	m.Add(r)
	has(
		t, page(t, m),
		`litellm_proxy_failed_requests_metric_total{api_key_alias="ci",api_provider="bedrock",end_user="ann",exception_class="RateLimitError",exception_status="429",hashed_api_key="abc",model_id="d1",org_alias="None",org_id="o1",requested_model="claude",route="/v1/chat/completions",team="t1",team_alias="core",user="u1",user_email="None"} 1`,
		`litellm_deployment_cooled_down_total{api_base="None",api_provider="bedrock",exception_status="429",litellm_model_name="None",model_id="d2"} 1`,
		`outcrop_tries_total{deployment="d2",status="429"} 1`,
		`outcrop_unpriced_calls_total{model="m1",model_group="claude"} 1`,
		`outcrop_estimated_calls_total{model="m1",model_group="claude"} 1`,
		`outcrop_client_closed_total{model_group="claude"} 1`,
	)
}

func TestSeriesAreBounded(t *testing.T) {
	m := New(Options{MaxSeries: 10, EndUsers: true})
	for i := range 1000 {
		r := call()
		r.User, r.Asked = "user "+strconv.Itoa(i), "model "+strconv.Itoa(i)
		m.Add(r)
	}
	p := page(t, m)
	if n := strings.Count(p, "litellm_requests_metric_total{"); n != 11 {
		t.Errorf("%d series, want the bound and one for the rest", n)
	}
	has(t, p, `litellm_requests_metric_total{api_key_alias="other",api_provider="bedrock",end_user="other",hashed_api_key="other",model="other",model_id="other",org_alias="None",org_id="other",requested_model="other",team="other",team_alias="other",user="other",user_email="None"} 990`)
}

func TestPagesAndProbesAreNoCalls(t *testing.T) {
	m := New(Options{})
	m.Add(account.Record{Path: "/health/liveness", Status: 200})
	if p := page(t, m); strings.Contains(p, "litellm_proxy_total_requests_metric_total{") {
		t.Error("a probe counts as a call")
	}
}

func TestStates(t *testing.T) {
	m := New(Options{
		Version: "1.2.3", InFlight: func() int64 { return 3 },
		Ledger: func() account.LedgerStats {
			return account.LedgerStats{Queued: 4, Written: 5, Dropped: 6, Failures: 7}
		},
		Callbacks: func(yield func(Callback)) {
			yield(Callback{Name: "langfuse", Queued: 8, Sent: 9, Dropped: 10, Failures: 11})
		},
		Deployments: func(yield func(Deployment)) {
			yield(Deployment{ID: "d", Group: "bedrock/*", Model: "a"})
			yield(Deployment{ID: "d", Group: "bedrock/*", Model: "b", State: 2})
		},
	})
	has(
		t, page(t, m),
		`outcrop_build_info{version="1.2.3"} 1`, `litellm_in_flight_requests 3`, `outcrop_ledger_queued_rows 4`, `outcrop_ledger_written_rows_total 5`,
		`outcrop_callback_queued_calls{callback="langfuse"} 8`, `outcrop_callback_sent_calls_total{callback="langfuse"} 9`,
		`outcrop_callback_lost_calls_total{callback="langfuse"} 10`, `outcrop_callback_failures_total{callback="langfuse"} 11`,
		`outcrop_ledger_lost_rows_total 6`, `outcrop_ledger_failures_total 7`,
		`litellm_deployment_state{api_base="None",api_provider="bedrock",litellm_model_name="bedrock/b",model_id="d"} 2`,
		`outcrop_deployment_state{deployment="d",model_group="bedrock/*"} 2`,
	)
	if p := page(t, m); !strings.Contains(p, "go_goroutines ") || !strings.Contains(p, "process_resident_memory_bytes ") {
		t.Error("nothing of the process")
	}
}

func TestManyAtOnce(t *testing.T) {
	m := New(Options{MaxSeries: 50})
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 200 {
				r := call()
				r.KeyHash = strconv.Itoa(i * j % 100)
				m.Add(r)
			}
		})
	}
	all.Wait()
	total := 0
	for line := range strings.SplitSeq(of(page(t, m), "litellm_requests_metric_total{"), "\n") {
		n, err := strconv.Atoi(line[strings.LastIndexByte(line, ' ')+1:])
		if err != nil {
			t.Fatal(err)
		}
		total += n
	}
	if total != 1600 {
		t.Errorf("%d calls were counted, want 1600", total)
	}
}

func BenchmarkAdd(b *testing.B) {
	m := New(Options{})
	r := call()
	b.ReportAllocs()
	for b.Loop() {
		m.Add(r)
	}
}
