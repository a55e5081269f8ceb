package outcrop

import (
	"context"

	"github.com/outcrop-ai/outcrop/llm"
)

// maxRounds bounds how often a model may call tools before it must have answered.
const maxRounds = 32

// RunTools answers a request, and calls the Go functions that the model asks for, by their tools' names, until it asks for
// none. The calls of one turn run one after the other, in the model's order. The conversation, the last answer included, is
// appended to r.Messages, so that it can go on. Usage and Cost of the answer are those of all rounds.
//
// A function's error, and a tool that is not in functions, are told to the model as the tool's failure; an error of the
// context ends the loop. It also ends, with an error, when the model has not answered after 32 rounds.
func (c *Client) RunTools(ctx context.Context, r *llm.Request, functions map[string]llm.ToolFunc) (*llm.Response, error) {
	var usage llm.Usage
	cost := llm.NewCost(0)
	for range maxRounds {
		answer, err := c.Chat(ctx, *r)
		if err != nil {
			return nil, err
		}
		usage, cost = usage.Plus(answer.Usage), cost.Plus(answer.Cost)
		answer.Usage, answer.Cost = usage, cost
		// A message of its own: whoever appends to the request's list elsewhere does not see it.
		r.Messages = append(r.Messages[:len(r.Messages):len(r.Messages)], answer.Message())
		calls := answer.ToolCalls()
		if len(calls) == 0 {
			return answer, nil
		}
		results := llm.Message{Role: llm.RoleUser}
		for _, call := range calls {
			result := run(ctx, call, functions[call.Name])
			if err := ctx.Err(); err != nil {
				return nil, &llm.Error{Kind: llm.KindCanceled, Code: "canceled", Message: "the context ended while tools ran", Cause: err}
			}
			results.Blocks = append(results.Blocks, result)
		}
		r.Messages = append(r.Messages, results)
	}
	return nil, &llm.Error{Kind: llm.KindUpstream, Code: "too_many_rounds", Message: "the model goes on calling tools, and does not answer"}
}

func run(ctx context.Context, call *llm.ToolBlock, f llm.ToolFunc) llm.Block {
	if f == nil {
		return llm.ToolFailure(call.ID, "there is no tool named "+call.Name)
	}
	text, err := f(ctx, call.Input)
	if err != nil {
		return llm.ToolFailure(call.ID, err.Error())
	}
	return llm.ToolResult(call.ID, text)
}
