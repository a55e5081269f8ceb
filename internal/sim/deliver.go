package sim

import (
	"net/http"
	"strconv"
)

// failInstead answers with the fault alone, if it is one that leaves no room for an answer.
func (s *Server) failInstead(w http.ResponseWriter, r *http.Request, f *Fault, stream bool) bool {
	switch f.Name {
	case "cut":
		cut(w)
		return true
	case "stall":
		<-r.Context().Done()
		return true
	}
	if e := f.refusal(stream); e != nil {
		writeError(w, e)
		return true
	}
	return false
}

// cut closes the connection without another byte.
func cut(w http.ResponseWriter) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		_ = conn.Close()
		return
	}
	panic(http.ErrAbortHandler) // net/http's own way to cut what cannot be hijacked, such as an HTTP/2 stream
}

// deliverBody writes an answer in one piece, disturbed by f.
func (s *Server) deliverBody(w http.ResponseWriter, r *http.Request, f *Fault, body []byte) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if f == nil {
		_, _ = w.Write(body)
		return
	}
	switch f.Name {
	case "cut-stream", "cut-frame", "stall-stream":
		_, _ = w.Write(body[:len(body)/2])
		_ = http.NewResponseController(w).Flush()
		if f.Name == "stall-stream" {
			<-r.Context().Done()
			return
		}
		cut(w)
	case "corrupt-frame":
		broken := append([]byte(nil), body...)
		for i := len(broken) / 2; i < len(broken); i++ {
			broken[i] = '!'
		}
		_, _ = w.Write(broken)
	default:
		_, _ = w.Write(body)
	}
}

// deliverStream writes frames one by one, each flushed, at the given pace and disturbed by f.
func (s *Server) deliverStream(w http.ResponseWriter, r *http.Request, c *call, f *Fault, pc pace, frames []frame) {
	h := w.Header()
	h.Set("Content-Type", "application/vnd.amazon.eventstream")
	if isNative(c.operation) {
		h.Set("Content-Type", "text/event-stream; charset=utf-8")
	}
	if c.operation == opInvokeStream {
		h.Set("X-Amzn-Bedrock-Content-Type", "application/json")
	}
	control := http.NewResponseController(w)
	w.WriteHeader(http.StatusOK)
	_ = control.Flush() // fails only where nothing can be flushed; the bytes still arrive in order
	if !pause(r.Context(), pc.firstEvent) {
		return
	}
	switch {
	case f == nil:
	case isNative(c.operation):
		frames = f.disturbNative(c.operation, frames)
	default:
		frames = f.disturb(frames)
	}
	for i, one := range frames {
		if i > 0 && pc.chunkDelay > 0 && !pause(r.Context(), pc.chunkDelay) {
			return
		}
		data, err := one.encode()
		if err != nil {
			cut(w)
			return
		}
		if f != nil && i == min(f.after(), len(frames)-1) {
			switch f.Name {
			case "cut-stream":
				cut(w)
				return
			case "cut-frame":
				_, _ = w.Write(data[:len(data)/2])
				_ = control.Flush()
				cut(w)
				return
			case "stall-stream":
				<-r.Context().Done()
				return
			}
		}
		if _, err := w.Write(data); err != nil {
			return
		}
		_ = control.Flush()
	}
}
