package sim

import (
	"net/http"
	"sync"
)

// recordBytes is how much all kept bodies may take together.
const recordBytes = 64 << 20

// Recorded is one request as it was received. Header holds credentials: print a Recorded (which hides them), not its
// header.
type Recorded struct {
	Method    string
	Path      string // escaped, byte for byte
	Query     string
	Header    http.Header
	Body      []byte
	Operation string // Converse, ConverseStream, InvokeModel …; empty for unknown routes
	Model     string // decoded from the path
}

// String shows no headers and no body.
func (r Recorded) String() string { return r.Method + " " + r.Path }

// GoString shows no headers and no body.
func (r Recorded) GoString() string { return r.String() }

// recorder keeps the newest requests within limits of number and bytes.
type recorder struct {
	mu    sync.Mutex // guards all below
	limit int
	kept  []Recorded
	bytes int
}

func (r *recorder) add(one Recorded) {
	if r.limit <= 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kept = append(r.kept, one)
	r.bytes += len(one.Body)
	drop := 0
	for len(r.kept)-drop > 1 && (len(r.kept)-drop > r.limit || r.bytes > recordBytes) {
		r.bytes -= len(r.kept[drop].Body)
		r.kept[drop] = Recorded{}
		drop++
	}
	r.kept = r.kept[drop:]
}

func (r *recorder) all() []Recorded {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Recorded(nil), r.kept...)
}

func (r *recorder) reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kept, r.bytes = nil, 0
}
