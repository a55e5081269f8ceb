package metrics

import (
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/internal/telemetry"
)

// Options say what is counted.
type Options struct {
	Choice
	// Names returns what people call a user or an organization; nil knows nobody.
	Names func(kind account.EntityKind, id string) Names
	// Budgets returns who knows how owners stand towards their budgets. They are nil where there are none.
	Budgets func() (*account.Limits, *account.Directory)
	// AllBudgets has the budgets told of all owners, not only of those who have called.
	AllBudgets bool
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
	// Idle says that nobody has called it yet: its limits count, its state does not.
	Idle bool
	// RequestLimit and TokenLimit are its limits a minute, 0 if there is none; RequestsLeft and TokensLeft are left of them.
	RequestLimit, TokenLimit, RequestsLeft, TokensLeft int64
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
	// custom are the labels that an operator has made up; agents, streams and lengths say that metrics have labels of those.
	custom                   []string
	agents, streams, lengths bool

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
	m.custom = o.Choice.custom()
	mk := maker{o: &m.o, registry: m.registry, all: definitions(), custom: m.custom}
	m.v = mk.vectors()
	m.agents = o.wants(m.custom, "user_agent")
	m.streams, m.lengths = o.wants(m.custom, "stream"), o.wants(m.custom, "input_sequence_length")
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.registry.MustRegister(&states{m: m, make: &mk})
	return m
}

// Handler serves the page that Prometheus reads.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 30 * time.Second})
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
	return m.fresh(l)
}

// fresh makes the series of labels that nobody has had yet. It is apart from of, whose labels need no room of their own.
func (m *Metrics) fresh(l labels) *series {
	made := m.v.series(&l)
	m.mu.Lock()
	defer m.mu.Unlock()
	if s := m.series[l]; s != nil {
		return s
	}
	m.series[l] = made
	return made
}

// Watches reports whether the metrics have labels of what only a watcher is told: they are to be one then, and no recorder.
func (m *Metrics) Watches() bool { return m.agents || len(m.o.Metadata) > 0 }

// Add counts a finished call. It does not wait for anything.
func (m *Metrics) Add(r account.Record) { m.count(&r, nil) }

// Finished counts a finished call: a telemetry.Watcher.
func (m *Metrics) Finished(e *telemetry.Event) { m.count(&e.Record, e) }

func (m *Metrics) count(r *account.Record, e *telemetry.Event) {
	if r.Type == "" { // no call: a page, a probe, a path that is none
		return
	}
	l := labelsOf(r)
	if !m.o.EndUsers {
		l.endUser = none
	}
	if m.agents && e != nil {
		l.agent = e.Agent
	}
	if m.streams {
		l.stream = "False"
		if r.Stream {
			l.stream = "True"
		}
	}
	if m.lengths {
		l.length = lengthOf(&r.Usage)
	}
	l.custom = m.customOf(r, e)
	s := m.of(l)
	s.add(r)
	m.v.tries(r, &s.l)
}
