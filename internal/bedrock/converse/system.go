package converse

import "github.com/outcrop-ai/outcrop/llm"

// system writes the system prompt, with the lines that the request's other wishes need behind it.
func (e *encoder) system() {
	if e.m.noSystem {
		return // it stands in the first user text
	}
	start := len(e.dst)
	e.member("system")
	e.dst = append(e.dst, '[')
	e.blocks, e.cacheAt = 0, 0
	for i := range e.req.System {
		b := &e.req.System[i]
		p := at(b, 0, i)
		switch b.Kind {
		case llm.BlockText:
			if b.Text.IsBlank() {
				continue
			}
			e.text(b.Text)
		case llm.BlockGuarded:
			if b.Text.IsBlank() {
				continue
			}
			e.guarded(b)
		default:
			e.refuse(p.String(), "a system message takes text only")
			return
		}
		e.cachePoint(b.Cache, p, &e.cache.skipSystem)
	}
	if e.format.line != "" {
		e.text(llm.NewText(e.format.line))
	}
	if e.blocks == 0 {
		e.dst = e.dst[:start]
		return
	}
	e.dst = append(e.dst, ']')
}

// hasSystem reports whether there is anything to say as system.
func (e *encoder) hasSystem() bool {
	for i := range e.req.System {
		if !isBlankText(&e.req.System[i]) {
			return true
		}
	}
	return e.format.line != ""
}

// systemBlock writes the system prompt as a text block of its own.
func (e *encoder) systemBlock() {
	e.begin()
	e.dst = append(e.dst, `{"text":"`...)
	e.systemInText()
	e.dst = append(e.dst, `"}`...)
	e.hasText = true
}

// systemInText appends the system prompt as the inside of a JSON string, for models that take none on its own.
func (e *encoder) systemInText() {
	e.systemText = false
	first := true
	for i := range e.req.System {
		b := &e.req.System[i]
		if b.Kind != llm.BlockText && b.Kind != llm.BlockGuarded {
			e.refuse(at(b, 0, i).String(), "a system message takes text only")
			return
		}
		if b.Text.IsBlank() {
			continue
		}
		if b.Cache != nil {
			e.req.Lose(at(b, 0, i).String()+".cache_control", "unsupported")
		}
		if !first {
			e.dst = append(e.dst, `\n\n`...)
		}
		first = false
		e.dst = b.Text.AppendInner(e.dst)
	}
	if e.format.line != "" {
		if !first {
			e.dst = append(e.dst, `\n\n`...)
		}
		e.dst = append(e.dst, e.format.line...)
	}
}
