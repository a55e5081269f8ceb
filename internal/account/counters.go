package account

import (
	"context"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"
)

// Resource is what a [Claim] is a claim to.
type Resource uint8

// The resources.
const (
	// Requests and Tokens are counted over the last 60 seconds.
	Requests Resource = iota
	Tokens
	// Parallel are the requests under way.
	Parallel
	// Money is what is spent in a budget's period, and what the requests under way may cost at most.
	Money
)

// Claim is what one request takes of one limit of one owner.
type Claim struct {
	Resource Resource
	// Charge is the counter; its Period means something for Money only.
	Charge
	// Limit is the owner's: requests, tokens, or pico-dollars.
	Limit int64
	// Amount is what the request may use at most; 1 for Requests and Parallel.
	Amount int64
}

// Taken says how a try to take claims went.
type Taken struct {
	// Refused is the index of the claim for which there was no room, -1 if all were taken.
	Refused int
	// Wait is how long it takes until there may be room: 0 where nobody knows.
	Wait time.Duration
	// Spent says that the money is spent, rather than held by requests under way.
	Spent bool
	// Used is what is used of each claim's counter, this request included.
	Used []int64
	// At is the second in which the claims were taken.
	At int64
}

// Counters take and give back claims. One that is taken while less than its limit is used may go over it: so limits are
// overrun by one request at most, at any concurrency, and a request that is larger than the whole limit is not refused for
// ever. All claims of a request are taken, or none.
type Counters interface {
	// Take takes claims. Its error says that the counters cannot be reached; nothing was taken then.
	Take(ctx context.Context, now time.Time, claims []Claim) (Taken, error)
	// Give ends claims that were taken at a second: used is what was used of each. Requests stay counted.
	Give(ctx context.Context, now time.Time, at int64, claims []Claim, used []int64)
	// Spent returns what was spent on a counter of money; Reset has it go on from an amount.
	Spent(ctx context.Context, counter Charge) (Amount, error)
	Reset(ctx context.Context, counter Charge, to Amount) error
}

// windowSeconds is the length of a window: a whole minute and the second that has begun, so that no minute, wherever it
// begins, holds more than the limit.
const windowSeconds = 61

// window counts what was used in each of the last seconds.
type window struct {
	head    int64 // the newest second
	sum     int64
	buckets [windowSeconds]int64
}

// roll goes to a second. Time that goes back stays where it was.
func (w *window) roll(second int64) {
	if second <= w.head {
		return
	}
	if second-w.head >= windowSeconds {
		w.buckets, w.sum = [windowSeconds]int64{}, 0
	} else {
		for s := w.head + 1; s <= second; s++ {
			b := &w.buckets[s%windowSeconds]
			w.sum -= *b
			*b = 0
		}
	}
	w.head = second
}

// add counts in a second, if that is in the window still.
func (w *window) add(second, n int64) {
	if second > w.head-windowSeconds && second <= w.head {
		w.buckets[second%windowSeconds] += n
		w.sum += n
	}
}

// wait returns how many seconds it takes until less than limit is used.
func (w *window) wait(limit int64) int64 {
	left := w.sum
	for s := w.head - windowSeconds + 1; s <= w.head; s++ {
		left -= w.buckets[s%windowSeconds]
		if left < limit {
			return s + windowSeconds - w.head
		}
	}
	return windowSeconds
}

// counter is one counter of one owner.
type counter struct {
	mu sync.Mutex
	// dead says that the counter is no longer in the map.
	dead   bool
	window window // of Requests and Tokens
	// held is what requests under way hold: of Parallel, and of Money; spent is the money that is gone.
	held, spent int64
	loaded      bool // spent is what the store has, too
	touched     int64
}

type counterKey struct {
	resource Resource
	Charge
}

// SpentReader reads what was charged to counters in the past; an [EntityStore] is one.
type SpentReader interface {
	Spent(ctx context.Context, counters []Charge) ([]Amount, error)
}

// LocalCounters are the counters of one process. What was spent before is read from the store when a counter is asked for
// the first time. They are safe for concurrent use; requests share a lock only where they share a counter.
type LocalCounters struct {
	store   SpentReader
	seed    maphash.Seed
	shards  [counterShards]shard
	created atomic.Int64
	// away is the second until which the store is not asked again, because it has failed.
	away atomic.Int64
}

// counterShards is in how many parts the counters are kept, each with a lock of its own.
const counterShards = 64

type shard struct {
	mu       sync.RWMutex
	counters map[counterKey]*counter
}

// NewLocalCounters returns counters. store may be nil: then nothing was spent before.
func NewLocalCounters(store SpentReader) *LocalCounters {
	l := &LocalCounters{store: store, seed: maphash.MakeSeed()}
	for i := range l.shards {
		l.shards[i].counters = map[counterKey]*counter{}
	}
	return l
}

// loadTime bounds how long a request waits for what was spent on a counter that nobody has asked for since the start. When
// the store is away the counter begins at what this process has seen, and the store is asked again later.
const loadTime = 500 * time.Millisecond

// restSeconds is how long a store that has failed is left alone: no request waits for it meanwhile.
const restSeconds = 5

func (l *LocalCounters) shard(k *counterKey) *shard {
	return &l.shards[maphash.String(l.seed, k.ID)%counterShards]
}

// find returns a counter, nil if there is none.
func (l *LocalCounters) find(k *counterKey) *counter {
	s := l.shard(k)
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.counters[*k]
}

func (l *LocalCounters) counter(k *counterKey) *counter {
	if c := l.find(k); c != nil {
		return c
	}
	if l.created.Add(1)%sweepEvery == 0 {
		l.sweep(time.Now().Unix())
	}
	s := l.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.counters[*k]
	if c == nil {
		c = &counter{}
		s.counters[*k] = c
	}
	return c
}

const (
	// sweepEvery is after how many new counters those that are not needed are removed; idle is how long one must have been
	// unused, in seconds.
	sweepEvery = 4096
	idle       = 3600
)

// sweep removes counters that count nothing.
func (l *LocalCounters) sweep(now int64) {
	for i := range l.shards {
		s := &l.shards[i]
		s.mu.Lock()
		for k, c := range s.counters {
			c.mu.Lock()
			c.window.roll(now)
			if c.held == 0 && c.window.sum == 0 && now-c.touched > idle { // what was spent is in the store
				c.dead = true
				delete(s.counters, k)
			}
			c.mu.Unlock()
		}
		s.mu.Unlock()
	}
}

// locked returns a counter of the map with its lock held.
func (l *LocalCounters) locked(k counterKey, second int64) *counter {
	for {
		c := l.counter(&k)
		c.mu.Lock()
		if !c.dead {
			c.touched = second
			c.window.roll(second)
			return c
		}
		c.mu.Unlock()
	}
}

// load reads what was spent on those counters of claims that nobody has asked for yet.
func (l *LocalCounters) load(ctx context.Context, second int64, charges []Charge) {
	if l.store == nil || len(charges) == 0 || second < l.away.Load() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, loadTime)
	defer cancel()
	amounts, err := l.store.Spent(ctx, charges)
	if err != nil || len(amounts) != len(charges) {
		l.away.Store(second + restSeconds)
		return
	}
	for i, charge := range charges {
		c := l.locked(counterKey{Money, charge}, second)
		if !c.loaded {
			c.loaded, c.spent = true, max(c.spent, int64(amounts[i])) // what was seen here may be there already
		}
		c.mu.Unlock()
	}
}

// Load reads what was spent on those of the counters that nobody has asked for yet, all of them at once.
func (l *LocalCounters) Load(ctx context.Context, counters []Charge) {
	if l.store == nil {
		return
	}
	now := time.Now().Unix()
	var unknown []Charge
	for _, charge := range counters {
		c := l.locked(counterKey{Money, charge}, now)
		if !c.loaded {
			unknown = append(unknown, charge)
		}
		c.mu.Unlock()
	}
	l.load(ctx, now, unknown)
}

// Take takes claims, or none.
func (l *LocalCounters) Take(ctx context.Context, now time.Time, claims []Claim) (Taken, error) {
	second := now.Unix()
	t := Taken{Refused: -1, Used: make([]int64, len(claims)), At: second}
	loaded := l.store == nil
	for i := 0; i < len(claims); i++ {
		c := &claims[i]
		n := l.locked(counterKey{c.Resource, c.Charge}, second)
		if c.Resource == Money && !n.loaded && !loaded { // nobody has asked for it yet: read it, and begin again
			n.mu.Unlock()
			l.give(second, second, claims[:i], nil)
			l.load(ctx, second, moneyOf(claims))
			loaded, i = true, -1
			continue
		}
		used := n.used(c.Resource)
		if used >= c.Limit {
			t.Refused, t.Spent = i, n.spent >= c.Limit
			if c.Resource == Requests || c.Resource == Tokens {
				t.Wait = time.Duration(n.window.wait(c.Limit)) * time.Second
			}
			n.mu.Unlock()
			l.give(second, second, claims[:i], nil)
			return t, nil
		}
		switch c.Resource {
		case Requests, Tokens:
			n.window.add(n.window.head, c.Amount)
		case Parallel, Money:
			n.held += c.Amount
		}
		t.Used[i] = used + c.Amount
		n.mu.Unlock()
	}
	return t, nil
}

// moneyOf returns the counters of money among claims.
func moneyOf(claims []Claim) []Charge {
	var out []Charge
	for i := range claims {
		if claims[i].Resource == Money {
			out = append(out, claims[i].Charge)
		}
	}
	return out
}

func (c *counter) used(r Resource) int64 {
	switch r {
	case Parallel:
		return c.held
	case Money:
		return c.spent + c.held
	default:
		return c.window.sum
	}
}

// Give ends claims.
func (l *LocalCounters) Give(_ context.Context, now time.Time, at int64, claims []Claim, used []int64) {
	l.give(now.Unix(), at, claims, used)
}

// give ends claims; without used they are as if they had never been taken.
func (l *LocalCounters) give(second, at int64, claims []Claim, used []int64) {
	for i := range claims {
		c := &claims[i]
		n := l.locked(counterKey{c.Resource, c.Charge}, second)
		of := int64(0)
		if used != nil {
			of = used[i]
		}
		switch c.Resource {
		case Requests:
			if used == nil {
				n.window.add(at, -c.Amount)
			}
		case Tokens:
			n.window.add(at, of-c.Amount)
		case Parallel:
			n.held -= c.Amount
		case Money:
			n.held -= c.Amount
			n.spent += of
		}
		n.mu.Unlock()
	}
}

// Spent returns what was spent on a counter.
func (l *LocalCounters) Spent(ctx context.Context, counter Charge) (Amount, error) {
	now := time.Now().Unix()
	for loaded := false; ; loaded = true {
		c := l.locked(counterKey{Money, counter}, now)
		known, spent := c.loaded || l.store == nil, c.spent
		c.mu.Unlock()
		if known || loaded {
			return Amount(spent), nil
		}
		l.load(ctx, now, []Charge{counter})
	}
}

// Refresh reads again what was spent on the counters that are in use: where several processes share a store and nothing
// else, that is how each knows of the others' calls. What a process knows itself and the store does not yet is never
// forgotten.
func (l *LocalCounters) Refresh(ctx context.Context, now time.Time) error {
	if l.store == nil {
		return nil
	}
	var charges []Charge
	for i := range l.shards {
		s := &l.shards[i]
		s.mu.RLock()
		for k, c := range s.counters {
			c.mu.Lock()
			if k.resource == Money && now.Unix()-c.touched < idle {
				charges = append(charges, k.Charge)
			}
			c.mu.Unlock()
		}
		s.mu.RUnlock()
	}
	if len(charges) == 0 {
		return nil
	}
	amounts, err := l.store.Spent(ctx, charges)
	if err != nil {
		return err
	}
	for i, charge := range charges {
		if c := l.find(&counterKey{Money, charge}); c != nil {
			c.mu.Lock()
			c.loaded, c.spent = true, max(c.spent, int64(amounts[i]))
			c.mu.Unlock()
		}
	}
	return nil
}

// AtLeast raises a counter of money to what somebody else knows to be spent.
func (l *LocalCounters) AtLeast(counter Charge, spent Amount) {
	c := l.locked(counterKey{Money, counter}, time.Now().Unix())
	c.spent = max(c.spent, int64(spent))
	c.mu.Unlock()
}

// Reset has a counter of money go on from an amount.
func (l *LocalCounters) Reset(_ context.Context, counter Charge, to Amount) error {
	c := l.locked(counterKey{Money, counter}, time.Now().Unix())
	c.loaded, c.spent = true, int64(to)
	c.mu.Unlock()
	return nil
}
