package openai

import (
	"strconv"

	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// native hands over an event of a model that speaks the Responses API. What is the gateway's own in a response is written in
// the place of the model's.
func (e *ResponseEvents) native(dst, event []byte) []byte {
	kind := jsonscan.Text(jsonscan.Member(event, "type"))
	response := jsonscan.Member(event, "response")
	if n, err := strconv.ParseInt(string(jsonscan.Member(event, "sequence_number")), 10, 64); err == nil {
		e.seq = n + 1
	}
	dst = append(append(append(dst, `event: `...), kind...), "\ndata: "...)
	if response == nil {
		return append(append(dst, event...), "\n\n"...)
	}
	own := e.ownResponse(response)
	if kind == "response.completed" || kind == "response.incomplete" {
		e.keepNative(own, response)
	}
	dst = append(dst, '{')
	first := true
	for name, value := range jsonscan.Members(event) {
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(llm.AppendString(dst, name), ':')
		if name == "response" {
			value = own
		}
		dst = append(dst, value...)
	}
	return append(dst, "}\n\n"...)
}

// relay takes over a whole response of a model that speaks the Responses API.
func (e *ResponseEvents) relay(response []byte) { e.keepNative(e.ownResponse(response), response) }

func (e *ResponseEvents) keepNative(own, response []byte) {
	e.last = own
	e.output = append([]byte(nil), jsonscan.Member(response, "output")...)
	if len(e.output) == 0 {
		e.output = []byte(`[]`)
	}
}

// ownResponse returns a model's response with the gateway's id and name of the model, and with what is kept here and not at
// AWS.
func (e *ResponseEvents) ownResponse(response []byte) []byte {
	r := e.a.Request
	own := map[string]func(dst []byte) []byte{
		"id":    func(dst []byte) []byte { return llm.AppendString(dst, e.a.ID) },
		"model": func(dst []byte) []byte { return llm.AppendString(dst, e.a.Model) },
		"store": func(dst []byte) []byte { return strconv.AppendBool(dst, r.Store) },
		"previous_response_id": func(dst []byte) []byte {
			if r.Previous == "" {
				return append(dst, `null`...)
			}
			return llm.AppendString(dst, r.Previous)
		},
	}
	for _, name := range [...]string{"metadata", "user", "safety_identifier"} {
		if value := llm.Lookup(r.echo, name); value != nil {
			own[name] = func(dst []byte) []byte { return append(dst, value...) }
		}
	}
	dst := []byte{'{'}
	add := func(name string) {
		if len(dst) > 1 {
			dst = append(dst, ',')
		}
		dst = append(llm.AppendString(dst, name), ':')
	}
	for name, value := range jsonscan.Members(response) {
		add(name)
		if write := own[name]; write != nil {
			dst = write(dst)
			delete(own, name)
			continue
		}
		dst = append(dst, value...)
	}
	for _, name := range [...]string{"id", "model", "store", "previous_response_id", "metadata", "user", "safety_identifier"} {
		if write := own[name]; write != nil {
			add(name)
			dst = write(dst)
		}
	}
	return append(dst, '}')
}
