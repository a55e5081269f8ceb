package relational

import (
	"context"
	"database/sql"
	"errors"
	"slices"

	"github.com/outcrop-ai/outcrop/internal/account"
)

// insertRows begins the statement that skips rows that are there already: a batch may be written again when nobody knows
// whether it was committed.
const insertRows = `INSERT INTO spend_logs (` + columns + `) VALUES `

// Append writes the records in one transaction, all or none. A record with the CallID and Entry of a row that exists is
// skipped, and charges nobody. It implements account.Sink.
func (s *Store) Append(ctx context.Context, records []account.Record) error {
	if len(records) == 0 {
		return nil
	}
	var err error
	if s.d.Packed {
		if err = s.appendBy(ctx, s.insertRuns, records); errors.Is(err, errTaken) {
			err = s.appendBy(ctx, s.insertPacked, records)
		}
	} else {
		err = s.appendBy(ctx, s.insert, records)
	}
	if err == nil {
		s.wake()
	}
	return err
}

// appendBy is Append by one of the ways to write rows.
func (s *Store) appendBy(ctx context.Context, insert func(context.Context, *sql.Tx, []account.Record) ([]*account.Record, error), records []account.Record) error {
	return s.change(ctx, func(ctx context.Context, tx *sql.Tx) error {
		fresh, err := insert(ctx, tx, records)
		if err != nil {
			return err
		}
		return s.account(ctx, tx, fresh)
	})
}

// insert writes rows and returns the records that were not there before.
func (s *Store) insert(ctx context.Context, tx *sql.Tx, records []account.Record) (fresh []*account.Record, err error) {
	fresh = make([]*account.Record, 0, len(records))
	statement := s.repeated(tx, func(rows int) string {
		query := insertRows + places(columnCount, rows) + ` ON CONFLICT (litellm_call_id, entry) DO NOTHING`
		if rows > 1 {
			query += ` RETURNING litellm_call_id, entry`
		}
		return query
	})
	defer func() { err = errors.Join(err, statement.close()) }()
	var args []any
	err = s.d.chunks(len(records), func(from, to int) error {
		args = args[:0]
		for i := from; i < to; i++ {
			var err error
			if args, err = appendValues(args, &records[i]); err != nil {
				return err
			}
		}
		if to-from > 1 {
			list, err := inserted(ctx, statement, args, records[from:to])
			fresh = append(fresh, list...)
			return err
		}
		result, err := statement.exec(ctx, 1, args)
		if err != nil {
			return err
		}
		n, err := result.RowsAffected()
		if n > 0 {
			fresh = append(fresh, &records[from])
		}
		return err
	})
	return fresh, err
}

// rowID is what a row is known by.
type rowID struct {
	call  string
	entry int64
}

func idOf(r *account.Record) rowID {
	return rowID{name(r.CallID), int64(r.Entry)} //nolint:gosec // as in appendValues
}

// inserted runs a statement that returns the ids of the rows that it inserted, and returns their records.
func inserted(ctx context.Context, statement *repeated, args []any, records []account.Record) (list []*account.Record, err error) {
	rows, err := statement.query(ctx, len(records), args)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	ids := make(map[rowID]bool, len(records))
	for rows.Next() {
		var id rowID
		if err := rows.Scan(&id.call, &id.entry); err != nil {
			return nil, err
		}
		ids[id] = true
	}
	for i := range records {
		if id := idOf(&records[i]); ids[id] {
			delete(ids, id) // a record that stands twice in a batch is one row
			list = append(list, &records[i])
		}
	}
	return list, rows.Err()
}

// account adds the rows that were written to what is kept of them elsewhere.
func (s *Store) account(ctx context.Context, tx *sql.Tx, fresh []*account.Record) error {
	if len(fresh) == 0 {
		return nil
	}
	groups := groupRows(fresh)
	if err := s.post(ctx, tx, groups, fresh); err != nil {
		return err
	}
	if s.d.Packed {
		if err := s.addSlices(ctx, tx, groups); err != nil {
			return err
		}
	}
	var tags, bodies []any
	for _, r := range fresh {
		if r.Body != nil {
			id := idOf(r)
			bodies = append(bodies, id.call, id.entry, r.Start.UnixMicro(), text(r.Body.Request), text(r.Body.Response))
		}
		if s.d.Packed { // tags are among the slices
			continue
		}
		for i, tag := range r.Tags {
			if !slices.Contains(r.Tags[:i], tag) {
				id := idOf(r)
				tags = append(tags, name(tag), r.Start.UnixMicro(), id.call, id.entry)
			}
		}
	}
	if err := s.insertMany(ctx, tx, `INSERT INTO spend_log_bodies (litellm_call_id, entry, "startTime", request, response) VALUES `, 5, bodies, ` ON CONFLICT DO NOTHING`); err != nil {
		return err
	}
	return s.insertMany(ctx, tx, `INSERT INTO spend_log_tags (tag, "startTime", litellm_call_id, entry) VALUES `, 4, tags, ` ON CONFLICT DO NOTHING`)
}

// insertMany runs an INSERT for rows of width values each, in as few statements as may be.
func (s *Store) insertMany(ctx context.Context, tx *sql.Tx, begin string, width int, args []any, end string) (err error) {
	statement := s.repeated(tx, func(rows int) string { return begin + places(width, rows) + end })
	defer func() { err = errors.Join(err, statement.close()) }()
	return s.d.chunks(len(args)/width, func(from, to int) error {
		_, err := statement.exec(ctx, to-from, args[from*width:to*width])
		return err
	})
}
