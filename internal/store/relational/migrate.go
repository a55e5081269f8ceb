package relational

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// migration is one step of the schema. Steps are never changed once released, and there is no way back.
type migration struct {
	version int
	name    string
}

// fills are what SQL alone does not do of a step, by its number: it runs after its text, in the same transaction.
var fills = map[int]func(context.Context, *sql.Tx, *Dialect) error{6: packRows}

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

// migrate brings the schema up to date in one transaction that no other migration runs beside: of two gateways that start
// at once, one waits and finds the work done.
func migrate(ctx context.Context, db *sql.DB, d *Dialect) error {
	steps, err := migrations()
	if err != nil {
		return err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := apply(ctx, tx, d, steps); err != nil {
		return errors.Join(err, ended(tx.Rollback()))
	}
	return tx.Commit()
}

func apply(ctx context.Context, tx *sql.Tx, d *Dialect, steps []migration) error {
	if d.MigrationLock != "" {
		if _, err := tx.ExecContext(ctx, d.MigrationLock); err != nil {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx, d.migration(`CREATE TABLE IF NOT EXISTS schema_version (
		version INTEGER PRIMARY KEY, applied_at INTEGER NOT NULL
	)`)); err != nil {
		return err
	}
	var have int
	if err := tx.QueryRowContext(ctx, `SELECT coalesce(max(version), 0) FROM schema_version`).Scan(&have); err != nil {
		return err
	}
	if have > len(steps) {
		return fmt.Errorf("the database has schema version %d, this Outcrop knows %d: it was used with a newer one", have, len(steps))
	}
	for _, step := range steps[have:] {
		text, err := migrationFiles.ReadFile(step.name)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, d.migration(string(text))); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
		if fill := fills[step.version]; fill != nil {
			if err := fill(ctx, tx, d); err != nil {
				return fmt.Errorf("%s: %w", step.name, err)
			}
		}
		if _, err := tx.ExecContext(ctx, d.bind(`INSERT INTO schema_version VALUES (?, ?)`), step.version, time.Now().Unix()); err != nil {
			return err
		}
	}
	return nil
}

// ended is the error of a rollback; that the transaction is over already is none.
func ended(err error) error {
	if errors.Is(err, sql.ErrTxDone) {
		return nil
	}
	return err
}

// packRows brings the rows of a packed dialect into their new table, some at a time.
func packRows(ctx context.Context, tx *sql.Tx, d *Dialect) error {
	if !d.Packed {
		return nil
	}
	s := &Store{d: d}
	for {
		records, err := takeOld(ctx, tx, 1000)
		if err != nil {
			return err
		}
		if len(records) == 0 {
			break
		}
		fresh, err := s.insertPacked(ctx, tx, records)
		if err != nil {
			return err
		}
		if err := s.addSlices(ctx, tx, groupRows(fresh)); err != nil {
			return err
		}
	}
	_, err := tx.ExecContext(ctx, `DROP TABLE old_spend_logs; DROP TABLE spend_log_tags`)
	return err
}

// takeOld reads rows of the old table and removes them.
func takeOld(ctx context.Context, tx *sql.Tx, limit int) (records []account.Record, err error) {
	rows, err := tx.QueryContext(ctx, `SELECT `+columns+` FROM old_spend_logs WHERE rowid IN (SELECT rowid FROM old_spend_logs ORDER BY rowid LIMIT ?) ORDER BY rowid`, limit)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err = errors.Join(err, rows.Close()); err == nil {
			_, err = tx.ExecContext(ctx, `DELETE FROM old_spend_logs WHERE rowid IN (SELECT rowid FROM old_spend_logs ORDER BY rowid LIMIT ?)`, limit)
		}
	}()
	for rows.Next() {
		r, err := scanRow(rows)
		if err != nil {
			return nil, err
		}
		records = append(records, r)
	}
	return records, rows.Err()
}
