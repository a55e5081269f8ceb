package gateway

import (
	"encoding/json"
	"testing"
)

// asks has a member beside a plain input, items is an input of a user's message and further items.
func asks(member string) string { return `"input":"hi",` + member }

func items(list string) string { return `"input":[{"role":"user","content":"hi"},` + list + `]` }

const (
	leafFunction  = `"tools":[{"type":"function","name":"f","parameters":null,"strict":null}]`
	leafCallItem  = `{"type":"function_call","id":"fc_1","call_id":"c1","name":"f","arguments":"{\"a\":1}","status":"completed"}`
	leafOutput    = `{"type":"function_call_output","id":"fco_1","call_id":"c1","output":"done","status":"completed"}`
	leafReasoning = `{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"oc1.eyJ0ZXh0IjoiSSB0aGluay4iLCJzaWduYXR1cmUiOiJzaWctMSJ9"}`
)

// TestEveryLeafOfTheResponsesSchemaHasAFate sends each leaf of the body of OpenAI's "Create a model response" alone: it is
// mapped, passed, refused or named, as its row says. The same request without the leaf must come out otherwise.
func TestEveryLeafOfTheResponsesSchemaHasAFate(t *testing.T) {
	g := newListener(t, "us.anthropic.claude-3-7-sonnet-20250219-v1:0")
	g.path = "/v1/responses"
	f := func(path, request string, want fate, evidence string) {
		t.Helper()
		if path != "model" {
			request = `"model":"sonnet",` + request
		}
		g.checkLeaf(t, path, `{`+request+`}`, want, evidence)
	}
	f("model", asks(`"model":"sonnet"`), answered, `"model":"sonnet"`)
	// input
	f("input", `"input":"hi","instructions":"be"`, mapped, `{"role":"user","content":[{"text":"hi"}]}`)
	f("input[0].role", `"input":[{"role":"developer","content":"be"},{"role":"user","content":"hi"}]`, mapped, `"system":[{"text":"be"}]`)
	f("input[0].content", `"input":[{"role":"system","content":"be"},{"role":"user","content":"hi"}]`, mapped, `"system":[{"text":"be"}]`)
	f("input[0].type", `"input":[{"type":"message","role":"user","content":"hi"}]`, implied, "")
	f("input[1].status", items(`{"type":"message","id":"msg_1","status":"completed","role":"assistant","content":[{"type":"output_text","text":"ok"}]},{"role":"user","content":"go"}`), implied, "")
	f("input[1].id", items(`{"type":"message","id":"msg_1","role":"assistant","content":[{"type":"output_text","text":"ok"}]},{"role":"user","content":"go"}`), implied, "")
	f("input[1].phase", items(`{"role":"assistant","content":"ok","phase":"commentary"},{"role":"user","content":"go"}`), named, "input[1].phase")
	f("input[1].content[0].text", items(`{"role":"assistant","content":[{"type":"output_text","text":"ok"}]},{"role":"user","content":"go"}`), mapped, `{"text":"ok"}`)
	f("input[1].content[0].annotations", items(`{"role":"assistant","content":[{"type":"output_text","text":"ok","annotations":[]}]},{"role":"user","content":"go"}`), implied, "")
	f("input[1].content[0].logprobs", items(`{"role":"assistant","content":[{"type":"output_text","text":"ok","logprobs":[]}]},{"role":"user","content":"go"}`), implied, "")
	f("input[1].content[0].refusal", items(`{"role":"assistant","content":[{"type":"refusal","refusal":"no"}]},{"role":"user","content":"go"}`), mapped, `{"text":"no"}`)
	f("input[1].content[0].text", items(`{"role":"user","content":[{"type":"input_text","text":"you"}]}`), mapped, `{"text":"you"}`)
	f("input[1].content[0].prompt_cache_breakpoint", items(`{"role":"user","content":[{"type":"input_text","text":"you","prompt_cache_breakpoint":{"mode":"explicit"}}]}`), named, "input[1].content[0].prompt_cache_breakpoint")
	f("input[1].content[0].image_url", items(`{"role":"user","content":[{"type":"input_image","image_url":`+leafImage+`}]}`), mapped, `{"image":{"format":"png","source":{"bytes":"iVBORw0KGgoAAAANSUhEUg=="}}}`)
	f("input[1].content[0].detail", items(`{"role":"user","content":[{"type":"input_image","image_url":`+leafImage+`,"detail":"high"}]}`), named, "input[1].content[0].detail")
	f("input[1].content[0].file_id", items(`{"role":"user","content":[{"type":"input_image","file_id":"file_1"}]}`), refused, "input[1].content[0].file_id")
	f("input[1].content[0].file_data", items(`{"role":"user","content":[{"type":"input_file","file_data":`+leafPDF+`,"filename":"a.pdf"}]}`), mapped, `{"document":{"format":"pdf","name":"a","source":{"bytes":"JVBERi0xLjQK"}}}`)
	f("input[1].content[0].filename", items(`{"role":"user","content":[{"type":"input_file","file_data":`+leafPDF+`,"filename":"a.pdf"}]}`), mapped, `"name":"a"`)
	f("input[1].content[0].file_url", items(`{"role":"user","content":[{"type":"input_file","file_url":"http://127.0.0.1:1/a.pdf"}]}`), refused, "input[1].content[0]")
	f("input[1].content[0].input_audio", items(`{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"AAAA","format":"mp3"}}]}`), refused, "input[1].content[0]")
	f("input[1].call_id", leafFunction+`,`+items(leafCallItem+`,`+leafOutput), mapped, `"toolUse":{"toolUseId":"c1"`)
	f("input[1].name", leafFunction+`,`+items(leafCallItem+`,`+leafOutput), mapped, `"toolUseId":"c1","name":"f"`)
	f("input[1].arguments", leafFunction+`,`+items(leafCallItem+`,`+leafOutput), mapped, `"input":{"a":1}`)
	f("input[1].id", leafFunction+`,`+items(leafCallItem+`,`+leafOutput), implied, "")
	f("input[1].status", leafFunction+`,`+items(leafCallItem+`,`+leafOutput), implied, "")
	f("input[1].namespace", leafFunction+`,`+items(`{"type":"function_call","call_id":"c1","name":"f","namespace":"n","arguments":"{}"},`+leafOutput), mapped, `"name":"n__f"`)
	f("input[1].caller", leafFunction+`,`+items(`{"type":"function_call","call_id":"c1","name":"f","arguments":"{}","caller":{"type":"direct"}},`+leafOutput), named, "input[1].caller")
	f("input[1].async", leafFunction+`,`+items(`{"type":"function_call","call_id":"c1","name":"f","arguments":"{}","async":true},`+leafOutput), named, "input[1].async")
	f("input[2].call_id", leafFunction+`,`+items(leafCallItem+`,`+leafOutput), mapped, `{"toolResult":{"toolUseId":"c1","content":[{"text":"done"}]}}`)
	f("input[2].output", leafFunction+`,`+items(leafCallItem+`,`+leafOutput), mapped, `{"toolResult":{"toolUseId":"c1","content":[{"text":"done"}]}}`)
	f("input[2].output[0].text", leafFunction+`,`+items(leafCallItem+`,{"type":"function_call_output","call_id":"c1","output":[{"type":"input_text","text":"done"}]}`), mapped, `{"toolResult":{"toolUseId":"c1","content":[{"text":"done"}]}}`)
	f("input[2].caller", leafFunction+`,`+items(leafCallItem+`,{"type":"function_call_output","call_id":"c1","output":"done","caller":{"type":"direct"}}`), named, "input[2].caller")
	f("input[1].input", leafFunction+`,`+items(`{"type":"custom_tool_call","call_id":"c1","name":"p","input":"text"},{"type":"custom_tool_call_output","call_id":"c1","output":"done"}`), mapped, `"name":"p","input":{"input":"text"}`)
	f("input[2].output", leafFunction+`,`+items(`{"type":"custom_tool_call","call_id":"c1","name":"p","input":"text"},{"type":"custom_tool_call_output","call_id":"c1","output":"done"}`), mapped, `{"toolResult":{"toolUseId":"c1","content":[{"text":"done"}]}}`)
	f("input[1].action.command[0]", leafFunction+`,`+items(`{"type":"local_shell_call","id":"l1","call_id":"c1","status":"completed","action":{"type":"exec","command":["ls"],"env":{}}},{"type":"local_shell_call_output","id":"c1","output":"done"}`), mapped, `"name":"local_shell","input":{"command":["ls"],"env":{}}`)
	f("input[1].encrypted_content", `"reasoning":{"effort":"low"},`+items(leafReasoning+`,{"role":"assistant","content":"ok"},{"role":"user","content":"go"}`), mapped, `{"reasoningContent":{"reasoningText":{"text":"I think.","signature":"sig-1"}}}`)
	f("input[1].encrypted_content", items(`{"type":"reasoning","summary":[],"encrypted_content":"gAAAA"},{"role":"user","content":"go"}`), named, "input[1].encrypted_content")
	f("input[1].summary[0].text", items(`{"type":"reasoning","summary":[{"type":"summary_text","text":"hm"}]},{"role":"user","content":"go"}`), named, "input[1]")
	f("input[1].content[0].text", items(`{"type":"reasoning","summary":[],"content":[{"type":"reasoning_text","text":"hm"}]},{"role":"user","content":"go"}`), named, "input[1]")
	for _, kind := range []string{
		"item_reference", "web_search_call", "file_search_call", "computer_call", "computer_call_output", "code_interpreter_call", "image_generation_call",
		"mcp_call", "mcp_list_tools", "mcp_approval_request", "mcp_approval_response", "shell_call", "shell_call_output", "apply_patch_call",
		"apply_patch_call_output", "tool_search_call", "tool_search_output", "compaction", "additional_tools", "program", "program_output",
	} {
		f("input[1]", items(`{"type":"`+kind+`","id":"x"}`), refused, "input[1].type")
	}
	// parameters
	f("access_programs.cyber", asks(`"access_programs":{"cyber":"standard"}`), refused, "access_programs")
	f("background", asks(`"background":true`), refused, "background")
	f("background_options.completion_window", asks(`"background_options":{"completion_window":"2h"}`), refused, "background_options")
	f("context_management[0].type", asks(`"context_management":[{"type":"compaction","compact_threshold":1000}]`), named, "context_management")
	f("conversation", asks(`"conversation":"conv_1"`), refused, "conversation")
	f("conversation.id", asks(`"conversation":{"id":"conv_1"}`), refused, "conversation")
	f("image.context_compression", asks(`"image":{"context_compression":"auto"}`), refused, "image")
	f("include[0]", asks(`"include":["file_search_call.results"]`), named, "include[0]")
	f("include[0]", asks(`"include":["message.output_text.logprobs"]`), refused, "include")
	f("instructions", asks(`"instructions":"be"`), mapped, `"system":[{"text":"be"}]`)
	f("max_output_tokens", asks(`"max_output_tokens":7`), mapped, `"inferenceConfig":{"maxTokens":7}`)
	f("max_tool_calls", asks(`"max_tool_calls":7`), named, "max_tool_calls")
	f("metadata.topic", asks(`"metadata":{"topic":"x"}`), answered, `"metadata":{"topic":"x"}`)
	f("metadata.tags", asks(`"metadata":{"tags":["t"]}`), booked, "tags [t]")
	f("moderation.model", asks(`"moderation":{"model":"omni-moderation-latest"}`), refused, "moderation")
	f("parallel_tool_calls", asks(leafFunction+`,"parallel_tool_calls":false`), mapped, `"disable_parallel_tool_use":true`)
	f("previous_response_id", asks(`"previous_response_id":"resp_1"`), refused, "previous_response_id")
	f("prompt.id", asks(`"prompt":{"id":"pmpt_1"}`), refused, "prompt")
	f("prompt_cache_key", asks(`"prompt_cache_key":"k"`), answered, `"prompt_cache_key":"k"`)
	f("prompt_cache_options.mode", asks(`"prompt_cache_options":{"mode":"implicit"}`), named, "prompt_cache_options")
	f("prompt_cache_retention", asks(`"prompt_cache_retention":"24h"`), named, "prompt_cache_retention")
	f("reasoning.effort", asks(`"reasoning":{"effort":"low"}`), mapped, `"thinking":{"type":"enabled","budget_tokens":1024}`)
	f("reasoning.summary", asks(`"reasoning":{"effort":"low","summary":"auto"}`), answered, `"summary":"auto"`)
	f("reasoning.generate_summary", asks(`"reasoning":{"effort":"low","generate_summary":"auto"}`), answered, `"generate_summary":"auto"`)
	f("reasoning.context", asks(`"reasoning":{"effort":"low","context":"auto"}`), named, "reasoning.context")
	f("reasoning.mode", asks(`"reasoning":{"effort":"low","mode":"pro"}`), named, "reasoning.mode")
	f("safety_identifier", asks(`"safety_identifier":"u1"`), booked, "user u1")
	f("service_tier", asks(`"service_tier":"flex"`), mapped, `"serviceTier":{"type":"flex"}`)
	f("store", asks(`"store":false`), answered, `"store":false`)
	f("stream", asks(`"stream":true`), answered, "event: response.completed")
	f("stream_options.include_obfuscation", asks(`"stream":true,"stream_options":{"include_obfuscation":true}`), named, "stream_options.include_obfuscation")
	f("temperature", asks(`"temperature":0.5`), mapped, `"temperature":0.5`)
	f("text", asks(`"text":{"format":{"type":"text"}}`), implied, "")
	f("text.format.schema", asks(`"text":{"format":{"type":"json_schema","name":"n","schema":{"type":"object"}}}`), mapped, `"json":{"type":"object"}`)
	f("text.format.name", asks(`"text":{"format":{"type":"json_schema","name":"n","schema":{"type":"object"}}}`), mapped, `"description":"n"`)
	f("text.format.description", asks(`"text":{"format":{"type":"json_schema","name":"n","description":"does it","schema":{"type":"object"}}}`), mapped, `"description":"does it"`)
	f("text.format.strict", asks(`"text":{"format":{"type":"json_schema","name":"n","strict":true,"schema":{"type":"object"}}}`), named, "text.format.strict")
	f("text.verbosity", asks(`"text":{"verbosity":"low"}`), refused, "text.verbosity")
	f("tool_choice", asks(leafFunction+`,"tool_choice":"required"`), mapped, `"toolChoice":{"any":{}}`)
	f("tool_choice.name", asks(leafFunction+`,"tool_choice":{"type":"function","name":"f"}`), mapped, `"toolChoice":{"tool":{"name":"f"}}`)
	f("tool_choice.mode", asks(leafFunction+`,"tool_choice":{"type":"allowed_tools","mode":"required","tools":[{"type":"function","name":"f"}]}`), mapped, `"toolChoice":{"any":{}}`)
	f("tool_choice.type", asks(leafFunction+`,"tool_choice":{"type":"web_search_preview"}`), refused, "tool_choice.type")
	f("tools[0].name", asks(leafFunction), mapped, `"toolSpec":{"name":"f"`)
	f("tools[0].description", asks(`"tools":[{"type":"function","name":"f","description":"does it","parameters":null,"strict":null}]`), mapped, `"description":"does it"`)
	f("tools[0].parameters", asks(`"tools":[{"type":"function","name":"f","parameters":{"type":"object","properties":{"a":{"type":"string"}}},"strict":null}]`), mapped, `"json":{"type":"object","properties":{"a":{"type":"string"}}}`)
	f("tools[0].strict", asks(`"tools":[{"type":"function","name":"f","parameters":null,"strict":true}]`), mapped, `"strict":true`)
	for _, member := range []string{`"defer_loading":true`, `"allowed_callers":["direct"]`, `"output_schema":{}`, `"async":true`} {
		var name map[string]json.RawMessage
		_ = json.Unmarshal([]byte(`{`+member+`}`), &name)
		for key := range name {
			f("tools[0]."+key, asks(`"tools":[{"type":"function","name":"f","parameters":null,"strict":null,`+member+`}]`), named, "tools[0]."+key)
		}
	}
	f("tools[0].description", asks(`"tools":[{"type":"custom","name":"c","description":"does it"}]`), mapped, `"description":"does it"`)
	f("tools[0].format", asks(`"tools":[{"type":"custom","name":"c","format":{"type":"grammar","syntax":"lark","definition":"start: X"}}]`), named, "tools[0].format")
	f("tools[0].tools[0].name", asks(`"tools":[{"type":"namespace","name":"n","description":"d","tools":[{"type":"function","name":"f"},{"type":"function","name":"g"}]}]`), mapped, `"name":"n__f"`)
	f("tools[0].description", asks(`"tools":[{"type":"namespace","name":"n","description":"about n","tools":[{"type":"function","name":"f"}]}]`), mapped, `"description":"about n"`)
	f("tools[0].tools[0].strict", asks(`"tools":[{"type":"namespace","name":"n","description":"d","tools":[{"type":"function","name":"f","strict":true}]}]`), mapped, `"strict":true`)
	f("tools[0]", asks(`"tools":[{"type":"local_shell"}]`), mapped, `"name":"local_shell"`)
	for _, kind := range []string{
		"file_search", "computer", "computer_use_preview", "web_search", "web_search_preview", "mcp", "code_interpreter", "programmatic_tool_calling",
		"image_generation", "shell", "tool_search", "apply_patch",
	} {
		f("tools[0]", asks(`"tools":[{"type":"`+kind+`"}]`), refused, "tools[0]")
	}
	f("tools[1]", asks(`"tools":[{"type":"function","name":"f","parameters":null,"strict":null},{"type":"web_search","external_web_access":true}]`), named, "tools[1]")
	f("tools[1]", asks(`"tools":[{"type":"function","name":"f","parameters":null,"strict":null},{"type":"code_interpreter","container":"c"}]`), refused, "tools[1]")
	f("top_logprobs", asks(`"top_logprobs":3`), refused, "include")
	f("top_p", asks(`"top_p":0.5`), mapped, `"topP":0.5`)
	f("truncation", asks(`"truncation":"auto"`), named, "truncation")
	f("user", asks(`"user":"ann"`), booked, "user ann")
	// of no schema of OpenAI's
	f("brand_new", asks(`"brand_new":{"a":[1,2]}`), passed, `{"a":[1,2]}`)
}
