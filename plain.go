package outcrop

import (
	"github.com/outcrop-ai/outcrop/internal/engine"
	"github.com/outcrop-ai/outcrop/llm"
)

// plainCall begins a call that is no chat: fill says what is asked. The call is there even if it cannot be made.
func (k *core) plainCall(verb, kind string, asked *llm.Request, fill func(*llm.Request) *llm.Error) (*engine.Call, *llm.Error) {
	own, failed := prepare(asked)
	if failed == nil {
		failed = fill(own)
	}
	if failed != nil {
		return &engine.Call{ID: engine.NewID(), Type: kind, Path: verb, Start: now(), Request: &llm.Request{Model: asked.Model}}, failed
	}
	return k.call(verb, kind, own)
}
