package baseline

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// The shapes that the floor translator knows, and no more.
type (
	chatRequest struct {
		Model     string        `json:"model"`
		Messages  []chatMessage `json:"messages"`
		Tools     []chatTool    `json:"tools"`
		MaxTokens int           `json:"max_tokens"`
		Stream    bool          `json:"stream"`
	}
	chatMessage struct {
		Role    string `json:"role"`
		Content string `json:"content"`
	}
	chatTool struct {
		Function struct {
			Name        string          `json:"name"`
			Description string          `json:"description"`
			Parameters  json.RawMessage `json:"parameters"`
		} `json:"function"`
	}
	textBlock struct {
		Text string `json:"text"`
	}
	converseMessage struct {
		Role    string      `json:"role"`
		Content []textBlock `json:"content"`
	}
	converseTool struct {
		ToolSpec struct {
			Name        string `json:"name"`
			Description string `json:"description"`
			InputSchema struct {
				JSON json.RawMessage `json:"json"`
			} `json:"inputSchema"`
		} `json:"toolSpec"`
	}
	toolConfig struct {
		Tools []converseTool `json:"tools"`
	}
	inferenceConfig struct {
		MaxTokens int `json:"maxTokens"`
	}
	converseRequest struct {
		Messages        []converseMessage `json:"messages"`
		System          []textBlock       `json:"system,omitempty"`
		InferenceConfig *inferenceConfig  `json:"inferenceConfig,omitempty"`
		ToolConfig      *toolConfig       `json:"toolConfig,omitempty"`
	}
	converseAnswer struct {
		Output struct {
			Message struct {
				Content []textBlock `json:"content"`
			} `json:"message"`
		} `json:"output"`
		Usage struct {
			InputTokens  int `json:"inputTokens"`
			OutputTokens int `json:"outputTokens"`
			TotalTokens  int `json:"totalTokens"`
		} `json:"usage"`
	}
	chatUsage struct {
		PromptTokens     int `json:"prompt_tokens"`
		CompletionTokens int `json:"completion_tokens"`
		TotalTokens      int `json:"total_tokens"`
	}
	chatChoice struct {
		Index        int          `json:"index"`
		Message      *chatMessage `json:"message,omitempty"`
		Delta        *chatMessage `json:"delta,omitempty"`
		FinishReason *string      `json:"finish_reason"`
	}
	chatAnswer struct {
		ID      string       `json:"id"`
		Object  string       `json:"object"`
		Created int64        `json:"created"`
		Model   string       `json:"model"`
		Choices []chatChoice `json:"choices"`
		Usage   *chatUsage   `json:"usage,omitempty"`
	}
)

// Floor translates OpenAI chat to Converse and back with typed structs and encoding/json, and does nothing else: no
// keys, no checks, no accounting, no errors of its own.
func Floor(u Upstream) http.Handler {
	f := &floor{Upstream: u, signer: v4.NewSigner(), client: &http.Client{Transport: transport()}}
	return http.HandlerFunc(f.serve)
}

type floor struct {
	Upstream
	signer *v4.Signer
	client *http.Client
}

func (f *floor) serve(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		w.WriteHeader(http.StatusOK)
		return
	}
	data, err := io.ReadAll(r.Body)
	var in chatRequest
	if err != nil || json.Unmarshal(data, &in) != nil {
		http.Error(w, "bad request", http.StatusBadRequest)
		return
	}
	body, err := json.Marshal(translate(&in))
	if err != nil {
		http.Error(w, "bad request", http.StatusBadRequest)
		return
	}
	operation := "converse"
	if in.Stream {
		operation = "converse-stream"
	}
	target := f.URL.String() + "/model/" + url.PathEscape(in.Model) + "/" + operation
	out, err := http.NewRequestWithContext(r.Context(), http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		http.Error(w, "bad gateway", http.StatusBadGateway)
		return
	}
	out.Header.Set("Content-Type", "application/json")
	if err := f.sign(r.Context(), f.signer, out, body); err != nil {
		http.Error(w, "bad gateway", http.StatusBadGateway)
		return
	}
	resp, err := f.client.Do(out)
	if err != nil {
		http.Error(w, "bad gateway", http.StatusBadGateway)
		return
	}
	defer resp.Body.Close()
	if in.Stream {
		stream(w, resp.Body, in.Model)
		return
	}
	whole(w, resp, in.Model)
}

func translate(in *chatRequest) *converseRequest {
	out := &converseRequest{}
	for _, m := range in.Messages {
		if m.Role == "system" {
			out.System = append(out.System, textBlock{m.Content})
			continue
		}
		out.Messages = append(out.Messages, converseMessage{Role: m.Role, Content: []textBlock{{m.Content}}})
	}
	if in.MaxTokens > 0 {
		out.InferenceConfig = &inferenceConfig{in.MaxTokens}
	}
	for _, t := range in.Tools {
		if out.ToolConfig == nil {
			out.ToolConfig = &toolConfig{}
		}
		var tool converseTool
		tool.ToolSpec.Name, tool.ToolSpec.Description = t.Function.Name, t.Function.Description
		tool.ToolSpec.InputSchema.JSON = t.Function.Parameters
		out.ToolConfig.Tools = append(out.ToolConfig.Tools, tool)
	}
	return out
}

func whole(w http.ResponseWriter, resp *http.Response, model string) {
	data, err := io.ReadAll(resp.Body)
	var answer converseAnswer
	if err != nil || resp.StatusCode != http.StatusOK || json.Unmarshal(data, &answer) != nil {
		http.Error(w, string(data), http.StatusBadGateway)
		return
	}
	message := &chatMessage{Role: "assistant"}
	for _, b := range answer.Output.Message.Content {
		message.Content += b.Text
	}
	stop := "stop"
	out, err := json.Marshal(chatAnswer{
		ID: "chatcmpl-1", Object: "chat.completion", Created: time.Now().Unix(), Model: model,
		Choices: []chatChoice{{Message: message, FinishReason: &stop}},
		Usage:   &chatUsage{answer.Usage.InputTokens, answer.Usage.OutputTokens, answer.Usage.TotalTokens},
	})
	if err != nil {
		http.Error(w, "bad gateway", http.StatusBadGateway)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(out)))
	_, _ = w.Write(out)
}

func stream(w http.ResponseWriter, body io.Reader, model string) {
	w.Header().Set("Content-Type", "text/event-stream")
	flusher := http.NewResponseController(w)
	decoder := eventstream.NewDecoder()
	payload := make([]byte, 0, 4096)
	for {
		message, err := decoder.Decode(body, payload[:0])
		if err != nil {
			_, _ = io.WriteString(w, "data: [DONE]\n\n")
			return
		}
		var delta struct {
			Delta textBlock `json:"delta"`
		}
		if message.Headers.Get(":event-type").String() != "contentBlockDelta" || json.Unmarshal(message.Payload, &delta) != nil {
			continue
		}
		out, err := json.Marshal(chatAnswer{
			ID: "chatcmpl-1", Object: "chat.completion.chunk", Created: 1764000000, Model: model,
			Choices: []chatChoice{{Delta: &chatMessage{Content: delta.Delta.Text}}},
		})
		if err != nil {
			return
		}
		_, _ = w.Write(append(append([]byte("data: "), out...), "\n\n"...))
		_ = flusher.Flush()
	}
}
