package openai

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"strconv"
	"strings"

	"github.com/outcrop-ai/outcrop/internal/dialect/read"
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/internal/media"
	"github.com/outcrop-ai/outcrop/llm"
)

// maxImages is how many images OpenAI makes for a request.
const maxImages = 10

// DecodeImage returns the decoder of an image request's JSON body. The model may be missing: there is a default. Images are data URLs or base64 in image, images and mask.
func DecodeImage(task llm.ImageTask) func(body []byte) (*llm.Request, *Control, error) {
	return func(body []byte) (*llm.Request, *Control, error) { return decodeImage(task, body, nil, nil) }
}

// DecodeImageForm returns the decoder of an image request's multipart form with the boundary that contentType names, as
// OpenAI's clients send it. Files are read once; texts are the members that JSON would have.
func DecodeImageForm(task llm.ImageTask, contentType string) func(body []byte) (*llm.Request, *Control, error) {
	return func(body []byte) (*llm.Request, *Control, error) {
		_, params, err := mime.ParseMediaType(contentType)
		if err != nil || params["boundary"] == "" {
			return nil, nil, llm.Invalid("Content-Type", "the form has no boundary")
		}
		members := []byte{'{'}
		var sources []llm.Picture
		var mask *llm.Picture
		form := multipart.NewReader(bytes.NewReader(body), params["boundary"])
		for {
			part, err := form.NextRawPart()
			if errors.Is(err, io.EOF) {
				break
			}
			var data []byte
			if err == nil {
				data, err = io.ReadAll(part)
			}
			if err != nil {
				return nil, nil, &llm.Error{Kind: llm.KindInvalid, Code: "invalid_form", Param: "request_body", Message: "the multipart form cannot be read", Cause: err}
			}
			name := part.FormName()
			if part.FileName() == "" && !isPicture(name) {
				members = appendFormField(members, name, string(data))
				continue
			}
			picture, bad := pictureOf(name, data)
			switch {
			case bad != nil:
				return nil, nil, bad
			case name == "mask":
				mask = picture
			case strings.HasPrefix(name, "image"):
				sources = append(sources, *picture)
			default: // an image that the model has a name for, such as style_image
				members = append(llm.AppendString(append(members, sep(members)...), name), ':')
				members = append(append(append(members, '"'), picture.Base64...), '"')
			}
		}
		return decodeImage(task, append(members, '}'), sources, mask)
	}
}

func isPicture(name string) bool {
	return name == "image" || name == "image[]" || name == "mask" || strings.HasPrefix(name, "image[")
}

func sep(members []byte) string {
	if len(members) > 1 {
		return ","
	}
	return ""
}

// appendFormField appends a form's text as a member. The numbers and booleans of OpenAI's own parameters become such.
func appendFormField(dst []byte, name, value string) []byte {
	dst = append(llm.AppendString(append(dst, sep(dst)...), name), ':')
	switch name {
	case "n", "output_compression", "partial_images", "stream", "drop_params", "timeout", "metadata", "litellm_metadata", "guardrailConfig", "extra_body", "tags":
		if jsonscan.Valid([]byte(value)) == nil {
			return append(dst, value...)
		}
	}
	return llm.AppendString(dst, value)
}

// pictureOf checks the content of a file.
func pictureOf(path string, data []byte) (*llm.Picture, *llm.Error) {
	path = strings.TrimSuffix(path, "[]")
	format, ok := media.Sniff(data)
	if !ok || format.Name != "png" && format.Name != "jpeg" && format.Name != "webp" {
		return nil, &llm.Error{Kind: llm.KindInvalid, Code: "invalid_image", Param: path, Message: path + " must be a PNG, JPEG or WebP image"}
	}
	return &llm.Picture{Base64: base64.StdEncoding.AppendEncode(nil, data), Format: format.Name, Path: path}, nil
}

func decodeImage(task llm.ImageTask, body []byte, sources []llm.Picture, mask *llm.Picture) (*llm.Request, *Control, error) {
	d := decoder{s: read.New(body), req: &llm.Request{Image: &llm.Image{Task: task, Sources: sources, Mask: mask}}, control: &Control{}}
	if err := d.document(d.imageMember); err != nil {
		return nil, nil, err
	}
	a := d.req.Image
	if task != llm.ImageGenerate && len(a.Sources) == 0 && !hasImage(d.req.Extra) {
		return nil, nil, read.Missing("image")
	}
	FlatGuardrail(d.req)
	return d.req, d.control, nil
}

// hasImage reports whether the model's own parameters bring an image: only its family knows which of them do.
func hasImage(extra []llm.Field) bool {
	for _, f := range extra {
		if strings.HasSuffix(f.Name, "Params") || f.Name == "init_image" {
			return true
		}
	}
	return false
}

// FlatGuardrail makes a guardrailConfig of the members guardrailIdentifier, guardrailVersion and trace, which LiteLLM takes
// for image models.
func FlatGuardrail(r *llm.Request) {
	if r.Guardrail != nil || llm.Lookup(r.Extra, "guardrailIdentifier") == nil {
		return
	}
	config := []byte{'{'}
	kept := r.Extra[:0:0]
	for _, f := range r.Extra {
		switch f.Name {
		case "guardrailIdentifier", "guardrailVersion", "trace":
			config = append(llm.AppendString(append(config, sep(config)...), f.Name), ':')
			config = append(config, f.Value...)
		default:
			kept = append(kept, f)
		}
	}
	r.Extra, r.Guardrail = kept, append(config, '}')
}

func (d *decoder) imageMember(key []byte) error {
	a := d.req.Image
	switch name := string(key); name {
	case "prompt":
		return d.one(memberPrompt, name, func() (err error) {
			if a.Prompt, err = d.s.Text(name); err == nil && a.Prompt.IsBlank() {
				err = llm.Invalid(name, "prompt must not be empty")
			}
			return err
		})
	case "n":
		return d.one(memberN, name, func() error {
			err := d.choices()
			if err == nil && d.req.N > maxImages {
				err = llm.Invalid(name, "n must be between 1 and "+strconv.Itoa(maxImages)+", not "+strconv.Itoa(d.req.N))
			}
			return err
		})
	case "size":
		return d.one(memberSize, name, d.imageSize)
	case "quality":
		return d.one(memberQuality, name, func() (err error) { a.Quality, err = d.s.Word(name); return })
	case "style":
		return d.one(memberStyle, name, func() (err error) { a.Style, err = d.s.Word(name); return })
	case "output_format":
		return d.one(memberOutput, name, func() (err error) { a.Format, err = d.s.Word(name); return })
	case "response_format":
		return d.one(memberFormat, name, func() error {
			word, err := d.s.Word(name)
			if err == nil && word != "b64_json" && word != "url" {
				err = llm.Invalid(name, "response_format must be b64_json or url")
			}
			a.URL = word == "url"
			return err
		})
	case "background", "moderation":
		return d.imageWord(name)
	case "stream":
		return d.one(memberStream, name, func() error {
			asked, err := d.s.Flag(name)
			if asked {
				d.req.Params = append(d.req.Params, llm.Field{Name: name, Value: json.RawMessage("true")})
			}
			return err
		})
	case "partial_images", "output_compression", "input_fidelity":
		return d.parameter(name)
	case "safety_identifier":
		return d.one(memberSafety, name, func() (err error) { d.req.User, err = d.s.Word(name); return })
	}
	if d.req.Image.Task != llm.ImageGenerate {
		switch name := string(key); name {
		case "image", "images":
			return d.imageSources(name)
		case "mask":
			return d.one(memberMask, name, func() (err error) { a.Mask, err = d.picture(name); return })
		}
	}
	return d.sharedMember(key, d.imageMember)
}

// imageWord reads background and moderation, whose usual words mean nothing to Bedrock's models.
func (d *decoder) imageWord(name string) error {
	if absent, err := d.s.Null(); absent || err != nil {
		return err
	}
	word, err := d.s.Word(name)
	if err != nil || word == "auto" || name == "background" && word == "opaque" {
		return err
	}
	d.req.Params = append(d.req.Params, llm.Field{Name: name, Value: llm.AppendString(nil, word)})
	return nil
}

func (d *decoder) imageSize() error {
	word, err := d.s.Word("size")
	if err != nil {
		return err
	}
	var ok bool
	if d.req.Image.Width, d.req.Image.Height, ok = llm.ParseSize(word); !ok {
		return llm.Invalid("size", `size must be auto or a width and a height in pixels, such as 1024x1024, not "`+read.Clip(word)+`"`)
	}
	return nil
}

// imageSources reads an image, or a list of them.
func (d *decoder) imageSources(name string) error {
	if absent, err := d.s.Null(); absent || err != nil {
		return err
	}
	one := func(path string) error {
		p, err := d.picture(path)
		if err == nil {
			d.req.Image.Sources = append(d.req.Image.Sources, *p)
		}
		return err
	}
	if d.s.Peek() != jsonscan.KindArray {
		return one(name)
	}
	more, err := d.s.OpenArray()
	for i := 0; err == nil && more; more, err = d.s.NextElement() {
		if err := one(read.Index(name, i)); err != nil {
			return err
		}
		i++
	}
	return err
}

// picture reads an image: a data URL or base64, or an object that has it as image_url or url.
func (d *decoder) picture(path string) (*llm.Picture, error) {
	if d.s.Peek() == jsonscan.KindObject {
		var found *llm.Picture
		err := d.s.Each(path, func(name []byte) (err error) {
			switch string(name) {
			case "type", "detail":
				_, err = d.s.Skip()
				return err
			case "image_url", "url":
			default:
				return d.ignore(path + "." + string(name))
			}
			found, err = d.picture(path + "." + string(name))
			return err
		})
		if err == nil && found == nil {
			err = llm.Invalid(path, path+" has no image_url")
		}
		return found, err
	}
	raw, err := d.string(path)
	if err != nil {
		return nil, err
	}
	if bytes.IndexByte(raw, '\\') >= 0 {
		raw = jsonscan.AppendUnescaped(nil, raw)
	}
	var content []byte
	if media.IsDataURL(raw) {
		_, content, err = media.FromDataURL(raw)
	} else {
		content, err = media.Base64(raw)
	}
	if err != nil {
		return nil, llm.Invalid(path, path+" must be a data URL or base64 of an image")
	}
	format, ok := media.SniffBase64(content)
	if !ok || format.Name != "png" && format.Name != "jpeg" && format.Name != "webp" {
		return nil, &llm.Error{Kind: llm.KindInvalid, Code: "invalid_image", Param: path, Message: path + " must be a PNG, JPEG or WebP image"}
	}
	return &llm.Picture{Base64: content, Format: format.Name, Path: path}, nil
}

// ImageAnswer returns the answer to an image request in pieces. The images among them are AWS's own bytes: they are large,
// and are not copied.
func ImageAnswer(created int64, asked *llm.Image, made *llm.Images) [][]byte {
	var pieces [][]byte
	dst := strconv.AppendInt([]byte(`{"created":`), created, 10)
	dst = append(dst, `,"data":[`...)
	kind := "png"
	for i, image := range made.List {
		if i > 0 {
			dst = append(dst, ',')
		}
		if format, ok := media.SniffBase64(image.Base64); ok {
			kind = format.Name
		}
		if asked.URL {
			dst = append(dst, `{"b64_json":null,"url":"data:image/`+kind+`;base64,`...)
		} else {
			dst = append(dst, `{"b64_json":"`...)
		}
		pieces = append(pieces, dst, image.Base64)
		dst = nil
		if asked.URL {
			dst = append(dst, `","revised_prompt":null`...)
		} else {
			dst = append(dst, `","url":null,"revised_prompt":null`...)
		}
		if image.Seed != nil {
			dst = append(append(dst, `,"provider_specific_fields":{"seed":`...), image.Seed...)
			dst = append(dst, '}')
		}
		dst = append(dst, '}')
	}
	dst = append(dst, `],"output_format":"`+kind+`"`...)
	if made.Width != 0 {
		dst = append(dst, `,"size":"`+strconv.Itoa(made.Width)+"x"+strconv.Itoa(made.Height)+`"`...)
	}
	if len(made.Fields) > 0 {
		dst = append(dst, `,"provider_specific_fields":{`...)
		for i, f := range made.Fields {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(append(llm.AppendString(dst, f.Name), ':'), f.Value...)
		}
		dst = append(dst, '}')
	}
	return append(pieces, append(dst, '}'))
}
