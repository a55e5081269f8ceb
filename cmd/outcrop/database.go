package main

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"

	"github.com/outcrop-ai/outcrop/internal/config"
	"github.com/outcrop-ai/outcrop/internal/store/postgres"
	"github.com/outcrop-ai/outcrop/internal/store/relational"
	"github.com/outcrop-ai/outcrop/internal/store/sqlite"
)

// database is where a configuration keeps its book: a SQLite file, or the Postgres server of a URL.
type database struct{ path, url string }

// databaseOf returns the database of a configuration: the one that it names, else a file in dataDir.
func databaseOf(c *config.Config, dataDir string) database {
	url := c.GeneralSettings.DatabaseURL.Reveal()
	rest, isFile := strings.CutPrefix(url, "sqlite:")
	switch {
	case url == "":
		return database{path: filepath.Join(dataDir, "outcrop.db")}
	case isFile:
		return database{path: strings.TrimPrefix(rest, "//")}
	default:
		return database{url: url}
	}
}

// shared reports whether several replicas may use it from several machines.
func (d database) shared() bool { return d.url != "" }

// open opens it. A file must be there or be made; a server that is away is waited for beside.
func (d database) open(ctx context.Context, logger *slog.Logger) (*relational.Store, error) {
	if d.shared() {
		return postgres.Open(d.url, postgres.Options{Logger: logger})
	}
	return sqlite.Open(ctx, d.path)
}

// view opens it to look at it.
func (d database) view(ctx context.Context) (*relational.Store, error) {
	if d.shared() {
		return postgres.View(ctx, d.url, postgres.Options{})
	}
	return sqlite.OpenReadOnly(ctx, d.path)
}

func (d database) migrate(ctx context.Context) error {
	if d.shared() {
		return postgres.Migrate(ctx, d.url, postgres.Options{})
	}
	store, err := sqlite.Open(ctx, d.path)
	if err != nil {
		return err
	}
	return store.Close()
}

// migrateDatabase is the command that brings the database's schema up to date and ends.
func migrateDatabase(ctx context.Context, args []string, s stdio, lookup env) error {
	var o serveOptions
	f := newFlags("migrate", "[--config FILE] [--data-dir DIR]", s.out)
	fallback, _ := lookup("CONFIG_FILE_PATH")
	f.configFile(&o.config, fallback, "the configuration that names the database (CONFIG_FILE_PATH)")
	f.StringVar(&o.dataDir, "data-dir", "", "folder of the database; that of the configuration, else the current one")
	if err := f.parse(args); err != nil {
		return err
	}
	if f.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q: the configuration goes behind --config", f.Arg(0))
	}
	c, err := load(&o, s, lookup)
	if err != nil {
		return err
	}
	if err := databaseOf(c, o.folder()).migrate(ctx); err != nil {
		return err
	}
	fmt.Fprintln(s.out, "the database's schema is up to date")
	return nil
}
