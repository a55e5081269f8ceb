package sim

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"sync"
)

// responsesShape is the body of OpenAI's Responses API, with the tools that Bedrock has.
var responsesShape = sync.OnceValue(func() *shape {
	part := tagged("content",
		may("input_text", structure("input_text", need("type", text()), need("text", text())).extensible()),
		may("output_text", structure("output_text", need("type", text()), need("text", text())).extensible()),
		may("refusal", structure("refusal", need("type", text()), need("refusal", text()))),
		may("input_image", structure("input_image", need("type", text()), may("image_url", text()), may("detail", text()), may("file_id", text()))),
		may("input_file", structure("input_file", need("type", text())).extensible()))
	item := structure("item", may("type", text()), may("role", oneOf("user", "assistant", "system", "developer")), may("content", either(list(part))), may("call_id", text().from(1)),
		may("name", text().from(1)), may("namespace", text()), may("arguments", text()), may("input", text()), may("output", either(list(part))), may("id", text()), may("status", text()), may("phase", text()),
		may("summary", list(anyJSON())), may("encrypted_content", text()), may("action", anyJSON()))
	tool := structure("tool", need("type", oneOf("function", "custom", "web_search", "namespace", "local_shell")), may("name", text().between(1, 64)), may("description", text()), may("parameters", anyJSON()),
		may("strict", boolean()), may("format", anyJSON()), may("tools", list(anyJSON())), may("external_web_access", boolean()))
	return structure("Request",
		need("model", text()), may("input", either(list(item))), may("instructions", text()), may("max_output_tokens", integer().from(16)), may("temperature", number().between(0, 2)),
		may("top_p", number().between(0, 1)), may("stream", boolean()), may("store", boolean()), may("include", list(oneOf("reasoning.encrypted_content", "message.output_text.logprobs"))),
		may("reasoning", structure("reasoning", may("effort", oneOf("none", "minimal", "low", "medium", "high", "xhigh", "max")), may("summary", oneOf("auto", "concise", "detailed")), may("context", text()))),
		may("text", structure("text", may("format", anyJSON()), may("verbosity", oneOf("low", "medium", "high")))), may("tools", list(tool)), may("tool_choice", anyJSON()), may("parallel_tool_calls", boolean()),
		may("prompt_cache_key", text()), may("prompt_cache_retention", text()), may("prompt_cache_options", anyJSON()), may("service_tier", oneOf("auto", "default", "flex", "priority")), may("top_logprobs", integer()),
		may("truncation", oneOf("auto", "disabled")), may("max_tool_calls", integer()), may("metadata", anyJSON()), guardrailMember())
})

type responsesRequest struct {
	Input        responseItems
	Instructions string
	MaxTokens    int `json:"max_output_tokens"`
	Include      []string
	Reasoning    struct{ Effort string }
	Text         struct {
		Format struct {
			Type   string
			Schema json.RawMessage
		}
	}
	Tools      []responseTool
	ToolChoice json.RawMessage `json:"tool_choice"`
	Tier       string          `json:"service_tier"`
}

type responseTool struct {
	Type, Name, Description string
	Parameters              any
	Tools                   []responseTool
}

// responseItems are a text or a list of items; here always a list.
type responseItems []struct {
	Type, Role      string
	Content, Output responseContent
	CallID          string `json:"call_id"`
	Name, Arguments string
	Input           string
	Encrypted       string `json:"encrypted_content"`
}

func (i *responseItems) UnmarshalJSON(raw []byte) error {
	type plain responseItems
	if raw = bytes.TrimSpace(raw); len(raw) > 0 && raw[0] == '"' {
		raw = []byte(`[{"type":"message","role":"user","content":` + string(raw) + `}]`)
	}
	return json.Unmarshal(raw, (*plain)(i))
}

// responseContent is a text or a list of parts; here always a list.
type responseContent []struct {
	Type, Text, Refusal string
	ImageURL            string `json:"image_url"`
}

func (c *responseContent) UnmarshalJSON(raw []byte) error {
	type plain responseContent
	if raw = bytes.TrimSpace(raw); len(raw) > 0 && raw[0] == '"' {
		raw = []byte(`[{"type":"input_text","text":` + string(raw) + `}]`)
	}
	return json.Unmarshal(raw, (*plain)(c))
}

// readResponses checks a request and reads it as a prompt.
func readResponses(model string, body []byte) (*prompt, *apiError) {
	var req responsesRequest
	if refused := checked(body, responsesShape(), &req); refused != nil {
		return nil, refused
	}
	if refused := req.checkRules(); refused != nil {
		return nil, refused
	}
	p := &prompt{model: model, meter: newMeter(model), maxTokens: req.MaxTokens, choice: "auto"}
	p.thinking = opensEmpty(model) || req.Reasoning.Effort != "" && req.Reasoning.Effort != "none"
	p.addTools("", req.Tools)
	var word string
	var named struct{ Type, Name string }
	switch {
	case json.Unmarshal(req.ToolChoice, &word) == nil && word == "required":
		p.choice = "any"
	case word == "none":
		p.choice = "none"
	case json.Unmarshal(req.ToolChoice, &named) == nil && named.Name != "":
		p.choice, p.choiceName = "tool", named.Name
	}
	if req.Text.Format.Type == "json_schema" {
		p.format = req.Text.Format.Schema
	}
	p.meter.text(req.Instructions)
	req.converse(p)
	return p, nil
}

func (p *prompt) addTools(namespace string, tools []responseTool) {
	for _, t := range tools {
		switch t.Type {
		case "function":
			p.tools = append(p.tools, tool{name: namespace + t.Name, schema: t.Parameters})
		case "custom":
			p.tools = append(p.tools, tool{name: namespace + t.Name, schema: map[string]any{"type": "object", "properties": map[string]any{"input": map[string]any{"type": "string"}}}, custom: true})
		case "namespace":
			p.addTools(t.Name+"__", t.Tools)
		}
		p.meter.text(t.Name)
		p.meter.json(t.Parameters)
	}
}

// checkRules are the rules across items: each output answers a call, and reasoning comes back sealed as it was given.
func (req *responsesRequest) checkRules() *apiError {
	open := map[string]bool{}
	for i, item := range req.Input {
		switch item.Type {
		case "", "message":
			if item.Role == "" {
				return validationError("Missing required parameter: 'input[%d].role'.", i)
			}
		case "function_call", "custom_tool_call":
			if item.CallID == "" || item.Name == "" {
				return validationError("Missing required parameter: 'input[%d].call_id'.", i)
			}
			open[item.CallID] = true
		case "function_call_output", "custom_tool_call_output":
			if !open[item.CallID] {
				return validationError("No tool call found for function call output with call_id %s.", item.CallID)
			}
			delete(open, item.CallID)
		case "reasoning":
			if item.Encrypted != "" && !strings.HasPrefix(item.Encrypted, sealed) {
				return validationError("The encrypted content for item input[%d] could not be verified.", i)
			}
		case "web_search_call":
		default:
			return validationError("Invalid value: '%s'. Supported values of 'input[%d].type' are others.", item.Type, i)
		}
	}
	for id := range open {
		return validationError("No tool output found for function call %s.", id)
	}
	return nil
}

// converse reads the conversation: what the user said last counts.
func (req *responsesRequest) converse(p *prompt) {
	var said []string
	for _, item := range req.Input {
		if item.Role == "assistant" || strings.HasSuffix(item.Type, "_call") {
			said, p.results, p.media = nil, nil, nil
		}
		p.meter.text(item.Name + item.Arguments + item.Input)
		for _, part := range item.Content {
			p.meter.text(part.Text + part.Refusal)
			switch {
			case part.ImageURL != "":
				_, data, _ := strings.Cut(part.ImageURL, ",")
				image, _ := base64.StdEncoding.DecodeString(data) // one that cannot be read counts as empty
				p.meter.attach(image)
				p.media = append(p.media, attachment{kind: "image", format: imageFormat(image), bytes: len(image)})
			case item.Role == "user":
				said = append(said, part.Text)
			}
		}
		var output []string
		for _, part := range item.Output {
			p.meter.text(part.Text)
			output = append(output, part.Text)
		}
		if output != nil {
			p.results = append(p.results, strings.Join(output, "\n"))
		}
	}
	p.lastText = strings.Join(said, "\n")
}

// sealed begins the encrypted reasoning that the simulated model gives.
const sealed = "gAAAAABsim"

// response is an answer in the Responses API's words.
type response struct {
	p      *prompt
	a      *answer
	dice   *dice
	id     string
	tier   string
	seal   bool
	output []object
}

func newResponse(c *call, p *prompt, a *answer) *response {
	var req responsesRequest
	_ = json.Unmarshal(c.body, &req) // it has been read before
	r := &response{p: p, a: a, dice: c.dice, id: "resp_" + c.dice.word(24), tier: req.Tier}
	if r.tier == "" || r.tier == "auto" {
		r.tier = "default"
	}
	for _, name := range req.Include {
		r.seal = r.seal || name == "reasoning.encrypted_content"
	}
	for _, b := range a.blocks {
		r.output = append(r.output, r.item(b))
	}
	return r
}

// item is a block as an item of the output.
func (r *response) item(b answerBlock) object {
	switch b.kind {
	case answerReasoning:
		item := object{"id": "rs_" + r.dice.word(16), "type": "reasoning", "summary": []object{{"type": "summary_text", "text": b.text}}}
		if r.seal {
			item["encrypted_content"] = sealed + base64.RawURLEncoding.EncodeToString([]byte(b.text))
		}
		return item
	case answerTool:
		id := strings.Replace(b.id, "tooluse_", "call_", 1)
		name, namespace := b.name, ""
		if before, after, ok := strings.Cut(b.name, "__"); ok && !strings.HasPrefix(b.name, "__") && !r.plainly(b.name) {
			namespace, name = before, after
		}
		item := object{"id": "fc_" + r.dice.word(16), "type": "function_call", "status": "completed", "arguments": string(b.input), "call_id": id, "name": name}
		for _, t := range r.p.tools {
			if t.name == b.name && t.custom {
				var input struct{ Input string }
				_ = json.Unmarshal(b.input, &input) // what is no input is an empty one
				item = object{"id": "ctc_" + r.dice.word(16), "type": "custom_tool_call", "status": "completed", "input": input.Input, "call_id": id, "name": name}
			}
		}
		if namespace != "" {
			item["namespace"] = namespace
		}
		return item
	}
	return object{"id": "msg_" + r.dice.word(16), "type": "message", "status": "completed", "role": "assistant", "content": []object{{"type": "output_text", "annotations": []any{}, "logprobs": []any{}, "text": b.text}}}
}

// plainly reports whether a tool has its name outside of a namespace.
func (r *response) plainly(name string) bool {
	for _, t := range r.p.tools {
		if t.name == name && !strings.Contains(name, "__") {
			return true
		}
	}
	return false
}

// whole is the response object.
func (r *response) whole() object { return r.object("completed", r.output) }

func (r *response) object(status string, output []object) object {
	if output == nil {
		output = []object{}
	}
	o := object{
		"id": r.id, "object": "response", "created_at": 1700000000, "status": status, "background": false, "error": nil, "incomplete_details": nil, "instructions": nil,
		"max_output_tokens": nil, "model": r.p.model, "output": output, "parallel_tool_calls": true, "previous_response_id": nil,
		"reasoning": object{"effort": nil, "summary": nil}, "service_tier": r.tier, "store": false, "temperature": 1.0, "text": object{"format": object{"type": "text"}}, "tool_choice": "auto",
		"tools": []any{}, "top_p": 1.0, "truncation": "disabled", "usage": nil, "user": nil, "metadata": object{},
	}
	if status == "in_progress" {
		return o
	}
	reasoning := 0
	for _, b := range r.a.blocks {
		if b.kind == answerReasoning {
			reasoning += b.tokens()
		}
	}
	u := r.a.usage
	o["usage"] = object{
		"input_tokens": u.input, "input_tokens_details": object{"cached_tokens": 0, "cache_write_tokens": 0}, "output_tokens": u.output,
		"output_tokens_details": object{"reasoning_tokens": reasoning}, "total_tokens": u.total(),
	}
	switch r.a.stop {
	case "max_tokens":
		o["status"], o["incomplete_details"] = "incomplete", object{"reason": "max_output_tokens"}
	case "guardrail_intervened", "content_filtered":
		o["status"], o["incomplete_details"] = "incomplete", object{"reason": "content_filter"}
	}
	return o
}

// events are the events of a stream.
func (r *response) events() []object {
	var out []object
	add := func(kind string, fields object) {
		fields["type"], fields["sequence_number"] = kind, len(out)
		out = append(out, fields)
	}
	now := r.object("in_progress", nil)
	add("response.created", object{"response": now})
	add("response.in_progress", object{"response": now})
	for i, b := range r.a.blocks {
		item := r.output[i]
		at := func(more object) object {
			more["output_index"], more["item_id"] = i, item["id"]
			return more
		}
		add("response.output_item.added", object{"output_index": i, "item": opened(item)})
		switch item["type"] {
		case "reasoning":
			add("response.reasoning_summary_part.added", at(object{"summary_index": 0, "part": object{"type": "summary_text", "text": ""}}))
			for _, piece := range split(b.text, r.a.chunkSize) {
				add("response.reasoning_summary_text.delta", at(object{"summary_index": 0, "delta": piece}))
			}
			add("response.reasoning_summary_text.done", at(object{"summary_index": 0, "text": b.text}))
			add("response.reasoning_summary_part.done", at(object{"summary_index": 0, "part": object{"type": "summary_text", "text": b.text}}))
		case "function_call":
			for _, piece := range split(string(b.input), r.a.chunkSize) {
				add("response.function_call_arguments.delta", at(object{"delta": piece}))
			}
			add("response.function_call_arguments.done", at(object{"arguments": string(b.input)}))
		case "custom_tool_call":
			add("response.custom_tool_call_input.delta", at(object{"delta": item["input"]}))
			add("response.custom_tool_call_input.done", at(object{"input": item["input"]}))
		default:
			add("response.content_part.added", at(object{"content_index": 0, "part": object{"type": "output_text", "annotations": []any{}, "logprobs": []any{}, "text": ""}}))
			pieces := b.pieces
			if pieces == nil {
				pieces = split(b.text, r.a.chunkSize)
			}
			for _, piece := range pieces {
				add("response.output_text.delta", at(object{"content_index": 0, "delta": piece, "logprobs": []any{}}))
			}
			add("response.output_text.done", at(object{"content_index": 0, "text": b.text, "logprobs": []any{}}))
			content, _ := item["content"].([]object)
			add("response.content_part.done", at(object{"content_index": 0, "part": content[0]}))
		}
		add("response.output_item.done", object{"output_index": i, "item": item})
	}
	whole := r.whole()
	status, _ := whole["status"].(string)
	add("response."+status, object{"response": whole})
	return out
}

// opened is an item that has just been added: it says nothing yet.
func opened(item object) object {
	out := object{}
	for name, value := range item {
		switch name {
		case "content":
			value = []object{}
		case "summary":
			value = []object{}
		case "arguments", "input":
			value = ""
		case "status":
			value = "in_progress"
		case "encrypted_content":
			continue
		}
		out[name] = value
	}
	return out
}
