package embed

import (
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// maxTexts is how many texts Cohere takes in a call.
const maxTexts = 96

// cohereV3 is Cohere Embed v3.
var cohereV3 = family{name: "cohere-embed-v3", types: "embedding_types", batch: maxTexts, images: true, encode: (*encoder).cohere, decode: (*decoder).cohere}

// cohereV4 is Cohere Embed v4.
var cohereV4 = family{
	name: "cohere-embed-v4", types: "embedding_types", batch: maxTexts, dimensions: []int64{256, 512, 1024, 1536}, images: true, joint: true,
	encode: (*encoder).cohere, decode: (*decoder).cohere,
}

func (e *encoder) cohere() {
	kind := e.field("input_type")
	text, image := e.input(e.part.Inputs[0])
	switch {
	case text != nil && image != nil:
		e.name("inputs")
		e.dst = append(e.dst, `[{"content":[{"type":"text","text":`...)
		e.dst = text.Text.AppendJSON(e.dst)
		e.dst = append(e.dst, `},{"type":"image_url","image_url":{"url":`...)
		e.dataURL(image)
		e.dst = append(e.dst, `}}]}]`...)
	case image != nil:
		e.name("images")
		e.dst = append(e.dst, '[')
		e.dataURL(image)
		e.dst = append(e.dst, ']')
		if kind == nil {
			kind = []byte(`"image"`)
		}
	default:
		e.name("texts")
		for n, i := range e.part.Inputs {
			if n > 0 {
				e.dst = append(e.dst, ',')
				text, _ = e.input(i)
			} else {
				e.dst = append(e.dst, '[')
			}
			e.dst = text.Text.AppendJSON(e.dst)
		}
		e.dst = append(e.dst, ']')
	}
	if kind == nil {
		kind = []byte(`"search_document"`)
	}
	e.raw("input_type", kind)
	e.integer("output_dimension", e.dimensions)
	e.wantedTypes()
	e.rest()
}

func (e *encoder) dataURL(b *llm.Block) {
	e.dst = append(append(e.dst, `"data:image/`...), b.Media.Format...)
	e.dst = append(e.dst, `;base64,`...)
	e.dst = b.Media.Base64.AppendInner(e.dst)
	e.dst = append(e.dst, '"')
}

// cohere reads {"embeddings": [vector, …]} and {"embeddings": {type: [vector, …], …}}.
func (d *decoder) cohere(body []byte) {
	all := jsonscan.Member(body, "embeddings")
	if isList(all) {
		n := 0
		for vector := range jsonscan.Elements(all) {
			d.set(n, llm.Vector{Floats: vector})
			n++
		}
		return
	}
	vectors := make([]llm.Vector, len(d.part.Inputs))
	for name, list := range jsonscan.Members(all) {
		n := 0
		for vector := range jsonscan.Elements(list) {
			if n < len(vectors) && isList(vector) {
				if name == "float" {
					vectors[n].Floats = vector
				}
				if len(d.part.types) > 0 {
					vectors[n].ByType = append(vectors[n].ByType, llm.Field{Name: name, Value: vector})
				}
			}
			n++
		}
	}
	for n, v := range vectors {
		d.set(n, v)
	}
}
