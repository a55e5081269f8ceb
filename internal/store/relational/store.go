package relational

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// Options are what a store is made of. Write, Dialect and Name are required.
type Options struct {
	// Write is the database; Read is what is asked when nothing is to be changed, Write where it is nil. Both are the
	// store's from now on.
	Write, Read *sql.DB
	Dialect     Dialect
	// Name says in errors and log lines which database it is. It must not hold a password.
	Name string
	// Timeout bounds what one call may take; 0 is no bound.
	Timeout time.Duration
	// Logger gets a line when the database is away, and when it is there again. Default: none.
	Logger *slog.Logger
}

// Store is an open database. It is safe for concurrent use.
type Store struct {
	o     Options
	write *sql.DB
	read  *sql.DB
	d     *Dialect

	// ready is closed when the schema is up to date.
	ready chan struct{}
	// away is why it is not, as long as it is not.
	away atomic.Pointer[error]
	// posted has room for one word: something waits to be settled.
	posted chan struct{}
	stop   context.CancelFunc
	done   sync.WaitGroup
}

// ErrAway says that the database has not been reached since the start.
var ErrAway = errors.New("it has not been reached yet")

// New returns a store whose schema is up to date.
func New(ctx context.Context, o Options) (*Store, error) {
	s := newStore(o)
	if err := s.prepare(ctx); err != nil {
		return nil, errors.Join(s.wrap(err), s.Close())
	}
	background := s.background()
	s.wake() // there may be what was left at the last end
	s.done.Go(func() { s.keepSettled(background) })
	return s, nil
}

// View returns a store of a database that is there, to look at it: it must have the schema that this Outcrop writes, and
// nothing in it is changed.
func View(ctx context.Context, o Options) (*Store, error) {
	s := newStore(o)
	steps, err := migrations()
	if err == nil {
		var have int
		if err = s.read.QueryRowContext(ctx, `SELECT coalesce(max(version), 0) FROM schema_version`).Scan(&have); err == nil && have != len(steps) {
			err = fmt.Errorf("it has schema version %d, this Outcrop reads %d", have, len(steps))
		}
	}
	if err != nil {
		return nil, errors.Join(s.wrap(err), s.Close())
	}
	close(s.ready)
	return s, nil
}

// Connect returns a store at once and brings its schema up to date as soon as the database can be reached. Until then
// every call ends with ErrAway.
func Connect(o Options) *Store {
	s := newStore(o)
	ctx := s.background()
	s.done.Go(func() {
		if s.reach(ctx) {
			s.wake()
			s.keepSettled(ctx)
		}
	})
	return s
}

// background returns the context of the store's goroutine, which Close ends.
func (s *Store) background() context.Context {
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	return ctx
}

func newStore(o Options) *Store {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Store{o: o, write: o.Write, read: o.Read, ready: make(chan struct{}), posted: make(chan struct{}, 1), stop: func() {}}
	if s.read == nil {
		s.read = s.write
	}
	s.d = &s.o.Dialect
	return s
}

// The pauses between tries to reach a database double from the first to the second.
const (
	firstPause = 100 * time.Millisecond
	lastPause  = 2 * time.Second
	// reachTime bounds one try: a server that takes connections and says nothing is away, too.
	reachTime = 5 * time.Second
)

// reach tries to reach the database until it does, or ctx ends. It reports which.
func (s *Store) reach(ctx context.Context) bool {
	pause, told := firstPause, false
	for {
		try, cancel := context.WithTimeout(ctx, reachTime)
		// A migration of a large table may take longer than reaching the server.
		err := s.write.PingContext(try)
		cancel()
		if err == nil {
			err = s.prepare(ctx)
		}
		if err == nil {
			if told {
				s.o.Logger.Info("the database is there", "database", s.o.Name)
			}
			return true
		}
		s.away.Store(&err)
		if ctx.Err() != nil {
			return false
		}
		if !told {
			told = true
			s.o.Logger.Warn("the database cannot be reached, trying again", "database", s.o.Name, "error", err)
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
			pause = min(2*pause, lastPause)
		case <-ctx.Done():
			timer.Stop()
			return false
		}
	}
}

func (s *Store) prepare(ctx context.Context) error {
	if err := migrate(ctx, s.write, s.d); err != nil {
		return err
	}
	close(s.ready)
	return nil
}

// begin is what every call does first. The context that it returns must be ended.
func (s *Store) begin(ctx context.Context) (context.Context, context.CancelFunc, error) {
	select {
	case <-s.ready:
	default:
		if why := s.away.Load(); why != nil {
			return nil, nil, s.wrap(fmt.Errorf("%w: %w", ErrAway, *why))
		}
		return nil, nil, s.wrap(ErrAway)
	}
	if s.o.Timeout <= 0 {
		return ctx, func() {}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.o.Timeout)
	return ctx, cancel, nil
}

// Ready returns a channel that is closed when the database has been reached and its schema is up to date.
func (s *Store) Ready() <-chan struct{} { return s.ready }

// wrap says in an error which database it is about.
func (s *Store) wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("database %s: %w", s.o.Name, err)
}

// change calls f in a transaction, which is committed when f returns no error.
func (s *Store) change(ctx context.Context, f func(context.Context, *sql.Tx) error) error {
	ctx, cancel, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return s.wrap(err)
	}
	within := ctx
	if s.d.Detached {
		within = context.WithoutCancel(ctx)
	}
	err = f(within, tx)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return s.wrap(errors.Join(err, ended(tx.Rollback())))
	}
	return s.wrap(tx.Commit())
}

// query calls f with each row that a query finds.
func (s *Store) query(ctx context.Context, query string, args []any, f func(*sql.Rows) error) (err error) {
	ctx, cancel, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	rows, err := s.read.QueryContext(ctx, s.d.bind(query), args...)
	if err != nil {
		return s.wrap(err)
	}
	defer func() { err = s.wrap(errors.Join(err, rows.Close())) }()
	for rows.Next() {
		if err := f(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Name returns which database it is, without a password.
func (s *Store) Name() string { return s.o.Name }

// Ping reports whether the database answers and its schema is up to date.
func (s *Store) Ping(ctx context.Context) error {
	ctx, cancel, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	return s.wrap(s.read.PingContext(ctx))
}

// Close ends the store. What was appended is in the database.
func (s *Store) Close() error {
	s.stop()
	s.done.Wait()
	err := s.write.Close()
	if s.read != s.write {
		err = errors.Join(err, s.read.Close())
	}
	return s.wrap(err)
}

// Exec runs a statement of a test's or a tool's own.
func (s *Store) Exec(ctx context.Context, statement string) error {
	return s.change(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, statement)
		return err
	})
}
