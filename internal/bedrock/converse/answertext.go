package converse

import (
	"strings"

	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// thinkTags are the tags between which some families write their reasoning, at the very beginning of the text.
var thinkTags = [...]struct{ open, end string }{
	{"<think>", "</think>"}, {"<thinking>", "</thinking>"}, {"<reasoning>", "</reasoning>"},
}

// splitThought splits text that begins with reasoning between tags. Reasoning that was cut off has no end tag: then
// all of it is reasoning.
func (t *Turn) splitThought(text string) (thought, rest string, ok bool) {
	if t.inThought {
		text = thinkTags[0].open + strings.TrimPrefix(text, thinkTags[0].open)
	}
	for _, tag := range thinkTags {
		inner, ok := strings.CutPrefix(text, tag.open)
		if !ok {
			continue
		}
		thought, rest, _ := strings.Cut(inner, tag.end)
		return strings.Trim(thought, "\n"), strings.TrimLeft(rest, "\n"), true
	}
	return "", "", false
}

// fence is Markdown's mark around code.
const fence = "```"

// cutFence returns what stands between Markdown fences, if the whole text does.
func cutFence(text string) (string, bool) {
	inner, ok := strings.CutPrefix(strings.TrimSpace(text), fence)
	if !ok {
		return "", false
	}
	_, inner, ok = strings.Cut(inner, "\n")
	if !ok {
		return "", false
	}
	inner = strings.TrimSuffix(strings.TrimRight(inner, " \t\r\n"), fence)
	return strings.TrimSpace(inner), true
}

// textCall reads a call that Llama wrote as text: {"type":"function","name":…,"parameters":{…}}. The name must be one
// of the request's tools.
func textCall(text string, t *Turn) (*llm.ToolBlock, bool) {
	text = strings.TrimSpace(text)
	if !strings.HasPrefix(text, "{") || !isObject([]byte(text)) {
		return nil, false
	}
	raw := []byte(text)
	kind, _ := memberOf(raw, "type")
	name, _ := memberOf(raw, "name")
	if string(kind) != `"function"` || len(name) < 2 || name[0] != '"' {
		return nil, false
	}
	input, ok := memberOf(raw, "parameters")
	if !ok {
		input, ok = memberOf(raw, "arguments")
	}
	if s := jsonscan.New(input); !ok || s.Peek() != jsonscan.KindObject {
		return nil, false
	}
	client := t.clientName([]byte(llm.RawText(name[1 : len(name)-1]).String()))
	if !t.knowsTool(client) {
		return nil, false
	}
	return &llm.ToolBlock{ID: "call" + withHash(nil, text), Name: client, Input: input}, true
}
