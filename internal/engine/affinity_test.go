package engine

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/outcrop-ai/outcrop/internal/router"
	"github.com/outcrop-ai/outcrop/llm"
)

// TestAConversationStaysAsLongAsItsCache: for 5 minutes or an hour after its last turn, as its own requests asked.
func TestAConversationStaysAsLongAsItsCache(t *testing.T) {
	const sessions = 40
	for _, c := range []struct {
		ttl    string
		pauses []time.Duration // between the turns
		stays  bool
	}{
		{"", []time.Duration{4 * time.Minute, 4 * time.Minute, 4 * time.Minute}, true}, // each turn renews it
		{"5m", []time.Duration{4 * time.Minute, 4 * time.Minute}, true},
		{"5m", []time.Duration{6 * time.Minute}, false},
		{"1h", []time.Duration{50 * time.Minute, 50 * time.Minute}, true},
		{"1h", []time.Duration{61 * time.Minute}, false},
		{"none", []time.Duration{time.Second}, false},
	} {
		var list []*router.Deployment
		for _, id := range []string{"a", "b", "c"} {
			list = append(list, &router.Deployment{ID: id, Group: "g", Model: claude})
		}
		b := newBench(t, answer(plainAnswer), list...)
		synctest.Test(t, func(t *testing.T) {
			turn := func(session, n int) string {
				call := said("g", fmt.Sprint("rules of session ", session))
				r := call.Request
				if c.ttl != "none" {
					r.Messages[0].Blocks[0].Cache = &llm.CachePoint{TTL: c.ttl}
				}
				for i := range n {
					r.Messages = append(r.Messages, llm.Message{Role: llm.RoleUser, Blocks: []llm.Block{{Kind: llm.BlockText, Text: llm.NewText(fmt.Sprint("turn ", i))}}})
				}
				if failed := b.choose(t.Context(), call, modeChat); failed != nil {
					t.Fatal(failed)
				}
				call.leave()
				return call.Deployment.ID
			}
			homes := map[int]string{}
			for s := range sessions {
				homes[s] = turn(s, 0)
			}
			moved := 0
			for n, pause := range c.pauses {
				time.Sleep(pause)
				for s := range sessions {
					if turn(s, n+1) != homes[s] {
						moved++
					}
				}
			}
			if c.stays != (moved == 0) {
				t.Errorf("%q, after %v: %d of %d have moved", c.ttl, c.pauses, moved, sessions)
			}
		})
	}
}

// TestAWarmCacheIsLeft where waiting would cost more than it saves, where the quota has no room, and where it is left alone.
func TestAWarmCacheIsLeft(t *testing.T) {
	for name, change := range map[string]func(*router.State){
		"far busier than the other": func(s *router.State) {
			for range queueSlack + 1 {
				s.Enter(0)
			}
		},
		"no quota left": func(s *router.State) { s.Quota.Take(time.Now(), router.Need{Input: 100_000}) },
		"left alone":    func(s *router.State) { s.Failed(time.Now(), 429, 0, false, cools) },
	} {
		limits := router.Limits{Tokens: 200_000}
		b := newBench(t, answer(plainAnswer), &router.Deployment{ID: "a", Group: "g", Model: claude, Limits: limits}, &router.Deployment{ID: "b", Group: "g", Model: claude, Limits: limits})
		turn := func() *Call {
			call := said("g", "rules")
			most := int64(100_000)
			call.Request.MaxTokens = &most
			call.Request.Messages[0].Blocks[0].Cache = &llm.CachePoint{}
			if failed := b.choose(t.Context(), call, modeChat); failed != nil {
				t.Fatal(failed)
			}
			call.leave()
			return call
		}
		home := turn()
		for range 5 {
			if got := turn(); got.Deployment.ID != home.Deployment.ID || got.Why != whyPinned {
				t.Errorf("%s: %s, %s", name, got.Deployment.ID, got.Why)
			}
		}
		change(home.target.state)
		other := turn()
		if other.Deployment.ID == home.Deployment.ID {
			t.Errorf("%s: it stays", name)
		}
		if got := turn(); got.Deployment.ID != other.Deployment.ID {
			t.Errorf("%s: it does not stay where it has moved to", name)
		}
	}
}

// TestAWarmCacheIsNotLeftForALaterOrder, however busy it is.
func TestAWarmCacheIsNotLeftForALaterOrder(t *testing.T) {
	b := newBench(t, answer(plainAnswer), &router.Deployment{ID: "a", Group: "g", Model: claude, Order: 1}, &router.Deployment{ID: "b", Group: "g", Model: claude, Order: 2})
	for range 3 {
		call := said("g", "rules")
		call.Request.Messages[0].Blocks[0].Cache = &llm.CachePoint{}
		if failed := b.choose(t.Context(), call, modeChat); failed != nil {
			t.Fatal(failed)
		}
		call.leave()
		if call.Deployment.ID != "a" {
			t.Errorf("it goes to %s", call.Deployment.ID)
		}
		for range 100 {
			call.target.state.Enter(0)
		}
	}
}
