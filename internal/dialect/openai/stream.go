package openai

import (
	"strconv"

	"github.com/outcrop-ai/outcrop/llm"
)

// KeepAlive is the server-sent event comment that tells proxies and clients in a silence that the stream lives.
const KeepAlive = ": keep-alive\n\n"

// Done ends a complete stream.
const Done = "data: [DONE]\n\n"

// Chunks turns events into chat.completion.chunk events. It keeps what the order of OpenAI's chunks needs: tool calls
// are counted from 0 whatever AWS's block numbers are, and the finish chunk waits for the usage, so that what AWS says
// at the end can ride on it.
type Chunks struct {
	head         []byte // `data: {"id":…,"choices":[{"index":0,"delta":`, the same in every chunk of a choice
	choiceAt     int    // where the choice begins in head
	tail         string // `,"finish_reason":null}]}\n\n`, the same in every chunk but the last
	includeUsage bool
	legacy       bool
	further      []*Chunks // those of the choices after the first

	started   bool
	stop      llm.StopReason
	stopRaw   string
	stopped   bool
	finished  bool
	calls     []callState
	reasoning []int32 // block numbers of the reasoning blocks, in order
	cited     citedText
}

type callState struct {
	block int32
	input bool // has the call had any of its arguments?
}

// NewChunks returns a writer of chunks. includeUsage is stream_options.include_usage.
func NewChunks(a *Answer, includeUsage bool) *Chunks {
	c := &Chunks{includeUsage: includeUsage, legacy: a.Legacy}
	c.head = append(c.head, `data: {"id":`...)
	c.head = llm.AppendString(c.head, a.ID)
	c.head = append(c.head, `,"object":"chat.completion.chunk","created":`...)
	c.head = strconv.AppendInt(c.head, a.Created, 10)
	c.head = append(c.head, `,"model":`...)
	c.head = llm.AppendString(c.head, a.Model)
	c.head = append(c.head, `,"choices":[`...)
	c.choiceAt = len(c.head)
	c.head = append(c.head, `{"index":0,"delta":`...)
	c.tail = `,"finish_reason":null}]}` + "\n\n"
	if includeUsage {
		c.tail = `,"finish_reason":null}],"usage":null}` + "\n\n"
	}
	return c
}

// choice returns the writer of a choice after the first.
func (c *Chunks) choice(index int) *Chunks {
	for i := len(c.further) + 1; i <= index; i++ {
		f := &Chunks{choiceAt: c.choiceAt, tail: c.tail, includeUsage: c.includeUsage, legacy: c.legacy}
		f.head = append(append(f.head, c.head[:c.choiceAt]...), `{"index":`...)
		f.head = append(strconv.AppendInt(f.head, int64(i), 10), `,"delta":`...)
		c.further = append(c.further, f)
	}
	return c.further[index-1]
}

// Append appends the chunks that ev makes, often none and at most a few.
func (c *Chunks) Append(dst []byte, ev *llm.Event) []byte {
	if ev.Choice > 0 {
		c = c.choice(int(ev.Choice))
	}
	if ev.Kind == llm.EventText { // the common case first
		if ev.Text.IsEmpty() {
			return dst
		}
		c.cited.text(ev)
		dst = c.start(dst)
		dst = append(dst, c.head...)
		dst = append(dst, `{"content":`...)
		dst = ev.Text.AppendJSON(dst)
		dst = append(dst, '}')
		if len(ev.Raw) > 0 {
			dst = append(append(dst, `,"logprobs":`...), ev.Raw...)
		}
		return append(dst, c.tail...)
	}
	switch ev.Kind {
	case llm.EventStart:
		return c.start(dst)
	case llm.EventThinking, llm.EventSignature, llm.EventRedacted:
		return c.think(c.start(dst), ev)
	case llm.EventToolStart:
		return c.call(c.start(dst), ev)
	case llm.EventToolInput:
		return c.input(dst, ev.Index, ev.Text)
	case llm.EventBlockStop:
		if k := c.find(ev.Index); k >= 0 && !c.calls[k].input {
			return c.input(dst, ev.Index, llm.NewText("{}"))
		}
	case llm.EventCitation:
		c.cited.cite(ev)
		return c.other(c.start(dst), "citation", ev)
	case llm.EventOther:
		return c.other(c.start(dst), "other_content", ev)
	case llm.EventStop:
		c.stop, c.stopRaw, c.stopped = ev.Stop, ev.StopRaw, true
	case llm.EventUsage:
		dst = c.Finish(dst, ev.Tail)
		if c.includeUsage && ev.Usage != nil {
			dst = c.Usage(dst, *ev.Usage)
		}
	}
	return dst
}

func (c *Chunks) start(dst []byte) []byte {
	if c.started {
		return dst
	}
	c.started = true
	return c.delta(dst, `{"role":"assistant","content":""}`)
}

func (c *Chunks) delta(dst []byte, delta string) []byte {
	dst = append(dst, c.head...)
	dst = append(dst, delta...)
	return append(dst, c.tail...)
}

func (c *Chunks) think(dst []byte, ev *llm.Event) []byte {
	if ev.Text.IsEmpty() {
		return dst
	}
	dst = append(dst, c.head...)
	dst = append(dst, `{`...)
	switch ev.Kind {
	case llm.EventThinking:
		dst = append(dst, `"reasoning_content":`...)
		dst = ev.Text.AppendJSON(dst)
		dst = append(dst, ',')
	case llm.EventSignature:
		dst = append(dst, `"reasoning_content":"",`...)
	}
	dst = append(dst, `"thinking_blocks":[{"type":`...)
	kind, member, own := `"thinking"`, `,"thinking":`, `{"text":`
	switch ev.Kind {
	case llm.EventSignature:
		member, own = `,"thinking":"","signature":`, `{"signature":`
	case llm.EventRedacted:
		kind, member, own = `"redacted_thinking"`, `,"data":`, `{"redactedContent":`
	}
	dst = append(dst, kind...)
	dst = append(dst, `,"index":`...)
	dst = strconv.AppendInt(dst, int64(c.thinkIndex(ev.Index)), 10)
	dst = append(dst, member...)
	dst = ev.Text.AppendJSON(dst)
	dst = append(dst, `}],"provider_specific_fields":{"reasoningContent":`...)
	dst = append(dst, own...)
	dst = ev.Text.AppendJSON(dst)
	dst = append(dst, `}}}`...)
	return append(dst, c.tail...)
}

// thinkIndex counts reasoning blocks from 0.
func (c *Chunks) thinkIndex(block int32) int {
	for i, b := range c.reasoning {
		if b == block {
			return i
		}
	}
	c.reasoning = append(c.reasoning, block)
	return len(c.reasoning) - 1
}

func (c *Chunks) call(dst []byte, ev *llm.Event) []byte {
	c.calls = append(c.calls, callState{block: ev.Index})
	k := len(c.calls) - 1
	if c.legacy && k > 0 {
		return dst
	}
	dst = append(dst, c.head...)
	if c.legacy {
		dst = append(dst, `{"function_call":{"name":`...)
	} else {
		dst = append(dst, `{"tool_calls":[{"index":`...)
		dst = strconv.AppendInt(dst, int64(k), 10)
		dst = append(dst, `,"id":`...)
		dst = llm.AppendString(dst, ev.ToolID)
		dst = append(dst, `,"type":"function","function":{"name":`...)
	}
	dst = llm.AppendString(dst, ev.ToolName)
	dst = append(dst, `,"arguments":""}`...)
	if !c.legacy {
		dst = append(dst, `}]`...)
	}
	dst = append(dst, '}')
	return append(dst, c.tail...)
}

// find returns the number of the latest call in that block, -1 if there is none.
func (c *Chunks) find(block int32) int {
	for k := len(c.calls) - 1; k >= 0; k-- {
		if c.calls[k].block == block {
			return k
		}
	}
	return -1
}

func (c *Chunks) input(dst []byte, block int32, fragment llm.Text) []byte {
	k := c.find(block)
	if k < 0 || fragment.IsEmpty() || c.legacy && k > 0 {
		return dst
	}
	c.calls[k].input = true
	dst = append(dst, c.head...)
	if c.legacy {
		dst = append(dst, `{"function_call":{"arguments":`...)
		dst = fragment.AppendJSON(dst)
		dst = append(dst, `}}`...)
		return append(dst, c.tail...)
	}
	dst = append(dst, `{"tool_calls":[{"index":`...)
	dst = strconv.AppendInt(dst, int64(k), 10)
	dst = append(dst, `,"function":{"arguments":`...)
	dst = fragment.AppendJSON(dst)
	dst = append(dst, `}}]}`...)
	return append(dst, c.tail...)
}

func (c *Chunks) other(dst []byte, name string, ev *llm.Event) []byte {
	if len(ev.Raw) == 0 {
		return dst
	}
	dst = append(dst, c.head...)
	dst = append(dst, `{"provider_specific_fields":{"`...)
	dst = append(dst, name...)
	dst = append(dst, `":`...)
	dst = append(dst, ev.Raw...)
	dst = append(dst, `}}`...)
	return append(dst, c.tail...)
}

// Finish appends the finish chunk, once. It is called by Append when the usage comes, and by a caller whose stream
// ended well without one.
func (c *Chunks) Finish(dst []byte, tail *llm.Tail) []byte {
	if c.finished {
		return dst
	}
	c.finished = true
	dst = c.start(dst)
	dst = append(dst, c.head...)
	dst = append(dst, `{`...)
	if c.cited.close(); len(c.cited.list.json) > 0 {
		dst = append(append(append(dst, `"annotations":[`...), c.cited.list.json...), ']')
	}
	dst = append(dst, `},"finish_reason":"`...)
	dst = append(dst, FinishReason(c.stop, len(c.calls) > 0, c.legacy)...)
	dst = append(dst, `"}]`...)
	if c.includeUsage {
		dst = append(dst, `,"usage":null`...)
	}
	if c.stopRaw != "" {
		dst = append(dst, `,"provider_specific_fields":{"stop_reason":`...)
		dst = llm.AppendString(dst, c.stopRaw)
		if tail != nil && len(tail.Trace) > 0 {
			dst = append(dst, `,"trace":`...)
			dst = append(dst, tail.Trace...)
		}
		if tail != nil && len(tail.Fields) > 0 {
			dst = append(dst, `,"additionalModelResponseFields":`...)
			dst = append(dst, tail.Fields...)
		}
		dst = append(dst, '}')
	}
	dst = appendTail(dst, tail)
	return append(dst, "}\n\n"...)
}

// Usage appends the usage chunk, which has no choices.
func (c *Chunks) Usage(dst []byte, u llm.Usage) []byte {
	dst = append(dst, c.head[:c.choiceAt]...)
	dst = append(dst, `],"usage":`...)
	dst = AppendUsage(dst, u)
	return append(dst, "}\n\n"...)
}
