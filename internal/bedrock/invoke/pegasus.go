package invoke

import (
	"strings"

	"github.com/outcrop-ai/outcrop/internal/bedrock/converse"
	"github.com/outcrop-ai/outcrop/internal/catalog"
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
)

// pegasus is TwelveLabs Pegasus, which speaks about one video.
var pegasus = family{
	name: "twelvelabs-pegasus",
	body: func(catalog.Ref) converse.Body {
		return converse.Body{
			NoTools: true, NoVision: true, NoAudio: true, NoDocuments: true, NoCache: true, NoTopK: true, NoStop: true, NoReasoning: true,
			Params: []string{"responseFormat"},
		}
	},
	encode: (*encoder).pegasus,
	answer: func(a *answer, body []byte) {
		message := jsonscan.Member(body, "message")
		if message == nil {
			a.shape()
			return
		}
		a.text(message, "")
		a.stopWord(jsonscan.Member(body, "finishReason"))
	},
	chunk: func(c *chunks, chunk []byte) {
		c.text(jsonscan.Member(chunk, "message"), "")
		c.finishWith(jsonscan.Member(chunk, "finishReason"))
	},
}

func (e *encoder) pegasus() {
	var video []byte
	videos := 0
	var said []string
	if system := e.joined(e.doc.system); system != "" {
		said = append(said, system)
	}
	for i := range e.doc.turns {
		var texts []block
		for _, b := range e.doc.turns[i].blocks {
			if b.kind == kindVideo {
				video = jsonscan.Member(b.value, "source")
				videos++
				continue
			}
			texts = append(texts, b)
		}
		if text := e.joined(texts); text != "" {
			said = append(said, text)
		}
	}
	if videos != 1 {
		e.refuse("messages", e.ref.ID+" speaks about one video: the messages must hold exactly one")
		return
	}
	e.string("inputPrompt", strings.Join(said, "\n"))
	e.name("mediaSource")
	if location := jsonscan.Member(video, "s3Location"); location != nil {
		e.dst = append(append(append(e.dst, `{"s3Location":`...), location...), '}')
	} else {
		e.dst = append(append(append(e.dst, `{"base64String":`...), jsonscan.Member(video, "bytes")...), '}')
	}
	e.raw("temperature", e.doc.temperature)
	if e.doc.topP != nil {
		e.unsupported("top_p")
	}
	e.raw("maxOutputTokens", e.doc.maxTokens)
	e.rest()
}
