package gateway

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/outcrop-ai/outcrop/internal/dialect/openai"
	"github.com/outcrop-ai/outcrop/internal/engine"
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// chatDialect is what chat-like endpoints differ in.
type chatDialect struct {
	callType, idPrefix string
	decode             func([]byte) (*llm.Request, *openai.Control, error)
	encode             func(dst []byte, x *exchange, control *openai.Control, resp *llm.Response) []byte
	chunks             func(x *exchange, control *openai.Control) chunkWriter
	// done is what ends a complete stream behind its last event.
	done string
	// bareID says that the call's id stands in that of the answer without its hyphens.
	bareID bool
	// ownID makes the id of an answer, nil if it is the call's with the prefix.
	ownID func() string
}

// chunkWriter turns events into a dialect's server-sent events.
type chunkWriter interface {
	Append(dst []byte, ev *llm.Event) []byte
}

var chatCompletions = chatDialect{
	callType: "acompletion", idPrefix: "chatcmpl-",
	decode: openai.DecodeChat, done: openai.Done,
	encode: func(dst []byte, x *exchange, control *openai.Control, resp *llm.Response) []byte {
		return openai.AppendChat(dst, x.answer(control), resp)
	},
	chunks: func(x *exchange, control *openai.Control) chunkWriter {
		return openai.NewChunks(x.answer(control), x.call.Request.IncludeUsage)
	},
}

var textCompletions = chatDialect{
	callType: "atext_completion", idPrefix: "cmpl-",
	decode: openai.DecodeCompletion, done: openai.Done,
	encode: func(dst []byte, x *exchange, control *openai.Control, resp *llm.Response) []byte {
		return openai.AppendCompletion(dst, x.answer(control), resp)
	},
	chunks: func(x *exchange, control *openai.Control) chunkWriter {
		return openai.NewCompletionChunks(x.answer(control), x.call.Request.IncludeUsage)
	},
}

func (s *Server) chat(x *exchange)       { s.converse(x, &chatCompletions) }
func (s *Server) completion(x *exchange) { s.converse(x, &textCompletions) }

// converse serves one chat-like request.
func (s *Server) converse(x *exchange, dialect *chatDialect) {
	x.call.Type = dialect.callType
	b, req, control := s.read(x, dialect.decode)
	if req == nil {
		return
	}
	defer b.release()
	call := x.call
	call.Request, call.AnswerID = req, dialect.idPrefix+call.ID
	switch {
	case dialect.ownID != nil:
		call.AnswerID = dialect.ownID()
	case dialect.bareID:
		call.AnswerID = strings.ReplaceAll(call.AnswerID, "-", "")
	}
	call.UserContinue, call.AssistantContinue, call.Prompts = control.UserContinue, control.AssistantContinue, control.Prompts
	if control.CacheRules != nil {
		req.Policy.CacheRules = control.CacheRules
	}
	if s.recall(x, b.data) {
		return
	}
	if req.Stream {
		s.stream(x, dialect, control)
		return
	}
	resp, failed := s.Engine.Chat(x.r.Context(), call)
	s.finished(x, failed, func(dst []byte) []byte { return dialect.encode(dst, x, control, resp) })
}

// finished answers whole: with what encode appends, or with the failure.
func (s *Server) finished(x *exchange, failed *llm.Error, encode func(dst []byte) []byte) {
	if x.r.Context().Err() != nil {
		x.call.ClientClosed = true
	}
	x.upstreamHeaders(true)
	if failed != nil {
		x.fail(x.why(failed))
		return
	}
	out := buffers.Get().(*buffer) //nolint:forcetypeassert // the pool holds nothing else
	out.data = encode(out.data[:0])
	if s.DebugBodies {
		s.debugBody(x, "answer body", out.data)
	}
	x.keep(out.data)
	x.write(http.StatusOK, out.data)
	x.kept()
	out.release()
}

// read reads a request's body and decodes it. The request is nil if that failed and the client has been told; else the caller
// releases the body when it is done with the request.
func (s *Server) read(x *exchange, decode func([]byte) (*llm.Request, *openai.Control, error)) (*body, *llm.Request, *openai.Control) {
	return s.readUpTo(x, s.MaxBody, decode)
}

// readUpTo is read for bodies with a limit of their own, in bytes.
func (s *Server) readUpTo(x *exchange, limit int64, decode func([]byte) (*llm.Request, *openai.Control, error)) (*body, *llm.Request, *openai.Control) {
	if failure := x.unrecorded(); failure != nil {
		x.fail(failure)
		return nil, nil, nil
	}
	b, failure := readBody(x.w, x.r, limit)
	if failure != nil {
		x.fail(failure)
		return nil, nil, nil
	}
	if s.DebugBodies {
		s.debugBody(x, "request body", b.data)
	}
	x.watch(b.data)
	req, control, err := decode(b.data)
	if err != nil && x.name != "" { // the path names the model, so the body need not
		var missing *llm.Error
		if errors.As(err, &missing) && missing.Code == "missing_required_parameter" && missing.Param == "model" {
			req, control, err = decode(withModel(b.data, x.name))
		}
	}
	if err != nil {
		b.release()
		x.fail(asError(err))
		return nil, nil, nil
	}
	if x.name != "" {
		req.Model = x.name
	}
	call := x.call
	call.Drop, call.Modify, call.Remove, call.Timeout = control.Drop, control.Modify, control.Remove, control.Timeout
	call.Connection, x.saysOfCache = control.Connection, control.Cache
	call.Retries, call.NoFallbacks = control.Retries, control.NoFallbacks
	call.Fallbacks, call.ContextFallbacks, call.FilterFallbacks = clientFallbacks(control.Fallbacks, req.Model), clientFallbacks(control.ContextFallbacks, req.Model), clientFallbacks(control.FilterFallbacks, req.Model)
	call.StreamTimeout, call.Session, call.Regions = control.StreamTimeout, control.Session, control.Regions
	req.Policy.Allowed = control.Allowed
	call.Request = req
	x.keepInRow("spend_logs_metadata", control.RowMetadata)
	x.anthropicHeaders()
	failure = x.hints()
	if failure == nil {
		failure = x.mock(control.Mock)
	}
	if failure != nil {
		b.release()
		x.fail(failure)
		return nil, nil, nil
	}
	return b, req, control
}

// withModel puts a model into a JSON object that has none, or null.
func withModel(data []byte, model string) []byte {
	if without, found := jsonscan.Delete(data, "model"); found {
		data = without
	}
	for i, c := range data {
		if c == '{' {
			out := append([]byte(`{"model":`), llm.AppendString(nil, model)...)
			rest := data[i+1:]
			for _, c := range rest {
				if c == ' ' || c == '\n' || c == '\t' || c == '\r' {
					continue
				}
				if c != '}' {
					out = append(out, ',')
				}
				break
			}
			return append(out, rest...)
		}
	}
	return data
}

// answer returns what is said around the answer of the call, when the call's request is complete.
func (x *exchange) answer(control *openai.Control) *openai.Answer {
	req := x.call.Request
	a := &openai.Answer{ID: x.call.AnswerID, Created: x.call.Start.Unix(), Model: req.Model, Legacy: req.LegacyFunctions}
	if control.Echo {
		a.Echo, a.PerPrompt = control.Prompts, req.N
	}
	return a
}

// asError makes any error an *llm.Error.
func asError(err error) *llm.Error {
	var e *llm.Error
	if errors.As(err, &e) {
		return e
	}
	return &llm.Error{Kind: llm.KindInternal, Message: "internal error", Cause: err}
}

var buffers = sync.Pool{New: func() any { return &buffer{data: make([]byte, 0, 4096)} }}

// buffer is a pooled buffer for what is written to clients.
type buffer struct{ data []byte }

func (b *buffer) release() {
	if cap(b.data) <= keptBody {
		buffers.Put(b)
	}
}

// flushAt is how many bytes of events are gathered at most while further events are already there.
const flushAt = 8 << 10

// stream serves one streamed chat. The client's socket is the back-pressure: the next event is asked for when the last
// one has been written.
func (s *Server) stream(x *exchange, dialect *chatDialect, control *openai.Control) {
	call := x.call
	events := newEventWriter(x.w, s.KeepAlive, x.voice.keepAlive, func() { x.upstreamHeaders(false) })
	defer events.close()
	x.status = http.StatusOK
	stream, failed := s.Engine.ChatStream(x.r.Context(), call)
	if failed != nil {
		s.failStream(x, events, failed)
		return
	}
	defer stream.Close()
	chunks := dialect.chunks(x, control)
	seen := x.gather()
	out := buffers.Get().(*buffer) //nolint:forcetypeassert // the pool holds nothing else
	out.data = out.data[:0]
	defer out.release()
	writing := true
	for {
		ev, err := stream.Next()
		if err != nil {
			x.gatheredAnswer(seen, dialect, chunks, control)
			s.endStream(x, events, out, dialect.done, err)
			return
		}
		out.data = chunks.Append(out.data, &ev)
		seen.add(&ev)
		if len(out.data) == 0 || stream.Buffered() && len(out.data) < flushAt {
			continue
		}
		if ev.Kind == llm.EventUsage && ev.Usage != nil {
			continue // the last one, which ends the answer in some dialects: the row is made first, in endStream
		}
		x.keep(out.data)
		if writing && events.write(out.data, true) != nil {
			writing = false // the engine ends or drains the upstream call
			stream.ClientGone()
		}
		out.data = out.data[:0]
	}
}

// endStream writes the end of a stream: its last events after io.EOF, an error event after anything else.
func (s *Server) endStream(x *exchange, events *eventWriter, out *buffer, done string, err error) {
	if !errors.Is(err, io.EOF) {
		if len(out.data) > 0 {
			_ = events.write(out.data, false) // what came before the failure; without it the failure keeps its own status
		}
		s.failStream(x, events, asError(err))
		return
	}
	x.book()
	out.data = append(out.data, done...)
	x.keep(out.data)
	_ = events.write(out.data, true) // whoever left has left
	x.kept()
}

func (s *Server) failStream(x *exchange, events *eventWriter, failed *llm.Error) {
	failed = x.why(failed)
	if x.call.ClientClosed { // nobody is left to be told; a status that was sent stays what it was
		x.failure = failed
		if !events.begun() {
			x.status = failed.Status()
		}
		return
	}
	if events.abandon() {
		x.upstreamHeaders(true)
		x.fail(failed)
		return
	}
	failed = x.inClientsWords(failed)
	x.failure = failed
	x.book()
	_ = events.write(x.voice.appendErrorEvent(nil, x, failed), true)
}

// ErrShuttingDown is the cause with which the contexts of requests end that run longer than the gateway's grace period.
var ErrShuttingDown error = &llm.Error{Kind: llm.KindUnavailable, Code: "server_shutting_down", Message: "the gateway is shutting down"}

// why tells a client that left from a gateway that ends: both cancel the request's context.
func (x *exchange) why(failed *llm.Error) *llm.Error {
	var own *llm.Error
	if failed.Kind == llm.KindCanceled && errors.As(context.Cause(x.r.Context()), &own) {
		x.call.ClientClosed = false
		return own
	}
	return failed
}

// upstreamHeaders says on the answer how it came about. Costs are known only when the answer is whole.
func (x *exchange) upstreamHeaders(whole bool) {
	h, call := x.w.Header(), x.call
	if call.Request != nil && len(call.Request.Losses) > 0 {
		h["X-Outcrop-Loss"] = x.one(lossHeader(call.Request.Losses, x.param))
	}
	if call.Warning != "" {
		h["X-Outcrop-Warning"] = x.one(call.Warning)
	}
	if d := call.Deployment; d != nil {
		h["X-Litellm-Model-Id"] = x.one(d.ID)
		if call.ModelID != "" { // else the call is of no model
			h["X-Litellm-Model-Group"] = x.one(headerSafe(cmp.Or(call.Fallback, call.Request.Model)))
			h["X-Litellm-Model-Name"] = x.one("bedrock/" + call.ModelID)
		}
		h["X-Litellm-Model-Region"] = x.one(call.Region)
		if call.Endpoint != "" {
			h["X-Litellm-Model-Api-Base"] = x.one(call.Endpoint)
		}
		h["X-Litellm-Attempted-Retries"], h["X-Litellm-Attempted-Fallbacks"] = number(call.Retried), number(call.FellBack)
		h["X-Litellm-Max-Fallbacks"] = number(x.server.Engine.MaxFallbacks())
		if bound := call.Bound(); bound > 0 {
			h["X-Litellm-Timeout"] = x.one(seconds(bound))
		}
		if len(call.Tries) > 0 {
			h["X-Outcrop-Tries"] = x.one(engine.TriesText(call.Tries))
		}
		if first(x.r.Header, "X-Outcrop-Debug") == "true" {
			h["X-Outcrop-Decision"] = x.one(call.Decision())
		}
		if d.Ref.Route != "" {
			h["X-Outcrop-Route"] = x.one(d.Ref.RouteName())
		}
	}
	if !x.limitHeaders() {
		if left, limits, ok := x.server.Engine.Left(call); ok {
			requests, tokens := x.server.Engine.Reset(call)
			rateLimit(h, "Requests", limits.Requests, left.Requests, requests)
			rateLimit(h, "Tokens", limits.Tokens, left.Tokens, tokens)
		}
	}
	if !x.native { // else AWS's headers are there under their own names
		providerHeaders(h, call.Upstream)
		if call.RequestID != "" {
			h["Llm_provider-X-Amzn-Requestid"] = x.one(call.RequestID)
		}
	}
	if !whole {
		return
	}
	x.keyHeaders()
	if cost, ok := call.CostUSD(); ok {
		h["X-Litellm-Response-Cost"] = x.one(cost)
		x.costHeaders(cost)
	}
	total := time.Since(call.Start)
	h["X-Litellm-Response-Duration-Ms"] = x.one(milliseconds(total))
	h["X-Litellm-Overhead-Duration-Ms"] = x.one(milliseconds(total - call.UpstreamTime()))
}

// rateLimit says how much of a quota is left, and when it is whole again, in OpenAI's headers.
func rateLimit(h http.Header, what string, limit, left int64, reset time.Duration) {
	if limit > 0 {
		h["X-Ratelimit-Limit-"+what] = []string{strconv.FormatInt(limit, 10)}
		h["X-Ratelimit-Remaining-"+what] = []string{strconv.FormatInt(left, 10)}
		h["X-Ratelimit-Reset-"+what] = []string{reset.Round(time.Millisecond).String()}
	}
}

// none is the count of what has not happened.
var none = []string{"0"}

// milliseconds writes a duration with three decimal places, the last of them rounded.
func milliseconds(d time.Duration) string {
	micro := max(d.Round(time.Microsecond).Microseconds(), 0)
	var room [24]byte
	out := strconv.AppendInt(room[:0], micro/1000, 10)
	return string(append(out, '.', byte('0'+micro/100%10), byte('0'+micro/10%10), byte('0'+micro%10)))
}

func number(n int) []string {
	if n == 0 {
		return none
	}
	return []string{strconv.Itoa(n)}
}

// lossHeader lists losses as "path;why=word", separated by commas. param gives the client's own names for parameters, nil
// leaves the core's.
func lossHeader(losses []llm.Loss, param func(string) string) string {
	var out []byte
	for i, l := range losses {
		if len(out) > 4096 {
			return string(out) + ",…;why=more"
		}
		if i > 0 {
			out = append(out, ',')
		}
		path := l.Path
		if param != nil {
			path = param(path)
		}
		out = append(out, headerSafe(path)...)
		out = append(out, ";why="...)
		out = append(out, l.Why...)
	}
	return string(out)
}

// headerSafe replaces what may not stand in a header's value.
func headerSafe(s string) string {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' || s[i] == ',' || s[i] == ';' {
			out := []byte(s)
			for j, c := range out {
				if c < ' ' || c > '~' || c == ',' || c == ';' {
					out[j] = '_'
				}
			}
			return string(out)
		}
	}
	return s
}
