package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/internal/store/relational"
	"github.com/outcrop-ai/outcrop/test/servers"
)

// recovery is within what time a store that was away works again.
const recovery = 5 * time.Second

// rows are what the tests write, each a call of its own that costs one pico-dollar.
func rows(first, n int) []account.Record {
	list := make([]account.Record, n)
	for i := range list {
		list[i] = account.Record{CallID: fmt.Sprint(first + i), Cost: 1, CostKnown: true, Start: time.Unix(1785542400, 0), Charges: []account.Charge{{Scope: "key", ID: "k"}}}
	}
	return list
}

// holds checks that each row is there once, and was charged once.
func holds(t *testing.T, s *relational.Store, want int) {
	t.Helper()
	n, _, err := s.CountRows(t.Context(), account.RowFilter{}, 1<<20)
	if err != nil || n != want {
		t.Errorf("%d rows, want %d (%v)", n, want, err)
	}
	amounts, err := s.Spent(t.Context(), []account.Charge{{Scope: "key", ID: "k"}})
	if err != nil || int(amounts[0]) != want {
		t.Errorf("%v pico-dollars, want %d (%v)", amounts, want, err)
	}
}

// ledger writes to a store as the gateway does.
func ledger(t *testing.T, s *relational.Store) *account.Ledger {
	t.Helper()
	l := account.NewLedger(s, account.LedgerOptions{Batch: 16, Delay: time.Millisecond, RetryMax: time.Second})
	t.Cleanup(func() {
		if err := l.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return l
}

// written waits until the ledger has written n rows. It fails when that takes longer than the time for recovery.
func written(t *testing.T, l *account.Ledger, n uint64) {
	t.Helper()
	end := time.After(recovery)
	for l.Stats().Written < n {
		select {
		case <-end:
			t.Fatalf("after %v: %+v", recovery, l.Stats())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// failing waits until the ledger knows that its store is away.
func failing(t *testing.T, l *account.Ledger, before uint64) {
	t.Helper()
	for l.Stats().Failures == before {
		select {
		case <-t.Context().Done():
			t.Fatal("no failure was noticed")
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// TestOutages: a server that is killed, started again or paused delays rows. Each is there once afterwards, and whoever adds a
// record never waits for the database.
func TestOutages(t *testing.T) {
	server := servers.StartPostgres(t)
	url := server.Database(t)
	s, err := Open(url, Options{Timeout: 700 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	<-s.Ready()
	l := ledger(t, s)
	total := 0
	add := func(n int) {
		t.Helper()
		began := time.Now()
		for _, r := range rows(total, n) {
			l.Add(r)
		}
		total += n
		if took := time.Since(began); took > recovery {
			t.Errorf("records were added in %v", took)
		}
	}
	add(100)
	written(t, l, uint64(total))

	before := l.Stats().Failures
	server.Kill()
	add(200)
	failing(t, l, before)
	server.Start(t)
	written(t, l, uint64(total))
	holds(t, s, total)

	before = l.Stats().Failures
	server.Pause()
	add(200)
	failing(t, l, before) // calls that hang are ended
	server.Resume()
	written(t, l, uint64(total))
	holds(t, s, total)
}

// TestStartWithoutTheServer: it does not wait for it, says so once without the password, and works when the server is there.
func TestStartWithoutTheServer(t *testing.T) {
	server := servers.StartPostgres(t)
	url := server.Database(t)
	server.Kill()
	log := &lockedBuffer{}
	began := time.Now()
	s, err := Open(url, Options{Logger: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if took := time.Since(began); took > time.Second {
		t.Errorf("opened after %v", took)
	}
	err = s.Append(t.Context(), rows(0, 1))
	if !errors.Is(err, relational.ErrAway) || !strings.Contains(err.Error(), server.Address) {
		t.Errorf("got %v", err)
	}
	for !strings.Contains(log.String(), "cannot be reached") {
		select {
		case <-t.Context().Done():
			t.Fatal("nothing was logged")
		case <-time.After(5 * time.Millisecond):
		}
	}
	err = s.Ping(t.Context())
	if text := fmt.Sprint(err, log.String()); err == nil || strings.Contains(text, "s3cret") || strings.Contains(text, servers.PostgresPassword) {
		t.Errorf("got %s", text)
	}
	server.Start(t)
	select {
	case <-s.Ready():
	case <-time.After(recovery):
		t.Fatal("it was not found again in time")
	}
	if err := s.Append(t.Context(), rows(0, 10)); err != nil {
		t.Error(err)
	}
	holds(t, s, 10)
	if strings.Count(log.String(), "cannot be reached") != 1 || !strings.Contains(log.String(), "is there") {
		t.Errorf("logged %s", log)
	}
}

// TestWrongPassword is told without the password.
func TestWrongPassword(t *testing.T) {
	server := servers.StartPostgres(t)
	url := strings.Replace(server.Database(t), "s3cret", canary, 1)
	err := Migrate(t.Context(), url, Options{})
	if err == nil || !strings.Contains(err.Error(), "password authentication failed") || strings.Contains(err.Error(), canary) {
		t.Errorf("got %v", err)
	}
}

// TestUnknownOutcome: connections that break off at any moment, the commit's included, cost no row and double none.
func TestUnknownOutcome(t *testing.T) {
	server := servers.StartPostgres(t)
	url := server.Database(t)
	proxy := newProxy(t, server.Address)
	s := connect(t, strings.Replace(url, server.Address, proxy.address(), 1))
	const batches, size = 60, 8
	for b := range batches {
		// The answers of the server are cut after more and more bytes.
		proxy.cutAfter(b * 53)
		list := rows(b*size, size)
		for try := 0; ; try++ {
			err := s.Append(t.Context(), list)
			if err == nil {
				break
			}
			if try == 20 {
				t.Fatalf("batch %d: %v", b, err)
			}
			proxy.cutAfter(-1)
		}
	}
	proxy.cutAfter(-1)
	holds(t, s, batches*size)
}

// TestSlowServer: one that answers late is waited for, and calls end in time.
func TestSlowServer(t *testing.T) {
	server := servers.StartPostgres(t)
	url := server.Database(t)
	proxy := newProxy(t, server.Address)
	s := connect(t, strings.Replace(url, server.Address, proxy.address(), 1))
	proxy.delay(20 * time.Millisecond)
	if err := s.Append(t.Context(), rows(0, 50)); err != nil {
		t.Fatal(err)
	}
	proxy.delay(time.Minute)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := s.Append(ctx, rows(50, 50)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	proxy.delay(0)
	if err := s.Append(t.Context(), rows(0, 100)); err != nil {
		t.Fatal(err)
	}
	holds(t, s, 100)
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// proxy stands between a store and its server, and is slow or cuts connections off.
type proxy struct {
	listener net.Listener
	target   string
	all      sync.WaitGroup

	mu    sync.Mutex
	pause time.Duration
	// left is how many bytes of answers still pass before a connection is cut; negative is any number.
	left  int
	ended chan struct{}
	open  map[net.Conn]bool
}

func newProxy(t *testing.T, target string) *proxy {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: listener, target: target, left: -1, ended: make(chan struct{}), open: map[net.Conn]bool{}}
	p.all.Go(p.accept)
	t.Cleanup(func() {
		close(p.ended)
		_ = listener.Close()
		p.mu.Lock()
		for c := range p.open {
			_ = c.Close()
		}
		p.mu.Unlock()
		p.all.Wait()
	})
	return p
}

func (p *proxy) address() string { return p.listener.Addr().String() }

func (p *proxy) cutAfter(bytes int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left = bytes
}

func (p *proxy) delay(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pause = d
}

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", p.target)
		if err != nil {
			_ = client.Close()
			continue
		}
		p.mu.Lock()
		p.open[client], p.open[server] = true, true
		p.mu.Unlock()
		p.all.Go(func() { p.copy(server, client, false) })
		p.all.Go(func() { p.copy(client, server, true) })
	}
}

// copy hands on what from says, slowly where it shall; answers are counted.
func (p *proxy) copy(to, from net.Conn, answers bool) {
	defer func() { _, _ = to.Close(), from.Close() }()
	room := make([]byte, 4096)
	for {
		n, err := from.Read(room)
		if !p.wait() {
			return
		}
		passes, cut := n, false
		if answers {
			passes, cut = p.pass(n)
		}
		if _, failed := to.Write(room[:passes]); failed != nil || cut || err != nil {
			return
		}
	}
}

// wait waits as long as the delay lasts, which may change meanwhile. It returns false when the proxy has ended.
func (p *proxy) wait() bool {
	began := time.Now()
	for {
		p.mu.Lock()
		pause := p.pause
		p.mu.Unlock()
		if time.Since(began) >= pause {
			return true
		}
		select {
		case <-p.ended:
			return false
		case <-time.After(time.Millisecond):
		}
	}
}

func (p *proxy) pass(n int) (passes int, cut bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.left < 0 {
		return n, false
	}
	passes = min(n, p.left)
	p.left -= passes
	return passes, passes < n || p.left == 0
}
