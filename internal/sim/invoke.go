package sim

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
)

// family is one model family's own language behind InvokeModel. A new one is a file with a type that implements it and
// a line in families.
type family interface {
	// speaks says whether model (an id without fault suffix, or an ARN) belongs to the family. What an ARN stands for is
	// told by the members of the body.
	speaks(model string, body members) bool
	// read checks a body and returns it as a prompt.
	read(model string, body []byte) (*prompt, *apiError)
	// write is the answer's body.
	write(p *prompt, a *answer, d *dice) object
	// stream is the answer as the family's stream objects. Bedrock's metrics are added to the last of them.
	stream(p *prompt, a *answer, d *dice) []object
}

// families are asked in this order: what is special comes before what is general.
func families() []family {
	list := []family{novaMessages{}, commandR{}, pegasus{}}
	for i := range promptFamilies() {
		list = append(list, &promptFamilies()[i])
	}
	return append(list, anthropicMessages{}, chatCompletions{})
}

// members are a body's, unread.
type members map[string]json.RawMessage

func (m members) have(name string) bool { _, ok := m[name]; return ok }

// familyOf returns nil for bodies that no family has.
func familyOf(model string, body []byte) family {
	var m members
	if json.Unmarshal(body, &m) != nil {
		m = nil
	}
	for _, f := range families() {
		if f.speaks(model, m) {
			return f
		}
	}
	return nil
}

func isARN(model string) bool { return strings.HasPrefix(model, "arn:") }

func unknownFamily(model string) *apiError {
	return validationError("The simulator does not know the request body of model %s.", model)
}

// malformed is how the models behind InvokeModel refuse a body that does not fit their JSON Schema.
func malformed(problems []problem) *apiError {
	if len(problems) == 0 {
		return nil
	}
	p := problems[0]
	const again = "please reformat your input and try again."
	switch p.what {
	case mismatchUnknown:
		return validationError("Malformed input request: %s: extraneous key [%s] is not permitted, %s", p.at.pointer(), p.detail, again)
	case mismatchMissing:
		steps := p.at.steps()
		return validationError("Malformed input request: %s: required key [%s] not found, %s", p.at.parent.pointer(), steps[len(steps)-1].name, again)
	default:
		return validationError("Malformed input request: %s: %s, %s", p.at.pointer(), strings.TrimSuffix(p.detail, "."), again)
	}
}

// checked reads a body and checks it against a shape.
func checked(body []byte, s *shape, into any) *apiError {
	v, refused := parseJSON(body)
	if refused != nil {
		return refused
	}
	if refused := malformed(s.check(v)); refused != nil {
		return refused
	}
	if err := json.Unmarshal(body, into); err != nil {
		return serializationError("The request could not be read: %v", err)
	}
	return nil
}

// guardrailFromHeaders reads what InvokeModel has in headers instead of the body.
func guardrailFromHeaders(h http.Header) (*guardrail, *apiError) {
	g := guardrail{
		id: h.Get("X-Amzn-Bedrock-GuardrailIdentifier"), version: h.Get("X-Amzn-Bedrock-GuardrailVersion"),
		trace: strings.HasPrefix(strings.ToUpper(h.Get("X-Amzn-Bedrock-Trace")), "ENABLED"),
	}
	if (g.id == "") != (g.version == "") {
		return nil, validationError("The guardrailIdentifier and guardrailVersion fields must be specified together. Set both fields and try again.")
	}
	if g.id == "" {
		return nil, nil
	}
	return &g, nil
}

// invokeAnswer is InvokeModel's body: the family's, and what Bedrock adds to it.
func invokeAnswer(f family, p *prompt, a *answer, d *dice) object {
	out := f.write(p, a, d)
	if p.guardrail != nil {
		out["amazon-bedrock-guardrailAction"] = "NONE"
		if a.blocked {
			out["amazon-bedrock-guardrailAction"] = "INTERVENED"
		}
		if p.guardrail.trace {
			trace := guardrailTrace(p, a)
			// InvokeModel has other names than Converse.
			out["amazon-bedrock-trace"] = object{"guardrail": object{"input": trace["inputAssessment"], "actionReason": trace["actionReason"]}}
		}
	}
	return out
}

// setCountHeaders tells the tokens as InvokeModel does; streams have them in their last chunk instead.
func setCountHeaders(h http.Header, p *prompt, a *answer) {
	h.Set("X-Amzn-Bedrock-Input-Token-Count", strconv.Itoa(a.usage.input))
	h.Set("X-Amzn-Bedrock-Output-Token-Count", strconv.Itoa(a.usage.output))
	h.Set("X-Amzn-Bedrock-Invocation-Latency", strconv.FormatInt(a.latencyMs, 10))
	if p.caching() {
		h.Set("X-Amzn-Bedrock-Cache-Read-Input-Token-Count", strconv.Itoa(a.usage.cacheRead))
		h.Set("X-Amzn-Bedrock-Cache-Write-Input-Token-Count", strconv.Itoa(a.usage.cacheWrite))
	}
}

// invokeEvents wraps the family's objects: one chunk each, base64 inside JSON.
func invokeEvents(f family, p *prompt, a *answer, d *dice) []event {
	objects := f.stream(p, a, d)
	if n := len(objects); n > 0 {
		metrics := object{
			"inputTokenCount": a.usage.input, "outputTokenCount": a.usage.output,
			"invocationLatency": a.latencyMs, "firstByteLatency": a.latencyMs,
		}
		if p.caching() {
			metrics["cacheReadInputTokenCount"], metrics["cacheWriteInputTokenCount"] = a.usage.cacheRead, a.usage.cacheWrite
		}
		objects[n-1]["amazon-bedrock-invocationMetrics"] = metrics
		if p.guardrail != nil {
			action := "NONE"
			if a.blocked {
				action = "INTERVENED"
			}
			objects[n-1]["amazon-bedrock-guardrailAction"] = action
		}
	}
	events := make([]event, 0, len(objects))
	for _, o := range objects {
		events = append(events, chunkEvent(mustJSON(o)))
	}
	return events
}

func chunkEvent(inner json.RawMessage) event {
	return event{"chunk", object{"bytes": []byte(inner)}}
}
