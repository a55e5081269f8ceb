package wire

import (
	"bytes"
	"errors"
	"io"

	"github.com/outcrop-ai/outcrop/llm"
)

// maxEvent bounds one server-sent event, in bytes: the last one of a response repeats the whole answer.
const maxEvent = 32 << 20

// Events reads server-sent events (the HTML standard's text/event-stream) as they come. It is used by one goroutine.
type Events struct {
	from      io.Reader
	close     func() error
	requestID string

	// buf holds what has been read, from start on what has not been taken.
	buf   []byte
	start int
	// kind and data are those of the event that is being read; lines says that it has a line of data.
	kind, data []byte
	lines      bool
	err        error
	started    bool
}

// NewEvents returns the events of a reader. end ends what it reads from.
func NewEvents(from io.Reader, end func() error) *Events {
	return &Events{from: from, close: end}
}

// Events returns the answer's server-sent events. Closing them closes the answer.
func (r *Reply) Events() *Events {
	e := NewEvents((*streamBody)(r), r.Close)
	e.requestID = r.RequestID
	return e
}

// IsEvents reports whether the answer is a stream of server-sent events.
func (r *Reply) IsEvents() bool {
	return bytes.HasPrefix([]byte(r.Header.Get("Content-Type")), []byte("text/event-stream"))
}

// Next returns the next event: its name, empty if it has none, and its data. Both are valid until the next call. Comments and
// events without data are passed over, as are ids and times to wait. The error is io.EOF at the end of the stream; an event
// that the end cuts off is none.
func (e *Events) Next() (kind, data []byte, err error) {
	e.kind, e.data, e.lines = e.kind[:0], e.data[:0], false
	for {
		line, ok := e.line()
		switch {
		case !ok:
			if e.err != nil {
				return nil, nil, e.err
			}
			e.read()
		case len(line) == 0 && e.lines:
			return e.kind, e.data, nil
		case len(line) == 0:
			e.kind = e.kind[:0]
		default:
			e.field(line)
		}
	}
}

// line takes the next whole line out of the buffer, without its end: CR, LF or both.
func (e *Events) line() ([]byte, bool) {
	rest := e.buf[e.start:]
	if !e.started && len(rest) >= 3 {
		e.started = true
		if trimmed := bytes.TrimPrefix(rest, []byte("\xef\xbb\xbf")); len(trimmed) < len(rest) {
			e.start += len(rest) - len(trimmed)
			rest = trimmed
		}
	}
	i := bytes.IndexAny(rest, "\r\n")
	if i < 0 {
		return nil, false
	}
	end := i + 1
	if rest[i] == '\r' {
		switch {
		case end < len(rest) && rest[end] == '\n':
			end++
		case end == len(rest) && e.err == nil: // the line feed may be still to come
			return nil, false
		}
	}
	e.start += end
	return rest[:i], true
}

func (e *Events) field(line []byte) {
	name, value, _ := bytes.Cut(line, []byte{':'})
	value = bytes.TrimPrefix(value, []byte{' '})
	switch string(name) {
	case "event":
		e.kind = append(e.kind[:0], value...)
	case "data":
		if e.lines {
			e.data = append(e.data, '\n')
		}
		e.data, e.lines = append(e.data, value...), true
	}
	if len(e.data) > maxEvent {
		e.tooLong()
	}
}

func (e *Events) tooLong() {
	e.err = &llm.Error{Kind: llm.KindUpstream, Message: "an event of AWS's stream is larger than the gateway takes", RequestID: e.requestID}
	e.buf, e.start = e.buf[:0], 0
}

// read gets more bytes. What the lines before alias has been copied.
func (e *Events) read() {
	if e.start > 0 {
		e.buf = append(e.buf[:0], e.buf[e.start:]...)
		e.start = 0
	}
	const room = 4 << 10
	if cap(e.buf)-len(e.buf) < room {
		e.buf = append(make([]byte, 0, 2*cap(e.buf)+room), e.buf...)
	}
	n, err := e.from.Read(e.buf[len(e.buf):cap(e.buf)])
	e.buf = e.buf[:len(e.buf)+n]
	switch {
	case err == nil && len(e.buf) > maxEvent:
		e.tooLong()
	case err == nil:
	case errors.Is(err, io.EOF):
		e.err = io.EOF
	default:
		e.err = e.broken(err)
	}
}

func (e *Events) broken(err error) error {
	var known *llm.Error
	if errors.As(err, &known) {
		return err
	}
	return &llm.Error{Kind: llm.KindUpstream, Message: "the answer of AWS ended early", RequestID: e.requestID, Cause: err}
}

// Buffered reports that the next event has already been received.
func (e *Events) Buffered() bool {
	rest := e.buf[e.start:]
	return bytes.Contains(rest, []byte("\n\n")) || bytes.Contains(rest, []byte("\r\n\r\n"))
}

// Close ends the upstream call.
func (e *Events) Close() error { return e.close() }
