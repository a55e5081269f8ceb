// Package traces tells OpenTelemetry of finished calls, by the conventions for generative AI.
//
// In comes a telemetry.Event for every call, out go a span of the request with one below it for each upstream call, and
// metrics, by OTLP over HTTP. The standard OTEL_ variables say where to and how. What was said in a call is never told.
//
// The exporter is a sink of package callbacks, whose queue stands before it. Start reading at [New].
package traces
