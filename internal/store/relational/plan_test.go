package relational_test

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/internal/store/relational"
	"github.com/outcrop-ai/outcrop/internal/store/sqlite"
)

// plan is how SQLite would run a query, a step a line.
func plan(t *testing.T, db *sql.DB, query string, args []any) string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query, args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	var steps []string
	for rows.Next() {
		var id, parent, unused int
		var step string
		if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
			t.Fatal(err)
		}
		steps = append(steps, step)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return strings.Join(steps, "\n")
}

// TestNoQueryLooksAtEverything: pages of rows are found by an index in their order, and reports by their days.
func TestNoQueryLooksAtEverything(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	s, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	begin := time.Unix(1785542400, 0)
	cursor := account.RowCursor{Start: begin, CallID: "a"}
	page := func(f account.RowFilter, index string) {
		t.Helper()
		for _, p := range []account.RowPage{{Limit: 50}, {Limit: 50, After: &cursor}, {Limit: 50, Ascending: true}} {
			for _, dates := range []bool{false, true} {
				if dates {
					f.From, f.Until = begin, begin.AddDate(0, 1, 0)
				}
				query, args, err := relational.PageQuery(f, p)
				if err != nil {
					t.Fatal(err)
				}
				got := plan(t, db, query, args)
				counted, args, err := relational.CountQuery(f)
				if err != nil {
					t.Fatal(err)
				}
				unbound := f == account.RowFilter{} // the first rows of any index
				if by := plan(t, db, counted, args); !unbound && !strings.Contains(by, strings.TrimPrefix(index, "INDEX ")) || strings.Contains(by, "TEMP B-TREE") {
					t.Errorf("%+v is counted by\n%s", f, by)
				}
				if !strings.Contains(got, index) || strings.Contains(got, "USE TEMP B-TREE FOR ORDER BY") || strings.Contains(got, "SCAN spend_logs\n") || strings.HasSuffix(got, "SCAN spend_logs") {
					t.Errorf("%+v %+v: want %s, got\n%s", f, p, index, got)
				}
			}
		}
	}
	page(account.RowFilter{}, "INDEX spend_logs_time")
	page(account.RowFilter{KeyHash: "k"}, "INDEX spend_logs_key (api_key=?")
	page(account.RowFilter{UserID: "u"}, "INDEX spend_logs_user (user_id=?")
	page(account.RowFilter{TeamID: "t"}, "INDEX spend_logs_team (team_id=?")
	page(account.RowFilter{EndUser: "e"}, "INDEX spend_logs_end_user (end_user=?")
	page(account.RowFilter{Session: "s"}, "INDEX spend_logs_session (session_id=?")
	page(account.RowFilter{Group: "g"}, "INDEX spend_logs_group (model_group=?")
	page(account.RowFilter{Status: "failure"}, "INDEX spend_logs_failures")
	page(account.RowFilter{Tag: "t"}, "spend_log_tags USING PRIMARY KEY (tag=?")
	page(account.RowFilter{KeyAlias: "a"}, "INDEX spend_logs_key_alias (key_alias=?")
	page(account.RowFilter{OrganizationID: "o"}, "INDEX spend_logs_organization (organization_id=?")
	page(account.RowFilter{Model: "m"}, "INDEX spend_logs_model (model=?")
	page(account.RowFilter{Deployment: "d"}, "INDEX spend_logs_deployment (model_id=?")
	page(account.RowFilter{ErrorCode: "429"}, "INDEX spend_logs_failures")
	page(account.RowFilter{CacheHit: new(true)}, "INDEX spend_logs_hits")
	page(account.RowFilter{CacheHit: new(false)}, "INDEX spend_logs_time")
	page(account.RowFilter{Status: "success"}, "INDEX spend_logs_time")
	page(account.RowFilter{MinSpend: new(account.Amount(1)), MaxSpend: new(account.Amount(2))}, "INDEX spend_logs_time")

	// Of several values, the one leads that the fewest rows have.
	page(account.RowFilter{UserID: "u", Group: "g", OrganizationID: "o"}, "INDEX spend_logs_user (user_id=?")
	page(account.RowFilter{KeyHash: "k", TeamID: "t", Model: "m", Status: "failure", CacheHit: new(true)}, "INDEX spend_logs_key (api_key=?")
	page(account.RowFilter{EndUser: "e", KeyHash: "k", Tag: "t"}, "INDEX spend_logs_end_user (end_user=?")
	page(account.RowFilter{Tag: "t", TeamID: "t", Deployment: "d", MinSpend: new(account.Amount(1))}, "spend_log_tags USING PRIMARY KEY (tag=?")
	page(account.RowFilter{Deployment: "d", Status: "failure"}, "INDEX spend_logs_deployment (model_id=?")

	query, args, err := relational.PageQuery(account.RowFilter{RequestID: "a"}, account.RowPage{Limit: 50})
	if err != nil {
		t.Fatal(err)
	}
	if got := plan(t, db, query, args); !strings.Contains(got, "INDEX spend_logs_request") || !strings.Contains(got, "litellm_call_id=?") {
		t.Errorf("got\n%s", got)
	}

	report := func(q account.SumQuery, want string) {
		t.Helper()
		query, args, err := relational.SumQuery(q)
		if err != nil {
			t.Fatal(err)
		}
		if got := plan(t, db, query, args); !strings.Contains(got, want) {
			t.Errorf("%+v: want %s, got\n%s", q, want, got)
		}
	}
	month := account.SumQuery{Dimension: account.ByTeam, From: begin, Until: begin.AddDate(0, 1, 0), Split: account.Split{Time: true, Value: true}}
	report(month, "PRIMARY KEY (span=? AND dimension=? AND at>? AND at<?)")
	month.Values = []string{"a", "b"} // a month of a dimension is small enough to be looked through
	report(month, "PRIMARY KEY (span=? AND dimension=? AND at>? AND at<?)")
}
