package engine

import "testing"

func TestHedgesAreBounded(t *testing.T) {
	var h hedges
	taken := 0
	for range 100 {
		h.add(0.05)
		if h.take() {
			taken++
		}
	}
	if taken != 5 {
		t.Errorf("%d of 100 calls were asked twice", taken)
	}
	for range 10_000 {
		h.add(0.05)
	}
	taken = 0
	for h.take() {
		taken++
	}
	if taken != mostHedges {
		t.Errorf("%d were saved up", taken)
	}
}
