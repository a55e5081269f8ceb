package converse

import "github.com/outcrop-ai/outcrop/llm"

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
		return llm.StopUnknown, llm.RawText(raw).String()
	}
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
