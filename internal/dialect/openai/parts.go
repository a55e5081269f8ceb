package openai

import (
	"bytes"
	"strings"

	"github.com/outcrop-ai/outcrop/internal/dialect/read"
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/internal/media"
	"github.com/outcrop-ai/outcrop/llm"
)

// part is one content part as it stands in the body: its members are read as they come, and placed by its type when
// all are known.
type part struct {
	kind      string
	text      llm.Text
	signature llm.Text
	data      llm.Text
	file      file
	hasFile   bool
	cache     *llm.CachePoint
	title     string
	context   llm.Text
	citations bool
	seen      []string
}

// file is a piece of media in any of the shapes in which clients write one.
type file struct {
	mime, name, format string
	base64             llm.Text
	url, s3            string
	text               llm.Text // Anthropic's plain-text source
	hasText            bool
	id                 string
}

// part reads one content part and appends its blocks to the arena. Paths in errors are relative to the part.
func (d *decoder) part(i int) error {
	if d.s.Peek() != jsonscan.KindObject {
		return d.s.WrongType("", "an object")
	}
	var p part
	d.partIndex = i
	if err := d.each("", func(name []byte) error { return d.partMember(&p, string(name)) }); err != nil {
		return err
	}
	return d.placePart(&p, i)
}

// herePart is the path of a member of the part that is being read.
func (d *decoder) herePart(member string) string {
	return d.here(read.Index("content", d.partIndex) + "." + member)
}

func (d *decoder) partMember(p *part, name string) error {
	switch name { // only members that are read can contradict each other
	case "type", "text", "image_url", "file", "video_url", "input_audio", "source", "thinking", "signature", "data", "cache_control":
		for _, had := range p.seen {
			if had == name {
				return duplicate(name)
			}
		}
		p.seen = append(p.seen, name)
	}
	if absent, err := d.s.Null(); absent || err != nil {
		return err
	}
	var err error
	switch name {
	case "type":
		p.kind, err = d.s.Word("type")
	case "text", "thinking", "refusal":
		p.text, err = d.s.Text(name)
	case "signature":
		p.signature, err = d.s.Text("signature")
	case "data":
		p.data, err = d.s.Text("data")
	case "image_url", "video_url", "file", "input_audio", "source":
		p.hasFile = true
		if d.s.Peek() == jsonscan.KindString && name != "source" {
			err = d.location(name, &p.file)
		} else {
			err = d.file(name, &p.file)
		}
	case "cache_control":
		p.cache, err = d.cacheControl()
	case "title":
		p.title, err = d.s.Word("title")
	case "context":
		p.context, err = d.s.Text("context")
	case "citations":
		if d.s.Peek() == jsonscan.KindObject {
			err = d.soleMember("citations", "enabled", func() (err error) { p.citations, err = d.s.Flag("citations.enabled"); return })
		} else {
			_, err = d.s.Skip() // an answer's citations, sent back with the history
		}
	default:
		_, err = d.s.Skip()
		d.req.Lose(d.herePart(name), "ignored")
	}
	return err
}

func (d *decoder) placePart(p *part, i int) error {
	block := llm.Block{Path: d.path(i), Cache: p.cache}
	switch p.kind {
	case "text", "input_text", "output_text", "refusal":
		block.Kind, block.Text = llm.BlockText, p.text
	case "guarded_text":
		block.Kind, block.Text = llm.BlockGuarded, p.text
	case "grounding_source", "query":
		block.Kind, block.Text, block.Qualifiers = llm.BlockGuarded, p.text, []string{p.kind}
	case "thinking":
		block.Kind, block.Text, block.Signature = llm.BlockThinking, p.text, p.signature
	case "redacted_thinking":
		block.Kind, block.Signature = llm.BlockRedacted, p.data
	case "image_url", "image", "file", "document", "video_url", "video", "input_audio", "audio_url", "input_image", "input_file":
		if !p.hasFile {
			return read.Missing(p.kind)
		}
		if err := d.placeFile(&block, p); err != nil {
			return err
		}
	case "":
		return read.Missing("type")
	default:
		return llm.Invalid("type", `type "`+read.Clip(p.kind)+`" is not a content part that Outcrop knows`)
	}
	d.blocks = append(d.blocks, block)
	return nil
}

// location reads a URL: data, http(s) or s3.
func (d *decoder) location(path string, f *file) error {
	raw, err := d.string(path)
	if err != nil {
		return err
	}
	if bytes.IndexByte(raw, '\\') >= 0 {
		raw = jsonscan.AppendUnescaped(nil, raw)
	}
	switch {
	case media.IsDataURL(raw):
		mime, content, err := media.FromDataURL(raw)
		if err != nil {
			return badMedia(path, path+" is not a usable data URL: "+err.Error())
		}
		f.mime, f.base64 = mime, llm.RawText(content)
	case bytes.HasPrefix(raw, []byte("s3://")):
		f.s3 = string(raw)
	case hasScheme(raw, "https://"), hasScheme(raw, "http://"):
		f.url = string(raw)
	default:
		return badMedia(path, path+" must be a data URL, an http(s) URL or an s3:// location")
	}
	return nil
}

func hasScheme(raw []byte, scheme string) bool {
	return len(raw) >= len(scheme) && bytes.EqualFold(raw[:len(scheme)], []byte(scheme))
}

func badMedia(path, message string) *llm.Error {
	return &llm.Error{Kind: llm.KindInvalid, Code: "invalid_media", Param: path, Message: message}
}

// file reads the object behind image_url, file, input_audio, video_url or Anthropic's source.
func (d *decoder) file(path string, f *file) error {
	kind := ""
	err := d.s.Each(path, func(key []byte) (err error) {
		member := path + "." + string(key)
		switch string(key) {
		case "url":
			err = d.location(member, f)
		case "file_data", "data":
			err = d.fileData(member, f)
		case "file_id":
			if f.id, err = d.s.Word(member); err == nil {
				err = d.fileID(member, f)
			}
		case "filename":
			f.name, err = d.s.Word(member)
		case "format":
			f.format, err = d.s.Word(member)
		case "media_type":
			f.mime, err = d.s.Word(member)
		case "type":
			kind, err = d.s.Word(member)
		case "detail":
			var word string
			if word, err = d.s.Word(member); word != "auto" {
				d.req.Lose(d.herePart(member), "unsupported")
			}
		default:
			err = d.ignore(d.herePart(member))
		}
		return err
	})
	if err != nil {
		return err
	}
	if kind == "text" { // Anthropic's document source: data is the text itself
		f.text, f.hasText, f.base64 = f.base64, true, llm.Text{}
	} else if !f.base64.IsEmpty() {
		if err := checkBase64(path, f); err != nil {
			return err
		}
	}
	if f.base64.IsEmpty() && !f.hasText && f.url == "" && f.s3 == "" {
		return badMedia(path, path+" has no content: send a data URL, base64 or an s3:// location")
	}
	return nil
}

// fileData keeps a data URL's content or the text as it stands; whether that is base64 is judged when the whole
// object is known.
func (d *decoder) fileData(path string, f *file) error {
	if d.s.Peek() != jsonscan.KindString {
		return d.s.WrongType(path, "a string")
	}
	start := d.s.Pos
	raw, err := d.s.String()
	if err != nil {
		return err
	}
	if media.IsDataURL(raw) || bytes.HasPrefix(raw, []byte("s3://")) {
		d.s.Pos = start
		return d.location(path, f)
	}
	f.base64 = llm.RawText(raw)
	return nil
}

func checkBase64(path string, f *file) error {
	raw, spelled := f.base64.Raw()
	if !spelled || bytes.IndexByte(raw, '\\') >= 0 {
		raw = []byte(f.base64.String())
	}
	content, err := media.Base64(raw)
	if err != nil {
		return badMedia(path, path+" is not usable: "+err.Error())
	}
	f.base64 = llm.RawText(content)
	return nil
}

func (d *decoder) fileID(path string, f *file) error {
	switch {
	case strings.HasPrefix(f.id, "s3://"):
		f.s3 = f.id
	case strings.HasPrefix(f.id, "https://"), strings.HasPrefix(f.id, "http://"):
		f.url = f.id
	default:
		return badMedia(path, path+" must be a URL or an s3:// location: uploaded files are not supported")
	}
	return nil
}

// placeFile finds out what the file is. For its type the bytes are trusted before the labels, and a label before the
// file's name.
func (d *decoder) placeFile(block *llm.Block, p *part) error {
	f := &p.file
	m := &llm.Media{Name: f.name, Base64: f.base64, URL: f.url, S3: f.s3, Context: p.context, CitationsEnabled: p.citations}
	if p.title != "" {
		m.Name = p.title
	}
	if f.hasText {
		if f.text.IsBlank() {
			return badMedia(p.kind, p.kind+" has no content")
		}
		block.Kind, block.Media = llm.BlockDocument, m
		m.Format, m.Text = "txt", f.text
		return nil
	}
	format, known := f.guess()
	if !known && f.url == "" {
		return badMedia(p.kind, p.kind+" is not an image, document, video or audio clip in a format that Bedrock takes")
	}
	if !known {
		format.Kind = llm.BlockImage // what it is in truth tell its bytes, when it has been fetched
	}
	if format.Kind == llm.BlockImage && !f.base64.IsEmpty() {
		raw, _ := f.base64.Raw()
		if sniffed, ok := media.SniffBase64(raw); !ok || sniffed.Kind != llm.BlockImage {
			return badMedia(p.kind, p.kind+" is not an image: its content begins like no png, jpeg, gif or webp file")
		}
	}
	block.Kind, block.Media, m.Format = format.Kind, m, format.Name
	return nil
}

func (f *file) guess() (media.Format, bool) {
	if raw, ok := f.base64.Raw(); ok {
		if format, ok := media.SniffBase64(raw); ok {
			return format, true
		}
	}
	if f.format != "" {
		if format, ok := media.ByMIME(f.format); ok {
			return format, true
		}
		if format, ok := media.ByName(f.format); ok {
			return format, true
		}
	}
	if format, ok := media.ByMIME(f.mime); ok {
		return format, true
	}
	for _, name := range []string{f.name, f.s3} {
		if format, ok := media.ByName(name); ok {
			return format, true
		}
	}
	return media.Format{}, false
}

// searchResults reads a tool message's search_results: each becomes a block of AWS's own shape.
func (d *decoder) searchResults(blocks []llm.Block) ([]llm.Block, error) {
	more, err := d.array("search_results")
	for ; err == nil && more; more, err = d.s.NextElement() {
		span, err := d.s.Raw("search_results")
		if err != nil {
			return nil, err
		}
		raw := append([]byte(`{"searchResult":`), span...)
		blocks = append(blocks, llm.Block{Kind: llm.BlockOther, Raw: append(raw, '}'), Path: d.path(-1)})
	}
	return blocks, err
}
