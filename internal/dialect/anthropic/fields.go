package anthropic

// fate is what becomes of a member of a request.
type fate uint8

const (
	// unknown: the table does not have it. In a block or a tool it is left out by name, since AWS refuses what it does not
	// know and a conversation would never go on; beside the messages it is passed on as the provider's own parameter.
	unknown fate = iota
	// mapped: it has a meaning here, and goes where the model has it.
	mapped
	// dropped: Bedrock does not take it, and the answer is the same without it but for speed or price. It is left out by name.
	dropped
	// silent: it says nothing to the model: what our own answers hold, and clients send back. It is left out.
	silent
	// refused: what it asks for happens on Anthropic's own servers. It is refused, or left out by name under drop_params.
	refused
)

// The objects of a request that the table speaks of.
const (
	objRequest      = "request"
	objMessage      = "message"
	objCache        = "cache_control"
	objTool         = "tool"
	objText         = "text"
	objImage        = "image"
	objDocument     = "document"
	objSource       = "source"
	objThinking     = "thinking"
	objRedacted     = "redacted_thinking"
	objToolUse      = "tool_use"
	objToolResult   = "tool_result"
	objSearchResult = "search_result"
)

// fields is the one table of what becomes of every member of Anthropic's request. It holds for every way to a model: what
// the client wrote goes up in its own words without what is dropped here, and what is mapped goes through the core.
var fields = map[string]map[string]fate{
	objRequest: {
		"model": mapped, "messages": mapped, "system": mapped, "max_tokens": mapped, "temperature": mapped, "top_p": mapped, "top_k": mapped,
		"stop_sequences": mapped, "stream": mapped, "tools": mapped, "tool_choice": mapped, "thinking": mapped, "metadata": mapped,
		"service_tier": mapped, "output_config": mapped, "output_format": mapped, "context_management": mapped, "cache_control": mapped,
		"anthropic_beta": mapped, "betas": mapped,
		"anthropic_version": silent,                          // Bedrock has one of its own
		"speed":             dropped, "diagnostics": dropped, // faster hardware, and reports of cache misses
		"container": refused, "mcp_servers": refused, // run by Anthropic
		"inference_geo":   refused, // the model's name says it here: us., eu., …
		"user_profile_id": dropped, // of Anthropic's own accounts
		"workspace_id":    dropped, "billing_policy": dropped, "fallback_credit_token": dropped,
		"compaction": dropped, // context_management asks for the same, and Bedrock has it
		"thread":     refused, // a conversation that Anthropic keeps
	},
	objMessage: {
		"role": mapped, "content": mapped,
		"id": silent, "type": silent, "model": silent, "stop_reason": silent, "stop_sequence": silent, "stop_details": silent, "usage": silent,
		"container": silent, "context_management": silent, "diagnostics": silent, "output_config": dropped, // a whole answer, sent back
	},
	objCache: {"type": mapped, "ttl": mapped, "scope": dropped}, // the scope is that of Anthropic's own organisations
	objTool: {
		"type": mapped, "name": mapped, "description": mapped, "input_schema": mapped, "strict": mapped, "cache_control": mapped,
		"defer_loading":         mapped, // beside a tool that searches for tools
		"input_examples":        dropped,
		"eager_input_streaming": dropped, "allowed_callers": dropped, "custom": dropped,
	},
	objText:         {"type": mapped, "text": mapped, "cache_control": mapped, "citations": mapped, "parsed_output": silent},
	objImage:        {"type": mapped, "source": mapped, "cache_control": mapped, "transformations": dropped},
	objDocument:     {"type": mapped, "source": mapped, "title": mapped, "context": mapped, "citations": mapped, "cache_control": mapped},
	objSource:       {"type": mapped, "media_type": mapped, "data": mapped, "url": mapped, "content": mapped, "file_id": mapped},
	objThinking:     {"type": mapped, "thinking": mapped, "signature": mapped},
	objRedacted:     {"type": mapped, "data": mapped},
	objToolUse:      {"type": mapped, "id": mapped, "name": mapped, "input": mapped, "cache_control": mapped, "caller": dropped, "toolset_name": dropped, "toolUseResult": silent},
	objToolResult:   {"type": mapped, "tool_use_id": mapped, "content": mapped, "is_error": mapped, "cache_control": mapped, "toolset_name": dropped},
	objSearchResult: {"type": mapped, "source": mapped, "title": mapped, "content": mapped, "citations": mapped, "cache_control": mapped},
}

// why is the word with which a member is named that is left out.
func (f fate) why() string {
	if f == unknown {
		return "unknown"
	}
	return "unsupported"
}
