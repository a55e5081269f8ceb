package anthropic

import (
	"bytes"
	"strings"

	"github.com/outcrop-ai/outcrop/internal/dialect/read"
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

func (d *decoder) tools() error {
	d.message, d.searches = -1, d.searchAhead()
	return d.elements("tools", func(i int) (verdict, error) {
		path := read.Index("tools", i)
		return keep, within(d.tool(path), path)
	})
}

// searchAhead looks whether there is a tool that finds others among those that follow: it says what their marks mean.
func (d *decoder) searchAhead() bool {
	if !bytes.Contains(d.Data[d.Pos:], []byte(`"`+toolSearch)) {
		return false
	}
	ahead := d.Body
	list, err := ahead.Skip()
	if err != nil {
		return false
	}
	for tool := range jsonscan.Elements(list) {
		if strings.HasPrefix(jsonscan.Text(jsonscan.Member(tool, "type")), toolSearch) {
			return true
		}
	}
	return false
}

// tool reads one definition: a function, or a tool of Anthropic's own, which is kept as it stands.
func (d *decoder) tool(path string) error {
	if d.Peek() != jsonscan.KindObject {
		return d.WrongType("", "an object")
	}
	from := d.Pos
	kind, err := d.kind()
	if err != nil {
		return err
	}
	isFunction := kind == "" || kind == "custom" || kind == "function"
	var t llm.Tool
	hasName := false
	err = d.members("", func(name []byte) (verdict, error) {
		member := string(name)
		var err error
		switch {
		case member == "type":
			d.Peek()
			start := d.Pos
			if _, err = d.Word("type"); err == nil && strings.HasPrefix(kind, toolSearch) {
				if bare := withoutDate(kind); bare != kind { // Bedrock has it without the date
					d.cut(start, d.Pos, `"`+bare+`"`)
					kind = bare
				}
			}
		case member == "name":
			hasName = true
			t.Name, err = d.Word("name")
		case member == "cache_control":
			t.Cache, err = d.cacheControl(path + ".cache_control")
		case !isFunction && fields[objTool][member] == unknown: // its own parameters
			_, err = d.Skip()
		case member == "defer_loading" && d.searches:
			_, err = d.Flag(member)
		case member == "defer_loading": // without a tool that searches AWS refuses it
			return d.leave(objTool, path, member)
		case fields[objTool][member] != mapped:
			return d.leave(objTool, path, member)
		case member == "description":
			t.Description, err = d.Text("description")
		case member == "strict":
			var strict bool
			strict, err = d.Flag("strict")
			if strict {
				t.Strict = &strict
			}
		case member == "input_schema":
			t.Schema, err = d.schema()
		}
		return keep, err
	})
	if err != nil {
		return err
	}
	switch {
	case isFunction && !hasName:
		return read.Missing("name")
	case isFunction && t.Name == "":
		return llm.Invalid("name", "name is empty: every tool needs one")
	case !isFunction:
		t.Type, t.Raw = kind, bytes.TrimSpace(d.Data[from:d.Pos])
	}
	d.req.Tools = append(d.req.Tools, t)
	return nil
}

// toolSearch begins the types of the tools that find other tools.
const toolSearch = "tool_search_tool_"

func withoutDate(kind string) string {
	return strings.TrimSuffix(strings.TrimRight(kind, "0123456789"), "_")
}

// schema reads a JSON Schema, and mends what serializers do to it: null where there is nothing, no type at the top.
func (d *decoder) schema() ([]byte, error) {
	if d.Peek() != jsonscan.KindObject {
		return nil, d.WrongType("input_schema", "an object")
	}
	from, before := d.Pos, len(d.original.Cuts)
	typed, count := false, 0
	err := d.members("input_schema", func(name []byte) (verdict, error) {
		count++
		typed = typed || string(name) == "type"
		_, err := d.Skip()
		return keep, err
	})
	if err != nil {
		return nil, err
	}
	if !typed {
		with := `"type":"object"`
		if count > 0 {
			with += ","
		}
		d.insertCut(llm.Cut{Span: llm.Span{From: from + 1, To: from + 1}, With: with})
	}
	if len(d.original.Cuts) == before {
		return d.Data[from:d.Pos], nil
	}
	return d.original.Append(nil, llm.Span{From: from, To: d.Pos}), nil
}

func (d *decoder) toolChoice() error {
	c := &d.req.ToolChoice
	kind := ""
	err := d.Each("tool_choice", func(name []byte) (err error) {
		switch string(name) {
		case "type":
			kind, err = d.Word("tool_choice.type")
		case "name":
			c.Name, err = d.Word("tool_choice.name")
		case "disable_parallel_tool_use":
			var off bool
			if off, err = d.Flag("tool_choice.disable_parallel_tool_use"); off {
				parallel := false
				d.req.ParallelTools = &parallel
			}
		default:
			d.req.Lose("tool_choice."+string(name), unknown.why())
			_, err = d.Skip()
		}
		return err
	})
	if err != nil {
		return err
	}
	switch kind {
	case "auto":
		c.Mode = llm.ToolAuto
	case "any":
		c.Mode = llm.ToolRequired
	case "none":
		c.Mode = llm.ToolNone
	case "tool":
		if c.Name == "" {
			return read.Missing("tool_choice.name")
		}
		c.Mode = llm.ToolNamed
	default:
		return llm.Invalid("tool_choice.type", `tool_choice.type must be auto, any, tool or none, not "`+read.Clip(kind)+`"`)
	}
	return nil
}
