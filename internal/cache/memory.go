package cache

import (
	"container/list"
	"context"
	"sync"
	"time"
)

// Memory keeps entries in this process, within a bound of bytes: those that were not asked for the longest go first. It is
// safe for concurrent use.
type Memory struct {
	limit  int64
	now    func() time.Time
	shards [shards]shard
}

// shards is in how many parts the entries are kept, each with a lock of its own.
const shards = 16

type shard struct {
	mu      sync.Mutex
	entries map[Key]*list.Element
	recent  list.List // of *kept, the last that was asked for in front
	size    int64
}

type kept struct {
	key   Key
	entry *Entry
	until time.Time
	size  int64
}

// NewMemory returns a cache of so many bytes; 0 means 256 MiB.
func NewMemory(limit int64) *Memory {
	if limit <= 0 {
		limit = 256 << 20
	}
	m := &Memory{limit: limit / shards, now: time.Now}
	for i := range m.shards {
		m.shards[i].entries = map[Key]*list.Element{}
	}
	return m
}

func (m *Memory) shard(k Key) *shard { return &m.shards[k[0]%shards] }

// Get returns the entry of a key, nil if there is none.
func (m *Memory) Get(_ context.Context, key Key) (*Entry, error) {
	s := m.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entries[key]
	if e == nil {
		return nil, nil //nolint:nilnil // see Store
	}
	k := e.Value.(*kept) //nolint:forcetypeassert // the list holds nothing else
	if !m.now().Before(k.until) {
		s.drop(e)
		return nil, nil //nolint:nilnil // see Store
	}
	s.recent.MoveToFront(e)
	return k.entry, nil
}

// Put keeps an entry for a time. One that is larger than a sixteenth of the cache is not kept.
func (m *Memory) Put(_ context.Context, key Key, entry *Entry, ttl time.Duration) error {
	s := m.shard(key)
	k := &kept{key: key, entry: entry, until: m.now().Add(ttl), size: entry.size()}
	if k.size > m.limit || ttl <= 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.entries[key]; old != nil {
		s.drop(old)
	}
	s.entries[key] = s.recent.PushFront(k)
	s.size += k.size
	for s.size > m.limit {
		s.drop(s.recent.Back())
	}
	return nil
}

// drop forgets an entry; the lock is held.
func (s *shard) drop(e *list.Element) {
	k := s.recent.Remove(e).(*kept) //nolint:forcetypeassert // the list holds nothing else
	delete(s.entries, k.key)
	s.size -= k.size
}

// Delete forgets entries.
func (m *Memory) Delete(_ context.Context, keys []Key) error {
	for _, key := range keys {
		s := m.shard(key)
		s.mu.Lock()
		if e := s.entries[key]; e != nil {
			s.drop(e)
		}
		s.mu.Unlock()
	}
	return nil
}

// Flush forgets all entries.
func (m *Memory) Flush(context.Context) error {
	for i := range m.shards {
		s := &m.shards[i]
		s.mu.Lock()
		clear(s.entries)
		s.recent.Init()
		s.size = 0
		s.mu.Unlock()
	}
	return nil
}

// Ping reports that memory can be reached.
func (m *Memory) Ping(context.Context) error { return nil }
