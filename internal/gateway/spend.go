package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/internal/secret"
	"github.com/outcrop-ai/outcrop/internal/telemetry"
	"github.com/outcrop-ai/outcrop/llm"
)

// spendRoutes are the routes on which the book is read. Who is no administrator sees what his own key has spent.
func spendRoutes() []Route {
	get := func(path string, serve func(*Server, *spendRequest) (any, *llm.Error)) Route {
		return Route{http.MethodGet, path, NeedsKey, spend(serve)}
	}
	return []Route{
		get("/spend/logs", (*Server).spendLogs),
		get("/spend/logs/v2", (*Server).spendLogPages),
		get("/spend/keys", (*Server).spendKeys),
		get("/spend/users", (*Server).spendUsers),
		get("/spend/tags", (*Server).spendTags),
		get("/global/spend", (*Server).globalSpend),
		get("/global/spend/keys", (*Server).topKeys),
		get("/global/spend/models", (*Server).topModels),
		get("/global/spend/teams", (*Server).spendByTeam),
		get("/global/spend/tags", (*Server).globalTags),
		get("/global/spend/all_tag_names", (*Server).tagNames),
		get("/global/spend/logs", (*Server).spendByDay),
		get("/global/spend/provider", (*Server).spendByProvider),
		get("/global/spend/report", (*Server).spendReport),
		get("/global/activity", (*Server).activity),
		get("/global/activity/model", (*Server).activityByModel),
		get("/user/daily/activity", dailyActivity(account.ByUser, "user_id")),
		get("/team/daily/activity", dailyActivity(account.ByTeam, "team_ids")),
		get("/organization/daily/activity", dailyActivity(account.ByOrganization, "organization_ids")),
		get("/tag/daily/activity", dailyActivity(account.ByTag, "tags")),
		get("/customer/daily/activity", dailyActivity(account.ByEndUser, "end_user_ids")),
		get("/end_user/daily/activity", dailyActivity(account.ByEndUser, "end_user_ids")),
		{http.MethodPost, "/global/spend/reset", NeedsAdmin, (*Server).resetSpend},
		{http.MethodPost, "/spend/calculate", NeedsKey, (*Server).calculateSpend},
	}
}

// spendRequest is a question about the book.
type spendRequest struct {
	x     *exchange
	query url.Values
	// by and own are whose spend the caller may see: his key's, his user's, or that of a team that he leads and asks for. Empty
	// is everybody's.
	by  account.Dimension
	own string
}

// spend serves a route of the book.
func spend(serve func(*Server, *spendRequest) (any, *llm.Error)) func(*Server, *exchange) {
	return func(s *Server, x *exchange) {
		r := &spendRequest{x: x}
		if err := s.openBook(r); err != nil {
			x.fail(err)
			return
		}
		answer, err := serve(s, r)
		switch {
		case err != nil && x.status != 0: // a stream has begun: only a broken connection tells that it is not whole
			x.failure, x.cut = err, true
		case err != nil:
			x.fail(err)
		case answer != nil:
			x.writeJSON(answer)
		}
	}
}

// writeJSON answers with what nobody on the way may keep.
func (x *exchange) writeJSON(v any) {
	data, err := json.Marshal(v)
	if err != nil {
		x.fail(asError(err))
		return
	}
	x.w.Header().Set("Cache-Control", "no-store")
	x.write(http.StatusOK, data)
}

// openBook says what of the book the caller may see.
func (s *Server) openBook(r *spendRequest) *llm.Error {
	if s.Spend == nil {
		return &llm.Error{Kind: llm.KindUnavailable, Code: "no_database", Message: "no spend is recorded: the database could not be opened"}
	}
	query, err := url.ParseQuery(r.x.r.URL.RawQuery)
	if err != nil {
		return llm.Invalid("query", "the query cannot be read")
	}
	r.query = query
	caller := &r.x.call.Caller
	if caller.Admin() || caller.Role == account.Viewer {
		return nil
	}
	teams := slices.Concat(r.list("team_id"), r.list("team_ids"))
	switch {
	case caller.KeyHash == "":
		return &llm.Error{
			Kind: llm.KindPermission, HTTPStatus: http.StatusForbidden, Code: "admin_only",
			Message: "Spend is shown to holders of keys: set general_settings.master_key and send it as a bearer token",
		}
	case len(teams) == 1 && s.Admin != nil && s.Admin.Directory.Leads(caller, teams[0]):
		r.by, r.own = account.ByTeam, teams[0]
	case caller.UserID != "":
		r.by, r.own = account.ByUser, caller.UserID
	default:
		r.by, r.own = account.ByKey, caller.KeyHash
	}
	return nil
}

// failed is what a client is told when the database does not answer.
func (r *spendRequest) failed(err error) *llm.Error {
	if errors.Is(err, context.Canceled) && r.x.r.Context().Err() != nil {
		return &llm.Error{Kind: llm.KindCanceled, Message: "the client has gone"}
	}
	if known, ok := errors.AsType[*llm.Error](err); ok {
		return known
	}
	r.x.server.Logger.Warn("the book of spend cannot be read", telemetry.FieldCallID, r.x.call.ID, "error", err)
	return &llm.Error{Kind: llm.KindUnavailable, Code: "database_unavailable", Message: "the database does not answer: try again"}
}

// adminOnly refuses those who see their own spend only.
func (r *spendRequest) adminOnly() *llm.Error {
	if r.by == "" {
		return nil
	}
	return &llm.Error{Kind: llm.KindPermission, HTTPStatus: http.StatusForbidden, Code: "admin_only", Message: "Only an administrator sees the spend of others"}
}

// hashed is the digest of a key that was given as its text or its digest.
func hashed(key string) string {
	if strings.HasPrefix(key, "sk-") {
		return account.HashKey(secret.New(key))
	}
	return key
}

// ownKey is the key that a query names (api_key), or the caller's own where he may see no other. Who sees a user's or a team's
// spend sees of any key what it has spent for them.
func (r *spendRequest) ownKey() (string, *llm.Error) {
	asked := hashed(r.query.Get("api_key"))
	switch {
	case r.by != account.ByKey:
		return asked, nil
	case asked != "" && asked != r.own:
		return "", r.adminOnly()
	default:
		return r.own, nil
	}
}

// The forms of dates. One without a time is a whole day in UTC.
const dateForm = "2006-01-02"

// date reads a date or time of the query, zero when it is not there. The end of a day is the beginning of the next.
func (r *spendRequest) date(name string, end bool) (time.Time, *llm.Error) {
	text := strings.TrimSpace(r.query.Get(name))
	if text == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(dateForm, text); err == nil {
		if end {
			t = t.AddDate(0, 0, 1)
		}
		return t, nil
	}
	for _, form := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", time.DateTime} {
		if t, err := time.Parse(form, text); err == nil {
			if end {
				t = t.Add(time.Second) // the second is meant whole
			}
			return t.UTC(), nil
		}
	}
	return time.Time{}, llm.Invalid(name, name+" must be a date (2026-08-01) or a time (2026-08-01 12:00:00)")
}

// dates reads start_date and end_date. Where they are needed, both must be there.
func (r *spendRequest) dates(needed bool) (from, until time.Time, err *llm.Error) {
	if from, err = r.date("start_date", false); err != nil {
		return from, until, err
	}
	if until, err = r.date("end_date", true); err != nil {
		return from, until, err
	}
	if needed {
		const message = "start_date and end_date must be given"
		if from.IsZero() {
			return from, until, llm.Invalid("start_date", message)
		}
		if until.IsZero() {
			return from, until, llm.Invalid("end_date", message)
		}
	}
	if !from.IsZero() && !until.IsZero() && !from.Before(until) {
		return from, until, llm.Invalid("end_date", "end_date is before start_date")
	}
	return from, until, nil
}

// lastMonth is the time that reports without dates are about: the last 30 days.
func lastMonth() time.Time { return time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -30) }

// number reads a whole number of the query within bounds.
func (r *spendRequest) number(name string, fallback, highest int) (int, *llm.Error) {
	text := r.query.Get(name)
	if text == "" {
		return fallback, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > highest {
		return 0, llm.Invalid(name, name+" must be a number from 1 to "+strconv.Itoa(highest))
	}
	return n, nil
}

// list reads names with commas between them, or a parameter that is there several times.
func (r *spendRequest) list(name string) (values []string) {
	for _, text := range append(r.query[name], r.query[name+"[]"]...) {
		for v := range strings.SplitSeq(text, ",") {
			if v = strings.TrimSpace(v); v != "" && !slices.Contains(values, v) {
				values = append(values, v)
			}
		}
	}
	return values
}

// sums reads all sums that a query finds.
func (r *spendRequest) sums(q account.SumQuery) (list []account.Sum, failed *llm.Error) {
	err := r.x.server.Spend.Sums(r.x.r.Context(), q, func(sum account.Sum) error {
		list = append(list, sum)
		return nil
	})
	if err != nil {
		return nil, r.failed(err)
	}
	if r.keysOf(&q) { // the keys of a user or team are what was asked for
		for i := range list {
			list[i].Value = list[i].Key
		}
	}
	return list, nil
}

// owners finds entities by their ids.
func (r *spendRequest) owners(kind account.EntityKind, ids []string) (map[string]account.Entity, *llm.Error) {
	list, err := r.x.server.Spend.Find(r.x.r.Context(), kind, ids)
	if err != nil {
		return nil, r.failed(err)
	}
	found := make(map[string]account.Entity, len(list))
	for _, e := range list {
		found[e.ID] = e
	}
	return found, nil
}

// usd is money in JSON: USD, with all of its decimals, never a float.
type usd account.Amount

// MarshalJSON implements json.Marshaler.
func (u usd) MarshalJSON() ([]byte, error) { return []byte(account.Amount(u).String()), nil }

// unsaid is null for an empty text.
func unsaid(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
