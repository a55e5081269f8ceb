package account

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/outcrop-ai/outcrop/llm"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

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

func TestLedgerWritesFullBatchesAtOnceAndTheRestInTime(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sink := &book{}
		l := NewLedger(sink, LedgerOptions{Batch: 2, Delay: time.Minute})
		add(l, "a", "b", "c")
		synctest.Wait()
		equal(t, sink.String(), "[2] a,b")
		time.Sleep(time.Minute + time.Second) // on the bubble's clock
		equal(t, sink.String(), "[2 1] a,b,c")
		add(l, "d")
		time.Sleep(59 * time.Second)
		synctest.Wait()
		equal(t, sink.String(), "[2 1] a,b,c")
		time.Sleep(2 * time.Second)
		equal(t, sink.String(), "[2 1 1] a,b,c,d")
		add(l, "e")
		closeLedger(t, l)
		equal(t, sink.String(), "[2 1 1 1] a,b,c,d,e")
		equal(t, l.Stats(), LedgerStats{Written: 5})
		equal(t, len(sink.entries), 5)
	})
}

func TestSlowSinkDelaysRowsOnly(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		release := make(chan struct{})
		sink := &book{hook: func(context.Context, int) error { <-release; return nil }}
		l := NewLedger(sink, LedgerOptions{Batch: 4, Capacity: 100})
		start := time.Now()
		for range 100 {
			add(l, "x")
		}
		equal(t, time.Since(start), 0) // no call of Add has waited
		synctest.Wait()
		equal(t, l.Stats(), LedgerStats{Queued: 100})
		close(release)
		closeLedger(t, l)
		equal(t, l.Stats(), LedgerStats{Written: 100})
	})
}

func TestFailingSinkIsTriedAgainAndLosesNothing(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var log logText
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
			Batch: 3, RetryMin: time.Second, RetryMax: 4 * time.Second, Logger: slog.New(slog.NewTextHandler(&log, nil)),
		})
		add(l, "a", "b", "c", "d")
		time.Sleep(time.Hour)
		synctest.Wait()
		equal(t, sink.String(), "[3 1] a,b,c,d")
		equal(t, fmt.Sprint(at[:6]), "[0s 1s 3s 7s 11s 15s]")
		equal(t, l.Stats(), LedgerStats{Written: 4, Failures: 5})
		closeLedger(t, l)
		equal(t, strings.Count(log.String(), "\n"), 2)
		for _, want := range []string{"disk full", "written again"} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("the log lacks %q:\n%s", want, log.String())
			}
		}
	})
}

func TestFullLedgerWaitsThenDropsAndSaysSo(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var log logText
		var works atomic.Bool
		sink := &book{hook: func(context.Context, int) error {
			if !works.Load() {
				return errAway
			}
			return nil
		}}
		l := NewLedger(sink, LedgerOptions{
			Batch: 2, Capacity: 3, Patience: time.Second, RetryMin: time.Hour, RetryMax: time.Hour, Logger: slog.New(slog.NewTextHandler(&log, nil)),
		})
		add(l, "a", "b", "c")
		start := time.Now()
		add(l, "lost")
		equal(t, time.Since(start), time.Second)
		equal(t, l.Stats(), LedgerStats{Queued: 3, Dropped: 1, Failures: 1, Failure: errAway})
		if !strings.Contains(log.String(), "spend records lost") || !strings.Contains(log.String(), "lost=1") {
			t.Errorf("log: %s", log.String())
		}
		works.Store(true)
		time.Sleep(time.Hour)
		add(l, "d")
		closeLedger(t, l)
		equal(t, sink.String(), "[2 1 1] a,b,c,d")
		equal(t, l.Stats(), LedgerStats{Written: 4, Dropped: 1, Failures: 1})
	})
}

func TestFullLedgerTakesTheRecordWhenRoomComes(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sink := &book{hook: func(context.Context, int) error { time.Sleep(3 * time.Second); return nil }}
		l := NewLedger(sink, LedgerOptions{Batch: 2, Capacity: 2, Patience: 10 * time.Second})
		add(l, "a", "b")
		start := time.Now()
		var waiting sync.WaitGroup
		for range 2 {
			waiting.Go(func() { add(l, "c") })
		}
		waiting.Wait()
		equal(t, time.Since(start), 3*time.Second)
		closeLedger(t, l)
		equal(t, sink.String(), "[2 2] a,b,c,c")
		equal(t, l.Stats(), LedgerStats{Written: 4})
	})
}

func TestCloseEndsInTimeAndCountsWhatIsLeft(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := func(hook func(context.Context, int) error, want string) {
			t.Helper()
			l := NewLedger(&book{hook: hook}, LedgerOptions{Batch: 2})
			add(l, "a", "b", "c")
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
			defer cancel()
			start := time.Now()
			err := l.Close(ctx)
			equal(t, time.Since(start), 2*time.Second)
			if err == nil || err.Error() != want {
				t.Errorf("got %v, want %s", err, want)
			}
		}
		f(func(context.Context, int) error { return errAway }, "ledger: 3 records were not written in time: away")
		f(func(ctx context.Context, _ int) error { <-ctx.Done(); return ctx.Err() }, "ledger: 3 records were not written in time: context canceled")
	})
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
	var log logText
	sink := &book{}
	l := NewLedger(sink, LedgerOptions{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	closeLedger(t, l)
	add(l, "late")
	closeLedger(t, l)
	equal(t, l.Stats(), LedgerStats{Dropped: 1})
	equal(t, sink.String(), "[] ")
	if !strings.Contains(log.String(), "the ledger is closed") {
		t.Errorf("log: %s", log.String())
	}
}

func TestCloseWhileAddWaits(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sink := &book{hook: func(context.Context, int) error { time.Sleep(time.Minute); return nil }}
		l := NewLedger(sink, LedgerOptions{Batch: 1, Capacity: 1, Patience: time.Hour})
		add(l, "a")
		var waiting sync.WaitGroup
		waiting.Go(func() { add(l, "b") })
		synctest.Wait()
		closeLedger(t, l)
		waiting.Wait()
		equal(t, l.Stats(), LedgerStats{Written: 1, Dropped: 1})
	})
}

func TestManyWritersLoseNothing(t *testing.T) {
	sink := &book{hook: func(_ context.Context, attempt int) error {
		if attempt%3 == 0 {
			return errors.New("now and then")
		}
		return nil
	}}
	l := NewLedger(sink, LedgerOptions{Batch: 16, Capacity: 1 << 20, Delay: time.Millisecond, RetryMin: time.Microsecond})
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

func BenchmarkLedgerAdd(b *testing.B) {
	l := NewLedger(nowhere{}, LedgerOptions{})
	defer func() {
		if err := l.Close(context.Background()); err != nil {
			b.Error(err)
		}
		if s := l.Stats(); s.Dropped > 0 {
			b.Errorf("%+v", s)
		}
	}()
	r := Record{CallID: "8c1f0d2b-77aa-4c11-9e55-0a1b2c3d4e5f", Model: "m", Tags: []string{"a"}, Start: time.Now()}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			l.Add(r)
		}
	})
}
