package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"sync"

	"github.com/outcrop-ai/outcrop/llm"
)

// The limits of the event-stream format, those of the AWS SDKs.
const (
	maxHeaders = 128 << 10
	maxPayload = 24 << 20
	preludeLen = 12
	minFrame   = 16
)

// firstBuffer is the size of a stream's buffer at first: most frames of a chat are a few hundred bytes, and a gateway
// holds a thousand streams.
const firstBuffer = 4 << 10

// maxEmptyReads is how often a reader may give nothing and no error.
const maxEmptyReads = 100

// ErrFrame says that bytes are not a valid event-stream frame.
var ErrFrame = errors.New("corrupt event-stream frame")

// Frame is one message of an event stream. It is a view of the decoder's buffer and valid until the next call of Next.
type Frame struct {
	headers, payload []byte
	// The values of :message-type and :event-type; others are looked for when they are asked for.
	message, event []byte
}

// IsEvent reports whether the frame is an ordinary event and no exception or error.
func (f *Frame) IsEvent() bool { return string(f.message) == "event" || len(f.message) == 0 }

// IsError reports whether the frame is an error that AWS's service model does not know: a code and a message in its
// headers and no payload.
func (f *Frame) IsError() bool { return string(f.message) == "error" }

// MessageType is what the frame says that it is: event, exception or error.
func (f *Frame) MessageType() []byte { return f.message }

// ErrorCode is AWS's word for what happened in an error frame.
func (f *Frame) ErrorCode() []byte { return f.header(":error-code") }

// ErrorMessage is AWS's own words in an error frame.
func (f *Frame) ErrorMessage() []byte { return f.header(":error-message") }

// EventType is the event's name, such as contentBlockDelta; for an exception its type, such as throttlingException.
func (f *Frame) EventType() []byte {
	if len(f.event) == 0 && !f.IsEvent() {
		return f.header(":exception-type")
	}
	return f.event
}

// Payload is the frame's JSON.
func (f *Frame) Payload() []byte { return f.payload }

var frameBuffers = sync.Pool{New: func() any { b := make([]byte, firstBuffer); return &b }}

// Frames decodes an event stream in place. It is not safe for concurrent use.
type Frames struct {
	r          io.Reader
	close      func() error
	buf        []byte
	pooled     *[]byte
	start, end int
	err        error
	requestID  string
	passes     bool // the bytes matter to somebody else, whatever they are as frames
	// known are the headers of the last frame, checked, and where the values are in them that a frame notes. Nearly all
	// frames of a stream have the same headers: those need not be gone through again.
	known          []byte
	message, event span
}

// span is a part of a frame's headers; the zero span is none.
type span struct{ from, to int }

// NewFrames returns a decoder of r. Close gives its buffer back and calls closer, which may be nil.
func NewFrames(r io.Reader, closer func() error) *Frames {
	p, _ := frameBuffers.Get().(*[]byte)
	return &Frames{r: r, close: closer, buf: *p, pooled: p}
}

// Next returns the next frame, io.EOF after the last. A stream that ends inside a frame or has a bad checksum ends in
// an *llm.Error of KindUpstream.
func (f *Frames) Next() (Frame, error) {
	idle := 0
	for f.err == nil {
		have := f.end - f.start
		if have >= preludeLen {
			total, err := f.frameLength()
			if err != nil {
				return Frame{}, f.fail(err)
			}
			if have >= total {
				frame, err := f.decode(f.buf[f.start : f.start+total])
				if err != nil {
					return Frame{}, f.fail(err)
				}
				f.start += total
				return frame, nil
			}
			f.reserve(total)
		} else {
			f.reserve(preludeLen)
		}
		n, err := f.r.Read(f.buf[f.end:])
		f.end += n
		if err != nil && n == 0 {
			return Frame{}, f.fail(err)
		}
		if n > 0 {
			idle = 0
		} else if idle++; idle >= maxEmptyReads {
			return Frame{}, f.fail(io.ErrNoProgress)
		}
	}
	return Frame{}, f.err
}

func (f *Frames) fail(err error) error {
	var known *llm.Error
	switch {
	case errors.As(err, &known):
		f.err = err
	case errors.Is(err, io.EOF) && f.end == f.start:
		f.err = io.EOF
	case errors.Is(err, io.EOF):
		f.err = &llm.Error{Kind: llm.KindUpstream, Message: "upstream stream ended early", Cause: io.ErrUnexpectedEOF}
	case errors.Is(err, ErrFrame) && f.passes:
		if _, err := io.Copy(io.Discard, f.r); err != nil {
			return f.fail(err)
		}
		f.err = io.EOF
	case errors.Is(err, ErrFrame):
		f.err = &llm.Error{Kind: llm.KindUpstream, Message: "upstream stream ended early: a frame is corrupt", Cause: err}
	default:
		f.err = &llm.Error{Kind: llm.KindUpstream, Message: "upstream stream ended early", Cause: err}
	}
	if errors.As(f.err, &known) && known.RequestID == "" {
		known.RequestID = f.requestID
	}
	return f.err
}

// frameLength checks the prelude at the start of the buffer and returns the length of its frame.
func (f *Frames) frameLength() (int, error) {
	p := f.buf[f.start:]
	total, headers := binary.BigEndian.Uint32(p), binary.BigEndian.Uint32(p[4:])
	if crc32.ChecksumIEEE(p[:8]) != binary.BigEndian.Uint32(p[8:]) {
		return 0, ErrFrame
	}
	if total < minFrame || headers > maxHeaders || headers > total-minFrame || total-minFrame-headers > maxPayload {
		return 0, ErrFrame
	}
	return int(total), nil
}

// reserve makes room for a frame of n bytes at start, moving what is there to the front and growing the buffer if it
// must.
func (f *Frames) reserve(n int) {
	if f.start == f.end {
		f.start, f.end = 0, 0
	}
	if f.start+n <= len(f.buf) && f.end < len(f.buf) {
		return
	}
	buf := f.buf
	if n > len(buf) {
		size := len(buf)
		for size < n {
			size *= 2
		}
		buf = make([]byte, size)
	}
	f.end = copy(buf, f.buf[f.start:f.end])
	f.start, f.buf = 0, buf
}

// Buffered reports that a whole further frame has been received.
func (f *Frames) Buffered() bool {
	have := f.end - f.start
	return f.err == nil && have >= preludeLen && uint32(have) >= binary.BigEndian.Uint32(f.buf[f.start:]) //nolint:gosec // have is not negative
}

// Close gives the buffer back; frames are not valid afterwards.
func (f *Frames) Close() error {
	if f.pooled != nil {
		frameBuffers.Put(f.pooled) // a grown buffer is left to the garbage collector
		f.pooled, f.buf, f.start, f.end = nil, nil, 0, 0
	}
	if f.err == nil {
		f.err = io.EOF
	}
	if f.close == nil {
		return nil
	}
	closer := f.close
	f.close = nil
	return closer()
}

// decode reads one whole frame whose prelude has been checked.
func (f *Frames) decode(b []byte) (Frame, error) {
	body, sum := b[:len(b)-4], b[len(b)-4:]
	if crc32.ChecksumIEEE(body) != binary.BigEndian.Uint32(sum) {
		return Frame{}, ErrFrame
	}
	n := preludeLen + int(binary.BigEndian.Uint32(b[4:]))
	headers := body[preludeLen:n]
	if !bytes.Equal(headers, f.known) {
		if err := f.learn(headers); err != nil {
			return Frame{}, err
		}
	}
	return Frame{
		headers: headers, payload: body[n:],
		message: headers[f.message.from:f.message.to], event: headers[f.event.from:f.event.to],
	}, nil
}

// learn checks headers and notes those that say what a frame is. Of a header that stands twice the last counts, as with
// the AWS SDK.
func (f *Frames) learn(headers []byte) error {
	f.known, f.message, f.event = f.known[:0], span{}, span{}
	for rest := headers; len(rest) > 0; {
		name, value, tail, ok := nextHeader(rest)
		if !ok {
			f.message, f.event = span{}, span{}
			return ErrFrame
		}
		rest = tail
		at := span{len(headers) - len(rest) - len(value), len(headers) - len(rest)}
		switch string(name) {
		case ":message-type":
			f.message = at
		case ":event-type":
			f.event = at
		}
	}
	f.known = append(f.known, headers...)
	return nil
}

// header returns the value of a header that is a string; the headers have been checked.
func (f *Frame) header(name string) (found []byte) {
	for rest := f.headers; len(rest) > 0; {
		n, value, tail, ok := nextHeader(rest)
		if !ok {
			return nil
		}
		if rest = tail; string(n) == name {
			found = value
		}
	}
	return found
}

// nextHeader splits the first header off b, which is not empty. The value of a header that is no string is nil.
func nextHeader(b []byte) (name, value, rest []byte, ok bool) {
	n := int(b[0]) + 1
	if len(b) < n+1 {
		return nil, nil, nil, false
	}
	name, kind, b := b[1:n], b[n], b[n+1:]
	if kind == stringHeader {
		if len(b) < 2 {
			return nil, nil, nil, false
		}
		value, rest, ok = cut(b[2:], int(binary.BigEndian.Uint16(b)))
		return name, value, rest, ok
	}
	_, rest, ok = otherValue(kind, b)
	return name, nil, rest, ok
}

// stringHeader is the type of all of Bedrock's headers.
const stringHeader = 7

func cut(b []byte, n int) (head, rest []byte, ok bool) {
	if n > len(b) {
		return nil, nil, false
	}
	return b[:n], b[n:], true
}

// otherValue splits the value of a header that is no string off b. Types: 0 true, 1 false, 2 i8, 3 i16, 4 i32, 5 i64, 6 bytes,
// 8 timestamp, 9 UUID.
func otherValue(kind byte, b []byte) (value, rest []byte, ok bool) {
	switch kind {
	case 0, 1:
		return nil, b, true
	case 2:
		return cut(b, 1)
	case 3:
		return cut(b, 2)
	case 4:
		return cut(b, 4)
	case 5, 8:
		return cut(b, 8)
	case 9:
		return cut(b, 16)
	case 6:
		if len(b) < 2 {
			return nil, nil, false
		}
		return cut(b[2:], int(binary.BigEndian.Uint16(b)))
	default:
		return nil, nil, false
	}
}
