// Package image carries image requests through InvokeModel: bodies of the model's family, as many as it takes for the
// images that are wanted, and the images of their answers. A family is one file.
package image

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"github.com/outcrop-ai/outcrop/internal/catalog"
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// MaxBody is the largest body that InvokeModel takes, in bytes. Source: the API reference of bedrock-runtime.
const MaxBody = 25_000_000

// family is the body that a group of models takes.
type family struct {
	// name is the catalogue's word for the body.
	name string
	// knows are parts of ids that tell the family of a model that the catalogue does not know.
	knows []string
	// encode plans the calls, decode reads the answer to one that asked for so many images.
	encode func(e *encoder)
	decode func(body []byte, wanted int) (*llm.Images, error)
}

var families = []*family{&sdxl, &stabilityEdit, &stabilityImage, &amazon}

// familyOf returns the family of a model, nil if it is not known.
func familyOf(ref catalog.Ref) *family {
	for _, f := range families {
		if ref.Model != nil && ref.Model.Body == f.name {
			return f
		}
	}
	if ref.Model != nil {
		return nil
	}
	for _, f := range families {
		if slices.ContainsFunc(f.knows, func(part string) bool { return strings.Contains(ref.ID, part) }) {
			return f
		}
	}
	return nil
}

// Serves reports whether the model's family is known.
func Serves(ref catalog.Ref) bool { return familyOf(ref) != nil }

// Job is a request as upstream calls.
type Job struct {
	// Bodies are those of the calls.
	Bodies [][]byte
	// Width and Height are the size in pixels that is asked for, 0 where the model decides. Steps is how many are asked for,
	// 0 for the model's own number.
	Width, Height, Steps int

	family *family
	wanted []int // images of each call
	exact  bool  // the images will have Width and Height
}

// Encode returns the upstream calls of a request. An *llm.Error names the field at fault; what is left out is added to
// req.Losses.
func Encode(req *llm.Request, ref catalog.Ref) (*Job, error) {
	f := familyOf(ref)
	if f == nil {
		return nil, &llm.Error{
			Kind: llm.KindInvalid, Code: "invalid_model", Param: "model",
			Message: "it is not known which family of image models is behind " + ref.ID + ": set base_model",
		}
	}
	e := encoder{req: req, asked: req.Image, ref: ref, id: ref.ID, job: &Job{family: f}}
	if ref.Model != nil {
		e.id = ref.Model.ID
	}
	e.parameters()
	if e.err == nil {
		f.encode(&e)
	}
	for _, body := range e.job.Bodies {
		if len(body) > MaxBody {
			e.fail(&llm.Error{Kind: llm.KindTooLarge, Code: "request_too_large", Param: "image", Message: "the images are more than the 25 MB that AWS takes"})
		}
	}
	if e.err != nil {
		return nil, e.err
	}
	return e.job, nil
}

// wish is what OpenAI's parameters say of the images.
type wish struct {
	width, height          int
	quality, style, format string
}

// or returns w with what it lacks from other.
func (w wish) or(other wish) wish {
	if w.width == 0 {
		w.width, w.height = other.width, other.height
	}
	for _, pair := range [][2]*string{{&w.quality, &other.quality}, {&w.style, &other.style}, {&w.format, &other.format}} {
		if *pair[0] == "" {
			*pair[0] = *pair[1]
		}
	}
	return w
}

// encoder is one run of Encode.
type encoder struct {
	req   *llm.Request
	asked *llm.Image
	ref   catalog.Ref
	id    string // the base model's id, where it is known
	job   *Job
	err   *llm.Error

	// said is the client's wish, usual that of the configuration; own and base are the model's own parameters of each.
	said, usual wish
	own, base   object
}

func (e *encoder) fail(err *llm.Error) {
	if e.err == nil {
		e.err = err
	}
}

func (e *encoder) refuse(param, message string) { e.fail(llm.Invalid(param, message)) }

// missing refuses a request without what the model needs; because may be empty.
func (e *encoder) missing(param, because string) {
	message := param + " is missing"
	if because != "" {
		message += ": " + because
	}
	e.fail(&llm.Error{Kind: llm.KindInvalid, Code: "missing_required_parameter", Param: param, Message: message})
}

// unsupported deals with a parameter that the model does not take. One that is allowed by name goes up as it is, if it has
// a value of its own.
func (e *encoder) unsupported(name, value string) {
	if value != "" && slices.Contains(e.req.Policy.Allowed, name) {
		e.own.fill(name, llm.AppendString(nil, value))
		return
	}
	if err := e.req.Unsupported(name, e.ref.ID); err != nil {
		e.fail(err)
	}
}

// parameters sorts what the request and the configuration say beside prompt and images.
func (e *encoder) parameters() {
	a := e.asked
	for _, p := range e.req.Params {
		if slices.Contains(e.req.Policy.Allowed, p.Name) {
			e.own.fill(p.Name, p.Value)
		} else if err := e.req.Unsupported(p.Name, e.ref.ID); err != nil {
			e.fail(err)
		}
	}
	e.said = wish{a.Width, a.Height, word(a.Quality), a.Style, a.Format}
	for _, f := range e.req.Extra {
		if string(f.Value) != "null" {
			e.own.set(f.Name, clean(f.Name, f.Value))
		}
	}
	for _, f := range a.Defaults {
		text := jsonscan.Text(f.Value)
		switch f.Name {
		case "size":
			var ok bool
			if e.usual.width, e.usual.height, ok = llm.ParseSize(text); !ok {
				e.refuse("size", "the configured size is none: it must be like 1024x1024")
			}
		case "quality":
			e.usual.quality = word(text)
		case "style":
			e.usual.style = text
		case "output_format":
			e.usual.format = text
		case "user", "response_format", "stream":
		default:
			e.base.set(f.Name, clean(f.Name, f.Value))
		}
	}
}

// word leaves out the word for "as usual".
func word(s string) string {
	if s == "auto" {
		return ""
	}
	return s
}

// plainWish refuses what only the models that have such a parameter take.
func (e *encoder) plainWish(formats ...string) {
	w := e.said.or(e.usual)
	if w.quality != "" && w.quality != "standard" {
		e.unsupported("quality", w.quality)
	}
	if w.style != "" {
		e.unsupported("style", w.style)
	}
	e.format(w.format, formats...)
}

// format refuses a wanted format that is none of those that the model makes.
func (e *encoder) format(wanted string, formats ...string) {
	switch {
	case wanted == "" || slices.Contains(formats, wanted):
	case wanted != "png" && wanted != "jpeg" && wanted != "webp":
		e.refuse("output_format", "output_format must be png, jpeg or webp")
	default:
		e.unsupported("output_format", wanted)
		e.said.format, e.usual.format = "", ""
	}
}

// one returns the only image that the model takes, nil if none was sent.
func (e *encoder) one() *llm.Picture {
	if len(e.asked.Sources) == 0 {
		return nil
	}
	for _, further := range e.asked.Sources[1:] {
		e.refuse(further.Path, e.ref.ID+" takes one image here")
	}
	return &e.asked.Sources[0]
}

// repeat plans a call for each image. The seed, if there is one, counts up: else the images would be equal.
func (e *encoder) repeat(body object) {
	n := max(e.req.N, 1)
	seed, err := strconv.ParseInt(string(body.get("seed")), 10, 64)
	for i := range n {
		if err == nil && i > 0 {
			body = slices.Clone(body)
			body.set("seed", strconv.AppendInt(nil, seed+int64(i), 10))
		}
		e.call(body, 1)
	}
}

// call plans one call.
func (e *encoder) call(body object, wanted int) {
	e.job.Bodies, e.job.wanted = append(e.job.Bodies, body.append(nil)), append(e.job.wanted, wanted)
}

// Decode reads the answer to a call.
func (j *Job) Decode(call int, body []byte) (*llm.Images, error) {
	if err := jsonscan.Valid(body); err != nil {
		return nil, &llm.Error{Kind: llm.KindUpstream, Message: "the answer of AWS is not JSON", Cause: err}
	}
	found, err := j.family.decode(body, j.wanted[call])
	if err != nil {
		return nil, err
	}
	if len(found.List) == 0 && found.Filtered == 0 {
		return nil, &llm.Error{Kind: llm.KindUpstream, Message: "the answer of AWS has no images, and no reason why"}
	}
	found.Usage.Made = int64(len(found.List))
	return found, nil
}

// Join puts the images of all calls together. If all were refused for their content that is an error.
func (j *Job) Join(parts []*llm.Images) (*llm.Images, error) {
	all := &llm.Images{}
	if j.exact {
		all.Width, all.Height = j.Width, j.Height
	}
	for _, p := range parts {
		all.List = append(all.List, p.List...)
		all.Fields = append(all.Fields, p.Fields...)
		all.Filtered += p.Filtered
		all.Usage = all.Usage.Plus(p.Usage)
		if all.Reason == "" {
			all.Reason = p.Reason
		}
	}
	if len(all.List) == 0 {
		return nil, &llm.Error{Kind: llm.KindContentFilter, Code: "content_policy_violation", Message: all.Reason}
	}
	return all, nil
}

// inner returns the spelling of a base64 text, nil if there is none.
func inner(raw []byte) []byte {
	text, ok := jsonscan.Inner(raw)
	if !ok || len(text) == 0 {
		return nil
	}
	return text
}

// inferenceError is what a model says that failed.
func inferenceError(message string) *llm.Error {
	return &llm.Error{Kind: llm.KindUpstream, Message: message}
}

// dataURL begins an image in a JSON string.
var dataURL = []byte(`"data:image/`)

// withoutDataURLs cuts what stands before the base64 of data URLs, anywhere in a value: models take base64 alone.
func withoutDataURLs(raw []byte) []byte {
	at := bytes.Index(raw, dataURL)
	if at < 0 {
		return raw
	}
	out := make([]byte, 0, len(raw))
	for ; at >= 0; at = bytes.Index(raw, dataURL) {
		end := bytes.IndexByte(raw[at:], ',')
		isInside := at > 0 && raw[at-1] == '\\' // of a text that speaks of one
		if end < 0 || isInside {
			out, raw = append(out, raw[:at+len(dataURL)]...), raw[at+len(dataURL):]
			continue
		}
		out, raw = append(append(out, raw[:at]...), '"'), raw[at+end+1:]
	}
	return append(out, raw...)
}
