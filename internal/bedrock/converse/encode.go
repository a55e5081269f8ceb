package converse

import (
	"github.com/outcrop-ai/outcrop/internal/catalog"
	"github.com/outcrop-ai/outcrop/llm"
)

// Encode appends the body of req for Converse or ConverseStream (the two take the same) to dst. The returned Turn is
// what [Decode] and [NewStream] need to read the answer; it is nil when they need nothing.
//
// The model's own limits come from m; of a model that the catalogue does not know nothing is taken as missing. An
// *llm.Error names the field at fault. What is left out or changed is added to req.Losses.
//
// The keys stand in one fixed order with the messages first, and a conversation that has grown begins with the bytes
// of its former turns: AWS's prompt cache depends on that.
func Encode(dst []byte, req *llm.Request, m catalog.Ref) ([]byte, *Turn, error) {
	e := encoder{dst: dst, req: req}
	e.m.read(m)
	return e.encode(len(dst))
}

// encoder is one run of Encode: what was decided about the request, and the state of the message being written.
type encoder struct {
	dst []byte
	req *llm.Request
	m   traits
	// err is the first refusal; writing goes on until the next check, its output is thrown away.
	err *llm.Error

	names  toolNames
	tools  toolPlan
	think  thinkingPlan
	format formatPlan
	sample sampling
	cache  cachePlan
	fields requestFields
	talk   survey

	// around says that the client's own text stands for the system prompt, the messages and the tools.
	around bool

	// guard says that the request has a guardrail; from message guardFrom on it judges what the user says.
	guard, guardsTail bool
	guardFrom         int

	turnState
}

func (e *encoder) encode(start int) ([]byte, *Turn, error) {
	e.plan()
	if e.err != nil {
		return e.dst[:start], nil, e.err
	}
	e.dst = append(e.dst, '{')
	if !e.m.promptResource || len(e.req.Messages) > 0 {
		e.dst = append(e.dst, `"messages":[`...)
		e.messages()
		e.dst = append(e.dst, ']')
	}
	if !e.m.promptResource {
		e.system()
		e.inferenceConfig()
		e.toolConfig()
	}
	e.guardrailConfig()
	if !e.m.promptResource {
		e.requestFields()
	}
	e.topLevel()
	if e.err != nil {
		return e.dst[:start], nil, e.err
	}
	e.dst = append(e.dst, '}')
	if e.dst[start+1] == ',' { // a prompt resource without messages: the first key came with a comma
		e.dst = append(e.dst[:start+1], e.dst[start+2:]...)
	}
	return e.dst, e.turn(), nil
}

// plan decides all that depends on more than one field, before anything is written.
func (e *encoder) plan() {
	e.talk.read(e.req)
	e.planExtra()
	e.planGuardrail()
	e.planParams()
	e.planSampling()
	e.planThinking()
	e.planTools()
	e.planThinkingConflicts()
	e.planFormat()
	e.planCache()
	if e.m.promptResource {
		e.refusePromptResource()
	}
}

// refusePromptResource deals with what AWS forbids beside a prompt resource, since the prompt brings its own: what says
// something is refused, what only tunes is left out by name.
func (e *encoder) refusePromptResource() {
	switch {
	case len(e.req.System) > 0:
		e.unsupported("system")
	case len(e.req.Tools) > 0:
		e.unsupported("tools")
	case e.format.native || e.format.tool != "" || e.format.line != "":
		e.unsupported("response_format")
	}
	s := &e.sample
	for _, p := range [...]struct {
		name string
		set  bool
	}{
		{"max_tokens", s.hasMax},
		{"temperature", s.hasTemperature},
		{"top_p", s.hasTopP},
		{"top_k", s.hasTopK},
		{"stop", len(s.stop) > 0},
		{e.thinkingParam(), e.think.mode != thinkingUnsaid || e.think.effort != ""},
		{"additionalModelRequestFields", e.fields.own || e.fields.client != nil || len(e.req.Betas) > 0},
	} {
		if p.set {
			e.req.Lose(p.name, "prompt_resource")
		}
	}
}

// refuse keeps the first refusal.
func (e *encoder) refuse(param, message string) {
	if e.err == nil {
		e.err = llm.Invalid(param, message)
	}
}

// unsupported drops param by name where the policy allows, else refuses the request.
func (e *encoder) unsupported(param string) {
	if err := e.req.Unsupported(param, e.m.name); err != nil && e.err == nil {
		e.err = err
	}
}

// allowed reports whether the policy passes param on without a check.
func (e *encoder) allowed(param string) bool {
	for _, name := range e.req.Policy.Allowed {
		if name == param {
			return true
		}
	}
	return false
}

// turn returns what the answer needs to know, nil if that is nothing.
func (e *encoder) turn() *Turn {
	t := Turn{
		names: e.names.changed, wrapped: e.tools.wrapped, jsonTool: e.format.tool, keepProperties: e.format.keepProperties,
		fences: e.format.fences, thinkTags: e.m.thinkTags, textCalls: e.tools.config && e.m.family == familyLlama,
	}
	if t.textCalls {
		for i := range e.req.Tools {
			t.tools = append(t.tools, e.req.Tools[i].Name)
		}
	}
	if t.isZero() {
		return nil
	}
	needed := t // only a turn that is needed leaves the stack
	return &needed
}

// member opens `,"name":` of the body.
func (e *encoder) member(name string) {
	e.dst = append(e.dst, ',', '"')
	e.dst = append(e.dst, name...)
	e.dst = append(e.dst, '"', ':')
}

// at returns the block's own path, or its place in the request if it was built without one.
func at(b *llm.Block, message, part int) llm.Path {
	if b.Path == (llm.Path{}) {
		return llm.Path{Message: int32(message), Part: int32(part)} //nolint:gosec // a request has not 2^31 messages
	}
	return b.Path
}
