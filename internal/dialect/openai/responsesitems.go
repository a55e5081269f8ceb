package openai

import (
	"encoding/json"
	"strings"

	"github.com/outcrop-ai/outcrop/internal/dialect/read"
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// item is one item of a request's input as it stands in the body, before its type has placed it.
type item struct {
	kind, role, id, callID, name, namespace string
	content, summary                        []llm.Block
	hasContent                              bool
	encrypted                               string
	// arguments are those of a function's call as a text, input is a custom tool's, output a call's result.
	arguments []byte
	input     llm.Text
	output    []llm.Block
	hasOutput bool
	action    json.RawMessage
	others    []string
	seen      []string
}

// item reads one item and adds what it says to the conversation. Paths in errors are relative to the item.
func (d *decoder) item() error {
	d.calls.message++
	if d.s.Peek() != jsonscan.KindObject {
		return d.s.WrongType("", "an object")
	}
	var t item
	if err := d.each("", func(name []byte) error { return d.itemMember(&t, string(name)) }); err != nil {
		return err
	}
	if t.kind == "" {
		if t.role == "" {
			return read.Missing("type")
		}
		t.kind = "message"
	}
	for _, name := range t.others {
		d.req.Lose(d.here(name), "ignored")
	}
	return d.placeItem(&t)
}

func (d *decoder) itemMember(t *item, name string) error {
	for _, had := range t.seen {
		if had == name {
			return duplicate(name)
		}
	}
	t.seen = append(t.seen, name)
	if absent, err := d.s.Null(); absent || err != nil {
		return err
	}
	var err error
	switch name {
	case "type":
		t.kind, err = d.s.Word(name)
	case "role":
		t.role, err = d.s.Word(name)
	case "id":
		t.id, err = d.s.Word(name)
	case "call_id":
		t.callID, err = d.s.Word(name)
	case "name":
		t.name, err = d.s.Word(name)
	case "namespace":
		t.namespace, err = d.s.Word(name)
	case "content":
		t.hasContent = true
		t.content, err = d.itemContent(name)
	case "summary":
		t.summary, err = d.itemContent(name)
	case "encrypted_content":
		t.encrypted, err = d.s.Word(name)
	case "arguments":
		t.arguments, err = d.itemArguments(name)
	case "input":
		t.input, err = d.s.Text(name)
	case "output":
		t.hasOutput = true
		t.output, err = d.itemContent(name)
	case "action":
		t.action, err = d.s.Raw(name)
	case "status": // an echo of the answer's
		_, err = d.s.Skip()
	default:
		t.others = append(t.others, name)
		_, err = d.s.Skip()
	}
	return err
}

// itemArguments reads the arguments of a call: a text, or the object that some clients send instead.
func (d *decoder) itemArguments(name string) ([]byte, error) {
	if d.s.Peek() == jsonscan.KindObject {
		return d.s.Skip()
	}
	raw, err := d.string(name)
	if err != nil {
		return nil, err
	}
	return jsonscan.AppendUnescaped(make([]byte, 0, len(raw)), raw), nil
}

// placeItem gives the item to the side of the conversation that it belongs to.
func (d *decoder) placeItem(t *item) error {
	switch t.kind {
	case "message":
		return d.placeMessage(t)
	case "reasoning":
		d.placeReasoning(t)
		return nil
	case "function_call", "custom_tool_call", "local_shell_call":
		return d.placeCall(t)
	case "function_call_output", "custom_tool_call_output", "local_shell_call_output":
		id := t.callID
		if id == "" {
			if id = d.calls.shells[t.id]; id == "" { // a shell's output may name the item of the call
				id = t.id
			}
		}
		switch {
		case id == "":
			return read.Missing("call_id")
		case !t.hasOutput:
			return read.Missing("output")
		}
		d.result(id, &turn{content: t.output, name: t.name})
		return nil
	case "item_reference":
		return llm.Invalid("type", "item_reference: items are kept with their response only. Send the item itself, or previous_response_id")
	default:
		return llm.Invalid("type", `type "`+read.Clip(t.kind)+`" is an item that Amazon Bedrock has no counterpart for`)
	}
}

// placeMessage adds a message. An assistant's message that says nothing is a placeholder of some clients'.
func (d *decoder) placeMessage(t *item) error {
	if t.role == "assistant" {
		said := false
		for i := range t.content {
			said = said || t.content[i].Kind != llm.BlockText || !t.content[i].Text.IsEmpty()
		}
		if !said {
			return nil
		}
	}
	switch t.role {
	case "":
		return read.Missing("role")
	case "user", "assistant", "system", "developer":
		if !t.hasContent {
			return read.Missing("content")
		}
		return d.place(&turn{role: t.role, content: t.content, hasContent: true, name: t.name})
	}
	return llm.Invalid("role", `role must be user, assistant, system or developer, not "`+read.Clip(t.role)+`"`)
}

// placeReasoning adds reasoning of an earlier answer. What this gateway sealed is opened; a seal of somebody else's cannot
// be, and reasoning without one is text that models do not take back.
func (d *decoder) placeReasoning(t *item) {
	if t.encrypted != "" {
		if blocks, ok := unseal(t.encrypted); ok {
			d.responses.sealed = true
			for i := range blocks {
				blocks[i].Path = d.path(-1)
			}
			d.add(llm.RoleAssistant, blocks)
			return
		}
		d.req.Lose(d.here("encrypted_content"), "foreign")
	}
	var blocks []llm.Block
	for _, list := range [2][]llm.Block{t.content, t.summary} {
		if len(blocks) > 0 { // the whole text says more than its summary
			break
		}
		for i := range list {
			if b := &list[i]; !b.Text.IsEmpty() {
				blocks = append(blocks, llm.Block{Kind: llm.BlockThinking, Text: b.Text, Path: d.path(-1)})
			}
		}
	}
	if len(blocks) > 0 {
		d.add(llm.RoleAssistant, blocks)
	}
}

// placeCall adds a call that the model has made.
func (d *decoder) placeCall(t *item) error {
	if t.kind == "local_shell_call" {
		t.name = shellTool
		if t.callID == "" {
			t.callID = t.id
		}
		if d.calls.shells == nil {
			d.calls.shells = map[string]string{}
		}
		d.calls.shells[t.id] = t.callID
		t.arguments, _ = jsonscan.Delete(t.action, "type")
	}
	switch {
	case t.callID == "":
		return read.Missing("call_id")
	case t.name == "":
		return read.Missing("name")
	}
	path := d.here("arguments")
	if t.kind == "custom_tool_call" {
		t.arguments = append(t.input.AppendJSON([]byte(`{"input":`)), '}')
		path = d.here("input")
	}
	d.add(llm.RoleAssistant, d.call(nil, t.callID, qualified(t.namespace, t.name), t.arguments, path))
	return nil
}

// itemContent reads an item's content: a text, or a list of parts.
func (d *decoder) itemContent(path string) ([]llm.Block, error) {
	from := len(d.blocks)
	if d.s.Peek() == jsonscan.KindString {
		text, err := d.s.Text(path)
		d.blocks = append(d.blocks, d.textBlock(text, -1))
		return d.take(from), err
	}
	if d.s.Peek() != jsonscan.KindArray {
		return nil, d.s.WrongType(path, "a string or an array of parts")
	}
	more, err := d.s.OpenArray()
	for i := 0; err == nil && more; more, err = d.s.NextElement() {
		if err := d.itemPart(i); err != nil {
			return nil, within(err, read.Index(path, i))
		}
		i++
	}
	return d.take(from), err
}

// itemPart reads a content part, whose files stand among its own members.
func (d *decoder) itemPart(i int) error {
	if d.s.Peek() != jsonscan.KindObject {
		return d.s.WrongType("", "an object")
	}
	var p part
	d.partIndex = i
	err := d.each("", func(key []byte) error {
		name := string(key)
		if absent, err := d.s.Null(); absent || err != nil {
			return err
		}
		var err error
		f := &p.file
		switch name {
		case "file_data":
			p.hasFile = true
			err = d.fileData(name, f)
		case "file_url":
			p.hasFile = true
			err = d.location(name, f)
		case "file_id":
			p.hasFile = true
			if f.id, err = d.s.Word(name); err == nil {
				err = d.fileID(name, f)
			}
		case "filename":
			f.name, err = d.s.Word(name)
		case "detail":
			var word string
			if word, err = d.s.Word(name); word != "auto" {
				d.req.Lose(d.herePart(name), "unsupported")
			}
		case "annotations", "logprobs": // echoes of the answer's
			_, err = d.s.Skip()
		default:
			err = d.partMember(&p, name)
		}
		return err
	})
	if err != nil {
		return err
	}
	if raw, spelled := p.file.base64.Raw(); spelled && len(raw) > 0 {
		if err := checkBase64("file_data", &p.file); err != nil {
			return err
		}
	}
	switch p.kind {
	case "summary_text", "reasoning_text":
		p.kind = "text"
	case "text", "input_text", "output_text", "refusal", "input_image", "input_file", "input_audio", "":
	default:
		return llm.Invalid("type", `type "`+read.Clip(p.kind)+`" is not a content part that Outcrop knows`)
	}
	if (p.kind == "input_image" || p.kind == "input_file") && !p.hasFile {
		return read.Missing(strings.TrimPrefix(p.kind, "input_") + "_url")
	}
	return d.placePart(&p, i)
}
