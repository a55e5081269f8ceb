package llm

import (
	"net/http"
	"strings"
	"time"
)

// Kind is the class of an [Error]; it decides the HTTP status that a client sees and whether another try can help.
type Kind uint8

// The kinds of errors.
const (
	// KindInternal is a defect of Outcrop's own.
	KindInternal Kind = iota
	// KindInvalid is a request that cannot be served as it is.
	KindInvalid
	// KindAuth is a client whose key is missing or wrong.
	KindAuth
	// KindPermission is a client, or Outcrop's own AWS identity, that may not do this.
	KindPermission
	// KindNotFound is an unknown model or path.
	KindNotFound
	// KindTooLarge is a body over the limit.
	KindTooLarge
	// KindContextWindow is a prompt that the model cannot hold.
	KindContextWindow
	// KindContentFilter is a request refused for its content.
	KindContentFilter
	// KindRateLimit is a throttle or quota.
	KindRateLimit
	// KindTimeout is a model that took too long, KindGatewayTimeout Outcrop's own patience at its end.
	KindTimeout
	KindGatewayTimeout
	// KindUnavailable is a service without capacity.
	KindUnavailable
	// KindUpstream is an upstream that failed or answered nonsense; KindUpstreamInternal is AWS's own internal error.
	KindUpstream
	KindUpstreamInternal
	// KindCanceled is a client that went away.
	KindCanceled
)

// String returns the kind in a word: invalid_request, authentication, permission, not_found, too_large, context_window,
// content_filter, rate_limit, timeout, gateway_timeout, unavailable, upstream, upstream_internal, canceled or internal.
func (k Kind) String() string {
	switch k {
	case KindInvalid:
		return "invalid_request"
	case KindAuth:
		return "authentication"
	case KindPermission:
		return "permission"
	case KindNotFound:
		return "not_found"
	case KindTooLarge:
		return "too_large"
	case KindContextWindow:
		return "context_window"
	case KindContentFilter:
		return "content_filter"
	case KindRateLimit:
		return "rate_limit"
	case KindTimeout:
		return "timeout"
	case KindGatewayTimeout:
		return "gateway_timeout"
	case KindUnavailable:
		return "unavailable"
	case KindUpstream:
		return "upstream"
	case KindUpstreamInternal:
		return "upstream_internal"
	case KindCanceled:
		return "canceled"
	default:
		return "internal"
	}
}

// Status returns the HTTP status for the kind. 499 is nginx's word for a client that closed its connection; nobody is
// left to read it but the log.
func (k Kind) Status() int {
	switch k {
	case KindInvalid, KindContextWindow, KindContentFilter:
		return http.StatusBadRequest
	case KindAuth:
		return http.StatusUnauthorized
	case KindPermission:
		return http.StatusForbidden
	case KindNotFound:
		return http.StatusNotFound
	case KindTooLarge:
		return http.StatusRequestEntityTooLarge
	case KindRateLimit:
		return http.StatusTooManyRequests
	case KindTimeout:
		return http.StatusRequestTimeout
	case KindGatewayTimeout:
		return http.StatusGatewayTimeout
	case KindUnavailable:
		return http.StatusServiceUnavailable
	case KindUpstream:
		return http.StatusBadGateway
	case KindCanceled:
		return 499
	default:
		return http.StatusInternalServerError
	}
}

// Error is every failure that a client or a caller of the SDK sees. It is built where the fact is known and shaped for
// the client only at the dialect.
type Error struct {
	Kind Kind
	// HTTPStatus replaces the kind's own status when it is not 0, for upstream answers that have no kind.
	HTTPStatus int
	// Type replaces the word that OpenAI's dialect has for the kind, where programs branch on a more exact one:
	// budget_exceeded, key_model_access_denied, expired_key, ….
	Type string
	// Code is a word that programs branch on (unsupported_parameter, model_not_found, …); empty where the status says all.
	Code string
	// Param is the field of the client's request that is at fault, with its path.
	Param string
	// Message says what is wrong; for upstream errors it is AWS's own message, bare.
	Message string
	// Hint says what to do about it.
	Hint string
	// AWSType is AWS's exception name and RequestID AWS's request id.
	AWSType, RequestID string
	// RetryAfter is how long AWS, or Outcrop, asks to wait; 0 means unsaid.
	RetryAfter time.Duration
	// Cause is the error below, for logs; it is never shown to a client.
	Cause error
}

// Status returns the HTTP status for the client.
func (e *Error) Status() int {
	if e.HTTPStatus != 0 {
		return e.HTTPStatus
	}
	return e.Kind.Status()
}

// Retryable reports whether the same request may succeed at another time or on another deployment.
func (e *Error) Retryable() bool {
	switch s := e.Status(); {
	case s == http.StatusRequestTimeout, s == http.StatusTooManyRequests, s >= http.StatusInternalServerError:
		return true
	default:
		return false
	}
}

// Error returns the message with its field and AWS's exception name.
func (e *Error) Error() string {
	var b strings.Builder
	if e.AWSType != "" {
		b.WriteString(e.AWSType)
		b.WriteString(": ")
	}
	b.WriteString(e.Message)
	if e.Param != "" {
		b.WriteString(" (")
		b.WriteString(e.Param)
		b.WriteString(")")
	}
	if e.Cause != nil {
		b.WriteString(": ")
		b.WriteString(e.Cause.Error())
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Invalid returns a refusal of the field param.
func Invalid(param, message string) *Error {
	return &Error{Kind: KindInvalid, Code: "invalid_value", Param: param, Message: message}
}
