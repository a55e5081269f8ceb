package wire

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/outcrop-ai/outcrop/llm"
)

// Codes of errors that this package gives; programs branch on them.
const (
	// CodeCredentials says that AWS refused Outcrop's own credentials, or that there are none: an operator's business,
	// never the client's.
	CodeCredentials = "aws_credentials"
	// CodeModelNotFound says that AWS does not know the model.
	CodeModelNotFound = "model_not_found"
	// CodeContextLength says that the prompt is longer than the model's context window.
	CodeContextLength = "context_length_exceeded"
	// CodeContentPolicy says that the provider's filter refused the content.
	CodeContentPolicy = "content_policy_violation"
)

// ErrorFrom turns an answer that is not 2xx into an error: AWS's exception name from the header x-amzn-ErrorType up to
// its colon, else from the body's __type or code; its message bare; its request id; what its retry-after asks for.
// body may be cut off.
func ErrorFrom(status int, header http.Header, body []byte) *llm.Error {
	told := readErrorBody(body)
	name, _, _ := strings.Cut(header.Get("X-Amzn-Errortype"), ":")
	if name = strings.TrimSpace(name); name == "" {
		name = told.name
	}
	e := newError(name, status, told.message)
	e.RequestID = RequestID(header)
	e.RetryAfter = retryAfter(header, time.Now())
	if e.Message == "" {
		if e.Message = http.StatusText(status); e.Message == "" {
			e.Message = "status " + strconv.Itoa(status)
		}
		if len(body) > 0 && !told.json {
			e.Cause = errors.New("the answer was not JSON: " + excerpt(body))
		}
	}
	return e
}

// FrameError turns an exception or error frame of a stream into an error. requestID is that of the call. Exceptions that
// are not known are AWS's failures: status 502.
func FrameError(f Frame, requestID string) *llm.Error {
	name, message := string(f.EventType()), ""
	if f.IsError() {
		name, message = string(f.ErrorCode()), string(f.ErrorMessage())
	}
	told := readErrorBody(f.payload)
	if name == "" {
		name = told.name
	}
	if message == "" {
		message = told.message
	}
	e := newError(name, http.StatusBadGateway, message)
	e.RequestID = requestID
	if e.Message == "" {
		e.Message = "the upstream stream failed"
	}
	return e
}

// newError finds the kind of an exception; status decides only where the name is unknown.
func newError(name string, status int, message string) *llm.Error {
	if name = validName(name); name != "" && 'a' <= name[0] && name[0] <= 'z' {
		name = string(name[0]-'a'+'A') + name[1:] // frames carry the member's name: throttlingException
	}
	e := &llm.Error{AWSType: name, Message: message}
	if x, ok := exceptions[name]; ok {
		e.Kind, e.Code, e.Hint = x.kind, x.code, x.hint
	} else {
		e.Kind, e.HTTPStatus = kindOf(status)
	}
	if name == "ConflictException" && status == http.StatusConflict { // of bedrock-agent-runtime; bedrock-runtime's is a 400
		e.HTTPStatus = status
	}
	// Words count for a ValidationException, or where there is no name at all: other exceptions use the same ones.
	if e.Kind == llm.KindInvalid && name != "" && name != "ValidationException" {
		return e
	}
	lower := strings.ToLower(message)
	for i := range phrases {
		if p := &phrases[i]; p.on == e.Kind && hasWords(lower, p.words) {
			e.Kind = p.kind
			if p.kind != p.on {
				e.HTTPStatus = 0
			}
			if p.code != "" {
				e.Code = p.code
			}
			if p.hint != "" {
				e.Hint = p.hint
			}
			break
		}
	}
	return e
}

// kindOf classes an answer whose exception is unknown. The second result is the client's status where the kind's own
// would be another.
func kindOf(status int) (llm.Kind, int) {
	switch status {
	case http.StatusBadRequest:
		return llm.KindInvalid, 0
	case http.StatusUnauthorized, http.StatusForbidden:
		return llm.KindPermission, 0 // a 401 would tell clients that their own key is wrong
	case http.StatusNotFound:
		return llm.KindNotFound, 0
	case http.StatusRequestTimeout:
		return llm.KindTimeout, 0
	case http.StatusRequestEntityTooLarge:
		return llm.KindTooLarge, 0
	case http.StatusTooManyRequests:
		return llm.KindRateLimit, 0
	case http.StatusInternalServerError:
		return llm.KindUpstreamInternal, 0
	case http.StatusServiceUnavailable:
		return llm.KindUnavailable, 0
	case http.StatusFailedDependency, http.StatusBadGateway:
		return llm.KindUpstream, 0
	}
	switch {
	case status >= 400 && status < 500:
		return llm.KindInvalid, status
	case status > 500 && status < 600:
		return llm.KindUpstream, status
	default: // a redirect, say: nothing that AWS answers
		return llm.KindUpstream, 0
	}
}

func hasWords(text string, words []string) bool {
	for _, w := range words {
		i := strings.Index(text, w)
		if i < 0 {
			return false
		}
		text = text[i+len(w):]
	}
	return true
}

// validName returns name if it can be an exception's name, else "": it goes into logs and headers.
func validName(name string) string {
	if len(name) > 100 {
		return ""
	}
	for i := range len(name) {
		if !unreserved(name[i]) {
			return ""
		}
	}
	return name
}

type toldError struct {
	name, message string
	json          bool
}

// readErrorBody reads the JSON of an error as botocore does, and the {"error":{"message"}} of Bedrock's endpoints that
// speak OpenAI's and Anthropic's languages.
func readErrorBody(body []byte) toldError {
	var members map[string]json.RawMessage
	if len(body) == 0 || json.Unmarshal(body, &members) != nil {
		return toldError{}
	}
	told := toldError{json: true}
	for _, key := range []string{"message", "Message"} {
		if told.message = jsonString(members[key]); told.message != "" {
			break
		}
	}
	if told.message == "" {
		var inner struct {
			Message string `json:"message"`
		}
		if json.Unmarshal(members["error"], &inner) == nil {
			told.message = inner.Message
		}
	}
	name := jsonString(members["__type"])
	if i := strings.LastIndexByte(name, '#'); i >= 0 {
		name = name[i+1:]
	}
	if name == "" {
		name = jsonString(members["code"])
	}
	told.name, _, _ = strings.Cut(name, ":")
	return told
}

func jsonString(raw json.RawMessage) string {
	var s string
	if len(raw) == 0 || json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

// isExpired reports whether AWS refused the credentials in a way that new ones may mend.
func isExpired(e *llm.Error) bool {
	switch e.AWSType {
	case "ExpiredToken", "ExpiredTokenException", "UnrecognizedClientException", "InvalidClientTokenId":
		return true
	case "", "AccessDeniedException", "AccessDenied":
		return e.Code == CodeCredentials // by its words, see phrases
	}
	return false
}

// isSkewed reports whether AWS refused a signature in a way that a wrong clock may be the reason of.
func isSkewed(e *llm.Error) bool {
	switch e.AWSType {
	case "RequestTimeTooSkewed", "RequestExpired", "InvalidSignatureException", "SignatureDoesNotMatch":
		return true
	}
	return false
}

// RequestID returns AWS's id of a call from the headers of its answer.
func RequestID(header http.Header) string {
	if id := header.Get("X-Amzn-Requestid"); id != "" {
		return id
	}
	return header.Get("X-Amz-Request-Id")
}

// maxRetryAfter bounds what retry-after may ask for.
const maxRetryAfter = 24 * time.Hour

// retryAfter reads seconds or a date; a date is taken against the answer's own clock where it tells it.
func retryAfter(header http.Header, now time.Time) time.Duration {
	text := strings.TrimSpace(header.Get("Retry-After"))
	if text == "" {
		return 0
	}
	var wait time.Duration
	if seconds, err := strconv.ParseFloat(text, 64); err == nil {
		if seconds > maxRetryAfter.Seconds() {
			return maxRetryAfter
		}
		wait = time.Duration(seconds * float64(time.Second))
	} else if at, err := http.ParseTime(text); err == nil {
		if date, err := http.ParseTime(header.Get("Date")); err == nil {
			now = date
		}
		wait = at.Sub(now)
	}
	return min(max(wait, 0), maxRetryAfter)
}

// excerpt is the beginning of a body for logs, on one line.
func excerpt(body []byte) string {
	body = body[:min(len(body), 200)] // a rune cut in half becomes a space below
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == utf8.RuneError {
			return ' '
		}
		return r
	}, string(body))
}
