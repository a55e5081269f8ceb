package main

import (
	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/internal/config"
	"github.com/outcrop-ai/outcrop/internal/engine"
	"github.com/outcrop-ai/outcrop/internal/telemetry"
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

// watchers are all that are told of finished calls, none of which waits for anything.
type watchers []telemetry.Watcher

// Finished tells each.
func (list watchers) Finished(e *telemetry.Event) {
	for _, one := range list {
		one.Finished(e)
	}
}

// newMetrics makes the metrics for Prometheus. What is so now is read when Prometheus asks, long after the gateway is made.
func (g *gatewayProcess) newMetrics() *metrics.Metrics {
	l := &g.config.LitellmSettings
	return metrics.New(metrics.Options{
		Choice: metricsChoice(l), Names: g.names, AllBudgets: l.PrometheusInitializeBudgets,
		Budgets:  func() (*account.Limits, *account.Directory) { return g.limits, g.directory },
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
				d := metrics.Deployment{
					ID: s.ID, Group: s.Group, Model: s.Model, Base: s.Endpoint, Idle: s.Idle,
					RequestLimit: s.Limits.Requests, TokenLimit: s.Limits.Tokens, RequestsLeft: s.Left.Requests, TokensLeft: s.Left.Tokens,
				}
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

// metricsChoice says which metrics and labels a configuration wants.
func metricsChoice(l *config.LitellmSettings) metrics.Choice {
	c := metrics.Choice{
		NoMetrics: l.PrometheusExcludeMetrics, NoLabels: l.PrometheusExcludeLabels, Metadata: l.CustomPrometheusMetadataLabels, Tags: l.CustomPrometheusTags,
		Stream: l.PrometheusStreamLabel, SequenceLength: l.PrometheusSequenceLabel, RateLimits: l.PrometheusRateLimitLabels, UserNames: l.PrometheusUserNames,
		Callers: l.PrometheusCallerIdentity,
	}
	for _, g := range l.PrometheusMetrics {
		c.Groups = append(c.Groups, metrics.Group{Metrics: g.Metrics, Labels: g.IncludeLabels})
	}
	return c
}

// names returns what people call a user or an organization.
func (g *gatewayProcess) names(kind account.EntityKind, id string) metrics.Names {
	if g.directory == nil {
		return metrics.Names{}
	}
	switch o := g.directory.Get(kind, id); {
	case o == nil:
		return metrics.Names{}
	case o.User != nil:
		return metrics.Names{Alias: o.User.Alias, Email: o.User.Email}
	default:
		return metrics.Names{Alias: o.Alias}
	}
}

func isFalse(b *bool) bool { return b != nil && !*b }
