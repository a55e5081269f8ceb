package gateway

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/outcrop-ai/outcrop/internal/dialect/openai"
	"github.com/outcrop-ai/outcrop/internal/engine"
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/internal/responses"
	"github.com/outcrop-ai/outcrop/internal/telemetry"
	"github.com/outcrop-ai/outcrop/llm"
)

// ResponseStore keeps responses for their owners, who are named by the hash of their key.
type ResponseStore interface {
	// PutResponse keeps a response.
	PutResponse(ctx context.Context, r *responses.Response) error
	// Response returns the owner's response of an id, nil if there is none.
	Response(ctx context.Context, owner, id string) (*responses.Response, error)
	// DeleteResponse forgets it, and reports whether there was one.
	DeleteResponse(ctx context.Context, owner, id string) (bool, error)
}

// response serves POST /responses.
func (s *Server) response(x *exchange) {
	said := &openai.Responses{}
	dialect := chatDialect{
		callType: "aresponses", ownID: responseID,
		decode: func(body []byte) (*llm.Request, *openai.Control, error) { return s.decodeResponses(x, said, body) },
	}
	answer := func() *openai.ResponseAnswer {
		return &openai.ResponseAnswer{ID: x.call.AnswerID, Created: x.call.Start.Unix(), Model: x.call.Request.Model, Request: said}
	}
	dialect.encode = func(dst []byte, x *exchange, _ *openai.Control, r *llm.Response) []byte {
		whole := openai.NewResponse(answer(), r)
		s.keep(x, said, whole)
		return append(dst, whole.Last()...)
	}
	var events *openai.ResponseEvents
	dialect.chunks = func(x *exchange, _ *openai.Control) chunkWriter {
		events = openai.NewResponseEvents(answer())
		return &responseStream{ResponseEvents: events, keep: func() { s.keep(x, said, events) }}
	}
	own := openAIVoice
	own.appendErrorEvent = func(dst []byte, _ *exchange, failed *llm.Error) []byte {
		if events == nil { // it failed before anything came
			events = openai.NewResponseEvents(answer())
		}
		return events.Fail(dst, failed)
	}
	x.voice = &own
	s.converse(x, &dialect)
}

// decodeResponses reads a request of the Responses API; said gets what it says beside what the model is asked.
func (s *Server) decodeResponses(x *exchange, said *openai.Responses, body []byte) (*llm.Request, *openai.Control, error) {
	req, control, r, err := openai.DecodeResponses(body, func(id string) ([]json.RawMessage, error) { return s.history(x, id) })
	if err == nil {
		*said = *r
		x.param = said.Param
	}
	return req, control, err
}

// responseTokens serves POST /responses/input_tokens: how many tokens a request would be.
func (s *Server) responseTokens(x *exchange) {
	x.call.Type = "acount_tokens"
	said := &openai.Responses{}
	b, req, _ := s.read(x, func(body []byte) (*llm.Request, *openai.Control, error) { return s.decodeResponses(x, said, body) })
	if req == nil {
		return
	}
	defer b.release()
	tokens, estimated, failed := s.Engine.CountTokens(x.r.Context(), x.call)
	if estimated {
		x.w.Header()["X-Outcrop-Estimated"] = []string{"true"}
	}
	s.finished(x, failed, func(dst []byte) []byte {
		return append(strconv.AppendInt(append(dst, `{"object":"response.input_tokens","input_tokens":`...), tokens, 10), '}')
	})
}

// responseStream writes the events of a response, and has it kept before its last event is told: a client may go on from it
// at once.
type responseStream struct {
	*openai.ResponseEvents
	keep func()
	kept bool
}

func (r *responseStream) Append(dst []byte, ev *llm.Event) []byte {
	dst = r.ResponseEvents.Append(dst, ev)
	if !r.kept && r.Last() != nil {
		r.kept = true
		r.keep()
	}
	return dst
}

// keepFor bounds how long an answer waits for its store.
const keepFor = 5 * time.Second

// keep keeps a response, unless its request says otherwise. The client may have gone: what was answered is kept all the same.
func (s *Server) keep(x *exchange, said *openai.Responses, e *openai.ResponseEvents) {
	if !said.Store {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(x.r.Context()), keepFor)
	defer cancel()
	err := s.Responses.PutResponse(ctx, &responses.Response{
		ID: x.call.AnswerID, Owner: x.call.Caller.KeyHash, Previous: said.Previous, Model: x.call.Request.Model, Created: x.call.Start,
		Input: said.Kept(x.call.AnswerID), Output: e.Output(), Object: e.Last(),
	})
	if err != nil {
		s.Logger.Error("a response could not be kept", telemetry.FieldCallID, x.call.ID, "response", x.call.AnswerID, "error", err)
	}
}

// The bounds of a conversation that is made of responses: how many, and how long their items may be together in bytes.
const maxHistory = 1000

// history returns the items of the conversation that ended with a response.
func (s *Server) history(x *exchange, id string) ([]json.RawMessage, error) {
	var turns []*responses.Response
	size := int64(0)
	for at := id; at != ""; {
		r, err := s.Responses.Response(x.r.Context(), x.call.Caller.KeyHash, at)
		if err != nil {
			return nil, storeFailed(err)
		}
		size += int64(responseSize(r))
		switch {
		case r == nil:
			return nil, &llm.Error{
				Kind: llm.KindInvalid, Code: "previous_response_not_found", Param: "previous_response_id",
				Message: "Previous response with id '" + clipID(at) + "' not found.",
			}
		case len(turns) == maxHistory || size > s.MaxBody:
			return nil, llm.Invalid("previous_response_id", "the conversation before this request is longer than the gateway takes")
		}
		turns = append(turns, r)
		at = r.Previous
	}
	var items []json.RawMessage
	for i := len(turns) - 1; i >= 0; i-- {
		for _, list := range [2][]byte{turns[i].Input, turns[i].Output} {
			for item := range jsonscan.Elements(list) {
				items = append(items, item)
			}
		}
	}
	return items, nil
}

func responseSize(r *responses.Response) int {
	if r == nil {
		return 0
	}
	return len(r.Input) + len(r.Output)
}

func clipID(id string) string {
	const shown = 80
	if len(id) > shown {
		return id[:shown] + "…"
	}
	return id
}

func storeFailed(err error) *llm.Error {
	return &llm.Error{Kind: llm.KindUnavailable, Code: "store_unavailable", Message: "the store of responses does not answer", Cause: err}
}

// stored returns the response that the path names; nil if the client has been told that there is none.
func (s *Server) stored(x *exchange) *responses.Response {
	r, err := s.Responses.Response(x.r.Context(), x.call.Caller.KeyHash, x.name)
	switch {
	case err != nil:
		x.fail(storeFailed(err))
	case r == nil:
		x.fail(noResponse(x.name))
	default:
		return r
	}
	return nil
}

func noResponse(id string) *llm.Error {
	return &llm.Error{Kind: llm.KindNotFound, Code: "response_not_found", Param: "response_id", Message: "Response with id '" + clipID(id) + "' not found."}
}

// storedResponse serves GET /responses/{id}.
func (s *Server) storedResponse(x *exchange) {
	if x.r.URL.Query().Get("stream") == "true" {
		x.fail(llm.Invalid("stream", "stream: only a response that is still being made in the background can be streamed later, and none is"))
		return
	}
	if r := s.stored(x); r != nil {
		x.write(http.StatusOK, r.Object)
	}
}

// deleteResponse serves DELETE /responses/{id}.
func (s *Server) deleteResponse(x *exchange) {
	gone, err := s.Responses.DeleteResponse(x.r.Context(), x.call.Caller.KeyHash, x.name)
	switch {
	case err != nil:
		x.fail(storeFailed(err))
	case !gone:
		x.fail(noResponse(x.name))
	default:
		x.write(http.StatusOK, append(llm.AppendString([]byte(`{"id":`), x.name), `,"object":"response","deleted":true}`...))
	}
}

// cancelResponse serves POST /responses/{id}/cancel: there are no responses that could be.
func (s *Server) cancelResponse(x *exchange) {
	if s.stored(x) != nil {
		x.fail(&llm.Error{
			Kind: llm.KindInvalid, Code: "invalid_request", Param: "response_id",
			Message: "Only responses that are made in the background can be cancelled, and this one has ended.",
		})
	}
}

// maxItems bounds a page of input items, as at OpenAI; usualItems is how many there are if the client does not say.
const (
	maxItems   = 100
	usualItems = 20
)

// responseInput serves GET /responses/{id}/input_items.
func (s *Server) responseInput(x *exchange) {
	q := x.r.URL.Query()
	list := openai.InputList{Limit: usualItems, After: q.Get("after"), Descending: q.Get("order") != "asc"}
	if order := q.Get("order"); order != "" && order != "asc" && order != "desc" {
		x.fail(llm.Invalid("order", "order must be asc or desc"))
		return
	}
	if limit := q.Get("limit"); limit != "" {
		n, err := strconv.Atoi(limit)
		if err != nil || n < 1 || n > maxItems {
			x.fail(llm.Invalid("limit", "limit must be between 1 and 100"))
			return
		}
		list.Limit = n
	}
	r := s.stored(x)
	if r == nil {
		return
	}
	page, ok := list.Append(nil, r.Input)
	if !ok {
		x.fail(llm.Invalid("after", "after names no item of this response"))
		return
	}
	x.write(http.StatusOK, page)
}

// responseID returns a new id of a response: one that nobody can choose, whatever the call's own id is.
func responseID() string { return "resp_" + strings.ReplaceAll(engine.NewID(), "-", "") }
