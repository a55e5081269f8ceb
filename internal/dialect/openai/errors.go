package openai

import (
	"strconv"
	"strings"

	"github.com/outcrop-ai/outcrop/llm"
)

// errorType is OpenAI's word for a class of errors.
func errorType(e *llm.Error) string {
	if e.Type != "" {
		return e.Type
	}
	switch e.Kind {
	case llm.KindInvalid, llm.KindContextWindow, llm.KindContentFilter, llm.KindTooLarge:
		return "invalid_request_error"
	case llm.KindAuth:
		return "auth_error"
	case llm.KindPermission:
		return "permission_error"
	case llm.KindNotFound:
		return "not_found_error"
	case llm.KindRateLimit:
		return "rate_limit_error"
	case llm.KindTimeout, llm.KindGatewayTimeout:
		return "timeout_error"
	case llm.KindUnavailable:
		return "service_unavailable_error"
	default:
		return "internal_server_error"
	}
}

// AppendError appends {"error": {…}}. code is always a string: a word where OpenAI has one, else the HTTP status. callID
// is added when it is not empty.
func AppendError(dst []byte, e *llm.Error, callID string) []byte {
	dst = append(dst, `{"error":{"message":`...)
	message := e.Message
	if e.Hint != "" {
		message = strings.TrimRight(message, "\n") + "\n\n" + e.Hint
	}
	dst = llm.AppendString(dst, message)
	dst = append(dst, `,"type":"`...)
	dst = append(dst, errorType(e)...)
	dst = append(dst, `","param":`...)
	if e.Param == "" {
		dst = append(dst, "null"...)
	} else {
		dst = llm.AppendString(dst, e.Param)
	}
	dst = append(dst, `,"code":`...)
	code := e.Code
	if code == "" {
		code = strconv.Itoa(e.Status())
	}
	dst = llm.AppendString(dst, code)
	if e.AWSType != "" || e.RequestID != "" {
		dst = append(dst, `,"provider_specific_fields":{"aws_error_type":`...)
		dst = llm.AppendString(dst, e.AWSType)
		dst = append(dst, `,"aws_request_id":`...)
		dst = llm.AppendString(dst, e.RequestID)
		dst = append(dst, '}')
	}
	if callID != "" {
		dst = append(dst, `,"litellm_call_id":`...)
		dst = llm.AppendString(dst, callID)
	}
	return append(dst, `}}`...)
}

// AppendErrorEvent appends the server-sent event that ends a stream that failed after its first chunk. No [DONE]
// follows: some clients take that for success.
func AppendErrorEvent(dst []byte, e *llm.Error, callID string) []byte {
	dst = append(dst, "data: "...)
	dst = AppendError(dst, e, callID)
	return append(dst, "\n\n"...)
}
