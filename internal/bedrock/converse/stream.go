package converse

import (
	"errors"
	"io"

	"github.com/outcrop-ai/outcrop/internal/bedrock/wire"
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// Frames are the event-stream frames of a ConverseStream answer; *wire.Frames is what brings them in earnest. A frame
// is valid until the next call of Next.
type Frames interface {
	Next() (wire.Frame, error)
	Buffered() bool
	Close() error
}

// NewStream returns the events of a ConverseStream answer; it owns frames from then on. requestID is AWS's, for errors.
//
// A stream that ends before AWS said why it stopped ends in an *llm.Error of [llm.KindUpstream]; one that ends after
// that without usage ends in io.EOF, and the caller estimates.
func NewStream(frames Frames, turn *Turn, requestID string) llm.Stream {
	return NewStreamOf(&frameEvents{frames, requestID}, turn, requestID)
}

// Events are a stream in Converse's words: kind is the event's name, payload its JSON, both valid until the next call of
// Next. io.EOF ends it in good order; any other error should be an *llm.Error.
type Events interface {
	Next() (kind, payload []byte, err error)
	Buffered() bool
	Close() error
}

// NewStreamOf is [NewStream] for events that are not, or not yet, in frames of ConverseStream.
func NewStreamOf(events Events, turn *Turn, requestID string) llm.Stream {
	s := &stream{frames: events, turn: turn, requestID: requestID}
	s.text.turn = turn
	return s
}

// frameEvents are the events in frames.
type frameEvents struct {
	Frames
	requestID string
}

func (f *frameEvents) Next() (kind, payload []byte, err error) {
	frame, err := f.Frames.Next()
	if err != nil {
		return nil, nil, err
	}
	if !frame.IsEvent() {
		return nil, nil, wire.FrameError(frame, f.requestID)
	}
	return frame.EventType(), frame.Payload(), nil
}

// stream reads frames on demand. Most frames give one event or none; what gives more waits in queue.
type stream struct {
	frames    Events
	turn      *Turn
	requestID string

	queue []llm.Event
	head  int
	err   error

	text textFilter
	// tools are the blocks that have begun as tool use.
	tools []toolStream
	calls int
	// answered says that the tool of a structured answer has begun.
	answered bool
	// stopped says that AWS said why it stopped, complete that the usage has come, too.
	stopped, complete bool
	usage             llm.Usage
	tail              llm.Tail
}

// Next returns the next event.
func (s *stream) Next() (llm.Event, error) {
	for {
		if s.head < len(s.queue) {
			ev := s.queue[s.head]
			s.head++
			return ev, nil
		}
		if s.head > 0 {
			s.queue, s.head = s.queue[:0], 0
		}
		if s.err != nil {
			return llm.Event{}, s.err
		}
		kind, payload, err := s.frames.Next()
		if err != nil {
			s.err = s.endOf(err)
			continue
		}
		if s.complete {
			continue // nothing that comes now can change the answer
		}
		ev, ok, err := s.event(kind, payload)
		if err != nil {
			s.err = &llm.Error{
				Kind: llm.KindUpstream, Message: "an event of AWS's stream is not JSON", RequestID: s.requestID, Cause: err,
			}
			continue
		}
		if ok {
			return ev, nil
		}
	}
}

// endOf says what the end of the frames means.
func (s *stream) endOf(err error) error {
	if s.complete || s.stopped && err == io.EOF { //nolint:errorlint // only the bare one is an orderly end
		return io.EOF
	}
	if err == io.EOF { //nolint:errorlint // as above; callers must not take the cause for an orderly end
		err = io.ErrUnexpectedEOF
	}
	var known *llm.Error
	if errors.As(err, &known) {
		return err
	}
	return &llm.Error{Kind: llm.KindUpstream, Message: "stream ended early", RequestID: s.requestID, Cause: err}
}

// Buffered reports that the next event has been received.
func (s *stream) Buffered() bool { return s.head < len(s.queue) || s.err == nil && s.frames.Buffered() }

// Close ends the upstream call.
func (s *stream) Close() error {
	if s.err == nil {
		s.err = io.EOF
	}
	s.queue, s.head = nil, 0
	return s.frames.Close()
}

// event decodes one frame. ok says that it gives the returned event; others may wait in the queue.
func (s *stream) event(kind, payload []byte) (ev llm.Event, ok bool, err error) {
	scan := jsonscan.New(payload)
	switch string(kind) {
	case "contentBlockDelta":
		if index, text, ok := plainText(payload); ok && (s.turn == nil || s.text.passes()) {
			return llm.Event{Kind: llm.EventText, Index: index, Text: llm.RawText(text)}, len(text) > 0, nil
		}
		return s.delta(&scan)
	case "contentBlockStart":
		return s.blockStart(&scan)
	case "contentBlockStop":
		return s.blockStop(&scan)
	case "messageStart":
		_, err := scan.Skip()
		return llm.Event{Kind: llm.EventStart}, err == nil, err
	case "messageStop":
		return s.messageStop(&scan)
	case "metadata":
		return s.metadata(&scan)
	default:
		return llm.Event{}, false, nil // an event of a newer AWS
	}
}

// push queues one more event of the frame.
func (s *stream) push(ev llm.Event) { s.queue = append(s.queue, ev) }

// blockIndex reads contentBlockIndex.
func blockIndex(scan *jsonscan.Scanner) (int32, error) {
	if scan.Peek() != jsonscan.KindNumber {
		_, err := scan.Skip()
		return 0, err
	}
	raw, err := scan.Number()
	return int32(min(tokens(raw), 1<<30)), err //nolint:gosec // bounded
}

// plainText reads a text delta in exactly the form in which AWS writes nearly all of them, index first and padding
// last. Any other spelling is left to the scanner. This is the one path that runs for every token of every stream.
func plainText(payload []byte) (index int32, text []byte, ok bool) {
	const head, middle, padding = `{"contentBlockIndex":`, `,"delta":{"text":`, `},"p":"`
	if len(payload) < len(head) || string(payload[:len(head)]) != head {
		return 0, nil, false
	}
	i := len(head)
	for ; i < len(payload) && '0' <= payload[i] && payload[i] <= '9' && index < 1<<20; i++ {
		index = index*10 + int32(payload[i]-'0')
	}
	if i == len(head) || i > len(head)+1 && payload[len(head)] == '0' || !hasPrefixAt(payload, i, middle) {
		return 0, nil, false
	}
	scan := jsonscan.Scanner{Data: payload, Pos: i + len(middle)}
	text, err := scan.String()
	if err != nil {
		return 0, nil, false
	}
	rest := payload[scan.Pos:]
	if string(rest) == `}}` {
		return index, text, true
	}
	if !hasPrefixAt(rest, 0, padding) || len(rest) < len(padding)+2 || string(rest[len(rest)-2:]) != `"}` {
		return 0, nil, false
	}
	for _, c := range rest[len(padding) : len(rest)-2] {
		if !isNameByte(c) {
			return 0, nil, false
		}
	}
	return index, text, true
}

func hasPrefixAt(b []byte, i int, prefix string) bool {
	return len(b)-i >= len(prefix) && string(b[i:i+len(prefix)]) == prefix
}

// delta decodes contentBlockDelta.
func (s *stream) delta(scan *jsonscan.Scanner) (ev llm.Event, ok bool, err error) {
	var span, logprobs []byte
	more, err := scan.OpenObject()
	for ; err == nil && more; more, err = scan.NextMember() {
		key, err := scan.Key()
		if err != nil {
			return ev, false, err
		}
		switch string(key) {
		case "contentBlockIndex":
			ev.Index, err = blockIndex(scan)
		case "delta":
			start := scan.Pos
			ok, err = readDelta(scan, &ev)
			span = trimSpan(scan.Data[start:scan.Pos])
		case "logprobs": // said by a family's own body
			logprobs, err = scan.Skip()
		default:
			_, err = scan.Skip()
		}
		if err != nil {
			return ev, false, err
		}
	}
	if err != nil || !ok {
		return ev, false, err
	}
	switch ev.Kind {
	case llm.EventText:
		if ev.Text.IsEmpty() {
			return ev, false, nil
		}
		if s.turn == nil || s.text.passes() {
			ev.Raw = logprobs
			return ev, true, nil
		}
		s.queue = s.text.push(s.queue, ev.Index, ev.Text)
		return ev, false, nil
	case llm.EventToolInput:
		return s.toolInput(ev, span)
	case llm.EventThinking:
		s.text.thoughtSeen = true
		return ev, !ev.Text.IsEmpty(), nil
	default:
		return ev, true, nil
	}
}

// readDelta reads the delta's one known member into ev.
func readDelta(scan *jsonscan.Scanner, ev *llm.Event) (found bool, err error) {
	if scan.Peek() != jsonscan.KindObject {
		_, err := scan.Skip()
		return false, err
	}
	start := scan.Pos
	unknown := false
	more, err := scan.OpenObject()
	for ; err == nil && more; more, err = scan.NextMember() {
		key, err := scan.Key()
		if err != nil {
			return false, err
		}
		var value []byte
		switch kind := scan.Peek(); {
		case kind == jsonscan.KindString && string(key) == "text":
			value, err = scan.String()
			ev.Kind, ev.Text, found = llm.EventText, llm.RawText(value), true
		case kind == jsonscan.KindObject && string(key) == "toolUse":
			ev.Kind, found = llm.EventToolInput, true
			ev.Text, err = readToolInput(scan)
		case kind == jsonscan.KindObject && string(key) == "reasoningContent":
			found, err = readReasoning(scan, ev)
		case kind == jsonscan.KindObject && string(key) == "citation":
			value, err = scan.Skip()
			ev.Kind, ev.Raw, found = llm.EventCitation, value, true
		default:
			_, err = scan.Skip()
			unknown = unknown || string(key) != "p"
		}
		if err != nil {
			return false, err
		}
	}
	if err == nil && !found && unknown {
		ev.Kind, ev.Raw, found = llm.EventOther, trimSpan(scan.Data[start:scan.Pos]), true
	}
	return found, err
}

func readToolInput(scan *jsonscan.Scanner) (input llm.Text, err error) {
	more, err := scan.OpenObject()
	for ; err == nil && more; more, err = scan.NextMember() {
		key, err := scan.Key()
		if err != nil {
			return input, err
		}
		if string(key) != "input" || scan.Peek() != jsonscan.KindString {
			if _, err := scan.Skip(); err != nil {
				return input, err
			}
			continue
		}
		raw, err := scan.String()
		if err != nil {
			return input, err
		}
		input = llm.RawText(raw)
	}
	return input, err
}

func readReasoning(scan *jsonscan.Scanner, ev *llm.Event) (found bool, err error) {
	more, err := scan.OpenObject()
	for ; err == nil && more; more, err = scan.NextMember() {
		key, err := scan.Key()
		if err != nil {
			return false, err
		}
		kind := llm.EventStart
		switch string(key) {
		case "text":
			kind = llm.EventThinking
		case "signature":
			kind = llm.EventSignature
		case "redactedContent":
			kind = llm.EventRedacted
		}
		if kind == llm.EventStart || scan.Peek() != jsonscan.KindString {
			if _, err := scan.Skip(); err != nil {
				return false, err
			}
			continue
		}
		raw, err := scan.String()
		if err != nil {
			return false, err
		}
		if len(raw) > 0 || !found {
			ev.Kind, ev.Text, found = kind, llm.RawText(raw), len(raw) > 0
		}
		if kind == llm.EventRedacted {
			ev.Text = unwrapRedacted(raw)
		}
	}
	return found, err
}

// blockStart decodes contentBlockStart. Only tool use has one of meaning; text and reasoning begin with their first
// delta.
func (s *stream) blockStart(scan *jsonscan.Scanner) (ev llm.Event, ok bool, err error) {
	var start []byte
	more, err := scan.OpenObject()
	for ; err == nil && more; more, err = scan.NextMember() {
		key, err := scan.Key()
		if err != nil {
			return ev, false, err
		}
		switch string(key) {
		case "contentBlockIndex":
			ev.Index, err = blockIndex(scan)
		case "start":
			start, err = scan.Skip()
		default:
			_, err = scan.Skip()
		}
		if err != nil {
			return ev, false, err
		}
	}
	if err != nil || len(start) == 0 || isEmptyObject(start) || start[0] != '{' {
		return ev, false, err
	}
	tool, isTool := memberOf(start, "toolUse")
	kind, _ := memberOf(tool, "type")
	if !isTool || string(kind) == `"server_tool_use"` {
		if name, _ := memberOf(tool, "name"); string(name) == `"`+toolGrounding+`"` {
			s.usage.Searches++
		}
		s.tools = append(s.tools, toolStream{index: ev.Index, mode: toolOther})
		ev.Kind, ev.Raw = llm.EventOther, start
		return ev, true, nil
	}
	return s.toolStart(ev, tool)
}

// blockStop decodes contentBlockStop.
func (s *stream) blockStop(scan *jsonscan.Scanner) (ev llm.Event, ok bool, err error) {
	ev.Kind = llm.EventBlockStop
	more, err := scan.OpenObject()
	for ; err == nil && more; more, err = scan.NextMember() {
		key, err := scan.Key()
		if err != nil {
			return ev, false, err
		}
		if string(key) == "contentBlockIndex" {
			ev.Index, err = blockIndex(scan)
		} else {
			_, err = scan.Skip()
		}
		if err != nil {
			return ev, false, err
		}
	}
	if err != nil {
		return ev, false, err
	}
	if t := s.toolAt(ev.Index); t != nil && !t.ended {
		s.toolStop(t)
		if s.head < len(s.queue) {
			s.push(ev)
			return ev, false, nil
		}
	}
	return ev, true, nil
}

func (s *stream) messageStop(scan *jsonscan.Scanner) (ev llm.Event, ok bool, err error) {
	ev.Kind = llm.EventStop
	more, err := scan.OpenObject()
	for ; err == nil && more; more, err = scan.NextMember() {
		key, err := scan.Key()
		if err != nil {
			return ev, false, err
		}
		switch {
		case string(key) == "stopReason" && scan.Peek() == jsonscan.KindString:
			var raw []byte
			raw, err = scan.String()
			ev.Stop, ev.StopRaw = stopOf(raw)
		case string(key) == "additionalModelResponseFields":
			if s.tail.Fields, err = keep(scan); err == nil {
				s.usage.Reasoning = reasoningTokens(s.tail.Fields)
			}
		default:
			_, err = scan.Skip()
		}
		if err != nil {
			return ev, false, err
		}
	}
	if err != nil {
		return ev, false, err
	}
	for i := range s.tools { // a block that AWS did not close
		if t := &s.tools[i]; !t.ended {
			s.toolStop(t)
		}
	}
	if s.turn != nil {
		s.queue = s.text.finish(s.queue, s.answered)
		s.calls += s.text.calls
	}
	s.stopped = true
	ev.Stop = settleStop(ev.Stop, s.calls > 0)
	if s.head < len(s.queue) {
		s.push(ev)
		return ev, false, nil
	}
	return ev, true, nil
}

func (s *stream) metadata(scan *jsonscan.Scanner) (ev llm.Event, ok bool, err error) {
	more, err := scan.OpenObject()
	for ; err == nil && more; more, err = scan.NextMember() {
		key, err := scan.Key()
		if err != nil {
			return ev, false, err
		}
		switch string(key) {
		case "usage":
			err = readUsage(scan, &s.usage)
		case "trace":
			s.tail.Trace, err = keep(scan)
		case "performanceConfig":
			s.tail.Performance, err = keep(scan)
		case "serviceTier":
			s.tail.Tier, err = readTier(scan)
		default:
			_, err = scan.Skip()
		}
		if err != nil {
			return ev, false, err
		}
	}
	if err != nil {
		return ev, false, err
	}
	s.complete = s.stopped
	ev.Kind, ev.Usage, ev.Tail = llm.EventUsage, &s.usage, &s.tail
	return ev, true, nil
}

// keep copies a value that outlives its frame; null is none.
func keep(scan *jsonscan.Scanner) ([]byte, error) {
	raw, err := scan.Skip()
	if err != nil || string(raw) == "null" {
		return nil, err
	}
	return append([]byte(nil), raw...), nil
}
