package engine

import (
	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/llm"
)

// Quote returns what a usage of a model costs. The model is a name that clients use; of a group's deployments the first
// counts. tier is the service tier, which may be empty.
func (e *Engine) Quote(model, tier string, u llm.Usage) (account.Amount, *llm.Error) {
	t, failed := e.targetOf(model)
	if failed != nil {
		return 0, failed
	}
	if !t.priced {
		return 0, &llm.Error{Kind: llm.KindInvalid, Code: "price_unknown", Param: "model", Message: "the price of " + t.id + " is not known: set input_cost_per_token and output_cost_per_token, or base_model"}
	}
	cost, err := account.Cost(u, t.price, tier)
	if err != nil {
		return 0, &llm.Error{Kind: llm.KindInvalid, Code: "price_unknown", Param: "usage", Message: err.Error(), Cause: err}
	}
	return cost, nil
}

// Estimate guesses what a request uses before it is answered: its prompt, without an answer.
func (e *Engine) Estimate(r *llm.Request) llm.Usage {
	return estimate(r, 0)
}
