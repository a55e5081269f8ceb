package servers

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// PostgresPassword is the password of the servers' only user. It has what must be escaped in a URL.
const PostgresPassword = "s3cret/with?odd#characters@and:percent%"

// Postgres is a real Postgres server.
type Postgres struct {
	// Address is the host and port where it listens.
	Address string
	program string
	folder  string
	who     *syscall.Credential
	process *exec.Cmd
	ended   chan struct{} // closed when the process is no more
}

// postgresProgram finds a program of Postgres's, which Debian keeps off the path.
func postgresProgram(t testing.TB, name string) string {
	t.Helper()
	if path, err := exec.LookPath(name); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			return path
		}
	}
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin/", "/opt/homebrew/opt/postgresql*/bin/", "/usr/local/opt/postgresql*/bin/", "/usr/pgsql-*/bin/"} {
		if found, _ := filepath.Glob(pattern + name); len(found) > 0 {
			return slices.Max(found)
		}
	}
	t.Fatal("there is no Postgres (" + name + "): scripts/setup.sh servers installs it")
	return ""
}

// StartPostgres starts a server of one test's own, which ends with it: for tests that kill, pause or slow it down.
func StartPostgres(t testing.TB) *Postgres {
	t.Helper()
	s := newPostgres(t)
	t.Cleanup(s.remove)
	s.Start(t)
	return s
}

// sharedPostgres is a server that starts when it is first asked for.
type sharedPostgres struct {
	mu     sync.Mutex
	server *Postgres
}

func (s *sharedPostgres) get(t testing.TB) *Postgres {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server == nil {
		server := newPostgres(t)
		server.Start(t)
		s.server = server
	}
	return s.server
}

func (s *sharedPostgres) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server != nil {
		s.server.remove()
		s.server = nil
	}
}

// shared is the server of a test's process.
//
//nolint:gochecknoglobals // the tests of a package have nothing else in common
var shared sharedPostgres

// SharedPostgres is the server that all tests of a package share: each has databases of its own there. It starts with the
// first test that needs it, and ends with [EndShared].
func SharedPostgres(t testing.TB) *Postgres {
	t.Helper()
	return shared.get(t)
}

// EndShared ends the server that the tests of a package have shared, if there is one: after the last of them.
func EndShared() { shared.end() }

// newPostgres makes a server's files.
func newPostgres(t testing.TB) *Postgres {
	t.Helper()
	folder, err := os.MkdirTemp("", "outcrop-postgres-") // a test's own folder is closed to the user that the server needs
	if err != nil {
		t.Fatal(err)
	}
	s := &Postgres{program: postgresProgram(t, "postgres"), folder: folder}
	if os.Geteuid() == 0 { // as root it refuses to run
		s.who = unprivileged(t)
		if err := os.Chown(folder, int(s.who.Uid), int(s.who.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	secret := filepath.Join(folder, "password")
	if err := os.WriteFile(secret, []byte(PostgresPassword), 0o644); err != nil { //nolint:gosec // a test's
		t.Fatal(err)
	}
	initialize := s.command(postgresProgram(t, "initdb"), "-D", filepath.Join(folder, "data"), "-U", "outcrop", "--pwfile", secret, "-A", "scram-sha-256", "-E", "UTF8", "--locale", "C.UTF-8", "--no-sync")
	if out, err := initialize.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v: %s", err, out)
	}
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.Address = listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	return s
}

// remove ends the server and removes its files.
func (s *Postgres) remove() {
	s.Kill()
	_ = os.RemoveAll(s.folder)
}

func unprivileged(t testing.TB) *syscall.Credential {
	t.Helper()
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err1 == nil && err2 == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		}
	}
	t.Fatal("there is neither a user postgres nor nobody, and Postgres does not run as root")
	return nil
}

func (s *Postgres) command(program string, args ...string) *exec.Cmd {
	c := exec.CommandContext(context.Background(), program, args...) //nolint:gosec // a program that was looked up
	c.Dir = s.folder
	c.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.folder, "LC_ALL=C.UTF-8", "TZ=UTC"}
	c.SysProcAttr = &syscall.SysProcAttr{Credential: s.who}
	return c
}

// Start starts the server again after Kill, with the files that it had.
func (s *Postgres) Start(t testing.TB) {
	t.Helper()
	_, port, err := net.SplitHostPort(s.Address)
	if err != nil {
		t.Fatal(err)
	}
	s.process = s.command(
		s.program, "-D", filepath.Join(s.folder, "data"), "-c", "listen_addresses=127.0.0.1", "-c", "port="+port, "-c", "unix_socket_directories=",
		"-c", "max_connections=50", "-c", "fsync=off", "-c", "shared_buffers=64MB", "-c", "log_min_messages=log",
	)
	out, err := s.process.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.ended = make(chan struct{})
	if err := start(s.process, s.ended); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		said.WriteString(lines.Text() + "\n")
		if strings.Contains(lines.Text(), "ready to accept connections") {
			go func() {
				for lines.Scan() { // what it has to say must not fill the pipe
					_ = lines.Text()
				}
			}()
			return
		}
	}
	t.Fatalf("Postgres did not start: %s", said.String())
}

// databases numbers the databases of a test's servers.
//
//nolint:gochecknoglobals // a counter
var databases atomic.Int64

// Database makes an empty database and returns its URL.
func (s *Postgres) Database(t testing.TB) string {
	t.Helper()
	ctx := context.Background()
	connection, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = connection.Close(ctx) }()
	name := fmt.Sprintf("test_%d", databases.Add(1))
	if _, err := connection.Exec(ctx, "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	return s.URL(name)
}

// URL is that of a database.
func (s *Postgres) URL(database string) string {
	return "postgresql://outcrop:s3cret%2Fwith%3Fodd%23characters%40and%3Apercent%25@" + s.Address + "/" + database + "?sslmode=disable"
}

// Pause stops all of the server's processes as they are: connections are open, and nobody answers.
func (s *Postgres) Pause() { s.signal(syscall.SIGSTOP) }

// Resume lets them go on.
func (s *Postgres) Resume() { s.signal(syscall.SIGCONT) }

// Kill kills all of its processes at once.
func (s *Postgres) Kill() {
	if s.ended == nil {
		return
	}
	children := s.children()
	s.signal(syscall.SIGKILL)
	_ = s.process.Wait()
	close(s.ended)
	s.ended = nil
	for _, pid := range children { // the next start finds them gone
		_ = syscall.Kill(pid, syscall.SIGKILL) // they are no longer below it, and may be paused
		for syscall.Kill(pid, 0) == nil {
			<-time.After(time.Millisecond)
		}
	}
}

func (s *Postgres) signal(signal syscall.Signal) {
	_ = syscall.Kill(s.process.Process.Pid, signal) // it first, so that it makes no more
	for _, pid := range s.children() {
		_ = syscall.Kill(pid, signal)
	}
}

// children are the server's processes below the first.
func (s *Postgres) children() (list []int) {
	parent := strconv.Itoa(s.process.Process.Pid)
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		// pid (name) state parent …; the name may hold anything.
		fields := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:]))
		if len(fields) > 1 && fields[1] == parent && fields[0] != "Z" {
			if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil {
				list = append(list, pid)
			}
		}
	}
	return list
}
