package embed

import (
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// titanV1 is Titan Embeddings G1 – Text.
var titanV1 = family{
	name:   "titan-embed-v1",
	encode: func(e *encoder) { e.titanText(); e.rest() },
	decode: (*decoder).titan,
}

// titanV2 is Titan Text Embeddings V2.
var titanV2 = family{
	name: "titan-embed-v2", types: "embeddingTypes", dimensions: []int64{256, 512, 1024},
	encode: func(e *encoder) {
		e.titanText()
		e.integer("dimensions", e.dimensions)
		e.wantedTypes()
		e.rest()
	},
	decode: (*decoder).titan,
}

// titanImage is Titan Multimodal Embeddings.
var titanImage = family{
	name: "titan-embed-image", dimensions: []int64{256, 384, 1024}, images: true, joint: true,
	encode: func(e *encoder) {
		e.titanText()
		if own := e.field("embeddingConfig"); own != nil {
			e.raw("embeddingConfig", own)
		} else if e.dimensions != 0 {
			e.object("embeddingConfig", func() { e.integer("outputEmbeddingLength", e.dimensions) })
		}
		e.rest()
	},
	decode: func(d *decoder, body []byte) {
		d.titan(body)
		d.usage.Images = d.part.images
	},
}

func (e *encoder) titanText() {
	text, image := e.input(e.part.Inputs[0])
	if text != nil {
		e.text("inputText", text.Text)
	}
	if image != nil {
		if f := image.Media.Format; f != "png" && f != "jpeg" {
			e.refuse(image.Path.String(), e.ref.ID+" takes png and jpeg images, not "+f)
		}
		e.text("inputImage", image.Media.Base64)
	}
}

func (d *decoder) titan(body []byte) {
	d.tokens(jsonscan.Member(body, "inputTextTokenCount"))
	var v llm.Vector
	for name, list := range jsonscan.Members(jsonscan.Member(body, "embeddingsByType")) {
		if isList(list) {
			v.ByType = append(v.ByType, llm.Field{Name: name, Value: list})
			if name == "float" {
				v.Floats = list
			}
		}
	}
	if list := jsonscan.Member(body, "embedding"); isList(list) && v.Floats == nil {
		v.Floats = list
	}
	if len(d.part.types) == 0 {
		v.ByType = nil
	}
	d.set(0, v)
}
