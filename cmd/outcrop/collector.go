package main

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
)

// heapRoom is how many bytes are allocated between two runs of the garbage collector at least. What a gateway holds is small,
// some megabytes, beside what it makes and drops: a collector that runs whenever the heap has doubled, as Go's does, takes a
// tenth of the processor for nothing. With more in use than this it does run then.
const heapRoom = 64 << 20

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
	return int(max(100, heapRoom*100/max(live, 1<<20))) //nolint:gosec // at most 6400
}
