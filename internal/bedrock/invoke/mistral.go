package invoke

import (
	"github.com/outcrop-ai/outcrop/internal/bedrock/converse"
	"github.com/outcrop-ai/outcrop/internal/catalog"
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
)

// mistralText is the older Mistral models, whose body is one text. Newer ones are openaiChat.
var mistralText = family{
	name:   "mistral-text",
	body:   func(catalog.Ref) converse.Body { return promptBody() },
	encode: (*encoder).mistralText,
	answer: func(a *answer, body []byte) {
		for output := range jsonscan.Elements(jsonscan.Member(body, "outputs")) {
			a.text(jsonscan.Member(output, "text"), " ")
			a.stopWord(jsonscan.Member(output, "stop_reason"))
			return
		}
		a.choicesAnswer(body) // some speak as the newer ones do
	},
	chunk: func(c *chunks, chunk []byte) {
		for output := range jsonscan.Elements(jsonscan.Member(chunk, "outputs")) {
			c.text(jsonscan.Member(output, "text"), " ")
			c.finishWith(jsonscan.Member(output, "stop_reason"))
			return
		}
		c.choicesChunk(chunk)
	},
}

func (e *encoder) mistralText() {
	e.writePrompt("prompt", e.template(&mistralTemplate))
	e.raw("max_tokens", e.doc.maxTokens)
	e.raw("temperature", e.doc.temperature)
	e.raw("top_p", e.doc.topP)
	e.strings("stop", e.doc.stops)
	e.rest()
}
