package invoke

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"

	"github.com/outcrop-ai/outcrop/internal/bedrock/converse"
	"github.com/outcrop-ai/outcrop/internal/catalog"
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// cohereCommand is Command and Command Light, whose body is one text.
var cohereCommand = family{
	name:   "cohere-command",
	body:   func(catalog.Ref) converse.Body { return promptBody("logit_bias") },
	encode: (*encoder).cohereCommand,
	answer: func(a *answer, body []byte) {
		for generation := range jsonscan.Elements(jsonscan.Member(body, "generations")) {
			a.text(jsonscan.Member(generation, "text"), " ")
			a.stopWord(jsonscan.Member(generation, "finish_reason"))
			return
		}
		a.shape()
	},
	chunk: func(c *chunks, chunk []byte) {
		c.text(jsonscan.Member(chunk, "text"), " ")
		if string(jsonscan.Member(chunk, "is_finished")) == "true" {
			c.finishWith(jsonscan.Member(chunk, "finish_reason"))
		}
	},
}

func (e *encoder) cohereCommand() {
	e.writePrompt("prompt", &cohereTemplate)
	e.raw("max_tokens", e.doc.maxTokens)
	e.raw("temperature", e.doc.temperature)
	e.raw("p", e.doc.topP)
	e.strings("stop_sequences", e.doc.stops)
	if e.req.Stream { // the only family that wants to be told
		e.raw("stream", []byte("true"))
	}
	e.rest()
}

// cohereCommandR is Command R and R+.
var cohereCommandR = family{
	name: "cohere-command-r",
	body: func(catalog.Ref) converse.Body {
		return converse.Body{
			NoVision: true, NoVideo: true, NoAudio: true, NoDocuments: true, NoS3: true, NoCache: true, NoReasoning: true,
			Params: []string{"seed", "frequency_penalty", "presence_penalty"},
		}
	},
	encode: (*encoder).cohereCommandR,
	answer: (*answer).cohereCommandR,
	chunk: func(c *chunks, chunk []byte) {
		switch jsonscan.Text(jsonscan.Member(chunk, "event_type")) {
		case "text-generation":
			c.text(jsonscan.Member(chunk, "text"), "")
		case "tool-calls-generation":
			c.cohereCalls(jsonscan.Member(chunk, "tool_calls"))
		case "citation-generation":
			for citation := range jsonscan.Elements(jsonscan.Member(chunk, "citations")) {
				c.open(kindText)
				c.delta(`{"citation":`, cohereCitation(nil, citation), `}`)
			}
		case "stream-end":
			if c.calls == nil {
				c.cohereCalls(jsonscan.Member(chunk, "response", "tool_calls"))
			}
			c.finishWith(jsonscan.Member(chunk, "finish_reason"))
		}
	},
}

func (e *encoder) cohereCommandR() {
	turns := e.doc.turns
	message, results := `""`, []byte(nil)
	if n := len(turns); n > 0 && !turns[n-1].assistant {
		var text []byte
		text, results = e.cohereTurn(turns[n-1].blocks)
		message = string(text)
		turns = turns[:n-1]
	}
	e.name("message")
	e.dst = append(e.dst, message...)
	e.cohereHistory(turns)
	if preamble := e.joined(e.doc.system); preamble != "" {
		e.string("preamble", preamble)
	}
	e.cohereTools()
	e.raw("tool_results", results)
	e.raw("max_tokens", e.doc.maxTokens)
	e.raw("temperature", e.doc.temperature)
	e.raw("p", e.doc.topP)
	e.strings("stop_sequences", e.doc.stops)
	e.rest()
}

// joined returns the texts of blocks, a line each.
func (e *encoder) joined(blocks []block) string {
	w := promptWriter{e: e, t: &template{}}
	return w.join(blocks)
}

// cohereTurn splits a user's turn into its text, a JSON string, and the results of tools, nil if there are none.
func (e *encoder) cohereTurn(blocks []block) (text, results []byte) {
	var said []block
	for i := range blocks {
		b := &blocks[i]
		if b.kind != kindResult {
			said = append(said, *b)
			continue
		}
		if results == nil {
			results = append(results, '[')
		} else {
			results = append(results, ',')
		}
		results = e.cohereResult(results, b.value)
	}
	if results != nil {
		results = append(results, ']')
	}
	return llm.AppendString(nil, e.joined(said)), results
}

// cohereResult appends a result with the call that it answers, which is looked for in the conversation.
func (e *encoder) cohereResult(dst, result []byte) []byte {
	id := string(jsonscan.Member(result, "toolUseId"))
	name, input := []byte(`""`), []byte(`{}`)
	for i := range e.doc.turns {
		for j := range e.doc.turns[i].blocks {
			if b := &e.doc.turns[i].blocks[j]; b.kind == kindToolUse && string(jsonscan.Member(b.value, "toolUseId")) == id {
				name, input = jsonscan.Member(b.value, "name"), jsonscan.Member(b.value, "input")
			}
		}
	}
	dst = append(append(dst, `{"call":{"name":`...), name...)
	dst = append(append(dst, `,"parameters":`...), input...)
	dst = append(dst, `},"outputs":[`...)
	first := true
	for content := range jsonscan.Elements(jsonscan.Member(result, "content")) {
		for kind, value := range jsonscan.Members(content) {
			if !first {
				dst = append(dst, ',')
			}
			first = false
			if kind == "json" && value[0] == '{' {
				dst = append(dst, value...)
				break
			}
			if kind != kindText && kind != "json" {
				e.refuse("messages", "a tool's result holds a "+kind+", which Command R cannot read on InvokeModel")
			}
			dst = append(append(append(dst, `{"result":`...), value...), '}')
			break
		}
	}
	return append(dst, ']', '}')
}

func (e *encoder) cohereHistory(turns []turn) {
	if len(turns) == 0 {
		return
	}
	e.name("chat_history")
	comma := byte('[')
	for i := range turns {
		role, text, calls := "USER", []byte(nil), []byte(nil)
		if turns[i].assistant {
			role = "CHATBOT"
			text, calls = e.cohereAnswered(turns[i].blocks)
		} else {
			var results []byte
			if text, results = e.cohereTurn(turns[i].blocks); results != nil {
				e.dst = append(append(append(append(e.dst, comma), `{"role":"TOOL","tool_results":`...), results...), '}')
				comma = ','
				if string(text) == `""` {
					continue
				}
			}
		}
		e.dst = append(append(append(append(e.dst, comma), `{"role":"`...), role...), `","message":`...)
		e.dst = append(e.dst, text...)
		if calls != nil {
			e.dst = append(append(e.dst, `,"tool_calls":`...), calls...)
		}
		e.dst = append(e.dst, '}')
		comma = ','
	}
	e.dst = append(e.dst, ']')
}

// cohereAnswered splits an answer of the history into its text, a JSON string, and its calls.
func (e *encoder) cohereAnswered(blocks []block) (text, calls []byte) {
	var said []block
	for i := range blocks {
		b := &blocks[i]
		if b.kind != kindToolUse {
			said = append(said, *b)
			continue
		}
		if calls == nil {
			calls = append(calls, '[')
		} else {
			calls = append(calls, ',')
		}
		calls = append(append(calls, `{"name":`...), jsonscan.Member(b.value, "name")...)
		calls = append(append(append(calls, `,"parameters":`...), jsonscan.Member(b.value, "input")...), '}')
	}
	if calls != nil {
		calls = append(calls, ']')
	}
	return llm.AppendString(nil, e.joined(said)), calls
}

// cohereTypes are Command R's words for the types of JSON Schema.
var cohereTypes = map[string]string{
	"string": "str", "integer": "int", "number": "float", "boolean": "bool", "array": "list", "object": "dict",
}

// cohereTools writes the tools with their parameters one by one: the body knows no schemas.
func (e *encoder) cohereTools() {
	if len(e.doc.tools) == 0 {
		return
	}
	e.name("tools")
	e.list(len(e.doc.tools), func(i int) {
		t := &e.doc.tools[i]
		e.dst = append(append(e.dst, `{"name":`...), t.name...)
		e.dst = append(append(e.dst, `,"description":`...), t.description...)
		e.dst = append(e.dst, `,"parameter_definitions":{`...)
		e.cohereParameters(i, t.schema)
		e.dst = append(e.dst, '}', '}')
	})
	if mode, _ := e.doc.toolChoice(); mode == "any" || mode == "tool" {
		e.unsupported("tool_choice")
	}
}

func (e *encoder) cohereParameters(at int, schema []byte) {
	required := map[string]bool{}
	for name := range jsonscan.Elements(jsonscan.Member(schema, "required")) {
		required[jsonscan.Text(name)] = true
	}
	first := true
	for name, property := range jsonscan.Members(jsonscan.Member(schema, "properties")) {
		kind := cohereTypes[jsonscan.Text(jsonscan.Member(property, "type"))]
		if kind == "" || jsonscan.Member(property, "properties") != nil || jsonscan.Member(property, "$ref") != nil {
			e.refuse("tools["+strconv.Itoa(at)+"].function.parameters", "the parameter "+strconv.Quote(name)+
				" is no plain value: Command R takes flat parameters on InvokeModel; the Converse route takes any schema")
			return
		}
		if !first {
			e.dst = append(e.dst, ',')
		}
		first = false
		e.dst = append(llm.AppendString(e.dst, name), ':', '{')
		if description := jsonscan.Member(property, "description"); description != nil {
			e.dst = append(append(append(e.dst, `"description":`...), description...), ',')
		}
		e.dst = append(append(append(e.dst, `"type":"`...), kind...), `","required":`...)
		e.dst = append(strconv.AppendBool(e.dst, required[name]), '}')
	}
}

func (a *answer) cohereCommandR(body []byte) {
	text := jsonscan.Member(body, "text")
	calls := jsonscan.Member(body, "tool_calls")
	if text == nil && calls == nil {
		a.shape()
		return
	}
	if citations := jsonscan.Member(body, "citations"); len(citations) > 2 && text != nil {
		a.cited(text, citations, cohereCitation)
	} else {
		a.text(text, "")
	}
	n := 0
	for call := range jsonscan.Elements(calls) {
		n++
		a.call(cohereCallID(n, call), jsonscan.Member(call, "name"), jsonscan.Member(call, "parameters"))
	}
	a.stopWord(jsonscan.Member(body, "finish_reason"))
}

// cohereCallID makes an id for a call, since Command R gives none: the same for the same call.
func cohereCallID(n int, call []byte) []byte {
	sum := sha256.Sum256(call)
	return []byte(`"call_` + strconv.Itoa(n) + "_" + hex.EncodeToString(sum[:4]) + `"`)
}

// cohereCitation appends a citation in Converse's words.
func cohereCitation(dst, citation []byte) []byte {
	dst = append(dst, `{"title":`...)
	title := []byte(`""`)
	for id := range jsonscan.Elements(jsonscan.Member(citation, "document_ids")) {
		title = id
		break
	}
	dst = append(append(dst, title...), `,"sourceContent":[{"text":`...)
	if text := jsonscan.Member(citation, "text"); text != nil {
		dst = append(dst, text...)
	} else {
		dst = append(dst, `""`...)
	}
	return append(dst, `}]}`...)
}

// cohereCalls queues calls, which come whole.
func (c *chunks) cohereCalls(calls []byte) {
	for call := range jsonscan.Elements(calls) {
		if c.calls == nil {
			c.calls = map[int]int{}
		}
		n := len(c.calls) + 1
		c.calls[n] = n
		c.callStart(cohereCallID(n, call), jsonscan.Member(call, "name"))
		c.callInput(llm.AppendString(nil, string(jsonscan.Member(call, "parameters"))))
		c.close()
	}
}
