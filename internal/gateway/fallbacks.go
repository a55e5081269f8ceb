package gateway

import (
	"net/http"

	"github.com/outcrop-ai/outcrop/internal/dialect/openai"
	"github.com/outcrop-ai/outcrop/internal/engine"
	"github.com/outcrop-ai/outcrop/llm"
)

// mock has the call fail at its own model, so that an operator can see what stands in for it: LiteLLM's mock_testing_….
func (x *exchange) mock(name string) *llm.Error {
	if name == "" {
		return nil
	}
	if !x.call.Caller.Admin() {
		return &llm.Error{Kind: llm.KindPermission, Code: "admin_only", Param: name, Message: name + " needs the master key"}
	}
	failed := &llm.Error{Kind: llm.KindUpstream, HTTPStatus: http.StatusInternalServerError}
	switch name {
	case "mock_testing_context_fallbacks":
		failed = &llm.Error{Kind: llm.KindContextWindow, Code: "context_length_exceeded"}
	case "mock_testing_content_policy_fallbacks":
		failed = &llm.Error{Kind: llm.KindContentFilter}
	case "mock_testing_rate_limit_error":
		failed = &llm.Error{Kind: llm.KindRateLimit, Code: "rate_limit_exceeded"}
	}
	failed.Message = "This failure was asked for by " + name
	x.call.Mock = failed
	return nil
}

// clientFallbacks are those that a request names itself, in the place of the model that it asks for.
func clientFallbacks(list []openai.Fallback, asked string) []engine.Fallback {
	var out []engine.Fallback
	for _, f := range list {
		if f.For == "" || f.For == "*" || f.For == asked {
			out = append(out, engine.Fallback{Model: f.Model, Request: f.Request})
		}
	}
	return out
}
