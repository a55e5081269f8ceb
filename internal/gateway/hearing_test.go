package gateway

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// sentBody is the body of a Converse call, read by nothing of ours.
type sentBody struct {
	Messages []struct {
		Role    string
		Content []sentBlock
	}
	System     []sentBlock
	ToolConfig *struct {
		Tools []struct {
			ToolSpec struct {
				Name, Description string
				InputSchema       any
			}
		}
	}
}

type sentBlock struct {
	Text             *string
	Image, Document  *sentFile
	CachePoint       *struct{ Type string }
	ReasoningContent *struct {
		ReasoningText   *struct{ Text, Signature string }
		RedactedContent []byte // a blob: what it holds is the text that Anthropic calls data
	}
	ToolUse *struct {
		ToolUseID, Name string
		Input           json.RawMessage
	}
	ToolResult *struct {
		ToolUseID, Status string
		Content           []sentBlock
	}
}

type sentFile struct {
	Format, Name string
	Source       struct{ Bytes string }
}

// hearing is what is known while a body is read.
type hearing struct {
	t         *testing.T
	tools     []string
	ids       []string
	documents map[string]bool
}

// hear rebuilds the conversation from what AWS got.
func hear(t *testing.T, body string) (system, turns []string) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(body))
	d.DisallowUnknownFields()
	var sent sentBody
	if err := d.Decode(&sent); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	h := &hearing{t: t, documents: map[string]bool{}}
	if sent.ToolConfig != nil {
		for _, tool := range sent.ToolConfig.Tools {
			if name := tool.ToolSpec.Name; slices.Contains(h.tools, name) || !toolNames.MatchString(name) {
				t.Errorf("AWS refuses the tool %q", name)
			}
			h.tools = append(h.tools, tool.ToolSpec.Name)
		}
	}
	for _, m := range sent.Messages {
		turns = append(turns, m.Role+": "+strings.Join(h.blocks(m.Content), ", "))
	}
	return h.blocks(sent.System), turns
}

func (h *hearing) blocks(list []sentBlock) []string {
	var out []string
	for i := range list {
		out = append(out, h.block(&list[i]))
	}
	return out
}

func (h *hearing) block(b *sentBlock) string {
	switch {
	case b.Text != nil:
		return "text " + strconv.Quote(*b.Text)
	case b.Image != nil:
		return "image " + b.Image.Format + " " + b.Image.Source.Bytes
	case b.Document != nil:
		if h.documents[b.Document.Name] || !documentNames.MatchString(b.Document.Name) {
			h.t.Errorf("AWS refuses the name %q", b.Document.Name)
		}
		h.documents[b.Document.Name] = true
		return "document " + b.Document.Format + " " + b.Document.Source.Bytes
	case b.CachePoint != nil:
		return "cache"
	case b.ReasoningContent != nil && b.ReasoningContent.RedactedContent != nil:
		return "redacted " + string(b.ReasoningContent.RedactedContent)
	case b.ReasoningContent != nil && b.ReasoningContent.ReasoningText != nil:
		r := b.ReasoningContent.ReasoningText
		return "thought " + strconv.Quote(r.Text) + " " + r.Signature
	case b.ToolUse != nil:
		if slices.Contains(h.ids, b.ToolUse.ToolUseID) || !toolUseIDs.MatchString(b.ToolUse.ToolUseID) {
			h.t.Errorf("AWS refuses the id %q", b.ToolUse.ToolUseID)
		}
		h.ids = append(h.ids, b.ToolUse.ToolUseID)
		return fmt.Sprintf("call %d %d %s", len(h.ids), slices.Index(h.tools, b.ToolUse.Name), sorted(string(b.ToolUse.Input)))
	case b.ToolResult != nil:
		status := b.ToolResult.Status
		if status == "" {
			status = "success"
		}
		return fmt.Sprintf("result %d %s [%s]", slices.Index(h.ids, b.ToolResult.ToolUseID)+1, status, strings.Join(h.blocks(b.ToolResult.Content), "; "))
	}
	h.t.Errorf("a block that says nothing")
	return ""
}

// What AWS's API reference allows.
var (
	documentNames = regexp.MustCompile(`^[A-Za-z0-9\-()\[\]]+( [A-Za-z0-9\-()\[\]]+)*$`)
	toolUseIDs    = regexp.MustCompile(`^[A-Za-z0-9_.:-]{1,64}$`)
	toolNames     = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
)

func wholeMessage(t *testing.T, body string) string {
	t.Helper()
	var answer struct {
		Choices []struct{ Message json.RawMessage }
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil || len(answer.Choices) != 1 {
		t.Fatalf("%v: %s", err, body)
	}
	return string(answer.Choices[0].Message)
}

// streamedMessage puts the chunks together as OpenAI's clients do.
func streamedMessage(t *testing.T, body string) string {
	t.Helper()
	type call struct {
		ID       string `json:"id"`
		Type     string `json:"type"`
		Function struct {
			Name      string `json:"name"`
			Arguments string `json:"arguments"`
		} `json:"function"`
	}
	type thought struct {
		Type      string `json:"type"`
		Thinking  string `json:"thinking,omitempty"`
		Signature string `json:"signature,omitempty"`
		Data      string `json:"data,omitempty"`
	}
	var message struct {
		Role     string    `json:"role"`
		Content  string    `json:"content"`
		Calls    []call    `json:"tool_calls,omitempty"`
		Thoughts []thought `json:"thinking_blocks,omitempty"`
	}
	for line := range strings.Lines(body) {
		data, ok := strings.CutPrefix(strings.TrimSpace(line), "data: ")
		if !ok || data == "[DONE]" {
			continue
		}
		var chunk struct {
			Choices []struct {
				Delta struct {
					Role, Content string
					Calls         []struct {
						Index    int
						ID, Type string
						Function struct{ Name, Arguments string }
					} `json:"tool_calls"`
					Thoughts []struct {
						Index                           int
						Type, Thinking, Signature, Data string
					} `json:"thinking_blocks"`
				}
			}
		}
		if err := json.Unmarshal([]byte(data), &chunk); err != nil || len(chunk.Choices) != 1 {
			t.Fatalf("%v: %s", err, data)
		}
		d := chunk.Choices[0].Delta
		message.Role += d.Role
		message.Content += d.Content
		for _, c := range d.Calls {
			for len(message.Calls) <= c.Index {
				message.Calls = append(message.Calls, call{})
			}
			m := &message.Calls[c.Index]
			m.ID, m.Type, m.Function.Name, m.Function.Arguments = m.ID+c.ID, m.Type+c.Type, m.Function.Name+c.Function.Name, m.Function.Arguments+c.Function.Arguments
		}
		for _, c := range d.Thoughts {
			for len(message.Thoughts) <= c.Index {
				message.Thoughts = append(message.Thoughts, thought{})
			}
			m := &message.Thoughts[c.Index]
			m.Type, m.Thinking, m.Signature, m.Data = c.Type, m.Thinking+c.Thinking, m.Signature+c.Signature, m.Data+c.Data
		}
	}
	out, err := json.Marshal(message)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}
