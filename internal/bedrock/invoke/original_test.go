package invoke

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/outcrop-ai/outcrop/internal/bedrock/wire"
	"github.com/outcrop-ai/outcrop/internal/catalog"
	"github.com/outcrop-ai/outcrop/internal/dialect/anthropic"
	"github.com/outcrop-ai/outcrop/llm"
)

const sonnet45 = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"

func refOf(t testing.TB, model string) catalog.Ref {
	t.Helper()
	c, err := catalog.Default()
	if err != nil {
		t.Fatal(err)
	}
	ref, err := c.Resolve(model)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

// messagesBody returns the body for a Messages request, and whether it holds the client's own words.
func messagesBody(t *testing.T, body, model string, changed bool) (map[string]any, bool, []llm.Loss) {
	t.Helper()
	r, err := anthropic.Decode([]byte(body))
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	if changed {
		r.Change()
	}
	request, err := Encode(nil, r.Request, refOf(t, model))
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	var out map[string]any
	if err := json.Unmarshal(request.Body, &out); err != nil {
		t.Fatalf("%s: %v", request.Body, err)
	}
	return out, request.Turn.native, r.Losses
}

// normal says in one way what Claude takes in two: content as a list, tools with their type and a description.
func normal(out map[string]any) map[string]any {
	list := func(v any) any {
		if text, ok := v.(string); ok {
			return []any{map[string]any{"type": "text", "text": text}}
		}
		return v
	}
	if system, ok := out["system"]; ok {
		out["system"] = list(system)
	}
	for _, m := range out["messages"].([]any) {
		message := m.(map[string]any)
		message["content"] = list(message["content"])
		for _, b := range message["content"].([]any) {
			if block := b.(map[string]any); block["type"] == "tool_result" {
				block["content"] = list(block["content"])
				if failed, said := block["is_error"].(bool); said && !failed {
					delete(block, "is_error")
				}
			}
		}
	}
	tools, _ := out["tools"].([]any)
	for _, v := range tools {
		tool := v.(map[string]any)
		if _, own := tool["input_schema"]; own {
			tool["type"] = "custom"
			if _, described := tool["description"]; !described {
				tool["description"] = tool["name"]
			}
		}
	}
	return out
}

const (
	oneTool = `"tools":[{"name":"Read","input_schema":{"type":"object","properties":{"a":{"type":"string"}}}}]`
	asked   = `{"role":"user","content":"read"}`
	called  = `{"role":"assistant","content":[{"type":"thinking","thinking":"h\u006dm","signature":"c2\/n"},{"type":"redacted_thinking","data":"cmVk"},{"type":"text","text":"I read"},{"type":"tool_use","id":"toolu_1","name":"Read","input":{"a":"b"}},{"type":"tool_use","id":"toolu_2","name":"Read","input":{}}]}`
	results = `{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":"one"},{"type":"tool_result","tool_use_id":"toolu_2","content":[{"type":"text","text":"two"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgoAAAANSUhEUg=="}}],"is_error":true,"cache_control":{"type":"ephemeral"}},{"type":"text","text":"go on"}]}`
)

// TestTheClientsOwnWordsSayWhatTheCoreSays compares both ways of writing a request for Claude.
func TestTheClientsOwnWordsSayWhatTheCoreSays(t *testing.T) {
	f := func(members string) {
		t.Helper()
		body := `{"model":"m","max_tokens":5000,` + members + `}`
		own, native, lostOwn := messagesBody(t, body, sonnet45, false)
		core, _, lostCore := messagesBody(t, body, sonnet45, true)
		if !native {
			t.Errorf("%s does not go up as it is", body)
		}
		if own, core = normal(own), normal(core); !reflect.DeepEqual(own, core) {
			a, _ := json.MarshalIndent(own, "", " ")
			b, _ := json.MarshalIndent(core, "", " ")
			t.Errorf("%s\n--- in its own words\n%s\n--- through the core\n%s", body, a, b)
		}
		if !reflect.DeepEqual(lostOwn, lostCore) {
			t.Errorf("%s: lost %v in its own words, %v through the core", body, lostOwn, lostCore)
		}
	}
	f(`"messages":[` + asked + `]`)
	f(`"system":"be","temperature":0.3,"top_k":4,"stop_sequences":["a","b"],"messages":[` + asked + `,{"role":"assistant","content":"so"},{"role":"user","content":[{"type":"text","text":"x","cache_control":{"type":"ephemeral","ttl":"1h"}}]}]`)
	f(oneTool + `,"messages":[` + asked + `,` + called + `,` + results + `]`)
	f(oneTool + `,"tool_choice":{"type":"any","disable_parallel_tool_use":true},"messages":[` + asked + `]`)
	f(oneTool + `,"tool_choice":{"type":"none"},"messages":[` + asked + `]`)
	f(oneTool + `,"thinking":{"type":"enabled","budget_tokens":4000},"messages":[` + asked + `,` + called + `,` + results + `]`)
	f(`"thinking":{"type":"adaptive"},"messages":[` + asked + `]`) // said as a budget to a model that knows budgets
	f(`"output_config":{"format":{"type":"json_schema","schema":{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}}},"messages":[` + asked + `]`)
	f(`"tools":[{"name":"Read","input_schema":{"properties":null},"strict":true,"eager_input_streaming":true},{"type":"bash_20250124","name":"bash"}],"messages":[` + asked + `]`)
	f(`"context_management":{"edits":[{"type":"clear_tool_uses_20250919"}]},"messages":[` + asked + `]`)
	f(`"messages":[{"role":"user","content":[{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"JVBERi0xLjQK"},"title":"t","citations":{"enabled":true}},{"type":"text","text":"sum"}]}]`)
}

// TestWhatNeedsARepairGoesThroughTheCore lists what cannot go up as it was written.
func TestWhatNeedsARepairGoesThroughTheCore(t *testing.T) {
	f := func(members string, change func(*llm.Request)) {
		t.Helper()
		r, err := anthropic.Decode([]byte(`{"model":"m","max_tokens":5000,` + members + `}`))
		if err != nil {
			t.Fatal(err)
		}
		if change != nil {
			change(r.Request)
		}
		request, err := Encode(nil, r.Request, refOf(t, sonnet45))
		if err != nil || request.Turn.native {
			t.Errorf("%s: %v, goes up as it is", members, err)
		}
	}
	f(`"messages":[`+asked+`,`+called+`,`+results+`]`, nil)                                                                          // no tools
	f(oneTool+`,"messages":[`+asked+`,`+called+`]`, nil)                                                                             // no results
	f(oneTool+`,"messages":[`+results+`]`, nil)                                                                                      // no calls
	f(`"messages":[{"role":"user","content":[{"type":"text","text":" "},{"type":"text","text":"a"}]}]`, nil)                         // blank text
	f(`"messages":[`+asked+`,{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":""}]},`+asked+`]`, nil)   // not signed
	f(`"messages":[`+asked+`,{"role":"system","content":"mid"},`+asked+`]`, nil)                                                     // the model takes none there
	f(`"messages":[{"role":"assistant","content":"so"},`+asked+`]`, func(r *llm.Request) { r.Policy.Modify = true })                 // begins with the assistant
	f(`"messages":[`+asked+`]`, func(r *llm.Request) { r.Guardrail = []byte(`{"guardrailIdentifier":"g","guardrailVersion":"1"}`) }) // its tags go into texts
	f(`"messages":[`+asked+`]`, func(r *llm.Request) { r.Tools = []llm.Tool{{Name: "f"}} })                                          // the deployment's tools
	f(`"tools":[{"name":"a.b","input_schema":{"type":"object"}}],"messages":[`+asked+`]`, nil)                                       // a name that AWS refuses
	f(`"messages":[`+asked+`]`, (*llm.Request).Change)
}

// nativeTurn is the turn of a request in the client's own words.
func nativeTurn(t testing.TB) *Turn {
	t.Helper()
	r, err := anthropic.Decode([]byte(`{"model":"m","max_tokens":9,"messages":[` + asked + `]}`))
	if err != nil {
		t.Fatal(err)
	}
	request, err := Encode(nil, r.Request, refOf(t, sonnet45))
	if err != nil || !request.Turn.native {
		t.Fatalf("%v, not native", err)
	}
	return request.Turn
}

// written returns what a client of Anthropic's gets of a stream, and its error.
func written(s llm.Stream) (string, error) {
	defer s.Close()
	events := anthropic.NewEvents(&anthropic.Answer{ID: "msg_x", Model: "sonnet"})
	var out []byte
	for range 10_000 {
		ev, err := s.Next()
		if err != nil {
			return string(out), err
		}
		out = events.Append(out, &ev)
	}
	return string(out), errors.New("a stream without end")
}

var claudesEvents = []string{
	`{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude","content":[],"usage":{"input_tokens":3,"cache_read_input_tokens":9,"output_tokens":1}}}`,
	`{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`,
	"{\"type\":\"ping\",\n\"a\" : \"b\\n\"}",
	`{"delta":{"text":"one \"two\"","type":"text_delta"},"index":0,"type":"content_block_delta"}`,
	`{"type":"content_block_stop","index":0}`,
	`{"type":"brand_new","x":1}`,
	`{"type":"message_delta","delta":{"stop_reason":"max_tokens","stop_sequence":null},"usage":{"output_tokens":7}}`,
	`{"type":"message_stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":3,"outputTokenCount":7}}`,
}

// TestEventsAreHandedOverHoweverTheyArrive splits a stream at every byte.
func TestEventsAreHandedOverHoweverTheyArrive(t *testing.T) {
	data := frames(t, claudesEvents...)
	turn := nativeTurn(t)
	want, err := written(NewStream(wire.NewFrames(bytes.NewReader(data), nil), http.Header{}, turn, "req"))
	if !errors.Is(err, io.EOF) || !strings.Contains(want, "event: brand_new\ndata: {\"type\":\"brand_new\",\"x\":1}\n\n") ||
		!strings.Contains(want, `"model":"sonnet"`) || !strings.HasSuffix(want, "data: {\"type\":\"message_stop\"}\n\n") || strings.Contains(want, "claude") {
		t.Fatalf("%v %s", err, want)
	}
	for at := range data {
		parts := io.MultiReader(bytes.NewReader(data[:at]), bytes.NewReader(data[at:]))
		got, err := written(NewStream(wire.NewFrames(parts, nil), http.Header{}, turn, "req"))
		if got != want || !errors.Is(err, io.EOF) {
			t.Fatalf("split at %d: %v %s", at, err, got)
		}
	}
	if got, err := written(NewStream(wire.NewFrames(iotest.OneByteReader(bytes.NewReader(data)), nil), http.Header{}, turn, "req")); got != want || !errors.Is(err, io.EOF) {
		t.Errorf("byte by byte: %v %s", err, got)
	}
}

func TestTheBooksSeeWhatIsHandedOver(t *testing.T) {
	s := NewStream(wire.NewFrames(bytes.NewReader(frames(t, claudesEvents...)), nil), http.Header{headerTier: {"flex"}}, nativeTurn(t), "req")
	defer s.Close()
	var kinds []llm.EventKind
	for {
		ev, err := s.Next()
		if err != nil {
			break
		}
		kinds = append(kinds, ev.Kind)
		switch ev.Kind {
		case llm.EventText:
			if ev.Text.String() != `one "two"` {
				t.Errorf("text %q", ev.Text.String())
			}
		case llm.EventStop:
			if ev.Stop != llm.StopLength || ev.StopRaw != "max_tokens" {
				t.Errorf("stop %v %s", ev.Stop, ev.StopRaw)
			}
		case llm.EventUsage:
			if want := (llm.Usage{Input: 3, Output: 7, CacheRead: 9}); *ev.Usage != want || ev.Tail.Tier != "flex" {
				t.Errorf("usage %+v, tier %s", *ev.Usage, ev.Tail.Tier)
			}
		}
	}
	want := []llm.EventKind{llm.EventStart, llm.EventOther, llm.EventOther, llm.EventText, llm.EventBlockStop, llm.EventOther, llm.EventStop, llm.EventUsage}
	if !slices.Equal(kinds, want) {
		t.Errorf("events %v, want %v", kinds, want)
	}
}

func TestAStreamThatBreaksEndsInAnError(t *testing.T) {
	f := func(want string, objects ...string) {
		t.Helper()
		_, err := written(NewStream(wire.NewFrames(bytes.NewReader(frames(t, objects...)), nil), http.Header{}, nativeTurn(t), "req"))
		var e *llm.Error
		if !errors.As(err, &e) || !strings.Contains(e.Message, want) || e.RequestID != "req" {
			t.Errorf("%v: %v", objects, err)
		}
	}
	f("ended early", claudesEvents[:4]...)
	f("not JSON", claudesEvents[0], `{"type":"content_block_delta"`)
	f("Overloaded", claudesEvents[0], `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`)
}

// FuzzReframe holds that whatever the model sends, the client gets events: lines that no text of the model's can break.
func FuzzReframe(f *testing.F) {
	for _, event := range claudesEvents {
		f.Add(event)
	}
	f.Add("{\"type\":\"content_block_delta\\n\\nevent: x\",\r\"delta\":{}}")
	f.Add(`{"type":7,"index":-1,"delta":[],"message":"x","amazon-bedrock-invocationMetrics":3}`)
	turn := nativeTurn(f)
	f.Fuzz(func(t *testing.T, object string) {
		out, _ := written(NewStream(wire.NewFrames(bytes.NewReader(frames(t, claudesEvents[0], object, object)), nil), http.Header{}, turn, ""))
		for event := range strings.SplitSeq(strings.TrimSuffix(out, "\n\n"), "\n\n") {
			lines := strings.Split(event, "\n")
			if len(lines) != 2 || !strings.HasPrefix(lines[0], "event: ") || !strings.HasPrefix(lines[1], "data: {") || !json.Valid([]byte(lines[1][6:])) {
				t.Fatalf("%q gives the event %q", object, event)
			}
		}
	})
}
