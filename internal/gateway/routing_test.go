package gateway

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// bedrocks are upstreams that a test scripts: each deployment has its own path, by which they are told apart.
type bedrocks struct {
	url string

	mu    sync.Mutex // guards what follows
	calls []string   // the deployments in the order in which they were asked
	does  map[string]func(w http.ResponseWriter, body string)
}

func newBedrocks(t *testing.T, does map[string]func(w http.ResponseWriter, body string)) *bedrocks {
	t.Helper()
	b := &bedrocks{does: does}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		name, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		b.mu.Lock()
		b.calls = append(b.calls, name)
		b.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		b.does[name](w, string(body))
	}))
	t.Cleanup(server.Close)
	b.url = server.URL
	return b
}

func (b *bedrocks) asked() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	calls := strings.Join(b.calls, " ")
	b.calls = nil
	return calls
}

func works(w http.ResponseWriter, _ string) { _, _ = io.WriteString(w, plainAnswer) }

// refuses works with an exception of AWS's.
func refuses(status int, exception, message string) func(http.ResponseWriter, string) {
	return func(w http.ResponseWriter, _ string) {
		w.Header().Set("X-Amzn-Errortype", exception)
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, `{"message":%q}`, message)
	}
}

var (
	throttles = refuses(429, "ThrottlingException", "Too many requests")
	breaks    = refuses(500, "InternalServerException", "oops")
	tooLong   = refuses(400, "ValidationException", "Input is too long for requested model.")
	filters   = refuses(400, "ValidationException", "Output blocked by content filtering policy")
	unknown   = refuses(404, "ResourceNotFoundException", "no such model")
	invalid   = refuses(400, "ValidationException", "The value is bad.")
	forbids   = refuses(403, "AccessDeniedException", "no")
)

// routes writes a configuration: entries are "group deployment [more params]".
func routes(url, settings string, entries ...string) string {
	var b strings.Builder
	b.WriteString("model_list:\n")
	for _, e := range entries {
		parts := strings.SplitN(e, " ", 3)
		more := ""
		if len(parts) > 2 {
			more = ", " + parts[2]
		}
		for _, usual := range []string{"model: bedrock/amazon.nova-lite-v1:0", "aws_region_name: us-east-1"} {
			if key, _, _ := strings.Cut(usual, " "); !strings.Contains(more, ", "+key) {
				more += ", " + usual
			}
		}
		fmt.Fprintf(&b, "  - {model_name: %s, litellm_params: {aws_access_key_id: A, aws_secret_access_key: s, aws_bedrock_runtime_endpoint: '%s/%s'%s}, model_info: {id: %s}}\n",
			parts[0], url, parts[1], more, parts[1])
	}
	b.WriteString("general_settings: {master_key: " + testKey + "}\nrouter_settings:\n  num_retries: 2\n" + settings)
	return b.String()
}

// streamOf works with a stream that says one thing.
func streamOf(t *testing.T, text string) func(http.ResponseWriter, string) {
	return func(w http.ResponseWriter, _ string) {
		w.Header().Set("Content-Type", "application/vnd.amazon.eventstream")
		writeFrames(t, w, `messageStart {"role":"assistant"}`+"\n"+`contentBlockDelta {"contentBlockIndex":0,"delta":{"text":"`+text+`"}}`+"\n"+`contentBlockStop {"contentBlockIndex":0}`+"\n"+
			`messageStop {"stopReason":"end_turn"}`+"\n"+`metadata {"usage":{"inputTokens":1,"outputTokens":2,"totalTokens":3}}`+"\n")
	}
}

const sayHi = `{"model":"m","messages":[{"role":"user","content":"hi"}]%s}`

func TestTriesAndFallbacks(t *testing.T) {
	for _, c := range []struct {
		name     string
		does     map[string]func(http.ResponseWriter, string)
		settings string
		entries  []string
		more     string // of the request
		status   int
		asked    string // deployments in their order; "*" is any
		retries  string
		falls    string
		group    string
		says     string
	}{
		{
			"a throttled deployment, and another",
			map[string]func(http.ResponseWriter, string){"a": throttles, "b": works},
			"",
			[]string{"m a", "m b order: 2"},
			"", 200, "a b", "1", "0", "m", `"content":"ok"`,
		},
		{
			"the next order comes before a fallback",
			map[string]func(http.ResponseWriter, string){"a": breaks, "b": breaks, "f": works},
			"  fallbacks: [{m: [f]}]\n",
			[]string{"m a", "m b order: 2", "f f"},
			`,"num_retries":1`, 200, "a b f", "1", "1", "f", `"model":"m"`,
		},
		{
			"no retries",
			map[string]func(http.ResponseWriter, string){"a": breaks, "b": works},
			"",
			[]string{"m a", "m b order: 2"},
			`,"num_retries":0`, 500, "a", "0", "0", "m", "oops",
		},
		{
			"a policy by class",
			map[string]func(http.ResponseWriter, string){"a": breaks, "b": works},
			"  retry_policy: {InternalServerErrorRetries: 0}\n",
			[]string{"m a", "m b order: 2"},
			"", 500, "a", "0", "0", "m", "oops",
		},
		{
			"the client's fault",
			map[string]func(http.ResponseWriter, string){"a": invalid, "b": works, "f": works},
			"  fallbacks: [{m: [f]}]\n",
			[]string{"m a", "m b order: 2", "f f"},
			"", 400, "a", "0", "0", "m", "The value is bad.",
		},
		{
			"no right to the model here",
			map[string]func(http.ResponseWriter, string){"a": forbids, "b": works},
			"",
			[]string{"m a", "m b order: 2"},
			"", 200, "a b", "1", "0", "m", `"ok"`,
		},
		{
			"no right, and no other deployment",
			map[string]func(http.ResponseWriter, string){"a": forbids},
			"",
			[]string{"m a"},
			"", 403, "a", "0", "0", "m", `"no`,
		},
		{
			"a prompt that is too long",
			map[string]func(http.ResponseWriter, string){"a": tooLong, "l": works, "f": works},
			"  fallbacks: [{m: [f]}]\n  context_window_fallbacks: [{m: [long]}]\n",
			[]string{"m a", "long l", "f f"},
			"", 200, "a l", "0", "1", "long", `"ok"`,
		},
		{
			"a prompt that is too long, and nobody for it",
			map[string]func(http.ResponseWriter, string){"a": tooLong, "f": works},
			"  fallbacks: [{m: [f]}]\n",
			[]string{"m a", "f f"},
			"", 400, "a", "0", "0", "m", "context_length_exceeded",
		},
		{
			"content",
			map[string]func(http.ResponseWriter, string){"a": filters, "p": works},
			"  content_policy_fallbacks: [{'*': [p]}]\n",
			[]string{"m a", "p p"},
			"", 200, "a p", "0", "1", "p", `"ok"`,
		},
		{
			"the default",
			map[string]func(http.ResponseWriter, string){"a": forbids, "f": works},
			"  default_fallbacks: [gone, f]\n",
			[]string{"m a", "f f"},
			"", 200, "a f", "0", "1", "f", `"ok"`,
		},
		{
			"the client's own",
			map[string]func(http.ResponseWriter, string){"a": forbids, "f": works, "g": works},
			"  fallbacks: [{m: [f]}]\n",
			[]string{"m a", "f f", "g g"},
			`,"fallbacks":["g"]`, 200, "a g", "0", "1", "g", `"ok"`,
		},
		{
			"none, says the client",
			map[string]func(http.ResponseWriter, string){"a": forbids, "f": works},
			"  fallbacks: [{m: [f]}]\n",
			[]string{"m a", "f f"},
			`,"disable_fallbacks":true`, 403, "a", "0", "0", "m", `"no`,
		},
		{
			"all fail",
			map[string]func(http.ResponseWriter, string){"a": forbids, "f": forbids, "g": breaks},
			"  fallbacks: [{m: [f, g, m]}]\n",
			[]string{"m a", "f f", "g g"},
			`,"num_retries":0`, 403, "a f g", "0", "2", "g", `tried m (403), f (403), g (500)`,
		},
		{
			"as many as there may be",
			map[string]func(http.ResponseWriter, string){"a": forbids, "f": forbids, "g": works},
			"  max_fallbacks: 1\n  fallbacks: [{m: [f, g]}]\n",
			[]string{"m a", "f f", "g g"},
			"", 403, "a f", "0", "1", "f", `tried m (403), f (403)`,
		},
	} {
		b := newBedrocks(t, c.does)
		g := newRig(t, routes(b.url, c.settings, c.entries...), nil)
		resp, body := g.post("/v1/chat/completions", fmt.Sprintf(sayHi, c.more))
		h := resp.Header
		if got := b.asked(); resp.StatusCode != c.status || got != c.asked || h.Get("X-Litellm-Attempted-Retries") != c.retries ||
			h.Get("X-Litellm-Attempted-Fallbacks") != c.falls || h.Get("X-Litellm-Model-Group") != c.group || !strings.Contains(body, c.says) {
			t.Errorf("%s: %d, asked %q, retries %s, fallbacks %s, group %s, tries %q: %.300s", c.name, resp.StatusCode, got, h.Get("X-Litellm-Attempted-Retries"),
				h.Get("X-Litellm-Attempted-Fallbacks"), h.Get("X-Litellm-Model-Group"), h.Get("X-Outcrop-Tries"), body)
		}
		if r := g.books.next(t); r.Status != c.status || r.Asked != "m" {
			t.Errorf("%s: %+v", c.name, r)
		}
	}
}

// TestAFallbackHasItsOwnWords asks a fallback with parameters in the place of the client's, and with its own defaults.
func TestAFallbackHasItsOwnWords(t *testing.T) {
	var got string
	b := newBedrocks(t, map[string]func(http.ResponseWriter, string){
		"a": forbids, "f": func(w http.ResponseWriter, body string) { got = body; works(w, body) },
	})
	g := newRig(t, routes(b.url, "  fallbacks: [{m: [{model: f, max_tokens: 7}]}]\n", "m a temperature: 0.1", "f f top_p: 0.5"), nil)
	resp, body := g.post("/v1/chat/completions", fmt.Sprintf(sayHi, `,"max_tokens":100,"stop":["x"]`))
	if resp.StatusCode != 200 || !strings.Contains(got, `"maxTokens":7`) || !strings.Contains(got, `"topP":0.5`) || !strings.Contains(got, `"stopSequences":["x"]`) || strings.Contains(got, "temperature") {
		t.Errorf("%d %s: %s", resp.StatusCode, got, body)
	}
}

// TestCooldown leaves a throttled deployment alone, and says so when all are.
func TestCooldown(t *testing.T) {
	b := newBedrocks(t, map[string]func(http.ResponseWriter, string){"a": throttles, "b": works})
	g := newRig(t, routes(b.url, "  cooldown_time: 60\n", "m a", "m b order: 2"), nil)
	for range 3 {
		if resp, body := g.post("/v1/chat/completions", fmt.Sprintf(sayHi, "")); resp.StatusCode != 200 {
			t.Fatalf("%d %s", resp.StatusCode, body)
		}
	}
	if got := b.asked(); got != "a b b b" {
		t.Errorf("asked %s", got)
	}
	// One that hangs, or that AWS refuses for good, is not asked again while it is left alone.
	b = newBedrocks(t, map[string]func(http.ResponseWriter, string){"a": unknown, "b": unknown})
	g = newRig(t, routes(b.url, "  cooldown_time: 60\n", "m a", "m b"), nil)
	for range 2 {
		_, _ = g.post("/v1/chat/completions", fmt.Sprintf(sayHi, ""))
	}
	if got := b.asked(); got != "a b" && got != "b a" {
		t.Errorf("asked %s", got)
	}
	resp, body := g.post("/v1/chat/completions", fmt.Sprintf(sayHi, ""))
	if resp.StatusCode != 429 || !strings.Contains(body, "No deployments available for selected model, Try again in 60 seconds. Passed model=m") || resp.Header.Get("Retry-After") != "60" || b.asked() != "" {
		t.Errorf("%d %s %s", resp.StatusCode, resp.Header, body)
	}
}

// TestThrottledEverywhere is about calls that AWS refuses now and then: where all deployments are left alone for that, one of
// them is asked nevertheless, since the next call may be answered.
func TestThrottledEverywhere(t *testing.T) {
	n := 0
	b := newBedrocks(t, map[string]func(http.ResponseWriter, string){"a": throttles, "b": func(w http.ResponseWriter, body string) {
		if n++; n == 1 {
			throttles(w, body)
		} else {
			works(w, body)
		}
	}})
	g := newRig(t, strings.Replace(routes(b.url, "  cooldown_time: 60\n", "m a", "m b"), "num_retries: 2", "num_retries: 1", 1), nil)
	if resp, _ := g.post("/v1/chat/completions", fmt.Sprintf(sayHi, "")); resp.StatusCode != 429 {
		t.Errorf("%d", resp.StatusCode)
	}
	_ = b.asked()
	resp, body := g.post("/v1/chat/completions", fmt.Sprintf(sayHi, ""))
	if got := b.asked(); resp.StatusCode != 200 || got != "a b" && got != "b" {
		t.Errorf("%d, asked %s: %s", resp.StatusCode, got, body)
	}
}

// TestStreamsAreTriedAgain as long as the client has seen nothing.
func TestStreamsAreTriedAgain(t *testing.T) {
	const start = `messageStart {"role":"assistant"}` + "\n"
	const text = `contentBlockDelta {"contentBlockIndex":0,"delta":{"text":"hello"}}` + "\n"
	const end = `contentBlockStop {"contentBlockIndex":0}` + "\n" + `messageStop {"stopReason":"end_turn"}` + "\n" + `metadata {"usage":{"inputTokens":1,"outputTokens":2,"totalTokens":3}}` + "\n"
	streams := func(events string) func(http.ResponseWriter, string) {
		return func(w http.ResponseWriter, _ string) {
			w.Header().Set("Content-Type", "application/vnd.amazon.eventstream")
			writeFrames(t, w, events)
		}
	}
	const exception = `!throttlingException {"message":"Too many tokens"}` + "\n"
	for _, c := range []struct {
		name, first, asked, says, not string
	}{
		{"an exception at once", exception, "a b", "hello", "throttl"},
		{"an exception before anything is said", start + exception, "a b", "hello", "throttl"},
		{"an end before anything is said", start, "a b", "hello", "error"},
		{"an exception after it", start + text + exception, "a", "Too many tokens", "[DONE]"},
	} {
		b := newBedrocks(t, map[string]func(http.ResponseWriter, string){"a": streams(c.first), "b": streams(start + text + end)})
		g := newRig(t, routes(b.url, "", "m a", "m b order: 2"), nil)
		resp, body := g.post("/v1/chat/completions", fmt.Sprintf(sayHi, `,"stream":true`))
		if got := b.asked(); resp.StatusCode != 200 || got != c.asked || !strings.Contains(body, c.says) || strings.Contains(body, c.not) || strings.Count(body, `"role":"assistant"`) != 1 {
			t.Errorf("%s: %d, asked %s: %s", c.name, resp.StatusCode, got, body)
		}
	}
}

// TestPartsAreTriedAgain one by one: what has been answered is not asked for twice.
func TestPartsAreTriedAgain(t *testing.T) {
	var mu sync.Mutex
	n := 0
	vector := func(w http.ResponseWriter, _ string) {
		_, _ = io.WriteString(w, `{"embedding":[1,0],"inputTextTokenCount":2}`)
	}
	b := newBedrocks(t, map[string]func(http.ResponseWriter, string){
		"a": func(w http.ResponseWriter, body string) {
			mu.Lock()
			n++
			good := n <= 3
			mu.Unlock()
			if good {
				vector(w, body)
			} else {
				throttles(w, body)
			}
		},
		"b": vector,
	})
	yaml := strings.ReplaceAll(routes(b.url, "", "m a", "m b order: 2"), "amazon.nova-lite-v1:0", "amazon.titan-embed-text-v1")
	g := newRig(t, yaml, nil)
	resp, body := g.send(http.MethodPost, "/v1/embeddings", `{"model":"m","input":["a","b","c","d","e"]}`, bearer(testKey))
	calls := b.asked()
	if resp.StatusCode != 200 || strings.Count(body, `"embedding":[`) != 5 || strings.Count(calls, "b") != 2 || strings.Count(calls, "a") != 5 ||
		resp.Header.Get("X-Litellm-Attempted-Retries") != "2" || !strings.Contains(body, `"prompt_tokens":10`) {
		t.Errorf("%d, asked %s, %s: %s", resp.StatusCode, calls, resp.Header.Get("X-Litellm-Attempted-Retries"), body)
	}
}

// TestASingleDeploymentIsAskedAgain after a while.
func TestASingleDeploymentIsAskedAgain(t *testing.T) {
	n := 0
	b := newBedrocks(t, map[string]func(http.ResponseWriter, string){"a": func(w http.ResponseWriter, body string) {
		if n++; n == 1 {
			breaks(w, body)
		} else {
			works(w, body)
		}
	}})
	g := newRig(t, routes(b.url, "", "m a"), nil)
	resp, body := g.post("/v1/chat/completions", fmt.Sprintf(sayHi, ""))
	if got := b.asked(); resp.StatusCode != 200 || got != "a a" || resp.Header.Get("X-Litellm-Attempted-Retries") != "1" || resp.Header.Get("X-Outcrop-Tries") != "a;status=500;error=InternalServerException" {
		t.Errorf("%d, asked %s, %s: %s", resp.StatusCode, got, resp.Header, body)
	}
	// A request whose time is nearly over is not kept waiting.
	n = 0
	resp, _ = g.post("/v1/chat/completions", fmt.Sprintf(sayHi, `,"timeout":0.4`))
	if got := b.asked(); resp.StatusCode != 500 || got != "a" {
		t.Errorf("%d, asked %s", resp.StatusCode, got)
	}
}
