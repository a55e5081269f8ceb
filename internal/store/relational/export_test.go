package relational

import "github.com/outcrop-ai/outcrop/internal/account"

// PageQuery and SumQuery are the texts of queries, for those who look at their plans.
func PageQuery(f account.RowFilter, p account.RowPage) (string, []any, error) {
	return pageQuery(&f, &p)
}

// SumQuery is that of sums.
func SumQuery(q account.SumQuery) (string, []any, error) { return sumQuery(&q) }
