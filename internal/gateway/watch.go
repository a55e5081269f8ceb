package gateway

import (
	"bytes"
	"encoding/json"
	"strconv"

	"github.com/outcrop-ai/outcrop/internal/dialect/openai"
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/internal/telemetry"
	"github.com/outcrop-ai/outcrop/llm"
)

// Watch says what those want to know who are told of finished calls.
type Watch struct {
	// Contents says that they want to know what was said. Redact keeps it from them all the same.
	Contents, Redact bool
	// IgnoreNoLog has them told of calls whose clients ask that they are not (no-log).
	IgnoreNoLog bool
}

// maxContent bounds what is kept of a request's and of an answer's words for those who watch, in bytes each: an image in a
// callback helps nobody.
const maxContent = 1 << 20

// watch keeps what those who watch want to know of a request. Without them it does nothing, and nothing is copied.
func (x *exchange) watch(data []byte) {
	w := x.server.Watch
	if w == nil {
		return
	}
	c := &telemetry.Content{Redacted: w.Contents && (w.Redact || x.wantsRedaction())}
	x.call.Content = c
	tell := w.Contents && !c.Redacted
	var messages, system []byte
	parameters := []byte{'{'}
	for name, value := range jsonscan.Members(data) {
		switch name {
		case "no-log", "no_log":
			c.NoLog = c.NoLog || !w.IgnoreNoLog && string(value) == "true"
		case "metadata", "litellm_metadata":
			if value[0] == '{' && len(value) <= maxContent {
				c.Metadata = bytes.Clone(value)
			}
		case "messages", "input", "prompt", "query":
			messages = value
		case "system", "instructions":
			system = value
		default:
			if isParameter(name, tell) && len(value) <= maxContent {
				if len(parameters) > 1 {
					parameters = append(parameters, ',')
				}
				parameters = append(append(llm.AppendString(parameters, name), ':'), value...)
			}
		}
	}
	c.Parameters = append(parameters, '}')
	if !tell || c.NoLog || messages == nil {
		return
	}
	if size := len(messages) + len(system); size > maxContent {
		c.Messages = leftOut(size)
		return
	}
	c.Messages = withSystem(messages, system)
}

// wantsRedaction reports whether the client asks, by LiteLLM's header, that nobody is told what was said.
func (x *exchange) wantsRedaction() bool {
	for _, name := range [...]string{"X-Litellm-Enable-Message-Redaction", "Litellm-Enable-Message-Redaction"} {
		if v := x.r.Header.Get(name); v != "" && v != "false" {
			return true
		}
	}
	return false
}

// withSystem returns a conversation whose system text stands in front of its messages, in a copy.
func withSystem(messages, system []byte) []byte {
	inner, isList := bytes.CutPrefix(messages, []byte("["))
	if system == nil || string(system) == "null" || !isList {
		return bytes.Clone(messages)
	}
	out := append(append([]byte(`[{"role":"system","content":`), system...), '}')
	if trimmed := bytes.TrimLeft(inner, " \t\r\n"); len(trimmed) > 0 && trimmed[0] != ']' {
		out = append(out, ',')
	}
	return append(out, inner...)
}

// leftOut stands for a content that is too long to be kept.
func leftOut(size int) json.RawMessage {
	return json.RawMessage(`"left out: ` + strconv.Itoa(size) + ` bytes"`)
}

// kept returns a copy of a content, if it is short enough.
func kept(data []byte) json.RawMessage {
	if len(data) > maxContent {
		return leftOut(len(data))
	}
	return bytes.Clone(data)
}

// isParameter knows the members of a body that are parameters of a model. What else a client sends may hold a secret.
// contents says that those count which have words in them.
func isParameter(name string, contents bool) bool {
	switch name {
	case "temperature", "top_p", "top_k", "max_tokens", "max_completion_tokens", "max_output_tokens", "n", "stop", "stop_sequences", "seed",
		"presence_penalty", "frequency_penalty", "logit_bias", "logprobs", "top_logprobs", "tool_choice", "parallel_tool_calls",
		"reasoning_effort", "reasoning", "thinking", "stream", "stream_options", "service_tier", "dimensions", "encoding_format",
		"size", "quality", "style", "top_n", "user", "modalities", "verbosity":
		return true
	case "tools", "response_format", "functions", "text":
		return contents
	}
	return false
}

// watched keeps a whole answer for those who watch.
func (x *exchange) watched(status int, data []byte) {
	if c := x.call.Content; c != nil && x.server.Watch.Contents && !c.Redacted && !c.NoLog && status < 300 {
		c.Response = kept(data)
	}
}

// gather returns what puts an answer's events together for those who watch; nil when nobody wants it.
func (x *exchange) gather() *gathered {
	if c := x.call.Content; c != nil && x.server.Watch.Contents && !c.Redacted && !c.NoLog {
		return &gathered{}
	}
	return nil
}

// gathered is a streamed answer that is put together again.
type gathered struct {
	choices []choice
	usage   llm.Usage
	size    int
}

type choice struct {
	stop   llm.StopReason
	raw    string
	blocks []gatheredBlock
}

type gatheredBlock struct {
	kind            llm.BlockKind
	index           int32
	id, name        string
	text, signature []byte // spellings; a tool's input is plain
}

// add copies what an event brings.
func (g *gathered) add(ev *llm.Event) {
	if g == nil || g.size > maxContent {
		return
	}
	for len(g.choices) <= int(ev.Choice) {
		g.choices = append(g.choices, choice{})
	}
	c := &g.choices[ev.Choice]
	if g.size += ev.Text.Size(); g.size > maxContent {
		g.choices = nil
		return
	}
	switch ev.Kind {
	case llm.EventText:
		b := c.block(llm.BlockText, ev.Index)
		b.text = ev.Text.AppendInner(b.text)
	case llm.EventThinking:
		b := c.block(llm.BlockThinking, ev.Index)
		b.text = ev.Text.AppendInner(b.text)
	case llm.EventSignature:
		b := c.block(llm.BlockThinking, ev.Index)
		b.signature = ev.Text.AppendInner(b.signature)
	case llm.EventRedacted:
		b := c.block(llm.BlockRedacted, ev.Index)
		b.signature = ev.Text.AppendInner(b.signature)
	case llm.EventToolStart:
		b := c.block(llm.BlockToolUse, ev.Index)
		b.id, b.name = ev.ToolID, ev.ToolName
	case llm.EventToolInput:
		b := c.block(llm.BlockToolUse, ev.Index)
		b.text = append(b.text, ev.Text.String()...)
	case llm.EventStop:
		c.stop, c.raw = ev.Stop, ev.StopRaw
	case llm.EventUsage:
		if ev.Usage != nil {
			g.usage = *ev.Usage
		}
	}
}

// block returns the block of an index, a new one if it is of another kind.
func (c *choice) block(kind llm.BlockKind, index int32) *gatheredBlock {
	for i := range c.blocks {
		if b := &c.blocks[i]; b.kind == kind && b.index == index {
			return b
		}
	}
	c.blocks = append(c.blocks, gatheredBlock{kind: kind, index: index})
	return &c.blocks[len(c.blocks)-1]
}

// response returns the whole answer, nil if nothing came.
func (g *gathered) response() *llm.Response {
	var whole *llm.Response
	for i := range g.choices {
		c := &g.choices[i]
		r := &llm.Response{Stop: c.stop, StopRaw: c.raw, Usage: g.usage}
		for _, b := range c.blocks {
			block := llm.Block{Kind: b.kind, Text: llm.RawText(b.text), Signature: llm.RawText(b.signature)}
			if b.kind == llm.BlockToolUse {
				input := json.RawMessage(b.text)
				if len(bytes.TrimSpace(b.text)) == 0 || !json.Valid(b.text) {
					input = json.RawMessage("{}")
				}
				block.Text, block.Tool = llm.Text{}, &llm.ToolBlock{ID: b.id, Name: b.name, Input: input}
			}
			r.Blocks = append(r.Blocks, block)
		}
		if whole == nil {
			whole = r
		} else {
			whole.Further = append(whole.Further, r)
		}
	}
	return whole
}

// gatheredAnswer keeps a streamed answer as the dialect would have answered whole.
func (x *exchange) gatheredAnswer(g *gathered, dialect *chatDialect, chunks chunkWriter, control *openai.Control) {
	if g == nil {
		return
	}
	c := x.call.Content
	if own, ok := chunks.(interface{ Last() []byte }); ok { // the Responses API puts its answers together itself
		c.Response = kept(own.Last())
		return
	}
	if g.size > maxContent {
		c.Response = leftOut(g.size)
	} else if r := g.response(); r != nil {
		c.Response = dialect.encode(nil, x, control, r)
	}
}
