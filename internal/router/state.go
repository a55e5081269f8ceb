package router

import (
	"math"
	"sync/atomic"
	"time"
)

// State is what the calls to one deployment have shown of it: whether it works, how busy it is, how fast, and how much of
// its quota is left. It is safe for concurrent use; the zero value knows nothing yet.
type State struct {
	Health
	Quota Quota

	parallel atomic.Int64
	// perToken is the time that a whole answer takes for each of its tokens, firstToken that to a stream's first one, in s.
	perToken, firstToken average
}

// Enter takes a place for a call, and reports whether there was one: most is how many calls may be under way at once, 0 for
// any number.
func (s *State) Enter(most int64) bool {
	if s.parallel.Add(1) > most && most > 0 {
		s.parallel.Add(-1)
		return false
	}
	return true
}

// Leave gives the place of a call back.
func (s *State) Leave() { s.parallel.Add(-1) }

// Parallel returns how many calls are under way.
func (s *State) Parallel() int64 { return s.parallel.Load() }

// Took notes how long a call took: until a stream's first token, or for each token of an answer that came whole.
func (s *State) Took(now time.Time, stream bool, first, whole time.Duration, tokens int64) {
	if stream {
		s.firstToken.add(now, first.Seconds())
	} else {
		s.perToken.add(now, whole.Seconds()/float64(max(tokens, 1)))
	}
}

// Latency returns how slow the deployment has been of late, in s; 0 if that is not known. What is known fades, so that a
// deployment that was slow is tried again.
func (s *State) Latency(now time.Time, stream bool) float64 {
	if stream {
		return s.firstToken.value(now)
	}
	return s.perToken.value(now)
}

// average is a mean that weighs what is new more.
type average struct {
	bits atomic.Uint64 // of a float64
	at   atomic.Int64  // ns since 1970
}

const (
	// halfLife is how long it takes until half of what is known of a latency is forgotten.
	halfLife = 30 * time.Second
	// newest is the least weight of a new value.
	newest = 0.2
)

func (a *average) add(now time.Time, v float64) {
	old, was := math.Float64frombits(a.bits.Load()), a.at.Load()
	if was != 0 {
		share := min(math.Exp2(-float64(now.UnixNano()-was)/float64(halfLife)), 1-newest)
		v = share*old + (1-share)*v
	}
	a.bits.Store(math.Float64bits(v)) // of two at once one is lost: it is an average
	a.at.Store(now.UnixNano())
}

func (a *average) value(now time.Time) float64 {
	was := a.at.Load()
	if was == 0 {
		return 0
	}
	return math.Float64frombits(a.bits.Load()) * math.Exp2(-float64(max(now.UnixNano()-was, 0))/float64(halfLife))
}
