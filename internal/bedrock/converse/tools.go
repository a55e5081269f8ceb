package converse

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// toolPlan is what is decided about tools before the messages are written.
type toolPlan struct {
	// config says that toolConfig is sent; anthropic counts the provider's own tools, which go into Anthropic's fields.
	config    bool
	anthropic int
	// grounding adds Nova's web search.
	grounding bool
	// historyAsText says that calls and results of the history become text: AWS takes tool blocks only with tools.
	historyAsText bool
	choice        llm.ToolChoice
	// parallelOff forbids parallel calls (Claude), parallelField by OpenAI's own parameter.
	parallelOff, parallelField bool
	// dropped marks tools that are not sent, by index.
	dropped []bool
	// wrapped lists tools whose schema is no object, by AWS's names.
	wrapped []string
}

// toolGrounding is what Nova calls its web search; each of its calls is one search, which AWS is paid for.
const toolGrounding = "nova_grounding"

// systemToolGrounding is Nova's web search on Converse.
const systemToolGrounding = `{"systemTool":{"name":"` + toolGrounding + `"}}`

func toolParam(i int, field string) string { return "tools[" + strconv.Itoa(i) + "]" + field }

func (e *encoder) planTools() {
	t := &e.tools
	t.choice = e.req.ToolChoice
	functions := 0
	if len(e.req.Tools) > 0 && e.m.noTools {
		e.unsupported("tools")
	} else {
		functions = e.planToolList()
	}
	e.planChoice(functions)
	if t.choice.Mode == llm.ToolNone && !e.m.takesNone() {
		functions, t.anthropic, t.grounding = 0, 0, false
	}
	t.config = functions > 0 || t.grounding
	t.historyAsText = e.talk.toolBlocks && !t.config && t.anthropic == 0
	if p := e.req.ParallelTools; p != nil && !*p && (t.config || t.anthropic > 0) {
		switch {
		case e.m.family == familyClaude:
			t.parallelOff = true
		case e.m.isOpenAI():
			t.parallelField = true
		default:
			e.req.Lose("parallel_tool_calls", "unsupported")
		}
	}
}

// planToolList names the tools and counts those that go into toolConfig.
func (e *encoder) planToolList() int {
	t, functions := &e.tools, 0
	if n := len(e.req.Tools); n > 0 {
		e.names.kept = make([]string, 0, n+2)
	}
	for i := range e.req.Tools {
		tool := &e.req.Tools[i]
		switch {
		case tool.Hosted:
			e.unsupportedTool(i)
		case tool.Type != "" && e.isAnthropicTool(tool.Type):
			t.anthropic++
		case tool.Type != "":
			e.planServerTool(i)
		case tool.Name == "":
			e.refuse(toolParam(i, ".function.name"), "a tool needs a name")
		default:
			if first := e.sameName(i); first >= 0 {
				if !sameTool(&e.req.Tools[first], tool) {
					e.refuse(toolParam(i, ".function.name"), "two different tools have the name "+tool.Name)
					return functions
				}
				e.req.Lose(toolParam(i, ""), "duplicate")
				e.dropTool(i)
				continue
			}
			e.names.add(tool.Name)
			functions++
		}
	}
	return functions
}

// unsupportedTool deals with a tool that runs elsewhere.
func (e *encoder) unsupportedTool(i int) {
	if err := e.req.Unsupported(toolParam(i, ""), e.m.name); err != nil && e.err == nil {
		err.Message = "the tool " + e.req.Tools[i].Type + " (" + err.Param + ") runs at OpenAI and is not supported by " + e.m.name +
			". Leave it out, or set drop_params: true."
		e.err = err
	}
	e.dropTool(i)
}

func (e *encoder) dropTool(i int) {
	if e.tools.dropped == nil {
		e.tools.dropped = make([]bool, len(e.req.Tools))
	}
	e.tools.dropped[i] = true
}

func (e *encoder) sameName(i int) int {
	name := e.req.Tools[i].Name
	for j := range e.req.Tools[:i] {
		if e.req.Tools[j].Type == "" && e.req.Tools[j].Name == name {
			return j
		}
	}
	return -1
}

func sameTool(a, b *llm.Tool) bool {
	return bytes.Equal(a.Schema, b.Schema) && a.Description.String() == b.Description.String()
}

// planChoice decides what the model must do about tools.
func (e *encoder) planChoice(functions int) {
	t := &e.tools
	c := &t.choice
	if c.Mode == llm.ToolNamed && !e.hasTool(c.Name) {
		e.refuse("tool_choice", "tool_choice names the tool "+strconv.Quote(c.Name)+", which is not among the tools")
		return
	}
	if c.Mode != llm.ToolRequired && c.Mode != llm.ToolNamed {
		return
	}
	switch {
	case functions+t.anthropic == 0:
		e.req.Lose("tool_choice", "no_tools")
	case e.m.noToolChoice:
		e.unsupported("tool_choice")
	case e.m.noForcedTool:
		e.unsupported("tool_choice")
		c.Mode = llm.ToolAuto
		return
	default:
		return
	}
	c.Mode = llm.ToolUnset
}

func (e *encoder) hasTool(name string) bool {
	for i := range e.req.Tools {
		tool := &e.req.Tools[i]
		if tool.Name == name && (e.tools.dropped == nil || !e.tools.dropped[i]) {
			return true
		}
		if tool.Name == "" && tool.Type != "" && anthropicToolName(tool.Type) == name {
			return true
		}
	}
	return false
}

// isForced reports whether the model must call a tool.
func (t *toolPlan) isForced() bool {
	return t.choice.Mode == llm.ToolRequired || t.choice.Mode == llm.ToolNamed
}

// hidesTools reports whether the client's tools are left out because none may be called, and a tool of ours must be.
func (e *encoder) hidesTools() bool {
	return e.tools.choice.Mode == llm.ToolNone && (!e.m.takesNone() || e.format.tool != "")
}

// toolConfig writes the function tools in the client's order, the tool for structured output last.
func (e *encoder) toolConfig() {
	if !e.tools.config {
		return
	}
	e.member("toolConfig")
	e.dst = append(e.dst, `{"tools":[`...)
	e.blocks, e.cacheAt = 0, 0
	for i := range e.req.Tools {
		tool := &e.req.Tools[i]
		if tool.Type != "" || e.tools.dropped != nil && e.tools.dropped[i] || e.hidesTools() {
			continue
		}
		e.toolSpec(i, tool)
		e.toolCache(i, tool)
	}
	if e.tools.grounding {
		e.begin()
		e.dst = append(e.dst, systemToolGrounding...)
	}
	if e.format.tool != "" {
		e.jsonToolSpec()
	}
	e.dst = append(e.dst, ']')
	e.toolChoice()
	e.dst = append(e.dst, '}')
}

// toolChoice writes what the model must do about the tools before it.
func (e *encoder) toolChoice() {
	switch {
	case e.format.force:
		e.dst = append(e.dst, `,"toolChoice":{"tool":{"name":"`...)
		e.dst = append(e.dst, e.format.tool...)
		e.dst = append(e.dst, `"}}`...)
	case e.m.noToolChoice:
	case e.choiceIsAnthropics():
	case e.tools.choice.Mode == llm.ToolNone && e.format.tool == "": // only where the body takes it: else there is no toolConfig
		e.dst = append(e.dst, `,"toolChoice":{"none":{}}`...)
	case e.tools.choice.Mode == llm.ToolAuto:
		e.dst = append(e.dst, `,"toolChoice":{"auto":{}}`...)
	case e.tools.choice.Mode == llm.ToolRequired:
		e.dst = append(e.dst, `,"toolChoice":{"any":{}}`...)
	case e.tools.choice.Mode == llm.ToolNamed:
		e.dst = append(e.dst, `,"toolChoice":{"tool":{"name":`...)
		e.dst = llm.AppendString(e.dst, e.names.add(e.tools.choice.Name))
		e.dst = append(e.dst, `}}`...)
	}
}

func (e *encoder) toolSpec(i int, tool *llm.Tool) {
	name := e.names.add(tool.Name)
	e.begin()
	e.dst = append(e.dst, `{"toolSpec":{"name":`...)
	e.dst = llm.AppendString(e.dst, name)
	e.dst = append(e.dst, `,"description":`...)
	if tool.Description.IsBlank() { // AWS refuses an empty one
		e.dst = llm.AppendString(e.dst, name)
	} else {
		e.dst = tool.Description.AppendJSON(e.dst)
	}
	e.dst = append(e.dst, `,"inputSchema":{"json":`...)
	switch wrapped, err := e.schema(e.normalSchema(tool.Schema, i)); {
	case err != nil:
		e.refuse(toolParam(i, ".function.parameters"), "not a JSON Schema: it must be an object")
		return
	case wrapped:
		e.tools.wrapped = append(e.tools.wrapped, name)
		e.req.Lose(toolParam(i, ".function.parameters"), "wrapped")
	}
	e.dst = append(e.dst, '}')
	if tool.Strict != nil && *tool.Strict {
		if e.m.family == familyClaude && !e.m.noStrict || e.m.body != nil && e.m.body.Strict {
			e.dst = append(e.dst, `,"strict":true`...)
		} else {
			e.req.Lose(toolParam(i, ".function.strict"), "unsupported")
		}
	}
	e.dst = append(e.dst, '}', '}')
}

func (e *encoder) toolCache(i int, tool *llm.Tool) {
	if tool.Cache == nil {
		return
	}
	if e.m.noCache || e.m.noCacheInTools || e.cache.skipTools > 0 {
		if !e.m.noCache && !e.m.noCacheInTools {
			e.cache.skipTools--
		}
		e.req.Lose(toolParam(i, ".cache_control"), "unsupported")
		return
	}
	e.begin()
	e.cacheBlock(tool.Cache, toolParam(i, ""))
}

// isAnthropicTool reports whether a tool of this type goes up in Anthropic's shape. Tools that are searched for are only
// found on InvokeModel.
func (e *encoder) isAnthropicTool(kind string) bool {
	return e.m.family == familyClaude && (isAnthropicTool(kind) || e.m.isAnthropic() && isToolSearch(kind))
}

func isToolSearch(kind string) bool { return strings.HasPrefix(kind, "tool_search_tool_") }

// isAnthropicTool reports whether Claude on Converse has a tool of this type of its own.
func isAnthropicTool(kind string) bool {
	return strings.HasPrefix(kind, "computer_") || strings.HasPrefix(kind, "bash_") || strings.HasPrefix(kind, "text_editor_") ||
		strings.HasPrefix(kind, "memory_")
}

// anthropicToolName is the name that Anthropic fixed for a tool type.
func anthropicToolName(kind string) string {
	switch {
	case strings.HasPrefix(kind, "computer_"):
		return "computer"
	case strings.HasPrefix(kind, "bash_"):
		return "bash"
	case kind == "text_editor_20241022", kind == "text_editor_20250124":
		return "str_replace_editor"
	case strings.HasPrefix(kind, "text_editor_"):
		return "str_replace_based_edit_tool"
	case isToolSearch(kind):
		return bareToolSearch(kind)
	default:
		return "memory"
	}
}

// bareToolSearch is Bedrock's name of such a tool: Anthropic's without its date.
func bareToolSearch(kind string) string {
	if at := len(kind) - len("_20251119"); at > 0 && kind[at] == '_' && strings.Trim(kind[at+1:], "0123456789") == "" {
		return kind[:at]
	}
	return kind // tool_search_tool_bm25 ends in digits, too
}

// anthropicToolBeta is the feature flag that goes with a tool type's date.
func anthropicToolBeta(kind string) string {
	switch {
	case isToolSearch(kind):
		return toolSearchBeta
	case strings.HasPrefix(kind, "memory_"):
		return contextBeta
	case strings.HasSuffix(kind, "_20241022"):
		return "computer-use-2024-10-22"
	case strings.HasSuffix(kind, "_20251124"):
		return "computer-use-2025-11-24"
	default:
		return "computer-use-2025-01-24"
	}
}

// choiceIsAnthropics reports whether the choice of tools must go into Anthropic's own field: a named tool of theirs is
// none of toolConfig's.
func (e *encoder) choiceIsAnthropics() bool {
	if e.tools.anthropic == 0 || !e.tools.isForced() {
		return false
	}
	if !e.tools.config {
		return true
	}
	for i := range e.req.Tools {
		tool := &e.req.Tools[i]
		if tool.Type == "" || e.tools.choice.Mode != llm.ToolNamed {
			continue
		}
		if tool.Name == e.tools.choice.Name || tool.Name == "" && anthropicToolName(tool.Type) == e.tools.choice.Name {
			return true
		}
	}
	return false
}

// anthropicTools writes Anthropic's own tools in their shape. OpenAI's clients wrap them as functions: those are
// flattened, their parameters become the tool's fields.
func (e *encoder) anthropicTools() {
	if e.tools.anthropic == 0 || e.around || !e.field("tools") {
		return
	}
	e.dst = append(e.dst, '[')
	first := true
	for i := range e.req.Tools {
		tool := &e.req.Tools[i]
		if tool.Type == "" || e.tools.dropped != nil && e.tools.dropped[i] {
			continue
		}
		if !first {
			e.dst = append(e.dst, ',')
		}
		first = false
		if !e.anthropicTool(tool) {
			e.refuse(toolParam(i, ""), "not a tool definition")
		}
	}
	e.dst = append(e.dst, ']')
}

func (e *encoder) anthropicTool(tool *llm.Tool) bool {
	name := tool.Name
	if name == "" {
		name = anthropicToolName(tool.Type)
	}
	kind := tool.Type
	if isToolSearch(kind) {
		kind = bareToolSearch(kind)
	}
	e.dst = append(e.dst, `{"type":`...)
	e.dst = llm.AppendString(e.dst, kind)
	e.dst = append(e.dst, `,"name":`...)
	e.dst = llm.AppendString(e.dst, name)
	if len(tool.Raw) > 0 && !e.anthropicFields(tool.Raw) {
		return false
	}
	e.dst = append(e.dst, '}')
	return true
}

// anthropicFields copies the members of a definition but its type and name, and those of function.parameters.
func (e *encoder) anthropicFields(raw []byte) bool {
	s := jsonscan.New(raw)
	more, err := s.OpenObject()
	for ; err == nil && more; more, err = s.NextMember() {
		var key, value []byte
		if key, err = s.Key(); err != nil {
			break
		}
		if value, err = s.Skip(); err != nil {
			break
		}
		switch string(key) {
		case "type", "name":
		case "function":
			parameters, ok := memberOf(value, "parameters")
			if ok && !e.anthropicFields(parameters) {
				return false
			}
		default:
			e.dst = append(e.dst, ',')
			e.dst = llm.AppendString(e.dst, string(key))
			e.dst = append(e.dst, ':')
			e.dst = append(e.dst, value...)
		}
	}
	return err == nil && s.End() == nil
}

// memberOf returns the value of the member name of an object.
func memberOf(raw []byte, name string) ([]byte, bool) {
	s := jsonscan.New(raw)
	if s.Peek() != jsonscan.KindObject {
		return nil, false
	}
	more, err := s.OpenObject()
	for ; err == nil && more; more, err = s.NextMember() {
		key, err := s.Key()
		if err != nil {
			return nil, false
		}
		value, err := s.Skip()
		if err != nil {
			return nil, false
		}
		if string(key) == name {
			return value, true
		}
	}
	return nil, false
}
