package admin

import (
	"context"
	"slices"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
)

// StoredSpend is the spend that a store has counted. It is safe for concurrent use.
type StoredSpend struct {
	Store account.EntityStore
	// Limits count what is spent while calls run; nil is that nobody does.
	Limits *account.Limits
	// Zone is that of budgets' calendar; nil is UTC.
	Zone *time.Location
}

// Spent returns what was spent in the running period of an owner's budget, and when that ends; zero is never.
func (s *StoredSpend) Spent(ctx context.Context, kind account.EntityKind, id string, t *account.Terms) (account.Amount, time.Time, error) {
	start, end, err := s.period(t, t.BudgetDuration)
	if err != nil {
		return 0, end, err
	}
	list, err := s.Store.Spent(ctx, []account.Charge{{Scope: string(kind), ID: id, Period: start}})
	if err != nil || len(list) == 0 {
		return 0, end, err
	}
	return list[0], end, nil
}

func (s *StoredSpend) period(t *account.Terms, duration string) (start int64, end time.Time, err error) {
	if duration == "" {
		return 0, end, nil
	}
	begin, end, err := account.Period(duration, t.Since, time.Now(), s.Zone)
	return begin.Unix(), end, err
}

// counters are those of the running periods of all of an owner's budgets.
func (s *StoredSpend) counters(kind account.EntityKind, id string, t *account.Terms) ([]account.Charge, error) {
	durations := []string{t.BudgetDuration}
	for _, w := range t.Windows {
		durations = append(durations, w.Duration)
	}
	seen := map[int64]bool{}
	var list []account.Charge
	for _, d := range durations {
		start, _, err := s.period(t, d)
		if err != nil {
			return nil, err
		}
		if !seen[start] {
			seen[start] = true
			list = append(list, account.Charge{Scope: string(kind), ID: id, Period: start})
		}
	}
	return list, nil
}

// Reset sets what was spent in the running periods of all of an owner's budgets.
func (s *StoredSpend) Reset(ctx context.Context, kind account.EntityKind, id string, t *account.Terms, to account.Amount) error {
	list, err := s.counters(kind, id, t)
	if err != nil {
		return err
	}
	amounts := make([]account.Amount, len(list))
	for i := range amounts {
		amounts[i] = to
	}
	return s.reset(ctx, list, amounts)
}

// reset sets counters, here and where they limit calls.
func (s *StoredSpend) reset(ctx context.Context, list []account.Charge, to []account.Amount) error {
	if err := s.Store.ResetSpent(ctx, list, to); err != nil || s.Limits == nil {
		return err
	}
	for i := range list {
		if err := s.Limits.Reset(ctx, list[i], to[i]); err != nil {
			return err
		}
	}
	return nil
}

// Move has an owner go on with what another has spent, on groups of models that have budgets of their own, too.
func (s *StoredSpend) Move(ctx context.Context, kind account.EntityKind, from, to string, t *account.Terms) error {
	old, err := s.counters(kind, from, t)
	if err != nil {
		return err
	}
	list := slices.Clone(old)
	for i := range list {
		list[i].ID = to
	}
	for group, budget := range t.ModelBudgets {
		start, _, err := s.period(t, budget.Duration)
		if err != nil {
			return err
		}
		old = append(old, account.ModelCharge(string(kind), from, group, start))
		list = append(list, account.ModelCharge(string(kind), to, group, start))
	}
	amounts, err := s.Store.Spent(ctx, old)
	if err != nil {
		return err
	}
	if s.Limits != nil { // which know of calls whose rows are still on their way to the store
		for i := range old {
			spent, err := s.Limits.Spent(ctx, old[i])
			if err != nil {
				return err
			}
			amounts[i] = max(amounts[i], spent)
		}
	}
	return s.reset(ctx, list, amounts)
}
