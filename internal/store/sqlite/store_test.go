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
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/internal/store/relational"
	"github.com/outcrop-ai/outcrop/internal/store/storetest"
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

func open(t *testing.T, directory string) *relational.Store {
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

func appendRows(t *testing.T, s *relational.Store, records ...account.Record) {
	t.Helper()
	if err := s.Append(t.Context(), records); err != nil {
		t.Fatal(err)
	}
}

// one reads a single value, as another program would.
func one(t *testing.T, s *relational.Store, query string) string {
	t.Helper()
	db, err := sql.Open("sqlite", dsn(s.Name(), "deferred"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	var v sql.NullString
	if err := db.QueryRowContext(t.Context(), query).Scan(&v); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	if !v.Valid {
		return "NULL"
	}
	return v.String
}

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T) (*relational.Store, func() *relational.Store) {
		directory := t.TempDir()
		return open(t, directory), func() *relational.Store { return open(t, directory) }
	})
}

func equal[T comparable](t *testing.T, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("got  %v\nwant %v", got, want)
	}
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
		equal(t, one(t, s, "SELECT max(version) || ' ' || count(*) FROM schema_version"), "6 6")
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
	if err = errors.Join(s.Exec(t.Context(), "INSERT INTO schema_version VALUES (99, 0)"), s.Close()); err != nil {
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
			records = append(records, account.Record{Start: time.Unix(1785542400, int64(b*batchSize+i)*1000), Entry: uint64(name[0])*7919 + uint64(b*batchSize+i), CallID: fmt.Sprintf("%s-%d-%d", name, b, i), Cost: 1, CostKnown: true})
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
	equal(t, one(t, s, "SELECT count(*) FROM schema_version"), "6")
}
