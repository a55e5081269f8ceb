package engine

import (
	"context"
	"sync"
	"time"

	"github.com/outcrop-ai/outcrop/internal/router"
)

// hope is what a call can wait for when every deployment that could take it is left alone.
type hope struct {
	// wait is how long it takes until the first of them is tried again, 0 if waiting does not help.
	wait time.Duration
	// probed says that a call is finding out just now whether that one works: it may be known any moment.
	probed bool
}

// add notes a deployment that is left alone.
func (h *hope) add(s *router.State, now time.Time) {
	wait := s.Cooling(now)
	if !s.Promising() {
		return
	}
	h.probed = h.probed || s.Probing()
	if wait = max(wait, time.Millisecond); h.wait == 0 || wait < h.wait {
		h.wait = wait
	}
}

// news tells calls that wait when it is known of a deployment that was left alone whether it works.
type news struct {
	mu   sync.Mutex // of those that wait, and of recoveries: both are rare
	next chan struct{}
}

// wait returns what is closed with the next news.
func (n *news) wait() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.next == nil {
		n.next = make(chan struct{})
	}
	return n.next
}

func (n *news) tell() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.next != nil {
		close(n.next)
		n.next = nil
	}
}

// await waits for a deployment of the model that was asked for, when all are left alone and nothing stands in for them: one
// after another AWS has refused for a moment, and clients need not hear of it. A call waits no longer than longestOwn in all,
// not beyond its own time-out, and only while it has tries left. The result is nil if there is nothing to wait for.
func (e *Engine) await(ctx context.Context, call *Call) *target {
	t := call.tries
	if call.Fallback == "" {
		t.spent, t.home.skip = t.retries, t.query.skip
	}
	spent := t.spent
	if !t.alone || call.native || spent >= e.o.Routing.retries(call, t.home.name, t.failed) { // AWS's own clients wait themselves
		return nil
	}
	q := t.home
	if !isRefusal(t.failed) { // who has refused would refuse again
		q.skip = nil
	}
	for {
		news := e.news.wait()
		call.reset(t.request(nil))
		next, none := e.pick(call, &q)
		if none == nil {
			if len(call.Tries) > 0 {
				spent++
				call.Retried++
				call.Why = whyAgain
			}
			t.query, t.retries, call.Fallback = q, spent, ""
			return next
		}
		left := longestOwn - t.waited
		if call.Timeout > 0 {
			left = min(left, call.Timeout-time.Since(call.Start))
		}
		wait := call.hope.wait
		if call.hope.probed {
			wait = min(wait, left)
		}
		if none.Code != codeNoDeployment || wait <= 0 || wait > left {
			return nil
		}
		start := time.Now()
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-news:
		case <-ctx.Done():
			timer.Stop()
			return nil
		}
		timer.Stop()
		t.waited += max(time.Since(start), time.Millisecond)
	}
}

// soonest returns how long it takes until another deployment of a group may be called than the one that has just failed, 0 if
// one may now; never is what it returns if there is none.
func (e *Engine) soonest(call *Call, q *query, failed *router.Deployment, never time.Duration) time.Duration {
	others := *q
	others.skip = []*router.Deployment{failed}
	p := &picking{engine: e, call: call, query: &others, now: time.Now(), input: -1}
	if len(p.candidates()) > 0 || len(p.left) > 0 {
		return 0
	}
	if p.wait == 0 {
		return never
	}
	return p.wait
}
