package traces

import (
	"encoding/json"

	"go.opentelemetry.io/otel/attribute"

	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/internal/telemetry"
)

// saidMessage and saidPart are messages as the conventions for generative AI write them: opentelemetry.io/docs/specs/semconv,
// "Generative AI", gen_ai.input.messages.
type (
	saidMessage struct {
		Role   string     `json:"role"`
		Parts  []saidPart `json:"parts"`
		Finish string     `json:"finish_reason,omitempty"`
	}
	saidPart struct {
		Type      string          `json:"type"`
		Content   string          `json:"content,omitempty"`
		ID        string          `json:"id,omitempty"`
		Name      string          `json:"name,omitempty"`
		Arguments json.RawMessage `json:"arguments,omitempty"`
		Response  json.RawMessage `json:"response,omitempty"`
	}
)

// contents returns what was said in a call, where an operator asks for it.
func contents(e *telemetry.Event) []attribute.KeyValue {
	c := e.Content
	if c == nil || c.Redacted {
		return nil
	}
	var list []attribute.KeyValue
	add := func(name string, said []saidMessage) {
		if len(said) == 0 {
			return
		}
		if text, err := json.Marshal(said); err == nil {
			list = append(list, attribute.String(name, string(text)))
		}
	}
	add("gen_ai.input.messages", asked(c.Messages))
	add("gen_ai.output.messages", answered(c.Response))
	return list
}

// asked reads messages, or the text of a prompt.
func asked(raw json.RawMessage) []saidMessage {
	if len(raw) == 0 {
		return nil
	}
	if raw[0] == '"' {
		return []saidMessage{{Role: "user", Parts: []saidPart{{Type: "text", Content: jsonscan.Text(raw)}}}}
	}
	if raw[0] != '[' {
		return nil
	}
	var list []saidMessage
	for one := range jsonscan.Elements(raw) {
		if len(one) > 0 && one[0] == '{' {
			list = append(list, message(one, "user"))
		}
	}
	return list
}

// answered reads an answer: OpenAI's choices, or the content of Anthropic's.
func answered(raw json.RawMessage) []saidMessage {
	choices := jsonscan.Member(raw, "choices")
	if choices == nil {
		if jsonscan.Member(raw, "content") == nil {
			return nil
		}
		m := message(raw, "assistant")
		m.Finish = textOf(jsonscan.Member(raw, "stop_reason"))
		return []saidMessage{m}
	}
	if choices[0] != '[' {
		return nil
	}
	var list []saidMessage
	for choice := range jsonscan.Elements(choices) {
		m := saidMessage{Role: "assistant", Finish: textOf(jsonscan.Member(choice, "finish_reason"))}
		if one := jsonscan.Member(choice, "message"); one != nil {
			finish := m.Finish
			m = message(one, "assistant")
			m.Finish = finish
		} else if t := textOf(jsonscan.Member(choice, "text")); t != "" {
			m.Parts = []saidPart{{Type: "text", Content: t}}
		}
		list = append(list, m)
	}
	return list
}

// message reads a message of OpenAI's or Anthropic's. What is no text is named, and not told: images and files are large.
func message(raw []byte, role string) saidMessage {
	m := saidMessage{Role: role, Parts: []saidPart{}}
	if r := textOf(jsonscan.Member(raw, "role")); r != "" {
		m.Role = r
	}
	content := jsonscan.Member(raw, "content")
	switch {
	case len(content) > 0 && content[0] == '"' && m.Role == "tool":
		m.Parts = append(m.Parts, saidPart{Type: "tool_call_response", ID: textOf(jsonscan.Member(raw, "tool_call_id")), Response: content})
	case len(content) > 0 && content[0] == '"':
		m.Parts = append(m.Parts, saidPart{Type: "text", Content: textOf(content)})
	case len(content) > 0 && content[0] == '[':
		for part := range jsonscan.Elements(content) {
			m.Parts = append(m.Parts, partOf(part))
		}
	}
	if calls := jsonscan.Member(raw, "tool_calls"); len(calls) > 0 && calls[0] == '[' {
		for call := range jsonscan.Elements(calls) {
			m.Parts = append(m.Parts, saidPart{
				Type: "tool_call", ID: textOf(jsonscan.Member(call, "id")), Name: textOf(jsonscan.Member(call, "function", "name")), Arguments: jsonscan.Member(call, "function", "arguments"),
			})
		}
	}
	return m
}

func partOf(part []byte) saidPart {
	switch kind := textOf(jsonscan.Member(part, "type")); kind {
	case "text", "input_text", "output_text":
		return saidPart{Type: "text", Content: textOf(jsonscan.Member(part, "text"))}
	case "thinking":
		return saidPart{Type: "reasoning", Content: textOf(jsonscan.Member(part, "thinking"))}
	case "tool_use":
		return saidPart{Type: "tool_call", ID: textOf(jsonscan.Member(part, "id")), Name: textOf(jsonscan.Member(part, "name")), Arguments: jsonscan.Member(part, "input")}
	case "tool_result":
		return saidPart{Type: "tool_call_response", ID: textOf(jsonscan.Member(part, "tool_use_id")), Response: jsonscan.Member(part, "content")}
	case "":
		return saidPart{Type: "unknown"}
	default:
		return saidPart{Type: kind}
	}
}

func textOf(raw []byte) string {
	if len(raw) > 0 && raw[0] == '"' {
		return jsonscan.Text(raw)
	}
	return ""
}
