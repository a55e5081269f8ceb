package llm

import (
	"encoding/json"
	"iter"
	"slices"
	"strings"
)

// Collect reads a stream to its end and joins its events to the answer that they tell. Of a stream that breaks it returns
// what has come, with the error.
func Collect(events iter.Seq2[Event, error]) (*Response, error) {
	var answers []*gathering
	for ev, err := range events {
		for len(answers) <= int(ev.Choice) {
			answers = append(answers, &gathering{})
		}
		if err != nil {
			return join(answers), err
		}
		answers[ev.Choice].add(&ev)
		if ev.Kind == EventUsage && ev.Usage != nil {
			answers[0].response.Usage = *ev.Usage
		}
	}
	return join(answers), nil
}

func join(answers []*gathering) *Response {
	if len(answers) == 0 {
		return &Response{}
	}
	first := answers[0].answer()
	for _, further := range answers[1:] {
		first.Further = append(first.Further, further.answer())
	}
	return first
}

// gathering is one answer that is being joined.
type gathering struct {
	response Response
	blocks   []*pieces
}

// pieces are what has come of a block.
type pieces struct {
	index     int32
	block     Block
	text      strings.Builder
	signature strings.Builder
	citations []json.RawMessage
}

// at returns the block that an event belongs to. Kinds do not mix: what is of another kind begins a block of its own.
func (g *gathering) at(ev *Event, kind BlockKind) *pieces {
	for _, p := range slices.Backward(g.blocks) {
		if p.index == ev.Index && p.block.Kind == kind {
			return p
		}
	}
	p := &pieces{index: ev.Index, block: Block{Kind: kind}}
	g.blocks = append(g.blocks, p)
	return p
}

func (g *gathering) add(ev *Event) {
	r := &g.response
	switch ev.Kind {
	case EventText:
		g.at(ev, BlockText).text.WriteString(ev.Text.String())
		if ev.Raw != nil {
			r.Logprobs = joinLogprobs(r.Logprobs, ev.Raw)
		}
	case EventThinking:
		g.at(ev, BlockThinking).text.WriteString(ev.Text.String())
	case EventSignature:
		g.at(ev, BlockThinking).signature.WriteString(ev.Text.String())
	case EventRedacted:
		g.at(ev, BlockRedacted).signature.WriteString(ev.Text.String())
	case EventToolStart:
		g.at(ev, BlockToolUse).block.Tool = &ToolBlock{ID: ev.ToolID, Name: ev.ToolName}
	case EventToolInput:
		g.at(ev, BlockToolUse).text.WriteString(ev.Text.String())
	case EventCitation:
		p := g.at(ev, BlockText)
		p.citations = append(p.citations, ev.Raw)
	case EventOther:
		g.blocks = append(g.blocks, &pieces{index: ev.Index, block: Block{Kind: BlockOther, Raw: ev.Raw}})
	case EventStop:
		r.Stop, r.StopRaw = ev.Stop, ev.StopRaw
	case EventUsage:
		if t := ev.Tail; t != nil {
			r.Tier, r.Trace, r.Performance, r.Fields = t.Tier, t.Trace, t.Performance, t.Fields
			if t.Served != nil {
				r.Served = *t.Served
			}
		}
	}
}

// answer puts the pieces together.
func (g *gathering) answer() *Response {
	for _, p := range g.blocks {
		b := p.block
		switch b.Kind {
		case BlockToolUse:
			if b.Tool == nil { // the stream broke off before it was named
				continue
			}
			if b.Tool.Input = json.RawMessage(p.text.String()); len(b.Tool.Input) == 0 {
				b.Tool.Input = json.RawMessage("{}")
			}
		case BlockText:
			b.Text = NewText(p.text.String())
			if len(p.citations) > 0 {
				b.Kind, b.Raw = BlockCitations, citationsContent(b.Text, p.citations)
			}
		case BlockThinking:
			b.Text, b.Signature = NewText(p.text.String()), NewText(p.signature.String())
		case BlockRedacted:
			b.Signature = NewText(p.signature.String())
		}
		g.response.Blocks = append(g.response.Blocks, b)
	}
	return &g.response
}

// citationsContent is AWS's content of a text with its sources.
func citationsContent(text Text, citations []json.RawMessage) json.RawMessage {
	out := text.AppendJSON([]byte(`{"content":[{"text":`))
	out = append(out, `}],"citations":[`...)
	for i, c := range citations {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, c...)
	}
	return append(out, `]}`...)
}

// joinLogprobs puts the log probabilities of two pieces of a text behind each other.
func joinLogprobs(a, b json.RawMessage) json.RawMessage {
	if a == nil {
		return b
	}
	var parts [2]struct {
		Content []json.RawMessage `json:"content"`
	}
	if json.Unmarshal(a, &parts[0]) != nil || json.Unmarshal(b, &parts[1]) != nil {
		return a
	}
	parts[0].Content = append(parts[0].Content, parts[1].Content...)
	joined, err := json.Marshal(parts[0])
	if err != nil {
		return a
	}
	return joined
}
