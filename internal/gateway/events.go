package gateway

import (
	"errors"
	"net/http"
	"sync"
	"time"
)

// errClosed says that the stream's handler has returned.
var errClosed = errors.New("the event stream is closed")

// stuckAfter is how long a client may leave a written event unread before its connection is given up.
const stuckAfter = 5 * time.Minute

// eventWriter writes server-sent events. The answer's status and headers go out with the first event, so that a
// failure before it can still have a status of its own; after a silence a comment keeps the connection alive.
type eventWriter struct {
	w        http.ResponseWriter
	flusher  *http.ResponseController
	interval time.Duration
	// keepAlive is what is written after a silence: an event or a comment of the client's dialect.
	keepAlive string
	// begin fills in the headers that the call knows, just before the first event is written. A comment may have sent the
	// headers before: then the call has nothing to say yet.
	begin func()

	// mu guards all below, and the ResponseWriter: the timer writes from a goroutine of its own.
	mu      sync.Mutex
	started bool
	closed  bool
	err     error
	last    time.Time
	timer   *time.Timer
	// bounded says that the connection has a deadline, which must not outlive the stream: the next request may come on
	// the same connection.
	bounded bool
}

// newEventWriter starts counting the silence. close must be called before the handler returns.
func newEventWriter(w http.ResponseWriter, interval time.Duration, keepAlive string, begin func()) *eventWriter {
	e := &eventWriter{w: w, flusher: http.NewResponseController(w), interval: interval, keepAlive: keepAlive, begin: begin, last: time.Now()}
	e.mu.Lock()
	e.timer = time.AfterFunc(interval, e.silence)
	e.mu.Unlock()
	return e
}

// write sends events; with flush they leave the process now, else with the next flush.
func (e *eventWriter) write(events []byte, flush bool) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.last = time.Now()
	if !e.started && !e.closed {
		e.begin()
	}
	return e.send(events, flush)
}

func (e *eventWriter) send(events []byte, flush bool) error {
	if e.closed {
		return errClosed
	}
	if e.err != nil {
		return e.err
	}
	if !e.started {
		e.started = true
		h := e.w.Header()
		h["Content-Type"] = eventStreamType
		h["Cache-Control"] = noCache
		h["X-Accel-Buffering"] = noBuffering
		e.w.WriteHeader(http.StatusOK)
	}
	if len(events) > 0 {
		if _, e.err = e.w.Write(events); e.err != nil {
			return e.err
		}
	}
	if flush {
		e.err = e.flusher.Flush()
	}
	return e.err
}

// Header values that every stream has; shared, never changed.
var (
	eventStreamType = []string{"text/event-stream; charset=utf-8"}
	noCache         = []string{"no-cache"}
	noBuffering     = []string{"no"}
)

// silence writes a sign of life if nothing was written for an interval, and bounds how long a write may hang.
func (e *eventWriter) silence() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed || e.err != nil {
		return
	}
	rest := e.interval - time.Since(e.last)
	if rest <= 0 {
		e.last = time.Now()
		_ = e.send([]byte(e.keepAlive), true) // the next write reports the error
		rest = e.interval
	}
	e.bounded = e.flusher.SetWriteDeadline(time.Now().Add(stuckAfter)) == nil // not every ResponseWriter has deadlines
	e.timer.Reset(rest)
}

// begun reports whether the client has got its status.
func (e *eventWriter) begun() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.started
}

// abandon closes the writer if the client has not got its status yet, so that the answer can be another one, and reports
// whether it did. It is one step: a comment must not go out in between.
func (e *eventWriter) abandon() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.started {
		return false
	}
	e.closed = true
	e.timer.Stop()
	return true
}

// close ends the keep-alives; nothing is written afterwards.
func (e *eventWriter) close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed = true
	e.timer.Stop()
	if e.bounded {
		_ = e.flusher.SetWriteDeadline(time.Time{})
	}
}
