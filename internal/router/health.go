package router

import (
	"sync/atomic"
	"time"
)

// Rules say when a deployment that fails is left alone, and for how long.
type Rules struct {
	// Disabled leaves no deployment alone.
	Disabled bool
	// AllowedFails is how many failures a minute may have; below zero the share of failures decides, see [Health.Failed].
	AllowedFails int
	// Own says that AllowedFails is meant for this deployment: it is then left alone even if its group has no other.
	Own bool
	// Cooldown is how long a deployment is left alone when AWS does not say; 0 means 5 s.
	Cooldown time.Duration
}

// usualCooldown is LiteLLM's.
const usualCooldown = 5 * time.Second

// Health is what is known of one deployment's recent calls. It is safe for concurrent use, and free of locks: a busy
// gateway asks for it with every call.
type Health struct {
	minute      atomic.Int64 // of what follows, in minutes since 1970
	calls, bad  atomic.Int64
	cooledUntil atomic.Int64 // ns since 1970, 0 when it is not left alone
	cooledAt    atomic.Int64 // since when it is left alone, or was the last time
	soft        atomic.Bool  // it is left alone for something that may pass at any moment
	timed       atomic.Bool  // it is left alone for as long as AWS has asked for
	probing     atomic.Bool  // a call is finding out whether it works again
	told        atomic.Int64 // until when others have said that it is to be left alone: that is heard once
}

// count returns this minute's counters.
func (h *Health) count(now time.Time) {
	minute := now.Unix() / 60
	if was := h.minute.Load(); was != minute && h.minute.CompareAndSwap(was, minute) {
		h.calls.Store(0)
		h.bad.Store(0)
	}
}

// Succeeded notes a call that went well, and reports whether the deployment was left alone until now: it is used again. A
// call that was sent before it was left alone says nothing of what has come since.
func (h *Health) Succeeded(now, sent time.Time) bool {
	h.count(now)
	h.calls.Add(1)
	if h.cooledUntil.Load() == 0 || sent.UnixNano() < h.cooledAt.Load() {
		return false
	}
	h.probing.Store(false)
	return h.cooledUntil.Swap(0) != 0
}

// What LiteLLM's rule without allowed_fails counts: so many calls in a minute, of which more than this share fail.
const (
	leastCalls = 5
	worstShare = 0.5
	// hopeless is how many calls of a minute must all have failed before the only deployment of a group is left alone.
	hopeless = 1000
)

// Failed notes a call that failed with a status of HTTP, and whether the deployment is left alone from now on. wait is how
// long AWS asks to wait, 0 when it does not say. Alone is the deployment whose group has no other: it goes on.
//
// The rule is LiteLLM's: more failures in the minute than are allowed; else at once after a throttle and after what does
// not pass by itself (401, 404), or when more than half of at least five calls of the minute have failed. A deployment
// without another is left alone only if not one of a thousand calls has gone well, or by a rule of its own.
func (h *Health) Failed(now time.Time, status int, wait time.Duration, alone bool, r *Rules) bool {
	h.count(now)
	h.calls.Add(1)
	return h.Broke(now, status, wait, alone, r)
}

// Broke is Failed for a call that has succeeded before: a stream whose answer has begun.
func (h *Health) Broke(now time.Time, status int, wait time.Duration, alone bool, r *Rules) bool {
	h.count(now)
	calls, bad := h.calls.Load(), h.bad.Add(1)
	if r.Disabled || !counts(status) || alone && !r.Own && (bad < calls || calls < hopeless) {
		return false
	}
	cools := bad > int64(r.AllowedFails)
	if r.AllowedFails < 0 {
		cools = status == 429 || status == 401 || status == 404 || calls >= leastCalls && float64(bad) > worstShare*float64(calls)
	}
	probe := h.cooledUntil.Load() != 0 // it was being tried again, and has failed again
	if !cools && !probe {
		return false
	}
	h.probing.Store(false)
	h.soft.Store(wait <= 0 && passes(status))
	h.timed.Store(wait > 0 && passes(status))
	if wait <= 0 {
		wait = r.Cooldown
	}
	if wait <= 0 {
		wait = usualCooldown
	}
	h.cooledAt.Store(now.UnixNano())
	h.cooledUntil.Store(now.Add(wait).UnixNano())
	return true
}

// counts reports whether a status says something of the deployment, and not of the request.
func counts(status int) bool {
	switch status {
	case 401, 402, 404, 408, 429:
		return true
	}
	return status >= 500
}

// passes reports whether what a status says may be over at once: AWS refuses some of the calls and answers others.
func passes(status int) bool {
	switch status {
	case 429, 500, 502, 503, 529:
		return true
	}
	return false
}

// Until returns until when the deployment is left alone, zero if it is not; whether that may be over at any moment; and
// whether it is AWS's own word.
func (h *Health) Until(now time.Time) (until time.Time, soft, timed bool) {
	ns := h.cooledUntil.Load()
	if ns <= now.UnixNano() {
		return time.Time{}, false, false
	}
	return time.Unix(0, ns), h.soft.Load(), h.timed.Load()
}

// LeaveAlone notes that somebody else has seen the deployment fail and leaves it alone for so long. What was heard before
// does not count again: the deployment may have been found to work.
func (h *Health) LeaveAlone(now, until time.Time, soft, timed bool) {
	ns := until.UnixNano()
	if until.IsZero() || !until.After(now) || h.told.Swap(ns) == ns || h.cooledUntil.Load() >= ns {
		return
	}
	h.soft.Store(soft)
	h.timed.Store(timed)
	h.cooledAt.Store(now.UnixNano())
	h.cooledUntil.Store(ns)
}

// Failing reports whether a call of this minute has failed.
func (h *Health) Failing(now time.Time) bool {
	return h.minute.Load() == now.Unix()/60 && h.bad.Load() > 0
}

// IsWell reports whether the deployment is not left alone, and was not either before its last answer.
func (h *Health) IsWell() bool { return h.cooledUntil.Load() == 0 }

// Worth reports whether a deployment that is left alone is worth a call when there is no other: a refusal costs little, and
// the next call may be answered. It is not where AWS has said how long to wait, and where a call would hang.
func (h *Health) Worth() bool { return h.soft.Load() }

// Promising reports whether a deployment that is left alone is worth waiting for: AWS has said when to come back, the
// next call may be answered, or one is finding out just now. What does not pass by itself is not.
func (h *Health) Promising() bool { return h.soft.Load() || h.timed.Load() || h.Probing() }

// Probing reports whether a call is finding out whether the deployment works again.
func (h *Health) Probing() bool { return h.probing.Load() }

// retryAfterProbe is how long a deployment that is tried again is kept from all other calls.
const retryAfterProbe = 2 * time.Second

// Usable reports whether calls may go to the deployment. When the time is over that it was left alone, whoever is about to
// call it must [Health.Claim] it.
func (h *Health) Usable(now time.Time) bool {
	return h.cooledUntil.Load() <= now.UnixNano()
}

// Claim lets one call find out whether a deployment that was left alone works again; the others may call it when that has
// gone well, or when nothing has been heard of it for a while. It is true for a deployment that was not left alone.
func (h *Health) Claim(now time.Time) bool {
	until := h.cooledUntil.Load()
	if until == 0 {
		return true
	}
	if until > now.UnixNano() || !h.cooledUntil.CompareAndSwap(until, now.Add(retryAfterProbe).UnixNano()) {
		return false
	}
	h.probing.Store(true)
	return true
}

// Cooling returns how long the deployment is left alone still, 0 if it is not.
func (h *Health) Cooling(now time.Time) time.Duration {
	until := h.cooledUntil.Load()
	if until == 0 {
		return 0
	}
	return max(0, time.Duration(until-now.UnixNano()))
}
