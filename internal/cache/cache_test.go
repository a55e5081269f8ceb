package cache

import (
	"bytes"
	"context"
	"strconv"
	"sync"
	"testing"
	"time"
)

func keyOf(n int) Key {
	d := NewDigest()
	d.Text("n", strconv.Itoa(n))
	return d.Key()
}

func get(t *testing.T, s Store, k Key) *Entry {
	t.Helper()
	e, err := s.Get(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestMemoryKeepsForATime(t *testing.T) {
	m := NewMemory(0)
	now := time.Now()
	m.now = func() time.Time { return now }
	if err := m.Put(t.Context(), keyOf(1), &Entry{Body: []byte("one")}, time.Minute); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Minute - 1)
	if e := get(t, m, keyOf(1)); e == nil || string(e.Body) != "one" {
		t.Errorf("%+v", e)
	}
	now = now.Add(1)
	if e := get(t, m, keyOf(1)); e != nil {
		t.Errorf("it is over: %+v", e)
	}
	_ = m.Put(t.Context(), keyOf(2), &Entry{}, time.Minute)
	_ = m.Put(t.Context(), keyOf(3), &Entry{}, time.Minute)
	_ = m.Put(t.Context(), keyOf(4), &Entry{}, 0)
	_ = m.Delete(t.Context(), []Key{keyOf(2), keyOf(99)})
	if get(t, m, keyOf(2)) != nil || get(t, m, keyOf(3)) == nil || get(t, m, keyOf(4)) != nil {
		t.Error("deleted, kept, and never kept")
	}
	_ = m.Flush(t.Context())
	if get(t, m, keyOf(3)) != nil {
		t.Error("flushed")
	}
}

func TestMemoryIsBounded(t *testing.T) {
	const limit = 1 << 20
	m := NewMemory(limit)
	for i := range 1000 {
		_ = m.Put(t.Context(), keyOf(i), &Entry{Body: bytes.Repeat([]byte("x"), 10_000)}, time.Hour)
		get(t, m, keyOf(0)) // which is asked for again and again
	}
	size, n := int64(0), 0
	for i := range m.shards {
		size, n = size+m.shards[i].size, n+len(m.shards[i].entries)
	}
	if size > limit || n < 80 {
		t.Errorf("%d entries of %d bytes", n, size)
	}
	if get(t, m, keyOf(0)) == nil {
		t.Error("what is asked for goes last")
	}
	_ = m.Put(t.Context(), keyOf(5000), &Entry{Body: make([]byte, limit/2)}, time.Hour)
	if get(t, m, keyOf(5000)) != nil {
		t.Error("one that is too large is kept")
	}
}

func TestMemoryTakesManyAtOnce(t *testing.T) {
	m := NewMemory(1 << 16)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 500 {
				_ = m.Put(context.Background(), keyOf(i*j), &Entry{Body: make([]byte, j)}, time.Hour)
				_, _ = m.Get(context.Background(), keyOf(j))
			}
		})
	}
	all.Wait()
}

func TestKeys(t *testing.T) {
	f := func(same bool, a, b string) {
		t.Helper()
		key := func(object string) Key {
			d := NewDigest()
			if !d.JSON([]byte(object), func(name string) bool { return name == "cache" }) {
				t.Fatalf("%s is an object", object)
			}
			return d.Key()
		}
		if (key(a) == key(b)) != same {
			t.Errorf("%s and %s: the same is %v", a, b, !same)
		}
	}
	f(true, `{"a":1,"b":[1,2]}`, `{ "b": [1, 2], "a": 1 }`)
	f(true, `{"a":{"x":1,"y":2}}`, `{"a":{"y":2,"x":1}}`)
	f(true, `{"a":1,"cache":{"ttl":1}}`, `{"a":1}`)
	f(true, `{"a":"\u0041"}`, `{"a":"A"}`)
	f(false, `{"a":1}`, `{"a":1.0}`)
	f(false, `{"a":1}`, `{"a":"1"}`)
	f(false, `{"a":[1,2]}`, `{"a":[2,1]}`)
	f(false, `{"a":1,"top_k":5}`, `{"a":1,"top_k":6}`)
	f(false, `{"a":10000000000000000001}`, `{"a":10000000000000000002}`)
	if NewDigest().JSON([]byte(`[1]`), nil) || NewDigest().JSON([]byte(`{`), nil) {
		t.Error("no objects")
	}
	a, b := NewDigest(), NewDigest()
	a.Text("ab", "c")
	b.Text("a", "bc")
	if a.Key() == b.Key() {
		t.Error("names and texts run into each other")
	}
	if k, ok := ParseKey(a.Key().String()); !ok || k != a.Key() {
		t.Error("a key's text")
	}
	if _, ok := ParseKey("zz"); ok {
		t.Error("a text that is no key")
	}
}
