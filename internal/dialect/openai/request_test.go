package openai

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/outcrop-ai/outcrop/llm"
)

func TestBadInputNamesTheField(t *testing.T) {
	f := func(body, param, code, inMessage string) {
		t.Helper()
		_, _, err := DecodeChat([]byte(body))
		var e *llm.Error
		if !errors.As(err, &e) {
			t.Errorf("%s: got %v, want an error about %s", body, err, param)
			return
		}
		if e.Kind != llm.KindInvalid || e.Param != param || e.Code != code || !strings.Contains(e.Message, inMessage) {
			t.Errorf("%s:\n got %v param %q code %q message %q\nwant param %q code %q message … %q", body, e.Kind, e.Param, e.Code, e.Message, param, code, inMessage)
		}
	}
	const bad, missingCode = "invalid_value", "missing_required_parameter"
	hi := `"messages":[{"role":"user","content":"hi"}]`
	m := func(messages string) string { return `{"model":"m","messages":` + messages + `}` }
	with := func(member string) string { return `{"model":"m",` + hi + `,` + member + `}` }

	f(``, "request_body", "invalid_json", "Invalid JSON payload")
	f(`nope`, "request_body", "invalid_json", "Invalid JSON payload")
	f(`[]`, "request_body", bad, "must be a JSON object, not an array")
	f(`{"model":"m",`+hi+`} x`, "request_body", "invalid_json", "after the value")
	f(`{"model":"m",`+hi+`,"a":`+strings.Repeat("[", 200)+`}`, "request_body", "invalid_json", "128 levels")
	f("{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"\xff\"}]}", "request_body", "invalid_json", "UTF-8")
	f(with(`"temperature":NaN`), "request_body", "invalid_json", "unexpected character")
	f(`{"model":"m"}`, "messages", missingCode, "messages is missing")
	f(`{`+hi+`}`, "model", missingCode, "model is missing")
	f(m(`[]`), "messages", "empty_messages", "must not be empty")
	f(m(`null`), "messages", "empty_messages", "must not be empty")
	f(m(`"hi"`), "messages", bad, "messages must be an array, not a string")
	f(m(`[1]`), "messages[0]", bad, "messages[0] must be an object, not a number")
	f(m(`[{"content":"hi"}]`), "messages[0].role", missingCode, "role is missing")
	f(m(`[{"role":"wizard","content":"hi"}]`), "messages[0].role", bad, `not "wizard"`)
	f(m(`[{"role":7,"content":"hi"}]`), "messages[0].role", bad, "messages[0].role must be a string, not a number")
	f(m(`[{"role":"user","content":"a"},{"role":"user","content":7}]`), "messages[1].content", bad, "messages[1].content must be a string, an array of parts or a part, not a number")
	f(m(`[{"role":"user","content":[{"type":"text","text":"a"},{"type":"hologram"}]}]`), "messages[0].content[1].type", bad, "hologram")
	f(m(`[{"role":"user","content":[{"text":"a"}]}]`), "messages[0].content[0].type", missingCode, "type is missing")
	f(m(`[{"role":"user","content":[{"type":"text","text":1}]}]`), "messages[0].content[0].text", bad, "must be a string")
	f(m(`[{"role":"user","content":[{"type":"image_url"}]}]`), "messages[0].content[0].image_url", missingCode, "image_url is missing")
	f(m(`[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,aGVsbG8gd29ybGQh"}}]}]`),
		"messages[0].content[0].image_url", "invalid_media", "is not an image")
	f(m(`[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,***"}}]}]`),
		"messages[0].content[0].image_url.url", "invalid_media", "not base64")
	f(m(`[{"role":"user","content":[{"type":"image_url","image_url":"ftp://x/y.png"}]}]`), "messages[0].content[0].image_url", "invalid_media", "data URL")
	f(m(`[{"role":"user","content":[{"type":"file","file":{"file_id":"file-abc"}}]}]`), "messages[0].content[0].file.file_id", "invalid_media", "uploaded files")
	f(m(`[{"role":"user","content":"a","content":"b"}]`), "messages[0].content", "duplicate_key", "twice")
	f(m(`[{"role":"tool","content":"a"}]`), "messages[0].tool_call_id", missingCode, "missing")
	f(m(`[{"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"arguments":"{}"}}]}]`),
		"messages[0].tool_calls[0].function.name", missingCode, "missing")
	f(m(`[{"role":"user","content":"x","tool_calls":[{"id":"1","function":{"name":"f"}}]}]`), "messages[0].tool_calls", bad, "assistant")
	f(m(`[{"role":"user","content":[{"type":"text","text":"a","cache_control":{"type":"forever"}}]}]`),
		"messages[0].content[0].cache_control.type", bad, "ephemeral")

	f(with(`"temperature":"hot"`), "temperature", bad, "temperature must be a number, not a string")
	f(with(`"temperature":-1`), "temperature", bad, "between 0 and 2")
	f(with(`"temperature":1e999`), "temperature", bad, "between 0 and 2")
	f(with(`"top_p":1.5`), "top_p", bad, "between 0 and 1")
	f(with(`"max_tokens":0`), "max_tokens", bad, "between 1 and")
	f(with(`"max_tokens":1.5`), "max_tokens", bad, "must be an integer")
	f(with(`"max_tokens":99999999999`), "max_tokens", bad, "2147483647")
	f(with(`"stream":"yes"`), "stream", bad, "must be a boolean, not a string")
	f(with(`"stop":7`), "stop", bad, "a string or an array of strings")
	f(with(`"stop":["a",7]`), "stop[1]", bad, "must be a string")
	f(with(`"stream_options":{"include_obfuscation":1}`), "stream_options.include_obfuscation", bad, "must be a boolean")
	f(with(`"prompt_cache_options":1`), "prompt_cache_options", bad, "must be an object")
	f(with(`"tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":{"type":"custom","custom":{"name":"f"}}`), "tool_choice.custom", bad, "functions only")
	f(m(`[{"role":"assistant","tool_calls":[{"id":"1","type":"custom","custom":{"name":"c","input":"x"}}]}]`),
		"messages[0].tool_calls[0].custom", bad, "functions only")
	f(with(`"model":"n"`), "model", "duplicate_key", "twice")
	f(with(`"foo":1,"foo":2`), "foo", "duplicate_key", "twice")
	f(with(`"seed":"x"`), "seed", bad, "must be a number")
	f(with(`"tools":{}`), "tools", bad, "must be an array")
	f(with(`"tools":[{"type":"function"}]`), "tools[0].function", missingCode, "missing")
	f(with(`"tools":[{"type":"function","function":{"description":"x"}}]`), "tools[0].function.name", missingCode, "missing")
	f(with(`"tools":[{"type":"function","function":{"name":"f","parameters":[]}}]`), "tools[0].function.parameters", bad, "must be an object")
	f(with(`"tools":[{"type":"function","function":{"name":"f","parameters":{}}}],"tool_choice":{"type":"function","function":{"name":"g"}}`),
		"tool_choice", bad, `names "g"`)
	f(with(`"tool_choice":"maybe"`), "tool_choice", bad, `not "maybe"`)
	f(with(`"response_format":{"type":"xml"}`), "response_format.type", bad, "xml")
	f(with(`"response_format":{"type":"json_schema"}`), "response_format.json_schema.schema", bad, "needs")
	f(with(`"reasoning_effort":"much"`), "reasoning_effort", bad, `not "much"`)
	f(with(`"service_tier":"gold"`), "service_tier", bad, `not "gold"`)
	f(with(`"requestMetadata":{"a":1}`), "requestMetadata.a", bad, "must be a string")
	f(with(`"performanceConfig":{"latency":"warp"}`), "performanceConfig.latency", bad, "warp")
	for _, name := range []string{"model_id", "base_model", "custom_llm_provider", "ssl_verify", "litellm_credential_name", "aws_session_tags", "aws_anything"} {
		f(with(`"`+name+`":"x"`), name, "forbidden_parameter", "cannot be set by a client")
	}
	f(with(`"api_key":"x","extra_body":{"api_key":"y"}`), "api_key", "duplicate_key", "twice")
	f(with(`"extra_headers":{"Authorization":"x"}`), "extra_headers.Authorization", "forbidden_parameter", "cannot be set")
}

func TestConnectionParametersAreForTheDeploymentToJudge(t *testing.T) {
	const members = `"api_key":"k","aws_region_name":null,"extra_body":{"base_url":"https://a","aws_role_name":["x"]}`
	f := func(control *Control, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		c := control.Connection
		role, hasRole := c["aws_role_name"]
		if len(c) != 3 || c["api_key"].Reveal() != "k" || c["base_url"].Reveal() != "https://a" || !hasRole || role.IsSet() {
			t.Errorf("%v", c)
		}
	}
	_, control, err := DecodeChat([]byte(`{"model":"m","messages":[{"role":"user","content":"hi"}],` + members + `}`))
	f(control, err)
	_, control, err = DecodeCompletion([]byte(`{"model":"m","prompt":"hi",` + members + `}`))
	f(control, err)
	_, control, err = DecodeEmbeddings([]byte(`{"model":"m","input":"hi",` + members + `}`))
	f(control, err)
	if _, control, err = DecodeChat([]byte(`{"model":"m","messages":[{"role":"user","content":"hi"}]}`)); err != nil || control.Connection != nil {
		t.Errorf("%v %v", control, err)
	}
	// The configuration's defaults are no way around.
	var e *llm.Error
	if _, _, err := DecodeDefaults([]byte(`{"extra_body":{"api_base":"https://a"}}`)); !errors.As(err, &e) || e.Code != "forbidden_parameter" {
		t.Errorf("%v", err)
	}
}

func chat(t *testing.T, body string) *llm.Request {
	t.Helper()
	req, _, err := DecodeChat([]byte(body))
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return req
}

// sketch writes a conversation in one line: who says which blocks.
func sketch(req *llm.Request) string {
	var b strings.Builder
	blocks := func(list []llm.Block) {
		for i, block := range list {
			if i > 0 {
				b.WriteString(" ")
			}
			switch block.Kind {
			case llm.BlockText:
				fmt.Fprintf(&b, "%q", block.Text.String())
			case llm.BlockImage, llm.BlockDocument, llm.BlockVideo, llm.BlockAudio:
				fmt.Fprintf(&b, "media:%s:%s:%s%s", block.Media.Format, block.Media.Name, block.Media.Base64, block.Media.S3)
			case llm.BlockToolUse:
				fmt.Fprintf(&b, "call:%s:%s:%s", block.Tool.ID, block.Tool.Name, block.Tool.Input)
			case llm.BlockToolResult:
				fmt.Fprintf(&b, "result:%s:%q", block.Tool.ID, (&llm.Response{Blocks: block.Tool.Result}).Text())
			case llm.BlockThinking:
				fmt.Fprintf(&b, "thinking:%s:%s", block.Text, block.Signature)
			case llm.BlockRedacted:
				fmt.Fprintf(&b, "redacted:%s", block.Signature)
			case llm.BlockGuarded:
				fmt.Fprintf(&b, "guarded:%q%v", block.Text.String(), block.Qualifiers)
			default:
				fmt.Fprintf(&b, "other:%s", block.Raw)
			}
			if block.Cache != nil {
				b.WriteString("+cache" + block.Cache.TTL)
			}
		}
	}
	if len(req.System) > 0 {
		b.WriteString("S[")
		blocks(req.System)
		b.WriteString("] ")
	}
	for i, m := range req.Messages {
		if i > 0 {
			b.WriteString(" ")
		}
		b.WriteString(m.Role.String()[:1] + "[")
		blocks(m.Blocks)
		b.WriteString("]")
		if m.Prefix {
			b.WriteString("prefix")
		}
	}
	return b.String()
}

func TestMessages(t *testing.T) {
	f := func(messages, want string, losses ...string) {
		t.Helper()
		req := chat(t, `{"model":"m","messages":`+messages+`}`)
		if got := sketch(req); got != want {
			t.Errorf("%s:\n got %s\nwant %s", messages, got, want)
		}
		var lost []string
		for _, l := range req.Losses {
			lost = append(lost, l.Path+";"+l.Why)
		}
		if strings.Join(lost, ",") != strings.Join(losses, ",") {
			t.Errorf("%s: losses %v, want %v", messages, lost, losses)
		}
	}
	f(`[{"role":"system","content":"S"},{"role":"developer","content":[{"type":"text","text":"D","cache_control":{"type":"ephemeral","ttl":"1h"}}]},{"role":"user","content":"hi"}]`,
		`S["S" "D"+cache1h] u["hi"]`)
	f(`[{"role":"user","content":"a"},{"role":"system","content":"mid"}]`, `u["a"] s["mid"]`)
	f(`[{"role":"user","content":{"type":"text","text":"object"}}]`, `u["object"]`)
	f(`[{"content":"role last","role":"user"}]`, `u["role last"]`)
	f(`[{"role":"user","content":["a",{"type":"text","text":"b"}]}]`, `u["a" "b"]`)
	f(`[{"role":"user","content":null}]`, `u[""]`)
	f(`[{"role":"user","content":"a","name":"bob"}]`, `u["a"]`, "messages[0].name;unsupported")
	f(`[{"role":"assistant","content":"a","audio":{"id":"audio_1"}}]`, `a["a"]`, "messages[0].audio;ignored")
	f(`[{"role":"user","content":"a","mood":"good"}]`, `u["a"]`, "messages[0].mood;ignored")
	f(`[{"role":"user","content":[{"type":"text","text":"a","mood":1}]}]`, `u["a"]`, "messages[0].content[0].mood;ignored")
	f(`[{"role":"user","content":[{"type":"image_url","image_url":"data:image/jpeg;base64,iVBORw0K"}]}]`, `u[media:png::iVBORw0K]`)
	f(`[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image\/png;base64,iVBORw0K","detail":"high"}}]}]`,
		`u[media:png::iVBORw0K]`, "messages[0].content[0].image_url.detail;unsupported")
	f(`[{"role":"user","content":[{"type":"image_url","image_url":{"url":"s3://b/k.png"}}]}]`, `u[media:png::s3://b/k.png]`)
	f(`[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0K"}}]}]`, `u[media:png::iVBORw0K]`)
	f(`[{"role":"user","content":[{"type":"file","file":{"file_data":"data:application/pdf;base64,JVBERi0x","filename":"a.pdf"}}]}]`, `u[media:pdf:a.pdf:JVBERi0x]`)
	f(`[{"role":"user","content":[{"type":"file","file":{"file_data":"YSxi","filename":"a.csv"}}]}]`, `u[media:csv:a.csv:YSxi]`)
	f(`[{"role":"user","content":[{"type":"file","file":{"file_data":"YSxi","format":"text/markdown"}}]}]`, `u[media:md::YSxi]`)
	f(`[{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"UklG","format":"wav"}}]}]`, `u[media:wav::UklG]`)
	f(`[{"role":"user","content":"a"},{"type":"file","file":{"file_data":"data:application/pdf;base64,JVBERi0x"}}]`, `u["a"] u[media:pdf::JVBERi0x]`)
	f(`[{"role":"user","content":[{"type":"guarded_text","text":"g"},{"type":"grounding_source","text":"s"}]}]`, `u[guarded:"g"[] guarded:"s"[grounding_source]]`)
	f(`[{"role":"assistant","content":"Hel","prefix":true}]`, `a["Hel"]prefix`)
	f(`[{"role":"assistant","content":null,"refusal":"no","annotations":[],"audio":null,"function_call":null,"reasoning_content":"hm","provider_specific_fields":{"a":1}}]`, `a["no"]`)
	f(`[{"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}],"content":"let me","thinking_blocks":[{"type":"thinking","thinking":"hm","signature":"U0lH"},{"type":"redacted_thinking","data":"cmVk"}]}]`,
		`a[thinking:hm:U0lH redacted:cmVk "let me" call:1:f:{"a":1}]`)
	f(`[{"role":"assistant","tool_calls":[{"id":"1","function":{"name":"f","arguments":""}},{"id":"2","function":{"name":"g","arguments":{"b":2}}}]},{"role":"tool","tool_call_id":"1","content":"5 C"},{"role":"tool","tool_call_id":"2","content":[{"type":"text","text":"x","cache_control":{"type":"ephemeral"}}]}]`,
		`a[call:1:f:{} call:2:g:{"b":2}] u[result:1:"5 C"] u[result:2:"x"+cache]`)
	f(`[{"role":"assistant","tool_calls":[{"id":"1","function":{"name":"f","arguments":"{oops"}},{"id":"2","function":{"name":"f","arguments":"[1]"}}]}]`,
		`a[call:1:f:{"_raw":"{oops"} call:2:f:{"value":[1]}]`, "messages[0].tool_calls[0].function.arguments;repaired", "messages[0].tool_calls[1].function.arguments;repaired")
	f(`[{"role":"assistant","tool_calls":[{"id":"t1","function":{"name":"f","arguments":"{\"a\":1}{\"b\":2}"}}]},{"role":"tool","tool_call_id":"t1","content":"ok"}]`,
		`a[call:t1:f:{"a":1} call:t1_1:f:{"b":2}] u[result:t1:"ok" result:t1_1:"(merged with t1)"]`, "messages[0].tool_calls[0].function.arguments;repaired")
	f(`[{"role":"assistant","function_call":{"name":"f","arguments":"{}"}},{"role":"function","name":"f","content":"ok"}]`, `a[call:call_1:f:{}] u[result:call_1:"ok"]`)
}

func TestParameters(t *testing.T) {
	req := chat(t, `{"model":"m","messages":[{"role":"user","content":"hi"}],"max_completion_tokens":6,"max_tokens":5,"temperature":0.2,"top_p":1,
		"top_k":5,"stop":["A",""," ",null],"stream":true,"stream_options":{"include_usage":true,"x":1},"seed":7,"foo":{"bar": 1},"n":null,
		"service_tier":"auto","user":"u1","metadata":{"tags":["a"],"k":"v"},"tags":["b"],"num_retries":3,"requestMetadata":{"c":"d"},
		"performanceConfig":{"latency":"optimized"},"guardrailConfig":{"guardrailIdentifier":"g","guardrailVersion":"1"},
		"reasoning_effort":{"effort":"low","summary":"auto"},"parallel_tool_calls":false,"extra_body":{"bar":2},"extra_headers":{"anthropic-beta":"x, y","z":"1"},
		"anthropic_beta":["y","z"],"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object"},"strict":true}}}`)
	got, err := json.Marshal(req)
	if err != nil {
		t.Fatal(err)
	}
	f := func(what string) {
		t.Helper()
		if !strings.Contains(string(got), what) {
			t.Errorf("%s is not in %s", what, got)
		}
	}
	f(`"MaxTokens":6`)
	f(`"Temperature":0.2`)
	f(`"TopP":1`)
	f(`"TopK":5`)
	f(`"Stop":["A"]`)
	f(`"IncludeUsage":true`)
	f(`"Params":[{"Name":"seed","Value":7}]`)
	f(`"Extra":[{"Name":"foo","Value":{"bar":1}},{"Name":"bar","Value":2}]`)
	f(`"Tier":"default"`)
	f(`"Tags":["a","b"]`)
	f(`"User":"u1"`)
	f(`"Metadata":[{"Key":"c","Value":"d"}]`)
	f(`"Latency":"optimized"`)
	f(`"Effort":"low"`)
	f(`"Betas":["x","y","z"]`)
	f(`"ParallelTools":false`)
	f(`"Schema":{"type":"object"}`)
	for _, loss := range []string{"stream_options.x", "metadata.k", "reasoning_effort.summary", "extra_headers.z"} {
		f(`{"Path":"` + loss + `","Why":"ignored"}`)
	}
}

func TestMembersThatNoFunctionHasAreNamed(t *testing.T) {
	f := func(member string, losses ...string) {
		t.Helper()
		var lost []string
		for _, l := range chat(t, `{"model":"m","messages":[{"role":"user","content":"hi"}],`+member+`}`).Losses {
			lost = append(lost, l.Path+";"+l.Why)
		}
		if strings.Join(lost, ",") != strings.Join(losses, ",") {
			t.Errorf("%s: losses %v, want %v", member, lost, losses)
		}
	}
	f(`"tools":[{"type":"function","function":{"name":"f"}},{"type":"function","deferred":1,"function":{"name":"g","examples":[]}}]`,
		"tools[1].deferred;ignored", "tools[1].function.examples;ignored")
	f(`"tools":[{"name":"f","input_schema":{},"input_examples":[]}]`, "tools[0].input_examples;ignored")
	f(`"functions":[{"name":"f","examples":[]}]`, "functions[0].examples;ignored")
	f(`"tools":[{"type":"bash_20250124","name":"bash","anything":1}]`)
	f(`"stream_options":{"include_obfuscation":true}`, "stream_options.include_obfuscation;unsupported")
	f(`"stream_options":{"include_obfuscation":false}`)
}

func TestInternalNamesNeverReachTheModel(t *testing.T) {
	for _, name := range []string{
		"litellm_call_id", "default_fallbacks", "request_timeout", "mock_response",
		"caching", "no-log", "guardrails", "ttl", "rpm", "tpm", "weight", "order", "headers", "proxy_server_request",
		"hf_model_name", "roles", "initial_prompt_value", "final_prompt_value", "bos_token", "eos_token", "client_metadata", "input_cost_per_token", "output_cost_per_second",
	} {
		req := chat(t, `{"model":"m","messages":[{"role":"user","content":"hi"}],"`+name+`":{"a":1}}`)
		if len(req.Extra)+len(req.Params) != 0 || len(req.Losses) != 1 || req.Losses[0].Path != name {
			t.Errorf("%s: extra %v, losses %v", name, req.Extra, req.Losses)
		}
	}
}

func TestWhatARequestSaysOfItsTries(t *testing.T) {
	req, c, err := DecodeChat([]byte(`{"model":"m","messages":[{"role":"user","content":"hi"}],"num_retries":4,"disable_fallbacks":true,` +
		`"fallbacks":["a",{"model":"b","max_tokens":5},{"m":["c","d"]}],"context_window_fallbacks":[{"m":["e"]}],"content_policy_fallbacks":["f"]}`))
	if err != nil || len(req.Losses)+len(req.Extra)+len(req.Params) != 0 {
		t.Fatal(err, req.Losses)
	}
	var names []string
	for _, f := range c.Fallbacks {
		names = append(names, f.Model)
	}
	if c.Retries == nil || *c.Retries != 4 || !c.NoFallbacks || strings.Join(names, "") != "abcd" || c.Fallbacks[1].Request == nil || *c.Fallbacks[1].Request.MaxTokens != 5 ||
		len(c.ContextFallbacks) != 1 || c.ContextFallbacks[0].Model != "e" || len(c.FilterFallbacks) != 1 || c.FilterFallbacks[0].Model != "f" {
		t.Errorf("%+v", c)
	}
	for param, member := range map[string]string{
		"fallbacks": `"fallbacks":"a"`, "fallbacks[0]": `"fallbacks":[5]`, "fallbacks[1]": `"fallbacks":["a",{"x":1}]`, "num_retries": `"num_retries":-1`, "disable_fallbacks": `"disable_fallbacks":1`,
	} {
		_, _, err := DecodeChat([]byte(`{"model":"m","messages":[{"role":"user","content":"hi"}],` + member + `}`))
		var refused *llm.Error
		if !errors.As(err, &refused) || refused.Param != param {
			t.Errorf("%s: %v", member, err)
		}
	}
}

func TestTools(t *testing.T) {
	f := func(members, want string) {
		t.Helper()
		req := chat(t, `{"model":"m","messages":[{"role":"user","content":"hi"}],`+members+`}`)
		var b strings.Builder
		for _, tool := range req.Tools {
			fmt.Fprintf(&b, "%s|%s|%s|%s%s ", tool.Name, tool.Description, tool.Schema, tool.Type, tool.Raw)
		}
		fmt.Fprintf(&b, "%d:%s", req.ToolChoice.Mode, req.ToolChoice.Name)
		if b.String() != want {
			t.Errorf("%s:\n got %s\nwant %s", members, b.String(), want)
		}
	}
	f(`"tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"a": 1}}}],"tool_choice":"auto"`, `f|d|{"a": 1}| 1:`)
	f(`"tools":[{"name":"f","input_schema":{"type":"object"}}],"tool_choice":"required"`, `f||{"type":"object"}| 3:`)
	f(`"tools":[{"toolSpec":{"name":"f","inputSchema":{"json":{"x":1}}}}],"tool_choice":{"type":"tool","name":"f"}`, `f||{"x":1}| 4:f`)
	f(`"tools":[{"type":"computer_20250124","name":"computer","display_width_px":1}]`,
		`computer|||computer_20250124{"type":"computer_20250124","name":"computer","display_width_px":1} 0:`)
	f(`"functions":[{"name":"f","parameters":{}}],"function_call":{"name":"f"}`, `f||{}| 4:f`)
	f(`"tools":[{"name":"f","input_schema":{}},{"name":"g","input_schema":{}}],"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[{"type":"function","function":{"name":"g"}}]}}`, `g||{}| 3:`)
	f(`"tools":[],"tool_choice":"none"`, `2:`)
}

func TestCompletionPrompt(t *testing.T) {
	f := func(body, want, param string) {
		t.Helper()
		req, control, err := DecodeCompletion([]byte(body))
		var e *llm.Error
		if errors.As(err, &e) {
			if e.Param != param {
				t.Errorf("%s: refused %q (%s), want %q", body, e.Param, e.Message, param)
			}
			return
		}
		if err != nil || len(req.Messages) != 1 || len(control.Prompts) == 0 || sketch(req) != sketch(&llm.Request{Messages: control.Prompts[:1]}) {
			t.Errorf("%s: got %v, %v", body, req, err)
			return
		}
		if got := sketch(&llm.Request{Messages: control.Prompts}); param != "" || got != want {
			t.Errorf("%s: got %s", body, got)
		}
	}
	long := func(n int) string { return `{"model":"m","prompt":["x"` + strings.Repeat(`,"x"`, n-1) + `]}` }
	f(`{"model":"m","prompt":"hi","max_tokens":5,"echo":false,"best_of":1,"suffix":null}`, `u["hi"]`, "")
	f(`{"model":"m","prompt":["hi"]}`, `u["hi"]`, "")
	f(`{"model":"m","prompt":["a","b"]}`, `u["a"] u["b"]`, "")
	f(`{"model":"m","prompt":["a","b"],"user_continue_message":"go"}`, `u["a"] u["b"]`, "")
	f(`{"model":"m","user_continue_message":{"role":"user","content":"go"},"prompt":["a","b"]}`, `u["a"] u["b"]`, "")
	f(long(32), strings.TrimSpace(strings.Repeat(`u["x"] `, 32)), "")
	f(long(33), "", "prompt")
	f(`{"model":"m","prompt":["a",""]}`, "", "prompt[1]")
	f(`{"model":"m","prompt":["a",{}]}`, "", "prompt[1]")
	f(`{"model":"m","prompt":["a",null]}`, "", "prompt[1]")
	f(`{"model":"m","prompt":[1,2]}`, "", "prompt")
	f(`{"model":"m","prompt":[[1,2],[3]]}`, "", "prompt")
	f(`{"model":"m","prompt":["a",1]}`, "", "prompt")
	f(`{"model":"m","prompt":7}`, "", "prompt")
	f(`{"model":"m","prompt":"a","prompt":"b"}`, "", "prompt")
	f(`{"model":"m","prompt":""}`, "", "prompt")
	f(`{"model":"m","prompt":[]}`, "", "prompt")
	f(`{"model":"m","prompt":null}`, "", "prompt")
	f(`{"model":"m","prompt":"a","echo":1}`, "", "echo")
	f(`{"model":"m","prompt":"a","n":0}`, "", "n")
	f(`{"model":"m"}`, "", "prompt")
	f(`{"prompt":"hi"}`, "", "model")
	f(`{"model":"m","messages":[]}`, "", "messages")
	f(`[]`, "", "request_body")
}

func TestHowManyChoices(t *testing.T) {
	f := func(n string, want int) {
		t.Helper()
		req, _, err := DecodeChat([]byte(`{"model":"m","messages":[{"role":"user","content":"hi"}],"n":` + n + `}`))
		var e *llm.Error
		switch {
		case want < 0:
			if !errors.As(err, &e) || e.Param != "n" {
				t.Errorf("%s: %v", n, err)
			}
		case err != nil || req.N != want || len(req.Params) > 0:
			t.Errorf("%s: %+v, %v", n, req, err)
		}
	}
	f("null", 0)
	f("1", 1)
	f("8", 8)
	f("2.0", 2)
	f("0", -1)
	f("-3", -1)
	f("1.5", -1)
	f(`"2"`, -1)
	f("true", -1)
	f("[2]", -1)
	f("1e99", -1)
}

func FuzzDecodeCompletion(f *testing.F) {
	for _, seed := range []string{
		`{"model":"m","prompt":"hi","echo":true,"n":2}`, `{"model":"m","prompt":["a","b"],"stream":true,"suffix":"x"}`, `{"model":"m","prompt":[[1],2]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		req, control, err := DecodeCompletion(body)
		if err != nil {
			var e *llm.Error
			if !errors.As(err, &e) || e.Kind != llm.KindInvalid || e.Param == "" {
				t.Fatalf("%q: an error that names no field: %v", body, err)
			}
			return
		}
		if !json.Valid(body) || len(req.Messages) != 1 || len(control.Prompts) == 0 || len(control.Prompts) > maxPrompts {
			t.Fatalf("%q was accepted: %+v", body, req)
		}
		a := Answer{Echo: control.Prompts, PerPrompt: req.N}
		if out := AppendCompletion(nil, &a, &llm.Response{Further: make([]*llm.Response, 0)}); !json.Valid(out) {
			t.Fatalf("%q is echoed as %s", body, out)
		}
	})
}

func FuzzDecodeChat(f *testing.F) {
	for _, seed := range []string{
		`{"model":"m","messages":[{"role":"user","content":"hi"}]}`,
		`{"model":"m","messages":[{"role":"system","content":"S"},{"role":"user","content":[{"type":"image_url","image_url":"data:image/png;base64,iVBORw0K"}]},{"role":"assistant","tool_calls":[{"id":"1","function":{"name":"f","arguments":"{\"a\":1}"}}]},{"role":"tool","tool_call_id":"1","content":"x"}],"tools":[{"type":"function","function":{"name":"f","parameters":{}}}],"stop":["a"],"foo":1}`,
		`{"model":"m","messages":[{"type":"file","file":{"file_data":"YQ==","filename":"a.txt"}}],"response_format":{"type":"json_object"}}`,
		`{"model":"m","messages":[{"role":"function","name":"f","content":"x"}],"functions":[{"name":"f"}],"user_continue_message":{"role":"user","content":"go"}}`,
		`{"model":"m","messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"U0lH"},{"type":"text","text":"a","cache_control":{"type":"ephemeral","ttl":"1h"}}],"thinking_blocks":[{"type":"redacted_thinking","data":"ZGF0YQ=="}],"tool_calls":[{"id":"1","function":{"name":"f","arguments":"{}{}"}},{"id":"2","type":"custom","custom":{"name":"c"}}],"audio":{"id":"x"}}]}`,
		`{"model":"m","messages":[{"role":"user","content":[{"type":"document","source":{"type":"text","data":"x"},"title":"t","citations":{"enabled":true}},{"type":"input_audio","input_audio":{"data":"AAAA","format":"wav"}},{"type":"guarded_text","text":"g"},{"type":"file","file":{"file_id":"s3://b/k.pdf"}},"bare"]},{"role":"tool","tool_call_id":"1","is_error":true,"search_results":[{"source":"s"}]}]}`,
		`{"model":"m","messages":[{"role":"user","content":{"type":"text","text":"a"}}],"tools":[{"type":"function","function":{"name":"f","strict":true,"new":1}},{"name":"g","input_schema":{}},{"toolSpec":{"name":"h","inputSchema":{"json":{}}}},{"type":"bash_20250124","name":"bash"}],"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[{"type":"function","function":{"name":"f"}}]}}}`,
		`{"model":"m","messages":[{"role":"user","content":"a"}],"max_tokens":1,"max_completion_tokens":2,"stop":[null,"x"],"stream":true,"stream_options":{"include_usage":true,"include_obfuscation":true},"reasoning_effort":{"effort":"low","summary":"auto"},"metadata":{"tags":["t"],"k":1},"requestMetadata":{"a":"b"},"performanceConfig":{"latency":"optimized"},"serviceTier":{"type":"flex"},"anthropic_beta":"a,b","extra_body":{"top_k":1},"extra_headers":{"anthropic-beta":"c","x":"y"},"timeout":1.5,"additional_drop_params":["a"],"logit_bias":{}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		req, _, err := DecodeChat(body)
		if err != nil {
			var e *llm.Error
			if !errors.As(err, &e) || e.Kind != llm.KindInvalid || e.Param == "" {
				t.Fatalf("%q: an error that names no field: %v", body, err)
			}
			return
		}
		if !json.Valid(body) {
			t.Fatalf("%q was accepted", body)
		}
		if _, err := json.Marshal(req); err != nil {
			t.Fatalf("%q holds text that is not JSON: %v", body, err)
		}
	})
}

func FuzzDecodeResponses(f *testing.F) {
	for _, seed := range []string{
		`{"model":"m","input":"hi"}`,
		`{"model":"m","input":[{"role":"user","content":[{"type":"input_text","text":"a"},{"type":"input_image","image_url":"data:image/png;base64,iVBORw0K"},{"type":"input_file","file_data":"data:application/pdf;base64,JVBERi0xLjQK","filename":"a.pdf"}]},{"type":"reasoning","summary":[{"type":"summary_text","text":"s"}],"encrypted_content":"oc1.eyJ0ZXh0IjoiYSIsInNpZ25hdHVyZSI6InMifQ"},{"type":"function_call","call_id":"c","name":"f","namespace":"n","arguments":"{}"},{"type":"function_call_output","call_id":"c","output":[{"type":"input_text","text":"x"}]}]}`,
		`{"model":"m","input":[{"type":"custom_tool_call","call_id":"c","name":"p","input":"\"x\""},{"type":"custom_tool_call_output","call_id":"c","output":"y"},{"type":"local_shell_call","id":"l","call_id":"d","action":{"type":"exec","command":["ls"]}},{"type":"local_shell_call_output","id":"l","output":"z"},{"role":"assistant","content":""}],"previous_response_id":"resp_1","store":false}`,
		`{"model":"m","input":"a","tools":[{"type":"function","name":"f","parameters":{},"strict":true},{"type":"custom","name":"c","format":{"type":"grammar","syntax":"lark","definition":"x"}},{"type":"namespace","name":"n","description":"d","tools":[{"type":"function","name":"g"}]},{"type":"local_shell"},{"type":"web_search"},{"type":"web_search","external_web_access":false}],"tool_choice":{"type":"allowed_tools","mode":"auto","tools":[{"type":"function","name":"f"}]}}`,
		`{"model":"m","input":"a","instructions":"i","max_output_tokens":5,"metadata":{"a":"b"},"reasoning":{"effort":"low","summary":"auto"},"text":{"format":{"type":"json_schema","name":"n","schema":{}},"verbosity":"low"},"include":["reasoning.encrypted_content","message.output_text.logprobs"],"truncation":"auto","top_logprobs":2,"prompt_cache_key":"k","stream":true,"background":false,"extra_body":{"top_k":1},"extra_headers":{"anthropic-beta":"c"}}`,
	} {
		f.Add([]byte(seed))
	}
	history := func(string) ([]json.RawMessage, error) {
		return []json.RawMessage{json.RawMessage(`{"role":"user","content":"before"}`), json.RawMessage(`{"type":"message","role":"assistant","content":[{"type":"output_text","text":"then"}]}`)}, nil
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		req, _, said, err := DecodeResponses(body, history)
		if err != nil {
			var e *llm.Error
			if !errors.As(err, &e) || e.Kind != llm.KindInvalid || e.Param == "" {
				t.Fatalf("%q: an error that names no field: %v", body, err)
			}
			return
		}
		if !json.Valid(body) {
			t.Fatalf("%q was accepted", body)
		}
		if kept := said.Kept("resp_0"); !json.Valid(kept) {
			t.Fatalf("%q is kept as %s", body, kept)
		}
		answer := NewResponse(&ResponseAnswer{ID: "resp_0", Model: req.Model, Request: said}, &llm.Response{Blocks: []llm.Block{
			{Kind: llm.BlockThinking, Text: llm.NewText("t"), Signature: llm.NewText("s")}, {Kind: llm.BlockText, Text: llm.NewText("a")},
		}})
		if !json.Valid(answer.Last()) || !json.Valid(answer.Output()) {
			t.Fatalf("%q is answered with %s", body, answer.Last())
		}
	})
}

func TestSealsAreOpenedByteForByte(t *testing.T) {
	f := func(b llm.Block) {
		t.Helper()
		sealed := appendSeal(nil, &b)
		var text string
		if err := json.Unmarshal(sealed, &text); err != nil {
			t.Fatal(err)
		}
		got, ok := unseal(text)
		if !ok || len(got) != 1 || got[0].Kind != b.Kind || got[0].Text.String() != b.Text.String() || got[0].Signature.String() != b.Signature.String() {
			t.Errorf("%s became %+v", sealed, got)
		}
	}
	f(llm.Block{Kind: llm.BlockThinking, Text: llm.NewText("Hm \"quoted\"\n\u00fc \\u00fc"), Signature: llm.NewText("EqQB/+==")})
	f(llm.Block{Kind: llm.BlockThinking, Text: llm.RawText([]byte(`a\u00fc\/b`)), Signature: llm.RawText([]byte(`s\/x`))})
	f(llm.Block{Kind: llm.BlockThinking, Signature: llm.NewText("signature alone")})
	f(llm.Block{Kind: llm.BlockRedacted, Signature: llm.NewText("ZGF0YQ==")})
	for _, foreign := range []string{"", "gAAAAAB", "oc1.", "oc1.!!", "oc1.e30", "oc1.eyJ0ZXh0IjoiYSJ9"} {
		if _, ok := unseal(foreign); ok {
			t.Errorf("%q was opened", foreign)
		}
	}
}
