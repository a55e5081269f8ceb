package traces

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"strings"
	"sync"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/outcrop-ai/outcrop/internal/secret"
	"github.com/outcrop-ai/outcrop/internal/telemetry"
)

// Name is the callback's name in the configuration.
const Name = "otel"

// Options are what an exporter is made of.
type Options struct {
	// Env are the environment's variables. The SDK reads further ones from the process's own environment.
	Env     func(string) (string, bool)
	Version string
	// HideKeys leaves out whose key a call was made with.
	HideKeys bool
	// Contents has spans say what was said.
	Contents bool
	// Langfuse sends spans to Langfuse, in its own words, and no metrics; LangfuseTags are further tags of its traces.
	Langfuse     bool
	LangfuseTags []string
	// Logger gets what goes wrong with metrics.
	Logger *slog.Logger
}

func (o *Options) get(names ...string) string {
	for _, name := range names {
		if value, _ := o.Env(name); value != "" {
			return value
		}
	}
	return ""
}

// Exporter sends spans and metrics to an OTLP collector. Its methods are for one goroutine.
type Exporter struct {
	hideKeys bool
	contents bool
	langfuse *langfuse           // nil where spans go to a collector
	spans    *otlptrace.Exporter // nil where OTEL_TRACES_EXPORTER is none
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
	ended    *ended
	metrics  *sdkmetric.MeterProvider // nil where OTEL_METRICS_EXPORTER is none
	counts   *instruments
	// first is the first event of the batch that failed, tried how often it did.
	first *telemetry.Event
	tried int
}

// maxTries is how often a batch is sent that the collector refuses: some five minutes.
const maxTries = 15

// maxSeries bounds the sets of attributes of each metric.
const maxSeries = 2000

// New starts an exporter. It must be closed.
func New(ctx context.Context, o Options) (*Exporter, error) {
	if p := o.get("OTEL_EXPORTER_OTLP_PROTOCOL"); p != "" && !o.Langfuse && p != "http/protobuf" {
		return nil, errors.New("OTEL_EXPORTER_OTLP_PROTOCOL must be http/protobuf")
	}
	about, err := resource.New(ctx,
		resource.WithAttributes(attribute.String("service.name", "outcrop"), attribute.String("service.version", o.Version)),
		resource.WithTelemetrySDK(), resource.WithFromEnv())
	if err != nil && about == nil {
		return nil, err
	}
	if name := o.get("OTEL_SERVICE_NAME"); name != "" {
		if about, err = resource.Merge(about, resource.NewSchemaless(attribute.String("service.name", name))); err != nil {
			return nil, err
		}
	}
	x := &Exporter{hideKeys: o.HideKeys, contents: o.Contents, ended: &ended{}}
	if o.Langfuse {
		x.langfuse = &langfuse{release: o.get("LANGFUSE_RELEASE"), environment: o.get("LANGFUSE_TRACING_ENVIRONMENT"), tags: o.LangfuseTags}
	}
	if o.Langfuse || o.get("OTEL_TRACES_EXPORTER") != "none" {
		to, err := o.spansTarget()
		if err != nil {
			return nil, err
		}
		if x.spans, err = otlptrace.New(ctx, to); err != nil {
			return nil, err
		}
		x.provider = sdktrace.NewTracerProvider(sdktrace.WithResource(about), sdktrace.WithSpanProcessor(x.ended))
		x.tracer = x.provider.Tracer("github.com/outcrop-ai/outcrop", trace.WithInstrumentationVersion(o.Version))
	}
	if !o.Langfuse && o.get("OTEL_METRICS_EXPORTER") != "none" {
		to, err := o.target("METRICS", "/v1/metrics")
		if err != nil {
			return nil, errors.Join(err, x.Close(ctx))
		}
		x.metrics = sdkmetric.NewMeterProvider(sdkmetric.WithResource(about), sdkmetric.WithReader(sdkmetric.NewPeriodicReader(metricExporter{to})), sdkmetric.WithCardinalityLimit(maxSeries))
		if x.counts, err = newInstruments(x.metrics.Meter("github.com/outcrop-ai/outcrop")); err != nil {
			return nil, errors.Join(err, x.Close(ctx))
		}
		otel.SetErrorHandler(&complaints{logger: o.Logger})
	}
	return x, nil
}

func (o *Options) spansTarget() (*target, error) {
	if o.Langfuse {
		return o.langfuseTarget()
	}
	return o.target("TRACES", "/v1/traces")
}

// target returns where a signal goes, by the standard variables or, where they are silent, LiteLLM's.
func (o *Options) target(signal, path string) (*target, error) {
	endpoint := o.get("OTEL_EXPORTER_OTLP_" + signal + "_ENDPOINT")
	if endpoint == "" {
		endpoint = strings.TrimRight(o.get("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_ENDPOINT"), "/")
		if endpoint == "" {
			endpoint = "http://localhost:4318"
		}
		if !strings.HasSuffix(endpoint, path) {
			endpoint += path
		}
	}
	if u, err := url.Parse(endpoint); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, errors.New("OTEL_EXPORTER_OTLP_ENDPOINT must be an http:// or https:// URL")
	}
	headers := map[string]secret.Secret{}
	for pair := range strings.SplitSeq(o.get("OTEL_EXPORTER_OTLP_"+signal+"_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS", "OTEL_HEADERS"), ",") {
		name, value, ok := strings.Cut(pair, "=")
		if !ok {
			continue
		}
		if plain, err := url.PathUnescape(strings.TrimSpace(value)); err == nil {
			headers[strings.TrimSpace(name)] = secret.New(plain)
		}
	}
	return newTarget(endpoint, headers), nil
}

// Name returns the callback's name.
func (x *Exporter) Name() string {
	if x.langfuse != nil {
		return LangfuseName
	}
	return Name
}

// Send sends the spans of a batch, and counts its calls.
func (x *Exporter) Send(ctx context.Context, batch []*telemetry.Event) ([]*telemetry.Event, error) {
	var failed error
	if x.spans != nil {
		for _, e := range batch {
			x.trace(e)
		}
		if list := x.ended.take(); len(list) > 0 { // else the sampler wants none
			failed = x.spans.ExportSpans(ctx, list)
		}
	}
	if failed != nil {
		if x.first != batch[0] {
			x.first, x.tried = batch[0], 0
		}
		if x.tried++; x.tried < maxTries {
			return batch, failed
		}
	}
	x.first, x.tried = nil, 0
	if x.counts != nil {
		for _, e := range batch {
			x.counts.count(ctx, e)
		}
	}
	return nil, failed
}

// Close sends the last metrics and ends all goroutines, at the latest when ctx ends.
func (x *Exporter) Close(ctx context.Context) error {
	var errs []error
	if x.provider != nil {
		errs = append(errs, x.provider.Shutdown(ctx), x.spans.Shutdown(ctx))
	}
	if x.metrics != nil {
		errs = append(errs, x.metrics.Shutdown(ctx))
	}
	return errors.Join(errs...)
}

// ended is a span processor that keeps the spans that have ended until they are taken.
type ended struct {
	mu   sync.Mutex // guards list
	list []sdktrace.ReadOnlySpan
}

func (*ended) OnStart(context.Context, sdktrace.ReadWriteSpan) {}

func (p *ended) OnEnd(s sdktrace.ReadOnlySpan) {
	if s.SpanContext().IsSampled() {
		p.mu.Lock()
		p.list = append(p.list, s)
		p.mu.Unlock()
	}
}

func (*ended) Shutdown(context.Context) error   { return nil }
func (*ended) ForceFlush(context.Context) error { return nil }

func (p *ended) take() []sdktrace.ReadOnlySpan {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := p.list
	p.list = nil
	return list
}

// complaints logs the first of the SDK's errors: it would go on for as long as the collector is away.
type complaints struct {
	logger *slog.Logger
	once   sync.Once
}

// Handle implements otel.ErrorHandler.
func (c *complaints) Handle(err error) {
	c.once.Do(func() {
		if c.logger != nil {
			c.logger.Error("OpenTelemetry fails; further failures are not logged", "error", err)
		}
	})
}
