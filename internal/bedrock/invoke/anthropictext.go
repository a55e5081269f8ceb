package invoke

import (
	"strings"

	"github.com/outcrop-ai/outcrop/internal/bedrock/converse"
	"github.com/outcrop-ai/outcrop/internal/catalog"
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
)

// anthropicText is Claude up to 2.1, whose body is one text.
var anthropicText = family{
	name:   "anthropic-text",
	body:   func(catalog.Ref) converse.Body { return promptBody() },
	encode: (*encoder).anthropicText,
	answer: func(a *answer, body []byte) {
		text := jsonscan.Member(body, "completion")
		if text == nil {
			a.shape()
			return
		}
		a.text(text, " ")
		a.stopWord(jsonscan.Member(body, "stop_reason"))
	},
	chunk: func(c *chunks, chunk []byte) {
		c.text(jsonscan.Member(chunk, "completion"), " ")
		c.finishWith(jsonscan.Member(chunk, "stop_reason"))
	},
}

// maxClaudeText is the longest answer of these models, in tokens.
const maxClaudeText = 8192

func (e *encoder) anthropicText() {
	id := e.ref.ID
	if e.ref.Model != nil {
		id = e.ref.Model.ID
	}
	t := &claudeTemplate
	if strings.Contains(id, "v2:1") {
		t = &claude21Template
	}
	e.writePrompt("prompt", t)
	e.raw("max_tokens_to_sample", e.maxTokensOr(maxClaudeText))
	e.raw("temperature", e.doc.temperature)
	e.raw("top_p", e.doc.topP)
	e.strings("stop_sequences", e.doc.stops)
	e.rest()
}
