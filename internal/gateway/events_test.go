package gateway

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// deadlines is a ResponseWriter that remembers its write deadlines.
type deadlines struct {
	http.ResponseWriter
	mu  sync.Mutex
	set []time.Time
	hit chan struct{}
}

func (d *deadlines) Flush() {}

func (d *deadlines) SetWriteDeadline(t time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.set = append(d.set, t)
	select {
	case d.hit <- struct{}{}:
	default:
	}
	return nil
}

// A deadline that stayed on a connection would break the next request that comes on it.
func TestStreamLeavesNoDeadlineBehind(t *testing.T) {
	w := &deadlines{ResponseWriter: httptest.NewRecorder(), hit: make(chan struct{}, 1)}
	events := newEventWriter(w, time.Millisecond, ": quiet\n\n", func() {})
	<-w.hit
	events.close()
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := len(w.set); n < 2 || w.set[0].IsZero() || !w.set[n-1].IsZero() {
		t.Errorf("deadlines %v", w.set)
	}
	if err := events.write([]byte("late"), true); err == nil {
		t.Error("a closed stream was written to")
	}
}
