package relational

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/outcrop-ai/outcrop/internal/account"
)

// Recent returns the last rows by the time at which their calls began, newest first.
func (s *Store) Recent(ctx context.Context, limit int) (records []account.Record, err error) {
	err = s.Rows(ctx, account.RowFilter{}, account.RowPage{Limit: limit}, collect(&records))
	return records, err
}

// ByCallID returns the rows of a call, oldest first; a client may have used its id again.
func (s *Store) ByCallID(ctx context.Context, id string) (records []account.Record, err error) {
	query := `SELECT ` + columns + ` FROM spend_logs WHERE litellm_call_id = ? ORDER BY "startTime", entry`
	err = s.query(ctx, query, []any{name(id)}, rowsTo(collect(&records)))
	return records, err
}

// Bodies fills in the bodies of records. It implements account.SpendReader.
func (s *Store) Bodies(ctx context.Context, records []account.Record) error {
	for i := range records {
		r := &records[i]
		id := idOf(r)
		err := s.query(ctx, `SELECT request, response FROM spend_log_bodies WHERE litellm_call_id = ? AND entry = ?`, []any{id.call, id.entry}, func(rows *sql.Rows) error {
			r.Body = &account.Body{}
			return rows.Scan(orEmpty{&r.Body.Request}, orEmpty{&r.Body.Response})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func collect(list *[]account.Record) func(account.Record) error {
	return func(r account.Record) error {
		*list = append(*list, r)
		return nil
	}
}

func rowsTo(yield func(account.Record) error) func(*sql.Rows) error {
	return func(rows *sql.Rows) error {
		r, err := scanRow(rows)
		if err != nil {
			return err
		}
		return yield(r)
	}
}

// Rows calls yield with the rows of a page. It implements account.SpendReader.
func (s *Store) Rows(ctx context.Context, f account.RowFilter, p account.RowPage, yield func(account.Record) error) error {
	query, args, err := s.d.pageQuery(&f, &p)
	if err != nil {
		return err
	}
	return s.query(ctx, query, args, rowsTo(yield))
}

// orders are the columns of the orders of rows.
var orders = map[account.RowOrder]string{
	account.ByEnd: `"endTime"`, account.BySpend: "spend_pico", account.ByTokens: "total_tokens", account.ByDuration: "request_duration_ms", account.ByModelID: "model",
}

func (d *Dialect) pageQuery(f *account.RowFilter, p *account.RowPage) (string, []any, error) {
	q, err := d.selectRows(f)
	if err != nil {
		return "", nil, err
	}
	direction, than := " DESC", "<"
	if p.Ascending {
		direction, than = "", ">"
	}
	place := q.table + `."startTime", ` + q.table + ".litellm_call_id, " + q.table + ".entry"
	order := strings.ReplaceAll(place, ",", direction+",") + direction
	switch {
	case p.Order != "" && p.Order != account.ByStart:
		column, known := orders[p.Order]
		if !known || p.After != nil {
			return "", nil, fmt.Errorf("rows cannot be read in the order of %q", p.Order)
		}
		// Rows without a price are the cheapest in both databases.
		order = "(" + column + " IS NOT NULL)" + direction + ", " + column + direction + ", " + order
	case p.After != nil:
		q.index.add("("+place+") "+than+" (?, ?, ?)", p.After.Start.UnixMicro(), name(p.After.CallID), int64(p.After.Entry)) //nolint:gosec // as in appendValues
	}
	all := q.all()
	query := "SELECT " + q.columns() + q.from() + all.where() + " ORDER BY " + order + " LIMIT ?"
	args := append(all.args, p.Limit)
	if p.Offset > 0 {
		query += " OFFSET ?"
		args = append(args, p.Offset)
	}
	return query, args, nil
}

// How many rows are looked at for a count: few where each must be fetched, more where an index has all that is asked for.
const (
	countFetched = 1_000
	countCovered = 100_000
)

// CountRows counts rows up to a limit. It implements account.SpendReader.
func (s *Store) CountRows(ctx context.Context, f account.RowFilter, limit int) (n int, whole bool, err error) {
	query, args, examined, err := s.d.countQuery(&f, limit)
	if err != nil {
		return 0, false, err
	}
	var looked int
	err = s.query(ctx, query, args, func(rows *sql.Rows) error { return rows.Scan(&looked, &n) })
	return min(n, limit), looked < examined && n < limit, err
}

// countQuery returns a query for how many rows were looked at, at most examined, and how many of them are meant.
func (d *Dialect) countQuery(f *account.RowFilter, limit int) (query string, args []any, examined int, err error) {
	q, err := d.selectRows(f)
	if err != nil {
		return "", nil, 0, err
	}
	if len(q.rest.parts) == 0 {
		return "SELECT count(*), count(*) FROM (SELECT 1 FROM " + q.table + q.index.where() + " LIMIT ?) counted", append(q.index.args, limit), limit, nil
	}
	examined = countFetched
	if q.covered {
		examined = countCovered
	}
	query = "SELECT count(*), coalesce(sum(hit), 0) FROM (SELECT CASE WHEN " + strings.Join(q.rest.parts, " AND ") + " THEN 1 ELSE 0 END AS hit" +
		q.from() + q.index.where() + " ORDER BY " + q.table + `."startTime" DESC LIMIT ?) counted`
	return query, append(slices.Concat(q.rest.args, q.index.args), examined), examined, nil
}
