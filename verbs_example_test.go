package outcrop_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"

	"github.com/outcrop-ai/outcrop"
	"github.com/outcrop-ai/outcrop/llm"
)

// A first answer.
func Example() {
	ctx := context.Background()
	c, err := outcrop.New(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	r, err := c.Chat(ctx, llm.Ask("bedrock/anthropic.claude-3-sonnet-20240229-v1:0", "Hello, how are you?"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Text(), r.Usage.Sum(), r.Cost)
	// Output:
	// You said: Hello, how are you? 13 $0.000135
}

// A conversation: the answer is appended, and the next question.
func ExampleClient_Chat() {
	ctx := context.Background()
	c, err := outcrop.New(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	req := llm.Ask("bedrock/amazon.nova-lite-v1:0", "My name is Ada.")
	req.System = llm.System("You are terse.")
	r, err := c.Chat(ctx, req)
	if err != nil {
		log.Fatal(err)
	}
	req.Messages = append(req.Messages, r.Message(), llm.User("What is my name?"))
	r, err = c.Chat(ctx, req)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Text(), r.Stop == llm.StopEnd, r.Region)
	// Output:
	// You said: What is my name? true us-east-1
}

// Usage - Streaming.
func ExampleClient_ChatStream() {
	ctx := context.Background()
	c, err := outcrop.New(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	req := llm.Ask("bedrock/anthropic.claude-instant-v1", "Hello, how are you?")
	for ev, err := range c.ChatStream(ctx, req) {
		if err != nil {
			log.Fatal(err)
		}
		switch ev.Kind {
		case llm.EventText:
			fmt.Print(ev.Text, "|")
		case llm.EventUsage:
			fmt.Println(ev.Usage.Output, ev.Tail.Served.Cost)
		}
	}
	// Output:
	// You said: He|llo, how are| you?|8 $0.0000232
}

// Text completion: the model goes on from each prompt.
func ExampleClient_Complete() {
	ctx := context.Background()
	c, err := outcrop.New(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	req := llm.Continue("bedrock/amazon.nova-lite-v1:0", "Once upon a time", "It was a dark night")
	req.MaxTokens = llm.Int(50)
	r, err := c.Complete(ctx, req)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Text())
	fmt.Println(r.Further[0].Text())
	// Output:
	// You said: Once upon a time
	// You said: It was a dark night
}

// Embedding.
func ExampleClient_Embed() {
	ctx := context.Background()
	c, err := outcrop.New(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	r, err := c.Embed(ctx, llm.EmbedRequest{
		Model:  "bedrock/amazon.titan-embed-text-v1",
		Inputs: []string{"good morning from outcrop"},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(r.Vectors), len(r.Vectors[0]), r.Usage.Input)
	// Output:
	// 1 1536 7
}

// Image generation.
func ExampleClient_GenerateImage() {
	ctx := context.Background()
	c, err := outcrop.New(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	r, err := c.GenerateImage(ctx, llm.ImageRequest{
		Model:  "bedrock/stability.stable-diffusion-xl-v0",
		Prompt: "A cute baby sea otter",
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(r.Images), r.Images[0].Type, r.Cost)
	// Output:
	// 1 image/png $0.018
}

// An image is changed by a text.
func ExampleClient_EditImage() {
	ctx := context.Background()
	c, err := outcrop.New(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	photo, err := os.ReadFile("logo.png")
	if err != nil {
		log.Fatal(err)
	}
	r, err := c.EditImage(ctx, llm.ImageRequest{
		Model:  "bedrock/amazon.nova-canvas-v1:0",
		Prompt: "Put it on a beach",
		Images: [][]byte{photo},
		Extra:  llm.Extra(map[string]any{"taskType": "IMAGE_VARIATION"}),
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(r.Images), r.Images[0].Type)
	// Output:
	// 1 image/png
}

// Images that are like another.
func ExampleClient_VaryImage() {
	ctx := context.Background()
	c, err := outcrop.New(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	photo, err := os.ReadFile("logo.png")
	if err != nil {
		log.Fatal(err)
	}
	r, err := c.VaryImage(ctx, llm.ImageRequest{Model: "bedrock/amazon.nova-canvas-v1:0", Images: [][]byte{photo}, N: 2})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(r.Images), r.Images[0].Type)
	// Output:
	// 2 image/png
}

// Rerank API, by the ARN of a model.
func ExampleClient_Rerank() {
	ctx := context.Background()
	c, err := outcrop.New(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	r, err := c.Rerank(ctx, llm.RerankRequest{
		Model:     "bedrock/arn:aws:bedrock:us-west-2::foundation-model/amazon.rerank-v1:0",
		Query:     "hello",
		Documents: llm.Texts("hello", "world"),
		TopN:      2,
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, result := range r.Results {
		fmt.Printf("%d %.2f\n", result.Index, result.Score)
	}
	// Output:
	// 0 1.00
	// 1 0.02
}

// Pass-through: the model's own words, both ways.
func ExampleClient_Invoke() {
	ctx := context.Background()
	c, err := outcrop.New(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	r, err := c.Invoke(ctx, llm.InvokeRequest{
		Model: "us.anthropic.claude-3-5-sonnet-20240620-v1:0",
		Body: []byte(`{
			"anthropic_version": "bedrock-2023-05-31",
			"max_tokens": 100,
			"messages": [{"role": "user", "content": "Hello, how are you?"}]
		}`),
	})
	if err != nil {
		log.Fatal(err)
	}
	var answer struct {
		Content []struct{ Text string }
	}
	if err := json.Unmarshal(r.Body, &answer); err != nil {
		log.Fatal(err)
	}
	fmt.Println(answer.Content[0].Text, r.Usage.Output)
	// Output:
	// You said: Hello, how are you? 8
}

// Pass-through, as a stream of the model's own chunks.
func ExampleClient_InvokeStream() {
	ctx := context.Background()
	c, err := outcrop.New(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	chunks := c.InvokeStream(ctx, llm.InvokeRequest{
		Model: "us.anthropic.claude-3-5-sonnet-20240620-v1:0",
		Body: []byte(`{
			"anthropic_version": "bedrock-2023-05-31",
			"max_tokens": 100,
			"messages": [{"role": "user", "content": "Tell me a short story"}]
		}`),
	})
	for chunk, err := range chunks {
		if err != nil {
			log.Fatal(err)
		}
		var event struct {
			Type  string
			Delta struct{ Text string }
		}
		if err := json.Unmarshal(chunk, &event); err != nil {
			log.Fatal(err)
		}
		if event.Type == "content_block_delta" {
			fmt.Print(event.Delta.Text)
		}
	}
	// Output:
	// You said: Tell me a short story
}

// Whether a model reads PDF, and what it costs.
func ExampleClient_Model() {
	ctx := context.Background()
	c, err := outcrop.New(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	m, err := c.Model(ctx, "bedrock/anthropic.claude-3-5-sonnet-20240620-v1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(m.Supports(llm.Documents), m.Supports(llm.Thinking), m.Context, m.Prices["input_cost_per_token"])
	// Output:
	// true false 200000 3e-06
}

// Every reranker.
func ExampleClient_Models() {
	ctx := context.Background()
	c, err := outcrop.New(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	models, err := c.Models(ctx)
	if err != nil {
		log.Fatal(err)
	}
	for _, m := range models {
		if m.Mode == "rerank" {
			fmt.Println(m.ID)
		}
	}
	// Output:
	// amazon.rerank-v1:0
	// cohere.rerank-v3-5:0
}

// The model calls Go functions until it can answer.
func ExampleClient_RunTools() {
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
	req := llm.Ask("bedrock/anthropic.claude-3-sonnet-20240229-v1:0", `call get_current_weather {"location":"Boston, MA"}`)
	req.Tools = []llm.Tool{{
		Name:        "get_current_weather",
		Description: llm.NewText("Get the current weather in a given location"),
		Schema:      llm.SchemaOf[Question](),
	}}
	r, err := c.RunTools(ctx, &req, map[string]llm.ToolFunc{
		"get_current_weather": llm.Func(func(ctx context.Context, q Question) (string, error) {
			fmt.Println("asked about", q.Location)
			return "sunny, 22 degrees", nil
		}),
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Text(), len(req.Messages))
	// Output:
	// asked about Boston, MA
	// The tool said: sunny, 22 degrees 4
}

// Text completion as it is made: Choice is the number of the answer, the first prompt's first.
func ExampleClient_CompleteStream() {
	ctx := context.Background()
	c, err := outcrop.New(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	for ev, err := range c.CompleteStream(ctx, llm.Continue("bedrock/amazon.nova-lite-v1:0", "Once upon a time")) {
		if err != nil {
			log.Fatal(err)
		}
		if ev.Kind == llm.EventText {
			fmt.Print(ev.Text, "|")
		}
	}
	// Output:
	// You said: On|ce upon a ti|me|
}

// A guardrail judges a text without a model.
func ExampleClient_ApplyGuardrail() {
	ctx := context.Background()
	c, err := outcrop.New(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	r, err := c.ApplyGuardrail(ctx, llm.GuardrailRequest{
		ID:      "gr-abc123",
		Version: "DRAFT",
		Content: []llm.Block{llm.TextBlock("This [[guardrail]] text is one that the simulated guardrail blocks.")},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Intervened)
	fmt.Println(r.Outputs[0])
	// Output:
	// true
	// Sorry, the simulated guardrail does not allow this.
}

// How many tokens a request has, by AWS's own count where it has one.
func ExampleClient_CountTokens() {
	ctx := context.Background()
	c, err := outcrop.New(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	tokens, estimated, err := c.CountTokens(ctx, llm.Ask("bedrock/anthropic.claude-3-5-sonnet-20240620-v1:0", "Hello, how are you?"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(tokens, estimated)
	// Output:
	// 5 false
}
