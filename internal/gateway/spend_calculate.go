package gateway

import (
	"encoding/json"
	"net/http"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/internal/dialect/openai"
	"github.com/outcrop-ai/outcrop/llm"
)

// calculation is what /spend/calculate is asked: a request that has not been made, or an answer that has come.
type calculation struct {
	Model    string          `json:"model"`
	Messages json.RawMessage `json:"messages"`
	Answer   *struct {
		Model string       `json:"model"`
		Tier  string       `json:"service_tier"`
		Usage *openAIUsage `json:"usage"`
	} `json:"completion_response"`
}

// openAIUsage is a usage in OpenAI's words, with Anthropic's for what is written to caches.
type openAIUsage struct {
	Prompt     int64 `json:"prompt_tokens"`
	Completion int64 `json:"completion_tokens"`
	CacheWrite int64 `json:"cache_creation_input_tokens"`
	Details    struct {
		Cached int64 `json:"cached_tokens"`
	} `json:"prompt_tokens_details"`
}

// calculateSpend answers /spend/calculate.
func (s *Server) calculateSpend(x *exchange) {
	b, failed := readBody(x.w, x.r, s.MaxBody)
	if failed != nil {
		x.fail(failed)
		return
	}
	defer b.release()
	var ask calculation
	if err := json.Unmarshal(b.data, &ask); err != nil {
		x.fail(llm.Invalid("request_body", "Invalid JSON payload: "+err.Error()))
		return
	}
	cost, failed := s.calculate(&ask)
	if failed != nil {
		x.fail(failed)
		return
	}
	x.write(http.StatusOK, append(append([]byte(`{"cost":`), cost.String()...), '}'))
}

func (s *Server) calculate(ask *calculation) (account.Amount, *llm.Error) {
	switch {
	case ask.Model != "":
		if len(ask.Messages) == 0 {
			return 0, llm.Invalid("messages", "messages must be given with model")
		}
		body, err := json.Marshal(map[string]any{"model": ask.Model, "messages": ask.Messages})
		if err != nil {
			return 0, asError(err)
		}
		request, _, err := openai.DecodeChat(body)
		if err != nil {
			return 0, asError(err)
		}
		return s.Engine.Quote(ask.Model, "", s.Engine.Estimate(request))
	case ask.Answer != nil && ask.Answer.Model != "" && ask.Answer.Usage != nil:
		u := ask.Answer.Usage
		return s.Engine.Quote(ask.Answer.Model, ask.Answer.Tier, llm.Usage{
			Input: u.Prompt - u.Details.Cached - u.CacheWrite, CacheRead: u.Details.Cached, CacheWrite5m: u.CacheWrite, Output: u.Completion,
		})
	case ask.Answer != nil:
		return 0, llm.Invalid("completion_response", "completion_response must have a model and a usage")
	}
	return 0, llm.Invalid("model", "Either model with messages or completion_response must be given")
}
