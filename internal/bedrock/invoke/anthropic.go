package invoke

import (
	"bytes"
	"encoding/base64"
	"slices"
	"unicode/utf8"

	"github.com/outcrop-ai/outcrop/internal/bedrock/converse"
	"github.com/outcrop-ai/outcrop/internal/catalog"
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// anthropicMessages is Claude from 3 on: Anthropic's Messages API.
var anthropicMessages = family{
	name: "anthropic-messages",
	body: func(catalog.Ref) converse.Body {
		return converse.Body{NoVideo: true, NoAudio: true, NoS3: true, Anthropic: true}
	},
	encode: (*encoder).anthropicMessages,
	answer: (*answer).anthropicMessages,
	chunk:  (*chunks).anthropicMessages,
}

// anthropicVersion is the only one that Bedrock knows.
const anthropicVersion = `"bedrock-2023-05-31"`

// maxClaude bounds the limit of an answer where the request has none: AWS books it against the quota at once.
// maxUnknownClaude is what any Claude takes.
const (
	maxClaude        = 8192
	maxUnknownClaude = 4096
)

func (e *encoder) anthropicMessages() {
	d := &e.doc
	if e.native == nil && !d.has("anthropic_version") {
		e.raw("anthropic_version", []byte(anthropicVersion))
	}
	ceiling := int64(maxClaude)
	if e.ref.Model == nil || e.ref.Model.MaxOutput == 0 {
		ceiling = maxUnknownClaude
	}
	e.raw("max_tokens", e.maxTokensOr(ceiling))
	if o := e.original; o != nil {
		e.verbatim("system", o.System)
		e.verbatim("messages", o.Messages)
		e.verbatim("tools", o.Tools)
	} else {
		if len(d.system) > 0 {
			e.name("system")
			e.anthropicBlocks(d.system)
		}
		e.messages(e.anthropicBlocks)
	}
	e.raw("temperature", d.temperature)
	e.raw("top_p", d.topP)
	e.strings("stop_sequences", d.stops)
	if e.original == nil {
		e.anthropicTools()
	}
	e.anthropicChoice()
	e.anthropicOutput()
	e.rest()
}

// anthropicBlocks writes content.
func (e *encoder) anthropicBlocks(blocks []block) {
	e.list(len(blocks), func(i int) {
		b := &blocks[i]
		e.anthropicBlock(b)
		switch {
		case b.cache == nil:
		case b.kind == kindReasoning: // Claude takes none there
			e.req.Lose("messages.cache_control", "reasoning")
		default:
			e.anthropicCache(b.cache)
		}
		e.dst = append(e.dst, '}')
	})
}

func (e *encoder) anthropicCache(cache []byte) {
	e.dst = append(e.dst, `,"cache_control":{"type":"ephemeral"`...)
	if ttl := jsonscan.Member(cache, "ttl"); ttl != nil {
		e.dst = append(append(e.dst, `,"ttl":`...), ttl...)
	}
	e.dst = append(e.dst, '}')
}

// anthropicBlock writes a block but for its closing brace.
func (e *encoder) anthropicBlock(b *block) {
	switch b.kind {
	case kindText:
		e.dst = append(append(e.dst, `{"type":"text","text":`...), b.value...)
	case kindGuarded:
		e.dst = append(e.dst, `{"type":"text","text":`...)
		e.guardedText(b)
	case kindCitations:
		e.dst = append(e.dst, `{"type":"text","text":`...)
		e.dst = llm.AppendString(e.dst, citedText(b.value))
	case kindImage:
		e.dst = append(append(e.dst, `{"type":"image","source":{"type":"base64","media_type":"image/`...), jsonscan.Text(jsonscan.Member(b.value, "format"))...)
		e.dst = append(append(append(e.dst, `","data":`...), jsonscan.Member(b.value, "source", "bytes")...), '}')
	case kindDocument:
		e.anthropicDocument(b.value)
	case kindReasoning:
		e.anthropicThinking(b.value)
	case kindToolUse:
		e.dst = append(append(e.dst, `{"type":"tool_use","id":`...), jsonscan.Member(b.value, "toolUseId")...)
		e.dst = append(append(e.dst, `,"name":`...), jsonscan.Member(b.value, "name")...)
		e.dst = append(append(e.dst, `,"input":`...), jsonscan.Member(b.value, "input")...)
	case kindResult:
		e.anthropicResult(b.value)
	case "searchResult":
		e.anthropicSearchResult(b.value)
	case "anthropic": // the client's own
		e.dst = append(e.dst, b.value[:bytes.LastIndexByte(b.value, '}')]...)
	case "json":
		e.dst = append(e.dst, `{"type":"text","text":`...)
		e.dst = llm.AppendString(e.dst, string(jsonscan.AppendCompact(nil, b.value)))
	default:
		e.dst = append(e.dst, '{')
		e.refuse("messages", b.kind+" has no place in Claude's own body: use the Converse route")
	}
}

func (e *encoder) anthropicDocument(raw []byte) {
	format := jsonscan.Text(jsonscan.Member(raw, "format"))
	data, text := jsonscan.Member(raw, "source", "bytes"), jsonscan.Member(raw, "source", "text")
	e.dst = append(e.dst, `{"type":"document","source":`...)
	switch {
	case text != nil:
		e.dst = append(append(append(e.dst, `{"type":"text","media_type":"text/plain","data":`...), text...), '}')
	case format == "pdf":
		e.dst = append(append(append(e.dst, `{"type":"base64","media_type":"application/pdf","data":`...), data...), '}')
	default: // csv, html, md, txt: text is what Claude takes
		inner, _ := jsonscan.Inner(data)
		plain, err := base64.StdEncoding.AppendDecode(nil, inner)
		if err != nil || !utf8.Valid(plain) {
			e.refuse("messages", "a "+format+" document is not text in UTF-8")
			return
		}
		e.dst = append(e.dst, `{"type":"text","media_type":"text/plain","data":`...)
		e.dst = append(llm.AppendString(e.dst, string(plain)), '}')
	}
	if name := jsonscan.Member(raw, "name"); len(name) > 2 {
		e.dst = append(append(e.dst, `,"title":`...), name...)
	}
	for _, name := range [...]string{"context", "citations"} {
		if value := jsonscan.Member(raw, name); value != nil {
			e.dst = append(append(append(append(e.dst, ',', '"'), name...), '"', ':'), value...)
		}
	}
}

func (e *encoder) anthropicThinking(raw []byte) {
	if data := jsonscan.Member(raw, "redactedContent"); data != nil {
		e.dst = append(append(e.dst, `{"type":"redacted_thinking","data":`...), data...)
		return
	}
	e.dst = append(append(e.dst, `{"type":"thinking","thinking":`...), jsonscan.Member(raw, "reasoningText", "text")...)
	e.dst = append(append(e.dst, `,"signature":`...), jsonscan.Member(raw, "reasoningText", "signature")...)
}

func (e *encoder) anthropicResult(raw []byte) {
	e.dst = append(append(e.dst, `{"type":"tool_result","tool_use_id":`...), jsonscan.Member(raw, "toolUseId")...)
	e.dst = append(e.dst, `,"content":`...)
	e.anthropicBlocks(readBlocks(jsonscan.Member(raw, "content")))
	if jsonscan.Text(jsonscan.Member(raw, "status")) == "error" {
		e.dst = append(e.dst, `,"is_error":true`...)
	}
}

// anthropicSearchResult writes what a search found: the members are the same but for the texts.
func (e *encoder) anthropicSearchResult(raw []byte) {
	e.dst = append(e.dst, `{"type":"search_result"`...)
	for name, value := range jsonscan.Members(raw) {
		e.dst = append(llm.AppendString(append(e.dst, ','), name), ':')
		if name == "content" {
			e.anthropicTexts(value)
			continue
		}
		e.dst = append(e.dst, value...)
	}
}

func (e *encoder) anthropicTexts(content []byte) {
	parts := slices.Collect(jsonscan.Elements(content))
	e.list(len(parts), func(i int) {
		e.dst = append(e.dst, `{"type":"text","text":`...)
		e.dst = append(append(e.dst, jsonscan.Member(parts[i], "text")...), '}')
	})
}

// anthropicTools writes functions, and behind them Anthropic's own tools, which are among the family's fields already.
func (e *encoder) anthropicTools() {
	own := bytes.TrimSpace(e.doc.field("tools"))
	if len(e.doc.tools) == 0 && len(own) == 0 {
		return
	}
	e.name("tools")
	e.dst = append(e.dst, '[')
	for i := range e.doc.tools {
		t := &e.doc.tools[i]
		if i > 0 {
			e.dst = append(e.dst, ',')
		}
		e.dst = append(append(e.dst, `{"type":"custom","name":`...), t.name...)
		e.dst = append(append(e.dst, `,"description":`...), t.description...)
		e.dst = append(append(e.dst, `,"input_schema":`...), t.schema...)
		if t.strict {
			e.dst = append(e.dst, `,"strict":true`...)
		}
		if t.cache != nil {
			e.anthropicCache(t.cache)
		}
		e.dst = append(e.dst, '}')
	}
	if len(own) > 2 && own[0] == '[' {
		if len(e.doc.tools) > 0 {
			e.dst = append(e.dst, ',')
		}
		e.dst = append(e.dst, own[1:len(own)-1]...)
	}
	e.dst = append(e.dst, ']')
}

// anthropicChoice writes tool_choice: Converse's choice, with what only the family's own field can say.
func (e *encoder) anthropicChoice() {
	own := e.doc.field("tool_choice")
	mode, name := e.doc.toolChoice()
	if mode == "" {
		e.raw("tool_choice", own)
		return
	}
	e.name("tool_choice")
	e.dst = append(append(append(e.dst, `{"type":"`...), mode...), '"')
	if name != nil {
		e.dst = append(append(e.dst, `,"name":`...), name...)
	}
	if disable := jsonscan.Member(own, "disable_parallel_tool_use"); disable != nil && mode != "none" {
		e.dst = append(append(e.dst, `,"disable_parallel_tool_use":`...), disable...)
	}
	e.dst = append(e.dst, '}')
}

// anthropicOutput writes output_config: how hard to think, and the schema of the answer.
func (e *encoder) anthropicOutput() {
	own := e.doc.field("output_config")
	if e.doc.schema == nil {
		e.raw("output_config", own)
		return
	}
	e.object("output_config", func() {
		for name, value := range jsonscan.Members(own) {
			if name != "format" {
				e.raw(name, value)
			}
		}
		e.raw("format", []byte(`{"type":"json_schema","schema":`+jsonscan.Text(e.doc.schema)+`}`))
	})
}

func (a *answer) anthropicMessages(body []byte) {
	content := jsonscan.Member(body, "content")
	if len(content) == 0 || content[0] != '[' {
		a.shape()
		return
	}
	for b := range jsonscan.Elements(content) {
		switch jsonscan.Text(jsonscan.Member(b, "type")) {
		case "text":
			a.anthropicText(b)
		case "thinking":
			a.thinking(jsonscan.Member(b, "thinking"), jsonscan.Member(b, "signature"))
		case "redacted_thinking":
			a.block(kindReasoning)
			a.blocks = append(append(append(a.blocks, `{"redactedContent":`...), jsonscan.Member(b, "data")...), '}', '}')
		case "tool_use":
			a.call(jsonscan.Member(b, "id"), jsonscan.Member(b, "name"), jsonscan.Member(b, "input"))
		default: // tools that run at AWS, and what is newer than this program
			a.member("anthropic", b)
		}
	}
	a.stopWord(jsonscan.Member(body, "stop_reason"))
	a.usage.anthropic(jsonscan.Member(body, "usage"))
}

// anthropicText adds a text block; one with citations becomes Converse's block of cited text.
func (a *answer) anthropicText(raw []byte) {
	text, citations := jsonscan.Member(raw, "text"), jsonscan.Member(raw, "citations")
	if len(citations) < 3 || citations[0] != '[' {
		a.text(text, "")
		return
	}
	a.cited(text, citations, appendCitation)
}

// appendCitation appends a citation of Claude's in Converse's words.
func appendCitation(dst, raw []byte) []byte {
	get := func(name string) []byte { return jsonscan.Member(raw, name) }
	add := func(before string, value []byte) {
		if value != nil && string(value) != "null" {
			dst = append(append(dst, before...), value...)
		}
	}
	title := get("document_title")
	if title == nil {
		title = get("title")
	}
	dst = append(dst, `{"title":`...)
	if _, ok := jsonscan.Inner(title); !ok {
		title = []byte(`""`)
	}
	dst = append(dst, title...)
	add(`,"source":`, get("source"))
	if text := get("cited_text"); text != nil {
		add(`,"sourceContent":[{"text":`, text)
		dst = append(dst, `}]`...)
	}
	span := func(name, index, from, to string) {
		dst = append(append(append(dst, `,"location":{"`...), name...), `":{"`...)
		dst = append(dst, index...)
		value := get("document_index")
		if index == "searchResultIndex" {
			value = get("search_result_index")
		}
		add(`":`, value)
		add(`,"start":`, get(from))
		add(`,"end":`, get(to))
		dst = append(dst, '}', '}')
	}
	switch jsonscan.Text(get("type")) {
	case "char_location":
		span("documentChar", "documentIndex", "start_char_index", "end_char_index")
	case "page_location":
		span("documentPage", "documentIndex", "start_page_number", "end_page_number")
	case "content_block_location":
		span("documentChunk", "documentIndex", "start_block_index", "end_block_index")
	case "search_result_location":
		span("searchResultLocation", "searchResultIndex", "start_block_index", "end_block_index")
	case "web_search_result_location":
		add(`,"location":{"web":{"url":`, get("url"))
		dst = append(dst, '}', '}')
	}
	return append(dst, '}')
}

// anthropic takes over Claude's counts; its input excludes what came from the cache or went into it. What is given again
// replaces what was there: a stream counts up.
func (u *usage) anthropic(raw []byte) {
	in := set(&u.input, jsonscan.Member(raw, "input_tokens"))
	out := set(&u.output, jsonscan.Member(raw, "output_tokens"))
	u.known = u.known || in && out
	set(&u.read, jsonscan.Member(raw, "cache_read_input_tokens"))
	set(&u.written, jsonscan.Member(raw, "cache_creation_input_tokens"))
	set(&u.written5m, jsonscan.Member(raw, "cache_creation", "ephemeral_5m_input_tokens"))
	set(&u.written1h, jsonscan.Member(raw, "cache_creation", "ephemeral_1h_input_tokens"))
	set(&u.searches, jsonscan.Member(raw, "server_tool_use", "web_search_requests"))
}
