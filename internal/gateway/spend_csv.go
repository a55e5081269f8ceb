package gateway

import (
	"encoding/csv"
	"net/http"
	"strings"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/llm"
)

// wantsCSV reports whether the caller asked for CSV, by ?format=csv or by the header Accept.
func (r *spendRequest) wantsCSV() bool {
	if format := r.query.Get("format"); format != "" {
		return strings.EqualFold(format, "csv")
	}
	for part := range strings.SplitSeq(r.x.r.Header.Get("Accept"), ",") {
		kind, _, _ := strings.Cut(part, ";")
		if strings.EqualFold(strings.TrimSpace(kind), "text/csv") {
			return true
		}
	}
	return false
}

// csvWriter writes CSV as it comes, so that an export of any length needs no memory.
type csvWriter struct {
	x     *exchange
	file  string
	head  []string
	lines *csv.Writer
}

func (r *spendRequest) csv(file string, head ...string) *csvWriter {
	return &csvWriter{x: r.x, file: file, head: head}
}

// begin writes the head. It waits for the first line, so that what fails at once is an error as any other.
func (w *csvWriter) begin() {
	if w.lines != nil {
		return
	}
	h := w.x.w.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8")
	h.Set("Content-Disposition", `attachment; filename="`+w.file+`.csv"`)
	h.Set("Cache-Control", "no-store")
	w.x.status = http.StatusOK
	w.x.w.WriteHeader(http.StatusOK)
	w.lines = csv.NewWriter(w.x.w)
	_ = w.lines.Write(w.head) // the end looks for errors
}

// line writes one line. What a spreadsheet would take for a formula is made text.
func (w *csvWriter) line(values ...string) error {
	w.begin()
	for i, v := range values {
		if v != "" && strings.IndexByte("=+-@\t\r", v[0]) >= 0 {
			values[i] = "'" + v
		}
	}
	return w.lines.Write(values)
}

func (w *csvWriter) end() error {
	w.begin()
	w.lines.Flush()
	return w.lines.Error()
}

// exportPage is how many rows an export reads at once: no query is long, and nothing is held for a slow client.
const exportPage = 1000

// exportRows writes all rows of a filter, page by page.
func (r *spendRequest) exportRows(f account.RowFilter, ascending bool) *llm.Error {
	w := r.csv("spend-logs", rowColumns()...)
	page := account.RowPage{Limit: exportPage, Ascending: ascending}
	for {
		rows := make([]account.Record, 0, exportPage)
		err := r.x.server.Spend.Rows(r.x.r.Context(), f, page, func(record account.Record) error {
			rows = append(rows, record)
			return nil
		})
		if err != nil {
			return r.failed(err)
		}
		for i := range rows {
			if err := w.line(rowValues(&rows[i])...); err != nil {
				return &llm.Error{Kind: llm.KindCanceled, Message: "the client has gone"}
			}
		}
		if len(rows) < exportPage {
			break
		}
		cursor := rows[len(rows)-1].Cursor()
		page.After = &cursor
	}
	if w.end() != nil {
		return &llm.Error{Kind: llm.KindCanceled, Message: "the client has gone"}
	}
	return nil
}

// exportSums writes sums. dimension is the head of the column of their values.
func (r *spendRequest) exportSums(file, dimension string, list []account.Sum) *llm.Error {
	w := r.csv(file, "date", dimension, "api_key", "model", "model_group", "spend", "requests", "failed_requests", "unpriced_requests", "cache_hits", "prompt_tokens", "cache_read_tokens", "cache_write_tokens", "completion_tokens", "total_tokens")
	for i := range list {
		s := &list[i]
		date := ""
		if !s.At.IsZero() {
			date = day(s.At)
		}
		if err := w.line(
			date, s.Value, s.Key, s.Model, s.Group, s.Spend.String(), count(s.Requests), count(s.Failures), count(s.Unpriced), count(s.CacheHits),
			count(s.Prompt()), count(s.CacheRead), count(s.CacheWrite), count(s.Completion), count(s.Total),
		); err != nil {
			break
		}
	}
	if w.end() != nil {
		return &llm.Error{Kind: llm.KindCanceled, Message: "the client has gone"}
	}
	return nil
}

func day(t time.Time) string { return t.UTC().Format(dateForm) }
