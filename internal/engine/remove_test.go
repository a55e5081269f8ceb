package engine

import (
	"encoding/json"
	"errors"
	"io"
	"testing"

	"github.com/outcrop-ai/outcrop/llm"
)

func TestRemove(t *testing.T) {
	request := func() *llm.Request {
		number, yes := 0.5, true
		tokens := int64(9)
		return &llm.Request{
			Temperature: &number, TopP: &number, TopK: &tokens, MaxTokens: &tokens, Stop: []string{"x"}, ParallelTools: &yes, Effort: "low",
			Thinking: json.RawMessage(`{"type":"enabled","budget_tokens":9}`), Tier: "flex", User: "u", Latency: "optimized",
			Metadata: []llm.Pair{{Key: "a", Value: "b"}}, Guardrail: json.RawMessage(`{"trace":"enabled"}`), Betas: []string{"b"}, IncludeUsage: true,
			Format:     &llm.Format{Type: "json_schema", Name: "n", Strict: &yes, Schema: json.RawMessage(`{"a":{"b":1,"c":2}}`)},
			ToolChoice: llm.ToolChoice{Mode: llm.ToolAuto},
			Tools: []llm.Tool{
				{Name: "f", Strict: &yes, Description: llm.NewText("d"), Schema: json.RawMessage(`{"x":1,"y":2}`), Cache: &llm.CachePoint{}},
				{Name: "g", Type: "computer_1", Raw: json.RawMessage(`{"type":"computer_1","strict":true}`)},
			},
			Params: []llm.Field{{Name: "seed", Value: json.RawMessage("1")}}, Extra: []llm.Field{{Name: "foo", Value: json.RawMessage(`{"bar":1,"baz":2}`)}},
		}
	}
	text := func(r *llm.Request) string {
		r.Losses = nil
		data, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	for _, path := range []string{
		"temperature", "top_p", "top_k", "max_tokens", "max_completion_tokens", "stop", "tools", "tool_choice", "parallel_tool_calls", "response_format",
		"reasoning_effort", "thinking", "service_tier", "user", "requestMetadata", "performanceConfig", "guardrailConfig", "anthropic_beta", "stream_options",
		"seed", "foo", "foo.bar", "thinking.budget_tokens", "guardrailConfig.trace", "tools[*].function.strict", "tools[*].strict", "tools[*].function.description",
		"tools[*].function.parameters", "tools[*].function.parameters.x", "tools[*].input_schema.y", "tools[*].cache_control",
		"response_format.json_schema.strict", "response_format.json_schema.name", "response_format.json_schema.schema.a.b",
	} {
		r := request()
		shared := r.Tools
		before := text(request())
		if !Remove(r, path) || len(r.Losses) != 1 || r.Losses[0] != (llm.Loss{Path: path, Why: "dropped"}) {
			t.Errorf("%s: losses %v", path, r.Losses)
		}
		after := text(r)
		if before == after {
			t.Errorf("%s is still there", path)
		}
		if shared[0].Strict == nil || shared[0].Description.IsEmpty() || len(shared[0].Schema) != len(`{"x":1,"y":2}`) {
			t.Errorf("%s changed a tool that other requests share", path)
		}
		if Remove(r, path) {
			t.Errorf("%s was removed twice", path)
		}
	}
	for _, path := range []string{"", "nothing", "tools[0].strict", "tools.x", "foo.nothing", "response_format.json_schema.nothing", "temperature.x", "[*]"} {
		r := request()
		before := text(request())
		if Remove(r, path) || text(r) != before {
			t.Errorf("%q removed something", path)
		}
	}
}

func TestWholeAnswerAsStream(t *testing.T) {
	r := &llm.Response{
		Blocks: []llm.Block{
			{Kind: llm.BlockThinking, Text: llm.NewText("hm"), Signature: llm.NewText("s")},
			{Kind: llm.BlockRedacted, Signature: llm.NewText("r")},
			{Kind: llm.BlockText, Text: llm.NewText("hi")},
			{Kind: llm.BlockCitations, Text: llm.NewText("cited"), Raw: json.RawMessage(`{"citations":[{"title":"T"}]}`)},
			{Kind: llm.BlockToolUse, Tool: &llm.ToolBlock{ID: "1", Name: "f", Input: json.RawMessage("{}")}},
			{Kind: llm.BlockOther, Raw: json.RawMessage("{}")},
		},
		Stop: llm.StopTool, StopRaw: "tool_use", Usage: llm.Usage{Input: 1, Output: 2}, Tier: "flex",
	}
	want := []llm.EventKind{
		llm.EventStart, llm.EventThinking, llm.EventSignature, llm.EventBlockStop, llm.EventRedacted, llm.EventBlockStop, llm.EventText, llm.EventBlockStop,
		llm.EventText, llm.EventCitation, llm.EventBlockStop, llm.EventToolStart, llm.EventToolInput, llm.EventBlockStop, llm.EventOther, llm.EventBlockStop,
		llm.EventStop, llm.EventUsage,
	}
	p := newReplay(r)
	for i, kind := range want {
		if !p.Buffered() {
			t.Errorf("event %d is not there yet", i)
		}
		ev, err := p.Next()
		if err != nil || ev.Kind != kind {
			t.Fatalf("event %d: %v, %v, want %v", i, ev.Kind, err, kind)
		}
	}
	if _, err := p.Next(); !errors.Is(err, io.EOF) || p.Buffered() {
		t.Errorf("at the end: %v", err)
	}
	early := newReplay(r)
	if err := early.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := early.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("after Close: %v", err)
	}
}

func TestEstimateCountsWhatWasSentAndReceived(t *testing.T) {
	text := func(s string) []llm.Block { return []llm.Block{{Text: llm.NewText(s)}} }
	r := &llm.Request{
		System:   text("12345678"),
		Messages: []llm.Message{{Blocks: text("1234")}, {Blocks: []llm.Block{{Tool: &llm.ToolBlock{Input: json.RawMessage("{}"), Result: text("12")}}}}},
		Tools:    []llm.Tool{{Name: "1234", Description: llm.NewText("1234"), Schema: json.RawMessage("{\"a\":1} ")}},
	}
	if got, want := estimate(r, 9), (llm.Usage{Input: 8, Output: 3, Estimated: true}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestNewIDIsAUUIDOfTheTime(t *testing.T) {
	last := ""
	for range 1000 {
		id := NewID()
		if len(id) != 36 || id[14] != '7' || id[8] != '-' || id[23] != '-' || id[:8] < last[:min(8, len(last))] || id == last {
			t.Fatalf("%s after %s", id, last)
		}
		last = id
	}
}
