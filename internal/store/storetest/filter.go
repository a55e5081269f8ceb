package storetest

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/internal/store/relational"
	"github.com/outcrop-ai/outcrop/llm"
)

// randomRecord is one of few values in each thing that rows are found by, within some seconds, so that many began together.
func randomRecord(random *rand.Rand, n int) account.Record {
	one := func(what string, of int) string {
		if k := random.IntN(of + 1); k < of {
			return fmt.Sprint(what, k)
		}
		return ""
	}
	r := account.Record{
		CallID: fmt.Sprint("call", random.IntN(300)), Entry: uint64(n), RequestID: one("answer", 300), KeyHash: one("key", 4), KeyAlias: one("alias", 3), //nolint:gosec // small
		UserID: one("user", 3), TeamID: one("team", 2), OrganizationID: one("org", 1), User: one("end", 5), Session: one("session", 5),
		Model: one("model", 3), Group: one("group", 2), Deployment: one("deployment", 3), CacheHit: random.IntN(10) == 0, Status: 200,
		Cost: random.Int64N(1000), CostKnown: random.IntN(10) > 0,
		Start: noon().Add(time.Duration(random.IntN(20_000)) * time.Millisecond), End: noon().Add(time.Minute),
	}
	if random.IntN(4) == 0 { // calls that began in one microsecond
		r.Start = noon().Add(time.Duration(random.IntN(3)) * 5 * time.Second)
	}
	for range random.IntN(3) {
		r.Tags = append(r.Tags, fmt.Sprint("tag", random.IntN(3)))
	}
	if random.IntN(5) == 0 {
		r.Status = []int{429, 500}[random.IntN(2)]
		r.SetError(&llm.Error{Kind: llm.KindRateLimit, Code: []string{"slow", "429"}[random.IntN(2)], Message: "no"})
	}
	return r
}

func randomFilter(random *rand.Rand) (f account.RowFilter) {
	r := randomRecord(random, 0)
	for _, field := range []struct {
		to   *string
		from string
	}{
		{&f.KeyHash, r.KeyHash},
		{&f.KeyAlias, r.KeyAlias},
		{&f.UserID, r.UserID},
		{&f.TeamID, r.TeamID},
		{&f.OrganizationID, r.OrganizationID},
		{&f.EndUser, r.User},
		{&f.Session, r.Session},
		{&f.Model, r.Model},
		{&f.Group, r.Group},
		{&f.Deployment, r.Deployment},
		{&f.Tag, fmt.Sprint("tag", random.IntN(4))},
		{&f.Status, []string{"success", "failure"}[random.IntN(2)]},
		{&f.ErrorCode, []string{"slow", "429", "500", "nothing"}[random.IntN(4)]},
	} {
		if random.IntN(8) == 0 {
			*field.to = field.from
		}
	}
	if random.IntN(8) == 0 {
		f.RequestID = fmt.Sprint([]string{"call", "answer"}[random.IntN(2)], random.IntN(300))
	}
	if random.IntN(8) == 0 {
		f.CacheHit = new(random.IntN(2) == 0)
	}
	if random.IntN(8) == 0 {
		f.MinSpend = new(account.Amount(random.Int64N(1000)))
	}
	if random.IntN(8) == 0 {
		f.MaxSpend = new(account.Amount(random.Int64N(1000)))
	}
	if random.IntN(3) == 0 {
		f.From = r.Start
	}
	if random.IntN(3) == 0 {
		f.Until = noon().Add(time.Duration(random.IntN(20_000)) * time.Millisecond)
	}
	return f
}

// lets is what a filter lets through.
func lets(f *account.RowFilter, r *account.Record) bool {
	same := func(want, have string) bool { return want == "" || want == have }
	failed := r.Failed()
	return (f.RequestID == "" || f.RequestID == r.RequestID || f.RequestID == r.CallID) &&
		same(f.KeyHash, r.KeyHash) && same(f.KeyAlias, r.KeyAlias) && same(f.UserID, r.UserID) && same(f.TeamID, r.TeamID) && same(f.OrganizationID, r.OrganizationID) &&
		same(f.EndUser, r.User) && same(f.Session, r.Session) && same(f.Model, r.Model) && same(f.Group, r.Group) && same(f.Deployment, r.Deployment) &&
		(f.Tag == "" || slices.Contains(r.Tags, f.Tag)) &&
		(f.Status == "" || (f.Status == "failure") == failed) &&
		(f.ErrorCode == "" || failed && (f.ErrorCode == r.ErrorCode || f.ErrorCode == fmt.Sprint(r.Status))) &&
		(f.CacheHit == nil || *f.CacheHit == r.CacheHit) &&
		(f.MinSpend == nil || r.CostKnown && r.Cost >= int64(*f.MinSpend)) && (f.MaxSpend == nil || r.CostKnown && r.Cost <= int64(*f.MaxSpend)) &&
		(f.From.IsZero() || !r.Start.Before(f.From)) && (f.Until.IsZero() || r.Start.Before(f.Until))
}

// rowsAreThoseOfTheFilter: what is read, by pages of any size, and counted is what a look at each row comes to, when rows have
// been written twice and removed, too.
func rowsAreThoseOfTheFilter(t *testing.T, open Open) {
	s, _ := open(t)
	random := rand.New(rand.NewPCG(7, 7)) //nolint:gosec // the same rows each time
	var records []account.Record
	for n := range 250 {
		records = append(records, randomRecord(random, n*512)) // some have the last bits of their numbers in common
	}
	for from := 0; from < len(records); from += 50 {
		appendRows(t, s, records[max(from-25, 0):from+50]...) // the log may hand in a row again
	}
	compare := func(filters int) {
		t.Helper()
		for range filters {
			f := randomFilter(random)
			p := account.RowPage{Limit: 1 + random.IntN(40), Ascending: random.IntN(2) == 0}
			compareRows(t, s, records, &f, p)
		}
	}
	compare(25)

	old := noon().Add(9 * time.Second)
	for {
		n, err := s.Expire(t.Context(), old, 70)
		ok(t, err)
		if n == 0 {
			break
		}
	}
	records = slices.DeleteFunc(records, func(r account.Record) bool { return r.Start.Before(old) })
	compare(25)
	for {
		n, err := s.Expire(t.Context(), noon().Add(time.Hour), 70)
		ok(t, err)
		if n == 0 {
			break
		}
	}
	records = nil
	compare(5)
}

func compareRows(t *testing.T, s *relational.Store, records []account.Record, f *account.RowFilter, p account.RowPage) {
	t.Helper()
	var want []uint64
	for i := range records {
		if lets(f, &records[i]) {
			want = append(want, records[i].Entry)
		}
	}
	n, whole, err := s.CountRows(t.Context(), *f, 10_000)
	ok(t, err)
	if n != len(want) || !whole {
		t.Fatalf("%+v: counted %d, %v; want %d", *f, n, whole, len(want))
	}
	var got []account.Record
	for {
		before := len(got)
		ok(t, s.Rows(t.Context(), *f, p, func(r account.Record) error { got = append(got, r); return nil }))
		if len(got) == before {
			break
		}
		cursor := got[len(got)-1].Cursor()
		p.After = &cursor
	}
	if !slices.IsSortedFunc(got, func(a, b account.Record) int {
		if p.Ascending {
			return a.Start.Compare(b.Start)
		}
		return b.Start.Compare(a.Start)
	}) {
		t.Fatalf("%+v: not in the order of time", *f)
	}
	have := make([]uint64, len(got))
	for i := range got {
		have[i] = got[i].Entry
	}
	slices.SortFunc(have, cmp.Compare[uint64])
	slices.SortFunc(want, cmp.Compare[uint64])
	if !slices.Equal(have, want) {
		t.Fatalf("%+v, pages of %d:\ngot  %v\nwant %v", *f, p.Limit, have, want)
	}
}
