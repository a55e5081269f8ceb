package sim

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// The endpoints in OpenAI's and Anthropic's words, by the names that recorded requests have.
const (
	opChatCompletions = "ChatCompletions"
	opResponses       = "Responses"
	opMessages        = "Messages"
	opMessagesCount   = "MessagesCountTokens"
)

// nativeOperation finds a native endpoint by its path. Those of bedrock-runtime are under /openai/v1 and /anthropic/v1, those
// of Mantle's host under /v1, /openai/v1 and /anthropic/v1: both are served here.
func nativeOperation(path string) string {
	switch path {
	case "/openai/v1/chat/completions", "/v1/chat/completions":
		return opChatCompletions
	case "/openai/v1/responses", "/v1/responses":
		return opResponses
	case "/anthropic/v1/messages":
		return opMessages
	case "/anthropic/v1/messages/count_tokens":
		return opMessagesCount
	}
	return ""
}

func isNative(operation string) bool {
	return operation == opChatCompletions || operation == opResponses || isMessages(operation)
}

func isMessages(operation string) bool {
	return operation == opMessages || operation == opMessagesCount
}

// modelOf returns the model that a body names.
func modelOf(body []byte) string {
	var head struct{ Model string }
	_ = json.Unmarshal(body, &head) // what cannot be read is refused later
	return head.Model
}

// onMantle tells Mantle's paths that bedrock-runtime does not have.
func onMantle(path string) bool { return strings.HasPrefix(path, "/v1/") }

// serveNative answers a native endpoint.
func (s *Server) serveNative(w http.ResponseWriter, r *http.Request, c *call, path string) {
	refuse := func(e *apiError) { writeNativeError(w, c.operation, e) }
	var head struct{ Stream bool }
	if err := json.Unmarshal(c.body, &head); err != nil {
		refuse(serializationError("We could not parse the JSON body of your request."))
		return
	}
	c.model, _, _ = strings.Cut(c.asked, faultSuffix)
	c.dice = newDice(s.options.Seed, c.operation, []byte(c.asked), c.body)
	if !s.serves(c.model) || isClaude(c.model) != isMessages(c.operation) {
		refuse(&apiError{status: http.StatusNotFound, code: "model_not_found", message: "The model '" + c.model + "' does not exist or does not have this endpoint."})
		return
	}
	fault, refused := s.earlyFault(r.Header, c)
	if refused != nil {
		refuse(refused)
		return
	}
	if fault != nil && s.failNative(w, r, c, fault, head.Stream) {
		return
	}
	p, refused := readNative(r.Header, c, path)
	if refused != nil {
		refuse(refused)
		return
	}
	number, rule := s.rule(c, p.lastText)
	if fault == nil && rule != nil && rule.Fault != nil && s.applies(rule.Fault, "rule"+strconv.Itoa(number), c) {
		fault = rule.Fault
	}
	if fault == nil {
		if fault, refused = s.textFault(p.lastText, c); refused != nil {
			refuse(refused)
			return
		}
	}
	pc := s.pace(rule)
	if !pause(r.Context(), pc.latency) || fault != nil && s.failNative(w, r, c, fault, head.Stream) {
		return
	}
	if c.operation == opMessagesCount {
		s.deliverBody(w, r, fault, mustJSON(object{"input_tokens": p.meter.tokens()}))
		return
	}
	var script *Reply
	if rule != nil {
		script = rule.Reply
	}
	a := s.compose(p, c.dice, script, pc.chunkSize)
	if head.Stream {
		s.deliverStream(w, r, c, fault, pc, nativeEvents(c, p, a))
		return
	}
	s.deliverBody(w, r, fault, mustJSON(nativeAnswer(c, p, a)))
}

// failNative is failInstead in the endpoint's words.
func (s *Server) failNative(w http.ResponseWriter, r *http.Request, c *call, f *Fault, stream bool) bool {
	if f.Name == "cut" || f.Name == "stall" {
		return s.failInstead(w, r, f, stream)
	}
	if e := f.refusal(stream); e != nil {
		writeNativeError(w, c.operation, e)
		return true
	}
	return false
}

// readNative checks a request and reads it as a prompt.
func readNative(h http.Header, c *call, path string) (p *prompt, refused *apiError) {
	switch c.operation {
	case opChatCompletions:
		p, refused = chatCompletions{}.readShaped(c.model, c.body, nativeChatShape())
	case opResponses:
		p, refused = readResponses(c.model, c.body)
	default:
		p, refused = readNativeMessages(h, c)
	}
	if refused != nil {
		return nil, refused
	}
	if p.guardrail, refused = guardrailFromHeaders(h); refused == nil && p.guardrail != nil && onMantle(path) {
		refused = validationError("Guardrails are not supported by this endpoint.")
	}
	return p, refused
}

// readNativeMessages reads Anthropic's own request, which has the model and the stream in it, and the version and the betas in
// headers.
func readNativeMessages(h http.Header, c *call) (*prompt, *apiError) {
	if h.Get("Anthropic-Version") == "" {
		return nil, validationError("anthropic-version: header is required")
	}
	var body map[string]json.RawMessage
	if err := json.Unmarshal(c.body, &body); err != nil {
		return nil, serializationError("The request body is not valid JSON: %v", err)
	}
	for _, name := range []string{"anthropic_version", "anthropic_beta"} {
		if body[name] != nil {
			return nil, validationError("%s: Extra inputs are not permitted", name)
		}
	}
	if c.operation == opMessagesCount {
		for name := range body {
			switch name {
			case "model", "messages", "system", "tools", "tool_choice", "thinking":
			default:
				return nil, validationError("%s: Extra inputs are not permitted", name)
			}
		}
		body["max_tokens"] = json.RawMessage("1000000") // it is not counted, and above every budget of thinking
	}
	delete(body, "model")
	delete(body, "stream")
	body["anthropic_version"] = json.RawMessage(`"bedrock-2023-05-31"`)
	return anthropicMessages{}.read(c.model, mustJSON(body))
}

// nativeAnswer is a whole answer.
func nativeAnswer(c *call, p *prompt, a *answer) object {
	switch c.operation {
	case opResponses:
		return newResponse(c, p, a).whole()
	case opMessages:
		return anthropicMessages{}.write(p, a, c.dice)
	default:
		return chatCompletions{}.write(p, a, c.dice)
	}
}

// nativeEvents are the server-sent events of a streamed answer.
func nativeEvents(c *call, p *prompt, a *answer) []frame {
	var events []object
	named := true
	switch c.operation {
	case opResponses:
		events = newResponse(c, p, a).events()
	case opMessages:
		for _, e := range (anthropicMessages{}).stream(p, a, c.dice) {
			delete(e, "amazon-bedrock-invocationMetrics")
			events = append(events, e)
		}
	default:
		named = false
		events = chatEvents(p, c.body, chatCompletions{}.stream(p, a, c.dice))
	}
	frames := make([]frame, 0, len(events)+1)
	for _, e := range events {
		kind := ""
		if named {
			kind, _ = e["type"].(string)
		}
		frames = append(frames, sentEvent(kind, mustJSON(e)))
	}
	if !named {
		frames = append(frames, sentEvent("", []byte("[DONE]")))
	}
	return frames
}

// chatEvents has the usage in a chunk of its own, if the request asks for it: so OpenAI does.
func chatEvents(p *prompt, body []byte, chunks []object) []object {
	var req struct {
		Options struct {
			Usage bool `json:"include_usage"`
		} `json:"stream_options"`
	}
	_ = json.Unmarshal(body, &req) // it has been read before
	last := chunks[len(chunks)-1]
	usage := last["usage"]
	delete(last, "usage")
	if !req.Options.Usage {
		return chunks
	}
	return append(chunks, object{"id": last["id"], "object": "chat.completion.chunk", "created": last["created"], "model": p.model, "choices": []object{}, "usage": usage})
}

// sentEvent is one server-sent event.
func sentEvent(kind string, data []byte) frame {
	var text []byte
	if kind != "" {
		text = append(append(append(text, "event: "...), kind...), '\n')
	}
	return frame{text: append(append(append(text, "data: "...), data...), "\n\n"...)}
}

// disturbNative applies a stream fault to the events of a whole answer.
func (f *Fault) disturbNative(operation string, frames []frame) []frame {
	n := min(f.after(), len(frames))
	e := &apiError{status: http.StatusInternalServerError, code: "InternalServerException", message: "The service failed while streaming."}
	x, isException := streamExceptions[f.Name]
	switch {
	case isException:
		e = f.dressed(x.apiError)
	case f.Name == "stream-error":
		e = f.dressed(*e)
	case f.Name == "corrupt-frame":
		frames = slices.Clone(frames)
		frames[min(n, len(frames)-1)].text = []byte("data: {!!!\n\n")
		return frames
	case f.Name == "no-message-stop" || f.Name == "no-metadata":
		return frames[:len(frames)-1]
	default:
		return frames
	}
	body := nativeErrorBody(operation, e)
	kind := ""
	switch operation {
	case opMessages:
		kind = "error"
	case opResponses:
		kind = "error"
		inner, _ := body["error"].(object)
		body = object{"type": "error", "code": inner["code"], "message": e.message, "param": nil, "sequence_number": n}
	}
	return append(slices.Clone(frames[:n]), sentEvent(kind, mustJSON(body)))
}

// nativeErrorBody is an error in the endpoint's words.
func nativeErrorBody(operation string, e *apiError) object {
	if isMessages(operation) {
		kind := map[int]string{400: "invalid_request_error", 401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error", 503: "overloaded_error"}[e.status]
		if kind == "" {
			kind = "api_error"
		}
		return object{"type": "error", "error": object{"type": kind, "message": e.message}}
	}
	kind, code := "invalid_request_error", any(nil)
	switch {
	case e.status == http.StatusTooManyRequests:
		kind, code = "rate_limit_error", "rate_limit_exceeded"
	case e.status >= http.StatusInternalServerError:
		kind, code = "server_error", "server_error"
	case e.code == "model_not_found":
		code = e.code
	}
	return object{"error": object{"message": e.message, "type": kind, "param": nil, "code": code}}
}

// writeNativeError answers with e in the endpoint's words.
func writeNativeError(w http.ResponseWriter, operation string, e *apiError) {
	body := mustJSON(nativeErrorBody(operation, e))
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if e.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(e.retryAfter))
	}
	w.WriteHeader(e.status)
	_, _ = w.Write(body)
}
