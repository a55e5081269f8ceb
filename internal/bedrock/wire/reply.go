package wire

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/outcrop-ai/outcrop/llm"
)

// Reply is AWS's answer to a call that was not refused. It is used by one goroutine and must be closed.
type Reply struct {
	Status    int
	Header    http.Header
	RequestID string

	body        io.ReadCloser
	length      int64
	parent, ctx context.Context //nolint:containedctx // the call's own, for telling why it ended
	cancel      context.CancelCauseFunc
	watch       *watch
	once        sync.Once
}

// IsEventStream reports whether the answer is a stream of frames.
func (r *Reply) IsEventStream() bool {
	return strings.HasPrefix(r.Header.Get("Content-Type"), eventStreamType)
}

// ReadAll reads the answer to its end and closes it. An answer of more than limit bytes, or that ends early, is an
// *llm.Error of KindUpstream. The bytes are the caller's.
func (r *Reply) ReadAll(limit int64) ([]byte, error) {
	defer r.Close()
	if r.length > limit {
		return nil, r.tooLong()
	}
	if r.length >= 0 {
		data := make([]byte, r.length)
		if _, err := io.ReadFull(r.body, data); err != nil {
			return nil, r.broken(err)
		}
		return data, nil
	}
	data, err := io.ReadAll(io.LimitReader(r.body, limit+1))
	if err != nil {
		return nil, r.broken(err)
	}
	if int64(len(data)) > limit {
		return nil, r.tooLong()
	}
	return data, nil
}

func (r *Reply) tooLong() *llm.Error {
	return &llm.Error{Kind: llm.KindUpstream, Message: "the answer of AWS is larger than the gateway takes", RequestID: r.RequestID}
}

// broken says why an answer could not be read to its end.
func (r *Reply) broken(err error) *llm.Error {
	e := failure(r.parent, r.ctx, err)
	if e.Kind == llm.KindUpstream {
		e.Message = "the answer of AWS ended early"
	}
	e.RequestID = r.RequestID
	return e
}

// Frames returns the answer's frames. Closing them closes the answer.
func (r *Reply) Frames() *Frames {
	f := NewFrames((*streamBody)(r), r.Close)
	f.requestID = r.RequestID
	return f
}

// Relay is Frames that hand over the bytes of the answer as they come, before they are read as frames, the same bytes in the
// same order. Behind frames that cannot be read the bytes are handed over all the same.
func (r *Reply) Relay(to func([]byte)) *Frames {
	f := NewFrames(&relay{from: (*streamBody)(r), to: to}, r.Close)
	f.requestID, f.passes = r.RequestID, true
	return f
}

// RelayText is Relay for a stream that is no frames: the reader gives the bytes when they have been handed over.
func (r *Reply) RelayText(to func([]byte)) io.Reader { return &relay{from: (*streamBody)(r), to: to} }

// IsTextStream reports whether the answer is a stream of server-sent events.
func (r *Reply) IsTextStream() bool {
	return strings.HasPrefix(r.Header.Get("Content-Type"), "text/event-stream")
}

// relay shows what is read to somebody else.
type relay struct {
	from io.Reader
	to   func([]byte)
}

func (r *relay) Read(p []byte) (int, error) {
	n, err := r.from.Read(p)
	if n > 0 {
		r.to(p[:n])
	}
	return n, err
}

// streamBody is a reply's body whose reads the watch knows of.
type streamBody Reply

func (s *streamBody) Read(p []byte) (int, error) {
	s.watch.reads()
	n, err := s.body.Read(p)
	if n > 0 {
		s.watch.got()
		return n, nil // an error comes again with the next read
	}
	if err != nil && err != io.EOF && s.ctx.Err() != nil {
		return 0, failure(s.parent, s.ctx, err)
	}
	return n, err
}

// Close ends the call, whatever is still to come; a connection whose answer was read to its end is used again.
// It may be called more than once and returns nil.
func (r *Reply) Close() error {
	r.once.Do(func() {
		r.watch.stop()
		r.cancel(nil)
		_ = r.body.Close()
	})
	return nil
}
