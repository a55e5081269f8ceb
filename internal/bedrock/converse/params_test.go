package converse

import (
	"encoding/json"
	"fmt"
	"math"
	"testing"

	"github.com/outcrop-ai/outcrop/llm"
)

const plainHi = `{"messages":[{"role":"user","content":[{"text":"hi"}]}]}`

func TestSampling(t *testing.T) {
	for _, model := range []string{claude3, novaPro, llama33, gptOSS} {
		r := with(hi(), temperature(0.5))
		r.TopP = p(0.9)
		has(t, model, r, "inferenceConfig", `{"temperature":0.5,"topP":0.9}`)
	}
	stop := func(list ...string) *llm.Request {
		r := hi()
		r.Stop = list
		return r
	}
	has(t, claude3, stop("END"), "inferenceConfig", `{"stopSequences":["END"]}`)
	has(t, claude3, stop("A", "", " "), "inferenceConfig", `{"stopSequences":["A"]}`)
	sends(t, claude3, stop(""), plainHi)
	refuses(t, gpt56, stop("A"), "stop")
	refuses(t, claude3, stop(make([]string, 2501)...), "stop")
	refuses(t, opus47, with(hi(), temperature(0.3)), "temperature")
	sends(t, opus47, with(hi(), temperature(1)), plainHi)
	sends(t, opus47, with(hi(), temperature(0.3), drop), plainHi, "temperature;unsupported")
	refuses(t, claude3, with(hi(), temperature(math.NaN())), "temperature")
	refuses(t, claude3, with(hi(), maxTokensOf(0)), "max_tokens")
	has(t, gpt54, with(hi(), maxTokensOf(3)), "inferenceConfig", `{"maxTokens":16}`)
	has(t, kimiK3, with(hi(), maxTokensOf(3)), "inferenceConfig", `{"maxTokens":16}`)
	has(t, gptOSS, with(hi(), maxTokensOf(3)), "inferenceConfig", `{"maxTokens":3}`)
	both := func(changes ...func(*llm.Request)) *llm.Request {
		r := with(hi(), temperature(0.5))
		r.TopP = p(0.9)
		return with(r, changes...)
	}
	has(t, sonnet45, both(), "inferenceConfig", `{"temperature":0.5,"topP":0.9}`)
	has(t, sonnet45, both(drop), "inferenceConfig", `{"temperature":0.5}`)
	has(t, claude37, both(drop), "inferenceConfig", `{"temperature":0.5,"topP":0.9}`)
}

func TestTopK(t *testing.T) {
	f := func(model, path, want string) {
		t.Helper()
		r := hi()
		r.TopK = p(int64(5))
		has(t, model, r, field+path, want)
	}
	f(claude3, "top_k", `5`)
	f(novaPro, "inferenceConfig", `{"topK":5}`)
	f(llama33, "top_k", `5`)
	f(cohereText, "k", `5`)
	f(qwen3, "top_k", `5`)
	f(unknown, "top_k", `5`)
}

func TestUnsupportedParameters(t *testing.T) {
	for name, value := range map[string]string{
		"seed": `1`, "logit_bias": `{"1":1}`, "logprobs": `true`, "top_logprobs": `2`, "presence_penalty": `0.5`, "frequency_penalty": `1`,
		"prediction": `{}`, "modalities": `["audio"]`, "audio": `{}`, "store": `true`, "verbosity": `"low"`, "prompt_cache_key": `"k"`,
		"prompt_cache_retention": `"24h"`, "web_search_options": `{}`, "n": `2`,
	} {
		refuses(t, claude37, with(hi(), param(name, value)), name)
		sends(t, claude37, with(hi(), param(name, value), drop), plainHi, name+";unsupported")
		allow := func(r *llm.Request) { r.Policy.Allowed = []string{name} }
		has(t, claude37, with(hi(), param(name, value), allow), field+name, value)
	}
	for name, value := range map[string]string{
		"n": `1`, "store": `false`, "modalities": `["text"]`, "logprobs": `false`, "presence_penalty": `0`, "frequency_penalty": `0.0`,
		"logit_bias": `{}`, "seed": `null`,
	} {
		sends(t, claude37, with(hi(), param(name, value)), plainHi)
	}
	has(t, gptOSS, with(hi(), param("seed", `7`)), field+"seed", `7`)
	has(t, qwen3, with(hi(), param("presence_penalty", `0.5`)), field+"presence_penalty", `0.5`)
	refuses(t, claude3, with(hi(), param("seed", `{`), func(r *llm.Request) { r.Policy.Allowed = []string{"seed"} }), "seed")
}

func TestExtra(t *testing.T) {
	has(t, claude3, with(hi(), extra("foo", `{"bar": 1}`)), field+"foo", `{"bar": 1}`)
	sends(t, claude3, with(hi(), extra("additionalModelRequestFields", `{"x":1}`)), `{"messages":[{"role":"user","content":[{"text":"hi"}]}],`+
		`"additionalModelRequestFields":{"x":1}}`)
	r := with(hi(), extra("foo", `1`), extra("additionalModelRequestFields", `{"foo":2,"top_k":7,"anthropic_beta":["b","a"]}`))
	r.TopK, r.Betas = p(int64(5)), []string{"a"}
	has(t, claude3, r, "additionalModelRequestFields", `{"anthropic_beta":["a","b"],"foo":2,"top_k":7}`)
	lost(t, r, "top_k;overridden", "foo;overridden")
	r = with(hi(), extra("inferenceConfig", `{"maxTokens":9,"temperature":0.1,"x":[1]}`), temperature(0.5))
	has(t, claude3, r, "inferenceConfig", `{"maxTokens":9,"temperature":0.5,"x":[1]}`)
	refuses(t, claude3, with(hi(), extra("inferenceConfig", `{"maxTokens":"9"}`)), "inferenceConfig.maxTokens")
	refuses(t, claude3, with(hi(), extra("inferenceConfig", `[]`)), "inferenceConfig")
	refuses(t, claude3, with(hi(), extra("foo", `{`)), "foo")
	r = with(hi(), extra("outputConfig", `{"effort":"low"}`), extra("additionalModelResponseFieldPaths", `["/a"]`), extra("promptVariables", `{"v":{"text":"x"}}`))
	sends(t, claude3, r, `{"messages":[{"role":"user","content":[{"text":"hi"}]}],"additionalModelResponseFieldPaths":["/a"],`+
		`"promptVariables":{"v":{"text":"x"}},"outputConfig":{"effort":"low"}}`)
	for _, name := range []string{"aws_secret_access_key", "litellm_call_id", "api_key"} {
		sends(t, claude3, with(hi(), extra(name, `"s"`)), plainHi, name+";internal")
	}
}

func TestTierAndLatency(t *testing.T) {
	f := func(tier, want string) {
		t.Helper()
		r := hi()
		r.Tier = tier
		has(t, claude3, r, "serviceTier", want)
	}
	f("auto", `{"type":"default"}`)
	f("flex", `{"type":"flex"}`)
	f("reserved", `{"type":"reserved"}`)
	r := hi()
	r.Tier = "bogus"
	refuses(t, claude3, r, "service_tier")
	r = hi()
	r.Latency = "fast"
	refuses(t, claude3, r, "performanceConfig.latency")
}

func TestRequestMetadata(t *testing.T) {
	f := func(pairs ...llm.Pair) *llm.Request {
		r := hi()
		r.Metadata = pairs
		return r
	}
	has(t, claude3, f(llm.Pair{Key: "a b", Value: ""}), "requestMetadata", `{"a b":""}`)
	refuses(t, claude3, f(llm.Pair{Key: "k~", Value: "v"}), "requestMetadata.k~")
	refuses(t, claude3, f(llm.Pair{Key: "k", Value: "é"}), "requestMetadata.k")
	sends(t, claude3, with(f(llm.Pair{Key: "k~", Value: "v"}), drop), plainHi, "requestMetadata.k~;invalid")
	var many []llm.Pair
	for i := range 17 {
		many = append(many, llm.Pair{Key: fmt.Sprint("k", i), Value: "v"})
	}
	refuses(t, claude3, f(many...), "requestMetadata.k16")
}

func TestBetas(t *testing.T) {
	r := hi()
	r.Betas = []string{" context-1m-2025-08-07", "output-128k-2025-02-19", "context-1m-2025-08-07", "files-api-2025-04-14"}
	has(t, claude37, with(r, extra("anthropic_beta", `"a, b"`)), field+"anthropic_beta", `["context-1m-2025-08-07","output-128k-2025-02-19","a","b"]`)
	lost(t, r, "anthropic_beta.files-api-2025-04-14;unsupported")
	r = hi()
	r.Betas = []string{"a"}
	sends(t, novaPro, r, plainHi, "anthropic_beta.a;unsupported")
	for _, beta := range []string{
		"context-1m-2025-08-07", "computer-use-2025-01-24", "computer-use-2024-10-22", "token-efficient-tools-2025-02-19",
		"interleaved-thinking-2025-05-14", "output-128k-2025-02-19", "dev-full-thinking-2025-05-14",
	} {
		r := hi()
		r.Betas = []string{beta}
		has(t, claude37, r, field+"anthropic_beta", `["`+beta+`"]`)
	}
	const edits = `{"edits":[{"type":"compact_20260112"},{"type":"clear_tool_uses_20250919"}]}`
	r = with(hi(), param("context_management", edits))
	has(t, opus46, r, "additionalModelRequestFields", `{"context_management":{"edits":[{"type":"compact_20260112"}]},"anthropic_beta":["compact-2026-01-12"]}`)
	lost(t, r, "context_management;unsupported")
}

func TestPromptResource(t *testing.T) {
	const arn = "arn:aws:bedrock:us-east-1:123456789012:prompt/ABC:1"
	r := with(&llm.Request{}, extra("promptVariables", `{"v":{"text":"x"}}`), maxTokensOf(5))
	sends(t, arn, r, `{"promptVariables":{"v":{"text":"x"}}}`, "max_tokens;prompt_resource")
	refuses(t, arn, with(hi(), tools(function("f"))), "tools")
}

func TestEffort(t *testing.T) {
	thinking := func(model, level, want string) {
		t.Helper()
		has(t, model, with(hi(), effort(level)), field+"thinking", want)
	}
	for level, budget := range map[string]int{"minimal": 1024, "low": 1024, "medium": 2048, "high": 4096, "xhigh": 8192, "max": 16384} {
		r := with(hi(), effort(level))
		has(t, claude37, r, field+"thinking", fmt.Sprintf(`{"type":"enabled","budget_tokens":%d}`, budget))
		has(t, claude37, r, "inferenceConfig", fmt.Sprintf(`{"maxTokens":%d}`, budget+4096))
		has(t, claude37, r, "additionalModelResponseFieldPaths", `["/usage/output_tokens_details"]`)
	}
	for _, model := range []string{claude37, opus46, claude35, novaPro} {
		sends(t, model, with(hi(), effort("none")), plainHi)
	}
	sends(t, claude37, with(hi(), effort("default")), plainHi)
	refuses(t, claude37, with(hi(), effort("lots")), "reasoning_effort")
	const adaptive = `{"type":"adaptive","display":"summarized"}`
	thinking(opus46, "low", adaptive)
	f := func(model, level, path, want string) {
		t.Helper()
		has(t, model, with(hi(), effort(level)), field+path, want)
	}
	f(opus46, "xhigh", "output_config", `{"effort":"high"}`)
	f(opus46, "max", "output_config", `{"effort":"max"}`)
	f(opus47, "xhigh", "output_config", `{"effort":"xhigh"}`)
	f(sonnet46, "xhigh", "output_config", `{"effort":"high"}`)
	f(opus47, "minimal", "output_config", `{"effort":"low"}`)
	f(nova2, "none", "reasoningConfig", `{"type":"disabled"}`)
	f(nova2, "minimal", "reasoningConfig", `{"type":"enabled","maxReasoningEffort":"low"}`)
	f(nova2, "max", "reasoningConfig", `{"type":"enabled","maxReasoningEffort":"high"}`)
	f(gptOSS, "none", "reasoning_effort", `"low"`)
	f(gptOSS, "xhigh", "reasoning_effort", `"high"`)
	f(gpt54, "xhigh", "reasoning", `{"effort":"xhigh"}`)
	f(gpt54, "max", "reasoning", `{"effort":"xhigh"}`)
	f(deepseekV3, "medium", "reasoning_effort", `"medium"`)
	f(unknown, "medium", "reasoning_effort", `"medium"`)
	refuses(t, gpt54, with(hi(), effort("minimal")), "reasoning_effort")
	for _, model := range []string{deepseekR1, qwen3, claude35, novaPro} {
		refuses(t, model, with(hi(), effort("low")), "reasoning_effort")
		sends(t, model, with(hi(), effort("low"), drop), plainHi, "reasoning_effort;unsupported")
	}
	r := with(hi(), effort("high"), temperature(0.5), maxTokensOf(100))
	has(t, nova2, r, "inferenceConfig", ``)
	lost(t, r, "temperature;thinking", "max_tokens;thinking")
	r = with(hi(), effort("low"), maxTokensOf(500))
	sends(t, claude37, r, `{"messages":[{"role":"user","content":[{"text":"hi"}]}],"inferenceConfig":{"maxTokens":500}}`, "reasoning_effort;max_tokens")
	has(t, claude37, with(hi(), effort("low"), maxTokensOf(3000)), field+"thinking", `{"type":"enabled","budget_tokens":1024}`)
	has(t, claude37, with(hi(), effort("high"), maxTokensOf(3000)), field+"thinking", `{"type":"enabled","budget_tokens":2999}`)
}

func TestThinking(t *testing.T) {
	think := func(object string) func(*llm.Request) {
		return func(r *llm.Request) { r.Thinking = json.RawMessage(object) }
	}
	f := func(model, object, want string, more ...func(*llm.Request)) {
		t.Helper()
		has(t, model, with(hi(), append(more, think(object))...), field+"thinking", want)
	}
	f(claude37, `{"type":"enabled","budget_tokens":500}`, `{"type":"enabled","budget_tokens":1024}`)
	f(claude37, `{"type":"enabled","budget_tokens":5000,"x":1}`, `{"type":"enabled","budget_tokens":5000,"x":1}`)
	f(claude37, `{"type":"adaptive"}`, `{"type":"enabled","budget_tokens":1499}`, maxTokensOf(1500))
	f(claude37, `{"type":"adaptive"}`, ``, maxTokensOf(1024))
	f(opus47, `{"type":"enabled","budget_tokens":1024}`, `{"type":"adaptive","display":"summarized"}`)
	f(opus46, `{"type":"enabled","budget_tokens":2000}`, `{"type":"enabled","budget_tokens":2000}`)
	f(opus46, `{"type":"adaptive","display":"omitted"}`, `{"type":"adaptive","display":"omitted"}`)
	f(claude37, `{"type":"disabled"}`, `{"type":"disabled"}`)
	f(fable5, `{"type":"disabled"}`, ``)
	has(t, opus47, with(hi(), think(`{"type":"enabled","budget_tokens":1024}`)), field+"output_config", `{"effort":"low"}`)
	has(t, opus47, with(hi(), think(`{"type":"enabled","budget_tokens":9000}`)), field+"output_config", `{"effort":"xhigh"}`)
	refuses(t, novaPro, with(hi(), think(`{"type":"enabled","budget_tokens":1024}`)), "thinking")
	refuses(t, claude37, with(hi(), think(`{"type":"x"}`)), "thinking")
	refuses(t, claude37, with(hi(), think(`[1`)), "thinking")
	forced := with(hi(), effort("low"), tools(function("f")), choice(llm.ToolRequired, ""))
	has(t, claude37, forced, "toolConfig.toolChoice", `{"auto":{}}`)
	lost(t, forced, "tool_choice;thinking")
	has(t, claude37, with(hi(), effort("low"), temperature(0.2)), "inferenceConfig", `{"maxTokens":5120,"temperature":0.2}`)
	has(t, claude37, with(hi(), effort("low"), temperature(0.2), drop), "inferenceConfig", `{"maxTokens":5120}`)
	history := func(blocks ...llm.Block) *llm.Request {
		return with(chat(user(text("a")), assistant(blocks...), user(result("t", text("r")))), tools(function("f")), effort("low"))
	}
	r := history(toolCall("t", "f", `{}`))
	has(t, claude37, r, "additionalModelRequestFields", ``)
	lost(t, r, "reasoning_effort;history")
	has(t, claude37, history(thought("x", "Uw=="), toolCall("t", "f", `{}`)), field+"thinking", `{"type":"enabled","budget_tokens":1024}`)
	r = with(hi(), extra("output_config", `{"effort":"low"}`))
	has(t, opus45, r, "additionalModelRequestFields", `{"output_config":{"effort":"low"},"anthropic_beta":["effort-2025-11-24"]}`)
	refuses(t, claude37, with(hi(), param("output_config", `{"effort":"low"}`)), "output_config")
}

func TestStructuredOutput(t *testing.T) {
	const schema = `{"type":"object","properties":{"a":{"type":"string","maxLength":3}},"required":["a"]}`
	sends(t, sonnet45, with(hi(), schemaFormat(schema)), `{"messages":[{"role":"user","content":[{"text":"hi"}]}],"outputConfig":{"textFormat":`+
		`{"type":"json_schema","structure":{"jsonSchema":{"name":"ev","schema":"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\",`+
		`\"description\":\"(maxLength: 3)\"}},\"required\":[\"a\"],\"additionalProperties\":false}"}}}}}`)
	const toolSpec = `{"toolSpec":{"name":"json_tool_call","description":"ev","inputSchema":{"json":` + schema + `}}}`
	sends(t, claude37, with(hi(), schemaFormat(schema)), `{"messages":[{"role":"user","content":[{"text":"hi"}]}],"toolConfig":{"tools":[`+
		toolSpec+`],"toolChoice":{"tool":{"name":"json_tool_call"}}}}`)
	has(t, opus48, with(hi(), schemaFormat(schema)), "outputConfig", ``)
	if body, _ := encode(t, opus48, with(hi(), schemaFormat(schema), effort("low"))); !jsonHas(body, "outputConfig") || jsonHas(body, "toolConfig") {
		t.Errorf("%s", body)
	}
	r := with(hi(), schemaFormat(schema), tools(function("f")))
	has(t, claude37, r, "toolConfig.toolChoice", ``)
	has(t, claude37, r, "system", `[{"text":"When you give your final answer, call json_tool_call with it."}]`)
	has(t, claude37, with(hi(), schemaFormat(schema), effort("low")), "toolConfig.toolChoice", ``)
	_, turn := encode(t, claude37, with(hi(), schemaFormat(schema), tools(function("json_tool_call"))))
	if turn.jsonTool != "json_tool_call_2" {
		t.Errorf("%+v", turn)
	}
	refuses(t, claude37, with(hi(), schemaFormat("")), "response_format.json_schema.schema")
	refuses(t, claude37, with(hi(), schemaFormat("[]")), "response_format.json_schema.schema")
	refuses(t, claude37, with(hi(), func(r *llm.Request) { r.Format = &llm.Format{Type: "xml"} }), "response_format.type")
	object := func(r *llm.Request) { r.Format = &llm.Format{Type: "json_object"} }
	has(t, claude37, with(hi(), object), "system", `[{"text":"Answer with one JSON object and nothing else."}]`)
	has(t, claude37, with(chat(user(text("as Json please"))), object), "system", ``)
	sends(t, claude37, with(hi(), func(r *llm.Request) { r.Format = &llm.Format{Type: "text"} }), plainHi)
	for _, open := range []string{
		`{"type":"object"}`, `{"type":"object","properties":{"a":{"type":"object","additionalProperties":true,"properties":{}}}}`,
		`{"$ref":"#/nowhere"}`,
	} {
		if body, _ := encode(t, sonnet45, with(hi(), schemaFormat(open))); jsonHas(body, "outputConfig") {
			t.Errorf("%s went up as native: %s", open, body)
		}
	}
}

func jsonHas(body, name string) bool {
	_, ok := memberOf([]byte(body), name)
	return ok
}
