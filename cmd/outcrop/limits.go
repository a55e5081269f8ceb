package main

import (
	"context"
	"sync"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/internal/deployment"
	"github.com/outcrop-ai/outcrop/internal/store/valkey"
)

// newLimits makes the limits and budgets of callers. What was spent before is read from the store.
func (g *gatewayProcess) newLimits() *account.Limits {
	o := deployment.Limits(g.config)
	var spent account.SpentReader
	if g.books.store != nil {
		spent = g.books.store
	}
	o.Logger = g.logger
	if g.directory != nil {
		o.Named = g.directory
	}
	if g.replicas != nil {
		shared := g.replicas.Counters(valkey.CounterOptions{
			Store: spent, FailClosed: o.FailClosed, Patience: g.config.GeneralSettings.CoordinationRedis.SocketTimeout, Logger: g.logger,
		})
		o.Counters, g.rest = shared, shared.Close
	} else {
		local := account.NewLocalCounters(spent)
		o.Counters, g.rest = local, refresh(local)
	}
	return account.NewLimits(o)
}

// refreshEvery is how often what was spent is read again from a store that other gateways may share.
const refreshEvery = 5 * time.Second

// refresh reads what was spent from time to time, until the returned function is called.
func refresh(counters *account.LocalCounters) (end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		ticker := time.NewTicker(refreshEvery)
		defer ticker.Stop()
		for {
			select {
			case now := <-ticker.C:
				_ = counters.Refresh(ctx, now) // it is tried again
			case <-ctx.Done():
				return
			}
		}
	})
	return func() {
		cancel()
		running.Wait()
	}
}
