package outcrop

import (
	"context"

	"github.com/outcrop-ai/outcrop/llm"
)

// CountTokens returns how many tokens a request would be to its model, without asking the model: AWS's own count where it
// has one for the model, which is free. estimated says that it has none, and that the count is a guess that is rather too high
// than too low.
func (c *Client) CountTokens(ctx context.Context, r llm.Request) (tokens int64, estimated bool, err error) {
	k, err := c.ready(ctx)
	if err != nil {
		return 0, false, err
	}
	call, failed := k.chatCall("CountTokens", "token_count", &r, nil)
	if failed == nil {
		tokens, estimated, failed = k.engine.CountTokens(ctx, call)
	}
	k.settle(ctx, call, failed)
	if failed != nil {
		return 0, false, failed
	}
	return tokens, estimated, nil
}
