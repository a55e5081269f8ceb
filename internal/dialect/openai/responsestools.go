package openai

import (
	"encoding/json"
	"strings"

	"github.com/outcrop-ai/outcrop/internal/dialect/read"
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// responseTool is a tool whose calls are called otherwise in the Responses API than towards the model, for which all tools
// are functions.
type responseTool struct {
	// kind is function, custom or local_shell. A function is in the table if it has a namespace.
	kind, name, namespace string
}

// shellTool is the name of the function that stands for the tool local_shell.
const shellTool = "local_shell"

// shellSchema has the members of the tool's call, in OpenAI's words.
const shellSchema = `{"type":"object","properties":{"command":{"type":"array","items":{"type":"string"},"description":"The program and its arguments."},` +
	`"working_directory":{"type":"string"},"timeout_ms":{"type":"integer"},"env":{"type":"object","additionalProperties":{"type":"string"}}},"required":["command"]}`

const shellDescription = "Runs a command on the user's machine and returns its output."

// customSchema is that of the function which stands for a custom tool: its input is one text.
const customSchema = `{"type":"object","properties":{"input":{"type":"string"}},"required":["input"],"additionalProperties":false}`

// qualified is the function's name that stands for a tool in a namespace.
func qualified(namespace, name string) string {
	if namespace == "" || strings.HasSuffix(namespace, "_") {
		return namespace + name
	}
	return namespace + "__" + name
}

func (d *decoder) responseTools() error {
	more, err := d.array("tools")
	for i := 0; err == nil && more; more, err = d.s.NextElement() {
		if err := d.responseTool(read.Index("tools", i), "", false); err != nil {
			return within(err, read.Index("tools", i))
		}
		i++
	}
	if err == nil {
		d.offers()
	}
	return err
}

// offers tells a web search that is offered beside other tools from one that is asked for: agents offer it with every
// request, and a model without it serves them all the same.
func (d *decoder) offers() {
	functions := false
	for i := range d.req.Tools {
		functions = functions || d.req.Tools[i].Type == ""
	}
	for i := range d.req.Tools {
		if t := &d.req.Tools[i]; functions && strings.HasPrefix(t.Type, "web_search") {
			t.Hosted = false
		}
	}
}

// responseDefinition is a tool as far as it has been read.
type responseDefinition struct {
	definition
	format, tools []byte
}

// responseTool reads one definition. path is its place, for losses; errors are relative to it.
func (d *decoder) responseTool(path, namespace string, within bool) error {
	if d.s.Peek() != jsonscan.KindObject {
		return d.s.WrongType("", "an object")
	}
	from := d.s.Pos
	var t responseDefinition
	err := d.each("", func(key []byte) (err error) {
		switch name := string(key); name {
		case "format":
			t.format, err = d.s.Skip()
		case "tools":
			t.tools, err = d.s.Skip()
		default:
			err = d.toolMember(name, &t.definition)
		}
		return err
	})
	if err != nil {
		return err
	}
	end := d.s.Pos
	switch {
	case t.kind == "":
		return read.Missing("type")
	case t.Name == "" && (t.kind == "function" || t.kind == "custom" || t.kind == "namespace"):
		return read.Missing("name")
	case t.kind == "function" || t.kind == "custom":
		return d.placeTool(&t, path, namespace)
	case within:
		return llm.Invalid("type", `a namespace holds tools of type function and custom, not "`+read.Clip(t.kind)+`"`)
	case t.kind == "namespace":
		return d.namespace(&t, path)
	case t.kind == shellTool:
		t.Tool = llm.Tool{Name: shellTool, Description: llm.NewText(shellDescription), Schema: json.RawMessage(shellSchema)}
		d.rename(shellTool, responseTool{kind: shellTool, name: shellTool})
		d.addTool(path, t.Tool)
	default:
		d.addTool(path, llm.Tool{Type: t.kind, Raw: d.s.Data[from:end], Hosted: true})
	}
	return nil
}

func (d *decoder) addTool(path string, t llm.Tool) {
	d.req.Tools = append(d.req.Tools, t)
	d.responses.places = append(d.responses.places, path)
}

// rename notes what a function's calls are called in the answer.
func (d *decoder) rename(function string, t responseTool) {
	if d.responses.tools == nil {
		d.responses.tools = map[string]responseTool{}
	}
	d.responses.tools[function] = t
}

// placeTool adds a function, or a custom tool as one.
func (d *decoder) placeTool(t *responseDefinition, path, namespace string) error {
	for _, name := range t.others {
		d.req.Lose(path+"."+name, "ignored")
	}
	plain := t.Name
	t.Name = qualified(namespace, plain)
	if t.kind == "custom" {
		t.Schema = json.RawMessage(customSchema)
		t.Strict = nil
		if err := d.customFormat(t, path); err != nil {
			return err
		}
	}
	if t.Strict != nil && !*t.Strict {
		t.Strict = nil
	}
	if t.kind == "custom" || namespace != "" {
		d.rename(t.Name, responseTool{kind: t.kind, name: plain, namespace: namespace})
	}
	d.addTool(path, t.Tool)
	return nil
}

// customFormat tells the model the grammar of a custom tool's input: nothing holds it to that.
func (d *decoder) customFormat(t *responseDefinition, path string) error {
	if s := jsonscan.New(t.format); t.format == nil || s.Peek() == jsonscan.KindNull {
		return nil
	}
	switch kind := jsonscan.Text(jsonscan.Member(t.format, "type")); kind {
	case "text":
		return nil
	case "grammar":
		definition := jsonscan.Text(jsonscan.Member(t.format, "definition"))
		syntax := jsonscan.Text(jsonscan.Member(t.format, "syntax"))
		if definition == "" || syntax == "" {
			return read.Missing("format.definition")
		}
		said := t.Description.String()
		if said != "" {
			said += "\n\n"
		}
		t.Description = llm.NewText(said + "The input is a text that follows this grammar (" + syntax + "):\n" + definition)
		d.req.Lose(path+".format", "unenforced")
		return nil
	default:
		return llm.Invalid("format.type", `format.type must be text or grammar, not "`+read.Clip(kind)+`"`)
	}
}

// namespace reads the tools of a namespace. Its description goes before that of the first of them: the model sees functions
// alone.
func (d *decoder) namespace(t *responseDefinition, path string) error {
	outer := d.s
	defer func() { d.s = outer }()
	d.s = read.New(t.tools)
	first := len(d.req.Tools)
	more, err := d.array("tools")
	for i := 0; err == nil && more; more, err = d.s.NextElement() {
		at := read.Index("tools", i)
		if err := d.responseTool(path+"."+at, t.Name, true); err != nil {
			return within(err, at)
		}
		i++
	}
	if about := t.Description.String(); about != "" && first < len(d.req.Tools) {
		tool := &d.req.Tools[first]
		tool.Description = llm.NewText(strings.TrimSpace(about + "\n\n" + tool.Description.String()))
	}
	return err
}
