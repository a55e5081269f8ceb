package sim

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// modelID is how Bedrock's ids look: provider.model with an optional region prefix and version, or an ARN.
var modelID = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\A(?:[a-zA-Z0-9-]+(?:\.[a-zA-Z0-9_-]+)+(?::[a-zA-Z0-9]+)*|arn:aws[a-z-]*:(?:bedrock|sagemaker):[a-z0-9-]*:[0-9]*:[a-zA-Z0-9/:._-]+)\z`)
})

// serves says whether the simulator has a model.
func (s *Server) serves(id string) bool {
	if len(id) > 2048 || !modelID().MatchString(id) || strings.HasPrefix(id, "missing.") {
		return false
	}
	return len(s.options.KnownModels) == 0 || slices.Contains(s.options.KnownModels, id)
}

// pace is how fast one answer comes.
type pace struct {
	latency, firstEvent, chunkDelay time.Duration
	chunkSize                       int
}

func (s *Server) pace(r *Rule) pace {
	p := pace{latency: s.options.Latency, firstEvent: s.options.FirstEvent, chunkDelay: s.options.ChunkDelay, chunkSize: s.options.ChunkSize}
	if r == nil {
		return p
	}
	for _, one := range []struct {
		to   *time.Duration
		from *time.Duration
	}{{&p.latency, r.Latency}, {&p.firstEvent, r.FirstEvent}, {&p.chunkDelay, r.ChunkDelay}} {
		if one.from != nil {
			*one.to = *one.from
		}
	}
	if r.ChunkSize > 0 {
		p.chunkSize = r.ChunkSize
	}
	return p
}

// serveModel answers the operations under /model/{id}/.
func (s *Server) serveModel(w http.ResponseWriter, r *http.Request, c *call) {
	c.model, _, _ = strings.Cut(c.asked, faultSuffix)
	c.dice = newDice(s.options.Seed, c.operation, []byte(c.asked), c.body)
	if !s.serves(c.model) {
		writeError(w, validationError("The provided model identifier is invalid."))
		return
	}
	stream := c.operation == opConverseStream || c.operation == opInvokeStream
	fault, refused := s.earlyFault(r.Header, c)
	if refused != nil {
		writeError(w, refused)
		return
	}
	if fault != nil && s.failInstead(w, r, fault, stream) {
		return
	}
	speaks := behindARN(c.model, c.body)
	if e := embedderOf(speaks); e != nil && c.operation == opInvoke {
		s.serveEmbedding(w, r, c, e, fault)
		return
	}
	if m := painterOf(speaks); m != nil && c.operation == opInvoke {
		s.servePainting(w, r, c, m, fault)
		return
	}
	if m := rerankerOf(c.model); m != nil && c.operation == opInvoke {
		s.serveRanking(w, r, c, m, fault)
		return
	}
	p, refused := s.read(r, c)
	if refused != nil {
		writeError(w, refused)
		return
	}
	number, rule := s.rule(c, p.lastText)
	if fault == nil && rule != nil && rule.Fault != nil && s.applies(rule.Fault, "rule"+strconv.Itoa(number), c) {
		fault = rule.Fault
	}
	if fault == nil {
		if fault, refused = s.textFault(p.lastText, c); refused != nil {
			writeError(w, refused)
			return
		}
	}
	pc := s.pace(rule)
	if !pause(r.Context(), pc.latency) {
		return
	}
	if fault != nil && s.failInstead(w, r, fault, stream) {
		return
	}
	if c.operation == opCountTokens {
		s.deliverBody(w, r, fault, mustJSON(object{"inputTokens": p.meter.tokens()}))
		return
	}
	var script *Reply
	if rule != nil {
		script = rule.Reply
	}
	a := s.compose(p, c.dice, script, pc.chunkSize)
	// Simulated time, not measured time: the same request has the same answer.
	a.latencyMs = (pc.latency + pc.firstEvent).Milliseconds()
	if stream {
		s.deliverStream(w, r, c, fault, pc, s.events(c, p, a, script))
		return
	}
	s.deliverBody(w, r, fault, s.body(w.Header(), c, p, a, script, fault))
}

// read checks the request's body.
func (s *Server) read(r *http.Request, c *call) (*prompt, *apiError) {
	switch c.operation {
	case opConverse, opConverseStream:
		return readConverse(c.model, c.body, c.operation == opConverseStream)
	case opCountTokens:
		if countsNot(c.model) {
			return nil, validationError("The provided model doesn't support counting tokens.")
		}
		return readCountTokens(c.model, c.body)
	}
	f := familyOf(c.model, c.body)
	if f == nil {
		return nil, unknownFamily(c.model)
	}
	if refused := streamable(f, c); refused != nil {
		return nil, refused
	}
	p, refused := f.read(c.model, c.body)
	if refused != nil {
		return nil, refused
	}
	if p.guardrail, refused = guardrailFromHeaders(r.Header); refused != nil {
		return nil, refused
	}
	return p, nil
}

// streamable refuses the stream operation for models that only answer whole, and bodies that do not say that they want
// a stream where the family wants to be told.
func streamable(f family, c *call) *apiError {
	table, ok := f.(*promptFamily)
	if !ok || c.operation != opInvokeStream {
		return nil
	}
	if table.silent {
		return validationError("The model is unsupported for streaming.")
	}
	var body members
	if table.tellStream && json.Unmarshal(c.body, &body) == nil && string(body["stream"]) != "true" {
		return validationError("Malformed input request: #/stream: must be true for a streamed answer, please reformat your input and try again.")
	}
	return nil
}

// countsNot is true for inference profiles, which CountTokens refuses.
func countsNot(model string) bool {
	if strings.Contains(model, "inference-profile/") {
		return true
	}
	prefix, _, _ := strings.Cut(model, ".")
	return slices.Contains([]string{"us", "eu", "apac", "global", "us-gov", "jp", "au", "ca"}, prefix)
}

// events are the events of a streamed answer.
func (s *Server) events(c *call, p *prompt, a *answer, script *Reply) []frame {
	var events []event
	switch {
	case script != nil && script.Events != nil:
		for _, e := range scriptedEvents(script.Events) {
			if c.operation == opInvokeStream && e.name == "chunk" {
				e = chunkEvent(mustJSON(e.payload))
			}
			events = append(events, e)
		}
	case c.operation == opInvokeStream:
		events = invokeEvents(familyOf(c.model, c.body), p, a, c.dice)
	default:
		events = converseEvents(p, a)
	}
	return framed(events, c.dice)
}

// body is an answer in one piece.
func (s *Server) body(h http.Header, c *call, p *prompt, a *answer, script *Reply, fault *Fault) []byte {
	if script != nil && script.Raw != nil {
		return rawBody(script.Raw)
	}
	if c.operation == opInvoke {
		setCountHeaders(h, p, a)
		return mustJSON(invokeAnswer(familyOf(c.model, c.body), p, a, c.dice))
	}
	out := converseAnswer(p, a)
	if fault != nil && fault.Name == "no-metadata" {
		delete(out, "usage")
	}
	if fault != nil && fault.Name == "no-message-stop" {
		delete(out, "stopReason")
	}
	return mustJSON(out)
}
