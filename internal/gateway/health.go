package gateway

import "net/http"

// alive answers liveness probes: the process can answer.
func (s *Server) alive(x *exchange) { x.write(http.StatusOK, []byte(`"I'm alive!"`)) }

// ready answers readiness probes: the process wants traffic. A store that cannot be written does not stop chat, so it
// is told and not made a failure; a ledger that takes no records is one, where calls are refused for it.
func (s *Server) ready(x *exchange) {
	store := "Not connected"
	if s.StoreReady != nil && s.StoreReady() {
		store = "connected"
	}
	if s.draining.Load() {
		x.write(http.StatusServiceUnavailable, []byte(`{"status":"draining","db":"`+store+`"}`))
		return
	}
	if s.Refusal != nil && s.Refusal() != nil {
		x.write(http.StatusServiceUnavailable, []byte(`{"status":"ledger full","db":"`+store+`"}`))
		return
	}
	x.write(http.StatusOK, []byte(`{"status":"healthy","db":"`+store+`"}`))
}
