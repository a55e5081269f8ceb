package sim

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
)

func messages(text, more string) string {
	return `{"anthropic_version":"bedrock-2023-05-31","max_tokens":500,"messages":[{"role":"user","content":` + string(mustJSON(text)) + `}]` + more + `}`
}

const anthropicTools = `,"tools":[{"name":"get_weather","input_schema":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}}]`

func TestInvokeAnthropic(t *testing.T) {
	b := open(t)
	r := b.post(claude, "invoke", messages("hi", ""))
	equal(t, r.status, 200)
	got := r.tree(t)
	equal(t, got.at("content.0.text"), any("You said: hi"))
	equal(t, got.at("stop_reason"), any("end_turn"))
	equal(t, got.at("model"), any("claude-3-haiku-20240307"))
	equal(t, got.at("usage.input_tokens"), any(1.0))
	equal(t, r.header.Get("X-Amzn-Bedrock-Input-Token-Count"), "1")
	equal(t, r.header.Get("X-Amzn-Bedrock-Output-Token-Count"), "3")
	equal(t, r.header.Get("X-Amzn-Bedrock-Cache-Read-Input-Token-Count"), "0")
	equal(t, r.header.Get("X-Amzn-Bedrock-Invocation-Latency"), "0")

	got = b.post(claude, "invoke", messages("call get_weather", anthropicTools)).tree(t)
	equal(t, got.at("content.0.type"), any("tool_use"))
	equal(t, got.at("content.0.input.city"), any("sim city"))
	if !strings.HasPrefix(got.at("content.0.id").(string), "toolu_bdrk_01") {
		t.Error(got.at("content.0.id"))
	}
	got = b.post(claude, "invoke", messages("[[say:a|b]]", `,"stop_sequences":["|"]`)).tree(t)
	equal(t, got.at("stop_sequence"), any("|"))

	got = b.post(claude, "invoke", messages("[[guardrail]]", ""), "X-Amzn-Bedrock-GuardrailIdentifier", "g", "X-Amzn-Bedrock-GuardrailVersion", "1", "X-Amzn-Bedrock-Trace", "ENABLED").tree(t)
	equal(t, got.at("amazon-bedrock-guardrailAction"), any("INTERVENED"))
	equal(t, got.at("amazon-bedrock-trace.guardrail.actionReason"), any("Guardrail blocked."))
}

func TestInvokeStreamAnthropic(t *testing.T) {
	b := start(t, Options{ChunkSize: 6})
	r := b.post(claude, "invoke-with-response-stream", messages("hi", `,"thinking":{"type":"adaptive"}`))
	equal(t, r.header.Get("X-Amzn-Bedrock-Content-Type"), "application/json")
	all, err := frames(bytes.NewReader(r.body))
	if err != nil {
		t.Fatal(err)
	}
	var types []string
	var said, thought string
	var last tree
	for _, f := range all {
		equal(t, f.kind(), "chunk")
		outer := parse(t, f.payload)
		inner, err := base64.StdEncoding.DecodeString(outer.at("bytes").(string))
		if err != nil || outer.at("p") == nil {
			t.Fatal(err, outer)
		}
		last = parse(t, inner)
		if name := last.at("type").(string); len(types) == 0 || types[len(types)-1] != name {
			types = append(types, name)
		}
		if s, ok := last.at("delta.text").(string); ok {
			said += s
		}
		if s, ok := last.at("delta.thinking").(string); ok {
			thought += s
		}
	}
	equal(t, strings.Join(types, " "), "message_start content_block_start content_block_delta content_block_stop content_block_start content_block_delta content_block_stop message_delta message_stop")
	equal(t, said, "You said: hi")
	equal(t, thought, "Let me think about what was said: hi")
	equal(t, last.at("amazon-bedrock-invocationMetrics.inputTokenCount"), any(1.0))
}

func TestInvokeRefuses(t *testing.T) {
	b := open(t)
	f := func(model, body, part string) {
		t.Helper()
		r := b.post(model, "invoke", body)
		equal(t, r.status, 400)
		contains(t, fmt.Sprint(r.tree(t).at("message")), part)
	}
	f(llama, `{"question":"x"}`, "does not know the request body of model")
	f(claude, `{`, "not valid JSON")
	f(claude, `{"anthropic_version":"bedrock-2023-05-31","messages":[]}`, "max_tokens: Field required")
	f(claude, `{"anthropic_version":"bedrock-2023-05-31","max_tokens":1,"messages":[]}`, "at least one message")
	f(claude, messages("x", `,"model":"y"`), "model: Extra inputs are not permitted")
	f(claude, strings.Replace(messages("x", ""), "bedrock-2023-05-31", "2023-06-01", 1), "anthropic_version: Input should satisfy enum value set")
	f(claude, messages("x", `,"temperature":2`), "temperature: Input should have value less than or equal to 1")
	f(claude, messages("x", `,"tool_choice":{"type":"tool","name":"z"}`), "Tool 'z' not found")
	f(claude, `{"anthropic_version":"bedrock-2023-05-31","max_tokens":1,"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":"x"}]}]}`, "unexpected `tool_use_id`")
	f(claude, `{"anthropic_version":"bedrock-2023-05-31","max_tokens":1,"messages":[{"role":"user","content":"x"},{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"n","input":{}}]},{"role":"user","content":"x"}]}`, "without `tool_result` blocks immediately after: a")
	f(claude, `{"anthropic_version":"bedrock-2023-05-31","max_tokens":1,"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/gif","data":"`+pixel+`"}}]}]}`, "appears to be a image/png")
	f(claude, `{"anthropic_version":"bedrock-2023-05-31","max_tokens":1,"messages":[{"role":"user","content":[{"type":"hologram"}]}]}`, "does not match any of the expected tags")
	r := b.post(claude, "invoke", messages("x", ""), "X-Amzn-Bedrock-GuardrailIdentifier", "g")
	equal(t, r.status, 400)
}

func TestInvokeCacheControl(t *testing.T) {
	b := open(t)
	const system = `,"system":[{"type":"text","text":"12345678","cache_control":{"type":"ephemeral","ttl":"1h"}}]`
	equal(t, b.post(claude, "invoke", messages("hi", system)).tree(t).at("usage.cache_creation.ephemeral_1h_input_tokens"), any(2.0))
	equal(t, b.post(claude, "invoke", messages("hi", system)).tree(t).at("usage.cache_read_input_tokens"), any(2.0))
}
