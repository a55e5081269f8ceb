package openai

import (
	"errors"
	"strconv"
	"strings"

	"github.com/outcrop-ai/outcrop/internal/dialect/read"
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

func (d *decoder) messages() error {
	more, err := d.array("messages")
	for ; err == nil && more; more, err = d.s.NextElement() {
		d.calls.message++
		if err := d.message(); err != nil {
			return within(err, read.Index("messages", int(d.calls.message)-1))
		}
	}
	return err
}

// within puts prefix before the path that err names. Paths are built from the inside out, and only for errors, so that
// a conversation without one pays nothing for them.
func within(err error, prefix string) error {
	var e *llm.Error
	if !errors.As(err, &e) || e.Kind != llm.KindInvalid || e.Code == "forbidden_parameter" {
		return err
	}
	if e.Param == "" {
		e.Param, e.Message = prefix, prefix+e.Message
		return e
	}
	param := prefix + "." + e.Param
	e.Message = strings.Replace(e.Message, e.Param, param, 1)
	e.Param = param
	return e
}

// here is the path of a member of the message that is being read.
func (d *decoder) here(member string) string {
	switch d.items {
	case itemsOfInput:
		return read.Index("input", int(d.calls.message)-1) + "." + member
	case itemsOfHistory:
		return "previous_response_id"
	}
	return "messages[" + strconv.Itoa(int(d.calls.message)-1) + "]." + member
}

// turn is one message as it stands in the body, before its role has placed its parts.
type turn struct {
	role                     string
	hasRole, hasType         bool
	hasContent               bool
	content, thinking, calls []llm.Block
	toolCallID, name         string
	failed, prefix           bool
	cache                    *llm.CachePoint
	seen                     memberSet
}

// The members of a message.
const (
	turnRole uint = iota
	turnContent
	turnName
	turnToolCalls
	turnToolCallID
	turnFunctionCall
	turnThinking
	turnCache
	turnPrefix
	turnIsError
	turnSearch
)

func (d *decoder) message() error {
	start := d.s.Pos
	if d.s.Peek() != jsonscan.KindObject {
		return d.s.WrongType("", "an object")
	}
	var t turn
	if err := d.each("", func(name []byte) error { return d.turnMember(&t, name) }); err != nil {
		return err
	}
	if !t.hasRole && t.hasType { // a part where a message should be: some clients send files so
		d.s.Pos = start
		from := len(d.blocks)
		if err := d.part(0); err != nil {
			return err
		}
		d.add(llm.RoleUser, d.take(from))
		return nil
	}
	if !t.hasRole {
		return read.Missing("role")
	}
	return d.place(&t)
}

func (d *decoder) turnMember(t *turn, key []byte) error {
	bit, known := turnBit(string(key))
	if known && !t.seen.add(bit) {
		return duplicate(string(key))
	}
	if string(key) == "content" {
		t.hasContent = true
	}
	if absent, err := d.s.Null(); absent || err != nil {
		return err
	}
	var err error
	switch string(key) {
	case "role":
		t.hasRole = true
		t.role, err = d.s.Word("role")
	case "content":
		t.content, err = d.content("content")
	case "name":
		t.name, err = d.s.Word("name")
	case "tool_calls":
		t.calls, err = d.toolCalls(t.calls)
	case "tool_call_id":
		t.toolCallID, err = d.s.Word("tool_call_id")
	case "function_call":
		t.calls, err = d.legacyCall(t.calls)
	case "thinking_blocks":
		t.thinking, err = d.content("thinking_blocks")
	case "cache_control":
		t.cache, err = d.cacheControl()
	case "prefix":
		t.prefix, err = d.s.Flag("prefix")
	case "is_error":
		t.failed, err = d.s.Flag("is_error")
	case "search_results":
		t.content, err = d.searchResults(t.content)
	case "refusal":
		var text llm.Text
		if text, err = d.s.Text("refusal"); err == nil && !text.IsBlank() {
			t.content = append(t.content, d.textBlock(text, -1))
		}
	case "type":
		t.hasType = true
		_, err = d.s.Skip()
	default:
		_, err = d.s.Skip()
		if !t.hasType && !echoed(string(key)) {
			d.req.Lose(d.here(string(key)), "ignored")
		}
	}
	return err
}

// echoed names the members of our own answers that a client sends back with the history and that say nothing to the
// model: the text of reasoning counts only in thinking_blocks, where its signature is.
func echoed(name string) bool {
	switch name {
	case "annotations", "reasoning_content", "reasoning", "provider_specific_fields", "images":
		return true
	}
	return false
}

func turnBit(name string) (uint, bool) {
	switch name {
	case "role":
		return turnRole, true
	case "content":
		return turnContent, true
	case "name":
		return turnName, true
	case "tool_calls":
		return turnToolCalls, true
	case "tool_call_id":
		return turnToolCallID, true
	case "function_call":
		return turnFunctionCall, true
	case "thinking_blocks":
		return turnThinking, true
	case "cache_control":
		return turnCache, true
	case "prefix":
		return turnPrefix, true
	case "is_error":
		return turnIsError, true
	case "search_results":
		return turnSearch, true
	}
	return 0, false
}

// place gives the message's parts to the side of the conversation that its role belongs to.
func (d *decoder) place(t *turn) error {
	if len(t.calls) > 0 && t.role != "assistant" {
		return llm.Invalid("tool_calls", "tool_calls belong in an assistant message, not in a "+t.role+" message")
	}
	switch t.role {
	case "system", "developer":
		d.cacheLast(t.content, t.cache)
		d.loseName(t)
		if len(d.req.Messages) == 0 {
			d.req.System = append(d.req.System, t.content...)
		} else {
			d.add(llm.RoleSystem, t.content)
		}
	case "user":
		if len(t.content) == 0 { // the codec decides what becomes of a turn that says nothing
			from := len(d.blocks)
			d.blocks = append(d.blocks, d.textBlock(llm.Text{}, -1))
			t.content = d.take(from)
		}
		d.cacheLast(t.content, t.cache)
		d.loseName(t)
		d.add(llm.RoleUser, t.content)
	case "assistant":
		if !t.hasContent && len(t.content)+len(t.calls)+len(t.thinking) == 0 {
			return read.Missing("content")
		}
		for i := range t.thinking {
			t.thinking[i].Path.In = llm.InThinkingBlocks
		}
		blocks := join(t.thinking, t.content, t.calls)
		d.cacheLast(blocks, t.cache)
		d.loseName(t)
		d.add(llm.RoleAssistant, blocks)
		d.req.Messages[len(d.req.Messages)-1].Prefix = t.prefix
	case "tool":
		if t.toolCallID == "" {
			return read.Missing("tool_call_id")
		}
		d.result(t.toolCallID, t)
	case "function":
		if t.name == "" {
			return read.Missing("name")
		}
		d.result(d.calls.lastLegacy(t.name), t)
	default:
		return llm.Invalid("role", `role must be system, developer, user, assistant, tool or function, not "`+read.Clip(t.role)+`"`)
	}
	return nil
}

// loseName lists a participant's name: Bedrock has no place for it.
func (d *decoder) loseName(t *turn) {
	if t.name != "" {
		d.req.Lose(d.here("name"), "unsupported")
	}
}

func (d *decoder) result(id string, t *turn) {
	from := len(d.blocks)
	block := llm.Block{
		Kind: llm.BlockToolResult, Cache: t.cache, Path: d.pathOf(llm.InMessage),
		Tool: &llm.ToolBlock{ID: id, Name: t.name, Result: t.content, Failed: t.failed},
	}
	if t.cache == nil && len(t.content) > 0 { // a cache point cannot stand inside a result: it moves behind
		last := &t.content[len(t.content)-1]
		block.Cache, last.Cache = last.Cache, nil
	}
	d.blocks = append(d.blocks, block)
	for _, extra := range d.calls.merged(id) {
		note := []llm.Block{d.textBlock(llm.NewText("(merged with "+id+")"), -1)}
		d.blocks = append(d.blocks, llm.Block{Kind: llm.BlockToolResult, Path: d.pathOf(llm.InMessage), Tool: &llm.ToolBlock{ID: extra, Result: note}})
	}
	d.add(llm.RoleUser, d.take(from))
}

func (d *decoder) add(role llm.Role, blocks []llm.Block) {
	d.req.Messages = append(d.req.Messages, llm.Message{Role: role, Blocks: blocks})
}

// take cuts the blocks since from off the arena; appending to them later cannot reach the arena.
func (d *decoder) take(from int) []llm.Block { return d.blocks[from:len(d.blocks):len(d.blocks)] }

// pathOf is the path of a member that has no parts.
func (d *decoder) pathOf(member llm.PathMember) llm.Path {
	if d.items != noItems {
		return d.path(-1)
	}
	return llm.Path{Message: d.calls.message - 1, Part: -1, In: member}
}

func (d *decoder) path(part int) llm.Path {
	switch d.items {
	case itemsOfInput:
		return llm.Path{Message: d.calls.message - 1, Part: int32(part), In: llm.InItem} //nolint:gosec // bounded by the body's size
	case itemsOfHistory:
		return llm.Path{Message: -1, Part: -1, In: llm.InItem}
	}
	return llm.Path{Message: d.calls.message - 1, Part: int32(part)} //nolint:gosec // bounded by the body's size
}

func (d *decoder) textBlock(text llm.Text, part int) llm.Block {
	return llm.Block{Kind: llm.BlockText, Text: text, Path: d.path(part)}
}

func (d *decoder) cacheLast(blocks []llm.Block, cache *llm.CachePoint) {
	if cache != nil && len(blocks) > 0 {
		blocks[len(blocks)-1].Cache = cache
	}
}

func join(lists ...[]llm.Block) []llm.Block {
	var out []llm.Block
	for _, l := range lists {
		if len(out) == 0 {
			out = l
		} else {
			out = append(out, l...)
		}
	}
	return out
}

// content reads a message's content: a string, a list of parts, or one part that stands alone.
func (d *decoder) content(path string) ([]llm.Block, error) {
	from := len(d.blocks)
	switch d.s.Peek() {
	case jsonscan.KindString:
		text, err := d.s.Text(path)
		d.blocks = append(d.blocks, d.textBlock(text, -1))
		return d.take(from), err
	case jsonscan.KindObject:
		if err := d.part(0); err != nil {
			return nil, within(err, path)
		}
		return d.take(from), nil
	case jsonscan.KindArray:
		more, err := d.s.OpenArray()
		for i := 0; err == nil && more; more, err = d.s.NextElement() {
			if d.s.Peek() == jsonscan.KindString { // a bare string among the parts
				text, err := d.s.Text(read.Index(path, i))
				if err != nil {
					return nil, err
				}
				d.blocks = append(d.blocks, d.textBlock(text, i))
			} else if err := d.part(i); err != nil {
				return nil, within(err, read.Index(path, i))
			}
			i++
		}
		return d.take(from), err
	default:
		return nil, d.s.WrongType(path, "a string, an array of parts or a part")
	}
}

func (d *decoder) cacheControl() (*llm.CachePoint, error) {
	const path = "cache_control"
	point := &llm.CachePoint{}
	err := d.s.Each(path, func(name []byte) error {
		switch string(name) {
		case "type":
			word, err := d.s.Word(path + ".type")
			if err == nil && word != "ephemeral" && word != "default" {
				return llm.Invalid(path+".type", path+`.type must be ephemeral, not "`+read.Clip(word)+`"`)
			}
			return err
		case "ttl":
			word, err := d.s.Word(path + ".ttl")
			if err == nil && word != "5m" && word != "1h" {
				return llm.Invalid(path+".ttl", path+`.ttl must be 5m or 1h, not "`+read.Clip(word)+`"`)
			}
			point.TTL = word
			return err
		default:
			d.req.Lose(d.here(path+"."+string(name)), "unsupported")
			_, err := d.s.Skip()
			return err
		}
	})
	return point, err
}
