package account

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/outcrop-ai/outcrop/internal/journal"
)

// Sink is where finished calls are kept. Append writes all records or none and must take every record: an error means
// that the same records can be tried again. A record that was written before, known by its CallID and Entry, is
// skipped. The slice and its records are the caller's again when Append returns.
type Sink interface {
	Append(ctx context.Context, records []Record) error
}

// FullPolicy says what becomes of calls while the ledger cannot keep their records.
type FullPolicy string

// The policies. The empty one is RefuseWhenFull.
const (
	// RefuseWhenFull has new calls refused, see [Ledger.Refusal]. Those that run are still kept, in memory if need be.
	RefuseWhenFull FullPolicy = "refuse"
	// DropWhenFull has them answered; their records are lost, counted and logged.
	DropWhenFull FullPolicy = "drop"
)

// LedgerOptions are a ledger's parts and bounds; the zero value gives the documented defaults.
type LedgerOptions struct {
	// Log is where records are safe before the sink has them. The ledger is its one reader, and does not close it. nil keeps
	// records in memory: what waits when the process is killed is lost.
	Log *journal.Log
	// OnFull is what happens when the log is full or its disk refuses. Default: RefuseWhenFull with a log; without one
	// records are dropped when Capacity is reached.
	OnFull FullPolicy
	// Capacity is how many records may wait in memory while the log's disk refuses them. Default: 16,384, 10 MB and their
	// texts at worst.
	Capacity int
	// Batch is how many records a sink gets at once. Default: 2048: an index page is then written once for many rows.
	Batch int
	// Delay is how long a record may wait for others to fill its batch. Default: 500 ms.
	Delay time.Duration
	// RetryMin and RetryMax bound the pause after a failure of the sink, which doubles with each. Defaults: 100 ms, 5 s.
	RetryMin, RetryMax time.Duration
	// Logger gets a line when the sink or the log begins to fail, when it works again, and when records are dropped.
	// Default: none.
	Logger *slog.Logger
}

// LedgerStats count records since the ledger began.
type LedgerStats struct {
	// Queued records of this process wait to be written, Written ones are in the sink, among them what an earlier process
	// left, Dropped ones are lost.
	Queued, Written, Dropped uint64
	// Failures counts the sink's errors; Failure is the last of them, nil when the sink has worked since.
	Failures uint64
	Failure  error
	// LogBytes is the size of the log on disk, LogFailure why it takes no records, nil when it does. Damaged counts the
	// places in the log that could not be read.
	LogBytes   int64
	LogFailure error
	Damaged    uint64
}

// Ledger takes the records of finished calls. Add puts them into a log on disk, where the death of the process cannot take
// them; a goroutine that lives from NewLedger to Close reads the log and hands it to the sink in batches. A sink that is slow
// or away leaves the log longer, and nothing else.
type Ledger struct {
	sink Sink
	log  *journal.Log
	o    LedgerOptions

	// entry numbers the records. It begins at a random place among 2^64, so that no two processes, nor one before and after
	// a restart, give one number to two calls that have one id.
	entry atomic.Uint64
	// queued counts what this process has added and the sink has not.
	queued atomic.Int64
	// refused is why the log took the last record not; nil when it did. It is read by every call.
	refused atomic.Pointer[error]
	// wake has room for one word: the first record of a batch or a full batch has come.
	wake chan struct{}
	done chan struct{}
	// closing is closed by Close: it ends the pause before the next try.
	closing chan struct{}
	// stop ends what the sink is doing when Close runs out of time.
	stop context.CancelFunc

	ship shipping

	mu sync.Mutex // guards all below
	// memory holds the records that the log did not take, oldest first.
	memory []Record
	closed bool
	// written, dropped and failures are counters of LedgerStats, failure is the sink's last error, nil when it works.
	written, dropped, failures uint64
	failure                    error
	// reported is how many of dropped have been logged, and reportedAt when.
	reported   uint64
	reportedAt time.Time
}

const (
	// dropReports is the least time between two lines about dropped records.
	dropReports = time.Second
	// maxBatchBytes bounds what a batch takes in memory, as the log counts it.
	maxBatchBytes = 4 << 20
	// upkeep is how often a ledger looks for a disk that works again; every sixtieth time also for what dead processes left.
	upkeep    = time.Second
	adoptTurn = 60
)

// errMemory is why records are lost that the log did not take.
var errMemory = errors.New("too many records wait in memory")

// NewLedger starts a ledger. It must be closed.
func NewLedger(sink Sink, o LedgerOptions) *Ledger {
	setDefault(&o.Capacity, 16<<10)
	setDefault(&o.Batch, 2048)
	setDefault(&o.Delay, 500*time.Millisecond)
	setDefault(&o.RetryMin, 100*time.Millisecond)
	setDefault(&o.RetryMax, 5*time.Second)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.Batch = min(o.Batch, o.Capacity)
	ctx, stop := context.WithCancel(context.Background())
	l := &Ledger{
		sink: sink, log: o.Log, o: o, stop: stop,
		wake: make(chan struct{}, 1), done: make(chan struct{}), closing: make(chan struct{}),
	}
	l.entry.Store(rand.Uint64()) //nolint:gosec // a number that differs between processes, not a secret
	l.signal()                   // an earlier process may have left something
	go l.run(ctx)
	return l
}

func setDefault[T int | time.Duration](v *T, value T) {
	if *v <= 0 {
		*v = value
	}
}

// frames are buffers for one record each.
var frames = sync.Pool{New: func() any { return new(frame) }}

type frame struct{ data []byte }

// keptFrame is the largest buffer that goes back to the pool.
const keptFrame = 16 << 10

// Add takes a record. When it returns the record is in the log, and no end of the process can lose it. If the log does not
// take it, it waits in memory, or is dropped, as the policy says; after Close it is dropped.
func (l *Ledger) Add(r Record) {
	r.Entry = l.entry.Add(1)
	if l.log == nil {
		l.keep(&r, nil)
		return
	}
	if l.o.OnFull == DropWhenFull && l.log.Full() {
		l.refuses(journal.ErrFull)
		l.drop(journal.ErrFull)
		return
	}
	f, _ := frames.Get().(*frame)
	f.data = appendRecord(append(f.data[:0], make([]byte, journal.Head)...), &r)
	err := l.log.Append(f.data)
	if cap(f.data) <= keptFrame {
		frames.Put(f)
	}
	if err != nil {
		l.refuses(err)
		l.keep(&r, err)
		return
	}
	l.count()
}

// count tells the goroutine when there is something to do.
func (l *Ledger) count() {
	if n := l.queued.Add(1); n == 1 || n == int64(l.o.Batch) {
		l.signal()
	}
}

// refuses notes that the log does not take records, and says so once.
func (l *Ledger) refuses(err error) {
	if l.refused.Swap(&err) == nil {
		l.o.Logger.Error("the log of spend records takes no more: "+l.consequence(), "error", err, "size", l.log.Size())
	}
}

func (l *Ledger) consequence() string {
	if l.o.OnFull == DropWhenFull {
		return "rows are lost until it does (general_settings.ledger_on_full: drop)"
	}
	return "new requests are refused until it does (general_settings.ledger_on_full: refuse)"
}

// Refusal returns why a new call must be refused, since its record could not be kept; nil when there is no reason.
func (l *Ledger) Refusal() error {
	if l.log == nil || l.o.OnFull == DropWhenFull {
		return nil
	}
	if err := l.refused.Load(); err != nil {
		return *err
	}
	if l.log.Full() {
		l.refuses(journal.ErrFull)
		return journal.ErrFull
	}
	return nil
}

// keep holds a record in memory that the log did not take.
func (l *Ledger) keep(r *Record, why error) {
	l.mu.Lock()
	switch {
	case l.closed:
		l.mu.Unlock()
		l.drop(journal.ErrClosed)
	case len(l.memory) >= l.o.Capacity:
		l.mu.Unlock()
		if why == nil {
			why = errMemory
		}
		l.drop(why)
	default:
		l.memory = append(l.memory, *r)
		l.mu.Unlock()
		l.count()
	}
}

// drop counts a lost record, and says so now and then.
func (l *Ledger) drop(why error) {
	l.mu.Lock()
	l.dropped++
	now := time.Now()
	report := now.Sub(l.reportedAt) >= dropReports
	fresh, total := l.dropped-l.reported, l.dropped
	if report {
		l.reported, l.reportedAt = l.dropped, now
	}
	l.mu.Unlock()
	if report {
		l.o.Logger.Error("spend records lost", "why", why, "lost", fresh, "lost_in_all", total)
	}
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
	s := LedgerStats{Queued: uint64(max(l.queued.Load(), 0)), Written: l.written, Dropped: l.dropped, Failures: l.failures, Failure: l.failure}
	if l.log != nil {
		s.LogBytes, s.Damaged = l.log.Size(), l.log.Damaged()
		if err := l.refused.Load(); err != nil {
			s.LogFailure = *err
		}
	}
	return s
}

// Close writes what waits and ends the ledger's goroutine. When ctx ends first, the sink's work is cut off: what is in the
// log is written by the next process, and the error says how many records were in memory alone. Further calls wait for the
// first.
func (l *Ledger) Close(ctx context.Context) error {
	l.mu.Lock()
	if !l.closed {
		l.closed = true
		close(l.closing)
	}
	l.mu.Unlock()
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
	lost, waiting := len(l.memory), l.queued.Load()-int64(len(l.memory))
	if waiting > 0 {
		l.o.Logger.Warn("spend records wait in the log for the next start", "records", waiting, "error", l.failure)
	}
	switch {
	case lost == 0:
		return nil
	case l.failure != nil:
		return fmt.Errorf("ledger: %d records were not written in time: %w", lost, l.failure)
	default:
		return fmt.Errorf("ledger: %d records were not written in time", lost)
	}
}
