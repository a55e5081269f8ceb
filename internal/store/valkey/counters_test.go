package valkey

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/test/servers"
)

// counting returns counters of one replica.
func counting(t *testing.T, s *servers.Valkey, o CounterOptions) *Counters {
	t.Helper()
	c := join(t, s, time.Now()).Counters(o)
	t.Cleanup(c.Close)
	return c
}

func claim(r account.Resource, id string, limit, amount int64) account.Claim {
	return account.Claim{Resource: r, Charge: account.Charge{Scope: "key", ID: id}, Limit: limit, Amount: amount}
}

func take(t *testing.T, c account.Counters, claims ...account.Claim) account.Taken {
	t.Helper()
	taken, err := c.Take(t.Context(), time.Now(), claims)
	if err != nil {
		t.Fatal(err)
	}
	return taken
}

// until waits for what another goroutine does.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for !is() {
		select {
		case <-time.After(time.Millisecond):
		case <-t.Context().Done():
			t.Fatal(what)
		}
	}
}

// Whether replicas share a server or a process is alone, claims are taken by the same rules.
func TestTheSameRulesAloneAndShared(t *testing.T) {
	f := func(name string, c account.Counters) {
		t.Run(name, func(t *testing.T) {
			ctx, now := t.Context(), time.Now()
			// Requests stay counted.
			for i := range 3 {
				taken := take(t, c, claim(account.Requests, "r", 2, 1))
				if want := i == 2; (taken.Refused == 0) != want {
					t.Fatalf("request %d: %+v", i, taken)
				}
				if i < 2 {
					c.Give(ctx, now, taken.At, []account.Claim{claim(account.Requests, "r", 2, 1)}, []int64{1})
				} else if taken.Wait < 55*time.Second || taken.Wait > 61*time.Second {
					t.Errorf("wait %s", taken.Wait)
				}
			}
			// Tokens are held, then what was used counts.
			tokens := claim(account.Tokens, "t", 100, 90)
			a := take(t, c, tokens)
			b := take(t, c, tokens)
			if a.Refused != -1 || b.Refused != -1 || b.Used[0] != 180 {
				t.Fatalf("%+v %+v", a, b)
			}
			if taken := take(t, c, tokens); taken.Refused != 0 {
				t.Fatalf("%+v", taken)
			}
			c.Give(ctx, now, a.At, []account.Claim{tokens}, []int64{10})
			c.Give(ctx, now, b.At, []account.Claim{tokens}, []int64{10})
			until(t, "tokens were not given back", func() bool {
				taken := take(t, c, tokens)
				if taken.Refused == -1 {
					if taken.Used[0] != 110 {
						t.Fatalf("used %d, want 110", taken.Used[0])
					}
					return true
				}
				return false
			})
			// All or none.
			one, none := claim(account.Requests, "all", 1, 1), claim(account.Parallel, "none", 0, 1)
			for range 3 {
				if taken := take(t, c, one, none); taken.Refused != 1 {
					t.Fatalf("%+v", taken)
				}
			}
			if taken := take(t, c, one); taken.Refused != -1 {
				t.Fatalf("a refused request was counted: %+v", taken)
			}
			// Money is held, then spent.
			money := claim(account.Money, "m", 100, 60)
			a = take(t, c, money)
			b = take(t, c, money)
			if refused := take(t, c, money); refused.Refused != 0 || refused.Spent {
				t.Fatalf("held: %+v", refused)
			}
			c.Give(ctx, now, a.At, []account.Claim{money}, []int64{70})
			c.Give(ctx, now, b.At, []account.Claim{money}, []int64{50})
			until(t, "nothing was spent", func() bool {
				refused := take(t, c, claim(account.Money, "m", 100, 1))
				return refused.Refused == 0 && refused.Spent
			})
			until(t, "nobody knows what was spent", func() bool {
				spent, err := c.Spent(ctx, money.Charge)
				return err == nil && spent == 120
			})
		})
	}
	f("alone", account.NewLocalCounters(nil))
	f("shared", counting(t, servers.StartValkey(t), CounterOptions{}))
}

func TestReplicasShareLimits(t *testing.T) {
	s := servers.StartValkey(t)
	a, b := counting(t, s, CounterOptions{Patience: 10 * time.Second}), counting(t, s, CounterOptions{Patience: 10 * time.Second})
	var taken atomic.Int64
	var all sync.WaitGroup
	for i := range 400 {
		c := a
		if i%2 == 0 {
			c = b
		}
		all.Go(func() {
			got, err := c.Take(context.Background(), time.Now(), []account.Claim{claim(account.Requests, "k", 100, 1), claim(account.Money, "k", 1e15, 1e12)})
			if err != nil {
				t.Error(err)
			} else if got.Refused == -1 {
				taken.Add(1)
			}
		})
	}
	all.Wait()
	if taken.Load() != 100 {
		t.Errorf("%d requests were let through, want 100", taken.Load())
	}
}

// books are what was spent before.
type books map[account.Charge]account.Amount

func (b books) Spent(_ context.Context, list []account.Charge) ([]account.Amount, error) {
	out := make([]account.Amount, len(list))
	for i, c := range list {
		out[i] = b[c]
	}
	return out, nil
}

func TestCountersBeginAtTheBooks(t *testing.T) {
	s := servers.StartValkey(t)
	c := counting(t, s, CounterOptions{Store: books{{Scope: "key", ID: "k"}: 9_000_000_000_000_000_001}})
	taken := take(t, c, claim(account.Money, "k", 9_100_000_000_000_000_000, 5))
	if taken.Refused != -1 || taken.Used[0] != 9_000_000_000_000_000_001 {
		t.Fatalf("%+v", taken)
	}
	if spent, err := c.Spent(t.Context(), account.Charge{Scope: "key", ID: "k"}); err != nil || spent != 9_000_000_000_000_000_001 {
		t.Errorf("%d, %v", spent, err)
	}
	if spent, err := c.Spent(t.Context(), account.Charge{Scope: "key", ID: "other"}); err != nil || spent != 0 {
		t.Errorf("%d, %v", spent, err)
	}
}

func TestWhatAReplicaHoldsEndsWithIt(t *testing.T) {
	s := servers.StartValkey(t)
	a, b := counting(t, s, CounterOptions{}), counting(t, s, CounterOptions{})
	take(t, a, claim(account.Parallel, "k", 1, 1))
	if taken := take(t, b, claim(account.Parallel, "k", 1, 1)); taken.Refused != 0 {
		t.Fatalf("%+v", taken)
	}
	// The replica was last heard of long ago.
	if err := a.r.client.ZRem(t.Context(), "outcrop:limit:replicas", a.self(0)).Err(); err != nil {
		t.Fatal(err)
	}
	if taken := take(t, b, claim(account.Parallel, "k", 1, 1)); taken.Refused != -1 {
		t.Fatalf("%+v", taken)
	}
}

func TestLimitsWithoutTheServer(t *testing.T) {
	s := servers.StartValkey(t)
	c := counting(t, s, CounterOptions{Store: books{{Scope: "key", ID: "m"}: 7}})
	other := counting(t, s, CounterOptions{})
	take(t, other, claim(account.Requests, "x", 1, 1))
	before := take(t, c, claim(account.Parallel, "p", 1, 1), claim(account.Money, "m", 1000, 5))
	s.Stop()
	// Two replicas: each keeps to its half.
	for i := range 4 {
		taken := take(t, c, claim(account.Requests, "k", 4, 1))
		if want := i >= 2; (taken.Refused == 0) != want {
			t.Errorf("request %d: %+v", i, taken)
		}
	}
	if !c.away.Load() {
		t.Error("nobody noticed that the server is away")
	}
	c.Give(t.Context(), time.Now(), before.At, []account.Claim{claim(account.Parallel, "p", 1, 1), claim(account.Money, "m", 1000, 5)}, []int64{1, 4})
	alone := take(t, c, claim(account.Money, "m", 1000, 5))
	c.Give(t.Context(), time.Now(), alone.At, []account.Claim{claim(account.Money, "m", 1000, 5)}, []int64{5})
	if spent, err := c.Spent(t.Context(), account.Charge{Scope: "key", ID: "m"}); err != nil || spent != 12 {
		t.Errorf("spent %d, %v; want what the books had, and what was spent alone", spent, err)
	}
	closed := counting(t, s, CounterOptions{FailClosed: true})
	if _, err := closed.Take(t.Context(), time.Now(), []account.Claim{claim(account.Requests, "k", 4, 1)}); !errors.Is(err, errAway) {
		t.Errorf("closed: %v", err)
	}
}

func TestLimitsWhenTheServerIsBack(t *testing.T) {
	s := servers.StartValkey(t)
	c := counting(t, s, CounterOptions{Patience: 10 * time.Second})
	money := claim(account.Money, "m", 1000, 5)
	first := take(t, c, money, claim(account.Parallel, "p", 1, 1))
	c.lost(errAway) // as if it did not answer
	alone := take(t, c, money)
	if alone.At >= 0 {
		t.Fatalf("the server was asked: %+v", alone)
	}
	c.Give(t.Context(), time.Now(), alone.At, []account.Claim{money}, []int64{5})
	c.Give(t.Context(), time.Now(), first.At, []account.Claim{money, claim(account.Parallel, "p", 1, 1)}, []int64{3, 1})
	until(t, "what was spent while the server was away was not told", func() bool {
		if c.away.Load() {
			return false
		}
		spent, err := c.r.client.HGet(t.Context(), "outcrop:limit:m:key:m:0", "spent").Int64()
		return err == nil && spent == 8
	})
	if err := c.r.client.ZRem(t.Context(), "outcrop:limit:replicas", c.self(0)).Err(); err != nil { // it is not heard of any more
		t.Fatal(err)
	}
	if taken := take(t, c, claim(account.Parallel, "p", 1, 1)); taken.Refused != -1 {
		t.Errorf("what was held before is held still: %+v", taken)
	}
}

// TestAClaimOfNothing, as that of a budget of which nobody knows what a call may cost, is given back like another, and other
// replicas know what was spent.
func TestAClaimOfNothing(t *testing.T) {
	s := servers.StartValkey(t)
	o := CounterOptions{Patience: 10 * time.Second}
	a, b := counting(t, s, o), counting(t, s, o)
	nothing := claim(account.Money, "m", 100, 0)
	taken := take(t, a, nothing)
	if taken.Refused != -1 {
		t.Fatalf("%+v", taken)
	}
	a.Give(t.Context(), time.Now(), taken.At, []account.Claim{nothing}, []int64{30})
	until(t, "what was spent is not known", func() bool {
		spent, err := b.Spent(t.Context(), nothing.Charge)
		return err == nil && spent == 30
	})
}
