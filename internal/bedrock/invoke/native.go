package invoke

import (
	"net/http"
	"strings"

	"github.com/outcrop-ai/outcrop/internal/bedrock/converse"
	"github.com/outcrop-ai/outcrop/internal/catalog"
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// Native is an endpoint of Bedrock's in OpenAI's or Anthropic's words. Its body is a family's, with the model's name in it
// and some members of its own.
type Native struct {
	// API is the endpoint: chat_completions, responses or messages.
	API catalog.Route
	// Model is what the endpoint calls the model. Mantle says that it is on Mantle's host, which knows none of
	// bedrock-runtime's headers.
	Model  string
	Mantle bool
	// Stream asks for a stream.
	Stream bool
}

// EncodeNative is [Encode] for a native endpoint.
func EncodeNative(dst []byte, req *llm.Request, ref catalog.Ref, n Native) (*Request, error) {
	f := &nativeChat
	switch n.API {
	case catalog.RouteResponses:
		f = &nativeResponses
	case catalog.RouteMessages:
		f = &anthropicMessages
	}
	return encode(dst, req, ref, f, &n)
}

// nativeChat is Chat Completions as bedrock-runtime and Mantle serve it. Which parameters models refuse is AWS's own word.
var nativeChat = family{
	name: "chat-completions",
	body: func(ref catalog.Ref) converse.Body {
		b := converse.Body{
			NoVideo: true, NoDocuments: true, NoS3: true, NoCache: true, NoStop: isKimi(ref), OpenAI: true, Strict: true,
			Params: []string{"seed", "verbosity", "prompt_cache_key", "prompt_cache_retention", "prompt_cache_options", "prediction", "logprobs", "top_logprobs"},
		}
		if !strings.Contains(ref.ID, "gpt-oss") {
			b.Params = append(b.Params, "logit_bias")
		}
		if !strings.Contains(ref.ID, "xai.") { // they answer with 503
			b.Params = append(b.Params, "presence_penalty", "frequency_penalty")
		}
		return b
	},
	encode: (*encoder).openaiChat,
	answer: (*answer).choicesAnswer,
	chunk:  (*chunks).choicesChunk,
}

// The headers of Anthropic's API.
const (
	headerVersion = "Anthropic-Version"
	headerBeta    = "Anthropic-Beta"
	versionOfAPI  = "2023-06-01"
)

// nativeHead writes the members that only native endpoints have, and turns InvokeModel's headers into theirs.
func (e *encoder) nativeHead(h http.Header) {
	n := e.native
	e.string("model", n.Model)
	if n.Stream {
		e.raw("stream", []byte("true"))
	}
	if tier := e.doc.tier; tier != nil && n.API != catalog.RouteMessages {
		e.raw("service_tier", tier)
		delete(h, headerTier)
	}
	switch n.API {
	case catalog.RouteChatCompletions:
		if n.Stream {
			e.raw("stream_options", []byte(`{"include_usage":true}`))
		}
	case catalog.RouteMessages:
		h[headerVersion] = []string{versionOfAPI}
		var flags []string
		for flag := range jsonscan.Elements(e.doc.field("anthropic_beta")) {
			flags = append(flags, jsonscan.Text(flag))
		}
		if len(flags) > 0 {
			h[headerBeta] = []string{strings.Join(flags, ",")}
		}
	}
	if n.Mantle {
		e.mantleHead(h)
	}
}

// mantleHead deals with what bedrock-runtime takes in headers and Mantle's host has no word for.
func (e *encoder) mantleHead(h http.Header) {
	if e.doc.guardrail != nil {
		e.unsupported("guardrailConfig")
		e.doc.guardrail = nil
	}
	for _, lost := range [...]struct{ header, param string }{
		{headerLatency, "performanceConfig"}, {headerMetadata, "requestMetadata"}, {headerTier, "serviceTier"},
	} {
		if h[lost.header] != nil {
			e.req.Lose(lost.param, "unsupported")
			delete(h, lost.header)
		}
	}
	for _, name := range [...]string{headerGuardrail, headerGuardrailVersion, headerTrace} {
		delete(h, name)
	}
}

// openAIError reads an error in mid-stream.
func openAIError(raw []byte, requestID string) *llm.Error {
	member := func(name string) string { return jsonscan.Text(jsonscan.Member(raw, name)) }
	e := &llm.Error{Kind: llm.KindUpstream, AWSType: member("type"), Message: member("message"), RequestID: requestID}
	switch code := member("code"); {
	case code == "rate_limit_exceeded" || strings.HasPrefix(code, "throttl") || e.AWSType == "rate_limit_error":
		e.Kind = llm.KindRateLimit
	case code == "context_length_exceeded":
		e.Kind, e.Code = llm.KindContextWindow, code
	case code == "content_filter" || code == "content_policy_violation":
		e.Kind = llm.KindContentFilter
	case e.AWSType == "invalid_request_error" || code == "invalid_prompt":
		e.Kind = llm.KindInvalid
	case code == "server_error" || e.AWSType == "server_error":
		e.Kind = llm.KindUpstreamInternal
	case e.AWSType == "service_unavailable_error" || code == "server_is_overloaded":
		e.Kind = llm.KindUnavailable
	}
	if e.Message == "" {
		e.Message = "the model ended the stream with an error"
	}
	return e
}
