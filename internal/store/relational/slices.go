package relational

import (
	"cmp"
	"context"
	"database/sql"
	"maps"
	"slices"

	"github.com/outcrop-ai/outcrop/internal/account"
)

// The table spend_slices says in which slices of time a value occurs, and in how many rows; that of all rows also what the
// cheapest and the dearest of them cost. A value is its hash: two that had one would be looked at together and told apart. It is what packed rows are found by: from the latest slice that has a value to the one before, and in each
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
type sliceKey struct{ hash, slice int64 }

// valueHash is what spend_slices has for a value in a dimension.
func valueHash(dimension account.Dimension, value string) int64 {
	return hashOf(string(dimension) + "\x00" + value)
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
			key := sliceKey{valueHash(dimension, value), g.slice}
			e := all[key]
			if e == nil {
				e = &sliceEntry{least: 1, most: 0}
				all[key] = e
			}
			e.rows += g.rows
			switch {
			case !g.priced || dimension != account.ByAll:
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
	return slices.SortedFunc(maps.Keys(all), func(a, b sliceKey) int { // neighbours in the table one after the other
		return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.slice, b.slice))
	})
}

// addSlices adds rows to the slices of their values.
func (s *Store) addSlices(ctx context.Context, tx *sql.Tx, groups []*group) error {
	all := slicesOfGroups(groups)
	args := make([]any, 0, 5*len(all))
	for _, key := range sortedSlices(all) {
		e := all[key]
		var least, most any
		if e.least <= e.most {
			least, most = e.least, e.most
		}
		args = append(args, key.hash, key.slice, e.rows, least, most)
	}
	return s.insertMany(ctx, tx, `INSERT INTO spend_slices (hash, slice, "rows", least, most) VALUES `, 5, args, ` ON CONFLICT (hash, slice) DO UPDATE SET
		"rows" = "rows" + excluded."rows", least = coalesce(min(least, excluded.least), least, excluded.least), most = coalesce(max(most, excluded.most), most, excluded.most)`)
}

// removeSlices takes rows that are removed from the slices of their values. Bounds of what is left stay as they are.
func (s *Store) removeSlices(ctx context.Context, tx *sql.Tx, groups []*group) error {
	all := slicesOfGroups(groups)
	for _, key := range sortedSlices(all) {
		if _, err := tx.ExecContext(ctx, `UPDATE spend_slices SET "rows" = "rows" - ? WHERE hash = ? AND slice = ?`, all[key].rows, key.hash, key.slice); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM spend_slices WHERE hash = ? AND slice = ? AND "rows" <= 0`, key.hash, key.slice); err != nil {
			return err
		}
	}
	return nil
}
