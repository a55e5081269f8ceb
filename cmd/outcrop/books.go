package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/internal/config"
	"github.com/outcrop-ai/outcrop/internal/engine"
	"github.com/outcrop-ai/outcrop/internal/journal"
	"github.com/outcrop-ai/outcrop/internal/store/sqlite"
)

// books are what a gateway keeps its rows with: a log on disk, the ledger that reads it, and the database. The zero value
// keeps none.
type books struct {
	log    *journal.Log
	store  *lateStore
	ledger *account.Ledger
}

// places returns where a configuration has its database and its log.
func places(c *config.Config, dataDir string) (database, log string) {
	database = filepath.Join(dataDir, "outcrop.db")
	if url := c.GeneralSettings.DatabaseURL.Reveal(); url != "" {
		database = strings.TrimPrefix(strings.TrimPrefix(url, "sqlite:"), "//")
	}
	log = c.GeneralSettings.LedgerDir
	if log == "" {
		log = strings.TrimSuffix(database, ".db") + ".wal"
	}
	return database, log
}

// open opens the log and the database. A gateway that can open neither still answers: it says so, and keeps no rows. That
// ends where the configuration says that no request may go without a row.
func (b *books) open(c *config.Config, dataDir string, logger *slog.Logger) error {
	database, folder := places(c, dataDir)
	g := &c.GeneralSettings
	var err error
	b.log, err = journal.Open(folder, journal.Options{
		MaxSize: int64(g.LedgerMaxSizeMB * (1 << 20)), Sync: journal.Sync(g.LedgerSync), Logger: logger,
	})
	if err != nil && g.LedgerOnFull == config.LedgerRefuse {
		return fmt.Errorf("%w (general_settings.ledger_dir is its folder; without ledger_on_full: refuse the gateway would serve without one)", err)
	}
	b.store = &lateStore{path: database}
	dbErr := b.store.open(context.Background())
	switch {
	case err != nil && dbErr != nil:
		logger.Warn("requests are served, but no spend is recorded: the database cannot be opened (general_settings.database_url: sqlite:PATH)", "error", dbErr)
		b.store = nil
		return nil
	case err != nil:
		logger.Warn("rows that are not yet in the database are lost if the gateway is killed: their log cannot be opened (general_settings.ledger_dir)", "error", err)
	case dbErr != nil:
		logger.Warn("rows wait in the log: the database cannot be opened (general_settings.database_url: sqlite:PATH)", "error", dbErr)
	}
	b.ledger = account.NewLedger(b.store, account.LedgerOptions{Log: b.log, OnFull: account.FullPolicy(g.LedgerOnFull), Logger: logger})
	return nil
}

// recorder returns what takes records, and what says that they cannot be taken; nil when none are kept.
func (b *books) recorder() (engine.Recorder, func() error) {
	if b.ledger == nil {
		return nil, nil
	}
	return b.ledger, b.ledger.Refusal
}

// ready reports whether the database takes rows.
func (b *books) ready() bool {
	return b.ledger != nil && b.store.opened() && b.ledger.Stats().Failure == nil
}

// flushTime bounds how long the last rows may take to reach the database. What does not reach it is in the log.
const flushTime = 10 * time.Second

func (b *books) close() error {
	var errs []error
	if b.ledger != nil {
		ctx, cancel := context.WithTimeout(context.Background(), flushTime)
		defer cancel()
		errs = append(errs, b.ledger.Close(ctx))
	}
	if b.store != nil {
		errs = append(errs, b.store.close())
	}
	if b.log != nil {
		errs = append(errs, b.log.Close())
	}
	return errors.Join(errs...)
}

// lateStore is a database that need not be there from the beginning, and is opened again when its file has been replaced:
// what SQLite writes to a file that is no longer in its place is lost. It implements account.Sink.
type lateStore struct {
	path string

	mu    sync.Mutex // guards all below
	store *sqlite.Store
	file  fs.FileInfo
}

func (s *lateStore) open(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reopen(ctx)
}

// reopen is called with the lock held.
func (s *lateStore) reopen(ctx context.Context) error {
	store, err := sqlite.Open(ctx, s.path)
	if err != nil {
		return err
	}
	file, err := os.Stat(s.path)
	if err != nil {
		return errors.Join(err, store.Close())
	}
	s.store, s.file = store, file
	return nil
}

// errMoved says that rows were written to a file that is no longer the database.
var errMoved = errors.New("the database's file was removed or replaced, and is opened again")

// Append writes records to the database, and opens it before if need be.
func (s *lateStore) Append(ctx context.Context, records []account.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.store == nil {
		if err := s.reopen(ctx); err != nil {
			return err
		}
	}
	if err := s.store.Append(ctx, records); err != nil {
		return errors.Join(err, s.ifMoved())
	}
	return s.ifMoved()
}

// ifMoved closes a database whose file is no longer there, and reports that. It is called with the lock held.
func (s *lateStore) ifMoved() error {
	if now, err := os.Stat(s.path); err == nil && os.SameFile(now, s.file) {
		return nil
	}
	err := s.store.Close()
	s.store = nil
	return errors.Join(errMoved, err)
}

func (s *lateStore) opened() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.store != nil
}

func (s *lateStore) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.store == nil {
		return nil
	}
	return s.store.Close()
}
