// Package databases runs a test on each database that a gateway can keep its book in: a SQLite file, and a database of a
// Postgres server that the tests of a package share. What users are told of keys, limits, budgets and spend holds on both, so
// a test of it is written once, with [Each], and its package's TestMain is [Main].
package databases

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the database/sql driver "pgx"
	"go.uber.org/goleak"

	"github.com/outcrop-ai/outcrop/internal/store/postgres"
	"github.com/outcrop-ai/outcrop/internal/store/relational"
	"github.com/outcrop-ai/outcrop/internal/store/sqlite"
	"github.com/outcrop-ai/outcrop/test/servers"
)

// Main runs the tests of a package, ends the server that they have shared, and fails when a goroutine is left.
func Main(m *testing.M) { goleak.VerifyTestMain(tests{m}) }

type tests struct{ m *testing.M }

func (t tests) Run() int {
	defer servers.EndShared()
	return t.m.Run()
}

// Database is a database of one test's own. It is empty, without a schema.
type Database struct {
	// Name is "sqlite" or "postgres".
	Name string
	// URL is what a configuration's database_url says.
	URL string
}

// Each runs a test on each database: as subtests that run side by side, and end before Each's caller goes on to the next test.
// What follows Each in its caller runs before them.
func Each(t *testing.T, test func(t *testing.T, d Database)) {
	t.Helper()
	for name, open := range map[string]func(testing.TB) Database{"sqlite": SQLite, "postgres": Postgres} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

// SQLite is a new file.
func SQLite(t testing.TB) Database {
	t.Helper()
	return Database{Name: "sqlite", URL: "sqlite://" + filepath.Join(t.TempDir(), "outcrop.db")}
}

// Postgres is a new database of the shared server.
func Postgres(t testing.TB) Database {
	t.Helper()
	return Database{Name: "postgres", URL: servers.SharedPostgres(t).Database(t)}
}

// Path is where a SQLite database's file is.
func (d Database) Path() string { return strings.TrimPrefix(d.URL, "sqlite://") }

// Open opens it as the gateway does. It is closed with the test.
func (d Database) Open(t testing.TB) *relational.Store {
	t.Helper()
	var s *relational.Store
	var err error
	if d.Name == "sqlite" {
		s, err = sqlite.Open(t.Context(), d.Path())
	} else {
		s, err = postgres.Open(d.URL, postgres.Options{})
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	select {
	case <-s.Ready():
	case <-t.Context().Done():
		t.Fatal("the database is not ready")
	}
	return s
}

// connect opens it past the gateway.
func (d Database) connect() (*sql.DB, error) {
	if d.Name == "sqlite" {
		if _, err := os.Stat(d.Path()); err != nil {
			return nil, err // and make none
		}
		return sql.Open("sqlite", "file:"+d.Path()+"?_txlock=immediate&_pragma=busy_timeout(5000)")
	}
	return sql.Open("pgx", d.URL)
}

// Ask runs a query that both databases understand, and returns its only value.
func (d Database) Ask(ctx context.Context, query string) (value string, err error) {
	db, err := d.connect()
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	err = db.QueryRowContext(ctx, query).Scan(&value)
	return value, err
}

// Value is Ask for what must be there.
func (d Database) Value(t testing.TB, query string) string {
	t.Helper()
	value, err := d.Ask(t.Context(), query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return value
}

// List runs a query that both databases understand, and returns its first column.
func (d Database) List(t testing.TB, query string) (values []string) {
	t.Helper()
	db, err := d.connect()
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	for rows.Next() {
		var value sql.NullString
		if err := rows.Scan(&value); err != nil {
			t.Fatal(err)
		}
		values = append(values, value.String)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return values
}

// Execute runs a statement that both databases understand.
func (d Database) Execute(t testing.TB, statement string) {
	t.Helper()
	db, err := d.connect()
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// Becomes asks a query again until its value is the wanted one.
func (d Database) Becomes(t testing.TB, query, want string) {
	t.Helper()
	for {
		got, err := d.Ask(t.Context(), query)
		if err == nil && got == want {
			return
		}
		select {
		case <-t.Context().Done():
			t.Fatalf("%s: %s (%v), want %s", query, got, err, want)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Lock keeps everybody else from writing rows until the function that it returns is called. It waits until there is a table of
// rows.
func (d Database) Lock(t testing.TB) (unlock func()) {
	t.Helper()
	d.Becomes(t, "SELECT min(1) FROM (SELECT count(*) FROM spend_logs) x", "1")
	db, err := d.connect()
	if err != nil {
		t.Fatal(err)
	}
	tx, err := db.BeginTx(context.Background(), nil) // SQLite's has the lock from its beginning
	if err != nil {
		t.Fatal(err)
	}
	if d.Name == "postgres" {
		if _, err := tx.ExecContext(t.Context(), "LOCK TABLE spend_logs IN EXCLUSIVE MODE"); err != nil {
			t.Fatal(err)
		}
	}
	return func() {
		if err := errors.Join(tx.Rollback(), db.Close()); err != nil {
			t.Error(err)
		}
	}
}

// Text is all that is stored, as text.
func (d Database) Text(t testing.TB) string {
	t.Helper()
	tables, row := `SELECT name FROM sqlite_master WHERE type = 'table'`, ""
	if d.Name == "postgres" {
		tables = `SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'`
	}
	var b strings.Builder
	for _, table := range d.List(t, tables) {
		if row = fmt.Sprintf(`SELECT CAST(x AS TEXT) FROM %s x`, table); d.Name == "sqlite" {
			var columns []string
			for _, c := range d.List(t, fmt.Sprintf(`SELECT name FROM pragma_table_xinfo('%s')`, table)) {
				columns = append(columns, fmt.Sprintf(`coalesce(CAST("%s" AS TEXT), '')`, c))
			}
			row = fmt.Sprintf(`SELECT %s FROM %s`, strings.Join(columns, " || ' ' || "), table)
		}
		for _, text := range d.List(t, row) {
			b.WriteString(text + "\n")
		}
	}
	return b.String()
}

// Away takes the database away from all who use it, or keeps it from being there at all, until the function that it returns is
// called: nobody can read it or write to it, and who is connected is not any more.
func (d Database) Away(t testing.TB) (back func()) {
	t.Helper()
	if d.Name == "sqlite" {
		return d.fileAway(t)
	}
	u, err := url.Parse(d.URL)
	if err != nil {
		t.Fatal(err)
	}
	name := strings.TrimPrefix(u.Path, "/")
	server := Database{Name: d.Name, URL: servers.SharedPostgres(t).URL("postgres")}
	server.Execute(t, "ALTER DATABASE "+name+" ALLOW_CONNECTIONS false")
	server.Execute(t, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '"+name+"'")
	return func() { server.Execute(t, "ALTER DATABASE "+name+" ALLOW_CONNECTIONS true") }
}

// fileAway puts a folder in the file's place.
func (d Database) fileAway(t testing.TB) (back func()) {
	t.Helper()
	var moved []string
	for _, suffix := range []string{"", "-wal", "-shm"} { // the last two are there while it is open
		path := d.Path() + suffix
		switch err := os.Rename(path, path+".away"); {
		case err == nil:
			moved = append(moved, path)
		case !errors.Is(err, fs.ErrNotExist):
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(d.Path(), 0o700); err != nil {
		t.Fatal(err)
	}
	return func() {
		err := os.Remove(d.Path())
		for _, path := range moved {
			err = errors.Join(err, os.Rename(path+".away", path))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
