package llm

import "testing"

func TestUsagesTogether(t *testing.T) {
	f := func(a, b, want Usage) {
		t.Helper()
		if got := a.Plus(b); got != want || b.Plus(a) != want {
			t.Errorf("%+v and %+v: got %+v, want %+v", a, b, got, want)
		}
	}
	f(Usage{}, Usage{}, Usage{})
	f(Usage{Input: 1, Output: 2, Total: 3}, Usage{Input: 10, Output: 20, Total: 30}, Usage{Input: 11, Output: 22, Total: 33})
	f(Usage{Input: 1, Output: 2}, Usage{Input: 10, Output: 20, Total: 31}, Usage{Input: 11, Output: 22, Total: 34})
	f(Usage{Input: 1}, Usage{Output: 2}, Usage{Input: 1, Output: 2})
	f(Usage{CacheRead: 1, CacheWrite5m: 2, CacheWrite1h: 3, CacheSplit: true, Reasoning: 4}, Usage{Input: 1, Estimated: true},
		Usage{Input: 1, CacheRead: 1, CacheWrite5m: 2, CacheWrite1h: 3, CacheSplit: true, Reasoning: 4, Estimated: true})
	f(Usage{CacheWrite5m: 2, CacheSplit: true}, Usage{CacheWrite5m: 2}, Usage{CacheWrite5m: 4})
}
