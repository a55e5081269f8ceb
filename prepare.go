package outcrop

import (
	"encoding/base64"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/internal/media"
	"github.com/outcrop-ai/outcrop/llm"
)

// prepare returns a request that the engine may change: with lists of its own, and with everything in it that is written
// into JSON as it stands checked for being JSON. A dialect does as much for the requests that it decodes.
func prepare(asked *llm.Request) (*llm.Request, *llm.Error) {
	r := *asked
	r.Losses, r.Original = nil, nil // a body in somebody's dialect is a dialect's to read
	if failed := checkParams(&r); failed != nil {
		return nil, failed
	}
	n := len(r.System)
	for i := range r.Messages {
		n += len(r.Messages[i].Blocks)
	}
	p := preparation{arena: make([]llm.Block, 0, n)}
	r.System = p.blocks(r.System, func(i int) llm.Path { return llm.Path{Message: -1, Part: int32(i), In: llm.InSystem} }) //nolint:gosec // no request has 2^31 blocks
	messages := make([]llm.Message, len(r.Messages))
	for i := range r.Messages {
		m := &messages[i]
		*m = r.Messages[i]
		if m.Role > llm.RoleSystem {
			return nil, llm.Invalid("messages["+strconv.Itoa(i)+"].role", "the role is none that there is")
		}
		m.Blocks = p.blocks(m.Blocks, func(j int) llm.Path { return llm.Path{Message: int32(i), Part: int32(j)} }) //nolint:gosec // as above
	}
	r.Messages = messages
	if p.failed != nil {
		return nil, p.failed
	}
	r.Metadata, r.Params, r.Extra = slices.Clone(r.Metadata), slices.Clone(r.Params), slices.Clone(r.Extra)
	r.Betas, r.Tags, r.Tools = slices.Clone(r.Betas), slices.Clone(r.Tags), slices.Clone(r.Tools)
	return &r, nil
}

// checkParams checks what is not conversation.
func checkParams(r *llm.Request) *llm.Error {
	if r.Model == "" {
		return missing("model")
	}
	for i := range r.Tools {
		t, at := &r.Tools[i], "tools["+strconv.Itoa(i)+"]"
		if t.Name == "" && t.Raw == nil {
			return missing(at + ".name")
		}
		if failed := checkJSON(at+".schema", t.Schema, jsonscan.KindObject); failed != nil {
			return failed
		}
		if failed := checkJSON(at, t.Raw, jsonscan.KindObject); failed != nil {
			return failed
		}
	}
	if f := r.Format; f != nil {
		if failed := checkJSON("format.schema", f.Schema, jsonscan.KindObject); failed != nil {
			return failed
		}
	}
	if failed := checkJSON("thinking", r.Thinking, jsonscan.KindObject); failed != nil {
		return failed
	}
	if failed := checkJSON("guardrail", r.Guardrail, jsonscan.KindObject); failed != nil {
		return failed
	}
	for _, list := range []struct {
		name   string
		fields []llm.Field
	}{{"params", r.Params}, {"extra", r.Extra}} {
		for i, f := range list.fields {
			at := list.name + "." + f.Name
			switch {
			case f.Name == "":
				return llm.Invalid(list.name, "a parameter has no name")
			case llm.Lookup(list.fields[:i], f.Name) != nil:
				return llm.Invalid(at, at+" stands there twice")
			case len(f.Value) == 0:
				return llm.Invalid(at, at+" cannot be written as JSON")
			}
			if failed := checkJSON(at, f.Value, 0); failed != nil {
				return failed
			}
		}
	}
	if failed := checkNumbers(r); failed != nil {
		return failed
	}
	r.Stop = slices.DeleteFunc(slices.Clone(r.Stop), func(s string) bool { return strings.TrimSpace(s) == "" })
	return nil
}

func checkNumbers(r *llm.Request) *llm.Error {
	if v := r.Temperature; v != nil && (math.IsNaN(*v) || math.IsInf(*v, 0)) {
		return llm.Invalid("temperature", "temperature must be a number")
	}
	if v := r.TopP; v != nil && (math.IsNaN(*v) || math.IsInf(*v, 0)) {
		return llm.Invalid("top_p", "top_p must be a number")
	}
	if v := r.MaxTokens; v != nil && *v < 1 {
		return llm.Invalid("max_tokens", "max_tokens must be at least 1")
	}
	if v := r.TopK; v != nil && *v < 0 {
		return llm.Invalid("top_k", "top_k must not be negative")
	}
	return nil
}

func missing(param string) *llm.Error {
	return &llm.Error{Kind: llm.KindInvalid, Code: "missing_required_parameter", Param: param, Message: param + " is missing"}
}

// checkJSON checks that raw, if there is any, is JSON of a kind; 0 is any.
func checkJSON(param string, raw []byte, kind jsonscan.Kind) *llm.Error {
	if raw == nil {
		return nil
	}
	if err := jsonscan.Valid(raw); err != nil {
		return llm.Invalid(param, param+" is no JSON: "+err.Error())
	}
	s := jsonscan.New(raw)
	if got := s.Peek(); kind != 0 && got != kind {
		return llm.Invalid(param, param+" must be "+kind.String()+", not "+got.String())
	}
	return nil
}

// preparation copies content.
type preparation struct {
	arena  []llm.Block
	failed *llm.Error
}

// blocks returns a copy of blocks, each with its place in the request.
func (p *preparation) blocks(list []llm.Block, at func(int) llm.Path) []llm.Block {
	if len(list) == 0 || p.failed != nil {
		return nil
	}
	start := len(p.arena)
	p.arena = append(p.arena, list...)
	own := p.arena[start:len(p.arena):len(p.arena)]
	for i := range own {
		if own[i].Path == (llm.Path{}) {
			own[i].Path = at(i)
		}
		if failed := p.block(&own[i]); failed != nil && p.failed == nil {
			p.failed = failed
		}
	}
	return own
}

// block checks one block, and copies what the engine changes of it.
func (p *preparation) block(b *llm.Block) *llm.Error {
	param := b.Path.String
	switch b.Kind {
	case llm.BlockText, llm.BlockThinking, llm.BlockRedacted, llm.BlockGuarded:
	case llm.BlockImage, llm.BlockDocument, llm.BlockVideo, llm.BlockAudio:
		if b.Media == nil {
			return badMedia(param(), "it has no content")
		}
		own := *b.Media
		b.Media = &own
		return locate(b)
	case llm.BlockToolUse, llm.BlockToolResult:
		if b.Tool == nil || b.Kind == llm.BlockToolUse && b.Tool.Name == "" {
			return llm.Invalid(param(), "the call of a tool has neither name nor result")
		}
		own := *b.Tool
		b.Tool = &own
		if b.Kind == llm.BlockToolUse {
			if len(own.Input) == 0 {
				b.Tool.Input = []byte("{}")
			}
			return checkJSON(param(), own.Input, 0)
		}
		path := b.Path
		inner := preparation{arena: make([]llm.Block, 0, len(own.Result))}
		b.Tool.Result = inner.blocks(own.Result, func(int) llm.Path { return path })
		return inner.failed
	case llm.BlockCitations, llm.BlockOther:
		return checkJSON(param(), b.Raw, 0)
	default:
		return llm.Invalid(param(), "the block's kind is none that there is")
	}
	return nil
}

func badMedia(param, reason string) *llm.Error {
	return &llm.Error{Kind: llm.KindInvalid, Code: "invalid_media", Param: param, Message: param + ": " + reason}
}

// locate makes of a file's address or content what codecs know: data URLs become content, and formats have AWS's names.
// Of an image the bytes tell the format; where they contradict the label of another file, they win, too.
func locate(b *llm.Block) *llm.Error {
	m := b.Media
	mime := ""
	if url := []byte(m.URL); media.IsDataURL(url) {
		kind, content, err := media.FromDataURL(url)
		if err != nil {
			return badMedia(b.Path.String(), "the data URL cannot be used: "+err.Error())
		}
		mime, m.URL, m.Base64 = kind, "", llm.RawText(content)
	}
	set := 0
	for _, has := range []bool{!m.Base64.IsEmpty(), !m.Text.IsEmpty(), m.URL != "", m.S3 != ""} {
		if has {
			set++
		}
	}
	switch {
	case set == 0:
		return badMedia(b.Path.String(), "it has no content")
	case set > 1:
		return badMedia(b.Path.String(), "it has more than one content: set one of Base64, Text, URL and S3")
	case m.URL != "":
		if !strings.HasPrefix(m.URL, "http://") && !strings.HasPrefix(m.URL, "https://") {
			return badMedia(b.Path.String(), "its address must be http(s), s3:// or a data URL")
		}
		return nil
	case !m.Text.IsEmpty():
		if m.Format == "" {
			m.Format = "txt"
		}
		return nil
	}
	if !m.Base64.IsEmpty() {
		raw, spelled := m.Base64.Raw()
		if !spelled {
			raw = []byte(m.Base64.String())
		}
		content, err := media.Base64(raw)
		if err != nil {
			return badMedia(b.Path.String(), "its content cannot be used: "+err.Error())
		}
		m.Base64 = llm.RawText(content)
	}
	format, known := sniff(m)
	if !known {
		for _, find := range []func() (media.Format, bool){
			func() (media.Format, bool) { return media.ByName(m.Format) },
			func() (media.Format, bool) { return media.ByMIME(m.Format) },
			func() (media.Format, bool) { return media.ByMIME(mime) },
			func() (media.Format, bool) { return media.ByName(m.Name) },
			func() (media.Format, bool) { return media.ByName(m.S3) },
		} {
			if format, known = find(); known {
				break
			}
		}
	}
	switch {
	case !known:
		return badMedia(b.Path.String(), "it is no image, document, video or audio clip in a format that Bedrock takes")
	case b.Kind == llm.BlockImage && format.Kind == llm.BlockImage && !m.Base64.IsEmpty():
		if _, sniffed := sniff(m); !sniffed {
			return badMedia(b.Path.String(), "its content begins like no png, jpeg, gif or webp file")
		}
	}
	b.Kind, m.Format = format.Kind, format.Name
	return nil
}

// sniff lets the content tell the format.
func sniff(m *llm.Media) (media.Format, bool) {
	raw, ok := m.Base64.Raw()
	if !ok {
		return media.Format{}, false
	}
	return media.SniffBase64(raw)
}

// picture checks an image and returns it as an image model gets it.
func picture(param string, data []byte) (llm.Picture, *llm.Error) {
	format, ok := media.Sniff(data)
	if !ok || format.Name != "png" && format.Name != "jpeg" && format.Name != "webp" {
		return llm.Picture{}, &llm.Error{Kind: llm.KindInvalid, Code: "invalid_image", Param: param, Message: param + " must be a PNG, JPEG or WebP image"}
	}
	return llm.Picture{Base64: base64.StdEncoding.AppendEncode(nil, data), Format: format.Name, Path: param}, nil
}

// imageType is the MIME type of an image.
func imageType(data []byte) string { return http.DetectContentType(data) }
