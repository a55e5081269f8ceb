package gateway

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/internal/store/relational"
	"github.com/outcrop-ai/outcrop/llm"
)

// bookConfig is a gateway whose book is read: no request goes upstream.
const bookConfig = `
model_list:
  - model_name: claude
    litellm_params: {model: bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0, aws_region_name: us-east-1, api_key: k}
general_settings: {master_key: ` + testKey + `}
`

// bookDay is the day of the tests' first call.
const bookDay = "2026-08-01"

// newBook starts a gateway over a store with nine calls, a day and three of them each: a cent and a tenth of a pico-dollar's
// worth more each.
func newBook(t *testing.T, s *relational.Store) *rig {
	t.Helper()
	g := newRigOn(t, s, bookConfig, nil)
	fillBook(t, s)
	return g
}

func fillBook(t *testing.T, s *relational.Store) {
	t.Helper()
	if _, err := s.Put(t.Context(), []account.Entity{
		{Kind: account.EntityKey, ID: "key0", Alias: "ci", UserID: "user0", Data: json.RawMessage(`{"key_name":"sk-...abcd"}`)},
		{Kind: account.EntityTeam, ID: "team1", Alias: "Search", Data: json.RawMessage(`{}`)},
	}); err != nil {
		t.Fatal(err)
	}
	start, err := time.Parse(dateForm, bookDay)
	if err != nil {
		t.Fatal(err)
	}
	var records []account.Record
	for i := range 9 {
		r := account.Record{
			CallID: fmt.Sprintf("call-%d", i), Entry: uint64(i), RequestID: fmt.Sprintf("chatcmpl-%d", i), Type: "acompletion", KeyHash: fmt.Sprint("key", i%2),
			TeamID: []string{"", "team1", "team2"}[i%3], UserID: fmt.Sprint("user", i%2), User: "=customer", Tags: []string{"all", fmt.Sprint("tag", i%2)},
			Model: "us.anthropic.claude", Group: "claude", Deployment: "d", Cost: 10_000_000_000 + int64(i), CostKnown: true, Status: 200,
			Usage: llm.Usage{Input: 10, CacheRead: 5, Output: 3, Total: 18}, UsageSource: account.UsageAWS,
			Start: start.AddDate(0, 0, i/3).Add(time.Duration(i%3) * time.Hour),
		}
		r.End = r.Start.Add(1500 * time.Millisecond)
		if i == 8 {
			r.CostKnown, r.Cost, r.Status = false, 0, 429
			r.SetError(&llm.Error{Kind: llm.KindRateLimit, Code: "rate_limit_exceeded", Message: "slow"})
		}
		records = append(records, r)
	}
	if err := s.Append(t.Context(), records); err != nil {
		t.Fatal(err)
	}
}

// read reads a path as the administrator and returns its answer with what stands under path, as JSON.
func (g *rig) read(path string) string {
	g.t.Helper()
	resp, body := g.send(http.MethodGet, path, "", bearer(testKey))
	if resp.StatusCode != http.StatusOK {
		g.t.Errorf("%s: %d %s", path, resp.StatusCode, body)
	}
	return body
}

const inAugust = "start_date=2026-08-01&end_date=2026-08-31"

func TestSpendReports(t *testing.T) {
	onBoth(t, func(t *testing.T, store *relational.Store) {
		g := newBook(t, store)
		f := func(path string, want ...string) {
			t.Helper()
			body := g.read(path)
			for _, w := range want {
				if !strings.Contains(body, w) {
					t.Errorf("%s lacks %s: %s", path, w, body)
				}
			}
		}
		// 8 × 0.01 USD and 0 + 1 + … + 7 pico-dollars: to the last digit.
		f("/global/spend?"+inAugust, `"spend":0.080000000028`)
		f("/global/spend", `"spend":0`)
		f("/spend/keys", `{"token":"key0","key_alias":"ci","spend":0.040000000012,"user_id":"user0","team_id":null,"api_requests":5,"total_tokens":90}`, `"token":"key1"`)
		f("/spend/users?user_id=user1", `[{"user_id":"user1","user_alias":null,"spend":0.040000000016,`)
		f("/spend/tags?start_date=2026-08-01&end_date=2026-08-01", `{"individual_request_tag":"all","log_count":3,"total_spend":0.030000000003}`)
		f("/global/spend/tags?tags=tag1&"+inAugust, `{"spend_per_tag":[{"name":"tag1","spend":0.040000000016,"log_count":4}]}`)
		f("/global/spend/all_tag_names", `{"tag_names":["all","tag0","tag1"]}`)
		f("/global/spend/keys?limit=1&"+inAugust, `[{"api_key":"key1","key_alias":null,"key_name":null,"total_spend":0.040000000016}]`)
		f("/global/spend/models?"+inAugust, `[{"model":"us.anthropic.claude","total_spend":0.080000000028}]`)
		f("/global/spend/logs?"+inAugust, `[{"date":"2026-08-01","spend":0.030000000003},{"date":"2026-08-02","spend":0.030000000012},{"date":"2026-08-03","spend":0.020000000013}]`)
		f("/global/spend/logs?api_key=key0&"+inAugust, `{"date":"2026-08-01","spend":0.020000000002,"api_key":"key0"}`)
		f("/global/spend/provider?"+inAugust, `[{"provider":"bedrock","spend":0.080000000028}]`)
		f("/global/spend/teams?"+inAugust, `{"Search":0.010000000001,"Unassigned":0.01,"date":"2026-08-01","team2":0.010000000002}`, `"teams":["Search","Unassigned","team2"]`)
		f("/global/activity?"+inAugust, `{"date":"Aug 01","day":"2026-08-01","api_requests":3,"total_tokens":54}`, `"sum_api_requests":9,"sum_total_tokens":162`)
		f("/global/activity/model?"+inAugust, `[{"model":"claude","daily_data":[`)

		f("/global/spend/report?"+inAugust, `"group_by_day":"2026-08-01T00:00:00Z"`, `{"metadata":[{"model":"us.anthropic.claude","api_key":"key1","spend":0.010000000001,"total_tokens":18}],"team_name":"Search","total_spend":0.010000000001}`)
		f("/global/spend/report?group_by=customer&"+inAugust, `"customer":"=customer"`)
		f("/global/spend/report?group_by=api_key&"+inAugust, `{"api_key":"key0","key_alias":"ci","total_cost":0.040000000012,"total_input_tokens":75,"total_output_tokens":15,"model_details":[{"model":"us.anthropic.claude",`)
		f("/global/spend/report?api_key=key1&"+inAugust, `[{"api_key":"key1"`)
		f("/global/spend/report?internal_user_id=user0&"+inAugust, `[{"api_key":"key0"`)
		f("/global/spend/report?team_id=team2&"+inAugust, `"team_name":"team2"`)
		for by, want := range map[string]string{"tag": `"tag":"all"`, "model": `"model":"us.anthropic.claude"`, "provider": `"provider":"bedrock"`, "day": `"group_by_day":"2026-08-03"`, "internal_user_id": `"internal_user_id":"user1"`} {
			f("/global/spend/report?group_by="+by+"&"+inAugust, want, `"unpriced_requests"`)
		}
	})
}

func TestDailyActivity(t *testing.T) {
	onBoth(t, func(t *testing.T, store *relational.Store) {
		g := newBook(t, store)
		var answer struct {
			Results []struct {
				Date      string
				Metrics   struct{ Spend json.Number }
				Breakdown struct {
					Models, APIKeys, Entities map[string]struct {
						Metrics  struct{ Spend json.Number }
						Metadata map[string]any
					}
				}
			}
			Metadata struct {
				TotalSpend json.Number `json:"total_spend"`
				HasMore    bool        `json:"has_more"`
				TotalPages int         `json:"total_pages"`
			}
		}
		ask := func(path string) {
			t.Helper()
			answer.Results = nil
			if err := json.Unmarshal([]byte(strings.ReplaceAll(g.read(path), `"api_keys"`, `"APIKeys"`)), &answer); err != nil {
				t.Fatal(err)
			}
		}
		ask("/user/daily/activity?" + inAugust)
		equal(t, len(answer.Results), 3)
		equal(t, answer.Results[0].Date, "2026-08-03")
		equal(t, answer.Results[2].Metrics.Spend, "0.030000000003")
		equal(t, answer.Results[2].Breakdown.APIKeys["key0"].Metrics.Spend, "0.020000000002")
		equal(t, answer.Results[2].Breakdown.APIKeys["key0"].Metadata["key_alias"], any("ci"))
		equal(t, answer.Results[2].Breakdown.Models["us.anthropic.claude"].Metrics.Spend, "0.030000000003")
		equal(t, answer.Metadata.TotalSpend, "0.080000000028")

		ask("/team/daily/activity?team_ids=team1,team2&page_size=2&start_date=2026-08-01&end_date=2026-08-03")
		equal(t, len(answer.Results), 2)
		equal(t, answer.Metadata.HasMore, true)
		equal(t, answer.Results[1].Breakdown.Entities["team1"].Metadata["team_alias"], any("Search"))
		ask("/team/daily/activity?team_ids=team1,team2&page_size=2&page=2&start_date=2026-08-01&end_date=2026-08-03")
		equal(t, len(answer.Results), 1)
		equal(t, answer.Results[0].Date, "2026-08-01")
		equal(t, answer.Metadata.HasMore, false)
		for _, path := range []string{"/tag/daily/activity?tags=all&", "/customer/daily/activity?", "/end_user/daily/activity?end_user_ids=%3Dcustomer&"} {
			ask(path + inAugust)
			equal(t, answer.Metadata.TotalSpend, "0.080000000028")
		}
		ask("/organization/daily/activity?" + inAugust)
		equal(t, len(answer.Results), 0)
	})
}

func TestSpendLogs(t *testing.T) {
	onBoth(t, func(t *testing.T, store *relational.Store) {
		g := newBook(t, store)
		ids := func(path string) string {
			t.Helper()
			var rows []struct {
				ID string `json:"litellm_call_id"`
			}
			if err := json.Unmarshal([]byte(g.read(path)), &rows); err != nil {
				t.Fatal(err)
			}
			var list []string
			for _, r := range rows {
				list = append(list, strings.TrimPrefix(r.ID, "call-"))
			}
			return strings.Join(list, " ")
		}
		equal(t, ids("/spend/logs"), "8 7 6 5 4 3 2 1 0")
		equal(t, ids("/spend/logs?request_id=chatcmpl-3"), "3")
		equal(t, ids("/spend/logs?request_id=call-3&"+inAugust), "3")
		equal(t, ids("/spend/logs?api_key=key1&summarize=false&start_date=2026-08-01&end_date=2026-08-02"), "5 3 1")
		equal(t, ids("/spend/logs?user_id=user0&min_spend=0.010000000002&max_spend=0.010000000004"), "4 2")
		equal(t, ids("/spend/logs?status_filter=failure"), "8")
		equal(t, ids("/spend/logs?tag=tag1&team_id=team1"), "7 1")

		row := g.read("/spend/logs?request_id=chatcmpl-0")
		for _, want := range []string{
			`"spend":0.01,`, `"startTime":"2026-08-01T00:00:00.000000Z"`, `"request_duration_ms":1500`, `"prompt_tokens":15`, `"completion_tokens":3`, `"status":"success"`,
			`"custom_llm_provider":"bedrock"`, `"cache_hit":"False"`, `"request_tags":["all","tag0"]`, `"team_id":null`, `"messages":{}`, `"total_cost":0.01}`,
		} {
			if !strings.Contains(row, want) {
				t.Errorf("the row lacks %s: %s", want, row)
			}
		}
		failed := g.read("/spend/logs?request_id=chatcmpl-8")
		for _, want := range []string{`"spend":null`, `"status":"failure"`, `"error_information":{"error_code":"429","error_class":"rate_limit","llm_provider":"bedrock","error_message":"slow"}`} {
			if !strings.Contains(failed, want) {
				t.Errorf("the row lacks %s: %s", want, failed)
			}
		}
		equal(t, g.read("/spend/logs?start_date=2026-08-03&end_date=2026-08-04"),
			`[{"key0":0.010000000006,"key1":0.010000000007,"models":{"us.anthropic.claude":0.020000000013},"spend":0.020000000013,"startTime":"2026-08-03","users":{"user0":0.010000000006,"user1":0.010000000007}},`+
				`{"models":{},"spend":0,"startTime":"2026-08-04","users":{}}]`)
	})
}

func TestSpendLogPages(t *testing.T) {
	onBoth(t, func(t *testing.T, store *relational.Store) {
		g := newBook(t, store)
		var page struct {
			Data []struct {
				ID string `json:"litellm_call_id"`
			}
			Total, Page int
			TotalPages  int     `json:"total_pages"`
			Cursor      *string `json:"next_cursor"`
		}
		ask := func(query string) string {
			t.Helper()
			page.Data, page.Cursor = nil, nil
			if err := json.Unmarshal([]byte(g.read("/spend/logs/v2?"+query)), &page); err != nil {
				t.Fatal(err)
			}
			var list []string
			for _, r := range page.Data {
				list = append(list, strings.TrimPrefix(r.ID, "call-"))
			}
			return strings.Join(list, " ")
		}
		equal(t, ask("page_size=4&"+inAugust), "8 7 6 5")
		equal(t, fmt.Sprint(page.Total, page.TotalPages, page.Page), "9 3 1")
		equal(t, ask("page_size=4&page=2&"+inAugust), "4 3 2 1")
		equal(t, ask("page_size=4&cursor="+*page.Cursor), "0")
		equal(t, page.Cursor == nil, true)
		equal(t, ask("page_size=2&sort_order=asc"), "0 1")
		equal(t, ask("page_size=2&sort_order=asc&cursor="+*page.Cursor), "2 3")
		equal(t, ask("page_size=2&sort_by=spend"), "7 6")
		equal(t, ask("end_user=%3Dcustomer&model=us.anthropic.claude&model_group=claude&model_id=d&page_size=1"), "8")
	})
}

func TestSpendRefusals(t *testing.T) {
	onBoth(t, func(t *testing.T, store *relational.Store) {
		g := newBook(t, store)
		f := func(path, param string) {
			t.Helper()
			resp, body := g.send(http.MethodGet, path, "", bearer(testKey))
			if resp.StatusCode != http.StatusBadRequest || !strings.Contains(body, `"param":"`+param+`"`) {
				t.Errorf("%s: got %d %s", path, resp.StatusCode, body)
			}
		}
		f("/spend/logs?start_date=soon", "start_date")
		f("/spend/logs?start_date=2026-08-02&end_date=2026-08-01", "end_date")
		f("/spend/logs?min_spend=much", "min_spend")
		f("/spend/logs?max_spend=1e300", "max_spend")
		f("/spend/logs?status_filter=odd", "status_filter")
		f("/spend/logs/v2?page=0", "page")
		f("/spend/logs/v2?page_size=5000", "page_size")
		f("/spend/logs/v2?page=300&page_size=50", "page")
		f("/spend/logs/v2?sort_by=key", "sort_by")
		f("/spend/logs/v2?sort_order=up", "sort_order")
		f("/spend/logs/v2?cursor=x", "cursor")
		f("/global/spend/report", "start_date")
		f("/global/spend/report?group_by=colour&"+inAugust, "group_by")
		f("/global/activity?start_date=2026-08-01", "end_date")
		f("/spend/logs?start_date=%zz", "query")

		// Without a database there is no book.
		bare := newRig(t, bookConfig, nil)
		resp, body := bare.send(http.MethodGet, "/spend/logs", "", bearer(testKey))
		equal(t, resp.StatusCode, http.StatusServiceUnavailable)
		equal(t, strings.Contains(body, "no_database"), true)
	})
}

// TestSpendOfOthers: who is no administrator sees what his own key has spent, whatever he asks for.
func TestSpendOfOthers(t *testing.T) {
	onBoth(t, func(t *testing.T, s *relational.Store) {
		const weak = "sk-1234" // a key that makes nobody an administrator
		g := newRigOn(t, s, strings.Replace(bookConfig, testKey, weak, 1), nil)
		fillBook(t, s)
		own := account.Record{CallID: "own", KeyHash: account.MasterKeyHash, Model: "m", Group: "g", Tags: []string{"all"}, Cost: 5e12, CostKnown: true, Start: time.Date(2026, 8, 1, 0, 0, 0, 0, time.UTC)}
		if err := s.Append(t.Context(), []account.Record{own}); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{
			"/spend/logs", "/spend/logs?tag=all", "/spend/logs?summarize=true&" + inAugust, "/spend/logs?format=csv", "/spend/logs/v2", "/spend/keys", "/global/spend?" + inAugust, "/global/spend/keys?" + inAugust,
			"/global/spend/models?" + inAugust, "/global/spend/logs?" + inAugust, "/global/spend/provider?" + inAugust, "/global/spend/report?" + inAugust, "/global/spend/report?group_by=model&" + inAugust,
			"/global/spend/report?group_by=customer&" + inAugust, "/global/activity?" + inAugust, "/global/activity/model?" + inAugust, "/user/daily/activity?" + inAugust, "/team/daily/activity?" + inAugust, "/tag/daily/activity?tags=all&" + inAugust,
			"/global/spend/report?internal_user_id=user0&" + inAugust, "/global/spend/report?team_id=team1&" + inAugust,
		} {
			resp, body := g.send(http.MethodGet, path, "", bearer(weak))
			equal(t, resp.StatusCode, http.StatusOK)
			for _, others := range []string{"key0", "key1", "user0", "user1", "team1", "Search", "customer", "us.anthropic.claude", "0.08"} {
				if strings.Contains(body, others) {
					t.Errorf("%s tells of %s: %s", path, others, body)
				}
			}
		}
		for _, path := range []string{"/spend/logs?api_key=key0", "/global/spend/report?api_key=key0&" + inAugust, "/spend/users", "/spend/tags", "/global/spend/tags", "/global/spend/all_tag_names", "/global/spend/teams"} {
			resp, body := g.send(http.MethodGet, path, "", bearer(weak))
			if resp.StatusCode != http.StatusForbidden {
				t.Errorf("%s: got %d %s", path, resp.StatusCode, body)
			}
		}
		resp, _ := g.send(http.MethodPost, "/global/spend/reset", "", bearer(weak))
		equal(t, resp.StatusCode, http.StatusForbidden)
		resp, _ = g.send(http.MethodGet, "/spend/logs", "", nil)
		equal(t, resp.StatusCode, http.StatusUnauthorized)

		open := newRigOn(t, s, strings.Replace(bookConfig, "general_settings: {master_key: "+testKey+"}", "", 1), nil)
		resp, _ = open.send(http.MethodGet, "/spend/logs", "", nil)
		equal(t, resp.StatusCode, http.StatusForbidden)
	})
}

func TestSpendAsCSV(t *testing.T) {
	onBoth(t, func(t *testing.T, store *relational.Store) {
		g := newBook(t, store)
		lines := func(path string, header http.Header) [][]string {
			t.Helper()
			resp, body := g.send(http.MethodGet, path, "", header)
			equal(t, resp.Header.Get("Content-Type"), "text/csv; charset=utf-8")
			list, err := csv.NewReader(strings.NewReader(body)).ReadAll()
			if err != nil {
				t.Fatalf("%s: %v: %s", path, err, body)
			}
			return list
		}
		rows := lines("/spend/logs?format=csv", bearer(testKey))
		equal(t, len(rows), 10)
		equal(t, strings.Join(rows[0][:3], ","), "request_id,litellm_call_id,call_type")
		column := func(name string) int {
			for i, n := range rows[0] {
				if n == name {
					return i
				}
			}
			t.Fatalf("there is no column %s", name)
			return 0
		}
		equal(t, rows[1][column("spend")], "") // the price is not known
		equal(t, rows[2][column("spend")], "0.010000000007")
		equal(t, rows[2][column("end_user")], "'=customer") // no formula
		accept := bearer(testKey)
		accept.Set("Accept", "text/csv;q=0.9, */*")
		equal(t, len(lines("/spend/logs/v2?api_key=key1", accept)), 5)
		for _, path := range []string{"/spend/keys?", "/spend/users?", "/spend/tags?", "/global/spend/teams?", "/global/spend/logs?", "/global/spend/report?", "/global/spend/report?group_by=api_key&", "/global/spend/report?group_by=model&", "/user/daily/activity?"} {
			sums := lines(path+"format=csv&"+inAugust, bearer(testKey))
			equal(t, sums[0][5], "spend")
			if len(sums) < 2 {
				t.Errorf("%s has no line", path)
			}
		}
		// An export is read in pieces.
		var many []account.Record
		for i := range 2500 {
			many = append(many, account.Record{CallID: fmt.Sprint("many-", i), Start: time.Unix(int64(i/3), 0)})
		}
		if err := store.Append(t.Context(), many); err != nil {
			t.Fatal(err)
		}
		equal(t, len(lines("/spend/logs?format=csv", bearer(testKey))), 2510)
		equal(t, len(lines("/spend/logs/v2?format=csv&sort_order=asc", bearer(testKey))), 2510)
	})
}

func TestSpendIsReset(t *testing.T) {
	onBoth(t, func(t *testing.T, store *relational.Store) {
		g := newBook(t, store)
		counters := []account.Charge{{Scope: "key", ID: "key0"}, {Scope: "user", ID: "user0"}}
		if err := store.ResetSpent(t.Context(), counters, []account.Amount{5, 6}); err != nil {
			t.Fatal(err)
		}
		resp, body := g.send(http.MethodPost, "/global/spend/reset", "", bearer(testKey))
		equal(t, resp.StatusCode, http.StatusOK)
		equal(t, strings.Contains(body, `"status":"success"`), true)
		amounts, err := store.Spent(t.Context(), counters)
		if err != nil || fmt.Sprint(amounts) != fmt.Sprint([]account.Amount{0, 6}) {
			t.Errorf("got %v, %v", amounts, err)
		}
	})
}

func TestSpendIsCalculated(t *testing.T) {
	g := newRig(t, bookConfig, nil)
	f := func(body string, status int, want string) {
		t.Helper()
		resp, got := g.post("/spend/calculate", body)
		if resp.StatusCode != status || !strings.Contains(got, want) {
			t.Errorf("%s: got %d %s, want %s", body, resp.StatusCode, got, want)
		}
	}
	// 2,000 of 3,000 tokens from the cache: 1000 × 3.3 + 2000 × 0.33 + 500 × 16.5 USD a million.
	f(`{"completion_response":{"model":"claude","usage":{"prompt_tokens":3000,"completion_tokens":500,"prompt_tokens_details":{"cached_tokens":2000}}}}`, 200, `{"cost":0.01221}`)
	f(`{"model":"claude","messages":[{"role":"user","content":"`+strings.Repeat("word ", 800)+`"}]}`, 200, `{"cost":0.0033}`)
	f(`{"model":"claude"}`, 400, `"param":"messages"`)
	f(`{}`, 400, `"param":"model"`)
	f(`{"completion_response":{"model":"claude"}}`, 400, `"param":"completion_response"`)
	f(`{"completion_response":{"model":"nope","usage":{}}}`, 404, `model_not_found`)
	f(`{`, 400, `Invalid JSON payload`)
}

func equal[T comparable](t *testing.T, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}
