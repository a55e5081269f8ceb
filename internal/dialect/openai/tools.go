package openai

import (
	"bytes"
	"strconv"

	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

func (d *decoder) tools() error {
	more, err := d.array("tools")
	for i := 0; err == nil && more; more, err = d.s.NextElement() {
		if err := d.tool(); err != nil {
			return within(err, index("tools", i))
		}
		i++
	}
	return err
}

// tool reads one definition: OpenAI's {"type":"function","function":{…}}, Anthropic's {"name","input_schema"}, a ready
// {"toolSpec":{…}} of Converse's, or a provider-defined tool, which is kept as it stands.
func (d *decoder) tool() error {
	if d.s.Peek() != jsonscan.KindObject {
		return d.wrongType("", "an object")
	}
	start := d.s.Pos
	var t llm.Tool
	var kind string
	var defined bool
	var seen memberSet
	more, err := d.s.OpenObject()
	for ; err == nil && more; more, err = d.s.NextMember() {
		key, err := d.s.Key()
		if err != nil {
			return err
		}
		if err := d.toolMember(string(key), &t, &kind, &defined, &seen); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	switch {
	case defined && (kind == "" || kind == "function" || kind == "custom"):
		if t.Name == "" {
			return missing("function.name")
		}
	case kind == "function":
		return missing("function")
	case kind == "":
		return missing("type")
	default: // the name and parameters of a provider's own tool are in Raw
		t.Type, t.Raw = kind, bytes.TrimSpace(d.s.Data[start:d.s.Pos])
	}
	if t.Strict != nil && !*t.Strict {
		t.Strict = nil
	}
	d.req.Tools = append(d.req.Tools, t)
	return nil
}

// The members of a tool and of its function.
const (
	toolType uint = iota
	toolFunction
	toolName
	toolDescription
	toolParameters
	toolStrict
	toolCache
)

func (d *decoder) toolMember(name string, t *llm.Tool, kind *string, defined *bool, seen *memberSet) error {
	bit, known := toolBit(name)
	if known && !seen.add(bit) {
		return duplicate(name)
	}
	if absent, err := d.null(); absent || err != nil {
		return err
	}
	var err error
	switch name {
	case "type":
		*kind, err = d.word("type")
	case "function", "toolSpec":
		*defined = true
		var inner memberSet
		more, err := d.object(name)
		for ; err == nil && more; more, err = d.s.NextMember() {
			key, err := d.s.Key()
			if err != nil {
				return err
			}
			ignored := ""
			if err := d.toolMember(string(key), t, &ignored, defined, &inner); err != nil {
				return within(err, name)
			}
		}
		return err
	case "name":
		t.Name, err = d.word("name")
	case "description":
		t.Description, err = d.text("description")
	case "parameters", "input_schema":
		*defined = true
		t.Schema, err = d.rawObject(name)
	case "inputSchema":
		*defined = true
		err = d.soleMember("inputSchema", "json", func() (err error) { t.Schema, err = d.rawObject("inputSchema.json"); return })
	case "strict":
		t.Strict, err = d.boolPointer("strict")
	case "cache_control":
		t.Cache, err = d.cacheControl()
	default:
		_, err = d.s.Skip() // kept in Raw for a provider's own tool, judged there
	}
	return err
}

func toolBit(name string) (uint, bool) {
	switch name {
	case "type":
		return toolType, true
	case "function", "toolSpec":
		return toolFunction, true
	case "name":
		return toolName, true
	case "description":
		return toolDescription, true
	case "parameters", "input_schema", "inputSchema":
		return toolParameters, true
	case "strict":
		return toolStrict, true
	case "cache_control":
		return toolCache, true
	}
	return 0, false
}

// functions reads the list that tools replaced; the answer will use function_call.
func (d *decoder) functions() error {
	d.req.LegacyFunctions = true
	more, err := d.array("functions")
	for i := 0; err == nil && more; more, err = d.s.NextElement() {
		var t llm.Tool
		var kind string
		var defined bool
		var seen memberSet
		inner, err := d.object(index("functions", i))
		for ; err == nil && inner; inner, err = d.s.NextMember() {
			key, err := d.s.Key()
			if err != nil {
				return err
			}
			if err := d.toolMember(string(key), &t, &kind, &defined, &seen); err != nil {
				return within(err, index("functions", i))
			}
		}
		if err != nil {
			return err
		}
		if t.Name == "" {
			return missing(index("functions", i) + ".name")
		}
		d.req.Tools = append(d.req.Tools, t)
		i++
	}
	return err
}

func (d *decoder) functionCall() error {
	d.req.LegacyFunctions = true
	return d.toolChoice("function_call")
}

// toolChoice reads a word, OpenAI's or Anthropic's object, or the legacy {"name": …}.
func (d *decoder) toolChoice(path string) error {
	c := &d.req.ToolChoice
	if d.s.Peek() == jsonscan.KindString {
		word, err := d.word(path)
		if err != nil {
			return err
		}
		var ok bool
		if c.Mode, ok = choiceMode(word); !ok {
			return llm.Invalid(path, path+` must be auto, none, required or an object, not "`+clip([]byte(word))+`"`)
		}
		return nil
	}
	if d.s.Peek() != jsonscan.KindObject {
		return d.wrongType(path, "a string or an object")
	}
	var kind string
	var mode llm.ToolChoiceMode
	more, err := d.s.OpenObject()
	for ; err == nil && more; more, err = d.s.NextMember() {
		key, err := d.s.Key()
		if err != nil {
			return err
		}
		switch string(key) {
		case "type":
			kind, err = d.word(path + ".type")
		case "name":
			c.Name, err = d.word(path + ".name")
		case "function":
			err = d.soleMember(path+".function", "name", func() (err error) { c.Name, err = d.word(path + ".function.name"); return })
		case "allowed_tools":
			mode, err = d.allowedTools(path + ".allowed_tools")
		case "mode", "tools": // the flat form of allowed_tools
			if string(key) == "tools" {
				err = d.allowedList(path + ".tools")
				break
			}
			mode, err = d.choiceWord(path + ".mode")
		case "disable_parallel_tool_use":
			var off bool
			if off, err = d.bool(path + ".disable_parallel_tool_use"); off {
				parallel := false
				d.req.ParallelTools = &parallel
			}
		default:
			d.req.Lose(path+"."+string(key), "ignored")
			_, err = d.s.Skip()
		}
		if err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	switch kind {
	case "", "function", "tool", "custom":
		if c.Name == "" {
			return missing(path + ".function.name")
		}
		c.Mode = llm.ToolNamed
	case "allowed_tools":
		c.Mode = mode
	default:
		var ok bool
		if c.Mode, ok = choiceMode(kind); !ok {
			return llm.Invalid(path+".type", path+`.type "`+clip([]byte(kind))+`" is unknown`)
		}
	}
	return nil
}

func choiceMode(word string) (llm.ToolChoiceMode, bool) {
	switch word {
	case "auto":
		return llm.ToolAuto, true
	case "none":
		return llm.ToolNone, true
	case "required", "any":
		return llm.ToolRequired, true
	default:
		return llm.ToolUnset, false
	}
}

func (d *decoder) choiceWord(path string) (llm.ToolChoiceMode, error) {
	word, err := d.word(path)
	if err != nil {
		return llm.ToolUnset, err
	}
	mode, ok := choiceMode(word)
	if !ok {
		return mode, llm.Invalid(path, path+` must be auto or required, not "`+clip([]byte(word))+`"`)
	}
	return mode, nil
}

func (d *decoder) allowedTools(path string) (llm.ToolChoiceMode, error) {
	mode := llm.ToolAuto
	more, err := d.object(path)
	for ; err == nil && more; more, err = d.s.NextMember() {
		key, err := d.s.Key()
		if err != nil {
			return mode, err
		}
		switch string(key) {
		case "mode":
			mode, err = d.choiceWord(path + ".mode")
		case "tools":
			err = d.allowedList(path + ".tools")
		default:
			err = llm.Invalid(path+"."+string(key), path+" has no member "+string(key))
		}
		if err != nil {
			return mode, err
		}
	}
	return mode, err
}

func (d *decoder) allowedList(path string) error {
	d.calls.allowed = []string{}
	more, err := d.array(path)
	for i := 0; err == nil && more; more, err = d.s.NextElement() {
		var t llm.Tool
		var kind string
		var defined bool
		var seen memberSet
		inner, err := d.object(index(path, i))
		for ; err == nil && inner; inner, err = d.s.NextMember() {
			key, err := d.s.Key()
			if err != nil {
				return err
			}
			if err := d.toolMember(string(key), &t, &kind, &defined, &seen); err != nil {
				return within(err, index(path, i))
			}
		}
		if err != nil {
			return err
		}
		d.calls.allowed = append(d.calls.allowed, t.Name)
		i++
	}
	return err
}

// finishTools checks what can be known only when the whole body is read: a named choice must name a tool, and a list
// of allowed tools leaves only those.
func (d *decoder) finishTools() error {
	r := d.req
	if d.calls.allowed != nil {
		kept := r.Tools[:0]
		for _, t := range r.Tools {
			for _, name := range d.calls.allowed {
				if t.Name == name {
					kept = append(kept, t)
					break
				}
			}
		}
		r.Tools = kept
	}
	if r.ToolChoice.Mode != llm.ToolNamed || len(r.Tools) == 0 && !d.seen.has(memberTools) && !d.seen.has(memberFunctions) && !d.seen.has(memberMessages) {
		return nil
	}
	for i := range r.Tools {
		if r.Tools[i].Name == r.ToolChoice.Name || r.Tools[i].Type != "" {
			return nil
		}
	}
	return llm.Invalid("tool_choice", "tool_choice names "+strconv.Quote(clip([]byte(r.ToolChoice.Name)))+", which is none of the tools")
}

// callLog remembers the calls of the conversation so far.
type callLog struct {
	message int32 // number of the message being read, counted from 1
	legacy  []legacyCall
	extras  map[string][]string
	allowed []string
}

type legacyCall struct{ name, id string }

// merged returns the ids of the calls that were split off the call id.
func (c *callLog) merged(id string) []string { return c.extras[id] }

// lastLegacy returns the id given to the latest function_call of that name: the legacy form has no ids of its own.
func (c *callLog) lastLegacy(name string) string {
	for i := len(c.legacy) - 1; i >= 0; i-- {
		if c.legacy[i].name == name {
			return c.legacy[i].id
		}
	}
	return "call_" + name
}

func (d *decoder) toolCalls(blocks []llm.Block) ([]llm.Block, error) {
	more, err := d.array("tool_calls")
	for i := 0; err == nil && more; more, err = d.s.NextElement() {
		if blocks, err = d.toolCall(blocks, i); err != nil {
			return nil, within(err, index("tool_calls", i))
		}
		i++
	}
	return blocks, err
}

func (d *decoder) toolCall(blocks []llm.Block, i int) ([]llm.Block, error) {
	if d.s.Peek() != jsonscan.KindObject {
		return nil, d.wrongType("", "an object")
	}
	var id string
	var name string
	var arguments []byte
	var cache *llm.CachePoint
	more, err := d.s.OpenObject()
	for ; err == nil && more; more, err = d.s.NextMember() {
		key, err := d.s.Key()
		if err != nil {
			return nil, err
		}
		if absent, err := d.null(); absent || err != nil {
			if err != nil {
				return nil, err
			}
			continue
		}
		switch string(key) {
		case "id":
			id, err = d.word("id")
		case "function":
			name, arguments, err = d.calledFunction("function")
		case "cache_control":
			cache, err = d.cacheControl()
		default: // type, index and echoes of ours
			_, err = d.s.Skip()
		}
		if err != nil {
			return nil, err
		}
	}
	if err != nil {
		return nil, err
	}
	if name == "" {
		return nil, missing("function.name")
	}
	if id == "" {
		return nil, missing("id")
	}
	blocks = d.call(blocks, id, name, arguments, d.here(index("tool_calls", i)+".function.arguments"))
	blocks[len(blocks)-1].Cache = cache
	return blocks, nil
}

// legacyCall reads an assistant message's function_call and gives it an id.
func (d *decoder) legacyCall(blocks []llm.Block) ([]llm.Block, error) {
	name, arguments, err := d.calledFunction("function_call")
	if err != nil {
		return nil, err
	}
	if name == "" {
		return nil, missing("function_call.name")
	}
	id := "call_" + strconv.Itoa(int(d.calls.message))
	d.calls.legacy = append(d.calls.legacy, legacyCall{name: name, id: id})
	return d.call(blocks, id, name, arguments, d.here("function_call.arguments")), nil
}

// calledFunction reads {"name", "arguments"}; arguments are the text inside the JSON string, or the object that some
// clients send instead.
func (d *decoder) calledFunction(path string) (name string, arguments []byte, err error) {
	more, err := d.object(path)
	for ; err == nil && more; more, err = d.s.NextMember() {
		key, err := d.s.Key()
		if err != nil {
			return "", nil, err
		}
		if absent, err := d.null(); absent || err != nil {
			if err != nil {
				return "", nil, err
			}
			continue
		}
		switch string(key) {
		case "name":
			name, err = d.word(path + ".name")
		case "arguments":
			if d.s.Peek() == jsonscan.KindObject {
				arguments, err = d.s.Skip()
				break
			}
			var raw []byte
			if raw, err = d.string(path + ".arguments"); err == nil {
				arguments = jsonscan.AppendUnescaped(make([]byte, 0, len(raw)), raw)
			}
		default:
			_, err = d.s.Skip()
		}
		if err != nil {
			return "", nil, err
		}
	}
	return name, arguments, err
}

// call appends the blocks of one call. Arguments are a model's own words and may be no JSON object: such a call must
// not end the conversation, so it is sent in a form that says what it was, and named as a loss.
func (d *decoder) call(blocks []llm.Block, id, name string, arguments []byte, path string) []llm.Block {
	inputs, ok := objects(arguments)
	if !ok {
		d.req.Lose(path, "repaired")
		if jsonscan.Valid(arguments) == nil {
			inputs = [][]byte{append(append([]byte(`{"value":`), bytes.TrimSpace(arguments)...), '}')}
		} else {
			inputs = [][]byte{append(llm.AppendString([]byte(`{"_raw":`), string(arguments)), '}')}
		}
	}
	if len(inputs) > 1 {
		d.req.Lose(path, "repaired")
	}
	for i, input := range inputs {
		callID := id
		if i > 0 {
			callID = id + "_" + strconv.Itoa(i)
			if d.calls.extras == nil {
				d.calls.extras = map[string][]string{}
			}
			d.calls.extras[id] = append(d.calls.extras[id], callID)
		}
		blocks = append(blocks, llm.Block{
			Kind: llm.BlockToolUse, Path: d.path(-1),
			Tool: &llm.ToolBlock{ID: callID, Name: name, Input: rawJSON(input)},
		})
	}
	return blocks
}

// objects splits text into the JSON objects that stand in it one behind the other; blank text is one empty object. It
// reports whether the text is nothing but objects.
func objects(text []byte) ([][]byte, bool) {
	text = bytes.TrimSpace(text)
	if len(text) == 0 || string(text) == "null" {
		return [][]byte{[]byte("{}")}, true
	}
	var list [][]byte
	s := jsonscan.New(text)
	for s.Peek() == jsonscan.KindObject {
		span, err := s.Skip()
		if err != nil {
			return nil, false
		}
		list = append(list, span)
	}
	return list, s.End() == nil && len(list) > 0
}
