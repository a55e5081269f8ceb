package converse

import "github.com/outcrop-ai/outcrop/llm"

// StopOf returns the reason behind a provider's word, a JSON string without its quotes, and the word.
func StopOf(word []byte) (llm.StopReason, string) { return stopOf(word) }

// stopOf maps AWS's stop reason, and returns the word itself without an allocation for the known ones. The malformed_*
// reasons end a turn like any other, for want of a better word.
func stopOf(raw []byte) (llm.StopReason, string) {
	switch string(raw) {
	case "end_turn":
		return llm.StopEnd, "end_turn"
	case "tool_use":
		return llm.StopTool, "tool_use"
	case "stop_sequence":
		return llm.StopSequence, "stop_sequence"
	case "max_tokens":
		return llm.StopLength, "max_tokens"
	case "model_context_window_exceeded":
		return llm.StopLength, "model_context_window_exceeded"
	case "guardrail_intervened":
		return llm.StopFilter, "guardrail_intervened"
	case "content_filtered":
		return llm.StopFilter, "content_filtered"
	default:
		word := llm.RawText(raw).String()
		return familyStops[word], word
	}
}

// familyStops are the words of the families' own bodies, on InvokeModel.
var familyStops = map[string]llm.StopReason{
	"refusal": llm.StopFilter, "pause_turn": llm.StopEnd, // Claude
	"stop": llm.StopEnd, "length": llm.StopLength, "tool_calls": llm.StopTool, "content_filter": llm.StopFilter, // OpenAI's, Llama, Mistral, R1
	"FINISH": llm.StopEnd, "FINISHED": llm.StopEnd, "LENGTH": llm.StopLength, "STOP_CRITERIA_MET": llm.StopSequence, // Titan
	"CONTENT_FILTERED": llm.StopFilter, "RAG_QUERY_WHEN_RAG_DISABLED": llm.StopEnd,
	"COMPLETE": llm.StopEnd, "MAX_TOKENS": llm.StopLength, "ERROR": llm.StopEnd, "ERROR_TOXIC": llm.StopFilter, // Cohere
	"ERROR_LIMIT": llm.StopLength, "USER_CANCEL": llm.StopEnd, "endoftext": llm.StopEnd, // AI21's
}

// settleStop corrects the reason by what the answer holds: a call that became content is none, and some models end a
// turn that calls tools with end_turn.
func settleStop(stop llm.StopReason, calls bool) llm.StopReason {
	switch {
	case stop == llm.StopTool && !calls:
		return llm.StopEnd
	case stop == llm.StopEnd && calls:
		return llm.StopTool
	default:
		return stop
	}
}
