package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/internal/config"
	"github.com/outcrop-ai/outcrop/internal/engine"
	"github.com/outcrop-ai/outcrop/internal/gateway"
	"github.com/outcrop-ai/outcrop/internal/journal"
)

// books are what a gateway keeps its rows with: a log on disk, the ledger that reads it, and the database. The zero value
// keeps none.
type books struct {
	log    *journal.Log
	store  *lateStore
	ledger *account.Ledger
	tidy   func() // ends the removal of old rows
}

// places returns where a configuration has its database and its log.
func places(c *config.Config, dataDir string) (db database, log string) {
	db = databaseOf(c, dataDir)
	log = c.GeneralSettings.LedgerDir
	switch {
	case log != "":
	case db.shared():
		log = filepath.Join(dataDir, "outcrop.wal")
	default:
		log = strings.TrimSuffix(db.path, ".db") + ".wal"
	}
	return db, log
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
	b.store = &lateStore{database: database, logger: logger}
	dbErr := b.store.open(context.Background())
	switch {
	case dbErr != nil && database.shared(): // its URL is wrong
		b.store = nil
		return dbErr
	case err != nil && dbErr != nil:
		logger.Warn("requests are served, but no spend is recorded: the database cannot be opened (general_settings.database_url: sqlite:PATH)", "error", dbErr)
		b.store = nil
		return nil
	case err != nil:
		logger.Warn("rows that are not yet in the database are lost if the gateway is killed: their log cannot be opened (general_settings.ledger_dir)", "error", err)
	case dbErr != nil:
		logger.Warn("rows wait in the log: the database cannot be opened (general_settings.database_url: sqlite:PATH)", "error", dbErr)
	}
	b.tidy = (&retention{store: b.store, logger: logger, keep: g.SpendRetention, every: g.SpendRetentionInterval}).start()
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

// reader returns what reads the book, nil when there is none.
func (b *books) reader() account.SpendReader {
	if b.store == nil {
		return nil
	}
	return b.store
}

// responses returns what keeps responses, nil when that is nothing: the gateway keeps them in memory then.
func (b *books) responses() gateway.ResponseStore {
	if b.store == nil {
		return nil
	}
	return b.store
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
	if b.tidy != nil {
		b.tidy()
	}
	if b.store != nil {
		errs = append(errs, b.store.close())
	}
	if b.log != nil {
		errs = append(errs, b.log.Close())
	}
	return errors.Join(errs...)
}
