package main

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/internal/responses"
	"github.com/outcrop-ai/outcrop/internal/store/relational"
)

// lateStore is a database that need not be there from the beginning, and is opened again when its file has been replaced:
// what SQLite writes to a file that is no longer in its place is lost. It implements account.Sink, account.SpendReader and
// account.EntityStore: while the database is not open their errors are relational.ErrAway.
type lateStore struct {
	database database
	logger   *slog.Logger

	mu    sync.Mutex // guards all below
	store *relational.Store
	file  fs.FileInfo
}

func (s *lateStore) open(ctx context.Context) error {
	_, err := s.opening(ctx)
	return err
}

// opening returns the open database, and opens it before if need be.
func (s *lateStore) opening(ctx context.Context) (*relational.Store, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.store != nil {
		return s.store, nil
	}
	store, err := s.database.open(ctx, s.logger)
	if err != nil {
		return nil, err
	}
	if !s.database.shared() {
		if s.file, err = os.Stat(s.database.path); err != nil {
			return nil, errors.Join(err, store.Close())
		}
	}
	s.store = store
	return store, nil
}

// current returns the open database. It opens none: that is for those who write.
func (s *lateStore) current() (*relational.Store, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.store == nil {
		return nil, relational.ErrAway
	}
	return s.store, nil
}

// errMoved says that rows were written to a file that is no longer the database.
var errMoved = errors.New("the database's file was removed or replaced, and is opened again")

// Append writes records to the database, and opens it before if need be.
func (s *lateStore) Append(ctx context.Context, records []account.Record) error {
	store, err := s.opening(ctx)
	if err != nil {
		return err
	}
	err = store.Append(ctx, records)
	return errors.Join(err, s.ifMoved(store))
}

// ifMoved closes a database whose file is no longer there, and reports that.
func (s *lateStore) ifMoved(store *relational.Store) error {
	if s.database.shared() {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.store != store {
		return errMoved
	}
	if now, err := os.Stat(s.database.path); err == nil && os.SameFile(now, s.file) {
		return nil
	}
	s.store = nil
	return errors.Join(errMoved, store.Close())
}

// opened reports whether the database has been reached.
func (s *lateStore) opened() bool {
	store, err := s.current()
	if err != nil {
		return false
	}
	select {
	case <-store.Ready():
		return true
	default:
		return false
	}
}

func (s *lateStore) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.store == nil {
		return nil
	}
	return s.store.Close()
}

// Rows is relational.Store's, as are all below.
func (s *lateStore) Rows(ctx context.Context, f account.RowFilter, p account.RowPage, yield func(account.Record) error) error {
	store, err := s.current()
	if err != nil {
		return err
	}
	return store.Rows(ctx, f, p, yield)
}

// CountRows counts rows.
func (s *lateStore) CountRows(ctx context.Context, f account.RowFilter, limit int) (n int, whole bool, err error) {
	store, err := s.current()
	if err != nil {
		return 0, false, err
	}
	return store.CountRows(ctx, f, limit)
}

// Days reads what rows come to.
func (s *lateStore) Days(ctx context.Context, f account.RowFilter, yield func(account.Sum) error) error {
	store, err := s.current()
	if err != nil {
		return err
	}
	return store.Days(ctx, f, yield)
}

// Bodies reads what was said.
func (s *lateStore) Bodies(ctx context.Context, records []account.Record) error {
	store, err := s.current()
	if err != nil {
		return err
	}
	return store.Bodies(ctx, records)
}

// Sums reads sums.
func (s *lateStore) Sums(ctx context.Context, q account.SumQuery, yield func(account.Sum) error) error {
	store, err := s.current()
	if err != nil {
		return err
	}
	return store.Sums(ctx, q, yield)
}

// Find finds entities.
func (s *lateStore) Find(ctx context.Context, kind account.EntityKind, ids []string) ([]account.Entity, error) {
	store, err := s.current()
	if err != nil {
		return nil, err
	}
	return store.Find(ctx, kind, ids)
}

// ResetAll sets counters to 0.
func (s *lateStore) ResetAll(ctx context.Context, scopes []string) error {
	store, err := s.current()
	if err != nil {
		return err
	}
	return store.ResetAll(ctx, scopes)
}

// Entities reads all entities.
func (s *lateStore) Entities(ctx context.Context, yield func(account.Entity) error) (int64, error) {
	store, err := s.current()
	if err != nil {
		return 0, err
	}
	return store.Entities(ctx, yield)
}

// Changes reads what has changed.
func (s *lateStore) Changes(ctx context.Context, after int64) ([]account.Entity, int64, error) {
	store, err := s.current()
	if err != nil {
		return nil, 0, err
	}
	return store.Changes(ctx, after)
}

// Put stores entities.
func (s *lateStore) Put(ctx context.Context, list []account.Entity) ([]account.Entity, error) {
	store, err := s.current()
	if err != nil {
		return nil, err
	}
	return store.Put(ctx, list)
}

// Delete removes entities.
func (s *lateStore) Delete(ctx context.Context, kind account.EntityKind, ids []string) ([]string, error) {
	store, err := s.current()
	if err != nil {
		return nil, err
	}
	return store.Delete(ctx, kind, ids)
}

// Spent reads counters.
func (s *lateStore) Spent(ctx context.Context, counters []account.Charge) ([]account.Amount, error) {
	store, err := s.current()
	if err != nil {
		return nil, err
	}
	return store.Spent(ctx, counters)
}

// ResetSpent sets counters.
func (s *lateStore) ResetSpent(ctx context.Context, counters []account.Charge, to []account.Amount) error {
	store, err := s.current()
	if err != nil {
		return err
	}
	return store.ResetSpent(ctx, counters, to)
}

// Expire removes old rows.
func (s *lateStore) Expire(ctx context.Context, before time.Time, limit int) (int, error) {
	store, err := s.current()
	if err != nil {
		return 0, err
	}
	return store.Expire(ctx, before, limit)
}

// Tidy removes what is left of old periods and deleted entities.
func (s *lateStore) Tidy(ctx context.Context, now time.Time) error {
	store, err := s.current()
	if err != nil {
		return err
	}
	return store.Tidy(ctx, now)
}

// PutResponse keeps a response, and opens the database before if need be.
func (s *lateStore) PutResponse(ctx context.Context, r *responses.Response) error {
	store, err := s.opening(ctx)
	if err != nil {
		return err
	}
	return store.PutResponse(ctx, r)
}

// Response returns a response.
func (s *lateStore) Response(ctx context.Context, owner, id string) (*responses.Response, error) {
	store, err := s.current()
	if err != nil {
		return nil, err
	}
	return store.Response(ctx, owner, id)
}

// DeleteResponse forgets a response.
func (s *lateStore) DeleteResponse(ctx context.Context, owner, id string) (bool, error) {
	store, err := s.current()
	if err != nil {
		return false, err
	}
	return store.DeleteResponse(ctx, owner, id)
}

var _ account.EntityStore = (*lateStore)(nil)
