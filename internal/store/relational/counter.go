package relational

import (
	"cmp"
	"context"
	"database/sql"
	"math"
	"slices"
	"strings"

	"github.com/outcrop-ai/outcrop/internal/account"
)

// insertCounters begins the statement that adds to counters, or sets them.
const insertCounters = `INSERT INTO spend_counters (scope, id, period, pico) VALUES `

// addToCounters ends it. A counter that is full stays full: an amount that did not fit would hold up its batch for ever.
const addToCounters = ` ON CONFLICT (scope, id, period) DO UPDATE SET pico =
	CASE WHEN spend_counters.pico > 9223372036854775807 - CASE WHEN excluded.pico > 0 THEN excluded.pico ELSE 0 END
	THEN 9223372036854775807 ELSE spend_counters.pico + excluded.pico END`

// sum adds amounts; too large a sum is the largest.
func sum(a, b int64) int64 {
	if b > 0 && a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

func stored(c account.Charge) account.Charge {
	c.Scope, c.ID = name(c.Scope), name(c.ID)
	return c
}

func counterArgs(amounts map[account.Charge]int64) []any {
	list := make([]account.Charge, 0, len(amounts))
	for c := range amounts {
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b account.Charge) int {
		return cmp.Or(strings.Compare(a.Scope, b.Scope), strings.Compare(a.ID, b.ID), cmp.Compare(a.Period, b.Period))
	})
	args := make([]any, 0, 4*len(list))
	for _, c := range list {
		args = append(args, c.Scope, c.ID, c.Period, amounts[c])
	}
	return args
}

// Spent returns what was charged to counters, 0 for those that nothing was, in their order. It implements
// account.EntityStore.
func (s *Store) Spent(ctx context.Context, counters []account.Charge) ([]account.Amount, error) {
	if err := s.settle(ctx); err != nil {
		return nil, err
	}
	found := make(map[account.Charge]account.Amount, len(counters))
	err := s.d.chunks(len(counters), func(from, to int) error {
		args := make([]any, 0, 3*(to-from))
		for _, c := range counters[from:to] {
			c = stored(c)
			args = append(args, c.Scope, c.ID, c.Period)
		}
		query := `SELECT scope, id, period, pico FROM spend_counters WHERE (scope, id, period) IN (VALUES (?, ?, CAST(? AS BIGINT))` +
			strings.Repeat(`, (?, ?, CAST(? AS BIGINT))`, to-from-1) + `)`
		return s.query(ctx, query, args, func(rows *sql.Rows) error {
			var c account.Charge
			var pico account.Amount
			err := rows.Scan(&c.Scope, &c.ID, &c.Period, &pico)
			found[c] = pico
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	amounts := make([]account.Amount, len(counters))
	for i, c := range counters {
		amounts[i] = found[stored(c)]
	}
	return amounts, nil
}

// ResetSpent sets counters to amounts, all or none. It implements account.EntityStore.
func (s *Store) ResetSpent(ctx context.Context, counters []account.Charge, to []account.Amount) error {
	amounts := make(map[account.Charge]int64, len(counters))
	for i, c := range counters {
		amounts[stored(c)] = int64(to[i])
	}
	return s.settled(ctx, func(ctx context.Context, tx *sql.Tx) error {
		return s.insertMany(ctx, tx, insertCounters, 4, counterArgs(amounts), ` ON CONFLICT (scope, id, period) DO UPDATE SET pico = excluded.pico`)
	})
}

// settled calls f in a transaction in which nothing is pending: what is set must not be added to by rows of before.
func (s *Store) settled(ctx context.Context, f func(context.Context, *sql.Tx) error) error {
	if err := s.settle(ctx); err != nil { // most of it, in short transactions
		return err
	}
	return s.change(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if err := s.settleSome(ctx, tx); err != nil { // from now on nobody else settles
			return err
		}
		var last int64
		if err := tx.QueryRowContext(ctx, lastPending).Scan(&last); err != nil {
			return err
		}
		for {
			var pending int
			if err := tx.QueryRowContext(ctx, s.d.bind(`SELECT count(*) FROM spend_pending WHERE id <= ?`), last).Scan(&pending); err != nil {
				return err
			}
			if pending == 0 {
				break
			}
			if err := s.settleSome(ctx, tx); err != nil {
				return err
			}
		}
		return f(ctx, tx)
	})
}
