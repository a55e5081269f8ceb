package alerts

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/internal/telemetry"
)

// Options say what is told, of what, and where.
type Options struct {
	Places Places
	// Types are those that are told; nil is all that there are.
	Types []Type
	Rules Rules
	// ProxyURL is the gateway's own address, for people; empty is not told.
	ProxyURL string
	// Limits knows what was spent; required. Directory knows the keys, nil where there are none.
	Limits    *account.Limits
	Directory *account.Directory
	// Deployments calls yield with each deployment; nil knows none.
	Deployments func(yield func(Deployment))
	// Database says what is wrong with the database, nil if nothing is; Lost counts rows that were lost. Both may be nil.
	Database func() error
	Lost     func() uint64
	Logger   *slog.Logger
	// every is the time between two looks; 0 is a second.
	every time.Duration
	now   func() time.Time
}

// clock is the time as people in front of the machine read it.
func (*Options) clock(now time.Time) time.Time { return now.Local() }

// Alerts tell. Its goroutine lives from New to Close.
type Alerts struct {
	o      Options
	client *http.Client

	keys, endUsers *touched
	called         atomic.Bool
	failed         failures

	stop context.CancelFunc
	done chan struct{}

	// What follows is the goroutine's alone. recentKeys and recentUsers have called between the last two looks: counters that
	// replicas share learn a moment later what a call has cost.
	recentKeys, recentUsers map[string]struct{}
	recently                bool
	told                    map[string]time.Time // when what may be told again
	alone                   map[string]bool
	outages, regions        map[string]*outage
	failing                 bool
	lost                    uint64
	pending                 []*delivery
}

// New starts alerts, nil if there is no place for them. They must be closed.
func New(o Options) *Alerts {
	if !o.Places.any() {
		return nil
	}
	o.Rules.fill()
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.every <= 0 {
		o.every = time.Second
	}
	if o.now == nil {
		o.now = time.Now
	}
	ctx, stop := context.WithCancel(context.Background())
	client, _ := telemetry.NewClient(sendPatience)
	a := &Alerts{
		o: o, client: client, keys: newTouched(), endUsers: newTouched(), stop: stop, done: make(chan struct{}),
		told: map[string]time.Time{}, alone: map[string]bool{},
	}
	if o.Lost != nil {
		a.lost = o.Lost()
	}
	go a.run(ctx)
	return a
}

// Add notes who has made a call, and what has failed. It waits for nothing.
func (a *Alerts) Add(r account.Record) {
	if !a.called.Load() {
		a.called.Store(true)
	}
	if r.KeyHash != "" && a.o.Directory != nil {
		a.keys.add(r.KeyHash)
	}
	if r.User != "" {
		a.endUsers.add(r.User)
	}
	if r.Tries != "" || r.Failed() {
		a.failed.add(&r)
	}
}

// run looks once a second until ctx ends.
func (a *Alerts) run(ctx context.Context) {
	defer close(a.done)
	ticker := time.NewTicker(a.o.every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		a.look(ctx)
		a.send(ctx, a.o.now())
	}
}

// look looks at everything that alerts are about.
func (a *Alerts) look(ctx context.Context) {
	now := a.o.now()
	keys, users := map[string]struct{}{}, map[string]struct{}{}
	a.keys.take(func(name string) { keys[name] = struct{}{} })
	a.endUsers.take(func(name string) { users[name] = struct{}{} })
	called := a.called.Swap(false)
	if (called || a.recently) && wants(a.o.Types, Budgets) {
		a.budgets(ctx, joined(a.recentKeys, keys), joined(a.recentUsers, users), now)
	}
	a.recentKeys, a.recentUsers, a.recently = keys, users, called
	a.deployments(now)
	a.database(now)
}

// joined returns what is in either set. The first is changed.
func joined(a, b map[string]struct{}) map[string]struct{} {
	if len(a) == 0 {
		return b
	}
	for name := range b {
		a[name] = struct{}{}
	}
	return a
}

// maxTold bounds how many events are remembered.
const maxTold = 1 << 16

// due reports whether an event may be told, and remembers that it is.
func (a *Alerts) due(name string, ttl time.Duration, now time.Time) bool {
	if again, ok := a.told[name]; ok && now.Before(again) {
		return false
	}
	if len(a.told) >= maxTold {
		for old, again := range a.told {
			if !now.Before(again) {
				delete(a.told, old)
			}
		}
		if len(a.told) >= maxTold {
			a.o.Logger.Error("an alert is not told: too many were told of late")
			return false
		}
	}
	a.told[name] = now.Add(ttl)
	return true
}

// Close looks a last time, sends what waits, and ends the goroutine, at the latest when ctx ends.
func (a *Alerts) Close(ctx context.Context) {
	if a == nil {
		return
	}
	a.stop()
	<-a.done
	a.look(ctx)
	a.send(ctx, a.o.now().Add(time.Hour)) // there is no later time
	if n := len(a.pending); n > 0 {
		a.o.Logger.Error("alerts did not arrive before the gateway ended", "alerts", n)
	}
	a.client.CloseIdleConnections()
}

// heading is the beginning of a message, for the log.
func (m *message) heading() string {
	text, _, _ := strings.Cut(strings.TrimSpace(m.text), "\n")
	return text
}
