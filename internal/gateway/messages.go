package gateway

import (
	"cmp"

	"github.com/outcrop-ai/outcrop/internal/dialect/anthropic"
	"github.com/outcrop-ai/outcrop/internal/dialect/openai"
	"github.com/outcrop-ai/outcrop/internal/engine"
	"github.com/outcrop-ai/outcrop/llm"
)

// anthropicMessages is Anthropic's Messages API. The request keeps the client's own words beside what they mean: which of
// the two goes up is the codec's choice.
var anthropicMessages = chatDialect{
	callType: "anthropic_messages", idPrefix: "msg_", bareID: true, decode: decodeMessages,
	encode: func(dst []byte, x *exchange, _ *openai.Control, resp *llm.Response) []byte {
		a := x.anthropicAnswer()
		dst = anthropic.AppendMessage(dst, a, resp)
		x.call.AnswerID = a.ID
		return dst
	},
	chunks: func(x *exchange, _ *openai.Control) chunkWriter {
		a := x.anthropicAnswer()
		return messageEvents{anthropic.NewEvents(a), a, x.call}
	},
}

// messageEvents are Anthropic's events, of which the first may bring the id of the message that the row shall have.
type messageEvents struct {
	*anthropic.Events
	answer *anthropic.Answer
	call   *engine.Call
}

// Append appends the events that ev makes.
func (e messageEvents) Append(dst []byte, ev *llm.Event) []byte {
	dst = e.Events.Append(dst, ev)
	if ev.Kind == llm.EventStart {
		e.call.AnswerID = e.answer.ID
	}
	return dst
}

func (s *Server) messages(x *exchange) { s.converse(x, &anthropicMessages) }

func (x *exchange) anthropicAnswer() *anthropic.Answer {
	return &anthropic.Answer{ID: x.call.AnswerID, Model: x.call.Request.Model, Stops: x.call.Request.Stop}
}

// decodeMessages reads a Messages request. What is none of Anthropic's members is read as any other client's: LiteLLM's
// words for the gateway, guardrailConfig and its like, and the provider's own parameters.
func decodeMessages(data []byte) (*llm.Request, *openai.Control, error) {
	req, err := anthropic.Decode(data)
	if err != nil {
		return nil, nil, err
	}
	control := &openai.Control{}
	if req.Further != nil {
		more, said, err := openai.DecodeFurther(req.Further)
		if err != nil {
			return nil, nil, err
		}
		control = said
		req.Tags, req.Losses = more.Tags, append(req.Losses, more.Losses...)
		req.ApplyDefaults(more)
	}
	control.Session = cmp.Or(control.Session, req.Session)
	if control.RowMetadata == nil {
		control.RowMetadata = req.RowMetadata
	}
	return req.Request, control, nil
}

// countTokens says how many tokens a Messages request would be.
func (s *Server) countTokens(x *exchange) {
	x.call.Type = "acount_tokens"
	b, req, control := s.read(x, decodeMessages)
	if req == nil {
		return
	}
	defer b.release()
	if control.CacheRules != nil {
		req.Policy.CacheRules = control.CacheRules
	}
	tokens, estimated, failed := s.Engine.CountTokens(x.r.Context(), x.call)
	if estimated {
		x.w.Header()["X-Outcrop-Estimated"] = []string{"true"}
	}
	s.finished(x, failed, func(dst []byte) []byte { return anthropic.AppendCount(dst, tokens) })
}

// anthropicHeaders reads what Anthropic's clients say in headers. The version is theirs: there is only one.
func (x *exchange) anthropicHeaders() {
	if x.voice != &anthropicVoice {
		return
	}
	for _, value := range x.r.Header["Anthropic-Beta"] {
		x.call.Request.AddBetas(value)
	}
	if id := x.r.Header.Get("X-Claude-Code-Session-Id"); id != "" && x.call.Session == "" {
		x.call.Session = id
	}
}
