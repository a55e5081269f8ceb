package invoke

import (
	"strings"

	"github.com/outcrop-ai/outcrop/internal/bedrock/converse"
	"github.com/outcrop-ai/outcrop/internal/catalog"
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// openaiChat is every model whose own API is OpenAI's Chat Completions: GPT-OSS, Qwen, DeepSeek V3, Kimi, GLM, MiniMax,
// Gemma, Nemotron, Palmyra, the newer Mistral models, and imported ones.
var openaiChat = family{
	name: "openai-chat",
	body: func(ref catalog.Ref) converse.Body {
		return converse.Body{
			NoVideo: true, NoDocuments: true, NoS3: true, NoCache: true, NoStop: isKimi(ref), OpenAI: true,
			ThinkTags: ref.Family == "openai",
			Params:    []string{"seed", "logit_bias", "presence_penalty", "frequency_penalty", "logprobs", "top_logprobs"},
		}
	},
	encode: (*encoder).openaiChat,
	answer: (*answer).choicesAnswer,
	chunk:  (*chunks).choicesChunk,
}

// isKimi tells the models that take neither lists of texts nor stop sequences nor a demand for a call.
func isKimi(ref catalog.Ref) bool {
	return ref.Family == "moonshot" || strings.Contains(ref.ID, "kimi") || ref.Model != nil && strings.Contains(ref.Model.ID, "kimi")
}

func (e *encoder) openaiChat() {
	d := &e.doc
	e.name("messages")
	start := len(e.dst)
	if len(d.system) > 0 {
		e.dst = append(e.dst, `,{"role":"system","content":`...)
		e.openaiContent(d.system)
		e.dst = append(e.dst, '}')
	}
	for i := range d.turns {
		if d.turns[i].assistant {
			e.openaiAnswer(d.turns[i].blocks)
		} else {
			e.openaiUser(d.turns[i].blocks)
		}
	}
	mode, name := d.toolChoice()
	if mode == "any" && isKimi(e.ref) {
		e.dst = append(e.dst, `,{"role":"user","content":"Call one of the tools to answer."}`...)
		e.req.Lose("tool_choice", "asked")
		mode = "auto"
	}
	if len(e.dst) == start {
		e.dst = append(e.dst, '[')
	}
	e.dst[start] = '['
	e.dst = append(e.dst, ']')
	if e.native == nil {
		e.raw("max_tokens", d.maxTokens)
	} else {
		e.raw("max_completion_tokens", d.maxTokens)
	}
	e.raw("temperature", d.temperature)
	e.raw("top_p", d.topP)
	e.strings("stop", d.stops)
	e.openaiTools(mode, name)
	e.rest()
}

// openaiContent writes texts and files: one text as a string, more as a list of parts.
func (e *encoder) openaiContent(blocks []block) {
	texts := true
	for i := range blocks {
		texts = texts && blocks[i].kind != kindImage && blocks[i].kind != "audio"
	}
	if texts && (len(blocks) == 1 || isKimi(e.ref)) {
		e.dst = llm.AppendString(e.dst, e.joined(blocks))
		return
	}
	e.list(len(blocks), func(i int) { e.openaiPart(&blocks[i]) })
}

func (e *encoder) openaiPart(b *block) {
	switch b.kind {
	case kindText:
		e.dst = append(append(append(e.dst, `{"type":"text","text":`...), b.value...), '}')
	case kindGuarded:
		e.dst = append(e.dst, `{"type":"text","text":`...)
		e.guardedText(b)
		e.dst = append(e.dst, '}')
	case kindImage:
		data, _ := jsonscan.Inner(jsonscan.Member(b.value, "source", "bytes"))
		e.dst = append(append(e.dst, `{"type":"image_url","image_url":{"url":"data:image/`...), jsonscan.Text(jsonscan.Member(b.value, "format"))...)
		e.dst = append(append(append(e.dst, `;base64,`...), data...), `"}}`...)
	case "audio":
		e.dst = append(append(e.dst, `{"type":"input_audio","input_audio":{"data":`...), jsonscan.Member(b.value, "source", "bytes")...)
		e.dst = append(append(append(e.dst, `,"format":`...), jsonscan.Member(b.value, "format")...), '}', '}')
	default:
		e.refuse("messages", b.kind+" has no place in the body of "+e.ref.ID+": use the Converse route")
	}
}

// openaiUser writes a turn of the user's: each tool's result as a message of its own, then the rest.
func (e *encoder) openaiUser(blocks []block) {
	var said []block
	for i := range blocks {
		b := &blocks[i]
		if b.kind != kindResult {
			said = append(said, *b)
			continue
		}
		e.dst = append(append(e.dst, `,{"role":"tool","tool_call_id":`...), jsonscan.Member(b.value, "toolUseId")...)
		e.dst = append(e.dst, `,"content":`...)
		e.openaiResult(jsonscan.Member(b.value, "content"))
		e.dst = append(e.dst, '}')
	}
	if len(said) > 0 {
		e.dst = append(e.dst, `,{"role":"user","content":`...)
		e.openaiContent(said)
		e.dst = append(e.dst, '}')
	}
}

func (e *encoder) openaiResult(content []byte) {
	var texts []string
	for part := range jsonscan.Elements(content) {
		for kind, value := range jsonscan.Members(part) {
			switch kind {
			case kindText:
				texts = append(texts, jsonscan.Text(value))
			case "json", "searchResult":
				texts = append(texts, string(jsonscan.AppendCompact(nil, value)))
			default:
				e.refuse("messages", "a tool's result holds a "+kind+", which "+e.ref.ID+" cannot read")
			}
			break
		}
	}
	e.dst = llm.AppendString(e.dst, strings.Join(texts, "\n"))
}

// openaiAnswer writes an answer of the history.
func (e *encoder) openaiAnswer(blocks []block) {
	var said, calls []block
	for i := range blocks {
		if blocks[i].kind == kindToolUse {
			calls = append(calls, blocks[i])
		} else {
			said = append(said, blocks[i])
		}
	}
	e.dst = append(e.dst, `,{"role":"assistant","content":`...)
	if len(said) > 0 {
		e.dst = llm.AppendString(e.dst, e.joined(said))
	} else {
		e.dst = append(e.dst, `null`...)
	}
	if len(calls) > 0 {
		e.dst = append(e.dst, `,"tool_calls":`...)
		e.list(len(calls), func(i int) {
			v := calls[i].value
			e.dst = append(append(e.dst, `{"id":`...), jsonscan.Member(v, "toolUseId")...)
			e.dst = append(append(e.dst, `,"type":"function","function":{"name":`...), jsonscan.Member(v, "name")...)
			e.dst = append(e.dst, `,"arguments":`...)
			e.dst = append(llm.AppendString(e.dst, string(jsonscan.AppendCompact(nil, jsonscan.Member(v, "input")))), '}', '}')
		})
	}
	e.dst = append(e.dst, '}')
}

func (e *encoder) openaiTools(mode string, name []byte) {
	if len(e.doc.tools) == 0 {
		return
	}
	e.name("tools")
	e.list(len(e.doc.tools), func(i int) {
		t := &e.doc.tools[i]
		e.dst = append(append(e.dst, `{"type":"function","function":{"name":`...), t.name...)
		e.dst = append(append(e.dst, `,"description":`...), t.description...)
		e.dst = append(append(e.dst, `,"parameters":`...), t.schema...)
		if t.strict && e.native != nil {
			e.dst = append(e.dst, `,"strict":true`...)
		}
		e.dst = append(e.dst, '}', '}')
	})
	switch mode {
	case "auto", "none":
		e.string("tool_choice", mode)
	case "any":
		e.string("tool_choice", "required")
	case "tool":
		e.raw("tool_choice", []byte(`{"type":"function","function":{"name":`+string(name)+`}}`))
	}
}

// firstChoice returns the first of an answer's choices, nil if there is none.
func firstChoice(body []byte) []byte {
	for choice := range jsonscan.Elements(jsonscan.Member(body, "choices")) {
		return choice
	}
	return nil
}

// stopOfChoice returns why a choice ended: some models say so in a word of their own.
func stopOfChoice(choice []byte) []byte {
	if reason := jsonscan.Member(choice, "finish_reason"); len(reason) > 2 && reason[0] == '"' {
		return reason
	}
	return jsonscan.Member(choice, "stop_reason")
}

// choicesAnswer reads an answer in OpenAI's shape, of chats and of completions.
func (a *answer) choicesAnswer(body []byte) {
	a.tier = jsonscan.Text(jsonscan.Member(body, "service_tier"))
	choice := firstChoice(body)
	message, text := jsonscan.Member(choice, "message"), jsonscan.Member(choice, "text")
	if message == nil && text == nil {
		a.shape()
		return
	}
	a.thinking(reasoningOf(message), nil)
	if message == nil {
		message = choice
	} else {
		text = jsonscan.Member(message, "content")
	}
	a.text(text, "")
	if logprobs := jsonscan.Member(choice, "logprobs"); len(logprobs) > 0 && logprobs[0] == '{' {
		a.logprobs = logprobs
	}
	for call := range jsonscan.Elements(jsonscan.Member(message, "tool_calls")) {
		function := jsonscan.Member(call, "function")
		a.call(orEmpty(jsonscan.Member(call, "id")), orEmpty(jsonscan.Member(function, "name")), argumentsOf(jsonscan.Member(function, "arguments")))
	}
	a.stopWord(stopOfChoice(choice))
	a.usage.openai(jsonscan.Member(body, "usage"))
}

// reasoningOf returns the reasoning of a message or delta, under either name.
func reasoningOf(message []byte) []byte {
	if text := jsonscan.Member(message, "reasoning_content"); len(text) > 2 && text[0] == '"' {
		return text
	}
	return jsonscan.Member(message, "reasoning")
}

// argumentsOf returns the arguments of a call, a string that holds JSON. What is no JSON, as of an answer that was cut off,
// stays a string.
func argumentsOf(raw []byte) []byte {
	text := strings.TrimSpace(jsonscan.Text(raw))
	switch {
	case len(raw) > 0 && raw[0] == '{':
		return raw
	case text == "":
		return []byte(`{}`)
	case jsonscan.Valid([]byte(text)) == nil:
		return []byte(text)
	default:
		return raw
	}
}

// openai takes over OpenAI's counts; what came from the cache is among the prompt's tokens there.
func (u *usage) openai(raw []byte) {
	if raw == nil || string(raw) == "null" {
		return
	}
	u.counts(raw, "prompt_tokens", "completion_tokens")
	set(&u.reasoning, jsonscan.Member(raw, "completion_tokens_details", "reasoning_tokens"))
	if set(&u.read, jsonscan.Member(raw, "prompt_tokens_details", "cached_tokens")) {
		u.input = max(0, u.input-u.read)
	}
}

// choicesChunk reads a chunk in OpenAI's shape, of chats and of completions.
func (c *chunks) choicesChunk(chunk []byte) {
	if failure := jsonscan.Member(chunk, "error"); len(failure) > 0 && failure[0] == '{' {
		c.fail(openAIError(failure, c.requestID))
		return
	}
	c.usage.openai(jsonscan.Member(chunk, "usage"))
	if tier := jsonscan.Text(jsonscan.Member(chunk, "service_tier")); tier != "" {
		c.tier = tier
	}
	choice := firstChoice(chunk)
	if choice == nil {
		return
	}
	delta := jsonscan.Member(choice, "delta")
	if delta == nil {
		delta = jsonscan.Member(choice, "message") // some models stream one whole message
	}
	c.thinking(reasoningOf(delta))
	content := jsonscan.Member(delta, "content")
	if logprobs := jsonscan.Member(choice, "logprobs"); len(logprobs) > 0 && logprobs[0] == '{' && len(c.turn.stops) == 0 {
		c.textWith(content, logprobs)
	} else {
		c.text(content, "")
	}
	c.text(jsonscan.Member(choice, "text"), "")
	for call := range jsonscan.Elements(jsonscan.Member(delta, "tool_calls")) {
		c.choicesCall(call)
	}
	c.finishWith(stopOfChoice(choice))
}

// choicesCall reads a piece of a call. A call begins with its first piece; its number tells which one goes on.
func (c *chunks) choicesCall(call []byte) {
	n, _ := number(jsonscan.Member(call, "index"))
	function := jsonscan.Member(call, "function")
	block, open := c.calls[int(n)]
	if !open {
		if c.calls == nil {
			c.calls = map[int]int{}
		}
		c.callStart(orEmpty(jsonscan.Member(call, "id")), orEmpty(jsonscan.Member(function, "name")))
		block = c.block
		c.calls[int(n)] = block
	}
	c.block, c.kind = block, kindToolUse
	arguments := jsonscan.Member(function, "arguments")
	if len(arguments) > 0 && arguments[0] == '{' {
		arguments = llm.AppendString(nil, string(arguments))
	}
	c.callInput(arguments)
}
