package wire

import (
	"bytes"
	"io"
	"sync"
	"sync/atomic"
)

// keptBody is the largest buffer that goes back to the pool.
const keptBody = 1 << 20

var bodies = sync.Pool{New: func() any { return new(Body) }}

// Body is a request's body: a buffer that codecs append to. The transport may still be reading it when the answer is
// already there, so it is counted by its users and goes back to its pool when the last one has let go of it.
type Body struct {
	B    []byte
	refs atomic.Int32
	free func() // of a buffer that is somebody else's
}

// NewBody returns an empty body. Release must be called once, and B not be touched after that.
func NewBody() *Body {
	b, _ := bodies.Get().(*Body)
	b.B = b.B[:0]
	b.refs.Store(1)
	return b
}

// Lend returns a body whose buffer is the caller's, who gets it back by free once everybody has let go of it; if a request was
// never written, that is never. Release must be called once.
func Lend(buffer []byte, free func()) *Body {
	b := &Body{B: buffer, free: free}
	b.refs.Store(1)
	return b
}

// Hold takes one more hold on the body, which Release gives up.
func (b *Body) Hold() *Body {
	b.refs.Add(1)
	return b
}

// Release gives up one hold on the body: the owner's own.
func (b *Body) Release() {
	if b.refs.Add(-1) > 0 {
		return
	}
	if b.free != nil {
		b.free()
	} else if cap(b.B) <= keptBody {
		bodies.Put(b)
	}
}

// reader returns a reader of the body for one writing of the request, which [Body.Release] ends.
//
// It is a bytes.Reader behind io.NopCloser and nothing of our own, since net/http knows these to be in memory and sends
// such a body in one write with the headers; others cost a system call more. For the same reason it is not Close that
// says when the transport has done with it but the trace's WroteRequest. A request that is never written, since no
// connection came about, keeps its hold, and the garbage collector gets the buffer instead of the pool.
func (b *Body) reader() io.ReadCloser {
	b.refs.Add(1)
	return io.NopCloser(bytes.NewReader(b.B))
}
