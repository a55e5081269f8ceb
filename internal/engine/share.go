package engine

import (
	"context"
	"time"

	"github.com/outcrop-ai/outcrop/internal/router"
	"github.com/outcrop-ai/outcrop/internal/telemetry"
)

// Peers are the other replicas of the gateway.
type Peers interface {
	// Exchange tells them what is known here, a report for each deployment, and returns what they know of the same
	// deployments, in the same order.
	Exchange(ctx context.Context, mine []router.Report) ([]router.Report, error)
}

const (
	// exchangeEvery is how often replicas speak with each other, patience how long that may take. Calls never wait for it.
	exchangeEvery = time.Second
	patience      = 800 * time.Millisecond
	// worthSharing is how long a deployment is shared that is not called any more.
	worthSharing = 2 * time.Minute
)

// Share speaks with the other replicas until the context ends. When they cannot be reached every replica decides by what it
// knows itself.
func (e *Engine) Share(ctx context.Context, peers Peers) {
	ticker := time.NewTicker(exchangeEvery)
	defer ticker.Stop()
	away := false
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			err := e.speak(ctx, peers, now)
			switch {
			case err != nil && ctx.Err() == nil && !away:
				e.o.Logger.Warn("the other replicas cannot be reached: limits and failures are those of this one", telemetry.FieldError, err)
			case err == nil && away:
				e.o.Logger.Info("the other replicas can be reached again")
			}
			away = err != nil
		}
	}
}

// speak speaks with the others once.
func (e *Engine) speak(ctx context.Context, peers Peers, now time.Time) error {
	var (
		mine    []router.Report
		targets []*target
	)
	e.targets.Range(func(_, value any) bool {
		t := value.(*target) //nolint:forcetypeassert // the map holds nothing else
		use, minute := t.state.Quota.Used(now)
		until, soft, timed := t.state.Until(now)
		if !t.limited && until.IsZero() && t.state.Quota.Idle(now, worthSharing) {
			t.state.Quota.Others(router.Use{})
			return true
		}
		name := t.key.deployment.ID
		if t.key.matched != "" {
			name += "/" + t.key.matched
		}
		mine, targets = append(mine, router.Report{Deployment: name, Minute: minute, Use: use, Until: until, Soft: soft, Timed: timed}), append(targets, t)
		return true
	})
	if len(mine) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	theirs, err := peers.Exchange(ctx, mine)
	for i, t := range targets {
		if err != nil {
			t.state.Quota.Others(router.Use{})
			continue
		}
		t.state.Quota.Others(theirs[i].Use)
		t.state.LeaveAlone(now, theirs[i].Until, theirs[i].Soft, theirs[i].Timed)
	}
	return err
}
