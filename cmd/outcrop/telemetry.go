package main

import (
	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/internal/engine"
	"github.com/outcrop-ai/outcrop/internal/telemetry/metrics"
)

// recorders are all that want to know of a finished call, each of which takes it without waiting.
type recorders []engine.Recorder

// Add hands a record to each.
func (list recorders) Add(r account.Record) {
	for _, one := range list {
		one.Add(r)
	}
}

// newMetrics makes the metrics for Prometheus. What is so now is read when Prometheus asks, long after the gateway is made.
func (g *gatewayProcess) newMetrics() *metrics.Metrics {
	l := &g.config.LitellmSettings
	return metrics.New(metrics.Options{
		EndUsers: l.PrometheusEndUsers, MaxSeries: l.PrometheusMaxSeries, Buckets: l.PrometheusLatencyBuckets, Version: currentVersion(),
		InFlight: func() int64 { return g.server.InFlight() },
		Ledger: func() account.LedgerStats {
			if g.books.ledger == nil {
				return account.LedgerStats{}
			}
			return g.books.ledger.Stats()
		},
		Callbacks: func(yield func(metrics.Callback)) {
			if g.callbacks == nil {
				return
			}
			for name, q := range g.callbacks.Stats() {
				yield(metrics.Callback{Name: name, Queued: q.Queued, Sent: q.Sent, Dropped: q.Dropped, Failures: q.Failures})
			}
		},
		Deployments: func(yield func(metrics.Deployment)) {
			g.engine.States(func(s engine.DeploymentState) {
				d := metrics.Deployment{ID: s.ID, Group: s.Group, Model: s.Model, Base: s.Endpoint}
				switch {
				case s.LeftAlone:
					d.State = 2
				case s.Failing:
					d.State = 1
				}
				yield(d)
			})
		},
	})
}

func isFalse(b *bool) bool { return b != nil && !*b }
