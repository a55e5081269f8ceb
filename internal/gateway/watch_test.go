package gateway

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/outcrop-ai/outcrop/internal/engine"
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/internal/telemetry"
)

// watcher keeps what it is told.
type watcher struct {
	mu     sync.Mutex
	events []*telemetry.Event
}

func (w *watcher) Finished(e *telemetry.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, e)
}

func (w *watcher) take(t *testing.T) *telemetry.Event {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.events) != 1 {
		t.Fatalf("told of %d calls", len(w.events))
	}
	e := w.events[0]
	w.events = nil
	return e
}

// watchedRig is a gateway with a model of each kind whose calls are watched.
func watchedRig(t *testing.T, watch *Watch) (*rig, *watcher) {
	t.Helper()
	w := &watcher{}
	watchEngines = w
	defer func() { watchEngines = nil }()
	return modeRig(t, func(o *Options) { o.Watch = watch }), w
}

func TestWatchersAreToldWhatWasSaid(t *testing.T) {
	g, w := watchedRig(t, &Watch{Contents: true})
	f := func(path, body, messages, answer string) {
		t.Helper()
		resp, text := g.send(http.MethodPost, path, body, http.Header{"Authorization": {"Bearer " + testKey}})
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d %s", path, resp.StatusCode, text)
		}
		e := w.take(t)
		if e.Content == nil || string(e.Content.Messages) != messages {
			t.Errorf("%s: messages %s", path, e.Content.Messages)
		}
		if !json.Valid(e.Content.Response) || jsonscan.Member(e.Content.Response, answer) == nil {
			t.Errorf("%s: response %s", path, e.Content.Response)
		}
		if !strings.Contains(string(e.Content.Response), `"`) || !json.Valid(e.Content.Parameters) {
			t.Errorf("%s: parameters %s", path, e.Content.Parameters)
		}
	}
	f("/v1/chat/completions", `{"model":"chat","temperature":0.5,"messages":[{"role":"user","content":"hi"}]}`, `[{"role":"user","content":"hi"}]`, "choices")
	f("/v1/chat/completions", `{"model":"chat","stream":true,"messages":[{"role":"user","content":"hi"}]}`, `[{"role":"user","content":"hi"}]`, "choices")
	f("/v1/chat/completions", `{"model":"chat","stream":true,"n":2,"messages":[{"role":"user","content":"hi"}]}`, `[{"role":"user","content":"hi"}]`, "choices")
	f("/v1/messages", `{"model":"chat","max_tokens":9,"system":"be kind","messages":[{"role":"user","content":"hi"}]}`, `[{"role":"system","content":"be kind"},{"role":"user","content":"hi"}]`, "content")
	f("/v1/messages", `{"model":"chat","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"hi"}]}`, `[{"role":"user","content":"hi"}]`, "content")
	f("/v1/responses", `{"model":"chat","input":"hi"}`, `"hi"`, "output")
	f("/v1/responses", `{"model":"chat","stream":true,"input":"hi"}`, `"hi"`, "output")
	f("/v1/completions", `{"model":"chat","prompt":"hi","stream":true}`, `"hi"`, "choices")
	f("/v1/embeddings", `{"model":"embed","input":["a","b"]}`, `["a","b"]`, "data")
}

// A streamed answer is told as the same answer is that comes whole.
func TestAStreamIsToldAsAWholeAnswer(t *testing.T) {
	g, w := watchedRig(t, &Watch{Contents: true})
	message := func(stream string) string {
		t.Helper()
		body := `{"model":"chat","stream":` + stream + `,"tools":[{"type":"function","function":{"name":"weather","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}],"messages":[{"role":"user","content":"[[tool:weather]] {\"city\": \"Rome\"}"}]}`
		g.send(http.MethodPost, "/v1/chat/completions", body, http.Header{"Authorization": {"Bearer " + testKey}})
		for choice := range jsonscan.Elements(jsonscan.Member(w.take(t).Content.Response, "choices")) {
			return string(jsonscan.Member(choice, "message", "content")) + string(jsonscan.Member(choice, "finish_reason"))
		}
		t.Fatal("no choice")
		return ""
	}
	if whole, streamed := message("false"), message("true"); whole != streamed {
		t.Errorf("whole %s, streamed %s", whole, streamed)
	}
}

func TestContentsAreKeptBack(t *testing.T) {
	const body = `{"model":"chat","metadata":{"a":"b"},"api_key":"c4n4ry","messages":[{"role":"user","content":"hush"}]%s}`
	f := func(watch Watch, header, more string, noLog, messages bool) {
		t.Helper()
		g, w := watchedRig(t, &watch)
		h := http.Header{"Authorization": {"Bearer " + testKey}, "X-Secret": {"c4n4ry"}}
		if header != "" {
			h.Set(header, "true")
		}
		g.send(http.MethodPost, "/v1/chat/completions", strings.Replace(body, "%s", more, 1), h)
		w.mu.Lock()
		defer w.mu.Unlock()
		if len(w.events) != 1 {
			t.Fatalf("%+v %s: nobody is told", watch, header)
		}
		e := w.events[0]
		all, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		if e.Content.NoLog != noLog || (e.Content.Messages != nil) != messages || strings.Contains(string(all), "hush") && !messages {
			t.Errorf("%+v %s: told %s", watch, header, all)
		}
		if strings.Contains(string(all), "c4n4ry") || strings.Contains(string(all), testKey) {
			t.Errorf("a secret is told: %s", all)
		}
	}
	f(Watch{Contents: true}, "", "", false, true)
	f(Watch{Contents: true, Redact: true}, "", "", false, false)
	f(Watch{Contents: true}, "X-Litellm-Enable-Message-Redaction", "", false, false)
	f(Watch{}, "", "", false, false)
	f(Watch{Contents: true}, "", `,"no-log":true`, true, false)
	f(Watch{Contents: true, IgnoreNoLog: true}, "", `,"no-log":true`, false, true)
}

func TestLongContentsAreLeftOut(t *testing.T) {
	g, w := watchedRig(t, &Watch{Contents: true})
	g.send(http.MethodPost, "/v1/chat/completions", `{"model":"chat","messages":[{"role":"user","content":"`+strings.Repeat("x", maxContent)+`"}]}`, http.Header{"Authorization": {"Bearer " + testKey}})
	if got := string(w.take(t).Content.Messages); !strings.HasPrefix(got, `"left out: 1048`) {
		t.Errorf("got %.80s", got)
	}
}

// Where nobody watches nothing is looked at, copied or kept.
func TestNobodyWatchingCostsNothing(t *testing.T) {
	x := &exchange{server: &Server{}, call: &engine.Call{}}
	body := []byte(`{"model":"m","messages":[{"role":"user","content":"hi"}]}`)
	if n := testing.AllocsPerRun(100, func() {
		x.watch(body)
		seen := x.gather()
		seen.add(nil)
		x.watched(200, body)
		x.gatheredAnswer(seen, nil, nil, nil)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if x.call.Content != nil {
		t.Error("something is kept")
	}
}
