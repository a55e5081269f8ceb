package converse

import "github.com/outcrop-ai/outcrop/llm"

// survey is what must be known of the conversation before its first byte is written.
type survey struct {
	// toolBlocks says that the history has calls or results; guarded that some text is marked for the guardrail.
	toolBlocks, guarded bool
	// signed says that the history has reasoning with a signature, or redacted reasoning.
	signed bool
	// lastCalls says that the last assistant message calls tools.
	lastCalls bool
	// cachePoints counts the wishes for cache points in the system prompt and in the messages.
	systemCaches, messageCaches int
}

func (s *survey) read(req *llm.Request) {
	for i := range req.System {
		b := &req.System[i]
		s.guarded = s.guarded || b.Kind == llm.BlockGuarded
		if b.Cache != nil && !isBlankText(b) {
			s.systemCaches++
		}
	}
	for i := range req.Messages {
		m := &req.Messages[i]
		calls := false
		for j := range m.Blocks {
			b := &m.Blocks[j]
			switch b.Kind {
			case llm.BlockToolUse:
				s.toolBlocks, calls = true, true
			case llm.BlockToolResult:
				s.toolBlocks = true
			case llm.BlockGuarded:
				s.guarded = true
			case llm.BlockThinking:
				s.signed = s.signed || !b.Signature.IsEmpty()
			case llm.BlockRedacted:
				s.signed = true
			}
			if cacheOf(b) != nil && !isBlankText(b) {
				s.messageCaches++
			}
		}
		if m.Role == llm.RoleAssistant {
			s.lastCalls = calls
		}
	}
}

// isBlankText reports whether b is text that AWS would refuse as blank.
func isBlankText(b *llm.Block) bool {
	return (b.Kind == llm.BlockText || b.Kind == llm.BlockGuarded) && b.Text.IsBlank()
}

// cacheOf returns the cache point behind b. A wish inside a tool's result counts for the whole result, since AWS
// takes none inside.
func cacheOf(b *llm.Block) *llm.CachePoint {
	if b.Cache != nil || b.Kind != llm.BlockToolResult || b.Tool == nil {
		return b.Cache
	}
	for i := range b.Tool.Result {
		if c := b.Tool.Result[i].Cache; c != nil {
			return c
		}
	}
	return nil
}
