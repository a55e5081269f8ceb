package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
)

// OpenReadOnly opens a database that is there, to look at it: nothing in it changes, and whoever else has it open is not
// in the way. It must have the schema that this Outcrop writes.
func OpenReadOnly(ctx context.Context, path string) (*Store, error) {
	fail := func(err error) (*Store, error) {
		return nil, fmt.Errorf("database %s: %w", path, err)
	}
	if _, err := os.Stat(path); err != nil {
		return fail(fmt.Errorf("it cannot be read: %w", reason(err)))
	}
	u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath()}
	u.RawQuery = url.Values{"mode": {"ro"}, "_pragma": {"busy_timeout(5000)", "query_only(1)", "trusted_schema(OFF)"}}.Encode()
	db, err := sql.Open("sqlite", u.String())
	if err != nil {
		return fail(err)
	}
	db.SetMaxOpenConns(1)
	steps, err := migrations()
	if err != nil {
		return fail(errors.Join(err, db.Close()))
	}
	var have int
	if err := db.QueryRowContext(ctx, `SELECT coalesce(max(version), 0) FROM schema_version`).Scan(&have); err != nil {
		return fail(errors.Join(err, db.Close()))
	}
	if have != len(steps) {
		return fail(errors.Join(fmt.Errorf("it has schema version %d, this Outcrop reads %d", have, len(steps)), db.Close()))
	}
	return &Store{path: path, db: db}, nil
}
