package gateway

import (
	"net/http"
	"strings"

	"github.com/outcrop-ai/outcrop/internal/dialect/anthropic"
	"github.com/outcrop-ai/outcrop/internal/dialect/openai"
	"github.com/outcrop-ai/outcrop/llm"
)

// voice is how a dialect tells its clients of what is no answer: failures, and silences.
type voice struct {
	keepAlive        string
	status           func(*llm.Error) int
	appendError      func(dst []byte, x *exchange, e *llm.Error) []byte
	appendErrorEvent func(dst []byte, x *exchange, e *llm.Error) []byte
}

var openAIVoice = voice{
	keepAlive: openai.KeepAlive,
	status:    (*llm.Error).Status,
	appendError: func(dst []byte, x *exchange, e *llm.Error) []byte {
		return openai.AppendError(dst, e, x.callIDForBody())
	},
	appendErrorEvent: func(dst []byte, x *exchange, e *llm.Error) []byte {
		return openai.AppendErrorEvent(dst, e, x.callIDForBody())
	},
}

var anthropicVoice = voice{
	keepAlive: anthropic.KeepAlive,
	status:    anthropic.Status,
	appendError: func(dst []byte, x *exchange, e *llm.Error) []byte {
		return anthropic.AppendError(dst, e, x.call.ID)
	},
	appendErrorEvent: func(dst []byte, x *exchange, e *llm.Error) []byte {
		return anthropic.AppendErrorEvent(dst, e, x.call.ID)
	},
}

// speaksAnthropic tells Anthropic's clients, by the path or by the header that all of them send.
func speaksAnthropic(path string, h http.Header) bool {
	return strings.HasPrefix(path, "/messages") || h["Anthropic-Version"] != nil
}
