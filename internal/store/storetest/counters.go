package storetest

import (
	"context"
	"fmt"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/internal/store/relational"
)

func countersFollowRows(t *testing.T, open Open) {
	s, again := open(t)
	key, team, period := account.Charge{Scope: "key", ID: "k"}, account.Charge{Scope: "team", ID: "t"}, account.Charge{Scope: "key", ID: "k", Period: 1785542400}
	record := func(n uint64, cost int64, charges ...account.Charge) account.Record {
		return account.Record{CallID: "a", Entry: n, Cost: cost, CostKnown: true, Charges: charges}
	}
	f := func(want string) {
		t.Helper()
		equal(t, fmt.Sprint(spent(t, s, key, period, team, account.Charge{Scope: "key", ID: "nobody"})), want)
	}
	f("[0 0 0 0]")
	batch := []account.Record{record(1, 1e12, key, team), record(2, 2e12, key, period), record(3, 0, team), {CallID: "unpriced", Cost: 9e12, Charges: []account.Charge{key}}}
	appendRows(t, s, batch...)
	f("[3 2 1 0]")
	appendRows(t, again(), batch...) // nobody knows whether it was committed
	f("[3 2 1 0]")
	appendRows(t, s, append(batch, record(5, 1, key))...)
	f("[3.000000000001 2 1 0]")

	ok(t, s.ResetSpent(t.Context(), []account.Charge{key, {Scope: "team", ID: "new"}}, []account.Amount{0, 7e12}))
	f("[0 2 1 0]")
	appendRows(t, s, record(6, 5e12, key))
	f("[5 2 1 0]")
	equal(t, fmt.Sprint(spent(t, s, account.Charge{Scope: "team", ID: "new"})), "[7]")
	equal(t, len(spent(t, s)), 0)

	// A counter that is full does not hold up its rows.
	appendRows(t, s, record(7, math.MaxInt64, team), record(8, math.MaxInt64, team), record(9, math.MaxInt64, key))
	equal(t, spent(t, s, key)[0], math.MaxInt64)
	appendRows(t, s, record(10, math.MaxInt64, team))
	equal(t, spent(t, s, team)[0], math.MaxInt64)

	// Many at once.
	var many []account.Charge
	for i := range 1000 {
		many = append(many, account.Charge{Scope: "end_user", ID: fmt.Sprint(i)})
	}
	appendRows(t, s, record(11, 3, many...))
	for i, got := range spent(t, s, many...) {
		if got != 3 {
			t.Fatalf("counter %d is %d", i, got)
		}
	}
}

// countersFromManySides: replicas charge the same owners at once, each batch twice; no transaction stops another for good and
// nothing is counted twice.
func countersFromManySides(t *testing.T, open Open) {
	first, again := open(t)
	const sides, batches, size = 4, 10, 20
	var all sync.WaitGroup
	for side := range sides {
		s := first
		if side > 0 {
			s = again()
		}
		all.Go(func() {
			for b := range batches {
				var records []account.Record
				for i := range size {
					r := account.Record{CallID: fmt.Sprint(side), Entry: uint64(b*size + i), Cost: 1, CostKnown: true, KeyHash: "k", Start: time.Unix(1785542400, int64(b*size+i)*1000)}
					for c := range 5 {
						r.Charges = append(r.Charges, account.Charge{Scope: "key", ID: fmt.Sprint((c*7 + side + i) % 5)})
					}
					records = append(records, r)
				}
				for range 2 {
					if err := s.Append(context.Background(), records); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	all.Wait()
	var counters []account.Charge
	for c := range 5 {
		counters = append(counters, account.Charge{Scope: "key", ID: fmt.Sprint(c)})
	}
	for _, got := range spent(t, first, counters...) {
		equal(t, got, sides*batches*size)
	}
	equal(t, len(recent(t, first)), sides*batches*size)
}

func schemaIsMadeOnce(t *testing.T, open Open) {
	s, again := open(t)
	appendRows(t, s, account.Record{CallID: "a"})
	var all sync.WaitGroup
	stores := make([]*relational.Store, 3)
	for i := range stores {
		stores[i] = again()
		all.Go(func() {
			if _, err := stores[i].Recent(context.Background(), 1); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	equal(t, len(recent(t, stores[0])), 1)
}
