package router

import (
	"slices"
	"testing"
	"time"
)

func TestHealth(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	usual := &Rules{AllowedFails: -1}
	fails := func(r *Rules, alone bool, statuses ...int) (*Health, bool) {
		h, cooled := &Health{}, false
		for _, s := range statuses {
			if s == 200 {
				h.Succeeded(now, now)
			} else {
				cooled = h.Failed(now, s, 0, alone, r)
			}
		}
		return h, cooled
	}
	for _, c := range []struct {
		name     string
		rules    *Rules
		alone    bool
		statuses []int
		cools    bool
	}{
		{"a throttle, at once", usual, false, []int{429}, true},
		{"what does not pass by itself", usual, false, []int{404}, true},
		{"one failure", usual, false, []int{500}, false},
		{"half of the calls", usual, false, []int{200, 200, 200, 500, 500, 500}, false},
		{"most of the calls", usual, false, []int{200, 200, 500, 500, 500}, true},
		{"too few calls", usual, false, []int{500, 500, 500, 500}, false},
		{"the client's own fault", usual, false, []int{400, 400, 400, 400, 400, 400}, false},
		{"a deployment without another", usual, true, []int{429}, false},
		{"allowed", &Rules{AllowedFails: 2}, false, []int{429, 500}, false},
		{"more than allowed", &Rules{AllowedFails: 2}, false, []int{429, 500, 500}, true},
		{"none allowed", &Rules{AllowedFails: 0}, false, []int{500}, true},
		{"switched off", &Rules{Disabled: true}, false, []int{429}, false},
	} {
		if h, cooled := fails(c.rules, c.alone, c.statuses...); cooled != c.cools || h.Usable(now) == c.cools {
			t.Errorf("%s: %v", c.name, cooled)
		}
	}

	h, _ := fails(usual, false, 429)
	if h.Cooling(now) != usualCooldown || h.Usable(now.Add(usualCooldown-1)) {
		t.Error("it must be left alone for a while")
	}
	later := now.Add(usualCooldown)
	if !h.Usable(later) || !h.Claim(later) || h.Claim(later) || h.Usable(later) {
		t.Error("one call finds out")
	}
	if !h.Failed(later, 500, 0, false, usual) || h.Usable(later.Add(usualCooldown-1)) {
		t.Error("it does not work yet")
	}
	later = later.Add(usualCooldown)
	if !h.Claim(later) {
		t.Error("another try")
	}
	if h.Succeeded(later, later); !h.Usable(later) || !h.Claim(later) || !h.Claim(later) {
		t.Error("it works again")
	}
	h = &Health{}
	if h.Failed(now, 429, time.Minute, false, usual); h.Cooling(now) != time.Minute {
		t.Error("AWS's own wish counts")
	}
	h, _ = fails(&Rules{AllowedFails: 1}, false, 500)
	if h.Failed(now.Add(time.Minute), 500, 0, false, &Rules{AllowedFails: 1}) {
		t.Error("another minute counts anew")
	}

	h, _ = fails(usual, true, slices.Repeat([]int{500}, hopeless)...)
	if h.Usable(now) {
		t.Error("a thousand failures and nothing else")
	}
	h, _ = fails(usual, true, append([]int{200}, slices.Repeat([]int{500}, hopeless)...)...)
	if !h.Usable(now) {
		t.Error("one of the calls has gone well, and there is no other deployment")
	}
	h, _ = fails(&Rules{AllowedFails: 1, Own: true}, true, 500, 500)
	if h.Usable(now) {
		t.Error("it has a rule of its own")
	}
	h = &Health{}
	for i := range 5 {
		h.Succeeded(now, now)
		if cooled := h.Broke(now, 502, 0, false, usual); cooled != (i == 4) {
			t.Errorf("stream %d broke: %v", i, cooled)
		}
	}
	for status, worth := range map[int]bool{429: true, 503: true, 500: true, 401: false, 404: false, 408: false, 504: false} {
		if h, _ := fails(&Rules{}, false, status); h.Worth() != worth {
			t.Errorf("%d: worth a call is %v", status, h.Worth())
		}
	}
	h = &Health{}
	if h.Failed(now, 429, time.Minute, false, usual); h.Worth() {
		t.Error("AWS has said how long to wait")
	}
}

func TestACallSentBeforeItWasLeftAloneSaysNothingOfIt(t *testing.T) {
	var h Health
	now := time.Now()
	h.Failed(now, 429, time.Minute, false, &Rules{AllowedFails: -1})
	if h.Succeeded(now.Add(time.Second), now.Add(-time.Second)) || h.Usable(now.Add(time.Second)) {
		t.Error("a call that was under way when AWS refused another one ends the rest")
	}
	var other Health
	other.LeaveAlone(now, now.Add(time.Minute), false, false)
	if other.Succeeded(now.Add(time.Second), now.Add(-time.Second)) || other.Usable(now.Add(time.Second)) {
		t.Error("what another replica has said is forgotten, and it says it once")
	}
	if !other.Succeeded(now.Add(2*time.Second), now.Add(time.Second)) || !other.Usable(now.Add(2*time.Second)) {
		t.Error("a call that was sent since has gone well")
	}
}
