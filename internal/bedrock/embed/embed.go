// Package embed carries embeddings through InvokeModel: a body of the model's family for one input or a batch of them, and
// the vectors of its answer. A family is one file.
package embed

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/outcrop-ai/outcrop/internal/catalog"
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// family is the body that a group of models takes.
type family struct {
	// name is the catalogue's word for the body.
	name string
	// batch is how many texts a call takes, 0 for one input a call.
	batch int
	// dimensions are the lengths of vectors that can be asked for; nil for none.
	dimensions []int64
	// types is the member that asks for the provider's own types of numbers, "" if there is none.
	types string
	// images, joint, videos and s3 say which inputs are taken beside texts.
	images, joint, videos, s3 bool
	// encode writes the body of a call, decode reads its answer.
	encode func(e *encoder)
	decode func(d *decoder, body []byte)
}

var families = []*family{&titanV1, &titanV2, &titanImage, &cohereV3, &cohereV4, &novaEmbed, &marengo2, &marengo3}

// familyOf returns the family of a model, nil if it is not known.
func familyOf(ref catalog.Ref) *family {
	id, body := ref.ID, ""
	if ref.Model != nil {
		id, body = ref.Model.ID, ref.Model.Body
	}
	if strings.Contains(id, "marengo") {
		if strings.Contains(id, "marengo-embed-2") {
			return &marengo2
		}
		return &marengo3
	}
	for _, f := range families {
		if f.name == body || body == "" && f.knows(id) {
			return f
		}
	}
	return nil
}

// knows tells the family of an id that the catalogue does not know.
func (f *family) knows(id string) bool {
	switch f {
	case &titanV1:
		return strings.Contains(id, "titan-embed-text-v1") || strings.Contains(id, "titan-embed-g1")
	case &titanV2:
		return strings.Contains(id, "titan-embed-text")
	case &titanImage:
		return strings.Contains(id, "titan-embed-image")
	case &cohereV3:
		return strings.Contains(id, "cohere.embed") && strings.Contains(id, "-v3")
	case &cohereV4:
		return strings.Contains(id, "cohere.embed")
	case &novaEmbed:
		return strings.Contains(id, "amazon.nova") && strings.Contains(id, "embed")
	}
	return false
}

// Serves reports whether the model's family is known.
func Serves(ref catalog.Ref) bool { return familyOf(ref) != nil }

// Part is one upstream call: its body, and which inputs it is about.
type Part struct {
	Body   []byte
	Inputs []int

	family *family
	types  []string
	images int64
	texts  int64
}

// Encode returns the upstream calls for the inputs of req. An *llm.Error names the field at fault; what is left out is
// added to req.Losses.
func Encode(req *llm.Request, ref catalog.Ref) ([]*Part, error) {
	f := familyOf(ref)
	if f == nil {
		return nil, &llm.Error{
			Kind: llm.KindInvalid, Code: "invalid_model", Param: "model",
			Message: "it is not known which family of embedding models is behind " + ref.ID + ": set base_model",
		}
	}
	e := encoder{req: req, ref: ref, family: f}
	e.parameters()
	for i := range req.Embed.Inputs {
		e.check(i)
	}
	var parts []*Part
	for _, group := range e.groups() {
		if e.err != nil {
			break
		}
		e.part = &Part{Inputs: group, family: f}
		e.dst = nil
		fields := e.fields
		f.encode(&e)
		e.fields = fields // each call says them anew
		if len(e.dst) == 0 {
			e.dst = append(e.dst, '{')
		}
		e.dst[0] = '{'
		e.part.Body, e.part.types = append(e.dst, '}'), e.types
		parts = append(parts, e.part)
	}
	if e.err != nil {
		return nil, e.err
	}
	return parts, nil
}

// encoder is one run of Encode.
type encoder struct {
	req    *llm.Request
	ref    catalog.Ref
	family *family
	err    *llm.Error
	part   *Part
	dst    []byte

	// dimensions is the wanted length, 0 for the model's own.
	dimensions int64
	// types are the provider's types of vectors that are wanted beside or in place of floats.
	types []string
	// fields are the provider's own parameters.
	fields []llm.Field
}

func (e *encoder) refuse(param, message string) {
	if e.err == nil {
		e.err = llm.Invalid(param, message)
	}
}

const (
	paramDimensions = "dimensions"
	paramEncoding   = "encoding_format"
)

// parameters sorts what the request and the deployment's defaults say beside the inputs.
func (e *encoder) parameters() {
	r := e.req
	for _, p := range r.Params {
		if err := r.Unsupported(p.Name, e.ref.ID); err != nil && e.err == nil {
			e.err = err
		}
	}
	if r.Embed.Dimensions != nil {
		e.dimensions = *r.Embed.Dimensions
	}
	for _, x := range r.Extra {
		switch {
		case len(x.Value) == 0 || string(x.Value) == "null":
		case x.Name == paramDimensions: // of the configuration
			n, err := strconv.ParseInt(string(x.Value), 10, 64)
			if err != nil || n < 1 {
				e.refuse(paramDimensions, "dimensions must be a whole number above 0")
			}
			if e.dimensions == 0 {
				e.dimensions = n
			}
		case x.Name == paramEncoding:
			if r.Embed.Encoding == "" {
				r.Embed.Encoding = jsonscan.Text(x.Value)
			}
		default:
			e.fields = append(e.fields, x)
		}
	}
	e.checkDimensions()
	switch format := r.Embed.Encoding; format {
	case "", "float", "base64":
	case "int8", "uint8", "binary", "ubinary":
		if e.types = []string{format}; e.family.types == "" {
			e.refuse(paramEncoding, e.ref.ID+" makes vectors of floats only")
		}
	default:
		e.refuse(paramEncoding, "encoding_format must be float or base64, or a type of the model's (int8, uint8, binary, ubinary)")
	}
}

func (e *encoder) checkDimensions() {
	switch {
	case e.dimensions == 0 || slices.Contains(e.family.dimensions, e.dimensions):
	case e.family.dimensions == nil:
		if err := e.req.Unsupported(paramDimensions, e.ref.ID); err != nil && e.err == nil {
			e.err = err
		}
		e.dimensions = 0
	default:
		var offered []string
		for _, n := range e.family.dimensions {
			offered = append(offered, strconv.FormatInt(n, 10))
		}
		e.refuse(paramDimensions, e.ref.ID+" makes vectors of "+strings.Join(offered, ", ")+" dimensions, not "+strconv.FormatInt(e.dimensions, 10))
	}
}

// field returns a parameter of the provider's and takes it out, nil if it is not there.
func (e *encoder) field(name string) json.RawMessage {
	for i := range e.fields {
		if e.fields[i].Name == name {
			value := e.fields[i].Value
			e.fields = slices.Delete(slices.Clone(e.fields), i, i+1)
			return value
		}
	}
	return nil
}

// check refuses inputs that the family does not take.
func (e *encoder) check(i int) {
	blocks := e.req.Embed.Inputs[i]
	texts := 0
	for j := range blocks {
		b := &blocks[j]
		where := b.Path.String()
		switch b.Kind {
		case llm.BlockText:
			texts++
			if b.Text.IsEmpty() {
				e.refuse(where, where+" is empty")
			}
		case llm.BlockImage:
			if !e.family.images {
				e.refuse(where, e.ref.ID+" does not take images")
			}
		case llm.BlockVideo, llm.BlockAudio:
			if !e.family.videos {
				e.refuse(where, e.ref.ID+" does not take video and audio here: they need an asynchronous call")
			}
		default:
			e.refuse(where, where+" is neither text nor an image")
		}
		if b.Media != nil && b.Media.S3 != "" && !e.family.s3 {
			e.refuse(where, e.ref.ID+" reads no s3:// locations")
		}
	}
	if len(blocks) > 1 && !e.family.joint {
		e.refuse(blocks[0].Path.String(), e.ref.ID+" does not embed a text and an image together")
	}
	if texts > 1 {
		e.refuse(blocks[0].Path.String(), "an input holds one text at most")
	}
}

// groups returns which inputs go up together: texts in batches where the family takes them, all else alone.
func (e *encoder) groups() [][]int {
	var groups [][]int
	texts := -1
	for i, blocks := range e.req.Embed.Inputs {
		if e.family.batch == 0 || len(blocks) != 1 || blocks[0].Kind != llm.BlockText {
			groups = append(groups, []int{i})
			continue
		}
		if texts < 0 || len(groups[texts]) == e.family.batch {
			texts = len(groups)
			groups = append(groups, nil)
		}
		groups[texts] = append(groups[texts], i)
	}
	return groups
}

// input returns the text and the medium of an input; either may be nil.
func (e *encoder) input(i int) (text, medium *llm.Block) {
	blocks := e.req.Embed.Inputs[i]
	for j := range blocks {
		if blocks[j].Kind == llm.BlockText {
			text = &blocks[j]
			e.part.texts++
		} else {
			if medium = &blocks[j]; medium.Kind == llm.BlockImage {
				e.part.images++
			}
		}
	}
	return text, medium
}

// name opens a member of the body.
func (e *encoder) name(name string) {
	e.dst = append(e.dst, ',')
	e.dst = append(llm.AppendString(e.dst, name), ':')
}

func (e *encoder) raw(name string, value []byte) {
	if value != nil {
		e.name(name)
		e.dst = append(e.dst, value...)
	}
}

func (e *encoder) text(name string, t llm.Text) {
	e.name(name)
	e.dst = t.AppendJSON(e.dst)
}

func (e *encoder) integer(name string, n int64) {
	if n != 0 {
		e.name(name)
		e.dst = strconv.AppendInt(e.dst, n, 10)
	}
}

// object writes a member that is an object with the members that fill writes.
func (e *encoder) object(name string, fill func()) {
	e.name(name)
	start := len(e.dst)
	fill()
	if len(e.dst) == start {
		e.dst = append(e.dst, '{')
	}
	e.dst[start] = '{' // for the first member's comma
	e.dst = append(e.dst, '}')
}

// wantedTypes writes the provider's list of types, if the request asks for any in either way.
func (e *encoder) wantedTypes() {
	name := e.family.types
	if own := e.field(name); own != nil {
		e.types = nil
		for one := range jsonscan.Elements(own) {
			e.types = append(e.types, jsonscan.Text(one))
		}
		e.raw(name, own)
		return
	}
	if len(e.types) > 0 {
		e.name(name)
		e.dst = append(llm.AppendString(append(e.dst, '['), e.types[0]), ']')
	}
}

// rest writes the provider's own parameters that are left.
func (e *encoder) rest() {
	for _, f := range e.fields {
		e.raw(f.Name, f.Value)
	}
}

// Decode reads the answer to a part into vectors, which are those of the whole request, and returns what it used.
func Decode(p *Part, body []byte, header http.Header, vectors []llm.Vector) (llm.Usage, error) {
	if err := jsonscan.Valid(body); err != nil {
		return llm.Usage{}, &llm.Error{Kind: llm.KindUpstream, Message: "the answer of AWS is not JSON", Cause: err}
	}
	if jsonscan.Text(jsonscan.Member(body, "amazon-bedrock-guardrailAction")) == "INTERVENED" {
		return llm.Usage{}, &llm.Error{Kind: llm.KindContentFilter, Code: "content_policy_violation", Message: "the guardrail refused the input"}
	}
	d := decoder{part: p, vectors: vectors}
	p.family.decode(&d, body)
	for _, i := range p.Inputs {
		if vectors[i].Floats == nil && len(vectors[i].ByType) == 0 {
			return llm.Usage{}, &llm.Error{Kind: llm.KindUpstream, Message: "the answer of AWS has no vector for input " + strconv.Itoa(i)}
		}
	}
	if d.usage.Input == 0 && !d.uncounted {
		if n, err := strconv.ParseInt(header.Get("X-Amzn-Bedrock-Input-Token-Count"), 10, 64); err == nil && n > 0 {
			d.usage.Input = n
		}
	}
	return d.usage, nil
}

// decoder is one run of Decode.
type decoder struct {
	part    *Part
	vectors []llm.Vector
	usage   llm.Usage
	// uncounted says that the family has no tokens.
	uncounted bool
}

// set stores the vector of the part's n-th input.
func (d *decoder) set(n int, v llm.Vector) {
	if n < len(d.part.Inputs) {
		d.vectors[d.part.Inputs[n]] = v
	}
}

// tokens takes over a count.
func (d *decoder) tokens(raw []byte) {
	if f, err := strconv.ParseFloat(string(raw), 64); err == nil && f > 0 && f < 1<<40 {
		d.usage.Input += int64(f)
	}
}

func isList(raw []byte) bool { return len(raw) > 0 && raw[0] == '[' }
