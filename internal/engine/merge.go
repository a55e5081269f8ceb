package engine

import (
	"context"
	"errors"
	"io"
	"sync"

	"github.com/outcrop-ai/outcrop/llm"
)

// merge is the stream of a call that asks for several answers: their events as they come, each with its answer's number.
//
// A goroutine for each part that is under way pulls its events and hands them over one by one; it goes on when the last
// has been read, so that whoever reads slowly slows down them all. The goroutines end with the stream: stop waits for them.
type merge struct {
	engine *Engine
	call   *Call
	parts  *parts
	first  *plan
	cancel context.CancelFunc
	leave  func()

	workers  sync.WaitGroup
	arrivals chan arrival // has room for one of each worker's
	done     chan struct{}

	// What follows belongs to the reader. resume lets the worker go on whose event was read last; left counts the parts
	// that have not ended; ended is what Next returns for ever.
	resume chan<- struct{}
	left   int
	ended  error
	gone   bool
	closed bool
}

// arrival is an event of a part, or its end.
type arrival struct {
	part   int
	event  llm.Event
	err    error
	resume chan<- struct{}
}

// streamAll starts the streams of a call that asks for several answers.
func (e *Engine) streamAll(ctx context.Context, call *Call, first *plan, leave func()) (Stream, *llm.Error) {
	ps, failed := e.split(call, first)
	if failed != nil {
		first.body.Release()
		leave()
		return nil, failed
	}
	ctx, cancel := context.WithCancel(ctx)
	m := &merge{
		engine: e, call: call, parts: ps, first: first, cancel: cancel, leave: leave,
		arrivals: make(chan arrival, ps.workers()), done: make(chan struct{}), left: len(ps.list),
	}
	for range ps.workers() {
		m.workers.Add(1)
		go m.work(ctx)
	}
	return m, nil
}

// work tells one part after the other, until there is none or one has failed.
func (m *merge) work(ctx context.Context) {
	defer m.workers.Done()
	resume := make(chan struct{}, 1)
	for i := m.parts.take(); i < len(m.parts.list); i = m.parts.take() {
		goOn := false
		failed := m.engine.guarded(func() (failed *llm.Error) {
			goOn, failed = m.tell(ctx, i, resume)
			return failed
		})
		if failed != nil {
			m.arrivals <- arrival{part: i, err: failed}
		}
		if !goOn {
			return
		}
	}
}

// tell hands over the events of one part and its end. It reports whether there may be another.
func (m *merge) tell(ctx context.Context, i int, resume chan struct{}) (bool, *llm.Error) {
	s, failed := m.engine.open(ctx, m.parts.list[i].call, m.parts.list[i].plan)
	if failed != nil {
		return false, failed
	}
	defer s.Close()
	for {
		ev, err := s.Next()
		if err != nil && !errors.Is(err, io.EOF) {
			return false, m.engine.failed(s.call, err)
		}
		m.arrivals <- arrival{part: i, event: ev, err: err, resume: resume}
		select {
		case <-resume:
		case <-m.done:
			return false, nil
		}
		if err != nil {
			return true, nil
		}
	}
}

// Next returns the next event of any part. When all have ended well there is one more, which counts them all.
func (m *merge) Next() (llm.Event, error) {
	if m.ended != nil {
		return llm.Event{}, m.ended
	}
	if m.gone {
		return m.fail(clientGone())
	}
	for {
		if m.resume != nil {
			m.resume <- struct{}{} // has room: the worker waits for it
			m.resume = nil
		}
		if m.left == 0 {
			m.stop()
			m.ended = io.EOF
			return llm.Event{Kind: llm.EventUsage, Usage: &m.call.Usage}, nil
		}
		a := <-m.arrivals
		if a.err != nil && !errors.Is(a.err, io.EOF) {
			return m.fail(a.err)
		}
		m.resume = a.resume
		if a.err != nil {
			m.left--
			continue
		}
		if p := &m.parts.list[a.part]; !p.met {
			p.met = true
			m.call.meet(p.call)
		}
		a.event.Choice = uint16(a.part) //nolint:gosec // a request has not 2^16 answers
		if a.event.Kind == llm.EventUsage {
			a.event.Usage = nil // it ends one answer; all are counted together
		}
		return a.event, nil
	}
}

// fail ends the stream: one failure is that of all.
func (m *merge) fail(err error) (llm.Event, error) {
	m.stop()
	m.ended = m.engine.failed(m.call, err)
	return llm.Event{}, m.ended
}

// stop ends the parts that are under way, waits for them and sums up what all have used.
func (m *merge) stop() {
	m.cancel()
	close(m.done)
	m.workers.Wait()
	m.parts.release()
	m.first.body.Release()
	m.call.sum(m.parts)
}

// ClientGone ends the upstream calls, unless they are drained.
func (m *merge) ClientGone() {
	m.call.ClientClosed = true
	if !m.call.Deployment.Drain {
		m.gone = true
		m.cancel()
	}
}

// Buffered reports that an event of some part is there.
func (m *merge) Buffered() bool { return len(m.arrivals) > 0 }

// Close ends the upstream calls and books them, if Next has not come to the end.
func (m *merge) Close() error {
	if m.closed {
		return nil
	}
	m.closed = true
	if m.ended == nil {
		m.stop()
		m.ended = io.EOF
	}
	m.leave()
	return nil
}
