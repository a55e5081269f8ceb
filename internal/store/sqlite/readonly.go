package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"github.com/outcrop-ai/outcrop/internal/store/relational"
)

// OpenReadOnly opens a database that is there, to look at it: nothing in it changes, and whoever else has it open is not
// in the way. It must have the schema that this Outcrop writes.
func OpenReadOnly(ctx context.Context, path string) (*relational.Store, error) {
	fail := func(err error) (*relational.Store, error) {
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
	return relational.View(ctx, relational.Options{Write: db, Dialect: dialect(), Name: path})
}
