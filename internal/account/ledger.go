package account

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// Sink is where finished calls are kept. Append writes all records or none and must take every record: an error means
// that the same records can be tried again. A record that was written before, known by its CallID and Entry, is
// skipped. The slice and its records are the caller's again when Append returns.
type Sink interface {
	Append(ctx context.Context, records []Record) error
}

// LedgerOptions are a ledger's bounds; the zero value gives the documented defaults.
type LedgerOptions struct {
	// Capacity is how many records may wait to be written. Default: 16,384, 10 MB and their texts at worst.
	Capacity int
	// Batch is how many records a sink gets at once. Default: 256.
	Batch int
	// Delay is how long a record may wait for others to fill its batch. Default: 100 ms.
	Delay time.Duration
	// Patience is how long Add waits for room in a full ledger before it drops the record. Default: 20 ms.
	Patience time.Duration
	// RetryMin and RetryMax bound the pause after a failure of the sink, which doubles with each. Defaults: 100 ms, 5 s.
	RetryMin, RetryMax time.Duration
	// Logger gets a line when the sink begins to fail, when it works again, and when records are dropped. Default: none.
	Logger *slog.Logger
}

// LedgerStats count records since the ledger began.
type LedgerStats struct {
	// Queued records wait to be written, Written ones are in the sink, Dropped ones are lost.
	Queued, Written, Dropped uint64
	// Failures counts the sink's errors; Failure is the last of them, nil when the sink has worked since.
	Failures uint64
	Failure  error
}

// Ledger takes the records of finished calls and hands them to its sink in batches, from a goroutine of its own that
// lives from NewLedger to Close. Records wait in memory: what waits when the process is killed is lost.
type Ledger struct {
	sink Sink
	o    LedgerOptions

	// wake has room for one word: the first record of a batch, a full batch or Close has come.
	wake chan struct{}
	done chan struct{}
	// closing is closed by Close: it ends the pause before the next try.
	closing chan struct{}
	// stop ends what the sink is doing when Close runs out of time.
	stop context.CancelFunc

	mu sync.Mutex // guards all below
	// open is the batch being filled; full are those that wait, oldest first; spare are empty ones to be used again.
	open        []Record
	full, spare [][]Record
	// queued counts what is not yet written, in the hands of the sink or before.
	queued int
	// room is closed when queued has gone down; nil when nobody waits for it.
	room   chan struct{}
	closed bool
	// entry numbers the records. It begins anywhere, so that two processes have hardly a number in common.
	entry    uint64
	written  uint64
	dropped  uint64
	failures uint64
	// failure is the sink's last error, nil when it works.
	failure error
	// reported is how many of dropped have been logged, and reportedAt when.
	reported   uint64
	reportedAt time.Time
}

// dropReports is the least time between two lines about dropped records.
const dropReports = time.Second

// maxSpare is how many empty batches are kept: two are in turn in normal times, more are the leftover of a burst.
const maxSpare = 2

// NewLedger starts a ledger. It must be closed.
func NewLedger(sink Sink, o LedgerOptions) *Ledger {
	setDefault(&o.Capacity, 16<<10)
	setDefault(&o.Batch, 256)
	setDefault(&o.Delay, 100*time.Millisecond)
	setDefault(&o.Patience, 20*time.Millisecond)
	setDefault(&o.RetryMin, 100*time.Millisecond)
	setDefault(&o.RetryMax, 5*time.Second)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.Batch = min(o.Batch, o.Capacity)
	ctx, stop := context.WithCancel(context.Background())
	l := &Ledger{
		sink: sink, o: o, stop: stop, wake: make(chan struct{}, 1), done: make(chan struct{}), closing: make(chan struct{}),
		entry: rand.Uint64(), //nolint:gosec // a number that differs between processes, not a secret
	}
	go l.run(ctx)
	return l
}

func setDefault[T int | time.Duration](v *T, value T) {
	if *v <= 0 {
		*v = value
	}
}

// Add queues a record. It returns at once unless the ledger is full; then it waits for room as long as the ledger's
// patience allows, and drops the record, counted and logged, when there is none. After Close every record is dropped.
func (l *Ledger) Add(r Record) {
	l.mu.Lock()
	if l.queued >= l.o.Capacity && !l.closed {
		l.waitForRoom()
	}
	if l.closed || l.queued >= l.o.Capacity {
		l.drop()
		return
	}
	l.entry++
	r.Entry = l.entry
	if l.open == nil {
		l.open = l.batch()
	}
	l.open = append(l.open, r)
	l.queued++
	wake := len(l.open) == 1
	if len(l.open) == cap(l.open) {
		l.full, l.open = append(l.full, l.open), nil
		wake = true
	}
	l.mu.Unlock()
	if wake {
		l.signal()
	}
}

// waitForRoom is called, and returns, with the lock held.
func (l *Ledger) waitForRoom() {
	timer := time.NewTimer(l.o.Patience)
	defer timer.Stop()
	for l.queued >= l.o.Capacity && !l.closed {
		if l.room == nil {
			l.room = make(chan struct{})
		}
		room := l.room
		l.mu.Unlock()
		timedOut := false
		select {
		case <-room:
		case <-timer.C:
			timedOut = true
		}
		l.mu.Lock()
		if timedOut {
			return
		}
	}
}

// drop is called with the lock held and releases it.
func (l *Ledger) drop() {
	l.dropped++
	now := time.Now()
	report := now.Sub(l.reportedAt) >= dropReports
	fresh, total, closed := l.dropped-l.reported, l.dropped, l.closed
	if report {
		l.reported, l.reportedAt = l.dropped, now
	}
	l.mu.Unlock()
	if !report {
		return
	}
	why := "the queue is full"
	if closed {
		why = "the ledger is closed"
	}
	l.o.Logger.Error("spend records lost", "why", why, "lost", fresh, "lost_in_all", total)
}

func (l *Ledger) batch() []Record {
	if n := len(l.spare); n > 0 {
		b := l.spare[n-1]
		l.spare = l.spare[:n-1]
		return b
	}
	return make([]Record, 0, l.o.Batch)
}

func (l *Ledger) signal() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Stats returns the ledger's counters.
func (l *Ledger) Stats() LedgerStats {
	l.mu.Lock()
	defer l.mu.Unlock()
	return LedgerStats{
		Queued: uint64(l.queued), Written: l.written, Dropped: l.dropped, Failures: l.failures, Failure: l.failure, //nolint:gosec // queued is never negative
	}
}

// Close writes what is queued and ends the ledger's goroutine. When ctx ends first, the sink's work is cut off and the
// error says how many records were not written. Further calls wait for the first.
func (l *Ledger) Close(ctx context.Context) error {
	l.mu.Lock()
	if !l.closed {
		l.closed = true
		close(l.closing)
	}
	if l.room != nil {
		close(l.room)
		l.room = nil
	}
	l.mu.Unlock()
	l.signal()
	select {
	case <-l.done:
	case <-ctx.Done():
		l.stop()
		<-l.done
	}
	l.stop()
	l.mu.Lock()
	defer l.mu.Unlock()
	if fresh := l.dropped - l.reported; fresh > 0 {
		l.reported = l.dropped
		l.o.Logger.Error("spend records lost", "lost", fresh, "lost_in_all", l.dropped)
	}
	if l.queued == 0 {
		return nil
	}
	if l.failure != nil {
		return fmt.Errorf("ledger: %d records were not written in time: %w", l.queued, l.failure)
	}
	return fmt.Errorf("ledger: %d records were not written in time", l.queued)
}

// run writes batches until the ledger is closed and empty, or ctx ends.
func (l *Ledger) run(ctx context.Context) {
	defer close(l.done)
	for range l.wake {
		partial := l.await()
		for batch := l.take(partial); batch != nil; batch = l.take(partial) {
			if !l.write(ctx, batch) {
				return
			}
		}
		l.mu.Lock()
		end, more := l.closed && l.queued == 0, l.queued > 0
		l.mu.Unlock()
		if end {
			return
		}
		if more {
			l.signal()
		}
	}
}

// await returns when a batch is full, the ledger is closed, or the records that wait have waited long enough. It
// reports whether a batch that is not full shall be written, too.
func (l *Ledger) await() (partial bool) {
	timer := time.NewTimer(l.o.Delay)
	defer timer.Stop()
	for {
		l.mu.Lock()
		closed, full := l.closed, len(l.full) > 0
		l.mu.Unlock()
		if closed || full {
			return closed
		}
		select {
		case <-l.wake:
		case <-timer.C:
			return true
		}
	}
}

// take returns the oldest batch, nil when there is none. One that is not full is taken only if partial is true.
func (l *Ledger) take(partial bool) []Record {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.full) > 0 {
		b := l.full[0]
		l.full = slices.Delete(l.full, 0, 1)
		return b
	}
	if !partial {
		return nil
	}
	b := l.open
	l.open = nil
	return b
}

// write hands one batch to the sink until it takes it. It returns false when ctx has ended.
func (l *Ledger) write(ctx context.Context, batch []Record) bool {
	pause, failed, closing := l.o.RetryMin, false, l.closing
	for {
		err := l.sink.Append(ctx, batch)
		if err == nil {
			break
		}
		l.mu.Lock()
		l.failures++
		l.failure = err
		queued := l.queued
		l.mu.Unlock()
		if ctx.Err() != nil {
			return false
		}
		if !failed {
			failed = true
			l.o.Logger.Error("spend records cannot be written, trying again", "error", err, "queued", queued)
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
			pause = min(2*pause, l.o.RetryMax)
		case <-closing: // one try at once, then again with pauses
			timer.Stop()
			pause, closing = l.o.RetryMin, nil
		case <-ctx.Done():
			timer.Stop()
			return false
		}
	}
	if failed {
		l.o.Logger.Info("spend records are written again")
	}
	n := len(batch)
	clear(batch) // lets go of the strings
	l.mu.Lock()
	l.failure = nil
	l.queued -= n
	l.written += uint64(n)
	if l.room != nil {
		close(l.room)
		l.room = nil
	}
	if cap(batch) == l.o.Batch && len(l.spare) < maxSpare {
		l.spare = append(l.spare, batch[:0])
	}
	l.mu.Unlock()
	return true
}
