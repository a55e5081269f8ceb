package outcrop

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"math"
	"strconv"

	"github.com/outcrop-ai/outcrop/llm"
)

// Embed returns a vector for each input. The upstream calls that it takes are made side by side; the first failure ends
// them all.
func (c *Client) Embed(ctx context.Context, r llm.EmbedRequest) (*llm.EmbedResponse, error) {
	k, err := c.ready(ctx)
	if err != nil {
		return nil, err
	}
	asked := llm.Request{Model: r.Model, Extra: r.Extra, Params: r.Params, Guardrail: r.Guardrail, User: r.User, Tags: r.Tags, Options: r.Options}
	call, failed := k.plainCall("Embed", "aembedding", &asked, func(own *llm.Request) (failed *llm.Error) {
		own.Embed, failed = inputs(&r)
		return failed
	})
	var found *llm.Embeddings
	if failed == nil {
		found, failed = k.engine.Embed(ctx, call)
	}
	var out *llm.EmbedResponse
	if failed == nil {
		out, failed = vectors(call.Request.Embed.Encoding, found)
	}
	k.settle(ctx, call, failed)
	if failed != nil {
		return nil, failed
	}
	out.Usage, out.Served = found.Usage, served(call)
	return out, nil
}

// inputs returns what is to be embedded.
func inputs(r *llm.EmbedRequest) (*llm.Embed, *llm.Error) {
	e := &llm.Embed{Encoding: r.Encoding}
	if r.Dimensions != 0 {
		e.Dimensions = llm.Int(int64(r.Dimensions))
	}
	switch {
	case len(r.Inputs) > 0 && len(r.Contents) > 0:
		return nil, llm.Invalid("contents", "inputs and contents are both set: set one of them")
	case len(r.Inputs)+len(r.Contents) == 0:
		return nil, missing("inputs")
	case r.Dimensions < 0:
		return nil, llm.Invalid("dimensions", "dimensions must not be negative")
	}
	at := func(i int) llm.Path { return llm.Path{Message: int32(i), Part: -1, In: llm.InInput} } //nolint:gosec // no request has 2^31 inputs
	for i, text := range r.Inputs {
		if text == "" {
			return nil, llm.Invalid("input["+strconv.Itoa(i)+"]", "an input must not be empty")
		}
		block := llm.TextBlock(text)
		block.Path = at(i)
		e.Inputs = append(e.Inputs, []llm.Block{block})
	}
	for i, content := range r.Contents {
		if len(content) == 0 {
			return nil, llm.Invalid("input["+strconv.Itoa(i)+"]", "an input must not be empty")
		}
		p := preparation{arena: make([]llm.Block, 0, len(content))}
		e.Inputs = append(e.Inputs, p.blocks(content, func(int) llm.Path { return at(i) }))
		if p.failed != nil {
			return nil, p.failed
		}
	}
	return e, nil
}

// vectors reads the answer's numbers.
func vectors(encoding string, found *llm.Embeddings) (*llm.EmbedResponse, *llm.Error) {
	out := &llm.EmbedResponse{Vectors: make([][]float32, len(found.Vectors))}
	for i, v := range found.Vectors {
		if v.Floats != nil {
			if err := json.Unmarshal(v.Floats, &out.Vectors[i]); err != nil {
				return nil, &llm.Error{Kind: llm.KindUpstream, Message: "a vector of AWS's cannot be read", Cause: err}
			}
		}
		if encoding == "base64" {
			raw := make([]byte, 0, 4*len(out.Vectors[i]))
			for _, f := range out.Vectors[i] {
				raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(f))
			}
			out.Base64 = append(out.Base64, base64.StdEncoding.EncodeToString(raw))
		}
		if len(v.ByType) > 0 {
			if out.ByType == nil {
				out.ByType = make([]map[string]json.RawMessage, len(found.Vectors))
			}
			out.ByType[i] = map[string]json.RawMessage{}
			for _, f := range v.ByType {
				out.ByType[i][f.Name] = f.Value
			}
		}
	}
	return out, nil
}
