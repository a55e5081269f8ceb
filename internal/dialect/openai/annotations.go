package openai

import (
	"strconv"

	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// appendAnnotations writes the sources of cited text that have an address, as OpenAI does. Places in documents have no
// counterpart there: they stand in provider_specific_fields only.
func appendAnnotations(dst []byte, blocks []llm.Block) []byte {
	if !hasKind(blocks, llm.BlockCitations) {
		return dst
	}
	var list annotations
	at := 0
	for i := range blocks {
		b := &blocks[i]
		if b.Kind != llm.BlockText && b.Kind != llm.BlockCitations {
			continue
		}
		end := at + b.Text.Runes()
		for citation := range jsonscan.Elements(jsonscan.Member(b.Raw, "citations")) {
			list.add(citation, at, end)
		}
		at = end
	}
	if len(list.json) == 0 {
		return dst
	}
	return append(append(append(dst, `,"annotations":[`...), list.json...), ']')
}

// annotations is the inside of OpenAI's list of annotations.
type annotations struct {
	json []byte
	// flat writes them as the Responses API has them, without an object of their own kind's name around them.
	flat bool
}

// add adds the source of the characters from start to end of the answer's text, if it has an address. Characters are
// counted as Unicode has them, from 0; end is behind the last.
func (a *annotations) add(citation []byte, start, end int) {
	url := jsonscan.Member(citation, "location", "web", "url")
	if url == nil && jsonscan.Member(citation, "location", "searchResultLocation") != nil {
		url = jsonscan.Member(citation, "source")
	}
	if _, ok := jsonscan.Inner(url); !ok {
		return
	}
	if len(a.json) > 0 {
		a.json = append(a.json, ',')
	}
	head := `{"type":"url_citation","url_citation":{"start_index":`
	if a.flat {
		head = `{"type":"url_citation","start_index":`
	}
	a.json = strconv.AppendInt(append(a.json, head...), int64(start), 10)
	a.json = strconv.AppendInt(append(a.json, `,"end_index":`...), int64(end), 10)
	a.json = append(a.json, `,"title":`...)
	if title := jsonscan.Member(citation, "title"); len(title) > 0 && title[0] == '"' {
		a.json = append(a.json, title...)
	} else {
		a.json = append(a.json, `""`...)
	}
	a.json = append(append(append(a.json, `,"url":`...), url...), '}')
	if !a.flat {
		a.json = append(a.json, '}')
	}
}

// citedText follows a streamed text for the places of its citations. A block's citations may come before, between and
// behind its pieces; they are about all of it.
type citedText struct {
	// written counts the characters so far, from those where block began.
	written, from int
	block         int32
	// open are the sources of the block, whose end is not known yet.
	open [][]byte
	list annotations
}

func (c *citedText) text(ev *llm.Event) {
	if ev.Index != c.block {
		c.close()
		c.block, c.from = ev.Index, c.written
	}
	c.written += ev.Text.Runes()
}

func (c *citedText) cite(ev *llm.Event) {
	if ev.Index != c.block {
		c.close()
		c.block, c.from = ev.Index, c.written
	}
	c.open = append(c.open, append([]byte(nil), ev.Raw...))
}

// close ends the block.
func (c *citedText) close() {
	for _, citation := range c.open {
		c.list.add(citation, c.from, c.written)
	}
	c.open = nil
}
