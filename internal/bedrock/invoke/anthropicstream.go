package invoke

import (
	"strconv"

	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// anthropicMessages reads one event of Claude's stream.
func (c *chunks) anthropicMessages(chunk []byte) {
	switch jsonscan.Text(jsonscan.Member(chunk, "type")) {
	case "content_block_delta":
		c.at(chunk)
		c.anthropicDelta(jsonscan.Member(chunk, "delta"))
	case "content_block_start":
		c.at(chunk)
		c.anthropicStart(jsonscan.Member(chunk, "content_block"))
	case "content_block_stop":
		c.at(chunk)
		c.close()
	case "message_start":
		c.usage.anthropic(jsonscan.Member(chunk, "message", "usage"))
	case "message_delta":
		c.usage.anthropic(jsonscan.Member(chunk, "usage"))
		c.finishWith(jsonscan.Member(chunk, "delta", "stop_reason"))
	case "error":
		c.fail(anthropicError(jsonscan.Member(chunk, "error"), c.requestID))
	}
}

// at makes the event's block the open one.
func (c *chunks) at(chunk []byte) {
	n, _ := number(jsonscan.Member(chunk, "index"))
	c.block = int(n)
}

func (c *chunks) anthropicStart(raw []byte) {
	switch kind := jsonscan.Text(jsonscan.Member(raw, "type")); kind {
	case "text":
		c.anthropicDelta([]byte(`{"type":"text_delta","text":` + string(orEmpty(jsonscan.Member(raw, "text"))) + `}`))
	case "thinking":
		c.anthropicDelta([]byte(`{"type":"thinking_delta","thinking":` + string(orEmpty(jsonscan.Member(raw, "thinking"))) + `}`))
	case "redacted_thinking":
		c.delta(`{"reasoningContent":{"redactedContent":`, jsonscan.Member(raw, "data"), `}}`)
	case "tool_use":
		start := append([]byte(nil), jsonscan.Member(raw, "id")...)
		start = append(append(start, `,"name":`...), jsonscan.Member(raw, "name")...)
		c.ofBlock(eventBlockStart, "start", `{"toolUse":{"toolUseId":`, start, `}}`)
		if input := jsonscan.Member(raw, "input"); len(input) > 2 && input[0] == '{' { // normally it comes in deltas
			c.delta(`{"toolUse":{"input":`, llm.AppendString(nil, string(input)), `}}`)
		}
	default: // a tool that runs at AWS, or what is newer than this program
		c.ofBlock(eventBlockStart, "start", `{"anthropic":`, raw, `}`)
	}
}

func orEmpty(raw []byte) []byte {
	if raw == nil {
		return []byte(`""`)
	}
	return raw
}

func (c *chunks) anthropicDelta(raw []byte) {
	switch jsonscan.Text(jsonscan.Member(raw, "type")) {
	case "text_delta":
		if text, _ := jsonscan.Inner(jsonscan.Member(raw, "text")); len(text) > 0 {
			c.delta(`{"text":"`, text, `"}`)
		}
	case "thinking_delta":
		if text, _ := jsonscan.Inner(jsonscan.Member(raw, "thinking")); len(text) > 0 {
			c.delta(`{"reasoningContent":{"text":"`, text, `"}}`)
		}
	case "signature_delta":
		c.delta(`{"reasoningContent":{"signature":`, orEmpty(jsonscan.Member(raw, "signature")), `}}`)
	case "input_json_delta":
		if input, _ := jsonscan.Inner(jsonscan.Member(raw, "partial_json")); len(input) > 0 {
			c.delta(`{"toolUse":{"input":"`, input, `"}}`)
		}
	case "citations_delta":
		c.delta(`{"citation":`, appendCitation(nil, jsonscan.Member(raw, "citation")), `}`)
	}
}

// anthropicError reads an error in mid-stream.
func anthropicError(raw []byte, requestID string) *llm.Error {
	kind := jsonscan.Text(jsonscan.Member(raw, "type"))
	e := &llm.Error{Kind: llm.KindUpstream, AWSType: kind, Message: jsonscan.Text(jsonscan.Member(raw, "message")), RequestID: requestID}
	switch kind {
	case "overloaded_error":
		e.Kind = llm.KindUnavailable
	case "rate_limit_error":
		e.Kind = llm.KindRateLimit
	}
	if e.Message == "" {
		e.Message = "the model ended the stream with an error (" + strconv.Quote(kind) + ")"
	}
	return e
}
