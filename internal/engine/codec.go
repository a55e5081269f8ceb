package engine

import (
	"github.com/outcrop-ai/outcrop/internal/bedrock/invoke"
	"github.com/outcrop-ai/outcrop/internal/catalog"
	"github.com/outcrop-ai/outcrop/llm"
)

// codecFor returns the target as the request is best said to it: one in the words of Claude's own API goes to InvokeModel,
// which takes them nearly as they are, where Converse would have to be told in its own. Who names a route in the model's
// name gets that route.
//
// This is the one place that chooses between the ways to one deployment; a further codec is a further choice here.
func (t *target) codecFor(r *llm.Request) *target {
	if t.messages != nil && r.Original != nil && r.Original.Dialect == llm.DialectMessages {
		return t.messages
	}
	return t
}

// nameCodecs prepares the targets of codecFor.
func (t *target) nameCodecs() {
	ref := t.deployment.Ref
	if ref.Route == catalog.RouteConverse && !ref.Forced && invoke.SpeaksMessages(ref) {
		t.messages = t.throughInvoke()
	}
}
