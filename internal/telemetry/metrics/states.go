package metrics

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// states are what is so now, rather than counted: it is read when Prometheus asks.
type states struct {
	m    *Metrics
	make *maker
}

// gauge is one of LiteLLM's metrics of what is so now. Sets of labels that a choice of labels makes equal have one value.
type gauge struct {
	desc    *prometheus.Desc
	counter bool
	readers []reader
	sets    map[string]sample
}

type sample struct {
	labels []string
	value  float64
}

// gauge returns a metric, nil where nobody wants to see it.
func (s *states) gauge(name string) *gauge {
	d, labels, readers, shown := s.make.open(name)
	if !shown {
		return nil
	}
	return &gauge{desc: prometheus.NewDesc(name, d.help, labels, nil), readers: readers, sets: map[string]sample{}}
}

// set sets the value of a set of labels; of two values for one set choose says which counts.
func (g *gauge) set(l *labels, v float64, choose func(a, b float64) float64) {
	if g == nil {
		return
	}
	list := values(g.readers, l)
	key := strings.Join(list, between)
	if old, ok := g.sets[key]; ok {
		v = choose(old.value, v)
	}
	g.sets[key] = sample{list, v}
}

func (g *gauge) send(out chan<- prometheus.Metric) {
	if g == nil {
		return
	}
	kind := prometheus.GaugeValue
	if g.counter {
		kind = prometheus.CounterValue
	}
	for _, one := range g.sets {
		out <- prometheus.MustNewConstMetric(g.desc, kind, one.value, one.labels...)
	}
}

func larger(a, b float64) float64  { return max(a, b) }
func smaller(a, b float64) float64 { return min(a, b) }

// Describe implements prometheus.Collector. It tells nothing beforehand: what there is depends on the options.
func (s *states) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (s *states) Collect(out chan<- prometheus.Metric) {
	o := &s.m.o
	own := func(kind prometheus.ValueType, name, help string, v float64) {
		if o.has(name) {
			out <- prometheus.MustNewConstMetric(prometheus.NewDesc(name, help, nil, nil), kind, v)
		}
	}
	if o.has("outcrop_build_info") {
		out <- prometheus.MustNewConstMetric(prometheus.NewDesc("outcrop_build_info", "Outcrop's version.", []string{"version"}, nil), prometheus.GaugeValue, 1, o.Version)
	}
	if o.InFlight != nil {
		n := float64(o.InFlight())
		g := s.gauge("litellm_in_flight_requests")
		g.set(&labels{}, n, larger)
		g.send(out)
		own(prometheus.GaugeValue, "outcrop_in_flight_requests", "Requests under way.", n)
	}
	if o.Ledger != nil {
		l := o.Ledger()
		own(prometheus.GaugeValue, "outcrop_ledger_queued_rows", "Rows that wait to be written to the database.", float64(l.Queued))
		own(prometheus.CounterValue, "outcrop_ledger_written_rows_total", "Rows that were written to the database.", float64(l.Written))
		own(prometheus.CounterValue, "outcrop_ledger_lost_rows_total", "Rows that were lost.", float64(l.Dropped))
		own(prometheus.CounterValue, "outcrop_ledger_failures_total", "Tries to write rows that failed.", float64(l.Failures))
	}
	if o.Callbacks != nil {
		s.callbacks(out)
	}
	if o.Deployments != nil {
		s.deployments(out)
	}
	s.budgets(out)
}

func (s *states) callbacks(out chan<- prometheus.Metric) {
	o := &s.m.o
	send := func(kind prometheus.ValueType, name, help, label string, n uint64, callback string) {
		if o.has(name) {
			out <- prometheus.MustNewConstMetric(prometheus.NewDesc(name, help, []string{label}, nil), kind, float64(n), callback)
		}
	}
	o.Callbacks(func(c Callback) {
		send(prometheus.GaugeValue, "outcrop_callback_queued_calls", "Calls that a callback has yet to be told of.", "callback", c.Queued, c.Name)
		send(prometheus.CounterValue, "outcrop_callback_sent_calls_total", "Calls that a callback was told of.", "callback", c.Sent, c.Name)
		send(prometheus.CounterValue, "outcrop_callback_lost_calls_total", "Calls that a callback will never be told of.", "callback", c.Dropped, c.Name)
		send(prometheus.CounterValue, "outcrop_callback_failures_total", "Tries to tell a callback that failed.", "callback", c.Failures, c.Name)
		if name := "litellm_callback_logging_failures_metric"; o.has(name) {
			send(prometheus.CounterValue, name+"_total", "Tries to tell a callback that failed.", "callback_name", c.Failures, c.Name)
		}
	})
}

// deployments tells how deployments are, and what is left of their limits.
func (s *states) deployments(out chan<- prometheus.Metric) {
	state, rpm, tpm := s.gauge("litellm_deployment_state"), s.gauge("litellm_deployment_rpm_limit"), s.gauge("litellm_deployment_tpm_limit")
	own := prometheus.NewDesc("outcrop_deployment_state", "State of a deployment: 0 is well, 1 has failed of late, 2 is left alone.", []string{"deployment", "model_group"}, nil)
	worst := map[[2]string]int{} // one deployment may stand for several models, by a wildcard
	left := map[string]leftOfGroup{}
	s.m.o.Deployments(func(d Deployment) {
		l := labels{model: d.Model, id: d.ID, group: d.Group, base: d.Base}
		if !d.Idle {
			state.set(&l, float64(d.State), larger)
			key := [2]string{d.ID, d.Group}
			worst[key] = max(worst[key], d.State)
		}
		of := quotaOf(d.Group, d.Model)
		if left[of] == nil {
			left[of] = leftOfGroup{}
		}
		left[of].add(&d)
		if d.RequestLimit > 0 {
			rpm.set(&l, float64(d.RequestLimit), larger)
		}
		if d.TokenLimit > 0 {
			tpm.set(&l, float64(d.TokenLimit), larger)
		}
	})
	for _, g := range []*gauge{state, rpm, tpm} {
		g.send(out)
	}
	if s.m.o.has("outcrop_deployment_state") {
		for key, state := range worst {
			out <- prometheus.MustNewConstMetric(own, prometheus.GaugeValue, float64(state), key[0], key[1])
		}
	}
	s.left(out, left)
}

// quotaOf is what names a limit: a group, and the model where the group is a wildcard, each of whose models has limits of its own.
func quotaOf(group, model string) string {
	if strings.Contains(group, "*") {
		return group + between + model
	}
	return group
}

// leftOfGroup is what is left of the limits of a group's deployments, by their ids; -1 where there is no limit.
type leftOfGroup map[string]*leftOfDeployment

type leftOfDeployment struct{ requests, tokens int64 }

// add notes a deployment. One that is called in several ways has the least that is left in any.
func (g leftOfGroup) add(d *Deployment) {
	one := leftOfDeployment{-1, -1}
	if d.RequestLimit > 0 {
		one.requests = d.RequestsLeft
	}
	if d.TokenLimit > 0 {
		one.tokens = d.TokensLeft
	}
	if known := g[d.ID]; known != nil {
		known.requests, known.tokens = min(known.requests, one.requests), min(known.tokens, one.tokens)
		return
	}
	g[d.ID] = &one
}

// sum returns what is left in all, -1 where nothing is limited.
func (g leftOfGroup) sum() leftOfDeployment {
	all := leftOfDeployment{-1, -1}
	for _, one := range g {
		if one.requests >= 0 {
			all.requests = max(all.requests, 0) + one.requests
		}
		if one.tokens >= 0 {
			all.tokens = max(all.tokens, 0) + one.tokens
		}
	}
	return all
}

// left tells what is left of the limits of groups, for each caller who has called them: that is how LiteLLM labels it.
func (s *states) left(out chan<- prometheus.Metric, left map[string]leftOfGroup) {
	requests, tokens := s.gauge("litellm_remaining_requests_metric"), s.gauge("litellm_remaining_tokens_metric")
	if requests == nil && tokens == nil {
		return
	}
	s.m.each(func(l *labels) {
		if l.id == none {
			return
		}
		all := left[quotaOf(l.group, l.model)].sum()
		if all.requests >= 0 {
			requests.set(l, float64(all.requests), smaller)
		}
		if all.tokens >= 0 {
			tokens.set(l, float64(all.tokens), smaller)
		}
	})
	requests.send(out)
	tokens.send(out)
}

// each calls yield with all sets of labels, none of which it keeps.
func (m *Metrics) each(yield func(*labels)) {
	m.mu.RLock()
	list := make([]*series, 0, len(m.series))
	for _, s := range m.series {
		list = append(list, s)
	}
	m.mu.RUnlock()
	for _, s := range list {
		yield(&s.l)
	}
}
