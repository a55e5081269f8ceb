package main

import (
	"encoding/json"
	"fmt"
	"strings"
)

// model is the Bedrock id that every shape asks for.
const model = "anthropic.claude-3-5-sonnet-20240620-v1:0"

type object = map[string]any

// shape is one kind of request: what an OpenAI client sends to a translator, and what a signing proxy gets instead, the
// Converse call that does the same.
type shape struct {
	name     string
	openAI   []byte
	converse []byte
	stream   bool
	// messages says that the client is Anthropic's: openAI is the body of /v1/messages, converse that of InvokeModel.
	messages bool
	requests int // at saturation, per round
	// inputs is how many embeddings the request asks for, each an upstream call of its own; 0 for a chat. A signing proxy
	// gets as many requests in its place.
	inputs int
	// native says that every program gets the Converse call: what relaying it costs.
	native bool
}

// embedder is the model of embeddings. It takes one input a call.
const embedder = "amazon.titan-embed-text-v2:0"

// inputs is how many embeddings are asked for at once.
const inputs = 100

func embeddings() (shape, error) {
	var list []string
	for i := range inputs {
		list = append(list, fmt.Sprintf("%d: a paragraph about the weather in Bergen, where it rains on more than two hundred days of the year.", i))
	}
	a, err := json.Marshal(object{"model": embedder, "input": list})
	if err != nil {
		return shape{}, err
	}
	b, err := json.Marshal(object{"inputText": list[0]})
	return shape{name: "embedding of one of 100 inputs", openAI: a, converse: b, requests: 60, inputs: inputs}, err
}

func shapes() ([]shape, error) {
	text := strings.Repeat("All happy families are alike; each unhappy family is unhappy in its own way.\n", 2700)[:200<<10]
	var list []shape
	for _, s := range []struct {
		name     string
		prompt   string
		tools    int
		stream   bool
		requests int
	}{
		{"small chat", "Hello, how are you today?", 0, false, 12000},
		{"20 tools", "Which of your tools can book a flight?", 20, false, 6000},
		{"200 KB chat", text, 0, false, 800},
		{"stream of 200 chunks", "Tell me a story.", 0, true, 300},
	} {
		openAI, converse := bodies(s.prompt, s.tools, s.stream)
		a, err := json.Marshal(openAI)
		if err != nil {
			return nil, err
		}
		b, err := json.Marshal(converse)
		if err != nil {
			return nil, err
		}
		list = append(list, shape{name: s.name, openAI: a, converse: b, stream: s.stream, requests: s.requests})
	}
	e, err := embeddings()
	if err != nil {
		return nil, err
	}
	list = append(list, e)
	for _, s := range []struct {
		name     string
		length   int
		stream   bool
		requests int
	}{
		{"relayed, 1 KB", 1 << 10, false, 24000},
		{"relayed, 1 MB", 1 << 20, false, 300},
		{"relayed stream of 200 chunks", 1 << 10, true, 300},
	} {
		_, converse := bodies(strings.Repeat(text, 1+s.length/len(text))[:s.length-256], 0, false)
		body, err := json.Marshal(converse)
		if err != nil {
			return nil, err
		}
		list = append(list, shape{name: s.name, converse: body, stream: s.stream, requests: s.requests, native: true})
	}
	m, err := messages()
	return append(list, m), err
}

// messages is a stream that Anthropic's clients ask for; a signing proxy gets the InvokeModel call that does the same.
func messages() (shape, error) {
	body := object{"max_tokens": 256, "messages": []any{object{"role": "user", "content": "Tell me a story."}}}
	body["anthropic_version"] = "bedrock-2023-05-31"
	b, err := json.Marshal(body)
	if err != nil {
		return shape{}, err
	}
	delete(body, "anthropic_version")
	body["model"], body["stream"] = model, true
	a, err := json.Marshal(body)
	return shape{name: "messages: stream of 200 chunks", openAI: a, converse: b, stream: true, messages: true}, err
}

func bodies(prompt string, tools int, stream bool) (openAI, converse object) {
	openAI = object{
		"model": model, "max_tokens": 256,
		"messages": []any{object{"role": "system", "content": "You are a helpful assistant."}, object{"role": "user", "content": prompt}},
	}
	converse = object{
		"messages":        []any{object{"role": "user", "content": []any{object{"text": prompt}}}},
		"system":          []any{object{"text": "You are a helpful assistant."}},
		"inferenceConfig": object{"maxTokens": 256},
	}
	if stream {
		openAI["stream"] = true
	}
	if tools > 0 {
		var a, b []any
		for i := range tools {
			name := fmt.Sprintf("book_flight_%d", i)
			description := "Books a flight between two airports on a date, with an optional class of travel and seat preference."
			a = append(a, object{"type": "function", "function": object{"name": name, "description": description, "parameters": schema()}})
			b = append(b, object{"toolSpec": object{"name": name, "description": description, "inputSchema": object{"json": schema()}}})
		}
		openAI["tools"] = a
		converse["toolConfig"] = object{"tools": b}
	}
	return openAI, converse
}

// schema is a JSON Schema of the size that agents' tools have.
func schema() object {
	return object{
		"type": "object", "required": []string{"from", "to", "date"},
		"properties": object{
			"from":  object{"type": "string", "description": "IATA code of the airport of departure"},
			"to":    object{"type": "string", "description": "IATA code of the airport of arrival"},
			"date":  object{"type": "string", "format": "date", "description": "day of departure"},
			"class": object{"type": "string", "enum": []string{"economy", "premium", "business", "first"}},
			"seat":  object{"type": "object", "properties": object{"row": object{"type": "integer"}, "letter": object{"type": "string"}}},
		},
	}
}
