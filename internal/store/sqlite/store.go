package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"syscall"

	_ "modernc.org/sqlite" // the database/sql driver "sqlite"
)

// pragmas are set on every connection. WAL with synchronous FULL keeps every committed row through a crash of the machine:
// the log of records forgets what was committed. A batch is one commit, so that this is a few calls a second. cache_size is
// in KiB when negative.
var pragmas = []string{
	"busy_timeout(5000)",
	"journal_mode(WAL)",
	"synchronous(FULL)",
	"cache_size(-1024)",
	"journal_size_limit(4194304)",
	"temp_store(MEMORY)",
	"trusted_schema(OFF)",
}

// Store is an open database. It is safe for concurrent use; its one connection takes calls in turn.
type Store struct {
	path   string
	db     *sql.DB
	insert *sql.Stmt
}

// Open opens the database file and brings its schema up to date. The file is made if there is none, for its owner alone;
// its directory must exist, and SQLite keeps two more files beside it while it is open. Several processes may have one
// file open: a writer waits up to 5 s for another.
func Open(ctx context.Context, path string) (*Store, error) {
	fail := func(err error) (*Store, error) {
		return nil, fmt.Errorf("database %s: %w", path, err)
	}
	if err := prepareFile(path); err != nil {
		return fail(err)
	}
	db, err := sql.Open("sqlite", dsn(path))
	if err != nil {
		return fail(err)
	}
	db.SetMaxOpenConns(1) // one writer; a second connection would have a cache of its own
	s := &Store{path: path, db: db}
	if err := migrate(ctx, db); err != nil {
		return fail(errors.Join(err, db.Close()))
	}
	if s.insert, err = db.PrepareContext(ctx, insertRow); err != nil {
		return fail(errors.Join(err, db.Close()))
	}
	return s, nil
}

// prepareFile makes sure that there is a file that we can write, with errors that say more than SQLite's.
func prepareFile(path string) error {
	directory := filepath.Dir(path)
	info, err := os.Stat(directory)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return errors.New("its directory does not exist: create it, or name another")
	case errors.Is(err, syscall.ENOTDIR), err == nil && !info.IsDir():
		return errors.New("its directory is a file: name another")
	case err != nil:
		return fmt.Errorf("its directory cannot be read: %w", reason(err))
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return errors.New("it is a directory: name a file")
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("it cannot be written: %w", reason(err))
	}
	return file.Close()
}

// reason takes the path off an error: the message around it has it.
func reason(err error) error {
	if e, ok := errors.AsType[*os.PathError](err); ok {
		return e.Err
	}
	return err
}

// dsn names the file with its pragmas. Transactions take the write lock at their beginning, where waiting for it is
// safe: a lock that is asked for half-way may be refused at once.
func dsn(path string) string {
	u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath()}
	u.RawQuery = url.Values{"_pragma": pragmas, "_txlock": {"immediate"}}.Encode()
	return u.String()
}

// Path returns where the file is.
func (s *Store) Path() string { return s.path }

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error { return s.db.PingContext(ctx) }

// Close ends the store. What was appended is in the file.
func (s *Store) Close() error {
	if s.insert == nil { // only read
		return s.db.Close()
	}
	return errors.Join(s.insert.Close(), s.db.Close())
}
