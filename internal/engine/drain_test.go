package engine

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"

	"github.com/outcrop-ai/outcrop/internal/router"
	"github.com/outcrop-ai/outcrop/llm"
)

func TestDrainsAreBoundedInNumberAndTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := New(Options{MaxDrains: 1, DrainFor: time.Minute})
		call := &Call{Deployment: &router.Deployment{Drain: true}}
		open := func() (ctx context.Context, leave, end func()) {
			client, leave := context.WithCancel(t.Context())
			ctx, end = e.upstream(client, call)
			return ctx, leave, end
		}
		first, leaveFirst, endFirst := open()
		second, leaveSecond, endSecond := open()
		leaveFirst()
		synctest.Wait()
		if first.Err() != nil {
			t.Fatal("the upstream call ended with its client")
		}
		leaveSecond()
		synctest.Wait()
		if second.Err() == nil {
			t.Error("a second call drains though there is room for one")
		}
		endSecond()
		time.Sleep(59 * time.Second)
		if first.Err() != nil {
			t.Error("the drain was cut short")
		}
		time.Sleep(2 * time.Second)
		if first.Err() == nil {
			t.Error("the drain goes on beyond its time")
		}
		endFirst()
		third, leaveThird, endThird := open()
		leaveThird()
		synctest.Wait()
		if third.Err() != nil {
			t.Error("the place of the first was not given back")
		}
		endThird()
		endThird() // twice is once
		if len(e.drains) != 0 {
			t.Errorf("%d places are taken", len(e.drains))
		}
	})
}

func TestWithoutDrainTheUpstreamCallEndsWithItsClient(t *testing.T) {
	e := New(Options{})
	client, leave := context.WithCancel(t.Context())
	ctx, end := e.upstream(client, &Call{Deployment: &router.Deployment{}})
	leave()
	if ctx.Err() == nil {
		t.Error("the call goes on")
	}
	end()
}

// frames writes events of ConverseStream.
func frames(t *testing.T, w http.ResponseWriter, events ...string) {
	t.Helper()
	encoder := eventstream.NewEncoder()
	for _, text := range events {
		name, payload, _ := strings.Cut(text, " ")
		var frame bytes.Buffer
		if err := encoder.Encode(&frame, eventstream.Message{Headers: eventstream.Headers{
			{Name: ":message-type", Value: eventstream.StringValue("event")}, {Name: ":event-type", Value: eventstream.StringValue(name)},
		}, Payload: []byte(payload)}); err != nil {
			t.Error(err)
		}
		_, _ = w.Write(frame.Bytes())
	}
	_ = http.NewResponseController(w).Flush()
}

const (
	started = `messageStart {"role":"assistant"}`
	spoke   = `contentBlockDelta {"contentBlockIndex":0,"delta":{"text":"12345678"}}`
	stopped = `messageStop {"stopReason":"end_turn"}`
	counted = `metadata {"usage":{"inputTokens":10,"outputTokens":20,"totalTokens":30}}`
)

// streamed starts a stream that the handler writes, and reads its first n events.
func streamed(t *testing.T, e *bench, n int) (Stream, *Call) {
	t.Helper()
	call := said("m", "hi")
	call.Request.Stream = true
	s, failed := e.ChatStream(t.Context(), call)
	if failed != nil {
		t.Fatal(failed)
	}
	for range n {
		if _, err := s.Next(); err != nil {
			t.Fatal(err)
		}
	}
	return s, call
}

func eventStream(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	w.Header().Set("Content-Type", "application/vnd.amazon.eventstream")
}

func TestAStreamIsBookedAsAWSCountsIt(t *testing.T) {
	e := newBench(t, func(w http.ResponseWriter, r *http.Request) {
		eventStream(w, r)
		frames(t, w, started, spoke, stopped, counted)
	}, &router.Deployment{Group: "m", Model: nova})
	s, call := streamed(t, e, 4)
	if _, err := s.Next(); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	e.Settle(call, 200, nil)
	if r := e.books.last(t); r.Usage.Input != 10 || r.Usage.Output != 20 || r.UsageSource.String() != "aws" || !r.CostKnown || r.ClientClosed {
		t.Errorf("%+v", r)
	}
}

func TestAStreamWithoutACountIsEstimated(t *testing.T) {
	gone := make(chan struct{}, 1)
	e := newBench(t, func(w http.ResponseWriter, r *http.Request) {
		eventStream(w, r)
		frames(t, w, started, spoke)
		<-r.Context().Done()
		gone <- struct{}{}
	}, &router.Deployment{Group: "m", Model: nova})
	s, call := streamed(t, e, 2)
	s.ClientGone()
	_, err := s.Next()
	var failed *llm.Error
	if !errors.As(err, &failed) || failed.Kind != llm.KindCanceled {
		t.Errorf("%v", err)
	}
	<-gone // the upstream call has ended
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	e.Settle(call, 200, failed)
	if r := e.books.last(t); r.UsageSource.String() != "estimated" || r.Usage.Output != 2 || r.Usage.Input != 1 || !r.CostKnown || !r.ClientClosed || r.ErrorKind != "canceled" {
		t.Errorf("%+v", r)
	}
}

func TestAStreamThatIsClosedEarlyIsBooked(t *testing.T) {
	gone := make(chan struct{}, 1)
	e := newBench(t, func(w http.ResponseWriter, r *http.Request) {
		eventStream(w, r)
		frames(t, w, started, spoke)
		<-r.Context().Done()
		gone <- struct{}{}
	}, &router.Deployment{Group: "m", Model: nova})
	s, call := streamed(t, e, 2)
	for range 2 { // twice is once
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	<-gone
	if !call.HasUsage || !call.Usage.Estimated || call.Usage.Output != 2 {
		t.Errorf("%+v", call.Usage)
	}
}

func TestAStreamThatFailsBeforeItSaidAnythingCostsNothing(t *testing.T) {
	e := newBench(t, func(w http.ResponseWriter, r *http.Request) {
		eventStream(w, r)
		frames(t, w, started)
	}, &router.Deployment{Group: "m", Model: nova})
	s, call := streamed(t, e, 1)
	_, err := s.Next()
	var failed *llm.Error
	if !errors.As(err, &failed) || failed.Kind != llm.KindUpstream {
		t.Errorf("%v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if call.HasUsage {
		t.Errorf("%+v", call.Usage)
	}
}
