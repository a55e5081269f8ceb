package relational_test

import (
	"database/sql"
	"path/filepath"
	"slices"
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

// found reports whether a plan looks at the slices of a value, which stands behind its dimension, and at their rows alone, or,
// without a value, at rows by their place.
func found(plan, by string, args []any) bool {
	const rows = "spend_rows USING INTEGER PRIMARY KEY (rowid"
	if by == "" {
		return !strings.Contains(plan, "spend_slices") && (strings.Contains(plan, rows) || strings.Contains(plan, "SCAN spend_rows"))
	}
	dimension, value, _ := strings.Cut(by, " ")
	led := strings.Contains(plan, "spend_slices USING PRIMARY KEY (hash=?") && slices.Contains(args, any(relational.ValueHash(account.Dimension(dimension), value)))
	return led && !strings.Contains(plan, "SCAN spend")
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
	page := func(f account.RowFilter, by string) {
		t.Helper()
		for _, p := range []account.RowPage{{Limit: 50}, {Limit: 50, After: &cursor}, {Limit: 50, Ascending: true}} {
			for _, dates := range []bool{false, true} {
				if dates {
					f.From, f.Until = begin.Add(1), begin.AddDate(0, 1, 0)
				}
				query, args, err := relational.PageQuery(f, p)
				if err != nil {
					t.Fatal(err)
				}
				unbound := f == account.RowFilter{} && p.After == nil // the first rows of the table
				if got := plan(t, db, query, args); !unbound && !found(got, by, args) || strings.Contains(got, "TEMP B-TREE") {
					t.Errorf("%+v %+v: want %s, got\n%s", f, p, by, got)
				}
				query, args, err = relational.CountQuery(f)
				if err != nil {
					t.Fatal(err)
				}
				if got := plan(t, db, query, args); !unbound && !found(got, by, args) || strings.Contains(got, "TEMP B-TREE") {
					t.Errorf("%+v is counted by\n%s", f, got)
				}
			}
		}
	}
	page(account.RowFilter{}, "")
	page(account.RowFilter{KeyHash: "k"}, "key k")
	page(account.RowFilter{UserID: "u"}, "user u")
	page(account.RowFilter{TeamID: "t"}, "team t")
	page(account.RowFilter{EndUser: "e"}, "end_user e")
	page(account.RowFilter{Session: "s"}, "session s")
	page(account.RowFilter{Group: "g"}, "group g")
	page(account.RowFilter{Status: "failure"}, "failure ")
	page(account.RowFilter{Tag: "t"}, "tag t")
	page(account.RowFilter{KeyAlias: "a"}, "key_alias a")
	page(account.RowFilter{OrganizationID: "o"}, "organization o")
	page(account.RowFilter{Model: "m"}, "model m")
	page(account.RowFilter{Deployment: "d"}, "deployment d")
	page(account.RowFilter{ErrorCode: "429"}, "failure ")
	page(account.RowFilter{CacheHit: new(true)}, "cache_hit ")
	page(account.RowFilter{CacheHit: new(false)}, "")
	page(account.RowFilter{Status: "success"}, "")
	page(account.RowFilter{MinSpend: new(account.Amount(1)), MaxSpend: new(account.Amount(2))}, "all ")

	// Of several values, the one leads that the fewest rows have.
	page(account.RowFilter{UserID: "u", Group: "g", OrganizationID: "o"}, "user u")
	page(account.RowFilter{KeyHash: "k", TeamID: "t", Model: "m", Status: "failure", CacheHit: new(true)}, "key k")
	page(account.RowFilter{EndUser: "e", KeyHash: "k", Tag: "t"}, "end_user e")
	page(account.RowFilter{Tag: "t", TeamID: "t", Deployment: "d", MinSpend: new(account.Amount(1))}, "tag t")
	page(account.RowFilter{Deployment: "d", Status: "failure"}, "deployment d")

	query, args, err := relational.PageQuery(account.RowFilter{RequestID: "a"}, account.RowPage{Limit: 50})
	if err != nil {
		t.Fatal(err)
	}
	if got := plan(t, db, query, args); strings.Contains(got, "SCAN") || !strings.Contains(got, "spend_ids USING PRIMARY KEY (hash=?)") {
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
