package openai

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/outcrop-ai/outcrop/llm"
)

// FuzzDecodeRerank reads requests, and writes the answer that ranks every document.
func FuzzDecodeRerank(f *testing.F) {
	for _, seed := range []string{
		`{"model":"m","query":"q","documents":["a",{"text":"b"},{"title":"c","n":1}],"top_n":2,"return_documents":true,"rank_fields":["title"],"max_tokens_per_doc":3,"foo":{}}`,
		`{"model":"m","query":"","documents":[]}`, `{"model":"m","query":"q","documents":[5]}`, `{"extra_body":{"query":"q"},"model":"m","documents":[{}]}`, `{"documents":`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r, _, err := DecodeRerank(body)
		if err != nil {
			var refused *llm.Error
			if !errors.As(err, &refused) || refused.Param == "" {
				t.Fatalf("%q: %v", body, err)
			}
			return
		}
		var found llm.Ranking
		for i := range r.Rerank.Documents {
			found.Results = append(found.Results, llm.Ranked{Index: i, Score: json.RawMessage("0.5")})
		}
		if answer := AppendRerank(nil, "id", r.Rerank, &found); len(found.Results) == 0 || !json.Valid(answer) {
			t.Fatalf("%q: %s", body, answer)
		}
	})
}
