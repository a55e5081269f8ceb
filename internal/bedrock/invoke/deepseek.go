package invoke

import (
	"github.com/outcrop-ai/outcrop/internal/bedrock/converse"
	"github.com/outcrop-ai/outcrop/internal/catalog"
)

// deepseekR1 is AWS's own DeepSeek R1, whose body is one text that ends where the model begins to think.
var deepseekR1 = family{
	name:   "deepseek-r1",
	body:   func(catalog.Ref) converse.Body { return withoutTopK() },
	encode: (*encoder).deepseekR1,
	answer: (*answer).choicesAnswer,
	chunk:  (*chunks).choicesChunk,
}

// maxR1Stops is AWS's limit of stop sequences.
const maxR1Stops = 10

func (e *encoder) deepseekR1() {
	if len(e.doc.stops) > maxR1Stops {
		e.refuse("stop", "DeepSeek R1 takes 10 stop sequences at most")
	}
	e.writePrompt("prompt", e.template(&r1Template))
	e.raw("max_tokens", e.doc.maxTokens)
	e.raw("temperature", e.doc.temperature)
	e.raw("top_p", e.doc.topP)
	e.strings("stop", e.doc.stops)
	e.rest()
}

// importedR1 is DeepSeek R1 as people import it: Llama's body, R1's template.
var importedR1 = family{
	name:   "deepseek-r1-imported",
	body:   func(catalog.Ref) converse.Body { return withoutTopK() },
	encode: func(e *encoder) { e.llama(e.template(&r1Template)) },
	answer: generationAnswer,
	chunk:  generationChunk,
}
