package traces

import (
	"context"
	"net/url"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/internal/telemetry"
)

// provider is the conventions' word for Bedrock.
const provider = "aws.bedrock"

// operation is the conventions' word for a kind of call, or ours where they have none.
func operation(e *telemetry.Event) string {
	switch e.Type {
	case "acompletion", "aresponses", "anthropic_messages":
		return "chat"
	case "atext_completion":
		return "text_completion"
	case "aembedding":
		return "embeddings"
	}
	if strings.Contains(e.Path, "/converse") {
		return "chat"
	}
	return strings.TrimPrefix(e.Type, "a")
}

// model is the name that was asked for, if it is one that the gateway knows: clients can send any.
func model(e *telemetry.Event) string {
	if e.Group == "" && e.Deployment == "" {
		return ""
	}
	return e.Asked
}

// host returns the host of an endpoint, that of the region's where nothing is known.
func host(e *telemetry.Event, region string) string {
	if u, err := url.Parse(e.Endpoint); err == nil && u.Host != "" && region == e.Region {
		return u.Hostname()
	}
	return ""
}

func name(operation, model string) string {
	return strings.TrimSpace(operation + " " + model)
}

// trace makes the spans of a call: one for the request, and one below it for each upstream call whose times are known.
func (x *Exporter) trace(e *telemetry.Event) {
	ctx := propagation.TraceContext{}.Extract(context.Background(), propagation.MapCarrier{"traceparent": e.TraceParent, "tracestate": e.TraceState})
	op := operation(e)
	list := x.request(e, op)
	if x.contents {
		list = append(list, contents(e)...)
	}
	if x.langfuse != nil {
		list = append(list, x.langfuse.attributes(e, x.hideKeys)...)
	}
	ctx, span := x.tracer.Start(ctx, name(op, model(e)), trace.WithSpanKind(trace.SpanKindServer), trace.WithTimestamp(e.Start), trace.WithAttributes(list...))
	for i := range e.Attempts { // Langfuse would count the tokens of each again
		if a := &e.Attempts[i]; !a.Start.IsZero() && x.langfuse == nil {
			x.attempt(ctx, e, a, op, i, i == len(e.Attempts)-1)
		}
	}
	if e.Failed() {
		span.SetStatus(codes.Error, e.ErrorKind)
	}
	span.End(trace.WithTimestamp(e.End))
}

// request returns what is said of a call as a whole.
func (x *Exporter) request(e *telemetry.Event, op string) []attribute.KeyValue {
	list := append(answer(e, op),
		attribute.String("url.path", e.Path), attribute.String("litellm.call_id", e.CallID), attribute.Bool("outcrop.client_closed", e.ClientClosed),
		attribute.Float64("outcrop.overhead_ms", float64(e.Own.Microseconds())/1000))
	if e.Status > 0 {
		list = append(list, attribute.Int("http.response.status_code", e.Status))
	}
	if e.CostKnown {
		list = append(list, attribute.Float64("gen_ai.usage.cost", account.Amount(e.Cost).Dollars()))
	}
	if len(e.Tags) > 0 {
		list = append(list, attribute.StringSlice("outcrop.tags", e.Tags))
	}
	texts := [][2]string{{"enduser.id", e.User}, {"gen_ai.conversation.id", e.Session}, {"user_agent.original", e.Agent}, {"outcrop.route", e.Route}}
	if !x.hideKeys {
		texts = append(texts, [2]string{"outcrop.key_hash", e.KeyHash}, [2]string{"outcrop.key_alias", e.Caller.KeyAlias}, [2]string{"outcrop.team_id", e.Caller.TeamID})
	}
	for _, t := range texts {
		if t[1] != "" {
			list = append(list, attribute.String(t[0], t[1]))
		}
	}
	return list
}

// answer returns the conventions' attributes of a call and its answer.
func answer(e *telemetry.Event, op string) []attribute.KeyValue {
	list := []attribute.KeyValue{attribute.String("gen_ai.operation.name", op), attribute.String("gen_ai.provider.name", provider)}
	if m := e.Asked; m != "" {
		list = append(list, attribute.String("gen_ai.request.model", m))
	}
	if e.Model != "" {
		list = append(list, attribute.String("gen_ai.response.model", e.Model))
	}
	if e.RequestID != "" {
		list = append(list, attribute.String("gen_ai.response.id", e.RequestID))
	}
	if e.Stop != "" {
		list = append(list, attribute.StringSlice("gen_ai.response.finish_reasons", []string{e.Stop}))
	}
	if e.UsageSource != account.UsageNone {
		u := &e.Usage
		list = append(list, attribute.Int64("gen_ai.usage.input_tokens", u.Prompt()), attribute.Int64("gen_ai.usage.output_tokens", u.Output),
			attribute.Int64("gen_ai.usage.cache_read.input_tokens", u.CacheRead), attribute.Int64("gen_ai.usage.cache_creation.input_tokens", u.CacheWrite()))
	}
	if h := host(e, e.Region); h != "" {
		list = append(list, attribute.String("server.address", h))
	}
	if e.Failed() {
		list = append(list, attribute.String("error.type", errorType(e)))
	}
	return list
}

func errorType(e *telemetry.Event) string {
	if e.AWSException != "" {
		return e.AWSException
	}
	return e.ErrorKind
}

// attempt makes the span of one upstream call. The last one has what is known of the answer.
func (x *Exporter) attempt(ctx context.Context, e *telemetry.Event, a *telemetry.Attempt, op string, number int, last bool) {
	var list []attribute.KeyValue
	if last {
		list = answer(e, op)
	} else {
		list = []attribute.KeyValue{attribute.String("gen_ai.operation.name", op), attribute.String("gen_ai.provider.name", provider), attribute.String("gen_ai.request.model", e.Asked)}
		if a.Error != "" {
			list = append(list, attribute.String("error.type", a.Error))
		}
	}
	list = append(list, attribute.String("cloud.region", a.Region), attribute.String("outcrop.deployment", a.Deployment), attribute.String("outcrop.upstream_model", a.Model))
	if number > 0 {
		list = append(list, attribute.Int("http.request.resend_count", number))
	}
	if a.Status > 0 {
		list = append(list, attribute.Int("http.response.status_code", a.Status))
	}
	if last && e.AWSRequestID != "" {
		list = append(list, attribute.String("aws.request_id", e.AWSRequestID))
	}
	_, span := x.tracer.Start(ctx, name(op, a.Model), trace.WithSpanKind(trace.SpanKindClient), trace.WithTimestamp(a.Start), trace.WithAttributes(list...))
	if a.Error != "" || a.Status >= 400 {
		span.SetStatus(codes.Error, a.Error)
	}
	span.End(trace.WithTimestamp(a.End))
}
