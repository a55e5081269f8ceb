package engine

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/outcrop-ai/outcrop/internal/router"
	"github.com/outcrop-ai/outcrop/llm"
)

// hedges counts how many calls may be asked twice: each call adds its share, each second call takes a whole one.
type hedges struct{ thousandths atomic.Int64 }

// mostHedges bounds what quiet times save up.
const mostHedges = 10

func (h *hedges) add(share float64) {
	if n := h.thousandths.Load(); n < mostHedges*1000 {
		h.thousandths.Add(int64(share * 1000)) // a little more than the bound does not matter
	}
}

func (h *hedges) take() bool {
	for {
		n := h.thousandths.Load()
		if n < 1000 {
			return false
		}
		if h.thousandths.CompareAndSwap(n, n-1000) {
			return true
		}
	}
}

const (
	whyHedge = "hedge"
	// statusEnded is that of a call that was ended because another has answered: nginx's word for a client that has gone.
	statusEnded = 499
)

// rival is a second upstream call for what another one is asked that takes long.
type rival[T any] struct {
	call   *Call
	value  T
	failed *llm.Error
	asked  bool // of AWS
	won    bool
	done   chan struct{}
}

// race does the work of a call. If that takes long another deployment of the group is asked as well: whichever answers first
// is heard, and the other call ends before race returns. keep is told what ends an answer's context; drop gets an answer that
// came too late.
func race[T any](ctx context.Context, e *Engine, call *Call, p *plan, work func(context.Context, *Call, *plan) (T, *llm.Error), keep func(T, context.CancelFunc), drop func(T)) (T, *llm.Error) {
	o := &e.o.Routing.Hedge
	if o.After <= 0 || call.tries == nil || len(call.tries.query.list) < 2 {
		return work(ctx, call, p)
	}
	e.hedges.add(o.Share)
	var decided atomic.Bool // by whoever has answered first
	mine, endMine := context.WithCancel(ctx)
	others, endOthers := context.WithCancel(ctx)
	r := &rival[T]{call: call.rival(), done: make(chan struct{})}
	timer := time.AfterFunc(o.After, func() {
		defer close(r.done)
		r.failed = e.guarded(func() (failed *llm.Error) {
			r.value, failed = compete(others, e, r, work)
			return failed
		})
		if r.failed == nil && decided.CompareAndSwap(false, true) {
			r.won = true
			endMine()
		}
	})
	value, failed := work(mine, call, p)
	if timer.Stop() { // nobody else was asked
		endOthers()
		keep(value, endMine)
		return value, failed
	}
	if failed == nil && decided.CompareAndSwap(false, true) {
		endOthers()
	}
	<-r.done
	if r.won {
		if failed == nil {
			drop(value)
		}
		endMine()
		call.adopt(r.call)
		keep(r.value, endOthers)
		return r.value, nil
	}
	if r.failed == nil {
		drop(r.value)
	}
	r.call.leave()
	endOthers()
	if r.asked && failed == nil {
		call.note(r.call)
	}
	keep(value, endMine)
	return value, failed
}

// rival returns a copy of a call that asks another deployment, once.
func (c *Call) rival() *Call {
	other, t := *c, *c.tries
	none := 0
	t.query.skip = []*router.Deployment{c.target.key.deployment}
	other.tries, other.place, other.Retries, other.NoFallbacks = &t, place{}, &none, true
	other.Tries = slices.Clone(c.Tries)
	return &other
}

// compete asks another deployment than the first.
func compete[T any](ctx context.Context, e *Engine, r *rival[T], work func(context.Context, *Call, *plan) (T, *llm.Error)) (value T, failed *llm.Error) {
	call := r.call
	call.reset(call.tries.request(nil))
	if !e.hedges.take() {
		return value, llm.Invalid("", "enough calls are asked twice")
	}
	t, failed := e.pick(call, &call.tries.query)
	if failed != nil {
		return value, failed
	}
	call.Why, r.asked = whyHedge, true
	if failed := e.take(ctx, call, t); failed != nil {
		return value, failed
	}
	p, failed := e.encode(call, call.target, call.Request)
	if failed != nil {
		return value, failed
	}
	defer p.body.Release()
	return work(ctx, call, p)
}

// adopt has a call become its rival, which has won.
func (c *Call) adopt(winner *Call) {
	c.leave()
	retries, fallbacks := c.Retries, c.NoFallbacks
	loser := *c
	*c = *winner
	winner.place = place{}
	c.Retries, c.NoFallbacks = retries, fallbacks
	c.note(&loser)
}

// note adds a call that was ended to the tries.
func (c *Call) note(loser *Call) {
	if d := loser.Deployment; d != nil {
		c.Tries = append(c.Tries, Try{Deployment: d.ID, Group: d.Group, Status: statusEnded, Why: loser.Why, Model: loser.ModelID, Region: loser.Region, Start: loser.sent, End: time.Now()})
	}
}
