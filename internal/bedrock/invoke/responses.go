package invoke

import (
	"strings"

	"github.com/outcrop-ai/outcrop/internal/bedrock/converse"
	"github.com/outcrop-ai/outcrop/internal/catalog"
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// nativeResponses is OpenAI's Responses API as bedrock-runtime and Mantle serve it, for conversations in the core's words.
// Nothing is kept at AWS: what was said before is sent again.
var nativeResponses = family{
	name: "responses",
	body: func(catalog.Ref) converse.Body {
		return converse.Body{
			NoVideo: true, NoAudio: true, NoDocuments: true, NoS3: true, NoCache: true, NoStop: true, NoTopK: true, OpenAI: true, Strict: true,
			Params: []string{"verbosity", "prompt_cache_key", "prompt_cache_retention", "prompt_cache_options"},
		}
	},
	encode: (*encoder).responses,
	answer: (*answer).responses,
	chunk:  (*chunks).responses,
}

func (e *encoder) responses() {
	d := &e.doc
	if len(d.system) > 0 {
		e.string("instructions", e.joinedTexts(d.system))
	}
	e.name("input")
	start := len(e.dst)
	for i := range d.turns {
		e.responseTurn(&d.turns[i])
	}
	if len(e.dst) == start {
		e.dst = append(e.dst, '[')
	}
	e.dst[start] = '['
	e.dst = append(e.dst, ']')
	e.raw("store", []byte("false"))
	e.raw("max_output_tokens", d.maxTokens)
	e.raw("temperature", d.temperature)
	e.raw("top_p", d.topP)
	if effort := d.field("reasoning_effort"); effort != nil {
		e.raw("reasoning", append(append([]byte(`{"effort":`), effort...), `,"summary":"auto"}`...))
	}
	e.responseText()
	e.responseTools()
	e.rest()
}

// joinedTexts joins texts by empty lines: instructions are one text.
func (e *encoder) joinedTexts(blocks []block) string {
	var texts []string
	for i := range blocks {
		switch b := &blocks[i]; b.kind {
		case kindText:
			texts = append(texts, jsonscan.Text(b.value))
		case kindGuarded:
			texts = append(texts, e.guarded(jsonscan.Text(jsonscan.Member(b.value, "text", "text"))))
		default:
			e.refuse("system", b.kind+" has no place in instructions: use the Converse route")
		}
	}
	return strings.Join(texts, "\n\n")
}

// responseTurn writes a turn: its words as a message, and each call or result as an item of its own.
func (e *encoder) responseTurn(t *turn) {
	said := t.blocks[:0:0]
	flush := func() {
		if len(said) == 0 {
			return
		}
		role := "user"
		if t.assistant {
			role = "assistant"
		}
		e.dst = append(append(append(e.dst, `,{"type":"message","role":"`...), role...), `","content":`...)
		e.list(len(said), func(i int) { e.responsePart(&said[i], t.assistant) })
		e.dst = append(e.dst, '}')
		said = said[:0]
	}
	for i := range t.blocks {
		switch b := &t.blocks[i]; b.kind {
		case kindToolUse:
			flush()
			e.dst = append(append(e.dst, `,{"type":"function_call","call_id":`...), jsonscan.Member(b.value, "toolUseId")...)
			e.dst = append(append(e.dst, `,"name":`...), jsonscan.Member(b.value, "name")...)
			e.dst = append(e.dst, `,"arguments":`...)
			e.dst = append(llm.AppendString(e.dst, string(jsonscan.AppendCompact(nil, jsonscan.Member(b.value, "input")))), '}')
		case kindResult:
			flush()
			e.dst = append(append(e.dst, `,{"type":"function_call_output","call_id":`...), jsonscan.Member(b.value, "toolUseId")...)
			e.dst = append(e.dst, `,"output":`...)
			e.responseOutput(jsonscan.Member(b.value, "content"))
			e.dst = append(e.dst, '}')
		case kindReasoning: // another model's
			e.req.Lose("messages", "reasoning")
		default:
			said = append(said, *b)
		}
	}
	flush()
}

func (e *encoder) responsePart(b *block, assistant bool) {
	kind := `{"type":"input_text","text":`
	if assistant {
		kind = `{"type":"output_text","text":`
	}
	switch b.kind {
	case kindText:
		e.dst = append(append(append(e.dst, kind...), b.value...), '}')
	case kindGuarded:
		e.dst = append(e.dst, kind...)
		e.guardedText(b)
		e.dst = append(e.dst, '}')
	case kindCitations:
		e.dst = append(e.dst, kind...)
		e.dst = append(llm.AppendString(e.dst, citedText(b.value)), '}')
	case kindImage:
		e.responseImage(b.value)
	default:
		e.refuse("messages", b.kind+" has no place in the input of "+e.ref.ID+": use the Converse route")
	}
}

func (e *encoder) responseImage(raw []byte) {
	data, _ := jsonscan.Inner(jsonscan.Member(raw, "source", "bytes"))
	e.dst = append(append(e.dst, `{"type":"input_image","detail":"auto","image_url":"data:image/`...), jsonscan.Text(jsonscan.Member(raw, "format"))...)
	e.dst = append(append(append(e.dst, `;base64,`...), data...), `"}`...)
}

// responseOutput writes a call's result: a text, or parts where it holds images.
func (e *encoder) responseOutput(content []byte) {
	var texts []string
	images := 0
	for part := range jsonscan.Elements(content) {
		for kind, value := range jsonscan.Members(part) {
			switch kind {
			case kindText:
				texts = append(texts, jsonscan.Text(value))
			case "json", "searchResult":
				texts = append(texts, string(jsonscan.AppendCompact(nil, value)))
			case kindImage:
				images++
			default:
				e.refuse("messages", "a tool's result holds a "+kind+", which "+e.ref.ID+" cannot read")
			}
			break
		}
	}
	if images == 0 {
		e.dst = llm.AppendString(e.dst, strings.Join(texts, "\n"))
		return
	}
	blocks := readBlocks(content)
	e.list(len(blocks), func(i int) { e.responsePart(&blocks[i], false) })
}

// responseText writes the format of the answer, which Chat Completions has around the schema, and its wordiness.
func (e *encoder) responseText() {
	format, verbosity := e.doc.field("response_format"), e.doc.field("verbosity")
	if format == nil && verbosity == nil {
		return
	}
	e.object("text", func() {
		if format != nil {
			e.object("format", func() {
				e.raw("type", jsonscan.Member(format, "type"))
				for name, value := range jsonscan.Members(jsonscan.Member(format, "json_schema")) {
					e.raw(name, value)
				}
			})
		}
		e.raw("verbosity", verbosity)
	})
}

func (e *encoder) responseTools() {
	if len(e.doc.tools) == 0 {
		return
	}
	e.name("tools")
	e.list(len(e.doc.tools), func(i int) {
		t := &e.doc.tools[i]
		e.dst = append(append(e.dst, `{"type":"function","name":`...), t.name...)
		e.dst = append(append(e.dst, `,"description":`...), t.description...)
		e.dst = append(append(e.dst, `,"parameters":`...), t.schema...)
		if t.strict {
			e.dst = append(e.dst, `,"strict":true}`...)
		} else {
			e.dst = append(e.dst, `,"strict":false}`...)
		}
	})
	switch mode, name := e.doc.toolChoice(); mode {
	case "auto", "none":
		e.string("tool_choice", mode)
	case "any":
		e.string("tool_choice", "required")
	case "tool":
		e.raw("tool_choice", []byte(`{"type":"function","name":`+string(name)+`}`))
	}
}

// responses reads a response object.
func (a *answer) responses(body []byte) {
	output := jsonscan.Member(body, "output")
	if failure := jsonscan.Member(body, "error"); len(failure) > 0 && failure[0] == '{' {
		a.err = openAIError(failure, "")
		return
	}
	if len(output) == 0 || output[0] != '[' {
		a.shape()
		return
	}
	calls := false
	for item := range jsonscan.Elements(output) {
		switch jsonscan.Text(jsonscan.Member(item, "type")) {
		case "message":
			for part := range jsonscan.Elements(jsonscan.Member(item, "content")) {
				if text := jsonscan.Member(part, "text"); text != nil {
					a.text(text, "")
				} else {
					a.text(jsonscan.Member(part, "refusal"), "")
				}
			}
		case "reasoning":
			a.thinking(llm.AppendString(nil, reasoningText(item)), nil)
		case "function_call":
			calls = true
			a.call(orEmpty(jsonscan.Member(item, "call_id")), orEmpty(jsonscan.Member(item, "name")), argumentsOf(jsonscan.Member(item, "arguments")))
		default: // tools that run at AWS, and what is newer than this program
			a.member("openai", item)
		}
	}
	a.stopWord([]byte(responseStop(body, calls)))
	a.usage.responses(jsonscan.Member(body, "usage"))
	a.usage.searched(output)
	a.tier = jsonscan.Text(jsonscan.Member(body, "service_tier"))
}

// reasoningText joins the parts of a reasoning item: its whole text where the model gives it, else the summary.
func reasoningText(item []byte) string {
	for _, name := range [...]string{"content", "summary"} {
		var texts []string
		for part := range jsonscan.Elements(jsonscan.Member(item, name)) {
			texts = append(texts, jsonscan.Text(jsonscan.Member(part, "text")))
		}
		if len(texts) > 0 {
			return strings.Join(texts, "\n\n")
		}
	}
	return ""
}

// responseStop says why a response ended, as a JSON string in Converse's words.
func responseStop(body []byte, calls bool) string {
	switch reason := jsonscan.Text(jsonscan.Member(body, "incomplete_details", "reason")); {
	case reason == "content_filter":
		return `"content_filtered"`
	case reason != "" || jsonscan.Text(jsonscan.Member(body, "status")) == "incomplete":
		return `"max_tokens"`
	case calls:
		return `"tool_use"`
	default:
		return `"end_turn"`
	}
}

// responses takes over the counts of a response; what came from the cache or went into it is among the input there.
func (u *usage) responses(raw []byte) {
	if len(raw) == 0 || raw[0] != '{' {
		return
	}
	u.counts(raw, "input_tokens", "output_tokens")
	set(&u.read, jsonscan.Member(raw, "input_tokens_details", "cached_tokens"))
	set(&u.written, jsonscan.Member(raw, "input_tokens_details", "cache_write_tokens"))
	u.input = max(0, u.input-u.read-u.written)
	set(&u.reasoning, jsonscan.Member(raw, "output_tokens_details", "reasoning_tokens"))
}

// searched counts the searches among a response's items.
func (u *usage) searched(output []byte) {
	for item := range jsonscan.Elements(output) {
		if jsonscan.Text(jsonscan.Member(item, "type")) == "web_search_call" {
			u.searches++
		}
	}
}

// responses reads one event of a response's stream.
func (c *chunks) responses(event []byte) {
	member := func(name string) []byte { return jsonscan.Member(event, name) }
	switch jsonscan.Text(member("type")) {
	case "response.output_text.delta", "response.refusal.delta":
		c.text(member("delta"), "")
	case "response.reasoning_summary_text.delta", "response.reasoning_text.delta":
		c.thinking(member("delta"))
	case "response.reasoning_summary_part.added":
		if n, _ := number(member("summary_index")); n > 0 {
			c.thinking([]byte(`"\n\n"`))
		}
	case "response.output_item.added":
		if item := member("item"); jsonscan.Text(jsonscan.Member(item, "type")) == "function_call" {
			c.callStart(orEmpty(jsonscan.Member(item, "call_id")), orEmpty(jsonscan.Member(item, "name")))
			if c.calls == nil {
				c.calls = map[int]int{}
			}
			c.calls[c.outputIndex(event)] = c.block
		}
	case "response.function_call_arguments.delta":
		if block, open := c.calls[c.outputIndex(event)]; open {
			c.block, c.kind = block, kindToolUse
			c.callInput(member("delta"))
		}
	case "response.output_item.done":
		if block, open := c.calls[c.outputIndex(event)]; open {
			c.block = block
			c.close()
		}
	case "response.completed", "response.incomplete":
		response := member("response")
		c.usage.responses(jsonscan.Member(response, "usage"))
		c.usage.searched(jsonscan.Member(response, "output"))
		c.tier = jsonscan.Text(jsonscan.Member(response, "service_tier"))
		c.finishWith([]byte(responseStop(response, len(c.calls) > 0)))
	case "response.failed":
		c.fail(openAIError(jsonscan.Member(event, "response", "error"), c.requestID))
	case "error":
		c.fail(openAIError(event, c.requestID))
	}
}

func (c *chunks) outputIndex(event []byte) int {
	n, _ := number(jsonscan.Member(event, "output_index"))
	return int(n)
}
