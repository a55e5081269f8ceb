package anthropic

import (
	"strconv"

	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// KeepAlive is the event that tells clients and proxies in a silence that the stream lives.
const KeepAlive = "event: ping\ndata: {\"type\": \"ping\"}\n\n"

// Events turns an answer's events into Anthropic's server-sent events. Those that are Anthropic's already are framed and
// handed over; others are said in its words, with blocks counted from 0 and one open at a time.
type Events struct {
	a       *Answer
	started bool
	// blocks counts the blocks so far; open says that the last of them is.
	blocks int
	open   bool
	kind   llm.EventKind // of the open block: EventText, EventThinking or EventToolStart
	at     int32         // the open block's number upstream
	// calls are the numbers of calls by their numbers upstream, for what comes late.
	calls   map[int32]int
	stop    llm.StopReason
	stopRaw string
	ended   bool
}

// NewEvents returns a writer of events.
func NewEvents(a *Answer) *Events { return &Events{a: a} }

// names are the names of events by what they mean; of others the event itself tells.
var names = [...]string{
	llm.EventStart: "message_start", llm.EventText: "content_block_delta", llm.EventThinking: "content_block_delta",
	llm.EventSignature: "content_block_delta", llm.EventToolInput: "content_block_delta", llm.EventCitation: "content_block_delta",
	llm.EventToolStart: "content_block_start", llm.EventBlockStop: "content_block_stop", llm.EventStop: "message_delta",
	llm.EventUsage: "message_stop", llm.EventOther: "",
}

// Append appends the events that ev makes, often one.
func (e *Events) Append(dst []byte, ev *llm.Event) []byte {
	if ev.Native != nil {
		return e.native(dst, ev)
	}
	switch ev.Kind {
	case llm.EventStart:
		return e.start(dst)
	case llm.EventText:
		if ev.Text.IsEmpty() {
			return dst
		}
		dst = e.block(dst, llm.EventText, ev.Index, `{"type":"text","text":""}`)
		return e.delta(dst, `{"type":"text_delta","text":`, ev.Text)
	case llm.EventThinking, llm.EventSignature:
		dst = e.block(dst, llm.EventThinking, ev.Index, `{"type":"thinking","thinking":"","signature":""}`)
		if ev.Kind == llm.EventSignature {
			return e.delta(dst, `{"type":"signature_delta","signature":`, ev.Text)
		}
		return e.delta(dst, `{"type":"thinking_delta","thinking":`, ev.Text)
	case llm.EventRedacted:
		dst = e.begin(e.start(dst), llm.EventRedacted, ev.Index)
		dst = ev.Text.AppendJSON(append(dst, `{"type":"redacted_thinking","data":`...))
		return append(dst, "}}\n\n"...)
	case llm.EventToolStart:
		dst = e.begin(e.start(dst), llm.EventToolStart, ev.Index)
		if e.calls == nil {
			e.calls = map[int32]int{}
		}
		e.calls[ev.Index] = e.blocks - 1
		dst = llm.AppendString(append(dst, `{"type":"tool_use","id":`...), ev.ToolID)
		dst = llm.AppendString(append(dst, `,"name":`...), ev.ToolName)
		return append(dst, ",\"input\":{}}}\n\n"...)
	case llm.EventToolInput:
		if number, known := e.calls[ev.Index]; known {
			return e.deltaOf(dst, number, `{"type":"input_json_delta","partial_json":`, ev.Text)
		}
	case llm.EventCitation:
		dst = e.block(dst, llm.EventText, ev.Index, `{"type":"text","text":""}`)
		dst = e.head(dst, "content_block_delta", e.blocks-1)
		dst = append(dst, `,"delta":{"type":"citations_delta","citation":`...)
		return append(appendCitation(dst, ev.Raw), "}}\n\n"...)
	case llm.EventOther:
		if block := foreignBlock(ev.Raw); block != nil {
			dst = e.begin(e.start(dst), llm.EventOther, ev.Index)
			return append(append(dst, block...), "}\n\n"...)
		}
	case llm.EventBlockStop:
		if e.open && e.at == ev.Index {
			return e.close(dst)
		}
	case llm.EventStop:
		e.stop, e.stopRaw = ev.Stop, ev.StopRaw
	case llm.EventUsage:
		return e.finish(dst, ev)
	}
	return dst
}

// native frames an event that is Anthropic's already. The first one gets the client's name of the model.
func (e *Events) native(dst []byte, ev *llm.Event) []byte {
	name := names[ev.Kind]
	if name == "" {
		if name = jsonscan.Text(jsonscan.Member(ev.Native, "type")); !isEventName(name) {
			return dst // no event of Anthropic's: its name could end the line
		}
	}
	dst = append(append(append(dst, "event: "...), name...), "\ndata: "...)
	if ev.Kind == llm.EventStart {
		dst = e.named(dst, ev.Native)
	} else {
		dst = append(dst, ev.Native...)
	}
	return append(dst, "\n\n"...)
}

func isEventName(name string) bool {
	for i := range len(name) {
		if c := name[i]; c != '_' && (c < 'a' || c > 'z') {
			return false
		}
	}
	return name != ""
}

// named copies a message_start with the client's name of the model.
func (e *Events) named(dst, event []byte) []byte {
	dst = append(dst, '{')
	n := 0
	for name, value := range jsonscan.Members(event) {
		if n++; n > 1 {
			dst = append(dst, ',')
		}
		dst = append(llm.AppendString(dst, name), ':')
		if name == "message" {
			dst = appendNative(dst, e.a, value)
		} else {
			dst = append(dst, value...)
		}
	}
	return append(dst, '}')
}

func (e *Events) start(dst []byte) []byte {
	if e.started {
		return dst
	}
	e.started = true
	dst = append(dst, "event: message_start\ndata: {\"type\":\"message_start\",\"message\":"...)
	dst = e.a.head(dst)
	dst = append(dst, `,"content":[],"stop_reason":null,"stop_sequence":null,"usage":`...)
	dst = AppendUsage(dst, &llm.Usage{}, "")
	return append(dst, "}}\n\n"...)
}

// block makes a block of the kind the open one, unless it is.
func (e *Events) block(dst []byte, kind llm.EventKind, at int32, empty string) []byte {
	if e.open && e.kind == kind && e.at == at {
		return dst
	}
	dst = e.begin(e.start(dst), kind, at)
	return append(append(dst, empty...), "}\n\n"...)
}

// begin opens a block up to its content, and ends the one before.
func (e *Events) begin(dst []byte, kind llm.EventKind, at int32) []byte {
	dst = e.close(dst)
	e.open, e.kind, e.at = true, kind, at
	e.blocks++
	return append(e.head(dst, "content_block_start", e.blocks-1), `,"content_block":`...)
}

// head opens an event of a block.
func (e *Events) head(dst []byte, name string, number int) []byte {
	dst = append(append(append(dst, "event: "...), name...), "\ndata: {\"type\":\""...)
	return strconv.AppendInt(append(append(dst, name...), `","index":`...), int64(number), 10)
}

func (e *Events) delta(dst []byte, before string, text llm.Text) []byte {
	return e.deltaOf(dst, e.blocks-1, before, text)
}

func (e *Events) deltaOf(dst []byte, number int, before string, text llm.Text) []byte {
	dst = append(append(e.head(dst, "content_block_delta", number), `,"delta":`...), before...)
	return append(text.AppendJSON(dst), "}}\n\n"...)
}

func (e *Events) close(dst []byte) []byte {
	if !e.open {
		return dst
	}
	e.open = false
	return append(e.head(dst, "content_block_stop", e.blocks-1), "}\n\n"...)
}

// finish says why the model ended, what was counted, and that this is all.
func (e *Events) finish(dst []byte, ev *llm.Event) []byte {
	if e.ended {
		return dst
	}
	e.ended = true
	dst = e.close(e.start(dst))
	dst = append(dst, "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":"...)
	dst = e.a.appendStop(dst, e.stop, e.stopRaw)
	dst = append(dst, `},"usage":`...)
	var usage llm.Usage
	if ev.Usage != nil {
		usage = *ev.Usage
	}
	tier := ""
	if ev.Tail != nil {
		tier = ev.Tail.Tier
	}
	dst = AppendUsage(dst, &usage, tier)
	return append(dst, "}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"...)
}
