package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a program under measurement, run as its own process so that its CPU time and memory are its own.
type process struct {
	name string
	url  string
	cmd  *exec.Cmd
	// cold is the time from the start of the process to its first answer.
	cold time.Duration
}

// start runs a program and waits for its first answer on path. What it logs goes to the file log.
func start(ctx context.Context, name string, port int, path, log string, argv ...string) (*process, error) {
	p := &process{name: name, url: "http://127.0.0.1:" + strconv.Itoa(port)}
	p.cmd = exec.CommandContext(ctx, argv[0], argv[1:]...)
	stderr, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	defer stderr.Close()
	p.cmd.Stderr = stderr
	began := time.Now()
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	client := &http.Client{Timeout: 2 * time.Second}
	for time.Since(began) < 20*time.Second {
		resp, err := client.Get(p.url + path)
		if err == nil {
			_ = resp.Body.Close()
			p.cold = time.Since(began)
			return p, nil
		}
		time.Sleep(500 * time.Microsecond)
	}
	p.stop()
	return nil, fmt.Errorf("%s does not answer on %s", name, p.url+path)
}

func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	_ = p.cmd.Wait()
}

// ticks is the kernel's unit of CPU time in /proc: 1/100 s on every Linux that Go runs on.
const ticks = 100

// cpu returns the CPU time, user and system, that the process has used.
func (p *process) cpu() (time.Duration, error) {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(p.cmd.Process.Pid) + "/stat")
	if err != nil {
		return 0, err
	}
	_, rest, ok := strings.Cut(string(data), ") ")
	fields := strings.Fields(rest)
	if !ok || len(fields) < 13 {
		return 0, errors.New("unreadable /proc stat")
	}
	user, err1 := strconv.ParseInt(fields[11], 10, 64)
	system, err2 := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * (time.Second / ticks), errors.Join(err1, err2)
}

// rss returns the process's resident memory in bytes.
func (p *process) rss() (int64, error) {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(p.cmd.Process.Pid) + "/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kb << 10, err
		}
	}
	return 0, errors.New("no VmRSS in /proc status")
}

// freePort returns a TCP port that nobody listens on.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	addr, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		return 0, errors.New("no TCP address")
	}
	return addr.Port, nil
}
