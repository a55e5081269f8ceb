package relational

import (
	"context"
	"database/sql"
	"time"

	"github.com/outcrop-ai/outcrop/internal/responses"
)

// PutResponse keeps a response.
func (s *Store) PutResponse(ctx context.Context, r *responses.Response) error {
	return s.change(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, s.d.bind(`INSERT INTO responses (id, owner, previous, model, created_at, input, output, object) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`),
			name(r.ID), plain(r.Owner), named(r.Previous), plain(r.Model), r.Created.UnixMicro(), plain(string(r.Input)), plain(string(r.Output)), plain(string(r.Object)))
		return err
	})
}

// Response returns the owner's response of that id, nil if there is none.
func (s *Store) Response(ctx context.Context, owner, id string) (r *responses.Response, err error) {
	const query = `SELECT id, owner, previous, model, created_at, input, output, object FROM responses WHERE id = ? AND owner = ?`
	err = s.query(ctx, query, []any{name(id), plain(owner)}, func(rows *sql.Rows) error {
		found := &responses.Response{}
		var created int64
		var input, output, object string
		err := rows.Scan(&found.ID, &found.Owner, orEmpty{&found.Previous}, &found.Model, &created, &input, &output, &object)
		found.Created = time.UnixMicro(created).UTC()
		found.Input, found.Output, found.Object = []byte(input), []byte(output), []byte(object)
		r = found
		return err
	})
	return r, err
}

// DeleteResponse forgets the owner's response of that id, and reports whether there was one.
func (s *Store) DeleteResponse(ctx context.Context, owner, id string) (gone bool, err error) {
	err = s.change(ctx, func(ctx context.Context, tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, s.d.bind(`DELETE FROM responses WHERE id = ? AND owner = ?`), name(id), plain(owner))
		if err != nil {
			return err
		}
		n, err := result.RowsAffected()
		gone = n > 0
		return err
	})
	return gone, err
}
