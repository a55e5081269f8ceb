package account

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/outcrop-ai/outcrop/internal/journal"
	"github.com/outcrop-ai/outcrop/llm"
)

// book is a sink in memory. Its hook is called first, with the number of the attempt; an error refuses the batch.
type book struct {
	hook func(ctx context.Context, attempt int) error

	mu      sync.Mutex
	attempt int
	batches []int
	ids     []string
	entries map[uint64]bool
}

func (b *book) Append(ctx context.Context, records []Record) error {
	b.mu.Lock()
	b.attempt++
	attempt := b.attempt
	b.mu.Unlock()
	if b.hook != nil {
		if err := b.hook(ctx, attempt); err != nil {
			return err
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.batches = append(b.batches, len(records))
	if b.entries == nil {
		b.entries = map[uint64]bool{}
	}
	for i := range records {
		b.ids = append(b.ids, records[i].CallID)
		b.entries[records[i].Entry] = true
	}
	return nil
}

func (b *book) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return fmt.Sprint(b.batches, " ", strings.Join(b.ids, ","))
}

var errAway = errors.New("away")

// logText is a log that may be read while it is written.
type logText struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func equal[T comparable](t *testing.T, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

func add(l *Ledger, ids ...string) {
	for _, id := range ids {
		l.Add(Record{CallID: id})
	}
}

// inBubble runs a test with a clock of its own, on which time passes only when all goroutines wait.
func inBubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, test)
}

func closeLedger(t *testing.T, l *Ledger) {
	t.Helper()
	if err := l.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

// logIn opens a log in a folder.
func logIn(t *testing.T, dir string, o journal.Options) *journal.Log {
	t.Helper()
	o.Sync = journal.SyncNone
	l, err := journal.Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func newLog(t *testing.T) *journal.Log {
	t.Helper()
	l := logIn(t, filepath.Join(t.TempDir(), "wal"), journal.Options{})
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// onBoth runs a test with a ledger that has a log and with one that has none.
func onBoth(t *testing.T, test func(t *testing.T, log *journal.Log)) {
	t.Helper()
	t.Run("log", func(t *testing.T) {
		log := newLog(t)
		inBubble(t, func(t *testing.T) { test(t, log) })
	})
	t.Run("memory", func(t *testing.T) { inBubble(t, func(t *testing.T) { test(t, nil) }) })
}

// counters are the statistics that do not depend on how a record is written.
func counters(l *Ledger) LedgerStats {
	s := l.Stats()
	s.LogBytes = 0
	return s
}

func TestLedgerWritesFullBatchesAtOnceAndTheRestInTime(t *testing.T) {
	onBoth(t, func(t *testing.T, log *journal.Log) {
		sink := &book{}
		l := NewLedger(sink, LedgerOptions{Batch: 2, Delay: time.Minute, Log: log})
		add(l, "a", "b")
		synctest.Wait()
		equal(t, sink.String(), "[2] a,b")
		add(l, "c")
		time.Sleep(59 * time.Second) // on the bubble's clock
		equal(t, sink.String(), "[2] a,b")
		time.Sleep(2 * time.Second)
		equal(t, sink.String(), "[2 1] a,b,c")
		add(l, "d")
		closeLedger(t, l)
		equal(t, sink.String(), "[2 1 1] a,b,c,d")
		equal(t, counters(l), LedgerStats{Written: 4})
		equal(t, len(sink.entries), 4)
	})
}

func TestSlowSinkDelaysRowsOnly(t *testing.T) {
	onBoth(t, func(t *testing.T, log *journal.Log) {
		release := make(chan struct{})
		sink := &book{hook: func(context.Context, int) error { <-release; return nil }}
		l := NewLedger(sink, LedgerOptions{Batch: 4, Capacity: 100, Log: log})
		start := time.Now()
		for range 100 {
			add(l, "x")
		}
		equal(t, time.Since(start), 0) // no call of Add has waited
		synctest.Wait()
		equal(t, counters(l), LedgerStats{Queued: 100})
		close(release)
		closeLedger(t, l)
		equal(t, counters(l), LedgerStats{Written: 100})
	})
}

func TestFailingSinkIsTriedAgainAndLosesNothing(t *testing.T) {
	onBoth(t, func(t *testing.T, log *journal.Log) {
		var text logText
		var at []time.Duration
		start := time.Now()
		sink := &book{hook: func(_ context.Context, attempt int) error {
			at = append(at, time.Since(start))
			if attempt <= 5 {
				return errors.New("disk full")
			}
			return nil
		}}
		l := NewLedger(sink, LedgerOptions{
			Batch: 3, RetryMin: time.Second, RetryMax: 4 * time.Second, Logger: slog.New(slog.NewTextHandler(&text, nil)), Log: log,
		})
		add(l, "a", "b", "c", "d")
		time.Sleep(time.Hour)
		synctest.Wait()
		equal(t, sink.String(), "[3 1] a,b,c,d")
		equal(t, fmt.Sprint(at[:6]), "[0s 1s 3s 7s 11s 15s]")
		equal(t, counters(l), LedgerStats{Written: 4, Failures: 5})
		closeLedger(t, l)
		equal(t, strings.Count(text.String(), "\n"), 2)
		for _, want := range []string{"disk full", "written again"} {
			if !strings.Contains(text.String(), want) {
				t.Errorf("the log lacks %q:\n%s", want, text.String())
			}
		}
	})
}

// TestADatabaseAwayForAnHourDelaysRowsOnly: far more records than memory holds come in the meantime.
func TestADatabaseAwayForAnHourDelaysRowsOnly(t *testing.T) {
	log := newLog(t)
	inBubble(t, func(t *testing.T) {
		start := time.Now()
		sink := &book{hook: func(context.Context, int) error {
			if time.Since(start) < time.Hour {
				return errAway
			}
			return nil
		}}
		l := NewLedger(sink, LedgerOptions{Log: log, Capacity: 10, Batch: 10})
		for i := range 3600 {
			add(l, fmt.Sprint(i))
			time.Sleep(time.Second)
		}
		equal(t, l.Stats().Queued, uint64(3600))
		equal(t, errors.Is(l.Stats().Failure, errAway), true)
		time.Sleep(10 * time.Second)
		equal(t, counters(l), LedgerStats{Written: 3600, Failures: l.Stats().Failures})
		closeLedger(t, l)
		equal(t, len(sink.entries), 3600)
		equal(t, len(sink.ids), 3600)
	})
}

func TestWhatADeadProcessLeftIsWritten(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "wal")
	away := &book{hook: func(context.Context, int) error { return errAway }}
	log := logIn(t, dir, journal.Options{})
	l := NewLedger(away, LedgerOptions{Log: log})
	add(l, "a", "b", "a") // a client has used one id twice
	closeLedger(t, l)     // ends at once: the rows are safe
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	sink := &book{}
	log = logIn(t, dir, journal.Options{})
	l = NewLedger(sink, LedgerOptions{Log: log})
	add(l, "c")
	closeLedger(t, l)
	equal(t, sink.String(), "[4] a,b,a,c")
	equal(t, len(sink.entries), 4)
	equal(t, counters(l), LedgerStats{Written: 4})
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	found, err := journal.Inspect(dir, nil)
	equal(t, err, nil)
	equal(t, found, journal.Inspection{})
}

func TestAFullLogRefusesCallsAndKeepsThoseThatRun(t *testing.T) {
	log := logIn(t, filepath.Join(t.TempDir(), "wal"), journal.Options{MaxSize: 128 << 10})
	var text logText
	var works atomic.Bool
	sink := &book{hook: func(context.Context, int) error {
		if !works.Load() {
			return errAway
		}
		return nil
	}}
	l := NewLedger(sink, LedgerOptions{Log: log, RetryMin: time.Millisecond, RetryMax: time.Millisecond, Logger: slog.New(slog.NewTextHandler(&text, nil))})
	n := 0
	for ; l.Refusal() == nil; n++ {
		l.Add(Record{CallID: fmt.Sprint(n), Message: strings.Repeat("x", 1000)})
	}
	if n < 100 || !errors.Is(l.Refusal(), journal.ErrFull) || !errors.Is(l.Stats().LogFailure, journal.ErrFull) {
		t.Errorf("refused after %d: %v", n, l.Refusal())
	}
	for range 50 { // more than the log takes beyond its bound
		l.Add(Record{CallID: fmt.Sprint(n), Message: strings.Repeat("x", 1000)})
		n++
	}
	works.Store(true)
	for l.Refusal() != nil {
		runtime.Gosched()
	}
	closeLedger(t, l)
	equal(t, counters(l).Written, uint64(n))
	equal(t, l.Stats().Dropped, 0)
	equal(t, len(sink.entries), n)
	equal(t, strings.Count(text.String(), "new requests are refused until it does"), 1)
	equal(t, strings.Count(text.String(), "takes records again"), 1)
	if err := log.Close(); err != nil {
		t.Error(err)
	}
}

func TestAFullLogDropsRowsIfThatIsThePolicy(t *testing.T) {
	log := logIn(t, filepath.Join(t.TempDir(), "wal"), journal.Options{MaxSize: 128 << 10})
	var text logText
	l := NewLedger(&book{hook: func(context.Context, int) error { return errAway }}, LedgerOptions{
		Log: log, OnFull: DropWhenFull, Logger: slog.New(slog.NewTextHandler(&text, nil)),
	})
	for i := range 200 {
		l.Add(Record{CallID: fmt.Sprint(i), Message: strings.Repeat("x", 1000)})
		equal(t, l.Refusal(), nil)
	}
	s := l.Stats()
	if s.Dropped == 0 || s.Dropped+s.Queued != 200 || log.Size() > 130<<10 {
		t.Errorf("%+v", s)
	}
	closeLedger(t, l)
	for _, want := range []string{"rows are lost until it does", "spend records lost"} {
		if strings.Count(text.String(), want) < 1 {
			t.Errorf("%q is not in\n%s", want, text.String())
		}
	}
	if err := log.Close(); err != nil {
		t.Error(err)
	}
}

// TestADiskThatRefuses: the log cannot be written, so records wait in memory and go to the sink from there; none is lost.
func TestADiskThatRefuses(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "wal")
	log := logIn(t, dir, journal.Options{})
	blocked := filepath.Join(log.Dir(), fmt.Sprintf("%016x.log", 1))
	if err := os.Mkdir(blocked, 0o700); err != nil { // where the first file of the log should be
		t.Fatal(err)
	}
	inBubble(t, func(t *testing.T) {
		all := make(chan struct{}) // closed when all have come: a batch that is full is written at once
		sink := &book{hook: func(context.Context, int) error {
			<-all
			return nil
		}}
		l := NewLedger(sink, LedgerOptions{Log: log, Capacity: 2, Batch: 100})
		equal(t, l.Refusal(), nil) // nobody has tried
		add(l, "a", "b", "lost")
		if l.Refusal() == nil || l.Stats().LogFailure == nil {
			t.Error("calls are not refused")
		}
		equal(t, l.Stats().Dropped, 1)
		close(all)
		time.Sleep(time.Minute)
		equal(t, sink.String(), "[2] a,b")
		if l.Refusal() == nil {
			t.Error("calls are not refused any more, and the disk does not work")
		}
		if err := os.Remove(blocked); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		equal(t, l.Refusal(), nil)
		add(l, "c")
		closeLedger(t, l)
		equal(t, sink.String(), "[2 1] a,b,c")
	})
	if err := log.Close(); err != nil {
		t.Error(err)
	}
}

func TestWithoutALogMemoryIsBounded(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var text logText
		sink := &book{hook: func(_ context.Context, attempt int) error {
			if attempt == 1 {
				return errAway
			}
			return nil
		}}
		l := NewLedger(sink, LedgerOptions{Batch: 2, Capacity: 3, RetryMin: time.Hour, Logger: slog.New(slog.NewTextHandler(&text, nil))})
		add(l, "a", "b", "c", "lost")
		equal(t, l.Refusal(), nil)
		synctest.Wait()
		equal(t, l.Stats(), LedgerStats{Queued: 3, Dropped: 1, Failures: 1, Failure: errAway})
		if !strings.Contains(text.String(), "spend records lost") || !strings.Contains(text.String(), "lost=1") {
			t.Errorf("log: %s", text.String())
		}
		time.Sleep(time.Hour + time.Second)
		add(l, "d")
		closeLedger(t, l)
		equal(t, sink.String(), "[2 1 1] a,b,c,d")
		equal(t, l.Stats(), LedgerStats{Written: 4, Dropped: 1, Failures: 1})
	})
}

func TestCloseEndsInTimeAndCountsWhatIsLeft(t *testing.T) {
	f := func(log *journal.Log, hook func(context.Context, int) error, want string, takes time.Duration) {
		t.Helper()
		inBubble(t, func(t *testing.T) {
			t.Helper()
			l := NewLedger(&book{hook: hook}, LedgerOptions{Batch: 2, Log: log})
			add(l, "a", "b", "c")
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
			defer cancel()
			start := time.Now()
			err := l.Close(ctx)
			equal(t, time.Since(start), takes)
			if fmt.Sprint(err) != want {
				t.Errorf("got %v, want %s", err, want)
			}
		})
	}
	refuses := func(context.Context, int) error { return errAway }
	hangs := func(ctx context.Context, _ int) error { <-ctx.Done(); return ctx.Err() }
	f(nil, refuses, "ledger: 3 records were not written in time: away", 2*time.Second)
	f(nil, hangs, "ledger: 3 records were not written in time: context canceled", 2*time.Second)
	f(newLog(t), refuses, "<nil>", 0) // they are in the log
	f(newLog(t), hangs, "<nil>", 2*time.Second)
}

func TestCloseDoesNotWaitForTheNextTry(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sink := &book{hook: func(_ context.Context, attempt int) error {
			if attempt <= 2 {
				return errAway
			}
			return nil
		}}
		l := NewLedger(sink, LedgerOptions{Batch: 2, RetryMin: time.Minute, RetryMax: time.Hour})
		add(l, "a", "b", "c")
		synctest.Wait()
		equal(t, l.Stats(), LedgerStats{Queued: 3, Failures: 1, Failure: errAway})
		start := time.Now()
		closeLedger(t, l) // fails once more, and pauses before the third try
		equal(t, time.Since(start), time.Minute)
		equal(t, sink.String(), "[2 1] a,b,c")
	})
}

func TestAddAfterCloseIsCounted(t *testing.T) {
	var text logText
	sink := &book{}
	l := NewLedger(sink, LedgerOptions{Logger: slog.New(slog.NewTextHandler(&text, nil))})
	closeLedger(t, l)
	add(l, "late")
	closeLedger(t, l)
	equal(t, l.Stats(), LedgerStats{Dropped: 1})
	equal(t, sink.String(), "[] ")
	if !strings.Contains(text.String(), "closed") {
		t.Errorf("log: %s", text.String())
	}
}

func TestManyWritersLoseNothing(t *testing.T) {
	for _, log := range []*journal.Log{newLog(t), nil} {
		sink := &book{hook: func(_ context.Context, attempt int) error {
			if attempt%3 == 0 {
				return errors.New("now and then")
			}
			return nil
		}}
		l := NewLedger(sink, LedgerOptions{Batch: 16, Capacity: 1 << 20, Delay: time.Millisecond, RetryMin: time.Microsecond, Log: log})
		const writers, each = 8, 2000
		var all sync.WaitGroup
		for w := range writers {
			all.Go(func() {
				for i := range each {
					l.Add(Record{CallID: fmt.Sprintf("%d-%d", w, i)})
				}
			})
		}
		all.Wait()
		closeLedger(t, l)
		equal(t, l.Stats().Written, uint64(writers*each))
		equal(t, len(sink.entries), writers*each)
		seen := map[string]bool{}
		last := map[string]int{}
		for _, id := range sink.ids {
			var w string
			var i int
			if _, err := fmt.Sscanf(strings.Replace(id, "-", " ", 1), "%s %d", &w, &i); err != nil {
				t.Fatal(err)
			}
			if seen[id] || i < last[w] {
				t.Fatalf("%s is there twice or out of order", id)
			}
			seen[id], last[w] = true, i
		}
	}
}

// TestEntriesDifferBetweenProcesses: two ledgers number from places so far apart that their numbers never meet.
func TestEntriesDifferBetweenProcesses(t *testing.T) {
	var starts []uint64
	for range 1000 {
		l := NewLedger(nowhere{}, LedgerOptions{})
		starts = append(starts, l.entry.Load())
		closeLedger(t, l)
	}
	slices.Sort(starts)
	for i := range starts[1:] {
		if starts[i+1]-starts[i] < 1<<32 { // by chance once in four million runs
			t.Errorf("%x and %x", starts[i], starts[i+1])
		}
	}
}

func TestErrorsOfARecord(t *testing.T) {
	r := Record{AWSRequestID: "before"}
	r.SetError(nil)
	equal(t, r.Failed(), false)
	r.SetError(&llm.Error{Kind: llm.KindRateLimit, Message: strings.Repeat("é", maxMessage), AWSType: "ThrottlingException", Code: "c"})
	equal(t, r.Failed(), true)
	equal(t, r.ErrorKind+" "+r.ErrorCode+" "+r.AWSException+" "+r.AWSRequestID, "rate_limit c ThrottlingException before")
	equal(t, r.Message, strings.Repeat("é", maxMessage/2)+"…")
	r.SetError(&llm.Error{RequestID: "after", Message: "short"})
	equal(t, r.ErrorKind+" "+r.Message+" "+r.AWSRequestID, "internal short after")
	names := map[string]bool{}
	for k := llm.KindInternal; k <= llm.KindCanceled; k++ {
		names[KindName(k)] = true
	}
	equal(t, len(names), int(llm.KindCanceled)+1)
	equal(t, UsageNone.String()+UsageAWS.String()+UsageEstimated.String(), "noneawsestimated")
	equal(t, Anonymous.String()+" "+Admin.String(), "anonymous proxy_admin")
}

// nowhere is a sink that forgets.
type nowhere struct{}

func (nowhere) Append(context.Context, []Record) error { return nil }

// BenchmarkLedgerAdd is what a finished call waits for before its last byte goes out.
func BenchmarkLedgerAdd(b *testing.B) {
	for _, name := range []string{"log", "memory"} {
		b.Run(name, func(b *testing.B) {
			o := LedgerOptions{Capacity: 1 << 30}
			if name == "log" {
				log, err := journal.Open(filepath.Join(b.TempDir(), "wal"), journal.Options{})
				if err != nil {
					b.Fatal(err)
				}
				defer log.Close()
				o.Log = log
			}
			l := NewLedger(nowhere{}, o)
			defer func() {
				if err := l.Close(context.Background()); err != nil {
					b.Error(err)
				}
				if s := l.Stats(); s.Dropped > 0 {
					b.Errorf("%+v", s)
				}
			}()
			r := usualRecord()
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					l.Add(r)
				}
			})
		})
	}
}
