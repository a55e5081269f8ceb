package llm

import "slices"

// Capability is the name of something that a model can do.
type Capability string

// The capabilities that programs ask for most. Model.Capabilities has all that are known, by the names in these values.
const (
	// Vision, Documents, Video and AudioIn: a chat may hold images, PDF and other documents, films, sound. AudioOut: the
	// model speaks.
	Vision    Capability = "vision"
	Documents Capability = "documents"
	Video     Capability = "video"
	AudioIn   Capability = "audio_in"
	AudioOut  Capability = "audio_out"
	// Tools: the model calls tools. ForcedTool: a call can be demanded. ParallelTools: it makes several in one turn.
	// StrictTools: their arguments follow the schema.
	Tools         Capability = "tools"
	ForcedTool    Capability = "forced_tool"
	ParallelTools Capability = "parallel_tools"
	StrictTools   Capability = "strict_tools"
	// Thinking: the model can reason before it answers.
	Thinking Capability = "reasoning"
	// Structured: the answer can be held to a schema.
	Structured Capability = "json_schema"
	// PromptCache: prefixes of prompts can be cached.
	PromptCache Capability = "cache"
	// SystemPrompt: there is a system prompt. Prefill: a last message of the assistant's is continued.
	SystemPrompt Capability = "system"
	Prefill      Capability = "prefill"
	// ComputerUse: Anthropic's tools for a screen, a shell and files.
	ComputerUse Capability = "computer_use"
)

// Model is what is known of a model.
type Model struct {
	// ID is the model's own id, without the prefix of a cross-region inference profile.
	ID string
	// Provider and Family group models: amazon and nova, anthropic and claude.
	Provider, Family string
	// Mode is what the model does: chat, embedding, image, image_edit, rerank, ….
	Mode string
	// Input and Output are modalities: text, image, document, video, audio; embedding, score.
	Input, Output []string
	// Context is the input window and MaxOutput the longest answer, in tokens; Dimensions the length of an embedding. 0 is
	// unknown.
	Context, MaxOutput, Dimensions int64
	// Capabilities are what the model is known to do, Lacking what it is known not to do. Of anything else AWS decides.
	Capabilities, Lacking []Capability
	// Streams reports whether answers can be streamed.
	Streams bool
	// Profiles are the ids of the model's cross-region inference profiles; ProfileOnly says that on-demand calls need one.
	Profiles    []string
	ProfileOnly bool
	// Prices are USD for one unit, by LiteLLM's names: input_cost_per_token, output_cost_per_token, …; nil if unknown. They
	// are those of PriceRegion.
	Prices      map[string]float64
	PriceRegion string
	// EndOfLife is the day on which AWS ends the model, as YYYY-MM-DD; empty if none is known.
	EndOfLife string
}

// Supports reports whether the model is known to have a capability.
func (m *Model) Supports(c Capability) bool { return slices.Contains(m.Capabilities, c) }

// Lacks reports whether the model is known not to have a capability.
func (m *Model) Lacks(c Capability) bool { return slices.Contains(m.Lacking, c) }
