package gateway

import "testing"

// TestEveryLeafOfAnthropicsSchemaHasAFate sends each leaf of the body of Anthropic's "Create a Message" alone, in the order
// of its reference, to Claude in the client's own words: it is mapped, refused or named, as its row says. The same request
// without the leaf must come out otherwise: a leaf that does nothing fails.
func TestEveryLeafOfAnthropicsSchemaHasAFate(t *testing.T) {
	g := newListener(t, "us.anthropic.claude-opus-4-5-20251101-v1:0")
	g.path, g.header = "/v1/messages", anthropicHeader()
	g.plain = `{"id":"msg_1","type":"message","role":"assistant","model":"c","content":[{"type":"text","text":"ok"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":2}}`
	g.stream = `chunk {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"c","content":[],"stop_reason":null,"usage":{"input_tokens":1,"output_tokens":1}}}
chunk {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}}
chunk {"type":"message_stop"}
`
	f := func(path, request string, want fate, evidence string) {
		t.Helper()
		if path != "model" {
			request = `"model":"sonnet",` + request
		}
		g.checkLeaf(t, path, `{`+request+`}`, want, evidence)
	}
	const (
		png    = `{"type":"base64","media_type":"image/png","data":"iVBORw0KGgoAAAANSUhEUg=="}`
		pdf    = `{"type":"base64","media_type":"application/pdf","data":"JVBERi0xLjQK"}`
		schema = `"input_schema":{"type":"object"}`
	)
	tool := func(members string) string { return hi(`"tools":[{"name":"f",` + schema + `,` + members + `}]`) }
	history := func(said, result string) string {
		return `"tools":[{"name":"f",` + schema + `}],` + says(`{"role":"user","content":"hi"},{"role":"assistant","content":[`+said+`]},{"role":"user","content":[`+result+`]}`)
	}
	const (
		use    = `{"type":"tool_use","id":"t1","name":"f","input":{"a":1}}`
		result = `{"type":"tool_result","tool_use_id":"t1","content":"done"}`
	)
	f("model", hi(`"model":"sonnet"`), answered, `"model":"sonnet"`)
	f("max_tokens", hi(`"max_tokens":7`), mapped, `"max_tokens":7`)
	// messages
	f("messages[0].content", says(`{"role":"user","content":"hi"}`), mapped, `{"role":"user","content":"hi"}`)
	f("messages[0].role", says(`{"role":"user","content":"hi"}`), mapped, `{"role":"user","content":"hi"}`)
	f("messages[0].content[1].text", part(`{"type":"text","text":"you"}`), mapped, `{"type":"text","text":"you"}`)
	f("messages[0].content[1].type", part(`{"type":"text","text":"you"}`), mapped, `{"type":"text","text":"you"}`)
	f("messages[0].content[1].cache_control.type", part(`{"type":"text","text":"you","cache_control":{"type":"ephemeral"}}`), mapped, `"cache_control":{"type":"ephemeral"}`)
	f("messages[0].content[1].cache_control.ttl", part(`{"type":"text","text":"you","cache_control":{"type":"ephemeral","ttl":"1h"}}`), mapped, `"ttl":"1h"`)
	f("messages[0].content[1].cache_control.scope", part(`{"type":"text","text":"you","cache_control":{"type":"ephemeral","scope":"global"}}`), named, "messages[0].content[1].cache_control.scope")
	f("messages[0].content[1].citations", part(`{"type":"text","text":"you","citations":[{"type":"char_location","cited_text":"a","document_index":0,"document_title":null,"start_char_index":0,"end_char_index":1}]}`), mapped, `"cited_text":"a"`)
	f("messages[0].content[1].brand_new", part(`{"type":"text","text":"you","brand_new":1}`), named, "messages[0].content[1].brand_new")
	f("messages[0].content[1].source.data", part(`{"type":"image","source":`+png+`}`), mapped, png)
	f("messages[0].content[1].source.media_type", part(`{"type":"image","source":`+png+`}`), mapped, png)
	f("messages[0].content[1].source.type", part(`{"type":"image","source":`+png+`}`), mapped, png)
	f("messages[0].content[1].source.url", part(`{"type":"image","source":{"type":"url","url":"http://127.0.0.1/x.png"}}`), refused, "messages[0].content[1]")
	f("messages[0].content[1].source.file_id", part(`{"type":"image","source":{"type":"file","file_id":"file_1"}}`), refused, "messages[0].content[1].source.file_id")
	f("messages[0].content[1].source.data", part(`{"type":"document","source":`+pdf+`}`), mapped, pdf)
	f("messages[0].content[1].source.data", part(`{"type":"document","source":{"type":"text","media_type":"text/plain","data":"words"}}`), mapped, `"data":"words"`)
	f("messages[0].content[1].source.content", part(`{"type":"document","source":{"type":"content","content":[{"type":"text","text":"piece"}]}}`), mapped, `{"type":"text","text":"piece"}`)
	f("messages[0].content[1].title", part(`{"type":"document","source":`+pdf+`,"title":"Report"}`), mapped, `"title":"Report"`)
	f("messages[0].content[1].context", part(`{"type":"document","source":`+pdf+`,"context":"old"}`), mapped, `"context":"old"`)
	f("messages[0].content[1].citations.enabled", part(`{"type":"document","source":`+pdf+`,"citations":{"enabled":true}}`), mapped, `"citations":{"enabled":true}`)
	for _, member := range []string{`"source":"https://x"`, `"title":"found"`, `"content":[{"type":"text","text":"words"}]`} {
		f("messages[0].content[1]", part(`{"type":"search_result","source":"https://x","title":"found","content":[{"type":"text","text":"words"}]}`), mapped, member)
	}
	f("messages[1].content[0].id", history(use, result), mapped, use)
	f("messages[1].content[0].name", history(use, result), mapped, use)
	f("messages[1].content[0].input", history(use, result), mapped, use)
	f("messages[1].content[0].caller", history(`{"type":"tool_use","id":"t1","name":"f","input":{"a":1},"caller":{"type":"direct"}}`, result), named, "messages[1].content[0].caller")
	f("messages[2].content[0].tool_use_id", history(use, result), mapped, result)
	f("messages[2].content[0].content", history(use, result), mapped, result)
	f("messages[2].content[0].content[0].text", history(use, `{"type":"tool_result","tool_use_id":"t1","content":[{"type":"text","text":"done"}]}`), mapped, `[{"type":"text","text":"done"}]`)
	f("messages[2].content[0].content[0].source.data", history(use, `{"type":"tool_result","tool_use_id":"t1","content":[{"type":"image","source":`+png+`}]}`), mapped, png)
	f("messages[2].content[0].is_error", history(use, `{"type":"tool_result","tool_use_id":"t1","content":"no","is_error":true}`), mapped, `"is_error":true`)
	f("messages[1].content[0].thinking", history(`{"type":"thinking","thinking":"hm","signature":"U0lH"},`+use, result), mapped, `{"type":"thinking","thinking":"hm","signature":"U0lH"}`)
	f("messages[1].content[0].signature", history(`{"type":"thinking","thinking":"hm","signature":"U0lH"},`+use, result), mapped, `"signature":"U0lH"`)
	f("messages[1].content[0].data", history(`{"type":"redacted_thinking","data":"cmVk"},`+use, result), mapped, `{"type":"redacted_thinking","data":"cmVk"}`)
	f("messages[1].content[0]", history(`{"type":"server_tool_use","id":"s1","name":"web_search","input":{}},`+use, result), mapped, `"server_tool_use"`)
	f("messages[0].output_config", says(`{"role":"user","content":"hi","output_config":{"effort":"low"}}`), named, "messages[0].output_config")
	// system
	f("system", hi(`"system":"be"`), mapped, `"system":"be"`)
	f("system[0].text", hi(`"system":[{"type":"text","text":"be"}]`), mapped, `"system":[{"type":"text","text":"be"}]`)
	f("system[0].cache_control.ttl", hi(`"system":[{"type":"text","text":"be","cache_control":{"type":"ephemeral","ttl":"1h"}}]`), mapped, `"ttl":"1h"`)
	f("system[0].cache_control.scope", hi(`"system":[{"type":"text","text":"be","cache_control":{"type":"ephemeral","scope":"org"}}]`), named, "system[0].cache_control.scope")
	// tools
	f("tools[0].name", hi(`"tools":[{"name":"f",`+schema+`}]`), mapped, `"name":"f"`)
	f("tools[0].input_schema", hi(`"tools":[{"name":"f","input_schema":{"type":"object","properties":{"a":{}}}}]`), mapped, `"properties":{"a":{}}`)
	f("tools[0].description", tool(`"description":"does"`), mapped, `"description":"does"`)
	f("tools[0].type", tool(`"type":"custom"`), mapped, `"type":"custom"`)
	f("tools[0].strict", tool(`"strict":true`), mapped, `"strict":true`)
	f("tools[0].cache_control.type", tool(`"cache_control":{"type":"ephemeral"}`), mapped, `"cache_control":{"type":"ephemeral"}`)
	f("tools[0].eager_input_streaming", tool(`"eager_input_streaming":true`), named, "tools[0].eager_input_streaming")
	f("tools[0].allowed_callers", tool(`"allowed_callers":["direct"]`), named, "tools[0].allowed_callers")
	f("tools[0].input_examples", tool(`"input_examples":[{}]`), named, "tools[0].input_examples")
	f("tools[0].defer_loading", tool(`"defer_loading":true`), named, "tools[0].defer_loading")
	f("tools[0].defer_loading", hi(`"tools":[{"name":"f",`+schema+`,"defer_loading":true},{"type":"tool_search_tool_bm25_20251119","name":"tool_search_tool_bm25"}]`), mapped, `"defer_loading":true`)
	f("tools[1].type", hi(`"tools":[{"name":"f",`+schema+`},{"type":"bash_20250124","name":"bash"}]`), mapped, `"bash_20250124"`)
	f("tools[1].display_width_px", hi(`"tools":[{"name":"f",`+schema+`},{"type":"computer_20250124","name":"computer","display_width_px":800,"display_height_px":600}]`), mapped, `"display_width_px":800`)
	f("tools[0].type", hi(`"tools":[{"type":"web_search_20250305","name":"web_search","max_uses":3}]`), refused, "tools[0].type")
	f("tools[0].type", hi(`"tools":[{"type":"web_fetch_20250910","name":"web_fetch"}]`), refused, "tools[0].type")
	f("tools[0].type", hi(`"tools":[{"type":"code_execution_20250825","name":"code_execution"}]`), refused, "tools[0].type")
	f("tool_choice.type", tool(`"strict":true`)+`,"tool_choice":{"type":"any"}`, mapped, `"tool_choice":{"type":"any"}`)
	f("tool_choice.name", tool(`"strict":true`)+`,"tool_choice":{"type":"tool","name":"f"}`, mapped, `"tool_choice":{"type":"tool","name":"f"}`)
	f("tool_choice.disable_parallel_tool_use", tool(`"strict":true`)+`,"tool_choice":{"type":"auto","disable_parallel_tool_use":true}`, mapped, `"disable_parallel_tool_use":true`)
	// parameters
	f("temperature", hi(`"temperature":0.5`), mapped, `"temperature":0.5`)
	f("top_p", hi(`"top_p":0.5`), mapped, `"top_p":0.5`)
	f("top_k", hi(`"top_k":5`), mapped, `"top_k":5`)
	f("stop_sequences[0]", hi(`"stop_sequences":["END"]`), mapped, `"stop_sequences":["END"]`)
	f("stream", hi(`"stream":true`), answered, "event: message_start")
	f("thinking.type", hi(`"max_tokens":3000,"thinking":{"type":"enabled","budget_tokens":2000}`), mapped, `"thinking":{"type":"enabled","budget_tokens":2000}`)
	f("thinking.budget_tokens", hi(`"max_tokens":3000,"thinking":{"type":"enabled","budget_tokens":2000}`), mapped, `"budget_tokens":2000`)
	f("thinking.display", hi(`"max_tokens":3000,"thinking":{"type":"enabled","budget_tokens":2000,"display":"omitted"}`), mapped, `"display":"omitted"`)
	f("metadata.user_id", hi(`"metadata":{"user_id":"ann"}`), booked, "user ann")
	f("service_tier", hi(`"service_tier":"standard_only"`), header, "X-Amzn-Bedrock-Service-Tier: default")
	f("output_config.effort", hi(`"output_config":{"effort":"low"}`), mapped, `"output_config":{"effort":"low"}`)
	f("output_config.format.schema", hi(`"output_config":{"format":{"type":"json_schema","schema":{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}}}`), mapped, `"format":{"type":"json_schema","schema":`)
	f("output_format.schema", hi(`"output_format":{"type":"json_schema","schema":{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}}`), mapped, `"format":{"type":"json_schema","schema":`)
	f("context_management.edits", hi(`"context_management":{"edits":[{"type":"clear_tool_uses_20250919"}]}`), mapped, `"context_management":{"edits":[{"type":"clear_tool_uses_20250919"}]}`)
	f("cache_control", hi(`"cache_control":{"type":"ephemeral"}`), mapped, `"cache_control":{"type":"ephemeral"}`)
	f("anthropic_beta[0]", hi(`"anthropic_beta":["token-efficient-tools-2025-02-19"]`), mapped, `"anthropic_beta":["token-efficient-tools-2025-02-19"]`)
	f("container", hi(`"container":"c"`), refused, "container")
	f("mcp_servers[0].url", hi(`"mcp_servers":[{"type":"url","name":"x","url":"https://x"}]`), refused, "mcp_servers")
	f("inference_geo", hi(`"inference_geo":"us"`), refused, "inference_geo")
	f("speed", hi(`"speed":"fast"`), named, "speed")
	f("user_profile_id", hi(`"user_profile_id":"u"`), named, "user_profile_id")
	f("brand_new", hi(`"brand_new":{"a":1}`), mapped, `"brand_new":{"a":1}`)
}
