package converse

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/outcrop-ai/outcrop/llm"
)

func TestToolSchemas(t *testing.T) {
	f := func(schema, want string) {
		t.Helper()
		r := with(hi(), tools(llm.Tool{Name: "f", Description: llm.NewText("d"), Schema: json.RawMessage(schema)}))
		has(t, claude3, r, "toolConfig.tools", `[{"toolSpec":{"name":"f","description":"d","inputSchema":{"json":`+want+`}}}]`)
	}
	f(``, emptySchema)
	f(`null`, emptySchema)
	f(`{}`, emptySchema)
	f(`{ "type" : "object", "x":1}`, `{ "type" : "object", "x":1}`)
	f(`{"anyOf":[{}],"$defs":{"a":{}}}`, `{"type":"object","anyOf":[{}],"$defs":{"a":{}}}`)
	f(`{"type":"custom","x":1}`, `{"type":"object","x":1}`)
	f(`{"type":["object","null"],"x":1}`, `{"type":"object","x":1}`)
	f(`{"type":"object","properties":null,"required":null}`, `{"type":"object","properties":{}}`)
	f(`{"type":"array","items":{}}`, `{"type":"object","properties":{"value":{"type":"array","items":{}}},"required":["value"]}`)
	for _, bad := range []string{`[]`, `"x"`, `{`, `{"a":1}x`} {
		refuses(t, claude3, with(hi(), tools(llm.Tool{Name: "f", Schema: json.RawMessage(bad)})), "tools[0].function.parameters")
	}
}

func TestWrappedToolsAreUnwrapped(t *testing.T) {
	r := with(hi(), tools(llm.Tool{Name: "f", Schema: json.RawMessage(`{"type":"array"}`)}))
	_, turn := encode(t, claude3, r)
	answer, err := Decode([]byte(answerOf(`{"toolUse":{"toolUseId":"t","name":"f","input":{"value":[1, 2]}}}`, "tool_use")), turn)
	if err != nil || string(answer.Blocks[0].Tool.Input) != `[1, 2]` {
		t.Errorf("%+v, %v", answer, err)
	}
}

func TestToolNames(t *testing.T) {
	long := strings.Repeat("n", 70)
	names := []string{"my.tool-1", "1x", long, "a.b", "a_b", "é"}
	r := hi()
	for _, n := range names {
		r.Tools = append(r.Tools, function(n))
	}
	body, turn := encode(t, claude3, r)
	seen := map[string]bool{}
	for i, want := range []string{"my_tool-1", "1x", fitName(long), "a_b", "a_b_2", "_"} {
		if !strings.Contains(body, `{"toolSpec":{"name":"`+want+`"`) || !isToolName(want) || seen[want] {
			t.Errorf("no %s in %s", want, body)
		}
		seen[want] = true
		if got := turn.clientName([]byte(want)); got != names[i] {
			t.Errorf("%s came back as %s, want %s", want, got, names[i])
		}
	}
	has(t, claude3, with(hi(), tools(function("a.b")), choice(llm.ToolNamed, "a.b")), "toolConfig.toolChoice", `{"tool":{"name":"a_b"}}`)
	if _, turn := encode(t, claude3, with(hi(), tools(function("f")))); turn != nil {
		t.Errorf("a turn without need: %+v", turn)
	}
	refuses(t, claude3, with(hi(), tools(function(""))), "tools[0].function.name")
	refuses(t, claude3, with(hi(), tools(function("f"), llm.Tool{Name: "f", Description: llm.NewText("other")})), "tools[1].function.name")
	r = with(hi(), tools(function("f"), function("f")))
	encode(t, claude3, r)
	lost(t, r, "tools[1];duplicate")
}

func TestStrict(t *testing.T) {
	f := func(model string, sent bool) {
		t.Helper()
		r := with(hi(), tools(llm.Tool{Name: "f", Strict: p(true)}))
		if body, _ := encode(t, model, r); strings.Contains(body, `"strict":true`) != sent {
			t.Errorf("%s: %s", model, body)
		}
		if !sent {
			lost(t, r, "tools[0].function.strict;unsupported")
		}
	}
	f(claude35, true)
	f(opus47, false)
	f(novaPro, false)
}

func TestToolChoice(t *testing.T) {
	f := func(model string, mode llm.ToolChoiceMode, want string) {
		t.Helper()
		has(t, model, with(hi(), tools(function("f")), choice(mode, "f")), "toolConfig.toolChoice", want)
	}
	f(claude3, llm.ToolUnset, ``)
	f(claude3, llm.ToolAuto, `{"auto":{}}`)
	f(claude3, llm.ToolRequired, `{"any":{}}`)
	f(claude3, llm.ToolNamed, `{"tool":{"name":"f"}}`)
	f(llama33, llm.ToolAuto, ``)
	sends(t, claude3, with(hi(), tools(function("f")), choice(llm.ToolNone, "")), `{"messages":[{"role":"user","content":[{"text":"hi"}]}]}`)
	refuses(t, llama33, with(hi(), tools(function("f")), choice(llm.ToolRequired, "")), "tool_choice")
	refuses(t, claude3, with(hi(), tools(function("f")), choice(llm.ToolNamed, "g")), "tool_choice")
	refuses(t, fable51, with(hi(), tools(function("f")), choice(llm.ToolRequired, "")), "tool_choice")
	has(t, fable51, with(hi(), tools(function("f")), choice(llm.ToolRequired, ""), drop), "toolConfig.toolChoice", `{"auto":{}}`)
	r := with(hi(), choice(llm.ToolRequired, ""))
	sends(t, claude3, r, `{"messages":[{"role":"user","content":[{"text":"hi"}]}]}`, "tool_choice;no_tools")
	refuses(t, deepseekR1, with(hi(), tools(function("f"))), "tools")
}

func TestParallelToolCallsOff(t *testing.T) {
	off := func(r *llm.Request) { r.ParallelTools = p(false) }
	for _, model := range []string{claude37, sonnet45} {
		has(t, model, with(hi(), tools(function("f")), off), field+"tool_choice", `{"type":"auto","disable_parallel_tool_use":true}`)
		has(t, model, with(hi(), tools(function("f")), off, choice(llm.ToolRequired, "")), field+"tool_choice", `{"disable_parallel_tool_use":true}`)
		sends(t, model, with(hi(), off), `{"messages":[{"role":"user","content":[{"text":"hi"}]}]}`)
	}
	r := with(hi(), tools(function("f")), off)
	has(t, novaPro, r, "additionalModelRequestFields", ``)
	lost(t, r, "parallel_tool_calls;unsupported")
}

func TestAnthropicTools(t *testing.T) {
	computer := func(kind, raw string) llm.Tool { return llm.Tool{Type: kind, Raw: json.RawMessage(raw)} }
	const want = `{"type":"computer_20241022","name":"computer","display_width_px":10}`
	for _, raw := range []string{
		`{"type":"computer_20241022","name":"computer","display_width_px":10}`,
		`{"type":"computer_20241022","function":{"name":"computer","parameters":{"display_width_px":10}}}`,
	} {
		r := with(hi(), tools(computer("computer_20241022", raw), function("f")))
		sends(t, claude35, r, `{"messages":[{"role":"user","content":[{"text":"hi"}]}],"toolConfig":{"tools":[`+
			`{"toolSpec":{"name":"f","description":"f","inputSchema":{"json":{"type":"object","properties":{}}}}}]},`+
			`"additionalModelRequestFields":{"tools":[`+want+`],"anthropic_beta":["computer-use-2024-10-22"]}}`)
	}
	f := func(kind, name, beta string) {
		t.Helper()
		r := with(chat(user(text("a")), assistant(toolCall("t", name, `{}`)), user(result("t", text("r")))), tools(computer(kind, "")))
		has(t, claude37, r, field+"tools", `[{"type":"`+kind+`","name":"`+name+`"}]`)
		has(t, claude37, r, field+"anthropic_beta", `["`+beta+`"]`)
		has(t, claude37, r, "toolConfig", ``)
		if body, _ := encode(t, claude37, r); !strings.Contains(body, `{"toolUse":{"toolUseId":"t","name":"`+name) {
			t.Errorf("the history lost its blocks: %s", body)
		}
	}
	f("computer_20250124", "computer", "computer-use-2025-01-24")
	f("computer_20251124", "computer", "computer-use-2025-11-24")
	f("bash_20250124", "bash", "computer-use-2025-01-24")
	f("text_editor_20250124", "str_replace_editor", "computer-use-2025-01-24")
	f("text_editor_20250728", "str_replace_based_edit_tool", "computer-use-2025-01-24")
	f("memory_20250818", "memory", "context-management-2025-06-27")
	r := with(hi(), tools(computer("web_search", `{}`)))
	sends(t, claude37, r, `{"messages":[{"role":"user","content":[{"text":"hi"}]}]}`, "tools[0];unsupported")
	has(t, claude37, with(hi(), tools(computer("bash_20250124", "")), choice(llm.ToolNamed, "bash")), field+"tool_choice", `{"type":"tool","name":"bash"}`)
}

func TestGrounding(t *testing.T) {
	has(t, novaPro, with(hi(), param("web_search_options", `{}`)), "toolConfig", `{"tools":[{"systemTool":{"name":"nova_grounding"}}]}`)
	refuses(t, claude3, with(hi(), param("web_search_options", `{}`)), "web_search_options")
}
