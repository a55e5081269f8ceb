package anthropic

import (
	"net/http"
	"strings"

	"github.com/outcrop-ai/outcrop/llm"
)

// statusOverloaded is Anthropic's own status for a service without capacity.
const statusOverloaded = 529

// errorType is Anthropic's word for a class of errors, with the status that goes with it.
func errorType(e *llm.Error) (word string, status int) {
	status = e.Status()
	switch e.Kind {
	case llm.KindAuth:
		return "authentication_error", status
	case llm.KindPermission:
		return "permission_error", status
	case llm.KindNotFound:
		return "not_found_error", status
	case llm.KindTooLarge:
		return "request_too_large", status
	case llm.KindRateLimit:
		return "rate_limit_error", status
	case llm.KindUnavailable:
		return "overloaded_error", statusOverloaded
	case llm.KindTimeout, llm.KindGatewayTimeout:
		return "timeout_error", http.StatusGatewayTimeout
	case llm.KindInvalid, llm.KindContextWindow, llm.KindContentFilter:
		return "invalid_request_error", status
	default:
		return "api_error", status
	}
}

// Status is the HTTP status that Anthropic's clients know for an error.
func Status(e *llm.Error) int {
	_, status := errorType(e)
	return status
}

// tooLong begins Anthropic's own message for a prompt that the model cannot hold. Coding agents look for it, and make
// their conversation shorter.
const tooLong = "prompt is too long"

// AppendError appends {"type":"error","error":{…},"request_id":…}.
func AppendError(dst []byte, e *llm.Error, requestID string) []byte {
	word, _ := errorType(e)
	dst = append(append(append(dst, `{"type":"error","error":{"type":"`...), word...), `","message":`...)
	message := e.Message
	if e.Kind == llm.KindContextWindow && !strings.Contains(strings.ToLower(message), tooLong) {
		message = tooLong + ": " + message
	}
	if e.Param != "" && !strings.Contains(message, e.Param) { // there is no other place for it
		message = e.Param + ": " + message
	}
	if e.Hint != "" {
		message = strings.TrimRight(message, "\n") + "\n\n" + e.Hint
	}
	dst = llm.AppendString(dst, message)
	dst = append(dst, `},"request_id":`...)
	return append(llm.AppendString(dst, requestID), '}')
}

// AppendErrorEvent appends the event that ends a stream that failed after its first event.
func AppendErrorEvent(dst []byte, e *llm.Error, requestID string) []byte {
	dst = append(dst, "event: error\ndata: "...)
	return append(AppendError(dst, e, requestID), "\n\n"...)
}
