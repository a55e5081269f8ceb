package account_test

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/internal/secret"
	"github.com/outcrop-ai/outcrop/internal/store/relational"
	"github.com/outcrop-ai/outcrop/llm"
	"github.com/outcrop-ai/outcrop/test/databases"
)

func TestMain(m *testing.M) { databases.Main(m) }

// gatewayOn is what one gateway has of limits: counters that begin at a database's, and a ledger that writes to it.
type gatewayOn struct {
	t      *testing.T
	limits *account.Limits
	ledger *account.Ledger
	rows   uint64
}

func newGatewayOn(t *testing.T, store *relational.Store, o account.LimitOptions, now *atomic.Pointer[time.Time]) *gatewayOn {
	if o.Counters == nil {
		o.Counters = account.NewLocalCounters(store)
	}
	g := &gatewayOn{t: t, limits: account.NewLimits(account.WithClock(o, func() time.Time { return *now.Load() })), ledger: account.NewLedger(store, account.LedgerOptions{Delay: time.Millisecond})}
	t.Cleanup(func() {
		if err := g.ledger.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return g
}

// spend makes a call that costs something, and waits until its row is in the database.
func (g *gatewayOn) spend(caller *account.Caller, now time.Time, cost account.Amount) *llm.Error {
	g.t.Helper()
	lease, failed := g.limits.Admit(g.t.Context(), &account.Ask{Caller: caller, Worst: cost})
	if failed != nil {
		return failed
	}
	charges := slices.Clone(lease.Charges())
	lease.Settle(g.t.Context(), &llm.Usage{}, cost)
	g.ledger.Add(account.Record{CallID: "c", Start: now, End: now, Cost: int64(cost), CostKnown: true, Charges: charges})
	for g.rows++; g.ledger.Stats().Written < g.rows; {
		select {
		case <-g.t.Context().Done():
			g.t.Fatal("the row is not written")
		case <-time.After(time.Millisecond):
		}
	}
	return nil
}

// TestBudgetsEndAtTheBorderOfTheirZonesCalendar: to the second, on days of 23 and of 25 hours too, and for a gateway that
// starts in the middle of a period and has what was spent from the database.
func TestBudgetsEndAtTheBorderOfTheirZonesCalendar(t *testing.T) {
	databases.Each(t, func(t *testing.T, d databases.Database) {
		store := d.Open(t)
		const layout = "2006-01-02 15:04:05 -0700"
		for _, c := range []struct{ zone, duration, now, border string }{
			{"UTC", "1d", "2026-03-04 05:06:07 +0000", "2026-03-05 00:00:00 +0000"},
			{"Asia/Kolkata", "1h", "2026-03-04 05:59:59 +0530", "2026-03-04 06:00:00 +0530"},
			{"Asia/Kolkata", "1d", "2026-03-04 20:00:00 +0000", "2026-03-06 00:00:00 +0530"},
			{"Europe/Berlin", "1d", "2026-03-29 00:00:00 +0100", "2026-03-30 00:00:00 +0200"}, // 23 hours
			{"Europe/Berlin", "1d", "2026-10-25 00:00:00 +0200", "2026-10-26 00:00:00 +0100"}, // 25 hours
			{"America/New_York", "7d", "2026-03-08 12:00:00 -0400", "2026-03-09 00:00:00 -0400"},
			{"America/New_York", "1mo", "2026-11-01 12:00:00 -0500", "2026-12-01 00:00:00 -0500"},
			{"UTC", "90s", "2026-03-04 05:06:07 +0000", "2026-03-04 05:07:30 +0000"}, // rolls on from the creation
		} {
			zone, err := time.LoadLocation(c.zone)
			if err != nil {
				t.Fatal(err)
			}
			now, err := time.Parse(layout, c.now)
			if err != nil {
				t.Fatal(err)
			}
			border, err := time.Parse(layout, c.border)
			if err != nil {
				t.Fatal(err)
			}
			var clock atomic.Pointer[time.Time]
			clock.Store(&now)
			budget := account.USD(1)
			caller := &account.Caller{Owners: []account.Owner{{
				Scope: "key", ID: c.zone + c.duration + c.now, Label: "Key=ci", Created: time.Date(2026, 3, 4, 5, 0, 0, 0, time.UTC),
				Terms: &account.Terms{MaxBudget: &budget, BudgetDuration: c.duration},
			}}}
			first := newGatewayOn(t, store, account.LimitOptions{Zone: zone}, &clock)
			if failed := first.spend(caller, now, budget); failed != nil {
				t.Fatalf("%+v: %v", c, failed)
			}
			second := newGatewayOn(t, store, account.LimitOptions{Zone: zone}, &clock)
			for name, g := range map[string]*gatewayOn{"the gateway": first, "one that starts later": second} {
				failed := g.spend(caller, now, 1)
				if failed == nil || failed.Status() != http.StatusUnprocessableEntity || failed.RetryAfter != border.Sub(now) {
					t.Errorf("%+v: %s over budget: %+v, want it for %v", c, name, failed, border.Sub(now))
				}
			}
			before := border.Add(-time.Nanosecond)
			clock.Store(&before)
			for _, g := range []*gatewayOn{first, second} {
				if failed := g.spend(caller, before, 1); failed == nil {
					t.Errorf("%+v: the budget begins anew before the border", c)
				}
			}
			clock.Store(&border)
			if failed := second.spend(caller, border, budget); failed != nil {
				t.Errorf("%+v: the budget does not begin anew at the border: %v", c, failed)
			}
			if failed := newGatewayOn(t, store, account.LimitOptions{Zone: zone}, &clock).spend(caller, border, 1); failed == nil {
				t.Errorf("%+v: what was spent in the new period is not in the database", c)
			}
		}
	})
}

// TestGatewaysThatShareADatabaseKnowWhatTheOthersSpend: without a Valkey, when they read it again.
func TestGatewaysThatShareADatabaseKnowWhatTheOthersSpend(t *testing.T) {
	databases.Each(t, func(t *testing.T, d databases.Database) {
		now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
		var clock atomic.Pointer[time.Time]
		clock.Store(&now)
		budget := account.USD(1)
		caller := &account.Caller{Owners: []account.Owner{{Scope: "key", ID: "k", Label: "Key=ci", Terms: &account.Terms{MaxBudget: &budget, BudgetDuration: "1d"}}}}
		store := d.Open(t)
		counters := account.NewLocalCounters(store)
		one, two := newGatewayOn(t, d.Open(t), account.LimitOptions{}, &clock), newGatewayOn(t, store, account.LimitOptions{Counters: counters}, &clock)
		for _, g := range []*gatewayOn{one, two} { // each knows the key
			if failed := g.spend(caller, now, 1); failed != nil {
				t.Fatal(failed)
			}
		}
		if failed := one.spend(caller, now, budget); failed != nil {
			t.Fatal(failed)
		}
		if err := counters.Refresh(t.Context(), now); err != nil {
			t.Fatal(err)
		}
		if failed := two.spend(caller, now, 1); failed == nil || failed.Status() != http.StatusUnprocessableEntity {
			t.Errorf("what another gateway has spent does not count: %v", failed)
		}
	})
}

// TestADirectoryOfARealStore: what one gateway makes, changes and deletes another one follows, and what it knows is found
// again in its snapshot while the database cannot be asked.
func TestADirectoryOfARealStore(t *testing.T) {
	databases.Each(t, func(t *testing.T, d databases.Database) {
		file := filepath.Join(t.TempDir(), "keys.json")
		one := account.NewDirectory(t.Context(), account.DirectoryOptions{Store: d.Open(t)})
		defer one.Close()
		two := account.NewDirectory(t.Context(), account.DirectoryOptions{Store: d.Open(t), Snapshot: file, Poll: 5 * time.Millisecond})
		status := func(dir *account.Directory, text string) int {
			t.Helper()
			keys := account.KeysOf(account.KeyOptions{Directory: dir, Master: secret.New("sk-master-5c1e9b7d20a84f36")})
			r := &http.Request{Header: http.Header{"Authorization": {"Bearer " + text}}, RemoteAddr: "192.0.2.1:1000"}
			if _, failed := keys.Authenticate(r.WithContext(t.Context())); failed != nil {
				return failed.Status()
			}
			return http.StatusOK
		}
		becomes := func(text string, want int) {
			t.Helper()
			for got := status(two, text); got != want; got = status(two, text) {
				select {
				case <-t.Context().Done():
					t.Fatalf("%s is %d, want %d", text, got, want)
				case <-time.After(time.Millisecond):
				}
			}
		}
		const text = "sk-5c1e9b7d20a84f36-5c1e9b7d20a84f36-5c1e9b7d20"
		hash := account.HashKey(secret.New(text))
		stored, err := one.Put(t.Context(), account.Entity{Kind: account.EntityTeam, ID: "red", Data: json.RawMessage(`{}`)}, account.Entity{Kind: account.EntityKey, ID: hash, TeamID: "red", Data: json.RawMessage(`{}`)})
		if err != nil {
			t.Fatal(err)
		}
		becomes(text, 200)
		team := stored[0]
		team.Data = json.RawMessage(`{"blocked":true}`)
		if stored, err = one.Put(t.Context(), team); err != nil {
			t.Fatal(err)
		}
		becomes(text, 401)
		team = stored[0]
		team.Data = json.RawMessage(`{}`)
		if _, err := one.Put(t.Context(), team); err != nil {
			t.Fatal(err)
		}
		becomes(text, 200)
		two.Close()

		if data, err := os.ReadFile(file); err != nil || strings.Contains(string(data), text) || !strings.Contains(string(data), hash) {
			t.Errorf("the snapshot: %v %s", err, data)
		}
		closed := d.Open(t)
		if err := closed.Close(); err != nil {
			t.Fatal(err)
		}
		three := account.NewDirectory(t.Context(), account.DirectoryOptions{Store: closed, Snapshot: file})
		defer three.Close()
		if got := status(three, text); got != http.StatusOK {
			t.Errorf("a key of the snapshot: %d", got)
		}
		if got := status(three, text[:len(text)-1]+"x"); got != http.StatusServiceUnavailable {
			t.Errorf("a key that nobody can look up: %d", got)
		}
		if gone, err := one.Delete(t.Context(), account.EntityKey, hash); err != nil || len(gone) != 1 {
			t.Fatal(gone, err)
		}
		if got := status(one, text); got != http.StatusUnauthorized {
			t.Errorf("a deleted key: %d", got)
		}
	})
}
