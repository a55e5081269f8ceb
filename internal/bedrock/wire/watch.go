package wire

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/outcrop-ai/outcrop/llm"
)

// Timeouts bound a call; 0 means no bound. How long a connection may take is the transport's business.
type Timeouts struct {
	// FirstByte bounds the wait for the answer's headers.
	FirstByte time.Duration
	// FirstEvent bounds the time to a stream's first bytes, Idle the wait for further ones. The time that the caller takes
	// between two reads does not count: a slow client is not AWS's fault.
	FirstEvent, Idle time.Duration
	// Total bounds a call that is no stream, to its last byte.
	Total time.Duration
}

// refusalTime bounds the reading of an error's body, which has no bound of its own.
const refusalTime = 10 * time.Second

// patience is why a call was given up; it is the cause of its context's end.
type patience struct {
	what  string
	after time.Duration
}

func (p *patience) Error() string {
	return fmt.Sprintf("no %s from AWS within %v", p.what, p.after)
}

// llmError is what the caller gets.
func (p *patience) llmError(cause error) *llm.Error {
	return &llm.Error{Kind: llm.KindGatewayTimeout, Code: "timeout", Message: p.Error(), Cause: cause}
}

// The phases of a call, each with a bound of its own.
const (
	waitingForHeaders int32 = iota
	waitingForEvent
	streaming
	readingAnswer
	readingRefusal
)

// watch ends a call whose time is over. It has one timer and no goroutine; a stream's read costs two atomic stores.
type watch struct {
	cancel context.CancelCauseFunc
	t      Timeouts
	stream bool
	start  time.Time // of the call, whichever attempt this is
	phase  atomic.Int32
	// since is when the phase began, or when the read began that is under way in a stream, in ns after start. Between two
	// reads of a stream it is 0.
	since atomic.Int64

	mu      sync.Mutex // guards what follows
	timer   *time.Timer
	due     time.Duration // when timer goes off, after start; 0 for one that is stopped
	stopped bool
}

func newWatch(cancel context.CancelCauseFunc, t Timeouts, stream bool, start time.Time) *watch {
	w := &watch{cancel: cancel, t: t, stream: stream, start: start}
	w.arm()
	return w
}

// next returns the bound that is reached first, whose after is 0 when nothing is bounded now, and how long that is away.
func (w *watch) next(now time.Duration) (rest time.Duration, first patience) {
	consider := func(bound, since time.Duration, name string) {
		if bound <= 0 {
			return
		}
		if left := bound - (now - since); first.after == 0 || left < rest {
			rest, first = left, patience{name, bound}
		}
	}
	if !w.stream {
		consider(w.t.Total, 0, "complete answer")
	}
	since := time.Duration(w.since.Load())
	switch w.phase.Load() {
	case waitingForHeaders:
		consider(w.t.FirstByte, 0, "answer")
		if w.stream {
			consider(w.t.FirstEvent, 0, "first event")
		}
	case waitingForEvent:
		consider(w.t.FirstEvent, 0, "first event")
	case streaming:
		if since == 0 {
			since = now // nobody reads: look again later
		}
		consider(w.t.Idle, since, "further event")
	case readingRefusal:
		consider(refusalTime, since, "complete answer")
	}
	return rest, first
}

// arm sets the timer to the next bound, or gives the call up when that is reached.
func (w *watch) arm() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopped {
		return
	}
	now := time.Since(w.start)
	rest, first := w.next(now)
	switch {
	case first.after == 0:
		if w.timer != nil {
			w.timer.Stop()
			w.due = 0
		}
	case rest <= 0:
		w.stopped = true
		why := first // only here, so that others need no room
		w.cancel(&why)
	case w.timer == nil:
		w.timer, w.due = time.AfterFunc(rest, w.arm), now+rest
	case w.due != now+rest || now >= w.due: // else it is set already
		w.timer.Reset(rest)
		w.due = now + rest
	}
}

// enter begins a phase.
func (w *watch) enter(phase int32) {
	w.since.Store(w.clock())
	w.phase.Store(phase)
	w.arm()
}

// clock is the time since start, never 0.
func (w *watch) clock() int64 { return max(int64(time.Since(w.start)), 1) }

// reads notes that a stream's reader waits for bytes.
func (w *watch) reads() {
	if w.t.Idle > 0 && w.phase.Load() == streaming {
		w.since.Store(w.clock())
	}
}

// got notes that bytes of a stream came.
func (w *watch) got() {
	if w.phase.Load() != streaming {
		w.enter(streaming)
	}
	w.since.Store(0)
}

func (w *watch) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopped = true
	if w.timer != nil {
		w.timer.Stop()
	}
}
