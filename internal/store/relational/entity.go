package relational

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
)

const entityColumns = `kind, id, alias, team_id, user_id, organization_id, data, created_at, updated_at, version, deleted`

func scanEntity(rows *sql.Rows) (account.Entity, error) {
	var e account.Entity
	var data string
	var created, updated, deleted int64
	err := rows.Scan(&e.Kind, &e.ID, orEmpty{&e.Alias}, orEmpty{&e.TeamID}, orEmpty{&e.UserID}, orEmpty{&e.OrganizationID}, &data, &created, &updated, &e.Version, &deleted)
	if deleted != 0 {
		return account.Entity{Kind: e.Kind, ID: e.ID}, err
	}
	e.Data = json.RawMessage(data)
	e.CreatedAt, e.UpdatedAt = time.UnixMicro(created).UTC(), time.UnixMicro(updated).UTC()
	return e, err
}

// Entities calls yield for each entity. It implements account.EntityStore.
func (s *Store) Entities(ctx context.Context, yield func(account.Entity) error) (int64, error) {
	// The number is read first: what changes in between is told again, and not left out.
	change, err := s.lastChange(ctx)
	if err != nil {
		return 0, err
	}
	return change, s.query(ctx, `SELECT `+entityColumns+` FROM entities WHERE deleted = 0`, nil, func(rows *sql.Rows) error {
		e, err := scanEntity(rows)
		if err != nil {
			return err
		}
		return yield(e)
	})
}

func (s *Store) lastChange(ctx context.Context) (number int64, err error) {
	err = s.query(ctx, `SELECT number FROM last_change`, nil, func(rows *sql.Rows) error { return rows.Scan(&number) })
	return number, err
}

// Changes returns what was put or deleted after a change. It implements account.EntityStore.
func (s *Store) Changes(ctx context.Context, after int64) (list []account.Entity, change int64, err error) {
	if change, err = s.lastChange(ctx); err != nil || change == after {
		return nil, change, err
	}
	err = s.query(ctx, `SELECT `+entityColumns+` FROM entities WHERE change > ? ORDER BY change, kind, id`, []any{after}, func(rows *sql.Rows) error {
		e, err := scanEntity(rows)
		list = append(list, e)
		return err
	})
	return list, change, err
}

// next takes the number of a change and keeps others from changing entities until the transaction ends.
func (s *Store) next(ctx context.Context, tx *sql.Tx) (number int64, err error) {
	err = tx.QueryRowContext(ctx, `UPDATE last_change SET number = number + 1 RETURNING number`).Scan(&number)
	return number, err
}

// Put stores entities, all or none. It implements account.EntityStore.
func (s *Store) Put(ctx context.Context, list []account.Entity) ([]account.Entity, error) {
	result := make([]account.Entity, len(list))
	err := s.change(ctx, func(ctx context.Context, tx *sql.Tx) error {
		change, err := s.next(ctx, tx)
		if err != nil {
			return err
		}
		for i := range list {
			if result[i], err = s.put(ctx, tx, list[i], change); err != nil {
				return fmt.Errorf("%s %s: %w", list[i].Kind, list[i].ID, err)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return result, nil
}

func (s *Store) put(ctx context.Context, tx *sql.Tx, e account.Entity, change int64) (account.Entity, error) {
	var version, deleted int64
	err := tx.QueryRowContext(ctx, s.d.bind(`SELECT version, deleted FROM entities WHERE kind = ? AND id = ?`), string(e.Kind), e.ID).Scan(&version, &deleted)
	exists := err == nil
	switch {
	case err != nil && !errors.Is(err, sql.ErrNoRows):
		return e, err
	case (!exists || deleted != 0) && e.Version != 0, exists && deleted == 0 && e.Version != version:
		return e, account.ErrConflict
	}
	if e.Alias != "" {
		var other string
		err := tx.QueryRowContext(ctx, s.d.bind(`SELECT id FROM entities WHERE kind = ? AND alias = ? AND id <> ?`), string(e.Kind), e.Alias, e.ID).Scan(&other)
		if err == nil {
			return e, fmt.Errorf("the alias %q: %w", e.Alias, account.ErrConflict)
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return e, err
		}
	}
	now := time.Now().UTC().Truncate(time.Microsecond)
	if e.CreatedAt.IsZero() {
		e.CreatedAt = now
	}
	e.CreatedAt, e.UpdatedAt, e.Version = e.CreatedAt.UTC().Truncate(time.Microsecond), now, version+1
	args := []any{
		string(e.Kind), e.ID, text(e.Alias), text(e.TeamID), text(e.UserID), text(e.OrganizationID), plain(string(e.Data)),
		e.CreatedAt.UnixMicro(), e.UpdatedAt.UnixMicro(), e.Version, int64(0), change,
	}
	if exists {
		_, err = tx.ExecContext(ctx, s.d.bind(`UPDATE entities SET alias = ?, team_id = ?, user_id = ?, organization_id = ?, data = ?,
			created_at = ?, updated_at = ?, version = ?, deleted = ?, change = ? WHERE kind = ? AND id = ?`), append(args[2:], args[:2]...)...)
	} else {
		_, err = tx.ExecContext(ctx, s.d.bind(`INSERT INTO entities (`+entityColumns+`, change) VALUES `+places(len(args), 1)), args...)
	}
	return e, err
}

// Delete removes the entities that exist, all or none, and returns their ids. It implements account.EntityStore.
func (s *Store) Delete(ctx context.Context, kind account.EntityKind, ids []string) ([]string, error) {
	var gone []string
	err := s.change(ctx, func(ctx context.Context, tx *sql.Tx) error {
		change, err := s.next(ctx, tx)
		if err != nil {
			return err
		}
		query := s.d.bind(`UPDATE entities SET deleted = 1, alias = NULL, team_id = NULL, user_id = NULL, organization_id = NULL, data = '', updated_at = ?, change = ?
			WHERE kind = ? AND id = ? AND deleted = 0`)
		for _, id := range ids {
			result, err := tx.ExecContext(ctx, query, time.Now().UnixMicro(), change, string(kind), id)
			if err != nil {
				return err
			}
			n, err := result.RowsAffected()
			if err != nil {
				return err
			}
			if n > 0 {
				gone = append(gone, id)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return gone, nil
}
