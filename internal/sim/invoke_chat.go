package sim

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"sync"
)

// chatCompletions is every family whose own API is OpenAI's Chat Completions: what has messages and is nobody else's.
type chatCompletions struct{}

func (chatCompletions) speaks(_ string, body members) bool { return body.have("messages") }

var chatShape = sync.OnceValue(func() *shape { return structure("Request", chatMembers()...) })

// nativeChatShape is the body of Bedrock's own Chat Completions endpoints, which demand the model and know more parameters.
var nativeChatShape = sync.OnceValue(func() *shape {
	return structure("Request", append(chatMembers(), need("model", text()), may("stream_options", structure("stream_options", may("include_usage", boolean()))),
		may("service_tier", oneOf("auto", "default", "flex", "priority")), may("verbosity", oneOf("low", "medium", "high")), may("prompt_cache_key", text()), may("prompt_cache_retention", text()),
		may("prompt_cache_options", anyJSON()), may("prediction", anyJSON()))...)
})

func chatMembers() []member {
	part := tagged("content", may("text", structure("text", need("type", text()), need("text", text()))),
		may("image_url", structure("image_url", need("type", text()), need("image_url", structure("image_url", need("url", text().matching(`data:image/[a-z]+;base64,.+`)), may("detail", text()))))),
		may("input_audio", structure("input_audio", need("type", text()), need("input_audio", structure("input_audio", need("data", blob()), need("format", text()))))))
	call := structure("tool_call", need("id", text().from(1)), need("type", oneOf("function")), need("function", structure("function", need("name", text().from(1)), need("arguments", text()))))
	return []member{
		need("messages", list(structure("message", need("role", oneOf("system", "developer", "user", "assistant", "tool")), may("content", either(list(part))),
			may("tool_calls", list(call)), may("tool_call_id", text()), may("name", text()))).from(1)),
		may("max_tokens", integer().from(1)), may("max_completion_tokens", integer().from(1)), may("temperature", number().between(0, 2)), may("top_p", number().between(0, 1)),
		may("top_k", integer().from(0)), may("stop", either(list(text()))), may("seed", integer()), may("n", integer().between(1, 1)), may("presence_penalty", number().between(-2, 2)),
		may("frequency_penalty", number().between(-2, 2)), may("logit_bias", anyJSON()), may("logprobs", boolean()), may("top_logprobs", integer()),
		may("tools", list(structure("tool", need("type", oneOf("function")), need("function", structure("function", need("name", text().between(1, 64)), may("description", text()),
			may("parameters", anyJSON()), may("strict", boolean())))))),
		may("tool_choice", anyJSON()), may("parallel_tool_calls", boolean()), may("response_format", anyJSON()), may("reasoning_effort", oneOf("none", "minimal", "low", "medium", "high", "xhigh", "max")),
		may("user", text()), may("model", text()), may("stream", boolean()), guardrailMember(),
	}
}

type chatRequest struct {
	Messages []struct {
		Role      string
		Content   chatContent
		ToolCalls []struct {
			ID       string
			Function struct{ Name, Arguments string }
		} `json:"tool_calls"`
		ToolCallID string `json:"tool_call_id"`
	}
	MaxTokens           int             `json:"max_tokens"`
	MaxCompletionTokens int             `json:"max_completion_tokens"`
	Stop                json.RawMessage `json:"stop"`
	Tools               []struct {
		Function struct {
			Name, Description string
			Parameters        any
		}
	}
	ToolChoice     json.RawMessage `json:"tool_choice"`
	Effort         string          `json:"reasoning_effort"`
	ResponseFormat struct {
		Type       string
		JSONSchema struct{ Schema json.RawMessage } `json:"json_schema"`
	} `json:"response_format"`
}

// chatContent is a text or a list of parts; here always a list.
type chatContent []struct {
	Type, Text string
	ImageURL   struct{ URL string } `json:"image_url"`
}

func (c *chatContent) UnmarshalJSON(raw []byte) error {
	if raw = bytes.TrimSpace(raw); len(raw) > 0 && raw[0] != '[' {
		*c = make(chatContent, 1)
		(*c)[0].Type = "text"
		return json.Unmarshal(raw, &(*c)[0].Text)
	}
	var parts []struct {
		Type, Text string
		ImageURL   struct{ URL string } `json:"image_url"`
	}
	err := json.Unmarshal(raw, &parts)
	*c = parts
	return err
}

func (f chatCompletions) read(model string, body []byte) (*prompt, *apiError) {
	return f.readShaped(model, body, chatShape())
}

// readShaped reads a body of a shape: InvokeModel's, or that of the endpoint of its own.
func (chatCompletions) readShaped(model string, body []byte, s *shape) (*prompt, *apiError) {
	var req chatRequest
	if refused := checked(body, s, &req); refused != nil {
		return nil, refused
	}
	if refused := req.checkRules(); refused != nil {
		return nil, refused
	}
	return req.prompt(model), nil
}

// checkRules are the rules across messages: each result answers a call of the last assistant message.
func (req *chatRequest) checkRules() *apiError {
	open := map[string]bool{}
	for i, m := range req.Messages {
		if m.Role == "tool" {
			if !open[m.ToolCallID] {
				return validationError("messages[%d]: a message with role 'tool' must be a response to a preceding message with 'tool_calls'.", i)
			}
			delete(open, m.ToolCallID)
			continue
		}
		if len(open) > 0 {
			return validationError("messages[%d]: an assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'.", i)
		}
		for _, c := range m.ToolCalls {
			if !json.Valid([]byte(c.Function.Arguments)) {
				return validationError("messages[%d]: the arguments of a call are not JSON.", i)
			}
			open[c.ID] = true
		}
	}
	return nil
}

func (req *chatRequest) prompt(model string) *prompt {
	p := &prompt{model: model, meter: newMeter(model), maxTokens: max(req.MaxTokens, req.MaxCompletionTokens), choice: "auto", thinking: opensEmpty(model) || req.Effort != "" && req.Effort != "none"}
	p.stops = textOrList(req.Stop)
	for _, t := range req.Tools {
		p.tools = append(p.tools, tool{name: t.Function.Name, schema: t.Function.Parameters})
		p.meter.text(t.Function.Name)
		p.meter.json(t.Function.Parameters)
	}
	var word string
	var named struct{ Function struct{ Name string } }
	switch {
	case json.Unmarshal(req.ToolChoice, &word) == nil && word == "required":
		p.choice = "any"
	case word == "none":
		p.choice = "none"
	case json.Unmarshal(req.ToolChoice, &named) == nil && named.Function.Name != "":
		p.choice, p.choiceName = "tool", named.Function.Name
	}
	if req.ResponseFormat.Type == "json_schema" {
		p.format = req.ResponseFormat.JSONSchema.Schema
	}
	var said []string
	for _, m := range req.Messages {
		if m.Role == "assistant" {
			p.results, p.media, said = nil, nil, nil
		}
		for _, part := range m.Content {
			p.meter.text(part.Text)
			switch {
			case part.ImageURL.URL != "":
				_, data, _ := strings.Cut(part.ImageURL.URL, ",")
				image, _ := base64.StdEncoding.DecodeString(data) // one that cannot be read counts as empty
				p.meter.attach(image)
				p.media = append(p.media, attachment{kind: "image", format: imageFormat(image), bytes: len(image)})
			case m.Role == "tool":
				p.results = append(p.results, part.Text)
			case m.Role == "user":
				said = append(said, part.Text)
			}
		}
	}
	p.lastText = strings.Join(said, "\n")
	return p
}

func textOrList(raw json.RawMessage) []string {
	var one string
	if json.Unmarshal(raw, &one) == nil && one != "" {
		return []string{one}
	}
	var list []string
	_ = json.Unmarshal(raw, &list) // the shape check has refused what is neither
	return list
}

func chatReason(a *answer) string {
	switch a.stop {
	case "max_tokens":
		return "length"
	case "tool_use":
		return "tool_calls"
	default:
		return "stop"
	}
}

// stopMember is what the family calls the reason: Mistral's models have a word of their own.
func stopMember(p *prompt) string {
	if strings.Contains(p.model, "mistral.mistral-large-2407") {
		return "stop_reason"
	}
	return "finish_reason"
}

// chatCall is a call as OpenAI writes it.
func chatCall(p *prompt, index int, b answerBlock) object {
	id := strings.Replace(b.id, "tooluse_", "chatcmpl-tool-", 1)
	if strings.Contains(p.model, "kimi") {
		id = "functions." + b.name + ":" + string(rune('0'+index%10))
	}
	return object{"id": id, "type": "function", "function": object{"name": b.name, "arguments": string(b.input)}}
}

// message collects the blocks. gpt-oss writes its reasoning into the content.
func (chatCompletions) message(p *prompt, a *answer) (content, reasoning string, calls []object) {
	for _, b := range a.blocks {
		switch b.kind {
		case answerReasoning:
			if opensEmpty(p.model) {
				content += "<reasoning>" + b.text + "</reasoning>"
			} else {
				reasoning += b.text
			}
		case answerText:
			content += b.text
		case answerTool:
			calls = append(calls, chatCall(p, len(calls), b))
		}
	}
	return content, reasoning, calls
}

func chatUsage(a *answer) object {
	return object{"prompt_tokens": a.usage.input, "completion_tokens": a.usage.output, "total_tokens": a.usage.total()}
}

func (f chatCompletions) write(p *prompt, a *answer, d *dice) object {
	content, reasoning, calls := f.message(p, a)
	message := object{"role": "assistant", "content": orNull(content)}
	if reasoning != "" {
		message["reasoning_content"] = reasoning
	}
	if calls != nil {
		message["tool_calls"] = calls
	}
	return object{
		"id": "chatcmpl-" + d.word(12), "object": "chat.completion", "created": 1700000000, "model": p.model,
		"choices": []object{{"index": 0, "message": message, stopMember(p): chatReason(a)}}, "usage": chatUsage(a),
	}
}

func (f chatCompletions) stream(p *prompt, a *answer, d *dice) []object {
	id := "chatcmpl-" + d.word(12)
	chunk := func(delta object, reason any) object {
		return object{
			"id": id, "object": "chat.completion.chunk", "created": 1700000000, "model": p.model,
			"choices": []object{{"index": 0, "delta": delta, stopMember(p): reason}},
		}
	}
	content, reasoning, calls := f.message(p, a)
	out := []object{chunk(object{"role": "assistant", "content": ""}, nil)}
	for _, piece := range split(reasoning, a.chunkSize) {
		out = append(out, chunk(object{"reasoning_content": piece}, nil))
	}
	for _, piece := range split(content, a.chunkSize) {
		out = append(out, chunk(object{"content": piece}, nil))
	}
	for i, c := range calls {
		function, _ := c["function"].(object)
		arguments, _ := function["arguments"].(string)
		out = append(out, chunk(object{"tool_calls": []object{{"index": i, "id": c["id"], "type": "function", "function": object{"name": function["name"], "arguments": ""}}}}, nil))
		for _, piece := range split(arguments, a.chunkSize) {
			out = append(out, chunk(object{"tool_calls": []object{{"index": i, "function": object{"arguments": piece}}}}, nil))
		}
	}
	last := chunk(object{}, chatReason(a))
	last["usage"] = chatUsage(a)
	return append(out, last)
}
