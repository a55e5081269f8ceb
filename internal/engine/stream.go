package engine

import (
	"bytes"
	"errors"
	"io"
	"time"

	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// Stream is a streamed answer on its way to the client. Its errors are *llm.Error. A stream that ends well ends with an
// EventUsage, whether AWS has counted or Outcrop had to guess.
type Stream interface {
	llm.Stream
	// ClientGone says that nobody reads the answer any more: the upstream call ends, or is drained if its deployment says
	// so, in which case the caller keeps calling Next.
	ClientGone()
}

// stream is the answer of one upstream call. It watches what passes for the books.
type stream struct {
	inner  llm.Stream
	engine *Engine
	call   *Call
	leave  func()
	// again answers a refusal that comes as the first event; nil when there is nothing to mend, or no longer.
	again func(refusal error) (llm.Stream, error)
	// head are the events that were waited for before the client was told anything.
	head []llm.Event
	// gone says that the upstream call was ended because nobody reads its answer.
	gone bool
	// told says that the usage has been told.
	told bool
	// streamed counts the bytes of text that came, for an estimate of what AWS has not counted.
	streamed int64
	closed   bool
	// heard says that the deployment has been said to work: a failure from now on is told, too.
	heard bool
	ended bool // io.EOF came before anything was said
}

// begin waits for the first event that says something. Its error is that of a stream of which nothing is known yet. What
// the events alias lives until the next one is asked for; only the last of them aliases anything.
func (s *stream) begin() *llm.Error {
	for {
		ev, err := s.pull()
		if errors.Is(err, io.EOF) {
			s.ended = true
			return nil
		}
		if err != nil {
			var failed *llm.Error
			if !errors.As(err, &failed) {
				failed = &llm.Error{Kind: llm.KindUpstream, Message: "the answer of AWS cannot be read", Cause: err}
			}
			return failed
		}
		if ev.Kind == llm.EventStart {
			ev.Native = bytes.Clone(ev.Native) // it must outlive the next event
		}
		s.head = append(s.head, ev)
		if ev.Kind != llm.EventStart {
			return nil
		}
	}
}

// Next returns the next event, io.EOF after the last.
func (s *stream) Next() (llm.Event, error) {
	if len(s.head) > 0 {
		ev := s.head[0]
		s.head = s.head[1:]
		return ev, nil
	}
	if s.ended {
		return llm.Event{}, io.EOF
	}
	return s.pull()
}

func (s *stream) pull() (llm.Event, error) {
	ev, err := s.inner.Next()
	if s.again != nil {
		again := s.again
		s.again = nil
		if err != nil {
			var inner llm.Stream
			if inner, err = again(err); err == nil {
				_ = s.inner.Close()
				s.inner = inner
				ev, err = s.inner.Next()
			}
		}
	}
	if err != nil {
		return s.last(err)
	}
	switch ev.Kind {
	case llm.EventText, llm.EventThinking, llm.EventToolInput:
		if s.call.firstToken.IsZero() {
			s.call.firstToken = time.Now()
		}
		s.streamed += int64(ev.Text.Size())
	case llm.EventStop:
		s.call.Filtered = s.call.Filtered || ev.Stop == llm.StopFilter
		s.call.stop = ev.Stop
	case llm.EventUsage:
		s.usage(&ev)
	}
	return ev, nil
}

// usage books what AWS has counted, or an estimate where it has not.
func (s *stream) usage(ev *llm.Event) {
	call := s.call
	s.told = true
	if ev.Usage != nil && *ev.Usage != (llm.Usage{}) {
		call.Usage, call.HasUsage = *ev.Usage, true
	} else {
		call.Usage, call.HasUsage = estimate(call.Request, s.streamed), true
		ev.Usage = &call.Usage
	}
	if call.target != nil && call.target.price.ByMedia() {
		call.target.watched(call.Request, &call.Usage)
		ev.Usage = &call.Usage
	}
	if ev.Tail != nil {
		call.Tier = ev.Tail.Tier
	}
}

// last ends the stream. One that ended well without a count gets an estimate as its last event.
func (s *stream) last(err error) (llm.Event, error) {
	if !errors.Is(err, io.EOF) || s.told || s.gone {
		return llm.Event{}, s.end(err)
	}
	ev := llm.Event{Kind: llm.EventUsage}
	s.usage(&ev)
	return ev, nil
}

// end books the end of a stream. Usage that AWS did not tell is estimated from what was sent and received; a call that
// AWS refused before it said anything has used nothing.
func (s *stream) end(err error) error {
	call := s.call
	if call.answered.IsZero() {
		call.answered = time.Now()
	}
	if !call.HasUsage && (s.streamed > 0 || errors.Is(err, io.EOF) || isCanceled(err)) {
		call.Usage, call.HasUsage = estimate(call.Request, s.streamed), true
		if call.target != nil {
			call.target.watched(call.Request, &call.Usage)
		}
	}
	s.engine.price(call)
	if !errors.Is(err, io.EOF) {
		failed := s.engine.failed(call, err)
		if s.heard {
			s.heard = false
			s.engine.broke(call, failed)
		}
		return failed
	}
	if s.gone {
		return s.engine.failed(call, clientGone())
	}
	return io.EOF
}

func clientGone() *llm.Error {
	return &llm.Error{Kind: llm.KindCanceled, Code: "client_closed_request", Message: "the client closed the request"}
}

func isCanceled(err error) bool {
	var e *llm.Error
	return errors.As(err, &e) && e.Kind == llm.KindCanceled
}

// ClientGone ends the upstream call, unless it is drained.
func (s *stream) ClientGone() {
	s.call.ClientClosed = true
	if !s.call.Deployment.Drain {
		s.gone = true
		_ = s.inner.Close()
	}
}

// Buffered reports that the next event has already been received.
func (s *stream) Buffered() bool { return len(s.head) > 0 || s.inner.Buffered() }

// Close ends the upstream call and books it, if Next has not come to the end.
func (s *stream) Close() error {
	if s.closed {
		return nil
	}
	s.closed = true
	if s.call.answered.IsZero() {
		_ = s.end(io.EOF)
	}
	err := s.inner.Close()
	s.leave()
	return err
}

// bytesPerToken is how many bytes of text make a token, roughly, for models of today.
const bytesPerToken = 4

// estimate guesses a usage: the text that was sent and received, by its length.
func estimate(r *llm.Request, streamed int64) llm.Usage {
	var sent int64
	count := func(blocks []llm.Block) {
		for i := range blocks {
			b := &blocks[i]
			sent += int64(b.Text.Size())
			if b.Tool != nil {
				sent += int64(len(b.Tool.Input))
				for j := range b.Tool.Result {
					sent += int64(b.Tool.Result[j].Text.Size())
				}
			}
		}
	}
	count(r.System)
	for i := range r.Messages {
		count(r.Messages[i].Blocks)
	}
	for i := range r.Tools {
		sent += int64(len(r.Tools[i].Schema) + r.Tools[i].Description.Size() + len(r.Tools[i].Name))
	}
	tokens := func(n int64) int64 { return (n + bytesPerToken - 1) / bytesPerToken }
	return llm.Usage{Input: tokens(sent), Output: tokens(streamed), Estimated: true}
}

// replay is a whole answer told as a stream.
type replay struct {
	events []llm.Event
	at     int
}

func newReplay(r *llm.Response) *replay {
	p := &replay{events: []llm.Event{{Kind: llm.EventStart}}}
	logprobs := r.Logprobs
	for i := range r.Blocks {
		b, index := &r.Blocks[i], int32(i)
		add := func(kind llm.EventKind, text llm.Text) {
			p.events = append(p.events, llm.Event{Kind: kind, Index: index, Text: text})
		}
		switch b.Kind {
		case llm.BlockText:
			p.events = append(p.events, llm.Event{Kind: llm.EventText, Index: index, Text: b.Text, Raw: logprobs})
			logprobs = nil // they are about all of the text
		case llm.BlockCitations:
			add(llm.EventText, b.Text)
			for citation := range jsonscan.Elements(jsonscan.Member(b.Raw, "citations")) {
				p.events = append(p.events, llm.Event{Kind: llm.EventCitation, Index: index, Raw: citation})
			}
		case llm.BlockThinking:
			add(llm.EventThinking, b.Text)
			if !b.Signature.IsEmpty() {
				add(llm.EventSignature, b.Signature)
			}
		case llm.BlockRedacted:
			add(llm.EventRedacted, b.Signature)
		case llm.BlockToolUse:
			p.events = append(p.events, llm.Event{Kind: llm.EventToolStart, Index: index, ToolID: b.Tool.ID, ToolName: b.Tool.Name})
			add(llm.EventToolInput, llm.NewText(string(b.Tool.Input)))
		default:
			p.events = append(p.events, llm.Event{Kind: llm.EventOther, Index: index, Raw: b.Raw})
		}
		p.events = append(p.events, llm.Event{Kind: llm.EventBlockStop, Index: index})
	}
	p.events = append(p.events, llm.Event{Kind: llm.EventStop, Stop: r.Stop, StopRaw: r.StopRaw}, llm.Event{
		Kind: llm.EventUsage, Usage: &r.Usage, Tail: &llm.Tail{Tier: r.Tier, Trace: r.Trace, Performance: r.Performance, Fields: r.Fields},
	})
	return p
}

func (p *replay) Next() (llm.Event, error) {
	if p.at == len(p.events) {
		return llm.Event{}, io.EOF
	}
	p.at++
	return p.events[p.at-1], nil
}

func (p *replay) Buffered() bool { return p.at < len(p.events) }
func (p *replay) Close() error   { p.at = len(p.events); return nil }
