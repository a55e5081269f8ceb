package traces

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	metrics "go.opentelemetry.io/proto/otlp/metrics/v1"
	about "go.opentelemetry.io/proto/otlp/resource/v1"
	spans "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/outcrop-ai/outcrop/internal/secret"
	"github.com/outcrop-ai/outcrop/internal/telemetry"
)

// target is where a signal goes. OpenTelemetry's own HTTP exporters bring gRPC along, which would make the program larger by
// half; what they do beyond that is this file.
type target struct {
	client  *http.Client
	address string
	headers map[string]secret.Secret
}

func newTarget(address string, headers map[string]secret.Secret) *target {
	client, _ := telemetry.NewClient(30 * time.Second)
	return &target{address: address, headers: headers, client: client}
}

// post sends a message as OTLP over HTTP has it: opentelemetry.io/docs/specs/otlp, "OTLP/HTTP Request".
func (t *target) post(ctx context.Context, m proto.Message) error {
	body, err := proto.Marshal(m)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, t.address, bytes.NewReader(body))
	if err != nil {
		return errors.New("the collector's address is no URL")
	}
	r.Header["Content-Type"], r.Header["User-Agent"] = []string{"application/x-protobuf"}, []string{"outcrop"}
	for name, value := range t.headers {
		r.Header.Set(name, value.Reveal())
	}
	resp, err := t.client.Do(r)
	if err != nil {
		return telemetry.Unreachable(r, err)
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, 1<<16) // so that the connection is used again
	if resp.StatusCode >= http.StatusMultipleChoices {
		return errors.New(r.URL.Host + " answers " + strconv.Itoa(resp.StatusCode))
	}
	return nil
}

// Start, Stop and UploadTraces implement otlptrace.Client.
func (*target) Start(context.Context) error { return nil }

func (t *target) Stop(context.Context) error {
	t.client.CloseIdleConnections()
	return nil
}

// UploadTraces sends spans. TracesData and the collector's request are the same bytes.
func (t *target) UploadTraces(ctx context.Context, list []*spans.ResourceSpans) error {
	return t.post(ctx, &spans.TracesData{ResourceSpans: list})
}

// metricExporter sends histograms: there is no other metric here.
type metricExporter struct{ *target }

func (metricExporter) Temporality(k metric.InstrumentKind) metricdata.Temporality {
	return metric.DefaultTemporalitySelector(k)
}

func (metricExporter) Aggregation(k metric.InstrumentKind) metric.Aggregation {
	return metric.DefaultAggregationSelector(k)
}

func (metricExporter) ForceFlush(context.Context) error { return nil }

func (x metricExporter) Shutdown(ctx context.Context) error { return x.Stop(ctx) }

// Export sends what has been counted.
func (x metricExporter) Export(ctx context.Context, r *metricdata.ResourceMetrics) error {
	all := &metrics.ResourceMetrics{Resource: &about.Resource{Attributes: keyValues(r.Resource.Set())}, SchemaUrl: r.Resource.SchemaURL()}
	for i := range r.ScopeMetrics {
		s := &r.ScopeMetrics[i]
		scope := &metrics.ScopeMetrics{Scope: &common.InstrumentationScope{Name: s.Scope.Name, Version: s.Scope.Version}}
		for j := range s.Metrics {
			m := &s.Metrics[j]
			out := &metrics.Metric{Name: m.Name, Description: m.Description, Unit: m.Unit}
			switch data := m.Data.(type) {
			case metricdata.Histogram[float64]:
				out.Data = histogram(data)
			case metricdata.Histogram[int64]:
				out.Data = histogram(data)
			default:
				continue
			}
			scope.Metrics = append(scope.Metrics, out)
		}
		all.ScopeMetrics = append(all.ScopeMetrics, scope)
	}
	if len(all.ScopeMetrics) == 0 {
		return nil
	}
	return x.post(ctx, &metrics.MetricsData{ResourceMetrics: []*metrics.ResourceMetrics{all}})
}

func histogram[N int64 | float64](h metricdata.Histogram[N]) *metrics.Metric_Histogram {
	out := &metrics.Histogram{AggregationTemporality: metrics.AggregationTemporality_AGGREGATION_TEMPORALITY_CUMULATIVE}
	if h.Temporality == metricdata.DeltaTemporality {
		out.AggregationTemporality = metrics.AggregationTemporality_AGGREGATION_TEMPORALITY_DELTA
	}
	for i := range h.DataPoints {
		p := &h.DataPoints[i]
		sum := float64(p.Sum)
		point := &metrics.HistogramDataPoint{
			Attributes: keyValues(&p.Attributes), StartTimeUnixNano: nanos(p.StartTime), TimeUnixNano: nanos(p.Time),
			Count: p.Count, Sum: &sum, BucketCounts: p.BucketCounts, ExplicitBounds: p.Bounds,
		}
		if v, ok := p.Min.Value(); ok {
			least := float64(v)
			point.Min = &least
		}
		if v, ok := p.Max.Value(); ok {
			most := float64(v)
			point.Max = &most
		}
		out.DataPoints = append(out.DataPoints, point)
	}
	return &metrics.Metric_Histogram{Histogram: out}
}

func nanos(t time.Time) uint64 { return uint64(max(t.UnixNano(), 0)) }

// keyValues returns attributes in OTLP's words. Those of metrics and resources are texts, or written as such.
func keyValues(set *attribute.Set) []*common.KeyValue {
	list := make([]*common.KeyValue, 0, set.Len())
	for _, a := range set.ToSlice() {
		list = append(list, &common.KeyValue{Key: string(a.Key), Value: &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: a.Value.String()}}})
	}
	return list
}
