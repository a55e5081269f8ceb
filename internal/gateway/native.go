package gateway

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/outcrop-ai/outcrop/internal/bedrock/wire"
	"github.com/outcrop-ai/outcrop/internal/engine"
	"github.com/outcrop-ai/outcrop/llm"
)

// nativePath is a path in AWS's own words: /bedrock/model/{id}/{operation}, with or without /bedrock and /v2 before it.
type nativePath struct {
	id, operation string
	// known says that the path is of an operation that is served; bad that it cannot be anybody's.
	known, bad bool
}

// nativeOperations are the operations on models.
func isNativeOperation(name string) bool {
	switch name {
	case "invoke", "invoke-with-response-stream", "converse", "converse-stream", "count-tokens":
		return true
	}
	return false
}

// nativeOf reads a path as it was sent; some SDKs cannot put /bedrock before it. ok is false for paths that are not AWS's. The model's id is what stands between
// model/ and the operation, so that slashes in it may stand as they are; it is unescaped once.
func nativeOf(escaped string) (p nativePath, ok bool) {
	rest, isOurs := strings.CutPrefix(escaped, "/bedrock/")
	if isOurs {
		rest = strings.TrimPrefix(rest, "v2/")
	} else {
		rest = strings.TrimPrefix(escaped, "/")
		last := strings.TrimSuffix(rest, "/")
		if last = last[strings.LastIndexByte(last, '/')+1:]; !strings.HasPrefix(rest, "model/") || !isNativeOperation(last) { // /model/info is LiteLLM's
			return p, false
		}
	}
	middle, isModel := strings.CutPrefix(strings.TrimSuffix(rest, "/"), "model/")
	at := strings.LastIndexByte(middle, '/')
	if !isModel || at < 0 {
		return p, true
	}
	p.operation = middle[at+1:]
	id, err := url.PathUnescape(middle[:at])
	p.id, p.known = id, isNativeOperation(p.operation)
	p.bad = err != nil || id == "" || strings.Contains(id, "..") || strings.Contains(id, "//") || strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r == 0x7f })
	return p, true
}

// serveNative serves a request in AWS's own words. What goes wrong is said in AWS's words, too: who asks is an AWS SDK.
func (s *Server) serveNative(x *exchange, p nativePath) {
	x.call.Type = "allm_passthrough_route"
	switch {
	case p.bad:
		x.fail(llm.Invalid("path", "the path holds a model id that cannot be one"))
		return
	case !p.known:
		x.fail(&llm.Error{Kind: llm.KindNotFound, Code: "unknown_url", AWSType: "UnknownOperationException", Message: "this operation is not relayed: " + x.r.Method + " " + clipPath(x.r.URL.Path)})
		return
	case x.r.Method != http.MethodPost:
		x.w.Header().Set("Allow", http.MethodPost)
		x.fail(&llm.Error{Kind: llm.KindInvalid, HTTPStatus: http.StatusMethodNotAllowed, Code: "method_not_allowed", Message: "Not allowed to " + x.r.Method + " on " + clipPath(x.r.URL.Path)})
		return
	}
	b, failure := readBody(x.w, x.r, s.MaxBody)
	if failure != nil {
		x.fail(failure)
		return
	}
	defer b.release()
	x.call.Request = &llm.Request{Model: p.id}
	if failed := x.hints(); failed != nil {
		x.fail(failed)
		return
	}
	n := &engine.Native{Method: x.r.Method, Operation: p.operation, Query: withoutSignature(x.r.URL.RawQuery), Header: nativeHeader(x.r.Header, s.Keys.Header()), Body: b.data}
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
	x.w.Header()["Content-Length"] = []string{strconv.Itoa(len(data))}
	x.w.WriteHeader(x.status)
	_, _ = x.w.Write(data) // a client that left is found out by the server
}

// relayRefusal hands over AWS's own refusal.
func (x *exchange) relayRefusal(refused *wire.Refused, failed *llm.Error) {
	x.failure, x.status = failed, refused.Status
	x.answerHeader(refused.Header)
	x.w.Header()["Content-Length"] = []string{strconv.Itoa(len(refused.Body))}
	x.w.WriteHeader(refused.Status)
	_, _ = x.w.Write(refused.Body) // as above
}

// relayStream hands over a stream of frames, byte for byte as it comes. One that breaks ends in a broken connection: nothing
// else tells an SDK that it is not whole.
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
	if failed != nil {
		x.failure = x.why(failed)
		if !x.call.ClientClosed {
			x.cut = true
		}
	}
}

// hop are the headers of one connection (RFC 9110, 7.6.1), and those that a proxy says of itself.
func isHop(name string) bool {
	switch name {
	case "Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Http2-Settings":
		return true
	}
	return false
}

// nativeHeader returns the headers that go up: all but those of the connection, of the client's own identity and key, of
// proxies on the way, and what is said to the gateway. X-Amzn-Bedrock-… always travel: a guardrail is among them.
func nativeHeader(client http.Header, keyHeader string) http.Header {
	named := map[string]bool{}
	for _, value := range client["Connection"] {
		for name := range strings.SplitSeq(value, ",") {
			named[http.CanonicalHeaderKey(strings.TrimSpace(name))] = true
		}
	}
	out := http.Header{}
	for name, values := range client {
		switch name {
		case "Host", "Content-Length", "Authorization", "Api-Key", "X-Api-Key", "X-Goog-Api-Key", "Ocp-Apim-Subscription-Key", "X-Amz-Date", "X-Amz-Security-Token",
			"X-Amz-Content-Sha256", "Cookie", "Forwarded", "Via", "Accept-Encoding", "Expect", "X-Real-Ip":
			continue
		}
		if isHop(name) || named[name] || strings.EqualFold(name, keyHeader) || strings.HasPrefix(name, "X-Forwarded-") || strings.HasPrefix(name, "X-Litellm-") || strings.HasPrefix(name, "X-Outcrop-") {
			continue
		}
		out[name] = values
	}
	return out
}

// withoutSignature leaves out what a signature put into a query.
func withoutSignature(raw string) string {
	if !strings.Contains(raw, "X-Amz-") {
		return raw
	}
	var kept []string
	for part := range strings.SplitSeq(raw, "&") {
		if !strings.HasPrefix(part, "X-Amz-") {
			kept = append(kept, part)
		}
	}
	return strings.Join(kept, "&")
}

// answerHeader copies AWS's headers.
func (x *exchange) answerHeader(upstream http.Header) {
	h := x.w.Header()
	for name, values := range upstream {
		if !isHop(name) && name != "Set-Cookie" && name != "Alt-Svc" && name != "Content-Length" {
			h[name] = values
		}
	}
}

// nativeType is AWS's name for a failure of the gateway's own.
func nativeType(e *llm.Error) string {
	switch {
	case e.AWSType != "":
		return e.AWSType
	case e.Kind == llm.KindAuth:
		return "UnrecognizedClientException"
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
	case "UnrecognizedClientException":
		return http.StatusForbidden
	case "ServiceUnavailableException":
		return http.StatusServiceUnavailable
	case "ModelTimeoutException":
		return http.StatusRequestTimeout
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
