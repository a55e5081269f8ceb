package rerank

import (
	"encoding/json"
	"testing"

	"github.com/outcrop-ai/outcrop/internal/catalog"
	"github.com/outcrop-ai/outcrop/llm"
)

// FuzzDecode reads answers: what comes of one speaks of documents that were sent, with scores that are numbers.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{"results":[{"index":1,"relevanceScore":0.5},{"index":0,"relevanceScore":1e-9}],"nextToken":"x"}`, `{"results":[{"index":0,"relevance_score":1}]}`,
		`{"results":[{"index":-1,"relevanceScore":0.5}]}`, `{"results":{}}`, `{"results":[5]}`, `{"results":[{"index":"0"}]}`, `{`, `[]`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		req := &llm.Request{Rerank: &llm.Rerank{Query: llm.NewText("q"), Documents: []llm.Document{{Text: llm.NewText("a")}, {Text: llm.NewText("b")}}}}
		q, err := NewQuery(req, catalog.Ref{ID: "amazon.rerank-v1:0", Route: catalog.RouteRerank})
		if err != nil {
			t.Fatal(err)
		}
		var found llm.Ranking
		if _, err := q.Decode([]byte(body), &found); err != nil {
			return
		}
		for _, r := range found.Results {
			var score float64
			if err := json.Unmarshal(r.Score, &score); err != nil || r.Index < 0 || r.Index > 1 {
				t.Errorf("%s: %+v, %v", body, r, err)
			}
		}
	})
}

// TestUsage counts search units, and says when AWS may count others.
func TestUsage(t *testing.T) {
	for _, c := range []struct {
		documents int
		each      string
		want      llm.Usage
	}{
		{1, "a", llm.Usage{Queries: 1}},
		{100, "a", llm.Usage{Queries: 1}},
		{101, "a", llm.Usage{Queries: 2}},
		{1000, "a", llm.Usage{Queries: 10}},
		{1, string(make([]byte, 2001)), llm.Usage{Queries: 1, Estimated: true}},
	} {
		r := &llm.Rerank{Query: llm.NewText("q")}
		for range c.documents {
			r.Documents = append(r.Documents, llm.Document{Text: llm.NewText(c.each)})
		}
		q, err := NewQuery(&llm.Request{Rerank: r}, catalog.Ref{ID: "amazon.rerank-v1:0", Route: catalog.RouteRerank})
		if err != nil {
			t.Fatal(err)
		}
		if got := q.Usage(); got != c.want {
			t.Errorf("%d documents: %+v, want %+v", c.documents, got, c.want)
		}
	}
}
