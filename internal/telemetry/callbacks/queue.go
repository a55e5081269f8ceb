package callbacks

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/outcrop-ai/outcrop/internal/telemetry"
)

// Sink is where events go. Send sends a batch and returns those that can be tried again, with why; those that are neither
// sent nor returned are lost, and the error says why. One call is made at a time.
type Sink interface {
	// Name is the callback's name in the configuration.
	Name() string
	Send(ctx context.Context, batch []*telemetry.Event) (left []*telemetry.Event, err error)
}

// Limits bound a queue; the zero value gives the defaults.
type Limits struct {
	// Records and Bytes bound what waits. Defaults: 10,000 and 64 MiB.
	Records, Bytes int
	// Batch is how many events a sink gets at once, BatchBytes how many bytes. Defaults: 512 and 2 MiB.
	Batch, BatchBytes int
	// Delay is how long an event may wait for others. Default: 1 s.
	Delay time.Duration
	// RetryMin and RetryMax bound the pause after a failure, which doubles with each. Defaults: 0.5 s, 30 s.
	RetryMin, RetryMax time.Duration
	// Timeout bounds one call of the sink. Default: 30 s.
	Timeout time.Duration
}

func (l *Limits) fill() {
	setDefault(&l.Records, 10_000)
	setDefault(&l.Bytes, 64<<20)
	setDefault(&l.Batch, 512)
	setDefault(&l.BatchBytes, 2<<20)
	setDefault(&l.Delay, time.Second)
	setDefault(&l.RetryMin, 500*time.Millisecond)
	setDefault(&l.RetryMax, 30*time.Second)
	setDefault(&l.Timeout, 30*time.Second)
}

func setDefault[T int | time.Duration](v *T, value T) {
	if *v <= 0 {
		*v = value
	}
}

// lastPause is the longest pause between two tries when the gateway ends.
const lastPause = 200 * time.Millisecond

// dropReports is the least time between two lines about dropped events.
const dropReports = time.Minute

// Stats count the events of a queue.
type Stats struct {
	// Queued events wait, Sent ones have arrived, Dropped ones are lost; Failures counts the calls of the sink that failed.
	Queued, Sent, Dropped, Failures uint64
	// Bytes is about what the waiting ones hold.
	Bytes int
}

// Queue holds the events that wait for one sink. Its goroutine lives from NewQueue to Close.
type Queue struct {
	sink   Sink
	o      Limits
	logger *slog.Logger

	// wake has room for one word: there is something to do.
	wake          chan struct{}
	done, closing chan struct{}
	stop          context.CancelFunc

	mu sync.Mutex // guards all below
	// waiting are the events, oldest first; the goroutine takes batches from its front.
	waiting []*telemetry.Event
	closed  bool
	stats   Stats
	// failing says that the last call failed.
	failing bool
	// reported is how many of the dropped have been logged, and reportedAt when.
	reported   uint64
	reportedAt time.Time
}

// NewQueue starts a queue before a sink. It must be closed.
func NewQueue(sink Sink, o Limits, logger *slog.Logger) *Queue {
	o.fill()
	ctx, stop := context.WithCancel(context.Background())
	q := &Queue{
		sink: sink, o: o, logger: logger.With("callback", sink.Name()), stop: stop,
		wake: make(chan struct{}, 1), done: make(chan struct{}), closing: make(chan struct{}),
	}
	go q.run(ctx)
	return q
}

// Add takes an event, or drops it: it never waits.
func (q *Queue) Add(e *telemetry.Event) {
	size := e.Size()
	q.mu.Lock()
	if q.closed || q.stats.Queued >= uint64(q.o.Records) || q.stats.Bytes+size > q.o.Bytes { //nolint:gosec // the bound is positive
		q.stats.Dropped++
		fresh := q.stats.Dropped - q.reported
		report := time.Since(q.reportedAt) >= dropReports
		if report {
			q.reported, q.reportedAt = q.stats.Dropped, time.Now()
		}
		q.mu.Unlock()
		if report {
			q.logger.Error("a callback's queue is full: calls are not reported to it until there is room", "dropped", fresh)
		}
		return
	}
	q.waiting = append(q.waiting, e)
	q.stats.Queued++
	q.stats.Bytes += size
	wake := len(q.waiting) == 1 || len(q.waiting) == q.o.Batch
	q.mu.Unlock()
	if wake {
		q.signal()
	}
}

func (q *Queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// run hands batches to the sink until the queue is closed and empty, or ctx ends.
func (q *Queue) run(ctx context.Context) {
	defer close(q.done)
	for {
		select {
		case <-q.wake:
		case <-q.closing:
		case <-ctx.Done():
			return
		}
		if q.length() < q.o.Batch {
			q.sleep(ctx, q.o.Delay, q.closing)
		}
		for {
			batch := q.take()
			if len(batch) == 0 {
				break
			}
			if !q.deliver(ctx, batch) {
				return
			}
		}
		select {
		case <-q.closing:
			if q.length() == 0 {
				return
			}
		default:
		}
	}
}

// sleep waits for a time, until early is closed, or until ctx ends.
func (*Queue) sleep(ctx context.Context, d time.Duration, early <-chan struct{}) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-early:
	case <-ctx.Done():
	}
}

func (q *Queue) length() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting)
}

// take takes a batch from the front. It counts as waiting until it is delivered.
func (q *Queue) take() []*telemetry.Event {
	q.mu.Lock()
	defer q.mu.Unlock()
	n, size := 0, 0
	for n < len(q.waiting) && n < q.o.Batch && (n == 0 || size+q.waiting[n].Size() <= q.o.BatchBytes) {
		size += q.waiting[n].Size()
		n++
	}
	batch := make([]*telemetry.Event, n)
	copy(batch, q.waiting)
	clear(q.waiting[:n])
	if q.waiting = q.waiting[n:]; len(q.waiting) == 0 {
		q.waiting = nil // what the largest crowd needed is not kept
	}
	return batch
}

// deliver sends a batch, as often as need be. It reports false when ctx has ended.
func (q *Queue) deliver(ctx context.Context, batch []*telemetry.Event) bool {
	for wait := q.o.RetryMin; ; wait = min(2*wait, q.o.RetryMax) {
		call, cancel := context.WithTimeout(ctx, q.o.Timeout)
		left, err := q.sink.Send(call, batch)
		cancel()
		q.settle(batch, left, err)
		if len(left) == 0 {
			return true
		}
		batch = left
		select {
		case <-q.closing: // there is not much time left
			q.sleep(ctx, min(wait, lastPause), nil)
		default:
			q.sleep(ctx, wait/2+rand.N(wait/2+1), q.closing) //nolint:gosec // spreads retries, keeps no secret
		}
		if ctx.Err() != nil {
			return false
		}
	}
}

// settle counts what became of a batch, and logs when a sink begins and ends to fail.
func (q *Queue) settle(batch, left []*telemetry.Event, err error) {
	var refused *refusedError
	q.mu.Lock()
	size := 0
	for _, e := range batch {
		size += e.Size()
	}
	for _, e := range left {
		size -= e.Size()
	}
	gone := uint64(len(batch) - len(left)) //nolint:gosec // never negative: left is part of batch
	lost := uint64(0)
	if errors.As(err, &refused) {
		lost = min(uint64(refused.count), gone) //nolint:gosec // a count
	} else if err != nil && len(left) == 0 { // the sink has given up
		lost = gone
	}
	q.stats.Queued -= gone
	q.stats.Bytes -= size
	q.stats.Sent += gone - lost
	q.stats.Dropped += lost
	was := q.failing
	q.failing = err != nil
	if err != nil {
		q.stats.Failures++
	}
	dropped := q.stats.Dropped
	q.mu.Unlock()
	switch {
	case err != nil && !was:
		q.logger.Error("a callback fails", "error", err, "refused", lost, "waiting", len(left))
	case err == nil && was:
		q.logger.Info("a callback works again", "dropped_in_all", dropped)
	}
}

// Stats returns the queue's counters.
func (q *Queue) Stats() Stats {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.stats
}

// Close sends what waits and ends the queue's goroutine; when ctx ends first, what still waits is lost, and counted.
func (q *Queue) Close(ctx context.Context) {
	q.mu.Lock()
	if !q.closed {
		q.closed = true
		close(q.closing)
	}
	q.mu.Unlock()
	select {
	case <-q.done:
	case <-ctx.Done():
		q.stop()
		<-q.done
	}
	q.stop()
	q.mu.Lock()
	lost := q.stats.Queued
	q.stats.Dropped += lost
	q.stats.Queued, q.stats.Bytes, q.waiting = 0, 0, nil
	q.mu.Unlock()
	if lost > 0 {
		q.logger.Error("calls were not reported to a callback before the gateway ended", "calls", lost)
	}
}

// refusedError says that a sink refused events for good.
type refusedError struct {
	count int
	why   error
}

func (e *refusedError) Error() string { return e.why.Error() }

func (e *refusedError) Unwrap() error { return e.why }
