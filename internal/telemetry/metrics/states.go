package metrics

import "github.com/prometheus/client_golang/prometheus"

// states are what is so now, rather than counted: it is read when Prometheus asks.
type states struct{ o *Options }

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

// Describe implements prometheus.Collector. It tells nothing beforehand: what there is depends on the options.
func (s *states) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (s *states) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
	}
	gauge(desc("outcrop_build_info", "Outcrop's version.", "version"), 1, s.o.Version)
	if s.o.InFlight != nil {
		n := float64(s.o.InFlight())
		gauge(desc("litellm_in_flight_requests", "Requests under way."), n)
		gauge(desc("outcrop_in_flight_requests", "Requests under way."), n)
	}
	if s.o.Ledger != nil {
		l := s.o.Ledger()
		gauge(desc("outcrop_ledger_queued_rows", "Rows that wait to be written to the database."), float64(l.Queued))
		counter(desc("outcrop_ledger_written_rows_total", "Rows that were written to the database."), float64(l.Written))
		counter(desc("outcrop_ledger_lost_rows_total", "Rows that were lost."), float64(l.Dropped))
		counter(desc("outcrop_ledger_failures_total", "Tries to write rows that failed."), float64(l.Failures))
	}
	if s.o.Callbacks != nil {
		s.o.Callbacks(func(c Callback) {
			gauge(desc("outcrop_callback_queued_calls", "Calls that a callback has yet to be told of.", "callback"), float64(c.Queued), c.Name)
			counter(desc("outcrop_callback_sent_calls_total", "Calls that a callback was told of.", "callback"), float64(c.Sent), c.Name)
			counter(desc("outcrop_callback_lost_calls_total", "Calls that a callback will never be told of.", "callback"), float64(c.Dropped), c.Name)
			counter(desc("outcrop_callback_failures_total", "Tries to tell a callback that failed.", "callback"), float64(c.Failures), c.Name)
		})
	}
	if s.o.Deployments != nil {
		litellm := desc("litellm_deployment_state", "State of a deployment: 0 is well, 1 has failed of late, 2 is left alone.", deploymentLabels...)
		own := desc("outcrop_deployment_state", "State of a deployment: 0 is well, 1 has failed of late, 2 is left alone.", "deployment", "model_group")
		worst := map[[2]string]int{} // one deployment may stand for several models, by a wildcard
		s.o.Deployments(func(d Deployment) {
			gauge(litellm, float64(d.State), "bedrock/"+d.Model, d.ID, word(d.Base), provider)
			key := [2]string{d.ID, d.Group}
			worst[key] = max(worst[key], d.State)
		})
		for key, state := range worst {
			gauge(own, float64(state), key[0], key[1])
		}
	}
}
