package relational

import "github.com/outcrop-ai/outcrop/internal/account"

// PageQuery, CountQuery and SumQuery are the texts, for SQLite, of queries, for those who look at their plans.
func PageQuery(f account.RowFilter, p account.RowPage) (string, []any, error) {
	return (&Dialect{Packed: true}).pageQuery(&f, &p)
}

// CountQuery is that of a count.
func CountQuery(f account.RowFilter) (query string, args []any, err error) {
	query, args, _, err = (&Dialect{Packed: true}).countQuery(&f, 10_000)
	return query, args, err
}

// SumQuery is that of sums.
func SumQuery(q account.SumQuery) (string, []any, error) { return sumQuery(&q) }

// ValueHash is what slices have for a value.
func ValueHash(dimension account.Dimension, value string) int64 { return valueHash(dimension, value) }
