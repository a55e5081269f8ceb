package invoke

import (
	"github.com/outcrop-ai/outcrop/internal/bedrock/converse"
	"github.com/outcrop-ai/outcrop/internal/catalog"
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
)

// ai21J2 is Jurassic-2, whose body is one text. It does not stream.
var ai21J2 = family{
	name:   "ai21-j2",
	body:   func(catalog.Ref) converse.Body { return withoutTopK("presence_penalty", "frequency_penalty") },
	encode: (*encoder).ai21J2,
	answer: func(a *answer, body []byte) {
		for completion := range jsonscan.Elements(jsonscan.Member(body, "completions")) {
			a.text(jsonscan.Member(completion, "data", "text"), " \n")
			a.stopWord(jsonscan.Member(completion, "finishReason", "reason"))
			a.usage.input = length(jsonscan.Member(body, "prompt", "tokens"))
			a.usage.output = length(jsonscan.Member(completion, "data", "tokens"))
			a.usage.known = a.usage.input > 0
			return
		}
		a.shape()
	},
	chunk: func(*chunks, []byte) {},
}

func length(list []byte) (n int64) {
	for range jsonscan.Elements(list) {
		n++
	}
	return n
}

// j2Answer is the limit of an answer where none is said: AWS's own is 16 tokens.
const j2Answer = 1024

func (e *encoder) ai21J2() {
	e.writePrompt("prompt", &j2Template)
	e.raw("maxTokens", e.maxTokensOr(j2Answer))
	e.raw("temperature", e.doc.temperature)
	e.raw("topP", e.doc.topP)
	e.strings("stopSequences", e.doc.stops)
	for _, penalty := range [...]struct{ openai, ai21 string }{{"presence_penalty", "presencePenalty"}, {"frequency_penalty", "frequencyPenalty"}} {
		if scale := e.doc.field(penalty.openai); scale != nil {
			e.raw(penalty.ai21, append(append([]byte(`{"scale":`), scale...), '}'))
		}
	}
	e.rest()
}

// ai21Jamba is Jamba: OpenAI's shape with a few parameters less.
var ai21Jamba = family{
	name: "ai21-jamba",
	body: func(catalog.Ref) converse.Body {
		return converse.Body{
			NoVision: true, NoVideo: true, NoAudio: true, NoDocuments: true, NoS3: true, NoCache: true, NoTopK: true, NoReasoning: true,
			Params: []string{"presence_penalty", "frequency_penalty"},
		}
	},
	encode: func(e *encoder) { e.openaiChat() },
	answer: (*answer).choicesAnswer,
	chunk:  (*chunks).choicesChunk,
}
