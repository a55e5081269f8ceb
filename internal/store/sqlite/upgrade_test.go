package sqlite

import (
	"database/sql"
	"os"
	"path/filepath"
	"testing"

	"github.com/outcrop-ai/outcrop/internal/account"
)

// TestOldFilesAreUpgraded: a file of the first two versions of the schema keeps its rows, and reports count them.
func TestOldFilesAreUpgraded(t *testing.T) {
	directory := t.TempDir()
	db, err := sql.Open("sqlite", dsn(filepath.Join(directory, fileName), "immediate"))
	if err != nil {
		t.Fatal(err)
	}
	run := func(statement string) {
		t.Helper()
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	run("CREATE TABLE schema_version (version INTEGER PRIMARY KEY, applied_at INTEGER NOT NULL)")
	for i, name := range []string{"0001_spend_logs.sql", "0002_units_and_tries.sql"} {
		text, err := os.ReadFile(filepath.Join("..", "relational", "migrations", name))
		if err != nil {
			t.Fatal(err)
		}
		run(string(text))
		if _, err := db.ExecContext(t.Context(), "INSERT INTO schema_version VALUES (?, 0)", i+1); err != nil {
			t.Fatal(err)
		}
	}
	run(`INSERT INTO spend_logs (litellm_call_id, entry, api_key, end_user, request_tags, model, model_group, input_tokens, cache_read_tokens, cache_write_5m_tokens,
		cache_write_1h_tokens, completion_tokens, reasoning_tokens, total_tokens, cache_split, usage_source, spend_pico, http_status, stream, client_closed, startTime, endTime, upstream_us, own_us)
		VALUES ('a', 1, 'k', 'e', '["x","y"]', 'm', 'g', 1, 2, 3, 4, 5, 0, 15, 0, 'aws', 7, 200, 0, 0, 1785585600000000, 1785585601000000, 0, 0),
		('b', 2, 'k', NULL, NULL, 'm', 'g', 1, 0, 0, 0, 0, 0, 1, 0, 'aws', NULL, 200, 0, 0, 1785585700000000, 1785585701000000, 0, 0)`)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	s := open(t, directory)
	rows, err := s.Recent(t.Context(), 10)
	if err != nil || len(rows) != 2 {
		t.Fatalf("got %v, %v", rows, err)
	}
	equal(t, rows[1].Usage.CacheWrite1h, 4)
	appendRows(t, s, account.Record{CallID: "c", KeyHash: "k", Model: "m", Group: "g", Start: rows[0].Start, End: rows[0].End, Cost: 3, CostKnown: true})
	if _, err := s.Spent(t.Context(), nil); err != nil { // who asks for sums has them brought up to date
		t.Fatal(err)
	}
	f := func(where, want string) {
		t.Helper()
		equal(t, one(t, s, "SELECT sum(requests) || ' ' || sum(spend_pico) || ' ' || sum(unpriced) || ' ' || sum(total_tokens) || ' ' || sum(cache_write_tokens) FROM spend_rollups WHERE "+where), want)
	}
	f("span = 'day' AND dimension = 'all'", "3 10 1 16 7")
	f("span = 'hour' AND dimension = 'all'", "3 10 1 16 7")
	f("span = 'day' AND dimension = 'key' AND value = 'k'", "3 10 1 16 7")
	f("span = 'day' AND dimension = 'tag' AND value = 'x'", "1 7 0 15 7")
	f("span = 'day' AND dimension = 'end_user' AND value = 'e'", "1 7 0 15 7")
	found := func(filter account.RowFilter, want string) {
		t.Helper()
		var calls string
		if err := s.Rows(t.Context(), filter, account.RowPage{Limit: 10}, func(r account.Record) error { calls += r.CallID; return nil }); err != nil {
			t.Fatal(err)
		}
		equal(t, calls, want)
	}
	found(account.RowFilter{}, "bca")
	found(account.RowFilter{KeyHash: "k"}, "bca")
	found(account.RowFilter{Tag: "x"}, "a")
	found(account.RowFilter{EndUser: "e"}, "a")
	found(account.RowFilter{RequestID: "b"}, "b")
	// A record of the log that was in the old table is the row that it was.
	appendRows(t, s, account.Record{CallID: "a", Entry: 1, Start: rows[1].Start})
	found(account.RowFilter{}, "bca")
}
