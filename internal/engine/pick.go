package engine

import (
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/internal/catalog"
	"github.com/outcrop-ai/outcrop/internal/router"
	"github.com/outcrop-ai/outcrop/llm"
)

// codeNoDeployment says that no deployment can take a call now.
const codeNoDeployment = "no_deployments_available"

// query is what a deployment is looked for.
type query struct {
	name    string
	want    mode
	list    []*router.Deployment
	matched string
	modelID string // the call's own
	// skip are those that have failed.
	skip []*router.Deployment
}

// names are those by which the configuration may speak of what is looked for.
func (q *query) names() []string {
	names := []string{q.name}
	if group := q.list[0].Group; group != q.name { // an alias, or a wildcard
		names = append(names, group)
	}
	return names
}

// query returns what answers to a name.
func (e *Engine) query(name string, want mode) (query, *llm.Error) {
	isBedrock := e.o.Catalog.Knows
	if want == modeAny { // what is asked for in Bedrock's words is Bedrock's
		isBedrock = func(string) bool { return true }
	}
	list, matched, err := e.o.Router.Group(name, isBedrock)
	if err != nil && want == modeAny && e.o.PassThroughUnlisted && e.o.PassThrough != nil {
		list, matched, err = []*router.Deployment{e.o.PassThrough}, name, nil
	}
	if err != nil {
		return query{}, e.unknown(name, want)
	}
	return query{name: name, want: want, list: list, matched: matched}, nil
}

// The reasons why a deployment does not get a call.
const (
	outTried      = "tried"
	outBlocked    = "blocked"
	outMode       = "mode"
	outTags       = "tags"
	outRegion     = "region"
	outContext    = "context"
	outCapability = "capability"
	outCooling    = "cooling"
	outQuota      = "quota"
	outFull       = "full"
	outBusy       = "busy"
	outBudget     = "budget"
)

// picking is the choice of a deployment for one try.
type picking struct {
	engine *Engine
	call   *Call
	query  *query
	now    time.Time

	input   int64 // tokens that are sent; -1 until somebody asks
	needs   []catalog.Capability
	looked  bool // needs is known
	targets []*target
	// prefixes are those of the prompt that may be cached, if prefixed.
	prefixes []prefix
	prefixed bool
	// out says why others do not get the call; wait is how long the first of those has to wait that may get one later.
	out  []Skipped
	wait time.Duration
	// left are those that are left alone and nevertheless worth a call; resort says that one of them is called. busy is where
	// the call's prefix is at home, if it is too busy.
	left   []router.Candidate
	busy   *router.Deployment
	resort bool
	// hope is what there is to wait for.
	hope hope
	// failed is why a deployment cannot be called at all.
	failed *llm.Error
}

// Skipped is a deployment that a call did not go to, and the reason in a word.
type Skipped struct{ Deployment, Why string }

// pick chooses the deployment for the next try of a call and takes a place there for it: of those that answer to the name,
// without those that cannot take this call now, by the pin of its conversation or session, else by the strategy.
func (e *Engine) pick(call *Call, q *query) (*target, *llm.Error) {
	if t, failed, simple := e.only(call, q); simple {
		return t, failed
	}
	p := &picking{engine: e, call: call, query: q, now: time.Now(), input: -1}
	return p.choose(p.candidates())
}

// choose takes a place at one of those that can take the call.
func (p *picking) choose(list []router.Candidate) (*target, *llm.Error) {
	e, call := p.engine, p.call
	chooser := router.Chooser{Strategy: e.o.Routing.Strategy, Buffer: e.o.Routing.LatencyBuffer}
	c, why := e.pinned(p, list), whyPinned
	if i := slices.IndexFunc(list, func(one router.Candidate) bool { return one.Deployment == p.busy }); c == nil && i >= 0 && len(list) > 1 {
		p.left = append(p.left, list[i])
		list = slices.Delete(list, i, i+1)
	}
	for len(list) > 0 || p.fallBack(&list) {
		if c == nil {
			c, why = chooser.Choose(list, p.now, call.Request.Stream), string(e.o.Routing.Strategy)
		}
		t := p.targets[c.Index]
		reason := p.enter(t)
		if reason == "" {
			p.take(t, why)
			return t, nil
		}
		if reason == outCooling && t.state.Worth() {
			p.left = append(p.left, *c)
		} else {
			p.skip(t.deployment, reason)
		}
		*c = list[len(list)-1]
		c, list = nil, list[:len(list)-1]
	}
	call.Skipped, call.hope = p.out, p.hope
	return nil, p.none()
}

// fallBack has list be those that are left alone and nevertheless worth a call, when there are no others. It reports whether
// there are any.
func (p *picking) fallBack(list *[]router.Candidate) bool {
	if p.resort || len(p.left) == 0 {
		return false
	}
	*list, p.left, p.resort = p.left, nil, true
	return true
}

// only is pick for the only deployment of a group without rules of any kind, which is what most groups are. simple says
// that it is one.
func (e *Engine) only(call *Call, q *query) (t *target, failed *llm.Error, simple bool) {
	o := &e.o.Routing
	if len(q.list) != 1 || q.list[0].Blocked || len(q.skip) > 0 || o.PreCallChecks || o.TagFiltering || len(call.Regions) > 0 {
		return nil, nil, false
	}
	if t, failed = e.known(q.list[0], q.matched, q.want, q.modelID); failed != nil {
		return nil, failed, true
	}
	if t.limited || t.deployment.Parallel > 0 || t.deployment.Budget != nil || !t.state.IsWell() {
		return nil, nil, false
	}
	if !t.serves(q.want) {
		return nil, otherMode(t.deployment.Ref.ID, q.want, t.mode), true
	}
	t.state.Enter(0)
	call.leave()
	call.place = place{target: t}
	return t, nil, true
}

const whyPinned = "pinned"

// enter takes a place at a target; the result is why there is none.
func (p *picking) enter(t *target) string {
	if !t.state.Enter(t.deployment.Parallel) {
		p.wait = time.Second
		return outFull
	}
	if !p.isNamed() && !p.resort && !t.state.Claim(p.now) { // somebody else is finding out whether it works again
		t.state.Leave()
		p.wait = time.Second
		p.hope.add(t.state, p.now)
		return outCooling
	}
	return ""
}

// take has the call go to a target, where it has a place.
func (p *picking) take(t *target, why string) {
	call := p.call
	call.leave() // a place of a try before
	for i := range p.left {
		p.skip(p.left[i].Deployment, p.leftFor(p.left[i].Deployment))
	}
	call.place, call.Why, call.Skipped = place{target: t}, why, p.out
	if p.counts(t) {
		call.place.held, call.place.counts = p.need(t), true
		t.state.Quota.Take(p.now, call.place.held)
	}
	p.engine.pin(p, t)
}

// leftFor says why a deployment is among those that are left.
func (p *picking) leftFor(d *router.Deployment) string {
	if d == p.busy {
		return outBusy
	}
	return outCooling
}

// candidates collects the deployments that can take the call now, and in p.left those that are left alone and worth a call
// nevertheless.
func (p *picking) candidates() []router.Candidate {
	n := len(p.query.list)
	list := make([]router.Candidate, 0, n)
	p.targets = make([]*target, 0, n)
	tags := p.tagged()
	for _, d := range p.query.list {
		t, reason := p.can(d, tags)
		if reason != "" && (reason != outCooling || !t.state.Worth()) {
			p.skip(d, reason)
			continue
		}
		c := router.Candidate{Index: len(p.targets), Deployment: t.deployment, State: t.state, Room: p.room(t), Price: math.MaxFloat64}
		if t.priced {
			c.Price = t.price.TokenPair()
		}
		switch {
		case c.Room.Free < 0 && !c.Room.Learnt && p.engine.o.Routing.enforces():
			p.skip(d, outQuota)
			p.later(c.Room.Wait)
			continue
		case reason == outCooling:
			p.left = append(p.left, c)
		default:
			list = append(list, c)
		}
		p.targets = append(p.targets, t)
	}
	return list
}

// can returns the target of a deployment, and why it cannot take the call.
func (p *picking) can(d *router.Deployment, tags func(*router.Deployment) bool) (*target, string) {
	q := p.query
	if slices.Contains(q.skip, d) {
		return nil, outTried
	}
	if d.Blocked {
		return nil, outBlocked
	}
	if tags != nil && !tags(d) {
		return nil, outTags
	}
	t, failed := p.engine.known(d, q.matched, q.want, q.modelID)
	if failed == nil && !t.serves(q.want) {
		failed = otherMode(t.deployment.Ref.ID, q.want, t.mode)
	}
	if failed != nil {
		p.failed = failed
		return nil, outMode
	}
	if len(p.call.Regions) > 0 && !isIn(t.region, p.call.Regions) {
		return nil, outRegion
	}
	if p.engine.o.Routing.PreCallChecks {
		if reason := p.fits(t); reason != "" {
			return nil, reason
		}
	}
	if o := ownerOf(t.deployment); o != nil && p.engine.o.Limits != nil && p.engine.o.Limits.Exhausted(o) {
		return nil, outBudget
	}
	if !p.isNamed() && !t.state.Usable(p.now) {
		p.later(t.state.Cooling(p.now))
		p.hope.add(t.state, p.now)
		return t, outCooling
	}
	return t, ""
}

// room returns what the call would leave of a target's quota.
func (p *picking) room(t *target) router.Room {
	if !p.counts(t) {
		return router.Room{Free: 1}
	}
	return t.state.Quota.Room(p.now, &t.deployment.Limits, p.need(t))
}

func (p *picking) skip(d *router.Deployment, why string) {
	p.out = append(p.out, Skipped{d.ID, why})
}

// later notes how long it takes until a deployment may be called again.
func (p *picking) later(wait time.Duration) {
	if wait > 0 && (p.wait == 0 || wait < p.wait) {
		p.wait = wait
	}
}

// isNamed reports whether the deployment was asked for by its id: it is then called even if it was left alone.
func (p *picking) isNamed() bool {
	return len(p.query.list) == 1 && p.query.list[0].ID == p.query.name && p.query.list[0].Group != p.query.name
}

// counts reports whether the quota of a target is counted: where it is limited, and where there is a choice.
func (p *picking) counts(t *target) bool { return len(p.query.list) > 1 || t.limited }

// need returns what the call may use of a target's quota.
func (p *picking) need(t *target) router.Need {
	return router.Need{Input: p.tokens(), Output: outputOf(p.call.Request, t)}
}

func (p *picking) tokens() int64 {
	if p.input < 0 {
		p.input = inputOf(p.call.Request)
	}
	return p.input
}

// fits checks before a call whether a target can take it; the result is why it cannot.
func (p *picking) fits(t *target) string {
	d := t.deployment
	most := d.Context
	if most == 0 && d.Ref.Model != nil {
		most = d.Ref.Model.Context
	}
	if most > 0 && p.tokens() > most {
		return outContext
	}
	if d.Ref.Model == nil || p.query.want != modeChat {
		return ""
	}
	if !p.looked {
		p.looked, p.needs = true, capabilitiesOf(p.call.Request)
	}
	for _, c := range p.needs {
		if lacks(d.Ref.Model, c) {
			return outCapability
		}
	}
	return ""
}

// lacks reports whether a model is known not to be able to do something. What it reads is listed whole.
func lacks(m *catalog.Model, c catalog.Capability) bool {
	modality := map[catalog.Capability]string{catalog.Vision: "image", catalog.Video: "video", catalog.AudioIn: "audio"}[c]
	supports := m.Supports(c)
	return supports == catalog.No || supports == catalog.Unknown && modality != "" && !m.Takes(modality)
}

// capabilitiesOf returns what a model must be able to do for a request.
func capabilitiesOf(r *llm.Request) []catalog.Capability {
	var list []catalog.Capability
	if len(r.Tools) > 0 {
		list = append(list, catalog.Tools)
	}
	kinds := map[llm.BlockKind]catalog.Capability{
		llm.BlockImage: catalog.Vision, llm.BlockDocument: catalog.Documents, llm.BlockVideo: catalog.Video, llm.BlockAudio: catalog.AudioIn,
	}
	for i := range r.Messages {
		for j := range r.Messages[i].Blocks {
			if c, ok := kinds[r.Messages[i].Blocks[j].Kind]; ok && !slices.Contains(list, c) {
				list = append(list, c)
			}
		}
	}
	return list
}

// paramRegion is the field that says where a call may be answered.
const paramRegion = "allowed_model_region"

// isIn reports whether a region is one of those that are allowed: whole names, or geographies such as eu.
func isIn(region string, allowed []string) bool {
	return slices.ContainsFunc(allowed, func(a string) bool { return region == a || strings.HasPrefix(region, a+"-") })
}

// tagDefault is the tag of deployments for requests without any.
const tagDefault = "default"

// tagged returns which deployments a request may go to by its tags, nil if any.
func (p *picking) tagged() func(*router.Deployment) bool {
	o := &p.engine.o.Routing
	if !o.TagFiltering {
		return nil
	}
	asked := p.call.Request.Tags
	isDefault := func(d *router.Deployment) bool { return slices.Contains(d.Tags, tagDefault) }
	if len(asked) > 0 {
		has := func(d *router.Deployment) bool {
			n := 0
			for _, tag := range asked {
				if slices.Contains(d.Tags, tag) {
					n++
				}
			}
			return n == len(asked) || n > 0 && o.TagsMatchAny
		}
		if slices.ContainsFunc(p.query.list, has) {
			return has
		}
		return isDefault
	}
	if slices.ContainsFunc(p.query.list, isDefault) {
		return isDefault
	}
	return func(d *router.Deployment) bool { return len(d.Tags) == 0 }
}

// none says why no deployment can take the call.
func (p *picking) none() *llm.Error {
	why := func(word string) bool {
		return slices.ContainsFunc(p.out, func(s Skipped) bool { return s.Why == word })
	}
	name := p.query.name
	switch {
	case why(outCooling), why(outQuota), why(outFull):
		seconds := max(1, int(p.wait.Round(time.Second)/time.Second))
		return &llm.Error{
			Kind: llm.KindRateLimit, Code: codeNoDeployment, RetryAfter: time.Duration(seconds) * time.Second,
			Message: "No deployments available for selected model, Try again in " + strconv.Itoa(seconds) + " seconds. Passed model=" + name,
		}
	case p.failed != nil:
		return p.failed
	case why(outBudget):
		return &llm.Error{
			Kind: llm.KindRateLimit, Type: account.TypeBudget, Code: codeNoDeployment,
			Message: "No deployments available for selected model: the budget of each of them is spent. Passed model=" + name,
		}
	case why(outContext):
		return &llm.Error{
			Kind: llm.KindContextWindow, Code: "context_length_exceeded", Param: "messages",
			Message: "the prompt has about " + strconv.FormatInt(p.tokens(), 10) + " tokens, more than the context window of any deployment of " + name,
		}
	case why(outCapability):
		var list []string
		for _, c := range p.needs {
			list = append(list, string(c))
		}
		return llm.Invalid("model", "no deployment of "+name+" can do what the request needs: "+strings.Join(list, ", "))
	case !why(outRegion) && !why(outTags) && why(outBlocked):
		return &llm.Error{Kind: llm.KindPermission, HTTPStatus: http.StatusForbidden, Code: "model_blocked", Param: "model", Message: "the configuration has blocked " + name}
	case why(outRegion):
		return llm.Invalid(paramRegion, "no deployment of "+name+" is in the regions "+strings.Join(p.call.Regions, ", "))
	}
	return llm.Invalid("tags", "no deployment of "+name+" has the tags of the request: "+strings.Join(p.call.Request.Tags, ", "))
}
