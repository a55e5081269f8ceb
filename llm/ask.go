package llm

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"mime"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Ask returns a request that asks a model one thing: a text, and whatever more belongs to it, such as an [ImageURL].
func Ask(model, text string, more ...Block) Request {
	return Request{Model: model, Messages: []Message{User(text, more...)}}
}

// User returns a message of the user's: a text, if it is not empty, and more content behind it.
func User(text string, more ...Block) Message { return message(RoleUser, text, more) }

// Assistant returns a message of the model's. As the last message of a request it is a prefill: the answer goes on from it.
func Assistant(text string, more ...Block) Message { return message(RoleAssistant, text, more) }

func message(role Role, text string, more []Block) Message {
	blocks := make([]Block, 0, 1+len(more))
	if text != "" {
		blocks = append(blocks, TextBlock(text))
	}
	return Message{Role: role, Blocks: append(blocks, more...)}
}

// System returns a system prompt, for Request.System.
func System(texts ...string) []Block {
	blocks := make([]Block, len(texts))
	for i, text := range texts {
		blocks[i] = TextBlock(text)
	}
	return blocks
}

// TextBlock returns a text as content.
func TextBlock(text string) Block { return Block{Kind: BlockText, Text: NewText(text)} }

// Guarded returns a text that the request's guardrail judges: once a conversation has such texts, it judges no others.
// Qualifiers may be "grounding_source" and "query".
func Guarded(text string, qualifiers ...string) Block {
	return Block{Kind: BlockGuarded, Text: NewText(text), Qualifiers: qualifiers}
}

// ToolResult returns what a tool said to a call with this id.
func ToolResult(id, text string) Block {
	return Block{Kind: BlockToolResult, Tool: &ToolBlock{ID: id, Result: []Block{TextBlock(text)}}}
}

// ToolFailure returns a tool's error as the answer to a call with this id.
func ToolFailure(id, text string) Block {
	b := ToolResult(id, text)
	b.Tool.Failed = true
	return b
}

// Cached asks AWS to cache the prompt up to and including a block. ttl is "5m", "1h", or empty for AWS's default.
func Cached(b Block, ttl string) Block {
	b.Cache = &CachePoint{TTL: ttl}
	return b
}

// ImageURL returns an image by its address: http(s), which is fetched before AWS is called, a data URL, or s3://, which AWS
// reads itself.
func ImageURL(url string) Block { return mediaURL(BlockImage, url) }

// DocumentURL returns a document by its address, as [ImageURL] does.
func DocumentURL(url string) Block { return mediaURL(BlockDocument, url) }

func mediaURL(kind BlockKind, url string) Block {
	if strings.HasPrefix(url, "s3://") {
		return Block{Kind: kind, Media: &Media{S3: url}}
	}
	return Block{Kind: kind, Media: &Media{URL: url}}
}

// ImageBytes returns an image. Its type is a MIME type, or AWS's short name (png, jpeg, gif, webp); empty lets the bytes
// tell.
func ImageBytes(data []byte, mimeType string) Block {
	return mediaBytes(BlockImage, data, shortName(mimeType), "")
}

// DocumentBytes returns a document. Its type is AWS's short name (pdf, csv, doc, docx, xls, xlsx, html, txt, md) or a MIME
// type; the name is what the model is told, and may be empty.
func DocumentBytes(data []byte, format, name string) Block {
	return mediaBytes(BlockDocument, data, shortName(format), name)
}

// VideoBytes returns a film, of AWS's short names mp4, mov, mkv, webm, flv, mpeg, mpg, wmv and three_gp, or a MIME type.
func VideoBytes(data []byte, format string) Block {
	return mediaBytes(BlockVideo, data, shortName(format), "")
}

// AudioBytes returns sound, of AWS's short names mp3, wav, flac, ogg, … or a MIME type.
func AudioBytes(data []byte, format string) Block {
	return mediaBytes(BlockAudio, data, shortName(format), "")
}

// ImageFile returns the image in a file.
func ImageFile(path string) (Block, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Block{}, err
	}
	return ImageBytes(data, http.DetectContentType(data)), nil
}

// DocumentFile returns the document in a file, whose ending tells what it is. The model is told the file's name.
func DocumentFile(path string) (Block, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Block{}, err
	}
	ending := filepath.Ext(path)
	name := strings.TrimSuffix(filepath.Base(path), ending)
	return DocumentBytes(data, strings.TrimPrefix(ending, "."), name), nil
}

func mediaBytes(kind BlockKind, data []byte, format, name string) Block {
	return Block{Kind: kind, Media: &Media{Format: format, Name: name, Base64: RawText(base64.StdEncoding.AppendEncode(nil, data))}}
}

// shortName makes AWS's short name of a MIME type of images; other types are left for the client to know.
func shortName(mimeType string) string {
	if kind, _, err := mime.ParseMediaType(mimeType); err == nil {
		if name, found := strings.CutPrefix(kind, "image/"); found {
			mimeType = name
		}
	}
	switch mimeType = strings.ToLower(mimeType); mimeType {
	case "jpg", "pjpeg":
		return "jpeg"
	}
	return mimeType
}

// Float returns a pointer, for parameters where unset is not zero.
func Float(v float64) *float64 { return &v }

// Int is [Float] for whole numbers.
func Int(v int64) *int64 { return &v }

// Bool is [Float] for switches.
func Bool(v bool) *bool { return &v }

// The levels of Request.Effort. Which of them a model has is its own; others become the nearest budget.
const (
	EffortNone    = "none"
	EffortMinimal = "minimal"
	EffortLow     = "low"
	EffortMedium  = "medium"
	EffortHigh    = "high"
	EffortXHigh   = "xhigh"
	EffortMax     = "max"
)

// The values of Request.Latency.
const (
	LatencyStandard  = "standard"
	LatencyOptimized = "optimized"
)

// The values of Request.Tier.
const (
	TierDefault  = "default"
	TierPriority = "priority"
	TierFlex     = "flex"
	TierReserved = "reserved"
)

// Budget asks for reasoning of up to tokens tokens, for Request.Thinking.
func Budget(tokens int64) json.RawMessage {
	text, _ := json.Marshal(struct { // a word and a number
		Type   string `json:"type"`
		Budget int64  `json:"budget_tokens"`
	}{"enabled", tokens})
	return text
}

// Guardrail is a guardrail of AWS's, see [Guardrail.Config].
type Guardrail struct {
	// ID is the guardrail's id or ARN, Version its number or DRAFT.
	ID, Version string
	// Trace is enabled, disabled or enabled_full; empty is AWS's default. Streaming is sync or async: whether a stream
	// waits for the verdict; empty is AWS's default.
	Trace, Streaming string
}

// Config returns the guardrail for Request.Guardrail.
func (g Guardrail) Config() json.RawMessage {
	text, _ := json.Marshal(struct { // strings alone
		ID        string `json:"guardrailIdentifier"`
		Version   string `json:"guardrailVersion"`
		Trace     string `json:"trace,omitempty"`
		Streaming string `json:"streamProcessingMode,omitempty"`
	}{g.ID, g.Version, g.Trace, g.Streaming})
	return text
}

// Extra returns the provider's own parameters, for Request.Extra, in the order of their names. A value that cannot be
// written as JSON is refused when the request is sent.
func Extra(params map[string]any) []Field {
	fields := make([]Field, 0, len(params))
	for _, name := range slices.Sorted(maps.Keys(params)) {
		value, err := json.Marshal(params[name])
		if err != nil {
			value = nil
		}
		fields = append(fields, Field{Name: name, Value: value})
	}
	return fields
}

// Metadata returns pairs, for Request.Metadata, in the order of their keys.
func Metadata(pairs map[string]string) []Pair {
	list := make([]Pair, 0, len(pairs))
	for _, key := range slices.Sorted(maps.Keys(pairs)) {
		list = append(list, Pair{Key: key, Value: pairs[key]})
	}
	return list
}
