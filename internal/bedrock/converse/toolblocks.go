package converse

import (
	"strconv"

	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// toolUse writes a call of the history and reports whether it left a block. Arguments that are no JSON object cannot
// go to AWS as they are; one bad call must not end a conversation, so they are put into one, by name.
func (e *encoder) toolUse(b *llm.Block, p llm.Path) bool {
	t := b.Tool
	if t.Name == "" {
		e.refuse(p.String(), "a tool call without a name")
		return false
	}
	if e.tools.historyAsText {
		e.callAsText(t)
		return true
	}
	for i := range e.calls {
		if e.calls[i].id == t.ID {
			e.req.Lose(p.String(), "duplicate")
			return false
		}
	}
	s := jsonscan.New(t.Input)
	kind := s.Peek()
	switch first, err := s.Skip(); {
	case kind == jsonscan.KindNone && err != nil && s.End() == nil: // blank
		e.toolUseBlock(t, t.ID, "", p)
		e.dst = append(e.dst, `{}`...)
	case err == nil && kind == jsonscan.KindObject && s.End() == nil:
		e.toolUseBlock(t, t.ID, "", p)
		e.dst = append(e.dst, first...)
	case err == nil && kind == jsonscan.KindObject && e.gluedCalls(t, p):
		return true
	case err == nil && s.End() == nil:
		e.req.Lose(p.String(), "arguments")
		e.toolUseBlock(t, t.ID, "", p)
		e.dst = append(append(append(e.dst, `{"value":`...), first...), '}')
	default:
		e.req.Lose(p.String(), "arguments")
		e.toolUseBlock(t, t.ID, "", p)
		e.dst = append(e.dst, `{"_raw":`...)
		e.dst = llm.AppendString(e.dst, string(t.Input))
		e.dst = append(e.dst, '}')
	}
	e.dst = append(e.dst, '}', '}')
	return true
}

// toolUseBlock opens a call's block up to its input, and notes that it needs a result.
func (e *encoder) toolUseBlock(t *llm.ToolBlock, id, merged string, p llm.Path) {
	c := call{id: id, upstream: toolUseID(id, e.m.isAnthropic()), merged: merged, path: p}
	e.calls = append(e.calls, c)
	e.begin()
	e.dst = append(e.dst, `{"toolUse":{"toolUseId":`...)
	e.dst = llm.AppendString(e.dst, c.upstream)
	e.dst = append(e.dst, `,"name":`...)
	e.dst = llm.AppendString(e.dst, e.names.add(t.Name))
	e.dst = append(e.dst, `,"input":`...)
}

// gluedCalls writes arguments that are several objects in a row, as some models stream them for parallel calls, as
// one call each. It writes nothing and returns false if they are not that.
func (e *encoder) gluedCalls(t *llm.ToolBlock, p llm.Path) bool {
	s := jsonscan.New(t.Input)
	for s.End() != nil {
		if s.Peek() != jsonscan.KindObject {
			return false
		}
		if _, err := s.Skip(); err != nil {
			return false
		}
	}
	e.req.Lose(p.String(), "arguments")
	s = jsonscan.New(t.Input)
	for n := 0; s.End() != nil; n++ {
		input, err := s.Skip()
		if err != nil {
			break
		}
		id, merged := t.ID, ""
		if n > 0 {
			id, merged = t.ID+"_"+strconv.Itoa(n), t.ID
		}
		e.toolUseBlock(t, id, merged, p)
		e.dst = append(e.dst, input...)
		e.dst = append(e.dst, '}', '}')
	}
	return true
}

// callAsText writes a call as the assistant's words: AWS takes tool blocks only beside a toolConfig.
func (e *encoder) callAsText(t *llm.ToolBlock) {
	e.begin()
	e.hasText = true
	e.dst = append(e.dst, `{"text":"[tool call `...)
	e.dst = llm.NewText(t.ID).AppendInner(e.dst)
	e.dst = append(e.dst, ':', ' ')
	e.dst = llm.NewText(t.Name).AppendInner(e.dst)
	e.dst = append(e.dst, '(')
	if jsonscan.Valid(t.Input) == nil {
		e.dst = jsonscan.AppendEscaped(e.dst, jsonscan.AppendCompact(nil, t.Input))
	} else {
		e.dst = llm.NewText(string(t.Input)).AppendInner(e.dst)
	}
	e.dst = append(e.dst, `)]"}`...)
}

func (e *encoder) isAnswered(id string) bool {
	for i := range e.calls {
		if e.calls[i].id == id {
			return true
		}
	}
	return false
}

// results writes the results that answer the last assistant turn, in the client's order, and one for each call that
// has none.
func (e *encoder) results(from, to int) {
	for i := from; i < to && e.err == nil; i++ {
		blocks := e.req.Messages[i].Blocks
		for j := range blocks {
			b := &blocks[j]
			if b.Kind != llm.BlockToolResult || b.Tool == nil {
				continue
			}
			for k := range e.calls {
				c := &e.calls[k]
				if c.id != b.Tool.ID {
					continue
				}
				if c.answered {
					e.req.Lose(at(b, i, j).String(), "duplicate")
					break
				}
				c.answered = true
				e.toolResult(b, c.upstream, at(b, i, j))
				e.cachePoint(cacheOf(b), at(b, i, j), &e.cache.skipMessages)
				break
			}
		}
	}
	e.missingResults()
}

// missingResults answers the calls that nobody answered: AWS would refuse the whole conversation for them.
func (e *encoder) missingResults() {
	for i := range e.calls {
		c := &e.calls[i]
		if c.answered {
			continue
		}
		c.answered = true
		said := noResult
		if c.merged != "" {
			said = "(merged with " + c.merged + ")"
		} else {
			e.req.Lose(c.path.String(), "unanswered")
		}
		e.openResult(c.upstream)
		e.dst = append(e.dst, `{"text":`...)
		e.dst = llm.AppendString(e.dst, said)
		e.dst = append(e.dst, `}]}}`...)
	}
}

func (e *encoder) openResult(id string) {
	e.begin()
	e.dst = append(e.dst, `{"toolResult":{"toolUseId":`...)
	e.dst = llm.AppendString(e.dst, id)
	e.dst = append(e.dst, `,"content":[`...)
}

// toolResult writes a result. Images that the model does not take inside stand behind it.
func (e *encoder) toolResult(b *llm.Block, id string, p llm.Path) {
	e.openResult(id)
	outer, outerText, outerDocument := e.blocks, e.hasText, e.hasDocument
	e.blocks = 0
	moved := false
	for i := range b.Tool.Result {
		r := &b.Tool.Result[i]
		switch r.Kind {
		case llm.BlockImage:
			if e.m.noResultImages {
				moved = true
				continue
			}
			e.media(r, p)
		case llm.BlockDocument, llm.BlockVideo:
			e.media(r, p)
		case llm.BlockOther:
			e.resultJSON(r, p)
		case llm.BlockText, llm.BlockGuarded, llm.BlockCitations:
			if !r.Text.IsBlank() {
				e.text(r.Text)
			}
		default:
			e.refuse(p.String(), "a tool result takes text, JSON, images, documents and video")
		}
	}
	if e.blocks == 0 {
		said := noOutput
		if moved {
			said = "(see the image below)"
		}
		e.text(llm.NewText(said))
	}
	e.blocks, e.hasText, e.hasDocument, e.cacheAt = outer, outerText, outerDocument, 0
	e.dst = append(e.dst, ']')
	if b.Tool.Failed {
		if e.m.takesResultStatus() {
			e.dst = append(e.dst, `,"status":"error"`...)
		} else {
			e.req.Lose(p.String()+".is_error", "unsupported")
		}
	}
	e.dst = append(e.dst, '}', '}')
	for i := range b.Tool.Result {
		if r := &b.Tool.Result[i]; moved && r.Kind == llm.BlockImage {
			e.media(r, p)
		}
	}
}

// resultJSON writes JSON that a tool gave: AWS's own block where it is one, else a json block.
func (e *encoder) resultJSON(r *llm.Block, p llm.Path) {
	if jsonscan.Valid(r.Raw) != nil {
		e.refuse(p.String(), "a tool result that is not JSON")
		return
	}
	e.begin()
	if key := onlyKey(r.Raw); key == "searchResult" || key == "json" {
		e.dst = append(e.dst, r.Raw...)
		return
	}
	e.dst = append(e.dst, `{"json":`...)
	e.dst = append(e.dst, r.Raw...)
	e.dst = append(e.dst, '}')
}

// onlyKey returns the name of the only member of an object, else "".
func onlyKey(raw []byte) string {
	s := jsonscan.New(raw)
	if s.Peek() != jsonscan.KindObject {
		return ""
	}
	if more, err := s.OpenObject(); err != nil || !more {
		return ""
	}
	key, err := s.Key()
	if err != nil {
		return ""
	}
	if _, err := s.Skip(); err != nil {
		return ""
	}
	if more, err := s.NextMember(); err != nil || more {
		return ""
	}
	return string(key)
}

// resultAsText writes a result whose call is not there, or whose tools are not, as the user's words; its media stay.
func (e *encoder) resultAsText(b *llm.Block, p llm.Path) {
	guard := e.guard && e.talk.guarded
	e.begin()
	if guard {
		e.dst = append(e.dst, `{"guardContent":{"text":{"text":"[tool result for `...)
	} else {
		e.dst = append(e.dst, `{"text":"[tool result for `...)
		e.hasText = true
	}
	e.dst = llm.NewText(b.Tool.ID).AppendInner(e.dst)
	e.dst = append(e.dst, ':', ' ')
	said := false
	for i := range b.Tool.Result {
		r := &b.Tool.Result[i]
		switch r.Kind {
		case llm.BlockText, llm.BlockGuarded, llm.BlockCitations:
			if !r.Text.IsBlank() {
				e.dst = r.Text.AppendInner(e.dst)
				said = true
			}
		case llm.BlockOther:
			if jsonscan.Valid(r.Raw) == nil {
				e.dst = jsonscan.AppendEscaped(e.dst, jsonscan.AppendCompact(nil, r.Raw))
				said = true
			}
		default:
		}
	}
	if !said {
		e.dst = append(e.dst, noOutput...)
	}
	if guard {
		e.dst = append(e.dst, `]"}}}`...)
	} else {
		e.dst = append(e.dst, `]"}`...)
	}
	for i := range b.Tool.Result {
		switch r := &b.Tool.Result[i]; r.Kind {
		case llm.BlockImage, llm.BlockDocument, llm.BlockVideo:
			e.media(r, p)
		default:
		}
	}
}
