package storetest

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/internal/store/relational"
	"github.com/outcrop-ai/outcrop/llm"
)

// noon is when the first of the tests' calls began.
func noon() time.Time { return time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC) }

// book is a store with twelve calls of three teams over three days, an hour and a day apart each.
func book(t *testing.T, open Open) *relational.Store {
	t.Helper()
	s, _ := open(t)
	var records []account.Record
	for i := range 12 {
		r := account.Record{
			CallID: fmt.Sprintf("call-%02d", i), Entry: uint64(i), RequestID: fmt.Sprintf("answer-%02d", i), KeyHash: fmt.Sprint("key", i%3), KeyAlias: fmt.Sprint("alias", i%3),
			TeamID: fmt.Sprint("team", i%3), UserID: fmt.Sprint("user", i%2), OrganizationID: "org", User: fmt.Sprint("end", i%4), Session: fmt.Sprint("session", i/4),
			Tags: []string{"all", fmt.Sprint("tag", i%2)}, Model: fmt.Sprint("model", i%2), Group: fmt.Sprint("group", i%2), Deployment: fmt.Sprint("deployment", i%2),
			Cost: int64(i) * 1e12, CostKnown: i != 11, CacheHit: i == 5, Status: 200,
			Usage: llm.Usage{Input: 10, CacheRead: 20, CacheWrite5m: 30, CacheWrite1h: 40, Output: 5, Total: 105},
			Start: noon().Add(time.Duration(i%4)*time.Hour + time.Duration(i/4)*24*time.Hour),
		}
		r.End = r.Start.Add(time.Second)
		if i == 7 {
			r.Status = 429
			r.SetError(&llm.Error{Kind: llm.KindRateLimit, Code: "slow", Message: "slow down"})
		}
		records = append(records, r)
	}
	appendRows(t, s, records...)
	return s
}

func ids(t *testing.T, s *relational.Store, f account.RowFilter, p account.RowPage) string {
	t.Helper()
	var list []string
	ok(t, s.Rows(t.Context(), f, p, func(r account.Record) error {
		list = append(list, strings.TrimPrefix(r.CallID, "call-"))
		return nil
	}))
	return strings.Join(list, " ")
}

func rowsAreFiltered(t *testing.T, open Open) {
	s := book(t, open)
	f := func(filter account.RowFilter, want string) {
		t.Helper()
		equal(t, ids(t, s, filter, account.RowPage{Limit: 100}), want)
		for _, limit := range []int{3, 100} {
			n, whole, err := s.CountRows(t.Context(), filter, limit)
			ok(t, err)
			rows := len(strings.Fields(want))
			equal(t, n, min(limit, rows))
			equal(t, whole, rows < limit)
		}
	}
	f(account.RowFilter{}, "11 10 09 08 07 06 05 04 03 02 01 00")
	f(account.RowFilter{RequestID: "answer-03"}, "03")
	f(account.RowFilter{RequestID: "call-03"}, "03")
	f(account.RowFilter{KeyHash: "key1"}, "10 07 04 01")
	f(account.RowFilter{KeyAlias: "alias1"}, "10 07 04 01")
	f(account.RowFilter{TeamID: "team2"}, "11 08 05 02")
	f(account.RowFilter{UserID: "user1", TeamID: "team2"}, "11 05")
	f(account.RowFilter{OrganizationID: "other"}, "")
	f(account.RowFilter{EndUser: "end3"}, "11 07 03")
	f(account.RowFilter{Session: "session1"}, "07 06 05 04")
	f(account.RowFilter{Model: "model1"}, "11 09 07 05 03 01")
	f(account.RowFilter{Group: "group0"}, "10 08 06 04 02 00")
	f(account.RowFilter{Deployment: "deployment0", KeyHash: "key0"}, "06 00")
	f(account.RowFilter{Tag: "tag1"}, "11 09 07 05 03 01")
	f(account.RowFilter{Tag: "all", KeyHash: "key0"}, "09 06 03 00")
	f(account.RowFilter{Tag: "all", From: noon().Add(24 * time.Hour), Until: noon().Add(26 * time.Hour)}, "05 04")
	f(account.RowFilter{From: noon().Add(24 * time.Hour), Until: noon().Add(26 * time.Hour)}, "05 04")
	f(account.RowFilter{Status: "failure"}, "07")
	f(account.RowFilter{Status: "failure", ErrorCode: "slow"}, "07")
	f(account.RowFilter{ErrorCode: "429"}, "07")
	f(account.RowFilter{ErrorCode: "500"}, "")
	f(account.RowFilter{Status: "success", TeamID: "team1"}, "10 04 01")
	hit, low, high := true, account.Amount(3e12), account.Amount(5e12)
	f(account.RowFilter{CacheHit: &hit}, "05")
	f(account.RowFilter{MinSpend: &low, MaxSpend: &high}, "05 04 03")
	f(account.RowFilter{TeamID: "' OR 1=1 --"}, "")
	if err := s.Rows(t.Context(), account.RowFilter{Status: "odd"}, account.RowPage{Limit: 1}, nil); err == nil {
		t.Error("an unknown status was taken")
	}
}

func rowsArePaged(t *testing.T, open Open) {
	s := book(t, open)
	// Rows that began together are told apart.
	for i := range 5 {
		appendRows(t, s, account.Record{CallID: "call-same", Entry: uint64(i), Start: noon(), End: noon(), Tags: []string{"all"}})
	}
	for _, filter := range []account.RowFilter{{}, {Tag: "all"}} {
		for _, ascending := range []bool{false, true} {
			var all []account.RowCursor
			page := account.RowPage{Limit: 2, Ascending: ascending}
			for {
				before := len(all)
				ok(t, s.Rows(t.Context(), filter, page, func(r account.Record) error {
					all = append(all, r.Cursor())
					return nil
				}))
				if len(all) == before {
					break
				}
				page.After = &all[len(all)-1]
			}
			equal(t, len(all), 17)
			equal(t, slices.IsSortedFunc(all, func(a, b account.RowCursor) int {
				if ascending {
					return a.Start.Compare(b.Start)
				}
				return b.Start.Compare(a.Start)
			}), true)
		}
	}
	equal(t, ids(t, s, account.RowFilter{}, account.RowPage{Limit: 3, Offset: 2}), "09 08 07")
	equal(t, ids(t, s, account.RowFilter{KeyHash: "key2"}, account.RowPage{Limit: 2, Order: account.BySpend}), "08 05")
	equal(t, ids(t, s, account.RowFilter{KeyHash: "key2"}, account.RowPage{Limit: 2, Order: account.BySpend, Ascending: true}), "11 02")
	for _, order := range []account.RowOrder{account.ByEnd, account.ByTokens, account.ByDuration, account.ByModelID} {
		equal(t, len(strings.Fields(ids(t, s, account.RowFilter{}, account.RowPage{Limit: 100, Order: order}))), 17)
	}
	if err := s.Rows(t.Context(), account.RowFilter{}, account.RowPage{Order: "1; DROP TABLE spend_logs"}, nil); err == nil {
		t.Error("an unknown order was taken")
	}
}

// countsEndEarly: where rows have to be looked at to be counted, the latest thousand are, and a count says that it ended.
func countsEndEarly(t *testing.T, open Open) {
	s, _ := open(t)
	records := make([]account.Record, 1200)
	for i := range records {
		records[i] = account.Record{CallID: fmt.Sprint("call-", i), UserID: "user", Group: fmt.Sprint("group", i%2), Start: noon().Add(time.Duration(i) * time.Second), End: noon(), Cost: int64(i), CostKnown: true}
	}
	appendRows(t, s, records...)
	least := account.Amount(300)
	for name, test := range map[string]struct {
		filter account.RowFilter
		want   string
	}{
		"index":        {account.RowFilter{UserID: "user"}, "1200 true"},
		"rest":         {account.RowFilter{UserID: "user", Group: "group1"}, "500 false"},
		"rest in time": {account.RowFilter{UserID: "user", Group: "group1", From: noon().Add(1000 * time.Second)}, "100 true"},
		"in the index": {account.RowFilter{MinSpend: &least}, "900 true"},
	} {
		n, whole, err := s.CountRows(t.Context(), test.filter, 10_000)
		ok(t, err)
		if got := fmt.Sprint(n, whole); got != test.want {
			t.Errorf("%s: got %s, want %s", name, got, test.want)
		}
	}
}

func show(t *testing.T, s *relational.Store, q account.SumQuery) string {
	t.Helper()
	var lines []string
	ok(t, s.Sums(t.Context(), q, func(r account.Sum) error {
		at := ""
		if !r.At.IsZero() {
			at = r.At.Format("02T15")
		}
		lines = append(lines, strings.Join([]string{at, r.Value, r.Key, r.Model, r.Group, fmt.Sprint(r.Requests), r.Spend.String()}, ","))
		return nil
	}))
	return strings.Join(lines, " ")
}

func sumsAreThoseOfRows(t *testing.T, open Open) {
	s := book(t, open)
	f := func(q account.SumQuery, want string) {
		t.Helper()
		equal(t, show(t, s, q), want)
	}
	byDay, byValue := account.Split{Time: true}, account.Split{Value: true}
	f(account.SumQuery{Dimension: account.ByAll}, ",,,,,12,55")
	f(account.SumQuery{Dimension: account.ByAll, Split: byDay}, "01T00,,,,,4,6 02T00,,,,,4,22 03T00,,,,,4,27")
	f(account.SumQuery{Dimension: account.ByAll, Split: byDay, Hours: true, From: noon().Add(24 * time.Hour), Until: noon().Add(26 * time.Hour)}, "02T12,,,,,1,4 02T13,,,,,1,5")
	f(account.SumQuery{Dimension: account.ByTeam, Split: byValue}, ",team0,,,,4,18 ,team1,,,,4,22 ,team2,,,,4,15")
	f(account.SumQuery{Dimension: account.ByTeam, Split: byValue, Limit: 2}, ",team1,,,,4,22 ,team0,,,,4,18")
	f(account.SumQuery{Dimension: account.ByTeam, Values: []string{"team1"}, Split: account.Split{Value: true, Key: true, Model: true, Group: true}}, ",team1,key1,model0,group0,2,14 ,team1,key1,model1,group1,2,8")
	f(account.SumQuery{Dimension: account.ByUser, Split: byValue, Key: "key0"}, ",user0,,,,2,6 ,user1,,,,2,12")
	f(account.SumQuery{Dimension: account.ByKey, Split: byValue, Model: "model1"}, ",key0,,,,2,12 ,key1,,,,2,8 ,key2,,,,2,5")
	f(account.SumQuery{Dimension: account.ByEndUser, Split: byValue, Values: []string{"end0", "end3", "x"}}, ",end0,,,,3,12 ,end3,,,,3,10")
	f(account.SumQuery{Dimension: account.ByTag, Split: byValue}, ",all,,,,12,55 ,tag0,,,,6,30 ,tag1,,,,6,25")
	f(account.SumQuery{Dimension: account.ByOrganization, Split: byValue}, ",org,,,,12,55")
	f(account.SumQuery{Dimension: account.ByModel, Split: byValue}, ",model0,,,,6,30 ,model1,,,,6,25")
	f(account.SumQuery{Dimension: account.ByGroup, Split: byValue}, ",group0,,,,6,30 ,group1,,,,6,25")
	f(account.SumQuery{Dimension: account.ByDeployment, Split: byValue}, ",deployment0,,,,6,30 ,deployment1,,,,6,25")
	f(account.SumQuery{Dimension: account.ByAll, Split: account.Split{Model: true}, From: noon().Add(-12 * time.Hour), Until: noon().Add(12 * time.Hour)}, ",,,model0,,2,2 ,,,model1,,2,4")
	f(account.SumQuery{Dimension: account.ByTeam, Split: byValue, Until: noon().Add(-24 * time.Hour)}, "")

	days := func(filter account.RowFilter, want string) {
		t.Helper()
		var lines []string
		ok(t, s.Days(t.Context(), filter, func(r account.Sum) error {
			lines = append(lines, strings.Join([]string{r.At.Format("02"), r.Value, r.Key, r.Model, fmt.Sprint(r.Requests, r.Failures, r.Unpriced), r.Spend.String()}, ","))
			return nil
		}))
		equal(t, strings.Join(lines, " "), want)
	}
	days(account.RowFilter{TeamID: "team1", Tag: "tag1"}, "01,user1,key1,model1,1 0 0,1 02,user1,key1,model1,1 1 0,7")
	days(account.RowFilter{Tag: "tag1", From: noon().Add(48 * time.Hour)}, "03,user1,key0,model1,1 0 0,9 03,user1,key2,model1,1 0 1,0")

	var all account.Sum
	ok(t, s.Sums(t.Context(), account.SumQuery{Dimension: account.ByAll}, func(r account.Sum) error { all = r; return nil }))
	equal(t, all, account.Sum{Requests: 12, Failures: 1, Unpriced: 1, CacheHits: 1, Spend: 55e12, Input: 120, CacheRead: 240, CacheWrite: 840, Completion: 60, Total: 1260})
	equal(t, all.Prompt(), 1200)

	// More money than one sum holds is the most that it holds, and stops nothing.
	for i := range 3 {
		appendRows(t, s, account.Record{CallID: "rich", Entry: uint64(i), Start: noon(), Cost: math.MaxInt64 - 1, CostKnown: true, Usage: llm.Usage{Input: math.MaxInt64 / 2}})
	}
	f(account.SumQuery{Dimension: account.ByAll, Split: byDay, Until: noon()}, "01T00,,,,,7,9223372.036854775807")
	f(account.SumQuery{Dimension: account.ByAll}, ",,,,,15,9223372.036854775807")
}

func ownersAreFound(t *testing.T, open Open) {
	s, _ := open(t)
	a := key("a", 0)
	a.Alias = "one"
	put(t, s, a, key("b", 0), account.Entity{Kind: account.EntityTeam, ID: "c"})
	_, err := s.Delete(t.Context(), account.EntityKey, []string{"b"})
	ok(t, err)
	list, err := s.Find(t.Context(), account.EntityKey, []string{"a", "b", "c", "nobody"})
	ok(t, err)
	equal(t, len(list), 1)
	equal(t, list[0].Alias, "one")
	appendRows(t, s, account.Record{CallID: "x", Cost: 1, CostKnown: true, Charges: []account.Charge{{Scope: "key", ID: "a"}, {Scope: "team", ID: "a", Period: 5}, {Scope: "user", ID: "a"}}})
	ok(t, s.ResetAll(t.Context(), []string{"key", "team"}))
	equal(t, fmt.Sprint(spent(t, s, account.Charge{Scope: "key", ID: "a"}, account.Charge{Scope: "team", ID: "a", Period: 5}, account.Charge{Scope: "user", ID: "a"})), "[0 0 0.000000000001]")
}

func oldRowsGoAndSumsStay(t *testing.T, open Open) {
	s := book(t, open)
	before := show(t, s, account.SumQuery{Dimension: account.ByTeam, Split: account.Split{Value: true}})
	var removed int
	for {
		n, err := s.Expire(t.Context(), noon().Add(24*time.Hour), 3)
		ok(t, err)
		if removed += n; n == 0 {
			break
		}
		if n > 3 {
			t.Fatalf("%d rows at once", n)
		}
	}
	equal(t, removed, 4)
	equal(t, ids(t, s, account.RowFilter{}, account.RowPage{Limit: 100}), "11 10 09 08 07 06 05 04")
	equal(t, ids(t, s, account.RowFilter{Tag: "all"}, account.RowPage{Limit: 100}), "11 10 09 08 07 06 05 04")
	equal(t, show(t, s, account.SumQuery{Dimension: account.ByTeam, Split: account.Split{Value: true}}), before)
	equal(t, spent(t, s, account.Charge{Scope: "key", ID: "x"})[0], 0)
}

// closedStoresSaySo: no call of a store that is closed hangs or panics.
func closedStoresSaySo(t *testing.T, open Open) {
	_, again := open(t)
	s := again()
	ok(t, s.Close())
	ctx := context.Background()
	for name, err := range map[string]error{
		"Append": s.Append(ctx, []account.Record{{CallID: "a"}}),
		"Rows":   s.Rows(ctx, account.RowFilter{}, account.RowPage{Limit: 1}, nil),
		"Ping":   s.Ping(ctx),
	} {
		if err == nil || !strings.Contains(err.Error(), s.Name()) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
