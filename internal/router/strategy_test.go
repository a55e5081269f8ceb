package router

import (
	"math"
	"testing"
	"time"
)

var start = time.Unix(1_700_000_000, 0).Truncate(time.Minute)

// candidates returns as many as there are weights, with nothing known of any.
func candidates(weights ...float64) []Candidate {
	list := make([]Candidate, len(weights))
	for i, w := range weights {
		list[i] = Candidate{Deployment: &Deployment{ID: string(rune('a' + i)), Weight: w}, State: &State{}, Index: i, Room: Room{Free: 1}}
	}
	return list
}

// drawn counts who is chosen in so many calls.
func drawn(c Chooser, n int, list []Candidate) map[string]int {
	count := map[string]int{}
	for range n {
		count[c.Choose(list, start, false).Deployment.ID]++
	}
	return count
}

func TestShuffleFollowsWeights(t *testing.T) {
	f := func(weights ...float64) {
		t.Helper()
		total := 0.0
		for _, w := range weights {
			total += w
		}
		const n = 10000
		within := func() (ok bool) {
			count := drawn(Chooser{}, n, candidates(weights...))
			for i, w := range weights {
				p := 1 / float64(len(weights))
				if total > 0 {
					p = w / total
				}
				sigma := math.Sqrt(n * p * (1 - p))
				if got := float64(count[string(rune('a'+i))]); math.Abs(got-n*p) > 3*sigma {
					t.Logf("weights %v: %d was chosen %v times, want about %v", weights, i, got, n*p)
					return false
				}
			}
			return true
		}
		// Chance is beyond 3 σ in one of some hundred runs: not in four, one after the other.
		for range 4 {
			if within() {
				return
			}
		}
		t.Errorf("weights %v are not followed", weights)
	}
	f(0, 0, 0)
	f(1, 2, 7)
	f(1, 0)
}

func TestChoose(t *testing.T) {
	for _, c := range []struct {
		name    string
		chooser Chooser
		change  func([]Candidate)
		want    string // who is chosen, each at least once
	}{
		{"everyone", Chooser{Strategy: Shuffle}, func([]Candidate) {}, "abc"},
		{"the lowest order", Chooser{}, func(l []Candidate) { l[0].Deployment.Order, l[1].Deployment.Order = 2, 2; l[2].Deployment.Order = 1 }, "c"},
		{"who has room", Chooser{}, func(l []Candidate) { l[1].Room.Free = -0.1 }, "ac"},
		{"who has room, of whatever order", Chooser{}, func(l []Candidate) { l[0].Deployment.Order, l[1].Room.Free, l[2].Room.Free = 1, -0.5, -0.1 }, "a"},
		{"nobody has room", Chooser{}, func(l []Candidate) {
			l[0].Deployment.Order, l[0].Room.Free, l[1].Room.Free, l[2].Room.Free = 1, -0.05, -0.5, -0.1
		}, "c"},
		{"least busy", Chooser{Strategy: LeastBusy}, func(l []Candidate) { l[0].State.Enter(0); l[1].State.Enter(0); l[1].State.Enter(0) }, "c"},
		{"as busy as each other", Chooser{Strategy: LeastBusy}, func(l []Candidate) { l[0].State.Enter(0) }, "bc"},
		{"cheapest", Chooser{Strategy: Cost}, func(l []Candidate) { l[0].Price, l[1].Price, l[2].Price = 3, 1, 2 }, "b"},
		{"most headroom", Chooser{Strategy: Headroom}, func(l []Candidate) { l[0].Room.Free, l[1].Room.Free, l[2].Room.Free = 0.3, 0.2, 0.4 }, "c"},
		{"fewest tokens", Chooser{Strategy: UsageV2}, func(l []Candidate) {
			l[0].State.Quota.Take(start, Need{Input: 10})
			l[2].State.Quota.Take(start, Need{Input: 10})
		}, "b"},
		{"fastest", Chooser{Strategy: Latency}, func(l []Candidate) {
			for i, ms := range []int{300, 100, 109} {
				l[i].State.Took(start, false, 0, time.Duration(ms)*time.Millisecond, 10)
			}
		}, "b"},
		{"about as fast", Chooser{Strategy: Latency, Buffer: 0.1}, func(l []Candidate) {
			for i, ms := range []int{300, 100, 109} {
				l[i].State.Took(start, false, 0, time.Duration(ms)*time.Millisecond, 10)
			}
		}, "bc"},
		{"of which nothing is known", Chooser{Strategy: Latency}, func(l []Candidate) { l[0].State.Took(start, false, 0, time.Second, 1) }, "bc"},
		{"streams are another matter", Chooser{Strategy: Latency}, func(l []Candidate) { l[0].State.Took(start, true, time.Second, 0, 1) }, "abc"},
	} {
		list := candidates(0, 0, 0)
		c.change(list)
		got := drawn(c.chooser, 200, list)
		for _, id := range "abc" {
			want := false
			for _, w := range c.want {
				want = want || w == id
			}
			if (got[string(id)] > 0) != want {
				t.Errorf("%s: %v, want %s", c.name, got, c.want)
			}
		}
	}
	if (&Chooser{}).Choose(nil, start, false) != nil {
		t.Error("there is nobody")
	}
}

func TestLatencyFades(t *testing.T) {
	var s State
	s.Took(start, true, 10*time.Second, 0, 0)
	if got := s.Latency(start, true); got != 10 {
		t.Errorf("%v", got)
	}
	if got := s.Latency(start.Add(halfLife), true); got != 5 {
		t.Errorf("after its half-life: %v", got)
	}
	for range 100 {
		s.Took(start, true, time.Second, 0, 0)
	}
	if got := s.Latency(start, true); got < 1 || got > 1.01 {
		t.Errorf("after a hundred fast calls: %v", got)
	}
}

func TestEnter(t *testing.T) {
	var s State
	for i, want := range []bool{true, true, false} {
		if s.Enter(2) != want {
			t.Errorf("call %d: two at once", i)
		}
	}
	if !s.Enter(0) || s.Parallel() != 3 {
		t.Error("without a bound")
	}
	s.Leave()
	s.Leave()
	if !s.Enter(2) {
		t.Error("there is a place again")
	}
}

func TestPins(t *testing.T) {
	var p Pins
	p.Set(start, 7, "a", time.Minute)
	if p.Get(start, 7) != "a" || p.Get(start, 8) != "" || p.Get(start.Add(time.Minute), 7) != "" {
		t.Error("a pin holds for its time")
	}
	p.Set(start, 7, "b", time.Minute)
	if p.Get(start, 7) != "b" {
		t.Error("the last one counts")
	}
	for i := range uint64(pinShards * pinsPerShard * 2) {
		p.Set(start, i, "c", time.Hour)
	}
	n := 0
	for i := range p.shards {
		n += len(p.shards[i].pins)
	}
	if n > pinShards*pinsPerShard || p.Get(start, pinShards*pinsPerShard*2-1) != "c" {
		t.Errorf("%d pins", n)
	}
}
