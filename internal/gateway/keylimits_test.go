package gateway

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/internal/cache"
	"github.com/outcrop-ai/outcrop/internal/secret"
	"github.com/outcrop-ai/outcrop/internal/store/relational"
)

const limited = "rate_limit_error"

func TestLimitsOfKeys(t *testing.T) {
	onBoth(t, func(t *testing.T, store *relational.Store) {
		g := newKeyRig(t, store, "", "")
		key := g.key(`{"key_alias":"ci","rpm_limit":2,"tpm_limit":100000}`)
		resp, _ := g.send("POST", "/v1/chat/completions", hello, bearer(key))
		h := resp.Header
		for name, want := range map[string]string{
			"X-Ratelimit-Limit-Requests": "2", "X-Ratelimit-Remaining-Requests": "1", "X-Ratelimit-Reset-Requests": "1m0s", "X-Ratelimit-Limit-Tokens": "100000",
			"X-Ratelimit-Api_key-Limit-Requests": "2", "X-Ratelimit-Api_key-Remaining-Requests": "1", "X-Litellm-Key-Rpm-Limit": "2", "X-Litellm-Key-Tpm-Limit": "100000",
		} {
			if got := h.Get(name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		if spend := h.Get("X-Litellm-Key-Spend"); spend == "" || spend == "0" || spend != h.Get("X-Litellm-Response-Cost") {
			t.Errorf("spend %q, cost %q", spend, h.Get("X-Litellm-Response-Cost"))
		}
		g.chats(key, "claude", 200, "")
		resp, body := g.send("POST", "/v1/chat/completions", hello, bearer(key))
		message, kind, _, code := errorOf(t, body)
		if resp.StatusCode != 429 || kind != limited || code != "rate_limit_exceeded" || !strings.Contains(message, "Key=ci") || strings.Contains(message, account.HashKey(secret.New(key))) {
			t.Errorf("%d %s", resp.StatusCode, body)
		}
		if resp.Header.Get("Rate_limit_type") != "requests" || resp.Header.Get("Reset_at") == "" || resp.Header.Get("Retry-After") == "" {
			t.Errorf("headers %v", resp.Header)
		}
		resp, body = g.send("POST", "/bedrock/model/claude/converse", `{"messages":[{"role":"user","content":[{"text":"hi"}]}]}`, bearer(key))
		if resp.StatusCode != 429 || resp.Header.Get("X-Amzn-Errortype") != "ThrottlingException" || resp.Header.Get("Retry-After") == "" {
			t.Errorf("AWS's words: %d %v %s", resp.StatusCode, resp.Header, body)
		}
		resp, body = g.send("POST", "/v1/messages", `{"model":"claude","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}`, bearer(key))
		if resp.StatusCode != 429 || !strings.Contains(body, `"type":"rate_limit_error"`) {
			t.Errorf("Anthropic's words: %d %s", resp.StatusCode, body)
		}
	})
}

func TestBudgetsOfAllOwners(t *testing.T) {
	onBoth(t, func(t *testing.T, store *relational.Store) {
		g := newKeyRig(t, store, "", "")
		f := func(name, key string, header http.Header, message string) {
			t.Helper()
			h := bearer(key)
			for k, v := range header {
				h[k] = v
			}
			for i, want := range []int{200, 422} {
				resp, body := g.send("POST", "/v1/chat/completions", hello, h)
				if resp.StatusCode != want {
					t.Errorf("%s, request %d: %d, want %d: %s", name, i, resp.StatusCode, want, body)
					continue
				}
				if want == 422 {
					got, kind, _, _ := errorOf(t, body)
					if kind != "budget_exceeded" || !strings.Contains(got, message) {
						t.Errorf("%s: %s %s, want %s", name, kind, got, message)
					}
				}
			}
		}
		const tiny = `"max_budget":0.000001`
		f("key", g.key(`{"key_alias":"k",`+tiny+`}`), nil, "Budget has been exceeded! Key=k Current cost: ")
		f("window", g.key(`{"key_alias":"w","budget_limits":[{"budget_duration":"1d",`+tiny+`}]}`), nil, "Key=w")
		f("model", g.key(`{"key_alias":"m","model_max_budget":{"claude":{"budget_limit":0.000001,"time_period":"1d"}}}`), nil, "Key=m Model")
		g.admin("/team/new", `{"team_id":"t","team_alias":"core",`+tiny+`}`)
		f("team", g.key(`{"team_id":"t"}`), nil, "Team=core")
		g.admin("/user/new", `{"user_id":"u",`+tiny+`,"auto_create_key":false}`)
		f("user", g.key(`{"user_id":"u"}`), nil, "ExceededBudget: User=u")
		g.admin("/team/new", `{"team_id":"wide","team_alias":"wide"}`)
		g.admin("/team/member_add", `{"team_id":"wide","member":{"role":"user","user_id":"u"},"max_budget_in_team":0.000001}`)
		f("member", g.key(`{"team_id":"wide","user_id":"u"}`), nil, "User=u in Team=wide")
		g.admin("/organization/new", `{"organization_id":"o","organization_alias":"o",`+tiny+`}`)
		f("organization", g.key(`{"organization_id":"o"}`), nil, "Organization=o")
		g.admin("/budget/new", `{"budget_id":"b",`+tiny+`}`)
		f("a budget by name", g.key(`{"key_alias":"named","budget_id":"b"}`), nil, "Key=named")
		g.admin("/customer/new", `{"user_id":"ann",`+tiny+`}`)
		f("end user", g.key(`{}`), http.Header{"X-Litellm-End-User-Id": {"ann"}}, "ExceededBudget: User=ann")
		g.admin("/tag/new", `{"name":"x",`+tiny+`}`)
		f("tag", g.key(`{}`), http.Header{"X-Litellm-Tags": {"x"}}, "Tag=x")
	})
}

// A new text is no way around a budget, of the key or of a group of models.
func TestRegeneratedKeysHaveSpentWhatTheOldOnesHad(t *testing.T) {
	onBoth(t, func(t *testing.T, store *relational.Store) {
		g := newKeyRig(t, store, "", "")
		for name, terms := range map[string]string{"key": `"max_budget":1`, "model": `"model_max_budget":{"claude":{"budget_limit":1}}`} {
			key := g.key(`{` + terms + `}`)
			charge := account.Charge{Scope: string(account.EntityKey), ID: account.HashKey(secret.New(key))}
			if name == "model" {
				charge = account.ModelCharge(charge.Scope, charge.ID, "claude", 0)
			}
			if err := store.ResetSpent(t.Context(), []account.Charge{charge}, []account.Amount{2_000_000_000_000}); err != nil {
				t.Fatal(err)
			}
			fresh := g.admin("/key/regenerate", `{"key":"`+key+`"}`).text("key")
			if resp, body := g.send("POST", "/v1/chat/completions", hello, bearer(fresh)); resp.StatusCode != 422 || !strings.Contains(body, "budget_exceeded") {
				t.Errorf("%s: %d %s", name, resp.StatusCode, body)
			}
		}
		// What was spent a moment ago counts, although no row of it is in the store.
		key := g.key(`{"max_budget":0.000001}`)
		g.chats(key, "claude", 200, "")
		g.chats(g.admin("/key/regenerate", `{"key":"`+key+`"}`).text("key"), "claude", 422, "budget_exceeded")
	})
}

func TestRequestsUnderWayOfAKey(t *testing.T) {
	onBoth(t, func(t *testing.T, store *relational.Store) {
		g := newKeyRig(t, store, "", "")
		key := g.key(`{"max_parallel_requests":1}`)
		// A stream holds its place until its client has gone.
		ctx, leave := context.WithCancel(t.Context())
		r, err := http.NewRequestWithContext(ctx, "POST", g.url+"/v1/chat/completions", strings.NewReader(strings.Replace(hello, "{", `{"stream":true,`, 1)))
		if err != nil {
			t.Fatal(err)
		}
		r.Header = bearer(key)
		resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if _, err := bufio.NewReader(resp.Body).ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		leave()
		g.books.next(t) // it is over
		g.chats(key, "claude", 200, "")
		// Of many at once one is let through at a time.
		var most, now atomic.Int64
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				resp, body := g.send("POST", "/v1/chat/completions", hello, bearer(key))
				switch {
				case resp.StatusCode == 200:
					now.Add(1)
					most.Store(max(most.Load(), now.Load()))
				case resp.StatusCode != 429 || resp.Header.Get("Rate_limit_type") != "max_parallel_requests":
					t.Errorf("%d %s", resp.StatusCode, body)
				}
			})
		}
		all.Wait()
		if most.Load() == 0 {
			t.Error("nobody was let through")
		}
	})
}

func TestKeysThatNeverRunOverTheirBudget(t *testing.T) {
	onBoth(t, func(t *testing.T, store *relational.Store) {
		g := newKeyRig(t, store, "", "")
		const budget = account.Amount(2_000_000_000) // 0.002 USD
		key := g.key(`{"max_budget":0.002}`)
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() { g.send("POST", "/v1/chat/completions", hello, bearer(key)) })
		}
		all.Wait()
		for range 100 {
			g.books.next(t)
		}
		var spent, most account.Amount
		for _, r := range g.books.records {
			spent, most = spent+account.Amount(r.Cost), max(most, account.Amount(r.Cost))
		}
		if spent == 0 || spent > budget+most {
			t.Errorf("%s were spent of %s, at most %s at once", spent, budget, most)
		}
	})
}

func TestAnswersOfTheCacheAreForThoseWhoMayReadThem(t *testing.T) {
	onBoth(t, func(t *testing.T, store *relational.Store) {
		g := newKeyRig(t, store, "", "")
		for _, id := range []string{"t", "u"} {
			g.admin("/team/new", `{"team_id":"`+id+`"}`)
		}
		f := func(name string, shared bool, hit bool, keys ...string) {
			t.Helper()
			g.server.Caching = Caching{Store: cache.NewMemory(0), Shared: shared}
			var last *http.Response
			for _, body := range keys {
				last, _ = g.send("POST", "/v1/chat/completions", hello, bearer(g.key(body)))
			}
			if got := last.Header.Get("X-Litellm-Cache-Hit") == "true"; got != hit {
				t.Errorf("%s: from the cache: %v, want %v", name, got, hit)
			}
		}
		f("two keys", false, false, `{}`, `{}`)
		f("a team's", false, true, `{"team_id":"t"}`, `{"team_id":"t"}`)
		f("two teams'", false, false, `{"team_id":"t"}`, `{"team_id":"u"}`)
		f("shared", true, true, `{}`, `{}`)
		f("shared, without the right to the model", true, false, `{}`, `{"models":["nova"]}`)
	})
}

func TestLimitsHoldForAnswersOfTheCache(t *testing.T) {
	onBoth(t, func(t *testing.T, store *relational.Store) {
		g := newKeyRig(t, store, "", "")
		g.server.Caching = Caching{Store: cache.NewMemory(0), TTL: time.Hour}
		key := g.key(`{"rpm_limit":3,"max_budget":1000}`)
		for i, want := range []int{200, 200, 200, 429} {
			if resp, body := g.send("POST", "/v1/chat/completions", hello, bearer(key)); resp.StatusCode != want {
				t.Errorf("request %d: %d, want %d: %s", i, resp.StatusCode, want, body)
			}
		}
		if n := len(g.bedrock.Requests()); n != 1 {
			t.Errorf("%d calls, want one", n)
		}
	})
}

func TestWordsAboutTheCacheThatAKeyMayNotSay(t *testing.T) {
	onBoth(t, func(t *testing.T, store *relational.Store) {
		g := newKeyRig(t, store, "", "")
		g.server.Caching = Caching{Store: cache.NewMemory(0)}
		key := g.key(`{"allowed_cache_controls":["ttl"]}`)
		for _, more := range []string{"", `"cache":{"no-cache":true},`} {
			g.send("POST", "/v1/chat/completions", strings.Replace(hello, "{", "{"+more, 1), bearer(key))
		}
		if n := len(g.bedrock.Requests()); n != 1 {
			t.Errorf("%d calls, want one", n)
		}
	})
}
