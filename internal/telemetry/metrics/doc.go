// Package metrics counts finished calls for Prometheus.
//
// In comes the [account.Record] of each finished call, out goes the page that Prometheus reads. LiteLLM's names and labels
// are kept, so that dashboards made for it go on working; Outcrop's own, which begin with outcrop_, have fewer labels and
// more to say. The number of series is bounded whatever clients send. Start reading at [Metrics.Add].
package metrics
