package engine

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/outcrop-ai/outcrop/internal/router"
)

// meeting is where the replicas of a test meet.
type meeting struct {
	mu    sync.Mutex // guards what follows
	said  map[string]map[string]router.Report
	away  bool
	turns int
}

// seat is one replica's.
type seat struct {
	*meeting
	name string
}

func (s seat) Exchange(_ context.Context, mine []router.Report) ([]router.Report, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.turns++
	if s.away {
		return nil, errors.New("away")
	}
	if s.said == nil {
		s.said = map[string]map[string]router.Report{}
	}
	out := make([]router.Report, len(mine))
	for i, m := range mine {
		if s.said[m.Deployment] == nil {
			s.said[m.Deployment] = map[string]router.Report{}
		}
		s.said[m.Deployment][s.name] = m
		for name, r := range s.said[m.Deployment] {
			if name != s.name {
				out[i].Use.Requests += r.Use.Requests
				out[i].Use.Tokens += r.Use.Tokens
				if r.Until.After(out[i].Until) {
					out[i].Until, out[i].Soft = r.Until, r.Soft
				}
			}
		}
	}
	return out, nil
}

func TestReplicasShare(t *testing.T) {
	one := func() *bench { // its server must not be in the bubble
		return newBench(t, nil, &router.Deployment{ID: "d", Group: "g", Model: "bedrock/amazon.nova-lite-v1:0", Limits: router.Limits{Requests: 4}})
	}
	first, second := one(), one()
	synctest.Test(t, func(t *testing.T) {
		var m meeting
		ctx, cancel := context.WithCancel(t.Context())
		var done sync.WaitGroup
		replica := func(e *bench, name string) *target {
			target, failed := e.targetOf("g")
			if failed != nil {
				t.Fatal(failed)
			}
			done.Go(func() { e.Share(ctx, seat{&m, name}) })
			return target
		}
		a, b := replica(first, "a"), replica(second, "b")
		a.state.Quota.Take(time.Now(), router.Need{Input: 10})
		a.state.Quota.Take(time.Now(), router.Need{Input: 10})
		time.Sleep(2*exchangeEvery + time.Millisecond)
		if left := b.state.Quota.Left(time.Now(), &b.deployment.Limits); left.Requests != 2 {
			t.Errorf("what another replica has used counts: %+v", left)
		}
		a.state.Failed(time.Now(), 404, time.Minute, false, &router.Rules{AllowedFails: -1})
		time.Sleep(2 * exchangeEvery)
		if b.state.Usable(time.Now()) {
			t.Error("what another replica leaves alone is left alone")
		}
		b.state.Succeeded(time.Now(), time.Now())
		time.Sleep(3 * exchangeEvery)
		if !b.state.Usable(time.Now()) {
			t.Error("a replica that has found it to work does not listen to the same complaint again")
		}
		m.mu.Lock()
		m.away = true
		before := m.turns
		m.mu.Unlock()
		time.Sleep(2 * exchangeEvery)
		if left := b.state.Quota.Left(time.Now(), &b.deployment.Limits); left.Requests != 4 {
			t.Errorf("a replica that is alone decides by what it knows: %+v", left)
		}
		cancel()
		done.Wait()
		if m.turns == before {
			t.Error("it goes on asking")
		}
	})
}
