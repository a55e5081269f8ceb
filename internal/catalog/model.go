package catalog

import (
	"maps"
	"slices"
	"strings"
)

// Support says whether a model has a capability.
type Support uint8

// What is known of a capability.
const (
	// Unknown: nobody has said; AWS decides.
	Unknown Support = iota
	// No: the model is known to lack it.
	No
	// Yes: the model has it.
	Yes
)

// Capability is the name of something that a model can do.
type Capability string

// The capabilities that the catalogue tells. Their values are the names in the data.
const (
	// Tools: the model calls tools. ToolChoice: it takes a tool_choice; ForcedTool: a call can be demanded of it.
	Tools      Capability = "tools"
	ToolChoice Capability = "tool_choice"
	ForcedTool Capability = "forced_tool"
	// ParallelTools: several calls in one turn; ParallelToolsSwitch: that can be switched off.
	ParallelTools       Capability = "parallel_tools"
	ParallelToolsSwitch Capability = "parallel_tools_switch"
	// StrictTools: arguments follow the tool's schema. ToolSearch: tools are found on demand. ToolResultImages: a tool's
	// result may hold images.
	StrictTools      Capability = "strict_tools"
	ToolSearch       Capability = "tool_search"
	ToolResultImages Capability = "tool_result_images"
	// Vision: a chat may hold images. ImageInput and EmbedImage: so may the input of an image model and of an embedder.
	Vision     Capability = "vision"
	ImageInput Capability = "image_input"
	EmbedImage Capability = "embed_image"
	// Documents, Video, AudioIn: the model reads PDF and other documents, films, sound. AudioOut: it speaks.
	Documents Capability = "documents"
	Video     Capability = "video"
	AudioIn   Capability = "audio_in"
	AudioOut  Capability = "audio_out"
	// PromptCache: prefixes can be cached; CacheBreakpoint: at points that the client sets.
	PromptCache     Capability = "cache"
	CacheBreakpoint Capability = "cache_breakpoint"
	// CacheKeepsThinking: the thinking of earlier turns stays in the cached prefix.
	CacheKeepsThinking Capability = "cache_keeps_thinking"
	// Thinking: the model can reason before it answers; how is in [Model.Reasoning].
	Thinking Capability = "reasoning"
	// JSONSchema: the answer can be held to a schema in some way. NativeStructured: by AWS itself; NativeStructuredOnly: by
	// AWS itself on Converse while the model thinks.
	JSONSchema           Capability = "json_schema"
	NativeStructured     Capability = "structured_native"
	NativeStructuredOnly Capability = "structured_native_converse"
	// RegexLookaround: patterns in such a schema may look around.
	RegexLookaround Capability = "regex_lookaround"
	// ComputerUse: Anthropic's tools for a computer's screen, shell and files.
	ComputerUse Capability = "computer_use"
	// Prefill: the last message may be the assistant's, to be continued.
	Prefill Capability = "prefill"
	// SystemPrompt: there is a system prompt. MidSystem: a system message may stand in mid-conversation.
	SystemPrompt Capability = "system"
	MidSystem    Capability = "mid_system"
	// Sampling: temperature and top_p are accepted.
	Sampling Capability = "sampling"
	// OutputEffort: output_config.effort is accepted.
	OutputEffort Capability = "output_effort"
	// Compaction: Claude shortens a long conversation itself. WebSearch: the model searches on the server.
	Compaction Capability = "compaction"
	WebSearch  Capability = "web_search"
	// NativeStreaming: the answer is streamed as it is made.
	NativeStreaming Capability = "native_streaming"
	// CanvasEdit: the image model edits as Nova Canvas does.
	CanvasEdit Capability = "canvas_edit"
	// OpenAIPath: Mantle serves the model under /openai/v1 rather than /v1.
	OpenAIPath Capability = "openai_path"
	// ChatInlineReasoning, ChatJSONSchema and ChatToolsWithReasoning are of bedrock-runtime's Chat Completions: reasoning
	// stands in the text; schemas are taken; tools and reasoning go together.
	ChatInlineReasoning    Capability = "cc_inline_reasoning"
	ChatJSONSchema         Capability = "cc_json_schema"
	ChatToolsWithReasoning Capability = "cc_tools_with_reasoning"
)

func allCapabilities() []Capability {
	return []Capability{
		Tools, ToolChoice, ForcedTool, ParallelTools, ParallelToolsSwitch, StrictTools, ToolSearch, ToolResultImages, Vision, ImageInput, EmbedImage,
		Documents, Video, AudioIn, AudioOut, PromptCache, CacheBreakpoint, CacheKeepsThinking, Thinking, JSONSchema, NativeStructured,
		NativeStructuredOnly, RegexLookaround, ComputerUse, Prefill, SystemPrompt, MidSystem, Sampling, OutputEffort, Compaction, WebSearch,
		NativeStreaming, CanvasEdit, OpenAIPath, ChatInlineReasoning, ChatJSONSchema, ChatToolsWithReasoning,
	}
}

// Model is a base model. It is not changed after it was read.
type Model struct {
	// ID is the model's own id, without a profile's prefix.
	ID string `json:"id"`
	// Provider and Family group models; Body names the schema of their InvokeModel bodies.
	Provider string `json:"provider"`
	Family   string `json:"family"`
	Body     string `json:"body"`
	// Mode is what the model does: chat, responses, embedding, image, image_edit, rerank, realtime, video or guardrail.
	Mode string `json:"mode"`
	// Input and Output are modalities: text, image, document, video, audio; embedding, score.
	Input  []string `json:"input"`
	Output []string `json:"output"`
	// Route is the API that answers a name without a route word.
	Route Route `json:"route"`
	// Streaming is false for models that only answer whole; nil means that they stream.
	Streaming *bool `json:"streams,omitempty"`
	// Converse says what Converse lacks for the model; nil means nothing.
	Converse *ConverseLimits `json:"converse,omitempty"`
	// ProfileOnly: on-demand calls need an inference profile.
	ProfileOnly bool `json:"profile_only,omitempty"`
	// Context is the input window and MaxOutput the longest answer, in tokens; 0 is unknown. Dimensions is the length of an
	// embedding.
	Context   int64 `json:"context,omitempty"`
	MaxOutput int64 `json:"max_output,omitempty"`
	// QuotaBurn is how many tokens of AWS's quota a token of the answer uses, if not one (Bedrock User Guide, "How tokens are
	// counted").
	QuotaBurn  int64 `json:"quota_burn,omitempty"`
	Dimensions int64 `json:"dimensions,omitempty"`
	// EndOfLife is the day on which AWS ends the model, YYYY-MM-DD.
	EndOfLife string `json:"end_of_life,omitempty"`
	// Reasoning says how the model is asked to think; nil means that it has no parameter for it.
	Reasoning *Reasoning `json:"reasoning,omitempty"`
	// Cache says what prompt caching takes; nil means that the model has none.
	Cache *Cache `json:"cache,omitempty"`
	// Capabilities are names from the list above; "!" in front says that the model is known to lack it.
	Capabilities []string `json:"capabilities,omitempty"`
	// Endpoints are the OpenAI-shaped endpoints known for the model.
	Endpoints []string `json:"endpoints,omitempty"`

	// ImagePrices are USD for one image by "size/steps"; a size of "max" is a larger one than the standard, steps of "max"
	// are more than 50. ProvisionedPerSecond is USD for a second of a model unit, by region ("*" is any other) and
	// commitment (1m, 6m).
	ImagePrices          map[string]float64            `json:"image_prices,omitempty"`
	ProvisionedPerSecond map[string]map[string]float64 `json:"provisioned_per_second,omitempty"`
	// Note says where a fact comes from that is less certain than the others.
	Note string `json:"note,omitempty"`

	// What follows is exported for the decoder alone: see [Catalog.Price] and [Catalog.ModelIn].
	Prices           prices               `json:"price"`
	ProfileOverrides map[string]*override `json:"profiles,omitempty"`
	RegionOverrides  map[string]*override `json:"regions,omitempty"`
	Surfaces         map[string]*override `json:"surfaces,omitempty"`
	Aliases          []*override          `json:"aliases,omitempty"`
}

// ConverseLimits is what Converse lacks for a model.
type ConverseLimits struct {
	// Support is no, limited, or empty for full.
	Support string `json:"support,omitempty"`
	// Streams is false where ConverseStream refuses the model, System where Converse refuses system prompts.
	Streams *bool `json:"streams,omitempty"`
	System  *bool `json:"system,omitempty"`
}

// Reasoning is how a model is asked to think.
type Reasoning struct {
	// Kind lists the ways: budget and adaptive (Claude), effort (a level), native (always, or by template).
	Kind []string `json:"kinds"`
	// AlwaysOn models cannot be told not to.
	AlwaysOn bool `json:"always_on,omitempty"`
	// Levels are those beyond low, medium and high; "!" in front says that the model refuses it.
	Levels []string `json:"levels,omitempty"`
	// Ceiling is the highest level that Converse takes.
	Ceiling string `json:"ceiling,omitempty"`
}

// Cache is what prompt caching takes.
type Cache struct {
	// MinTokens is the shortest prefix that is cached, 0 when unknown. TTL lists the times to live: 5m, 1h.
	MinTokens int64    `json:"min_tokens,omitempty"`
	TTL       []string `json:"ttl,omitempty"`
}

// Supports says whether the model has a capability. It may be asked of a nil model, of which nothing is known.
func (m *Model) Supports(c Capability) Support {
	if m == nil {
		return Unknown
	}
	for _, have := range m.Capabilities {
		switch lacks, ok := strings.CutPrefix(have, "!"); {
		case have == string(c):
			return Yes
		case ok && lacks == string(c):
			return No
		}
	}
	return Unknown
}

// HasConverse reports whether Converse serves the model; of an unknown one it is assumed.
func (m *Model) HasConverse() bool {
	return m == nil || m.Converse == nil || m.Converse.Support != "no"
}

// Streams reports whether the model can stream its answers.
func (m *Model) Streams() bool { return m == nil || m.Streaming == nil || *m.Streaming }

// ConverseStreams reports whether Converse streams the model's answers.
func (m *Model) ConverseStreams() bool {
	return m.Streams() && (m == nil || m.Converse == nil || m.Converse.Streams == nil || *m.Converse.Streams)
}

// LiteLLMMode is the mode by LiteLLM's word, which clients know.
func (m *Model) LiteLLMMode() string {
	if m.Mode == "image" {
		return "image_generation"
	}
	return m.Mode
}

// Profiles returns the geographies of the model's cross-region inference profiles, sorted: us, eu, global, ….
func (m *Model) Profiles() []string {
	return slices.Sorted(maps.Keys(m.ProfileOverrides))
}

// Takes reports whether the model reads a modality.
func (m *Model) Takes(modality string) bool { return slices.Contains(m.Input, modality) }
