package sim

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

const (
	llama3      = "meta.llama3-1-8b-instruct-v1:0"
	novaPro     = "us.amazon.nova-pro-v1:0"
	importedARN = "arn:aws:bedrock:us-east-1:123456789012:imported-model/abc"
)

// bodies are one good request for each family: who is asked, with what, and where in the answer the text is.
var bodies = []struct{ model, body, at, want, stop, reason string }{
	{llama3, `{"prompt":"<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nhi<|eot_id|>"}`, "generation", "You said: hi", "stop_reason", "stop"},
	{llama3, `{"prompt":"user<|end_header_id|>\n\nhi<|eot_id|>","max_gen_len":1}`, "generation", "You ", "stop_reason", "length"},
	{"us.meta.llama4-scout-17b-instruct-v1:0", `{"prompt":"<|header_start|>user<|header_end|>\n\nhi<|eot|>"}`, "generation", "You said: hi", "stop_reason", "stop"},
	{"meta.llama2-13b-chat-v1", `{"prompt":"<s>[INST] hi [/INST]"}`, "generation", "You said: hi", "stop_reason", "stop"},
	{importedARN, `{"prompt":"<|im_start|>user\nhi<|im_end|>\n","stop":["said"]}`, "generation", "You ", "stop_reason", "stop"},
	{importedARN, `{"prompt":"<｜User｜>hi<｜Assistant｜><think>\n"}`, "generation", "Let me think about what was said: hi\n</think>\n\nYou said: hi", "stop_reason", "stop"},
	{importedARN, `{"messages":[{"role":"user","content":"hi"}]}`, "choices.0.message.content", "You said: hi", "choices.0.finish_reason", "stop"},
	{"amazon.titan-text-express-v1", `{"inputText":"\n\nUser: hi\n\nBot: ","textGenerationConfig":{"maxTokenCount":1}}`, "results.0.outputText", "\nYou ", "results.0.completionReason", "LENGTH"},
	{"mistral.mixtral-8x7b-instruct-v0:1", `{"prompt":"<s>[INST] hi [/INST]"}`, "outputs.0.text", " You said: hi", "outputs.0.stop_reason", "stop"},
	{"cohere.command-text-v14", `{"prompt":"User: hi\nChatbot:"}`, "generations.0.text", " You said: hi", "generations.0.finish_reason", "COMPLETE"},
	{"cohere.command-r-v1:0", `{"message":"hi"}`, "text", "You said: hi", "finish_reason", "COMPLETE"},
	{"anthropic.claude-v2", `{"prompt":"\n\nHuman: hi\n\nAssistant:","max_tokens_to_sample":100}`, "completion", " You said: hi", "stop_reason", "stop_sequence"},
	{"anthropic.claude-v2:1", messages("hi", ""), "content.0.text", "You said: hi", "stop_reason", "end_turn"},
	{"ai21.j2-mid-v1", `{"prompt":"User: hi\nAssistant:"}`, "completions.0.data.text", "\nYou said: hi", "completions.0.finishReason.reason", "endoftext"},
	{"ai21.jamba-1-5-mini-v1:0", `{"messages":[{"role":"user","content":"hi"}]}`, "choices.0.message.content", "You said: hi", "choices.0.finish_reason", "stop"},
	{"us.deepseek.r1-v1:0", `{"prompt":"<｜User｜>hi<｜Assistant｜><think>\n","max_tokens":100}`, "choices.0.text", "Let me think about what was said: hi\n</think>\n\nYou said: hi", "choices.0.stop_reason", "stop"},
	{"openai.gpt-oss-120b-1:0", `{"messages":[{"role":"user","content":"hi"}]}`, "choices.0.message.content", "<reasoning>Let me think about what was said: hi</reasoning>You said: hi", "choices.0.finish_reason", "stop"},
	{"mistral.mistral-large-2407-v1:0", `{"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}]}`, "choices.0.message.content", "You said: hi", "choices.0.stop_reason", "stop"},
	{novaPro, `{"schemaVersion":"messages-v1","messages":[{"role":"user","content":[{"text":"hi","cachePoint":{"type":"default"}}]}],"inferenceConfig":{"max_new_tokens":50,"topK":3}}`, "output.message.content.0.text", "You said: hi", "stopReason", "end_turn"},
	{"us.twelvelabs.pegasus-1-2-v1:0", `{"inputPrompt":"hi","mediaSource":{"s3Location":{"uri":"s3://b/k.mp4"}}}`, "message", "You sent: video/mp4 (0 bytes)\nYou said: hi", "finishReason", "stop"},
}

func TestInvokeFamilies(t *testing.T) {
	b := open(t)
	for _, c := range bodies {
		r := b.post(c.model, "invoke", c.body)
		if r.status != 200 {
			t.Errorf("%s: %d %s", c.model, r.status, r.body)
			continue
		}
		got := r.tree(t)
		equal(t, got.at(c.at), any(c.want))
		equal(t, got.at(c.stop), any(c.reason))
		if n := r.header.Get("X-Amzn-Bedrock-Output-Token-Count"); n == "" || n == "0" {
			t.Errorf("%s: output tokens %q", c.model, n)
		}
	}
}

// TestInvokeFamilyStreams holds each stream against the whole answer: the same text, and AWS's counts in the last chunk.
func TestInvokeFamilyStreams(t *testing.T) {
	b := start(t, Options{ChunkSize: 3})
	for _, c := range bodies {
		if strings.Contains(c.model, "ai21.j2") || strings.Contains(c.model, "claude") {
			continue // the first does not stream, the other has a test of its own
		}
		body := c.body
		if strings.Contains(c.model, "command-text") {
			body = strings.Replace(body, "{", `{"stream":true,`, 1)
		}
		r := b.post(c.model, "invoke-with-response-stream", body)
		all, err := frames(bytes.NewReader(r.body))
		if err != nil || r.status != 200 {
			t.Errorf("%s: %d %v %s", c.model, r.status, err, r.body)
			continue
		}
		said := ""
		var last tree
		for _, f := range all {
			inner, err := base64.StdEncoding.DecodeString(parse(t, f.payload).at("bytes").(string))
			if err != nil {
				t.Fatal(err)
			}
			last = parse(t, inner)
			said += streamedText(last)
		}
		equal(t, said, c.want)
		if last.at("amazon-bedrock-invocationMetrics.outputTokenCount") == nil {
			t.Errorf("%s: no metrics", c.model)
		}
	}
}

// streamedText is the piece of the answer in one object, whatever the family.
func streamedText(o tree) string {
	for _, at := range []string{
		"generation", "outputText", "outputs.0.text", "completion", "choices.0.text", "choices.0.delta.content", "contentBlockDelta.delta.text", "message",
	} {
		if s, ok := o.at(at).(string); ok {
			return s
		}
	}
	if s, ok := o.at("text").(string); ok {
		return s
	}
	return ""
}

func TestInvokeFamiliesRefuse(t *testing.T) {
	b := open(t)
	f := func(model, operation, body, part string) {
		t.Helper()
		r := b.post(model, operation, body)
		equal(t, r.status, 400)
		contains(t, fmt.Sprint(r.tree(t).at("message")), part)
	}
	f(llama3, "invoke", `{"prompt":""}`, "#/prompt")
	f(llama3, "invoke", `{"prompt":"x","max_tokens":5}`, "extraneous key [max_tokens] is not permitted")
	f(llama3, "invoke", `{"prompt":"x","max_gen_len":99999}`, "#/max_gen_len")
	f(llama3, "invoke", `{"prompt":"x","temperature":2}`, "#/temperature")
	f(llama3, "invoke", `{"prompt":5}`, "#/prompt")
	f("mistral.mixtral-8x7b-instruct-v0:1", "invoke", `{"prompt":"hi"}`, "must hold [INST]")
	f("anthropic.claude-v2", "invoke", `{"prompt":"hi","max_tokens_to_sample":5}`, "prompt must start with")
	f("anthropic.claude-v2", "invoke", `{"prompt":"\n\nHuman: hi","max_tokens_to_sample":5}`, "prompt must end with")
	f("anthropic.claude-v2", "invoke", `{"prompt":"\n\nHuman: hi\n\nAssistant:"}`, "required key [max_tokens_to_sample] not found")
	f("amazon.titan-text-express-v1", "invoke", `{"inputText":"hi","textGenerationConfig":{"stopSequences":["END"]}}`, "#/textGenerationConfig/stopSequences/0")
	f("cohere.command-text-v14", "invoke-with-response-stream", `{"prompt":"hi"}`, "#/stream")
	f("cohere.command-r-v1:0", "invoke", `{"message":""}`, "message must be at least 1 token long")
	f("cohere.command-r-v1:0", "invoke", `{"message":"hi","tools":[{"name":"f","description":"d","parameter_definitions":{"a":{"type":"string"}}}]}`, "#/tools/0/parameter_definitions")
	f("ai21.j2-mid-v1", "invoke-with-response-stream", `{"prompt":"hi"}`, "unsupported for streaming")
	f("us.deepseek.r1-v1:0", "invoke", `{"prompt":"x","stop":["1","2","3","4","5","6","7","8","9","10","11"]}`, "#/stop")
	f(novaPro, "invoke", `{"messages":[{"role":"user","content":[{"text":"hi"}]}],"foo":1}`, "extraneous key [foo] is not permitted")
	f(novaPro, "invoke", `{"messages":[{"role":"assistant","content":[{"text":"hi"}]}]}`, "must start with a user message")
	f("qwen.qwen3-32b-v1:0", "invoke", `{"messages":[{"role":"tool","tool_call_id":"x","content":"y"}]}`, "must be a response to a preceding message")
	f("qwen.qwen3-32b-v1:0", "invoke", `{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://x/y.png"}}]}]}`, "#/messages/0/content/0/image_url/url")
	f("qwen.qwen3-32b-v1:0", "invoke", `{"messages":[{"role":"user","content":"hi"}],"cache":true}`, "extraneous key [cache]")
	f("us.twelvelabs.pegasus-1-2-v1:0", "invoke", `{"inputPrompt":"hi","mediaSource":{}}`, "#/mediaSource")
}

func TestInvokeFamiliesCallTools(t *testing.T) {
	b := open(t)
	got := b.post("cohere.command-r-v1:0", "invoke", `{"message":"call get_weather","tools":[{"name":"get_weather","description":"d","parameter_definitions":{"city":{"type":"str","required":true}}}]}`).tree(t)
	equal(t, got.at("tool_calls.0.parameters.city"), any("sim city"))
	got = b.post("cohere.command-r-v1:0", "invoke", `{"message":"","tool_results":[{"call":{"name":"get_weather","parameters":{}},"outputs":[{"result":"5 C"}]}]}`).tree(t)
	contains(t, fmt.Sprint(got.at("text")), "5 C")
	equal(t, got.at("citations.0.document_ids.0"), any("tool:0"))
	const tools = `,"tools":[{"type":"function","function":{"name":"get_weather","parameters":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}}}]`
	got = b.post("qwen.qwen3-32b-v1:0", "invoke", `{"messages":[{"role":"user","content":"call get_weather"}]`+tools+`}`).tree(t)
	equal(t, got.at("choices.0.finish_reason"), any("tool_calls"))
	contains(t, fmt.Sprint(got.at("choices.0.message.tool_calls.0.function.arguments")), "sim city")
	got = b.post("qwen.qwen3-32b-v1:0", "invoke", `{"messages":[{"role":"user","content":"hi"}],"reasoning_effort":"low","response_format":{"type":"json_schema","json_schema":{"schema":{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}}}}`).tree(t)
	contains(t, fmt.Sprint(got.at("choices.0.message.content")), `"a"`)
	contains(t, fmt.Sprint(got.at("choices.0.message.reasoning_content")), "Let me think")
}

func TestInvokeGuardrailOfFamilies(t *testing.T) {
	b := open(t)
	for _, body := range []struct{ model, body string }{
		{llama3, `{"prompt":"user<|end_header_id|>\n\n[[guardrail]]<|eot_id|>"}`},
		{"qwen.qwen3-32b-v1:0", `{"messages":[{"role":"user","content":"[[guardrail]]"}]}`},
		{novaPro, `{"messages":[{"role":"user","content":[{"text":"[[guardrail]]"}]}]}`},
	} {
		got := b.post(body.model, "invoke", body.body, "X-Amzn-Bedrock-GuardrailIdentifier", "g", "X-Amzn-Bedrock-GuardrailVersion", "1").tree(t)
		equal(t, got.at("amazon-bedrock-guardrailAction"), any("INTERVENED"))
	}
}

// FuzzInvoke reads bodies of every family: whatever comes is an answer or a refusal.
func FuzzInvoke(f *testing.F) {
	for _, c := range bodies {
		f.Add(c.model, c.body)
	}
	s := New(Options{})
	f.Cleanup(s.Close)
	f.Fuzz(func(t *testing.T, model, body string) {
		family := familyOf(model, []byte(body))
		if family == nil {
			return
		}
		p, refused := family.read(model, []byte(body))
		if refused != nil {
			if refused.status != 400 || refused.message == "" {
				t.Errorf("%+v", refused)
			}
			return
		}
		d := newDice(0, opInvoke, []byte(model), []byte(body))
		a := s.compose(p, d, nil, 5)
		if !json.Valid(mustJSON(family.write(p, a, d))) {
			t.Error("no JSON")
		}
		if table, ok := family.(*promptFamily); !ok || !table.silent {
			family.stream(p, a, d)
		}
	})
}
