package gateway

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/internal/bedrock/identity"
	"github.com/outcrop-ai/outcrop/internal/catalog"
	"github.com/outcrop-ai/outcrop/internal/config"
	"github.com/outcrop-ai/outcrop/internal/deployment"
	"github.com/outcrop-ai/outcrop/internal/engine"
	"github.com/outcrop-ai/outcrop/internal/media"
	"github.com/outcrop-ai/outcrop/internal/secret"
	"github.com/outcrop-ai/outcrop/internal/store/relational"
	"github.com/outcrop-ai/outcrop/internal/telemetry"
	"github.com/outcrop-ai/outcrop/test/databases"
)

func TestMain(m *testing.M) { databases.Main(m) }

// testKey is a master key that is not publicly known.
const testKey = "sk-9f2c7be14d6a48d3b05e"

// noEnv is an environment without variables.
func noEnv(string) (string, bool) { return "", false }

// books keeps the records of a test, and hands them on to the ledger of its database if it has one.
type books struct {
	mu      sync.Mutex
	records []account.Record
	added   chan struct{}
	ledger  *account.Ledger
}

func newBooks() *books { return &books{added: make(chan struct{}, 1024)} }

func (b *books) Add(r account.Record) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.records = append(b.records, r)
	select {
	case b.added <- struct{}{}:
	default: // a test that sends so many does not look at each
	}
	if b.ledger != nil {
		b.ledger.Add(r)
	}
}

// written waits until the database has all rows.
func (b *books) written(t *testing.T) {
	t.Helper()
	b.mu.Lock()
	n := uint64(len(b.records))
	b.mu.Unlock()
	for b.ledger.Stats().Written < n {
		select {
		case <-t.Context().Done():
			t.Fatalf("the database has not got its rows: %+v", b.ledger.Stats())
		case <-time.After(time.Millisecond):
		}
	}
}

// next waits for the next record.
func (b *books) next(t *testing.T) account.Record {
	t.Helper()
	select {
	case <-b.added:
	case <-t.Context().Done():
		t.Fatal("no record came")
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.records[len(b.records)-1]
}

// rig is a whole gateway in front of some upstream.
type rig struct {
	t      testing.TB
	url    string
	server *Server
	books  *books
	logs   *bytes.Buffer
	// users knows the end users, once there is a directory; config is what was read.
	users  *lateUsers
	config *config.Config
}

// lateUsers are the end users of a directory that is there when requests come.
type lateUsers struct{ directory *account.Directory }

func (l *lateUsers) EndUser(id string) *account.EndUser {
	if l.directory == nil {
		return nil
	}
	return l.directory.EndUser(id)
}

func (l *lateUsers) Tag(name string) *account.TagTerms {
	if l.directory == nil {
		return nil
	}
	return l.directory.Tag(name)
}

// watchEngines is told of the calls of the rigs that are made while it is set.
var watchEngines telemetry.Watcher

// newRig starts a gateway with a configuration and without a database. change may alter the options of its server.
func newRig(t testing.TB, yaml string, change func(*Options)) *rig {
	t.Helper()
	return newRigOn(t, nil, yaml, change)
}

// newRigOn starts a gateway that keeps its rows, and what was spent, in a database, as the program does.
func newRigOn(t testing.TB, store *relational.Store, yaml string, change func(*Options)) *rig {
	t.Helper()
	c, problems := config.Parse("config.yaml", []byte(yaml), noEnv)
	if config.HasErrors(problems) {
		t.Fatalf("configuration: %v\n%s", problems, yaml)
	}
	cat, err := catalog.Default()
	if err != nil {
		t.Fatal(err)
	}
	pool := identity.NewPool(noEnv)
	table, err := deployment.NewTable(c, deployment.Options{Catalog: cat, Pool: pool, Env: noEnv, UserAgent: "outcrop/test"})
	if err != nil {
		t.Fatal(err)
	}
	routing, err := deployment.NewRouting(c)
	if err != nil {
		t.Fatal(err)
	}
	if c.RouterSettings.NumRetries == nil && c.LitellmSettings.NumRetries == nil { // what a test sends, it sends once
		routing.Retries = 0
	}
	fetcher := media.NewFetcher(media.FetchOptions{AllowedHosts: c.LitellmSettings.UserURLAllowedHosts})
	g := &rig{t: t, books: newBooks(), logs: &bytes.Buffer{}, users: &lateUsers{}, config: c}
	logger := slog.New(slog.NewTextHandler(&lockedWriter{w: g.logs}, &slog.HandlerOptions{Level: slog.LevelDebug}))
	limited := deployment.Limits(c)
	var spent account.SpentReader
	if store != nil {
		spent = store
	}
	limited.Counters, limited.Named = account.NewLocalCounters(spent), g.users
	limits := account.NewLimits(limited)
	o := Options{
		Limits: limits,
		Engine: engine.New(engine.Options{
			Limits: limits, LikelyOutput: int64(c.LitellmSettings.DefaultEstimatedOutputTokens),
			Catalog: cat, Router: table.Router, Connections: table.Connections, PassThrough: table.PassThrough, PassThroughUnlisted: c.PassThroughUnlisted(), Recorder: g.books, Logger: logger, Debug: true, EndUsers: g.users,
			Watcher: watchEngines, NoAddresses: c.GeneralSettings.NoAddressLogging,
			KeyHeader: c.GeneralSettings.KeyHeaderName, Fetcher: fetcher, MaxChoices: c.GeneralSettings.MaxChoices, ExactCounts: !c.EstimatesTokens(), Routing: routing,
		}),
		Keys: account.KeysOf(account.KeyOptions{Master: c.GeneralSettings.MasterKey, Header: c.GeneralSettings.KeyHeaderName, Addresses: addressesOf(t, c)}), Logger: logger, Version: "test",
		MaxBody: c.MaxRequestBytes(), IncludeCallID: c.GeneralSettings.IncludeCallID, ImageModel: c.GeneralSettings.ImageGenerationModel, DebugBodies: true,
		NoAgentRuntime: c.GeneralSettings.NoAgentRuntime, TrustClientRegion: c.GeneralSettings.TrustClientRegion,
	}
	if store != nil {
		g.books.ledger = account.NewLedger(store, account.LedgerOptions{Delay: 5 * time.Millisecond})
		o.Spend, o.Responses = store, store
	}
	if change != nil {
		change(&o)
	}
	g.server = New(o)
	server := httptest.NewServer(g.server)
	g.url = server.URL
	t.Cleanup(func() {
		server.Close()
		if l := g.books.ledger; l != nil {
			if err := l.Close(context.Background()); err != nil {
				t.Error(err)
			}
		}
		table.Close()
		fetcher.Close()
		pool.Close()
	})
	return g
}

// addressesOf says where requests come from, as the program does.
func addressesOf(t testing.TB, c *config.Config) account.Addresses {
	t.Helper()
	a := account.Addresses{Forwarded: c.GeneralSettings.UseXForwardedFor}
	for _, text := range c.GeneralSettings.TrustedProxyRanges {
		p, err := account.ParseNetwork(text)
		if err != nil {
			t.Fatal(err)
		}
		a.Proxies = append(a.Proxies, p)
	}
	return a
}

type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// send sends a request and reads its answer.
func (g *rig) send(method, path, body string, header http.Header) (*http.Response, string) {
	g.t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), method, g.url+path, bytes.NewReader([]byte(body)))
	if err != nil {
		g.t.Fatal(err)
	}
	for name, values := range header {
		r.Header[name] = values
	}
	transport := &http.Transport{DisableKeepAlives: true, DisableCompression: true}
	resp, err := transport.RoundTrip(r)
	if err != nil {
		g.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		g.t.Fatalf("the answer is cut: %v after %q", err, data)
	}
	return resp, string(data)
}

// post sends a chat request with the test's key.
func (g *rig) post(path, body string) (*http.Response, string) {
	g.t.Helper()
	return g.send(http.MethodPost, path, body, bearer(testKey))
}

func bearer(key string) http.Header { return http.Header{"Authorization": {"Bearer " + key}} }

func secretOf(text string) secret.Secret { return secret.New(text) }
