package engine

import (
	"context"

	"github.com/outcrop-ai/outcrop/llm"
)

// GroupOf returns the model group that answers to the name that a call asks for, if its caller may use it.
func (e *Engine) GroupOf(call *Call) (string, *llm.Error) {
	if denied := e.checkRights(call); denied != nil {
		return "", denied
	}
	q, failed := e.ask(call, call.Request.Model, modeAny)
	if failed != nil {
		return "", failed
	}
	return q.list[0].Group, nil
}

// Recall admits a call of a group that is answered from a cache of answers: it counts as a request, but uses no tokens and
// costs nothing.
func (e *Engine) Recall(ctx context.Context, call *Call, group string) *llm.Error {
	if failed := e.admit(ctx, call, nil); failed != nil {
		return failed
	}
	call.CacheHit, call.group, call.costKnown = true, group, true
	return nil
}
