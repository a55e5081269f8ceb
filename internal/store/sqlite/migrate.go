package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// migration is one step of the schema. Steps are never changed once released, and there is no way back.
type migration struct {
	version int
	name    string
}

// migrations lists the embedded steps in order; they are numbered from 1 without a gap.
func migrations() ([]migration, error) {
	files, err := fs.ReadDir(migrationFiles, "migrations")
	if err != nil {
		return nil, err
	}
	list := make([]migration, len(files))
	for i, f := range files { // sorted by name
		number, _, _ := strings.Cut(f.Name(), "_")
		version, err := strconv.Atoi(number)
		if err != nil || version != i+1 {
			return nil, fmt.Errorf("migration %s: want number %d", f.Name(), i+1)
		}
		list[i] = migration{version: version, name: "migrations/" + f.Name()}
	}
	return list, nil
}

// migrate brings the schema up to date in one transaction that holds the file's write lock: of two gateways that open a
// new file at once, one waits and finds the work done.
func migrate(ctx context.Context, db *sql.DB) error {
	steps, err := migrations()
	if err != nil {
		return err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := apply(ctx, tx, steps); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

func apply(ctx context.Context, tx *sql.Tx, steps []migration) error {
	if _, err := tx.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS schema_version (
		version INTEGER PRIMARY KEY, applied_at INTEGER NOT NULL -- seconds since 1970
	)`); err != nil {
		return err
	}
	var have int
	if err := tx.QueryRowContext(ctx, `SELECT coalesce(max(version), 0) FROM schema_version`).Scan(&have); err != nil {
		return err
	}
	if have > len(steps) {
		return fmt.Errorf("the file has schema version %d, this Outcrop knows %d: it was used with a newer one", have, len(steps))
	}
	for _, step := range steps[have:] {
		text, err := migrationFiles.ReadFile(step.name)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, string(text)); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO schema_version VALUES (?, unixepoch())`, step.version); err != nil {
			return err
		}
	}
	return nil
}
