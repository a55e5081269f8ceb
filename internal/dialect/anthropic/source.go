package anthropic

import (
	"bytes"

	"github.com/outcrop-ai/outcrop/internal/dialect/read"
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/internal/media"
	"github.com/outcrop-ai/outcrop/llm"
)

// source is where an image or a document comes from.
type source struct {
	kind, mime, url string
	data            llm.Text
	// label is where media_type stands.
	label llm.Span
	// content is a document that the client has cut into pieces, joined.
	content llm.Text
}

func (d *decoder) source(f *source, path string) error {
	return d.members("", func(name []byte) (verdict, error) {
		if fields[objSource][string(name)] != mapped {
			return d.leave(objSource, path+".source", string(name))
		}
		var err error
		switch string(name) {
		case "type":
			f.kind, err = d.Word("type")
		case "media_type":
			f.label, err = d.span(func() (err error) { f.mime, err = d.Word("media_type"); return err })
		case "data":
			f.data, err = d.Text("data")
		case "url":
			f.url, err = d.Word("url")
		case "content":
			f.content, err = d.pieces()
		case "file_id":
			err = llm.Invalid("file_id", "file_id cannot be used: Bedrock has no files of Anthropic's. Send the content as base64, text or url")
		}
		return keep, err
	})
}

// pieces reads a document's content: a text, or text blocks, which are joined.
func (d *decoder) pieces() (llm.Text, error) {
	if d.Peek() == jsonscan.KindString {
		return d.Text("content")
	}
	raw, err := d.Skip()
	if err != nil {
		return llm.Text{}, err
	}
	var joined []byte
	for piece := range jsonscan.Elements(raw) {
		inner, ok := jsonscan.Inner(jsonscan.Member(piece, "text"))
		if !ok {
			return llm.Text{}, llm.Invalid("content", "content must be a text or text blocks")
		}
		if joined != nil {
			joined = append(joined, `\n\n`...)
		}
		joined = append(joined, inner...)
	}
	return llm.RawText(joined), nil
}

// relabel sets right what an image is said to be: its bytes are trusted before its label, and Claude refuses one that lies.
func (d *decoder) relabel(f *source, b *llm.Block) {
	if b.Kind != llm.BlockImage || f.label.IsEmpty() || b.Media.Base64.IsEmpty() {
		return
	}
	if mime := "image/" + b.Media.Format; f.mime != mime {
		d.insertCut(llm.Cut{Span: f.label, With: `"` + mime + `"`})
	}
}

func badMedia(param, message string) *llm.Error {
	return &llm.Error{Kind: llm.KindInvalid, Code: "invalid_media", Param: param, Message: message}
}

// place makes a source the block's media. For the type of an image its bytes are trusted before its label.
func (f *source) place(b *llm.Block, p *part) error {
	m := &llm.Media{Name: p.title, Context: p.context, CitationsEnabled: p.citations}
	b.Media = m
	b.Kind = llm.BlockDocument
	if p.kind == objImage {
		b.Kind = llm.BlockImage
	}
	switch f.kind {
	case "base64":
		return f.inline(b, p.kind)
	case "url":
		if len(f.url) > 5 && f.url[:5] == "s3://" {
			m.S3 = f.url
			format, ok := media.ByName(f.url)
			if !ok {
				return badMedia("source.url", "source.url has an ending that says no format that Bedrock takes")
			}
			b.Kind, m.Format = format.Kind, format.Name
			return nil
		}
		if !hasScheme(f.url) {
			return badMedia("source.url", "source.url must be an http(s) URL or an s3:// location")
		}
		m.URL = f.url // fetched before the model is asked
	case "text", "content":
		if m.Text = f.data; f.kind == "content" {
			m.Text = f.content
		}
		if p.kind == objImage || m.Text.IsBlank() {
			return badMedia("source", "source has no content")
		}
		m.Format = "txt"
	case "file":
		return read.Missing("source.file_id")
	default:
		return llm.Invalid("source.type", `source.type must be base64, url, text or content, not "`+read.Clip(f.kind)+`"`)
	}
	return nil
}

func (f *source) inline(b *llm.Block, kind string) error {
	raw, spelled := f.data.Raw()
	if !spelled || bytes.IndexByte(raw, '\\') >= 0 {
		raw = []byte(f.data.String())
	}
	content, err := media.Base64(raw)
	if err != nil {
		return badMedia("source.data", "source.data is not usable: "+err.Error())
	}
	m := b.Media
	m.Base64 = llm.RawText(content)
	format, known := media.SniffBase64(content)
	if kind == objImage {
		if !known || format.Kind != llm.BlockImage {
			return badMedia("source", "source is not an image: its content begins like no png, jpeg, gif or webp file")
		}
	} else if !known || format.Kind != llm.BlockDocument {
		if format, known = media.ByMIME(f.mime); !known {
			return badMedia("source", "source is not a document in a format that Bedrock takes")
		}
	}
	b.Kind, m.Format = format.Kind, format.Name
	return nil
}

func hasScheme(url string) bool {
	for _, scheme := range []string{"https://", "http://"} {
		if len(url) > len(scheme) && bytes.EqualFold([]byte(url[:len(scheme)]), []byte(scheme)) {
			return true
		}
	}
	return false
}
