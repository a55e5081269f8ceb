package engine

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/outcrop-ai/outcrop/internal/bedrock/invoke"
	"github.com/outcrop-ai/outcrop/internal/bedrock/wire"
	"github.com/outcrop-ai/outcrop/internal/catalog"
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// Native is a request in AWS's own words, of an operation on a model.
type Native struct {
	// Method is HTTP's, Operation the last segment of the path (converse, invoke, …), Query what follows it.
	Method, Operation string
	Query             string
	// Header are those that go up; Body is relayed byte for byte.
	Header http.Header
	Body   []byte
}

// streams reports whether the answer is a stream of frames.
func (n *Native) streams() bool {
	return n.Operation == "converse-stream" || n.Operation == "invoke-with-response-stream"
}

// NativeReply is AWS's answer in its own words. It must be closed.
type NativeReply struct {
	engine *Engine
	call   *Call
	native *Native
	reply  *wire.Reply
	leave  func()
	meter  meter
	closed bool
}

// Native sends a request that is relayed as it is. AWS's refusal is the *llm.Error's; its own words are in refused, nil if
// the failure is not AWS's.
func (e *Engine) Native(ctx context.Context, call *Call, n *Native) (reply *NativeReply, refused *wire.Refused, failed *llm.Error) {
	call.Request.Stream, call.NoFallbacks, call.native = n.streams(), true, true
	if failed := e.choose(ctx, call, modeAny); failed != nil {
		return nil, nil, failed
	}
	ctx, leave := e.upstream(ctx, call)
	failed = e.attempt(ctx, call, true, func() (failed *llm.Error) {
		reply, refused, failed = e.sendNative(ctx, call, n)
		return failed
	})
	if failed != nil {
		leave()
		return nil, refused, failed
	}
	reply.leave = func() {
		call.done()
		leave()
	}
	return reply, nil, nil
}

// sendNative makes one upstream call.
func (e *Engine) sendNative(ctx context.Context, call *Call, n *Native) (*NativeReply, *wire.Refused, *llm.Error) {
	t := call.target
	client := t.client
	switch t.deployment.Ref.Route {
	case catalog.RouteRerank: // the client is another service's
		var err error
		if client, err = t.connection.Client(t.region); err != nil {
			return nil, nil, e.refused(err)
		}
	case catalog.RouteConverseLike:
		return nil, nil, llm.Invalid("model", "the address of "+t.deployment.Group+" is that of one operation: nothing else can be relayed to it")
	}
	header, body, failed := guarded(call, n)
	if failed != nil {
		return nil, nil, failed
	}
	p := newPlan(t, header, body)
	defer p.body.Release()
	up := p.call(call, n.streams(), e.o.KeyHeader)
	up.Path, up.Method, up.RawQuery = wire.ModelPath(t.id, n.Operation), n.Method, n.Query
	up.Header, up.ContentType, up.Accept = header, header.Get("Content-Type"), header.Get("Accept")
	up.Refused = &wire.Refused{}
	call.sent = time.Now()
	reply, err := client.Send(ctx, up)
	if err != nil {
		refused := up.Refused
		call.Upstream = refused.Header
		if refused.Status == 0 {
			refused = nil
		}
		return nil, refused, e.failed(call, err)
	}
	call.Upstream, call.RequestID = reply.Header, reply.RequestID
	return &NativeReply{engine: e, call: call, native: n, reply: reply, leave: func() {}, meter: meter{asked: n.Body}}, nil, nil
}

// guarded returns what goes up, with the guardrail that the deployment's configuration demands in the place of the client's.
func guarded(call *Call, n *Native) (http.Header, []byte, *llm.Error) {
	d := call.Deployment
	if !d.GuardrailLocked || d.Defaults == nil || len(d.Defaults.Guardrail) == 0 || n.Operation == "count-tokens" {
		return n.Header, n.Body, nil
	}
	if strings.HasPrefix(n.Operation, "converse") {
		body, ok := withMember(n.Body, "guardrailConfig", d.Defaults.Guardrail)
		if !ok {
			return nil, nil, llm.Invalid("request_body", "the body is no JSON object, and the deployment's guardrail has to be put into it")
		}
		return n.Header, body, nil
	}
	own, failed := invoke.GuardrailHeader(d.Defaults.Guardrail)
	header := n.Header.Clone()
	for name := range header {
		if strings.HasPrefix(strings.ToLower(name), "x-amzn-bedrock-guardrail") {
			delete(header, name)
		}
	}
	for name, values := range own {
		header[name] = values
	}
	return header, n.Body, failed
}

// withMember returns a JSON object with a value for one of its members, wherever that stands; everything else stays as it is
// spelled. It reports whether the object is one.
func withMember(object []byte, name string, value []byte) ([]byte, bool) {
	s := jsonscan.New(object)
	if s.Peek() != jsonscan.KindObject || jsonscan.Valid(object) != nil {
		return nil, false
	}
	var out []byte
	from, found, empty := 0, false, true
	more, err := s.OpenObject()
	for ; err == nil && more; more, err = s.NextMember() {
		empty = false
		key, err := s.Key()
		if err != nil {
			return nil, false
		}
		isIt := string(jsonscan.AppendUnescaped(nil, key)) == name
		s.Peek() // goes to the value
		start := s.Pos
		if _, err := s.Skip(); err != nil {
			return nil, false
		}
		if isIt { // each of them, if there are several: AWS would take one
			out = append(append(out, object[from:start]...), value...)
			from, found = s.Pos, true
		}
	}
	if err != nil {
		return nil, false
	}
	if !found {
		end := bytes.LastIndexByte(object, '}')
		out, from = append(out, object[:end]...), end
		if !empty {
			out = append(out, ',')
		}
		out = append(append(llm.AppendString(out, name), ':'), value...)
	}
	return append(out, object[from:]...), true
}

// Status is AWS's.
func (r *NativeReply) Status() int { return r.reply.Status }

// Header is AWS's; it must not be changed.
func (r *NativeReply) Header() http.Header { return r.reply.Header }

// Streams reports whether the answer is a stream of frames.
func (r *NativeReply) Streams() bool { return r.reply.IsEventStream() }

// ReadAll reads an answer that is no stream, and books it.
func (r *NativeReply) ReadAll() ([]byte, *llm.Error) {
	data, err := r.reply.ReadAll(maxAnswer)
	r.call.answered = time.Now()
	if err != nil {
		return nil, r.engine.failed(r.call, err)
	}
	r.call.firstToken = r.call.answered
	if r.native.Operation != "count-tokens" { // it is free
		r.meter.whole(data, r.reply.Header)
		r.book()
	}
	return data, nil
}

// Relay hands over a stream's bytes as they come, and reads them for the books beside that. to returns an error when the
// client has gone: what follows is read for the books alone if the deployment drains, else not at all.
func (r *NativeReply) Relay(to func([]byte) error) *llm.Error {
	gone := false
	frames := r.reply.Relay(func(data []byte) {
		if r.call.firstToken.IsZero() {
			r.call.firstToken = time.Now()
		}
		if !gone && to(data) != nil {
			gone, r.call.ClientClosed = true, true
			if !r.call.Deployment.Drain {
				_ = r.reply.Close()
			}
		}
	})
	err := r.meter.stream(frames)
	r.call.answered = time.Now()
	r.book()
	switch {
	case gone:
		return r.engine.failed(r.call, clientGone())
	case err != nil:
		return r.engine.failed(r.call, err)
	}
	return nil
}

// book tells the call what was used.
func (r *NativeReply) book() {
	call := r.call
	usage, counted := r.meter.usage()
	if !counted && r.native.Operation != "count-tokens" {
		usage = llm.Usage{Input: int64(len(r.native.Body)+bytesPerToken-1) / bytesPerToken, Output: r.meter.bytes / bytesPerToken, Estimated: true}
	}
	call.Usage, call.HasUsage = usage, true
	if r.meter.tier != "" {
		call.Tier = r.meter.tier
	}
	r.engine.price(call)
}

// Close ends the call.
func (r *NativeReply) Close() {
	if !r.closed {
		r.closed = true
		_ = r.reply.Close()
		r.leave()
	}
}
