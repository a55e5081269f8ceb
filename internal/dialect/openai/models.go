package openai

import (
	"strconv"

	"github.com/outcrop-ai/outcrop/llm"
)

// Model is one entry of the list of models.
type Model struct {
	// ID is the name to ask for.
	ID string
	// Mode is what the model does, in LiteLLM's words: chat, embedding, ….
	Mode string
	// Context and MaxOutput are limits in tokens, 0 when unknown.
	Context, MaxOutput int64
}

// modelCreated is what every model's "created" says: AWS publishes no such time, and LiteLLM's constant is what its
// users' tools have seen so far.
const modelCreated = 1677610602

// AppendModels appends OpenAI's list object.
func AppendModels(dst []byte, models []Model) []byte {
	dst = append(dst, `{"object":"list","data":[`...)
	for i := range models {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = AppendModel(dst, &models[i])
	}
	return append(dst, `]}`...)
}

// AppendModel appends one model object.
func AppendModel(dst []byte, m *Model) []byte {
	dst = append(dst, `{"id":`...)
	dst = llm.AppendString(dst, m.ID)
	dst = append(dst, `,"object":"model","created":`...)
	dst = strconv.AppendInt(dst, modelCreated, 10)
	dst = append(dst, `,"owned_by":"bedrock"`...)
	if m.Mode != "" {
		dst = append(dst, `,"mode":`...)
		dst = llm.AppendString(dst, m.Mode)
	}
	if m.Context > 0 {
		dst = append(dst, `,"max_input_tokens":`...)
		dst = strconv.AppendInt(dst, m.Context, 10)
	}
	if m.MaxOutput > 0 {
		dst = append(dst, `,"max_output_tokens":`...)
		dst = strconv.AppendInt(dst, m.MaxOutput, 10)
	}
	return append(dst, '}')
}
