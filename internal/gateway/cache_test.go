package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/outcrop-ai/outcrop/internal/cache"
	"github.com/outcrop-ai/outcrop/internal/sim"
)

// cachedRig is a gateway that keeps answers, before an upstream that numbers its own.
func cachedRig(t *testing.T, change func(*Caching)) (*rig, *atomic.Int64) {
	t.Helper()
	var asked atomic.Int64
	b := newBedrocks(t, map[string]func(http.ResponseWriter, string){"a": func(w http.ResponseWriter, body string) {
		n := asked.Add(1)
		stop := "end_turn"
		if strings.Contains(body, "forbidden") {
			stop = "guardrail_intervened"
		}
		if strings.Contains(body, "broken") {
			throttles(w, body)
			return
		}
		_, _ = fmt.Fprintf(w, `{"output":{"message":{"role":"assistant","content":[{"text":"answer %d"}]}},"stopReason":%q,"usage":{"inputTokens":10,"outputTokens":2,"totalTokens":12}}`, n, stop)
	}})
	g := newRig(t, routes(b.url, "", "m a input_cost_per_token: 1, output_cost_per_token: 1"), func(o *Options) {
		o.Caching = Caching{Store: cache.NewMemory(0)}
		if change != nil {
			change(&o.Caching)
		}
	})
	return g, &asked
}

func (g *rig) chat(more string, header http.Header) (*http.Response, string) {
	g.t.Helper()
	h := bearer(testKey)
	for name, values := range header {
		h[name] = values
	}
	return g.send("POST", "/v1/chat/completions", strings.Replace(sayHi, "%s", more, 1), h)
}

func TestTheSameQuestionIsAskedOnce(t *testing.T) {
	g, asked := cachedRig(t, nil)
	first, one := g.chat("", nil)
	g.books.next(t)
	second, two := g.chat("", nil)
	if one != two || asked.Load() != 1 {
		t.Fatalf("%d calls, answers\n%s\n%s", asked.Load(), one, two)
	}
	if first.Header.Get("X-Litellm-Cache-Hit") != "" || second.Header.Get("X-Litellm-Cache-Hit") != "true" || second.Header.Get("X-Litellm-Response-Cost") != "0" {
		t.Errorf("headers %v %v", first.Header, second.Header)
	}
	if key := second.Header.Get("X-Litellm-Cache-Key"); key == "" || key != first.Header.Get("X-Litellm-Cache-Key") {
		t.Error("the key of the answer")
	}
	row := g.books.next(t)
	if !row.CacheHit || row.Cost != 0 || !row.CostKnown || row.Usage.Output != 0 || row.Group != "m" || row.CacheKey == "" || row.RequestID == "" || row.Status != 200 {
		t.Errorf("row %+v", row)
	}
}

func TestWhatShapesAnAnswerIsPartOfItsKey(t *testing.T) {
	g, asked := cachedRig(t, nil)
	for i, more := range []string{"", `,"top_k":5`, `,"top_k":6`, `,"temperature":0`, `,"temperature":0.5`, `,"tools":[{"type":"function","function":{"name":"f"}}]`, `,"max_tokens":7`, `,"n":2`, `,"some_field":1`} {
		g.chat(more, nil)
		if want := int64(i + 1); asked.Load() < want {
			t.Errorf("%s has another's answer", more)
		}
	}
	before := asked.Load()
	for _, more := range []string{`,"user":"ann"`, `,"metadata":{"a":"b"}`, `,"tags":["x"]`, `,"timeout":30`, `,"cache":{"ttl":60}`} {
		if resp, _ := g.chat(more, nil); resp.Header.Get("X-Litellm-Cache-Hit") != "true" {
			t.Errorf("%s does not shape the answer", more)
		}
	}
	if asked.Load() != before {
		t.Errorf("%d calls more", asked.Load()-before)
	}
}

func TestWhatARequestSaysOfTheCache(t *testing.T) {
	g, asked := cachedRig(t, nil)
	f := func(more string, header http.Header, calls int64) {
		t.Helper()
		before := asked.Load()
		if resp, body := g.chat(more, header); resp.StatusCode != 200 {
			t.Fatalf("%s: %d %s", more, resp.StatusCode, body)
		}
		if got := asked.Load() - before; got != calls {
			t.Errorf("%s %v: %d calls, want %d", more, header, got, calls)
		}
	}
	f(`,"cache":{"no-store":true}`, nil, 1)
	f("", http.Header{"Cache-Control": {"no-store"}}, 1)
	f("", nil, 1)
	f("", nil, 0)
	f(`,"cache":{"no-cache":true}`, nil, 1)
	f("", http.Header{"Cache-Control": {"max-age=0, no-cache"}}, 1)
	f(`,"cache":{"namespace":"x"}`, nil, 1)
	f(`,"cache":{"namespace":"x"}`, nil, 0)
	f(`,"cache":{"s-maxage":600}`, nil, 0)
	f(`,"cache":{"s-maxage":0}`, nil, 1)
	for more, param := range map[string]string{`,"cache":5`: "cache", `,"cache":{"tll":5}`: "cache.tll", `,"cache":{"ttl":"5"}`: "cache.ttl", `,"cache":{"no-cache":1}`: "cache.no-cache", `,"cache":{"namespace":{}}`: "cache.namespace"} {
		resp, body := g.chat(more, nil)
		if _, _, got, _ := errorOf(t, body); resp.StatusCode != 400 || got != param {
			t.Errorf("%s: %d %s", more, resp.StatusCode, body)
		}
	}
}

func TestAnswersOfWhichNothingIsKept(t *testing.T) {
	g, asked := cachedRig(t, nil)
	for _, word := range []string{"forbidden", "broken"} {
		before := asked.Load()
		body := strings.Replace(strings.Replace(sayHi, "%s", `,"num_retries":0`, 1), "hi", word, 1)
		for range 2 {
			g.send("POST", "/v1/chat/completions", body, bearer(testKey))
		}
		if got := asked.Load() - before; got != 2 {
			t.Errorf("%s: %d calls, want 2", word, got)
		}
	}
}

func TestStreamsAreGivenAgainAsStreams(t *testing.T) {
	s, url := upstream(t, sim.Options{})
	g := newRig(t, simConfig(url, withKey), func(o *Options) { o.Caching = Caching{Store: cache.NewMemory(0)} })
	body := strings.Replace(hello, "{", `{"stream":true,"stream_options":{"include_usage":true},`, 1)
	_, one := g.send("POST", "/v1/chat/completions", body, bearer(testKey))
	resp, two := g.send("POST", "/v1/chat/completions", body, bearer(testKey))
	if one != two || !strings.HasSuffix(two, "data: [DONE]\n\n") || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		t.Errorf("answers\n%s\n%s\n%v", one, two, resp.Header)
	}
	if n := len(s.Requests()); n != 1 {
		t.Errorf("%d calls, want one", n)
	}
	if resp, _ := g.send("POST", "/v1/chat/completions", hello, bearer(testKey)); resp.Header.Get("X-Litellm-Cache-Hit") != "" {
		t.Error("a stream is no whole answer")
	}
	for _, path := range []string{"/v1/embeddings", "/v1/messages"} {
		body := map[string]string{
			"/v1/embeddings": `{"model":"bedrock/amazon.titan-embed-text-v2:0","input":["a"]}`,
			"/v1/messages":   `{"model":"claude","max_tokens":50,"messages":[{"role":"user","content":"Hello!"}]}`,
		}[path]
		_, one := g.send("POST", path, body, bearer(testKey))
		resp, two := g.send("POST", path, body, bearer(testKey))
		if one != two || resp.Header.Get("X-Litellm-Cache-Hit") != "true" {
			t.Errorf("%s: %s\n%s", path, one, two)
		}
	}
}

func TestOnlyThoseWhoAsk(t *testing.T) {
	g, asked := cachedRig(t, func(c *Caching) { c.OptIn = true })
	for range 2 {
		g.chat("", nil)
	}
	for range 2 {
		g.chat(`,"cache":{"use-cache":true}`, nil)
	}
	if asked.Load() != 3 {
		t.Errorf("%d calls, want 3", asked.Load())
	}
}

func TestWithoutACacheItsWordsAreNamedAsLost(t *testing.T) {
	g, _ := cachedRig(t, func(c *Caching) { c.Store = nil })
	if resp, _ := g.chat(`,"cache":{"ttl":5}`, nil); resp.Header.Get("X-Outcrop-Loss") != "cache;why=ignored" {
		t.Errorf("loss %q", resp.Header.Get("X-Outcrop-Loss"))
	}
}

// away is a store that cannot be reached.
type away struct{ cache.Store }

func (away) Get(context.Context, cache.Key) (*cache.Entry, error) { return nil, errors.New("away") }

func (away) Put(context.Context, cache.Key, *cache.Entry, time.Duration) error {
	return errors.New("away")
}

func TestACacheThatIsAwayFailsNobody(t *testing.T) {
	g, asked := cachedRig(t, func(c *Caching) { c.Store = away{} })
	for range 2 {
		if resp, body := g.chat("", nil); resp.StatusCode != 200 {
			t.Errorf("%d %s", resp.StatusCode, body)
		}
	}
	if asked.Load() != 2 {
		t.Errorf("%d calls, want 2", asked.Load())
	}
}
