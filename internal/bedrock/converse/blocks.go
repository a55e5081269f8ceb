package converse

import (
	"bytes"

	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// text writes a text block.
func (e *encoder) text(t llm.Text) {
	e.begin()
	e.dst = append(e.dst, `{"text":`...)
	e.dst = t.AppendJSON(e.dst)
	e.dst = append(e.dst, '}')
	e.hasText = true
}

// guarded writes text that the guardrail shall judge; without a guardrail it is plain text.
func (e *encoder) guarded(b *llm.Block) {
	if !e.guard {
		e.text(b.Text)
		return
	}
	e.begin()
	e.dst = append(e.dst, `{"guardContent":{"text":{"text":`...)
	e.dst = b.Text.AppendJSON(e.dst)
	for i, q := range b.Qualifiers {
		if i == 0 {
			e.dst = append(e.dst, `,"qualifiers":[`...)
		} else {
			e.dst = append(e.dst, ',')
		}
		e.dst = llm.AppendString(e.dst, q)
	}
	if len(b.Qualifiers) > 0 {
		e.dst = append(e.dst, ']')
	}
	e.dst = append(e.dst, `}}}`...)
}

// cachePoint writes the cache point behind a block; skip counts those at the beginning that are too many.
func (e *encoder) cachePoint(c *llm.CachePoint, p llm.Path, skip *int) {
	if c == nil {
		return
	}
	if e.m.noCache || *skip > 0 {
		if !e.m.noCache {
			*skip--
		}
		e.req.Lose(p.String()+".cache_control", "unsupported")
		return
	}
	if e.cacheAt > 0 {
		return // AWS takes no two in a row
	}
	where := len(e.dst)
	e.begin()
	e.cacheBlock(c, p.String())
	e.cacheAt = where
}

func (e *encoder) cacheBlock(c *llm.CachePoint, where string) {
	e.dst = append(e.dst, `{"cachePoint":{"type":"default"`...)
	if c.TTL != "" {
		if e.m.takesTTL(c.TTL) {
			e.dst = append(e.dst, `,"ttl":`...)
			e.dst = llm.AppendString(e.dst, c.TTL)
		} else {
			e.req.Lose(where+".cache_control.ttl", "unsupported")
		}
	}
	e.dst = append(e.dst, '}', '}')
}

// userBlock writes one block of the user's side. Tool results that answer the last assistant turn have been written.
func (e *encoder) userBlock(b *llm.Block, p llm.Path) {
	switch b.Kind {
	case llm.BlockText:
		switch {
		case b.Text.IsBlank():
			if b.Cache != nil {
				e.req.Lose(p.String()+".cache_control", "blank")
			}
			return
		case e.systemText:
			e.begin()
			e.dst = append(e.dst, `{"text":"`...)
			e.systemInText()
			e.dst = append(e.dst, `\n\n`...)
			e.dst = b.Text.AppendInner(e.dst)
			e.dst = append(e.dst, '"', '}')
			e.hasText = true
		default:
			e.text(b.Text)
		}
	case llm.BlockGuarded:
		if b.Text.IsBlank() {
			return
		}
		e.guarded(b)
	case llm.BlockImage, llm.BlockDocument, llm.BlockVideo, llm.BlockAudio:
		e.media(b, p)
	case llm.BlockToolResult:
		if b.Tool == nil {
			e.refuse(p.String(), "a tool result without content")
			return
		}
		if e.isAnswered(b.Tool.ID) {
			return
		}
		if !e.tools.historyAsText {
			e.req.Lose(p.String(), "orphan")
		}
		e.resultAsText(b, p)
	case llm.BlockToolUse, llm.BlockThinking, llm.BlockRedacted:
		e.refuse(p.String(), "only the assistant's messages may hold tool calls and reasoning")
		return
	case llm.BlockCitations, llm.BlockOther:
		e.other(b, p)
	}
	e.cachePoint(cacheOf(b), p, &e.cache.skipMessages)
}

// assistantBlock writes one block of the assistant's side; from is where the turn begins, i and j where b stands.
func (e *encoder) assistantBlock(b *llm.Block, p llm.Path, from, i, j int) {
	switch b.Kind {
	case llm.BlockText, llm.BlockGuarded: // a guardrail judges the answer by itself
		if b.Text.IsBlank() {
			if b.Cache != nil {
				e.req.Lose(p.String()+".cache_control", "blank")
			}
			return
		}
		e.text(b.Text)
	case llm.BlockThinking, llm.BlockRedacted:
		if e.isUnsentThought(b) {
			e.req.Lose(p.String(), "reasoning")
			return
		}
		if e.isRepeatedThought(b, from, i, j) {
			return
		}
		e.thought(b)
	case llm.BlockToolUse:
		if b.Tool == nil {
			e.refuse(p.String(), "a tool call without content")
			return
		}
		if !e.toolUse(b, p) {
			return
		}
	case llm.BlockCitations, llm.BlockOther:
		e.other(b, p)
	case llm.BlockToolResult:
		e.refuse(p.String(), "a tool result must not stand in an assistant message")
		return
	default:
		e.refuse(p.String(), "Bedrock takes images, documents, video and audio in user messages only")
		return
	}
	e.cachePoint(b.Cache, p, &e.cache.skipMessages)
}

// other writes a block that is AWS's own as it came.
func (e *encoder) other(b *llm.Block, p llm.Path) {
	if b.Kind == llm.BlockCitations && len(b.Raw) == 0 {
		if !b.Text.IsBlank() {
			e.text(b.Text)
		}
		return
	}
	if !isObject(b.Raw) {
		e.refuse(p.String(), "not a content block")
		return
	}
	if e.isForeign(b) {
		e.req.Lose(p.String(), "unsupported")
		return
	}
	e.begin()
	if b.Kind == llm.BlockCitations {
		e.dst = append(e.dst, `{"citationsContent":`...)
		e.dst = append(e.dst, b.Raw...)
		e.dst = append(e.dst, '}')
		return
	}
	e.dst = append(e.dst, b.Raw...)
}

// isForeign reports whether a block is one of Claude's own API, which no other body has.
func (e *encoder) isForeign(b *llm.Block) bool {
	return b.Kind == llm.BlockOther && !e.m.isAnthropic() && onlyKey(b.Raw) == "anthropic"
}

// isUnsentThought reports whether reasoning of the history stays here: only Claude takes it back, and only signed.
// Sent as text it would read as a part of the answer.
func (e *encoder) isUnsentThought(b *llm.Block) bool {
	switch b.Kind {
	case llm.BlockThinking, llm.BlockRedacted:
		return !e.m.takesThoughts() || b.Signature.IsEmpty()
	default:
		return false
	}
}

// isRepeatedThought reports whether the same signed block stands earlier in the turn, as when a client keeps it both
// beside the content and in it.
func (e *encoder) isRepeatedThought(b *llm.Block, from, i, j int) bool {
	for k := from; k <= i; k++ {
		blocks := e.req.Messages[k].Blocks
		if k == i {
			blocks = blocks[:j]
		}
		for l := range blocks {
			if blocks[l].Kind == b.Kind && sameText(blocks[l].Signature, b.Signature) {
				return true
			}
		}
	}
	return false
}

func sameText(a, b llm.Text) bool {
	x, xRaw := a.Raw()
	y, yRaw := b.Raw()
	if xRaw && yRaw && bytes.Equal(x, y) {
		return true
	}
	return a.String() == b.String()
}

// thought writes reasoning byte for byte: Claude checks the signature over it.
func (e *encoder) thought(b *llm.Block) {
	e.begin()
	if b.Kind == llm.BlockThinking {
		e.dst = append(e.dst, `{"reasoningContent":{"reasoningText":{"text":`...)
		e.dst = b.Text.AppendJSON(e.dst)
		e.dst = append(e.dst, `,"signature":`...)
		e.dst = b.Signature.AppendJSON(e.dst)
		e.dst = append(e.dst, `}}}`...)
		return
	}
	e.dst = append(e.dst, `{"reasoningContent":{"redactedContent":`...)
	data := b.Signature.String()
	if e.m.isAnthropic() { // its own body has the value as it is
		e.dst = llm.AppendString(e.dst, data)
		e.dst = append(e.dst, `}}`...)
		return
	}
	e.dst = llm.AppendString(e.dst, wrapRedacted(data))
	e.dst = append(e.dst, `}}`...)
}

func isObject(raw []byte) bool {
	s := jsonscan.New(raw)
	return s.Peek() == jsonscan.KindObject && jsonscan.Valid(raw) == nil
}
