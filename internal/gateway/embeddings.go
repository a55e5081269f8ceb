package gateway

import "github.com/outcrop-ai/outcrop/internal/dialect/openai"

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
	if s.recall(x, b.data) {
		return
	}
	found, failed := s.Engine.Embed(x.r.Context(), call)
	s.finished(x, failed, func(dst []byte) []byte {
		return openai.AppendEmbeddings(dst, call.Request.Model, call.Request.Embed.Encoding, found)
	})
}
