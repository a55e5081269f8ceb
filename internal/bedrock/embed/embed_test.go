package embed

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/outcrop-ai/outcrop/internal/catalog"
	"github.com/outcrop-ai/outcrop/llm"
)

func ref(t testing.TB, name string) catalog.Ref {
	t.Helper()
	models, err := catalog.Default()
	if err != nil {
		t.Fatal(err)
	}
	r, err := models.Resolve(name)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func asked(texts ...string) *llm.Request {
	r := &llm.Request{Embed: &llm.Embed{}}
	for i, text := range texts {
		r.Embed.Inputs = append(r.Embed.Inputs, []llm.Block{{Text: llm.NewText(text), Path: llm.Path{Message: int32(i), Part: -1, In: llm.InInput}}})
	}
	return r
}

func TestIDsTellTheFamilyOfUnknownModels(t *testing.T) {
	f := func(name, member string) {
		t.Helper()
		parts, err := Encode(asked("a"), ref(t, name))
		if err != nil || len(parts) != 1 || !strings.Contains(string(parts[0].Body), `"`+member+`"`) {
			t.Errorf("%s: %v %v", name, parts, err)
		}
	}
	f("amazon.titan-embed-text-v9", "inputText")
	f("amazon.titan-embed-image-v9", "inputText")
	f("cohere.embed-english-v3:9", "texts")
	f("cohere.embed-v5:0", "texts")
	f("amazon.nova-9-embeddings-v1:0", "singleEmbeddingParams")
	f("twelvelabs.marengo-embed-9-0-v1:0", "inputType")
	if Serves(ref(t, "foo.bar-v1")) {
		t.Error("anything embeds")
	}
	if _, err := Encode(asked("a"), ref(t, "foo.bar-v1")); err == nil {
		t.Error("anything embeds")
	}
}

// TestParametersGoUpWithEveryCall holds the second call of a request against the first.
func TestParametersGoUpWithEveryCall(t *testing.T) {
	for _, c := range []struct{ model, extra string }{
		{"amazon.titan-embed-text-v2:0", `{"normalize":false,"embeddingTypes":["float","binary"]}`},
		{"amazon.titan-embed-image-v1", `{"embeddingConfig":{"outputEmbeddingLength":256}}`},
		{"amazon.nova-2-multimodal-embeddings-v1:0", `{"embeddingPurpose":"CLASSIFICATION","truncationMode":"START","other":1}`},
		{"twelvelabs.marengo-embed-2-7-v1:0", `{"textTruncate":"none","input_type":"text"}`},
	} {
		r := asked("same", "same")
		var members map[string]json.RawMessage
		if err := json.Unmarshal([]byte(c.extra), &members); err != nil {
			t.Fatal(err)
		}
		for name, value := range members {
			r.Extra = append(r.Extra, llm.Field{Name: name, Value: value})
		}
		parts, err := Encode(r, ref(t, c.model))
		if err != nil || len(parts) != 2 || string(parts[0].Body) != string(parts[1].Body) || len(parts[1].types) != len(parts[0].types) {
			t.Errorf("%s: %v: %s, %s", c.model, err, parts[0].Body, parts[1].Body)
		}
		if !json.Valid(parts[0].Body) {
			t.Errorf("%s: %s", c.model, parts[0].Body)
		}
	}
}

// FuzzDecode reads answers of every family: whatever comes is a vector for each input, or an error.
func FuzzDecode(f *testing.F) {
	var parts []*Part
	for _, model := range []string{"amazon.titan-embed-text-v1", "amazon.titan-embed-text-v2:0", "amazon.titan-embed-image-v1", "cohere.embed-english-v3", "cohere.embed-v4:0", "amazon.nova-2-multimodal-embeddings-v1:0", "twelvelabs.marengo-embed-3-0-v1:0"} {
		list, err := Encode(asked("a"), ref(f, model))
		if err != nil {
			f.Fatal(err)
		}
		parts = append(parts, list[0])
	}
	for _, seed := range []string{
		`{"embedding":[1,2],"inputTextTokenCount":3}`, `{"embeddingsByType":{"float":[1],"binary":[0]}}`, `{"embeddings":[[1],[2]]}`, `{"embeddings":{"float":[[1]],"int8":[[2]]}}`,
		`{"embeddings":[{"embedding":[1]}]}`, `{"data":[{"embedding":[1]}]}`, `{"data":{"embedding":[1]}}`, `{`, `[]`,
	} {
		for i := range parts {
			f.Add(i, seed)
		}
	}
	f.Fuzz(func(t *testing.T, family int, body string) {
		if family < 0 {
			family = -(family + 1)
		}
		vectors := make([]llm.Vector, 1)
		if _, err := Decode(parts[family%len(parts)], []byte(body), http.Header{}, vectors); err != nil {
			return
		}
		if vectors[0].Floats == nil && len(vectors[0].ByType) == 0 || vectors[0].Floats != nil && !json.Valid(vectors[0].Floats) {
			t.Errorf("%s: %+v", body, vectors[0])
		}
	})
}
