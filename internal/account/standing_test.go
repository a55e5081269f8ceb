package account

import (
	"context"
	"testing"
	"time"

	"github.com/outcrop-ai/outcrop/llm"
)

// spentBefore is a store in which every counter has the same, and that counts how often it is asked.
type spentBefore struct {
	amount Amount
	asked  int
}

func (s *spentBefore) Spent(_ context.Context, counters []Charge) ([]Amount, error) {
	s.asked++
	out := make([]Amount, len(counters))
	for i := range out {
		out[i] = s.amount
	}
	return out, nil
}

func TestStandings(t *testing.T) {
	store := &spentBefore{amount: 2 * dollar}
	l, caller, clock := limitsOf(Terms{MaxBudget: ptrTo(10 * dollar), SoftBudget: ptrTo(4 * dollar), BudgetDuration: "1d"}, LimitOptions{Counters: NewLocalCounters(store)})
	owners := []Owner{
		caller.Owners[0],
		{Scope: "team", ID: "soft", Terms: &Terms{SoftBudget: ptrTo(3 * dollar)}},
		{Scope: "user", ID: "free", Terms: &Terms{}},
	}
	standings := func() map[string]Standing {
		out := map[string]Standing{}
		l.Standings(t.Context(), owners, func(i int, s Standing) { out[owners[i].ID] = s })
		return out
	}
	got := standings()
	if s := got["h"]; s.Spent != 2*dollar || *s.Max != 10*dollar || *s.Soft != 4*dollar || !s.Reset.Equal(time.Date(2026, 3, 5, 0, 0, 0, 0, time.UTC)) || s.Reset.Sub(s.From) != 24*time.Hour {
		t.Errorf("the key stands at %+v", s)
	}
	if s := got["free"]; s.Spent != 0 || s.Max != nil || !s.Reset.IsZero() || len(got) != 3 {
		t.Errorf("who has no budget stands at %+v", s)
	}
	if store.asked != 1 {
		t.Errorf("the store was asked %d times, want once for all", store.asked)
	}

	// What a call costs counts at once, where the budget only alerts, too: the store may hear of it much later.
	caller.Owners = owners
	lease, failed := l.Admit(t.Context(), &Ask{Caller: caller, Worst: dollar})
	if failed != nil {
		t.Fatal(failed)
	}
	if s := standings()["soft"]; s.Spent != 2*dollar {
		t.Errorf("what a call may cost is spent already: %+v", s)
	}
	lease.Settle(t.Context(), &llm.Usage{}, 2*dollar)
	got = standings()
	if a, b := got["h"].Spent, got["soft"].Spent; a != 4*dollar || b != 4*dollar {
		t.Errorf("%s and %s were spent", a, b)
	}
	clock.advance(24 * time.Hour)
	store.amount = 0
	if s := standings()["h"]; s.Spent != 0 {
		t.Errorf("the next period begins with %s", s.Spent)
	}
}

func TestASoftBudgetRefusesNothing(t *testing.T) {
	l, caller, _ := limitsOf(Terms{SoftBudget: ptrTo(dollar)}, LimitOptions{})
	for range 3 {
		lease, failed := l.Admit(t.Context(), &Ask{Caller: caller, Worst: 5 * dollar})
		if failed != nil {
			t.Fatal(failed)
		}
		lease.Settle(t.Context(), &llm.Usage{}, 5*dollar)
	}
}
