package openai

import (
	"bytes"
	"strconv"

	"github.com/outcrop-ai/outcrop/internal/dialect/read"
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

func (d *decoder) tools() error {
	more, err := d.array("tools")
	for i := 0; err == nil && more; more, err = d.s.NextElement() {
		if err := d.tool(); err != nil {
			return within(err, read.Index("tools", i))
		}
		i++
	}
	return err
}

// tool reads one definition: OpenAI's {"type":"function","function":{…}}, Anthropic's {"name","input_schema"}, a ready
// {"toolSpec":{…}} of Converse's, or a provider-defined tool, which is kept as it stands.
func (d *decoder) tool() error {
	if d.s.Peek() != jsonscan.KindObject {
		return d.s.WrongType("", "an object")
	}
	start := d.s.Pos
	var t definition
	if err := d.each("", func(name []byte) error { return d.toolMember(string(name), &t) }); err != nil {
		return err
	}
	switch {
	case t.defined && (t.kind == "" || t.kind == "function" || t.kind == "custom"):
		if t.Name == "" {
			return read.Missing("function.name")
		}
		for _, name := range t.others {
			d.req.Lose(read.Index("tools", len(d.req.Tools))+"."+name, "ignored")
		}
	case t.kind == "function":
		return read.Missing("function")
	case t.kind == "":
		return read.Missing("type")
	default: // the name and parameters of a provider's own tool are in Raw
		t.Type, t.Raw = t.kind, bytes.TrimSpace(d.s.Data[start:d.s.Pos])
	}
	if t.Strict != nil && !*t.Strict {
		t.Strict = nil
	}
	d.req.Tools = append(d.req.Tools, t.Tool)
	return nil
}

// definition is a tool as far as it has been read.
type definition struct {
	llm.Tool
	// kind is its type, defined says that it describes a function.
	kind    string
	defined bool
	// others are members that no function has.
	others []string
	seen   memberSet
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

func (d *decoder) toolMember(name string, t *definition) error {
	bit, known := toolBit(name)
	if known && !t.seen.add(bit) {
		return duplicate(name)
	}
	if absent, err := d.s.Null(); absent || err != nil {
		return err
	}
	var err error
	switch name {
	case "type":
		t.kind, err = d.s.Word("type")
	case "function", "toolSpec":
		inner := definition{Tool: t.Tool, kind: "function"}
		err = within(d.each(name, func(key []byte) error { return d.toolMember(string(key), &inner) }), name)
		t.Tool, t.defined = inner.Tool, true
		for _, other := range inner.others {
			t.others = append(t.others, name+"."+other)
		}
	case "name":
		t.Name, err = d.s.Word("name")
	case "description":
		t.Description, err = d.s.Text("description")
	case "parameters", "input_schema":
		t.defined = true
		t.Schema, err = d.s.Raw(name)
	case "inputSchema":
		t.defined = true
		err = d.soleMember("inputSchema", "json", func() (err error) { t.Schema, err = d.s.Raw("inputSchema.json"); return })
	case "strict":
		t.Strict, err = d.boolPointer("strict")
	case "cache_control":
		t.Cache, err = d.cacheControl()
	default:
		t.others = append(t.others, name)
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
		t, err := d.function(read.Index("functions", i))
		if err != nil {
			return err
		}
		if t.Name == "" {
			return read.Missing(read.Index("functions", i) + ".name")
		}
		for _, name := range t.others {
			d.req.Lose(read.Index("functions", i)+"."+name, "ignored")
		}
		d.req.Tools = append(d.req.Tools, t.Tool)
		i++
	}
	return err
}

// function reads an object that describes or names one function.
func (d *decoder) function(path string) (definition, error) {
	var t definition
	if d.s.Peek() != jsonscan.KindObject {
		return t, d.s.WrongType(path, "an object")
	}
	return t, within(d.each("", func(name []byte) error { return d.toolMember(string(name), &t) }), path)
}

func (d *decoder) functionCall() error {
	d.req.LegacyFunctions = true
	return d.toolChoice("function_call")
}

// toolChoice reads a word, OpenAI's or Anthropic's object, or the legacy {"name": …}.
func (d *decoder) toolChoice(path string) error {
	c := &d.req.ToolChoice
	if d.s.Peek() == jsonscan.KindString {
		word, err := d.s.Word(path)
		if err != nil {
			return err
		}
		var ok bool
		if c.Mode, ok = choiceMode(word); !ok {
			return llm.Invalid(path, path+` must be auto, none, required or an object, not "`+read.Clip(word)+`"`)
		}
		return nil
	}
	if d.s.Peek() != jsonscan.KindObject {
		return d.s.WrongType(path, "a string or an object")
	}
	var kind string
	var mode llm.ToolChoiceMode
	err := d.each(path, func(name []byte) (err error) {
		switch string(name) {
		case "type":
			kind, err = d.s.Word(path + ".type")
		case "name":
			c.Name, err = d.s.Word(path + ".name")
		case "function":
			err = d.soleMember(path+".function", "name", func() (err error) { c.Name, err = d.s.Word(path + ".function.name"); return })
		case "custom":
			err = llm.Invalid(path+".custom", path+".custom cannot be had: Bedrock's models call functions only")
		case "allowed_tools":
			mode, err = d.allowedTools(path + ".allowed_tools")
		case "tools": // the flat form of allowed_tools
			err = d.allowedList(path + ".tools")
		case "mode":
			mode, err = d.choiceWord(path + ".mode")
		case "disable_parallel_tool_use":
			var off bool
			if off, err = d.s.Flag(path + ".disable_parallel_tool_use"); off {
				parallel := false
				d.req.ParallelTools = &parallel
			}
		default:
			err = d.ignore(path + "." + string(name))
		}
		return err
	})
	if err != nil {
		return err
	}
	switch kind {
	case "", "function", "tool", "custom":
		if c.Name == "" {
			return read.Missing(path + ".function.name")
		}
		c.Mode = llm.ToolNamed
	case "allowed_tools":
		c.Mode = mode
	default:
		var ok bool
		if c.Mode, ok = choiceMode(kind); !ok {
			return llm.Invalid(path+".type", path+`.type "`+read.Clip(kind)+`" is unknown`)
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
	word, err := d.s.Word(path)
	if err != nil {
		return llm.ToolUnset, err
	}
	mode, ok := choiceMode(word)
	if !ok {
		return mode, llm.Invalid(path, path+` must be auto or required, not "`+read.Clip(word)+`"`)
	}
	return mode, nil
}

func (d *decoder) allowedTools(path string) (llm.ToolChoiceMode, error) {
	mode := llm.ToolAuto
	err := d.each(path, func(name []byte) (err error) {
		switch string(name) {
		case "mode":
			mode, err = d.choiceWord(path + ".mode")
		case "tools":
			err = d.allowedList(path + ".tools")
		default:
			err = llm.Invalid(path+"."+string(name), path+" has no member "+string(name))
		}
		return err
	})
	return mode, err
}

func (d *decoder) allowedList(path string) error {
	d.calls.allowed = []string{}
	more, err := d.array(path)
	for i := 0; err == nil && more; more, err = d.s.NextElement() {
		t, err := d.function(read.Index(path, i))
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
	return llm.Invalid("tool_choice", "tool_choice names "+strconv.Quote(read.Clip(r.ToolChoice.Name))+", which is none of the tools")
}
