package telemetry

import (
	"io"
	"sync"
	"time"
)

const (
	// flushDelay is how long a line may stay in a [Writer].
	flushDelay = 100 * time.Millisecond
	// flushSize is how much a Writer holds, in bytes, before a write goes through at once.
	flushSize = 256 << 10
)

// Writer collects lines and passes them on within 100 ms, from a goroutine of its own that lives from NewWriter to
// Close, so that a request makes no system call to be logged. It loses nothing: when more than 256 KiB wait, Write
// passes them on itself, and is then as slow as what is behind it. It is safe for concurrent use.
type Writer struct {
	// wake has room for one word: there is something to flush. stop ends the goroutine, done says that it has ended.
	wake       chan struct{}
	stop, done chan struct{}

	// out is held while w is written to: it keeps the order. It is taken before mu.
	out   sync.Mutex
	w     io.Writer
	spare []byte
	// failure is the first error of w.
	failure error

	mu     sync.Mutex // guards buf and closed
	buf    []byte
	closed bool
}

// NewWriter starts a writer in front of w. It must be closed; w is not closed with it.
func NewWriter(w io.Writer) *Writer {
	b := &Writer{w: w, wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{})}
	go b.run()
	return b
}

// Write keeps a copy of p. Its error is that of an earlier line, if this call had to pass lines on. After Close it
// writes through.
func (b *Writer) Write(p []byte) (int, error) {
	b.mu.Lock()
	first := len(b.buf) == 0
	b.buf = append(b.buf, p...)
	through := b.closed || len(b.buf) >= flushSize
	b.mu.Unlock()
	switch {
	case through:
		if err := b.Flush(); err != nil {
			return 0, err
		}
	case first:
		select {
		case b.wake <- struct{}{}:
		default:
		}
	}
	return len(p), nil
}

// Flush passes on what is buffered. Lines that cannot be written are lost; the next ones are tried again.
func (b *Writer) Flush() error {
	b.out.Lock()
	defer b.out.Unlock()
	b.mu.Lock()
	lines := b.buf
	b.buf = b.spare[:0]
	b.mu.Unlock()
	b.spare = nil
	if cap(lines) <= 2*flushSize {
		b.spare = lines[:0]
	}
	if len(lines) == 0 {
		return nil
	}
	_, err := b.w.Write(lines)
	if err != nil && b.failure == nil {
		b.failure = err
	}
	return err
}

// Close passes on what is buffered and ends the writer's goroutine. It returns the first error that writing ever met.
// A second call does nothing more.
func (b *Writer) Close() error {
	b.mu.Lock()
	first := !b.closed
	b.closed = true
	b.mu.Unlock()
	if first {
		close(b.stop)
	}
	<-b.done
	_ = b.Flush() // its error is kept
	b.out.Lock()
	defer b.out.Unlock()
	return b.failure
}

func (b *Writer) run() {
	defer close(b.done)
	timer := time.NewTimer(flushDelay)
	timer.Stop()
	defer timer.Stop()
	for {
		select {
		case <-b.wake:
		case <-b.stop:
			return
		}
		timer.Reset(flushDelay)
		select {
		case <-timer.C:
		case <-b.stop:
			return
		}
		_ = b.Flush() // its error is kept for Close
	}
}
