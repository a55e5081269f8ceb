package sim

import "strings"

// object is one JSON object on its way out. Bedrock's recorded members come in alphabetical order, as Go's maps do.
type object = map[string]any

// converseAnswer is the body of Converse.
func converseAnswer(p *prompt, a *answer) object {
	content := []object{}
	for _, b := range a.blocks {
		switch b.kind {
		case answerText:
			if b.cited != nil {
				content = append(content, object{"citationsContent": object{"content": []object{{"text": b.text}}, "citations": []object{b.cited.converse()}}})
				continue
			}
			content = append(content, object{"text": b.text})
		case answerReasoning:
			r := object{"text": b.text}
			if b.signature != "" {
				r["signature"] = b.signature
			}
			content = append(content, object{"reasoningContent": object{"reasoningText": r}})
		case answerTool:
			t := toolStart(p, b)
			t["input"] = b.input
			content = append(content, object{"toolUse": t})
		}
	}
	out := object{
		"output":     object{"message": object{"role": "assistant", "content": content}},
		"stopReason": a.stop, "usage": converseUsage(p, a.usage), "metrics": object{"latencyMs": a.latencyMs},
	}
	if extra := responseFields(p, a); extra != nil {
		out["additionalModelResponseFields"] = extra
	}
	addMetadata(out, p, a)
	return out
}

func toolStart(p *prompt, b answerBlock) object {
	t := object{"toolUseId": b.id, "name": b.name}
	if namesToolUse(p.model) {
		t["type"] = "tool_use"
	}
	return t
}

// addMetadata adds what stands beside the usage: the guardrail's trace and the settings that AWS answers back.
func addMetadata(out object, p *prompt, a *answer) {
	if p.guardrail != nil && p.guardrail.trace {
		out["trace"] = object{"guardrail": guardrailTrace(p, a)}
	}
	for name, v := range p.echoed {
		out[name] = v
	}
}

func converseUsage(p *prompt, u usage) object {
	out := object{"inputTokens": u.input, "outputTokens": u.output, "totalTokens": u.total()}
	if !p.caching() && u.cacheRead+u.cacheWrite == 0 {
		return out
	}
	// AWS sends each number under two names.
	out["cacheReadInputTokens"], out["cacheReadInputTokenCount"] = u.cacheRead, u.cacheRead
	out["cacheWriteInputTokens"], out["cacheWriteInputTokenCount"] = u.cacheWrite, u.cacheWrite
	if len(u.written) > 0 {
		details := []object{}
		for _, d := range u.written {
			details = append(details, object{"ttl": d.ttl, "inputTokens": d.tokens})
		}
		out["cacheDetails"] = details
	}
	if namesToolUse(p.model) {
		out["serverToolUse"] = object{}
	}
	return out
}

// responseFields answers additionalModelResponseFieldPaths; the simulated model has one such field.
func responseFields(p *prompt, a *answer) object {
	for _, path := range p.fields {
		if path == "/stop_sequence" {
			var v any
			if a.stopSequence != "" {
				v = a.stopSequence
			}
			return object{"stop_sequence": v}
		}
	}
	return nil
}

func guardrailTrace(p *prompt, a *answer) object {
	characters := len([]rune(p.lastText))
	assessment := object{"invocationMetrics": object{
		"guardrailProcessingLatency": 0,
		"usage":                      object{"topicPolicyUnits": 0, "contentPolicyUnits": 0, "wordPolicyUnits": 1, "sensitiveInformationPolicyUnits": 0, "sensitiveInformationPolicyFreeUnits": 0, "contextualGroundingPolicyUnits": 0},
		"guardrailCoverage":          object{"textCharacters": object{"guarded": characters, "total": characters}},
	}}
	id := p.guardrail.id[strings.LastIndexByte(p.guardrail.id, '/')+1:]
	trace := object{"inputAssessment": object{id: assessment}, "actionReason": "No action."}
	if a.blocked {
		assessment["wordPolicy"] = object{"customWords": []object{{"match": "[[guardrail]]", "action": "BLOCKED", "detected": true}}, "managedWordLists": []object{}}
		trace["actionReason"] = "Guardrail blocked."
	}
	return trace
}

// converseEvents are ConverseStream's events in the recorded order: text and reasoning blocks open with their first
// delta, tool use has a start and an empty first delta, metadata comes last.
func converseEvents(p *prompt, a *answer) []event {
	events := []event{{"messageStart", object{"role": "assistant"}}}
	index := 0
	add := func(name string, payload object) {
		payload["contentBlockIndex"] = index
		events = append(events, event{name, payload})
	}
	delta := func(d object) { add("contentBlockDelta", object{"delta": d}) }
	stop := func() { add("contentBlockStop", object{}); index++ }
	if opensEmpty(p.model) {
		delta(object{"text": ""})
		stop()
	}
	for _, b := range a.blocks {
		switch b.kind {
		case answerText:
			for _, piece := range a.deltas(b) {
				delta(object{"text": piece})
			}
			if b.cited != nil {
				delta(object{"citation": b.cited.converse()})
			}
		case answerReasoning:
			for _, piece := range a.deltas(b) {
				delta(object{"reasoningContent": object{"text": piece}})
			}
			if b.signature != "" {
				delta(object{"reasoningContent": object{"signature": b.signature}})
			}
		case answerTool:
			add("contentBlockStart", object{"start": object{"toolUse": toolStart(p, b)}})
			for _, piece := range a.inputDeltas(b) {
				delta(object{"toolUse": object{"input": piece}})
			}
		}
		stop()
	}
	end := object{"stopReason": a.stop}
	if extra := responseFields(p, a); extra != nil {
		end["additionalModelResponseFields"] = extra
	}
	metadata := object{"usage": converseUsage(p, a.usage), "metrics": object{"latencyMs": a.latencyMs}}
	addMetadata(metadata, p, a)
	return append(events, event{"messageStop", end}, event{"metadata", metadata})
}

// event is one event of a stream before it is framed.
type event struct {
	name    string
	payload object
}

// scriptedEvents are a reply's own events, as they stand.
func scriptedEvents(script []map[string]any) []event {
	var events []event
	for _, one := range script {
		for name, payload := range one { // exactly one, checked when the scenario was read
			members, _ := payload.(object)
			events = append(events, event{name, members})
		}
	}
	return events
}

// rawBody is a reply's own body: a text as it is, anything else as JSON.
func rawBody(raw any) []byte {
	if s, ok := raw.(string); ok {
		return []byte(s)
	}
	return mustJSON(raw)
}
