package traces

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	common "go.opentelemetry.io/proto/otlp/common/v1"
	metrics "go.opentelemetry.io/proto/otlp/metrics/v1"
	spans "go.opentelemetry.io/proto/otlp/trace/v1"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/internal/telemetry"
	"github.com/outcrop-ai/outcrop/llm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// collector is an OTLP collector.
type collector struct {
	url     string
	spans   chan *spans.TracesData
	metrics chan *metrics.MetricsData
	header  chan http.Header
}

// collect starts a collector that answers requests for spans with these statuses, then with 200.
func collect(t *testing.T, statuses ...int) *collector {
	t.Helper()
	c := &collector{
		spans: make(chan *spans.TracesData, 100), metrics: make(chan *metrics.MetricsData, 100),
		header: make(chan http.Header, 100),
	}
	next := make(chan int, len(statuses))
	for _, s := range statuses {
		next <- s
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.URL.Path == "/v1/metrics" {
			var m metrics.MetricsData
			if err := proto.Unmarshal(body, &m); err != nil {
				t.Error(err)
			}
			c.metrics <- &m
			return
		}
		var m spans.TracesData
		if err := proto.Unmarshal(body, &m); err != nil || r.URL.Path != "/v1/traces" {
			t.Error(r.URL.Path, err)
		}
		select {
		case status := <-next:
			w.WriteHeader(status)
		default:
			c.header <- r.Header
			c.spans <- &m
		}
	}))
	t.Cleanup(s.Close)
	c.url = s.URL
	return c
}

func exporter(t *testing.T, c *collector, pairs map[string]string) *Exporter {
	t.Helper()
	x, err := New(t.Context(), Options{
		Version: "1.2.3", Logger: slog.New(slog.DiscardHandler),
		Env: func(name string) (string, bool) {
			if name == "OTEL_EXPORTER_OTLP_ENDPOINT" {
				return c.url, true
			}
			v, ok := pairs[name]
			return v, ok
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// event is a streamed call that two deployments were asked for.
func event() *telemetry.Event {
	start := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	return &telemetry.Event{
		Record: account.Record{
			CallID: "call-1", RequestID: "chatcmpl-1", Type: "acompletion", Path: "/v1/chat/completions", User: "alice", KeyHash: "hash",
			Asked: "chat", Group: "chat", Deployment: "d2", Model: "us.amazon.nova-pro-v1:0", Region: "us-east-1", Route: "converse",
			Usage: llm.Usage{Input: 100, Output: 20, CacheRead: 50}, UsageSource: account.UsageAWS, Cost: 5_000_000_000, CostKnown: true, Status: 200, Stream: true,
			Start: start, FirstToken: start.Add(300 * time.Millisecond), End: start.Add(2 * time.Second),
		},
		Endpoint: "https://bedrock-runtime.us-east-1.amazonaws.com", Stop: "stop",
		TraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		Attempts: []telemetry.Attempt{
			{Deployment: "d1", Model: "amazon.nova-pro-v1:0", Region: "us-west-2", Status: 429, Error: "ThrottlingException", Start: start, End: start.Add(100 * time.Millisecond)},
			{Deployment: "d2", Model: "us.amazon.nova-pro-v1:0", Region: "us-east-1", Status: 200, Start: start.Add(100 * time.Millisecond), End: start.Add(2 * time.Second)},
		},
		Content: &telemetry.Content{Messages: []byte(`"c4n4ry"`), Response: []byte(`"c4n4ry"`)},
	}
}

func text(v *common.AnyValue) string {
	switch x := v.GetValue().(type) {
	case *common.AnyValue_StringValue:
		return x.StringValue
	case *common.AnyValue_ArrayValue:
		return text(x.ArrayValue.Values[0])
	}
	return strings.Trim(strings.SplitN(strings.Join(strings.Fields(v.String()), ""), ":", 2)[1], `"`)
}

func attributes(list []*common.KeyValue) map[string]string {
	out := map[string]string{}
	for _, a := range list {
		out[a.Key] = text(a.Value)
	}
	return out
}

func expect(t *testing.T, what string, got map[string]string, want map[string]string) {
	t.Helper()
	for name, value := range want {
		if got[name] != value {
			t.Errorf("%s: %s is %q, want %q", what, name, got[name], value)
		}
	}
}

func TestSpans(t *testing.T) {
	c := collect(t)
	x := exporter(t, c, map[string]string{"OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20x", "OTEL_SERVICE_NAME": "mine"})
	if left, err := x.Send(t.Context(), []*telemetry.Event{event()}); err != nil || left != nil {
		t.Fatal(left, err)
	}
	if got := (<-c.header).Get("Authorization"); got != "Bearer x" {
		t.Errorf("authorization %q", got)
	}
	r := (<-c.spans).ResourceSpans[0]
	expect(t, "resource", attributes(r.Resource.Attributes), map[string]string{"service.name": "mine", "service.version": "1.2.3"})
	list := r.ScopeSpans[0].Spans
	if len(list) != 3 {
		t.Fatalf("%d spans", len(list))
	}
	first, second, server := list[0], list[1], list[2]
	if server.Kind != spans.Span_SPAN_KIND_SERVER || server.Name != "chat chat" || string(server.ParentSpanId) != "\xb7\xad\x6b\x71\x69\x20\x33\x31" {
		t.Errorf("server %v", server)
	}
	for _, s := range list {
		if string(s.TraceId) != "\x0a\xf7\x65\x19\x16\xcd\x43\xdd\x84\x48\xeb\x21\x1c\x80\x31\x9c" {
			t.Errorf("%s is of another trace", s.Name)
		}
		if strings.Contains(s.String(), "c4n4ry") {
			t.Error("what was said is told")
		}
	}
	answered := map[string]string{
		"gen_ai.operation.name": "chat", "gen_ai.provider.name": "aws.bedrock", "gen_ai.request.model": "chat", "gen_ai.response.model": "us.amazon.nova-pro-v1:0",
		"gen_ai.usage.input_tokens": "150", "gen_ai.usage.output_tokens": "20", "gen_ai.usage.cache_read.input_tokens": "50",
		"gen_ai.response.finish_reasons": "stop", "gen_ai.response.id": "chatcmpl-1", "server.address": "bedrock-runtime.us-east-1.amazonaws.com", "error.type": "",
	}
	expect(t, "server", attributes(server.Attributes), answered)
	expect(t, "server", attributes(server.Attributes), map[string]string{"gen_ai.usage.cost": "0.005", "enduser.id": "alice", "litellm.call_id": "call-1"})
	expect(t, "second", attributes(second.Attributes), answered)
	expect(t, "second", attributes(second.Attributes), map[string]string{"http.request.resend_count": "1", "http.response.status_code": "200"})
	expect(t, "first", attributes(first.Attributes), map[string]string{"error.type": "ThrottlingException", "http.response.status_code": "429", "cloud.region": "us-west-2", "gen_ai.usage.input_tokens": ""})
	if first.Kind != spans.Span_SPAN_KIND_CLIENT || first.Status.Code != spans.Status_STATUS_CODE_ERROR || second.Status.GetCode() != spans.Status_STATUS_CODE_UNSET {
		t.Errorf("first %v, second %v", first, second)
	}
	if string(first.ParentSpanId) != string(server.SpanId) || server.EndTimeUnixNano-server.StartTimeUnixNano != uint64(2*time.Second) {
		t.Error("the spans do not stand below each other")
	}
	if err := x.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	counted(t, <-c.metrics)
}

// counted looks at the metrics of one event.
func counted(t *testing.T, m *metrics.MetricsData) {
	t.Helper()
	sums := map[string]float64{}
	for _, one := range m.ResourceMetrics[0].ScopeMetrics[0].Metrics {
		data, ok := one.Data.(*metrics.Metric_Histogram)
		if !ok {
			t.Fatalf("%s is no histogram", one.Name)
		}
		for _, p := range data.Histogram.DataPoints {
			a := attributes(p.Attributes)
			sums[one.Name+" "+one.Unit+" "+a["gen_ai.token.type"]] += p.GetSum()
			expect(t, one.Name, a, map[string]string{"gen_ai.request.model": "chat", "gen_ai.provider.name": "aws.bedrock", "gen_ai.operation.name": "chat"})
		}
	}
	for name, want := range map[string]float64{
		"gen_ai.client.operation.duration s ": 2, "gen_ai.server.time_to_first_token s ": 0.3,
		"gen_ai.client.token.usage {token} input": 150, "gen_ai.client.token.usage {token} output": 20,
	} {
		if sums[name] != want {
			t.Errorf("%s is %v, want %v (of %v)", name, sums[name], want, sums)
		}
	}
}

func TestFailedCalls(t *testing.T) {
	c := collect(t)
	x := exporter(t, c, map[string]string{"OTEL_METRICS_EXPORTER": "none"})
	e := event()
	e.Group, e.Deployment, e.Asked, e.Model, e.Attempts, e.TraceParent = "", "", "made-up", "", nil, "nonsense"
	e.Status = 404
	e.SetError(&llm.Error{Kind: llm.KindNotFound, Message: "no such model"})
	if _, err := x.Send(t.Context(), []*telemetry.Event{e}); err != nil {
		t.Fatal(err)
	}
	list := (<-c.spans).ResourceSpans[0].ScopeSpans[0].Spans
	if len(list) != 1 || list[0].Name != "chat" || list[0].Status.Code != spans.Status_STATUS_CODE_ERROR {
		t.Fatalf("got %v", list)
	}
	expect(t, "span", attributes(list[0].Attributes), map[string]string{"error.type": "not_found", "http.response.status_code": "404"})
	if err := x.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestACollectorThatIsAwayGetsTheBatchAgain(t *testing.T) {
	c := collect(t, http.StatusServiceUnavailable, http.StatusBadRequest)
	x := exporter(t, c, map[string]string{"OTEL_METRICS_EXPORTER": "none"})
	batch := []*telemetry.Event{event()}
	for range 2 {
		if left, err := x.Send(t.Context(), batch); err == nil || len(left) != 1 {
			t.Fatal(left, err)
		}
	}
	if left, err := x.Send(t.Context(), batch); err != nil || left != nil {
		t.Fatal(left, err)
	}
	if n := len((<-c.spans).ResourceSpans[0].ScopeSpans[0].Spans); n != 3 {
		t.Errorf("%d spans", n)
	}
	if err := x.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestABatchThatIsAlwaysRefusedIsGivenUp(t *testing.T) {
	statuses := make([]int, maxTries)
	for i := range statuses {
		statuses[i] = http.StatusBadRequest
	}
	x := exporter(t, collect(t, statuses...), map[string]string{"OTEL_METRICS_EXPORTER": "none"})
	batch := []*telemetry.Event{event()}
	for i := range maxTries {
		left, err := x.Send(t.Context(), batch)
		if err == nil || (len(left) == 0) != (i == maxTries-1) {
			t.Fatal(i, left, err)
		}
	}
	if err := x.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestWrongVariablesAreNamed(t *testing.T) {
	f := func(name, value, want string) {
		t.Helper()
		_, err := New(context.Background(), Options{Env: func(n string) (string, bool) {
			if n == name {
				return value, true
			}
			return "", false
		}})
		if err == nil || err.Error() != want {
			t.Errorf("got %v", err)
		}
	}
	f("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "OTEL_EXPORTER_OTLP_PROTOCOL must be http/protobuf")
	f("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318", "OTEL_EXPORTER_OTLP_ENDPOINT must be an http:// or https:// URL")
}
