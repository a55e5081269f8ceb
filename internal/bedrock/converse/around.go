package converse

import (
	"github.com/outcrop-ai/outcrop/internal/catalog"
	"github.com/outcrop-ai/outcrop/llm"
)

// EncodeAround encodes req as [EncodeFor] does, but for the system prompt, the messages and the tools: those the client has
// written in the family's own words, and they go up as they stand. whole is false, and nothing is encoded, where they
// cannot: where the conversation or the tools need a repair, or say what the model does not take. Then EncodeFor is the way.
func EncodeAround(dst []byte, req *llm.Request, m catalog.Ref, body *Body) (out []byte, whole bool, err error) {
	e := encoder{dst: dst, req: req}
	e.m.read(m)
	e.m.restrict(body)
	e.around = true
	losses := len(req.Losses)
	e.plan()
	if e.err != nil {
		return nil, false, e.err
	}
	if !e.staysAsItIs() {
		req.Losses = req.Losses[:losses:losses] // it is planned once more
		return nil, false, nil
	}
	e.dst = append(e.dst, '{')
	e.inferenceConfig()
	if e.tools.config {
		e.member("toolConfig")
		e.dst = append(e.dst, `{"tools":[]`...)
		e.toolChoice()
		e.dst = append(e.dst, '}')
	}
	e.guardrailConfig()
	e.requestFields()
	e.topLevel()
	if e.err != nil {
		return nil, false, e.err
	}
	e.dst = append(e.dst, '}')
	if start := len(dst); e.dst[start+1] == ',' { // the first member came with a comma
		e.dst = append(e.dst[:start+1], e.dst[start+2:]...)
	}
	return e.dst, true, nil
}

// staysAsItIs reports whether the conversation and the tools would come out of their encoding with nothing added, left
// out or changed but for the spelling.
func (e *encoder) staysAsItIs() bool {
	t, f := &e.tools, &e.format
	if t.dropped != nil || t.historyAsText || t.grounding || len(e.names.changed) > 0 || f.tool != "" || f.line != "" || f.fences || f.pass {
		return false
	}
	if e.guard || e.cache != (cachePlan{}) || e.m.noCache && e.talk.systemCaches+e.talk.messageCaches > 0 {
		return false
	}
	for i := range e.req.Tools {
		if tool := &e.req.Tools[i]; !e.toolStays(tool) {
			return false
		}
	}
	for i := range e.req.System {
		if b := &e.req.System[i]; b.Kind != llm.BlockText || !e.blockStays(b) {
			return false
		}
	}
	return e.conversationStays()
}

func (e *encoder) toolStays(tool *llm.Tool) bool {
	switch {
	case !e.cacheStays(tool.Cache) || tool.Cache != nil && e.m.noCache:
		return false
	case tool.Type != "":
		return !isToolSearch(tool.Type) || bareToolSearch(tool.Type) == tool.Type
	case tool.Strict != nil && *tool.Strict && e.m.noStrict:
		return false
	}
	if len(tool.Schema) == 0 || e.m.noLookaround && hasLookaround(tool.Schema) {
		return false
	}
	top, err := readSchemaTop(tool.Schema)
	return err == nil && top.isObject && !top.hasNull
}

func (e *encoder) cacheStays(c *llm.CachePoint) bool {
	return c == nil || c.TTL == "" || e.m.takesTTL(c.TTL)
}

// conversationStays checks the rules that a conversation must keep: it begins with the user, and each call is answered in
// the message behind it, and nothing else is.
func (e *encoder) conversationStays() bool {
	msgs := e.req.Messages
	if len(msgs) == 0 || msgs[0].Role != llm.RoleUser || e.req.Policy.AssistantContinue != nil {
		return false
	}
	last := &msgs[len(msgs)-1]
	if last.Role == llm.RoleAssistant && !last.Prefix && (e.req.Policy.UserContinue != nil || e.req.Policy.Modify) {
		return false
	}
	var open []string // calls of the last message
	for i := range msgs {
		m := &msgs[i]
		if m.Role == llm.RoleSystem && (!e.m.midSystem || len(open) > 0) || len(m.Blocks) == 0 || len(open) > 0 && m.Role == llm.RoleAssistant {
			return false
		}
		var next []string
		others := false
		for j := range m.Blocks {
			b := &m.Blocks[j]
			if !e.blockStays(b) {
				return false
			}
			switch b.Kind {
			case llm.BlockToolUse:
				if m.Role != llm.RoleAssistant || b.Tool.ID == "" || contains(next, b.Tool.ID) {
					return false
				}
				next = append(next, b.Tool.ID)
			case llm.BlockToolResult:
				if m.Role != llm.RoleUser || others || !take(&open, b.Tool.ID) {
					return false
				}
			case llm.BlockThinking, llm.BlockRedacted:
				if m.Role != llm.RoleAssistant {
					return false
				}
			default:
				others = true
				if len(next) > 0 && b.Kind == llm.BlockText { // text behind a call
					return false
				}
			}
		}
		if len(open) > 0 {
			return false
		}
		open = next
	}
	if last.Role == llm.RoleAssistant {
		if b := &last.Blocks[len(last.Blocks)-1]; b.Kind == llm.BlockText && endsBlank(b.Text) {
			return false // Claude refuses a prefill that ends in white space
		}
	}
	return len(open) == 0
}

func contains(list []string, s string) bool {
	for _, have := range list {
		if have == s {
			return true
		}
	}
	return false
}

// take takes s out of the list, and reports whether it was there.
func take(list *[]string, s string) bool {
	for i, have := range *list {
		if have == s {
			*list = append((*list)[:i:i], (*list)[i+1:]...)
			return true
		}
	}
	return false
}

func endsBlank(t llm.Text) bool { return t.TrimRight().String() != t.String() }

// blockStays reports whether a block can go up as the client wrote it.
func (e *encoder) blockStays(b *llm.Block) bool {
	if !e.cacheStays(b.Cache) {
		return false
	}
	switch b.Kind {
	case llm.BlockText:
		return !b.Text.IsBlank()
	case llm.BlockImage:
		return !b.Media.Base64.IsEmpty() && b.Media.URL == "" && !e.m.noVision
	case llm.BlockDocument:
		m := b.Media
		return m.URL == "" && m.S3 == "" && !e.m.noDocuments && (m.Format == "pdf" && !m.Base64.IsEmpty() || !m.Text.IsEmpty())
	case llm.BlockThinking:
		return !b.Signature.IsEmpty()
	case llm.BlockRedacted, llm.BlockOther, llm.BlockCitations:
		return true
	case llm.BlockToolUse:
		return b.Tool.Name != "" && toolUseID(b.Tool.ID, true) == b.Tool.ID && len(b.Tool.Input) > 0 && b.Tool.Input[0] == '{'
	case llm.BlockToolResult:
		if toolUseID(b.Tool.ID, true) != b.Tool.ID {
			return false
		}
		for i := range b.Tool.Result {
			r := &b.Tool.Result[i]
			if !e.blockStays(r) || r.Kind == llm.BlockImage && e.m.noResultImages {
				return false
			}
		}
		return true
	default:
		return false
	}
}
