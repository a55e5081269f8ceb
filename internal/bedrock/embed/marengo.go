package embed

import (
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// marengo2 is TwelveLabs Marengo Embed 2.7.
var marengo2 = family{
	name: "twelvelabs-marengo", images: true, s3: true,
	encode: func(e *encoder) {
		text, image := e.input(e.part.Inputs[0])
		if image != nil {
			e.marengoKind("image")
			e.object("mediaSource", func() { e.marengoSource(image) })
		} else {
			e.marengoKind("text")
			e.text("inputText", text.Text)
			truncate := e.field("textTruncate")
			if truncate == nil {
				truncate = []byte(`"end"`)
			}
			e.raw("textTruncate", truncate)
		}
		e.rest()
	},
	decode: (*decoder).marengo,
}

// marengo3 is TwelveLabs Marengo Embed 3.0.
var marengo3 = family{
	name: "twelvelabs-marengo-3", images: true, joint: true, s3: true,
	encode: func(e *encoder) {
		text, image := e.input(e.part.Inputs[0])
		switch {
		case text != nil && image != nil:
			e.marengoKind("text_image")
			e.object("text_image", func() {
				e.text("inputText", text.Text)
				e.object("mediaSource", func() { e.marengoSource(image) })
			})
		case image != nil:
			e.marengoKind("image")
			e.object("image", func() { e.object("mediaSource", func() { e.marengoSource(image) }) })
		default:
			e.marengoKind("text")
			e.object("text", func() { e.text("inputText", text.Text) })
		}
		for _, older := range [...]string{"textTruncate", "embeddingOption", "useFixedLengthSec", "minClipSec"} {
			if e.field(older) != nil {
				if err := e.req.Unsupported(older, e.ref.ID); err != nil && e.err == nil {
					e.err = err
				}
			}
		}
		e.rest()
	},
	decode: (*decoder).marengo,
}

// marengoKind writes what the input is, unless the request says so itself.
func (e *encoder) marengoKind(kind string) {
	own := e.field("inputType")
	if other := e.field("input_type"); own == nil {
		own = other
	}
	if own == nil {
		own = llm.AppendString(nil, kind)
	}
	e.raw("inputType", own)
}

func (e *encoder) marengoSource(b *llm.Block) {
	owner := e.field("bucketOwner")
	if b.Media.S3 == "" {
		e.text("base64String", b.Media.Base64)
		return
	}
	e.object("s3Location", func() {
		e.raw("uri", llm.AppendString(nil, b.Media.S3))
		e.raw("bucketOwner", owner)
	})
}

// marengo reads {"data": [{"embedding": vector}]} or {"data": {"embedding": vector}}. It counts inputs, not tokens.
func (d *decoder) marengo(body []byte) {
	d.uncounted = true
	d.usage.Images, d.usage.Queries = d.part.images, d.part.texts
	data := jsonscan.Member(body, "data")
	if isList(data) {
		for one := range jsonscan.Elements(data) {
			data = one
			break
		}
	}
	if list := jsonscan.Member(data, "embedding"); isList(list) {
		d.set(0, llm.Vector{Floats: list})
	}
}
