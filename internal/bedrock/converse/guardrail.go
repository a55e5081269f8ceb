package converse

import (
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
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
