package gateway

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"
	"unicode/utf8"

	"github.com/outcrop-ai/outcrop/internal/engine"
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/internal/telemetry"
	"github.com/outcrop-ai/outcrop/llm"
)

// tells reports whether those who watch are to know what is said in the call. Where nobody watches it does nothing.
func (x *exchange) tells() bool {
	c := x.call.Content
	return c != nil && !c.Redacted && x.server.Watch.Contents
}

// watchNative keeps what those who watch want to know of a request in AWS's own words. Without them it does nothing, and
// nothing is copied.
func (x *exchange) watchNative(body []byte) {
	w := x.server.Watch
	if w == nil || !w.Contents {
		return
	}
	c := &telemetry.Content{Redacted: w.Redact || x.wantsRedaction()}
	x.call.Content = c
	switch {
	case c.Redacted:
		return
	case len(body) == 0:
		c.Request = json.RawMessage("{}")
		return
	}
	c.Request = keptNative(x.r.Header.Get("Content-Type"), body)
	readNative(c)
}

// readNative finds the messages, the parameters of the model and the metadata in a request, for records that have a place for
// each: what is said by another name is told as a whole.
func readNative(c *telemetry.Content) {
	parameters := []byte{'{'}
	var messages, system []byte
	for name, value := range jsonscan.Members(c.Request) {
		switch name {
		case "messages", "prompt", "inputText", "inputPrompt", "input", "texts", "query", "text":
			messages = value
		case "system", "instructions":
			system = value
		case "requestMetadata", "metadata":
			if value[0] == '{' {
				c.Metadata = value
			}
		default:
			if isNativeParameter(name) {
				if len(parameters) > 1 {
					parameters = append(parameters, ',')
				}
				parameters = append(append(llm.AppendString(parameters, name), ':'), value...)
			}
		}
	}
	c.Parameters = append(parameters, '}')
	if c.Messages = c.Request; messages != nil {
		c.Messages = withSystem(messages, system)
	}
}

// isNativeParameter knows the parameters of models in AWS's words, and those of other dialects that are the same there.
func isNativeParameter(name string) bool {
	switch name {
	case "inferenceConfig", "toolConfig", "outputConfig", "performanceConfig", "serviceTier", "additionalModelRequestFields", "textGenerationConfig",
		"imageGenerationConfig", "max_gen_len", "anthropic_version", "anthropic_beta", "taskType", "embeddingTypes", "normalize":
		return true
	}
	return isParameter(name, true)
}

// keptNative returns a body as it is kept: JSON without credentials and base64, bounded; of what is none, what and how much it
// is.
func keptNative(contentType string, body []byte) json.RawMessage {
	switch {
	case len(body) == 0:
		return nil
	case jsonscan.Valid(body) != nil:
		return described(contentType, len(body))
	}
	if short := telemetry.Kept(body); len(short) <= maxContent {
		return short
	}
	return leftOut(len(body))
}

// described stands for a body that is no JSON.
func described(contentType string, size int) json.RawMessage {
	if contentType == "" {
		contentType = "unknown type"
	}
	return llm.AppendString(nil, contentType+", "+strconv.Itoa(size)+" bytes, left out")
}

// watchedNative keeps a whole answer in AWS's own words.
func (x *exchange) watchedNative(h http.Header, data []byte) {
	if x.tells() {
		x.call.Content.Response = keptNative(h.Get("Content-Type"), data)
	}
}

// watchedImages keeps an answer with images: whose base64 has pieces of its own, and is left out. The prompt of a form is kept
// here, too, since a form is no JSON.
func (x *exchange) watchedImages(asked *llm.Image, pieces [][]byte) {
	if !x.tells() {
		return
	}
	c := x.call.Content
	if c.Messages == nil && !asked.Prompt.IsEmpty() && asked.Prompt.Size() <= maxContent {
		c.Messages = asked.Prompt.AppendJSON(nil)
	}
	var answer []byte
	for i, p := range pieces {
		if i%2 == 1 { // an image
			answer = append(append(append(answer, '('), strconv.Itoa(len(p))...), " characters of base64 left out)"...)
			continue
		}
		answer = append(answer, p...)
	}
	c.Response = kept(answer)
}

// hear has a stream's events kept; nil when nobody wants them.
func (x *exchange) hear(reply *engine.NativeReply) *nativeEvents {
	if !x.tells() {
		return nil
	}
	e := &nativeEvents{}
	reply.Hear(e.add)
	return e
}

// heard keeps a stream that is over.
func (x *exchange) heard(e *nativeEvents) {
	if e != nil {
		x.call.Content.Response = e.answer()
	}
}

// nativeEvents are the events of a stream in AWS's own words, copied as they come.
type nativeEvents struct {
	list []nativeEvent
	size int
}

// nativeEvent is one of them: the name that it had, if any, and its JSON.
type nativeEvent struct {
	name string
	data []byte
}

// add copies an event. Of a stream that becomes too long nothing is kept.
func (e *nativeEvents) add(name string, data []byte) {
	if e.size += len(name) + len(data); e.size > maxContent {
		e.list = nil
		return
	}
	if string(data) != "[DONE]" {
		e.list = append(e.list, nativeEvent{name, bytes.Clone(data)})
	}
}

// answer puts the events together as the answer would have been whole, where that is known how; else it lists them. It is nil
// where none came.
func (e *nativeEvents) answer() json.RawMessage {
	if e.size > maxContent {
		return leftOut(e.size)
	}
	if len(e.list) == 0 {
		return nil
	}
	for i := range e.list {
		if one := &e.list[i]; jsonscan.Valid(one.data) != nil {
			one.data = described("", len(one.data))
		}
	}
	for _, put := range []func([]nativeEvent) []byte{wholeConverse, wholeClaude, wholeResponse} {
		if whole := put(e.list); whole != nil && jsonscan.Valid(whole) == nil {
			return telemetry.Kept(whole)
		}
	}
	out := []byte{'['}
	for i := range e.list {
		if i > 0 {
			out = append(out, ',')
		}
		one := &e.list[i]
		if one.name == "" {
			out = append(out, one.data...)
			continue
		}
		out = append(llm.AppendString(append(out, '{'), one.name), ':')
		out = append(append(out, withText(one.data)...), '}')
	}
	return telemetry.Kept(append(out, ']'))
}

// withText shows what an agent says, which is text in base64, as text.
func withText(data []byte) []byte {
	inner, ok := jsonscan.Inner(jsonscan.Member(data, "bytes"))
	if !ok {
		return data
	}
	text, err := base64.StdEncoding.AppendDecode(nil, inner)
	if err != nil || !utf8.Valid(text) {
		return data
	}
	shown, _ := jsonscan.Replace(data, llm.AppendString(nil, string(text)), "bytes")
	return shown
}

// wholeResponse returns the response that the last event of OpenAI's Responses holds, nil if there is none.
func wholeResponse(list []nativeEvent) []byte {
	last := list[len(list)-1].data
	switch jsonscan.Text(jsonscan.Member(last, "type")) {
	case "response.completed", "response.incomplete", "response.failed":
		return jsonscan.Member(last, "response")
	}
	return nil
}
