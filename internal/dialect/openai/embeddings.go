package openai

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"strconv"

	"github.com/outcrop-ai/outcrop/internal/dialect/read"
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/internal/media"
	"github.com/outcrop-ai/outcrop/llm"
)

// maxInputs is how many inputs OpenAI takes in a request.
const maxInputs = 2048

// DecodeEmbeddings reads the body of an embeddings request.
func DecodeEmbeddings(body []byte) (*llm.Request, *Control, error) {
	d := decoder{s: read.New(body), req: &llm.Request{Embed: &llm.Embed{}}, control: &Control{}}
	if err := d.document(d.embeddingMember); err != nil {
		return nil, nil, err
	}
	switch {
	case d.req.Model == "":
		return nil, nil, read.Missing("model")
	case !d.seen.has(memberInput):
		return nil, nil, read.Missing("input")
	}
	return d.req, d.control, nil
}

func (d *decoder) embeddingMember(key []byte) error {
	r := d.req
	switch string(key) {
	case "input":
		if !d.seen.add(memberInput) {
			return duplicate("input")
		}
		return d.inputs()
	case "encoding_format":
		return d.one(memberEncoding, "encoding_format", func() (err error) { r.Embed.Encoding, err = d.s.Word("encoding_format"); return })
	case "dimensions":
		return d.one(memberDimensions, "dimensions", func() (err error) { r.Embed.Dimensions, err = d.int("dimensions", 1); return })
	}
	return d.sharedMember(key, d.embeddingMember)
}

// inputs reads input: a text, or a list of texts and of objects with a text, an image or both.
func (d *decoder) inputs() error {
	switch d.s.Peek() {
	case jsonscan.KindString:
		return d.input(-1)
	case jsonscan.KindArray:
	default:
		return d.s.WrongType("input", "a string or an array of strings")
	}
	more, err := d.s.OpenArray()
	for i := 0; err == nil && more; more, err = d.s.NextElement() {
		switch k := d.s.Peek(); {
		case k == jsonscan.KindNumber || k == jsonscan.KindArray:
			return llm.Invalid("input", "input holds token ids; Bedrock's models take text. With LangChain set check_embedding_ctx_length=False")
		case i == maxInputs:
			return llm.Invalid("input", "input has more than "+strconv.Itoa(maxInputs)+" elements")
		}
		if err := d.input(i); err != nil {
			return err
		}
		i++
	}
	if err == nil && len(d.req.Embed.Inputs) == 0 {
		return llm.Invalid("input", "input must not be empty")
	}
	return err
}

// input reads one input; i is its number, -1 if it stands alone.
func (d *decoder) input(i int) error {
	path := llm.Path{Message: int32(i), Part: -1, In: llm.InInput} //nolint:gosec // bounded by maxInputs
	switch d.s.Peek() {
	case jsonscan.KindString:
		block, err := d.inputText(path)
		d.req.Embed.Inputs = append(d.req.Embed.Inputs, []llm.Block{block})
		return err
	case jsonscan.KindObject:
		blocks, err := d.inputObject(path)
		d.req.Embed.Inputs = append(d.req.Embed.Inputs, blocks)
		return err
	default:
		return d.s.WrongType(path.String(), "a string, or an object with text or image_url")
	}
}

// inputText reads a text. A data URL and an s3:// location are files.
func (d *decoder) inputText(path llm.Path) (llm.Block, error) {
	start := d.s.Pos
	raw, err := d.string(path.String())
	if err != nil {
		return llm.Block{}, err
	}
	isS3 := len(raw) > len("s3://") && string(raw[:len("s3://")]) == "s3://"
	if !media.IsDataURL(raw) && !isS3 {
		block := llm.Block{Kind: llm.BlockText, Text: llm.RawText(raw), Path: path}
		if block.Text.IsEmpty() {
			return block, llm.Invalid(path.String(), path.String()+" must not be empty")
		}
		return block, nil
	}
	d.s.Pos = start
	var p part
	if err := d.location(path.String(), &p.file); err != nil {
		return llm.Block{}, err
	}
	return d.inputFile(&p, path)
}

func (d *decoder) inputFile(p *part, path llm.Path) (llm.Block, error) {
	block := llm.Block{Path: path}
	p.kind = path.String()
	err := d.placeFile(&block, p)
	return block, err
}

// inputObject reads {"text", "image_url"|"image"} and {"content": [OpenAI's parts]}.
func (d *decoder) inputObject(path llm.Path) ([]llm.Block, error) {
	var blocks []llm.Block
	where := path.String()
	err := d.s.Each(where, func(name []byte) error {
		member := where + "." + string(name)
		switch string(name) {
		case "text":
			text, err := d.s.Text(member)
			if err == nil && text.IsEmpty() {
				err = llm.Invalid(member, member+" must not be empty")
			}
			blocks = append(blocks, llm.Block{Kind: llm.BlockText, Text: text, Path: path})
			return err
		case "image", "image_url":
			var p part
			var err error
			if d.s.Peek() == jsonscan.KindString {
				err = d.location(member, &p.file)
			} else {
				err = d.file(member, &p.file)
			}
			if err != nil {
				return err
			}
			block, err := d.inputFile(&p, path)
			blocks = append(blocks, block)
			return err
		case "content":
			more, err := d.array(member)
			for i := 0; err == nil && more; more, err = d.s.NextElement() {
				from := len(d.blocks)
				if err := d.part(i); err != nil {
					return within(err, read.Index(member, i))
				}
				for _, b := range d.take(from) {
					b.Path = path
					blocks = append(blocks, b)
				}
				i++
			}
			return err
		case "type":
			_, err := d.s.Skip()
			return err
		default:
			return d.ignore(member)
		}
	})
	if err == nil && len(blocks) == 0 {
		err = llm.Invalid(where, where+" has neither text nor image_url")
	}
	return blocks, err
}

// AppendEmbeddings appends a list object with one embedding to each input. Floats are written as AWS spelled them, or, for
// base64, which OpenAI's clients ask for of themselves, as the standard base64 of their little-endian float32s.
func AppendEmbeddings(dst []byte, model, encoding string, e *llm.Embeddings) []byte {
	dst = append(dst, `{"object":"list","model":`...)
	dst = llm.AppendString(dst, model)
	dst = append(dst, `,"data":[`...)
	for i := range e.Vectors {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendInt(append(dst, `{"object":"embedding","index":`...), int64(i), 10)
		dst = append(dst, `,"embedding":`...)
		dst = appendVector(dst, encoding, &e.Vectors[i])
		dst = append(dst, '}')
	}
	dst = append(dst, `],"usage":{"prompt_tokens":`...)
	dst = strconv.AppendInt(dst, e.Usage.Input, 10)
	dst = append(dst, `,"total_tokens":`...)
	dst = strconv.AppendInt(dst, e.Usage.Input, 10)
	return append(appendRead(dst, &e.Usage), '}', '}')
}

// appendRead writes, by LiteLLM's names, what was read beside tokens, if anything was.
func appendRead(dst []byte, u *llm.Usage) []byte {
	if u.Images+u.Queries == 0 && u.VideoIn+u.AudioIn == 0 {
		return dst
	}
	dst = append(dst, `,"prompt_tokens_details":`...)
	start := len(dst)
	add := func(name string, n float64) {
		if n > 0 {
			dst = append(append(append(dst, ',', '"'), name...), '"', ':')
			dst = strconv.AppendFloat(dst, n, 'f', -1, 64)
		}
	}
	add("image_count", float64(u.Images))
	add("query_count", float64(u.Queries))
	add("video_length_seconds", u.VideoIn.Seconds())
	add("audio_length_seconds", u.AudioIn.Seconds())
	dst[start] = '{'
	return append(dst, '}')
}

// appendVector writes floats as they are asked for; in their absence the first of the provider's types, as numbers.
func appendVector(dst []byte, encoding string, v *llm.Vector) []byte {
	switch {
	case v.Floats != nil && encoding == "base64":
		dst = appendFloat32s(dst, v.Floats)
	case v.Floats != nil && (encoding == "" || encoding == "float"):
		dst = append(dst, v.Floats...)
	case len(v.ByType) > 0:
		chosen := v.ByType[0].Value
		for _, t := range v.ByType {
			if t.Name == encoding {
				chosen = t.Value
			}
		}
		dst = append(dst, chosen...)
	default:
		dst = append(dst, v.Floats...)
	}
	if len(v.ByType) > 1 {
		dst = append(dst, `,"provider_specific_fields":{"embeddings_by_type":{`...)
		for i, t := range v.ByType {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(llm.AppendString(dst, t.Name), ':')
			dst = append(dst, t.Value...)
		}
		dst = append(dst, '}', '}')
	}
	return dst
}

// appendFloat32s writes a JSON list of numbers as base64 of little-endian IEEE 754 float32s.
func appendFloat32s(dst []byte, list []byte) []byte {
	raw := make([]byte, 0, len(list)/2)
	for number := range jsonscan.Elements(list) {
		f, err := strconv.ParseFloat(string(number), 32)
		if err != nil {
			f = math.NaN() // what is no number stays visible as none
		}
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(float32(f)))
	}
	dst = append(dst, '"')
	dst = base64.StdEncoding.AppendEncode(dst, raw)
	return append(dst, '"')
}
