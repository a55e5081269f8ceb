package router

import (
	"math/rand/v2"
	"time"
)

// Strategy says which of a group's deployments gets a call.
type Strategy string

// The strategies, by LiteLLM's names; Headroom is Outcrop's own.
const (
	Shuffle   Strategy = "simple-shuffle"         // at random, by weight
	LeastBusy Strategy = "least-busy"             // the one with the fewest calls under way
	Latency   Strategy = "latency-based-routing"  // the fastest of late
	Usage     Strategy = "usage-based-routing"    // the one with the fewest tokens in this minute
	UsageV2   Strategy = "usage-based-routing-v2" // the same
	Cost      Strategy = "cost-based-routing"     // the cheapest
	Headroom  Strategy = "headroom"               // the one with the largest share of its quota left
)

// Candidate is a deployment that may get a call.
type Candidate struct {
	Deployment *Deployment
	State      *State
	// Index is the caller's own.
	Index int
	// Room is what the call would leave of its quota; Price is what a token of a prompt and one of an answer cost together,
	// in any unit.
	Room  Room
	Price float64

	score float64
}

// Chooser chooses among deployments.
type Chooser struct {
	Strategy Strategy
	// Buffer lets those share the traffic that are slower than the fastest by this share of its latency.
	Buffer float64
}

// Choose returns the candidate that gets a call: of those whose quota has room, if any has, one of the lowest order; nil if
// there is none. It puts list, which is the caller's, out of order.
func (c *Chooser) Choose(list []Candidate, now time.Time, stream bool) *Candidate {
	if len(list) == 0 {
		return nil
	}
	strategy := c.Strategy
	if roomy := keep(list, func(one *Candidate) bool { return one.Room.Free >= 0 }); len(roomy) > 0 {
		list = roomy
	} else { // whoever will be refused least likely
		strategy = Headroom
	}
	order := list[0].Deployment.Order
	for i := range list {
		order = min(order, list[i].Deployment.Order)
	}
	list = keep(list, func(one *Candidate) bool { return one.Deployment.Order == order })
	if len(list) > 1 && strategy != Shuffle && strategy != "" {
		list = c.best(list, strategy, now, stream)
	}
	return draw(list)
}

// keep moves those to the front of list that are kept, and returns them.
func keep(list []Candidate, is func(*Candidate) bool) []Candidate {
	n := 0
	for i := range list {
		if is(&list[i]) {
			list[n], list[i] = list[i], list[n]
			n++
		}
	}
	return list[:n]
}

// best keeps those with the least of what the strategy wants little of.
func (c *Chooser) best(list []Candidate, s Strategy, now time.Time, stream bool) []Candidate {
	for i := range list {
		list[i].score = list[i].scoreBy(s, now, stream)
	}
	least := list[0].score
	for i := range list {
		least = min(least, list[i].score)
	}
	if s == Latency {
		least *= 1 + c.Buffer
	}
	return keep(list, func(one *Candidate) bool { return one.score <= least })
}

func (c *Candidate) scoreBy(s Strategy, now time.Time, stream bool) float64 {
	switch s {
	case LeastBusy:
		return float64(c.State.Parallel())
	case Latency:
		return c.State.Latency(now, stream)
	case Usage, UsageV2:
		return c.State.Quota.Tokens(now)
	case Cost:
		return c.Price
	case Headroom:
		return -c.Room.Free
	}
	return 0
}

// draw draws one by weight; without weights everyone has the same chance.
func draw(list []Candidate) *Candidate {
	total := 0.0
	for i := range list {
		total += list[i].Deployment.Weight
	}
	if total <= 0 {
		return &list[rand.IntN(len(list))] //nolint:gosec // load balancing, not a secret
	}
	at := rand.Float64() * total //nolint:gosec // as above
	for i := range list {
		if at -= list[i].Deployment.Weight; at < 0 {
			return &list[i]
		}
	}
	return &list[len(list)-1]
}
