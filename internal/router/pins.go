package router

import (
	"sync"
	"time"
)

// Pins remember for a while which deployment something belongs to: the prefix of a prompt to the one whose cache holds it, a
// session to the one that has served it. The keys are hashes; two things with one hash are taken for the same, which costs
// no more than a cache. The zero value is empty; it is safe for concurrent use.
type Pins struct{ shards [pinShards]pinShard }

const (
	pinShards = 64
	// pinsPerShard bounds what is remembered.
	pinsPerShard = 2048
)

type pinShard struct {
	mu   sync.Mutex
	pins map[uint64]pin
}

type pin struct {
	id    string
	until int64 // ns since 1970
}

func (p *Pins) shard(key uint64) *pinShard { return &p.shards[key%pinShards] }

// Set remembers a deployment for a while.
func (p *Pins) Set(now time.Time, key uint64, id string, ttl time.Duration) {
	s := p.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pins == nil {
		s.pins = map[uint64]pin{}
	}
	if _, has := s.pins[key]; !has && len(s.pins) >= pinsPerShard {
		s.thin(now)
	}
	s.pins[key] = pin{id, now.Add(ttl).UnixNano()}
}

// thin forgets what is over, and of the rest so much that it need not be called again soon.
func (s *pinShard) thin(now time.Time) {
	for key, one := range s.pins {
		if one.until <= now.UnixNano() {
			delete(s.pins, key)
		}
	}
	for key := range s.pins {
		if len(s.pins) < pinsPerShard*3/4 {
			return
		}
		delete(s.pins, key)
	}
}

// Get returns the id of the deployment that is remembered, "" if none is.
func (p *Pins) Get(now time.Time, key uint64) string {
	s := p.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if one, ok := s.pins[key]; ok && one.until > now.UnixNano() {
		return one.id
	}
	return ""
}
