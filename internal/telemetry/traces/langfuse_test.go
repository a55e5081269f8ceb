package traces

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	spans "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/outcrop-ai/outcrop/internal/telemetry"
)

func vars(pairs map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		v, ok := pairs[name]
		return v, ok
	}
}

func TestSpansForLangfuse(t *testing.T) {
	type request struct {
		path   string
		header http.Header
		spans  []*spans.Span
	}
	got := make(chan request, 10)
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var m spans.TracesData
		if err := proto.Unmarshal(body, &m); err != nil {
			t.Error(err)
		}
		got <- request{r.URL.Path, r.Header, m.ResourceSpans[0].ScopeSpans[0].Spans}
	}))
	defer s.Close()
	x, err := New(t.Context(), Options{Langfuse: true, LangfuseTags: []string{"cache_hit", "cache_key"}, Env: vars(map[string]string{
		"LANGFUSE_PUBLIC_KEY": "pk", "LANGFUSE_SECRET_KEY": "sk", "LANGFUSE_HOST": s.URL + "/", "LANGFUSE_TRACING_ENVIRONMENT": "prod", "LANGFUSE_RELEASE": "v1",
		"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_TRACES_EXPORTER": "none",
	})})
	if err != nil {
		t.Fatal(err)
	}
	if x.Name() != LangfuseName {
		t.Errorf("its name is %s", x.Name())
	}
	e := event()
	e.Tags, e.KeyAlias, e.Caller.KeyAlias, e.TraceParent, e.Session = []string{"a"}, "ci", "ci", "", "s-1"
	e.Content = &telemetry.Content{
		Messages: json.RawMessage(`[{"role":"user","content":"hi"}]`), Response: json.RawMessage(`{"choices":[{"message":{"role":"assistant","content":"hello"}}]}`),
		Parameters: json.RawMessage(`{"temperature":1}`), Metadata: json.RawMessage(`{"trace_name":"mine","trace_user_id":"bob","trace_id":"0a-1b","trace_metadata":{"k":1}}`),
	}
	hidden := event()
	hidden.Content = &telemetry.Content{Redacted: true}
	hidden.ErrorKind, hidden.Message = "internal", "it broke"
	if left, err := x.Send(t.Context(), []*telemetry.Event{e, hidden}); err != nil || left != nil {
		t.Fatal(left, err)
	}
	r := <-got
	if r.path != "/api/public/otel/v1/traces" || r.header.Get("Authorization") != "Basic cGs6c2s=" || r.header.Get("X-Langfuse-Ingestion-Version") != "4" {
		t.Errorf("got %s %v", r.path, r.header)
	}
	if len(r.spans) != 2 {
		t.Fatalf("%d spans, want one for each call: tokens must not count twice", len(r.spans))
	}
	expect(t, "call", attributes(r.spans[0].Attributes), map[string]string{
		"langfuse.observation.type": "generation", "langfuse.trace.name": "mine", "langfuse.trace.id": "0a1b", "user.id": "bob", "session.id": "s-1", "langfuse.trace.tags": "a",
		"langfuse.environment": "prod", "langfuse.release": "v1", "langfuse.trace.metadata": `{"k":1}`, "langfuse.trace.metadata.user_api_key_alias": "ci",
		"langfuse.observation.input": `[{"role":"user","content":"hi"}]`, "langfuse.trace.output": `{"role":"assistant","content":"hello"}`,
		"langfuse.observation.model.name": "us.amazon.nova-pro-v1:0", "langfuse.observation.model.parameters": `{"temperature":1}`,
		"langfuse.observation.completion_start_time": `"2026-03-04T05:06:07.3Z"`, "langfuse.observation.cost_details": `{"total":0.005}`,
		"langfuse.observation.usage_details": `{"cache_creation_input_tokens":0,"cache_read_input_tokens":50,"input":100,"output":20,"total":170}`,
		"gen_ai.request.model":               "chat", "langfuse.observation.level": "",
	})
	expect(t, "failure", attributes(r.spans[1].Attributes), map[string]string{
		"langfuse.observation.input": redacted, "langfuse.trace.output": redacted, "langfuse.observation.level": "ERROR", "langfuse.observation.status_message": "it broke",
	})
	if err := x.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestWhatLangfuseLacksIsNamed(t *testing.T) {
	f := func(want string, pairs map[string]string) {
		t.Helper()
		_, err := New(t.Context(), Options{Langfuse: true, Env: vars(pairs)})
		if err == nil || err.Error() != want {
			t.Errorf("got %v", err)
		}
	}
	f("the variable LANGFUSE_PUBLIC_KEY is not set", nil)
	f("the variable LANGFUSE_SECRET_KEY is not set", map[string]string{"LANGFUSE_PUBLIC_KEY": "pk"})
	f("LANGFUSE_HOST must be an http:// or https:// URL", map[string]string{"LANGFUSE_PUBLIC_KEY": "pk", "LANGFUSE_SECRET_KEY": "sk", "LANGFUSE_HOST": "ftp://x"})
}

func TestContentsWhereTheyAreAskedFor(t *testing.T) {
	c := collect(t)
	x, err := New(t.Context(), Options{Contents: true, Env: vars(map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": c.url, "OTEL_METRICS_EXPORTER": "none"})})
	if err != nil {
		t.Fatal(err)
	}
	e := event()
	e.Content = &telemetry.Content{
		Messages: json.RawMessage(`[{"role":"system","content":"be short"},{"role":"user","content":[{"type":"text","text":"what is \"this\"?"},{"type":"image_url","image_url":{"url":"data:c4n4ry"}}]},
			{"role":"assistant","content":null,"tool_calls":[{"id":"t1","type":"function","function":{"name":"look","arguments":"{}"}}]},{"role":"tool","tool_call_id":"t1","content":"a cat"}]`),
		Response: json.RawMessage(`{"choices":[{"finish_reason":"stop","message":{"role":"assistant","content":"A cat."}}]}`),
	}
	if _, err := x.Send(t.Context(), []*telemetry.Event{e}); err != nil {
		t.Fatal(err)
	}
	list := (<-c.spans).ResourceSpans[0].ScopeSpans[0].Spans
	expect(t, "the request", attributes(list[len(list)-1].Attributes), map[string]string{
		"gen_ai.input.messages": `[{"role":"system","parts":[{"type":"text","content":"be short"}]},{"role":"user","parts":[{"type":"text","content":"what is \"this\"?"},{"type":"image_url"}]},` +
			`{"role":"assistant","parts":[{"type":"tool_call","id":"t1","name":"look","arguments":"{}"}]},{"role":"tool","parts":[{"type":"tool_call_response","id":"t1","response":"a cat"}]}]`,
		"gen_ai.output.messages": `[{"role":"assistant","parts":[{"type":"text","content":"A cat."}],"finish_reason":"stop"}]`,
	})
	for _, s := range list {
		if strings.Contains(s.String(), "c4n4ry") {
			t.Error("an image is told")
		}
	}
	if err := x.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// What clients and models say is read as far as it can be, whatever it is.
func FuzzContents(f *testing.F) {
	for _, s := range []string{
		`"a prompt"`, `[{"role":"user","content":"hi"}]`, `{"choices":[{"text":"x"}]}`, `{"content":[{"type":"thinking","thinking":"hm"},{"type":"tool_use","id":"1","name":"n","input":{}}],"stop_reason":"end_turn"}`,
		`[1,null,{"content":[{"type":"tool_result","tool_use_id":"1","content":[]}]}]`, `{"choices":{}}`, `{"choices":[{"message":{"tool_calls":[{"function":{"arguments":"\u12"}}]}}]}`, `[`, ``, `{"content":`,
	} {
		f.Add([]byte(s), []byte(s))
	}
	f.Fuzz(func(t *testing.T, messages, response []byte) {
		for _, a := range contents(&telemetry.Event{Content: &telemetry.Content{Messages: messages, Response: response}}) {
			if !json.Valid([]byte(a.Value.AsString())) {
				t.Errorf("%s is not JSON: %s", a.Key, a.Value.AsString())
			}
		}
		(&langfuse{}).attributes(&telemetry.Event{Content: &telemetry.Content{Messages: messages, Response: response, Metadata: messages}}, false)
	})
}
