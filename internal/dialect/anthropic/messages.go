package anthropic

import (
	"strings"

	"github.com/outcrop-ai/outcrop/internal/dialect/read"
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// billingHeader begins a block in which Claude Code tells Anthropic's own billing what it is. It changes from call to call,
// so that nothing behind it would be found in a cache.
const billingHeader = "x-anthropic-billing-header"

// system reads the system prompt: a text, or text blocks.
func (d *decoder) system() error {
	d.message, d.part = -1, -1
	from := len(d.blocks)
	if d.Peek() == jsonscan.KindString {
		text, err := d.Text("system")
		d.req.System = []llm.Block{{Kind: llm.BlockText, Text: text, Path: d.path()}}
		if text.IsBlank() {
			d.req.System, d.original.System = nil, llm.Span{}
		}
		return err
	}
	err := d.elements("system", func(i int) (verdict, error) {
		at := len(d.blocks)
		path := read.Index("system", i)
		if err := d.block(i, path); err != nil {
			return keep, within(err, path)
		}
		b := &d.blocks[at]
		if b.Kind != llm.BlockText {
			return keep, llm.Invalid(path+".type", path+".type must be text")
		}
		if strings.HasPrefix(b.Text.String(), billingHeader) {
			d.req.Lose(path, "billing_header")
			d.blocks = d.blocks[:at]
			return cut, nil
		}
		return keep, nil
	})
	d.req.System = d.take(from)
	return err
}

func (d *decoder) messages() error {
	return d.elements("messages", func(i int) (verdict, error) {
		d.message = int32(i) //nolint:gosec // bounded by the body's size
		path := read.Index("messages", i)
		return keep, within(d.turn(path), path)
	})
}

// turn reads one message.
func (d *decoder) turn(path string) error {
	role, hasContent := "", false
	var blocks []llm.Block
	err := d.members("", func(name []byte) (verdict, error) {
		var err error
		switch string(name) {
		case "role":
			role, err = d.Word("role")
		case "content":
			if hasContent {
				return keep, read.Duplicate("content")
			}
			hasContent = true
			blocks, err = d.content(path)
		default:
			return d.leave(objMessage, path, string(name))
		}
		return keep, err
	})
	if err != nil {
		return err
	}
	m := llm.Message{Blocks: blocks}
	switch role {
	case "user":
	case "assistant":
		m.Role = llm.RoleAssistant
	case "system":
		m.Role = llm.RoleSystem
	case "":
		return read.Missing("role")
	default:
		return llm.Invalid("role", `role must be user or assistant, not "`+read.Clip(role)+`"`)
	}
	if !hasContent {
		return read.Missing("content")
	}
	d.req.Messages = append(d.req.Messages, m)
	return nil
}

// content reads a text, or blocks.
func (d *decoder) content(path string) ([]llm.Block, error) {
	from := len(d.blocks)
	if d.Peek() == jsonscan.KindString {
		d.part = -1
		text, err := d.Text("content")
		d.blocks = append(d.blocks, llm.Block{Kind: llm.BlockText, Text: text, Path: d.path()})
		return d.take(from), err
	}
	if d.Peek() != jsonscan.KindArray {
		return nil, d.WrongType("content", "a string or an array of blocks")
	}
	err := d.elements("content", func(i int) (verdict, error) {
		return keep, within(d.block(i, path+read.Index(".content", i)), read.Index("content", i))
	})
	return d.take(from), err
}

func (d *decoder) path() llm.Path { return llm.Path{Message: d.message, Part: d.part} }

// take cuts the blocks since from off the arena; appending to them later cannot reach the arena.
func (d *decoder) take(from int) []llm.Block { return d.blocks[from:len(d.blocks):len(d.blocks)] }

// cacheControl reads {"type":"ephemeral","ttl":…}.
func (d *decoder) cacheControl(path string) (*llm.CachePoint, error) {
	point := &llm.CachePoint{}
	err := d.members("cache_control", func(name []byte) (verdict, error) {
		var err error
		switch string(name) {
		case "type":
			var word string
			if word, err = d.Word("cache_control.type"); err == nil && word != "ephemeral" {
				err = llm.Invalid("cache_control.type", `cache_control.type must be ephemeral, not "`+read.Clip(word)+`"`)
			}
		case "ttl":
			if point.TTL, err = d.Word("cache_control.ttl"); err == nil && point.TTL != "5m" && point.TTL != "1h" {
				err = llm.Invalid("cache_control.ttl", `cache_control.ttl must be 5m or 1h, not "`+read.Clip(point.TTL)+`"`)
			}
		default:
			return d.leave(objCache, path, string(name))
		}
		return keep, err
	})
	return point, err
}
