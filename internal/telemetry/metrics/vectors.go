package metrics

import (
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/outcrop-ai/outcrop/internal/account"
)

// Labels that many of LiteLLM's metrics share, in the order in which they are filled in.
var (
	callerLabels     = []string{"end_user", "hashed_api_key", "api_key_alias", "requested_model", "team", "team_alias", "user"}
	deploymentLabels = []string{"litellm_model_name", "model_id", "api_base", "api_provider"}
)

const provider = "bedrock"

// vectors are the metrics with their labels open.
type vectors struct {
	all []prometheus.Collector

	total, failed, requests, spend, tokens, input, output       *prometheus.CounterVec
	cached, cacheWritten, reasoning, images                     *prometheus.CounterVec
	latency, upstream, firstToken, perToken, overhead           *prometheus.HistogramVec
	answered, refused, asked, leftAlone, stoodIn, stoodInVainly *prometheus.CounterVec

	ownRequests, ownTokens, ownCost, ownUnpriced, ownEstimated, ownClosed, ownTries, ownHits *prometheus.CounterVec
	ownUpstream, ownSelf, ownFirst                                                           *prometheus.HistogramVec
}

func newVectors(buckets []float64) vectors {
	v := vectors{}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
		v.all = append(v.all, c)
		return c
	}
	histogram := func(name, help string, labels ...string) *prometheus.HistogramVec {
		h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
		v.all = append(v.all, h)
		return h
	}
	with := func(list []string, more ...string) []string { return append(list[:len(list):len(list)], more...) }
	ofModel := with(callerLabels, "model", "model_id", "api_provider")
	v.total = counter("litellm_proxy_total_requests_metric_total", "Requests of clients.", with(callerLabels, "status_code", "route", "model_id", "api_provider")...)
	v.failed = counter("litellm_proxy_failed_requests_metric_total", "Requests of clients that failed.", with(callerLabels, "exception_status", "exception_class", "route", "model_id", "api_provider")...)
	v.requests = counter("litellm_requests_metric_total", "Calls.", ofModel...)
	v.spend = counter("litellm_spend_metric_total", "Spend in USD.", with(ofModel, "service_tier")...)
	v.tokens = counter("litellm_total_tokens_metric_total", "Tokens of prompts and answers.", ofModel...)
	v.input = counter("litellm_input_tokens_metric_total", "Tokens of prompts, cached ones included.", ofModel...)
	v.output = counter("litellm_output_tokens_metric_total", "Tokens of answers.", ofModel...)
	v.cached = counter("litellm_input_cached_tokens_metric_total", "Tokens of prompts that were read from a cache.", ofModel...)
	v.cacheWritten = counter("litellm_input_cache_creation_tokens_metric_total", "Tokens of prompts that were written to a cache.", ofModel...)
	v.reasoning = counter("litellm_output_reasoning_tokens_metric_total", "Tokens of answers that were thinking.", ofModel...)
	v.images = counter("litellm_images_generated_metric_total", "Images that were made.", ofModel...)
	ofCall := with(callerLabels, "model", "model_group", "model_id", "api_provider", "service_tier")
	v.latency = histogram("litellm_request_total_latency_metric", "Seconds from the request to the end of its answer.", ofCall...)
	v.upstream = histogram("litellm_llm_api_latency_metric", "Seconds in AWS's hands.", ofCall...)
	v.firstToken = histogram("litellm_llm_api_time_to_first_token_metric", "Seconds to the first token of streams.", ofCall...)
	ofDeployment := with(deploymentLabels, "model_group", "hashed_api_key", "api_key_alias")
	v.perToken = histogram("litellm_deployment_latency_per_output_token", "Seconds in AWS's hands for each token of the answer.", with(ofDeployment, "team", "team_alias")...)
	v.overhead = histogram("litellm_overhead_latency_metric", "Seconds in the gateway's own hands.", ofDeployment...)
	ofTry := with(deploymentLabels, "requested_model", "hashed_api_key", "api_key_alias", "team", "team_alias")
	v.answered = counter("litellm_deployment_success_responses_total", "Answers of deployments.", ofTry...)
	v.refused = counter("litellm_deployment_failure_responses_total", "Failures of deployments.", with(ofTry, "exception_status", "exception_class")...)
	v.asked = counter("litellm_deployment_total_requests_total", "Calls to deployments.", ofTry...)
	v.leftAlone = counter("litellm_deployment_cooled_down_total", "Failures after which a deployment may have been left alone.", with(deploymentLabels, "exception_status")...)
	ofFallback := []string{"requested_model", "fallback_model", "hashed_api_key", "api_key_alias", "team", "team_alias", "exception_status", "exception_class", "model_id"}
	v.stoodIn = counter("litellm_deployment_successful_fallbacks_total", "Calls that another model has answered.", ofFallback...)
	v.stoodInVainly = counter("litellm_deployment_failed_fallbacks_total", "Calls that no other model has answered either.", ofFallback...)

	v.ownRequests = counter("outcrop_requests_total", "Finished calls.", "call_type", "model_group", "status", "error")
	v.ownTokens = counter("outcrop_tokens_total", "Tokens by class: input, cache_read, cache_write_5m, cache_write_1h, output, reasoning (a part of output).", "model_group", "model", "class")
	v.ownCost = counter("outcrop_cost_usd_total", "Cost in USD by what was paid for.", "model_group", "model", "line")
	v.ownUnpriced = counter("outcrop_unpriced_calls_total", "Calls with usage whose price is unknown.", "model_group", "model")
	v.ownEstimated = counter("outcrop_estimated_calls_total", "Calls whose usage nobody has counted.", "model_group", "model")
	v.ownClosed = counter("outcrop_client_closed_total", "Calls whose client left before the end.", "model_group")
	v.ownTries = counter("outcrop_tries_total", "Upstream calls by what came of them.", "deployment", "status")
	v.ownHits = counter("outcrop_cache_hits_total", "Calls that were answered from the cache of answers.", "model_group")
	v.ownUpstream = histogram("outcrop_upstream_seconds", "Seconds in AWS's hands.", "model_group", "model")
	v.ownSelf = histogram("outcrop_own_seconds", "Seconds in the gateway's own hands.", "model_group")
	v.ownFirst = histogram("outcrop_first_token_seconds", "Seconds from the request to the first token of streams.", "model_group", "model")
	return v
}

func (v *vectors) register(r *prometheus.Registry) { r.MustRegister(v.all...) }

func labelsOf(r *account.Record) labels {
	return labels{
		endUser: word(r.User), key: word(r.KeyHash), alias: word(r.KeyAlias), team: word(r.TeamID), teamAlias: word(r.TeamAlias), user: word(r.UserID),
		requested: word(r.Asked), group: word(r.Group), model: word(r.Model), id: word(r.Deployment), tier: word(r.Tier),
		status: strconv.Itoa(r.Status), class: word(classOf(r)), route: word(r.Path),
	}
}

// classOf is LiteLLM's name for the class of a failure, empty for a success.
func classOf(r *account.Record) string {
	if !r.Failed() {
		return ""
	}
	if name, ok := map[string]string{
		"invalid_request": "BadRequestError", "authentication": "AuthenticationError", "permission": "PermissionDeniedError", "not_found": "NotFoundError",
		"too_large": "BadRequestError", "context_window": "ContextWindowExceededError", "content_filter": "ContentPolicyViolationError",
		"rate_limit": "RateLimitError", "timeout": "Timeout", "gateway_timeout": "Timeout", "unavailable": "ServiceUnavailableError",
		"upstream": "APIConnectionError", "canceled": "ClientClosedRequest",
	}[r.ErrorKind]; ok {
		return name
	}
	return "InternalServerError"
}

// series are the metrics of one set of labels.
type series struct {
	l labels
	v *vectors

	total, requests, spend, tokens, input, output, cached, cacheWritten, reasoning, images prometheus.Counter
	latency, upstream, firstToken, perToken, overhead                                      prometheus.Observer
	answered, asked                                                                        prometheus.Counter
	ownClosed, ownUnpriced, ownEstimated, ownHits                                          prometheus.Counter
	ownUpstream, ownSelf, ownFirst                                                         prometheus.Observer
	classes, lines                                                                         []prometheus.Counter
}

// classes of tokens and lines of cost, in the order of series.
var (
	tokenClasses = []string{"input", "cache_read", "cache_write_5m", "cache_write_1h", "output", "reasoning"}
	costLines    = []string{"input", "cache_read", "cache_write_5m", "cache_write_1h", "output", "images", "queries", "seconds", "web_searches"}
)

func (v *vectors) series(l *labels) *series {
	caller := []string{l.endUser, l.key, l.alias, l.requested, l.team, l.teamAlias, l.user}
	deployment := []string{"bedrock/" + l.model, l.id, none, provider}
	with := func(list []string, more ...string) []string { return append(list[:len(list):len(list)], more...) }
	model := with(caller, l.model, l.id, provider)
	call := with(caller, l.model, l.group, l.id, provider, l.tier)
	of := with(deployment, l.group, l.key, l.alias)
	try := with(deployment, l.requested, l.key, l.alias, l.team, l.teamAlias)
	s := &series{
		l: *l, v: v,
		total: v.total.WithLabelValues(with(caller, l.status, l.route, l.id, provider)...), requests: v.requests.WithLabelValues(model...),
		spend: v.spend.WithLabelValues(with(model, l.tier)...), tokens: v.tokens.WithLabelValues(model...),
		input: v.input.WithLabelValues(model...), output: v.output.WithLabelValues(model...), cached: v.cached.WithLabelValues(model...),
		cacheWritten: v.cacheWritten.WithLabelValues(model...), reasoning: v.reasoning.WithLabelValues(model...), images: v.images.WithLabelValues(model...),
		latency: v.latency.WithLabelValues(call...), upstream: v.upstream.WithLabelValues(call...), firstToken: v.firstToken.WithLabelValues(call...),
		perToken: v.perToken.WithLabelValues(with(of, l.team, l.teamAlias)...), overhead: v.overhead.WithLabelValues(of...),
		answered: v.answered.WithLabelValues(try...), asked: v.asked.WithLabelValues(try...),
		ownClosed: v.ownClosed.WithLabelValues(l.group), ownUnpriced: v.ownUnpriced.WithLabelValues(l.group, l.model),
		ownEstimated: v.ownEstimated.WithLabelValues(l.group, l.model), ownHits: v.ownHits.WithLabelValues(l.group),
		ownUpstream: v.ownUpstream.WithLabelValues(l.group, l.model), ownSelf: v.ownSelf.WithLabelValues(l.group), ownFirst: v.ownFirst.WithLabelValues(l.group, l.model),
	}
	for _, class := range tokenClasses {
		s.classes = append(s.classes, v.ownTokens.WithLabelValues(l.group, l.model, class))
	}
	for _, line := range costLines {
		s.lines = append(s.lines, v.ownCost.WithLabelValues(l.group, l.model, line))
	}
	return s
}

// add counts a call.
func (s *series) add(r *account.Record) {
	v, l := s.v, &s.l
	s.total.Inc()
	s.requests.Inc()
	v.ownRequests.WithLabelValues(r.Type, l.group, l.status, word(r.ErrorKind)).Inc()
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
	if r.CacheHit {
		s.ownHits.Inc()
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
	caller := []string{l.endUser, l.key, l.alias, l.requested, l.team, l.teamAlias, l.user}
	v.failed.WithLabelValues(append(caller, l.status, l.class, l.route, l.id, provider)...).Inc()
	if r.Upstream > 0 {
		v.refused.WithLabelValues("bedrock/"+l.model, l.id, none, provider, l.requested, l.key, l.alias, l.team, l.teamAlias, l.status, l.class).Inc()
	}
}

// maxTries bounds what is read of a record's tries.
const maxTries = 64

// tries counts a record's upstream calls. The record lists them as deployment;status=N;…, with commas between them.
func (v *vectors) tries(r *account.Record) {
	if r.Tries == "" {
		if r.Upstream > 0 && r.Deployment != "" {
			v.ownTries.WithLabelValues(r.Deployment, strconv.Itoa(r.Status)).Inc()
		}
		return
	}
	n := 0
	for one := range strings.SplitSeq(r.Tries, ",") {
		if n++; n > maxTries {
			return
		}
		id, rest, _ := strings.Cut(one, ";")
		status := ""
		for part := range strings.SplitSeq(rest, ";") {
			if value, ok := strings.CutPrefix(part, "status="); ok {
				status = value
			}
		}
		if id == "" || status == "" {
			continue
		}
		v.ownTries.WithLabelValues(id, status).Inc()
		if code, err := strconv.Atoi(status); err == nil && code >= 400 {
			v.leftAlone.WithLabelValues(none, id, none, provider, status).Inc()
		}
	}
}
