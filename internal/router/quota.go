package router

import (
	"sync"
	"time"
)

// Limits are the quotas of a deployment, per minute and per day; 0 is no limit that is known. Tokens are counted as AWS
// does it (Bedrock User Guide, "How tokens are counted"): a call holds its input and its max_tokens from its start; at its
// end what it has really used counts, tokens read from a cache not at all, and tokens of the answer Burn times.
type Limits struct {
	Requests, Tokens          int64
	InputTokens, OutputTokens int64
	DayRequests, DayTokens    int64
	// Burn is how many tokens of the quota one token of the answer uses; 0 means 1.
	Burn int64
}

// Need is what a call uses of a quota, in tokens: before the call the most that it may use.
type Need struct{ Input, Output int64 }

// Throttle is the quota that AWS has said is used up.
type Throttle int

// The quotas that throttles name.
const (
	ThrottleUnknown Throttle = iota
	ThrottleRequests
	ThrottleTokens
)

// Quota counts what calls use of a deployment's quotas. Limits that nobody has configured are learnt from throttles: the
// limit is taken to be below what was used when AWS refused, and rises slowly while it does not.
type Quota struct {
	mu                              sync.Mutex // of one deployment, for some tens of ns
	requests, tokens, input, output window
	dayRequests, dayTokens          window
	requestLimit, tokenLimit        learnt
	// others is what other replicas have used in the last minute; last is the minute of the last call.
	others Use
	last   int64
}

// Use is what was used of a quota in a minute.
type Use struct{ Requests, Tokens int64 }

const day = 24 * time.Hour

// Room says how much of a deployment's quotas a call would leave.
type Room struct {
	// Free is the share that is left when the call is on its way: 1 if no limit is known, below 0 if there is no room.
	Free float64
	// Wait is how long it takes until there is room, 0 if there is, or if there will never be.
	Wait time.Duration
	// Learnt says that the limit that is reached is not configured.
	Learnt bool
}

// Room returns what a call would leave.
func (q *Quota) Room(now time.Time, l *Limits, n Need) Room {
	q.mu.Lock()
	defer q.mu.Unlock()
	room := Room{Free: 1}
	look := func(w *window, span time.Duration, others, limit, need int64, isLearnt bool) {
		if limit <= 0 {
			return
		}
		used := w.level(now, span) + float64(others)
		free := 1 - (used+float64(need))/float64(limit)
		if used == 0 {
			free = max(free, 0) // the largest call must go somewhere
		}
		if free < room.Free {
			room.Free, room.Learnt = free, isLearnt
		}
		if free < 0 {
			room.Wait = max(room.Wait, w.until(now, span, float64(limit-others-need)))
		}
	}
	both := n.Input + n.Output
	look(&q.requests, time.Minute, q.others.Requests, l.Requests, 1, false)
	look(&q.tokens, time.Minute, q.others.Tokens, l.Tokens, both, false)
	look(&q.input, time.Minute, 0, l.InputTokens, n.Input, false)
	look(&q.output, time.Minute, 0, l.OutputTokens, n.Output, false)
	look(&q.dayRequests, day, 0, l.DayRequests, 1, false)
	look(&q.dayTokens, day, 0, l.DayTokens, both, false)
	look(&q.requests, time.Minute, q.others.Requests, q.requestLimit.value(now), 1, true)
	look(&q.tokens, time.Minute, q.others.Tokens, q.tokenLimit.value(now), both, true)
	return room
}

// Left returns how many requests and tokens are left of the minute's configured limits, -1 where there is none.
func (q *Quota) Left(now time.Time, l *Limits) Use {
	q.mu.Lock()
	defer q.mu.Unlock()
	left := func(w *window, others, limit int64) int64 {
		if limit <= 0 {
			return -1
		}
		return max(0, limit-others-int64(w.level(now, time.Minute)+0.5))
	}
	return Use{left(&q.requests, q.others.Requests, l.Requests), left(&q.tokens, q.others.Tokens, l.Tokens)}
}

// Reset returns how long it takes until nothing counts any more of the requests and tokens that were used here.
func (q *Quota) Reset(now time.Time) (requests, tokens time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	of := func(w *window) time.Duration {
		if w.level(now, time.Minute) == 0 {
			return 0
		}
		return w.until(now, time.Minute, 0)
	}
	return of(&q.requests), of(&q.tokens)
}

// Take counts a call that is about to go, with the most that it may use.
func (q *Quota) Take(now time.Time, n Need) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.requests.add(now, time.Minute, 1)
	q.last = q.requests.index
	q.dayRequests.add(now, day, 1)
	q.count(now, n.Input+n.Output, n)
}

// Settle replaces what a call held by what it has used.
func (q *Quota) Settle(now time.Time, held, used Need, burn int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.count(now, used.Input+max(burn, 1)*used.Output-held.Input-held.Output, Need{used.Input - held.Input, used.Output - held.Output})
}

func (q *Quota) count(now time.Time, tokens int64, n Need) {
	q.tokens.add(now, time.Minute, tokens)
	q.dayTokens.add(now, day, tokens)
	q.input.add(now, time.Minute, n.Input)
	q.output.add(now, time.Minute, n.Output)
}

// Throttled notes that AWS has refused a call, which still holds its tokens, because a quota is used up.
func (q *Quota) Throttled(now time.Time, what Throttle, held Need) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if what != ThrottleTokens {
		q.requestLimit.lower(now, q.requests.level(now, time.Minute)+float64(q.others.Requests)-1, leastRequests)
	}
	if what != ThrottleRequests {
		q.tokenLimit.lower(now, q.tokens.level(now, time.Minute)+float64(q.others.Tokens)-float64(held.Input+held.Output), leastTokens)
	}
}

// Tokens returns how many tokens were used in the minute up to now, by all replicas.
func (q *Quota) Tokens(now time.Time) float64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.tokens.level(now, time.Minute) + float64(q.others.Tokens)
}

// Used returns what this replica has used in the minute so far, and the minute, counted since 1970.
func (q *Quota) Used(now time.Time) (Use, int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.requests.turn(now, time.Minute)
	q.tokens.turn(now, time.Minute)
	return Use{max(int64(q.requests.now), 0), max(int64(q.tokens.now), 0)}, q.requests.index
}

// Idle reports whether nothing was used for so long.
func (q *Quota) Idle(now time.Time, span time.Duration) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return now.UnixNano()/int64(time.Minute)-q.last > int64(span/time.Minute)
}

// Others says what the other replicas have used.
func (q *Quota) Others(u Use) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.others = u
}

// window counts over a span that slides: the last whole span counts for the part of it that is not over yet.
type window struct {
	index       int64 // of the span that is counted now
	now, before float64
}

// turn begins a new span when the old one is over.
func (w *window) turn(now time.Time, span time.Duration) {
	index := now.UnixNano() / int64(span)
	switch {
	case index == w.index:
	case index == w.index+1:
		w.index, w.before, w.now = index, max(w.now, 0), 0
	default:
		w.index, w.before, w.now = index, 0, 0
	}
}

func (w *window) add(now time.Time, span time.Duration, n int64) {
	w.turn(now, span)
	w.now += float64(n) // it may be below 0 for a while: what a call gives back may be of the span before
}

// past returns which part of the span is over.
func past(now time.Time, span time.Duration) float64 {
	return float64(now.UnixNano()%int64(span)) / float64(span)
}

// level returns what was used in the span up to now.
func (w *window) level(now time.Time, span time.Duration) float64 {
	w.turn(now, span)
	return max(0, w.now+w.before*(1-past(now, span)))
}

// until returns how long it takes until no more than so much is used; 0 if that will never be, as it is below 0.
func (w *window) until(now time.Time, span time.Duration, most float64) time.Duration {
	if most < 0 {
		return 0
	}
	w.turn(now, span)
	over := past(now, span)
	if w.now <= most && w.before > 0 { // while the span before fades
		at := 1 - (most-w.now)/w.before
		return time.Duration(max(at-over, 0) * float64(span))
	}
	return time.Duration((1 - over + max(0, 1-most/max(w.now, 1))) * float64(span))
}

const (
	// lowered is what remains of the use at which AWS refused; raised is by how much of that the limit rises in a minute.
	lowered = 0.8
	raised  = 0.05
	// remembered is how long a limit is believed.
	remembered = 20 * time.Minute
	// A throttle at less use than this says nothing of a quota: AWS itself was busy.
	leastRequests = 5
	leastTokens   = 2000
)

// learnt is a limit that throttles have shown: it falls at once by a share and rises slowly (AIMD).
type learnt struct {
	limit float64
	at    time.Time
}

func (l *learnt) value(now time.Time) int64 {
	since := now.Sub(l.at)
	if l.limit == 0 || since > remembered {
		return 0
	}
	return int64(l.limit * (1 + raised*since.Minutes()))
}

func (l *learnt) lower(now time.Time, used float64, least float64) {
	if known := l.value(now); known > 0 {
		used = min(used, float64(known))
	}
	if used >= least {
		l.limit, l.at = used*lowered, now
	}
}
