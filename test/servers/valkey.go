// Package servers starts servers for tests, each for one test and gone with it, but for the Postgres that the tests of a
// package may share: scripts/setup.sh servers installs them.
package servers

import (
	"bufio"
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// Valkey is a real Valkey or Redis of one test's own, which ends with it.
type Valkey struct {
	// URL is where it listens.
	URL     string
	process *exec.Cmd
	stop    sync.Once
	done    chan struct{} // closed when it is stopped
}

// StartValkey starts one and waits until it takes connections.
func StartValkey(t testing.TB) *Valkey {
	t.Helper()
	program := ""
	for _, name := range []string{"valkey-server", "redis-server"} {
		if path, err := exec.LookPath(name); err == nil {
			program = path
			break
		}
	}
	if program == "" {
		t.Fatal("there is neither valkey-server nor redis-server: scripts/setup.sh servers installs one")
	}
	socket := filepath.Join(t.TempDir(), "s")
	s := &Valkey{URL: "unix://" + socket, done: make(chan struct{}), process: exec.CommandContext(context.Background(), program, "--port", "0", "--unixsocket", socket, "--save", "", "--appendonly", "no")} //nolint:gosec // the program was looked up above
	out, err := s.process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := start(s.process, s.done); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if strings.Contains(lines.Text(), "eady to accept connections") {
			go func() {
				for lines.Scan() { // what it has to say must not fill the pipe
					_ = lines.Text()
				}
			}()
			return s
		}
	}
	t.Fatal("the server did not start")
	return nil
}

// Pause stops it without ending it: connections stay open, and nothing is answered until Resume.
func (s *Valkey) Pause() error { return s.process.Process.Signal(syscall.SIGSTOP) }

// Resume has it go on.
func (s *Valkey) Resume() error { return s.process.Process.Signal(syscall.SIGCONT) }

// Stop kills it.
func (s *Valkey) Stop() {
	s.stop.Do(func() {
		_ = s.process.Process.Kill()
		_ = s.process.Wait()
		close(s.done)
	})
}
