package engine

import (
	"context"
	"fmt"
	"net/http"
	"runtime/debug"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/outcrop-ai/outcrop/internal/bedrock/wire"
	"github.com/outcrop-ai/outcrop/llm"
)

// maxParallel bounds the upstream calls that one request makes at a time.
const maxParallel = 8

// choices returns how many answers are asked for: n to each prompt. Every one is an upstream call of its own.
func (c *Call) choices() int { return max(c.Request.N, 1) * max(len(c.Prompts), 1) }

func (e *Engine) checkChoices(r *llm.Request) *llm.Error {
	if r.N >= 0 && r.N <= e.o.MaxChoices {
		return nil
	}
	return llm.Invalid("n", "n must be between 1 and "+strconv.Itoa(e.o.MaxChoices)+", not "+strconv.Itoa(r.N))
}

// parts are the upstream calls that a call is made of, in the order of its answers.
type parts struct {
	list []part
	// plans are those of the prompts after the first.
	plans []*plan
	next  atomic.Int64
	// limit is how many may be under way at once, 0 for the usual number.
	limit int
}

// part is one upstream call: a copy of the whole one, with results of its own. The parts of one prompt share its request,
// which they do not change, and what is sent.
type part struct {
	call *Call
	plan *plan
	// met says that the whole call knows of the part's answer.
	met bool
}

// split makes the parts of a call. first is the plan of its first prompt; the others are encoded here, each once. The
// caller releases the parts.
func (e *Engine) split(call *Call, first *plan) (*parts, *llm.Error) {
	call.leave() // the parts take places of their own
	ps := &parts{list: make([]part, 0, call.choices())}
	p := first
	for i := range max(len(call.Prompts), 1) {
		r := copyOf(call.Request)
		if i > 0 {
			r.Messages = call.Prompts[i : i+1]
			injectCachePoints(r, r.Policy.CacheRules)
			var failed *llm.Error
			if p, failed = e.encode(call, call.target, r); failed != nil {
				ps.release()
				return nil, failed
			}
			ps.plans = append(ps.plans, p)
		}
		for range max(r.N, 1) {
			c := *call
			c.Request, c.place = r, place{}
			if len(call.Prompts) > 1 {
				c.tries = call.tries.part(call.Prompts[i : i+1])
			} else {
				c.tries = call.tries.part(call.tries.asked.Messages)
			}
			ps.list = append(ps.list, part{call: &c, plan: p})
		}
	}
	return ps, nil
}

// copyOf returns a copy of a request that can be encoded, and lose things, while others do so with theirs.
func copyOf(r *llm.Request) *llm.Request {
	c := *r
	c.Losses = slices.Clip(c.Losses)
	return &c
}

func (ps *parts) release() {
	for _, p := range ps.plans {
		p.body.Release()
	}
}

// upstreamCalls makes a part of each body. The caller releases the parts.
func upstreamCalls(call *Call, t *target, header http.Header, bodies [][]byte) *parts {
	call.leave() // the parts take places of their own
	ps := &parts{list: make([]part, len(bodies)), plans: make([]*plan, len(bodies))}
	for i, b := range bodies {
		c := *call
		c.place = place{}
		c.Request, c.tries = copyOf(call.Request), call.tries.part(nil)
		ps.plans[i] = newPlan(t, header, b)
		ps.list[i] = part{call: &c, plan: ps.plans[i]}
	}
	return ps
}

// newPlan returns the plan of a body. The caller releases it.
func newPlan(t *target, header http.Header, body []byte) *plan {
	p := &plan{target: t, body: wire.NewBody(), header: header}
	p.body.B = append(p.body.B, body...)
	return p
}

// replanned returns work that is done by a part's own plan at first, then by plans that again makes for what its call has
// become.
func (e *Engine) replanned(p *part, again func(*Call) (*plan, *llm.Error), work func(*plan) *llm.Error) func() *llm.Error {
	first := true
	return func() *llm.Error {
		if first && p.plan.target == p.call.target {
			first = false
			return work(p.plan)
		}
		plan, failed := again(p.call)
		if failed != nil {
			return failed
		}
		defer plan.body.Release()
		return work(plan)
	}
}

// otherShape says that a deployment takes the request in other pieces than the one that has answered the others.
func otherShape(call *Call) *llm.Error {
	return llm.Invalid("model", call.Deployment.Ref.ID+" cannot go on where another model has failed: it takes the request in other pieces")
}

// exchange makes an upstream call and reads its answer whole.
func (e *Engine) exchange(ctx context.Context, call *Call, p *plan) ([]byte, http.Header, error) {
	call.sent = time.Now()
	reply, err := p.target.client.Send(ctx, p.call(call, false, e.o.KeyHeader))
	if err != nil {
		return nil, nil, err
	}
	call.Upstream, call.RequestID = reply.Header, reply.RequestID
	data, err := reply.ReadAll(maxAnswer)
	call.answered = time.Now()
	return data, reply.Header, err
}

// take returns the number of a part that nobody has begun; it is beyond the list when there is none.
func (ps *parts) take() int { return int(ps.next.Add(1)) - 1 }

// workers is how many parts are under way at once.
func (ps *parts) workers() int {
	if ps.limit > 0 {
		return min(len(ps.list), ps.limit)
	}
	return min(len(ps.list), maxParallel)
}

// chatAll answers a call that asks for several answers. The first failure ends them all.
func (e *Engine) chatAll(ctx context.Context, call *Call, first *plan) (*llm.Response, *llm.Error) {
	ps, failed := e.split(call, first)
	if failed != nil {
		return nil, failed
	}
	defer ps.release()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	answers := make([]*llm.Response, len(ps.list))
	failure := e.each(ps, cancel, func(i int) (failed *llm.Error) {
		answers[i], failed = e.answer(ctx, ps.list[i].call, ps.list[i].plan)
		return failed
	})
	call.sum(ps)
	if failure != nil {
		return nil, e.failed(call, failure)
	}
	resp := answers[0]
	resp.Usage, resp.Further = call.Usage, answers[1:]
	return resp, nil
}

// each does the work of every part, a few at a time. The first failure, which it returns, cancels the others. The whole
// call knows afterwards what its parts have come to.
func (e *Engine) each(ps *parts, cancel context.CancelFunc, work func(i int) *llm.Error) *llm.Error {
	var (
		workers sync.WaitGroup
		once    sync.Once
		failure *llm.Error // the first, which is the cause of the others
	)
	for range ps.workers() {
		workers.Add(1)
		go func() {
			defer workers.Done()
			for i := ps.take(); i < len(ps.list); i = ps.take() {
				if failed := e.guarded(func() *llm.Error { return work(i) }); failed != nil {
					once.Do(func() { failure = failed })
					cancel()
					return
				}
			}
		}()
	}
	workers.Wait()
	return failure
}

// guarded runs work in a goroutine of the engine's own, where a panic would end the process.
func (e *Engine) guarded(work func() *llm.Error) (failed *llm.Error) {
	defer func() {
		if p := recover(); p != nil {
			e.o.Logger.Error("panic in an upstream call", "panic", p, "stack", string(debug.Stack()))
			failed = &llm.Error{Kind: llm.KindInternal, Message: "internal error", Cause: fmt.Errorf("panic: %v", p)}
		}
	}()
	return work()
}

// sum gathers what the parts have come to, when all have ended.
func (c *Call) sum(ps *parts) {
	c.costKnown = true
	for i := range ps.list {
		p := ps.list[i].call
		if p.sent.IsZero() {
			continue
		}
		c.meet(p)
		c.Filtered = c.Filtered || p.Filtered
		c.Tries, c.Retried, c.FellBack = append(c.Tries, p.Tries...), c.Retried+p.Retried, c.FellBack+p.FellBack
		if p.Fallback != "" {
			c.Fallback, c.Deployment, c.Region, c.ModelID, c.Endpoint = p.Fallback, p.Deployment, p.Region, p.ModelID, p.Endpoint
		}
		earlier(&c.sent, p.sent)
		earlier(&c.firstToken, p.firstToken)
		if p.answered.After(c.answered) {
			c.answered = p.answered
		}
		if c.Tier == "" {
			c.Tier = p.Tier
		}
		if p.HasUsage {
			c.Usage, c.HasUsage = c.Usage.Plus(p.Usage), true
			c.cost, c.lines, c.costKnown = c.cost+p.cost, c.lines.Plus(p.lines), c.costKnown && p.costKnown
		}
	}
	c.costKnown = c.costKnown && c.HasUsage
}

// meet takes over what can be said of the whole call as soon as a part has been answered.
func (c *Call) meet(p *Call) {
	if c.RequestID == "" {
		c.Upstream, c.RequestID = p.Upstream, p.RequestID
	}
	for _, l := range p.Request.Losses {
		c.Request.Lose(l.Path, l.Why)
	}
}

// earlier keeps the earlier of two times; the zero time is none.
func earlier(t *time.Time, other time.Time) {
	if t.IsZero() || !other.IsZero() && other.Before(*t) {
		*t = other
	}
}
