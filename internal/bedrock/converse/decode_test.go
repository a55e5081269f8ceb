package converse

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/outcrop-ai/outcrop/llm"
)

func answerOf(content, stop string) string {
	return `{"output":{"message":{"role":"assistant","content":[` + content + `]}},"stopReason":"` + stop +
		`","usage":{"inputTokens":1,"outputTokens":2,"totalTokens":3},"metrics":{"latencyMs":9}}`
}

const wholeAnswer = `{"output":{"message":{"role":"assistant","content":[{"reasoningContent":{"reasoningText":{"text":"hm","signature":"U0lH"}}},` +
	`{"reasoningContent":{"redactedContent":"VWtWRQ=="}},{"text":"Let me"},{"text":" look.\n"},` +
	`{"toolUse":{"type":"tool_use","toolUseId":"tooluse_1","name":"my_weather","input":{"city": "Oslo"}}}]}},` +
	`"stopReason":"tool_use","usage":{"inputTokens":11,"outputTokens":40,"totalTokens":1279,"cacheReadInputTokens":1000,"cacheWriteInputTokens":228,` +
	`"cacheReadInputTokenCount":1000,"cacheWriteInputTokenCount":228,"serverToolUsage":{},` +
	`"cacheDetails":[{"ttl":"1h","inputTokens":28},{"ttl":"5m","inputTokens":200}]},"metrics":{"latencyMs":900},"trace":{"guardrail":{}},` +
	`"serviceTier":{"type":"flex"},"performanceConfig":{"latency":"optimized"},"some_gateway":{"x":[1]},` +
	`"additionalModelResponseFields":{"usage":{"output_tokens_details":{"thinking_tokens":7}}}}`

// show writes blocks and events in one line each kind of reader understands.
func show(blocks []llm.Block) string {
	var out []string
	for i := range blocks {
		b := &blocks[i]
		s := fmt.Sprintf("%d %q", b.Kind, b.Text.String())
		if !b.Signature.IsEmpty() {
			s += " sig " + b.Signature.String()
		}
		if b.Tool != nil {
			s = fmt.Sprintf("%d %s %s %s", b.Kind, b.Tool.ID, b.Tool.Name, b.Tool.Input)
		}
		if b.Raw != nil {
			s += " raw " + string(b.Raw)
		}
		out = append(out, s)
	}
	return strings.Join(out, " | ")
}

func TestDecodeTheWholeExample(t *testing.T) {
	turn := &Turn{names: []nameChange{{client: "my.weather", upstream: "my_weather"}}}
	r, err := Decode([]byte(wholeAnswer), turn)
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf(`%d "hm" sig U0lH | %d "" sig UkVE | 0 "Let me" | 0 " look.\n" | %d tooluse_1 my.weather {"city": "Oslo"}`,
		llm.BlockThinking, llm.BlockRedacted, llm.BlockToolUse)
	if got := show(r.Blocks); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	usage := llm.Usage{Input: 11, Output: 40, CacheRead: 1000, CacheWrite5m: 200, CacheWrite1h: 28, Total: 1279, CacheSplit: true, Reasoning: 7}
	if r.Usage != usage {
		t.Errorf("usage %+v", r.Usage)
	}
	if r.Stop != llm.StopTool || r.StopRaw != "tool_use" || r.Tier != "flex" || string(r.Trace) != `{"guardrail":{}}` ||
		string(r.Performance) != `{"latency":"optimized"}` || r.Fields == nil {
		t.Errorf("%+v", r)
	}
	if raw, ok := r.Blocks[3].Text.Raw(); !ok || string(raw) != ` look.\n` {
		t.Errorf("the text was not kept in its spelling: %s", raw)
	}
}

func TestDecodeContent(t *testing.T) {
	f := func(content string, turn *Turn, want string) {
		t.Helper()
		r, err := Decode([]byte(answerOf(content, "end_turn")), turn)
		if err != nil {
			t.Fatal(err)
		}
		if got := show(r.Blocks); got != want {
			t.Errorf("%s:\n got %s\nwant %s", content, got, want)
		}
	}
	use, other, cites, think := int(llm.BlockToolUse), int(llm.BlockOther), int(llm.BlockCitations), int(llm.BlockThinking)
	f(``, nil, ``)
	f(`{"text":""},{"text":"a"}`, nil, `0 "a"`)
	f(`{"toolUse":{"toolUseId":"t","name":"f"}}`, nil, fmt.Sprintf(`%d t f {}`, use))
	f(`{"toolUse":{"toolUseId":"t","name":"f","input":""}}`, nil, fmt.Sprintf(`%d t f {}`, use))
	f(`{"toolUse":{"toolUseId":"t","name":"nova_grounding","input":{},"type":"server_tool_use"}}`, nil,
		fmt.Sprintf(`%d "" raw {"toolUse":{"toolUseId":"t","name":"nova_grounding","input":{},"type":"server_tool_use"}}`, other))
	f(` {"toolResult":{"toolUseId":"t"}}`, nil, fmt.Sprintf(`%d "" raw {"toolResult":{"toolUseId":"t"}}`, other))
	f(`{"brandNew":[1]}`, nil, fmt.Sprintf(`%d "" raw {"brandNew":[1]}`, other))
	f(`{"text":"A"},{"citationsContent":{"content":[{"text":" cited"},{"text":"."}],"citations":[]}}`, nil,
		fmt.Sprintf(`0 "A" | %d " cited." raw {"content":[{"text":" cited"},{"text":"."}],"citations":[]}`, cites))
	f(`{"text":"<think>\nhm\n</think>\n\nhi"}`, &Turn{thinkTags: true}, fmt.Sprintf(`%d "hm" | 0 "hi"`, think))
	f(`{"text":"<think>hm</think>hi"}`, nil, `0 "<think>hm</think>hi"`)
	f(`{"text":"a <think>hm</think>"}`, &Turn{thinkTags: true}, `0 "a <think>hm</think>"`)
	f("{\"text\":\"```json\\n{\\\"a\\\":1}\\n```\"}", &Turn{fences: true}, `0 "{\"a\":1}"`)
	f(`{"text":"{\"type\":\"function\",\"name\":\"f\",\"parameters\":{\"a\":1}}"}`, &Turn{textCalls: true, tools: []string{"g"}},
		`0 "{\"type\":\"function\",\"name\":\"f\",\"parameters\":{\"a\":1}}"`)
	r, err := Decode([]byte(answerOf(`{"text":"{\"type\":\"function\",\"name\":\"f\",\"parameters\":{\"a\":1}}"}`, "end_turn")),
		&Turn{textCalls: true, tools: []string{"f"}})
	if err != nil || r.Stop != llm.StopTool || r.Blocks[0].Tool.Name != "f" || string(r.Blocks[0].Tool.Input) != `{"a":1}` {
		t.Errorf("%+v %v", r, err)
	}
	r, err = Decode([]byte(answerOf(`{"image":{"format":"png","source":{"bytes":"aGk="}}}`, "end_turn")), nil)
	if err != nil || r.Blocks[0].Kind != llm.BlockImage || r.Blocks[0].Media.Format != "png" || r.Blocks[0].Media.Base64.String() != "aGk=" {
		t.Errorf("%+v %v", r, err)
	}
}

func TestDecodeStructuredAnswer(t *testing.T) {
	call := func(input string) string {
		return `{"toolUse":{"toolUseId":"t","name":"json_tool_call","input":` + input + `}}`
	}
	f := func(content string, keep bool, want string, stop llm.StopReason) {
		t.Helper()
		r, err := Decode([]byte(answerOf(content, "tool_use")), &Turn{jsonTool: "json_tool_call", keepProperties: keep})
		if err != nil || show(r.Blocks) != want || r.Stop != stop {
			t.Errorf("%s: got %s, %v, %v", content, show(r.Blocks), r.Stop, err)
		}
	}
	f(call(`{"a":"x\"y"}`), false, `0 "{\"a\":\"x\\\"y\"}"`, llm.StopEnd)
	f(call(`{"properties":{"a":1}}`), false, `0 "{\"a\":1}"`, llm.StopEnd)
	f(call(`{"properties":{"a":1}}`), true, `0 "{\"properties\":{\"a\":1}}"`, llm.StopEnd)
	f(`{"text":"Here:"},`+call(`{}`)+`,{"text":"Done"}`, false, `0 "{}"`, llm.StopEnd)
	f(call(`{"n":1}`)+`,`+call(`{"n":2}`), false, `0 "{\"n\":1}"`, llm.StopEnd)
	f(call(`{}`)+`,{"toolUse":{"toolUseId":"u","name":"f","input":{}}}`, false, fmt.Sprintf(`0 "{}" | %d u f {}`, llm.BlockToolUse), llm.StopTool)
	f(`{"text":"no"}`, false, `0 "no"`, llm.StopEnd)
}

func TestStopReasons(t *testing.T) {
	f := func(raw, content string, want llm.StopReason) {
		t.Helper()
		r, err := Decode([]byte(answerOf(content, raw)), nil)
		if err != nil || r.Stop != want || r.StopRaw != raw {
			t.Errorf("%s: %+v, %v", raw, r, err)
		}
	}
	const call = `{"toolUse":{"toolUseId":"t","name":"f","input":{}}}`
	f("end_turn", ``, llm.StopEnd)
	f("end_turn", call, llm.StopTool)
	f("tool_use", call, llm.StopTool)
	f("tool_use", ``, llm.StopEnd)
	f("stop_sequence", ``, llm.StopSequence)
	f("max_tokens", call, llm.StopLength)
	f("model_context_window_exceeded", ``, llm.StopLength)
	f("guardrail_intervened", ``, llm.StopFilter)
	f("content_filtered", ``, llm.StopFilter)
	f("malformed_model_output", ``, llm.StopUnknown)
	f("malformed_tool_use", ``, llm.StopUnknown)
	f("brand_new", ``, llm.StopUnknown)
}

func TestUsage(t *testing.T) {
	f := func(usage string, want llm.Usage) {
		t.Helper()
		r, err := Decode([]byte(`{"output":{"message":{"content":[]}},"usage":`+usage+`}`), nil)
		if err != nil || r.Usage != want {
			t.Errorf("%s: %+v, %v", usage, r, err)
		}
	}
	f(`{"inputTokens":1,"outputTokens":2}`, llm.Usage{Input: 1, Output: 2})
	f(`{"cacheReadInputTokenCount":5}`, llm.Usage{CacheRead: 5})
	f(`{"cacheWriteInputTokens":10,"cacheDetails":[{"ttl":"1h","inputTokens":4}]}`, llm.Usage{CacheWrite5m: 10})
	f(`{"inputTokens":12.0,"outputTokens":-3,"totalTokens":1e99}`, llm.Usage{Input: 12, Total: maxTokens})
	f(`null`, llm.Usage{})
	f(`{"inputTokens":"x"}`, llm.Usage{})
}

func TestNoAnswer(t *testing.T) {
	for _, body := range []string{``, `<html>`, `{}`, `{"output":{}}`, `{"output":{"message":null}}`, answerOf(``, "x") + `}`, `{"output":{"message":{"content":[{"text":"a`} {
		_, err := Decode([]byte(body), nil)
		var e *llm.Error
		if !errors.As(err, &e) || e.Kind != llm.KindUpstream || e.Status() != 502 {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func TestDecodedHistoryGoesUpAgain(t *testing.T) {
	r, err := Decode([]byte(wholeAnswer), nil)
	if err != nil {
		t.Fatal(err)
	}
	q := with(chat(user(text("a")), llm.Message{Role: llm.RoleAssistant, Blocks: r.Blocks}, user(result("tooluse_1", text("r")))), tools(function("my_weather")))
	body, _ := encode(t, claude37, q)
	var sent, came struct {
		Messages []struct{ Content []json.RawMessage }
		Output   struct {
			Message struct{ Content []json.RawMessage }
		}
	}
	if json.Unmarshal([]byte(body), &sent) != nil || json.Unmarshal([]byte(wholeAnswer), &came) != nil {
		t.Fatal(body)
	}
	for i, block := range came.Output.Message.Content[:4] {
		if string(sent.Messages[1].Content[i]) != string(block) {
			t.Errorf("%s went up as %s", block, sent.Messages[1].Content[i])
		}
	}
}
