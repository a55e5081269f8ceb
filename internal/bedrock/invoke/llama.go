package invoke

import (
	"strings"

	"github.com/outcrop-ai/outcrop/internal/bedrock/converse"
	"github.com/outcrop-ai/outcrop/internal/catalog"
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
)

// llama is Meta's Llama, also imported.
var llama = family{
	name: "llama",
	body: func(ref catalog.Ref) converse.Body {
		b := promptBody()
		b.NoTopK, b.NoVision = true, !llamaSees(ref)
		return b
	},
	encode: func(e *encoder) { e.llama(e.template(llamaTemplate(e.ref))) },
	answer: generationAnswer,
	chunk:  generationChunk,
}

// llamaSees reports whether the model takes images: Llama 3.2 in its two larger sizes does on InvokeModel.
func llamaSees(ref catalog.Ref) bool {
	id := ref.ID
	if ref.Model != nil {
		id = ref.Model.ID
	}
	return strings.Contains(id, "llama3-2-11b") || strings.Contains(id, "llama3-2-90b")
}

// llamaTemplate is the template of the model's generation; imported ones are Llama 3 most of the time.
func llamaTemplate(ref catalog.Ref) *template {
	id := ref.ID
	if ref.Model != nil {
		id = ref.Model.ID
	}
	switch {
	case strings.Contains(id, "llama2"):
		return &llama2Template
	case strings.Contains(id, "llama4"):
		return &llama4Template
	default:
		return &llama3Template
	}
}

func (e *encoder) llama(t *template) {
	e.writePrompt("prompt", t)
	e.raw("max_gen_len", e.doc.maxTokens)
	e.raw("temperature", e.doc.temperature)
	e.raw("top_p", e.doc.topP)
	e.images()
	e.emulateStops(e.doc.stops)
	e.rest()
}

// images writes the images of the conversation in their order.
func (e *encoder) images() {
	first := true
	for i := range e.doc.turns {
		for j := range e.doc.turns[i].blocks {
			b := &e.doc.turns[i].blocks[j]
			if b.kind != kindImage {
				continue
			}
			if first {
				e.name("images")
				e.dst = append(e.dst, '[')
			} else {
				e.dst = append(e.dst, ',')
			}
			first = false
			e.dst = append(e.dst, jsonscan.Member(b.value, "source", "bytes")...)
		}
	}
	if !first {
		e.dst = append(e.dst, ']')
	}
}

// generationAnswer reads {"generation", "prompt_token_count", "generation_token_count", "stop_reason"}; some imported
// models call the first one text.
func generationAnswer(a *answer, body []byte) {
	text := jsonscan.Member(body, "generation")
	if text == nil {
		text = jsonscan.Member(body, "text")
	}
	if _, ok := jsonscan.Inner(text); !ok {
		a.choicesAnswer(body)
		return
	}
	a.text(cutChatML(text), "")
	a.usage.counts(body, "prompt_token_count", "generation_token_count")
	a.stopWord(jsonscan.Member(body, "stop_reason"))
}

func generationChunk(c *chunks, chunk []byte) {
	text := jsonscan.Member(chunk, "generation")
	if text == nil {
		text = jsonscan.Member(chunk, "text")
	}
	c.text(cutChatML(text), "")
	set(&c.usage.input, jsonscan.Member(chunk, "prompt_token_count")) // in the first chunk only
	if set(&c.usage.output, jsonscan.Member(chunk, "generation_token_count")) {
		c.usage.known = true
	}
	c.finishWith(jsonscan.Member(chunk, "stop_reason"))
}
