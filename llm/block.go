package llm

import (
	"encoding/json"
	"strconv"
)

// Role says who speaks in a [Message].
type Role uint8

// The two sides of a conversation. Tool results travel on the user's side, as they do at AWS. System text stands in
// [Request.System]; RoleSystem is for an operator's message further down the conversation.
const (
	RoleUser Role = iota
	RoleAssistant
	RoleSystem
)

// String returns "user", "assistant" or "system".
func (r Role) String() string {
	switch r {
	case RoleAssistant:
		return "assistant"
	case RoleSystem:
		return "system"
	default:
		return "user"
	}
}

// Message is one turn, or a part of one: consecutive messages of one side are joined by the codec where AWS wants
// strict alternation.
type Message struct {
	Role   Role
	Blocks []Block
	// Prefix asks that a last assistant message stays last, as a prefill (the client's "prefix": true).
	Prefix bool
}

// BlockKind tells which fields of a [Block] are in use.
type BlockKind uint8

// The kinds of content.
const (
	// BlockText is Text.
	BlockText BlockKind = iota
	// BlockImage, BlockDocument, BlockVideo and BlockAudio are Media.
	BlockImage
	BlockDocument
	BlockVideo
	BlockAudio
	// BlockToolUse is a model's call: Tool with ID, Name and Input.
	BlockToolUse
	// BlockToolResult is the answer to a call: Tool with ID, Result and Failed.
	BlockToolResult
	// BlockThinking is reasoning: Text, and Signature when the model signed it.
	BlockThinking
	// BlockRedacted is reasoning that the provider encrypted: Signature holds its data, base64 as AWS sends it.
	BlockRedacted
	// BlockGuarded is Text that a guardrail shall judge; Qualifiers may say "grounding_source" or "query".
	BlockGuarded
	// BlockCitations is Text quoted from sources; Raw holds AWS's citationsContent.
	BlockCitations
	// BlockOther is a block of AWS's that has no kind of its own yet: Raw holds it as it came.
	BlockOther
)

// Block is one piece of content: a tagged union kept flat, so that a conversation is a few slices and no interface
// values.
type Block struct {
	Kind       BlockKind
	Text       Text
	Signature  Text
	Media      *Media
	Tool       *ToolBlock
	Cache      *CachePoint
	Qualifiers []string
	Raw        json.RawMessage
	// Path is where the client wrote the block, such as "messages[2].content[0]": errors and losses name it.
	Path Path
}

// Path locates a value in the client's request without the cost of a string per block: message and part number, each
// counted from 0, -1 where there is none, and the member of the message that holds the part.
type Path struct {
	Message, Part int32
	In            PathMember
}

// PathMember is the member of a message that a [Path] leads into.
type PathMember uint8

// The members. InMessage is the message as a whole.
const (
	InContent PathMember = iota
	InMessage
	InThinkingBlocks
	InToolCalls
	// InInput is an input of an embeddings request: Message is its number, -1 if it stands alone.
	InInput
	// InItem is an item of the input of a request of the Responses API: Message is its number, -1 for all those that came
	// with an earlier response.
	InItem
	// InSystem is the system prompt of a request that has it apart: Part is the number of its block.
	InSystem
)

// String returns the place as errors name it: "messages[2].content[0]", "messages[2].tool_calls[1]", "messages[2]".
func (p Path) String() string {
	if p.In == InInput {
		if p.Message < 0 {
			return "input"
		}
		return "input[" + strconv.Itoa(int(p.Message)) + "]"
	}
	if p.In == InItem {
		return p.item()
	}
	if p.In == InSystem {
		return "system[" + strconv.Itoa(int(p.Part)) + "]"
	}
	s := "messages[" + strconv.Itoa(int(p.Message)) + "]"
	switch p.In {
	case InMessage:
		return s
	case InThinkingBlocks:
		s += ".thinking_blocks"
	case InToolCalls:
		s += ".tool_calls"
	default:
		s += ".content"
	}
	if p.Part >= 0 {
		s += "[" + strconv.Itoa(int(p.Part)) + "]"
	}
	return s
}

func (p Path) item() string {
	if p.Message < 0 {
		return "previous_response_id"
	}
	s := "input[" + strconv.Itoa(int(p.Message)) + "]"
	if p.Part >= 0 {
		s += ".content[" + strconv.Itoa(int(p.Part)) + "]"
	}
	return s
}

// Media is an image, document, video or audio clip: exactly one of Base64, Text, URL and S3 is set.
type Media struct {
	// Format is AWS's short name: png, jpeg, gif, webp; pdf, csv, …; mp4, …; wav, ….
	Format string
	// Name is a document's name as the client gave it; AWS wants one, see the codec.
	Name string
	// Base64 is the content in standard base64, padded.
	Base64 Text
	// Text is a document that is plain text.
	Text Text
	// URL is an http(s) address that the gateway fetches, never AWS.
	URL string
	// S3 is an s3:// address that AWS reads itself; Owner is the bucket owner's account.
	S3, Owner string
	// Context and CitationsEnabled belong to documents.
	Context          Text
	CitationsEnabled bool
}

// ToolBlock is a call of a tool or its result.
type ToolBlock struct {
	// ID joins call and result.
	ID string
	// Name is the called tool's name as the client knows it.
	Name string
	// Input is the call's arguments, any JSON value.
	Input json.RawMessage
	// Result is what the tool said: text, image, document or video blocks, or BlockOther with JSON.
	Result []Block
	// Failed marks a result as an error.
	Failed bool
}

// CachePoint asks AWS to cache the prompt up to and including the block that carries it.
type CachePoint struct {
	// TTL is "5m", "1h", or empty for AWS's default.
	TTL string
}

// Tool is a function that the model may call.
type Tool struct {
	// Name is the client's; the codec maps names that AWS refuses, and back.
	Name string
	// Description may be empty.
	Description Text
	// Schema is the JSON Schema of the arguments as the client wrote it; nil means an empty object.
	Schema json.RawMessage
	// Strict asks for schema-exact arguments; nil means unsaid.
	Strict *bool
	// Type is empty for a function, else a provider-defined tool's type such as "computer_20250124"; Raw is then the
	// whole definition as the client wrote it.
	Type string
	Raw  json.RawMessage
	// Hosted marks a provider-defined tool that runs at the provider, such as a web search: where there is none the request
	// is refused, not served without it.
	Hosted bool
	// Cache asks for a cache point behind this tool.
	Cache *CachePoint
}

// ToolChoiceMode says whether the model must call a tool.
type ToolChoiceMode uint8

// The modes of a tool choice.
const (
	// ToolUnset leaves the choice to the provider's default.
	ToolUnset ToolChoiceMode = iota
	// ToolAuto lets the model decide.
	ToolAuto
	// ToolNone forbids calls.
	ToolNone
	// ToolRequired demands a call of any tool.
	ToolRequired
	// ToolNamed demands a call of ToolChoice.Name.
	ToolNamed
)

// ToolChoice is the client's wish about tool calls.
type ToolChoice struct {
	Mode ToolChoiceMode
	Name string
}
