package converse

import (
	"strconv"

	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// requestFields is what goes into additionalModelRequestFields, and AWS's own top-level members that a client may
// write itself.
type requestFields struct {
	// keys are the members of additionalModelRequestFields so far.
	keys []string
	// own says that some parameter goes to the model under the client's name.
	own bool
	// client is the client's own additionalModelRequestFields: its keys win.
	client []byte

	betas, clientBetas              []string
	claudeOutput, contextManagement []byte
	edits                           [][]byte
	// compacts and clears say which kinds of edits there are.
	compacts, clears bool

	inference, outputConfig, promptVariables, performance, tier []byte
	paths                                                       []string
}

// field opens a member of additionalModelRequestFields; it returns false if the client says it himself.
func (e *encoder) field(name string) bool {
	f := &e.fields
	if f.client != nil {
		if _, ok := memberOf(f.client, name); ok {
			e.req.Lose(name, "overridden")
			return false
		}
	}
	return e.fieldOf(name)
}

func (e *encoder) fieldOf(name string) bool {
	f := &e.fields
	for _, key := range f.keys {
		if key == name {
			return false
		}
	}
	if len(f.keys) == 0 {
		e.member("additionalModelRequestFields")
		e.dst = append(e.dst, '{')
	} else {
		e.dst = append(e.dst, ',')
	}
	f.keys = append(f.keys, name)
	e.dst = llm.AppendString(e.dst, name)
	e.dst = append(e.dst, ':')
	return true
}

// requestFields writes what belongs to the model and not to Converse.
func (e *encoder) requestFields() {
	e.thinkingFields()
	e.topK()
	e.anthropicTools()
	e.anthropicToolChoice()
	e.contextManagement()
	e.anthropicBeta()
	e.responseFormat()
	if e.tools.parallelField && e.field("parallel_tool_calls") {
		e.dst = append(e.dst, `false`...)
	}
	f := &e.fields
	if f.own {
		for i := range e.req.Params {
			if p := &e.req.Params[i]; e.isSentParam(p) && e.field(p.Name) {
				e.dst = append(e.dst, p.Value...)
			}
		}
		for i := range e.req.Extra {
			x := &e.req.Extra[i]
			if len(x.Value) == 0 || string(x.Value) == "null" || isExtraWithPlace(x.Name) {
				continue
			}
			if isInternal(x.Name) {
				e.req.Lose(x.Name, "internal")
				continue
			}
			if e.field(x.Name) {
				e.dst = append(e.dst, x.Value...)
			}
		}
	}
	e.clientFields()
	if len(f.keys) > 0 {
		e.dst = append(e.dst, '}')
	}
}

// clientFields copies the client's own additionalModelRequestFields.
func (e *encoder) clientFields() {
	if e.fields.client == nil {
		return
	}
	s := jsonscan.New(e.fields.client)
	more, err := s.OpenObject()
	for ; err == nil && more; more, err = s.NextMember() {
		key, keyErr := s.Key()
		value, valueErr := s.Skip()
		if keyErr != nil || valueErr != nil {
			return
		}
		if string(key) != "anthropic_beta" && e.fieldOf(string(key)) {
			e.dst = append(e.dst, value...)
		}
	}
}

func (e *encoder) topK() {
	if !e.sample.hasTopK {
		return
	}
	if e.m.family == familyNova1 || e.m.family == familyNova2 {
		if e.field("inferenceConfig") {
			e.dst = strconv.AppendInt(append(e.dst, `{"topK":`...), e.sample.topK, 10)
			e.dst = append(e.dst, '}')
		}
		return
	}
	if e.field(e.m.topKName()) {
		e.dst = strconv.AppendInt(e.dst, e.sample.topK, 10)
	}
}

// anthropicToolChoice writes what AWS's toolChoice cannot say: that calls must not be parallel, and a choice among
// Anthropic's own tools. AWS refuses a type here beside a toolChoice there.
func (e *encoder) anthropicToolChoice() {
	t := &e.tools
	anthropics := e.choiceIsAnthropics()
	if !t.parallelOff && !anthropics || !e.field("tool_choice") {
		return
	}
	comma := ""
	e.dst = append(e.dst, '{')
	switch {
	case anthropics && t.choice.Mode == llm.ToolNamed:
		e.dst = append(e.dst, `"type":"tool","name":`...)
		e.dst = llm.AppendString(e.dst, t.choice.Name)
		comma = ","
	case anthropics:
		e.dst = append(e.dst, `"type":"any"`...)
		comma = ","
	case !t.config || t.choice.Mode == llm.ToolUnset && !e.format.force:
		e.dst = append(e.dst, `"type":"auto"`...)
		comma = ","
	}
	if t.parallelOff {
		e.dst = append(append(e.dst, comma...), `"disable_parallel_tool_use":true`...)
	}
	e.dst = append(e.dst, '}')
}

func (e *encoder) contextManagement() {
	edits := e.fields.edits
	if len(edits) == 0 || !e.field("context_management") {
		return
	}
	e.dst = append(e.dst, `{"edits":[`...)
	for i, edit := range edits {
		if i > 0 {
			e.dst = append(e.dst, ',')
		}
		e.dst = append(e.dst, edit...)
	}
	e.dst = append(e.dst, ']', '}')
}
