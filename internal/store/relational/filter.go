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
	d *Dialect
	// table is what rows are found by: spend_logs, spend_log_tags or spend_slices.
	table       string
	index, rest conditions
	// covered says that the rest is cheap: no row is fetched to be left out, or its first columns are all that is read.
	covered bool
}

const (
	tableRows   = "spend_logs"
	tableTags   = "spend_log_tags"
	tableSlices = "spend_slices"
)

func (q *selection) all() conditions {
	return conditions{slices.Concat(q.index.parts, q.rest.parts), slices.Concat(q.index.args, q.rest.args)}
}

// from is the tables that are read. Of slices and rows the slices lead, so that rows come in the order of time.
func (q *selection) from() string {
	switch q.table {
	case tableTags:
		return " FROM spend_log_tags JOIN spend_logs USING (litellm_call_id, entry)"
	case tableSlices:
		return fmt.Sprintf(" FROM spend_slices CROSS JOIN spend_logs ON spend_logs.id >= spend_slices.slice << %d AND spend_logs.id < (spend_slices.slice + 1) << %[1]d", sliceBits)
	default:
		return " FROM spend_logs"
	}
}

// at is the time of rows, in microseconds.
func (q *selection) at() string {
	if q.d.Packed {
		return tableRows + `."startTime"`
	}
	return q.table + `."startTime"`
}

// place is what rows are in order by.
func (q *selection) place() []string {
	switch {
	case q.table == tableSlices:
		return []string{"spend_slices.slice", "spend_logs.id"}
	case q.d.Packed:
		return []string{"spend_logs.id"}
	default:
		return []string{q.table + `."startTime"`, q.table + ".litellm_call_id", q.table + ".entry"}
	}
}

// columns are those of rows, told apart from those of the table of tags.
func (q *selection) columns() string {
	switch {
	case q.d.Packed:
		return packedColumns
	case q.table == tableTags:
		return strings.Replace(columns, `"startTime"`, `spend_logs."startTime"`, 1)
	default:
		return columns
	}
}

// lead says by what value rows are found. The column is empty for a tag.
func (q *selection) lead(column string, dimension account.Dimension, value string) {
	switch {
	case q.d.Packed:
		q.leadSlices(dimension, name(value))
		q.beside(&q.index, column, value)
	case column == "": // the table of tags repeats the time, so that the last rows with a tag are found without looking at all of them
		q.table = tableTags
		q.index.equals("tag", value)
	default:
		q.index.equals(column, value)
	}
}

func (q *selection) leadSlices(dimension account.Dimension, value string) {
	q.table = tableSlices
	q.index.add("spend_slices.hash = ?", valueHash(dimension, value))
}

// beside adds to conditions that a row has a value. The column is empty for a tag.
func (q *selection) beside(to *conditions, column, value string) {
	switch {
	case column != "":
		to.equals(column, value)
	case q.d.Packed:
		to.add(`EXISTS (SELECT 1 FROM json_each(spend_logs.data, '$.request_tags') t WHERE t.value = ?)`, plain(value))
	default:
		to.add(`EXISTS (SELECT 1 FROM spend_log_tags t WHERE t.tag = ? AND t."startTime" = spend_logs."startTime" AND t.litellm_call_id = spend_logs.litellm_call_id AND t.entry = spend_logs.entry)`, name(value))
	}
}

// selectRows finds the index for a filter: that of the value which the fewest rows have, as a rule.
func (d *Dialect) selectRows(f *account.RowFilter) (q selection, err error) {
	q = selection{d: d, table: tableRows}
	led := f.RequestID != ""
	if led {
		q.withID(f.RequestID)
	}
	for _, c := range []struct {
		column    string
		dimension account.Dimension
		value     string
	}{
		{"session_id", bySession, f.Session},
		{"end_user", account.ByEndUser, f.EndUser},
		{"api_key", account.ByKey, f.KeyHash},
		{"key_alias", byKeyAlias, f.KeyAlias},
		{"user_id", account.ByUser, f.UserID},
		{"", account.ByTag, f.Tag},
		{"team_id", account.ByTeam, f.TeamID},
		{"model_id", account.ByDeployment, f.Deployment},
		{"model", account.ByModel, f.Model},
		{"model_group", account.ByGroup, f.Group},
		{"organization_id", account.ByOrganization, f.OrganizationID},
	} {
		switch {
		case c.value == "":
			continue
		case led:
			q.beside(&q.rest, c.column, c.value)
		default:
			q.lead(c.column, c.dimension, c.value)
		}
		led = true
	}
	if err := q.outcome(f, &led); err != nil {
		return q, err
	}
	q.cost(f, led)
	if f.RequestID != "" { // a few rows
		q.index, q.rest = q.all(), conditions{}
	}
	q.bounds(f)
	return q, nil
}

// cost adds the bounds of the cost. Slices that have no such row are passed over.
func (q *selection) cost(f *account.RowFilter, led bool) {
	if f.MinSpend == nil && f.MaxSpend == nil {
		return
	}
	bounded := q.d.Packed && !led
	if bounded {
		q.leadSlices(account.ByAll, "")
	}
	for _, bound := range []struct {
		amount      *account.Amount
		than, bound string
	}{{f.MinSpend, " >= ?", "most"}, {f.MaxSpend, " <= ?", "least"}} {
		if bound.amount == nil {
			continue
		}
		q.rest.add("spend_pico"+bound.than, int64(*bound.amount))
		if bounded {
			q.index.add("spend_slices."+bound.bound+bound.than, int64(*bound.amount))
		}
	}
}

// bounds adds those of the time.
func (q *selection) bounds(f *account.RowFilter) {
	if !q.d.Packed {
		if !f.From.IsZero() {
			q.index.add(q.at()+" >= ?", f.From.UnixMicro())
		}
		if !f.Until.IsZero() {
			q.index.add(q.at()+" < ?", f.Until.UnixMicro())
		}
		return
	}
	if !f.From.IsZero() {
		q.between(">=", "?", idAt(f.From.UnixMicro()), idAt(f.From.UnixMicro()))
	}
	if !f.Until.IsZero() {
		q.between("<", "?", idAt(f.Until.UnixMicro()), idAt(f.Until.UnixMicro()))
	}
}

// between adds a condition on ids, which compare with an expression, and one on the slices that can have such: those from or
// to that of the id near. Within a slice it must not choose where to begin, which a plus prevents: it would begin with the
// same row in each slice.
func (q *selection) between(than, expression string, near int64, args ...any) {
	if q.table != tableSlices {
		q.index.add("spend_logs.id "+than+" "+expression, args...)
		return
	}
	q.index.add("+spend_logs.id "+than+" "+expression, args...)
	q.index.add("spend_slices.slice "+than[:1]+"= ?", near>>sliceBits)
}

// outcome adds conditions on what came of a call. Failures and answers of the cache are found by themselves.
func (q *selection) outcome(f *account.RowFilter, led *bool) error {
	covered := !*led
	switch {
	case f.Status == "success":
		q.rest.add("error_kind IS NULL")
		covered = false
	case f.Status != "" && f.Status != "failure":
		return fmt.Errorf("there is no status %q", f.Status)
	case f.Status == "" && f.ErrorCode == "":
	case *led:
		q.rest.add("error_kind IS NOT NULL")
	default:
		if q.d.Packed {
			q.leadSlices(byFailure, "")
		}
		q.index.add("error_kind IS NOT NULL")
		*led = true
		covered = covered && f.MinSpend == nil && f.MaxSpend == nil && !q.d.Packed
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
		if q.d.Packed {
			q.leadSlices(byCacheHit, "")
		}
		q.index.add("cache_hit = 1")
		*led = true
		covered = false
	default:
		q.rest.add("cache_hit = " + strconv.FormatInt(flag(*f.CacheHit), 10))
		covered = false
	}
	q.covered = covered
	return nil
}
