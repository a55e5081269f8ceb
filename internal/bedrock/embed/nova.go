package embed

import (
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// novaEmbed is Amazon Nova Multimodal Embeddings.
var novaEmbed = family{
	name: "nova-embed", dimensions: []int64{256, 384, 1024, 3072}, images: true, videos: true, s3: true,
	encode: (*encoder).nova,
	decode: func(d *decoder, body []byte) {
		for one := range jsonscan.Elements(jsonscan.Member(body, "embeddings")) {
			if list := jsonscan.Member(one, "embedding"); isList(list) {
				d.set(0, llm.Vector{Floats: list})
			}
			break
		}
		d.usage.Images = d.part.images
	},
}

// novaDimensions is the length of a vector where nobody says one.
const novaDimensions = 3072

func (e *encoder) nova() {
	text, medium := e.input(e.part.Inputs[0])
	e.raw("schemaVersion", []byte(`"nova-multimodal-embed-v1"`))
	e.raw("taskType", []byte(`"SINGLE_EMBEDDING"`))
	e.object("singleEmbeddingParams", func() {
		purpose := e.field("embeddingPurpose")
		if purpose == nil {
			purpose = []byte(`"GENERIC_INDEX"`)
		}
		e.raw("embeddingPurpose", purpose)
		if own := e.field("embeddingDimension"); own != nil {
			e.raw("embeddingDimension", own)
		} else if e.dimensions != 0 {
			e.integer("embeddingDimension", e.dimensions)
		} else {
			e.integer("embeddingDimension", novaDimensions)
		}
		truncation := e.field("truncationMode")
		if truncation == nil {
			truncation = []byte(`"END"`)
		}
		switch {
		case medium != nil:
			e.novaMedium(medium)
		default:
			e.novaText(text, truncation)
		}
		e.rest()
	})
}

func (e *encoder) novaText(text *llm.Block, truncation []byte) {
	if own := e.field("text"); own != nil { // the client's own object
		e.raw("text", own)
		return
	}
	e.object("text", func() {
		e.text("value", text.Text)
		e.raw("truncationMode", truncation)
	})
}

func (e *encoder) novaMedium(b *llm.Block) {
	kind := map[llm.BlockKind]string{llm.BlockImage: "image", llm.BlockVideo: "video", llm.BlockAudio: "audio"}[b.Kind]
	if own := e.field(kind); own != nil {
		e.raw(kind, own)
		return
	}
	e.object(kind, func() {
		e.raw("format", llm.AppendString(nil, b.Media.Format))
		e.object("source", func() {
			if b.Media.S3 == "" {
				e.text("bytes", b.Media.Base64)
				return
			}
			e.object("s3Location", func() {
				e.raw("uri", llm.AppendString(nil, b.Media.S3))
				e.raw("bucketOwner", e.field("bucketOwner"))
			})
		})
	})
}
