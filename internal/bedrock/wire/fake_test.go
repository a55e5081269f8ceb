package wire

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/outcrop-ai/outcrop/llm"
)

// fakeAuth records what it is asked to sign.
type fakeAuth struct {
	mu                  sync.Mutex
	signed              []string
	hash                string
	invalidated, clocks int
	helps               bool
	err                 error
}

func (a *fakeAuth) Authenticate(_ context.Context, r *http.Request, payloadHash string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.err != nil {
		return a.err
	}
	if r.ContentLength != 0 {
		return errors.New("the length is set before signing")
	}
	a.signed = nil
	for name := range r.Header {
		a.signed = append(a.signed, name)
	}
	a.hash = payloadHash
	r.Header.Set("Authorization", "Fake "+r.URL.EscapedPath())
	return nil
}

func (a *fakeAuth) Invalidate(*http.Request) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.invalidated++
	return a.helps
}

func (a *fakeAuth) LearnClock(_ *http.Request, at time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.clocks++
	return a.helps && !at.IsZero()
}

// upstream returns a client of a server that h plays.
func upstream(t testing.TB, auth Authenticator, header http.Header, h http.HandlerFunc) *Client {
	t.Helper()
	s := httptest.NewServer(h)
	transport, err := NewTransport(TransportOptions{Proxy: func(*http.Request) (*url.URL, error) { return nil, nil }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		s.CloseClientConnections()
		s.Close()
	})
	e, err := ResolveEndpoint("bedrock-runtime", "us-east-1", EndpointOptions{Override: s.URL + "/base"})
	if err != nil {
		t.Fatal(err)
	}
	return NewClient(ClientOptions{Endpoint: e, Authenticator: auth, Transport: transport, Header: header, UserAgent: "outcrop/test"})
}

func newBody(text string) *Body {
	b := NewBody()
	b.B = append(b.B, text...)
	return b
}

func wantKind(t *testing.T, err error, kind llm.Kind) *llm.Error {
	t.Helper()
	var e *llm.Error
	if !errors.As(err, &e) {
		t.Fatalf("%v (%T) is no *llm.Error", err, err)
	}
	if e.Kind != kind {
		t.Fatalf("kind %d, want %d: %v", e.Kind, kind, err)
	}
	return e
}
