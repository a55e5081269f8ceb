package relational

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/internal/responses"
)

// Expire removes rows of calls that began before a time, with their tags and contents: at most limit of them, the oldest
// first, so that no transaction is long. It returns how many. What was summed and charged stays.
func (s *Store) Expire(ctx context.Context, before time.Time, limit int) (n int, err error) {
	err = s.change(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if s.d.Packed {
			n, err = s.expirePacked(ctx, tx, before, limit)
			return err
		}
		old, err := s.oldest(ctx, tx, before, limit)
		n = len(old)
		if err != nil || n == 0 {
			return err
		}
		for _, r := range old {
			for _, tag := range r.tags {
				if _, err := tx.ExecContext(ctx, s.d.bind(`DELETE FROM spend_log_tags WHERE tag = ? AND "startTime" = ? AND litellm_call_id = ? AND entry = ?`), name(tag), r.start, r.call, r.entry); err != nil {
					return err
				}
			}
			for _, table := range []string{"spend_log_bodies", "spend_logs"} {
				if _, err := tx.ExecContext(ctx, s.d.bind(`DELETE FROM `+table+` WHERE litellm_call_id = ? AND entry = ?`), r.call, r.entry); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return n, err
}

// expirePacked is Expire for packed rows.
func (s *Store) expirePacked(ctx context.Context, tx *sql.Tx, before time.Time, limit int) (int, error) {
	old, ids, err := s.oldestPacked(ctx, tx, before, limit)
	if err != nil || len(old) == 0 {
		return 0, err
	}
	if err := s.removeSlices(ctx, tx, groupRows(old)); err != nil {
		return 0, err
	}
	for i, r := range old {
		id := idOf(r)
		if _, err := tx.ExecContext(ctx, `DELETE FROM spend_log_bodies WHERE litellm_call_id = ? AND entry = ?`, id.call, id.entry); err != nil {
			return 0, err
		}
		for args := appendIDs(nil, r, ids[i]); len(args) > 0; args = args[2:] {
			if _, err := tx.ExecContext(ctx, `DELETE FROM spend_ids WHERE hash = ? AND id = ?`, args[:2]...); err != nil {
				return 0, err
			}
		}
	}
	_, err = tx.ExecContext(ctx, `DELETE FROM spend_rows WHERE id <= ?`, ids[len(ids)-1])
	return len(old), err
}

func (s *Store) oldestPacked(ctx context.Context, tx *sql.Tx, before time.Time, limit int) (list []*account.Record, ids []int64, err error) {
	rows, err := tx.QueryContext(ctx, `SELECT `+packedColumns+` FROM spend_rows WHERE id < ? ORDER BY id LIMIT ?`, idAt(before.UnixMicro()), limit)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		r, id, err := scanPacked(rows)
		if err != nil {
			return nil, nil, err
		}
		list, ids = append(list, &r), append(ids, id)
	}
	return list, ids, rows.Err()
}

// oldRow is what is needed to remove a row.
type oldRow struct {
	rowID
	start int64
	tags  []string
}

func (s *Store) oldest(ctx context.Context, tx *sql.Tx, before time.Time, limit int) (list []oldRow, err error) {
	rows, err := tx.QueryContext(ctx, s.d.bind(`SELECT litellm_call_id, entry, "startTime", request_tags FROM spend_logs WHERE "startTime" < ? ORDER BY "startTime" LIMIT ?`), before.UnixMicro(), limit)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var r oldRow
		var tags string
		if err := rows.Scan(&r.call, &r.entry, &r.start, orEmpty{&tags}); err != nil {
			return nil, err
		}
		if tags != "" {
			if err := json.Unmarshal([]byte(tags), &r.tags); err != nil {
				return nil, fmt.Errorf("row %s: request_tags: %w", r.call, err)
			}
		}
		list = append(list, r)
	}
	return list, rows.Err()
}

// keepCounters is how long the counters of past periods are kept, keepDeleted how long what is left of deleted entities.
const (
	keepCounters = 400 * 24 * time.Hour
	keepDeleted  = 30 * 24 * time.Hour
)

// Tidy removes counters of periods that are long past, responses that are too old, and what is left of entities that were
// deleted long ago.
func (s *Store) Tidy(ctx context.Context, now time.Time) error {
	return s.change(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, s.d.bind(`DELETE FROM spend_counters WHERE period > 0 AND period < ?`), now.Add(-keepCounters).Unix()); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, s.d.bind(`DELETE FROM responses WHERE created_at < ?`), now.Add(-responses.Retention).UnixMicro()); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, s.d.bind(`DELETE FROM entities WHERE deleted = 1 AND updated_at < ?`), now.Add(-keepDeleted).UnixMicro())
		return err
	})
}
