package converse

import (
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// toolMode says what becomes of a tool block's fragments.
type toolMode uint8

const (
	// toolPlain fragments go to the client as they come.
	toolPlain toolMode = iota
	// toolWrapped input is kept until it can be taken out of its "value" member.
	toolWrapped
	// toolAnswer is the tool of a structured answer: its input is the answer's text.
	toolAnswer
	// toolIgnored is a second structured answer.
	toolIgnored
	// toolOther is a tool that runs at AWS.
	toolOther
)

// toolStream is one tool block of a stream.
type toolStream struct {
	index           int32
	mode            toolMode
	hasInput, ended bool
	// wrapped says that the input of a toolAnswer comes in a "value" member.
	wrapped bool
	// held is input, unescaped, that cannot be passed on yet; passing says that nothing is held any more.
	held    []byte
	passing bool
}

func (s *stream) toolAt(index int32) *toolStream {
	for i := len(s.tools) - 1; i >= 0; i-- {
		if s.tools[i].index == index {
			return &s.tools[i]
		}
	}
	return nil
}

// toolStart begins a call.
func (s *stream) toolStart(ev llm.Event, tool []byte) (llm.Event, bool, error) {
	name := stringOf(tool, "name")
	t := toolStream{index: ev.Index}
	switch {
	case s.turn.isJSONTool(name) && s.answered:
		t.mode = toolIgnored
	case s.turn.isJSONTool(name):
		s.answered = true
		t.mode = toolAnswer
		t.wrapped = s.turn.isWrapped(name)
		t.passing = s.turn.keepProperties && !t.wrapped
		s.tools = append(s.tools, t)
		return ev, false, nil
	case s.turn.isWrapped(name):
		t.mode = toolWrapped
	}
	s.tools = append(s.tools, t)
	if t.mode == toolIgnored {
		return ev, false, nil
	}
	s.calls++
	ev.Kind, ev.ToolID, ev.ToolName = llm.EventToolStart, string(stringOf(tool, "toolUseId")), s.turn.clientName(name)
	return ev, true, nil
}

// stringOf returns the text of a string member.
func stringOf(raw []byte, name string) []byte {
	value, ok := memberOf(raw, name)
	if !ok || len(value) < 2 || value[0] != '"' {
		return nil
	}
	return jsonscan.AppendUnescaped(nil, value[1:len(value)-1])
}

// toolInput deals with a fragment of a call's input.
func (s *stream) toolInput(ev llm.Event, delta []byte) (llm.Event, bool, error) {
	if ev.Text.IsEmpty() {
		return ev, false, nil
	}
	t := s.toolAt(ev.Index)
	if t == nil { // AWS always starts them; without a start there is no call to speak of
		return ev, false, nil
	}
	t.hasInput = true
	switch t.mode {
	case toolPlain:
		return ev, true, nil
	case toolWrapped:
		t.hold(ev.Text)
		return ev, false, nil
	case toolAnswer:
		ev.Kind = llm.EventText
		if t.passing {
			return ev, true, nil
		}
		t.hold(ev.Text)
		if !t.wrapped && !canWrap(t.held) {
			t.passing = true
			ev.Text = quoted(t.held)
			t.held = nil
			return ev, true, nil
		}
		return ev, false, nil
	case toolOther:
		return llm.Event{Kind: llm.EventOther, Index: ev.Index, Raw: delta}, true, nil
	default:
		return ev, false, nil
	}
}

func (t *toolStream) hold(fragment llm.Text) {
	raw, _ := fragment.Raw()
	t.held = jsonscan.AppendUnescaped(t.held, raw)
}

// canWrap reports whether input that begins so may still be an object with the lone member "properties".
func canWrap(held []byte) bool {
	i, n := 0, 0
	for _, want := range [...]string{"{", `"properties"`, ":", "{"} {
		for i < len(held) && (held[i] == ' ' || held[i] == '\n' || held[i] == '\t' || held[i] == '\r') {
			i++
		}
		for n = range len(want) {
			if i == len(held) {
				return true
			}
			if held[i] != want[n] {
				return false
			}
			i++
		}
	}
	return true
}

// toolStop ends a call: what was held goes out, and a call without input gets the empty object.
func (s *stream) toolStop(t *toolStream) {
	t.ended = true
	kind := llm.EventToolInput
	switch t.mode {
	case toolIgnored, toolOther:
		return
	case toolAnswer:
		kind = llm.EventText
	default:
	}
	input := t.held
	switch {
	case !t.hasInput:
		input = []byte(`{}`)
	case (t.mode == toolWrapped || t.wrapped) && jsonscan.Valid(input) == nil:
		input = unwrapValue(input)
	case t.mode == toolAnswer && !t.passing && jsonscan.Valid(input) == nil:
		input = unwrapProperties(input)
	}
	if len(input) > 0 {
		s.push(llm.Event{Kind: kind, Index: t.index, Text: quoted(input)})
	}
}
