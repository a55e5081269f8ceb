package relational

import (
	"context"
	"database/sql"
	"errors"
)

// repeated is a statement in several shapes, such as for several numbers of rows, which a transaction runs several times.
type repeated struct {
	s        *Store
	tx       *sql.Tx
	text     func(shape int) string
	prepared map[int]*sql.Stmt
}

func (s *Store) repeated(tx *sql.Tx, text func(shape int) string) *repeated {
	return &repeated{s: s, tx: tx, text: text, prepared: map[int]*sql.Stmt{}}
}

// statement returns the prepared statement of a shape, nil where none are prepared.
func (r *repeated) statement(ctx context.Context, shape int) (*sql.Stmt, error) {
	if !r.s.d.Prepared {
		return nil, nil //nolint:nilnil // as documented
	}
	statement := r.prepared[shape]
	if statement == nil {
		var err error
		if statement, err = r.tx.PrepareContext(ctx, r.s.d.bind(r.text(shape))); err != nil {
			return nil, err
		}
		r.prepared[shape] = statement
	}
	return statement, nil
}

func (r *repeated) exec(ctx context.Context, shape int, args []any) (sql.Result, error) {
	statement, err := r.statement(ctx, shape) //nolint:sqlclosecheck // close does
	if err != nil {
		return nil, err
	}
	if statement != nil {
		return statement.ExecContext(ctx, args...)
	}
	return r.tx.ExecContext(ctx, r.s.d.bind(r.text(shape)), args...)
}

func (r *repeated) query(ctx context.Context, shape int, args []any) (*sql.Rows, error) {
	statement, err := r.statement(ctx, shape) //nolint:sqlclosecheck // close does
	if err != nil {
		return nil, err
	}
	if statement != nil {
		return statement.QueryContext(ctx, args...)
	}
	return r.tx.QueryContext(ctx, r.s.d.bind(r.text(shape)), args...)
}

func (r *repeated) close() error {
	var err error
	for _, statement := range r.prepared {
		err = errors.Join(err, statement.Close())
	}
	return err
}
