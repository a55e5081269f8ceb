package engine

import (
	"context"
	"sync"
	"time"
)

// upstream returns the context of the call to AWS, and what ends it. It ends with the client's; for a deployment that
// drains it goes on without the client, within bounds of number and time, so that AWS's count of what it bills is seen.
func (e *Engine) upstream(client context.Context, call *Call) (context.Context, func()) {
	if !call.Deployment.Drain {
		return client, func() {}
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(client))
	d := &drain{slots: e.drains, most: e.o.DrainFor, cancel: cancel}
	stop := context.AfterFunc(client, d.begin)
	return ctx, func() {
		stop()
		d.end()
	}
}

// drain is one call that may outlive its client.
type drain struct {
	slots  chan struct{}
	most   time.Duration
	cancel context.CancelFunc

	mu    sync.Mutex // guards what follows: begin runs in a goroutine of the context's
	ended bool
	held  bool
	timer *time.Timer
}

// begin goes on without the client if there is a place for it; else the call ends.
func (d *drain) begin() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ended {
		return
	}
	select {
	case d.slots <- struct{}{}:
		d.held = true
		d.timer = time.AfterFunc(d.most, d.cancel)
	default:
		d.cancel()
	}
}

// end ends the call and gives its place back.
func (d *drain) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ended = true
	d.cancel()
	if d.timer != nil {
		d.timer.Stop()
	}
	if d.held {
		d.held = false
		<-d.slots
	}
}
