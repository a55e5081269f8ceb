package gateway

import (
	"bytes"
	"net/http"
	"strconv"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/internal/bedrock/wire"
	"github.com/outcrop-ai/outcrop/internal/engine"
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// serveNative serves a request in AWS's own words. What goes wrong is said in AWS's words, too: who asks is an AWS SDK.
func (s *Server) serveNative(x *exchange, p *nativePath) {
	x.call.Type = typePassThrough
	if p.id != "" {
		x.call.Type = typeModelPassThrough
	}
	if failed := s.mayRelay(x, p); failed != nil {
		x.fail(failed)
		return
	}
	if failure := x.unrecorded(); failure != nil {
		x.fail(failure)
		return
	}
	b, failure := readBody(x.w, x.r, s.MaxBody)
	if failure != nil {
		x.fail(failure)
		return
	}
	x.watchNative(b.data)
	lent := wire.Lend(b.data, b.release)
	defer lent.Release()
	n := &engine.Native{
		Service: p.service, Method: x.r.Method, Operation: p.operation, Query: withoutSignature(x.r.URL.RawQuery),
		Header: nativeHeader(x.r.Header, s.Keys.Header()), Body: b.data, Lent: lent, Streams: p.streams(),
	}
	x.call.Request = &llm.Request{Model: p.id}
	if failed := s.address(x, p, n); failed != nil {
		x.fail(failed)
		return
	}
	if failed := x.hints(); failed != nil {
		x.fail(failed)
		return
	}
	x.call.Request.User = endUser(x.r.Header, b.data)
	reply, refused, failed := s.Engine.Native(x.r.Context(), x.call, n)
	if x.r.Context().Err() != nil {
		x.call.ClientClosed = true
	}
	if failed != nil {
		x.upstreamHeaders(true)
		if refused != nil {
			x.relayRefusal(refused, failed)
			return
		}
		x.fail(x.why(failed))
		return
	}
	defer reply.Close()
	if reply.Streams() {
		s.relayStream(x, reply)
		return
	}
	data, failed := reply.ReadAll()
	if failed != nil {
		x.upstreamHeaders(true)
		x.fail(x.why(failed))
		return
	}
	x.upstreamHeaders(true)
	x.answerHeader(reply.Header())
	x.status = reply.Status()
	x.watchedNative(reply.Header(), data)
	x.book()
	x.w.Header()["Content-Length"] = x.one(strconv.Itoa(len(data)))
	x.w.WriteHeader(x.status)
	_, _ = x.w.Write(data) // a client that left is found out by the server
}

// LiteLLM's words for calls that are relayed: to a model, and to anything else of a provider's.
const (
	typeModelPassThrough = "allm_passthrough_route"
	typePassThrough      = "pass_through_endpoint"
)

// mayRelay says why a path is not relayed for who calls; nil if it is.
func (s *Server) mayRelay(x *exchange, p *nativePath) *llm.Error {
	switch {
	case p.bad:
		return llm.Invalid("path", "the path holds an escape, an empty part or a model id that cannot be one")
	case p.operation == "invoke-with-bidirectional-stream":
		return &llm.Error{
			Kind: llm.KindUnavailable, HTTPStatus: http.StatusNotImplemented, Code: "not_implemented", AWSType: "UnknownOperationException",
			Message: "InvokeModelWithBidirectionalStream is not relayed yet",
		}
	case p.service == wire.ServiceAgentRuntime && s.NoAgentRuntime:
		return &llm.Error{
			Kind: llm.KindPermission, HTTPStatus: http.StatusForbidden, Code: "route_disabled",
			Message: "bedrock-agent-runtime is not relayed here (general_settings.disable_bedrock_agent_runtime_passthrough)",
		}
	case p.service == wire.ServiceControl && !x.call.Caller.Admin():
		return &llm.Error{
			Kind: llm.KindPermission, HTTPStatus: http.StatusForbidden, Code: "admin_only",
			Message: "Bedrock's control plane is relayed for the gateway's master key only",
		}
	}
	return nil
}

// address says where a request goes: by the model in its path or its body, else to a service.
func (s *Server) address(x *exchange, p *nativePath, n *engine.Native) *llm.Error {
	if s.TrustClientRegion {
		n.Region = scopeRegion(x.r.Header)
	}
	if p.id != "" {
		return nil
	}
	n.Path, n.Operation = p.path(), p.first()
	if region := p.arnRegion(); region != "" {
		n.Region = region
	}
	if region := x.r.Header.Get("X-Outcrop-Region"); region != "" {
		if !s.TrustClientRegion && !x.call.Caller.Admin() {
			return &llm.Error{
				Kind: llm.KindPermission, HTTPStatus: http.StatusForbidden, Code: "admin_only", Param: "x-outcrop-region",
				Message: "x-outcrop-region needs the master key, or general_settings.trust_client_region",
			}
		}
		if !wire.ValidRegion(region) {
			return llm.Invalid("x-outcrop-region", "x-outcrop-region is not the name of an AWS region")
		}
		n.Region = region
	}
	n.ModelAt, n.ByARN = p.modelAt(x.r.Method)
	model, failed := n.Named()
	if failed != nil {
		return failed
	}
	if model != "" {
		x.call.Request.Model, x.call.Type = model, typeModelPassThrough
		n.Streams = n.Operation != "rerank" && string(jsonscan.Member(n.Body, "stream")) == "true"
	}
	return nil
}

// hasMetadata reports whether a body may have a member requestMetadata. Bodies can be large, and hardly one has it: the rarest
// byte of the name is looked for first.
func hasMetadata(body []byte) bool {
	const before, rare, after = "request", 'M', "etadata"
	for from := len(before); from < len(body); {
		at := bytes.IndexByte(body[from:], rare)
		if at < 0 {
			return false
		}
		at += from
		if from = at + 1; string(body[at-len(before):at]) == before && bytes.HasPrefix(body[from:], []byte(after)) {
			return true
		}
	}
	return false
}

// endUser returns the end user that a request names: in LiteLLM's header, or in AWS's metadata of a request, which goes
// upstream all the same.
func endUser(h http.Header, body []byte) string {
	if user := first(h, "X-Litellm-End-User-Id"); user != "" {
		return user
	}
	const member = "user_id"
	if metadata := first(h, "X-Amzn-Bedrock-Request-Metadata"); metadata != "" {
		return jsonscan.Text(jsonscan.Member([]byte(metadata), member))
	}
	if hasMetadata(body) {
		return jsonscan.Text(jsonscan.Member(body, "requestMetadata", member))
	}
	return ""
}

// relayRefusal hands over AWS's own refusal.
func (x *exchange) relayRefusal(refused *wire.Refused, failed *llm.Error) {
	x.failure, x.status = failed, refused.Status
	x.book()
	x.answerHeader(refused.Header)
	x.w.Header()["Content-Length"] = []string{strconv.Itoa(len(refused.Body))}
	x.w.WriteHeader(refused.Status)
	_, _ = x.w.Write(refused.Body) // as above
}

// relayStream hands over a stream of frames, byte for byte as it comes. One that breaks ends in a broken connection: nothing
// else tells an SDK that it is not whole. It is booked when the last frame has gone out and before the answer is ended, which
// is what an SDK waits for.
func (s *Server) relayStream(x *exchange, reply *engine.NativeReply) {
	x.upstreamHeaders(false)
	x.answerHeader(reply.Header())
	x.w.Header().Del("Content-Length")
	x.status = reply.Status()
	x.w.WriteHeader(x.status)
	flusher, _ := x.w.(http.Flusher)
	if flusher != nil {
		flusher.Flush()
	}
	events := x.hear(reply)
	failed := reply.Relay(func(data []byte) error {
		if err := x.r.Context().Err(); err != nil {
			return err
		}
		_, err := x.w.Write(data)
		if err == nil && flusher != nil {
			flusher.Flush()
		}
		return err
	})
	x.heard(events)
	if failed != nil {
		x.failure = x.why(failed)
		if !x.call.ClientClosed {
			x.cut = true
		}
	}
}

// typeQuota is AWS's name for what is used up for longer than a minute.
const typeQuota = "ServiceQuotaExceededException"

// nativeType is AWS's name for a failure of the gateway's own.
func nativeType(e *llm.Error) string {
	switch {
	case e.AWSType != "":
		return e.AWSType
	case e.Type == "expired_key":
		return "ExpiredTokenException"
	case e.Kind == llm.KindAuth:
		return "UnrecognizedClientException"
	case e.Type == account.TypeBudget:
		return typeQuota
	case e.Code == "no_deployments_available":
		return "ServiceUnavailableException"
	}
	switch s := e.Status(); {
	case s == http.StatusForbidden && e.Code == wire.CodeCredentials:
		return "ServiceUnavailableException"
	case s == http.StatusForbidden:
		return "AccessDeniedException"
	case s == http.StatusNotFound:
		return "ResourceNotFoundException"
	case s == http.StatusRequestEntityTooLarge:
		return "RequestEntityTooLargeException"
	case s == http.StatusTooManyRequests:
		return "ThrottlingException"
	case s == http.StatusRequestTimeout || s == http.StatusGatewayTimeout:
		return "ModelTimeoutException"
	case s == http.StatusServiceUnavailable || s == http.StatusBadGateway:
		return "ServiceUnavailableException"
	case s < http.StatusInternalServerError:
		return "ValidationException"
	}
	return "InternalServerException"
}

// nativeStatus is the status that AWS has with it.
func nativeStatus(e *llm.Error, kind string) int {
	switch kind {
	case "UnrecognizedClientException", "ExpiredTokenException":
		return http.StatusForbidden
	case "ServiceUnavailableException":
		return http.StatusServiceUnavailable
	case "ModelTimeoutException":
		return http.StatusRequestTimeout
	case typeQuota:
		return http.StatusBadRequest
	}
	return e.Status()
}

// failNative says a failure of the gateway's own in AWS's words.
func (x *exchange) failNative(e *llm.Error) {
	kind := nativeType(e)
	x.failure, x.status = e, nativeStatus(e, kind)
	h := x.w.Header()
	h.Set("X-Amzn-Errortype", kind)
	if h.Get("X-Amzn-Requestid") == "" {
		h.Set("X-Amzn-Requestid", x.call.ID)
	}
	if e.RetryAfter > 0 {
		h.Set("Retry-After", strconv.FormatInt(int64((e.RetryAfter+time.Second-1)/time.Second), 10))
	}
	message := e.Message
	if e.Hint != "" {
		message += " " + e.Hint
	}
	x.write(x.status, append(llm.AppendString([]byte(`{"message":`), message), '}'))
}
