package gateway

import "github.com/outcrop-ai/outcrop/internal/dialect/openai"

// rerank serves one request for a ranking of documents.
func (s *Server) rerank(x *exchange) {
	x.call.Type = "arerank"
	b, req, _ := s.read(x, openai.DecodeRerank)
	if req == nil {
		return
	}
	defer b.release()
	call := x.call
	call.Request, call.AnswerID = req, call.ID
	if s.recall(x, b.data) {
		return
	}
	found, failed := s.Engine.Rerank(x.r.Context(), call)
	s.finished(x, failed, func(dst []byte) []byte { return openai.AppendRerank(dst, call.ID, call.Request.Rerank, found) })
}
