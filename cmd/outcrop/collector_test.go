package main

import (
	"runtime"
	"runtime/debug"
	"testing"
)

func TestGrowth(t *testing.T) {
	for live, want := range map[uint64]int{0: 7100, 1 << 20: 7100, 8 << 20: 800, 18 << 20: 300, 36 << 20: 100, 64 << 20: 100, 1 << 40: 100} {
		if got := growth(live); got != want {
			t.Errorf("%d bytes in use: got %d %%, want %d %%", live, got, want)
		}
	}
}

// TestCollectLess: the bound follows what is in use, and is what it was when the gateway has ended.
func TestCollectLess(t *testing.T) {
	usual := debug.SetGCPercent(100)
	defer debug.SetGCPercent(usual)
	percent := func() int {
		p := debug.SetGCPercent(100)
		debug.SetGCPercent(p)
		return p
	}
	collectLess(func(string) (string, bool) { return "50", true })()
	if percent() != 100 {
		t.Errorf("GOGC was said, and is %d", percent())
	}
	end := collectLess(func(string) (string, bool) { return "", false })
	few := percent()
	held := make([]byte, 200<<20)
	for t.Context().Err() == nil && percent() != 100 {
		runtime.GC()
	}
	runtime.KeepAlive(held)
	end()
	if few <= 100 || percent() != 100 {
		t.Errorf("got %d with little in use, %d at the end", few, percent())
	}
}
