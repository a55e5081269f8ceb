package wire

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"testing"

	"github.com/outcrop-ai/outcrop/llm"
)

// Bodies go round through their pool; none may be written to while a transport reads it, which the race detector and the
// server's comparison would show.
func TestBodiesAreNotReusedWhileTheyAreSent(t *testing.T) {
	c := upstream(t, &fakeAuth{}, nil, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Early") != "" { // answers before it reads
			w.WriteHeader(400)
			return
		}
		b, _ := io.ReadAll(r.Body)
		for _, x := range b {
			if x != b[0] {
				w.WriteHeader(500)
				return
			}
		}
	})
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			for i := range 50 {
				b := NewBody()
				for range 1 << (i % 18) {
					b.B = append(b.B, byte('a'+(worker+i)%26))
				}
				call := &Call{Path: "/x", Body: b}
				if i%3 == 0 {
					call.Header = http.Header{"X-Early": {"1"}}
				}
				reply, err := c.Send(t.Context(), call)
				if err == nil {
					_, err = reply.ReadAll(10)
				}
				b.Release()
				var e *llm.Error
				if errors.As(err, &e) && e.Status() == 500 {
					t.Error("a body changed on its way")
				}
			}
		})
	}
	wg.Wait()
}

func TestBodyReferences(t *testing.T) {
	b := NewBody()
	b.B = append(b.B, "text"...)
	r := b.reader()
	b.Release()
	if got, _ := io.ReadAll(r); string(got) != "text" || b.refs.Load() != 1 {
		t.Errorf("%s, %d references", got, b.refs.Load())
	}
	b.Release()
	if b.refs.Load() != 0 {
		t.Errorf("%d references", b.refs.Load())
	}
}
