package outcrop_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"log/slog"

	"github.com/outcrop-ai/outcrop"
	"github.com/outcrop-ai/outcrop/llm"
)

// Option 2 of "API key authentication": a Bedrock API key as a parameter. The variable AWS_BEARER_TOKEN_BEDROCK is read without a word.
func Example_bearerToken() {
	ctx := context.Background()
	c, err := outcrop.New(ctx, outcrop.WithBearerToken("your-api-key"))
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	r, err := c.Chat(ctx, llm.Ask("bedrock/anthropic.claude-3-sonnet-20240229-v1:0", "Hello, how are you?"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Text())
	// Output:
	// You said: Hello, how are you?
}

// "Set temperature, top p, etc."
func Example_sampling() {
	ctx := context.Background()
	c, err := outcrop.New(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	req := llm.Ask("bedrock/anthropic.claude-3-sonnet-20240229-v1:0", "Hello, how are you?")
	req.Temperature = llm.Float(0.7)
	req.TopP = llm.Float(1)
	r, err := c.Chat(ctx, req)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Text())
	// Output:
	// You said: Hello, how are you?
}

// "Pass provider-specific params": what is no parameter of a Request goes to the model as it is. TopK would do as well here.
func Example_providerParameters() {
	ctx := context.Background()
	c, err := outcrop.New(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	req := llm.Ask("bedrock/anthropic.claude-3-sonnet-20240229-v1:0", "Hello, how are you?")
	req.Extra = llm.Extra(map[string]any{"top_k": 1})
	r, err := c.Chat(ctx, req)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Text())
	// Output:
	// You said: Hello, how are you?
}

// "Request Metadata", for AWS's invocation log.
func Example_requestMetadata() {
	ctx := context.Background()
	c, err := outcrop.New(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	req := llm.Ask("bedrock/anthropic.claude-3-5-sonnet-20240620-v1:0", "Hello, how are you?")
	req.Metadata = llm.Metadata(map[string]string{"cost_center": "engineering", "user_id": "user123"})
	r, err := c.Chat(ctx, req)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Text())
	// Output:
	// You said: Hello, how are you?
}

// "Function Calling / Tool calling": the model says which function it wants called. RunTools calls it, too.
func Example_toolCalling() {
	ctx := context.Background()
	c, err := outcrop.New(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	type Question struct {
		Location string `json:"location" description:"The city and state, e.g. San Francisco, CA"`
		Unit     string `json:"unit,omitempty" enum:"celsius,fahrenheit"`
	}
	req := llm.Ask("bedrock/anthropic.claude-3-sonnet-20240229-v1:0", "What's the weather like in Boston today? call get_current_weather")
	req.Tools = []llm.Tool{{
		Name:        "get_current_weather",
		Description: llm.NewText("Get the current weather in a given location"),
		Schema:      llm.SchemaOf[Question](),
	}}
	req.ToolChoice.Mode = llm.ToolAuto
	r, err := c.Chat(ctx, req)
	if err != nil {
		log.Fatal(err)
	}
	call := r.ToolCalls()[0]
	fmt.Println(call.Name, json.Valid(call.Input), r.Stop == llm.StopTool)
	// Output:
	// get_current_weather true true
}

// "Vision". ImageBytes takes what is in memory, ImageURL an address.
func Example_vision() {
	ctx := context.Background()
	c, err := outcrop.New(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	logo, err := llm.ImageFile("logo.png")
	if err != nil {
		log.Fatal(err)
	}
	r, err := c.Chat(ctx, llm.Ask("bedrock/anthropic.claude-3-sonnet-20240229-v1:0", "Whats in this image?", logo))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Text())
	// Output:
	// You sent: image/png (69 bytes)
	// You said: Whats in this image?
}

// "'thinking' / 'reasoning content'".
func Example_reasoning() {
	ctx := context.Background()
	c, err := outcrop.New(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	req := llm.Ask("bedrock/us.anthropic.claude-3-7-sonnet-20250219-v1:0", "What is the capital of France?")
	req.Effort = llm.EffortLow
	r, err := c.Chat(ctx, req)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("thought:", r.Reasoning() != "")
	fmt.Println(r.Text())
	// Output:
	// thought: true
	// You said: What is the capital of France?
}

// "Pass `thinking` to Anthropic models": a budget in tokens. Signed reasoning goes back with the answer's message, byte for byte.
func Example_thinking() {
	ctx := context.Background()
	c, err := outcrop.New(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	req := llm.Ask("bedrock/us.anthropic.claude-3-7-sonnet-20250219-v1:0", "What is the capital of France?")
	req.Thinking = llm.Budget(1024)
	r, err := c.Chat(ctx, req)
	if err != nil {
		log.Fatal(err)
	}
	req.Messages = append(req.Messages, r.Message(), llm.User("And of Italy?"))
	r, err = c.Chat(ctx, req)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Text())
	// Output:
	// You said: And of Italy?
}

// "Anthropic Beta Features": one.
func Example_betaFeature() {
	ctx := context.Background()
	c, err := outcrop.New(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	req := llm.Ask("bedrock/anthropic.claude-sonnet-4-20250115-v1:0", "Hello! Testing 1M context window.")
	req.MaxTokens = llm.Int(100)
	req.Betas = []string{"context-1m-2025-08-07"}
	r, err := c.Chat(ctx, req)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Text())
	// Output:
	// You said: Hello! Testing 1M context window.
}

// "Multiple Beta Features". The header's own spelling works, too: Headers{"anthropic-beta": "a,b"}.
func Example_betaFeatures() {
	ctx := context.Background()
	c, err := outcrop.New(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	req := llm.Ask("bedrock/converse/anthropic.claude-3-5-sonnet-20241022-v2:0", "Testing multiple beta features")
	req.MaxTokens = llm.Int(100)
	req.Betas = []string{"computer-use-2024-10-22", "context-1m-2025-08-07"}
	r, err := c.Chat(ctx, req)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Text())
	// Output:
	// You said: Testing multiple beta features
}

// "Computer Use Tools with Beta Features": the tool adds its own flag.
func Example_computerUse() {
	ctx := context.Background()
	c, err := outcrop.New(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	req := llm.Ask("bedrock/converse/anthropic.claude-3-5-sonnet-20241022-v2:0", "Take a screenshot")
	req.Tools = []llm.Tool{{
		Name: "computer",
		Type: "computer_20241022",
		Raw:  json.RawMessage(`{"type": "computer_20241022", "name": "computer", "display_width_px": 1920, "display_height_px": 1080}`),
	}}
	req.Betas = []string{"context-1m-2025-08-07"}
	r, err := c.Chat(ctx, req)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Text())
	// Output:
	// You said: Take a screenshot
}

// "Structured Output / JSON mode": the answer decodes into a struct.
func Example_structuredOutput() {
	ctx := context.Background()
	c, err := outcrop.New(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	type CalendarEvent struct {
		Name         string   `json:"name"`
		Date         string   `json:"date"`
		Participants []string `json:"participants"`
	}
	type EventsList struct {
		Events []CalendarEvent `json:"events"`
	}
	req := llm.Ask("bedrock/anthropic.claude-3-7-sonnet-20250219-v1:0", "Who won the world series in 2020?")
	req.System = llm.System("You are a helpful assistant designed to output JSON.")
	list, err := llm.Into[EventsList](ctx, c, req)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(list.Events), list.Events[0].Name)
	// Output:
	// 1 sim name
}

// A schema that is at hand as JSON.
func Example_jsonSchema() {
	ctx := context.Background()
	c, err := outcrop.New(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	req := llm.Ask("bedrock/us.anthropic.claude-3-7-sonnet-20250219-v1:0", "What is 2 + 2?")
	req.Format = llm.JSONSchema("math_reasoning", json.RawMessage(`{
		"type": "object",
		"properties": {"final_answer": {"type": "string"}},
		"required": ["final_answer"],
		"additionalProperties": false
	}`))
	r, err := c.Chat(ctx, req)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Text())
	// Output:
	// {"final_answer":"sim final_answer"}
}

// "Latency Optimized Inference".
func Example_latencyOptimized() {
	ctx := context.Background()
	c, err := outcrop.New(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	req := llm.Ask("bedrock/anthropic.claude-3-7-sonnet-20250219-v1:0", "What is the capital of France?")
	req.Latency = llm.LatencyOptimized
	r, err := c.Chat(ctx, req)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Text())
	// Output:
	// You said: What is the capital of France?
}

// "Bedrock Guardrails".
func Example_guardrail() {
	ctx := context.Background()
	c, err := outcrop.New(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	req := llm.Ask("anthropic.claude-v2", "where do i buy coffee from? ")
	req.MaxTokens = llm.Int(10)
	req.Guardrail = llm.Guardrail{ID: "ff6ujrregl1q", Version: "DRAFT", Trace: "disabled"}.Config()
	r, err := c.Chat(ctx, req)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Text())
	// Output:
	// You said: where do i buy coffee from?
}

// "Selective Content Moderation with `guarded_text`": the guardrail judges what is marked, and nothing else.
func Example_guardedText() {
	ctx := context.Background()
	c, err := outcrop.New(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	req := llm.Ask("anthropic.claude-v2", "What is the main topic of this legal document?",
		llm.Guarded("This document contains sensitive legal information that should be moderated by guardrails."))
	req.Guardrail = llm.Guardrail{ID: "gr-abc123", Version: "DRAFT"}.Config()
	r, err := c.Chat(ctx, req)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Stop)
	// Output:
	// stop_sequence
}

// "Assistant Pre-fill": a last message of the assistant's is continued, and is not repeated in the answer.
func Example_prefill() {
	ctx := context.Background()
	c, err := outcrop.New(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	const question = `How do you say 'Hello' in German? Return your answer as a JSON object, like this:

{ "Hello": "Hallo" }`
	req := llm.Ask("bedrock/anthropic.claude-v2", question)
	req.Messages = append(req.Messages, llm.Assistant("{"))
	r, err := c.Chat(ctx, req)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Stop)
	// Output:
	// stop_sequence
}

// "System messages".
func Example_systemMessage() {
	ctx := context.Background()
	c, err := outcrop.New(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	req := llm.Ask("bedrock/anthropic.claude-v2:1", "How do I boil water?")
	req.System = llm.System("You are a snarky assistant.")
	r, err := c.Chat(ctx, req)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Text())
	// Output:
	// You said: How do I boil water?
}

// "Cross-region inferencing", with the requests to AWS in the log (set_verbose): WithLogger at debug level.
func Example_crossRegion() {
	ctx := context.Background()
	c, err := outcrop.New(ctx, outcrop.WithLogger(slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelDebug}))))
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	req := llm.Ask("bedrock/us.anthropic.claude-3-haiku-20240307-v1:0", "Hello, how are you?")
	req.MaxTokens = llm.Int(10)
	req.Temperature = llm.Float(0.1)
	r, err := c.Chat(ctx, req)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("Final Response:", r.Text())
	// Output:
	// Final Response: You said: Hello, how are you?
}

// "Set 'converse' / 'invoke' route".
func Example_route() {
	ctx := context.Background()
	c, err := outcrop.New(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	for _, model := range []string{"bedrock/converse/us.amazon.nova-pro-v1:0", "bedrock/invoke/us.amazon.nova-pro-v1:0"} {
		r, err := c.Chat(ctx, llm.Ask(model, "Hello"))
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(r.Text())
	}
	// Output:
	// You said: Hello
	// You said: Hello
}
