package sim

import (
	"encoding/json"
	"strings"
	"sync"
)

// commandR is Cohere's Command R and R+: a message with its history, flat tools, calls without ids.
type commandR struct{}

func (commandR) speaks(model string, body members) bool {
	return strings.Contains(model, "cohere.command-r") || isARN(model) && body.have("message")
}

var commandRShape = sync.OnceValue(func() *shape {
	call := structure("call", need("name", text()), need("parameters", anyJSON()))
	results := list(structure("tool_result", need("call", call), need("outputs", list(anyJSON()))))
	parameter := structure("parameter", may("description", text()), need("type", oneOf("str", "int", "float", "bool", "list", "dict")), may("required", boolean()))
	return structure("Request", need("message", text()),
		may("chat_history", list(structure("turn", need("role", oneOf("USER", "CHATBOT", "TOOL", "SYSTEM")), may("message", text()),
			may("tool_calls", list(call)), may("tool_results", results)))),
		may("preamble", text()), may("documents", anyJSON()),
		may("tools", list(structure("tool", need("name", text().from(1)), need("description", text()), may("parameter_definitions", mapping(text(), parameter))))),
		may("tool_results", results), may("max_tokens", integer().between(1, 4000)), may("temperature", number().between(0, 1)), may("p", number().between(0.01, 0.99)),
		may("k", number().between(0, 500)), may("stop_sequences", list(text())), may("search_queries_only", boolean()), may("prompt_truncation", oneOf("OFF", "AUTO_PRESERVE_ORDER")),
		may("frequency_penalty", number().between(0, 1)), may("presence_penalty", number().between(0, 1)), may("seed", integer()), may("raw_prompting", boolean()),
		may("return_prompt", boolean()), guardrailMember())
})

func (commandR) read(model string, body []byte) (*prompt, *apiError) {
	var req struct {
		Message, Preamble string
		ChatHistory       []struct{ Role, Message string } `json:"chat_history"`
		MaxTokens         int                              `json:"max_tokens"`
		StopSequences     []string                         `json:"stop_sequences"`
		Tools             []struct {
			Name                 string
			ParameterDefinitions map[string]struct {
				Type     string
				Required bool
			} `json:"parameter_definitions"`
		}
		ToolResults []struct{ Outputs []json.RawMessage } `json:"tool_results"`
	}
	if refused := checked(body, commandRShape(), &req); refused != nil {
		return nil, refused
	}
	if req.Message == "" && len(req.ToolResults) == 0 {
		return nil, validationError("invalid request: message must be at least 1 token long or tool results must be specified.")
	}
	p := &prompt{model: model, meter: newMeter(model), maxTokens: req.MaxTokens, stops: req.StopSequences, choice: "auto", lastText: req.Message}
	p.meter.text(req.Preamble)
	for _, t := range req.ChatHistory {
		p.meter.text(t.Message)
	}
	p.meter.text(req.Message)
	kinds := map[string]string{"str": "string", "int": "integer", "float": "number", "bool": "boolean", "list": "array", "dict": "object"}
	for _, t := range req.Tools {
		properties, required := map[string]any{}, []any{}
		for name, d := range t.ParameterDefinitions {
			properties[name] = map[string]any{"type": kinds[d.Type]}
			if d.Required {
				required = append(required, name)
			}
		}
		p.tools = append(p.tools, tool{name: t.Name, schema: map[string]any{"type": "object", "properties": properties, "required": required}})
	}
	for _, r := range req.ToolResults {
		for _, o := range r.Outputs {
			p.results = append(p.results, compact(o))
			p.meter.text(compact(o))
		}
	}
	return p, nil
}

func commandRReason(a *answer) string {
	if a.stop == "max_tokens" {
		return "MAX_TOKENS"
	}
	return "COMPLETE"
}

// parts are what the answer says and calls.
func (commandR) parts(a *answer) (said string, calls []object) {
	for _, b := range a.blocks {
		switch b.kind {
		case answerText:
			said += b.text
		case answerTool:
			calls = append(calls, object{"name": b.name, "parameters": b.input})
		}
	}
	return said, calls
}

func (f commandR) write(p *prompt, a *answer, d *dice) object {
	said, calls := f.parts(a)
	out := object{"response_id": d.word(8), "generation_id": d.word(8), "text": said, "chat_history": []object{}, "finish_reason": commandRReason(a)}
	if calls != nil {
		out["tool_calls"] = calls
	}
	if len(p.results) > 0 && said != "" { // grounded in the results
		out["citations"] = []object{{"start": 0, "end": len([]rune(said)), "text": said, "document_ids": []string{"tool:0"}}}
	}
	return out
}

func (f commandR) stream(p *prompt, a *answer, d *dice) []object {
	said, calls := f.parts(a)
	var out []object
	for _, piece := range split(said, a.chunkSize) {
		out = append(out, object{"event_type": "text-generation", "text": piece, "is_finished": false})
	}
	if calls != nil {
		out = append(out, object{"event_type": "tool-calls-generation", "tool_calls": calls, "is_finished": false})
	}
	if len(p.results) > 0 && said != "" {
		out = append(out, object{"event_type": "citation-generation", "is_finished": false, "citations": f.write(p, a, d)["citations"]})
	}
	return append(out, object{"event_type": "stream-end", "finish_reason": commandRReason(a), "is_finished": true, "response": f.write(p, a, d)})
}
