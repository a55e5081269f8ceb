package valkey

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/outcrop-ai/outcrop/test/servers"
)

// logged is what was logged so far.
type logged struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(p)
}

func (l *logged) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.String()
}

// wait returns when a text was logged.
func (l *logged) wait(t *testing.T, text string) {
	t.Helper()
	for !strings.Contains(l.text(), text) {
		select {
		case <-t.Context().Done():
			t.Fatalf("%q is not in %s", text, l.text())
		case <-time.After(time.Millisecond):
		}
	}
}

// follower joins a channel, and returns when it has.
func follower(t *testing.T, o Options) (*Invalidations, *logged) {
	t.Helper()
	r, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	l := &logged{}
	i := r.Invalidations(slog.New(slog.NewTextHandler(l, nil)))
	t.Cleanup(func() {
		i.Close()
		_ = r.Close()
	})
	heard(t, i) // it has joined: there may be something to look at
	return i, l
}

func heard(t *testing.T, i *Invalidations) {
	t.Helper()
	select {
	case <-i.Announced():
	case <-t.Context().Done():
		t.Fatal("nothing is heard")
	}
}

func silent(t *testing.T, i *Invalidations) {
	t.Helper()
	select {
	case <-i.Announced():
		t.Error("something is heard")
	default:
	}
}

// watch hears every channel of a server, past the replicas.
func watch(t *testing.T, s *servers.Valkey) (next func() *redis.Message) {
	t.Helper()
	o, err := redis.ParseURL(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(o)
	all := client.PSubscribe(t.Context(), "*")
	if _, err := all.Receive(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = all.Close()
		_ = client.Close()
	})
	return func() *redis.Message {
		m, err := all.ReceiveMessage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
}

// TestAChangeIsToldToTheOtherReplicas: of the same prefix and number of the database, and to nobody else; a message has the
// name of its sender and nothing else.
func TestAChangeIsToldToTheOtherReplicas(t *testing.T) {
	s := servers.StartValkey(t)
	next := watch(t, s)
	a, _ := follower(t, Options{URL: s.URL})
	b, _ := follower(t, Options{URL: s.URL})
	c, _ := follower(t, Options{URL: s.URL})
	other, _ := follower(t, Options{URL: s.URL, Prefix: "another"})
	number, _ := follower(t, Options{URL: s.URL + "?db=1"})
	for range 3 {
		a.Announce()
		if m := next(); m.Channel != "outcrop:0:changed" || m.Payload != a.r.self {
			t.Errorf("%+v", m)
		}
		heard(t, b)
		heard(t, c)
	}
	other.Announce()
	if m := next(); m.Channel != "another:0:changed" {
		t.Errorf("%+v", m)
	}
	number.Announce()
	if m := next(); m.Channel != "outcrop:1:changed" {
		t.Errorf("%+v", m)
	}
	// What a sees of its own, and of others, it has seen before this.
	b.Announce()
	next()
	heard(t, a)
	for _, i := range []*Invalidations{a, b, other, number} {
		silent(t, i)
	}
}

// TestALostChannelIsJoinedAgain: cut, silent, or with a server that was away from the beginning; nobody waits for it meanwhile.
func TestALostChannelIsJoinedAgain(t *testing.T) {
	s := servers.StartValkey(t)
	a, _ := follower(t, Options{URL: s.URL})
	b, log := follower(t, Options{URL: s.URL})
	for range 2 {
		if err := a.r.client.ClientKillByFilter(t.Context(), "TYPE", "pubsub").Err(); err != nil {
			t.Fatal(err)
		}
		heard(t, a) // both have joined again, and may have missed something
		heard(t, b)
		a.Announce()
		heard(t, b)
	}
	if err := s.Pause(); err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		a.Announce()
	}
	if err := s.Resume(); err != nil {
		t.Fatal(err)
	}
	a.Announce()
	heard(t, b)

	s.Stop()
	a.Announce()
	log.wait(t, "changes of keys are not heard from the other replicas")
	if text := log.text(); strings.Contains(text, s.URL) {
		t.Errorf("where the server is may hold a password: %s", text)
	}
}

// TestAChannelOfAServerThatIsAway: what is said of it is said once, and Close waits for nothing.
func TestAChannelOfAServerThatIsAway(t *testing.T) {
	r, err := Open(Options{URL: "redis://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	log := &logged{}
	i := r.Invalidations(slog.New(slog.NewTextHandler(log, nil)))
	i.Announce()
	log.wait(t, "changes of keys are not heard from the other replicas")
	i.Announce()
	silent(t, i)
	i.Close()
	if n := strings.Count(log.text(), "\n"); n != 1 {
		t.Errorf("%s", log.text())
	}
}
