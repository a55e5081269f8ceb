package invoke

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"

	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// Relays reports whether a request of the Responses API goes up in the client's own words to a model that speaks them:
// nothing that the deployment adds has no place there.
func Relays(req *llm.Request) bool {
	o := req.Original
	if !o.Speaks(llm.DialectResponses) || len(req.Stop) > 0 || req.TopK != nil || req.Thinking != nil || req.N > 1 {
		return false
	}
	said := func(name string) bool { return llm.Lookup(o.Fields, name) != nil }
	return (len(req.Tools) == 0 || said("tools")) && (req.Format == nil || said("text")) && (req.Effort == "" || said("reasoning"))
}

// relay writes a request of the Responses API for a client that speaks it: its own members as they stand, and what the
// deployment's defaults and rules have decided.
func relay(dst []byte, req *llm.Request, n *Native) (*Request, error) {
	e := encoder{dst: dst, start: len(dst), req: req, native: n, turn: &Turn{family: &nativeResponses, native: true}}
	e.ref.ID = n.Model
	e.doc.guardrail = req.Guardrail
	if req.Latency != "" {
		e.doc.latency = llm.AppendString(nil, req.Latency)
	}
	if req.Tier != "" {
		e.doc.tier = llm.AppendString(nil, req.Tier)
	}
	if len(req.Metadata) > 0 {
		e.doc.metadata = appendPairs(nil, req.Metadata)
	}
	for i := range req.Params {
		switch name := req.Params[i].Name; name {
		case "verbosity", "logprobs", "top_logprobs", "context_management", "moderation", "image", "access_programs": // among the fields
		default:
			e.unsupported(name)
		}
	}
	header := e.header()
	e.nativeHead(header)
	e.raw("store", []byte("false"))
	if req.MaxTokens != nil {
		e.raw("max_output_tokens", strconv.AppendInt(nil, *req.MaxTokens, 10))
	}
	if req.Temperature != nil {
		e.raw("temperature", strconv.AppendFloat(nil, *req.Temperature, 'g', -1, 64))
	}
	if req.TopP != nil {
		e.raw("top_p", strconv.AppendFloat(nil, *req.TopP, 'g', -1, 64))
	}
	for _, list := range [...][]llm.Field{req.Original.Fields, req.Extra} {
		for i := range list {
			if f := &list[i]; !slices.Contains(e.written, f.Name) {
				e.raw(f.Name, f.Value)
			}
		}
	}
	if e.err != nil {
		return nil, e.err
	}
	e.guardrailBody()
	e.dst[e.start] = '{'
	return &Request{Body: append(e.dst, '}'), Header: header, Turn: e.turn}, nil
}

func appendPairs(dst []byte, pairs []llm.Pair) []byte {
	dst = append(dst, '{')
	for i, p := range pairs {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(llm.AppendString(dst, p.Key), ':')
		dst = llm.AppendString(dst, p.Value)
	}
	return append(dst, '}')
}

// relayed is a response's stream for a client that speaks the Responses API: each event is handed over as it came, and read
// only for what the books, the retries and the keeping of time need.
type relayed struct {
	from      objects
	header    http.Header
	requestID string

	spare  []byte // an event that had to be brought on one line
	usage  usage
	booked llm.Usage
	tail   llm.Tail
	done   bool
	err    error
}

// Next returns the next event.
func (r *relayed) Next() (llm.Event, error) {
	for r.err == nil {
		object, err := r.from.next()
		switch {
		case errors.Is(err, io.EOF) && r.done:
			r.err = io.EOF
		case errors.Is(err, io.EOF):
			r.err = &llm.Error{Kind: llm.KindUpstream, Message: "stream ended early", RequestID: r.requestID, Cause: io.ErrUnexpectedEOF}
		case err != nil:
			r.err = err
		case object == nil || r.done: // nothing that comes now belongs to the answer
		case jsonscan.Valid(object) != nil:
			r.err = notJSON(r.requestID, jsonscan.Valid(object))
		default:
			if ev := r.event(object); r.err == nil {
				return ev, nil
			}
		}
	}
	return llm.Event{}, r.err
}

func (r *relayed) event(object []byte) llm.Event {
	if bytes.IndexByte(object, '\n') >= 0 { // of several lines of data
		r.spare = jsonscan.AppendCompact(r.spare[:0], object)
		object = r.spare
	}
	ev := llm.Event{Kind: llm.EventOther, Native: object}
	delta := func(kind llm.EventKind) {
		text, _ := jsonscan.Inner(jsonscan.Member(object, "delta"))
		ev.Kind, ev.Text = kind, llm.RawText(text)
	}
	switch jsonscan.Text(jsonscan.Member(object, "type")) {
	case "response.output_text.delta", "response.refusal.delta":
		delta(llm.EventText)
	case "response.reasoning_summary_text.delta", "response.reasoning_text.delta":
		delta(llm.EventThinking)
	case "response.function_call_arguments.delta", "response.custom_tool_call_input.delta":
		delta(llm.EventToolInput)
	case "response.created", "response.queued", "response.in_progress":
		ev.Kind = llm.EventStart
	case "response.completed", "response.incomplete":
		response := jsonscan.Member(object, "response")
		r.usage.responses(jsonscan.Member(response, "usage"))
		r.usage.searched(jsonscan.Member(response, "output"))
		r.booked = r.usage.total()
		r.tail.Tier = jsonscan.Text(jsonscan.Member(response, "service_tier"))
		ev.Kind, ev.Usage, ev.Tail = llm.EventUsage, &r.booked, &r.tail
		r.done = true
	case "response.failed":
		r.err = openAIError(jsonscan.Member(object, "response", "error"), r.requestID)
	case "error":
		r.err = openAIError(object, r.requestID)
	}
	return ev
}

// Buffered reports that the next event has been received.
func (r *relayed) Buffered() bool { return r.err == nil && r.from.Buffered() }

// Close ends the upstream call.
func (r *relayed) Close() error {
	if r.err == nil {
		r.err = io.EOF
	}
	return r.from.Close()
}
