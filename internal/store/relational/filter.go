package relational

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/outcrop-ai/outcrop/internal/account"
)

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

// selection is what a filter selects rows by: conditions that one index answers, in the order of time, and the rest, for
// which rows are looked at that the index finds.
type selection struct {
	// table is spend_logs, or spend_log_tags where the index is that of tags.
	table       string
	index, rest conditions
	// covered says that the index has the columns of the rest, too: no row is fetched to be left out.
	covered bool
}

func (q *selection) all() conditions {
	return conditions{slices.Concat(q.index.parts, q.rest.parts), slices.Concat(q.index.args, q.rest.args)}
}

// from is the tables that are read.
func (q *selection) from() string {
	if q.table == "spend_logs" {
		return " FROM spend_logs"
	}
	return " FROM spend_log_tags JOIN spend_logs USING (litellm_call_id, entry)"
}

// columns are those of rows, told apart from those of the table of tags.
func (q *selection) columns() string {
	if q.table == "spend_logs" {
		return columns
	}
	return strings.Replace(columns, `"startTime"`, `spend_logs."startTime"`, 1)
}

// selectRows finds the index for a filter: that of the value which the fewest rows have, as a rule. SQLite keeps no
// statistics by which it could choose.
func (d *Dialect) selectRows(f *account.RowFilter) (q selection, err error) {
	q = selection{table: "spend_logs"}
	led := f.RequestID != ""
	if led {
		id := name(f.RequestID)
		q.index.add("(request_id = ? OR litellm_call_id = ?)", id, id)
	}
	for _, c := range []struct{ column, value string }{
		{"session_id", f.Session},
		{"end_user", f.EndUser},
		{"api_key", f.KeyHash},
		{"key_alias", f.KeyAlias},
		{"user_id", f.UserID},
		{"", f.Tag},
		{"team_id", f.TeamID},
		{"model_id", f.Deployment},
		{"model", f.Model},
		{"model_group", f.Group},
		{"organization_id", f.OrganizationID},
	} {
		switch {
		case c.value == "":
			continue
		case c.column != "" && !led:
			q.index.equals(c.column, c.value)
		case c.column != "":
			q.rest.equals(d.beside(c.column), c.value)
		case !led: // the table of tags repeats the time, so that the last rows with a tag are found without looking at all of them
			q.table = "spend_log_tags"
			q.index.equals("tag", c.value)
		default:
			q.rest.add(`EXISTS (SELECT 1 FROM spend_log_tags t WHERE t.tag = ? AND t."startTime" = spend_logs."startTime" AND t.litellm_call_id = spend_logs.litellm_call_id AND t.entry = spend_logs.entry)`, name(c.value))
		}
		led = true
	}
	if err := d.outcome(&q, f, &led); err != nil {
		return q, err
	}
	if f.MinSpend != nil {
		q.rest.add("spend_pico >= ?", int64(*f.MinSpend))
	}
	if f.MaxSpend != nil {
		q.rest.add("spend_pico <= ?", int64(*f.MaxSpend))
	}
	if f.RequestID != "" { // a few rows
		q.index, q.rest = q.all(), conditions{}
	}
	at := q.table + `."startTime"`
	if !f.From.IsZero() {
		q.index.add(at+" >= ?", f.From.UnixMicro())
	}
	if !f.Until.IsZero() {
		q.index.add(at+" < ?", f.Until.UnixMicro())
	}
	return q, nil
}

// outcome adds conditions on what came of a call. Failures and answers of the cache have indexes of their own.
func (d *Dialect) outcome(q *selection, f *account.RowFilter, led *bool) error {
	covered := !*led
	switch {
	case f.Status == "success":
		q.rest.add("error_kind IS NULL")
		covered = false
	case f.Status != "" && f.Status != "failure":
		return fmt.Errorf("there is no status %q", f.Status)
	case f.Status == "" && f.ErrorCode == "":
	case *led:
		q.rest.add(d.beside("error_kind") + " IS NOT NULL")
	default:
		q.index.add("error_kind IS NOT NULL")
		*led = true
		covered = covered && f.MinSpend == nil && f.MaxSpend == nil
	}
	if f.ErrorCode != "" {
		if f.Status == "success" {
			q.rest.add("1 = 0")
		}
		status, err := strconv.Atoi(f.ErrorCode)
		if err != nil || status < 0 || status > 999 {
			status = -1
		}
		q.rest.add("(error_code = ? OR http_status = ?)", f.ErrorCode, status)
	}
	switch {
	case f.CacheHit == nil:
	case *f.CacheHit && !*led:
		q.index.add("cache_hit = 1")
		*led = true
		covered = false
	default:
		q.rest.add(d.beside("cache_hit") + " = " + strconv.FormatInt(flag(*f.CacheHit), 10))
		covered = false
	}
	q.covered = covered
	return nil
}

// beside is a column in a condition that must not choose the index.
func (d *Dialect) beside(column string) string {
	if d.Unmeasured {
		return "+" + column
	}
	return column
}
