package account

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/outcrop-ai/outcrop/llm"
)

// clock is a time that tests set.
type clock struct{ t atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.t.Store(time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC).UnixNano())
	return c
}

func (c *clock) now() time.Time          { return time.Unix(0, c.t.Load()).UTC() }
func (c *clock) advance(d time.Duration) { c.t.Add(int64(d)) }

// limitsOf returns limits of a process alone, and a caller whose key has terms.
func limitsOf(t Terms, o LimitOptions) (*Limits, *Caller, *clock) {
	c := newClock()
	o.now = c.now
	if o.Counters == nil {
		o.Counters = NewLocalCounters(nil)
	}
	return NewLimits(o), &Caller{Owners: []Owner{{Scope: "key", ID: "h", Label: "Key=ci", Terms: &t, Created: c.now()}}}, c
}

func ptrTo[T any](v T) *T { return &v }

const dollar = Amount(picoPerDollar)

func TestRequestsAMinute(t *testing.T) {
	l, caller, clock := limitsOf(Terms{RPM: ptrTo[int64](3)}, LimitOptions{})
	ask := &Ask{Caller: caller}
	ok := func(want bool) *llm.Error {
		t.Helper()
		lease, failed := l.Admit(t.Context(), ask)
		if (failed == nil) != want {
			t.Fatalf("admitted: %v, want %v (%v)", failed == nil, want, failed)
		}
		lease.Settle(t.Context(), &llm.Usage{}, 0)
		return failed
	}
	ok(true)
	clock.advance(20 * time.Second)
	ok(true)
	ok(true)
	failed := ok(false)
	if failed.Status() != 429 || failed.Code != CodeRequests || failed.Type != "rate_limit_error" {
		t.Errorf("refused with %d %q %q", failed.Status(), failed.Code, failed.Type)
	}
	if failed.RetryAfter != 41*time.Second { // when the first has left the window
		t.Errorf("retry after %s, want 41 s", failed.RetryAfter)
	}
	if strings.Contains(failed.Message, " h.") || !strings.Contains(failed.Message, "Key=ci") {
		t.Errorf("the message %q must name the key by its alias", failed.Message)
	}
	clock.advance(failed.RetryAfter)
	ok(true)
	ok(false)
}

func TestNoMinuteHoldsMoreThanTheLimit(t *testing.T) {
	const limit = 100
	l, caller, clock := limitsOf(Terms{RPM: ptrTo[int64](limit)}, LimitOptions{})
	var admitted []time.Time
	for range 6000 {
		if _, failed := l.Admit(t.Context(), &Ask{Caller: caller}); failed == nil {
			admitted = append(admitted, clock.now())
		}
		clock.advance(53 * time.Millisecond)
	}
	for i, j := 0, 0; i < len(admitted); i++ {
		for admitted[i].Sub(admitted[j]) >= time.Minute {
			j++
		}
		if i-j+1 > limit {
			t.Fatalf("%d requests in the minute before %s", i-j+1, admitted[i])
		}
	}
	if minutes := 6000 * 0.053 / 60; float64(len(admitted)) < 0.98*limit*minutes {
		t.Errorf("%d of %.0f requests were let through", len(admitted), limit*minutes)
	}
}

func TestTokensAreHeldAndThenCounted(t *testing.T) {
	l, caller, _ := limitsOf(Terms{TPM: ptrTo[int64](1000)}, LimitOptions{})
	ask := &Ask{Caller: caller, Input: 100, Output: 5000, Likely: 800}
	first, failed := l.Admit(t.Context(), ask)
	if failed != nil {
		t.Fatal(failed)
	}
	second, failed := l.Admit(t.Context(), ask) // 900 are held, so there is room for one that goes over it
	if failed != nil {
		t.Fatal(failed)
	}
	if _, failed = l.Admit(t.Context(), ask); failed == nil || failed.Code != CodeTokens {
		t.Fatalf("a third one is admitted: %v", failed)
	}
	first.Settle(t.Context(), &llm.Usage{Input: 50, Output: 20}, 0)
	second.Settle(t.Context(), &llm.Usage{Input: 50, Output: 20}, 0)
	second.Settle(t.Context(), &llm.Usage{Input: 5000, Output: 20}, 0) // has no effect
	third, failed := l.Admit(t.Context(), ask)
	if failed != nil {
		t.Fatal(failed)
	}
	left := int64(-1)
	third.Left(func(one Left) { left = one.Left })
	if left != 0 { // 140 are counted, 900 held
		t.Errorf("%d tokens are left, want 0", left)
	}
}

func TestWhatCountsAgainstLimitsOfTokens(t *testing.T) {
	for kind, want := range map[string]int64{"": 130, "total": 130, "input": 110, "output": 20} {
		used := &llm.Usage{Input: 50, CacheRead: 60, Output: 20}
		if got := usedTokens(used, kind); got != want {
			t.Errorf("%q: %d, want %d", kind, got, want)
		}
	}
}

func TestRequestsUnderWay(t *testing.T) {
	l, caller, _ := limitsOf(Terms{Parallel: ptrTo[int64](2)}, LimitOptions{})
	ask := &Ask{Caller: caller}
	a, _ := l.Admit(t.Context(), ask)
	if _, failed := l.Admit(t.Context(), ask); failed != nil {
		t.Fatal(failed)
	}
	if _, failed := l.Admit(t.Context(), ask); failed == nil || failed.Code != CodeParallel {
		t.Fatalf("a third one is admitted: %v", failed)
	}
	a.Settle(t.Context(), &llm.Usage{}, 0)
	if _, failed := l.Admit(t.Context(), ask); failed != nil {
		t.Fatal(failed)
	}
}

func TestABurstOverrunsABudgetByOneRequest(t *testing.T) {
	const cost = dollar / 10
	l, caller, _ := limitsOf(Terms{MaxBudget: ptrTo(dollar)}, LimitOptions{})
	var spent atomic.Int64
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			lease, failed := l.Admit(context.Background(), &Ask{Caller: caller, Worst: cost})
			if failed != nil {
				return
			}
			spent.Add(int64(cost))
			lease.Settle(context.Background(), &llm.Usage{}, cost)
		})
	}
	all.Wait()
	if got := Amount(spent.Load()); got < dollar || got > dollar+cost {
		t.Errorf("%s were spent of 1", got)
	}
	_, failed := l.Admit(t.Context(), &Ask{Caller: caller, Worst: cost})
	if failed == nil || failed.Status() != 422 || failed.Type != "budget_exceeded" || failed.Code != "422" {
		t.Fatalf("over budget: %+v", failed)
	}
	if want := "Budget has been exceeded! Key=ci Current cost: 1, Max budget: 1"; failed.Message != want {
		t.Errorf("message %q, want %q", failed.Message, want)
	}
}

func TestMoneyThatIsHeldIsNotSpent(t *testing.T) {
	l, caller, _ := limitsOf(Terms{MaxBudget: ptrTo(dollar)}, LimitOptions{})
	lease, _ := l.Admit(t.Context(), &Ask{Caller: caller, Worst: 2 * dollar})
	_, failed := l.Admit(t.Context(), &Ask{Caller: caller, Worst: 1})
	if failed == nil || failed.Status() != 429 || failed.Code != "budget_reserved" || failed.RetryAfter == 0 {
		t.Fatalf("what is held: %+v", failed)
	}
	lease.Settle(t.Context(), &llm.Usage{}, dollar/2)
	if _, failed := l.Admit(t.Context(), &Ask{Caller: caller, Worst: 1}); failed != nil {
		t.Fatal(failed)
	}
}

// TestMoneyThatIsHeldForLater: what a call holds goes on being held when the call has ended, and all else that it held does not;
// a call that is free is kept by its other limits alone, and what it finds out to be spent is counted.
func TestMoneyThatIsHeldForLater(t *testing.T) {
	l, caller, _ := limitsOf(Terms{MaxBudget: ptrTo(dollar), Parallel: ptrTo[int64](1), RPM: ptrTo[int64](4)}, LimitOptions{})
	admit := func(ask Ask, code string) *Lease {
		t.Helper()
		ask.Caller = caller
		lease, failed := l.Admit(t.Context(), &ask)
		if failed == nil && code != "" || failed != nil && failed.Code != code {
			t.Fatalf("refused with %v, want %q", failed, code)
		}
		return lease
	}
	left := func(lease *Lease) (n int) {
		lease.Left(func(Left) { n++ })
		return n
	}
	job := admit(Ask{Worst: dollar}, "")
	held := job.Detach()
	if left(job) != 2 || job.Detach() != nil || len(job.Charges()) == 0 {
		t.Errorf("what is left of a lease: %+v", job)
	}
	job.Settle(t.Context(), &llm.Usage{}, 0)
	if job.Detach() != nil || (*Lease)(nil).Detach() != nil {
		t.Error("money is held where there is none")
	}
	admit(Ask{}, "budget_reserved")

	found := admit(Ask{Free: true}, "")
	if left(found) != 2 {
		t.Errorf("what is left is not told: %+v", found)
	}
	admit(Ask{Free: true}, CodeParallel)
	found.Settle(t.Context(), &llm.Usage{}, dollar)
	held.Settle(t.Context(), &llm.Usage{}, 0)
	held.Settle(t.Context(), &llm.Usage{}, 0)
	if spent, _, err := l.Spend(t.Context(), &caller.Owners[0]); err != nil || spent != dollar {
		t.Errorf("%s spent, %v", spent, err)
	}
	admit(Ask{}, "422")

	// Where there are no other limits, too.
	l, caller, _ = limitsOf(Terms{MaxBudget: ptrTo(dollar)}, LimitOptions{})
	admit(Ask{Free: true}, "").Settle(t.Context(), &llm.Usage{}, dollar)
	admit(Ask{}, "422")
}

func TestABudgetIsResetAtTheBorder(t *testing.T) {
	l, caller, clock := limitsOf(Terms{MaxBudget: ptrTo(dollar), BudgetDuration: "1h"}, LimitOptions{})
	lease, _ := l.Admit(t.Context(), &Ask{Caller: caller, Worst: dollar})
	if got := lease.Charges(); len(got) != 3 || got[1] != (Charge{"key", "h", 0}) || got[2] != (Charge{"key", "h", clock.now().Truncate(time.Hour).Unix()}) {
		t.Errorf("charges %v", got)
	}
	lease.Settle(t.Context(), &llm.Usage{}, dollar)
	_, failed := l.Admit(t.Context(), &Ask{Caller: caller})
	if failed == nil || failed.RetryAfter != 53*time.Minute+53*time.Second { // it is 05:06:07
		t.Fatalf("over budget: %+v", failed)
	}
	clock.advance(failed.RetryAfter - 1)
	if _, failed := l.Admit(t.Context(), &Ask{Caller: caller}); failed == nil {
		t.Fatal("the budget is reset before the border")
	}
	clock.advance(1)
	if _, failed := l.Admit(t.Context(), &Ask{Caller: caller}); failed != nil {
		t.Fatal(failed)
	}
}

func TestBudgetsOfModelsAndWindows(t *testing.T) {
	terms := Terms{
		ModelBudgets: map[string]ModelBudget{"claude": {MaxBudget: ptrTo(dollar), Duration: "1d"}, "nova": {RPM: ptrTo[int64](1)}},
		Windows:      []Window{{"1h", 2 * dollar}, {"30d", 5 * dollar}},
		ModelTPM:     map[string]int64{"llama": 10},
	}
	l, caller, clock := limitsOf(terms, LimitOptions{})
	spend := func(group string, cost Amount) *llm.Error {
		lease, failed := l.Admit(t.Context(), &Ask{Caller: caller, Group: group, Worst: cost, Input: 10})
		lease.Settle(t.Context(), &llm.Usage{Input: 10}, cost)
		return failed
	}
	refused := func(group, code string) {
		t.Helper()
		if failed := spend(group, 0); failed == nil || failed.Code != code {
			t.Errorf("%s: %v, want %s", group, failed, code)
		}
	}
	admitted := func(group string, cost Amount) {
		t.Helper()
		if failed := spend(group, cost); failed != nil {
			t.Errorf("%s: %v", group, failed)
		}
	}
	admitted("claude", dollar)
	refused("claude", "422")
	admitted("nova", 0)
	refused("nova", CodeRequests)
	admitted("llama", 0)
	refused("llama", CodeTokens)
	admitted("titan", dollar)
	refused("titan", "422") // 2 in this hour
	clock.advance(time.Hour)
	admitted("titan", 2*dollar)
	refused("titan", "422")
	clock.advance(time.Hour)
	admitted("titan", 2*dollar)
	clock.advance(time.Hour)
	refused("titan", "422") // 6 in this month
}

func TestEveryOwnerHasToAgree(t *testing.T) {
	l, caller, _ := limitsOf(Terms{RPM: ptrTo[int64](10)}, LimitOptions{Global: Terms{MaxBudget: ptrTo(10 * dollar)}, Status: 400})
	team := Terms{RPM: ptrTo[int64](1)}
	caller.Owners = append(caller.Owners, Owner{Scope: "team", ID: "t", Label: "Team=t", Terms: &team})
	if _, failed := l.Admit(t.Context(), &Ask{Caller: caller}); failed != nil {
		t.Fatal(failed)
	}
	for range 20 { // refused by the team: nothing of the key's is used up
		if _, failed := l.Admit(t.Context(), &Ask{Caller: caller}); failed == nil || !strings.Contains(failed.Message, "Team=t") {
			t.Fatalf("the team's limit: %v", failed)
		}
	}
	caller.Owners = caller.Owners[:1]
	for range 9 {
		if _, failed := l.Admit(t.Context(), &Ask{Caller: caller}); failed != nil {
			t.Fatal(failed)
		}
	}
	caller.Owners = nil
	l.o.EndUsers = &Terms{MaxBudget: ptrTo(Amount(0))}
	_, failed := l.Admit(t.Context(), &Ask{Caller: caller, EndUser: "u"})
	if failed == nil || failed.Status() != 400 || failed.Code != "400" {
		t.Fatalf("the end user's: %+v", failed)
	}
	lease, failed := l.Admit(t.Context(), &Ask{Worst: 11 * dollar})
	if failed != nil {
		t.Fatal(failed)
	}
	lease.Settle(t.Context(), &llm.Usage{}, 11*dollar)
	if _, failed = l.Admit(t.Context(), &Ask{}); failed == nil || !strings.Contains(failed.Message, "Proxy") {
		t.Fatalf("the gateway's own: %v", failed)
	}
}

// spentStore is what was spent before.
type spentStore struct {
	mu    sync.Mutex
	spent map[Charge]Amount
	err   error
	asked int
}

func (s *spentStore) Spent(_ context.Context, list []Charge) ([]Amount, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	out := make([]Amount, len(list))
	for i, c := range list {
		out[i] = s.spent[c]
	}
	return out, s.err
}

func TestWhatWasSpentBeforeCounts(t *testing.T) {
	key := Charge{"key", "h", 0}
	store := &spentStore{spent: map[Charge]Amount{key: dollar / 2}}
	counters := NewLocalCounters(store)
	l, caller, _ := limitsOf(Terms{MaxBudget: ptrTo(dollar)}, LimitOptions{Counters: counters})
	spend := func(cost Amount) *llm.Error {
		lease, failed := l.Admit(t.Context(), &Ask{Caller: caller, Worst: cost})
		lease.Settle(t.Context(), &llm.Usage{}, cost)
		return failed
	}
	if failed := spend(dollar / 4); failed != nil {
		t.Fatal(failed)
	}
	if failed := spend(dollar / 4); failed != nil {
		t.Fatal(failed)
	}
	if spend(0) == nil {
		t.Fatal("what was spent before does not count")
	}
	if store.asked != 1 {
		t.Errorf("the store was asked %d times, want once", store.asked)
	}
	store.spent[key] = 3 * dollar // by another process
	if err := counters.Refresh(t.Context(), time.Now()); err != nil {
		t.Fatal(err)
	}
	if got, _ := counters.Spent(t.Context(), key); got != 3*dollar {
		t.Errorf("spent %s, want 3", got)
	}
	if err := l.Reset(t.Context(), key, 0); err != nil {
		t.Fatal(err)
	}
	if failed := spend(0); failed != nil {
		t.Fatal(failed)
	}
}

func TestAStoreThatIsAwayRefusesNobody(t *testing.T) {
	store := &spentStore{err: errors.New("away"), spent: map[Charge]Amount{}}
	counters := NewLocalCounters(store)
	l, caller, clock := limitsOf(Terms{MaxBudget: ptrTo(dollar)}, LimitOptions{Counters: counters})
	for range 3 {
		lease, failed := l.Admit(t.Context(), &Ask{Caller: caller})
		if failed != nil {
			t.Fatal(failed)
		}
		lease.Settle(t.Context(), &llm.Usage{}, dollar/8)
	}
	if store.asked != 1 {
		t.Errorf("requests have waited for it %d times, want once", store.asked)
	}
	clock.advance(restSeconds * time.Second)
	store.err, store.spent[Charge{"key", "h", 0}] = nil, dollar
	if _, failed := l.Admit(t.Context(), &Ask{Caller: caller}); failed == nil {
		t.Fatal("what the store knows is not asked for again")
	}
}

// lost are counters that cannot be reached.
type lost struct{ *LocalCounters }

func (*lost) Take(context.Context, time.Time, []Claim) (Taken, error) {
	return Taken{}, errors.New("away")
}

func TestCountersThatCannotBeReached(t *testing.T) {
	l, caller, _ := limitsOf(Terms{RPM: ptrTo[int64](1)}, LimitOptions{Counters: &lost{NewLocalCounters(nil)}})
	for range 3 {
		lease, failed := l.Admit(t.Context(), &Ask{Caller: caller})
		if failed != nil {
			t.Fatal(failed)
		}
		lease.Settle(t.Context(), &llm.Usage{}, 0)
	}
	l, caller, _ = limitsOf(Terms{RPM: ptrTo[int64](1)}, LimitOptions{Counters: &lost{NewLocalCounters(nil)}, FailClosed: true})
	if _, failed := l.Admit(t.Context(), &Ask{Caller: caller}); failed == nil || failed.Status() != 503 {
		t.Fatalf("closed: %v", failed)
	}
}

func TestIdleCountersAreForgotten(t *testing.T) {
	counters := NewLocalCounters(nil)
	now := time.Now().Add(-2 * idle * time.Second)
	for i := range 3 {
		taken, _ := counters.Take(t.Context(), now, []Claim{{Parallel, Charge{"key", string(rune('a' + i)), 0}, 5, 1}, {Requests, Charge{"key", string(rune('a' + i)), 0}, 5, 1}})
		if i > 0 {
			counters.Give(t.Context(), now, taken.At, []Claim{{Parallel, Charge{"key", string(rune('a' + i)), 0}, 5, 1}}, []int64{1})
		}
	}
	counters.sweep(time.Now().Unix())
	left := 0
	for i := range counters.shards {
		left += len(counters.shards[i].counters)
	}
	if left != 1 { // of the request that is under way still
		t.Errorf("%d counters are left, want 1", left)
	}
}

func BenchmarkAdmit(b *testing.B) {
	l := NewLimits(LimitOptions{Counters: NewLocalCounters(nil)})
	terms := Terms{RPM: ptrTo[int64](1 << 40), TPM: ptrTo[int64](1 << 50), MaxBudget: ptrTo(Amount(1 << 60)), BudgetDuration: "30d"}
	caller := &Caller{Owners: []Owner{{Scope: "key", ID: strings.Repeat("h", 64), Label: "Key=ci", Terms: &terms}}}
	ask := &Ask{Caller: caller, Group: "claude", Input: 100, Likely: 100, Worst: 1000}
	usage := &llm.Usage{Input: 10, Output: 10}
	b.ReportAllocs()
	for b.Loop() {
		lease, failed := l.Admit(context.Background(), ask)
		if failed != nil {
			b.Fatal(failed)
		}
		lease.Settle(context.Background(), usage, 10)
	}
}
