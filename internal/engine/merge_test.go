package engine

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/outcrop-ai/outcrop/internal/router"
	"github.com/outcrop-ai/outcrop/llm"
)

// hand is an upstream call whose stream a test writes.
type hand struct {
	t    *testing.T
	said string
	w    http.ResponseWriter
	gone <-chan struct{}
	done chan struct{}
}

func (h *hand) send(events ...string) { frames(h.t, h.w, events...) }
func (h *hand) end()                  { close(h.done) }

// hands returns a handler that leaves every call to the test.
func hands(t *testing.T) (http.HandlerFunc, <-chan *hand) {
	t.Helper()
	calls := make(chan *hand, 16)
	return func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, said, _ := strings.Cut(string(body), `{"text":"`)
		said, _, _ = strings.Cut(said, `"`)
		w.Header().Set("Content-Type", "application/vnd.amazon.eventstream")
		h := &hand{t: t, said: said, w: w, gone: r.Context().Done(), done: make(chan struct{})}
		calls <- h
		<-h.done
	}, calls
}

// several starts a stream of the answers to two prompts.
func several(t *testing.T, e *bench, calls <-chan *hand) (s Stream, call *Call, first, second *hand) {
	t.Helper()
	call = prompts(2)
	call.Request.Stream = true
	s, failed := e.ChatStream(t.Context(), call)
	if failed != nil {
		t.Fatal(failed)
	}
	first, second = <-calls, <-calls
	if first.said != "p0" {
		first, second = second, first
	}
	return s, call, first, second
}

func next(t *testing.T, s Stream, kind llm.EventKind, choice uint16) llm.Event {
	t.Helper()
	ev, err := s.Next()
	if err != nil || ev.Kind != kind || ev.Choice != choice {
		t.Fatalf("%+v, %v; want kind %d of choice %d", ev, err, kind, choice)
	}
	return ev
}

func TestStreamsMixAsTheyCome(t *testing.T) {
	handler, calls := hands(t)
	e := newBench(t, handler, &router.Deployment{Group: "m", Model: nova})
	s, call, first, second := several(t, e, calls)
	first.send(started)
	next(t, s, llm.EventStart, 0)
	first.send(spoke)
	next(t, s, llm.EventText, 0)
	second.send(started) // the other has said nothing so far
	next(t, s, llm.EventStart, 1)
	for range 3 {
		second.send(spoke)
		if ev := next(t, s, llm.EventText, 1); ev.Text.String() != "12345678" {
			t.Errorf("%s", ev.Text.String())
		}
		first.send(spoke)
		next(t, s, llm.EventText, 0)
	}
	second.send(stopped, counted)
	second.end()
	next(t, s, llm.EventStop, 1)
	if ev := next(t, s, llm.EventUsage, 1); ev.Usage != nil {
		t.Errorf("one answer is counted alone: %+v", ev.Usage)
	}
	first.send(spoke)
	next(t, s, llm.EventText, 0)
	first.send(stopped, counted)
	first.end()
	next(t, s, llm.EventStop, 0)
	next(t, s, llm.EventUsage, 0)
	if ev := next(t, s, llm.EventUsage, 0); ev.Usage == nil || ev.Usage.Input != 20 || ev.Usage.Output != 40 || ev.Usage.Total != 60 {
		t.Errorf("%+v", ev.Usage)
	}
	for range 2 {
		if _, err := s.Next(); !errors.Is(err, io.EOF) {
			t.Error(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	e.Settle(call, 200, nil)
	if r := e.books.last(t); len(e.books.list) != 1 || r.Usage.Input != 20 || r.Usage.Output != 40 || r.UsageSource.String() != "aws" || !r.CostKnown || r.FirstToken.IsZero() || r.ClientClosed {
		t.Errorf("%+v", r)
	}
}

// More answers than workers: a worker goes on to the next when one has ended.
func TestManyStreamsAreToldByFewWorkers(t *testing.T) {
	e := newBench(t, func(w http.ResponseWriter, r *http.Request) {
		eventStream(w, r)
		frames(t, w, started, spoke, stopped, counted)
	}, &router.Deployment{Group: "m", Model: nova})
	call := prompts(32)
	call.Request.Stream = true
	s, failed := e.ChatStream(t.Context(), call)
	if failed != nil {
		t.Fatal(failed)
	}
	kinds := make([][]llm.EventKind, 32)
	for {
		ev, err := s.Next()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				t.Error(err)
			}
			break
		}
		if ev.Usage == nil {
			kinds[ev.Choice] = append(kinds[ev.Choice], ev.Kind)
		}
	}
	for i, got := range kinds {
		if !slices.Equal(got, []llm.EventKind{llm.EventStart, llm.EventText, llm.EventStop, llm.EventUsage}) {
			t.Errorf("answer %d: %v", i, got)
		}
	}
	if err := s.Close(); err != nil || call.Usage.Input != 320 {
		t.Errorf("%v %+v", err, call.Usage)
	}
}

func TestAFailureInOneStreamEndsTheOthers(t *testing.T) {
	handler, calls := hands(t)
	e := newBench(t, handler, &router.Deployment{Group: "m", Model: nova})
	s, call, first, second := several(t, e, calls)
	first.send(started, spoke)
	next(t, s, llm.EventStart, 0)
	next(t, s, llm.EventText, 0)
	second.send(started)
	second.end() // without a stop
	var failed *llm.Error
	for failed == nil {
		if _, err := s.Next(); err != nil && !errors.As(err, &failed) {
			t.Fatal(err)
		}
	}
	if failed.Kind != llm.KindUpstream || call.ClientClosed {
		t.Errorf("%+v", failed)
	}
	<-first.gone
	first.end()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	e.Settle(call, 200, failed)
	// What the other had said is booked as well as it can be.
	if r := e.books.last(t); r.UsageSource.String() != "estimated" || r.Usage.Output != 2 || r.ErrorKind != "upstream" {
		t.Errorf("%+v", r)
	}
}

func TestAClientThatLeavesEndsAllStreams(t *testing.T) {
	handler, calls := hands(t)
	e := newBench(t, handler, &router.Deployment{Group: "m", Model: nova})
	s, call, first, second := several(t, e, calls)
	first.send(started, spoke)
	next(t, s, llm.EventStart, 0)
	s.ClientGone()
	var failed *llm.Error
	if _, err := s.Next(); !errors.As(err, &failed) || failed.Kind != llm.KindCanceled {
		t.Errorf("%v", err)
	}
	<-first.gone
	<-second.gone
	first.end()
	second.end()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if !call.ClientClosed || !call.HasUsage || !call.Usage.Estimated {
		t.Errorf("%+v", call)
	}
}

func TestStreamsThatAreDrainedAreReadToTheirEnd(t *testing.T) {
	handler, calls := hands(t)
	e := newBench(t, handler, &router.Deployment{Group: "m", Model: nova, Drain: true})
	ctx, leave := context.WithCancel(t.Context())
	call := prompts(2)
	call.Request.Stream = true
	s, failed := e.ChatStream(ctx, call)
	if failed != nil {
		t.Fatal(failed)
	}
	first, second := <-calls, <-calls
	first.send(started)
	leave()
	s.ClientGone()
	for _, h := range []*hand{first, second} {
		h.send(spoke, stopped, counted)
		h.end()
	}
	for {
		if _, err := s.Next(); err != nil {
			if !errors.Is(err, io.EOF) {
				t.Error(err)
			}
			break
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if call.Usage.Input != 20 || call.Usage.Estimated || !call.ClientClosed || len(e.drains) != 0 {
		t.Errorf("%+v, %d drains", call.Usage, len(e.drains))
	}
}

// A stream may be closed after any of its events; goleak sees to what is left.
func TestStreamsCloseAtEveryEvent(t *testing.T) {
	e := newBench(t, func(w http.ResponseWriter, r *http.Request) {
		eventStream(w, r)
		frames(t, w, started, spoke, stopped, counted)
	}, &router.Deployment{Group: "m", Model: nova})
	for n := range 10 {
		call := asks(2)
		call.Request.Stream = true
		s, failed := e.ChatStream(t.Context(), call)
		if failed != nil {
			t.Fatal(failed)
		}
		for range n {
			if _, err := s.Next(); err != nil && n < 9 {
				t.Error(err)
			}
		}
		for range 2 { // twice is once
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
		if _, err := s.Next(); !errors.Is(err, io.EOF) {
			t.Error(err)
		}
	}
}

// Nobody runs ahead of the reader: each part has one event out at most.
func TestASlowReaderSlowsTheStreams(t *testing.T) {
	handler, calls := hands(t)
	e := newBench(t, handler, &router.Deployment{Group: "m", Model: nova})
	s, _, first, second := several(t, e, calls)
	first.send(started, spoke, spoke, spoke)
	second.send(started, spoke, spoke, spoke)
	seen := [2]int{}
	for range 8 {
		ev, err := s.Next()
		if err != nil {
			t.Fatal(err)
		}
		seen[ev.Choice]++
		if out := len(s.(*merge).arrivals); out > 2 {
			t.Errorf("%d events wait", out)
		}
		if ev.Kind == llm.EventText && ev.Text.String() != "12345678" { // the event's text is not overwritten while it is read
			t.Errorf("%q", ev.Text.String())
		}
	}
	if seen != [2]int{4, 4} {
		t.Errorf("%v", seen)
	}
	first.send(stopped, counted)
	second.send(stopped, counted)
	first.end()
	second.end()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
