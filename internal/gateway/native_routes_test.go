package gateway

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/outcrop-ai/outcrop/internal/sim"
)

// nativeNames are models with the native endpoint that each is asked at, as the gateway and the simulator know it.
var nativeNames = []struct{ name, route, path string }{
	{"bedrock/chat_completions/openai.gpt-oss-120b-1:0", "chat_completions", "/openai/v1/chat/completions"},
	{"bedrock/chat_completions/xai.grok-4.6", "chat_completions", "/openai/v1/chat/completions"},
	{"bedrock/responses/openai.gpt-5.6-sol", "responses", "/openai/v1/responses"},
	{"bedrock/messages/us.anthropic.claude-sonnet-4-5-20250929-v1:0", "messages", "/anthropic/v1/messages"},
	{"bedrock/mantle/openai.gpt-oss-20b-1:0", "mantle/chat_completions", "/v1/chat/completions"},
	{"bedrock/mantle/responses/openai.gpt-oss-20b-1:0", "mantle/responses", "/v1/responses"},
	{"bedrock/mantle/anthropic.claude-haiku-4-5-20251001-v1:0", "mantle/messages", "/anthropic/v1/messages"},
	{"bedrock_mantle/openai.gpt-5.5", "mantle/chat_completions", "/openai/v1/chat/completions"},
	{"bedrock/deepseek.v3.1", "mantle/chat_completions", "/v1/chat/completions"},
	{"bedrock/google.gemma-4-31b", "mantle/chat_completions", "/openai/v1/chat/completions"},
	{"bedrock/openai.gpt-daybreak-blue-5.6-sol", "mantle/responses", "/openai/v1/responses"},
}

// simRig is a gateway before the simulator, with every model under its own name.
func simRig(t *testing.T) (*rig, *sim.Server) {
	t.Helper()
	aws := sim.New(sim.Options{RecordLimit: 100})
	url, err := aws.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(aws.Close)
	return newRig(t, `model_list:
  - model_name: "*"
    litellm_params: {model: "*", aws_region_name: us-east-1, aws_access_key_id: `+sim.AccessKeyID+`, aws_secret_access_key: `+sim.SecretAccessKey+`, aws_bedrock_runtime_endpoint: '`+url+`'}
general_settings: {master_key: `+testKey+`}
`, nil), aws
}

// TestNativeRoutes asks each model at its native endpoint, whole and streamed, with a tool's call, in all three dialects: the
// simulator refuses what AWS refuses there.
func TestNativeRoutes(t *testing.T) {
	g, aws := simRig(t)
	for _, model := range nativeNames {
		f := func(path, body, evidence string) {
			t.Helper()
			resp, answer := g.post(path, `{"model":"`+model.name+`",`+body+`}`)
			if resp.StatusCode != http.StatusOK || !strings.Contains(answer, evidence) || resp.Header.Get("X-Outcrop-Route") != model.route && path != "/v1/responses" {
				t.Errorf("%s %s: %d %s %s", model.name, path, resp.StatusCode, resp.Header, answer)
			}
			sent := aws.Requests()
			if last := sent[len(sent)-1]; last.Path != model.path && path != "/v1/responses" {
				t.Errorf("%s %s went to %s", model.name, path, last.Path)
			}
			record := g.books.next(t)
			if !record.CostKnown || record.Usage.Input == 0 || record.Usage.Output == 0 || record.Usage.Estimated || record.Route == "" {
				t.Errorf("%s %s is booked as %+v", model.name, path, record)
			}
		}
		chatTool := `"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{"a":{"type":"integer"}}}}}]`
		f("/v1/chat/completions", `"messages":[{"role":"user","content":"[[say:hello]]"}],"max_tokens":100`, `"content":"hello"`)
		f("/v1/chat/completions", `"messages":[{"role":"user","content":"[[say:hello]]"}],"stream":true,"stream_options":{"include_usage":true}`, `"usage":{"prompt_tokens":`)
		f("/v1/chat/completions", chatTool+`,"messages":[{"role":"user","content":"call f {\"a\":1}"}]`, `"arguments":"{\"a\":1}"`)
		f("/v1/chat/completions", chatTool+`,"stream":true,"messages":[{"role":"user","content":"call f {\"a\":1}"}]`, `"finish_reason":"tool_calls"`)
		f("/v1/chat/completions", chatTool+`,"messages":[{"role":"user","content":"x"},{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}]},{"role":"tool","tool_call_id":"c1","content":"one"}]`, `one`)
		f("/v1/messages", `"max_tokens":100,"messages":[{"role":"user","content":"[[say:hello]]"}]`, `"text":"hello"`)
		f("/v1/messages", `"max_tokens":100,"stream":true,"messages":[{"role":"user","content":"[[say:hello]]"}]`, `event: message_stop`)
		f("/v1/responses", `"input":"[[say:hello]]"`, `"text":"hello"`)
		f("/v1/responses", `"stream":true,"input":"[[say:hello]]"`, `event: response.completed`)
		f("/v1/responses", `"tools":[{"type":"function","name":"f","parameters":null,"strict":null}],"input":"call f {}"`, `"type":"function_call"`)
	}
}

// TestNativeEndpointsFail: refusals and broken streams of native endpoints are what they are elsewhere.
func TestNativeEndpointsFail(t *testing.T) {
	g, _ := simRig(t)
	for _, name := range []string{"bedrock/chat_completions/openai.gpt-oss-120b-1:0", "bedrock/responses/openai.gpt-5.6-sol", "bedrock/messages/us.anthropic.claude-sonnet-4-5-20250929-v1:0"} {
		f := func(fault string, stream bool, status int, evidence string) {
			t.Helper()
			body, err := json.Marshal(map[string]any{"model": name, "stream": stream, "messages": []any{map[string]string{"role": "user", "content": "[[fault:" + fault + "]] " + strings.Repeat("x", 400)}}})
			if err != nil {
				t.Fatal(err)
			}
			resp, answer := g.post("/v1/chat/completions", string(body))
			if resp.StatusCode != status || !strings.Contains(answer, evidence) {
				t.Errorf("%s %s: %d %s", name, fault, resp.StatusCode, answer)
			}
		}
		f("throttle", false, 429, "rate_limit_error")
		f("throttle", true, 429, "rate_limit_error")
		f("access-denied", false, 403, "permission_error")
		f("unavailable", false, 503, "service_unavailable_error")
		f("validation", false, 400, "invalid_request_error")
		f("validation;message=Input is too long for requested model.", false, 400, "context_length_exceeded")
		f("stream-throttle;after=0", true, 429, "rate_limit_error")
		f("stream-throttle;after=12", true, 200, `"type":"rate_limit_error"`)
		f("cut-stream;after=12", true, 200, `"error":`)
		f("corrupt-frame;after=12", true, 200, `"error":`)
	}
}

// TestResponsesOverItsOwnEndpoint: a kept conversation goes up whole, with reasoning sealed as the model gave it.
func TestResponsesOverItsOwnEndpoint(t *testing.T) {
	g, aws := simRig(t)
	f := func(body string) string {
		t.Helper()
		resp, answer := g.post("/v1/responses", `{"model":"bedrock/openai.gpt-5.6-sol","reasoning":{"effort":"low"},`+body+`}`)
		var r struct{ ID, Model string }
		if err := json.Unmarshal([]byte(answer), &r); err != nil || resp.StatusCode != 200 || resp.Header.Get("X-Outcrop-Route") != "responses" || resp.Header.Get("X-Outcrop-Loss") != "" {
			t.Fatalf("%d %v %s", resp.StatusCode, resp.Header, answer)
		}
		if !strings.HasPrefix(r.ID, "resp_") || r.Model != "bedrock/openai.gpt-5.6-sol" {
			t.Errorf("%s", answer)
		}
		return r.ID
	}
	first := f(`"input":"[[say:one]]","tools":[{"type":"web_search"}],"text":{"verbosity":"low"}`)
	f(`"input":"[[say:two]]","previous_response_id":"` + first + `"`)
	sent := aws.Requests()
	var last struct {
		Input []struct {
			Type      string
			Encrypted string `json:"encrypted_content"`
		}
		Store bool
	}
	if err := json.Unmarshal(sent[len(sent)-1].Body, &last); err != nil {
		t.Fatal(err)
	}
	if len(last.Input) != 4 || last.Input[1].Type != "reasoning" || last.Input[1].Encrypted == "" || last.Store {
		t.Errorf("AWS got %s", sent[len(sent)-1].Body)
	}
	if resp, answer := g.send(http.MethodGet, "/v1/responses/"+first, "", bearer(testKey)); resp.StatusCode != 200 || !strings.Contains(answer, `"text":"one"`) {
		t.Errorf("%d %s", resp.StatusCode, answer)
	}
	// Another model goes on where it can: what it cannot open is named.
	resp, answer := g.post("/v1/responses", `{"model":"bedrock/us.anthropic.claude-3-7-sonnet-20250219-v1:0","input":"[[say:three]]","previous_response_id":"`+first+`"}`)
	if resp.StatusCode != 200 || !strings.Contains(resp.Header.Get("X-Outcrop-Loss"), "previous_response_id;why=foreign") {
		t.Errorf("%d %v %s", resp.StatusCode, resp.Header, answer)
	}
}

// TestTokensAreCountedAtMessages: Claude models that CountTokens does not serve are counted at Anthropic's endpoint on Mantle's
// host, for clients of both APIs; others are estimated.
func TestTokensAreCountedAtMessages(t *testing.T) {
	g, aws := simRig(t)
	f := func(path, body string, operation string, estimated bool) {
		t.Helper()
		resp, answer := g.post(path, body)
		if resp.StatusCode != 200 || !strings.Contains(answer, `"input_tokens":`) || (resp.Header.Get("X-Outcrop-Estimated") == "true") != estimated {
			t.Errorf("%s: %d %v %s", body, resp.StatusCode, resp.Header, answer)
		}
		sent := aws.Requests()
		if last := sent[len(sent)-1]; !estimated && last.Operation != operation {
			t.Errorf("%s was counted by %s", body, last.Operation)
		}
	}
	claude := `"model":"bedrock/mantle/anthropic.claude-haiku-4-5-20251001-v1:0"`
	tools := `"tools":[{"name":"f","description":"does it","input_schema":{"type":"object"}}]`
	f("/v1/messages/count_tokens", `{`+claude+`,"messages":[{"role":"user","content":"hi"}],"thinking":{"type":"enabled","budget_tokens":2000},`+tools+`}`, "MessagesCountTokens", false)
	f("/v1/responses/input_tokens", `{`+claude+`,"input":"hi","instructions":"Be short."}`, "MessagesCountTokens", false)
	f("/v1/responses/input_tokens", `{"model":"bedrock/amazon.nova-pro-v1:0","input":"hi"}`, "CountTokens", false)
	f("/v1/responses/input_tokens", `{"model":"bedrock/deepseek.v3.1","input":"hi"}`, "", true)
	if resp, answer := g.post("/v1/responses/input_tokens", `{"model":"bedrock/amazon.nova-pro-v1:0"}`); resp.StatusCode != 400 || !strings.Contains(answer, `"param":"input"`) {
		t.Errorf("%d %s", resp.StatusCode, answer)
	}
}
