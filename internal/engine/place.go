package engine

import (
	"strings"
	"time"

	"github.com/outcrop-ai/outcrop/internal/router"
	"github.com/outcrop-ai/outcrop/llm"
)

// place is what a try of a call holds of its deployment: a place among those under way, and tokens of its quota.
type place struct {
	target *target
	held   router.Need
	counts bool // the quota is counted
}

// hold takes a place for a part of a call, which has none yet, without regard to bounds: the call has kept to them.
func (e *Engine) hold(call *Call) {
	t := call.target
	if call.place.target != nil || t == nil || call.tries == nil {
		return
	}
	t.state.Enter(0)
	call.place = place{target: t}
	p := picking{engine: e, call: call, query: &call.tries.query, now: time.Now(), input: -1}
	if p.counts(t) {
		call.place.held, call.place.counts = p.need(t), true
		t.state.Quota.Take(p.now, call.place.held)
	}
}

// leave gives back what the last try of a call held, whatever came of it. It does nothing the second time.
func (c *Call) leave() {
	p := c.place
	if p.target == nil {
		return
	}
	c.place = place{}
	p.target.state.Leave()
	if p.counts {
		var used router.Need
		if c.HasUsage { // what was read from a cache does not count
			u := &c.Usage
			used = router.Need{Input: u.Input + u.CacheWrite5m + u.CacheWrite1h, Output: u.Output}
		}
		p.target.state.Quota.Settle(time.Now(), p.held, used, p.target.deployment.Limits.Burn)
	}
}

// done ends a try that went well.
func (c *Call) done() {
	if t, stream := c.place.target, c.Request.Stream; t != nil && !c.sent.IsZero() && !c.answered.IsZero() && (!stream || !c.firstToken.IsZero()) {
		t.state.Took(time.Now(), stream, c.firstToken.Sub(c.sent), c.answered.Sub(c.sent), c.Usage.Output)
	}
	c.leave()
}

// throttled tells the quota that AWS has refused a call.
func (c *Call) throttled(failed *llm.Error) {
	p := c.place
	if p.target == nil || !p.counts || failed.Kind != llm.KindRateLimit {
		return
	}
	what := router.ThrottleUnknown
	switch message := strings.ToLower(failed.Message); { // "Too many tokens, please wait …", "Too many requests, …"
	case strings.Contains(message, "token"):
		what = router.ThrottleTokens
	case strings.Contains(message, "request"):
		what = router.ThrottleRequests
	}
	p.target.state.Quota.Throttled(time.Now(), what, p.held)
}

// Left returns what is left of the minute's quotas of the deployment that has answered, where they are enforced.
func (e *Engine) Left(call *Call) (router.Use, *router.Limits, bool) {
	t := call.target
	if t == nil || !t.limited || !e.o.Routing.enforces() {
		return router.Use{}, nil, false
	}
	return t.state.Quota.Left(time.Now(), &t.deployment.Limits), &t.deployment.Limits, true
}

// Reset returns how long it takes until the quotas of the deployment that has answered are whole again.
func (e *Engine) Reset(call *Call) (requests, tokens time.Duration) {
	if call.target == nil {
		return 0, 0
	}
	return call.target.state.Quota.Reset(time.Now())
}

// inputOf guesses how many tokens a request sends.
func inputOf(r *llm.Request) int64 {
	n := estimate(r, 0).Input
	if r.Embed != nil {
		for i := range r.Embed.Inputs {
			n += estimateInputs(r.Embed, []int{i}).Input
		}
	}
	return n
}

// outputOf returns how many tokens AWS sets aside for the answer of a target: the limit of the request, else of the model.
func outputOf(r *llm.Request, t *target) int64 {
	d := t.deployment
	switch {
	case t.mode != modeChat && t.mode != modeAny:
		return 0
	case r.MaxTokens != nil:
		return *r.MaxTokens
	case d.Defaults != nil && d.Defaults.MaxTokens != nil:
		return *d.Defaults.MaxTokens
	case d.MaxOutput > 0:
		return d.MaxOutput
	case d.Ref.Model != nil:
		return d.Ref.Model.MaxOutput
	}
	return 0
}
