package gateway

import (
	"net/http"

	"github.com/outcrop-ai/outcrop/internal/dialect/openai"
)

// embeddings serves one request for embeddings.
func (s *Server) embeddings(x *exchange) {
	x.call.Type = "aembedding"
	b, req, _ := s.read(x, openai.DecodeEmbeddings)
	if req == nil {
		return
	}
	defer b.release()
	call := x.call
	call.Request, call.AnswerID = req, "embd-"+call.ID
	asked := req.Model
	found, failed := s.Engine.Embed(x.r.Context(), call)
	if x.r.Context().Err() != nil {
		call.ClientClosed = true
	}
	x.upstreamHeaders(true)
	if failed != nil {
		x.fail(x.why(failed))
		return
	}
	out := buffers.Get().(*buffer) //nolint:forcetypeassert // the pool holds nothing else
	out.data = openai.AppendEmbeddings(out.data[:0], asked, req.Embed.Encoding, found)
	if s.DebugBodies {
		s.debugBody(x, "answer body", out.data)
	}
	x.write(http.StatusOK, out.data)
	out.release()
}
