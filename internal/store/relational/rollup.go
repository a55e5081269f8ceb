package relational

import (
	"cmp"
	"slices"
	"strings"

	"github.com/outcrop-ai/outcrop/internal/account"
)

// The spans of rollups, in seconds, and what they are called in the table.
const (
	hour     = 3600
	day      = 24 * hour
	spanHour = "hour"
	spanDay  = "day"
)

// bucket names one sum of spend_rollups.
type bucket struct {
	span, dimension   string
	at                int64
	value, key, model string
	group             string
}

func compareBuckets(a, b bucket) int {
	return cmp.Or(
		strings.Compare(a.span, b.span), strings.Compare(a.dimension, b.dimension), cmp.Compare(a.at, b.at),
		strings.Compare(a.value, b.value), strings.Compare(a.key, b.key), strings.Compare(a.model, b.model), strings.Compare(a.group, b.group),
	)
}

// sums are what a bucket holds.
type sums struct {
	requests, failures, unpriced, cacheHits, pico   int64
	input, cacheRead, cacheWrite, completion, total int64
}

func (a *sums) add(p *posting) {
	n := max(p.Rows, 1)
	a.requests += n
	a.failures += n * flag(p.Failed)
	a.unpriced += n * flag(p.Cost == nil)
	a.cacheHits += n * flag(p.Cached)
	if p.Cost != nil {
		a.pico = sum(a.pico, *p.Cost)
	}
	a.input += p.Tokens[0]
	a.cacheRead += p.Tokens[1]
	a.cacheWrite += p.Tokens[2]
	a.completion += p.Tokens[3]
	a.total += p.Tokens[4]
}

// insertRollups and addToRollups are the statement that adds to sums.
const (
	insertRollups = `INSERT INTO spend_rollups (span, dimension, at, value, api_key, model, model_group,
	requests, failures, unpriced, cache_hits, spend_pico, input_tokens, cache_read_tokens, cache_write_tokens, completion_tokens, total_tokens) VALUES `
	addToRollups = ` ON CONFLICT (span, dimension, at, value, api_key, model, model_group) DO UPDATE SET
	requests = spend_rollups.requests + excluded.requests, failures = spend_rollups.failures + excluded.failures,
	unpriced = spend_rollups.unpriced + excluded.unpriced, cache_hits = spend_rollups.cache_hits + excluded.cache_hits,
	spend_pico = CASE WHEN spend_rollups.spend_pico > 9223372036854775807 - CASE WHEN excluded.spend_pico > 0 THEN excluded.spend_pico ELSE 0 END
		THEN 9223372036854775807 ELSE spend_rollups.spend_pico + excluded.spend_pico END,
	input_tokens = spend_rollups.input_tokens + excluded.input_tokens, cache_read_tokens = spend_rollups.cache_read_tokens + excluded.cache_read_tokens,
	cache_write_tokens = spend_rollups.cache_write_tokens + excluded.cache_write_tokens,
	completion_tokens = spend_rollups.completion_tokens + excluded.completion_tokens, total_tokens = spend_rollups.total_tokens + excluded.total_tokens`
	rollupWidth = 17
)

// rollUp adds a row to the sums that reports are made of.
func (p *posting) rollUp(all map[bucket]*sums) {
	p.buckets(func(b bucket) {
		if all[b] == nil {
			all[b] = &sums{}
		}
		all[b].add(p)
	})
}

func rollupArgs(all map[bucket]*sums) []any {
	list := make([]bucket, 0, len(all))
	for b := range all {
		list = append(list, b)
	}
	slices.SortFunc(list, compareBuckets) // neighbours in the table are written one after the other
	args := make([]any, 0, rollupWidth*len(list))
	for _, b := range list {
		a := all[b]
		args = append(
			args, b.span, b.dimension, b.at, b.value, b.key, b.model, b.group,
			a.requests, a.failures, a.unpriced, a.cacheHits, a.pico, a.input, a.cacheRead, a.cacheWrite, a.completion, a.total,
		)
	}
	return args
}

// buckets calls f with each bucket that a row belongs to. By hours there are no more than the totals of each value; by
// days all are split by models, and those that have keys of their own by these.
func (p *posting) buckets(f func(bucket)) {
	hourly := bucket{span: spanHour, at: floor(p.Start, hour)}
	daily := bucket{span: spanDay, at: floor(p.Start, day), model: name(p.Model), group: name(p.Group)}
	key := name(p.Key)
	put := func(dimension account.Dimension, value string, split bool) {
		if value == "" && dimension != account.ByAll && dimension != account.ByKey {
			return
		}
		h, d := hourly, daily
		h.dimension, d.dimension = string(dimension), string(dimension)
		h.value = name(value)
		d.value = h.value
		if split {
			d.key = key
		}
		f(h)
		f(d)
	}
	put(account.ByAll, "", false)
	put(account.ByKey, p.Key, false)
	put(account.ByUser, p.User, true)
	put(account.ByTeam, p.Team, true)
	put(account.ByOrganization, p.Organization, true)
	put(account.ByEndUser, p.EndUser, false)
	put(account.ByModel, p.Model, false)
	put(account.ByGroup, p.Group, false)
	put(account.ByDeployment, p.Deployment, false)
	for i, tag := range p.Tags {
		if !slices.Contains(p.Tags[:i], tag) {
			put(account.ByTag, tag, false)
		}
	}
}

// floor is the greatest multiple of step that is not above n.
func floor(n, step int64) int64 {
	rest := n % step
	if rest < 0 {
		rest += step
	}
	return n - rest
}
