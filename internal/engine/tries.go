package engine

import (
	"context"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/outcrop-ai/outcrop/internal/bedrock/wire"
	"github.com/outcrop-ai/outcrop/internal/router"
	"github.com/outcrop-ai/outcrop/internal/telemetry"
	"github.com/outcrop-ai/outcrop/llm"
)

// tries is what a call, or one of its parts, knows of the tries that it took.
type tries struct {
	want mode
	// asked is the request as the client sent it: every deployment completes it anew.
	asked llm.Request
	// name is the group that is asked now, group its deployments.
	name  string
	group []*router.Deployment
	// tried are those deployments of the group that have failed.
	tried   []*router.Deployment
	retries int // in this group
	// queue are the fallbacks that are left; queued says that they have been chosen.
	queue  []Fallback
	queued bool
	// used are the names that have been asked.
	used []string
	// failed is the last failure of the group that the client asked for.
	failed *llm.Error
}

// Try is one try of a call that failed.
type Try struct {
	// Deployment is the id of the deployment, Group its group; Status is what came of it, as HTTP's.
	Deployment, Group string
	Status            int
}

// TriesText lists tries, in ASCII: deployment and status of each.
func TriesText(list []Try) string {
	var out []byte
	for i, t := range list {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(append(out, ascii(t.Deployment)...), ";status="...)
		out = strconv.AppendInt(out, int64(t.Status), 10)
	}
	return string(out)
}

// newTries remembers a request that may be tried again.
func newTries(r *llm.Request, want mode) *tries {
	t := &tries{want: want, asked: *r, name: r.Model, used: []string{r.Model}}
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
	p.tried, p.used = slices.Clone(t.tried), slices.Clone(t.used)
	return &p
}

// attempt does the work of a call until it goes well, or there is nothing left to try: first with the deployment that was
// chosen, then with others of its group, then with the models that stand in for it. work must leave nothing behind when it
// fails.
func (e *Engine) attempt(ctx context.Context, call *Call, work func() *llm.Error) *llm.Error {
	for {
		failed := work()
		e.hear(call, failed)
		if failed == nil {
			return nil
		}
		for failed != nil {
			var last bool
			if failed, last = e.again(ctx, call, failed); last {
				return failed
			}
		}
	}
}

// hear tells the deployment's health how a try went.
func (e *Engine) hear(call *Call, failed *llm.Error) {
	t := call.target
	if t == nil || t.health == nil || call.brought { // a client's own credentials say nothing of the deployment
		return
	}
	now := time.Now()
	switch {
	case failed == nil:
		t.health.Succeeded(now)
	case failed.Kind == llm.KindCanceled || failed.Kind == llm.KindInternal:
	default:
		status := failed.Status()
		if failed.Code == wire.CodeCredentials {
			status = http.StatusUnauthorized
		}
		alone := call.tries == nil || len(call.tries.group) < 2
		if t.health.Failed(now, status, failed.RetryAfter, alone, &e.o.Routing.Cooldown) {
			e.o.Logger.Warn("a deployment is left alone for a while", telemetry.FieldDeployment, t.deployment.ID, telemetry.FieldGroup, t.deployment.Group,
				"status", failed.Status(), "for", t.health.Cooling(now).Round(time.Millisecond).String())
		}
	}
}

// again prepares the next try of a call after a failure. last says that there is none: the error is then what the client
// is told. A failure that is not last is one of the preparation.
func (e *Engine) again(ctx context.Context, call *Call, failed *llm.Error) (next *llm.Error, last bool) {
	t := call.tries
	if t == nil || failed.Kind == llm.KindCanceled || ctx.Err() != nil || failed.Kind == llm.KindInternal {
		return failed, true
	}
	d := call.Deployment
	call.Tries = append(call.Tries, Try{Deployment: d.ID, Group: d.Group, Status: failed.Status()})
	if call.target != nil && !slices.Contains(t.tried, call.target.key.deployment) {
		t.tried = append(t.tried, call.target.key.deployment)
	}
	if t.failed == nil || call.Fallback == "" {
		t.failed = failed
	}
	if next, wait := e.another(call, failed); next != nil && pause(ctx, wait) {
		t.retries++
		call.Retried++
		return e.prepareAgain(ctx, call, t.request(nil), next), false
	}
	if ctx.Err() != nil {
		return failed, true
	}
	for f := t.fallback(&e.o.Routing, call, failed); f != nil; f = t.fallback(&e.o.Routing, call, failed) {
		list, _, err := e.o.Router.Group(f.Model, e.o.Catalog.Knows)
		if err != nil {
			e.o.Logger.Warn("a fallback is no model that there is", "model", f.Model)
			continue
		}
		next := router.Choose(list, e.usable(f.Model))
		if next == nil {
			continue
		}
		t.name, t.group, t.tried, t.retries = f.Model, list, nil, 0
		call.Fallback = f.Model
		call.FellBack++
		return e.prepareAgain(ctx, call, t.request(f), next), false
	}
	return t.final(call), true
}

// another returns the deployment of the group for the next try and how long to wait before it, nil if the failure is not
// worth one, or none is left.
func (e *Engine) another(call *Call, failed *llm.Error) (*router.Deployment, time.Duration) {
	t := call.tries
	status := failed.Status()
	isRefusal := status == http.StatusUnauthorized || status == http.StatusForbidden
	switch {
	case failed.Kind == llm.KindContextWindow || failed.Kind == llm.KindContentFilter:
		return nil, 0
	case !failed.Retryable() && !isRefusal && status != http.StatusConflict:
		return nil, 0
	case t.retries >= e.o.Routing.retries(call, t.name, failed):
		return nil, 0
	}
	usable := e.usable(t.name)
	fresh := router.Choose(t.group, func(d *router.Deployment) bool { return usable(d) && !slices.Contains(t.tried, d) })
	if fresh != nil {
		return fresh, 0
	}
	if isRefusal || call.native { // AWS's own clients try again themselves
		return nil, 0
	}
	next := router.Choose(t.group, usable)
	if next == nil && len(t.group) == 1 {
		next = t.group[0]
	}
	wait := backoff(t.retries, failed.RetryAfter)
	if next == nil || call.Timeout > 0 && time.Since(call.Start)+wait > call.Timeout {
		return nil, 0
	}
	return next, wait
}

const (
	firstWait  = 500 * time.Millisecond
	longestOwn = 8 * time.Second
	longestAWS = time.Minute
	jitter     = 750 * time.Millisecond
)

// backoff returns how long to wait before a deployment is asked again: as long as AWS asks for, within bounds, else longer
// each time.
func backoff(retries int, asked time.Duration) time.Duration {
	if asked > 0 && asked <= longestAWS {
		return asked
	}
	return min(firstWait<<min(retries, 10), longestOwn) + rand.N(jitter) //nolint:gosec // that callers do not come back at once
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
		names := []string{t.name}
		if len(t.group) > 0 && t.group[0].Group != t.name { // an alias, or a wildcard
			names = append(names, t.group[0].Group)
		}
		if t.queue = o.fallbacks(call, names, failed); len(t.queue) == 0 {
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

// prepareAgain chooses a deployment for the next try. The result is why it cannot be.
func (e *Engine) prepareAgain(ctx context.Context, call *Call, r *llm.Request, d *router.Deployment) *llm.Error {
	t := call.tries
	call.Request = r
	call.Upstream, call.RequestID, call.Usage, call.HasUsage, call.Tier = nil, "", llm.Usage{}, false, ""
	call.answered, call.firstToken = time.Time{}, time.Time{}
	_, matched, err := e.o.Router.Group(t.name, e.o.Catalog.Knows)
	if err != nil {
		return e.unknown(t.name)
	}
	found, failed := e.known(d, matched)
	if failed == nil && !found.serves(t.want) {
		failed = otherMode(found.deployment.Ref.ID, t.want, found.mode)
	}
	if failed != nil {
		t.tried = append(t.tried, d)
		call.Deployment, call.target = d, nil
		return failed
	}
	found.health.Claim(time.Now())
	e.o.Logger.Debug("tried again", "call_id", call.ID, telemetry.FieldDeployment, d.ID, telemetry.FieldGroup, d.Group)
	return e.take(ctx, call, found)
}

// usable reports of a group's deployments which are not left alone.
func (e *Engine) usable(name string) func(*router.Deployment) bool {
	_, matched, _ := e.o.Router.Group(name, e.o.Catalog.Knows)
	now := time.Now()
	return func(d *router.Deployment) bool {
		t, ok := e.targets.Load(targetKey{d, matched})
		return !ok || t.(*target).health.Usable(now) //nolint:forcetypeassert // the map holds nothing else
	}
}
