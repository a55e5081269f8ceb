package gateway

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// TestFallbacksOfARequest are in the place of the configuration's, in each of LiteLLM's forms.
func TestFallbacksOfARequest(t *testing.T) {
	const settings = "  cooldown_time: 60\n  fallbacks: [{m: [f]}]\n  context_window_fallbacks: [{m: [f]}]\n  content_policy_fallbacks: [{m: [f]}]\n"
	for _, c := range []struct {
		name   string
		model  func(http.ResponseWriter, string) // what the model that is asked for does
		more   string
		status int
		asked  string
		hears  string // what the last one is told
		says   string
	}{
		{"names", breaks, `,"fallbacks":["g","h"]`, 200, "a g", "", `"model":"m"`},
		{"a list for the model", breaks, `,"fallbacks":[{"other":["f"]},{"m":["h"]}]`, 200, "a h", "", `"ok"`},
		{"a list for any model", breaks, `,"fallbacks":[{"*":["h"]}]`, 200, "a h", "", `"ok"`},
		{"a list for another model leaves the configuration's", breaks, `,"fallbacks":[{"other":["g"]}]`, 200, "a f", "", `"ok"`},
		{"with parameters", breaks, `,"max_tokens":100,"fallbacks":[{"model":"g","max_tokens":9,"temperature":0.5}]`, 200, "a g", `"inferenceConfig":{"maxTokens":9,"temperature":0.5}`, `"ok"`},
		{"a list with parameters", breaks, `,"max_tokens":100,"fallbacks":[{"m":[{"model":"g","max_tokens":9}]}]`, 200, "a g", `"maxTokens":9`, `"ok"`},
		{"a deployment", breaks, `,"fallbacks":["g2"]`, 200, "a g2", "", `"ok"`},
		{"a long prompt", tooLong, `,"context_window_fallbacks":[{"m":["g"]}]`, 200, "a g", "", `"ok"`},
		{"a long prompt, and others for failures", tooLong, `,"fallbacks":["h"],"context_window_fallbacks":["g"]`, 200, "a g", "", `"ok"`},
		{"content", filters, `,"content_policy_fallbacks":["g"]`, 200, "a g", "", `"ok"`},
		{"none", breaks, `,"fallbacks":["g"],"disable_fallbacks":true`, 500, "a", "", "oops"},
		{"none for a long prompt", tooLong, `,"context_window_fallbacks":["g"],"disable_fallbacks":true`, 400, "a", "", "context_length_exceeded"},
		{"no model", breaks, `,"fallbacks":[{"m":[{"max_tokens":1}]}]`, 400, "", "", `"param":"fallbacks[0].m[0]"`},
		{"somebody else's address", breaks, `,"fallbacks":[{"model":"g","api_base":"http://127.0.0.1:1"}]`, 400, "", "", "api_base"},
		{"somebody else's keys", breaks, `,"fallbacks":[{"m":[{"model":"g","aws_access_key_id":"A"}]}]`, 400, "", "", "aws_access_key_id"},
		{"one that is none", breaks, `,"fallbacks":["gone"]`, 500, "a", "", "oops"},
	} {
		heard := ""
		hears := func(w http.ResponseWriter, body string) {
			heard = body
			works(w, body)
		}
		b := newBedrocks(t, map[string]func(http.ResponseWriter, string){"a": c.model, "f": hears, "g": hears, "g2": hears, "h": hears})
		g := newRig(t, strings.Replace(routes(b.url, settings, "m a", "f f", "g g", "g g2 order: 2", "h h"), "num_retries: 2", "num_retries: 0", 1), nil)
		resp, body := g.post("/v1/chat/completions", fmt.Sprintf(sayHi, c.more))
		if got := b.asked(); resp.StatusCode != c.status || got != c.asked || !strings.Contains(heard, c.hears) || !strings.Contains(body, c.says) {
			t.Errorf("%s: %d, asked %q, heard %s: %s", c.name, resp.StatusCode, got, heard, body)
		}
	}
}

// TestAFallbackIsTriedAgain: each model that stands in has tries of its own, in a stream too; and the model that the answer
// names is the one that was asked for.
func TestAFallbackIsTriedAgain(t *testing.T) {
	for _, stream := range []bool{false, true} {
		n := 0
		good, more := works, ""
		if stream {
			good, more = streamOf(t, "ok"), `,"stream":true`
		}
		b := newBedrocks(t, map[string]func(http.ResponseWriter, string){"a": breaks, "f": func(w http.ResponseWriter, body string) {
			if n++; n == 1 {
				breaks(w, body)
			} else {
				good(w, body)
			}
		}, "f2": breaks})
		g := newRig(t, strings.Replace(routes(b.url, "  fallbacks: [{m: [f]}]\n", "m a", "f f", "f f2 order: 2"), "num_retries: 2", "num_retries: 2\n  model_group_retry_policy: {m: {InternalServerErrorRetries: 0}}", 1), nil)
		resp, body := g.post("/v1/chat/completions", fmt.Sprintf(sayHi, more))
		h := resp.Header
		if got := b.asked(); resp.StatusCode != 200 || got != "a f f2 f" || h.Get("X-Litellm-Attempted-Retries") != "2" || h.Get("X-Litellm-Attempted-Fallbacks") != "1" ||
			h.Get("X-Litellm-Model-Group") != "f" || !strings.Contains(body, `"model":"m"`) {
			t.Errorf("%d, asked %s, %v: %s", resp.StatusCode, got, h, body)
		}
	}
}

// TestADeploymentByItsID is asked even if it was left alone.
func TestADeploymentByItsID(t *testing.T) {
	b := newBedrocks(t, map[string]func(http.ResponseWriter, string){"a": unknown, "b": works})
	g := newRig(t, routes(b.url, "  cooldown_time: 60\n", "m a", "m b order: 2"), nil)
	if resp, body := g.post("/v1/chat/completions", fmt.Sprintf(sayHi, "")); resp.StatusCode != 200 || b.asked() != "a b" {
		t.Fatalf("%d %s", resp.StatusCode, body)
	}
	resp, body := g.post("/v1/chat/completions", strings.Replace(fmt.Sprintf(sayHi, `,"num_retries":0`), `"m"`, `"a"`, 1))
	if got := b.asked(); resp.StatusCode != 404 || got != "a" {
		t.Errorf("%d, asked %q: %s", resp.StatusCode, got, body)
	}
	_, _ = g.post("/v1/chat/completions", fmt.Sprintf(sayHi, ""))
	if got := b.asked(); got != "b" {
		t.Errorf("for others it is left alone still: asked %q", got)
	}
}

// TestRetriesByClass: retry_policy says for each class of failures how often they are tried again.
func TestRetriesByClass(t *testing.T) {
	const once, twice = "a", "a b a"
	does := map[string]func(http.ResponseWriter, string){
		"Timeout": refuses(408, "ModelTimeoutException", "slow"), "RateLimit": throttles, "InternalServer": breaks, "NotFound": refuses(404, "", "nothing here"),
		"ServiceUnavailable": refuses(503, "ServiceUnavailableException", "busy"), "BadGateway": refuses(502, "", "bad gateway"),
		"BadRequest": invalid, "ContentPolicyViolation": filters, "Authentication": forbids,
	}
	for class, fails := range does {
		for _, c := range []struct{ settings, asked string }{
			{"  retry_policy: {" + class + "ErrorRetries: 2}\n", twice},
			{"  retry_policy: {" + class + "ErrorRetries: 0}\n", once},
			{"  retry_policy: {" + class + "ErrorRetries: 0}\n  model_group_retry_policy: {m: {" + class + "ErrorRetries: 2}}\n", twice},
		} {
			if class == "Authentication" && c.asked == twice { // each account refuses for good
				c.asked = "a b"
			}
			t.Run(class, func(t *testing.T) {
				t.Parallel()
				b := newBedrocks(t, map[string]func(http.ResponseWriter, string){"a": fails, "b": fails})
				yaml := strings.Replace(routes(b.url, c.settings, "m a", "m b order: 2"), "num_retries: 2\n", "num_retries: 1\n  disable_cooldowns: true\n", 1)
				_, body := newRig(t, yaml, nil).post("/v1/chat/completions", fmt.Sprintf(sayHi, ""))
				if got := b.asked(); got != c.asked {
					t.Errorf("%s: asked %q, want %q: %s", c.settings, got, c.asked, body)
				}
			})
		}
	}
	b := newBedrocks(t, map[string]func(http.ResponseWriter, string){"a": filters, "b": filters, "f": works})
	g := newRig(t, routes(b.url, "  retry_policy: {ContentPolicyViolationErrorRetries: 2}\n  content_policy_fallbacks: [{m: [f]}]\n", "m a", "m b order: 2", "f f"), nil)
	if resp, body := g.post("/v1/chat/completions", fmt.Sprintf(sayHi, "")); resp.StatusCode != 200 || b.asked() != "a f" {
		t.Errorf("where a model stands in it is asked: %d %s", resp.StatusCode, body)
	}
}
