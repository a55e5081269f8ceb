package engine

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// Remove takes the parameter at path out of the request (LiteLLM's additional_drop_params), whatever the model supports.
// A path is a parameter's name, or leads into one: "tools[*].function.strict", "response_format.json_schema.strict". It
// reports whether there was anything to remove.
func Remove(r *llm.Request, path string) bool {
	steps := splitPath(path)
	if len(steps) == 0 {
		return false
	}
	removed := false
	switch {
	case len(steps) == 1:
		removed = removeWhole(r, steps[0])
	case steps[0] == "tools" || steps[0] == "functions":
		removed = removeFromTools(r, steps[1:])
	case steps[0] == "response_format":
		removed = removeFromFormat(r, steps[1:])
	case isConversation(steps[0]) && steps[len(steps)-1] == "cache_control":
		removed = removeCachePoints(r, steps[0])
	default:
		removed = removeFromFields(r.Extra, steps) || removeFromFields(r.Params, steps)
		if steps[0] == "thinking" && r.Thinking != nil {
			r.Thinking, removed = jsonscan.Delete(r.Thinking, steps[1:]...)
		}
		if steps[0] == "guardrailConfig" && r.Guardrail != nil {
			r.Guardrail, removed = jsonscan.Delete(r.Guardrail, steps[1:]...)
		}
	}
	if removed {
		r.Lose(path, "dropped")
		if steps[0] == "tools" || isConversation(steps[0]) {
			r.Change()
		}
	}
	return removed
}

func isConversation(name string) bool { return name == "messages" || name == "system" }

// splitPath turns "tools[*].function.strict" into its steps: tools, *, function, strict.
func splitPath(path string) []string {
	path = strings.NewReplacer("[", ".", "]", "").Replace(path)
	return strings.FieldsFunc(path, func(c rune) bool { return c == '.' })
}

func clearField[T comparable](field *T) bool {
	var zero T
	had := *field != zero
	*field = zero
	return had
}

func clearList[T any](list *[]T) bool {
	had := len(*list) > 0
	*list = nil
	return had
}

func removeWhole(r *llm.Request, name string) bool {
	switch name {
	case "temperature":
		return clearField(&r.Temperature)
	case "top_p":
		return clearField(&r.TopP)
	case "top_k":
		return clearField(&r.TopK)
	case "max_tokens", "max_completion_tokens":
		return clearField(&r.MaxTokens)
	case "n":
		return clearField(&r.N)
	case "stop":
		return clearList(&r.Stop)
	case "tools", "functions":
		r.ToolChoice = llm.ToolChoice{}
		return clearList(&r.Tools)
	case "tool_choice", "function_call":
		return clearField(&r.ToolChoice)
	case "parallel_tool_calls":
		return clearField(&r.ParallelTools)
	case "response_format":
		return clearField(&r.Format)
	case "reasoning_effort":
		return clearField(&r.Effort)
	case "thinking":
		return clearList((*[]byte)(&r.Thinking))
	case "service_tier", "serviceTier":
		return clearField(&r.Tier)
	case "user", "safety_identifier":
		return clearField(&r.User)
	case "requestMetadata":
		return clearList(&r.Metadata)
	case "performanceConfig":
		return clearField(&r.Latency)
	case "guardrailConfig":
		return clearList((*[]byte)(&r.Guardrail))
	case "anthropic_beta":
		return clearList(&r.Betas)
	case "stream_options":
		return clearField(&r.IncludeUsage)
	}
	if removed, known := removeAsked(r, name); known {
		return removed
	}
	var found bool
	if r.Params, found = without(r.Params, name); found {
		return true
	}
	r.Extra, found = without(r.Extra, name)
	return found
}

// removeAsked takes out what has a place of its own in a request that is no chat; known is false for other names.
func removeAsked(r *llm.Request, name string) (removed, known bool) {
	switch {
	case r.Embed != nil && name == "dimensions":
		return clearField(&r.Embed.Dimensions), true
	case r.Embed != nil && name == "encoding_format":
		return clearField(&r.Embed.Encoding), true
	case r.Rerank != nil && name == "top_n":
		return clearField(&r.Rerank.TopN), true
	case r.Rerank != nil && name == "return_documents":
		return clearField(&r.Rerank.ReturnDocuments), true
	case r.Rerank != nil && name == "rank_fields":
		return clearList(&r.Rerank.Fields), true
	case r.Image != nil:
		return removeFromImage(r.Image, name)
	}
	return false, false
}

// removeFromImage takes a parameter of an image request out, whoever said it.
func removeFromImage(a *llm.Image, name string) (removed, known bool) {
	var usual bool
	a.Defaults, usual = without(a.Defaults, name)
	switch name {
	case "size":
		said := a.Width != 0
		a.Width, a.Height = 0, 0
		return said || usual, true
	case "quality":
		return clearField(&a.Quality) || usual, true
	case "style":
		return clearField(&a.Style) || usual, true
	case "output_format":
		return clearField(&a.Format) || usual, true
	}
	return usual, usual
}

func without(fields []llm.Field, name string) ([]llm.Field, bool) {
	for i := range fields {
		if fields[i].Name == name {
			kept := append([]llm.Field(nil), fields[:i]...)
			return append(kept, fields[i+1:]...), true
		}
	}
	return fields, false
}

// removeFromTools works on a copy of the list: tools from a deployment's defaults are shared between requests.
func removeFromTools(r *llm.Request, steps []string) bool {
	if len(steps) < 2 || steps[0] != jsonscan.Wildcard {
		return false
	}
	steps = steps[1:]
	if len(steps) > 1 && steps[0] == "function" {
		steps = steps[1:]
	}
	tools := append([]llm.Tool(nil), r.Tools...)
	removed := false
	for i := range tools {
		t := &tools[i]
		switch {
		case t.Raw != nil:
			var did bool
			t.Raw, did = deleteRaw(t.Raw, steps)
			removed = removed || did
		case len(steps) > 1 && (steps[0] == "parameters" || steps[0] == "input_schema"):
			var did bool
			t.Schema, did = deleteRaw(t.Schema, steps[1:])
			removed = removed || did
		case len(steps) > 1:
		case steps[0] == "strict":
			removed = clearField(&t.Strict) || removed
		case steps[0] == "description":
			removed = removed || !t.Description.IsEmpty()
			t.Description = llm.Text{}
		case steps[0] == "parameters", steps[0] == "input_schema":
			removed = removed || t.Schema != nil
			t.Schema = nil
		case steps[0] == "cache_control":
			removed = clearField(&t.Cache) || removed
		}
	}
	r.Tools = tools
	return removed
}

// removeCachePoints takes the cache points out of the system prompt or of the messages.
func removeCachePoints(r *llm.Request, from string) bool {
	removed := false
	clean := func(blocks []llm.Block) []llm.Block {
		blocks = slices.Clone(blocks)
		for i := range blocks {
			removed = clearField(&blocks[i].Cache) || removed
		}
		return blocks
	}
	if from == "system" {
		r.System = clean(r.System)
		return removed
	}
	r.Messages = slices.Clone(r.Messages)
	for i := range r.Messages {
		r.Messages[i].Blocks = clean(r.Messages[i].Blocks)
	}
	return removed
}

func deleteRaw(raw json.RawMessage, steps []string) (json.RawMessage, bool) {
	if raw == nil {
		return nil, false
	}
	return jsonscan.Delete(raw, steps...)
}

func removeFromFormat(r *llm.Request, steps []string) bool {
	if r.Format == nil {
		return false
	}
	f := *r.Format
	removed := false
	if steps[0] == "json_schema" && len(steps) > 1 {
		steps = steps[1:]
	}
	switch {
	case len(steps) > 1 && steps[0] == "schema":
		f.Schema, removed = deleteRaw(f.Schema, steps[1:])
	case len(steps) > 1:
	case steps[0] == "strict":
		removed = clearField(&f.Strict)
	case steps[0] == "name":
		removed = clearField(&f.Name)
	case steps[0] == "description":
		removed = !f.Description.IsEmpty()
		f.Description = llm.Text{}
	}
	r.Format = &f
	return removed
}

func removeFromFields(fields []llm.Field, steps []string) bool {
	for i := range fields {
		if fields[i].Name == steps[0] {
			var removed bool
			fields[i].Value, removed = deleteRaw(fields[i].Value, steps[1:])
			return removed
		}
	}
	return false
}
