package callbacks

import (
	"encoding/json"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/internal/telemetry"
	"github.com/outcrop-ai/outcrop/llm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var update = flag.Bool("update", false, "rewrite the golden files")

// success is a call that went well.
func success() *telemetry.Event {
	start := time.Date(2026, 3, 4, 5, 6, 7, 890123000, time.UTC)
	return &telemetry.Event{
		Record: account.Record{
			CallID: "call-1", RequestID: "chatcmpl-call-1", Type: "acompletion", Path: "/v1/chat/completions",
			KeyHash: "hash-of-a-key", User: "alice", Tags: []string{"team:a", "b"}, IP: "192.0.2.1", Metadata: json.RawMessage(`{"job":7}`),
			Asked: "chat", Group: "chat", Deployment: "dep-1", Model: "us.amazon.nova-pro-v1:0", Region: "us-east-1", Route: "converse", Tier: "default",
			Usage:       llm.Usage{Input: 100, Output: 20, CacheRead: 50, CacheWrite5m: 10, Reasoning: 5, Total: 180},
			UsageSource: account.UsageAWS, Cost: 123_456_789, CostKnown: true, Status: 200, AWSRequestID: "aws-1", Stream: true,
			Losses: []llm.Loss{{Path: "seed", Why: "unsupported"}},
			Start:  start, FirstToken: start.Add(250 * time.Millisecond), End: start.Add(1500 * time.Millisecond), Upstream: 1490 * time.Millisecond, Own: 10 * time.Millisecond,
		},
		Lines: account.Lines{Input: 80_000_000, Output: 40_000_000, CacheRead: 3_000_000, CacheWrite5m: 456_789}, Reasoning: 10_000_000,
		Caller: account.Caller{KeyHash: "hash-of-a-key", KeyAlias: "laptop", TeamID: "team-a", UserID: "u1"}, Endpoint: "https://bedrock-runtime.us-east-1.amazonaws.com",
		Session: "session-1", Agent: "OpenAI/Python 2.0", Stop: "stop",
		Content: &telemetry.Content{
			Messages: json.RawMessage(`[{"role":"user","content":"hi"}]`), Response: json.RawMessage(`{"choices":[{"message":{"content":"hello"}}]}`),
			Parameters: json.RawMessage(`{"temperature":0.5,"stop":["x"]}`), Metadata: json.RawMessage(`{"trace_name":"mine","generation_name":"gen","shop":7}`),
		},
	}
}

// failure is one that did not.
func failure() *telemetry.Event {
	e := success()
	e.CallID, e.RequestID, e.Stream, e.Stop = "call-2", "", false, ""
	e.Usage, e.UsageSource, e.Cost, e.CostKnown, e.Lines, e.Reasoning, e.FirstToken = llm.Usage{}, account.UsageNone, 0, false, account.Lines{}, 0, time.Time{}
	e.Tags, e.Losses, e.Content = nil, nil, &telemetry.Content{Redacted: true}
	e.Status = 429
	e.SetError(&llm.Error{Kind: llm.KindRateLimit, Message: "Too many requests", AWSType: "ThrottlingException"})
	return e
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	var v any
	if err := json.Unmarshal(got, &v); err != nil {
		t.Fatalf("%v: %s", err, got)
	}
	pretty, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	pretty = append(pretty, '\n')
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, pretty, 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != string(pretty) {
		t.Errorf("%s: got\n%s", name, pretty)
	}
}

// received is a request that a sink's server got.
type received struct {
	method, path string
	header       http.Header
	body         []byte
}

// listen starts a server that answers with what answer says, 200 if it is nil, and hands over what it got.
func listen(t *testing.T, answer func(n int) (status int, body string)) (string, <-chan received) {
	t.Helper()
	got := make(chan received, 1000)
	n := make(chan int, 1)
	n <- 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		i := <-n
		n <- i + 1
		got <- received{r.Method, r.URL.EscapedPath(), r.Header, body}
		if answer != nil {
			status, text := answer(i)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, text)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL, got
}

// env makes an environment of name=value.
func env(pairs ...string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		for _, p := range pairs {
			if n, v, _ := strings.Cut(p, "="); n == name {
				return v, true
			}
		}
		return "", false
	}
}

// fast are limits for tests: nothing waits.
func fast() Limits {
	return Limits{Delay: time.Millisecond, RetryMin: time.Millisecond, RetryMax: 2 * time.Millisecond}
}

// started starts callbacks that the test closes, or that its end does.
func started(t *testing.T, o Options) *Callbacks {
	t.Helper()
	if o.Limits == (Limits{}) {
		o.Limits = fast()
	}
	for i := range o.Wishes {
		if !o.Wishes[i].Success && !o.Wishes[i].Failure {
			o.Wishes[i].Success, o.Wishes[i].Failure = true, true
		}
	}
	c := New(o)
	t.Cleanup(func() { c.Close(t.Context()) })
	if !c.Used() {
		t.Fatal("no callback is used")
	}
	return c
}
