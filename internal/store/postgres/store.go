package postgres

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/outcrop-ai/outcrop/internal/store/relational"
)

// The pool's bounds, where the URL does not have connection_limit, and what a server may take its time for.
const (
	defaultConnections = 8
	idleConnections    = 2
	// callTime bounds a call, statementTime a statement on the server, which ends it even if we are gone; lockTime is how long
	// one replica waits for another.
	callTime       = 10 * time.Second
	statementTime  = "9s"
	lockTime       = "5s"
	idleInTransact = "15s"
	connectTime    = 3 * time.Second
)

// Options are what a store is opened with; the zero value is the documented default.
type Options struct {
	// Logger gets a line when the database is away, and when it is there again. Default: none.
	Logger *slog.Logger
	// Timeout bounds what one call may take. Default: 10 s.
	Timeout time.Duration
}

func dialect() relational.Dialect {
	return relational.Dialect{
		Name: "postgres", Numbered: true, MaxRows: 128,
		// The lock's number is any, ours since the first release. A migration takes the time that it takes.
		MigrationLock: "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0; SELECT pg_advisory_xact_lock(7302419553)",
		Words: map[string]string{
			"INTEGER": "BIGINT", "REAL": "DOUBLE PRECISION", "VIRTUAL": "STORED",
			"startTime": `"startTime"`, "completionStartTime": `"completionStartTime"`, "endTime": `"endTime"`,
		},
	}
}

// Open returns a store at once, and connects beside: a server that is away delays what is to be kept, not the start. See
// relational.Connect. The error is one of the URL.
func Open(url string, o Options) (*relational.Store, error) {
	options, err := options(url, o)
	if err != nil {
		return nil, err
	}
	return relational.Connect(options), nil
}

// Migrate brings the schema up to date.
func Migrate(ctx context.Context, url string, o Options) error {
	options, err := options(url, o)
	if err != nil {
		return err
	}
	s, err := relational.New(ctx, options)
	if err != nil {
		return err
	}
	return s.Close()
}

// View opens a database to look at it. See relational.View.
func View(ctx context.Context, url string, o Options) (*relational.Store, error) {
	options, err := options(url, o)
	if err != nil {
		return nil, err
	}
	return relational.View(ctx, options)
}

func options(url string, o Options) (relational.Options, error) {
	a, err := parse(url)
	if err != nil {
		return relational.Options{}, fmt.Errorf("database_url: %w", err)
	}
	if len(a.ignored) > 0 && o.Logger != nil {
		o.Logger.Warn("parts of database_url have no effect", "parameters", strings.Join(a.ignored, ", "))
	}
	if o.Timeout <= 0 {
		o.Timeout = callTime
	}
	db := open(a)
	return relational.Options{Write: db, Dialect: dialect(), Name: a.name, Timeout: o.Timeout, Logger: o.Logger}, nil
}

func open(a address) *sql.DB {
	c := a.config
	if c.ConnectTimeout == 0 || c.ConnectTimeout > time.Minute {
		c.ConnectTimeout = connectTime
	}
	for name, value := range map[string]string{
		"statement_timeout": statementTime, "lock_timeout": lockTime, "idle_in_transaction_session_timeout": idleInTransact,
	} {
		if _, said := c.RuntimeParams[name]; !said && c.DefaultQueryExecMode != pgx.QueryExecModeExec { // poolers refuse them
			c.RuntimeParams[name] = value
		}
	}
	db := stdlib.OpenDB(*c)
	limit := a.connections
	if limit == 0 {
		limit = defaultConnections
	}
	db.SetMaxOpenConns(limit)
	db.SetMaxIdleConns(min(limit, idleConnections))
	db.SetConnMaxIdleTime(5 * time.Minute)
	db.SetConnMaxLifetime(30 * time.Minute)
	return db
}
