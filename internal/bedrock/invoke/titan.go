package invoke

import (
	"strings"

	"github.com/outcrop-ai/outcrop/internal/bedrock/converse"
	"github.com/outcrop-ai/outcrop/internal/catalog"
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
)

// titanText is Amazon Titan Text.
var titanText = family{
	name:   "titan-text",
	body:   func(catalog.Ref) converse.Body { return withoutTopK() },
	encode: (*encoder).titanText,
	answer: func(a *answer, body []byte) {
		results := jsonscan.Member(body, "results")
		set(&a.usage.input, jsonscan.Member(body, "inputTextTokenCount"))
		found := false
		for result := range jsonscan.Elements(results) {
			a.text(jsonscan.Member(result, "outputText"), "\n ")
			a.stopWord(jsonscan.Member(result, "completionReason"))
			a.usage.known = set(&a.usage.output, jsonscan.Member(result, "tokenCount"))
			found = true
			break
		}
		if !found {
			a.shape()
		}
	},
	chunk: func(c *chunks, chunk []byte) {
		c.text(jsonscan.Member(chunk, "outputText"), "\n ")
		set(&c.usage.input, jsonscan.Member(chunk, "inputTextTokenCount"))
		if set(&c.usage.output, jsonscan.Member(chunk, "totalOutputTextTokenCount")) {
			c.usage.known = true
		}
		c.finishWith(jsonscan.Member(chunk, "completionReason"))
	},
}

func (e *encoder) titanText() {
	e.writePrompt("inputText", &titanTemplate)
	var stops, emulated []string
	for _, stop := range e.doc.stops {
		if stop == "User:" || strings.Trim(stop, "|") == "" { // all that Titan takes
			stops = append(stops, stop)
		} else {
			emulated = append(emulated, stop)
		}
	}
	e.emulateStops(emulated)
	e.object("textGenerationConfig", func() {
		e.raw("maxTokenCount", e.doc.maxTokens)
		e.raw("temperature", e.doc.temperature)
		e.raw("topP", e.doc.topP)
		e.strings("stopSequences", stops)
		e.rest()
	})
}
