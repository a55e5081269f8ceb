package openai

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/outcrop-ai/outcrop/llm"
)

var testAnswer = &Answer{ID: "chatcmpl-1", Created: 1764000000, Model: "sonnet"}

// deltas returns what the chunks say beside the members that are the same in all of them.
func deltas(t *testing.T, out []byte) []string {
	t.Helper()
	var list []string
	for event := range strings.SplitSeq(strings.TrimSuffix(string(out), "\n\n"), "\n\n") {
		data, ok := strings.CutPrefix(event, "data: ")
		if !ok || !json.Valid([]byte(data)) {
			t.Fatalf("not an event with JSON: %q", event)
		}
		rest, ok := strings.CutPrefix(data, `{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1764000000,"model":"sonnet","choices":[`)
		if !ok {
			t.Fatalf("unexpected head: %s", data)
		}
		list = append(list, strings.TrimSuffix(rest, "}"))
	}
	return list
}

func TestChunks(t *testing.T) {
	f := func(includeUsage, legacy bool, events []llm.Event, want ...string) {
		t.Helper()
		a := *testAnswer
		a.Legacy = legacy
		c := NewChunks(&a, includeUsage)
		var out []byte
		for i := range events {
			out = c.Append(out, &events[i])
		}
		got := deltas(t, out)
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	text := func(s string) llm.Event { return llm.Event{Kind: llm.EventText, Text: llm.NewText(s)} }
	start := llm.Event{Kind: llm.EventStart}
	stop := func(reason llm.StopReason, raw string) llm.Event {
		return llm.Event{Kind: llm.EventStop, Stop: reason, StopRaw: raw}
	}
	usage := llm.Event{Kind: llm.EventUsage, Usage: &llm.Usage{Input: 10, Output: 20, Total: 30}}
	const role = `{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]`
	finish := func(raw, reason string) string {
		return `{"index":0,"delta":{},"finish_reason":"` + reason + `"}],"provider_specific_fields":{"stop_reason":"` + raw + `"}`
	}

	f(false, false, []llm.Event{start, text("Hel"), text(""), {Kind: llm.EventText, Text: llm.RawText([]byte(`lo \u00e9\n`))}, {Kind: llm.EventBlockStop}, stop(llm.StopEnd, "end_turn"), usage},
		role, `{"index":0,"delta":{"content":"Hel"},"finish_reason":null}]`, `{"index":0,"delta":{"content":"lo \u00e9\n"},"finish_reason":null}]`, finish("end_turn", "stop"))

	f(true, false, []llm.Event{start, text("a"), stop(llm.StopLength, "max_tokens"), usage},
		role+`,"usage":null`, `{"index":0,"delta":{"content":"a"},"finish_reason":null}],"usage":null`, `{"index":0,"delta":{},"finish_reason":"length"}],"usage":null,"provider_specific_fields":{"stop_reason":"max_tokens"}`,
		`],"usage":{"prompt_tokens":10,"completion_tokens":20,"total_tokens":30,"prompt_tokens_details":{"cached_tokens":0}}`)

	tool := func(block int32, id, name string) llm.Event {
		return llm.Event{Kind: llm.EventToolStart, Index: block, ToolID: id, ToolName: name}
	}
	input := func(block int32, s string) llm.Event {
		return llm.Event{Kind: llm.EventToolInput, Index: block, Text: llm.NewText(s)}
	}
	blockStop := func(block int32) llm.Event { return llm.Event{Kind: llm.EventBlockStop, Index: block} }
	f(false, false, []llm.Event{start, text("x"), blockStop(0), tool(1, "t1", "f"), input(1, ""), input(1, `{"a":`), input(1, `1}`), blockStop(1), tool(4, "t2", "g"), blockStop(4), stop(llm.StopTool, "tool_use"), usage},
		role, `{"index":0,"delta":{"content":"x"},"finish_reason":null}]`,
		`{"index":0,"delta":{"tool_calls":[{"index":0,"id":"t1","type":"function","function":{"name":"f","arguments":""}}]},"finish_reason":null}]`,
		`{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"a\":"}}]},"finish_reason":null}]`,
		`{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"1}"}}]},"finish_reason":null}]`,
		`{"index":0,"delta":{"tool_calls":[{"index":1,"id":"t2","type":"function","function":{"name":"g","arguments":""}}]},"finish_reason":null}]`,
		`{"index":0,"delta":{"tool_calls":[{"index":1,"function":{"arguments":"{}"}}]},"finish_reason":null}]`,
		finish("tool_use", "tool_calls"))

	f(false, true, []llm.Event{start, tool(0, "t1", "f"), input(0, `{}`), blockStop(0), stop(llm.StopTool, "tool_use"), usage},
		role, `{"index":0,"delta":{"function_call":{"name":"f","arguments":""}},"finish_reason":null}]`,
		`{"index":0,"delta":{"function_call":{"arguments":"{}"}},"finish_reason":null}]`, finish("tool_use", "function_call"))

	thinking := func(kind llm.EventKind, block int32, s string) llm.Event {
		return llm.Event{Kind: kind, Index: block, Text: llm.NewText(s)}
	}
	f(false, false, []llm.Event{
		start, thinking(llm.EventThinking, 0, "hm"), thinking(llm.EventSignature, 0, "U0lH"), blockStop(0), thinking(llm.EventRedacted, 1, "cmVk"), text("ok"), stop(llm.StopEnd, "end_turn"),
		{Kind: llm.EventUsage, Usage: &llm.Usage{}, Tail: &llm.Tail{Tier: "flex", Trace: json.RawMessage(`{"guardrail":{}}`)}},
	},
		role,
		`{"index":0,"delta":{"reasoning_content":"hm","thinking_blocks":[{"type":"thinking","index":0,"thinking":"hm"}],"provider_specific_fields":{"reasoningContent":{"text":"hm"}}},"finish_reason":null}]`,
		`{"index":0,"delta":{"reasoning_content":"","thinking_blocks":[{"type":"thinking","index":0,"thinking":"","signature":"U0lH"}],"provider_specific_fields":{"reasoningContent":{"signature":"U0lH"}}},"finish_reason":null}]`,
		`{"index":0,"delta":{"thinking_blocks":[{"type":"redacted_thinking","index":1,"data":"cmVk"}],"provider_specific_fields":{"reasoningContent":{"redactedContent":"cmVk"}}},"finish_reason":null}]`,
		`{"index":0,"delta":{"content":"ok"},"finish_reason":null}]`,
		`{"index":0,"delta":{},"finish_reason":"stop"}],"provider_specific_fields":{"stop_reason":"end_turn","trace":{"guardrail":{}}},"service_tier":"flex","trace":{"guardrail":{}}`)
}

func TestChunksOfSeveralChoices(t *testing.T) {
	f := func(c interface {
		Append([]byte, *llm.Event) []byte
	}, events []llm.Event, want ...string,
	) {
		t.Helper()
		var out []byte
		for i := range events {
			out = c.Append(out, &events[i])
		}
		for i, event := range strings.Split(strings.TrimSuffix(string(out), "\n\n"), "\n\n") {
			_, choices, _ := strings.Cut(event, `"choices":`)
			if i >= len(want) || choices != want[i]+"}" {
				t.Errorf("event %d: %s", i, choices)
			}
		}
	}
	text := func(choice uint16, s string) llm.Event {
		return llm.Event{Kind: llm.EventText, Choice: choice, Text: llm.NewText(s)}
	}
	events := []llm.Event{
		{Kind: llm.EventStart, Choice: 2},
		text(2, "c"), text(0, "a"), text(1, "b"), text(2, "d"),
		{Kind: llm.EventStop, Choice: 1, Stop: llm.StopLength, StopRaw: "max_tokens"},
		{Kind: llm.EventUsage, Choice: 1},
		{Kind: llm.EventStop, Choice: 0, Stop: llm.StopEnd},
		{Kind: llm.EventUsage, Choice: 0, Tail: &llm.Tail{Tier: "flex"}},
		{Kind: llm.EventUsage, Choice: 2},
		{Kind: llm.EventUsage, Usage: &llm.Usage{Input: 1, Output: 2}},
	}
	const usage = `[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3,"prompt_tokens_details":{"cached_tokens":0}}`
	f(NewChunks(testAnswer, true), events,
		`[{"index":2,"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":null`,
		`[{"index":2,"delta":{"content":"c"},"finish_reason":null}],"usage":null`,
		`[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":null`,
		`[{"index":0,"delta":{"content":"a"},"finish_reason":null}],"usage":null`,
		`[{"index":1,"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":null`,
		`[{"index":1,"delta":{"content":"b"},"finish_reason":null}],"usage":null`,
		`[{"index":2,"delta":{"content":"d"},"finish_reason":null}],"usage":null`,
		`[{"index":1,"delta":{},"finish_reason":"length"}],"usage":null,"provider_specific_fields":{"stop_reason":"max_tokens"}`,
		`[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null,"service_tier":"flex"`,
		`[{"index":2,"delta":{},"finish_reason":"stop"}],"usage":null`, usage)
	a := *testAnswer
	a.PerPrompt = 2
	for _, prompt := range []string{"P", "Q"} {
		a.Echo = append(a.Echo, llm.Message{Blocks: []llm.Block{{Text: llm.NewText(prompt)}}})
	}
	f(NewCompletionChunks(&a, true), events,
		`[{"index":2,"text":"Q","logprobs":null,"finish_reason":null}],"usage":null`, `[{"index":2,"text":"c","logprobs":null,"finish_reason":null}],"usage":null`,
		`[{"index":0,"text":"P","logprobs":null,"finish_reason":null}],"usage":null`, `[{"index":0,"text":"a","logprobs":null,"finish_reason":null}],"usage":null`,
		`[{"index":1,"text":"P","logprobs":null,"finish_reason":null}],"usage":null`, `[{"index":1,"text":"b","logprobs":null,"finish_reason":null}],"usage":null`,
		`[{"index":2,"text":"d","logprobs":null,"finish_reason":null}],"usage":null`,
		`[{"index":1,"text":"","logprobs":null,"finish_reason":"length"}],"usage":null`,
		`[{"index":0,"text":"","logprobs":null,"finish_reason":"stop"}],"usage":null,"service_tier":"flex"`,
		`[{"index":2,"text":"","logprobs":null,"finish_reason":"stop"}],"usage":null`, usage)
}

func TestFinishReasons(t *testing.T) {
	f := func(stop llm.StopReason, calls, legacy bool, want string) {
		t.Helper()
		if got := FinishReason(stop, calls, legacy); got != want {
			t.Errorf("%v, calls %v: got %s, want %s", stop, calls, got, want)
		}
	}
	f(llm.StopEnd, false, false, "stop")
	f(llm.StopSequence, false, false, "stop")
	f(llm.StopUnknown, false, false, "stop")
	f(llm.StopLength, true, false, "length")
	f(llm.StopTool, true, false, "tool_calls")
	f(llm.StopTool, true, true, "function_call")
	f(llm.StopTool, false, false, "stop")
	f(llm.StopEnd, true, false, "tool_calls")
	f(llm.StopFilter, true, false, "content_filter")
}

func TestChatAnswer(t *testing.T) {
	got := AppendChat(nil, testAnswer, &llm.Response{
		Blocks: []llm.Block{
			{Kind: llm.BlockThinking, Text: llm.NewText("hm"), Signature: llm.NewText("U0lH")},
			{Kind: llm.BlockText, Text: llm.RawText([]byte(`Let me`))},
			{Kind: llm.BlockText, Text: llm.NewText(" look.")},
			{Kind: llm.BlockToolUse, Tool: &llm.ToolBlock{ID: "tooluse_1", Name: "my.weather", Input: json.RawMessage(`{"city": "Oslo é"}`)}},
		},
		Stop: llm.StopTool, StopRaw: "tool_use",
		Usage: llm.Usage{Input: 11, Output: 40, CacheRead: 1000, CacheWrite5m: 200, CacheWrite1h: 28, CacheSplit: true, Total: 1279},
	})
	const want = `{"id":"chatcmpl-1","object":"chat.completion","created":1764000000,"model":"sonnet","choices":[{"index":0,"message":{"role":"assistant","content":"Let me look.",` +
		`"tool_calls":[{"index":0,"id":"tooluse_1","type":"function","function":{"name":"my.weather","arguments":"{\"city\":\"Oslo é\"}"}}],` +
		`"reasoning_content":"hm","thinking_blocks":[{"type":"thinking","thinking":"hm","signature":"U0lH"}],` +
		`"provider_specific_fields":{"stop_reason":"tool_use","reasoningContentBlocks":[{"reasoningText":{"text":"hm","signature":"U0lH"}}]}},"logprobs":null,"finish_reason":"tool_calls"}],` +
		`"usage":{"prompt_tokens":1239,"completion_tokens":40,"total_tokens":1279,"prompt_tokens_details":{"cached_tokens":1000,"cache_creation_tokens":228,` +
		`"cache_creation_token_details":{"ephemeral_5m_input_tokens":200,"ephemeral_1h_input_tokens":28},"text_tokens":11},"cache_read_input_tokens":1000,"cache_creation_input_tokens":228}}`
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	empty := AppendChat(nil, testAnswer, &llm.Response{Stop: llm.StopEnd, StopRaw: "end_turn"})
	if !json.Valid(empty) || !strings.Contains(string(empty), `"content":null`) {
		t.Errorf("an empty answer: %s", empty)
	}
}

func TestErrorShape(t *testing.T) {
	f := func(e *llm.Error, want string) {
		t.Helper()
		if got := string(AppendError(nil, e, "")); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	f(&llm.Error{Kind: llm.KindRateLimit, Message: "Too many", AWSType: "ThrottlingException", RequestID: "r1"},
		`{"error":{"message":"Too many","type":"rate_limit_error","param":null,"code":"429","provider_specific_fields":{"aws_error_type":"ThrottlingException","aws_request_id":"r1"}}}`)
	f(&llm.Error{Kind: llm.KindInvalid, Code: "unsupported_parameter", Param: "seed", Message: "no", Hint: "Leave it out."},
		`{"error":{"message":"no\n\nLeave it out.","type":"invalid_request_error","param":"seed","code":"unsupported_parameter"}}`)
	f(&llm.Error{Kind: llm.KindAuth, Message: "no key"}, `{"error":{"message":"no key","type":"auth_error","param":null,"code":"401"}}`)
	f(&llm.Error{Kind: llm.KindUpstream, Cause: errors.New("secret"), Message: "m"}, `{"error":{"message":"m","type":"internal_server_error","param":null,"code":"502"}}`)
}

func BenchmarkTextChunk(b *testing.B) {
	c := NewChunks(testAnswer, false)
	ev := llm.Event{Kind: llm.EventText, Text: llm.RawText([]byte(`some words of text`))}
	out := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		out = c.Append(out[:0], &ev)
	}
}

func BenchmarkDecodeSmallChat(b *testing.B) {
	body := []byte(`{"model":"claude","messages":[{"role":"system","content":"You are a helpful assistant."},{"role":"user","content":"Hello, how are you?"}],"max_tokens":100,"temperature":0.7}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := DecodeChat(body); err != nil {
			b.Fatal(err)
		}
	}
}
