package engine

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/internal/bedrock/wire"
	"github.com/outcrop-ai/outcrop/internal/catalog"
	"github.com/outcrop-ai/outcrop/internal/router"
	"github.com/outcrop-ai/outcrop/llm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// records keeps what an engine books.
type records struct {
	mu   sync.Mutex
	list []account.Record
}

func (r *records) Add(record account.Record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, record)
}

func (r *records) last(t *testing.T) account.Record {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.list) == 0 {
		t.Fatal("nothing was booked")
	}
	return r.list[len(r.list)-1]
}

// link is a connection to one server, in whatever region.
type link struct {
	transport *http.Transport
	endpoint  url.URL
	region    string
	warning   string
}

func (l *link) Client(region string) (*wire.Client, error) {
	return wire.NewClient(wire.ClientOptions{
		Endpoint: wire.Endpoint{URL: &l.endpoint, Service: "bedrock", Region: region}, Transport: l.transport, Authenticator: anonymous{},
	}), nil
}

func (l *link) Mantle(region string) (*wire.Client, error) { return l.Client(region) }

func (l *link) AgentRuntime(region string) (*wire.Client, error) { return l.Client(region) }

func (l *link) Region(path, _, _ string) (region, warning string) {
	if path != "" {
		return path, l.warning
	}
	return l.region, l.warning
}

// anonymous is nobody: the servers of these tests ask for no proof.
type anonymous struct{}

func (anonymous) Authenticate(context.Context, *http.Request, string) error { return nil }
func (anonymous) Invalidate(*http.Request) bool                             { return false }
func (anonymous) LearnClock(*http.Request, time.Time) bool                  { return false }

// bench is an engine with its deployments in front of a handler.
type bench struct {
	*Engine
	books *records
	link  *link
}

const plainAnswer = `{"output":{"message":{"role":"assistant","content":[{"text":"ok"}]}},"stopReason":"end_turn","usage":{"inputTokens":1000,"outputTokens":100,"totalTokens":1100}}`

func answer(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Amzn-Requestid", "aws-1")
		_, _ = io.WriteString(w, text)
	}
}

// newBench starts an engine with the given deployments, whose models are resolved.
func newBench(t *testing.T, handler http.HandlerFunc, deployments ...*router.Deployment) *bench {
	t.Helper()
	cat, err := catalog.Default()
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	address, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{books: &records{}, link: &link{transport: &http.Transport{}, endpoint: *address, region: "us-east-1"}}
	t.Cleanup(b.link.transport.CloseIdleConnections)
	for _, d := range deployments {
		if d.ID == "" {
			d.ID = d.Group + "-id"
		}
		if d.Ref.ID == "" && d.Model != "bedrock/*" {
			if d.Ref, err = cat.ResolveWithBase(d.Model, d.BaseModel); err != nil {
				t.Fatal(err)
			}
		}
	}
	b.Engine = New(Options{
		Catalog: cat, Router: router.New(deployments, nil), Connections: []Connection{b.link}, Recorder: b.books, Logger: slog.New(slog.DiscardHandler),
	})
	return b
}

const (
	nova   = "bedrock/us.amazon.nova-pro-v1:0"
	claude = "bedrock/us.anthropic.claude-3-7-sonnet-20250219-v1:0"
)

// said is a request that says one thing.
func said(model, text string) *Call {
	return &Call{ID: NewID(), Type: "acompletion", AnswerID: "chatcmpl-1", Request: &llm.Request{
		Model:    model,
		Messages: []llm.Message{{Role: llm.RoleUser, Blocks: []llm.Block{{Kind: llm.BlockText, Text: llm.NewText(text)}}}},
	}}
}
