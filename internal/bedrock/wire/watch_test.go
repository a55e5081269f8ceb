package wire

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/outcrop-ai/outcrop/llm"
)

// stalled answers with what before gives and then says nothing more until the client has gone.
func stalled(before func(w http.ResponseWriter)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		before(w)
		<-r.Context().Done()
	}
}

func flush(w http.ResponseWriter) { w.(http.Flusher).Flush() }

func TestPatience(t *testing.T) {
	const short = 30 * time.Millisecond
	frame := recordedFrame(t)
	nothing := func(http.ResponseWriter) {}
	headers := func(w http.ResponseWriter) { flush(w) }
	oneFrame := func(w http.ResponseWriter) { w.Write(frame); flush(w) }
	f := func(stream bool, timeouts Timeouts, before func(http.ResponseWriter), want string) {
		t.Helper()
		c := upstream(t, &fakeAuth{}, nil, stalled(before))
		body := newBody("{}")
		defer body.Release()
		reply, err := c.Send(t.Context(), &Call{Path: "/x", Body: body, Stream: stream, Timeouts: timeouts})
		if err == nil {
			if stream {
				frames := reply.Frames()
				defer frames.Close()
				_, err = drain(frames)
			} else {
				_, err = reply.ReadAll(1 << 20)
			}
		}
		if e := wantKind(t, err, llm.KindGatewayTimeout); e.Message != want || e.Status() != 504 {
			t.Errorf("%q, want %q", e.Message, want)
		}
	}
	f(false, Timeouts{FirstByte: short}, nothing, "no answer from AWS within 30ms")
	f(true, Timeouts{FirstByte: short, Idle: time.Hour}, nothing, "no answer from AWS within 30ms")
	f(false, Timeouts{FirstByte: time.Hour, Total: short}, nothing, "no complete answer from AWS within 30ms")
	f(false, Timeouts{FirstByte: time.Hour, Total: short}, headers, "no complete answer from AWS within 30ms")
	f(true, Timeouts{Total: time.Nanosecond, FirstEvent: short}, nothing, "no first event from AWS within 30ms")
	f(true, Timeouts{FirstByte: time.Hour, FirstEvent: short, Idle: time.Hour}, headers, "no first event from AWS within 30ms")
	f(true, Timeouts{FirstEvent: time.Hour, Idle: short}, oneFrame, "no further event from AWS within 30ms")
}

// The time between two reads is the caller's, not AWS's.
func TestSlowReadersAreNotTimedOut(t *testing.T) {
	w := &watch{t: Timeouts{Idle: time.Second}, stream: true, start: time.Now(), cancel: func(error) {}}
	w.got()
	if rest, why := w.next(time.Hour); why.after == 0 || rest != time.Second {
		t.Errorf("between two reads: %v %v", rest, why)
	}
	w.reads()
	if rest, _ := w.next(time.Hour); rest > 0 {
		t.Errorf("in a read: %v", rest)
	}
	w.got()
	if rest, _ := w.next(time.Hour); rest != time.Second {
		t.Errorf("after a read: %v", rest)
	}
	w.stop()
}

func TestCancelledCalls(t *testing.T) {
	gone := errors.New("the client has gone")
	f := func(stream bool, before func(http.ResponseWriter)) {
		t.Helper()
		ctx, cancel := context.WithCancelCause(t.Context())
		defer cancel(nil)
		c := upstream(t, &fakeAuth{}, nil, stalled(func(w http.ResponseWriter) {
			before(w)
			cancel(gone)
		}))
		body := newBody("{}")
		defer body.Release()
		reply, err := c.Send(ctx, &Call{Path: "/x", Body: body, Stream: stream, Timeouts: Timeouts{FirstByte: time.Hour, Idle: time.Hour}})
		if err == nil {
			if stream {
				frames := reply.Frames()
				defer frames.Close()
				_, err = drain(frames)
			} else {
				_, err = reply.ReadAll(1 << 20)
			}
		}
		if e := wantKind(t, err, llm.KindCanceled); !errors.Is(e, gone) {
			t.Errorf("the cause is %v", e.Cause)
		}
	}
	f(false, func(http.ResponseWriter) {})
	f(false, flush)
	f(true, flush)
	half := recordedFrame(t)[:40]
	f(true, func(w http.ResponseWriter) { w.Write(half); flush(w) })
}

func TestTheCallersDeadline(t *testing.T) {
	c := upstream(t, &fakeAuth{}, nil, stalled(func(http.ResponseWriter) {}))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	body := newBody("{}")
	defer body.Release()
	_, err := c.Send(ctx, &Call{Path: "/x", Body: body})
	wantKind(t, err, llm.KindGatewayTimeout)
}

func TestCloseEndsTheUpstreamCall(t *testing.T) {
	ended := make(chan struct{})
	frame := recordedFrame(t)
	c := upstream(t, &fakeAuth{}, nil, func(w http.ResponseWriter, r *http.Request) {
		defer close(ended)
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/vnd.amazon.eventstream")
		w.Write(frame)
		flush(w)
		<-r.Context().Done()
	})
	body := newBody("{}")
	reply, err := c.Send(t.Context(), &Call{Path: "/x", Body: body, Stream: true})
	body.Release()
	if err != nil {
		t.Fatal(err)
	}
	if !reply.IsEventStream() {
		t.Error("no event stream")
	}
	frames := reply.Frames()
	if _, err := frames.Next(); err != nil {
		t.Fatal(err)
	}
	if err := frames.Close(); err != nil {
		t.Fatal(err)
	}
	<-ended
}
