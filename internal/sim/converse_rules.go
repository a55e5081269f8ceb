package sim

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// maxCachePoints is AWS's limit per request.
const maxCachePoints = 4

// checkRules holds what no single shape can say: the order of turns, tools and their results, media, cache points. The
// sentences are AWS's where they are publicly reported.
func (req *converseRequest) checkRules(model string) *apiError {
	if len(req.Messages) == 0 && strings.Contains(model, ":prompt/") {
		return nil // a stored prompt brings its own messages
	}
	for _, check := range []func(string) *apiError{req.checkTurns, req.checkContent, req.checkTools, req.checkToolTurns, req.checkCachePoints, req.checkOthers} {
		if refused := check(model); refused != nil {
			return refused
		}
	}
	return nil
}

func (req *converseRequest) checkTurns(string) *apiError {
	if len(req.Messages) == 0 || req.Messages[0].Role != "user" {
		return validationError("A conversation must start with a user message. Try again with a conversation that starts with a user message.")
	}
	previous := ""
	for _, m := range req.Messages {
		if m.Role == "system" { // may stand between turns
			continue
		}
		if m.Role == previous {
			return validationError("A conversation must alternate between user and assistant roles. Make sure the conversation alternates between user and assistant roles and try again.")
		}
		previous = m.Role
	}
	return nil
}

func (req *converseRequest) checkContent(model string) *apiError {
	for i, m := range req.Messages {
		at := "messages." + strconv.Itoa(i)
		if len(m.Content) == 0 {
			return validationError("The content field in the Message object at %s is empty. Add a ContentBlock object to the content field and try again.", at)
		}
		documents, texts := map[string]bool{}, 0
		for j, b := range m.Content {
			here := at + ".content." + strconv.Itoa(j)
			if b.Text != nil {
				texts++
				if strings.TrimSpace(*b.Text) == "" {
					return validationError("The text field in the ContentBlock object at %s is blank. Add text to the text field, and try again.", here)
				}
			}
			if kind := b.misplaced(m.Role); kind != "" {
				return validationError("The %s block at %s is not supported in a message of role %s. Remove the block and try again.", kind, here, m.Role)
			}
			if refused := b.checkMedia(model, i, j); refused != nil {
				return refused
			}
			if b.Document != nil {
				if documents[b.Document.Name] {
					return validationError("Duplicate document file names exist in the message at %s: %s. Use a different name for each document and try again.", at, b.Document.Name)
				}
				documents[b.Document.Name] = true
			}
			if b.ToolResult != nil {
				for k, inner := range b.ToolResult.Content {
					inside := here + ".toolResult.content." + strconv.Itoa(k)
					if inner.JSON != nil && !isObject(inner.JSON) {
						return validationError("The format of the value at %s.json is invalid. Provide a json object for the field and try again.", inside)
					}
					if refused := inner.checkMedia(model, i, j); refused != nil {
						return refused
					}
				}
			}
		}
		if len(documents) > 0 && texts == 0 {
			return validationError("A text block must be included with a document block in the Message object at %s. Add a text block to the content field and try again.", at)
		}
	}
	if last := req.Messages[len(req.Messages)-1]; isClaude(model) && last.Role == "assistant" {
		if b := last.Content[len(last.Content)-1]; b.Text != nil && strings.TrimRight(*b.Text, " \t\r\n") != *b.Text {
			return modelError("messages: final assistant content cannot end with trailing whitespace")
		}
	}
	return nil
}

// misplaced names the kind of b when role must not send it.
func (b *block) misplaced(role string) string {
	userOnly := map[string]bool{"image": b.Image != nil, "document": b.Document != nil, "video": b.Video != nil, "audio": b.Audio != nil, "toolResult": b.ToolResult != nil}
	if role != "user" {
		for _, kind := range sortedKeys(userOnly) {
			if userOnly[kind] {
				return kind
			}
		}
	}
	if b.ToolUse != nil && role != "assistant" {
		return "toolUse"
	}
	if b.ReasoningContent != nil && role != "assistant" {
		return "reasoningContent"
	}
	return ""
}

// documentName is what AWS documents for names; two white spaces in a row are refused apart from it.
var documentName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\A[a-zA-Z0-9()\[\]\- ]+\z`) })

func (b *block) checkMedia(model string, message, content int) *apiError {
	if d := b.Document; d != nil && (!documentName().MatchString(d.Name) || strings.Contains(d.Name, "  ")) {
		return validationError("The document file name can only contain alphanumeric characters, whitespace characters, hyphens, parentheses, and square brackets. The name can't contain more than one consecutive whitespace character. Check that the file name conforms to these restrictions and retry your request.")
	}
	if b.Image == nil || b.Image.Source.Bytes == nil {
		return nil
	}
	found := imageFormat(b.Image.Source.Bytes)
	switch {
	case found == b.Image.Format:
		return nil
	case found == "":
		return modelError("Could not process image")
	case isClaude(model):
		return modelError("messages.%d.content.%d.image.source.base64.data: The image was specified using the image/%s media type, but the image appears to be a image/%s image", message, content, b.Image.Format, found)
	default:
		return modelError("The provided image does not match the specified image format.")
	}
}

// imageFormat tells one of Converse's four formats by the first bytes; empty when it is none of them.
func imageFormat(data []byte) string {
	switch {
	case bytes.HasPrefix(data, []byte("\x89PNG\r\n\x1a\n")):
		return "png"
	case bytes.HasPrefix(data, []byte("\xff\xd8\xff")):
		return "jpeg"
	case bytes.HasPrefix(data, []byte("GIF87a")), bytes.HasPrefix(data, []byte("GIF89a")):
		return "gif"
	case len(data) >= 12 && string(data[:4]) == "RIFF" && string(data[8:12]) == "WEBP":
		return "webp"
	}
	return ""
}

func isObject(raw json.RawMessage) bool {
	return bytes.HasPrefix(bytes.TrimLeft(raw, " \t\r\n"), []byte("{"))
}

func (req *converseRequest) checkTools(string) *apiError {
	if req.ToolConfig == nil {
		return nil
	}
	names := map[string]bool{}
	for i, t := range req.ToolConfig.Tools {
		if t.SystemTool != nil {
			names[t.SystemTool.Name] = true
		}
		if t.ToolSpec == nil {
			continue
		}
		here := "toolConfig.tools." + strconv.Itoa(i) + ".toolSpec.inputSchema.json"
		if !isObject(t.ToolSpec.InputSchema.JSON) {
			return validationError("The format of the value at %s is invalid. Provide a json object for the field and try again.", here)
		}
		var head struct{ Type any }
		if json.Unmarshal(t.ToolSpec.InputSchema.JSON, &head) != nil || head.Type != "object" {
			return validationError("The value at %s.type must be one of the following: object.", here)
		}
		if names[t.ToolSpec.Name] {
			return validationError("The tool name %s at toolConfig.tools.%d.toolSpec.name is used more than once. Tool names must be unique.", t.ToolSpec.Name, i)
		}
		names[t.ToolSpec.Name] = true
	}
	if c := req.ToolConfig.ToolChoice; c != nil && c.Tool != nil && !names[c.Tool.Name] {
		return validationError("The tool name %s at toolConfig.toolChoice.tool.name names no tool in toolConfig.tools. Use the name of a tool that is defined and try again.", c.Tool.Name)
	}
	return nil
}

// checkToolTurns holds each toolUse against the toolResult blocks of the turn after it.
func (req *converseRequest) checkToolTurns(string) *apiError {
	var open []string // ids that the next turn must answer
	for i, m := range req.Messages {
		if m.Role == "system" {
			continue
		}
		at := "messages." + strconv.Itoa(i) + ".content"
		var uses, results []string
		for j, b := range m.Content {
			switch {
			case b.ToolUse != nil:
				if slices.Contains(uses, b.ToolUse.ToolUseID) {
					return validationError("The toolUse blocks at %s contain duplicate Ids: %s", at, b.ToolUse.ToolUseID)
				}
				if !isObject(b.ToolUse.Input) {
					return validationError("The format of the value at %s.%d.toolUse.input is invalid. Provide a json object for the field and try again.", at, j)
				}
				uses = append(uses, b.ToolUse.ToolUseID)
			case b.ToolResult != nil:
				if slices.Contains(results, b.ToolResult.ToolUseID) {
					return validationError("The toolResult blocks at %s contain duplicate Ids: %s", at, b.ToolResult.ToolUseID)
				}
				results = append(results, b.ToolResult.ToolUseID)
			}
		}
		if req.ToolConfig == nil && len(uses)+len(results) > 0 {
			return validationError("The toolConfig field must be defined when using toolUse and toolResult content blocks.")
		}
		if refused := matchResults(at, open, results); refused != nil {
			return refused
		}
		open = uses
	}
	if len(open) > 0 {
		return missingResults("messages."+strconv.Itoa(len(req.Messages))+".content", open)
	}
	return nil
}

func missingResults(at string, ids []string) *apiError {
	return validationError("Expected toolResult blocks at %s for the following Ids: %s", at, strings.Join(ids, ", "))
}

func matchResults(at string, open, results []string) *apiError {
	var missing []string
	for _, id := range open {
		if !slices.Contains(results, id) {
			missing = append(missing, id)
		}
	}
	if len(missing) > 0 {
		return missingResults(at, missing)
	}
	if len(results) > len(open) {
		return validationError("The number of toolResult blocks at %s exceeds the number of toolUse blocks of previous turn.", at)
	}
	return nil
}

func (req *converseRequest) checkCachePoints(string) *apiError {
	var lives []string
	add := func(c *cacheMark) {
		if c == nil {
			return
		}
		if c.TTL == "1h" {
			lives = append(lives, "1h")
		} else {
			lives = append(lives, "5m")
		}
	}
	if req.ToolConfig != nil {
		for _, t := range req.ToolConfig.Tools {
			add(t.CachePoint)
		}
	}
	for _, b := range req.System {
		add(b.CachePoint)
	}
	for _, m := range req.Messages {
		for _, b := range m.Content {
			add(b.CachePoint)
		}
	}
	if len(lives) > maxCachePoints {
		return validationError("You have exceeded the maximum number of cachePoint blocks: %d. A request may have at most %d.", len(lives), maxCachePoints)
	}
	if short := slices.Index(lives, "5m"); short >= 0 && slices.Contains(lives[short:], "1h") {
		return validationError("A cachePoint block with ttl 1h must not come after a cachePoint block with ttl 5m. Blocks are processed in the order toolConfig, system, messages.")
	}
	return nil
}

// checkOthers holds guardrails, structured output and Claude's rules about thinking.
func (req *converseRequest) checkOthers(model string) *apiError {
	if g := req.GuardrailConfig; g != nil && (g.GuardrailIdentifier == "") != (g.GuardrailVersion == "") {
		return validationError("The guardrailIdentifier and guardrailVersion fields must be specified together. Set both fields and try again.")
	}
	if f := req.OutputConfig.TextFormat; f != nil && !json.Valid([]byte(f.Structure.JSONSchema.Schema)) {
		return validationError("The value at outputConfig.textFormat.structure.jsonSchema.schema is not valid JSON. Provide a JSON Schema document as a string and try again.")
	}
	thinking := req.modelFields().Thinking
	if !isClaude(model) || thinking.Type != "enabled" {
		return nil
	}
	i := req.InferenceConfig
	switch {
	case thinking.BudgetTokens < 1024:
		return modelError("thinking.enabled.budget_tokens: Input should be greater than or equal to 1024")
	case i.MaxTokens != nil && *i.MaxTokens <= thinking.BudgetTokens:
		return modelError("`max_tokens` must be greater than `thinking.budget_tokens`. Please consult our documentation at https://docs.claude.com/en/docs/build-with-claude/extended-thinking#max-tokens-and-context-window-size")
	case i.Temperature != nil && *i.Temperature != 1:
		return modelError("`temperature` may only be set to 1 when thinking is enabled. Please consult our documentation at https://docs.claude.com/en/docs/build-with-claude/extended-thinking#important-considerations-when-using-extended-thinking")
	case req.ToolConfig != nil && req.ToolConfig.ToolChoice != nil && req.ToolConfig.ToolChoice.Auto == nil:
		return modelError("Thinking may not be enabled when tool_choice forces tool use.")
	}
	return nil
}
