package sim

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestFastAnswersAreWholeAnswers(t *testing.T) {
	b := start(t, Options{Fast: true, FastChunks: 20})
	r := b.post(llama, "converse", "not even JSON")
	equal(t, r.status, 200)
	equal(t, r.header.Get("Content-Length"), strconv.Itoa(len(r.body)))
	equal(t, r.header.Get("Content-Type"), "application/json")
	equal(t, r.tree(t).at(answered), any("Hello from the simulator."))
	equal(t, r.tree(t).at("usage.totalTokens"), any(17.0))

	all := b.stream(llama, "")
	equal(t, strings.Count(kinds(all), "contentBlockDelta"), 20)
	equal(t, all[0].kind(), "messageStart")
	equal(t, all[len(all)-1].kind(), "metadata")

	equal(t, b.post(claude, "invoke", "").tree(t).at("content.0.text"), any("Hello from the simulator."))
	r = b.post(claude, "invoke-with-response-stream", "")
	chunks, err := frames(bytes.NewReader(r.body))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, len(chunks), 25)
	equal(t, r.header.Get("X-Amzn-Bedrock-Content-Type"), "application/json")
	equal(t, b.send(b.request(http.MethodGet, "/foundation-models", "")).status, 404)
	equal(t, b.send(b.request(http.MethodGet, "/_sim/health", "")).status, 200)
	equal(t, len(b.sim.Requests()), 0)
}

func TestAFastStreamEndsWhenTheClientLeaves(t *testing.T) {
	slow := start(t, Options{Fast: true, ChunkDelay: time.Hour})
	ctx, leave := context.WithCancel(context.Background())
	res, err := slow.client.Do(slow.request(http.MethodPost, modelPath(claude, "converse-stream"), "").WithContext(ctx))
	if err != nil {
		t.Fatal(err)
	}
	leave()
	_, _ = io.Copy(io.Discard, res.Body)
	res.Body.Close()
}

func TestStartAndClose(t *testing.T) {
	s := New(Options{})
	s.Close() // nothing to close yet
	if _, err := s.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Start(); err == nil {
		t.Error("started twice")
	}
	s.Close()
	s.Close()
	if _, err := s.Start(); err != nil {
		t.Error("a closed server starts again: ", err)
	}
	s.Close()
}

// discard is a ResponseWriter that costs nothing.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}
func (d discard) Flush()                      {}

func BenchmarkFastConverse(b *testing.B) { benchmarkFast(b, "converse") }
func BenchmarkFastStream(b *testing.B)   { benchmarkFast(b, "converse-stream") }

func benchmarkFast(b *testing.B, operation string) {
	s := New(Options{Fast: true})
	r, err := http.NewRequest(http.MethodPost, modelPath(claude, operation), nil)
	if err != nil {
		b.Fatal(err)
	}
	r.Body = http.NoBody
	w := discard{header: http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		s.ServeHTTP(w, r)
	}
}

func BenchmarkConverse(b *testing.B) {
	s := New(Options{Auth: AuthOff})
	body := user(strings.Repeat("some text ", 100))
	w := discard{header: http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		r, err := http.NewRequest(http.MethodPost, modelPath(claude, "converse"), strings.NewReader(body))
		if err != nil {
			b.Fatal(err)
		}
		s.ServeHTTP(w, r)
	}
}
