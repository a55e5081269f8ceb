package invoke

import (
	"strings"

	"github.com/outcrop-ai/outcrop/internal/bedrock/converse"
	"github.com/outcrop-ai/outcrop/internal/catalog"
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
)

// qwenChatML is an imported Qwen.
var qwenChatML = family{
	name: "qwen-imported",
	body: func(catalog.Ref) converse.Body {
		b := promptBody()
		b.ThinkTags = true
		return b
	},
	encode: (*encoder).qwenChatML,
	answer: generationAnswer,
	chunk:  generationChunk,
}

func (e *encoder) qwenChatML() {
	e.writePrompt("prompt", e.template(&chatMLTemplate))
	e.raw("max_gen_len", e.doc.maxTokens)
	e.raw("temperature", e.doc.temperature)
	e.raw("top_p", e.doc.topP)
	e.strings("stop", e.doc.stops)
	e.rest()
}

// cutChatML cuts the marks that some imported models write around their answer.
func cutChatML(raw []byte) []byte {
	inner, ok := jsonscan.Inner(raw)
	if !ok || !strings.Contains(string(inner), "<|im_") {
		return raw
	}
	text := strings.TrimPrefix(string(inner), `<|im_start|>assistant\n`)
	text = strings.TrimSuffix(strings.TrimSuffix(text, `\n`), "<|im_end|>")
	return []byte(`"` + text + `"`)
}
