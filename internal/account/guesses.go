package account

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// absent remembers for a moment which digests belong to no key, so that a client with a wrong key costs no look at the store
// for each of its requests. It is bounded and takes no lock.
type absent struct {
	slots [1024]atomic.Pointer[absence]
}

type absence struct {
	digest [32]byte
	until  time.Time
}

// absentFor is shorter than what a change needs to get around anyway.
const absentFor = 400 * time.Millisecond

func (a *absent) slot(digest *[32]byte) *atomic.Pointer[absence] {
	return &a.slots[(int(digest[0])<<8|int(digest[1]))%len(a.slots)]
}

func (a *absent) has(digest *[32]byte, now time.Time) bool {
	x := a.slot(digest).Load()
	return x != nil && x.digest == *digest && now.Before(x.until)
}

func (a *absent) add(digest *[32]byte, now time.Time) {
	a.slot(digest).Store(&absence{digest: *digest, until: now.Add(absentFor)})
}

// guesses counts the wrong keys of each address in a minute. Nothing is counted, and no lock taken, for those who send a
// right one.
type guesses struct {
	limit int
	// hot is how many addresses are over the limit, or were not long ago.
	hot atomic.Int64

	mu        sync.Mutex
	addresses map[netip.Prefix]*tally
}

type tally struct {
	since time.Time
	count int
}

// maxTallies bounds the addresses that are watched at once. When there are more, some are forgotten.
const maxTallies = 8192

const guessWindow = time.Minute

// network is what one guesser has: an address of IPv4, or 64 bits of IPv6.
func network(a netip.Addr) netip.Prefix {
	bits := 32
	if a = a.Unmap(); a.Is6() {
		bits = 64
	}
	p, err := a.WithZone("").Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}

// over reports whether an address has used up its wrong keys, and for how long.
func (g *guesses) over(a netip.Addr, now time.Time) (wait time.Duration, over bool) {
	if g.limit <= 0 || g.hot.Load() == 0 {
		return 0, false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	t := g.addresses[network(a)]
	if t == nil || t.count < g.limit {
		return 0, false
	}
	if wait = t.since.Add(guessWindow).Sub(now); wait <= 0 {
		g.forget(network(a))
		return 0, false
	}
	return wait, true
}

// add counts a wrong key of an address.
func (g *guesses) add(a netip.Addr, now time.Time) {
	if g.limit <= 0 {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.addresses == nil {
		g.addresses = map[netip.Prefix]*tally{}
	}
	key := network(a)
	t := g.addresses[key]
	if t != nil && now.Sub(t.since) >= guessWindow {
		g.forget(key)
		t = nil
	}
	if t == nil {
		if len(g.addresses) >= maxTallies {
			g.sweep(now)
		}
		t = &tally{since: now}
		g.addresses[key] = t
	}
	if t.count++; t.count == g.limit {
		g.hot.Add(1)
	}
}

// forget is called with the lock held.
func (g *guesses) forget(key netip.Prefix) {
	if t := g.addresses[key]; t != nil {
		if t.count >= g.limit {
			g.hot.Add(-1)
		}
		delete(g.addresses, key)
	}
}

// sweep makes room: what is over goes, and if nothing is, whatever comes first.
func (g *guesses) sweep(now time.Time) {
	for key, t := range g.addresses {
		if now.Sub(t.since) >= guessWindow {
			g.forget(key)
		}
	}
	for key := range g.addresses {
		if len(g.addresses) < maxTallies*3/4 {
			return
		}
		g.forget(key)
	}
}
