package openai

import (
	"encoding/json"
	"strconv"

	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// Answer is what an answer's JSON says beside what the model said.
type Answer struct {
	// ID is the answer's id, "chatcmpl-…"; Created is in seconds since 1970.
	ID      string
	Created int64
	// Model is the name that the client asked for.
	Model string
	// Legacy answers with function_call instead of tool_calls.
	Legacy bool
	// Echo are the prompts of a completion that stand before the answers to them. Each has PerPrompt answers, 0 meaning one.
	Echo      []llm.Message
	PerPrompt int
}

// echo returns the prompt of an answer, if it is to be repeated.
func (a *Answer) echo(index int) llm.Text {
	if i := index / max(a.PerPrompt, 1); i < len(a.Echo) {
		return a.Echo[i].Blocks[0].Text
	}
	return llm.Text{}
}

// FinishReason is OpenAI's word for why a model stopped. calls says whether the answer holds tool calls: the word must
// agree with them, whatever the provider called it.
func FinishReason(stop llm.StopReason, calls, legacy bool) string {
	switch stop {
	case llm.StopLength:
		return "length"
	case llm.StopFilter:
		return "content_filter"
	case llm.StopTool, llm.StopEnd, llm.StopSequence, llm.StopUnknown:
		if calls && stop != llm.StopSequence {
			if legacy {
				return "function_call"
			}
			return "tool_calls"
		}
	}
	return "stop"
}

// AppendChat appends a chat.completion object.
func AppendChat(dst []byte, a *Answer, r *llm.Response) []byte {
	dst = append(dst, `{"id":`...)
	dst = llm.AppendString(dst, a.ID)
	dst = append(dst, `,"object":"chat.completion","created":`...)
	dst = strconv.AppendInt(dst, a.Created, 10)
	dst = append(dst, `,"model":`...)
	dst = llm.AppendString(dst, a.Model)
	dst = append(dst, `,"choices":[`...)
	dst = appendChoice(dst, a, 0, r)
	for i, further := range r.Further {
		dst = appendChoice(append(dst, ','), a, i+1, further)
	}
	dst = append(dst, `],"usage":`...)
	dst = AppendUsage(dst, r.Usage)
	dst = appendTail(dst, &llm.Tail{Tier: r.Tier, Trace: r.Trace, Performance: r.Performance})
	return append(dst, '}')
}

func appendChoice(dst []byte, a *Answer, index int, r *llm.Response) []byte {
	dst = strconv.AppendInt(append(dst, `{"index":`...), int64(index), 10)
	dst = append(dst, `,"message":{"role":"assistant","content":`...)
	dst = appendContent(dst, r.Blocks)
	var calls bool
	dst, calls = appendCalls(dst, r.Blocks, a.Legacy)
	dst = appendReasoning(dst, r.Blocks)
	dst = appendAnnotations(dst, r.Blocks)
	var trace json.RawMessage
	if index > 0 { // the first choice's stands at the top
		trace = r.Trace
	}
	dst = appendProviderFields(dst, r, trace)
	dst = append(dst, `},"logprobs":`...)
	if len(r.Logprobs) > 0 {
		dst = append(dst, r.Logprobs...)
	} else {
		dst = append(dst, `null`...)
	}
	dst = append(dst, `,"finish_reason":"`...)
	dst = append(dst, FinishReason(r.Stop, calls, a.Legacy)...)
	return append(dst, `"}`...)
}

// appendContent joins the answer's text without separators. No text at all is null, as OpenAI has it.
func appendContent(dst []byte, blocks []llm.Block) []byte {
	start := len(dst)
	dst = append(dst, '"')
	for i := range blocks {
		switch blocks[i].Kind {
		case llm.BlockText, llm.BlockCitations:
			dst = blocks[i].Text.AppendInner(dst)
		}
	}
	if len(dst) == start+1 {
		return append(dst[:start], "null"...)
	}
	return append(dst, '"')
}

func appendCalls(dst []byte, blocks []llm.Block, legacy bool) ([]byte, bool) {
	n := 0
	for i := range blocks {
		b := &blocks[i]
		if b.Kind != llm.BlockToolUse {
			continue
		}
		switch {
		case legacy && n > 0: // the legacy form has room for one call
			continue
		case legacy:
			dst = append(dst, `,"function_call":{"name":`...)
		case n == 0:
			dst = append(dst, `,"tool_calls":[`...)
			fallthrough
		default:
			if n > 0 {
				dst = append(dst, ',')
			}
			dst = append(dst, `{"index":`...)
			dst = strconv.AppendInt(dst, int64(n), 10)
			dst = append(dst, `,"id":`...)
			dst = llm.AppendString(dst, b.Tool.ID)
			dst = append(dst, `,"type":"function","function":{"name":`...)
		}
		dst = llm.AppendString(dst, b.Tool.Name)
		dst = append(dst, `,"arguments":"`...)
		dst = appendArguments(dst, b.Tool.Input)
		dst = append(dst, `"}`...)
		if !legacy {
			dst = append(dst, '}')
		}
		n++
	}
	if n > 0 && !legacy {
		dst = append(dst, ']')
	}
	return dst, n > 0
}

// appendArguments writes a JSON value as the inside of a JSON string, without white space between its tokens.
func appendArguments(dst []byte, input json.RawMessage) []byte {
	if len(input) == 0 {
		return append(dst, "{}"...)
	}
	for _, c := range input {
		if c == ' ' || c == '\n' || c == '\t' || c == '\r' {
			return jsonscan.AppendEscaped(dst, jsonscan.AppendCompact(make([]byte, 0, len(input)), input))
		}
	}
	return jsonscan.AppendEscaped(dst, input)
}

// appendReasoning writes reasoning_content, all reasoning text joined, and thinking_blocks, the signed or encrypted
// blocks that a client must send back as they are.
func appendReasoning(dst []byte, blocks []llm.Block) []byte {
	const key = `,"reasoning_content":"`
	start := len(dst)
	dst = append(dst, key...)
	for i := range blocks {
		if blocks[i].Kind == llm.BlockThinking {
			dst = blocks[i].Text.AppendInner(dst)
		}
	}
	if len(dst) == start+len(key) {
		dst = dst[:start]
	} else {
		dst = append(dst, '"')
	}
	n := 0
	for i := range blocks {
		b := &blocks[i]
		if b.Kind != llm.BlockRedacted && (b.Kind != llm.BlockThinking || b.Signature.IsEmpty()) {
			continue
		}
		if n == 0 {
			dst = append(dst, `,"thinking_blocks":[`...)
		} else {
			dst = append(dst, ',')
		}
		n++
		if b.Kind == llm.BlockRedacted {
			dst = append(dst, `{"type":"redacted_thinking","data":`...)
		} else {
			dst = append(dst, `{"type":"thinking","thinking":`...)
			dst = b.Text.AppendJSON(dst)
			dst = append(dst, `,"signature":`...)
		}
		dst = b.Signature.AppendJSON(dst)
		dst = append(dst, '}')
	}
	if n > 0 {
		dst = append(dst, ']')
	}
	return dst
}

// appendProviderFields writes what OpenAI's shape has no place for, under LiteLLM's name.
func appendProviderFields(dst []byte, r *llm.Response, trace json.RawMessage) []byte {
	if r.StopRaw == "" && len(r.Fields) == 0 && len(trace) == 0 && !hasKind(r.Blocks, llm.BlockCitations) && !hasKind(r.Blocks, llm.BlockOther) {
		return dst
	}
	dst = append(dst, `,"provider_specific_fields":{"stop_reason":`...)
	dst = llm.AppendString(dst, r.StopRaw)
	if len(trace) > 0 {
		dst = append(append(dst, `,"trace":`...), trace...)
	}
	dst = appendReasoningBlocks(dst, r.Blocks)
	dst = appendRawBlocks(dst, "citationsContent", llm.BlockCitations, r.Blocks)
	dst = appendRawBlocks(dst, "other_content", llm.BlockOther, r.Blocks)
	if len(r.Fields) > 0 {
		dst = append(dst, `,"additionalModelResponseFields":`...)
		dst = append(dst, r.Fields...)
	}
	return append(dst, '}')
}

// appendReasoningBlocks writes the reasoning in AWS's own shape, for clients that send it back to Converse themselves.
func appendReasoningBlocks(dst []byte, blocks []llm.Block) []byte {
	n := 0
	for i := range blocks {
		b := &blocks[i]
		if b.Kind != llm.BlockThinking && b.Kind != llm.BlockRedacted {
			continue
		}
		if n == 0 {
			dst = append(dst, `,"reasoningContentBlocks":[`...)
		} else {
			dst = append(dst, ',')
		}
		n++
		if b.Kind == llm.BlockRedacted {
			dst = append(dst, `{"redactedContent":`...)
			dst = b.Signature.AppendJSON(dst)
		} else {
			dst = append(dst, `{"reasoningText":{"text":`...)
			dst = b.Text.AppendJSON(dst)
			if !b.Signature.IsEmpty() {
				dst = append(dst, `,"signature":`...)
				dst = b.Signature.AppendJSON(dst)
			}
			dst = append(dst, '}')
		}
		dst = append(dst, '}')
	}
	if n > 0 {
		dst = append(dst, ']')
	}
	return dst
}

func hasKind(blocks []llm.Block, kind llm.BlockKind) bool {
	for i := range blocks {
		if blocks[i].Kind == kind {
			return true
		}
	}
	return false
}

func appendRawBlocks(dst []byte, name string, kind llm.BlockKind, blocks []llm.Block) []byte {
	n := 0
	for i := range blocks {
		if blocks[i].Kind != kind || len(blocks[i].Raw) == 0 {
			continue
		}
		if n == 0 {
			dst = append(dst, `,"`...)
			dst = append(dst, name...)
			dst = append(dst, `":[`...)
		} else {
			dst = append(dst, ',')
		}
		n++
		dst = append(dst, blocks[i].Raw...)
	}
	if n > 0 {
		dst = append(dst, ']')
	}
	return dst
}

// appendTail writes what AWS says beside the answer: the tier it billed, its trace, the latency it used.
func appendTail(dst []byte, t *llm.Tail) []byte {
	if t == nil {
		return dst
	}
	if t.Tier != "" {
		dst = append(dst, `,"service_tier":`...)
		dst = llm.AppendString(dst, t.Tier)
	}
	if len(t.Trace) > 0 {
		dst = append(dst, `,"trace":`...)
		dst = append(dst, t.Trace...)
	}
	if len(t.Performance) > 0 {
		dst = append(dst, `,"performanceConfig":`...)
		dst = append(dst, t.Performance...)
	}
	return dst
}

// AppendUsage appends OpenAI's usage object. OpenAI's prompt_tokens include what was read from and written to the
// cache; Bedrock's input tokens do not.
func AppendUsage(dst []byte, u llm.Usage) []byte {
	dst = append(dst, `{"prompt_tokens":`...)
	dst = strconv.AppendInt(dst, u.Prompt(), 10)
	dst = append(dst, `,"completion_tokens":`...)
	dst = strconv.AppendInt(dst, u.Output, 10)
	dst = append(dst, `,"total_tokens":`...)
	dst = strconv.AppendInt(dst, u.Sum(), 10)
	dst = append(dst, `,"prompt_tokens_details":{"cached_tokens":`...)
	dst = strconv.AppendInt(dst, u.CacheRead, 10)
	if u.CacheWrite() > 0 {
		dst = append(dst, `,"cache_creation_tokens":`...)
		dst = strconv.AppendInt(dst, u.CacheWrite(), 10)
		if u.CacheSplit {
			dst = append(dst, `,"cache_creation_token_details":{"ephemeral_5m_input_tokens":`...)
			dst = strconv.AppendInt(dst, u.CacheWrite5m, 10)
			dst = append(dst, `,"ephemeral_1h_input_tokens":`...)
			dst = strconv.AppendInt(dst, u.CacheWrite1h, 10)
			dst = append(dst, '}')
		}
	}
	if u.CacheRead > 0 || u.CacheWrite() > 0 {
		dst = append(dst, `,"text_tokens":`...)
		dst = strconv.AppendInt(dst, u.Input, 10)
	}
	dst = append(dst, '}')
	if u.Reasoning > 0 {
		dst = append(dst, `,"completion_tokens_details":{"reasoning_tokens":`...)
		dst = strconv.AppendInt(dst, u.Reasoning, 10)
		dst = append(dst, '}')
	}
	if u.CacheRead > 0 || u.CacheWrite() > 0 {
		dst = append(dst, `,"cache_read_input_tokens":`...)
		dst = strconv.AppendInt(dst, u.CacheRead, 10)
		dst = append(dst, `,"cache_creation_input_tokens":`...)
		dst = strconv.AppendInt(dst, u.CacheWrite(), 10)
	}
	return append(dst, '}')
}
