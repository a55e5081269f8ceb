package openai

import (
	"cmp"
	"encoding/json"
	"strconv"

	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// ResponseAnswer is what a response says beside what the model said.
type ResponseAnswer struct {
	// ID is the response's id, "resp_…"; Created is in seconds since 1970.
	ID      string
	Created int64
	// Model is the name that the client asked for.
	Model string
	// Request is what the request said.
	Request *Responses
}

// NewResponse returns a whole answer as a response that has ended.
func NewResponse(a *ResponseAnswer, r *llm.Response) *ResponseEvents {
	e := NewResponseEvents(a)
	e.quiet = true
	if r.Native != nil {
		e.relay(r.Native)
		return e
	}
	logprobs := r.Logprobs
	for i := range r.Blocks {
		b, index := &r.Blocks[i], int32(i)
		switch b.Kind {
		case llm.BlockText, llm.BlockCitations:
			e.text(nil, &llm.Event{Index: index, Text: b.Text, Raw: logprobs})
			logprobs = nil // they are about all of the text
			for citation := range jsonscan.Elements(jsonscan.Member(b.Raw, "citations")) {
				e.cite(&llm.Event{Index: index, Raw: citation})
			}
		case llm.BlockThinking:
			e.think(nil, &llm.Event{Kind: llm.EventThinking, Index: index, Text: b.Text})
			e.think(nil, &llm.Event{Kind: llm.EventSignature, Index: index, Text: b.Signature})
		case llm.BlockRedacted:
			e.think(nil, &llm.Event{Kind: llm.EventRedacted, Index: index, Text: b.Signature})
		case llm.BlockToolUse:
			e.call(nil, &llm.Event{Index: index, ToolID: b.Tool.ID, ToolName: b.Tool.Name})
			e.arguments(nil, index, llm.RawText(appendArguments(nil, b.Tool.Input)))
		default:
			e.other(b.Raw)
		}
		e.blockStop(nil, index)
	}
	e.stop = r.Stop
	e.finish(nil, &llm.Event{Usage: &r.Usage, Tail: &llm.Tail{Tier: r.Tier, Trace: r.Trace, Performance: r.Performance, Fields: r.Fields}})
	return e
}

// Last returns the response object of a response that has ended, nil before that.
func (e *ResponseEvents) Last() []byte { return e.last }

// Output returns the items of the output as a list in which reasoning can be sent back to the model, whether the client has
// asked for that or not.
func (e *ResponseEvents) Output() []byte {
	if e.output != nil {
		return e.output
	}
	dst := []byte{'['}
	for i, item := range e.items {
		if i > 0 {
			dst = append(dst, ',')
		}
		if item.kind == itemReasoning && !e.a.Request.encrypted {
			dst = e.appendReasoning(dst, item, true)
		} else {
			dst = append(dst, item.json...)
		}
	}
	return append(dst, ']')
}

// The states of a response and of its items.
const (
	statusInProgress = "in_progress"
	statusCompleted  = "completed"
	statusIncomplete = "incomplete"
	statusFailed     = "failed"
)

// status is how the response has ended.
func (e *ResponseEvents) status() string {
	if e.stop == llm.StopLength || e.stop == llm.StopFilter {
		return statusIncomplete
	}
	return statusCompleted
}

// object appends the response as it stands.
func (e *ResponseEvents) object(dst []byte, status string, usage *llm.Usage, tail *llm.Tail, failed *llm.Error) []byte {
	r := e.a.Request
	dst = llm.AppendString(append(dst, `{"id":`...), e.a.ID)
	dst = strconv.AppendInt(append(dst, `,"object":"response","created_at":`...), e.a.Created, 10)
	dst = append(append(append(dst, `,"status":"`...), status...), `","background":false,"error":`...)
	if failed != nil {
		dst = llm.AppendString(append(dst, `{"code":`...), responseErrorCode(failed))
		dst = append(llm.AppendString(append(dst, `,"message":`...), failed.Message), '}')
	} else {
		dst = append(dst, `null`...)
	}
	dst = append(dst, `,"incomplete_details":`...)
	switch {
	case status != statusIncomplete:
		dst = append(dst, `null`...)
	case e.stop == llm.StopFilter:
		dst = append(dst, `{"reason":"content_filter"}`...)
	default:
		dst = append(dst, `{"reason":"max_output_tokens"}`...)
	}
	echo := func(name, otherwise string) {
		dst = append(append(append(dst, `,"`...), name...), `":`...)
		if value := llm.Lookup(r.echo, name); value != nil {
			dst = append(dst, value...)
		} else {
			dst = append(dst, otherwise...)
		}
	}
	echo("instructions", `null`)
	echo("max_output_tokens", `null`)
	dst = llm.AppendString(append(dst, `,"max_tool_calls":null,"model":`...), e.a.Model)
	dst = append(e.appendOutput(append(dst, `,"output":[`...)), ']')
	echo("parallel_tool_calls", `true`)
	dst = append(dst, `,"previous_response_id":`...)
	if r.Previous != "" {
		dst = llm.AppendString(dst, r.Previous)
	} else {
		dst = append(dst, `null`...)
	}
	echo("prompt_cache_key", `null`)
	echo("reasoning", `{"effort":null,"summary":null}`)
	echo("safety_identifier", `null`)
	tier := ""
	if tail != nil {
		tier = tail.Tier
	}
	dst = llm.AppendString(append(dst, `,"service_tier":`...), cmp.Or(tier, "default"))
	dst = strconv.AppendBool(append(dst, `,"store":`...), r.Store)
	echo("temperature", `null`)
	echo("text", `{"format":{"type":"text"}}`)
	echo("tool_choice", `"auto"`)
	echo("tools", `[]`)
	echo("top_logprobs", `0`)
	echo("top_p", `null`)
	dst = append(dst, `,"truncation":"disabled","usage":`...)
	if usage != nil {
		dst = appendResponseUsage(dst, *usage)
	} else {
		dst = append(dst, `null`...)
	}
	echo("user", `null`)
	echo("metadata", `{}`)
	if tail != nil {
		dst = appendTail(dst, &llm.Tail{Trace: tail.Trace, Performance: tail.Performance})
		if len(tail.Fields) > 0 {
			dst = append(append(dst, `,"additionalModelResponseFields":`...), tail.Fields...)
		}
	}
	if len(e.others) > 0 { // what the API has no item for
		dst = append(append(append(dst, `,"provider_specific_fields":{"other_content":[`...), e.others...), `]}`...)
	}
	return append(dst, '}')
}

// appendResponseUsage appends the usage. Input tokens include what was read from the cache and written to it.
func appendResponseUsage(dst []byte, u llm.Usage) []byte {
	dst = strconv.AppendInt(append(dst, `{"input_tokens":`...), u.Prompt(), 10)
	dst = strconv.AppendInt(append(dst, `,"input_tokens_details":{"cached_tokens":`...), u.CacheRead, 10)
	dst = strconv.AppendInt(append(dst, `,"cache_write_tokens":`...), u.CacheWrite(), 10)
	dst = strconv.AppendInt(append(dst, `},"output_tokens":`...), u.Output, 10)
	dst = strconv.AppendInt(append(dst, `,"output_tokens_details":{"reasoning_tokens":`...), u.Reasoning, 10)
	dst = strconv.AppendInt(append(dst, `},"total_tokens":`...), u.Sum(), 10)
	return append(dst, '}')
}

// responseErrorCode is the word for a response that failed half-way: agents try again after some of them.
func responseErrorCode(e *llm.Error) string {
	switch e.Kind {
	case llm.KindRateLimit:
		return "rate_limit_exceeded"
	case llm.KindContextWindow:
		return "context_length_exceeded"
	case llm.KindInvalid, llm.KindContentFilter:
		return "invalid_prompt"
	default:
		return "server_error"
	}
}

// other keeps a block that the API has no item for.
func (e *ResponseEvents) other(raw json.RawMessage) {
	if len(raw) == 0 {
		return
	}
	if len(e.others) > 0 {
		e.others = append(e.others, ',')
	}
	e.others = append(e.others, raw...)
}
