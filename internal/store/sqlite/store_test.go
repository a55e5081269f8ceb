package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/llm"
	"go.uber.org/goleak"
)

// fileName is what the tests call their database.
const fileName = "outcrop.db"

// childDirectory is set for a test binary that is run as a second process.
const childDirectory = "OUTCROP_TEST_STORE"

func TestMain(m *testing.M) {
	if directory := os.Getenv(childDirectory); directory != "" {
		if err := writeMany(directory, os.Getenv(childDirectory+"_NAME")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

func open(t *testing.T, directory string) *Store {
	t.Helper()
	s, err := Open(t.Context(), filepath.Join(directory, fileName))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func appendRows(t *testing.T, s *Store, records ...account.Record) {
	t.Helper()
	if err := s.Append(t.Context(), records); err != nil {
		t.Fatal(err)
	}
}

func recent(t *testing.T, s *Store, limit int) []account.Record {
	t.Helper()
	records, err := s.Recent(t.Context(), limit)
	if err != nil {
		t.Fatal(err)
	}
	return records
}

// one reads a single value.
func one(t *testing.T, s *Store, query string) string {
	t.Helper()
	var v sql.NullString
	if err := s.db.QueryRowContext(t.Context(), query).Scan(&v); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	if !v.Valid {
		return "NULL"
	}
	return v.String
}

func equal[T comparable](t *testing.T, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// fullRecord has something in every field.
func fullRecord() account.Record {
	start := time.Date(2026, 8, 1, 12, 0, 0, 123456000, time.UTC)
	r := account.Record{
		CallID: "call", Entry: 1<<64 - 1, RequestID: "chatcmpl-1", Type: "acompletion", Path: "/v1/chat/completions",
		KeyHash: account.MasterKeyHash, User: "u'1\x00é", Tags: []string{"a", `b"`},
		Asked: "claude", Group: "group", Deployment: "d1", Model: "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
		Region: "us-east-1", Route: "converse", Tier: "default",
		Usage: llm.Usage{
			Input: 1000, Output: 500, CacheRead: 2000, CacheWrite5m: 3000, CacheWrite1h: 4000, Reasoning: 100, Total: 10500, CacheSplit: true, Estimated: true,
			Images: 2, Queries: 3, Made: 4,
		},
		UsageSource: account.UsageEstimated, Cost: 46_350_000_001, CostKnown: true, PriceKey: "p", PriceVersion: "v",
		Status: 200, AWSRequestID: "aws-1", Stream: true, ClientClosed: true,
		Tries:  "d0;status=429",
		Losses: []llm.Loss{{Path: "seed", Why: "unsupported"}},
		Start:  start, FirstToken: start.Add(250 * time.Millisecond), End: start.Add(1500 * time.Millisecond),
		Upstream: 1498766 * time.Microsecond, Own: 1234 * time.Microsecond,
	}
	r.SetError(&llm.Error{Kind: llm.KindUpstream, Code: "c", Message: "m", AWSType: "X"})
	return r
}

func TestEveryFieldComesBack(t *testing.T) {
	full := fullRecord()
	for i := range reflect.TypeFor[account.Record]().NumField() {
		if reflect.ValueOf(full).Field(i).IsZero() {
			t.Errorf("the test's record lacks %s", reflect.TypeFor[account.Record]().Field(i).Name)
		}
	}
	bare := account.Record{CallID: "bare", Start: full.Start, End: full.End}
	free := account.Record{CallID: "free", CostKnown: true, UsageSource: account.UsageAWS, Start: full.Start, End: full.End}
	s := open(t, t.TempDir())
	appendRows(t, s, full, bare, free)
	if got := recent(t, s, 10); !reflect.DeepEqual(got, []account.Record{free, bare, full}) {
		t.Errorf("got  %+v\nwant %+v", got, []account.Record{free, bare, full})
	}
	equal(t, len(recent(t, s, 2)), 2)
	if got, err := s.ByCallID(t.Context(), "call"); err != nil || !reflect.DeepEqual(got, []account.Record{full}) {
		t.Errorf("got %+v, %v", got, err)
	}
	if got, err := s.ByCallID(t.Context(), "nobody's"); err != nil || len(got) != 0 {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestColumnsThatPeopleRead(t *testing.T) {
	s := open(t, t.TempDir())
	appendRows(t, s, fullRecord(), account.Record{CallID: "bare", Start: time.UnixMicro(5), End: time.UnixMicro(5)})
	f := func(id, column, want string) {
		t.Helper()
		equal(t, column+" "+one(t, s, "SELECT "+column+" FROM spend_logs WHERE litellm_call_id = '"+id+"'"), column+" "+want)
	}
	f("call", "spend_pico", "46350000001")
	f("call", "spend", "0.046350000001")
	f("call", "prompt_tokens", "10000")
	f("call", "total_tokens", "10500")
	f("call", "status", "failure")
	f("call", "request_duration_ms", "1500")
	f("call", "startTime", "1785585600123456")
	f("call", "completionStartTime", "1785585600373456")
	f("call", "api_key", account.MasterKeyHash)
	f("call", "model_id", "d1")
	f("call", "model_group", "group")
	f("call", "request_tags", `["a","b\""]`)
	f("call", "custom_llm_provider", "bedrock")
	f("bare", "spend_pico", "NULL")
	f("bare", "spend", "NULL")
	f("bare", "status", "success")
	f("bare", "usage_source", "none")
	f("bare", "completionStartTime", "NULL")
	f("bare", "request_tags", "NULL")
}

func TestRowsAreWrittenOnce(t *testing.T) {
	s := open(t, t.TempDir())
	a, b := account.Record{CallID: "a", Entry: 1}, account.Record{CallID: "b", Entry: 2}
	appendRows(t, s, a, b)
	changed := a
	changed.Model = "other"
	appendRows(t, s, changed, b, account.Record{CallID: "c", Entry: 3})
	equal(t, one(t, s, "SELECT group_concat(litellm_call_id) FROM (SELECT * FROM spend_logs ORDER BY rowid)"), "a,b,c")
	equal(t, one(t, s, "SELECT count(*) FROM spend_logs WHERE model IS NULL"), "3")

	// A client that uses one id for many calls pays for each.
	appendRows(t, s, account.Record{CallID: "a", Entry: 4})
	equal(t, one(t, s, "SELECT count(*) FROM spend_logs WHERE litellm_call_id = 'a'"), "2")
	appendRows(t, s)
	equal(t, one(t, s, "SELECT count(*) FROM spend_logs"), "4")
}

func TestBatchIsWrittenWholeOrNotAtAll(t *testing.T) {
	s := open(t, t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Append(ctx, []account.Record{{CallID: "a"}}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if _, err := s.db.ExecContext(t.Context(), `CREATE TRIGGER bad BEFORE INSERT ON spend_logs WHEN new.litellm_call_id = 'b'
		BEGIN SELECT raise(ABORT, 'no b'); END`); err != nil {
		t.Fatal(err)
	}
	err := s.Append(t.Context(), []account.Record{{CallID: "a"}, {CallID: "b"}, {CallID: "c"}})
	if err == nil || !strings.Contains(err.Error(), "no b") || !strings.Contains(err.Error(), s.Path()) {
		t.Errorf("got %v", err)
	}
	equal(t, one(t, s, "SELECT count(*) FROM spend_logs"), "0")
	appendRows(t, s, account.Record{CallID: "c"}) // the store goes on
}

func TestReopen(t *testing.T) {
	directory := filepath.Join(t.TempDir(), "with space & ?a=b#c%20é")
	if err := os.Mkdir(directory, 0o700); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		s, err := Open(t.Context(), filepath.Join(directory, fileName))
		if err != nil {
			t.Fatal(err)
		}
		equal(t, one(t, s, "SELECT count(*) FROM spend_logs"), fmt.Sprint(i))
		equal(t, one(t, s, "SELECT max(version) || ' ' || count(*) FROM schema_version"), "2 2")
		equal(t, one(t, s, "PRAGMA journal_mode"), "wal")
		equal(t, one(t, s, "PRAGMA synchronous"), "2")
		appendRows(t, s, account.Record{CallID: fmt.Sprint(i)})
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(filepath.Join(directory, fileName)); err != nil {
		t.Error(err)
	}
}

func TestRelativePath(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, path := range []string{"plain.db", "./a:b?c.db"} {
		s, err := Open(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		appendRows(t, s, account.Record{CallID: "a"})
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if info, err := os.Stat(path); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v, %v", path, info, err)
		}
	}
}

func TestFilesAreTheOwnersAlone(t *testing.T) {
	directory := t.TempDir()
	s := open(t, directory)
	appendRows(t, s, account.Record{CallID: "a"})
	files, err := os.ReadDir(directory)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, len(files), 3) // the database, its log and the log's index
	for _, f := range files {
		info, err := f.Info()
		if err != nil {
			t.Fatal(err)
		}
		equal(t, info.Mode().Perm(), fs.FileMode(0o600))
	}
}

func TestPlacesThatDoNotServe(t *testing.T) {
	f := func(directory, want string) {
		t.Helper()
		s, err := Open(t.Context(), filepath.Join(directory, fileName))
		if err == nil {
			t.Errorf("%s was opened: %v", directory, s.Close())
			return
		}
		if !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), directory) || strings.Contains(err.Error(), "\n") {
			t.Errorf("got %q, want %q with the path, in one line", err, want)
		}
	}
	root := t.TempDir()
	inside := func(name string) string {
		t.Helper()
		directory := filepath.Join(root, name)
		if err := os.Mkdir(directory, 0o700); err != nil {
			t.Fatal(err)
		}
		return directory
	}
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f(filepath.Join(root, "missing"), "does not exist")

	write(filepath.Join(root, "file"), "")
	f(filepath.Join(root, "file"), "its directory is a file")
	f(filepath.Join(root, "file", "deeper"), "its directory is a file")

	taken := inside("taken")
	if err := os.Mkdir(filepath.Join(taken, fileName), 0o700); err != nil {
		t.Fatal(err)
	}
	f(taken, "it is a directory")

	readOnly := inside("read-only")
	if os.Geteuid() == 0 { // to whom no directory of ours is read-only
		readOnly = "/proc"
	} else if err := os.Chmod(readOnly, 0o500); err != nil {
		t.Fatal(err)
	}
	f(readOnly, "cannot be written")

	other := inside("other")
	write(filepath.Join(other, fileName), strings.Repeat("this is no database ", 100))
	f(other, "not a database")

	newer := inside("newer")
	s, err := Open(t.Context(), filepath.Join(newer, fileName))
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.db.ExecContext(t.Context(), "INSERT INTO schema_version VALUES (99, 0)")
	if err = errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	f(newer, "schema version 99")
}

// batches and batchSize are what each writer of the next tests writes.
const batches, batchSize = 20, 50

func writeMany(directory, name string) error {
	s, err := Open(context.Background(), filepath.Join(directory, fileName))
	if err != nil {
		return err
	}
	for b := range batches {
		var records []account.Record
		for i := range batchSize {
			records = append(records, account.Record{CallID: fmt.Sprintf("%s-%d-%d", name, b, i), Cost: 1, CostKnown: true})
		}
		if err := s.Append(context.Background(), records); err != nil {
			return errors.Join(err, s.Close())
		}
	}
	return s.Close()
}

// TestTwoProcessesOnOneFile: they create the file together, and every row of both arrives.
func TestTwoProcessesOnOneFile(t *testing.T) {
	directory := t.TempDir()
	var all sync.WaitGroup
	for _, name := range []string{"one", "two"} {
		all.Go(func() {
			child := exec.CommandContext(t.Context(), os.Args[0])
			child.Env = append(os.Environ(), childDirectory+"="+directory, childDirectory+"_NAME="+name)
			if out, err := child.CombinedOutput(); err != nil {
				t.Errorf("%s: %v: %s", name, err, out)
			}
		})
	}
	all.Go(func() {
		if err := writeMany(directory, "here"); err != nil {
			t.Error(err)
		}
	})
	all.Wait()
	s := open(t, directory)
	equal(t, one(t, s, "SELECT count(*) FROM spend_logs"), fmt.Sprint(3*batches*batchSize))
	equal(t, one(t, s, "SELECT sum(spend_pico) FROM spend_logs"), fmt.Sprint(3*batches*batchSize))
	equal(t, one(t, s, "PRAGMA integrity_check"), "ok")
	equal(t, one(t, s, "SELECT count(*) FROM schema_version"), "2")
}

func TestLedgerOnAStore(t *testing.T) {
	s := open(t, t.TempDir())
	ledger := account.NewLedger(s, account.LedgerOptions{Batch: 32})
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 250 {
				ledger.Add(account.Record{CallID: "the client's own", Cost: 3, CostKnown: true})
			}
		})
	}
	all.Wait()
	if err := ledger.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	equal(t, one(t, s, "SELECT count(*) || ' ' || sum(spend_pico) FROM spend_logs"), "1000 3000")
	if err := s.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}
