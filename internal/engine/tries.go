package engine

import (
	"cmp"
	"context"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/internal/bedrock/wire"
	"github.com/outcrop-ai/outcrop/internal/router"
	"github.com/outcrop-ai/outcrop/internal/telemetry"
	"github.com/outcrop-ai/outcrop/llm"
)

// tries is what a call, or one of its parts, knows of the tries that it took.
type tries struct {
	// asked is the request as the client sent it: every deployment completes it anew.
	asked llm.Request
	// query is what is looked for now; it skips the deployments that have failed.
	query   query
	retries int // in this group
	waits   int // before some of them
	// home is the query for the model that was asked for, spent how many retries its group had when another stood in for it;
	// alone says that all of its deployments were left alone then.
	home  query
	spent int
	alone bool
	// waited is how long the call has waited for deployments that were left alone.
	waited time.Duration
	// lastFailed is the deployment that was tried last.
	lastFailed *router.Deployment
	// queue are the fallbacks that are left; queued says that they have been chosen.
	queue  []Fallback
	queued bool
	// used are the names that have been asked.
	used []string
	// failed is the last failure of the group that the client asked for, header what AWS said with it.
	failed *llm.Error
	header http.Header
}

// Try is one try of a call that failed.
type Try struct {
	// Deployment is the id of the deployment, Group its group; Status is what came of it, as HTTP's.
	Deployment, Group string
	Status            int
	// Why is the reason for which the deployment was chosen, Error AWS's name of the failure, if it has one.
	Why, Error string
	// Model and Region are where it went, Start and End when, as far as known.
	Model, Region string
	Start, End    time.Time
}

// TriesText lists tries, in ASCII: of each the deployment, why it was chosen, and what came of it.
func TriesText(list []Try) string {
	var out []byte
	for i, t := range list {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(append(out, ascii(t.Deployment)...), ";status="...)
		out = strconv.AppendInt(out, int64(t.Status), 10)
		if t.Error != "" {
			out = append(append(out, ";error="...), ascii(t.Error)...)
		}
		if t.Why != "" {
			out = append(append(out, ";why="...), t.Why...)
		}
	}
	return string(out)
}

// Decision says in ASCII which deployment has the call and why, and why it is none of the others.
func (c *Call) Decision() string {
	if c.Deployment == nil {
		return ""
	}
	out := ascii(c.Deployment.ID) + ";" + cmp.Or(c.Why, "only")
	for _, s := range c.Skipped {
		out += "," + ascii(s.Deployment) + ";not=" + s.Why
	}
	return out
}

// newTries remembers a request that may be tried again.
func newTries(r *llm.Request, q query) *tries {
	t := &tries{asked: *r, query: q, home: q, used: []string{r.Model}}
	a := &t.asked
	// What is appended to these lists must not be seen by the next try.
	a.Params, a.Extra, a.Metadata, a.Tags = slices.Clip(a.Params), slices.Clip(a.Extra), slices.Clip(a.Metadata), slices.Clip(a.Tags)
	a.Betas, a.Losses, a.Tools, a.Stop = slices.Clip(a.Betas), slices.Clip(a.Losses), slices.Clip(a.Tools), slices.Clip(a.Stop)
	return t
}

// request returns a copy of what was asked, for one try.
func (t *tries) request(f *Fallback) *llm.Request {
	r := t.asked
	if f != nil {
		r = f.over(r)
	}
	if r.Embed != nil {
		own := *r.Embed
		r.Embed = &own
	}
	if r.Rerank != nil {
		own := *r.Rerank
		r.Rerank = &own
	}
	if r.Image != nil {
		own := *r.Image
		r.Image = &own
	}
	return &r
}

// part returns the tries of one of a call's upstream calls, whose request has these messages.
func (t *tries) part(messages []llm.Message) *tries {
	if t == nil {
		return nil
	}
	p := *t
	p.asked.Messages = messages
	p.query.skip, p.used = slices.Clone(t.query.skip), slices.Clone(t.used)
	return &p
}

// attempt does the work of a call until it goes well, or there is nothing left to try: first with the deployment that was
// chosen, then with others of its group, then with the models that stand in for it. work must leave nothing behind when it
// fails. open says that its answer goes on when it has gone well: whoever ends it says that the call is done.
func (e *Engine) attempt(ctx context.Context, call *Call, open bool, work func() *llm.Error) *llm.Error {
	for {
		failed := call.mocked()
		if failed == nil {
			e.hold(call)
			failed = work()
			e.hear(call, failed)
		}
		if failed == nil {
			if !open {
				call.done()
			}
			return nil
		}
		if failed = e.goOn(ctx, call, failed); failed != nil {
			return failed
		}
	}
}

// mocked returns the failure that was asked for, as long as it is the model itself that is asked.
func (c *Call) mocked() *llm.Error {
	if c.Mock == nil || c.Fallback != "" {
		return nil
	}
	none := 0
	c.Retries = &none // it would fail each time
	return c.Mock
}

// goOn prepares the next try of a call after a failure; its error is that there is none.
func (e *Engine) goOn(ctx context.Context, call *Call, failed *llm.Error) *llm.Error {
	for failed != nil {
		var last bool
		if failed, last = e.again(ctx, call, failed); last {
			return failed
		}
	}
	return nil
}

// hear tells what is known of the deployment how a try went. One that failed holds nothing any more.
func (e *Engine) hear(call *Call, failed *llm.Error) {
	t := call.target
	if t == nil || call.brought { // a client's own credentials say nothing of the deployment
		if failed != nil {
			call.leave()
		}
		return
	}
	if failed == nil {
		if now := time.Now(); t.state.Succeeded(now, cmp.Or(call.sent, now)) {
			e.news.tell()
		}
		return
	}
	e.blameFor(call, failed, t.state.Failed)
	call.leave()
}

// broke tells what is known of the deployment that a stream has ended with a failure after it had begun.
func (e *Engine) broke(call *Call, failed *llm.Error) {
	if t := call.target; t != nil && !call.brought {
		e.blameFor(call, failed, t.state.Broke)
	}
}

// blameFor notes a failure of a call's deployment, which may be left alone from now on.
func (e *Engine) blameFor(call *Call, failed *llm.Error, note func(now time.Time, status int, wait time.Duration, alone bool, r *router.Rules) bool) {
	t, now := call.target, time.Now()
	if failed.Kind != llm.KindCanceled && failed.Kind != llm.KindInternal {
		status := failed.Status()
		if failed.Code == wire.CodeCredentials {
			status = http.StatusUnauthorized
		}
		call.throttled(failed)
		rules := t.rules
		class := classOf(failed)
		if n, ok := t.deployment.AllowedByClass[string(class)]; ok {
			rules.AllowedFails, rules.Own = n, true
		} else if n, ok := e.o.Routing.AllowedFails[class]; ok && !rules.Own {
			rules.AllowedFails, rules.Own = n, true
		}
		alone := call.tries == nil || len(call.tries.query.list) < 2
		if t.state.Probing() {
			defer e.news.tell()
		}
		if note(now, status, failed.RetryAfter, alone, &rules) {
			e.o.Logger.Warn("a deployment is left alone for a while", telemetry.FieldDeployment, t.deployment.ID, telemetry.FieldGroup, t.deployment.Group,
				"status", failed.Status(), "for", t.state.Cooling(now).Round(time.Millisecond).String())
		}
	}
}

// again prepares the next try of a call after a failure. last says that there is none: the error is then what the client
// is told. A failure that is not last is one of the preparation.
func (e *Engine) again(ctx context.Context, call *Call, failed *llm.Error) (next *llm.Error, last bool) {
	call.leave()
	t := call.tries
	if t == nil || failed.Kind == llm.KindCanceled || ctx.Err() != nil || failed.Kind == llm.KindInternal {
		return failed, true
	}
	if d := call.Deployment; d != nil && failed.Code != codeNoDeployment {
		call.Tries = append(call.Tries, Try{Deployment: d.ID, Group: d.Group, Status: failed.Status(), Why: call.Why, Error: failed.AWSType, Model: call.ModelID, Region: call.Region, Start: call.sent, End: time.Now()})
		if call.target != nil {
			t.lastFailed = call.target.key.deployment
			t.query.skip = append(t.query.skip, t.lastFailed)
		}
	}
	if t.failed == nil || call.Fallback == "" {
		t.failed, t.header, t.alone = failed, call.Upstream, failed.Code == codeNoDeployment
	}
	if next := e.another(ctx, call, failed); next != nil {
		t.retries++
		call.Retried++
		return e.takeAgain(ctx, call, next), false
	}
	if ctx.Err() != nil {
		return failed, true
	}
	for f := t.fallback(&e.o.Routing, call, failed); f != nil; f = t.fallback(&e.o.Routing, call, failed) {
		q, unknown := e.ask(call, f.Model, t.query.want)
		if unknown != nil {
			if unknown.Status() != http.StatusForbidden { // else it is one that this caller may not use
				e.o.Logger.Warn("a fallback is no model that there is", "model", f.Model)
			}
			continue
		}
		call.reset(t.request(f))
		next, none := e.pick(call, &q)
		if none != nil {
			continue
		}
		if call.Fallback == "" {
			t.spent, t.home.skip = t.retries, t.query.skip
		}
		t.query, t.retries, t.waits = q, 0, 0
		call.Fallback = f.Model
		call.Why = whyFallback
		call.FellBack++
		return e.takeAgain(ctx, call, next), false
	}
	if next := e.await(ctx, call); next != nil {
		return e.takeAgain(ctx, call, next), false
	}
	call.Upstream = t.header
	return t.final(call), true
}

const (
	whyFallback = "fallback"
	whyAgain    = "again"
)

// another returns the target of the group for the next try, when it is time for it; nil if the failure is not worth one, or
// none is left.
func (e *Engine) another(ctx context.Context, call *Call, failed *llm.Error) *target {
	t := call.tries
	switch {
	case failed.Code == codeNoDeployment || !e.o.Routing.isWorthAnother(call, &t.query, failed):
		return nil
	case t.retries >= e.o.Routing.retries(call, t.query.name, failed):
		return nil
	}
	call.reset(t.request(nil))
	if fresh, none := e.pick(call, &t.query); none == nil {
		return fresh
	}
	if isRefusal(failed) || call.native { // AWS's own clients try again themselves
		t.alone = t.alone || call.Fallback == ""
		return nil
	}
	wait := backoff(t.waits, failed.RetryAfter)
	if failed.RetryAfter > 0 { // another one may be there sooner
		wait = min(wait, max(e.soonest(call, &t.query, t.lastFailed, wait), backoff(t.waits, 0)))
	}
	wait = max(wait, e.o.Routing.RetryAfter)
	if call.Timeout > 0 && time.Since(call.Start)+wait > call.Timeout || !pause(ctx, wait) {
		return nil
	}
	t.waits++
	t.query.skip = nil // all may be asked again
	all := t.query
	for _, all.skip = range [][]*router.Deployment{{t.lastFailed}, nil} { // another than the one that has just failed, if there is one
		if next, none := e.pick(call, &all); none == nil {
			call.Why = whyAgain
			return next
		}
	}
	t.alone = t.alone || call.Fallback == ""
	return nil
}

// isRefusal reports whether another account or region may allow what this one does not, or have the model that it lacks.
func isRefusal(failed *llm.Error) bool {
	status := failed.Status()
	return status == http.StatusUnauthorized || status == http.StatusForbidden || status == http.StatusNotFound && failed.AWSType != ""
}

// reset makes a call ready for another try of a request.
func (c *Call) reset(r *llm.Request) {
	c.Request = r
	c.Upstream, c.refused, c.RequestID, c.Usage, c.HasUsage, c.Tier = nil, wire.Refused{}, "", llm.Usage{}, false, ""
	c.cost, c.lines, c.costKnown = 0, account.Lines{}, false
	c.answered, c.firstToken = time.Time{}, time.Time{}
}

// takeAgain has a target take another try of a call. The result is why it cannot be.
func (e *Engine) takeAgain(ctx context.Context, call *Call, t *target) *llm.Error {
	e.o.Logger.Debug("tried again", "call_id", call.ID, telemetry.FieldDeployment, t.deployment.ID, telemetry.FieldGroup, t.deployment.Group, "why", call.Why)
	return e.take(ctx, call, t)
}

const (
	firstWait  = 500 * time.Millisecond
	longestOwn = 8 * time.Second
	longestAWS = time.Minute
	jitter     = 750 * time.Millisecond
)

// backoff returns how long to wait before a deployment is asked again: as long as AWS asks for, within bounds, else longer
// each time.
func backoff(waits int, asked time.Duration) time.Duration {
	if asked > 0 && asked <= longestAWS {
		return asked
	}
	return min(firstWait<<min(waits, 10), longestOwn) + rand.N(jitter) //nolint:gosec // that callers do not come back at once
}

// pause waits, and reports whether the call goes on.
func pause(ctx context.Context, wait time.Duration) bool {
	if wait <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// fallback takes the next model to ask from the queue, nil if there is none.
func (t *tries) fallback(o *Routing, call *Call, failed *llm.Error) *Fallback {
	if !t.queued {
		if t.queue = o.fallbacks(call, t.query.names(), failed); len(t.queue) == 0 {
			return nil // another failure may have some
		}
		t.queued = true
	}
	for len(t.queue) > 0 {
		f := t.queue[0]
		t.queue = t.queue[1:]
		if !slices.Contains(t.used, f.Model) {
			t.used = append(t.used, f.Model)
			return &f
		}
	}
	return nil
}

// final is what the client is told: the failure of the model that it asked for, and what else was tried.
func (t *tries) final(call *Call) *llm.Error {
	if call.Fallback == "" {
		return t.failed
	}
	out := *t.failed
	var tried []string
	for _, one := range call.Tries {
		if word := one.Group + " (" + strconv.Itoa(one.Status) + ")"; !slices.Contains(tried, word) {
			tried = append(tried, word)
		}
	}
	out.Message += " [tried " + strings.Join(tried, ", ") + "]"
	return &out
}
