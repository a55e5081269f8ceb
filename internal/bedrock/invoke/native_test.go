package invoke

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/outcrop-ai/outcrop/internal/bedrock/wire"
	"github.com/outcrop-ai/outcrop/internal/catalog"
	"github.com/outcrop-ai/outcrop/llm"
)

// nativeTurns are the families behind native endpoints, and their streams that are relayed.
func nativeTurns() []*Turn {
	return []*Turn{
		{family: &nativeChat},
		{family: &nativeResponses},
		{family: &anthropicMessages},
		{family: &nativeResponses, native: true},
		{family: &anthropicMessages, native: true},
	}
}

// heard reads a stream of server-sent events to its end: the texts, calls and reasoning that came, and the error.
func heard(from io.Reader, turn *Turn) (string, error) {
	s := NewEventStream(wire.NewEvents(from, func() error { return nil }), http.Header{}, turn, "r")
	defer s.Close()
	var out strings.Builder
	for {
		ev, err := s.Next()
		if err != nil {
			return out.String(), err
		}
		switch ev.Kind {
		case llm.EventText, llm.EventThinking, llm.EventToolInput:
			out.WriteString(ev.Text.String())
		case llm.EventToolStart:
			out.WriteString("<" + ev.ToolName + ">")
		case llm.EventUsage:
			if ev.Usage != nil {
				out.WriteString("|")
			}
		}
	}
}

// FuzzNativeStream reads anything as a stream of each native endpoint: it never panics, it ends, its error is one that a
// client can be told, and however the bytes are cut the same comes out.
func FuzzNativeStream(f *testing.F) {
	for _, seed := range []string{
		"data: {\"choices\":[{\"delta\":{\"content\":\"a\",\"reasoning_content\":\"b\",\"tool_calls\":[{\"index\":0,\"id\":\"1\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}\n\ndata: [DONE]\n\n",
		"event: response.output_item.added\ndata: {\"type\":\"response.output_item.added\",\"output_index\":0,\"item\":{\"type\":\"function_call\",\"call_id\":\"c\",\"name\":\"f\"}}\n\ndata: {\"type\":\"response.function_call_arguments.delta\",\"output_index\":0,\"delta\":\"{}\"}\n\ndata: {\"type\":\"response.completed\",\"response\":{\"usage\":{\"input_tokens\":1,\"output_tokens\":2}}}\n\n",
		"data: {\"type\":\"message_start\",\"message\":{}}\n\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"a\"}}\n\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"}}\n\ndata: {\"type\":\"message_stop\"}\n\n",
		"data: {\"error\":{\"message\":\"m\",\"code\":\"rate_limit_exceeded\"}}\n\n", "data: {\"type\":\"response.failed\",\"response\":{\"error\":{\"code\":\"server_error\"}}}\n\n", "data: {!\n\n",
	} {
		f.Add(seed, 7)
	}
	f.Fuzz(func(t *testing.T, stream string, at int) {
		for i, turn := range nativeTurns() {
			whole, err := heard(strings.NewReader(stream), turn)
			var known *llm.Error
			if !errors.Is(err, io.EOF) && !errors.As(err, &known) {
				t.Fatalf("%d: %q: %v", i, stream, err)
			}
			if at <= 0 || at >= len(stream) {
				continue
			}
			if cut, _ := heard(io.MultiReader(strings.NewReader(stream[:at]), strings.NewReader(stream[at:])), turn); cut != whole {
				t.Fatalf("%d: %q cut at %d: %q, whole %q", i, stream, at, cut, whole)
			}
		}
	})
}

// FuzzNativeAnswer reads anything as a whole answer of each native endpoint.
func FuzzNativeAnswer(f *testing.F) {
	f.Add(`{"choices":[{"message":{"content":"a","tool_calls":[{"id":"1","function":{"name":"f","arguments":"{}"}}]}}],"usage":{"prompt_tokens":1,"completion_tokens":2}}`)
	f.Add(`{"status":"incomplete","output":[{"type":"message","content":[{"type":"output_text","text":"a"}]},{"type":"reasoning","summary":[{"text":"s"}]},{"type":"function_call","call_id":"c","name":"f","arguments":"x"},{"type":"web_search_call"}],"usage":{"input_tokens":5,"input_tokens_details":{"cached_tokens":9}}}`)
	f.Add(`{"output":[],"error":{"code":"server_error"}}`)
	f.Add(`{"content":[{"type":"text","text":"a"}],"stop_reason":"end_turn"}`)
	f.Fuzz(func(t *testing.T, body string) {
		for i, turn := range nativeTurns() {
			resp, err := Decode([]byte(body), http.Header{}, turn)
			var known *llm.Error
			if err != nil && !errors.As(err, &known) {
				t.Fatalf("%d: %q: %v", i, body, err)
			}
			if err == nil && (resp.Usage.Input < 0 || resp.Usage.Output < 0) {
				t.Fatalf("%d: %q: %+v", i, body, resp.Usage)
			}
		}
	})
}

// TestNativeErrors: what the endpoints say in mid-stream has the kind that it has elsewhere.
func TestNativeErrors(t *testing.T) {
	f := func(raw string, want llm.Kind) {
		t.Helper()
		if e := openAIError([]byte(raw), "r"); e.Kind != want || e.RequestID != "r" || e.Message == "" {
			t.Errorf("%s: %+v", raw, e)
		}
	}
	f(`{"code":"rate_limit_exceeded"}`, llm.KindRateLimit)
	f(`{"type":"rate_limit_error"}`, llm.KindRateLimit)
	f(`{"code":"throttling_exception"}`, llm.KindRateLimit)
	f(`{"code":"context_length_exceeded","message":"m"}`, llm.KindContextWindow)
	f(`{"code":"content_filter"}`, llm.KindContentFilter)
	f(`{"type":"invalid_request_error"}`, llm.KindInvalid)
	f(`{"code":"server_error"}`, llm.KindUpstreamInternal)
	f(`{"code":"server_is_overloaded"}`, llm.KindUnavailable)
	f(`{"code":"new"}`, llm.KindUpstream)
	f(`null`, llm.KindUpstream)
}

// TestMantleTakesNoHeadersOfRuntime: Mantle's host gets none of bedrock-runtime's headers, and what they would say is lost by name.
func TestMantleTakesNoHeadersOfRuntime(t *testing.T) {
	c, err := catalog.Default()
	if err != nil {
		t.Fatal(err)
	}
	ref, err := c.Resolve("bedrock/mantle/openai.gpt-oss-20b-1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &llm.Request{
		Messages: []llm.Message{{Blocks: []llm.Block{{Text: llm.NewText("hi")}}}}, Latency: "optimized", Tier: "flex",
		Metadata: []llm.Pair{{Key: "a", Value: "b"}},
	}
	got, err := EncodeNative(nil, r, ref, Native{API: catalog.RouteChatCompletions, Model: "openai.gpt-oss-20b", Mantle: true})
	if err != nil || len(got.Header) != 0 || !strings.Contains(string(got.Body), `"service_tier":"flex"`) || len(r.Losses) != 2 {
		t.Errorf("%v %v %s %v", err, got.Header, got.Body, r.Losses)
	}
	r.Guardrail = []byte(`{"guardrailIdentifier":"g","guardrailVersion":"1"}`)
	if _, err := EncodeNative(nil, r, ref, Native{API: catalog.RouteChatCompletions, Model: "openai.gpt-oss-20b", Mantle: true}); err == nil {
		t.Error("a guardrail that is not there was passed over")
	}
}
