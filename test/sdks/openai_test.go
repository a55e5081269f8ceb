package sdks

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
)

func openaiClient(t *testing.T) openai.Client {
	t.Helper()
	c := client(t)
	return openai.NewClient(option.WithHTTPClient(&http.Client{Transport: c.OpenAITransport()}), option.WithAPIKey("unused"), option.WithMaxRetries(0))
}

func asks(text string) []openai.ChatCompletionMessageParamUnion {
	return []openai.ChatCompletionMessageParamUnion{openai.SystemMessage("Be terse."), openai.UserMessage(text)}
}

func TestOpenAIChat(t *testing.T) {
	c := openaiClient(t)
	r, err := c.Chat.Completions.New(t.Context(), openai.ChatCompletionNewParams{Model: nova, Messages: asks("hello"), Temperature: openai.Float(0.5)})
	if err != nil {
		t.Fatal(err)
	}
	if r.Choices[0].Message.Content != "You said: hello" || r.Choices[0].FinishReason != "stop" || r.Usage.TotalTokens == 0 || r.Model != nova {
		t.Errorf("%s", r.RawJSON())
	}
}

func TestOpenAIStream(t *testing.T) {
	c := openaiClient(t)
	stream := c.Chat.Completions.NewStreaming(t.Context(), openai.ChatCompletionNewParams{
		Model: nova, Messages: asks("hello there"), StreamOptions: openai.ChatCompletionStreamOptionsParam{IncludeUsage: openai.Bool(true)},
	})
	var all openai.ChatCompletionAccumulator
	chunks := 0
	for stream.Next() {
		all.AddChunk(stream.Current())
		chunks++
	}
	if err := stream.Err(); err != nil {
		t.Fatal(err)
	}
	if all.Choices[0].Message.Content != "You said: hello there" || chunks < 4 || all.Usage.TotalTokens == 0 {
		t.Errorf("%d chunks: %s", chunks, all.RawJSON())
	}
	// A stream that is left ends its call: the leak check of TestMain sees to it.
	stream = c.Chat.Completions.NewStreaming(t.Context(), openai.ChatCompletionNewParams{Model: nova, Messages: asks("[[fault:stall-stream;after=2]] hello")})
	if !stream.Next() {
		t.Fatal(stream.Err())
	}
	stream.Close()
	ctx, cancel := context.WithCancel(t.Context())
	stream = c.Chat.Completions.NewStreaming(ctx, openai.ChatCompletionNewParams{Model: nova, Messages: asks("[[fault:stall-stream;after=2]] hello")})
	for stream.Next() {
		cancel()
	}
	if err := stream.Err(); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	cancel()
	stream.Close()
}

func TestOpenAITools(t *testing.T) {
	c := openaiClient(t)
	params := openai.ChatCompletionNewParams{
		Model: nova, Messages: asks(`call get_weather {"city":"Boston"}`),
		Tools: []openai.ChatCompletionToolUnionParam{openai.ChatCompletionFunctionTool(openai.FunctionDefinitionParam{
			Name: "get_weather", Parameters: openai.FunctionParameters{"type": "object", "properties": map[string]any{"city": map[string]any{"type": "string"}}},
		})},
	}
	r, err := c.Chat.Completions.New(t.Context(), params)
	if err != nil {
		t.Fatal(err)
	}
	calls := r.Choices[0].Message.ToolCalls
	var arguments struct{ City string }
	if len(calls) != 1 || calls[0].Function.Name != "get_weather" || json.Unmarshal([]byte(calls[0].Function.Arguments), &arguments) != nil || arguments.City != "Boston" {
		t.Fatalf("%s", r.RawJSON())
	}
	params.Messages = append(params.Messages, r.Choices[0].Message.ToParam(), openai.ToolMessage("sunny", calls[0].ID))
	r, err = c.Chat.Completions.New(t.Context(), params)
	if err != nil || r.Choices[0].Message.Content != "The tool said: sunny" {
		t.Errorf("%v %v", r, err)
	}
}

func TestOpenAIErrors(t *testing.T) {
	c := openaiClient(t)
	f := func(model, text string, status int, code string) {
		t.Helper()
		_, err := c.Chat.Completions.New(t.Context(), openai.ChatCompletionNewParams{Model: model, Messages: asks(text)})
		var failed *openai.Error
		if !errors.As(err, &failed) || failed.StatusCode != status || code != "" && failed.Code != code {
			t.Errorf("%s: %v", text, err)
		}
	}
	f(nova, "[[fault:throttle]]", http.StatusTooManyRequests, "")
	f(nova, "[[fault:validation]]", http.StatusBadRequest, "")
	f(nova, "[[fault:internal]]", http.StatusInternalServerError, "")
	f("no-such-model", "hi", http.StatusNotFound, "model_not_found")
	stream := c.Chat.Completions.NewStreaming(t.Context(), openai.ChatCompletionNewParams{Model: nova, Messages: asks("[[fault:stream-throttle]] hello there")})
	for stream.Next() {
	}
	if err := stream.Err(); err == nil {
		t.Error("a broken stream ends well")
	}
}

func TestOpenAIEmbeddingsImagesModels(t *testing.T) {
	c := openaiClient(t)
	e, err := c.Embeddings.New(t.Context(), openai.EmbeddingNewParams{
		Model: "amazon.titan-embed-text-v2:0", Input: openai.EmbeddingNewParamsInputUnion{OfArrayOfStrings: []string{"a", "b"}},
	})
	if err != nil || len(e.Data) != 2 || len(e.Data[0].Embedding) != 1024 {
		t.Errorf("%v %v", e, err)
	}
	i, err := c.Images.Generate(t.Context(), openai.ImageGenerateParams{Model: "amazon.nova-canvas-v1:0", Prompt: "an otter", Size: "512x512"})
	if err != nil || len(i.Data) != 1 || !strings.HasPrefix(i.Data[0].B64JSON, "iVBOR") {
		t.Errorf("%v", err)
	}
	m, err := c.Models.List(t.Context())
	if err != nil || len(m.Data) < 50 {
		t.Errorf("%v", err)
	}
}
