package sim

import (
	"strings"
)

// novaMessages is Amazon Nova: Converse's body with small differences, and chunks that wrap Converse's events.
type novaMessages struct{}

func (novaMessages) speaks(model string, body members) bool {
	return strings.Contains(model, "amazon.nova") || isARN(model) && body.have("schemaVersion")
}

// read puts the body into Converse's words and has them checked: what Nova has under other names is moved.
func (novaMessages) read(model string, body []byte) (*prompt, *apiError) {
	v, refused := parseJSON(body)
	if refused != nil {
		return nil, refused
	}
	in, ok := v.(map[string]any)
	if !ok {
		return nil, validationError("Malformed input request: #: expected type: JSONObject, please reformat your input and try again.")
	}
	out := map[string]any{}
	for name, value := range in {
		switch name {
		case "schemaVersion":
			if value != "messages-v1" {
				return nil, validationError("Malformed input request: #/schemaVersion: %v is not a valid enum value, please reformat your input and try again.", value)
			}
		case "messages", "system":
			out[name] = novaCachePoints(value)
		case "toolConfig":
			out[name] = value
		case "inferenceConfig":
			config, ok := value.(map[string]any)
			if !ok {
				return nil, validationError("Malformed input request: #/inferenceConfig: expected type: JSONObject, please reformat your input and try again.")
			}
			kept := map[string]any{}
			for name, value := range config {
				switch name {
				case "max_new_tokens":
					kept["maxTokens"] = value
				case "topK", "top_k": // the model's own
				default:
					kept[name] = value
				}
			}
			out[name] = kept
		case "reasoningConfig":
			out["additionalModelRequestFields"] = map[string]any{"reasoningConfig": value}
		case "amazon-bedrock-guardrailConfig":
		default:
			return nil, validationError("Malformed input request: #: extraneous key [%s] is not permitted, please reformat your input and try again.", name)
		}
	}
	if refused := bedrockWords(shapes().converse.check(out)); refused != nil {
		return nil, refused
	}
	return converseTree(model, out)
}

// novaCachePoints takes cache points out of text blocks and puts them behind, where Converse has them.
func novaCachePoints(v any) any {
	switch v := v.(type) {
	case []any:
		var out []any
		for _, e := range v {
			out = append(out, novaCachePoints(e))
			if block, ok := e.(map[string]any); ok && block["cachePoint"] != nil && block["text"] != nil {
				out = append(out, map[string]any{"cachePoint": block["cachePoint"]})
			}
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for name, value := range v {
			if name == "cachePoint" && v["text"] != nil {
				continue
			}
			if name == "content" {
				value = novaCachePoints(value)
			}
			out[name] = value
		}
		return out
	default:
		return v
	}
}

func (novaMessages) write(p *prompt, a *answer, _ *dice) object {
	out := converseAnswer(p, a)
	delete(out, "metrics")
	delete(out, "trace")
	return out
}

func (novaMessages) stream(p *prompt, a *answer, _ *dice) []object {
	var out []object
	for _, e := range converseEvents(p, a) {
		if e.name == "metadata" {
			delete(e.payload, "trace")
			if usage, ok := e.payload["usage"].(object); ok {
				delete(usage, "totalTokens")
			}
		}
		out = append(out, object{e.name: e.payload})
	}
	return out
}
