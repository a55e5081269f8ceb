// Package valkey shares what the replicas of a gateway know of its deployments, through Valkey or Redis.
//
// Nothing here stands in the way of a call: replicas speak with each other once a second, and when they cannot, each goes
// on by itself. What is written has the name of its replica and an end, so that nothing counts twice, and what a replica
// that is gone has left behind is forgotten. That keys have changed is said at once, and found without that word, too:
// [Invalidations]. Start reading at [Replicas.Exchange].
package valkey

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"

	"github.com/outcrop-ai/outcrop/internal/router"
)

// Replicas are the replicas that use one server and one prefix. They are safe for concurrent use.
type Replicas struct {
	client *redis.Client
	prefix string
	self   string
	now    func() time.Time
}

// Options say which server, and what stands before its keys.
type Options struct {
	// URL is redis://, rediss:// (TLS) or unix://, with user, password and number of the database.
	URL string
	// Prefix stands before all keys; empty is "outcrop".
	Prefix string
}

const (
	// connections are as many as requests may claim their limits at once without waiting for each other.
	connections = 32
	dialTime    = time.Second
)

// ErrURL says that a URL is none of a Valkey or Redis server's. It names nothing of the URL, which holds a password.
var ErrURL = errors.New("the URL must be redis://[user:password@]host[:port][/database] or rediss://…")

// Open prepares the connection. The server need not be there yet.
func Open(o Options) (*Replicas, error) {
	parsed, err := redis.ParseURL(o.URL)
	if err != nil {
		return nil, ErrURL
	}
	parsed.MaxRetries, parsed.PoolSize, parsed.DialTimeout = 1, connections, dialTime
	parsed.ContextTimeoutEnabled = true
	parsed.DisableIdentity = true
	if o.Prefix == "" {
		o.Prefix = "outcrop"
	}
	logging.Disable() // it would print past the gateway's log, in a form of its own: errors come back all the same
	return &Replicas{client: redis.NewClient(parsed), prefix: o.Prefix, self: rand.Text(), now: time.Now}, nil
}

// Close ends the connections.
func (r *Replicas) Close() error { return r.client.Close() }

const (
	// kept is how long the use of a minute is of interest: until the minute after it is over, and a little more.
	kept = 3 * time.Minute
)

// Exchange tells the other replicas what is known here and returns what they know: in one round trip.
//
// The use of a deployment in a minute is a hash at PREFIX:use:MINUTE:DEPLOYMENT with a field "requests tokens" for each
// replica; that it is left alone is a string at PREFIX:alone:DEPLOYMENT, "milliseconds since 1970, soft or timed or hard, replica".
func (r *Replicas) Exchange(ctx context.Context, mine []router.Report) ([]router.Report, error) {
	pipe := r.client.Pipeline()
	type answers struct {
		now, before *redis.MapStringStringCmd
		alone       *redis.StringCmd
	}
	list := make([]answers, len(mine))
	for i, m := range mine {
		now := r.use(m.Deployment, m.Minute)
		if m.Use != (router.Use{}) {
			pipe.HSet(ctx, now, r.self, strconv.FormatInt(m.Use.Requests, 10)+" "+strconv.FormatInt(m.Use.Tokens, 10))
			pipe.Expire(ctx, now, kept)
		}
		alone := r.prefix + ":alone:" + m.Deployment
		if left := m.Until.Sub(r.now()); left > 0 {
			pipe.Set(ctx, alone, strconv.FormatInt(m.Until.UnixMilli(), 10)+" "+word(&m)+" "+r.self, left)
		}
		list[i] = answers{pipe.HGetAll(ctx, now), pipe.HGetAll(ctx, r.use(m.Deployment, m.Minute-1)), pipe.Get(ctx, alone)}
	}
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("valkey: %w", err)
	}
	out := make([]router.Report, len(mine))
	for i, m := range mine {
		a := list[i]
		out[i] = router.Report{Deployment: m.Deployment, Minute: m.Minute}
		over := float64(r.now().UnixNano()%int64(time.Minute)) / float64(time.Minute)
		out[i].Use = r.sum(a.now.Val(), 1).plus(r.sum(a.before.Val(), 1-over))
		out[i].Until, out[i].Soft, out[i].Timed = r.alone(a.alone.Val())
	}
	return out, nil
}

func (r *Replicas) use(deployment string, minute int64) string {
	return r.prefix + ":use:" + strconv.FormatInt(minute, 10) + ":" + deployment
}

// sum adds what all replicas but this one have used, times share.
func (r *Replicas) sum(fields map[string]string, share float64) use {
	var sum use
	for replica, value := range fields {
		if replica == r.self {
			continue
		}
		requests, tokens, _ := strings.Cut(value, " ")
		sum.requests += number(requests) * share
		sum.tokens += number(tokens) * share
	}
	return sum
}

type use struct{ requests, tokens float64 }

func (u use) plus(v use) router.Use {
	return router.Use{Requests: int64(u.requests + v.requests + 0.5), Tokens: int64(u.tokens + v.tokens + 0.5)}
}

// number reads what another replica wrote; what it cannot read is nothing.
func number(s string) float64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0
	}
	return float64(n)
}

// Why a deployment is left alone, in a word: see [router.Report].
const (
	soft  = "soft"
	timed = "timed"
	hard  = "hard"
)

func word(r *router.Report) string {
	switch {
	case r.Soft:
		return soft
	case r.Timed:
		return timed
	}
	return hard
}

// alone reads until when another replica leaves a deployment alone, zero if none does.
func (r *Replicas) alone(value string) (until time.Time, isSoft, isTimed bool) {
	parts := strings.Fields(value)
	if len(parts) != 3 || parts[2] == r.self {
		return time.Time{}, false, false
	}
	ms, err := strconv.ParseInt(parts[0], 10, 64)
	if err != nil {
		return time.Time{}, false, false
	}
	return time.UnixMilli(ms), parts[1] == soft, parts[1] == timed
}
