package gateway

import (
	"encoding/base64"
	"encoding/json"
	"math/big"
	"strings"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/llm"
)

// maxRows is how many rows an answer without pages has at most, and how far rows are counted, as with LiteLLM.
const maxRows = 10_000

// rowFilter reads the filters of a query. Nobody sees more than he may, whatever he asks for.
func (r *spendRequest) rowFilter(datesNeeded bool) (f account.RowFilter, err *llm.Error) {
	q := r.query
	f = account.RowFilter{
		RequestID: q.Get("request_id"), KeyAlias: q.Get("key_alias"), UserID: q.Get("user_id"), TeamID: q.Get("team_id"), OrganizationID: q.Get("organization_id"),
		EndUser: q.Get("end_user"), Session: q.Get("session_id"), Tag: q.Get("tag"), Model: q.Get("model"), Group: q.Get("model_group"), Deployment: q.Get("model_id"),
		Status: q.Get("status_filter"), ErrorCode: q.Get("error_code"),
	}
	if f.Status == "" {
		f.Status = q.Get("status")
	}
	if f.Status != "" && f.Status != "success" && f.Status != "failure" {
		return f, llm.Invalid("status_filter", "status_filter must be success or failure")
	}
	if f.KeyHash, err = r.ownKey(); err != nil {
		return f, err
	}
	switch r.by {
	case account.ByUser:
		if f.UserID != "" && f.UserID != r.own {
			return f, r.adminOnly()
		}
		f.UserID = r.own
	case account.ByTeam:
		f.TeamID = r.own
	}
	switch hit := q.Get("cache_hit_filter"); hit {
	case "":
	case "hit", "miss":
		cached := hit == "hit"
		f.CacheHit = &cached
	default:
		return f, llm.Invalid("cache_hit_filter", "cache_hit_filter must be hit or miss")
	}
	if f.MinSpend, err = r.amount("min_spend"); err != nil {
		return f, err
	}
	if f.MaxSpend, err = r.amount("max_spend"); err != nil {
		return f, err
	}
	f.From, f.Until, err = r.dates(datesNeeded)
	return f, err
}

// amount reads USD, without a float.
func (r *spendRequest) amount(name string) (*account.Amount, *llm.Error) {
	text := r.query.Get(name)
	if text == "" {
		return nil, nil
	}
	value, ok := new(big.Rat).SetString(text)
	if !ok || len(text) > 40 || strings.Contains(text, "/") {
		return nil, llm.Invalid(name, name+" must be an amount in USD")
	}
	value.Mul(value, big.NewRat(1e12, 1))
	pico := new(big.Int).Quo(value.Num(), value.Denom())
	if !pico.IsInt64() {
		return nil, llm.Invalid(name, name+" is too large")
	}
	a := account.Amount(pico.Int64())
	return &a, nil
}

// records reads rows for an answer.
func (r *spendRequest) records(f account.RowFilter, p account.RowPage) (list []account.Record, failed *llm.Error) {
	err := r.x.server.Spend.Rows(r.x.r.Context(), f, p, func(record account.Record) error {
		list = append(list, record)
		return nil
	})
	if err == nil && f.RequestID != "" { // who asks for one call wants to know all of it
		err = r.x.server.Spend.Bodies(r.x.r.Context(), list)
	}
	if err != nil {
		return nil, r.failed(err)
	}
	return list, nil
}

func spendRows(records []account.Record) []spendRow {
	list := make([]spendRow, len(records))
	for i := range records {
		list[i] = newSpendRow(&records[i])
	}
	return list
}

// spendLogs answers /spend/logs: rows, or with dates and without summarize=false the spend of each day.
func (s *Server) spendLogs(r *spendRequest) (any, *llm.Error) {
	f, err := r.rowFilter(false)
	if err != nil {
		return nil, err
	}
	if r.wantsCSV() {
		return nil, r.exportRows(f, false)
	}
	if summarize := r.query.Get("summarize"); summarize != "false" && !f.From.IsZero() && !f.Until.IsZero() && f.RequestID == "" {
		return r.daySummary(f)
	}
	records, err := r.records(f, account.RowPage{Limit: maxRows})
	if err != nil {
		return nil, err
	}
	if len(records) == maxRows {
		r.x.w.Header().Set("X-Litellm-Spend-Logs-Truncated", "true")
	}
	return spendRows(records), nil
}

// daySummary is the spend of each day by key, user and model: made of sums where these know what is asked for, else of rows.
func (r *spendRequest) daySummary(f account.RowFilter) (any, *llm.Error) {
	d := daySums{}
	if simple := (account.RowFilter{KeyHash: f.KeyHash, UserID: f.UserID, From: f.From, Until: f.Until}); f != simple {
		err := r.x.server.Spend.Days(r.x.r.Context(), f, func(sum account.Sum) error {
			d.total(&sum)
			d.user(&sum)
			d.key(&sum, sum.Key)
			return nil
		})
		if err != nil {
			return nil, r.failed(err)
		}
	} else if err := r.addDays(d, f); err != nil {
		return nil, err
	}
	list := []map[string]any{}
	for at := f.From.UTC().Truncate(24 * time.Hour); at.Before(f.Until); at = at.Add(24 * time.Hour) {
		if d[day(at)] != nil || len(list) > 0 {
			list = append(list, d.of(at))
		}
	}
	return list, nil
}

// daySums are what days come to, by their dates.
type daySums map[string]map[string]any

func (d daySums) of(at time.Time) map[string]any {
	date := day(at)
	if d[date] == nil {
		d[date] = map[string]any{"startTime": date, "spend": usd(0), "users": map[string]usd{}, "models": map[string]usd{}}
	}
	return d[date]
}

func (d daySums) total(sum *account.Sum) {
	of := d.of(sum.At)
	total, _ := of["spend"].(usd)
	of["spend"] = total + usd(sum.Spend)
	addUSD(of["models"], sum.Model, sum.Spend)
}

func (d daySums) user(sum *account.Sum) {
	if sum.Value != "" {
		addUSD(d.of(sum.At)["users"], sum.Value, sum.Spend)
	}
}

func (d daySums) key(sum *account.Sum, id string) {
	if id != "" {
		total, _ := d.of(sum.At)[id].(usd)
		d.of(sum.At)[id] = total + usd(sum.Spend)
	}
}

// addDays adds the sums of a key, of a user, or of all.
func (r *spendRequest) addDays(d daySums, f account.RowFilter) *llm.Error {
	q := account.SumQuery{Dimension: account.ByAll, From: f.From, Until: f.Until, Split: account.Split{Time: true, Model: true}}
	users := account.SumQuery{Dimension: account.ByUser, From: f.From, Until: f.Until, Split: account.Split{Time: true, Value: true}, Key: f.KeyHash}
	keys := account.SumQuery{Dimension: account.ByKey, From: f.From, Until: f.Until, Split: account.Split{Time: true, Value: true}}
	switch {
	case f.UserID != "": // a user's rows by key and model
		q.Dimension, q.Values, q.Key = account.ByUser, []string{f.UserID}, f.KeyHash
		users.Values = q.Values
		keys = q
		keys.Split = account.Split{Time: true, Key: true}
	case f.KeyHash != "":
		q.Dimension, q.Values = account.ByKey, []string{f.KeyHash}
		keys.Values = q.Values
	}
	for i, query := range []account.SumQuery{q, users, keys} {
		sums, err := r.sums(query)
		if err != nil {
			return err
		}
		for j := range sums {
			switch sum := &sums[j]; i {
			case 0:
				d.total(sum)
			case 1:
				d.user(sum)
			default:
				d.key(sum, max(sum.Value, sum.Key))
			}
		}
	}
	return nil
}

func addUSD(to any, name string, a account.Amount) {
	if sums, ok := to.(map[string]usd); ok {
		sums[name] += usd(a)
	}
}

// logPage is a page of rows in LiteLLM's form; NextCursor is ours, and leads through any number of rows. Total is exact as far
// as rows can be counted at once, else TotalIsMin says that there may be more.
type logPage struct {
	Data       []spendRow `json:"data"`
	Total      int        `json:"total"`
	TotalIsMin bool       `json:"total_is_lower_bound,omitempty"`
	Page       int        `json:"page"`
	PageSize   int        `json:"page_size"`
	TotalPages int        `json:"total_pages"`
	NextCursor *string    `json:"next_cursor"`
}

// spendLogPages answers /spend/logs/v2.
func (s *Server) spendLogPages(r *spendRequest) (any, *llm.Error) {
	f, err := r.rowFilter(false)
	if err != nil {
		return nil, err
	}
	p, err := r.page()
	if err != nil {
		return nil, err
	}
	if r.wantsCSV() {
		return nil, r.exportRows(f, p.Ascending)
	}
	answer := logPage{PageSize: p.Limit, Page: p.Offset/p.Limit + 1}
	if p.Offset+p.Limit > maxRows {
		return nil, llm.Invalid("page", "the first 10000 rows have pages: send next_cursor of the page before as cursor")
	}
	p.Limit++ // one more says whether there is a next page
	records, err := r.records(f, p)
	if err != nil {
		return nil, err
	}
	seen, more := p.Offset+len(records), len(records) == p.Limit
	if more {
		records = records[:p.Limit-1]
		if p.Order == account.ByStart {
			answer.NextCursor = unsaid(cursorText(records[len(records)-1].Cursor()))
		}
	}
	answer.Data = spendRows(records)
	answer.Total = seen
	if more || p.After != nil || len(records) == 0 && p.Offset > 0 { // else this is the last page, and says how many there are
		n, whole, failed := s.Spend.CountRows(r.x.r.Context(), f, maxRows)
		if failed != nil {
			return nil, r.failed(failed)
		}
		answer.Total, answer.TotalIsMin = n, !whole
		if more || len(records) > 0 { // a count that ended early may be below what has been seen
			answer.Total = max(n, seen)
		}
	}
	answer.TotalPages = (answer.Total + answer.PageSize - 1) / answer.PageSize
	return answer, nil
}

// page reads page, page_size, cursor, sort_by and sort_order.
func (r *spendRequest) page() (p account.RowPage, err *llm.Error) {
	if p.Limit, err = r.number("page_size", 50, 1000); err != nil {
		return p, err
	}
	page, err := r.number("page", 1, maxRows)
	if err != nil {
		return p, err
	}
	p.Offset = (page - 1) * p.Limit
	p.Order = account.RowOrder(r.query.Get("sort_by"))
	switch p.Order {
	case "":
		p.Order = account.ByStart
	case account.ByStart, account.ByEnd, account.BySpend, account.ByTokens, account.ByDuration, account.ByModelID:
	default:
		return p, llm.Invalid("sort_by", "sort_by must be startTime, endTime, spend, total_tokens, request_duration_ms or model")
	}
	switch strings.ToLower(r.query.Get("sort_order")) {
	case "", "desc":
	case "asc":
		p.Ascending = true
	default:
		return p, llm.Invalid("sort_order", "sort_order must be asc or desc")
	}
	if text := r.query.Get("cursor"); text != "" {
		cursor, ok := parseCursor(text)
		if !ok || p.Order != account.ByStart || p.Offset > 0 {
			return p, llm.Invalid("cursor", "cursor must be the next_cursor of a page in the order of startTime, without page")
		}
		p.After = &cursor
	}
	return p, nil
}

// place is how a cursor is written.
type place struct {
	Start time.Time `json:"s"`
	Call  string    `json:"c"`
	Entry uint64    `json:"e"`
}

func cursorText(c account.RowCursor) string {
	data, err := json.Marshal(place{c.Start, c.CallID, c.Entry})
	if err != nil { // a time of another age
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(data)
}

func parseCursor(text string) (account.RowCursor, bool) {
	var p place
	data, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || json.Unmarshal(data, &p) != nil {
		return account.RowCursor{}, false
	}
	return account.RowCursor{Start: p.Start, CallID: p.Call, Entry: p.Entry}, true
}
