package router

import (
	"testing"
	"time"
)

func TestQuota(t *testing.T) {
	at := func(d time.Duration) time.Time { return start.Add(d) }
	free := func(q *Quota, now time.Time, l Limits, n Need) Room { return q.Room(now, &l, n) }

	var q Quota
	l := Limits{Tokens: 10000, Burn: 5}
	n := Need{Input: 1000, Output: 4000}
	if r := free(&q, start, l, n); r.Free != 0.5 || r.Wait != 0 {
		t.Errorf("an unused quota: %+v", r)
	}
	q.Take(start, n)
	if r := free(&q, start, l, n); r.Free != 0 {
		t.Errorf("what calls hold from their start counts: %+v", r)
	}
	q.Settle(start, n, Need{Input: 1000, Output: 100}, l.Burn)
	if r := free(&q, start, l, Need{}); r.Free != 0.85 {
		t.Errorf("at its end a call has used its input and five times its output: %+v", r)
	}
	if r := free(&q, at(90*time.Second), l, Need{}); r.Free < 0.924 || r.Free > 0.926 {
		t.Errorf("the window slides: half of it is over: %+v", r)
	}
	if r := free(&q, at(3*time.Minute), l, Need{}); r.Free != 1 {
		t.Errorf("a while later: %+v", r)
	}

	q = Quota{}
	q.Take(start, Need{})
	q.Take(start, Need{})
	r := free(&q, at(30*time.Second), Limits{Requests: 2}, Need{})
	if r.Free >= 0 || r.Wait < time.Minute || r.Wait > 61*time.Second {
		t.Errorf("two requests a minute: the next in a minute, when half of them has faded: %+v", r)
	}
	if r := free(&q, at(30*time.Second).Add(r.Wait), Limits{Requests: 2}, Need{}); r.Free < -1e-6 {
		t.Errorf("it was told to wait so long: %+v", r)
	}
	q = Quota{}
	q.Take(start, Need{Input: 5})
	q.Take(start, Need{})
	if r := free(&q, start, Limits{DayRequests: 2}, Need{}); r.Free >= 0 || r.Wait < time.Hour {
		t.Errorf("two requests a day: %+v", r)
	}
	if r := free(&Quota{}, start, Limits{Tokens: 10}, Need{Input: 100}); r.Free != 0 {
		t.Errorf("a call that is larger than the quota goes nevertheless: AWS says what becomes of it: %+v", r)
	}
	if r := free(&q, start, Limits{InputTokens: 10, OutputTokens: 10}, Need{Input: 1, Output: 5}); r.Free != 0.4 {
		t.Errorf("tokens of prompts and of answers are limited apart: %+v", r)
	}
	if u := q.Left(start, &Limits{Requests: 3}); u != (Use{1, -1}) {
		t.Errorf("left: %+v", u)
	}

	if requests, tokens := q.Reset(at(15 * time.Second)); requests != 105*time.Second || tokens != 105*time.Second {
		t.Errorf("what was used in a minute counts until the next one is over: %v, %v", requests, tokens)
	}
	if requests, tokens := (&Quota{}).Reset(start); requests != 0 || tokens != 0 {
		t.Errorf("nothing was used: %v, %v", requests, tokens)
	}

	q.Others(Use{Requests: 1, Tokens: 50})
	if r := free(&q, start, Limits{Requests: 4}, Need{}); r.Free != 0 {
		t.Errorf("other replicas count: %+v", r)
	}
	if u, minute := q.Used(start); u != (Use{2, 5}) || minute != start.Unix()/60 || q.Tokens(start) != 55 {
		t.Errorf("own use: %+v in %d", u, minute)
	}
}

func TestQuotaIsLearnt(t *testing.T) {
	var q Quota
	n := Need{Input: 1000, Output: 0}
	for range 10 {
		q.Take(start, n)
	}
	if r := q.Room(start, &Limits{}, n); r.Free != 1 {
		t.Fatalf("nobody has said what the limit is: %+v", r)
	}
	q.Take(start, n)
	q.Throttled(start, ThrottleTokens, n)
	q.Settle(start, n, Need{}, 1)
	r := q.Room(start, &Limits{}, n)
	if r.Free >= 0 || !r.Learnt {
		t.Errorf("AWS has refused at 10,000 tokens: the limit is taken to be 8,000: %+v", r)
	}
	later := start.Add(2 * time.Minute)
	if r := q.Room(later, &Limits{}, Need{Input: 8700}); r.Free < 0 || r.Free > 0.02 {
		t.Errorf("two minutes later it is a tenth higher: %+v", r)
	}
	if r := q.Room(start.Add(remembered+time.Minute), &Limits{}, Need{Input: 1e6}); r.Free != 1 {
		t.Errorf("and forgotten: %+v", r)
	}

	q = Quota{}
	q.Take(start, n)
	q.Throttled(start, ThrottleUnknown, n)
	if r := q.Room(start, &Limits{}, n); r.Free != 1 {
		t.Errorf("the first call was refused: that says nothing of a quota: %+v", r)
	}
	for range 9 {
		q.Take(start, Need{})
	}
	q.Throttled(start, ThrottleRequests, Need{})
	if r := q.Room(start, &Limits{}, Need{}); r.Free >= 0 {
		t.Errorf("ten requests, and one was refused: %+v", r)
	}
}
