package gateway

import (
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/internal/sim"
	"github.com/outcrop-ai/outcrop/internal/store/relational"
)

const askNova = `{"model":"nova","max_tokens":100,"messages":[{"role":"user","content":"hi"}]%s}`

// spendy is a gateway before the simulator whose model costs a dollar for each token of the answer.
func spendy(t *testing.T, store *relational.Store, settings, params string) *rig {
	t.Helper()
	_, url := upstream(t, sim.Options{})
	return newRigOn(t, store, `
model_list:
  - model_name: nova
    litellm_params: {model: bedrock/amazon.nova-lite-v1:0, aws_region_name: us-east-1, aws_access_key_id: `+sim.AccessKeyID+`, aws_secret_access_key: "`+sim.SecretAccessKey+`", aws_bedrock_runtime_endpoint: "`+url+`", input_cost_per_token: 0, output_cost_per_token: 1`+params+`}
general_settings: {master_key: `+testKey+`}
`+settings, nil)
}

func (g *rig) nova(more string) (*http.Response, string) {
	g.t.Helper()
	return g.send("POST", "/v1/chat/completions", strings.Replace(askNova, "%s", more, 1), bearer(testKey))
}

func TestTheGatewaysBudget(t *testing.T) {
	onBoth(t, func(t *testing.T, store *relational.Store) {
		g := spendy(t, store, "litellm_settings: {max_budget: 1, budget_duration: 30d}", "")
		if resp, body := g.nova(""); resp.StatusCode != 200 {
			t.Fatalf("%d %s", resp.StatusCode, body)
		}
		g.books.next(t)
		resp, body := g.nova("")
		message, kind, param, code := errorOf(t, body)
		if resp.StatusCode != 422 || kind != "budget_exceeded" || param != "" || code != "422" || !strings.HasPrefix(message, "Budget has been exceeded! Proxy Current cost: ") {
			t.Errorf("%d %s", resp.StatusCode, body)
		}
		if resp.Header.Get("X-Should-Retry") != "false" || resp.Header.Get("Retry-After") == "" {
			t.Errorf("headers %v", resp.Header)
		}
		last := g.books.next(t)
		if last.Status != 422 || last.Cost != 0 || last.ErrorKind != "rate_limit" {
			t.Errorf("the row of a refused call: %+v", last)
		}
		resp, body = g.send("POST", "/bedrock/model/nova/converse", `{"messages":[{"role":"user","content":[{"text":"hi"}]}]}`, bearer(testKey))
		if resp.StatusCode != 400 || resp.Header.Get("X-Amzn-Errortype") != "ServiceQuotaExceededException" {
			t.Errorf("AWS's words: %d %s %s", resp.StatusCode, resp.Header.Get("X-Amzn-Errortype"), body)
		}
	})
}

func TestRowsNameWhatTheyAreChargedTo(t *testing.T) {
	onBoth(t, func(t *testing.T, store *relational.Store) {
		g := spendy(t, store, "litellm_settings: {max_budget: 1000000, budget_duration: 1d, max_end_user_budget: 1000000}", ", max_budget: 1000000")
		if resp, body := g.nova(`,"user":"ann"`); resp.StatusCode != 200 {
			t.Fatalf("%d %s", resp.StatusCode, body)
		}
		got := map[string]int{}
		row := g.books.next(t)
		for _, c := range row.Charges {
			got[c.Scope]++
		}
		// The whole gateway has one for all time and one for the day.
		if got["global"] != 2 || got[string(account.EntityEndUser)] != 1 || got[account.ScopeDeployment] != 1 {
			t.Errorf("charges %+v", row.Charges)
		}
	})
}

func TestABudgetOfADeployment(t *testing.T) {
	onBoth(t, func(t *testing.T, store *relational.Store) {
		g := spendy(t, store, "", ", max_budget: 1")
		if resp, body := g.nova(""); resp.StatusCode != 200 {
			t.Fatalf("%d %s", resp.StatusCode, body)
		}
		g.books.next(t)
		resp, body := g.nova("")
		if message, kind, _, _ := errorOf(t, body); resp.StatusCode != 429 || kind != "budget_exceeded" || !strings.Contains(message, "No deployments available") {
			t.Errorf("%d %s", resp.StatusCode, body)
		}
	})
}

func TestBudgetsOfEndUsersAndOfTheProvider(t *testing.T) {
	onBoth(t, func(t *testing.T, store *relational.Store) {
		g := spendy(t, store, "litellm_settings: {max_end_user_budget: 1, budget_exceeded_status_code: 400}\nrouter_settings: {provider_budget_config: {bedrock: {budget_limit: 1000000, time_period: 1d}}}", "")
		for _, c := range []struct {
			user string
			want int
		}{{"ann", 200}, {"ann", 400}, {"bob", 200}, {"", 200}} {
			if resp, body := g.nova(`,"user":"` + c.user + `"`); resp.StatusCode != c.want {
				t.Errorf("%q: %d, want %d: %s", c.user, resp.StatusCode, c.want, body)
			}
			g.books.next(t)
		}
	})
}

func TestABurstOfRequestsOverrunsABudgetByOne(t *testing.T) {
	for name, more := range map[string]string{"whole": "", "streamed": `,"stream":true`} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, store *relational.Store) {
				g := spendy(t, store, "litellm_settings: {max_budget: 100}", "")
				var admitted atomic.Int64
				var all sync.WaitGroup
				for range 100 {
					all.Go(func() {
						resp, body := g.nova(more)
						switch resp.StatusCode {
						case 200:
							admitted.Add(1)
						case 422, 429:
						default:
							t.Errorf("%d %s", resp.StatusCode, body)
						}
					})
				}
				all.Wait()
				var spent, most account.Amount
				for range 100 {
					g.books.next(t)
				}
				for _, r := range g.books.records {
					spent += account.Amount(r.Cost)
					most = max(most, account.Amount(r.Cost))
				}
				if spent > account.USD(100)+most {
					t.Errorf("%s were spent of 100, by %d requests of at most %s", spent, admitted.Load(), most)
				}
				if admitted.Load() == 0 {
					t.Error("nobody was let through")
				}
			})
		})
	}
}

func TestRequestsUnderWayInTheWholeGateway(t *testing.T) {
	started, end := make(chan struct{}), make(chan struct{})
	b := newBedrocks(t, map[string]func(http.ResponseWriter, string){"a": func(w http.ResponseWriter, _ string) {
		started <- struct{}{}
		<-end
		works(w, "")
	}})
	g := newRig(t, strings.Replace(routes(b.url, "", "m a"), "general_settings: {", "general_settings: {global_max_parallel_requests: 1, ", 1), nil)
	var first sync.WaitGroup
	first.Go(func() {
		if resp, body := g.send("POST", "/v1/chat/completions", strings.Replace(sayHi, "%s", "", 1), bearer(testKey)); resp.StatusCode != 200 {
			t.Errorf("%d %s", resp.StatusCode, body)
		}
	})
	<-started
	resp, body := g.send("POST", "/v1/chat/completions", strings.Replace(sayHi, "%s", "", 1), bearer(testKey))
	if resp.StatusCode != 429 || resp.Header.Get("Rate_limit_type") != "max_parallel_requests" || resp.Header.Get("Retry-After") != "1" {
		t.Errorf("%d %s %v", resp.StatusCode, body, resp.Header)
	}
	close(end)
	first.Wait()
	go func() { <-started }()
	if resp, body := g.send("POST", "/v1/chat/completions", strings.Replace(sayHi, "%s", "", 1), bearer(testKey)); resp.StatusCode != 200 {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	if resp.Header.Get("X-Ratelimit-Global-Limit-Max_parallel_requests") != "" {
		t.Error("a refusal has no rest to tell of")
	}
}
