package sim

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"sync"
)

// anthropicMessages is the Messages API as Claude on Bedrock speaks it.
type anthropicMessages struct{}

func (anthropicMessages) speaks(model string, body members) bool {
	return strings.Contains(model, "anthropic.claude") || isARN(model) && body.have("anthropic_version")
}

// anthropicShape is the request body. Claude's members grow by the month: objects whose growth is usual are open.
var anthropicShape = sync.OnceValue(func() *shape {
	cache := structure("cache_control", need("type", oneOf("ephemeral")), may("ttl", oneOf("5m", "1h")))
	media := tagged("source",
		member{name: "base64", shape: structure("base64", need("type", text()), need("media_type", text()), need("data", blob().from(1)))},
		member{name: "text", shape: structure("text", need("type", text()), need("media_type", text()), need("data", text()))},
		member{name: "content", shape: structure("content", need("type", text()), need("content", anyJSON()))})
	textBlock := structure("text", need("type", text()), need("text", text().from(1)), may("cache_control", cache), may("citations", anyJSON()))
	image := structure("image", need("type", text()), need("source", media), may("cache_control", cache))
	document := structure("document", need("type", text()), need("source", media), may("title", text()), may("context", text()), may("citations", anyJSON()), may("cache_control", cache))
	inner := tagged("content", may("text", textBlock), may("image", image), may("document", document),
		may("search_result", structure("search_result", need("type", text())).extensible()), may("tool_reference", structure("tool_reference", need("type", text())).extensible()))
	useID := text().matching(`[a-zA-Z0-9_-]+`)
	block := tagged("content", may("text", textBlock), may("image", image), may("document", document),
		may("tool_use", structure("tool_use", need("type", text()), need("id", useID), need("name", text().between(1, 200)), need("input", anyJSON()), may("cache_control", cache)).extensible()),
		may("tool_result", structure("tool_result", need("type", text()), need("tool_use_id", useID), may("content", either(list(inner))), may("is_error", boolean()), may("cache_control", cache))),
		may("thinking", structure("thinking", need("type", text()), need("thinking", text()), need("signature", text()))),
		may("redacted_thinking", structure("redacted_thinking", need("type", text()), need("data", text()))),
		may("search_result", structure("search_result", need("type", text())).extensible()))
	return structure("MessagesRequest",
		need("anthropic_version", oneOf("bedrock-2023-05-31", sdkVersion)), need("max_tokens", integer().from(1)),
		need("messages", list(structure("message", need("role", oneOf("user", "assistant", "system")), need("content", either(list(block)))))),
		may("system", either(list(textBlock))), may("temperature", number().between(0, 1)), may("top_p", number().between(0, 1)), may("top_k", integer().from(0)),
		may("stop_sequences", list(text())), may("anthropic_beta", list(text())), may("metadata", anyJSON()),
		may("tools", list(structure("tool", need("name", text().between(1, 128).matching(`[a-zA-Z0-9_-]{1,128}`)), may("input_schema", anyJSON()), may("type", text()), may("description", text()), may("cache_control", cache)).extensible())),
		may("tool_choice", structure("tool_choice", need("type", oneOf("auto", "any", "tool", "none")), may("name", text()), may("disable_parallel_tool_use", boolean()))),
		may("thinking", structure("thinking", need("type", oneOf("enabled", "adaptive", "disabled")), may("budget_tokens", integer().from(1024))).extensible()),
		may("output_config", anyJSON()), may("context_management", anyJSON()), may("amazon-bedrock-guardrailConfig", anyJSON()))
})

// anthropicWords is the model's own way to refuse.
func anthropicWords(problems []problem) *apiError {
	if len(problems) == 0 {
		return nil
	}
	p := problems[0]
	at := p.at.dotted()
	if p.what == mismatchUnknown {
		return validationError("%s: Extra inputs are not permitted", strings.TrimPrefix(at+"."+p.detail, "."))
	}
	if at == "" {
		at = "request"
	}
	switch p.what {
	case mismatchMissing:
		return validationError("%s: Field required", at)
	case mismatchTag:
		return validationError("%s: Input tag '%s' found using 'type' does not match any of the expected tags", at, p.detail)
	case mismatchConstraint:
		return validationError("%s: %s", at, strings.Replace(p.detail, "Member must", "Input should", 1))
	default:
		return validationError("%s: Input is of the wrong type: %s", at, p.detail)
	}
}

type anthropicRequest struct {
	MaxTokens int `json:"max_tokens"`
	Messages  []struct {
		Role    string
		Content anthropicContent
	}
	System        anthropicContent
	StopSequences []string `json:"stop_sequences"`
	Tools         []struct {
		Name, Description string
		InputSchema       any        `json:"input_schema"`
		CacheControl      *cacheMark `json:"cache_control"`
	}
	ToolChoice *struct{ Type, Name string } `json:"tool_choice"`
	Thinking   struct {
		Type         string
		BudgetTokens int `json:"budget_tokens"`
	}
	OutputConfig struct {
		Format struct{ Schema json.RawMessage }
	} `json:"output_config"`
}

// anthropicContent is a text or a list of blocks; here always a list.
type anthropicContent []anthropicBlock

func (c *anthropicContent) UnmarshalJSON(raw []byte) error {
	if raw = bytes.TrimSpace(raw); len(raw) > 0 && raw[0] == '"' {
		var s string
		if err := json.Unmarshal(raw, &s); err != nil {
			return err
		}
		*c = anthropicContent{{Type: "text", Text: s}}
		return nil
	}
	var blocks []anthropicBlock
	err := json.Unmarshal(raw, &blocks)
	*c = blocks
	return err
}

type anthropicBlock struct {
	Type, Text, Thinking, Title, ID, Name string
	Input                                 json.RawMessage
	ToolUseID                             string           `json:"tool_use_id"`
	Content                               anthropicContent // of a tool result
	CacheControl                          *cacheMark       `json:"cache_control"`
	Source                                anthropicSource
}

// anthropicSource is where media comes from; of what a search found it is an address, which says nothing here.
type anthropicSource struct {
	Type      string
	MediaType string `json:"media_type"`
	Data      string
}

func (s *anthropicSource) UnmarshalJSON(raw []byte) error {
	if raw = bytes.TrimSpace(raw); len(raw) > 0 && raw[0] == '"' {
		return nil
	}
	type plain anthropicSource
	return json.Unmarshal(raw, (*plain)(s))
}

func (anthropicMessages) read(model string, body []byte) (*prompt, *apiError) {
	v, refused := parseJSON(body)
	if refused != nil {
		return nil, refused
	}
	if refused := anthropicWords(anthropicShape().check(v)); refused != nil {
		return nil, refused
	}
	var req anthropicRequest
	if err := json.Unmarshal(body, &req); err != nil {
		return nil, serializationError("The request could not be read: %v", err)
	}
	if refused := req.checkRules(); refused != nil {
		return nil, refused
	}
	return req.prompt(model), nil
}

// checkRules are the rules across blocks. Unlike Converse, Messages joins turns of one role.
func (req *anthropicRequest) checkRules() *apiError {
	if len(req.Messages) == 0 {
		return validationError("messages: at least one message is required")
	}
	if req.Messages[0].Role != "user" {
		return validationError("messages.0: first message must use the \"user\" role")
	}
	names := map[string]bool{}
	for _, t := range req.Tools {
		if names[t.Name] {
			return validationError("tools: Tool names must be unique.")
		}
		names[t.Name] = true
	}
	if c := req.ToolChoice; c != nil && c.Type == "tool" && !names[c.Name] {
		return validationError("Tool '%s' not found in provided tools", c.Name)
	}
	if req.Thinking.Type == "enabled" {
		if req.Thinking.BudgetTokens == 0 {
			return validationError("thinking.enabled.budget_tokens: Field required")
		}
		if req.MaxTokens <= req.Thinking.BudgetTokens {
			return validationError("`max_tokens` must be greater than `thinking.budget_tokens`. Please consult our documentation at https://docs.claude.com/en/docs/build-with-claude/extended-thinking#max-tokens-and-context-window-size")
		}
	}
	open := map[string]bool{}
	points := 0
	for i, m := range req.Messages {
		for j, b := range m.Content {
			if b.CacheControl != nil {
				points++
			}
			if b.Type == "image" && b.Source.Type == "base64" {
				data, err := base64.StdEncoding.DecodeString(b.Source.Data)
				found := imageFormat(data)
				if err != nil || found == "" {
					return validationError("Could not process image")
				}
				if "image/"+found != b.Source.MediaType {
					return validationError("messages.%d.content.%d.image.source.base64.data: The image was specified using the %s media type, but the image appears to be a image/%s image", i, j, b.Source.MediaType, found)
				}
			}
			if b.Type == "tool_result" {
				if !open[b.ToolUseID] {
					return validationError("messages.%d.content.%d: unexpected `tool_use_id` found in `tool_result` blocks: %s. Each `tool_result` block must have a corresponding `tool_use` block in the previous message.", i, j, b.ToolUseID)
				}
				delete(open, b.ToolUseID)
			}
		}
		if i > 0 && len(open) > 0 && (m.Role == "assistant" || i == len(req.Messages)-1) {
			return unansweredTools(i-1, open)
		}
		for _, b := range m.Content {
			if b.Type == "tool_use" {
				open[b.ID] = true
			}
		}
	}
	if len(open) > 0 {
		return unansweredTools(len(req.Messages)-1, open)
	}
	for _, t := range req.Tools {
		if t.CacheControl != nil {
			points++
		}
	}
	for _, b := range req.System {
		if b.CacheControl != nil {
			points++
		}
	}
	if points > maxCachePoints {
		return validationError("A maximum of 4 blocks with cache_control may be provided. Found %d.", points)
	}
	return nil
}

func unansweredTools(message int, open map[string]bool) *apiError {
	return validationError("messages.%d: `tool_use` ids were found without `tool_result` blocks immediately after: %s. Each `tool_use` block must have a corresponding `tool_result` block in the next message.", message, strings.Join(sortedKeys(open), ", "))
}

func (req *anthropicRequest) prompt(model string) *prompt {
	p := &prompt{
		model: model, meter: newMeter(model), maxTokens: req.MaxTokens, stops: req.StopSequences, choice: "auto", signed: true,
		thinking: req.Thinking.Type == "enabled" || req.Thinking.Type == "adaptive",
	}
	p.format = req.OutputConfig.Format.Schema
	for _, t := range req.Tools {
		p.tools = append(p.tools, tool{name: t.Name, schema: t.InputSchema})
		p.meter.text(t.Name)
		p.meter.text(t.Description)
		if t.InputSchema != nil {
			p.meter.json(t.InputSchema)
		}
		p.point(t.CacheControl)
	}
	if c := req.ToolChoice; c != nil {
		p.choice, p.choiceName = c.Type, c.Name
	}
	req.System.meterInto(p)
	last := -1
	for i, m := range req.Messages {
		p.meter.mark(m.Role)
		m.Content.meterInto(p)
		if m.Role == "user" {
			last = i
		}
	}
	if last < 0 {
		return p
	}
	var lines []string
	for _, b := range req.Messages[last].Content {
		switch b.Type {
		case "text":
			lines = append(lines, b.Text)
		case "tool_result":
			p.results = append(p.results, b.Content.plain())
		case "image", "document":
			format := b.Source.MediaType[strings.LastIndexByte(b.Source.MediaType, '/')+1:]
			p.media = append(p.media, attachment{kind: b.Type, format: format, name: b.Title, bytes: len(b.data())})
		}
	}
	p.lastText = strings.Join(lines, "\n")
	return p
}

func (p *prompt) point(c *cacheMark) {
	if c != nil {
		p.meter.point(c.TTL)
	}
}

func (b *anthropicBlock) data() []byte {
	if b.Source.Type != "base64" {
		return []byte(b.Source.Data)
	}
	data, err := base64.StdEncoding.DecodeString(b.Source.Data)
	if err != nil {
		return nil // the shape check has refused it before
	}
	return data
}

func (c anthropicContent) plain() string {
	var parts []string
	for _, b := range c {
		if b.Type == "text" {
			parts = append(parts, b.Text)
		} else {
			parts = append(parts, b.Type)
		}
	}
	return strings.Join(parts, " ")
}

func (c anthropicContent) meterInto(p *prompt) {
	for _, b := range c {
		switch b.Type {
		case "text":
			p.meter.text(b.Text)
		case "thinking":
			p.meter.text(b.Thinking)
		case "tool_use":
			p.meter.text(b.Name)
			p.meter.text(compact(b.Input))
		case "tool_result":
			b.Content.meterInto(p)
		case "document":
			p.meter.document(b.data())
		case "image":
			p.meter.attach(b.data())
		}
		p.point(b.CacheControl)
	}
}

func (anthropicMessages) usage(u usage) object {
	creation := object{"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0}
	for _, d := range u.written {
		creation["ephemeral_"+d.ttl+"_input_tokens"] = d.tokens
	}
	return object{
		"input_tokens": u.input, "output_tokens": u.output, "cache_read_input_tokens": u.cacheRead,
		"cache_creation_input_tokens": u.cacheWrite, "cache_creation": creation,
	}
}

// head is the message without its content.
func (f anthropicMessages) head(p *prompt, d *dice) object {
	model := p.model
	if _, after, ok := strings.Cut(model, "anthropic."); ok {
		model, _, _ = strings.Cut(after, "-v1:")
	}
	return object{"id": "msg_bdrk_01" + d.word(22), "type": "message", "role": "assistant", "model": model}
}

func (anthropicMessages) stop(a *answer) (reason string, sequence any) {
	switch a.stop {
	case "guardrail_intervened":
		return "end_turn", nil
	case "stop_sequence":
		return a.stop, a.stopSequence
	}
	return a.stop, nil
}

func (f anthropicMessages) write(p *prompt, a *answer, d *dice) object {
	content := []object{}
	for _, b := range a.blocks {
		switch b.kind {
		case answerText:
			text := object{"type": "text", "text": b.text}
			if b.cited != nil {
				text["citations"] = []object{b.cited.anthropic()}
			}
			content = append(content, text)
		case answerReasoning:
			content = append(content, object{"type": "thinking", "thinking": b.text, "signature": b.signature})
		case answerTool:
			content = append(content, object{"type": "tool_use", "id": anthropicID(b.id), "name": b.name, "input": b.input})
		}
	}
	out := f.head(p, d)
	out["content"], out["usage"] = content, f.usage(a.usage)
	out["stop_reason"], out["stop_sequence"] = f.stop(a)
	return out
}

// anthropicID is a tool use id as Claude writes it behind InvokeModel.
func anthropicID(id string) string {
	if rest, ok := strings.CutPrefix(id, "tooluse_"); ok {
		return "toolu_bdrk_01" + rest
	}
	return id
}

func (f anthropicMessages) stream(p *prompt, a *answer, d *dice) []object {
	start := f.head(p, d)
	before := a.usage
	before.output = 1
	start["content"], start["stop_reason"], start["stop_sequence"], start["usage"] = []object{}, nil, nil, f.usage(before)
	out := []object{{"type": "message_start", "message": start}}
	for i, b := range a.blocks {
		delta := func(d object) { out = append(out, object{"type": "content_block_delta", "index": i, "delta": d}) }
		open := func(block object) {
			out = append(out, object{"type": "content_block_start", "index": i, "content_block": block})
		}
		switch b.kind {
		case answerText:
			open(object{"type": "text", "text": ""})
			for _, piece := range a.deltas(b) {
				delta(object{"type": "text_delta", "text": piece})
			}
			if b.cited != nil {
				delta(object{"type": "citations_delta", "citation": b.cited.anthropic()})
			}
		case answerReasoning:
			open(object{"type": "thinking", "thinking": "", "signature": ""})
			for _, piece := range a.deltas(b) {
				delta(object{"type": "thinking_delta", "thinking": piece})
			}
			delta(object{"type": "signature_delta", "signature": b.signature})
		case answerTool:
			open(object{"type": "tool_use", "id": anthropicID(b.id), "name": b.name, "input": object{}})
			for _, piece := range a.inputDeltas(b) {
				delta(object{"type": "input_json_delta", "partial_json": piece})
			}
		}
		out = append(out, object{"type": "content_block_stop", "index": i})
	}
	reason, sequence := f.stop(a)
	return append(out,
		object{"type": "message_delta", "delta": object{"stop_reason": reason, "stop_sequence": sequence}, "usage": object{"output_tokens": a.usage.output}},
		object{"type": "message_stop"})
}

// sdkVersion is the version that Anthropic's own client for Bedrock sends (anthropic 2.14 for Python): the API's, not Bedrock's.
const sdkVersion = "2026-10-21"
