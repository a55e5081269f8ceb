package invoke

import (
	"bytes"
	"errors"
	"io"
	"net/http"

	"github.com/outcrop-ai/outcrop/internal/bedrock/converse"
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// reframed is a stream of Claude's own events for a client that speaks Claude's own words: each event is handed over as
// it came, and read only for what the books, the retries and the keeping of time need.
type reframed struct {
	from      objects
	header    http.Header
	requestID string

	// object is the event; spare is its copy where it had to be changed.
	object, spare []byte
	usage         usage
	booked        llm.Usage
	tail          llm.Tail
	stopped, done bool
	err           error
}

// Next returns the next event.
func (r *reframed) Next() (llm.Event, error) {
	for r.err == nil {
		object, err := r.from.next()
		switch {
		case errors.Is(err, io.EOF) && r.done:
			r.err = io.EOF
		case errors.Is(err, io.EOF):
			r.fail("stream ended early", io.ErrUnexpectedEOF)
		case err != nil:
			r.err = err
		case r.done || object == nil: // nothing that comes now belongs to the answer
		default:
			if ev, ok := r.event(object); ok {
				return ev, nil
			}
		}
	}
	return llm.Event{}, r.err
}

func (r *reframed) fail(message string, cause error) {
	r.err = &llm.Error{Kind: llm.KindUpstream, Message: message, RequestID: r.requestID, Cause: cause}
}

// Buffered reports that the next event has been received.
func (r *reframed) Buffered() bool { return r.err == nil && r.from.Buffered() }

// Close ends the upstream call.
func (r *reframed) Close() error {
	if r.err == nil {
		r.err = io.EOF
	}
	return r.from.Close()
}

// chunkBytes returns what stands in a frame, base64. Nearly all frames are spelled as AWS spells them.
func chunkBytes(payload []byte) ([]byte, bool) {
	const head = `{"bytes":"`
	if len(payload) > len(head) && string(payload[:len(head)]) == head {
		if end := bytes.IndexByte(payload[len(head):], '"'); end >= 0 {
			return payload[len(head) : len(head)+end], true
		}
	}
	return jsonscan.Inner(jsonscan.Member(payload, "bytes"))
}

// event reads one object. ok is false for those that bring no event.
func (r *reframed) event(object []byte) (ev llm.Event, ok bool) {
	r.object = object
	p, err := readNative(object)
	if err != nil {
		r.fail("a chunk of AWS's stream is not JSON", err)
		return ev, false
	}
	ev.Native = r.native()
	switch kind := p.kind; string(kind) {
	case "content_block_delta":
		ev.Index = int32(min(p.index, 1<<20)) //nolint:gosec // bounded
		ev.Kind, ev.Text, ev.Raw = deltaOf(p.delta)
	case "content_block_start":
		ev.Index = int32(min(p.index, 1<<20)) //nolint:gosec // bounded
		ev.Kind = llm.EventOther
		if jsonscan.Text(jsonscan.Member(p.block, "type")) == "tool_use" {
			ev.Kind = llm.EventToolStart
			ev.ToolID, ev.ToolName = jsonscan.Text(jsonscan.Member(p.block, "id")), jsonscan.Text(jsonscan.Member(p.block, "name"))
		}
	case "content_block_stop":
		ev.Kind, ev.Index = llm.EventBlockStop, int32(min(p.index, 1<<20)) //nolint:gosec // bounded
	case "message_start":
		ev.Kind = llm.EventStart
		r.usage.anthropic(jsonscan.Member(p.message, "usage"))
	case "message_delta":
		r.usage.anthropic(p.usage)
		r.stopped = true
		ev.Kind = llm.EventStop
		reason, _ := jsonscan.Inner(jsonscan.Member(p.delta, "stop_reason"))
		ev.Stop, ev.StopRaw = converse.StopOf(reason)
	case "message_stop":
		r.done = true
		r.usage.metrics(p.metrics)
		r.booked = r.usage.total()
		r.tail.Tier = r.header.Get(headerTier)
		ev.Kind, ev.Usage, ev.Tail = llm.EventUsage, &r.booked, &r.tail
	case "error":
		r.err = anthropicError(p.failure, r.requestID)
		return ev, false
	default: // ping, and what is newer than this program
		ev.Kind = llm.EventOther
	}
	return ev, true
}

// native returns the event as the client gets it: without what AWS adds for its own books, and on one line.
func (r *reframed) native() []byte {
	out := r.object
	if bytes.Contains(out, []byte(`"`+memberMetrics+`"`)) {
		out, _ = jsonscan.Delete(out, memberMetrics)
	}
	if bytes.IndexByte(out, '\n') >= 0 || bytes.IndexByte(out, '\r') >= 0 { // white space between tokens
		r.spare = jsonscan.AppendCompact(r.spare[:0], out)
		out = r.spare
	}
	return out
}

// nativeEvent are the members of an event that are looked at: spans of it.
type nativeEvent struct {
	kind                                           []byte
	index                                          int64
	delta, block, message, usage, failure, metrics []byte
}

// readNative goes over an event once, and checks that it is JSON.
func readNative(object []byte) (p nativeEvent, err error) {
	s := jsonscan.New(object)
	more, err := s.OpenObject()
	for ; err == nil && more; more, err = s.NextMember() {
		key, err := s.Key()
		if err != nil {
			return p, err
		}
		value, err := s.Skip()
		if err != nil {
			return p, err
		}
		switch string(key) {
		case "type":
			p.kind, _ = jsonscan.Inner(value)
		case "index":
			p.index, _ = number(value)
		case "delta":
			p.delta = value
		case "content_block":
			p.block = value
		case "message":
			p.message = value
		case "usage":
			p.usage = value
		case "error":
			p.failure = value
		case memberMetrics:
			p.metrics = value
		}
	}
	if err != nil {
		return p, err
	}
	return p, s.End()
}

// deltaOf says what a delta brings. A kind that is not known is handed over all the same.
func deltaOf(delta []byte) (llm.EventKind, llm.Text, []byte) {
	var kind, text []byte
	s := jsonscan.New(delta)
	if s.Peek() != jsonscan.KindObject {
		return llm.EventOther, llm.Text{}, nil
	}
	more, err := s.OpenObject()
	for ; err == nil && more; more, err = s.NextMember() {
		key, err := s.Key()
		if err != nil {
			break
		}
		value, err := s.Skip()
		if err != nil {
			break
		}
		switch string(key) {
		case "type":
			kind, _ = jsonscan.Inner(value)
		case "text", "thinking", "signature", "partial_json":
			text, _ = jsonscan.Inner(value)
		case "citation":
			text = value
		}
	}
	switch string(kind) {
	case "text_delta":
		return llm.EventText, llm.RawText(text), nil
	case "thinking_delta":
		return llm.EventThinking, llm.RawText(text), nil
	case "signature_delta":
		return llm.EventSignature, llm.RawText(text), nil
	case "input_json_delta":
		return llm.EventToolInput, llm.RawText(text), nil
	case "citations_delta":
		return llm.EventCitation, llm.Text{}, text
	}
	return llm.EventOther, llm.Text{}, nil
}
