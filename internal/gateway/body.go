package gateway

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/outcrop-ai/outcrop/llm"
)

// keptBody is the largest body buffer that goes back to the pool: the rare big request must not keep memory for ever.
const keptBody = 1 << 20

var bodies = sync.Pool{New: func() any { return new(body) }}

// body is a request's body, read whole. Decoded requests alias it until it is released.
type body struct{ data []byte }

func (b *body) release() {
	if cap(b.data) <= keptBody {
		b.data = b.data[:0]
		bodies.Put(b)
	}
}

// tooLarge refuses a body by its declared length, before a key is asked for or a byte is read.
func tooLarge(r *http.Request, limit int64) *llm.Error {
	if r.ContentLength <= limit {
		return nil
	}
	return bodyError(limit)
}

func bodyError(limit int64) *llm.Error {
	return &llm.Error{
		Kind: llm.KindTooLarge, Code: "request_too_large", Param: "request_body",
		Message: "the request body is larger than " + strconv.FormatFloat(float64(limit)/(1<<20), 'f', -1, 64) +
			" MiB (general_settings.max_request_size_mb)",
	}
}

// bodyTime bounds how long a body may take to come, once its headers are there.
const bodyTime = 2 * time.Minute

// readBody reads a body up to limit bytes. The caller releases it.
func readBody(w http.ResponseWriter, r *http.Request, limit int64) (*body, *llm.Error) {
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return nil, &llm.Error{
			Kind: llm.KindInvalid, HTTPStatus: http.StatusUnsupportedMediaType, Code: "unsupported_encoding", Param: "Content-Encoding",
			Message: "request bodies must not be compressed",
		}
	}
	b, _ := bodies.Get().(*body)
	if n := r.ContentLength; n > 0 && int64(cap(b.data)) < n {
		b.data = make([]byte, 0, n+1) // one byte more, so that the last read finds room and meets the end
	}
	limited := http.MaxBytesReader(w, r.Body, limit)
	for reads := 0; ; reads++ {
		if reads == 1 { // it did not come with the headers: it must not take for ever
			control := http.NewResponseController(w)
			if control.SetReadDeadline(time.Now().Add(bodyTime)) == nil {
				defer func() { _ = control.SetReadDeadline(time.Time{}) }()
			}
		}
		if len(b.data) == cap(b.data) {
			b.data = append(b.data, 0)[:len(b.data)]
		}
		n, err := limited.Read(b.data[len(b.data):cap(b.data)])
		b.data = b.data[:len(b.data)+n]
		if err == nil {
			continue
		}
		if errors.Is(err, io.EOF) {
			return b, nil
		}
		b.release()
		var over *http.MaxBytesError
		if errors.As(err, &over) {
			return nil, bodyError(limit)
		}
		return nil, &llm.Error{
			Kind: llm.KindInvalid, Code: "incomplete_body", Param: "request_body", Message: "the request body ended early", Cause: err,
		}
	}
}
