package sim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
)

// errorTypeSuffix follows the exception's name in x-amzn-ErrorType, as recorded from Bedrock; readers cut at the colon.
const errorTypeSuffix = ":http://internal.amazon.com/coral/com.amazon.bedrock/"

// apiError is one answer with which AWS refuses a request.
type apiError struct {
	status     int
	code       string // exception name, e.g. ThrottlingException
	message    string
	retryAfter int            // seconds; 0: no header
	extra      map[string]any // further members of the body, e.g. originalStatusCode
}

// Error makes an apiError usable as an error.
func (e *apiError) Error() string { return e.code + ": " + e.message }

func validationError(format string, args ...any) *apiError {
	return &apiError{status: http.StatusBadRequest, code: "ValidationException", message: fmt.Sprintf(format, args...)}
}

// modelError is a refusal by the model behind Bedrock, which AWS wraps in this prefix.
func modelError(format string, args ...any) *apiError {
	return validationError("The model returned the following errors: "+format, args...)
}

func serializationError(format string, args ...any) *apiError {
	return &apiError{status: http.StatusBadRequest, code: "SerializationException", message: fmt.Sprintf(format, args...)}
}

// body is the JSON of the error, for HTTP answers and for exception frames.
func (e *apiError) body() []byte {
	members := map[string]any{"message": e.message}
	for name, value := range e.extra {
		members[name] = value
	}
	return mustJSON(members)
}

// writeError answers with e in AWS's JSON form.
func writeError(w http.ResponseWriter, e *apiError) {
	body := e.body()
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("x-amzn-ErrorType", e.code+errorTypeSuffix)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if e.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(e.retryAfter))
	}
	w.WriteHeader(e.status)
	_, _ = w.Write(body)
}

// mustJSON encodes values that this package built itself or that were JSON before; those cannot fail. Should it happen
// all the same the answer says so instead of ending the process.
func mustJSON(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return []byte(`{"message":"the simulator could not encode its answer"}`)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
