package outcrop

import (
	"context"
	"encoding/json"
	"strconv"

	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// Rerank orders documents by how well they answer a query, the best first.
func (c *Client) Rerank(ctx context.Context, r llm.RerankRequest) (*llm.RerankResponse, error) {
	k, err := c.ready(ctx)
	if err != nil {
		return nil, err
	}
	asked := llm.Request{Model: r.Model, Extra: r.Extra, Params: r.Params, Guardrail: r.Guardrail, User: r.User, Tags: r.Tags, Options: r.Options}
	call, failed := k.plainCall("Rerank", "arerank", &asked, func(own *llm.Request) (failed *llm.Error) {
		own.Rerank, failed = question(&r)
		return failed
	})
	var found *llm.Ranking
	if failed == nil {
		found, failed = k.engine.Rerank(ctx, call)
	}
	var out *llm.RerankResponse
	if failed == nil {
		out, failed = ranking(found)
	}
	k.settle(ctx, call, failed)
	if failed != nil {
		return nil, failed
	}
	out.Usage, out.Served = found.Usage, served(call)
	return out, nil
}

// question returns what the reranker is asked.
func question(r *llm.RerankRequest) (*llm.Rerank, *llm.Error) {
	switch {
	case r.Query == "":
		return nil, missing("query")
	case len(r.Documents) == 0:
		return nil, missing("documents")
	case r.TopN < 0:
		return nil, llm.Invalid("top_n", "top_n must not be negative")
	}
	q := &llm.Rerank{Query: llm.NewText(r.Query), Documents: r.Documents, Fields: r.Fields}
	if r.TopN > 0 {
		q.TopN = llm.Int(int64(r.TopN))
	}
	for i := range r.Documents {
		if failed := checkJSON("documents["+strconv.Itoa(i)+"]", r.Documents[i].Object, jsonscan.KindObject); failed != nil {
			return nil, failed
		}
	}
	return q, nil
}

func ranking(found *llm.Ranking) (*llm.RerankResponse, *llm.Error) {
	out := &llm.RerankResponse{Results: make([]llm.RerankResult, len(found.Results))}
	for i, result := range found.Results {
		out.Results[i].Index = result.Index
		if err := json.Unmarshal(result.Score, &out.Results[i].Score); err != nil {
			return nil, &llm.Error{Kind: llm.KindUpstream, Message: "a score of AWS's cannot be read", Cause: err}
		}
	}
	return out, nil
}
