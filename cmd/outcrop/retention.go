package main

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// The rows that are too old go in batches, with pauses between them in which others write.
const (
	expireBatch = 500
	expirePause = 50 * time.Millisecond
	tidyEvery   = 24 * time.Hour
	// sweepSoon is when the first look is taken.
	sweepSoon = time.Minute
)

// retention removes old rows of the book.
type retention struct {
	store interface {
		Expire(ctx context.Context, before time.Time, limit int) (int, error)
		Tidy(ctx context.Context, now time.Time) error
	}
	logger *slog.Logger
	// keep is how long rows are kept, 0 for ever; every is how often old ones are looked for.
	keep, every time.Duration
}

// start begins its work and returns what ends it.
func (r *retention) start() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { r.run(ctx) })
	return func() {
		cancel()
		done.Wait()
	}
}

func (r *retention) run(ctx context.Context) {
	every := tidyEvery
	if r.keep > 0 {
		every = r.every
	}
	for pause := sweepSoon; ; pause = every {
		timer := time.NewTimer(pause) // not while the gateway starts
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
		if err := r.sweep(ctx, time.Now()); err != nil && ctx.Err() == nil {
			r.logger.Warn("old rows of spend cannot be removed, trying again later", "error", err)
		}
	}
}

// sweep removes what is too old now.
func (r *retention) sweep(ctx context.Context, now time.Time) error {
	if err := r.store.Tidy(ctx, now); err != nil || r.keep <= 0 {
		return err
	}
	total := 0
	for {
		n, err := r.store.Expire(ctx, now.Add(-r.keep), expireBatch)
		total += n
		if err != nil {
			return err
		}
		if n < expireBatch {
			break
		}
		timer := time.NewTimer(expirePause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
	if total > 0 {
		r.logger.Info("old rows of spend are removed", "rows", total, "older_than", r.keep.String())
	}
	return nil
}
