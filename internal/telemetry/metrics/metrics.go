package metrics

import (
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/outcrop-ai/outcrop/internal/account"
)

// Options say what is counted.
type Options struct {
	// EndUsers adds the end users to the labels. They are the clients' to choose, so there may be many: off unless asked for.
	EndUsers bool
	// MaxSeries bounds the sets of labels; calls beyond are counted under one set of labels "other". 0 means 10,000.
	MaxSeries int
	// Buckets are the upper bounds of latencies in seconds; none means LiteLLM's.
	Buckets []float64
	// InFlight returns the requests under way; nil leaves the gauge out.
	InFlight func() int64
	// Ledger returns the state of the rows that wait to be written; nil leaves it out.
	Ledger func() account.LedgerStats
	// Deployments calls yield with the state of each deployment: 0 is well, 1 has failed of late, 2 is left alone.
	Deployments func(yield func(Deployment))
	// Callbacks calls yield with the queue of each callback; nil leaves them out.
	Callbacks func(yield func(Callback))
	// Version is Outcrop's own.
	Version string
}

// Deployment is the state of a deployment.
type Deployment struct {
	ID, Group, Model, Base string
	State                  int
}

// Callback is the queue of calls that a callback is to be told of: those that wait, those that it was told of, those that
// were lost, and the tries that failed.
type Callback struct {
	Name                            string
	Queued, Sent, Dropped, Failures uint64
}

// Metrics count calls. It is safe for concurrent use.
type Metrics struct {
	o        Options
	registry *prometheus.Registry
	v        vectors

	mu sync.RWMutex // guards series
	// series are the metrics of each set of labels, resolved once.
	series map[labels]*series
}

// New returns metrics that count from 0.
func New(o Options) *Metrics {
	if o.MaxSeries <= 0 {
		o.MaxSeries = 10_000
	}
	if len(o.Buckets) == 0 {
		o.Buckets = []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 60, 120, 300}
	}
	m := &Metrics{o: o, registry: prometheus.NewRegistry(), series: map[labels]*series{}}
	m.v = newVectors(o.Buckets)
	m.v.register(m.registry)
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.registry.MustRegister(&states{o: &m.o})
	return m
}

// Handler serves the page that Prometheus reads.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 30 * time.Second})
}

// none is LiteLLM's word for a label that says nothing.
const none = "None"

func word(s string) string {
	if s == "" {
		return none
	}
	return s
}

// labels are all that tells series apart.
type labels struct {
	endUser, key, alias, team, teamAlias, user string
	requested, group, model, id, tier          string
	status, class, route                       string
}

// other counts what is over the bound of series.
func other() labels {
	const o = "other"
	return labels{o, o, o, o, o, o, o, o, o, o, o, o, o, o}
}

// of returns the series of a record's labels.
func (m *Metrics) of(l labels) *series {
	m.mu.RLock()
	s := m.series[l]
	full := len(m.series) >= m.o.MaxSeries
	m.mu.RUnlock()
	if s != nil {
		return s
	}
	if full {
		if rest := other(); l != rest {
			return m.of(rest)
		}
	}
	made := m.v.series(&l)
	m.mu.Lock()
	defer m.mu.Unlock()
	if s := m.series[l]; s != nil {
		return s
	}
	m.series[l] = made
	return made
}

// Add counts a finished call. It does not wait for anything.
func (m *Metrics) Add(r account.Record) {
	if r.Type == "" { // no call: a page, a probe, a path that is none
		return
	}
	l := labelsOf(&r)
	if !m.o.EndUsers {
		l.endUser = none
	}
	m.of(l).add(&r)
	m.v.tries(&r)
}
