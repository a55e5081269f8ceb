package gateway

import (
	"context"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"time"

	"github.com/outcrop-ai/outcrop/internal/telemetry"
	"github.com/outcrop-ai/outcrop/llm"
)

// finish ends an exchange: it turns a panic into an error, and has the call accounted and logged, however it ended.
func (s *Server) finish(x *exchange) {
	if p := recover(); p != nil {
		s.Logger.Error("panic while serving a request", telemetry.FieldCallID, x.call.ID, "panic", p, "stack", string(debug.Stack()))
		failure := &llm.Error{Kind: llm.KindInternal, Message: "internal error"}
		if x.status != 0 { // the answer has begun: only a broken connection tells the client that it is not whole
			defer panic(http.ErrAbortHandler)
		} else {
			x.fail(failure)
		}
		x.failure = failure
	}
	x.book()
	record := s.Engine.Settle(x.call, x.status, x.failure)
	if s.Observe != nil && x.call.Type != "" {
		s.Observe(x.r.Context(), record)
	}
	if x.cut {
		panic(http.ErrAbortHandler) // net/http breaks the connection off, and logs nothing
	}
}

// renameLosses has the books name losses as the client does.
func (x *exchange) renameLosses() {
	if x.param == nil || x.call.Request == nil {
		return
	}
	losses := slices.Clone(x.call.Request.Losses)
	for i := range losses {
		losses[i].Path = x.param(losses[i].Path)
	}
	x.call.Request.Losses = losses
}

// book has the call's row made, once its outcome is known: before the last byte goes out, so that no client has an answer
// of which a gateway that is killed keeps no row.
func (x *exchange) book() {
	if !x.booked {
		x.booked = true
		x.renameLosses()
		x.call.IP = x.server.Keys.AddressText(x.r)
		x.server.Engine.Book(x.call, x.status, x.failure)
	}
}

// unrecorded refuses a call whose row could not be kept, and makes none. It is nil when rows are kept.
func (x *exchange) unrecorded() *llm.Error {
	refusal := x.server.Refusal
	if refusal == nil {
		return nil
	}
	err := refusal()
	if err == nil {
		return nil
	}
	x.call.Type = ""
	return &llm.Error{
		Kind: llm.KindUnavailable, Code: "ledger_full", RetryAfter: 5 * time.Second, Cause: err,
		Message: "the gateway cannot keep the record of this request at the moment, so it does not make it",
	}
}

// debugBody logs a body at debug level, cut where it is long and with credentials masked.
func (s *Server) debugBody(x *exchange, what string, data []byte) {
	if !s.Logger.Enabled(context.Background(), slog.LevelDebug) {
		return
	}
	s.Logger.Debug(what, telemetry.FieldCallID, x.call.ID, "body", telemetry.Body(data))
}
