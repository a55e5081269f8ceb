package anthropic

import (
	"github.com/outcrop-ai/outcrop/internal/dialect/read"
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// part is one block as it stands in the body: its members are read as they come, and placed by its type when all are
// known.
type part struct {
	kind                  string
	text, signature, data llm.Text
	source                source
	hasSource, hasText    bool
	cache                 *llm.CachePoint
	title                 string
	context               llm.Text
	citations             bool
	id, name, useID       string
	input                 []byte
	result                []llm.Block
	failed                bool
}

// block reads one block and appends it to the arena. path is its whole path, for losses; errors name what is inside.
func (d *decoder) block(i int, path string) error {
	d.part = int32(i) //nolint:gosec // bounded by the body's size
	kind, err := d.kind()
	if err != nil {
		return err
	}
	switch kind {
	case objText, objImage, objDocument, objThinking, objRedacted, objToolUse, objToolResult:
	case objSearchResult:
		return d.searchResult(path)
	case "":
		return read.Missing("type")
	default: // tools that run at the provider's, and what is newer than this program
		raw, err := d.Raw("")
		if err != nil {
			return err
		}
		return d.foreign(raw)
	}
	p := part{kind: kind}
	if err := d.members("", func(name []byte) (verdict, error) { return d.blockMember(&p, string(name), path) }); err != nil {
		return err
	}
	d.part = int32(i) //nolint:gosec // as above; a result's content has parts of its own
	return d.place(&p)
}

// kind looks ahead for the type of the block that follows: it says what the other members mean.
func (d *decoder) kind() (string, error) {
	if d.Peek() != jsonscan.KindObject {
		return "", d.WrongType("", "an object")
	}
	ahead := d.Body
	kind := ""
	err := ahead.Each("", func(name []byte) (err error) {
		if string(name) == "type" && kind == "" {
			if kind, err = ahead.Word("type"); err == nil {
				return errFound
			}
			return err
		}
		_, err = ahead.Skip()
		return err
	})
	if err == errFound { //nolint:errorlint // our own, bare
		err = nil
	}
	return kind, err
}

// errFound ends a look ahead.
var errFound error = &llm.Error{Message: "found"}

// foreign keeps a block of Anthropic's that this vocabulary has no word for. It goes back to Claude as it came; other models
// cannot read it.
func (d *decoder) foreign(raw []byte) error {
	wrapped := append([]byte(`{"anthropic":`), raw...)
	d.blocks = append(d.blocks, llm.Block{Kind: llm.BlockOther, Raw: append(wrapped, '}'), Path: d.path()})
	return nil
}

func (d *decoder) blockMember(p *part, name, path string) (verdict, error) {
	if fields[p.kind][name] != mapped {
		return d.leave(p.kind, path, name)
	}
	var err error
	switch name {
	case "type":
		_, err = d.Skip()
	case "text", "thinking":
		if p.hasText {
			return keep, read.Duplicate(name)
		}
		p.hasText = true
		p.text, err = d.Text(name)
	case "signature":
		p.signature, err = d.Text(name)
	case "data":
		p.data, err = d.Text(name)
	case "cache_control":
		p.cache, err = d.cacheControl(path + ".cache_control")
	case "citations":
		if p.kind == objText { // an answer's, sent back: they are Claude's to read
			_, err = d.Skip()
			break
		}
		err = d.Each(name, func(key []byte) (err error) {
			if string(key) == "enabled" {
				p.citations, err = d.Flag("citations.enabled")
				return err
			}
			_, err = d.Skip()
			return err
		})
	case "title":
		p.title, err = d.Word(name)
	case "context":
		p.context, err = d.Text(name)
	case "source":
		if p.hasSource {
			return keep, read.Duplicate(name)
		}
		p.hasSource = true
		err = within(d.source(&p.source, path), name)
	case "id":
		p.id, err = d.Word(name)
	case "name":
		p.name, err = d.Word(name)
	case "input":
		p.input, err = d.Skip()
	case "tool_use_id":
		p.useID, err = d.Word(name)
	case "content":
		p.result, err = d.result(path)
	case "is_error":
		p.failed, err = d.Flag(name)
	}
	return keep, err
}

// result reads what a tool said. Its blocks stand before the result's own in the arena, and are cut off it.
func (d *decoder) result(path string) ([]llm.Block, error) {
	outer := d.blocks
	d.blocks = nil
	blocks, err := d.content(path)
	d.blocks = outer
	return blocks, err
}

func (d *decoder) place(p *part) error {
	b := llm.Block{Path: d.path(), Cache: p.cache}
	switch p.kind {
	case objText:
		if !p.hasText {
			return read.Missing("text")
		}
		b.Kind, b.Text = llm.BlockText, p.text
	case objThinking:
		b.Kind, b.Text, b.Signature = llm.BlockThinking, p.text, p.signature
	case objRedacted:
		b.Kind, b.Signature = llm.BlockRedacted, p.data
	case objToolUse:
		switch {
		case p.id == "":
			return read.Missing("id")
		case p.name == "":
			return read.Missing("name")
		case len(p.input) == 0:
			p.input = []byte("{}")
		}
		b.Kind, b.Tool = llm.BlockToolUse, &llm.ToolBlock{ID: p.id, Name: p.name, Input: p.input}
	case objToolResult:
		if p.useID == "" {
			return read.Missing("tool_use_id")
		}
		b.Kind, b.Tool = llm.BlockToolResult, &llm.ToolBlock{ID: p.useID, Result: p.result, Failed: p.failed}
	case objImage, objDocument:
		if !p.hasSource {
			return read.Missing("source")
		}
		if err := p.source.place(&b, p); err != nil {
			return err
		}
		d.relabel(&p.source, &b)
	}
	d.blocks = append(d.blocks, b)
	return nil
}

// searchResult reads what a search found, into AWS's own shape of it.
func (d *decoder) searchResult(path string) error {
	var cache *llm.CachePoint
	out := []byte(`{"searchResult":{`)
	n := 0
	err := d.members("", func(name []byte) (verdict, error) {
		member := string(name)
		if fields[objSearchResult][member] != mapped {
			return d.leave(objSearchResult, path, member)
		}
		if member == "cache_control" {
			var err error
			cache, err = d.cacheControl(path + ".cache_control")
			return keep, err
		}
		value, err := d.Skip()
		if err != nil || member == "type" {
			return keep, err
		}
		if n++; n > 1 {
			out = append(out, ',')
		}
		out = append(llm.AppendString(out, member), ':')
		if member != "content" {
			out = append(out, value...)
			return keep, nil
		}
		out = append(out, '[')
		i := 0
		for text := range jsonscan.Elements(value) {
			if i++; i > 1 {
				out = append(out, ',')
			}
			out = append(append(append(out, `{"text":`...), jsonscan.Member(text, "text")...), '}')
		}
		out = append(out, ']')
		return keep, nil
	})
	d.blocks = append(d.blocks, llm.Block{Kind: llm.BlockOther, Raw: append(out, '}', '}'), Path: d.path(), Cache: cache})
	return err
}
