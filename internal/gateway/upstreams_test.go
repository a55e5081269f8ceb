package gateway

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/outcrop-ai/outcrop/internal/sim"
)

// TestAnUpstreamThatHangs holds nobody up but those who have asked it, however many they are.
func TestAnUpstreamThatHangs(t *testing.T) {
	const hanging = 300
	arrived, release := make(chan bool, hanging), make(chan bool)
	b := newBedrocks(t, map[string]func(http.ResponseWriter, string){"a": hangs(arrived, release), "b": works})
	g := newRig(t, routes(b.url, "", "m a", "n b"), nil)
	var wg sync.WaitGroup
	for range hanging {
		wg.Go(func() {
			g.post("/v1/chat/completions", fmt.Sprintf(sayHi, ""))
		})
	}
	for range hanging {
		<-arrived
	}
	for range 20 { // would wait for ever if it had to wait for one of those
		if resp, body := g.post("/v1/chat/completions", strings.Replace(fmt.Sprintf(sayHi, ""), `"m"`, `"n"`, 1)); resp.StatusCode != 200 {
			t.Errorf("%d %s", resp.StatusCode, body)
		}
	}
	close(release)
	wg.Wait()
}

// leaving sends a request whose client leaves when it is told to, and waits for its end.
func (g *rig) leaving(body string, leave <-chan bool) {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		<-leave
		cancel()
	}()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, g.url+"/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		g.t.Error(err)
		return
	}
	r.Header.Set("Authorization", "Bearer "+testKey)
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err == nil {
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
	}
}

// TestNobodyTriesForAClientThatHasGone: neither at another deployment, nor after a wait.
func TestNobodyTriesForAClientThatHasGone(t *testing.T) {
	leave := make(chan bool)
	b := newBedrocks(t, map[string]func(http.ResponseWriter, string){"a": func(w http.ResponseWriter, body string) {
		breaks(w, body)
		close(leave)
	}})
	g := newRig(t, routes(b.url, "  retry_after: 3600\n", "m a"), nil)
	g.leaving(fmt.Sprintf(sayHi, ""), leave)
	if r := g.books.next(t); b.asked() != "a" || !r.ClientClosed {
		t.Errorf("%+v", r)
	}
}

// TestALeaverGivesItsPlaceBack: the place of a stream is taken until its end, or until its client leaves.
func TestALeaverGivesItsPlaceBack(t *testing.T) {
	leave := make(chan bool)
	var once sync.Once
	whole := streamOf(t, "ok")
	b := newBedrocks(t, map[string]func(http.ResponseWriter, string){"a": func(w http.ResponseWriter, body string) {
		first := false
		once.Do(func() { first = true })
		if !first {
			whole(w, body)
			return
		}
		w.Header().Set("Content-Type", "application/vnd.amazon.eventstream")
		writeFrames(t, w, `messageStart {"role":"assistant"}`+"\n"+`contentBlockDelta {"contentBlockIndex":0,"delta":{"text":"ok"}}`+"\n")
		_ = http.NewResponseController(w).Flush()
		leave <- true // and then nothing
		<-leave
	}})
	g := newRig(t, routes(b.url, "", "m a max_parallel_requests: 1"), nil)
	gone := make(chan bool)
	go func() {
		defer close(gone)
		say := make(chan bool)
		go func() {
			<-leave // it streams
			if resp, body := g.post("/v1/chat/completions", fmt.Sprintf(sayHi, "")); resp.StatusCode != 429 {
				t.Errorf("the place is taken: %d %s", resp.StatusCode, body)
			}
			close(say)
		}()
		g.leaving(fmt.Sprintf(sayHi, `,"stream":true`), say)
	}()
	<-gone
	for noticed := false; !noticed; {
		noticed = g.books.next(t).ClientClosed
	}
	if resp, body := g.post("/v1/chat/completions", fmt.Sprintf(sayHi, `,"stream":true`)); resp.StatusCode != 200 {
		t.Errorf("there is a place again: %d %s", resp.StatusCode, body)
	}
	close(leave)
}

// TestMeasuringStrategies go where the calls before have shown it to be better.
func TestMeasuringStrategies(t *testing.T) {
	for _, c := range []struct {
		name, strategy string
		slow           time.Duration
		words          string // of what the one says that is worse
		stream         bool
	}{
		{"the fastest", "latency-based-routing", 60 * time.Millisecond, "ok", false},
		{"the fastest to begin", "latency-based-routing", 60 * time.Millisecond, "ok", true},
		{"the fewest tokens", "usage-based-routing-v2", 0, strings.Repeat("word ", 2000), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, worse := upstream(t, sim.Options{Auth: sim.AuthOff, Latency: c.slow, Scenario: saying(c.words)})
			_, better := upstream(t, sim.Options{Auth: sim.AuthOff, Scenario: saying("ok")})
			entry := "  - {model_name: m, litellm_params: {model: bedrock/amazon.nova-lite-v1:0, aws_access_key_id: A, aws_secret_access_key: s, aws_region_name: us-east-1, max_tokens: 5000, aws_bedrock_runtime_endpoint: '%s'}, model_info: {id: %s}}\n"
			g := newRig(t, "model_list:\n"+fmt.Sprintf(entry, worse, "worse")+fmt.Sprintf(entry, better, "better")+"general_settings: {master_key: "+testKey+"}\nrouter_settings: {routing_strategy: "+c.strategy+"}\n", nil)
			more := ""
			if c.stream {
				more = `,"stream":true`
			}
			var went []string
			for range 14 {
				resp, body := g.post("/v1/chat/completions", fmt.Sprintf(sayHi, more))
				if resp.StatusCode != 200 {
					t.Fatalf("%d %s", resp.StatusCode, body)
				}
				went = append(went, resp.Header.Get("X-Litellm-Model-Id"))
			}
			if n := shares(strings.Join(went, " "))["better"]; n < 12 {
				t.Errorf("%v", went)
			}
		})
	}
}

// saying has the model say something.
func saying(text string) *sim.Scenario {
	return &sim.Scenario{Rules: []sim.Rule{{Reply: &sim.Reply{Text: text}}}}
}

// TestQuotasAreCountedAsAWSCounts: a call holds its prompt and its max_tokens, and at its end what it has really used counts:
// reads from the cache not at all, and tokens of Claude's answers five times.
func TestQuotasAreCountedAsAWSCounts(t *testing.T) {
	const usage = `{"output":{"message":{"role":"assistant","content":[{"text":"ok"}]}},"stopReason":"end_turn","usage":{"inputTokens":100,"outputTokens":10,"cacheReadInputTokens":5000,"cacheWriteInputTokens":200,"totalTokens":5310}}`
	for _, c := range []struct {
		model  string
		used   int64
		during int64 // what is held while the call is under way, besides a prompt of a few tokens
	}{
		{"bedrock/us.anthropic.claude-3-7-sonnet-20250219-v1:0", 100 + 200 + 5*10, 4000},
		{"bedrock/us.amazon.nova-pro-v1:0", 100 + 200 + 10, 4000},
	} {
		arrived, release := make(chan bool, 1), make(chan bool)
		b := newBedrocks(t, map[string]func(http.ResponseWriter, string){"a": func(w http.ResponseWriter, _ string) {
			arrived <- true
			<-release
			_, _ = io.WriteString(w, usage)
		}})
		g := newRig(t, routes(b.url, "  optional_pre_call_checks: [enforce_model_rate_limits]\n", "m a model: "+c.model+", tpm: 10000, rpm: 100"), nil)
		done := make(chan *http.Response)
		go func() {
			resp, _ := g.post("/v1/chat/completions", fmt.Sprintf(sayHi, `,"max_tokens":4000`))
			done <- resp
		}()
		<-arrived
		// There is room for 6000 tokens, less those of the two prompts.
		if resp, body := g.post("/v1/chat/completions", fmt.Sprintf(sayHi, `,"max_tokens":6000`)); resp.StatusCode != 429 || resp.Header.Get("Retry-After") == "" {
			t.Errorf("%s: what a call may use is held from its start: %d %s", c.model, resp.StatusCode, body)
		}
		close(release)
		h := (<-done).Header
		if got := h.Get("X-Ratelimit-Remaining-Tokens"); got != strconv.FormatInt(10000-c.used, 10) || h.Get("X-Ratelimit-Limit-Tokens") != "10000" || h.Get("X-Ratelimit-Remaining-Requests") != "99" {
			t.Errorf("%s: %v", c.model, h)
		}
		if reset, err := time.ParseDuration(h.Get("X-Ratelimit-Reset-Tokens")); err != nil || reset <= time.Minute || reset > 2*time.Minute {
			t.Errorf("%s: the quota is whole again in %v", c.model, h["X-Ratelimit-Reset-Tokens"])
		}
		if resp, body := g.post("/v1/chat/completions", fmt.Sprintf(sayHi, `,"max_tokens":6000`)); resp.StatusCode != 200 {
			t.Errorf("%s: what it has not used is free again: %d %s", c.model, resp.StatusCode, body)
		}
	}
}

// TestARegionIsLeftBeforeItThrottles: where AWS has refused once, the next calls of the minute go elsewhere before it does so
// again.
func TestARegionIsLeftBeforeItThrottles(t *testing.T) {
	n, refusals := 0, 0
	b := newBedrocks(t, map[string]func(http.ResponseWriter, string){"a": func(w http.ResponseWriter, body string) {
		if n++; n > 20 {
			refusals++
			throttles(w, body)
			return
		}
		works(w, body)
	}, "b": works})
	g := newRig(t, routes(b.url, "  disable_cooldowns: true\n", "m a", "m b order: 2"), nil)
	for range 40 {
		if resp, body := g.post("/v1/chat/completions", fmt.Sprintf(sayHi, `,"max_tokens":5`)); resp.StatusCode != 200 {
			t.Fatalf("%d %s", resp.StatusCode, body)
		}
	}
	if refusals != 1 {
		t.Errorf("%d calls were refused", refusals)
	}
}

// TestWhenADeploymentIsLeftAlone is the configuration's to say: for all, by the class of the failure, and for one deployment.
func TestWhenADeploymentIsLeftAlone(t *testing.T) {
	const patient = "a b a b a b b b" // after more than two failures
	for _, c := range []struct{ name, settings, info, asked string }{
		{"a throttle, at once", "", "", "a b b b b b"},
		{"so many failures", "  allowed_fails: 2\n", "", patient},
		{"so many of its class", "  allowed_fails_policy: {RateLimitErrorAllowedFails: 2}\n", "", patient},
		{"another class", "  allowed_fails_policy: {TimeoutErrorAllowedFails: 2}\n", "", "a b b b b b"},
		{"so many of this deployment's", "", "allowed_fails: 2", patient},
		{"so many of its class of this deployment's", "  allowed_fails: 0\n", "allowed_fails_policy: {RateLimitErrorAllowedFails: 2}", patient},
		{"never", "  disable_cooldowns: true\n", "", "a b a b a b a b a b"},
	} {
		b := newBedrocks(t, map[string]func(http.ResponseWriter, string){"a": throttles, "b": works})
		yaml := routes(b.url, "  cooldown_time: 60\n"+c.settings, "m a", "m b order: 2")
		if c.info != "" {
			yaml = strings.Replace(yaml, "{id: a}", "{id: a, "+c.info+"}", 1)
		}
		g := newRig(t, yaml, nil)
		for range 5 {
			if resp, body := g.post("/v1/chat/completions", fmt.Sprintf(sayHi, "")); resp.StatusCode != 200 {
				t.Fatalf("%s: %d %s", c.name, resp.StatusCode, body)
			}
		}
		if got := b.asked(); got != c.asked {
			t.Errorf("%s: asked %s, want %s", c.name, got, c.asked)
		}
	}
}

// TestABlockedDeployment is not called: neither as one of many nor as the only one.
func TestABlockedDeployment(t *testing.T) {
	b := newBedrocks(t, map[string]func(http.ResponseWriter, string){"a": works, "b": works, "c": works})
	g := newRig(t, strings.NewReplacer("{id: a}", "{id: a, blocked: true}", "{id: c}", "{id: c, blocked: true}").Replace(routes(b.url, "", "m a", "m b order: 2", "n c")), nil)
	for range 5 {
		if resp, body := g.post("/v1/chat/completions", fmt.Sprintf(sayHi, "")); resp.StatusCode != 200 {
			t.Fatalf("%d %s", resp.StatusCode, body)
		}
	}
	resp, body := g.post("/v1/chat/completions", strings.Replace(fmt.Sprintf(sayHi, ""), `"m"`, `"n"`, 1))
	if got := b.asked(); got != "b b b b b" || resp.StatusCode != 403 || !strings.Contains(body, `"model_blocked"`) {
		t.Errorf("asked %s: %d %s", got, resp.StatusCode, body)
	}
}

// TestTheDecisionIsTold: which deployment was chosen and why, and why none of the others.
func TestTheDecisionIsTold(t *testing.T) {
	b := newBedrocks(t, map[string]func(http.ResponseWriter, string){"a": throttles, "b": works, "c": works, "d": works})
	g := newRig(t, routes(b.url, "  cooldown_time: 60\n  enable_tag_filtering: true\n", "m a tags: [x]", "m b tags: [x], order: 2", "m c", "m d tags: [x], aws_region_name: eu-west-1"), nil)
	header := bearer(testKey)
	header.Set("X-Outcrop-Debug", "true")
	header.Set("X-Litellm-Tags", "x, y") // as in the body
	const region = `,"allowed_model_region":"us-east-1"`
	resp, body := g.send(http.MethodPost, "/v1/chat/completions", fmt.Sprintf(sayHi, region), header)
	if got := resp.Header.Get("X-Outcrop-Decision"); resp.StatusCode != 200 || got != "b;simple-shuffle,a;not=tried,c;not=tags,d;not=region" {
		t.Errorf("%d %q %s", resp.StatusCode, got, body)
	}
	if got := resp.Header.Get("X-Outcrop-Tries"); got != "a;status=429;error=ThrottlingException;why=simple-shuffle" {
		t.Errorf("tries %q", got)
	}
	if r := g.books.next(t); r.Tries != "a;status=429;error=ThrottlingException;why=simple-shuffle,b;status=200;why=simple-shuffle" {
		t.Errorf("the row has %q", r.Tries)
	}
	resp, _ = g.send(http.MethodPost, "/v1/chat/completions", fmt.Sprintf(sayHi, region), header)
	if got := resp.Header.Get("X-Outcrop-Decision"); got != "b;simple-shuffle,a;not=cooling,c;not=tags,d;not=region" && got != "b;simple-shuffle,c;not=tags,d;not=region,a;not=cooling" {
		t.Errorf("%q", got)
	}
	if got := b.asked(); got != "a b b" {
		t.Errorf("asked %s", got)
	}
}

// TestStreamsThatBreak in their middle cannot be tried again, but their deployment is left alone when most of them do.
func TestStreamsThatBreak(t *testing.T) {
	for _, native := range []bool{false, true} {
		b := newBedrocks(t, map[string]func(http.ResponseWriter, string){"a": func(w http.ResponseWriter, _ string) {
			w.Header().Set("Content-Type", "application/vnd.amazon.eventstream")
			writeFrames(t, w, `messageStart {"role":"assistant"}`+"\n"+`contentBlockDelta {"contentBlockIndex":0,"delta":{"text":"ok"}}`+"\n"+`!modelStreamErrorException {"message":"oops"}`+"\n")
		}, "b": streamOf(t, "ok")})
		g := newRig(t, routes(b.url, "  cooldown_time: 60\n", "m a", "m b order: 2"), nil)
		for range 8 {
			if native {
				_, _ = g.cut("/bedrock/model/m/converse-stream", `{"messages":[{"role":"user","content":[{"text":"hi"}]}]}`)
			} else {
				_, _ = g.post("/v1/chat/completions", fmt.Sprintf(sayHi, `,"stream":true`))
			}
			g.books.next(t)
		}
		if got := b.asked(); got != "a a a a a b b b" {
			t.Errorf("in AWS's own words %v: asked %s", native, got)
		}
	}
}

// cut sends a request whose answer may be broken off.
func (g *rig) cut(path, body string) (data []byte, whole bool) {
	g.t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, g.url+path, strings.NewReader(body))
	if err != nil {
		g.t.Fatal(err)
	}
	r.Header = bearer(testKey)
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		g.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err = io.ReadAll(resp.Body)
	return data, err == nil
}
