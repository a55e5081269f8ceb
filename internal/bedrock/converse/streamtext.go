package converse

import (
	"bytes"
	"strings"

	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// filterState is where a textFilter stands in the text.
type filterState uint8

const (
	// filterStart: nothing has gone out; it is not known yet what the text is.
	filterStart filterState = iota
	// filterThought: between think tags. filterGap: behind them, before the first character that is no newline.
	filterThought
	filterGap
	// filterFence: inside a Markdown fence.
	filterFence
	// filterHold: all is held until the end.
	filterHold
	// filterPass: all goes out as it comes.
	filterPass
)

// textFilter takes out of streamed text what is no text: the same rules as for a whole answer, held back only as long
// as the next characters may matter. It is for the few families and requests whose Turn asks for it.
type textFilter struct {
	turn  *Turn
	state filterState
	// held is text, unescaped, that has not gone out; index is the block that it came in.
	held  []byte
	index int32
	// end is the tag that ends the reasoning. thoughtSeen says that there was reasoning, so that tags are text.
	end                       string
	thoughtSeen, thoughtBegun bool
	// calls counts calls that were written as text.
	calls int
}

// passes reports that text goes out as it comes.
func (f *textFilter) passes() bool { return f.state == filterPass }

// push takes one more piece and appends to queue what can go out.
func (f *textFilter) push(queue []llm.Event, index int32, piece llm.Text) []llm.Event {
	raw, _ := piece.Raw()
	f.held = jsonscan.AppendUnescaped(f.held, raw)
	f.index = index
	for {
		before, size := f.state, len(f.held)
		queue = f.step(queue)
		if f.state == before && len(f.held) == size || len(f.held) == 0 {
			return queue
		}
	}
}

// step does what the state asks for with the held text.
func (f *textFilter) step(queue []llm.Event) []llm.Event {
	switch f.state {
	case filterStart:
		f.decide()
	case filterThought:
		if !f.thoughtBegun {
			f.held = bytes.TrimLeft(f.held, "\n")
			f.thoughtBegun = len(f.held) > 0
		}
		if thought, rest, ok := bytes.Cut(f.held, []byte(f.end)); ok {
			queue = f.emit(queue, llm.EventThinking, bytes.TrimRight(thought, "\n"))
			f.held, f.state = rest, filterGap
			break
		}
		return f.emitBut(queue, llm.EventThinking, tailOf(f.held, f.end))
	case filterGap:
		f.held = bytes.TrimLeft(f.held, "\n")
		if len(f.held) > 0 {
			f.state = filterStart
		}
	case filterFence:
		return f.emitBut(queue, llm.EventText, fenceTail(f.held))
	case filterPass:
		return f.emitBut(queue, llm.EventText, 0)
	case filterHold:
	}
	return queue
}

// decide leaves filterStart as soon as the text tells what it is.
func (f *textFilter) decide() {
	t := f.turn
	if t.jsonTool != "" {
		f.state = filterHold
		return
	}
	if t.inThought && !f.thoughtSeen {
		tag := thinkTags[0]
		if len(f.held) < len(tag.open) && strings.HasPrefix(tag.open, string(f.held)) {
			return // perhaps the tag all the same: wait
		}
		f.held, f.state, f.end, f.thoughtSeen = bytes.TrimPrefix(f.held, []byte(tag.open)), filterThought, tag.end, true
		return
	}
	if t.thinkTags && !f.thoughtSeen {
		for _, tag := range thinkTags {
			if rest, ok := bytes.CutPrefix(f.held, []byte(tag.open)); ok {
				f.held, f.state, f.end, f.thoughtSeen = rest, filterThought, tag.end, true
				return
			}
			if strings.HasPrefix(tag.open, string(f.held)) {
				return // perhaps a tag: wait
			}
		}
	}
	trimmed := bytes.TrimLeft(f.held, " \t\r\n")
	if t.fences {
		if bytes.HasPrefix(trimmed, []byte(fence)) {
			if _, rest, ok := bytes.Cut(trimmed, []byte("\n")); ok {
				f.held, f.state = rest, filterFence
			}
			return
		}
		if strings.HasPrefix(fence, string(trimmed)) {
			return
		}
	}
	if t.textCalls {
		if len(trimmed) == 0 {
			return
		}
		if trimmed[0] == '{' {
			f.state = filterHold
			return
		}
	}
	f.state = filterPass
}

// finish lets out what is still held at the end of the answer; answered says that a structured answer replaces it.
func (f *textFilter) finish(queue []llm.Event, answered bool) []llm.Event {
	if len(f.held) == 0 {
		return queue
	}
	defer func() { f.held = nil }()
	switch f.state {
	case filterThought:
		return f.emit(queue, llm.EventThinking, bytes.TrimRight(f.held, "\n"))
	case filterGap:
		return queue
	case filterFence:
		inner := bytes.TrimSuffix(bytes.TrimRight(f.held, " \t\r\n"), []byte(fence))
		return f.emit(queue, llm.EventText, bytes.TrimRight(inner, " \t\r\n"))
	case filterHold:
		if answered {
			return queue
		}
		if f.turn.textCalls {
			if call, ok := textCall(string(f.held), f.turn); ok {
				f.calls++
				queue = append(queue, llm.Event{Kind: llm.EventToolStart, Index: f.index, ToolID: call.ID, ToolName: call.Name})
				return append(queue, llm.Event{Kind: llm.EventToolInput, Index: f.index, Text: quoted(call.Input)})
			}
		}
	default:
	}
	return f.emit(queue, llm.EventText, f.held)
}

// emit appends an event with text of its own.
func (f *textFilter) emit(queue []llm.Event, kind llm.EventKind, text []byte) []llm.Event {
	if len(text) == 0 {
		return queue
	}
	return append(queue, llm.Event{Kind: kind, Index: f.index, Text: llm.NewText(string(text))})
}

// emitBut lets out all held text but the last keep bytes.
func (f *textFilter) emitBut(queue []llm.Event, kind llm.EventKind, keep int) []llm.Event {
	n := len(f.held) - keep
	queue = f.emit(queue, kind, f.held[:n])
	f.held = append(f.held[:0], f.held[n:]...)
	return queue
}

// tailOf returns how many bytes at the end of text may be the beginning of end, with newlines before it.
func tailOf(text []byte, end string) int {
	n := 0
	for k := min(len(text), len(end)-1); k > 0; k-- {
		if strings.HasPrefix(end, string(text[len(text)-k:])) {
			n = k
			break
		}
	}
	for n < len(text) && text[len(text)-n-1] == '\n' {
		n++
	}
	return n
}

// fenceTail returns how many bytes at the end of text may belong to the closing fence.
func fenceTail(text []byte) int {
	rest := bytes.TrimRight(text, " \t\r\n")
	for i := 0; i < len(fence) && len(rest) > 0 && rest[len(rest)-1] == fence[0]; i++ {
		rest = rest[:len(rest)-1]
	}
	return len(text) - len(bytes.TrimRight(rest, " \t\r\n"))
}
