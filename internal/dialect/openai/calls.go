package openai

import (
	"bytes"
	"strconv"

	"github.com/outcrop-ai/outcrop/internal/dialect/read"
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// callLog remembers the calls of the conversation so far.
type callLog struct {
	message int32 // number of the message being read, counted from 1
	legacy  []legacyCall
	extras  map[string][]string
	allowed []string
	// shells are the call ids of shell calls, by the ids of their items.
	shells map[string]string
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
			return nil, within(err, read.Index("tool_calls", i))
		}
		i++
	}
	return blocks, err
}

func (d *decoder) toolCall(blocks []llm.Block, i int) ([]llm.Block, error) {
	if d.s.Peek() != jsonscan.KindObject {
		return nil, d.s.WrongType("", "an object")
	}
	var id, name string
	var arguments []byte
	var cache *llm.CachePoint
	err := d.s.Each("", func(key []byte) (err error) {
		switch string(key) {
		case "id":
			id, err = d.s.Word("id")
		case "function":
			name, arguments, err = d.calledFunction("function")
		case "cache_control":
			cache, err = d.cacheControl()
		case "custom":
			err = llm.Invalid("custom", "custom tool calls cannot be sent: Bedrock's models call functions only")
		default: // type, index and echoes of ours
			_, err = d.s.Skip()
		}
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case name == "":
		return nil, read.Missing("function.name")
	case id == "":
		return nil, read.Missing("id")
	}
	from := len(blocks)
	blocks = d.call(blocks, id, name, arguments, d.here(read.Index("tool_calls", i)+".function.arguments"))
	for j := range blocks[from:] {
		blocks[from+j].Path.Part = int32(i) //nolint:gosec // bounded by the body's size
	}
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
		return nil, read.Missing("function_call.name")
	}
	id := "call_" + strconv.Itoa(int(d.calls.message))
	d.calls.legacy = append(d.calls.legacy, legacyCall{name: name, id: id})
	return d.call(blocks, id, name, arguments, d.here("function_call.arguments")), nil
}

// calledFunction reads {"name", "arguments"}; arguments are the text inside the JSON string, or the object that some
// clients send instead.
func (d *decoder) calledFunction(path string) (name string, arguments []byte, err error) {
	err = d.s.Each(path, func(key []byte) (err error) {
		switch string(key) {
		case "name":
			name, err = d.s.Word(path + ".name")
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
		return err
	})
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
			Kind: llm.BlockToolUse, Path: d.pathOf(llm.InToolCalls),
			Tool: &llm.ToolBlock{ID: callID, Name: name, Input: input},
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
