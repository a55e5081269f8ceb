package engine

import (
	"hash/maphash"
	"time"

	"github.com/outcrop-ai/outcrop/internal/router"
	"github.com/outcrop-ai/outcrop/llm"
)

// Affinity says what keeps calls at one deployment of a group.
type Affinity struct {
	// NoCache has calls go anywhere, wherever the prefix of their prompt is cached.
	NoCache bool
	// Session keeps the calls of one session (x-litellm-session-id) together, Caller those of one key or user.
	Session, Caller bool
	// TTL is how long a session or a caller is remembered; 0 means an hour.
	TTL time.Duration
}

const (
	usualPin = time.Hour
	// What AWS keeps a cached prefix for: Bedrock User Guide, "Prompt caching".
	shortCache = 5 * time.Minute
	longCache  = time.Hour
	// maxPrefixes is how many prefixes of one prompt are looked up: AWS looks back about 20 blocks from a cache point.
	maxPrefixes = 24
	// A deployment whose cache is warm is left when it has this many more calls under way than twice the least busy one:
	// waiting would cost more than the cache saves.
	queueSlack = 8
)

// pins is what the engine remembers of where things were.
type pins struct {
	router.Pins
	seed maphash.Seed
}

// prefix is a place in a prompt up to which it may be cached.
type prefix struct {
	key uint64
	ttl time.Duration // 0 if the request asks for no cache point here
}

// pinned returns the candidate at which a call's prefix, session or caller is at home; nil if none is, or it is too busy.
func (e *Engine) pinned(p *picking, list []router.Candidate) *router.Candidate {
	if len(p.query.list) < 2 || len(list) == 0 {
		return nil
	}
	a := &e.o.Routing.Affinity
	if a.Session && p.call.Session != "" {
		if c := e.at(p, list, e.pins.key(p.query.name, "session", p.call.Session)); c != nil {
			return c
		}
	}
	if a.Caller && callerOf(p.call) != "" {
		if c := e.at(p, list, e.pins.key(p.query.name, "caller", callerOf(p.call))); c != nil {
			return c
		}
	}
	if a.NoCache {
		return nil
	}
	if !p.prefixed {
		p.prefixed, p.prefixes = true, e.pins.prefixes(p.query.name, p.call.Request, byRule(p.query.list))
	}
	for i := len(p.prefixes) - 1; i >= 0; i-- {
		if i < len(p.prefixes)-maxPrefixes && p.prefixes[i].ttl == 0 {
			continue
		}
		if c := e.at(p, list, p.prefixes[i].key); c != nil {
			return c
		}
	}
	return nil
}

// at returns the candidate that a key is pinned to, unless its quota has no room or it is far busier than another.
func (e *Engine) at(p *picking, list []router.Candidate, key uint64) *router.Candidate {
	id := e.pins.Get(p.now, key)
	if id == "" {
		return nil
	}
	var found *router.Candidate
	least := int64(-1)
	for i := range list {
		if list[i].Deployment.ID == id {
			found = &list[i]
		}
	}
	if found == nil || found.Room.Free < 0 {
		return nil
	}
	for i := range list { // of its own order: it is not left for what would not be asked otherwise
		if n := list[i].State.Parallel(); list[i].Deployment.Order == found.Deployment.Order && (least < 0 || n < least) {
			least = n
		}
	}
	if found.State.Parallel() > 2*least+queueSlack {
		p.busy = found.Deployment
		return nil
	}
	return found
}

// pin remembers where a call goes.
func (e *Engine) pin(p *picking, t *target) {
	if len(p.query.list) < 2 {
		return
	}
	a := &e.o.Routing.Affinity
	ttl := a.TTL
	if ttl <= 0 {
		ttl = usualPin
	}
	id := t.deployment.ID
	if a.Session && p.call.Session != "" {
		e.pins.Set(p.now, e.pins.key(p.query.name, "session", p.call.Session), id, ttl)
	}
	if a.Caller && callerOf(p.call) != "" {
		e.pins.Set(p.now, e.pins.key(p.query.name, "caller", callerOf(p.call)), id, ttl)
	}
	for _, one := range p.prefixes {
		if one.ttl > 0 {
			e.pins.Set(p.now, one.key, id, one.ttl)
		}
	}
}

// callerOf names who calls.
func callerOf(c *Call) string {
	if c.Request.User != "" {
		return "user " + c.Request.User
	}
	return c.Caller.KeyHash
}

func (p *pins) key(group, kind, name string) uint64 {
	var h maphash.Hash
	h.SetSeed(p.seed)
	for _, s := range []string{group, kind, name} {
		_, _ = h.WriteString(s) // never fails
		_ = h.WriteByte(0)
	}
	return h.Sum64()
}

// byRule returns how long deployments cache that put cache points into prompts by rule, 0 if none does.
func byRule(list []*router.Deployment) time.Duration {
	ttl := time.Duration(0)
	for _, d := range list {
		for _, rule := range d.Policy.CacheRules {
			ttl = max(ttl, ttlOf(rule.TTL))
		}
	}
	return ttl
}

func ttlOf(word string) time.Duration {
	if word == "1h" {
		return longCache
	}
	return shortCache
}

// prefixes returns the places in a prompt up to which it may be cached, nil if nobody asks for cache points: neither the
// request nor a rule, which may put them anywhere for the time of everywhere. A prefix is the same, whichever points the
// request that made it has asked for.
func (p *pins) prefixes(group string, r *llm.Request, everywhere time.Duration) []prefix {
	for _, rule := range r.Policy.CacheRules {
		everywhere = max(everywhere, ttlOf(rule.TTL))
	}
	if everywhere == 0 && !asksForCache(r) {
		return nil
	}
	var h prefixHash
	h.SetSeed(p.seed)
	_, _ = h.WriteString(group)
	for i := range r.Tools {
		t := &r.Tools[i]
		_, _ = h.WriteString(t.Name)
		h.text(t.Description)
		_, _ = h.Write(t.Schema)
		_, _ = h.Write(t.Raw)
		h.mark(t.Cache)
	}
	h.blocks(r.System)
	for i := range r.Messages {
		_ = h.WriteByte(byte(r.Messages[i].Role))
		h.blocks(r.Messages[i].Blocks)
	}
	for i := max(0, len(h.list)-maxPrefixes); i < len(h.list); i++ {
		h.list[i].ttl = max(h.list[i].ttl, everywhere)
	}
	return h.list
}

// prefixHash runs over a prompt. What it writes never fails.
type prefixHash struct {
	maphash.Hash
	list []prefix
	buf  []byte
}

// mark notes that the prompt up to here may be cached.
func (h *prefixHash) mark(c *llm.CachePoint) {
	one := prefix{key: h.Sum64()}
	if c != nil {
		one.ttl = ttlOf(c.TTL)
	}
	h.list = append(h.list, one)
}

func (h *prefixHash) text(t llm.Text) {
	if raw, ok := t.Raw(); ok {
		_, _ = h.Write(raw)
	} else {
		h.buf = t.AppendInner(h.buf[:0])
		_, _ = h.Write(h.buf)
	}
	_ = h.WriteByte(0)
}

func (h *prefixHash) blocks(list []llm.Block) {
	for i := range list {
		b := &list[i]
		_ = h.WriteByte(byte(b.Kind))
		h.text(b.Text)
		_, _ = h.Write(b.Raw)
		if b.Media != nil {
			h.text(b.Media.Base64)
			_, _ = h.WriteString(b.Media.URL)
		}
		if b.Tool != nil {
			_, _ = h.WriteString(b.Tool.ID)
			_, _ = h.WriteString(b.Tool.Name)
			_, _ = h.Write(b.Tool.Input)
			for j := range b.Tool.Result {
				h.text(b.Tool.Result[j].Text)
			}
		}
		h.mark(b.Cache)
	}
}

// asksForCache reports whether a request has cache points.
func asksForCache(r *llm.Request) bool {
	for i := range r.Tools {
		if r.Tools[i].Cache != nil {
			return true
		}
	}
	in := func(bs []llm.Block) bool {
		for i := range bs {
			if bs[i].Cache != nil {
				return true
			}
		}
		return false
	}
	if in(r.System) {
		return true
	}
	for i := range r.Messages {
		if in(r.Messages[i].Blocks) {
			return true
		}
	}
	return false
}
