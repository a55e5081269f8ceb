package postgres

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

const canary = "hunter2-canary"

func TestURLs(t *testing.T) {
	f := func(url, name, password string, connections int, ignored string) address {
		t.Helper()
		a, err := parse(url)
		if err != nil {
			t.Fatalf("%s: %v", url, err)
		}
		if a.name != name || a.config.Password != password || a.connections != connections || strings.Join(a.ignored, ",") != ignored {
			t.Errorf("%s: got %s, %q, %d, %v", url, a.name, a.config.Password, a.connections, a.ignored)
		}
		return a
	}
	f("postgresql://u:p@db.example:6543/litellm", "postgres://db.example:6543/litellm", "p", 0, "")
	f("postgres://u:a%2Fb%3Fc%23d%40e%3Af%25@db.example/litellm", "postgres://db.example:5432/litellm", "a/b?c#d@e:f%", 0, "")
	f("postgresql://u:p@h/d?connection_limit=5&pool_timeout=20&sslmode=disable&sslaccept=strict&socket_timeout=3", "postgres://h:5432/d", "p", 5, "pool_timeout,socket_timeout,sslaccept")
	f("postgresql://h/d?user=u&password=p%25", "postgres://h:5432/d", "p%", 0, "")
	a := f("postgresql://u:p@h/d?schema=outcrop", "postgres://h:5432/d", "p", 0, "")
	if a.config.RuntimeParams["search_path"] != "outcrop" || a.config.RuntimeParams["application_name"] != "outcrop" {
		t.Errorf("got %v", a.config.RuntimeParams)
	}
	for _, pooled := range []string{"pgbouncer=true", "statement_cache_size=0"} {
		if a := f("postgresql://u:p@h/d?"+pooled, "postgres://h:5432/d", "p", 0, ""); a.config.DefaultQueryExecMode != pgx.QueryExecModeExec {
			t.Errorf("%s: got %v", pooled, a.config.DefaultQueryExecMode)
		}
	}
	f("postgresql://u:p@/d?host=/var/run/postgresql", "postgres:///var/run/postgresql:5432/d", "p", 0, "")
}

func TestNoErrorQuotesThePassword(t *testing.T) {
	f := func(url, want string) {
		t.Helper()
		var log bytes.Buffer
		s, err := Open(url, Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if err == nil {
			t.Errorf("%s was taken: %v", url, s.Close())
			return
		}
		if !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "database_url: ") {
			t.Errorf("got %v, want %q", err, want)
		}
		if strings.Contains(err.Error()+log.String(), "hunter2") {
			t.Errorf("the password shows: %v %s", err, &log)
		}
	}
	f("postgresql://u:"+canary+"/x#y@h/d", "escaped")
	f("postgresql://u:"+canary+"%zz@h/d", "escaped")
	f("postgresql://u:"+canary+"@h:port/d", "escaped")
	f("postgresql:u:"+canary+"@h/d", "escaped")
	f("postgresql://u:"+canary+"@h/d?connection_limit=many", "connection_limit")
	f("postgresql://u:"+canary+"@h/d?sslmode=maybe", "sslmode")
	f("postgresql://u:"+canary+"@h/d?a=%zz", "behind its ?")
	f("postgresql://u@h/d?password="+canary+"&sslmode=maybe", "sslmode")
}
