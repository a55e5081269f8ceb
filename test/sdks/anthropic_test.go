package sdks

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"testing"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"
)

func anthropicClient(t *testing.T) anthropic.Client {
	t.Helper()
	c := client(t)
	return anthropic.NewClient(option.WithHTTPClient(&http.Client{Transport: c.AnthropicTransport()}), option.WithAPIKey("unused"), option.WithMaxRetries(0))
}

func says(model, text string) anthropic.MessageNewParams {
	return anthropic.MessageNewParams{
		Model: anthropic.Model(model), MaxTokens: 1024, Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock(text))},
	}
}

func TestAnthropicMessages(t *testing.T) {
	c := anthropicClient(t)
	for _, model := range []string{claude, nova} {
		r, err := c.Messages.New(t.Context(), says(model, "hello"))
		if err != nil {
			t.Fatal(err)
		}
		if r.Content[0].Text != "You said: hello" || r.StopReason != anthropic.StopReasonEndTurn || r.Usage.OutputTokens == 0 {
			t.Errorf("%s", r.RawJSON())
		}
	}
}

func TestAnthropicStream(t *testing.T) {
	c := anthropicClient(t)
	for _, model := range []string{claude, nova} {
		stream := c.Messages.NewStreaming(t.Context(), says(model, "hello there"))
		var all anthropic.Message
		events := 0
		for stream.Next() {
			if err := all.Accumulate(stream.Current()); err != nil {
				t.Fatal(err)
			}
			events++
		}
		if err := stream.Err(); err != nil {
			t.Fatal(err)
		}
		if all.Content[0].Text != "You said: hello there" || events < 6 || all.StopReason != anthropic.StopReasonEndTurn {
			t.Errorf("%d events: %s", events, all.RawJSON())
		}
		stream = c.Messages.NewStreaming(t.Context(), says(model, "[[fault:stall-stream;after=2]] hello"))
		if !stream.Next() {
			t.Fatal(stream.Err())
		}
		stream.Close()
		ctx, cancel := context.WithCancel(t.Context())
		stream = c.Messages.NewStreaming(ctx, says(model, "[[fault:stall-stream;after=2]] hello"))
		for stream.Next() {
			cancel()
		}
		if err := stream.Err(); !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
		cancel()
		stream.Close()
	}
}

func TestAnthropicTools(t *testing.T) {
	c := anthropicClient(t)
	for _, model := range []string{claude, nova} {
		params := says(model, `call get_weather {"city":"Boston"}`)
		params.Tools = []anthropic.ToolUnionParam{{OfTool: &anthropic.ToolParam{
			Name: "get_weather", InputSchema: anthropic.ToolInputSchemaParam{Properties: map[string]any{"city": map[string]any{"type": "string"}}},
		}}}
		r, err := c.Messages.New(t.Context(), params)
		if err != nil {
			t.Fatal(err)
		}
		call := r.Content[len(r.Content)-1]
		var arguments struct{ City string }
		if call.Name != "get_weather" || json.Unmarshal(call.Input, &arguments) != nil || arguments.City != "Boston" || r.StopReason != anthropic.StopReasonToolUse {
			t.Fatalf("%s", r.RawJSON())
		}
		params.Messages = append(params.Messages, r.ToParam(), anthropic.NewUserMessage(anthropic.NewToolResultBlock(call.ID, "sunny", false)))
		r, err = c.Messages.New(t.Context(), params)
		if err != nil || r.Content[0].Text != "The tool said: sunny" {
			t.Errorf("%v %v", r, err)
		}
	}
}

func TestAnthropicErrors(t *testing.T) {
	c := anthropicClient(t)
	f := func(model, text string, status int) {
		t.Helper()
		_, err := c.Messages.New(t.Context(), says(model, text))
		var failed *anthropic.Error
		if !errors.As(err, &failed) || failed.StatusCode != status {
			t.Errorf("%s: %v", text, err)
		}
	}
	f(claude, "[[fault:throttle]]", http.StatusTooManyRequests)
	f(claude, "[[fault:validation]]", http.StatusBadRequest)
	f(nova, "[[fault:internal]]", http.StatusInternalServerError)
	f("no-such-model", "hi", http.StatusNotFound)
	stream := c.Messages.NewStreaming(t.Context(), says(nova, "[[fault:stream-throttle]] hello there"))
	for stream.Next() {
	}
	if err := stream.Err(); err == nil {
		t.Error("a broken stream ends well")
	}
}
