package gateway

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// hints reads LiteLLM's headers that concern one call; what its body says wins. They are for clients whose bodies are not
// theirs to change, and for requests in AWS's own words, whose bodies are nobody's.
func (x *exchange) hints() *llm.Error {
	h, call := x.r.Header, x.call
	for _, one := range [...]struct {
		name string
		dst  *time.Duration
	}{{"X-Litellm-Timeout", &call.Timeout}, {"X-Litellm-Stream-Timeout", &call.StreamTimeout}} {
		name, dst := one.name, one.dst
		value := first(h, name)
		if value == "" || *dst > 0 {
			continue
		}
		seconds, err := strconv.ParseFloat(value, 64)
		if err != nil || !(seconds >= 0.001 && seconds <= maxSeconds) {
			return badHint(name, "a number of seconds from 0.001 to "+strconv.Itoa(maxSeconds))
		}
		*dst = time.Duration(seconds * float64(time.Second))
	}
	if value := first(h, "X-Litellm-Num-Retries"); value != "" && call.Retries == nil {
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 || n > math.MaxInt16 {
			return badHint("X-Litellm-Num-Retries", "a whole number")
		}
		n = min(n, maxRetries)
		call.Retries = &n
	}
	for tag := range strings.SplitSeq(first(h, "X-Litellm-Tags"), ",") {
		if tag = strings.TrimSpace(tag); tag != "" {
			call.Request.Tags = append(call.Request.Tags, tag)
		}
	}
	for _, name := range [...]string{"X-Litellm-End-User-Id", "X-Litellm-Customer-Id", x.server.UserHeader} {
		if id := first(h, name); id != "" {
			call.Request.User = id
			break
		}
	}
	if x.server.EnforceUser && call.Request.User == "" {
		return &llm.Error{Kind: llm.KindInvalid, Code: "missing_required_parameter", Param: "user", Message: "user is missing: every request must name its end user (general_settings.enforce_user_param)"}
	}
	if text := first(h, rowHeader); text != "" {
		x.keepInRow(strings.ToLower(rowHeader), []byte(text))
	}
	if id := first(h, "X-Litellm-Session-Id"); id != "" && call.Session == "" {
		call.Session = id
	}
	return nil
}

// rowHeader is LiteLLM's header for what the row of a request shall have: a JSON object.
const rowHeader = "X-Litellm-Spend-Logs-Metadata"

// keepInRow keeps what a client wants to find in the row of its request, in the place of what was said before. It decides
// nothing about the answer, so that what is no JSON object, or too large, costs the client a line among the losses and no more.
func (x *exchange) keepInRow(name string, object []byte) {
	switch s := jsonscan.New(object); {
	case object == nil:
	case len(object) > account.MaxMetadata:
		x.call.Request.Lose(name, "too_large")
	case s.Peek() != jsonscan.KindObject || jsonscan.Valid(object) != nil:
		x.call.Request.Lose(name, "unsupported")
	default:
		x.call.Metadata = jsonscan.AppendCompact(nil, object)
	}
}

// first is the first value of a header whose name is in its canonical form already.
func first(h http.Header, name string) string {
	if values := h[name]; len(values) > 0 {
		return values[0]
	}
	return ""
}

const (
	// maxSeconds bounds a time-out, maxRetries the further tries that a client may ask for.
	maxSeconds = 86400
	maxRetries = 20
)

func badHint(name, want string) *llm.Error {
	name = strings.ToLower(name)
	return llm.Invalid(name, "the header "+name+" must be "+want)
}
