package traces

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/internal/telemetry"
)

// instruments are the metrics of the conventions for generative AI, with the buckets that those ask for.
type instruments struct {
	duration, first metric.Float64Histogram
	tokens          metric.Int64Histogram
}

func newInstruments(m metric.Meter) (*instruments, error) {
	var i instruments
	var errs [3]error
	i.duration, errs[0] = m.Float64Histogram("gen_ai.client.operation.duration", metric.WithUnit("s"), metric.WithDescription("How long calls take"),
		metric.WithExplicitBucketBoundaries(0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92))
	i.first, errs[1] = m.Float64Histogram("gen_ai.server.time_to_first_token", metric.WithUnit("s"), metric.WithDescription("How long streams take to say something"),
		metric.WithExplicitBucketBoundaries(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10))
	i.tokens, errs[2] = m.Int64Histogram("gen_ai.client.token.usage", metric.WithUnit("{token}"), metric.WithDescription("How many tokens calls use"),
		metric.WithExplicitBucketBoundaries(1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864))
	return &i, errors.Join(errs[:]...)
}

// count counts a call. Only names that the gateway knows become attributes: clients can send any.
func (i *instruments) count(ctx context.Context, e *telemetry.Event) {
	list := []attribute.KeyValue{attribute.String("gen_ai.operation.name", operation(e)), attribute.String("gen_ai.provider.name", provider)}
	if m := model(e); m != "" {
		list = append(list, attribute.String("gen_ai.request.model", m))
	}
	if e.Model != "" {
		list = append(list, attribute.String("gen_ai.response.model", e.Model))
	}
	if h := host(e, e.Region); h != "" {
		list = append(list, attribute.String("server.address", h))
	}
	common := list[:len(list):len(list)]
	if e.Failed() {
		list = append(list, attribute.String("error.type", errorType(e)))
	}
	i.duration.Record(ctx, e.End.Sub(e.Start).Seconds(), metric.WithAttributes(list...))
	if e.Stream && !e.FirstToken.IsZero() {
		i.first.Record(ctx, e.FirstToken.Sub(e.Start).Seconds(), metric.WithAttributes(common...))
	}
	if e.UsageSource == account.UsageNone {
		return
	}
	i.tokens.Record(ctx, e.Usage.Prompt(), metric.WithAttributes(append(common, attribute.String("gen_ai.token.type", "input"))...))
	i.tokens.Record(ctx, e.Usage.Output, metric.WithAttributes(append(common, attribute.String("gen_ai.token.type", "output"))...))
}
