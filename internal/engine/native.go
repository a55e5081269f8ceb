package engine

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/outcrop-ai/outcrop/internal/bedrock/invoke"
	"github.com/outcrop-ai/outcrop/internal/bedrock/wire"
	"github.com/outcrop-ai/outcrop/internal/catalog"
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/internal/router"
	"github.com/outcrop-ai/outcrop/llm"
)

// Native is a request in AWS's own words.
type Native struct {
	// Service is the one of Bedrock's that has the operation: wire.ServiceRuntime and the others.
	Service string
	// Method is HTTP's, Query what follows the path. Operation is the last segment of the path of an operation on a model
	// (converse, invoke, …), of all others the first.
	Method, Operation, Query string
	// Path is the escaped path of an operation whose path holds no model; empty for those of models.
	Path string
	// ModelAt is where the body names the model of such an operation, nil where it names none; ByARN says that it does so with an
	// ARN.
	ModelAt []string
	ByARN   bool
	// Region is where a request goes that no deployment has a region for; empty leaves it to the configuration.
	Region string
	// Streams says that the answer is thought to be a stream.
	Streams bool
	// Header are those that go up; Body is relayed byte for byte. Lent, if it is set, holds the same bytes and can be sent as it is.
	Header http.Header
	Body   []byte
	Lent   *wire.Body
}

// Named returns the model that the body names, empty if it names none. A body that names several, or names one while it is no
// JSON, is refused: rights and costs go by that name.
func (n *Native) Named() (string, *llm.Error) {
	if n.ModelAt == nil || len(n.Body) == 0 {
		return "", nil
	}
	if jsonscan.Valid(n.Body) != nil {
		return "", llm.Invalid("request_body", "the body is no JSON")
	}
	name := ""
	for _, raw := range jsonscan.All(n.Body, n.ModelAt...) {
		said := jsonscan.Text(raw)
		if name != "" && said != name {
			return "", llm.Invalid(strings.Join(n.ModelAt, "."), "the body names more than one model")
		}
		name = said
	}
	return name, nil
}

// rename has the body name a target's model.
func (n *Native) rename(t *target, asked string) []byte {
	id := t.id
	if n.ByARN && !strings.HasPrefix(id, "arn:") {
		id = "arn:" + wire.Partition(t.region) + ":bedrock:" + t.region + "::foundation-model/" + id
	}
	if id == asked || n.ByARN && strings.HasPrefix(asked, "arn:") { // AWS knows it by what the client says
		return n.Body
	}
	body, _ := jsonscan.Replace(n.Body, llm.AppendString(nil, id), n.ModelAt...)
	return body
}

// Services is a [Connection] that reaches others of Bedrock's services, too.
type Services interface {
	Connection
	// Service returns the client of a service for a region. It is made anew each time.
	Service(service, region string) (*wire.Client, error)
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

// Native sends a request that is relayed as it is: to a deployment of call.Request.Model, or, if that is empty, to Bedrock
// itself as the identity that is configured for this. AWS's refusal is the *llm.Error's; its own words are in refused, nil if
// the failure is not AWS's.
func (e *Engine) Native(ctx context.Context, call *Call, n *Native) (reply *NativeReply, refused *wire.Refused, failed *llm.Error) {
	call.Request.Stream, call.NoFallbacks, call.native, call.relayed = n.Streams, true, true, n
	if call.Request.Model == "" {
		if failed := e.admit(ctx, call, nil); failed != nil {
			return nil, nil, failed
		}
		return e.direct(ctx, call, n)
	}
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

// direct sends a request that is for no model.
func (e *Engine) direct(ctx context.Context, call *Call, n *Native) (*NativeReply, *wire.Refused, *llm.Error) {
	if denied := e.checkDirect(call, n.Body); denied != nil {
		return nil, nil, denied
	}
	t, failed := e.relay(n)
	if failed != nil {
		return nil, nil, failed
	}
	if failed := e.take(ctx, call, t); failed != nil {
		return nil, nil, failed
	}
	ctx, leave := e.upstream(ctx, call)
	reply, refused, failed := e.sendNative(ctx, call, n)
	if failed != nil {
		leave()
		return nil, refused, failed
	}
	reply.leave = leave
	return reply, nil, nil
}

// relay returns the target of a request that is for no model: that of the job it asks about, else the configured one.
func (e *Engine) relay(n *Native) (*target, *llm.Error) {
	if j := e.jobs.find(n); j != nil {
		return j.target.bare(), nil
	}
	if e.o.PassThrough == nil {
		return nil, &llm.Error{
			Kind: llm.KindUnavailable, Code: wire.CodeCredentials,
			Message: "nobody is configured as whom requests for no model are relayed (general_settings.bedrock_passthrough_credential)",
		}
	}
	d := *e.o.PassThrough
	d.Group, d.Model = "", ""
	t := &target{deployment: &d, connection: e.o.Connections[d.Connection], region: n.Region, state: &router.State{}}
	t.attributed = attributes(t.connection)
	if t.region == "" {
		t.region = e.home(t.connection)
	}
	return t, nil
}

// home returns the region of what is for no model.
func (e *Engine) home(c Connection) string {
	if known, ok := e.targets.Load(targetKey{deployment: e.o.PassThrough}); ok {
		return known.(*target).region //nolint:forcetypeassert // the map holds nothing else
	}
	region, _ := c.Region("", "", "")
	e.targets.Store(targetKey{deployment: e.o.PassThrough}, &target{region: region})
	return region
}

// bare returns the target for what is asked of it beside its model.
func (t *target) bare() *target {
	d, next := *t.deployment, *t
	d.Defaults, d.Ref = nil, catalog.Ref{}
	next.deployment, next.id = &d, ""
	return &next
}

// sendNative makes one upstream call.
func (e *Engine) sendNative(ctx context.Context, call *Call, n *Native) (*NativeReply, *wire.Refused, *llm.Error) {
	if call.Deployment.Ref.Route == catalog.RouteConverseLike {
		return nil, nil, llm.Invalid("model", "the address of "+call.Deployment.Group+" is that of one operation: nothing else can be relayed to it")
	}
	client, failed := e.clientOf(call, n)
	if failed != nil {
		return nil, nil, failed
	}
	body := n.Body
	if n.ModelAt != nil {
		body = n.rename(call.target, call.Request.Model)
	}
	header, body, failed := guarded(call, n, body)
	if failed != nil {
		return nil, nil, failed
	}
	t := call.target
	var p *plan
	if n.Lent != nil && len(body) == len(n.Lent.B) && (len(body) == 0 || &body[0] == &n.Lent.B[0]) { // nothing was changed
		p = &plan{target: t, body: n.Lent.Hold()}
	} else {
		p = newPlan(t, nil, body)
	}
	defer p.body.Release()
	up := p.call(call, n.Streams, e.o.KeyHeader)
	up.Path, up.Method, up.RawQuery = n.Path, n.Method, n.Query
	if n.Path == "" {
		up.Path = wire.ModelPath(t.label(n.Operation), n.Operation)
	}
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
	return &NativeReply{engine: e, call: call, native: n, reply: reply, leave: func() {}, meter: meter{asked: n.Body, direct: call.ModelID == ""}}, nil, nil
}

// clientOf returns the client that a call goes through, in the region that it goes to.
func (e *Engine) clientOf(call *Call, n *Native) (*wire.Client, *llm.Error) {
	t := call.target
	if region := e.unlistedRegion(t, n); region != t.region {
		next := *t
		next.region = region
		e.value(&next)
		call.target, call.Region = &next, next.region
		t = &next
	} else if n.Service == wire.ServiceRuntime && t.client != nil && t.deployment.Ref.Route != catalog.RouteRerank {
		return t.client, nil
	}
	services, ok := t.connection.(Services)
	if !ok {
		return nil, llm.Invalid("model", "nothing but its own operation can be asked of "+call.Deployment.Group)
	}
	client, err := services.Service(n.Service, t.region)
	if err != nil {
		return nil, e.refused(err)
	}
	return client, nil
}

// unlistedRegion returns the region of a target: where no deployment has one, that of the model's ARN, else what the client says.
func (e *Engine) unlistedRegion(t *target, n *Native) string {
	if t.key.deployment == nil || t.key.deployment != e.o.PassThrough {
		return t.region
	}
	arn := ""
	if t.deployment.Ref.ARN != nil {
		arn = t.deployment.Ref.ARN.Region
	}
	return cmp.Or(arn, n.Region, t.region)
}

// label returns the id that stands in the path of an operation. CountTokens knows models by their own ids only, not by those
// of profiles: "The provided model doesn't support counting tokens."
func (t *target) label(operation string) string {
	m := t.deployment.Ref.Model
	if operation == "count-tokens" && m != nil && (t.deployment.Ref.Profile != "" || strings.Contains(t.id, "inference-profile/")) {
		return m.ID
	}
	return t.id
}

// guarded returns what goes up, with the guardrail that the deployment's configuration demands in the place of the client's.
func guarded(call *Call, n *Native, body []byte) (http.Header, []byte, *llm.Error) {
	d := call.Deployment
	if !d.GuardrailLocked || d.Defaults == nil || len(d.Defaults.Guardrail) == 0 || n.Service != wire.ServiceRuntime || n.Operation == "count-tokens" || n.Operation == "async-invoke" {
		return n.Header, body, nil
	}
	if n.Path == "" && strings.HasPrefix(n.Operation, "converse") {
		body, ok := withGuardrail(body, d.Defaults.Guardrail)
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
	return header, body, failed
}

// withGuardrail returns a JSON object with a guardrail in the place of its own, wherever that stands; everything else stays as it is
// spelled. It reports whether the object is one.
func withGuardrail(object, guardrail []byte) ([]byte, bool) {
	const member = "guardrailConfig"
	if s := jsonscan.New(object); s.Peek() != jsonscan.KindObject || jsonscan.Valid(object) != nil {
		return nil, false
	}
	if out, n := jsonscan.Replace(object, guardrail, member); n > 0 { // each of them, if there are several: AWS would take one
		return out, true
	}
	return jsonscan.Append(object, member, guardrail), true
}

// Status is AWS's.
func (r *NativeReply) Status() int { return r.reply.Status }

// Header is AWS's; it must not be changed.
func (r *NativeReply) Header() http.Header { return r.reply.Header }

// Streams reports whether the answer is a stream, of frames or of server-sent events.
func (r *NativeReply) Streams() bool { return r.reply.IsEventStream() || r.reply.IsTextStream() }

// ReadAll reads an answer that is no stream, and books it.
func (r *NativeReply) ReadAll() ([]byte, *llm.Error) {
	data, err := r.reply.ReadAll(maxAnswer)
	r.call.answered = time.Now()
	if err != nil {
		return nil, r.engine.failed(r.call, err)
	}
	r.call.firstToken = r.call.answered
	r.meter.whole(data, r.reply.Header)
	r.book(data)
	return data, nil
}

// Hear has to told each event of a stream that [NativeReply.Relay] hands over: its name and its JSON, or, without a name, what
// a chunk of InvokeModel's holds or a server-sent event has as its data. What is handed over is valid until to returns.
func (r *NativeReply) Hear(to func(event string, data []byte)) { r.meter.hear = to }

// Relay hands over a stream's bytes as they come, and reads them for the books beside that. to returns an error when the
// client has gone: what follows is read for the books alone if the deployment drains, else not at all.
func (r *NativeReply) Relay(to func([]byte) error) *llm.Error {
	gone := false
	relay := func(data []byte) {
		if r.call.firstToken.IsZero() {
			r.call.firstToken = time.Now()
		}
		if !gone && to(data) != nil {
			gone, r.call.ClientClosed = true, true
			if !r.call.Deployment.Drain {
				_ = r.reply.Close()
			}
		}
	}
	var err error
	if r.reply.IsEventStream() {
		err = r.meter.stream(r.reply.Relay(relay))
	} else {
		err = r.meter.text(r.reply.RelayText(relay))
	}
	r.call.answered = time.Now()
	r.book(nil)
	switch {
	case gone:
		return r.engine.failed(r.call, clientGone())
	case err != nil:
		failed := r.engine.failed(r.call, err)
		r.engine.broke(r.call, failed)
		return failed
	}
	if r.meter.exception != nil { // the client has been told
		r.engine.broke(r.call, r.meter.exception)
	}
	return nil
}

// Chunks hands over the events of a stream, decoded: of InvokeModel's the model's own JSON, of Converse's theirs, with the
// events' names. What is handed over is valid until to returns. to returns false when it wants no more.
func (r *NativeReply) Chunks(to func(event string, data []byte) bool) *llm.Error {
	frames := r.reply.Frames()
	var decoded []byte
	for {
		f, err := frames.Next()
		if err != nil {
			r.call.answered = time.Now()
			r.book(nil)
			if errors.Is(err, io.EOF) {
				return nil
			}
			return r.engine.failed(r.call, err)
		}
		if !f.IsEvent() {
			r.call.answered = time.Now()
			r.book(nil)
			return r.engine.failed(r.call, wire.FrameError(f, r.reply.RequestID))
		}
		if r.call.firstToken.IsZero() {
			r.call.firstToken = time.Now()
		}
		data := f.Payload()
		r.meter.frame(&f)
		if string(f.EventType()) == "chunk" {
			inner, ok := jsonscan.Inner(jsonscan.Member(data, "bytes"))
			if decoded, err = base64.StdEncoding.AppendDecode(decoded[:0], inner); !ok || err != nil {
				return r.engine.failed(r.call, &llm.Error{Kind: llm.KindUpstream, Message: "a chunk of AWS's cannot be read", Cause: err})
			}
			data = decoded
		}
		if !to(string(f.EventType()), data) {
			r.call.ClientClosed, r.call.answered = true, time.Now()
			r.book(nil)
			return nil
		}
	}
}

// Close ends the call.
func (r *NativeReply) Close() {
	if !r.closed {
		r.closed = true
		_ = r.reply.Close()
		r.leave()
	}
}
