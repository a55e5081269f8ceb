package alerts

import (
	"hash/maphash"
	"sync"
)

// touchedShards is in how many parts the names are kept, each with a lock of its own; maxTouched bounds each part.
const (
	touchedShards = 32
	maxTouched    = 2048
)

// touched are the names of those who have called since somebody last looked. Requests share a lock only where they share a
// part.
type touched struct {
	seed   maphash.Seed
	shards [touchedShards]struct {
		mu    sync.Mutex
		names map[string]struct{}
	}
}

func newTouched() *touched { return &touched{seed: maphash.MakeSeed()} }

// add notes a name. One that there is no room for is noted when it calls again.
func (t *touched) add(name string) {
	s := &t.shards[maphash.String(t.seed, name)%touchedShards]
	s.mu.Lock()
	if _, known := s.names[name]; !known && len(s.names) < maxTouched {
		if s.names == nil {
			s.names = map[string]struct{}{}
		}
		s.names[name] = struct{}{}
	}
	s.mu.Unlock()
}

// take calls yield with each name, and forgets them.
func (t *touched) take(yield func(string)) {
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		names := s.names
		s.names = nil
		s.mu.Unlock()
		for name := range names {
			yield(name)
		}
	}
}
