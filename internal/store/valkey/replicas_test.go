package valkey

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/outcrop-ai/outcrop/internal/router"
	"github.com/outcrop-ai/outcrop/test/servers"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// join returns a replica whose clock stands still.
func join(t *testing.T, s *servers.Valkey, now time.Time) *Replicas {
	t.Helper()
	r, err := Open(Options{URL: s.URL})
	if err != nil {
		t.Fatal(err)
	}
	r.now = func() time.Time { return now }
	t.Cleanup(func() { _ = r.Close() })
	return r
}

func exchange(t *testing.T, r *Replicas, mine ...router.Report) []router.Report {
	t.Helper()
	theirs, err := r.Exchange(t.Context(), mine)
	if err != nil {
		t.Fatal(err)
	}
	return theirs
}

func TestReplicasShareTheirUse(t *testing.T) {
	s := servers.StartValkey(t)
	now := time.Unix(1_700_000_000, 0).Truncate(time.Minute).Add(15 * time.Second) // a quarter of the minute is over
	minute := now.Unix() / 60
	a, b, c := join(t, s, now), join(t, s, now), join(t, s, now)
	report := func(name string, minute, requests, tokens int64) router.Report {
		return router.Report{Deployment: name, Minute: minute, Use: router.Use{Requests: requests, Tokens: tokens}}
	}
	exchange(t, a, report("d", minute-1, 8, 800))
	exchange(t, a, report("d", minute, 3, 300), report("e", minute, 1, 10))
	exchange(t, b, report("d", minute, 2, 200))
	exchange(t, b, report("d", minute, 4, 400)) // more of the same minute: that counts, not both
	got := exchange(t, c, report("e", minute, 0, 0), report("d", minute, 100, 1))
	if got[0].Use != (router.Use{Requests: 1, Tokens: 10}) {
		t.Errorf("e: %+v", got[0])
	}
	if got[1].Use != (router.Use{Requests: 3 + 4 + 6, Tokens: 300 + 400 + 600}) {
		t.Errorf("d: the others' use of this minute, and three quarters of that of the last: %+v", got[1])
	}
}

func TestReplicasShareFailures(t *testing.T) {
	s := servers.StartValkey(t)
	now := time.Now().Truncate(time.Millisecond)
	a, b := join(t, s, now), join(t, s, now)
	until := now.Add(time.Minute)
	own := exchange(t, a, router.Report{Deployment: "d", Until: until, Soft: true}, router.Report{Deployment: "e", Until: until})
	if !own[0].Until.IsZero() {
		t.Errorf("what a replica has said itself is no news to it: %+v", own)
	}
	got := exchange(t, b, router.Report{Deployment: "d"}, router.Report{Deployment: "e"}, router.Report{Deployment: "f"})
	if !got[0].Until.Equal(until) || !got[0].Soft || !got[1].Until.Equal(until) || got[1].Soft || !got[2].Until.IsZero() {
		t.Errorf("%+v", got)
	}
}

func TestAServerThatIsAway(t *testing.T) {
	s := servers.StartValkey(t)
	r := join(t, s, time.Now())
	exchange(t, r, router.Report{Deployment: "d"})
	s.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := r.Exchange(ctx, []router.Report{{Deployment: "d"}}); err == nil {
		t.Error("it is away")
	}
}

// TestAServerThatIsPaused is given up when the time for it is over, and is there again when it goes on.
func TestAServerThatIsPaused(t *testing.T) {
	s := servers.StartValkey(t)
	now := time.Now().Truncate(time.Millisecond)
	a, b := join(t, s, now), join(t, s, now)
	until := now.Add(time.Minute)
	exchange(t, a, router.Report{Deployment: "d"})
	if err := s.Pause(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		if _, err := a.Exchange(ctx, []router.Report{{Deployment: "d", Until: until, Timed: true}}); err == nil {
			t.Error("it cannot have answered")
		}
		cancel()
	}
	if err := s.Resume(); err != nil {
		t.Fatal(err)
	}
	exchange(t, a, router.Report{Deployment: "d", Until: until, Timed: true})
	if got := exchange(t, b, router.Report{Deployment: "d"}); !got[0].Until.Equal(until) || !got[0].Timed || got[0].Soft {
		t.Errorf("%+v", got)
	}
}

// TestAServerThatHangs takes the connection and never answers.
func TestAServerThatHangs(t *testing.T) {
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	r, err := Open(Options{URL: "redis://" + l.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := r.Exchange(ctx, []router.Report{{Deployment: "d"}}); err == nil {
		t.Error("it cannot have answered")
	}
}

func TestOpen(t *testing.T) {
	for _, bad := range []string{"", "localhost:6379", "http://x", "redis://:secretword@h:port"} {
		if _, err := Open(Options{URL: bad}); !errors.Is(err, ErrURL) || strings.Contains(err.Error(), "secretword") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestForeignValues(t *testing.T) {
	s := servers.StartValkey(t)
	r := join(t, s, time.Now())
	for key, value := range map[string]string{"outcrop:alone:a": "x", "outcrop:alone:b": "x soft y", "outcrop:alone:c": ""} {
		if err := r.client.Set(t.Context(), key, value, 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.client.HSet(t.Context(), "outcrop:use:7:a", "z", "many 5").Err(); err != nil {
		t.Fatal(err)
	}
	for _, got := range exchange(t, r, router.Report{Deployment: "a", Minute: 7}, router.Report{Deployment: "b"}, router.Report{Deployment: "c"}) {
		if !got.Until.IsZero() || got.Use.Requests != 0 {
			t.Errorf("%+v", got)
		}
	}
}
