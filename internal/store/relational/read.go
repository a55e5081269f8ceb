package relational

import (
	"context"
	"database/sql"
	"fmt"
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

// conditions collects the parts of a WHERE with their parameters.
type conditions struct {
	parts []string
	args  []any
}

func (c *conditions) add(part string, args ...any) {
	c.parts = append(c.parts, part)
	c.args = append(c.args, args...)
}

// equals adds a condition on a column by whose values rows are found, unless value is empty.
func (c *conditions) equals(column, value string) {
	if value != "" {
		c.add(column+" = ?", name(value))
	}
}

func (c *conditions) where() string {
	if len(c.parts) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(c.parts, " AND ")
}

func filter(f *account.RowFilter) (c conditions, err error) {
	if f.RequestID != "" {
		id := name(f.RequestID)
		c.add("(request_id = ? OR litellm_call_id = ?)", id, id)
	}
	c.equals("api_key", f.KeyHash)
	c.equals("key_alias", f.KeyAlias)
	c.equals("user_id", f.UserID)
	c.equals("team_id", f.TeamID)
	c.equals("organization_id", f.OrganizationID)
	c.equals("end_user", f.EndUser)
	c.equals("session_id", f.Session)
	c.equals("model", f.Model)
	c.equals("model_group", f.Group)
	c.equals("model_id", f.Deployment)
	switch f.Status {
	case "":
	case "success":
		c.add("error_kind IS NULL")
	case "failure":
		c.add("error_kind IS NOT NULL")
	default:
		return c, fmt.Errorf("there is no status %q", f.Status)
	}
	if f.ErrorCode != "" {
		c.add("error_kind IS NOT NULL AND (error_code = ? OR CAST(http_status AS TEXT) = ?)", f.ErrorCode, f.ErrorCode)
	}
	if f.CacheHit != nil {
		c.add("cache_hit = ?", flag(*f.CacheHit))
	}
	if f.MinSpend != nil {
		c.add("spend_pico >= ?", int64(*f.MinSpend))
	}
	if f.MaxSpend != nil {
		c.add("spend_pico <= ?", int64(*f.MaxSpend))
	}
	if f.Tag != "" {
		// The table of tags repeats the time, so that the last rows with a tag are found without looking at all of them.
		c.add("tag = ?", name(f.Tag))
	}
	at := `spend_logs."startTime"`
	if f.Tag != "" {
		at = `spend_log_tags."startTime"`
	}
	if !f.From.IsZero() {
		c.add(at+" >= ?", f.From.UnixMicro())
	}
	if !f.Until.IsZero() {
		c.add(at+" < ?", f.Until.UnixMicro())
	}
	return c, nil
}

// from is the tables that a filter reads.
func from(f *account.RowFilter) string {
	if f.Tag == "" {
		return " FROM spend_logs"
	}
	return " FROM spend_log_tags JOIN spend_logs USING (litellm_call_id, entry)"
}

// Rows calls yield with the rows of a page. It implements account.SpendReader.
func (s *Store) Rows(ctx context.Context, f account.RowFilter, p account.RowPage, yield func(account.Record) error) error {
	query, args, err := pageQuery(&f, &p)
	if err != nil {
		return err
	}
	return s.query(ctx, query, args, rowsTo(yield))
}

// orders are the columns of the orders of rows.
var orders = map[account.RowOrder]string{
	account.ByEnd: `"endTime"`, account.BySpend: "spend_pico", account.ByTokens: "total_tokens", account.ByDuration: "request_duration_ms", account.ByModelID: "model",
}

func pageQuery(f *account.RowFilter, p *account.RowPage) (string, []any, error) {
	c, err := filter(f)
	if err != nil {
		return "", nil, err
	}
	direction, than := " DESC", "<"
	if p.Ascending {
		direction, than = "", ">"
	}
	table := "spend_logs."
	if f.Tag != "" {
		table = "spend_log_tags."
	}
	place := table + `"startTime", ` + table + "litellm_call_id, " + table + "entry"
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
		c.add("("+place+") "+than+" (?, ?, ?)", p.After.Start.UnixMicro(), name(p.After.CallID), int64(p.After.Entry)) //nolint:gosec // as in appendValues
	}
	query := "SELECT " + qualified(f) + from(f) + c.where() + " ORDER BY " + order + " LIMIT ?"
	args := append(c.args, p.Limit)
	if p.Offset > 0 {
		query += " OFFSET ?"
		args = append(args, p.Offset)
	}
	return query, args, nil
}

// qualified are the columns, told apart from those of the table of tags.
func qualified(f *account.RowFilter) string {
	if f.Tag == "" {
		return columns
	}
	return strings.Replace(columns, `"startTime"`, `spend_logs."startTime"`, 1)
}

// CountRows counts rows up to a limit. It implements account.SpendReader.
func (s *Store) CountRows(ctx context.Context, f account.RowFilter, limit int) (n int, err error) {
	c, err := filter(&f)
	if err != nil {
		return 0, err
	}
	query := "SELECT count(*) FROM (SELECT 1" + from(&f) + c.where() + " LIMIT ?) counted"
	err = s.query(ctx, query, append(c.args, limit), func(rows *sql.Rows) error { return rows.Scan(&n) })
	return n, err
}
