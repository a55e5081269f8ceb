package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/outcrop-ai/outcrop/internal/store/relational"
	_ "modernc.org/sqlite" // the database/sql driver "sqlite"
)

// pragmas are set on every connection. WAL with synchronous FULL keeps every committed row through a crash of the machine:
// the log of records forgets what was committed. A batch is one commit, so that this is a few calls a second. Pages that change
// with each batch are written to the file once for 16 MB of WAL, whose room stays. cache_size is in KiB when negative.
var pragmas = []string{
	"busy_timeout(5000)",
	"journal_mode(WAL)",
	"synchronous(FULL)",
	"wal_autocheckpoint(4000)",
	"cache_size(-8192)",
	"journal_size_limit(16384000)",
	"temp_store(MEMORY)",
	"trusted_schema(OFF)",
}

// dialect is what SQLite's SQL has of its own. One INSERT takes one row: SQLite has no faster way to take several.
func dialect() relational.Dialect {
	return relational.Dialect{Name: "sqlite", MaxRows: 1, Prepared: true, Detached: true, Packed: true}
}

// readers is how many connections read beside the one that writes.
const readers = 2

// Open opens the database file and brings its schema up to date. The file is made if there is none, for its owner alone;
// its directory must exist, and SQLite keeps two more files beside it while it is open. Several processes may have one
// file open: a writer waits up to 5 s for another.
func Open(ctx context.Context, path string) (*relational.Store, error) {
	fail := func(err error) (*relational.Store, error) {
		return nil, fmt.Errorf("database %s: %w", path, err)
	}
	if err := prepareFile(path); err != nil {
		return fail(err)
	}
	write, err := sql.Open("sqlite", dsn(path, "immediate"))
	if err != nil {
		return fail(err)
	}
	write.SetMaxOpenConns(1) // one writer; a second connection would have a cache of its own
	read, err := sql.Open("sqlite", dsn(path, "deferred", "query_only(ON)", "cache_size(-16384)"))
	if err != nil {
		return fail(errors.Join(err, write.Close()))
	}
	read.SetMaxOpenConns(readers)
	return relational.New(ctx, relational.Options{Write: write, Read: read, Dialect: dialect(), Name: path})
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

// dsn names the file with its pragmas. Transactions that write take the write lock at their beginning, where waiting for it
// is safe: a lock that is asked for half-way may be refused at once.
func dsn(path, lock string, more ...string) string {
	u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath()}
	u.RawQuery = url.Values{"_pragma": slices.Concat(pragmas, more), "_txlock": {lock}}.Encode()
	return u.String()
}
