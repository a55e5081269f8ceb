package gateway

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// hangs says each time on arrived that it was asked, and answers when it is released.
func hangs(arrived chan<- bool, release <-chan bool) func(http.ResponseWriter, string) {
	return func(w http.ResponseWriter, body string) {
		arrived <- true
		<-release
		works(w, body)
	}
}

// shares counts who was asked.
func shares(asked string) map[string]int {
	count := map[string]int{}
	for _, name := range strings.Fields(asked) {
		count[name]++
	}
	return count
}

func TestStrategies(t *testing.T) {
	all := map[string]func(http.ResponseWriter, string){"a": works, "b": works, "c": works}
	const calls = 30
	for _, c := range []struct {
		name, settings string
		entries        []string
		more           string
		never          string // who is not asked
	}{
		{"weights", "", []string{"m a weight: 1", "m b weight: 0", "m c weight: 1"}, "", "b"},
		{"weight beats rpm", "", []string{"m a weight: 1, rpm: 1000", "m b rpm: 1000000", "m c weight: 1"}, "", "b"},
		{"rpm beats tpm", "", []string{"m a rpm: 1000000, tpm: 10000000", "m b tpm: 1000000000"}, "", "b"},
		{"cheapest", "  routing_strategy: cost-based-routing\n", []string{"m a input_cost_per_token: 0.001", "m b input_cost_per_token: 0.002", "m c input_cost_per_token: 0.001"}, "", "b"},
		{"requests of a deployment", "  optional_pre_call_checks: [enforce_model_rate_limits]\n", []string{"m a rpm: 1000", "m b rpm: 0, order: 2"}, "", "b"},
		{"tags", "  enable_tag_filtering: true\n", []string{"m a tags: [paid, eu]", "m b tags: [free]", "m c"}, `,"metadata":{"tags":["paid"]}`, "bc"},
		{"one of the tags", "  enable_tag_filtering: true\n", []string{"m a tags: [paid]", "m b tags: [free]", "m c tags: [eu]"}, `,"tags":["paid","eu"]`, "b"},
		{"all of the tags", "  enable_tag_filtering: true\n  tag_filtering_match_any: false\n", []string{"m a tags: [paid]", "m b tags: [paid, eu]"}, `,"tags":["paid","eu"]`, "a"},
		{"no such tag", "  enable_tag_filtering: true\n", []string{"m a tags: [paid]", "m b tags: [default]", "m c"}, `,"tags":["other"]`, "ac"},
		{"no tags", "  enable_tag_filtering: true\n", []string{"m a tags: [paid]", "m b", "m c"}, "", "a"},
		{"no tags, and a default", "  enable_tag_filtering: true\n", []string{"m a tags: [paid]", "m b tags: [default]", "m c"}, "", "ac"},
		{"abilities", "  enable_pre_call_checks: true\n", []string{"m a", "m b model: bedrock/amazon.nova-micro-v1:0"}, "IMAGE", "b"},
		{"region", "", []string{"m a aws_region_name: eu-west-1", "m b", "m c aws_region_name: eu-central-1"}, `,"allowed_model_region":"eu"`, "b"},
		{"regions", "", []string{"m a aws_region_name: eu-west-1", "m b aws_region_name: us-west-2"}, `,"allowed_model_region":["us-west-2"]`, "a"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBedrocks(t, all)
			g := newRig(t, routes(b.url, c.settings, c.entries...), nil)
			body := fmt.Sprintf(sayHi, c.more)
			if c.more == "IMAGE" {
				body = `{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAACADs="}}]}]}`
			}
			for range calls {
				if resp, answer := g.post("/v1/chat/completions", body); resp.StatusCode != 200 {
					t.Fatalf("%d %s", resp.StatusCode, answer)
				}
			}
			asked := shares(b.asked())
			for _, e := range c.entries {
				id := strings.Fields(e)[1]
				if never := strings.Contains(c.never, id); never != (asked[id] == 0) {
					t.Errorf("asked %v, but never %s", asked, c.never)
				}
			}
		})
	}
}

func TestNoDeploymentFits(t *testing.T) {
	for _, c := range []struct {
		name, settings, entry, more string
		status                      int
		says                        string
	}{
		{"tags", "  enable_tag_filtering: true\n", "m a tags: [paid]", `,"tags":["free"]`, 400, "no deployment of m has the tags of the request: free"},
		{"region", "", "m a", `,"allowed_model_region":"eu"`, 400, "no deployment of m is in the regions eu"},
		{"context", "  enable_pre_call_checks: true\n", "m a", `,"tools":[{"type":"function","function":{"name":"f","description":"` + strings.Repeat("word ", 300_000) + `"}}]`, 400, "more than the context window of any deployment of m"},
		{"abilities", "  enable_pre_call_checks: true\n", "m a model: bedrock/amazon.nova-micro-v1:0", `,"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAACADs="}}]}]`, 400, "no deployment of m can do what the request needs: vision"},
		{"quota", "  optional_pre_call_checks: [enforce_model_rate_limits]\n", "m a tpm: 100", `,"max_tokens":200`, 200, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBedrocks(t, map[string]func(http.ResponseWriter, string){"a": works})
			g := newRig(t, routes(b.url, c.settings, c.entry), nil)
			body := fmt.Sprintf(sayHi, c.more)
			if strings.Contains(c.more, `"messages"`) {
				body = `{"model":"m"` + c.more + `}`
			}
			resp, body := g.post("/v1/chat/completions", body)
			if resp.StatusCode != c.status || !strings.Contains(body, c.says) {
				t.Errorf("%d %s", resp.StatusCode, body)
			}
		})
	}
	b := newBedrocks(t, map[string]func(http.ResponseWriter, string){"a": works})
	g := newRig(t, routes(b.url, "  optional_pre_call_checks: [enforce_model_rate_limits]\n", "m a rpm: 2"), nil)
	var resp *http.Response
	var body string
	for i := range 3 {
		if resp, body = g.post("/v1/chat/completions", fmt.Sprintf(sayHi, "")); i < 2 && resp.StatusCode != 200 {
			t.Fatalf("%d %s", resp.StatusCode, body)
		}
		if i == 0 && (resp.Header.Get("X-Ratelimit-Limit-Requests") != "2" || resp.Header.Get("X-Ratelimit-Remaining-Requests") != "1") {
			t.Errorf("%v", resp.Header)
		}
	}
	if resp.StatusCode != 429 || resp.Header.Get("Retry-After") == "" || !strings.Contains(body, "No deployments available for selected model") || b.asked() != "a a" {
		t.Errorf("%d %v %s", resp.StatusCode, resp.Header, body)
	}
}

// TestParallelCalls: a deployment takes so many calls at once, and gives their places back.
func TestParallelCalls(t *testing.T) {
	arrived, release := make(chan bool, 10), make(chan bool)
	b := newBedrocks(t, map[string]func(http.ResponseWriter, string){"a": hangs(arrived, release)})
	g := newRig(t, routes(b.url, "", "m a max_parallel_requests: 2"), nil)
	var wg sync.WaitGroup
	var fine, full atomic.Int64
	call := func() {
		resp, _ := g.post("/v1/chat/completions", fmt.Sprintf(sayHi, ""))
		switch resp.StatusCode {
		case 200:
			fine.Add(1)
		case 429:
			full.Add(1)
		}
	}
	for range 2 {
		wg.Go(call)
	}
	<-arrived
	<-arrived
	call()
	close(release)
	wg.Wait()
	call()
	if fine.Load() != 3 || full.Load() != 1 {
		t.Errorf("%d answered, %d refused", fine.Load(), full.Load())
	}
}

// TestLeastBusy: calls go where the fewest are under way.
func TestLeastBusy(t *testing.T) {
	arrived, release := make(chan bool, 10), make(chan bool)
	b := newBedrocks(t, map[string]func(http.ResponseWriter, string){"a": hangs(arrived, release), "b": works})
	g := newRig(t, routes(b.url, "  routing_strategy: least-busy\n", "m a", "m b"), nil)
	var wg sync.WaitGroup
	for busy := false; !busy; {
		answered := make(chan bool)
		wg.Go(func() {
			defer close(answered)
			g.post("/v1/chat/completions", fmt.Sprintf(sayHi, ""))
		})
		select {
		case busy = <-arrived:
		case <-answered:
		}
	}
	_ = b.asked()
	for range 10 {
		g.post("/v1/chat/completions", fmt.Sprintf(sayHi, ""))
	}
	if got := shares(b.asked()); got["a"] != 0 {
		t.Errorf("asked %v", got)
	}
	close(release)
	wg.Wait()
}

// TestConversationsStay: the turns of a conversation go where the prefix of the prompt is cached, and move when that
// deployment fails.
func TestConversationsStay(t *testing.T) {
	var fails atomic.Value
	fails.Store("")
	of := func(name string) func(http.ResponseWriter, string) {
		return func(w http.ResponseWriter, body string) {
			if fails.Load() == name {
				breaks(w, body)
				return
			}
			works(w, body)
		}
	}
	b := newBedrocks(t, map[string]func(http.ResponseWriter, string){"a": of("a"), "b": of("b"), "c": of("c")})
	g := newRig(t, routes(b.url, "", "m a", "m b", "m c"), nil)
	say := func(session string, turns int) string {
		t.Helper()
		type message map[string]any
		long := []any{message{"type": "text", "text": strings.Repeat("rules ", 50) + session, "cache_control": message{"type": "ephemeral"}}}
		messages := []message{{"role": "system", "content": long}}
		for i := range turns {
			content := []any{message{"type": "text", "text": fmt.Sprint("question ", i)}}
			if i == turns-1 {
				content[0].(message)["cache_control"] = message{"type": "ephemeral"}
			}
			messages = append(messages, message{"role": "user", "content": content})
			if i < turns-1 {
				messages = append(messages, message{"role": "assistant", "content": "ok"})
			}
		}
		body, _ := json.Marshal(message{"model": "m", "messages": messages})
		if resp, answer := g.post("/v1/chat/completions", string(body)); resp.StatusCode != 200 {
			t.Fatalf("%d %s", resp.StatusCode, answer)
		}
		return b.asked()
	}
	homes := map[string]bool{}
	for i := range 12 {
		session := fmt.Sprint("session ", i)
		home := say(session, 1)
		homes[home] = true
		for turn := 2; turn < 6; turn++ {
			if got := say(session, turn); got != home {
				t.Errorf("turn %d of %s went to %s, not %s", turn, session, got, home)
			}
		}
	}
	if len(homes) < 2 {
		t.Errorf("all at %v", homes)
	}
	home := say("moving", 1)
	fails.Store(home)
	moved := strings.Fields(say("moving", 2))
	fails.Store("")
	if len(moved) != 2 || moved[0] != home || moved[1] == home {
		t.Fatalf("%v after %s", moved, home)
	}
	for turn := 3; turn < 6; turn++ {
		if got := say("moving", turn); got != moved[1] {
			t.Errorf("turn %d went to %s, not %s", turn, got, moved[1])
		}
	}
}

func TestAffinity(t *testing.T) {
	all := map[string]func(http.ResponseWriter, string){"a": works, "b": works, "c": works}
	for _, c := range []struct {
		check, more string
		header      http.Header
		together    bool
	}{
		{"session_affinity", "", http.Header{"X-Litellm-Session-Id": {"s1"}}, true},
		{"session_affinity", `,"litellm_session_id":"s1"`, nil, true},
		{"deployment_affinity", `,"user":"u1"`, nil, true},
		{"prompt_caching", `,"user":"u1"`, http.Header{"X-Litellm-Session-Id": {"s1"}}, false},
	} {
		b := newBedrocks(t, all)
		g := newRig(t, routes(b.url, "  optional_pre_call_checks: ["+c.check+"]\n", "m a", "m b", "m c"), nil)
		for range 20 {
			header := bearer(testKey)
			for name, values := range c.header {
				header[name] = values
			}
			if resp, body := g.send("POST", "/v1/chat/completions", fmt.Sprintf(sayHi, c.more), header); resp.StatusCode != 200 {
				t.Fatalf("%d %s", resp.StatusCode, body)
			}
		}
		if got := shares(b.asked()); (len(got) == 1) != c.together {
			t.Errorf("%s: asked %v", c.check, got)
		}
	}
}

// TestHedging: when a deployment is slow to answer another one is asked as well, and the first answer counts.
func TestHedging(t *testing.T) {
	for _, stream := range []string{"", `,"stream":true`} {
		answers := works
		if stream != "" {
			answers = streamOf(t, "ok")
		}
		release := make(chan bool)
		b := newBedrocks(t, map[string]func(http.ResponseWriter, string){"a": func(http.ResponseWriter, string) { <-release }, "b": answers})
		g := newRig(t, routes(b.url, "  hedge_after: 50ms\n  hedge_max_percent: 100\n", "m a", "m b order: 2"), nil)
		resp, body := g.post("/v1/chat/completions", fmt.Sprintf(sayHi, stream))
		// On a busy machine the call to the first may be given up before it has arrived.
		if got := b.asked(); resp.StatusCode != 200 || !strings.Contains(got, "b") || !strings.Contains(body, "ok") {
			t.Errorf("%d, asked %s: %s", resp.StatusCode, got, body)
		}
		if h := resp.Header; h.Get("X-Litellm-Model-Id") != "b" || !strings.HasPrefix(h.Get("X-Outcrop-Tries"), "a;status=499") {
			t.Errorf("%v", h)
		}
		if r := g.books.next(t); r.Deployment != "b" || r.Usage.Output == 0 || !strings.Contains(r.Tries, "a;status=499;why=simple-shuffle,b;status=200;why=hedge") {
			t.Errorf("%+v", r)
		}
		close(release)
	}
}

// TestHeadersSayHow a call is made, for clients that cannot say it in the body.
func TestHeadersSayHow(t *testing.T) {
	with := func(pairs ...string) http.Header {
		h := bearer(testKey)
		for i := 0; i < len(pairs); i += 2 {
			h.Set(pairs[i], pairs[i+1])
		}
		return h
	}
	release := make(chan bool)
	b := newBedrocks(t, map[string]func(http.ResponseWriter, string){"a": breaks, "b": func(http.ResponseWriter, string) { <-release }})
	defer close(release)
	g := newRig(t, routes(b.url, "", "m a", "n b"), nil)
	if _, _ = g.send("POST", "/v1/chat/completions", fmt.Sprintf(sayHi, ""), with("x-litellm-num-retries", "0")); b.asked() != "a" {
		t.Error("no further tries")
	}
	slow := strings.Replace(fmt.Sprintf(sayHi, `,"num_retries":0`), `"m"`, `"n"`, 1)
	if resp, _ := g.send("POST", "/v1/chat/completions", slow, with("x-litellm-timeout", "0.05")); resp.StatusCode != 504 {
		t.Errorf("%d", resp.StatusCode)
	}
	stream := strings.Replace(slow, "{", `{"stream":true,`, 1)
	if resp, _ := g.send("POST", "/v1/chat/completions", stream, with("x-litellm-stream-timeout", "0.05")); resp.StatusCode != 504 {
		t.Errorf("%d", resp.StatusCode)
	}
	if resp, _ := g.post("/v1/chat/completions", strings.Replace(stream, "{", `{"stream_timeout":0.05,`, 1)); resp.StatusCode != 504 {
		t.Errorf("%d", resp.StatusCode)
	}
	for name, value := range map[string]string{"x-litellm-timeout": "soon", "x-litellm-stream-timeout": "-1", "x-litellm-num-retries": "1.5"} {
		resp, body := g.send("POST", "/v1/chat/completions", fmt.Sprintf(sayHi, ""), with(name, value))
		if resp.StatusCode != 400 || !strings.Contains(body, `"param":"`+name+`"`) {
			t.Errorf("%s: %d %s", name, resp.StatusCode, body)
		}
	}
	resp, _ := g.send("POST", "/v1/chat/completions", fmt.Sprintf(sayHi, ""), with("x-litellm-num-retries", "0", "x-outcrop-debug", "true"))
	if got := resp.Header.Get("X-Outcrop-Decision"); got != "a;only" {
		t.Errorf("decision %q", got)
	}
}

// TestMockedFailures show what stands in for a model, to whoever holds the master key.
func TestMockedFailures(t *testing.T) {
	b := newBedrocks(t, map[string]func(http.ResponseWriter, string){"a": works, "b": works, "c": works, "d": works})
	g := newRig(t, routes(b.url, "  fallbacks: [{m: [n]}]\n  context_window_fallbacks: [{m: [o]}]\n  content_policy_fallbacks: [{m: [p]}]\n", "m a", "n b", "o c", "p d"), nil)
	for name, want := range map[string]string{
		"mock_testing_fallbacks": "b", "mock_testing_rate_limit_error": "b", "mock_testing_context_fallbacks": "c", "mock_testing_content_policy_fallbacks": "d",
	} {
		resp, body := g.post("/v1/chat/completions", fmt.Sprintf(sayHi, `,"`+name+`":true`))
		if got := b.asked(); resp.StatusCode != 200 || got != want {
			t.Errorf("%s: %d, asked %s: %s", name, resp.StatusCode, got, body)
		}
	}
}
