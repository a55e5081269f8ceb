package converse

import (
	"bytes"
	"strings"

	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/internal/media"
	"github.com/outcrop-ai/outcrop/llm"
)

// media writes an image, document, video or audio block. The bytes tell an image's format, whatever the client
// called it.
func (e *encoder) media(b *llm.Block, p llm.Path) {
	md := b.Media
	if b.Path.Part != p.Part && b.Path != (llm.Path{}) {
		p = b.Path
	}
	if md == nil {
		e.refuse(p.String(), "a file without content")
		return
	}
	if !md.Text.IsBlank() && b.Kind == llm.BlockDocument {
		e.document(md, "txt", nil, p)
		return
	}
	if md.S3 == "" && md.Base64.IsEmpty() {
		if md.URL != "" {
			e.refuse(p.String(), "the file behind the URL has not been fetched")
		} else {
			e.refuse(p.String(), "an empty file")
		}
		return
	}
	var content []byte
	if md.S3 == "" {
		var ok bool
		if content, ok = base64Of(md.Base64); !ok {
			e.refuse(p.String(), "the file is not valid base64")
			return
		}
	}
	kind, format := b.Kind, e.formatOf(b.Kind, md, content)
	if kind == llm.BlockImage && content != nil {
		found, ok := media.SniffBase64(content)
		switch {
		case ok && found.Kind == llm.BlockImage:
			format = found.Name
		case ok && found.Kind == llm.BlockDocument: // sent as an image, but a document by its bytes
			kind, format = found.Kind, found.Name
		default:
			e.refuse(p.String(), "the image is none: its bytes are not a PNG, JPEG, GIF or WebP")
			return
		}
	}
	switch kind {
	case llm.BlockImage:
		if e.m.noVision {
			e.refuse(p.String(), e.m.name+" does not take images")
			return
		}
		e.source("image", imageFormats, format, md, content, p)
	case llm.BlockVideo:
		if e.m.noVideo {
			e.refuse(p.String(), e.m.name+" does not take video")
			return
		}
		e.source("video", videoFormats, format, md, content, p)
	case llm.BlockAudio:
		if e.m.noAudio {
			e.refuse(p.String(), e.m.name+" does not take audio")
			return
		}
		e.source("audio", audioFormats, format, md, content, p)
	default:
		e.document(md, format, content, p)
	}
}

// The formats of AWS's Converse API, each between spaces.
const (
	imageFormats    = " png jpeg gif webp "
	officeFormats   = " doc docx xls xlsx "
	documentFormats = " pdf csv doc docx xls xlsx html txt md "
	videoFormats    = " mkv mov mp4 webm flv mpeg mpg wmv three_gp "
	audioFormats    = " mp3 opus wav aac flac mp4 ogg mkv mka x-aac m4a mpeg mpga pcm webm "
)

func isFormat(list, format string) bool {
	return format != "" && !strings.Contains(format, " ") && strings.Contains(list, " "+format+" ")
}

// formatOf returns AWS's name of the format: as the client's side found it, else by its first bytes or its name.
func (e *encoder) formatOf(kind llm.BlockKind, md *llm.Media, content []byte) string {
	list := documentFormats
	switch kind {
	case llm.BlockImage:
		list = imageFormats
	case llm.BlockVideo:
		list = videoFormats
	case llm.BlockAudio:
		list = audioFormats
	default:
	}
	if isFormat(list, md.Format) {
		return md.Format
	}
	if f, ok := media.ByName(md.Format); ok && isFormat(list, f.Name) { // jpg, 3gp
		return f.Name
	}
	if content != nil {
		if f, ok := media.SniffBase64(content); ok && isFormat(list, f.Name) {
			return f.Name
		}
	}
	if md.Format == "" {
		for _, name := range [...]string{md.Name, md.S3} {
			if f, ok := media.ByName(name); ok && isFormat(list, f.Name) {
				return f.Name
			}
		}
	}
	return ""
}

// base64Of returns the standard base64 of a file, and whether it is any.
func base64Of(t llm.Text) ([]byte, bool) {
	raw, ok := t.Raw()
	if !ok {
		raw = []byte(t.String())
	}
	content, err := media.Base64(raw)
	if err != nil && ok && bytes.IndexByte(raw, '\\') >= 0 { // escapes of JSON, such as \/ or \n
		content, err = media.Base64(jsonscan.AppendUnescaped(nil, raw))
	}
	return content, err == nil
}

// source writes a block that has a format and a source and nothing more.
func (e *encoder) source(kind, formats, format string, md *llm.Media, content []byte, p llm.Path) {
	if !isFormat(formats, format) {
		e.refuse(p.String(), "the "+kind+" has a format that Bedrock does not take: it takes"+strings.TrimRight(formats, " "))
		return
	}
	e.begin()
	e.dst = append(e.dst, '{', '"')
	e.dst = append(e.dst, kind...)
	e.dst = append(e.dst, `":{"format":"`...)
	e.dst = append(e.dst, format...)
	e.dst = append(e.dst, `","source":`...)
	e.sourceOf(md, content, p)
	e.dst = append(e.dst, '}', '}')
}

func (e *encoder) sourceOf(md *llm.Media, content []byte, p llm.Path) {
	if !md.Text.IsEmpty() {
		e.dst = append(e.dst, `{"text":`...)
		e.dst = md.Text.AppendJSON(e.dst)
		e.dst = append(e.dst, '}')
		return
	}
	if md.S3 == "" {
		e.dst = append(e.dst, `{"bytes":"`...)
		e.dst = append(e.dst, content...)
		e.dst = append(e.dst, '"', '}')
		return
	}
	if e.m.body != nil && e.m.body.NoS3 {
		e.refuse(p.String(), "InvokeModel reads no s3:// addresses for this model: send the file, or use the Converse route")
		return
	}
	if !strings.HasPrefix(md.S3, "s3://") {
		e.refuse(p.String(), "not an s3:// address")
		return
	}
	e.dst = append(e.dst, `{"s3Location":{"uri":`...)
	e.dst = llm.AppendString(e.dst, md.S3)
	if md.Owner != "" {
		e.dst = append(e.dst, `,"bucketOwner":`...)
		e.dst = llm.AppendString(e.dst, md.Owner)
	}
	e.dst = append(e.dst, '}', '}')
}
