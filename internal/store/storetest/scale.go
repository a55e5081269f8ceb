package storetest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/internal/store/relational"
	"github.com/outcrop-ai/outcrop/llm"
)

// What a large company's month of a million calls is made of.
const (
	scaleRows, scaleDays                             = 1_000_000, 30
	scaleKeys, scaleTeams, scaleUsers, scaleEndUsers = 500, 50, 200, 1000
	scaleModels, scaleTags                           = 12, 40
)

// Scale fills a store with a million rows and measures what is read of it: reports over a month, and pages of rows as an
// administrator looks for them. It reports the slowest report and the 95th percentile of pages, in milliseconds.
func Scale(b *testing.B, s *relational.Store) {
	b.Helper()
	began := time.Now()
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same rows each time
	start := noon().Add(-scaleDays * 24 * time.Hour)
	batch := make([]account.Record, 0, 256)
	for n := range scaleRows {
		batch = append(batch, scaleRecord(random, n, start.Add(time.Duration(n)*(scaleDays*24*time.Hour/scaleRows))))
		if len(batch) == cap(batch) || n == scaleRows-1 {
			if err := s.Append(b.Context(), batch); err != nil {
				b.Fatal(err)
			}
			batch = batch[:0]
		}
	}
	b.ReportMetric(float64(scaleRows)/time.Since(began).Seconds(), "rows/s")

	slowest := time.Duration(0)
	month := account.SumQuery{From: start, Until: noon().Add(24 * time.Hour)}
	for _, dimension := range []account.Dimension{
		account.ByAll, account.ByKey, account.ByTeam, account.ByUser, account.ByOrganization, account.ByEndUser, account.ByTag, account.ByModel, account.ByGroup, account.ByDeployment,
	} {
		for name, split := range map[string]account.Split{
			"total": {}, "by day": {Time: true}, "by value": {Value: true}, "by day and value": {Time: true, Value: true}, "by value and model": {Value: true, Model: true},
			"by day and model": {Time: true, Model: true}, "by value, key and model": {Value: true, Key: true, Model: true},
		} {
			q := month
			q.Dimension, q.Split = dimension, split
			n, began := 0, time.Now()
			if err := s.Sums(b.Context(), q, func(account.Sum) error { n++; return nil }); err != nil {
				b.Fatal(err)
			}
			took := time.Since(began)
			slowest = max(slowest, took)
			b.Logf("report %s %s: %d sums in %v", dimension, name, n, took.Round(time.Millisecond))
		}
	}
	b.ReportMetric(float64(slowest.Milliseconds()), "slowest-report-ms")

	var pages []time.Duration
	for name, f := range scaleFilters(start) {
		for range 10 {
			page, n := account.RowPage{Limit: 50}, 0
			for turn := range 3 { // three pages one after the other
				began := time.Now()
				if err := s.Rows(b.Context(), f, page, func(r account.Record) error {
					cursor := r.Cursor()
					page.After = &cursor
					n++
					return nil
				}); err != nil {
					b.Fatal(err)
				}
				if turn > 0 || n == page.Limit { // else this is all, and need not be counted
					if _, _, err := s.CountRows(b.Context(), f, 10_000); err != nil {
						b.Fatal(err)
					}
				}
				pages = append(pages, time.Since(began))
			}
			if n == 0 {
				b.Errorf("%s: no row", name)
			}
		}
		slices.Sort(pages[len(pages)-30:])
		b.Logf("pages %s: slowest %v", name, pages[len(pages)-1].Round(time.Microsecond))
	}
	slices.Sort(pages)
	b.ReportMetric(float64(pages[len(pages)*95/100].Microseconds())/1000, "page-p95-ms")
}

func scaleFilters(start time.Time) map[string]account.RowFilter {
	week := start.Add(20 * 24 * time.Hour)
	rare, dear, cheap := account.Amount(49_999_000_000), account.Amount(49_000_000_000), account.Amount(5_000_000)
	return map[string]account.RowFilter{
		"all":                  {},
		"a week":               {From: week, Until: week.Add(7 * 24 * time.Hour)},
		"a key":                {KeyHash: scaleKey(7)},
		"a key in a week":      {KeyHash: scaleKey(7), From: week, Until: week.Add(7 * 24 * time.Hour)},
		"a team":               {TeamID: "team-7"},
		"a user's model":       {UserID: "user-7", Group: "group-3"},
		"an end user":          {EndUser: "customer-77"},
		"a tag":                {Tag: "tag-7"},
		"failures":             {Status: "failure"},
		"a key's failures":     {KeyHash: scaleKey(7), Status: "failure"},
		"dear ones":            {MinSpend: &rare},
		"cheap ones in a week": {MaxSpend: &cheap, From: week, Until: week.Add(7 * 24 * time.Hour)},
		"a deployment":         {Deployment: "deployment-3"},
		"a model":              {Model: "us.anthropic.claude-3-20250929-v1:0"},
		"a key's alias":        {KeyAlias: "key-7"},
		"an organization":      {OrganizationID: "org"},
		"successes":            {Status: "success"},
		"an error code":        {ErrorCode: "429"},
		"no hits":              {CacheHit: new(false)},
		"a team's tag":         {TeamID: "team-7", Tag: "tag-7"},
		"a key's dear ones":    {KeyHash: scaleKey(7), MinSpend: &dear},
		"a tag's dear ones":    {Tag: "tag-7", MinSpend: &dear},
		"one call":             {RequestID: "chatcmpl-000000000000000000000777777"},
	}
}

func scaleKey(n int) string { return fmt.Sprintf("%064x", n*7919) }

func scaleRecord(random *rand.Rand, n int, start time.Time) account.Record {
	key, model := random.IntN(scaleKeys), random.IntN(scaleModels)
	r := account.Record{
		CallID: fmt.Sprintf("01984f3a-%04x-7%03x-9e55-%012x", n>>12&0xffff, n&0xfff, uint64(n)*0x9e3779b97f4a7c15>>16), Entry: uint64(n), //nolint:gosec // small
		RequestID: fmt.Sprintf("chatcmpl-%027d", n), Type: "acompletion", Path: "/v1/chat/completions",
		KeyHash: scaleKey(key), KeyAlias: fmt.Sprint("key-", key), TeamID: fmt.Sprint("team-", key%scaleTeams), TeamAlias: "Team", UserID: fmt.Sprint("user-", key%scaleUsers), OrganizationID: "org",
		User: fmt.Sprint("customer-", random.IntN(scaleEndUsers)), Tags: []string{fmt.Sprint("tag-", random.IntN(scaleTags)), "User-Agent: client"},
		Asked: fmt.Sprint("group-", model), Group: fmt.Sprint("group-", model), Deployment: fmt.Sprint("deployment-", model), Model: fmt.Sprintf("us.anthropic.claude-%d-20250929-v1:0", model),
		Region: "us-east-1", Route: "converse", Usage: llm.Usage{Input: 1000, Output: 500, Total: 1500}, UsageSource: account.UsageAWS,
		Cost: random.Int64N(50_000_000_000), CostKnown: true, PriceKey: "us.anthropic.claude/us-east-1", PriceVersion: "2026-08-01",
		Status: 200, AWSRequestID: "8c1f0d2b-77aa-4c11-9e55-0a1b2c3d4e5f", Start: start, FirstToken: start.Add(300 * time.Millisecond), End: start.Add(2 * time.Second),
		Upstream: 2 * time.Second, Own: time.Millisecond,
	}
	r.Charges = []account.Charge{{Scope: "global"}, {Scope: "key", ID: r.KeyHash}, {Scope: "team", ID: r.TeamID}, {Scope: "user", ID: r.UserID}}
	if random.IntN(100) == 0 {
		r.Status = 429
		r.SetError(&llm.Error{Kind: llm.KindRateLimit, Code: "rate_limit_exceeded", Message: "Too many requests"})
	}
	return r
}
