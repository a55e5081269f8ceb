package gateway

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/outcrop-ai/outcrop/internal/cache"
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// Caching says which answers are kept, and for how long.
type Caching struct {
	// Store keeps them; nil keeps none.
	Store cache.Store
	// TTL is how long an answer is kept when its request does not say; 0 means ten minutes.
	TTL time.Duration
	// Namespace tells the answers of several gateways apart that share a store.
	Namespace string
	// OptIn keeps and reads answers only for requests that ask for it (use-cache).
	OptIn bool
	// Types are the kinds of calls whose answers are kept, by LiteLLM's words; none means chats, completions, messages,
	// embeddings and rankings.
	Types []string
	// Shared lets every key read every answer. Else keys of a team share theirs, and keys without a team have their own.
	Shared bool
}

// usualTTL is LiteLLM's for answers in memory.
const usualTTL = 10 * time.Minute

// keepsType reports whether answers to a kind of calls are kept.
func (c *Caching) keepsType(callType string) bool {
	if len(c.Types) > 0 {
		return slices.Contains(c.Types, callType)
	}
	switch callType {
	case "acompletion", "atext_completion", "anthropic_messages", "aembedding", "arerank":
		return true
	}
	return false
}

// wish is what a request says of the cache.
type wish struct {
	noCache, noStore, use bool
	ttl, maxAge           time.Duration
	namespace             string
}

// longestTTL bounds how long a client may have an answer kept.
const longestTTL = 30 * 24 * time.Hour

// wishOf reads the member cache of a request's body, LiteLLM's {"ttl":300,"s-maxage":600,"no-cache":true,"no-store":true,
// "namespace":"x","use-cache":true}, and the header Cache-Control. What the key may not say is not heard.
func (x *exchange) wishOf(body []byte) (w wish, failed *llm.Error) {
	allowed := func(name string) bool {
		k := x.call.Caller.Key
		return k == nil || len(k.CacheControls) == 0 || slices.Contains(k.CacheControls, name)
	}
	for part := range strings.SplitSeq(x.r.Header.Get("Cache-Control"), ",") {
		switch word := strings.ToLower(strings.TrimSpace(part)); {
		case word == "no-cache" && allowed(word):
			w.noCache = true
		case word == "no-store" && allowed(word):
			w.noStore = true
		}
	}
	said := jsonscan.Member(body, "cache")
	if said == nil || string(said) == "null" {
		return w, nil
	}
	if said[0] != '{' {
		return w, llm.Invalid("cache", `cache must be an object such as {"ttl": 300}`)
	}
	for name, raw := range jsonscan.Members(said) {
		known, ok := w.hear(name, raw, allowed(name))
		if !known {
			return w, llm.Invalid("cache."+name, "cache knows ttl, s-maxage, no-cache, no-store, namespace and use-cache")
		}
		if !ok {
			return w, llm.Invalid("cache."+name, "cache."+name+" has a value that it cannot have")
		}
	}
	return w, nil
}

// hear takes one member of cache, if it is allowed. known reports whether there is such a member, ok whether it may have the
// value.
func (w *wish) hear(name string, raw []byte, allowed bool) (known, ok bool) {
	heard := *w
	switch name {
	case "no-cache", "no-store", "use-cache":
		on := string(raw) == "true"
		if ok = on || string(raw) == "false"; !ok {
			return true, false
		}
		switch name {
		case "no-cache":
			heard.noCache = heard.noCache || on
		case "no-store":
			heard.noStore = heard.noStore || on
		default:
			heard.use = on
		}
	case "ttl", "s-maxage", "s-max-age":
		seconds, err := strconv.ParseFloat(string(raw), 64)
		if err != nil || !(seconds >= 0 && seconds <= longestTTL.Seconds()) {
			return true, false
		}
		if d := time.Duration(seconds * float64(time.Second)); name == "ttl" {
			heard.ttl = d
		} else {
			heard.maxAge = max(d, 1)
		}
	case "namespace":
		if raw[0] != '"' {
			return true, false
		}
		heard.namespace = jsonscan.Text(raw)
	default:
		return false, false
	}
	if allowed {
		*w = heard
	}
	return true, true
}

// keeping is the answer of a call on its way into the cache.
type keeping struct {
	key  cache.Key
	ttl  time.Duration
	body []byte
	// over says that it is too long to be kept.
	over bool
}

// longestKept bounds an answer that is kept, in bytes.
const longestKept = 4 << 20

// keep adds a piece of the answer as the client gets it.
func (x *exchange) keep(data []byte) {
	k := x.keeping
	if k == nil || k.over {
		return
	}
	if len(k.body)+len(data) > longestKept {
		k.over, k.body = true, nil
		return
	}
	k.body = append(k.body, data...)
}

// notOfTheAnswer are members of a body that do not shape the answer.
func notOfTheAnswer(name string) bool {
	switch name {
	case "cache", "user", "metadata", "tags", "timeout", "stream_timeout", "num_retries", "fallbacks", "context_window_fallbacks",
		"content_policy_fallbacks", "disable_fallbacks", "litellm_metadata", "litellm_session_id", "litellm_trace_id", "no-log", "store", "model":
		return true
	}
	return false
}

// recall answers a request from the cache if an answer is there, and reports whether the client has got one: that, or why
// it may have none. Else the answer is kept when it is given, if it may be.
func (s *Server) recall(x *exchange, body []byte) bool {
	c := &s.Caching
	if c.Store == nil {
		if x.saysOfCache {
			x.call.Request.Lose("cache", "ignored")
		}
		return false
	}
	if !c.keepsType(x.call.Type) {
		return false
	}
	w, failed := x.wishOf(body)
	if failed != nil {
		x.fail(failed)
		return true
	}
	if c.OptIn && !w.use {
		return false
	}
	group, failed := s.Engine.GroupOf(x.call)
	if failed != nil { // the engine says it as it always does
		return false
	}
	d := cache.NewDigest()
	for _, part := range [...][2]string{
		{"namespace", c.Namespace},
		{"wish", w.namespace},
		{"scope", x.scope()},
		{"type", x.call.Type},
		{"group", group},
		{"asked", x.call.Request.Model},
		{"betas", strings.Join(x.r.Header["Anthropic-Beta"], ",")},
	} {
		d.Text(part[0], part[1])
	}
	if !d.JSON(body, notOfTheAnswer) {
		return false
	}
	key := d.Key()
	x.call.CacheKey = key.String()
	x.w.Header()["X-Litellm-Cache-Key"] = []string{x.call.CacheKey}
	if !w.noCache {
		e, err := c.Store.Get(x.r.Context(), key)
		if err != nil {
			s.Logger.Warn("the cache of answers cannot be read", "error", err)
		}
		if e != nil && (w.maxAge == 0 || time.Since(e.Made) <= w.maxAge) {
			s.tellAgain(x, e, group)
			return true
		}
	}
	if !w.noStore {
		ttl := w.ttl
		if ttl == 0 {
			ttl = c.TTL
		}
		if ttl == 0 {
			ttl = usualTTL
		}
		x.keeping = &keeping{key: key, ttl: ttl}
	}
	return false
}

// scope names those who may read what a caller's requests have left: nobody reads another tenant's answers.
func (x *exchange) scope() string {
	c := &x.call.Caller
	switch {
	case x.server.Caching.Shared:
		return ""
	case c.TeamID != "":
		return "team:" + c.TeamID
	default:
		return "key:" + c.KeyHash
	}
}

// tellAgain gives an answer of the cache. It counts as a request of the caller's, and costs nothing.
func (s *Server) tellAgain(x *exchange, e *cache.Entry, group string) {
	if failed := s.Engine.Recall(x.r.Context(), x.call, group); failed != nil {
		x.fail(failed)
		return
	}
	x.call.AnswerID = e.ID
	x.upstreamHeaders(true)
	h := x.w.Header()
	for name, value := range e.Header {
		h[name] = []string{value}
	}
	h["X-Litellm-Cache-Hit"] = []string{"true"}
	h["X-Litellm-Response-Cost"] = []string{"0"}
	h["Content-Type"] = []string{e.ContentType}
	x.status = http.StatusOK
	x.book()
	h["Content-Length"] = []string{strconv.Itoa(len(e.Body))}
	x.w.WriteHeader(http.StatusOK)
	_, _ = x.w.Write(e.Body) // a client that left is found out by the server
}

// putTime bounds how long an answer may take to be kept. Nobody waits for it but the next request of this connection.
const putTime = 2 * time.Second

// kept keeps a whole answer, now that it is one. What a guardrail or a filter has ended is not kept.
func (x *exchange) kept() {
	k := x.keeping
	if k == nil || k.over || len(k.body) == 0 || x.failure != nil || x.call.ClientClosed || x.call.Filtered {
		return
	}
	x.keeping = nil
	e := &cache.Entry{Made: time.Now(), ID: x.call.AnswerID, ContentType: x.w.Header().Get("Content-Type"), Body: k.body, Usage: x.call.Usage, Model: x.call.ModelID, Region: x.call.Region}
	if d := x.call.Deployment; d != nil {
		e.Deployment = d.ID
	}
	if loss := x.w.Header().Get("X-Outcrop-Loss"); loss != "" {
		e.Header = map[string]string{"X-Outcrop-Loss": loss}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(x.r.Context()), putTime)
	defer cancel()
	if err := x.server.Caching.Store.Put(ctx, k.key, e, k.ttl); err != nil {
		x.server.Logger.Warn("an answer cannot be kept in the cache", "error", err)
	}
}
