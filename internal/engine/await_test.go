package engine

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/outcrop-ai/outcrop/internal/router"
	"github.com/outcrop-ai/outcrop/llm"
)

// pair returns an engine with two deployments of one group, and what is known of them.
func pair(t *testing.T) (b *bench, first, second *target) {
	t.Helper()
	b = newBench(t, answer(plainAnswer), &router.Deployment{ID: "a", Group: "g", Model: nova}, &router.Deployment{ID: "b", Group: "g", Model: nova})
	b.o.Routing.Retries = 2
	for i, dst := range []**target{&first, &second} {
		known, failed := b.known(b.o.Router.Deployments("g")[i], "", modeChat, "")
		if failed != nil {
			t.Fatal(failed)
		}
		*dst = known
	}
	return b, first, second
}

var (
	cools   = &router.Rules{AllowedFails: -1}
	refused = &llm.Error{Kind: llm.KindRateLimit, Message: "Too many requests"}
)

// TestAProbeIsLost: of two calls that see that a deployment's time is over one finds out whether it works. The other goes to
// a deployment that is merely refused now and then: it is not told that there is none.
func TestAProbeIsLost(t *testing.T) {
	b, first, second := pair(t)
	now := time.Now()
	first.state.Failed(now.Add(-time.Minute), http.StatusTooManyRequests, 0, false, cools)
	second.state.Failed(now, http.StatusTooManyRequests, 0, false, cools)
	call := said("g", "hi")
	q, failed := b.query("g", modeChat)
	if failed != nil {
		t.Fatal(failed)
	}
	p := &picking{engine: b.Engine, call: call, query: &q, now: now, input: -1}
	list := p.candidates()
	if len(list) != 1 || !first.state.Claim(now) {
		t.Fatalf("%d can take the call", len(list))
	}
	if _, failed := p.choose(list); failed != nil {
		t.Error(failed)
	}
}

// TestCallsWait for a deployment when all are left alone for a moment.
func TestCallsWait(t *testing.T) {
	const brief, long = 3 * time.Second, 30 * time.Second
	for _, c := range []struct {
		name          string
		first, second func(*router.State, time.Time)
		change        func(*Engine, *Call)
		meanwhile     func(b *bench, first, second *target)
		waits         time.Duration // below 0: the call fails
	}{
		{name: "the one that is there sooner", first: timed(long), second: timed(brief), waits: brief},
		{name: "nobody for long", first: timed(long), second: timed(long), waits: -1},
		{name: "what does not pass by itself", first: gone, second: gone, waits: -1},
		{name: "one may be there soon, one is gone", first: gone, second: timed(brief), waits: brief},
		{name: "no further tries", first: timed(brief), second: timed(brief), change: func(_ *Engine, c *Call) { none := 0; c.Retries = &none }, waits: -1},
		{name: "no time", first: timed(brief), second: timed(brief), change: func(_ *Engine, c *Call) { c.Timeout = time.Second }, waits: -1},
		{name: "AWS's own clients", first: timed(brief), second: timed(brief), change: func(_ *Engine, c *Call) { c.native = true }, waits: -1},
		{name: "another model stands in", first: timed(brief), second: timed(brief), change: func(e *Engine, _ *Call) {
			e.o.Routing.Default = []Fallback{{Model: "spare"}}
		}, waits: 0},
		{name: "a probe goes well", first: probed, second: gone, meanwhile: func(b *bench, first, _ *target) {
			time.Sleep(time.Second)
			b.hear(&Call{target: first}, nil)
		}, waits: time.Second},
		{name: "a probe fails", first: probed, second: gone, meanwhile: func(b *bench, first, _ *target) {
			time.Sleep(time.Second)
			q, _ := b.query("g", modeChat)
			b.hear(&Call{target: first, tries: newTries(&llm.Request{}, q)}, &llm.Error{Kind: llm.KindNotFound, AWSType: "ResourceNotFoundException"})
		}, waits: -1},
		{name: "a probe is never heard of again", first: probed, second: gone, waits: 2 * time.Second},
	} {
		b, first, second := pair(t)
		spare := &router.Deployment{ID: "s", Group: "spare", Model: nova, Ref: first.deployment.Ref}
		b.o.Router = router.New(append(b.o.Router.All(), spare), nil)
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			call := said("g", "hi")
			call.Start = start
			c.first(first.state, start)
			c.second(second.state, start)
			if c.change != nil {
				c.change(b.Engine, call)
			}
			if c.meanwhile != nil {
				go c.meanwhile(b, first, second)
			}
			failed := b.choose(t.Context(), call, modeChat)
			waited := time.Since(start)
			switch {
			case c.waits < 0 && (failed == nil || failed.Code != codeNoDeployment || failed.RetryAfter <= 0):
				t.Errorf("%s: the call goes to %v: %v", c.name, call.Deployment, failed)
			case c.waits >= 0 && (failed != nil || waited != c.waits || call.Retried != 0):
				t.Errorf("%s: after %v, %d retries: %v", c.name, waited, call.Retried, failed)
			}
			call.leave()
			time.Sleep(time.Minute) // until whoever acts meanwhile has acted
		})
	}
}

func timed(wait time.Duration) func(*router.State, time.Time) {
	return func(s *router.State, now time.Time) {
		s.Failed(now, http.StatusTooManyRequests, wait, false, cools)
	}
}

func gone(s *router.State, now time.Time) {
	s.Failed(now, http.StatusNotFound, time.Minute, false, cools)
}

// probed is a deployment that was gone, and that a call has just been sent to again.
func probed(s *router.State, now time.Time) {
	s.Failed(now.Add(-time.Hour), http.StatusNotFound, time.Minute, false, cools)
	s.Claim(now)
}

// TestARefusedCallWaits: a call that has been refused everywhere waits for the first deployment that is there again, as
// often as it has tries.
func TestARefusedCallWaits(t *testing.T) {
	b, first, second := pair(t)
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		call := said("g", "hi")
		call.Start = start
		if failed := b.choose(t.Context(), call, modeChat); failed != nil {
			t.Fatal(failed)
		}
		for i, wait := range []time.Duration{20 * time.Second, 2 * time.Second} {
			other := *refused
			other.RetryAfter = wait
			b.hear(call, &other)
			if failed := b.goOn(t.Context(), call, &other); failed != nil {
				t.Fatalf("try %d: %v", i, failed)
			}
		}
		if waited := time.Since(start); waited != 2*time.Second || call.Retried != 2 {
			t.Errorf("%v, %d", waited, call.Retried)
		}
		if failed := b.goOn(t.Context(), call, refused); failed == nil || failed.Message != refused.Message {
			t.Errorf("it has no tries left: %v", failed)
		}
		call.leave()
		if first.state.Parallel()+second.state.Parallel() != 0 {
			t.Error("places are still taken")
		}
	})
}

// TestOneCallFindsOut whether a deployment that was left alone works again: the others go elsewhere until that is known.
func TestOneCallFindsOut(t *testing.T) {
	for _, goesWell := range []bool{true, false} {
		b, first, second := pair(t)
		second.deployment.Order = 2
		first.deployment.Order = 1
		synctest.Test(t, func(t *testing.T) {
			first.state.Failed(time.Now(), http.StatusTooManyRequests, 0, false, cools)
			time.Sleep(5*time.Second + time.Millisecond)
			var probe *Call
			count := func() (n int) {
				for range 50 {
					call := said("g", "hi")
					if failed := b.choose(t.Context(), call, modeChat); failed != nil {
						t.Fatal(failed)
					}
					call.leave()
					if call.target == first {
						n++
						probe = call
					}
				}
				return n
			}
			if n := count(); n != 1 {
				t.Errorf("%d calls go to it", n)
			}
			if goesWell {
				b.hear(probe, nil)
				if n := count(); n != 50 {
					t.Errorf("it works: %d calls go to it", n)
				}
				return
			}
			b.hear(probe, refused)
			if n := count(); n != 0 {
				t.Errorf("it does not: %d calls go to it", n)
			}
		})
	}
}

// TestTheOnlyDeploymentIsAskedAgain when AWS says so, else after a while that grows.
func TestTheOnlyDeploymentIsAskedAgain(t *testing.T) {
	for _, c := range []struct {
		asked      time.Duration
		least      time.Duration // of the third wait
		most       time.Duration
		configured time.Duration
	}{
		{asked: 7 * time.Second, least: 7 * time.Second, most: 7 * time.Second},
		{asked: 2 * time.Minute, least: 2 * time.Second, most: 2*time.Second + jitter}, // longer than anybody waits
		{least: 2 * time.Second, most: 2*time.Second + jitter},
		{configured: 9 * time.Second, least: 9 * time.Second, most: 9 * time.Second},
	} {
		b := newBench(t, answer(plainAnswer), &router.Deployment{ID: "a", Group: "g", Model: nova})
		b.o.Routing.Retries, b.o.Routing.RetryAfter = 3, c.configured
		synctest.Test(t, func(t *testing.T) {
			call := said("g", "hi")
			call.Start = time.Now()
			if failed := b.choose(t.Context(), call, modeChat); failed != nil {
				t.Fatal(failed)
			}
			failure := *refused
			failure.RetryAfter = c.asked
			var waited time.Duration
			for range 3 {
				start := time.Now()
				b.hear(call, &failure)
				if failed := b.goOn(t.Context(), call, &failure); failed != nil {
					t.Fatal(failed)
				}
				waited = time.Since(start)
			}
			if waited < c.least || waited > c.most {
				t.Errorf("asked to wait %v: it waits %v", c.asked, waited)
			}
			call.leave()
		})
	}
}
