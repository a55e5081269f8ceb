package openai

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/outcrop-ai/outcrop/llm"
)

func FuzzDecodeEmbeddings(f *testing.F) {
	for _, seed := range []string{
		`{"model":"m","input":"a"}`, `{"model":"m","input":["a",{"text":"b","image":"data:image/png;base64,iVBORw0KGgo="}],"dimensions":3,"encoding_format":"base64","foo":{}}`,
		`{"model":"m","input":[{"content":[{"type":"text","text":"x"}]}]}`, `{"model":"m","input":[1]}`, `{"model":"m","input":"s3://b/k.png","drop_params":true}`, `{"input":`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r, _, err := DecodeEmbeddings(body)
		if err != nil {
			var refused *llm.Error
			if !errors.As(err, &refused) || refused.Param == "" {
				t.Fatalf("%q: %v", body, err)
			}
			return
		}
		if len(r.Embed.Inputs) == 0 {
			t.Fatalf("%q has no input", body)
		}
	})
}

func TestVectorsAsAsked(t *testing.T) {
	f := func(encoding string, v llm.Vector, want string) {
		t.Helper()
		if got := string(appendVector(nil, encoding, &v)); got != want {
			t.Errorf("%s: %s, not %s", encoding, got, want)
		}
	}
	floats := llm.Vector{Floats: json.RawMessage(`[1, -0.5, 0.25]`)}
	f("", floats, `[1, -0.5, 0.25]`)
	f("float", floats, `[1, -0.5, 0.25]`)
	f("base64", floats, `"AACAPwAAAL8AAIA+"`)
	bits := llm.Vector{ByType: []llm.Field{{Name: "binary", Value: json.RawMessage(`[1,0]`)}}}
	f("base64", bits, `[1,0]`)
	both := llm.Vector{Floats: json.RawMessage(`[1]`), ByType: []llm.Field{{Name: "float", Value: json.RawMessage(`[1]`)}, {Name: "int8", Value: json.RawMessage(`[7]`)}}}
	const fields = `,"provider_specific_fields":{"embeddings_by_type":{"float":[1],"int8":[7]}}`
	f("float", both, `[1]`+fields)
	f("int8", both, `[7]`+fields)
}
