package converse

import (
	"bytes"
	"strconv"

	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// formatPlan is how a structured answer is asked for.
type formatPlan struct {
	// native says that outputConfig carries the schema; schema is its JSON text then, transformed for the model.
	native bool
	schema []byte
	// tool is the name of the tool whose input is the answer, force that the model must call it; keepProperties that
	// the schema has a member called "properties".
	tool           string
	force          bool
	keepProperties bool
	// line is said to the model as system; fences are cut from the answer.
	line   string
	fences bool
	// pass says that response_format goes up as it is: the body is OpenAI's.
	pass bool
}

const (
	jsonToolName = "json_tool_call"
	// lineJSON asks for JSON where there is no schema.
	lineJSON = "Answer with one JSON object and nothing else."
	lineTool = "When you give your final answer, call "
	// lineSchema asks models without tools.
	lineSchema = "Answer with one JSON object and nothing else. It must match this JSON Schema: "
)

func (e *encoder) planFormat() {
	f := e.req.Format
	if f == nil {
		return
	}
	switch f.Type {
	case "", "text":
		return
	case "json_object":
		if len(f.Schema) == 0 {
			if e.m.isOpenAI() {
				e.format.pass = true
				return
			}
			e.format.fences = true
			if !e.mentionsJSON() {
				e.format.line = lineJSON
			}
			return
		}
	case "json_schema":
		if len(f.Schema) == 0 {
			e.refuse("response_format.json_schema.schema", "response_format needs a schema")
			return
		}
	default:
		e.refuse("response_format.type", "response_format.type must be text, json_object or json_schema")
		return
	}
	if !isObject(f.Schema) {
		e.refuse("response_format.json_schema.schema", "the schema must be an object")
		return
	}
	if e.m.isOpenAI() {
		e.format.pass = true
		return
	}
	if e.fields.outputConfig != nil {
		e.refuse("outputConfig", "outputConfig and response_format say the same: leave one out")
		return
	}
	if !e.req.Policy.NoNativeFormat && (e.m.native || e.m.nativeWhenThinking && e.think.on) {
		if schema, ok := nativeSchema(e.normalSchema(f.Schema, -1), e.m.family == familyClaude); ok {
			e.format.native, e.format.schema = true, schema
			return
		}
	}
	e.planJSONTool(f)
}

// planJSONTool has the model give its answer as the input of a tool.
func (e *encoder) planJSONTool(f *llm.Format) {
	p := &e.format
	if e.m.noTools {
		p.fences = true
		p.line = lineSchema + string(jsonscan.AppendCompact(nil, f.Schema))
		e.req.Lose("response_format", "unenforced")
		return
	}
	if f.Strict != nil && *f.Strict { // a tool's input is held to its schema by the model's good will
		e.req.Lose("response_format.json_schema.strict", "unenforced")
	}
	hasTools := e.tools.config || e.tools.anthropic > 0
	p.tool = e.names.add(jsonToolName)
	if e.hasTool(jsonToolName) { // the client has one of that name
		p.tool = e.names.numbered(jsonToolName, "")
		e.names.keep(p.tool)
	}
	p.keepProperties = hasProperty(f.Schema, "properties")
	e.tools.config = true
	if e.talk.toolBlocks && !hasTools {
		e.tools.historyAsText = false
	}
	if !hasTools && !e.think.on && !e.m.noForcedTool && !e.m.noToolChoice {
		p.force = true
		return
	}
	if e.tools.choice.Mode == llm.ToolNone || !e.tools.isForced() {
		p.line = lineTool + p.tool + " with it."
	}
}

// mentionsJSON reports whether the conversation speaks of JSON already, as OpenAI demands it for json_object.
func (e *encoder) mentionsJSON() bool {
	for i := range e.req.System {
		if saysJSON(e.req.System[i].Text) {
			return true
		}
	}
	for i := range e.req.Messages {
		for j := range e.req.Messages[i].Blocks {
			if saysJSON(e.req.Messages[i].Blocks[j].Text) {
				return true
			}
		}
	}
	return false
}

func saysJSON(t llm.Text) bool {
	raw, ok := t.Raw()
	if !ok {
		raw = []byte(t.String())
	}
	for i := 0; i+4 <= len(raw); i++ {
		if raw[i]|0x20 == 'j' && bytes.EqualFold(raw[i:i+4], []byte("json")) {
			return true
		}
	}
	return false
}

func hasProperty(schema []byte, name string) bool {
	properties, ok := memberOf(schema, "properties")
	if !ok {
		return false
	}
	_, ok = memberOf(properties, name)
	return ok
}

// jsonToolSpec writes the tool for the answer. Its schema is the client's; one that is no object is wrapped.
func (e *encoder) jsonToolSpec() {
	f := e.req.Format
	e.begin()
	e.dst = append(e.dst, `{"toolSpec":{"name":"`...)
	e.dst = append(e.dst, e.format.tool...)
	e.dst = append(e.dst, `","description":`...)
	switch {
	case !f.Description.IsBlank():
		e.dst = f.Description.AppendJSON(e.dst)
	case f.Name != "":
		e.dst = llm.AppendString(e.dst, f.Name)
	default:
		e.dst = llm.AppendString(e.dst, e.format.tool)
	}
	e.dst = append(e.dst, `,"inputSchema":{"json":`...)
	wrapped, err := e.schema(e.normalSchema(f.Schema, -1))
	if err != nil {
		e.refuse("response_format.json_schema.schema", "not a JSON Schema")
	}
	if wrapped {
		e.tools.wrapped = append(e.tools.wrapped, e.format.tool)
	}
	e.dst = append(e.dst, `}}}`...)
}

// outputConfig writes the native form: AWS wants the schema as a string.
func (e *encoder) outputConfig() {
	if !e.format.native {
		e.raw("outputConfig", e.fields.outputConfig)
		return
	}
	f := e.req.Format
	e.member("outputConfig")
	e.dst = append(e.dst, `{"textFormat":{"type":"json_schema","structure":{"jsonSchema":{`...)
	if f.Name != "" {
		e.dst = llm.AppendString(append(e.dst, `"name":`...), f.Name)
		e.dst = append(e.dst, ',')
	}
	if !f.Description.IsBlank() {
		e.dst = f.Description.AppendJSON(append(e.dst, `"description":`...))
		e.dst = append(e.dst, ',')
	}
	e.dst = append(e.dst, `"schema":"`...)
	e.dst = jsonscan.AppendEscaped(e.dst, e.format.schema)
	e.dst = append(e.dst, `"}}}}`...)
}

// responseFormat writes response_format in OpenAI's words.
func (e *encoder) responseFormat() {
	if !e.format.pass || !e.field("response_format") {
		return
	}
	f := e.req.Format
	if len(f.Schema) == 0 {
		e.dst = append(e.dst, `{"type":"json_object"}`...)
		return
	}
	e.dst = append(e.dst, `{"type":"json_schema","json_schema":{"name":`...)
	name := f.Name
	if name == "" {
		name = "answer"
	}
	e.dst = llm.AppendString(e.dst, name)
	if !f.Description.IsBlank() {
		e.dst = f.Description.AppendJSON(append(e.dst, `,"description":`...))
	}
	e.dst = append(append(e.dst, `,"schema":`...), f.Schema...)
	if f.Strict != nil {
		e.dst = strconv.AppendBool(append(e.dst, `,"strict":`...), *f.Strict)
	}
	e.dst = append(e.dst, '}', '}')
}

// unwrapValue returns the "value" member of the input of a tool whose schema had to be wrapped.
func unwrapValue(input []byte) []byte {
	if value, ok := memberOf(input, "value"); ok {
		return value
	}
	return input
}

// unwrapProperties returns the object that some models put into a lone "properties" member, taking the schema for a
// form to fill in.
func unwrapProperties(input []byte) []byte {
	if onlyKey(input) != "properties" {
		return input
	}
	inner, ok := memberOf(input, "properties")
	if s := jsonscan.New(inner); !ok || s.Peek() != jsonscan.KindObject {
		return input
	}
	return inner
}

// quoted is a Text of JSON text, which must be escaped to stand in a string.
func quoted(json []byte) llm.Text {
	return llm.RawText(jsonscan.AppendEscaped(make([]byte, 0, len(json)+len(json)/8+16), json))
}
