package converse

import (
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// planGuardrail checks guardrailConfig: AWS wants identifier and version or neither.
func (e *encoder) planGuardrail() {
	raw := e.req.Guardrail
	if len(raw) == 0 || string(raw) == "null" {
		return
	}
	if !isObject(raw) {
		e.refuse("guardrailConfig", "guardrailConfig must be an object")
		return
	}
	_, hasID := memberOf(raw, "guardrailIdentifier")
	_, hasVersion := memberOf(raw, "guardrailVersion")
	switch {
	case hasID && !hasVersion:
		e.refuse("guardrailConfig.guardrailVersion", "guardrailConfig has an identifier and no version")
	case hasVersion && !hasID:
		e.refuse("guardrailConfig.guardrailIdentifier", "guardrailConfig has a version and no identifier")
	}
	e.guard = true
	if !e.req.Policy.GuardLastTurn || e.talk.guarded {
		return
	}
	e.guardFrom = len(e.req.Messages)
	for e.guardFrom > 0 && e.req.Messages[e.guardFrom-1].Role != llm.RoleAssistant {
		e.guardFrom--
	}
	e.guardsTail = true
}

// guards reports whether the user's plain text in message i is for the guardrail to judge.
func (e *encoder) guards(i int) bool {
	return e.guardsTail && i >= e.guardFrom && e.req.Messages[i].Role == llm.RoleUser
}

func (e *encoder) guardrailConfig() {
	if !e.guard {
		return
	}
	raw := []byte(e.req.Guardrail)
	if !e.req.Stream { // the mode is for streams only
		if without, changed := jsonscan.Delete(raw, "streamProcessingMode"); changed {
			e.req.Lose("guardrailConfig.streamProcessingMode", "no_stream")
			raw = without
		}
	}
	e.member("guardrailConfig")
	e.dst = append(e.dst, raw...)
}
