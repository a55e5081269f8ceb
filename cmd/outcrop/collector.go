package main

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
)

// heapSize is how many bytes the heap may have before the garbage collector runs. What a gateway holds is small, some megabytes,
// beside what it makes and drops: a collector that runs whenever the heap has doubled, as Go's does, takes a tenth of the
// processor for nothing. With more than half of this in use it does run then.
const heapSize = 72 << 20

// collector sets how far the heap may grow after each run of the garbage collector.
type collector struct {
	before  int
	percent int
	ended   atomic.Bool
}

// collectLess starts a collector, unless GOGC says how it shall be. The start of the process is over by then: what it has dropped
// is given back to the system first. The function that it returns ends it.
func collectLess(lookup env) (end func()) {
	if _, said := lookup("GOGC"); said {
		return func() {}
	}
	debug.FreeOSMemory()
	c := &collector{before: debug.SetGCPercent(100), percent: 100}
	c.set()
	return func() {
		c.ended.Store(true)
		debug.SetGCPercent(c.before)
	}
}

// set sets the bound by what is in use, and has itself called after the next run: an object that nobody holds is gone then.
func (c *collector) set() {
	if c.ended.Load() {
		return
	}
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	percent := growth(sample[0].Value.Uint64())
	// To set it stops all goroutines for a moment.
	if d := percent - c.percent; d*10 > c.percent || -d*10 > c.percent {
		c.percent = percent
		debug.SetGCPercent(percent)
	}
	runtime.AddCleanup(new(*collector), (*collector).set, c)
}

// growth returns by how many percent of the bytes in use the heap may grow.
func growth(live uint64) int {
	live = min(max(live, 1<<20), heapSize)
	return int(max(100, (heapSize-live)*100/live)) //nolint:gosec // at most 7100
}
