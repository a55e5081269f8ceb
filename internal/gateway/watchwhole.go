package gateway

import (
	"bytes"
	"encoding/json"

	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// object writes a JSON object member by member.
type object struct{ dst []byte }

func (o *object) put(name string, value []byte) {
	if value == nil {
		return
	}
	if len(o.dst) == 0 {
		o.dst = append(o.dst, '{')
	} else {
		o.dst = append(o.dst, ',')
	}
	o.dst = append(append(llm.AppendString(o.dst, name), ':'), value...)
}

// spelled writes a text that is put together of spellings; nothing for an empty one.
func (o *object) spelled(name string, inner []byte) {
	if len(inner) > 0 {
		o.put(name, quoted(inner))
	}
}

// list writes an array; nothing for an empty one.
func (o *object) list(name string, values [][]byte) {
	if len(values) > 0 {
		o.put(name, array(values))
	}
}

func (o *object) end() []byte {
	if len(o.dst) == 0 {
		return []byte("{}")
	}
	return append(o.dst, '}')
}

func quoted(inner []byte) []byte { return append(append([]byte{'"'}, inner...), '"') }

func array(values [][]byte) []byte {
	return append(append([]byte{'['}, bytes.Join(values, []byte{','})...), ']')
}

// inner appends the spelling of a string.
func inner(dst, raw []byte) []byte {
	text, _ := jsonscan.Inner(raw)
	return append(dst, text...)
}

// argument returns the input of a call that came in pieces, each a string: JSON, or, if it was cut off, the text of it.
func argument(pieces []byte) []byte {
	text := jsonscan.AppendUnescaped(nil, pieces)
	switch {
	case len(bytes.TrimSpace(text)) == 0:
		return []byte("{}")
	case json.Valid(text):
		return text
	}
	return llm.AppendString(nil, string(text))
}

// converseBlock is a block of an answer of Converse.
type converseBlock struct {
	index                              string
	start                              []byte // of a call
	text, input, thought, signature    []byte // spellings
	redacted                           []byte
	citations, others                  [][]byte
	said, called, thinks, cites, hides bool
}

// wholeConverse puts the events of ConverseStream together, or Nova's own, which are the same inside of chunks; nil if they
// are others.
func wholeConverse(list []nativeEvent) []byte {
	if list[0].name != "messageStart" && jsonscan.Member(list[0].data, "messageStart") == nil {
		return nil
	}
	var role []byte
	var blocks []*converseBlock
	var tail object
	members := func(raw []byte) {
		for name, value := range jsonscan.Members(raw) {
			if name != "p" { // padding
				tail.put(name, value)
			}
		}
	}
	for i := range list {
		name, data := list[i].name, list[i].data
		if name == "" {
			for member, value := range jsonscan.Members(data) { // the first is the event, others are AWS's metrics
				name, data = member, value
				break
			}
		}
		switch name {
		case "messageStart":
			role = jsonscan.Member(data, "role")
		case "contentBlockStart":
			blockOf(&blocks, data).begin(jsonscan.Member(data, "start"))
		case "contentBlockDelta":
			blockOf(&blocks, data).add(jsonscan.Member(data, "delta"))
		case "messageStop", "metadata":
			members(data)
		}
	}
	contents := make([][]byte, 0, len(blocks))
	for _, b := range blocks {
		contents = append(contents, b.whole())
	}
	var message, output, whole object
	message.put("role", role)
	message.put("content", array(contents))
	output.put("message", message.end())
	whole.put("output", output.end())
	if len(tail.dst) > 0 {
		whole.dst = append(append(whole.dst, ','), tail.dst[1:]...)
	}
	return whole.end()
}

// blockOf returns the block that an event is about.
func blockOf(blocks *[]*converseBlock, event []byte) *converseBlock {
	index := string(jsonscan.Member(event, "contentBlockIndex"))
	for i := len(*blocks) - 1; i >= 0; i-- {
		if (*blocks)[i].index == index {
			return (*blocks)[i]
		}
	}
	b := &converseBlock{index: index}
	*blocks = append(*blocks, b)
	return b
}

func (b *converseBlock) begin(start []byte) {
	if call := jsonscan.Member(start, "toolUse"); call != nil {
		b.start, b.called = call, true
	} else if len(start) > 2 {
		b.others = append(b.others, start)
	}
}

func (b *converseBlock) add(delta []byte) {
	for name, value := range jsonscan.Members(delta) {
		switch name {
		case "text":
			b.text, b.said = inner(b.text, value), true
		case "toolUse":
			b.input = inner(b.input, jsonscan.Member(value, "input"))
		case "citation":
			b.citations, b.cites = append(b.citations, value), true
		case "reasoningContent":
			b.thinks = true
			b.thought = inner(b.thought, jsonscan.Member(value, "text"))
			b.signature = inner(b.signature, jsonscan.Member(value, "signature"))
			if hidden := jsonscan.Member(value, "redactedContent"); hidden != nil {
				b.redacted, b.hides = hidden, true
			}
		default:
			b.others = append(b.others, delta)
			return
		}
	}
}

// whole returns the block as Converse has it in a whole answer.
func (b *converseBlock) whole() []byte {
	var o, in object
	switch {
	case b.called:
		for name, value := range jsonscan.Members(b.start) {
			if name != "input" {
				in.put(name, value)
			}
		}
		in.put("input", argument(b.input))
		o.put("toolUse", in.end())
	case b.hides:
		in.put("redactedContent", b.redacted)
		o.put("reasoningContent", in.end())
	case b.thinks:
		in.put("text", quoted(b.thought))
		in.spelled("signature", b.signature)
		var thought object
		thought.put("reasoningText", in.end())
		o.put("reasoningContent", thought.end())
	case b.cites:
		var text object
		text.put("text", quoted(b.text))
		in.put("content", array([][]byte{text.end()}))
		in.list("citations", b.citations)
		o.put("citationsContent", in.end())
	case b.said:
		o.put("text", quoted(b.text))
	default: // a kind of tomorrow: what came of it
		o.put("events", array(b.others))
	}
	return o.end()
}

// claudeBlock is a block of an answer of Claude's.
type claudeBlock struct {
	start                            []byte
	text, input, thinking, signature []byte // spellings
	citations                        [][]byte
}

// wholeClaude puts the events of Anthropic's Messages API together; nil if they are others.
func wholeClaude(list []nativeEvent) []byte {
	message := jsonscan.Member(list[0].data, "message")
	if jsonscan.Text(jsonscan.Member(list[0].data, "type")) != "message_start" || message == nil {
		return nil
	}
	var blocks []*claudeBlock
	var usage, delta []byte
	for i := range list {
		data := list[i].data
		switch jsonscan.Text(jsonscan.Member(data, "type")) {
		case "content_block_start":
			blocks = append(blocks, &claudeBlock{start: jsonscan.Member(data, "content_block")})
		case "content_block_delta":
			if len(blocks) > 0 { // they come one after the other
				blocks[len(blocks)-1].add(jsonscan.Member(data, "delta"))
			}
		case "message_delta":
			delta, usage = jsonscan.Member(data, "delta"), jsonscan.Member(data, "usage")
		}
	}
	contents := make([][]byte, 0, len(blocks))
	for _, b := range blocks {
		contents = append(contents, b.whole())
	}
	whole := merged(message, delta, map[string][]byte{
		"content": array(contents), "usage": merged(jsonscan.Member(message, "usage"), usage, nil),
	})
	return whole
}

// merged returns an object with what a later one says, and what is known better, in the place of its own members.
func merged(first, later []byte, better map[string][]byte) []byte {
	var o object
	seen := map[string]bool{}
	for name, value := range jsonscan.Members(first) {
		seen[name] = true
		if said := jsonscan.Member(later, name); said != nil {
			value = said
		}
		if known := better[name]; known != nil {
			value = known
		}
		o.put(name, value)
	}
	for name, value := range jsonscan.Members(later) {
		if known := better[name]; known != nil {
			value = known
		}
		if !seen[name] {
			o.put(name, value)
		}
	}
	return o.end()
}

func (b *claudeBlock) add(delta []byte) {
	for name, value := range jsonscan.Members(delta) {
		switch name {
		case "text":
			b.text = inner(b.text, value)
		case "partial_json":
			b.input = inner(b.input, value)
		case "thinking":
			b.thinking = inner(b.thinking, value)
		case "signature":
			b.signature = inner(b.signature, value)
		case "citation":
			b.citations = append(b.citations, value)
		}
	}
}

// whole returns the block with what came of it in the place of what it began with.
func (b *claudeBlock) whole() []byte {
	better := map[string][]byte{}
	came := func(name string, inner []byte) {
		if len(inner) > 0 {
			better[name] = quoted(inner)
		}
	}
	came("text", b.text)
	came("thinking", b.thinking)
	came("signature", b.signature)
	if len(b.input) > 0 {
		better["input"] = argument(b.input)
	}
	var more object
	if len(b.citations) > 0 {
		more.put("citations", array(b.citations))
	}
	more.spelled("signature", b.signature)
	return merged(b.start, more.end(), better)
}
