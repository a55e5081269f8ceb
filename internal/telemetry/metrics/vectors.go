package metrics

import (
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/outcrop-ai/outcrop/internal/account"
)

// counterVec and histogramVec are metrics with their labels open. One that nobody wants to see counts all the same, without
// labels and on no page: so nobody has to ask whether it is there.
type (
	counterVec struct {
		*prometheus.CounterVec
		readers []reader
	}
	histogramVec struct {
		*prometheus.HistogramVec
		readers []reader
	}
)

func (v *counterVec) of(l *labels) prometheus.Counter {
	return v.WithLabelValues(values(v.readers, l)...)
}

func (v *histogramVec) of(l *labels) prometheus.Observer {
	return v.WithLabelValues(values(v.readers, l)...)
}

// values reads labels. Prometheus takes no text that is not UTF-8, and clients can send any.
func values(readers []reader, l *labels) []string {
	out := make([]string, len(readers))
	for i, read := range readers {
		out[i] = strings.ToValidUTF8(read(l), "\uFFFD")
	}
	return out
}

// vectors are the metrics that count calls.
type vectors struct {
	total, failed, requests, spend, tokens, input, output       counterVec
	cached, cacheWritten, reasoning, images                     counterVec
	hits, misses, cachedTokens, read, written                   counterVec
	latency, upstream, firstToken, perToken, overhead           histogramVec
	answered, refused, asked, leftAlone, stoodIn, stoodInVainly counterVec

	ownRequests, ownTokens, ownCost, ownUnpriced, ownEstimated, ownClosed, ownTries, ownHits *prometheus.CounterVec
	ownUpstream, ownSelf, ownFirst                                                           *prometheus.HistogramVec
}

// maker makes the metrics that a choice leaves, and registers them.
type maker struct {
	o        *Options
	registry *prometheus.Registry
	all      map[string]definition
	custom   []string
}

// open returns a metric's labels, and what reads them; shown is false where it is on no page.
func (m *maker) open(name string) (d definition, labels []string, readers []reader, shown bool) {
	d = m.all[name]
	if !m.o.has(name) {
		return d, nil, nil, false
	}
	labels = m.o.labels(&d, m.custom)
	for _, label := range labels {
		readers = append(readers, m.o.reader(label))
	}
	return d, labels, readers, true
}

func (m *maker) counter(name string) counterVec {
	d, labels, readers, shown := m.open(name)
	v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name + "_total", Help: d.help}, labels)
	if shown {
		m.registry.MustRegister(v)
	}
	return counterVec{v, readers}
}

func (m *maker) histogram(name string) histogramVec {
	d, labels, readers, shown := m.open(name)
	v := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: d.help, Buckets: m.o.Buckets}, labels)
	if shown {
		m.registry.MustRegister(v)
	}
	return histogramVec{v, readers}
}

// ownCounter and ownHistogram make metrics of Outcrop's own.
func (m *maker) ownCounter(name, help string, labels ...string) *prometheus.CounterVec {
	v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	if m.o.has(name) {
		m.registry.MustRegister(v)
	}
	return v
}

func (m *maker) ownHistogram(name, help string, labels ...string) *prometheus.HistogramVec {
	v := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: m.o.Buckets}, labels)
	if m.o.has(name) {
		m.registry.MustRegister(v)
	}
	return v
}

func (m *maker) vectors() vectors {
	return vectors{
		total: m.counter("litellm_proxy_total_requests_metric"), failed: m.counter("litellm_proxy_failed_requests_metric"),
		requests: m.counter("litellm_requests_metric"), spend: m.counter("litellm_spend_metric"),
		tokens: m.counter("litellm_total_tokens_metric"), input: m.counter("litellm_input_tokens_metric"), output: m.counter("litellm_output_tokens_metric"),
		cached: m.counter("litellm_input_cached_tokens_metric"), cacheWritten: m.counter("litellm_input_cache_creation_tokens_metric"),
		reasoning: m.counter("litellm_output_reasoning_tokens_metric"), images: m.counter("litellm_images_generated_metric"),
		hits: m.counter("litellm_cache_hits_metric"), misses: m.counter("litellm_cache_misses_metric"), cachedTokens: m.counter("litellm_cached_tokens_metric"),
		read: m.counter("litellm_provider_cache_read_input_tokens_metric"), written: m.counter("litellm_provider_cache_creation_input_tokens_metric"),
		latency: m.histogram("litellm_request_total_latency_metric"), upstream: m.histogram("litellm_llm_api_latency_metric"),
		firstToken: m.histogram("litellm_llm_api_time_to_first_token_metric"), perToken: m.histogram("litellm_deployment_latency_per_output_token"),
		overhead: m.histogram("litellm_overhead_latency_metric"),
		answered: m.counter("litellm_deployment_success_responses"), refused: m.counter("litellm_deployment_failure_responses"), asked: m.counter("litellm_deployment_total_requests"),
		leftAlone: m.counter("litellm_deployment_cooled_down"),
		stoodIn:   m.counter("litellm_deployment_successful_fallbacks"), stoodInVainly: m.counter("litellm_deployment_failed_fallbacks"),

		ownRequests:  m.ownCounter("outcrop_requests_total", "Finished calls.", "call_type", "model_group", "status", "error"),
		ownTokens:    m.ownCounter("outcrop_tokens_total", "Tokens by class: input, cache_read, cache_write_5m, cache_write_1h, output, reasoning (a part of output).", "model_group", "model", "class"),
		ownCost:      m.ownCounter("outcrop_cost_usd_total", "Cost in USD by what was paid for.", "model_group", "model", "line"),
		ownUnpriced:  m.ownCounter("outcrop_unpriced_calls_total", "Calls with usage whose price is unknown.", "model_group", "model"),
		ownEstimated: m.ownCounter("outcrop_estimated_calls_total", "Calls whose usage nobody has counted.", "model_group", "model"),
		ownClosed:    m.ownCounter("outcrop_client_closed_total", "Calls whose client left before the end.", "model_group"),
		ownTries:     m.ownCounter("outcrop_tries_total", "Upstream calls by what came of them.", "deployment", "status"),
		ownHits:      m.ownCounter("outcrop_cache_hits_total", "Calls that were answered from the cache of answers.", "model_group"),
		ownUpstream:  m.ownHistogram("outcrop_upstream_seconds", "Seconds in AWS's hands.", "model_group", "model"),
		ownSelf:      m.ownHistogram("outcrop_own_seconds", "Seconds in the gateway's own hands.", "model_group"),
		ownFirst:     m.ownHistogram("outcrop_first_token_seconds", "Seconds from the request to the first token of streams.", "model_group", "model"),
	}
}

// series are the metrics of one set of labels.
type series struct {
	l labels
	v *vectors

	total, requests, spend, tokens, input, output, cached, cacheWritten, reasoning, images prometheus.Counter
	hits, misses, cachedTokens, read, written                                              prometheus.Counter
	latency, upstream, firstToken, perToken, overhead                                      prometheus.Observer
	answered, asked                                                                        prometheus.Counter
	ownClosed, ownUnpriced, ownEstimated, ownHits                                          prometheus.Counter
	ownUpstream, ownSelf, ownFirst                                                         prometheus.Observer
	classes, lines                                                                         []prometheus.Counter
	last                                                                                   atomic.Pointer[ofType]
}

// classes of tokens and lines of cost, in the order of series.
var (
	tokenClasses = []string{"input", "cache_read", "cache_write_5m", "cache_write_1h", "output", "reasoning"}
	costLines    = []string{"input", "cache_read", "cache_write_5m", "cache_write_1h", "output", "images", "queries", "seconds", "web_searches"}
)

func (v *vectors) series(l *labels) *series {
	group, model := strings.ToValidUTF8(l.group, "\uFFFD"), strings.ToValidUTF8(l.model, "\uFFFD")
	s := &series{
		l: *l, v: v,
		total: v.total.of(l), requests: v.requests.of(l), spend: v.spend.of(l), tokens: v.tokens.of(l), input: v.input.of(l), output: v.output.of(l),
		cached: v.cached.of(l), cacheWritten: v.cacheWritten.of(l), reasoning: v.reasoning.of(l), images: v.images.of(l),
		hits: v.hits.of(l), misses: v.misses.of(l), cachedTokens: v.cachedTokens.of(l), read: v.read.of(l), written: v.written.of(l),
		latency: v.latency.of(l), upstream: v.upstream.of(l), firstToken: v.firstToken.of(l), perToken: v.perToken.of(l), overhead: v.overhead.of(l),
		answered: v.answered.of(l), asked: v.asked.of(l),
		ownClosed: v.ownClosed.WithLabelValues(group), ownUnpriced: v.ownUnpriced.WithLabelValues(group, model),
		ownEstimated: v.ownEstimated.WithLabelValues(group, model), ownHits: v.ownHits.WithLabelValues(group),
		ownUpstream: v.ownUpstream.WithLabelValues(group, model), ownSelf: v.ownSelf.WithLabelValues(group), ownFirst: v.ownFirst.WithLabelValues(group, model),
	}
	for _, class := range tokenClasses {
		s.classes = append(s.classes, v.ownTokens.WithLabelValues(group, model, class))
	}
	for _, line := range costLines {
		s.lines = append(s.lines, v.ownCost.WithLabelValues(group, model, line))
	}
	return s
}

// ofType is the counter of a series' calls of one type that ended in one way.
type ofType struct {
	callType, kind string
	prometheus.Counter
}

// requestsOf returns the counter of calls like r: nearly always the one that was asked for before.
func (s *series) requestsOf(r *account.Record) prometheus.Counter {
	if last := s.last.Load(); last != nil && last.callType == r.Type && last.kind == r.ErrorKind {
		return last
	}
	c := s.v.ownRequests.WithLabelValues(r.Type, strings.ToValidUTF8(s.l.group, "\uFFFD"), s.l.status, word(r.ErrorKind))
	s.last.Store(&ofType{r.Type, r.ErrorKind, c})
	return c
}

// add counts a call.
func (s *series) add(r *account.Record) {
	v, l := s.v, &s.l
	s.total.Inc()
	s.requests.Inc()
	s.requestsOf(r).Inc()
	u := &r.Usage
	count := func(c prometheus.Counter, n int64) {
		if n > 0 {
			c.Add(float64(n))
		}
	}
	count(s.tokens, u.Prompt()+u.Output)
	count(s.input, u.Prompt())
	count(s.output, u.Output)
	count(s.cached, u.CacheRead)
	count(s.cacheWritten, u.CacheWrite())
	count(s.read, u.CacheRead)
	count(s.written, u.CacheWrite())
	count(s.reasoning, u.Reasoning)
	count(s.images, u.Made)
	for i, n := range [...]int64{u.Input, u.CacheRead, u.CacheWrite5m, u.CacheWrite1h, u.Output, u.Reasoning} {
		count(s.classes[i], n)
	}
	if cost := account.Amount(r.Cost); r.CostKnown && cost > 0 {
		s.spend.Add(cost.Dollars())
		c := &r.Lines
		for i, a := range [...]account.Amount{c.Input, c.CacheRead, c.CacheWrite5m, c.CacheWrite1h, c.Output, c.Images + c.Made, c.Queries, c.Seconds(), c.Searches} {
			if a > 0 {
				s.lines[i].Add(a.Dollars())
			}
		}
	}
	if !r.CostKnown && r.UsageSource != account.UsageNone {
		s.ownUnpriced.Inc()
	}
	if r.UsageSource == account.UsageEstimated {
		s.ownEstimated.Inc()
	}
	if r.ClientClosed {
		s.ownClosed.Inc()
	}
	switch {
	case r.CacheHit:
		s.ownHits.Inc()
		s.hits.Inc()
		count(s.cachedTokens, u.Prompt()+u.Output)
	case r.CacheKey != "":
		s.misses.Inc()
	}
	s.latency.Observe(r.End.Sub(r.Start).Seconds())
	s.ownSelf.Observe(r.Own.Seconds())
	if r.Upstream > 0 {
		s.asked.Inc()
		s.upstream.Observe(r.Upstream.Seconds())
		s.ownUpstream.Observe(r.Upstream.Seconds())
		s.overhead.Observe(r.Own.Seconds())
		if u.Output > 0 {
			s.perToken.Observe(r.Upstream.Seconds() / float64(u.Output))
		}
	}
	if r.Stream && !r.FirstToken.IsZero() {
		first := r.FirstToken.Sub(r.Start).Seconds()
		s.firstToken.Observe(first)
		s.ownFirst.Observe(first)
	}
	if !r.Failed() {
		if r.Upstream > 0 {
			s.answered.Inc()
		}
		return
	}
	failed := *l
	failed.refuser, failed.limit = limitOf(r)
	v.failed.of(&failed).Inc()
	if r.Upstream > 0 {
		v.refused.of(l).Inc()
	}
}

// maxTries bounds what is read of a record's tries.
const maxTries = 64

// tries counts a record's upstream calls, and whether another model has stood in. The record lists them as
// deployment;status=N;…, with commas between them.
func (v *vectors) tries(r *account.Record, l *labels) {
	if r.Tries == "" {
		if r.Upstream > 0 && r.Deployment != "" {
			v.ownTries.WithLabelValues(r.Deployment, strconv.Itoa(r.Status)).Inc()
		}
		return
	}
	n := 0
	failed, stoodIn := "", false // the first failure
	for one := range strings.SplitSeq(r.Tries, ",") {
		if n++; n > maxTries {
			break
		}
		id, rest, _ := strings.Cut(one, ";")
		status := ""
		for part := range strings.SplitSeq(rest, ";") {
			if value, ok := strings.CutPrefix(part, "status="); ok {
				status = value
			}
			stoodIn = stoodIn || part == "why=fallback"
		}
		if id == "" || status == "" {
			continue
		}
		v.ownTries.WithLabelValues(id, status).Inc()
		if code, err := strconv.Atoi(status); err == nil && code >= 400 {
			v.leftAlone.of(&labels{model: none, id: id, status: status}).Inc()
			if failed == "" {
				failed = status
			}
		}
	}
	if !stoodIn {
		return
	}
	first := *l
	first.status, first.class = word(failed), classOfStatus(failed)
	if r.Failed() {
		v.stoodInVainly.of(&first).Inc()
	} else {
		v.stoodIn.of(&first).Inc()
	}
}

// classOfStatus is LiteLLM's name for the class of a try's failure, of which no more is known than its status.
func classOfStatus(status string) string {
	switch status {
	case "":
		return none
	case "400", "413", "422":
		return "BadRequestError"
	case "401":
		return "AuthenticationError"
	case "403":
		return "PermissionDeniedError"
	case "404":
		return "NotFoundError"
	case "408", "504":
		return "Timeout"
	case "429":
		return "RateLimitError"
	case "503":
		return "ServiceUnavailableError"
	default:
		return "InternalServerError"
	}
}
