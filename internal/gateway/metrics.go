package gateway

import (
	"net/http"

	"github.com/outcrop-ai/outcrop/llm"
)

// metrics serves the page that Prometheus reads. Its numbers say who has spent what, so it needs a key unless the
// configuration opens it.
func (s *Server) metrics(x *exchange) {
	if s.Metrics == nil {
		x.fail(&llm.Error{Kind: llm.KindNotFound, Code: "unknown_url", Message: "metrics are not kept"})
		return
	}
	x.status = http.StatusOK
	s.Metrics.ServeHTTP(x.w, x.r)
}

// InFlight returns how many requests are under way.
func (s *Server) InFlight() int64 { return s.inFlight.Load() }
