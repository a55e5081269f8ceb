package relational

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
)

// Recent returns the last rows by the time at which their calls began, newest first.
func (s *Store) Recent(ctx context.Context, limit int) (records []account.Record, err error) {
	err = s.Rows(ctx, account.RowFilter{}, account.RowPage{Limit: limit}, collect(&records))
	return records, err
}

// ByCallID returns the rows of a call, oldest first; a client may have used its id again.
func (s *Store) ByCallID(ctx context.Context, id string) (records []account.Record, err error) {
	q := selection{d: s.d, table: tableRows}
	q.withID(id)
	q.index.equals("litellm_call_id", id)
	query := "SELECT " + q.columns() + q.from() + q.index.where() + ` ORDER BY "startTime", entry`
	err = s.query(ctx, query, q.index.args, s.rowsTo(collect(&records)))
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

func (s *Store) rowsTo(yield func(account.Record) error) func(*sql.Rows) error {
	return func(rows *sql.Rows) error {
		r, err := s.d.scan(rows)
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
	return s.query(ctx, query, args, s.rowsTo(yield))
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
	order := strings.Join(q.place(), direction+", ") + direction
	switch {
	case p.Order != "" && p.Order != account.ByStart:
		column, known := orders[p.Order]
		if !known || p.After != nil {
			return "", nil, fmt.Errorf("rows cannot be read in the order of %q", p.Order)
		}
		// Rows without a price are the cheapest in both databases.
		order = "(" + column + " IS NOT NULL)" + direction + ", " + column + direction + ", " + order
	case p.After != nil:
		q.after(p.After, than)
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

// after adds that rows are behind a cursor.
func (q *selection) after(c *account.RowCursor, than string) {
	start, call, entry := c.Start.UnixMicro(), name(c.CallID), int64(c.Entry) //nolint:gosec // as in appendValues
	if !q.d.Packed {
		q.index.add("("+strings.Join(q.place(), ", ")+") "+than+" (?, ?, ?)", start, call, entry)
		return
	}
	// The row may stand behind the place that it would have alone; it may have been removed, too.
	place := placeOf(c.Start, c.Entry)
	q.between(than, "coalesce((SELECT id FROM spend_logs c WHERE c.id BETWEEN ? AND ? AND c.litellm_call_id = ? AND c.entry = ?), ?)", place,
		place, place+1<<placeBits, call, entry, place)
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
	if len(q.rest.parts) == 0 && q.table == tableSlices {
		query, args := q.countSlices(f, limit)
		return query, args, limit, nil
	}
	if len(q.rest.parts) == 0 {
		return "SELECT count(*), count(*) FROM (SELECT 1 FROM " + q.table + q.index.where() + " LIMIT ?) counted", append(q.index.args, limit), limit, nil
	}
	examined = countFetched
	if q.covered {
		examined = countCovered
	}
	latest := q.place()
	if !d.Packed {
		latest = latest[:1] // the index has no more
	}
	query = "SELECT count(*), coalesce(sum(hit), 0) FROM (SELECT CASE WHEN " + strings.Join(q.rest.parts, " AND ") + " THEN 1 ELSE 0 END AS hit" +
		q.from() + q.index.where() + " ORDER BY " + strings.Join(latest, " DESC, ") + " DESC LIMIT ?) counted"
	return query, append(slices.Concat(q.rest.args, q.index.args), examined), examined, nil
}

// countSlices counts what slices hold, and looks at the rows of those alone that a bound of the time goes through.
func (q *selection) countSlices(f *account.RowFilter, limit int) (string, []any) {
	const within = 1<<sliceBits - 1
	counted := conditions{q.index.parts[:1:1], q.index.args[:1:1]} // the value
	var cut []int64
	bound := func(t time.Time, condition string, up int64) {
		if t.IsZero() {
			return
		}
		id := idAt(t.UnixMicro())
		if id&within != 0 && !slices.Contains(cut, id>>sliceBits) {
			cut = append(cut, id>>sliceBits)
		}
		counted.add(condition, (id+up)>>sliceBits)
	}
	bound(f.From, "slice >= ?", within)
	bound(f.Until, "slice < ?", 0)
	query, args := `SELECT coalesce(sum(n), 0), coalesce(sum(n), 0) FROM (SELECT "rows" AS n FROM spend_slices`+counted.where(), counted.args
	for _, slice := range cut {
		edge := conditions{append([]string{"spend_slices.slice = ?"}, q.index.parts...), append([]any{slice}, q.index.args...)}
		query += " UNION ALL SELECT 1" + q.from() + edge.where()
		args = slices.Concat(args, edge.args)
	}
	return query + " LIMIT ?) counted", append(args, limit)
}
