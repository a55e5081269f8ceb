package relational

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"strings"

	"github.com/outcrop-ai/outcrop/internal/account"
)

// The table spend_slices says in which slices of time a value occurs, in how many rows, and what the cheapest and the dearest
// of them cost. It is what packed rows are found by: from the latest slice that has a value to the one before, and in each
// by the time. An index of the rows themselves would cost each row an entry for each of its values; under load a slice has
// hundreds of rows with one value.

// The dimensions of slices that are none of reports: rows are found by them.
const (
	bySession  account.Dimension = "session"
	byKeyAlias account.Dimension = "key_alias"
	byFailure  account.Dimension = "failure"
	byCacheHit account.Dimension = "cache_hit"
)

// sliceKey names one entry of spend_slices.
type sliceKey struct {
	dimension, value string
	slice            int64
}

// sliceEntry is what it has. Rows without a price are not in the bounds; least is above most where none has one.
type sliceEntry struct{ rows, least, most int64 }

// slicesOf calls f with what a row's values are in the dimensions of slices.
func (a *alike) slicesOf(tags []string, f func(dimension account.Dimension, value string)) {
	put := func(dimension account.Dimension, value string) {
		if value != "" {
			f(dimension, name(value))
		}
	}
	f(account.ByAll, "")
	put(account.ByKey, a.key)
	put(byKeyAlias, a.alias)
	put(account.ByUser, a.user)
	put(account.ByTeam, a.team)
	put(account.ByOrganization, a.organization)
	put(account.ByEndUser, a.endUser)
	put(bySession, a.session)
	put(account.ByModel, a.model)
	put(account.ByGroup, a.group)
	put(account.ByDeployment, a.deployment)
	if a.failed {
		f(byFailure, "")
	}
	if a.cached {
		f(byCacheHit, "")
	}
	for i, tag := range tags {
		if !slices.Contains(tags[:i], tag) {
			f(account.ByTag, name(tag))
		}
	}
}

// slicesOfGroups sums groups up by their values.
func slicesOfGroups(groups []*group) map[sliceKey]*sliceEntry {
	all := map[sliceKey]*sliceEntry{}
	for _, g := range groups {
		g.slicesOf(g.first.Tags, func(dimension account.Dimension, value string) {
			key := sliceKey{string(dimension), value, g.slice}
			e := all[key]
			if e == nil {
				e = &sliceEntry{least: 1, most: 0}
				all[key] = e
			}
			e.rows += g.rows
			switch {
			case !g.priced:
			case e.least > e.most:
				e.least, e.most = g.least, g.most
			default:
				e.least, e.most = min(e.least, g.least), max(e.most, g.most)
			}
		})
	}
	return all
}

func sortedSlices(all map[sliceKey]*sliceEntry) []sliceKey {
	keys := make([]sliceKey, 0, len(all))
	for key := range all {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b sliceKey) int { // neighbours in the table one after the other
		return cmp.Or(strings.Compare(a.dimension, b.dimension), strings.Compare(a.value, b.value), cmp.Compare(a.slice, b.slice))
	})
	return keys
}

// addSlices adds rows to the slices of their values.
func (s *Store) addSlices(ctx context.Context, tx *sql.Tx, groups []*group) error {
	all := slicesOfGroups(groups)
	args := make([]any, 0, 6*len(all))
	for _, key := range sortedSlices(all) {
		e := all[key]
		var least, most any // NULL is below and above nothing
		if e.least <= e.most {
			least, most = e.least, e.most
		}
		args = append(args, key.dimension, key.value, key.slice, e.rows, least, most)
	}
	return s.insertMany(ctx, tx, `INSERT INTO spend_slices (dimension, value, slice, "rows", least, most) VALUES `, 6, args, ` ON CONFLICT (dimension, value, slice) DO UPDATE SET
		"rows" = "rows" + excluded."rows", least = coalesce(min(least, excluded.least), least, excluded.least), most = coalesce(max(most, excluded.most), most, excluded.most)`)
}

// removeSlices takes rows that are removed from the slices of their values. Bounds of what is left stay as they are.
func (s *Store) removeSlices(ctx context.Context, tx *sql.Tx, groups []*group) error {
	all := slicesOfGroups(groups)
	keys := sortedSlices(all)
	if err := s.eachSlice(ctx, tx, `UPDATE spend_slices SET "rows" = "rows" - ? WHERE dimension = ? AND value = ? AND slice = ?`, keys, func(key sliceKey) []any {
		return []any{all[key].rows, key.dimension, key.value, key.slice}
	}); err != nil {
		return err
	}
	return s.eachSlice(ctx, tx, `DELETE FROM spend_slices WHERE dimension = ? AND value = ? AND slice = ? AND "rows" <= 0`, keys, func(key sliceKey) []any {
		return []any{key.dimension, key.value, key.slice}
	})
}

func (s *Store) eachSlice(ctx context.Context, tx *sql.Tx, query string, keys []sliceKey, args func(sliceKey) []any) error {
	for _, key := range keys {
		if _, err := tx.ExecContext(ctx, s.d.bind(query), args(key)...); err != nil {
			return err
		}
	}
	return nil
}
