package gateway

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/outcrop-ai/outcrop/internal/sim"
)

func TestBadInputIsRefusedByTheNameOfItsField(t *testing.T) {
	up := &scriptedUpstream{t: t}
	aws := httptest.NewServer(up)
	t.Cleanup(aws.Close)
	g := newRig(t, goldenConfig(nil, aws.URL), nil)
	f := func(body, param string) {
		t.Helper()
		resp, answer := g.post("/v1/chat/completions", body)
		_, kind, got, _ := errorOf(t, answer)
		if resp.StatusCode != 400 || kind != "invalid_request_error" || got != param || resp.Header.Get("X-Should-Retry") != "false" {
			t.Errorf("%.200q: %d %s", body, resp.StatusCode, answer)
		}
	}
	with := func(member string) string {
		return `{"model":"sonnet","messages":[{"role":"user","content":"hi"}],` + member + `}`
	}
	says := func(message string) string { return `{"model":"sonnet","messages":[` + message + `]}` }
	nested := func(levels int) string { return strings.Repeat("[", levels) + strings.Repeat("]", levels) }
	f("", "request_body")
	f(" \n", "request_body")
	f("{", "request_body")
	f("nul", "request_body")
	f(`"text"`, "request_body")
	f("{}", "messages")
	f(`{"messages":[{"role":"user","content":"hi"}]}`, "model")
	f(`{"model":7,"messages":[]}`, "model")
	f(`{"model":"","messages":[{"role":"user","content":"hi"}]}`, "model")
	f(says("{\"role\":\"user\",\"content\":\"\xff\"}"), "request_body")
	f(with("\"\xc3\x28\":1"), "request_body")
	f(with(`"temperature":1e999`), "temperature")
	f(with(`"temperature":"hot"`), "temperature")
	f(with(`"temperature":01`), "request_body")
	f(with(`"temperature":Infinity`), "request_body")
	f(with(`"max_tokens":-1`), "max_tokens")
	f(with(`"max_tokens":99999999999999999999`), "max_tokens")
	f(with(`"top_k":"x"`), "top_k")
	f(with(`"stop":[1]`), "stop[0]")
	f(with(`"stop":{}`), "stop")
	f(with(`"stream":"yes"`), "stream")
	f(with(`"stream_options":[]`), "stream_options")
	f(with(`"tools":{}`), "tools")
	f(with(`"tools":[7]`), "tools[0]")
	f(with(`"tool_choice":"sometimes"`), "tool_choice")
	f(with(`"a":`+nested(127)+`,"b":`+nested(200)), "request_body")
	f(says(`7`), "messages[0]")
	f(says(`{"content":"x"}`), "messages[0].role")
	f(says(`{"role":"user","content":7}`), "messages[0].content")
	f(says(`{"role":"user","content":[7]}`), "messages[0].content[0]")
	f(says(`{"role":"user","content":[{"type":"text"}]}`), "messages[0].content")
	f(says(`{"role":"user","content":[{"text":"x"}]}`), "messages[0].content[0].type")
	f(says(`{"role":"user","content":[{"type":"image_url"}]}`), "messages[0].content[0].image_url")
	f(says(`{"role":"tool","content":"x"}`), "messages[0].tool_call_id")
	f(says(`{"role":"assistant","tool_calls":[{"type":"function"}]}`), "messages[0].tool_calls[0].function.name")
	if len(up.calls) != 0 {
		t.Errorf("AWS was called: %s", up.seen())
	}
	if resp, body := g.post("/v1/chat/completions", with(`"a":`+nested(127))); resp.StatusCode != 200 {
		t.Errorf("128 levels: %d %s", resp.StatusCode, body)
	}
}

// TestInternalNamesNeverReachAWS sends each name that speaks to the gateway, or to LiteLLM's proxy or SDK: it is obeyed,
// or named as ignored, or refused, and never part of what AWS gets.
func TestInternalNamesNeverReachAWS(t *testing.T) {
	up := &scriptedUpstream{t: t}
	aws := httptest.NewServer(up)
	t.Cleanup(aws.Close)
	g := newRig(t, goldenConfig(nil, aws.URL), nil)
	const plain = `POST /model/anthropic.claude-3-sonnet-20240229-v1%3A0/converse
{
  "messages": [
    {
      "role": "user",
      "content": [
        {
          "text": "hi"
        }
      ]
    }
  ]
}
`
	f := func(name string, refused bool, values ...string) {
		t.Helper()
		for _, value := range values {
			up.calls = nil
			resp, body := g.post("/v1/chat/completions", `{"model":"sonnet","messages":[{"role":"user","content":"hi"}],"`+name+`":`+value+`}`)
			if refused {
				if _, _, param, _ := errorOf(t, body); resp.StatusCode != 400 || param != name || len(up.calls) != 0 {
					t.Errorf("%s: %d %s", name, resp.StatusCode, body)
				}
				continue
			}
			if resp.StatusCode != 200 || up.seen() != plain {
				t.Errorf("%s: %d %s\n%s", name, resp.StatusCode, body, up.seen())
			}
		}
	}
	for _, name := range []string{
		"aws_access_key_id", "aws_secret_access_key", "aws_session_token", "aws_region_name", "aws_bedrock_runtime_endpoint", "aws_role_name", "aws_new",
		"api_key", "api_base", "api_version", "base_url", "base_model", "model_id", "model_info", "custom_llm_provider", "litellm_credential_name",
	} {
		f(name, true, `"x"`)
	}
	for _, name := range []string{
		"litellm_call_id", "litellm_trace_id", "litellm_new", "client_metadata", "default_fallbacks", "request_timeout", "mock_response", "mock_tool_calls", "cache",
		"caching", "no-log", "guardrails", "rpm", "tpm", "weight", "order", "headers", "hf_model_name", "roles",
		"initial_prompt_value", "final_prompt_value", "bos_token", "eos_token", "prompt_id", "prompt_variables", "proxy_server_request",
		"input_cost_per_token", "output_cost_per_token", "input_cost_per_second", "output_cost_per_second", "cache_read_input_token_cost",
	} {
		f(name, false, `"x"`, `{"a":1}`, `[1]`, `7`)
	}
	for _, name := range []string{"fallbacks", "context_window_fallbacks", "content_policy_fallbacks"} {
		f(name, false, `["x"]`, `[{"model":"x"}]`, `[{"a":["x"]}]`, `null`)
		f(name, true, `"x"`, `7`)
	}
	for _, name := range []string{"num_retries", "max_retries"} {
		f(name, false, "0", "3")
		f(name, true, `"x"`, "-1")
	}
	f("disable_fallbacks", false, "true")
	f("timeout", false, "30")
	f("drop_params", false, "true")
	f("modify_params", false, "true")
	f("additional_drop_params", false, `["x"]`)
	f("allowed_openai_params", false, `["x"]`)
	f("user_continue_message", false, `{"role":"user","content":"Go on"}`)
	f("assistant_continue_message", false, `"Go on"`)
	f("metadata", false, `{"tags":["a"],"x":{"y":1}}`)
	f("tags", false, `["a"]`)
	f("user", false, `"me"`)
	f("safety_identifier", false, `"me"`)
}

func TestTheIDOfACallIsTheClientsIfItIsOne(t *testing.T) {
	g := newRig(t, simConfig("http://127.0.0.1:1", withKey), nil)
	f := func(id string, taken bool) {
		t.Helper()
		h := bearer(testKey)
		if id != "" {
			h["X-Litellm-Call-Id"] = []string{id}
		}
		resp, _ := g.send(http.MethodGet, "/v1/models/claude", "", h)
		got := resp.Header.Get("X-Litellm-Call-Id")
		if (got == id) != taken || len(got) < 8 {
			t.Errorf("%q: %q", id, got)
		}
	}
	f("8b2c1f4e-1111-2222-3333-444455556666", true)
	f("12345678", true)
	f("", false)
	f("short", false)
	f("no spaces in ids", false)
	f("12345678,87654321", false)
	f(strings.Repeat("a", 65), false)
}

func TestTheIDOfACallStandsInErrorsIfAsked(t *testing.T) {
	f := func(settings string, want bool) {
		t.Helper()
		g := newRig(t, simConfig("http://127.0.0.1:1", settings), nil)
		h := bearer(testKey)
		h["X-Litellm-Call-Id"] = []string{"call-id-12345"}
		if _, body := g.send(http.MethodPost, "/v1/chat/completions", "{", h); strings.Contains(body, "call-id-12345") != want {
			t.Errorf("%s: %s", settings, body)
		}
	}
	f(withKey, false)
	f(withKey+"  include_call_id_in_error_body: true\n", true)
}

func TestMethodsAndPathsBesideTheTable(t *testing.T) {
	_, url := upstream(t, sim.Options{})
	g := newRig(t, simConfig(url, withKey), nil)
	f := func(method, path string, status int, allow string) {
		t.Helper()
		resp, body := g.send(method, path, "", bearer(testKey))
		if resp.StatusCode != status || resp.Header.Get("Allow") != allow || method == http.MethodHead && body != "" {
			t.Errorf("%s %s: %d, Allow %q, %q", method, path, resp.StatusCode, resp.Header.Get("Allow"), body)
		}
	}
	f(http.MethodHead, "/v1/models", 200, "")
	f(http.MethodHead, "/v1/models/claude", 200, "")
	f(http.MethodHead, "/", 200, "")
	f(http.MethodHead, "/nothing", 404, "")
	f(http.MethodHead, "/v1/chat/completions", 405, "POST")
	f(http.MethodPut, "/v1/chat/completions", 405, "POST")
	f(http.MethodOptions, "/v1/chat/completions", 405, "POST")
	f(http.MethodPost, "/health/readiness", 405, "GET")
	f(http.MethodPost, "/", 405, "GET")
	f(http.MethodGet, "/v1/models/", 200, "")
	f(http.MethodGet, "/v1", 404, "")
	f(http.MethodGet, "/openai/deployments/claude", 404, "")
	f(http.MethodPost, "/v1/Chat/Completions", 404, "")
	f(http.MethodGet, "/v1/models/%2e%2e", 404, "")
}

// TestErrorsTellNoSecretAndNoAddress reads every kind of refusal, its headers included.
func TestErrorsTellNoSecretAndNoAddress(t *testing.T) {
	_, url := upstream(t, sim.Options{})
	host := strings.TrimPrefix(url, "http://")
	config := simConfig(url, withKey) + "router_settings:\n  model_group_alias: {alias: claude}\n"
	config = strings.Replace(config, "  - model_name: bedrock/*", `  - model_name: down
    litellm_params: {<<: *params, aws_bedrock_runtime_endpoint: "http://127.0.0.1:1"}
  - model_name: stranger
    litellm_params: {<<: *params, aws_access_key_id: AKIASTRANGER, aws_secret_access_key: canary-of-a-stranger}
  - model_name: bedrock/*`, 1)
	g := newRig(t, config, nil)
	f := func(status int, path, body string, header http.Header) {
		t.Helper()
		resp, answer := g.send(http.MethodPost, path, body, header)
		if resp.StatusCode != status {
			t.Errorf("%s %s: %d %s", path, body, resp.StatusCode, answer)
		}
		all := answer + fmt.Sprint(resp.Header)
		for _, secret := range []string{testKey, "sk-wrong-key", sim.SecretAccessKey, sim.AccessKeyID, "AKIASTRANGER", "canary-of-a-stranger", host, "127.0.0.1", "goroutine", ".go:"} {
			if strings.Contains(all, secret) {
				t.Errorf("%s %s shows %s: %s", path, body, secret, all)
			}
		}
	}
	const chat = "/v1/chat/completions"
	asks := func(model, text string) string {
		return `{"model":"` + model + `","messages":[{"role":"user","content":"` + text + `"}]}`
	}
	f(401, chat, hello, nil)
	f(401, chat, hello, bearer("sk-wrong-key"))
	f(401, chat, hello, http.Header{"Authorization": {testKey}})
	f(404, "/nothing?key="+testKey, hello, bearer(testKey))
	f(404, chat, asks("nope", "x"), bearer(testKey))
	f(502, chat, asks("down", "x"), bearer(testKey))
	f(403, chat, asks("stranger", "x"), bearer(testKey))
	for _, fault := range []string{"throttle", "validation", "access-denied", "not-found", "internal", "unavailable", "model-error", "timeout"} {
		if !slices.Contains(sim.FaultNames(), fault) {
			t.Errorf("the simulator has no fault %s: %v", fault, sim.FaultNames())
			continue
		}
		resp, answer := g.post(chat, asks("claude", "[[fault:"+fault+"]]"))
		f(resp.StatusCode, chat, asks("claude", "[[fault:"+fault+"]]"), bearer(testKey))
		if resp.StatusCode < 400 {
			t.Errorf("%s: %d %s", fault, resp.StatusCode, answer)
		}
	}
}
