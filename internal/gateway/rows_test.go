package gateway

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/internal/cache"
	"github.com/outcrop-ai/outcrop/internal/store/relational"
	"github.com/outcrop-ai/outcrop/test/databases"
)

// storedRow is a row of /spend/logs, as far as these tests look.
type storedRow struct {
	CallID   string `json:"litellm_call_id"`
	Type     string `json:"call_type"`
	Status   string
	CacheHit string `json:"cache_hit"`
	Key      string `json:"api_key"`
	TeamID   string `json:"team_id"`
	User     string `json:"user"`
	Spend    *json.Number
	Total    int64 `json:"total_tokens"`
}

// exact is a sum of dollars to the last digit.
func exact(t *testing.T, numbers ...string) string {
	t.Helper()
	sum := new(big.Rat)
	for _, n := range numbers {
		r, ok := new(big.Rat).SetString(n)
		if !ok {
			t.Fatalf("%q is no number", n)
		}
		sum.Add(sum, r)
	}
	return sum.FloatString(12)
}

// call sends a request under an id of its own.
func (g *keyRig) call(key, id, path, body string) {
	g.t.Helper()
	h := bearer(key)
	h.Set("X-Litellm-Call-Id", id)
	if resp, text := g.send(http.MethodPost, path, body, h); resp.StatusCode >= 500 {
		g.t.Errorf("%s: %d %s", id, resp.StatusCode, text)
	}
}

// leave opens a stream that stalls, and leaves when it has begun.
func (g *keyRig) leave(key, id string) {
	g.t.Helper()
	ctx, leave := context.WithCancel(g.t.Context())
	defer leave()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, g.url+"/v1/chat/completions", strings.NewReader(`{"model":"claude","stream":true,"messages":[{"role":"user","content":"[[fault:stall-stream;after=3]]"}]}`))
	if err != nil {
		g.t.Fatal(err)
	}
	r.Header = bearer(key)
	r.Header.Set("X-Litellm-Call-Id", id)
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		g.t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := bufio.NewReader(resp.Body).ReadString('\n'); err != nil {
		g.t.Fatal(err)
	}
}

// TestRowsOfEveryKindAddUp: each call has one row, whatever became of it, and what the rows cost is what the key, the team,
// the user and the whole gateway have spent, to the last digit, here and on a gateway that starts afterwards.
func TestRowsOfEveryKindAddUp(t *testing.T) {
	onBoth(t, func(t *testing.T, store *relational.Store) {
		g := newKeyRig(t, store, "", "")
		g.server.Caching = Caching{Store: cache.NewMemory(0)}
		g.admin("/team/new", `{"team_id":"red","max_budget":1000}`)
		g.admin("/user/new", `{"user_id":"ada","auto_create_key":false}`)
		made := g.admin("/key/generate", `{"team_id":"red","user_id":"ada","max_budget":1000,"budget_duration":"30d"}`)
		key, hash := made.text("key"), made.text("token")
		const hi = `"messages":[{"role":"user","content":"Hi"}]`
		type want struct {
			kind, status, hit string
			free              bool
		}
		wants := map[string]want{}
		f := func(id, path, body string, w want) {
			t.Helper()
			wants[id] = w
			if body == "" {
				g.leave(key, id)
			} else {
				g.call(key, id, path, body)
			}
			g.books.next(t)
		}
		f("call-success", "/v1/chat/completions", `{"model":"claude",`+hi+`}`, want{kind: "acompletion", status: "success", hit: "False"})
		f("call-cache-hit", "/v1/chat/completions", `{"model":"claude",`+hi+`}`, want{kind: "acompletion", status: "success", hit: "True", free: true})
		f("call-throttled", "/v1/chat/completions", `{"model":"claude","messages":[{"role":"user","content":"[[fault:throttle]]"}]}`, want{kind: "acompletion", status: "failure", hit: "False", free: true})
		f("call-stream", "/v1/chat/completions", `{"model":"claude","stream":true,`+hi+`}`, want{kind: "acompletion", status: "success", hit: "False"})
		f("call-cancelled", "", "", want{kind: "acompletion", status: "failure", hit: "False"})
		f("call-broken", "/v1/chat/completions", `{"model":"claude","stream":true,"messages":[{"role":"user","content":"[[fault:stream-throttle;after=3]]"}]}`, want{kind: "acompletion", status: "failure", hit: "False"})
		f("call-messages", "/v1/messages", `{"model":"claude","max_tokens":50,`+hi+`}`, want{kind: "anthropic_messages", status: "success", hit: "False"})
		f("call-responses", "/v1/responses", `{"model":"claude","input":"Hi"}`, want{kind: "aresponses", status: "success", hit: "False"})
		f("call-embedding", "/v1/embeddings", `{"model":"embed","input":"Hi"}`, want{kind: "aembedding", status: "success", hit: "False"})
		f("call-native", "/bedrock/model/claude/converse", `{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}`, want{kind: "allm_passthrough_route", status: "success", hit: "False"})
		f("call-native-stream", "/bedrock/model/claude/converse-stream", `{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}`, want{kind: "allm_passthrough_route", status: "success", hit: "False"})
		// The user's own budget is that of keys without a team.
		own := g.admin("/key/generate", `{"user_id":"ada"}`)
		g.call(own.text("key"), "call-own", "/v1/chat/completions", `{"model":"nova",`+hi+`}`)
		alone := g.books.next(t)
		f("call-unknown-model", "/v1/chat/completions", `{"model":"none",`+hi+`}`, want{kind: "acompletion", status: "failure", hit: "False", free: true})
		g.books.written(t)

		var rows []storedRow
		if err := json.Unmarshal([]byte(g.read("/spend/logs?api_key="+hash)), &rows); err != nil {
			t.Fatal(err)
		}
		var costs []string
		seen := map[string]int{}
		for _, r := range rows {
			seen[r.CallID]++
			w, known := wants[r.CallID]
			if !known {
				t.Errorf("a row of %s", r.CallID)
				continue
			}
			cost := "0"
			if r.Spend != nil {
				cost = r.Spend.String()
			}
			costs = append(costs, cost)
			if r.Type != w.kind || r.Status != w.status || r.CacheHit != w.hit || r.Key != hash || r.TeamID != "red" || r.User != "ada" {
				t.Errorf("%s: %+v, want %+v", r.CallID, r, w)
			}
			if free := exact(t, cost) == exact(t); free != w.free {
				t.Errorf("%s costs %s", r.CallID, cost)
			}
		}
		for id := range wants {
			if seen[id] != 1 {
				t.Errorf("%s has %d rows", id, seen[id])
			}
		}
		sum := exact(t, costs...)
		told := func(who string, what any) {
			t.Helper()
			if got := exact(t, fmt.Sprint(what)); got != sum {
				t.Errorf("%s has spent %s, and its rows %s", who, got, sum)
			}
		}
		day := "start_date=" + time.Now().UTC().AddDate(0, 0, -1).Format(dateForm) + "&end_date=" + time.Now().UTC().AddDate(0, 0, 1).Format(dateForm)
		later := newKeyRig(t, store, "", "")
		for name, g := range map[string]*keyRig{"the gateway": g, "a later gateway": later} {
			told(name+": the key", g.admin("/key/info?key="+hash, "").text("info.spend"))
			told(name+": the team", g.admin("/team/info?team_id=red", "").text("team_info.spend"))
			var report []struct {
				Teams []struct {
					Name  string      `json:"team_name"`
					Spend json.Number `json:"total_spend"`
				}
			}
			if err := json.Unmarshal([]byte(g.read("/global/spend/report?team_id=red&"+day)), &report); err != nil {
				t.Fatal(err)
			}
			var days []string // the test may run at midnight
			for _, d := range report {
				for _, team := range d.Teams {
					days = append(days, team.Spend.String())
				}
			}
			told(name+": the report of the team", exact(t, days...))
			told(name+": the list of keys", g.admin("/spend/keys?api_key="+hash, "")["list"].([]any)[0].(map[string]any)["spend"])
			if got, want := exact(t, g.admin("/user/info?user_id=ada", "").text("user_info.spend")), exact(t, account.Amount(alone.Cost).String()); got != want {
				t.Errorf("%s: the user has spent %s, want %s", name, got, want)
			}
			if got, want := exact(t, g.admin("/global/spend?"+day, "").text("spend")), exact(t, sum, account.Amount(alone.Cost).String()); got != want {
				t.Errorf("%s: the whole gateway has spent %s, want %s", name, got, want)
			}
		}
	})
}

// TestAKeyIsTakenFromEachPlaceAndNoOther: a virtual key opens the gateway wherever a client of some SDK puts it, the first
// place that has one decides, and what is no place for a key opens nothing.
func TestAKeyIsTakenFromEachPlaceAndNoOther(t *testing.T) {
	onBoth(t, func(t *testing.T, store *relational.Store) {
		g := newKeyRig(t, store, "", "  litellm_key_header_name: X-Team-Key\n")
		key := g.key(`{}`)
		status := func(path string, pairs ...string) int {
			t.Helper()
			h := http.Header{}
			for i := 0; i < len(pairs); i += 2 {
				h.Set(pairs[i], pairs[i+1])
			}
			resp, _ := g.send(http.MethodPost, path, hello, h)
			return resp.StatusCode
		}
		const chat = "/v1/chat/completions"
		aws := func(key string) string {
			return "AWS4-HMAC-SHA256 Credential=" + key + "/20260801/us-east-1/bedrock/aws4_request, SignedHeaders=host, Signature=00"
		}
		places := []struct{ name, before, after string }{
			{"X-Team-Key", "", ""}, {"X-Litellm-Api-Key", "", ""}, {"Authorization", "Bearer ", ""}, {"Api-Key", "", ""}, {"X-Api-Key", "", ""}, {"X-Goog-Api-Key", "", ""}, {"Ocp-Apim-Subscription-Key", "", ""},
		}
		const wrong = "sk-wrong-wrong-wrong"
		for i, p := range places {
			if got := status(chat, p.name, p.before+key); got != 200 && p.name != "X-Litellm-Api-Key" {
				t.Errorf("%s: %d", p.name, got)
			}
			for _, q := range places[i+1:] {
				if p.name == "X-Team-Key" && q.name == "X-Litellm-Api-Key" || p.name == "X-Litellm-Api-Key" {
					continue // a configured header stands in its place
				}
				if got := status(chat, p.name, p.before+key, q.name, q.before+wrong); got != 200 {
					t.Errorf("%s before %s: %d", p.name, q.name, got)
				}
				if got := status(chat, p.name, p.before+wrong, q.name, q.before+key); got != 401 {
					t.Errorf("%s after a wrong %s: %d", q.name, p.name, got)
				}
			}
		}
		for _, value := range []string{"bearer " + key, "Basic " + key, "Basic " + base64.StdEncoding.EncodeToString([]byte("user:"+key))} {
			if got := status(chat, "Authorization", value); got != 200 {
				t.Errorf("%.12s…: %d", value, got)
			}
		}
		for _, c := range []struct {
			value string
			want  int
		}{{aws(key), 200}, {aws("Bearer " + key), 200}, {aws(wrong), 403}, {strings.Replace(aws(wrong), "Signature=00", "Signature="+key, 1), 403}} { // as AWS's clients sign
			resp, text := g.send(http.MethodPost, "/bedrock/model/claude/converse", `{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}`, http.Header{"Authorization": {c.value}})
			if resp.StatusCode != c.want {
				t.Errorf("%.50s…: %d %s", c.value, resp.StatusCode, text)
			}
		}
		for name, header := range map[string][]string{
			"no scheme": {"Authorization", key}, "another scheme": {"Authorization", "Digest " + key}, "a cookie": {"Cookie", "key=" + key + "; token=" + key}, "X-Key": {"X-Key", key}, "X-Auth-Token": {"X-Auth-Token", key},
			"the digest": {"Authorization", "Bearer " + account.HashKey(secretOf(key))},
			"upper case": {"Authorization", "Bearer " + strings.ToUpper(key)}, "a part": {"Authorization", "Bearer " + key[:len(key)-1]},
		} {
			if got := status(chat, header...); got != 401 {
				t.Errorf("%s: %d", name, got)
			}
		}
		for _, path := range []string{chat + "?key=" + key, chat + "?api_key=" + key, "/k/" + key + chat} {
			if got := status(path); got != 401 {
				t.Errorf("%s: %d", path, got)
			}
		}
	})
}

// TestABudgetBeginsAtWhatTheBooksSay: a gateway that starts, and one that runs beside, count what others have spent.
func TestABudgetBeginsAtWhatTheBooksSay(t *testing.T) {
	onBoth(t, func(t *testing.T, store *relational.Store) {
		g := newKeyRig(t, store, "", "")
		key := g.key(`{"key_alias":"ci","max_budget":0.000001,"budget_duration":"1d"}`)
		g.chats(key, "claude", 200, "")
		g.chats(key, "claude", 422, "budget_exceeded")
		g.books.written(t)
		newKeyRig(t, store, "", "").chats(key, "claude", 422, "budget_exceeded")
		// An administrator sets it back, and it is so for a gateway that starts after that.
		g.admin("/key/"+key+"/reset_spend", `{"reset_to":0}`)
		g.chats(key, "claude", 200, "")
	})
}

// TestAResponseIsItsKeysAlone: whoever has another key, of the same team even, cannot read, go on from or delete a response,
// and cannot tell that there is one.
func TestAResponseIsItsKeysAlone(t *testing.T) {
	onBoth(t, func(t *testing.T, store *relational.Store) {
		g := newKeyRig(t, store, "", "")
		g.admin("/team/new", `{"team_id":"red"}`)
		own, other := g.key(`{"team_id":"red"}`), g.key(`{"team_id":"red"}`)
		id := g.as(own, 200, http.MethodPost, "/v1/responses", `{"model":"claude","input":"Hi"}`).text("id")
		for _, r := range []struct{ method, path, body string }{
			{http.MethodGet, "/v1/responses/" + id, ""}, {http.MethodGet, "/v1/responses/" + id + "/input_items", ""}, {http.MethodDelete, "/v1/responses/" + id, ""},
		} {
			if answer := g.as(other, 404, r.method, r.path, r.body); answer.text("error.code") != "response_not_found" {
				t.Errorf("%s %s: %v", r.method, r.path, answer)
			}
		}
		g.as(other, 400, http.MethodPost, "/v1/responses", `{"model":"claude","input":"Go on","previous_response_id":"`+id+`"}`)
		later := newKeyRig(t, store, "", "") // it is in the database
		later.as(own, 200, http.MethodPost, "/v1/responses", `{"model":"claude","input":"Go on","previous_response_id":"`+id+`"}`)
		later.as(own, 200, http.MethodDelete, "/v1/responses/"+id, "")
		g.as(own, 404, http.MethodGet, "/v1/responses/"+id, "")
	})
}

// TestTokensOfCachesAreBookedByTheirPrice: what is read from a cache, and written to it for five minutes and for an hour, is
// counted and paid for apart, translated and passed through, and the row has each.
func TestTokensOfCachesAreBookedByTheirPrice(t *testing.T) {
	const usage = `"usage":{"inputTokens":100,"outputTokens":50,"totalTokens":1150,"cacheReadInputTokens":400,"cacheWriteInputTokens":600,"cacheDetails":[{"ttl":"1h","inputTokens":200},{"ttl":"5m","inputTokens":400}]}`
	b := newBedrocks(t, map[string]func(http.ResponseWriter, string){"a": func(w http.ResponseWriter, body string) {
		if strings.Contains(body, "stream it") {
			w.Header().Set("Content-Type", "application/vnd.amazon.eventstream")
			writeFrames(t, w, "messageStart {\"role\":\"assistant\"}\ncontentBlockDelta {\"contentBlockIndex\":0,\"delta\":{\"text\":\"ok\"}}\ncontentBlockStop {\"contentBlockIndex\":0}\nmessageStop {\"stopReason\":\"end_turn\"}\nmetadata {"+usage+"}\n")
			return
		}
		_, _ = fmt.Fprint(w, `{"output":{"message":{"role":"assistant","content":[{"text":"ok"}]}},"stopReason":"end_turn",`+usage+`}`)
	}})
	databases.Each(t, func(t *testing.T, d databases.Database) {
		g := newRigOn(t, d.Open(t), routes(b.url, "", "claude a model: bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0, input_cost_per_token: 0.000001, output_cost_per_token: 0.00001, cache_read_input_token_cost: 0.0000001, cache_creation_input_token_cost: 0.00000125, cache_creation_input_token_cost_above_1hr: 0.000002"), nil)
		calls := []struct{ id, path, body string }{
			{"call-whole", "/v1/chat/completions", `{"model":"claude","messages":[{"role":"user","content":"Hi"}]}`},
			{"call-stream", "/v1/chat/completions", `{"model":"claude","stream":true,"messages":[{"role":"user","content":"stream it"}]}`},
			{"call-native", "/bedrock/model/claude/converse", `{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}`},
			{"call-native-stream", "/bedrock/model/claude/converse-stream", `{"messages":[{"role":"user","content":[{"text":"stream it"}]}]}`},
		}
		for _, c := range calls {
			h := bearer(testKey)
			h.Set("X-Litellm-Call-Id", c.id)
			if resp, text := g.send(http.MethodPost, c.path, c.body, h); resp.StatusCode != http.StatusOK {
				t.Errorf("%s: %d %s", c.id, resp.StatusCode, text)
			}
			g.books.next(t)
		}
		g.books.written(t)
		for _, c := range calls {
			got := d.Value(t, `SELECT input_tokens || ' ' || cache_read_tokens || ' ' || cache_write_5m_tokens || ' ' || cache_write_1h_tokens || ' ' || completion_tokens || ' ' || prompt_tokens || ' ' || total_tokens || ' ' || spend_pico FROM spend_logs WHERE litellm_call_id = '`+c.id+`'`)
			// 100 × 1 + 400 × 0.1 + 400 × 1.25 + 200 × 2 + 50 × 10 millionths of a dollar.
			if want := "100 400 400 200 50 1100 1150 1540000000"; got != want {
				t.Errorf("%s: the row has %s, want %s", c.id, got, want)
			}
		}
	})
}
