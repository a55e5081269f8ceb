package callbacks

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/outcrop-ai/outcrop/internal/telemetry"
)

// door is a sink that waits until it is let through.
type door struct {
	entered chan int   // how many events came, for each call
	answers chan error // what a call returns
}

func newDoor() *door { return &door{make(chan int, 1000), make(chan error, 1000)} }

func (*door) Name() string { return "door" }

func (d *door) Send(ctx context.Context, batch []*telemetry.Event) ([]*telemetry.Event, error) {
	d.entered <- len(batch)
	select {
	case err := <-d.answers:
		var refused *refusedError
		if err != nil && !errors.As(err, &refused) {
			return batch, err
		}
		return nil, err
	case <-ctx.Done():
		return batch, ctx.Err()
	}
}

type lockedLog struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedLog) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func logged() (*slog.Logger, *lockedLog) {
	l := &lockedLog{}
	return slog.New(slog.NewTextHandler(l, nil)), l
}

func TestAFullQueueDropsAndSaysSoOnce(t *testing.T) {
	f := func(o Limits) {
		t.Helper()
		o.Delay, o.Batch = 1, 1
		logger, lines := logged()
		d := newDoor()
		q := NewQueue(d, o, logger)
		q.Add(success())
		<-d.entered // one is on its way, and still counts
		for range 20 {
			q.Add(success())
		}
		s := q.Stats()
		if s.Queued != 3 || s.Dropped != 18 {
			t.Errorf("%+v: %+v", o, s)
		}
		if s.Bytes > 3*success().Size() {
			t.Errorf("%d bytes wait", s.Bytes)
		}
		for range 3 {
			d.answers <- nil
		}
		q.Close(t.Context())
		if s := q.Stats(); s.Sent != 3 || s.Dropped != 18 || s.Queued != 0 || s.Bytes != 0 {
			t.Errorf("%+v", s)
		}
		if n := strings.Count(lines.text(), "queue is full"); n != 1 {
			t.Errorf("said %d times", n)
		}
	}
	f(Limits{Records: 3})
	f(Limits{Bytes: 3 * success().Size()})
}

func TestASinkThatIsAwayGetsAllWhenItIsBack(t *testing.T) {
	logger, lines := logged()
	d := newDoor()
	o := fast()
	o.Batch = 2
	q := NewQueue(d, o, logger)
	q.Add(success())
	<-d.entered
	for range 4 {
		q.Add(success())
	}
	for range 5 {
		d.answers <- errors.New("away")
		<-d.entered
	}
	if s := q.Stats(); s.Queued != 5 || s.Failures != 5 || s.Dropped != 0 {
		t.Errorf("%+v", s)
	}
	for range 3 {
		d.answers <- nil
	}
	q.Close(t.Context())
	if s := q.Stats(); s.Sent != 5 || s.Dropped != 0 {
		t.Errorf("%+v", s)
	}
	text := lines.text()
	if strings.Count(text, "a callback fails") != 1 || strings.Count(text, "works again") != 1 {
		t.Errorf("logged %s", text)
	}
}

func TestWhatIsRefusedForGoodIsDropped(t *testing.T) {
	d := newDoor()
	q := NewQueue(d, fast(), slog.New(slog.DiscardHandler))
	d.answers <- &refusedError{1, errors.New("no")}
	q.Add(success())
	<-d.entered
	q.Close(t.Context())
	if s := q.Stats(); s.Sent != 0 || s.Dropped != 1 || s.Queued != 0 {
		t.Errorf("%+v", s)
	}
}

func TestCloseIsBoundedAndCountsWhatIsLost(t *testing.T) {
	logger, lines := logged()
	d := newDoor()
	q := NewQueue(d, Limits{Delay: 1, Batch: 1}, logger)
	for range 3 {
		q.Add(success())
	}
	<-d.entered
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	q.Close(ctx)
	q.Close(ctx) // a second time does nothing
	q.Add(success())
	if s := q.Stats(); s.Dropped != 4 || s.Sent != 0 || s.Queued != 0 {
		t.Errorf("%+v", s)
	}
	if !strings.Contains(lines.text(), "calls=3") {
		t.Errorf("logged %s", lines.text())
	}
}

func TestCloseWaitsForNoPauseOfARetry(t *testing.T) {
	d := newDoor()
	q := NewQueue(d, Limits{Delay: 1, RetryMin: time.Hour, RetryMax: time.Hour}, slog.New(slog.DiscardHandler))
	q.Add(success())
	<-d.entered
	d.answers <- errors.New("away")
	d.answers <- nil
	q.Close(t.Context())
	if s := q.Stats(); s.Sent != 1 {
		t.Errorf("%+v", s)
	}
}
