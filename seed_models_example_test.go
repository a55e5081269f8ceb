package outcrop_test

import (
	"context"
	"fmt"
	"log"

	"github.com/outcrop-ai/outcrop"
	"github.com/outcrop-ai/outcrop/llm"
)

// "Alternate user/assistant messages": WithModifyParams repairs what AWS would refuse, by a message of one's own if it is set.
func Example_alternateMessages() {
	ctx := context.Background()
	c, err := outcrop.New(ctx, outcrop.WithModifyParams())
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	req := llm.Request{
		Model:    "bedrock/anthropic.claude-instant-v1",
		Messages: []llm.Message{llm.Assistant("Hey, how's it going?")},
	}
	please := llm.User("Please continue")
	req.UserContinue = &please
	r, err := c.Chat(ctx, req)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Text())
	// Output:
	// You said: Please continue
}

// "PDF / Document Understanding", by URL. A server in one's own network is named by WithURLHosts, any other needs no word.
func Example_documentURL() {
	ctx := context.Background()
	c, err := outcrop.New(ctx, outcrop.WithURLHosts(documents.Listener.Addr().String()))
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	const model = "bedrock/anthropic.claude-3-5-sonnet-20240620-v1:0"
	m, err := c.Model(ctx, model)
	if err != nil {
		log.Fatal(err)
	}
	if !m.Supports(llm.Documents) {
		fmt.Println("Model does not support document input")
	}
	r, err := c.Chat(ctx, llm.Ask(model, "What's this file about?", llm.DocumentURL(documents.URL+"/dummy.pdf")))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Text())
	// Output:
	// You sent: document/pdf "Document-cfa3181c" (69 bytes)
	// You said: What's this file about?
}

// "PDF / Document Understanding", as bytes or as a file.
func Example_documentBytes() {
	ctx := context.Background()
	c, err := outcrop.New(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	const model = "bedrock/anthropic.claude-3-5-sonnet-20240620-v1:0"
	r, err := c.Chat(ctx, llm.Ask(model, "What's this file about?", llm.DocumentBytes(pdf, "pdf", "dummy")))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Text())

	report, err := llm.DocumentFile("report.pdf")
	if err != nil {
		log.Fatal(err)
	}
	r, err = c.Chat(ctx, llm.Ask(model, "What's this file about?", report))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Text())
	// Output:
	// You sent: document/pdf "dummy" (69 bytes)
	// You said: What's this file about?
	// You sent: document/pdf "report" (69 bytes)
	// You said: What's this file about?
}

// "Bedrock Imported Models (Deepseek, Deepseek R1)": the word before the ARN says how to speak with the model.
func Example_importedModels() {
	ctx := context.Background()
	c, err := outcrop.New(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	const arn = "arn:aws:bedrock:us-east-1:086734376398:imported-model/r4c4kewx2s0n"
	for _, model := range []string{"bedrock/deepseek_r1/" + arn, "bedrock/llama/" + arn} {
		r, err := c.Chat(ctx, llm.Ask(model, "Tell me a joke"))
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(r.Text() != "", r.ModelID == arn)
	}
	// Output:
	// true true
	// true true
}

// "OpenAI GPT OSS".
func Example_gptOSS() {
	ctx := context.Background()
	c, err := outcrop.New(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	for _, model := range []string{"bedrock/converse/openai.gpt-oss-20b-1:0", "bedrock/converse/openai.gpt-oss-120b-1:0"} {
		r, err := c.Chat(ctx, llm.Ask(model, "Explain machine learning in simple terms"))
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(r.Text())
	}
	// Output:
	// You said: Explain machine learning in simple terms
	// You said: Explain machine learning in simple terms
}

// "Provisioned throughput models": the model's name says how to speak with it, ModelID is what is called.
func Example_provisionedThroughput() {
	ctx := context.Background()
	c, err := outcrop.New(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	req := llm.Ask("bedrock/anthropic.claude-instant-v1", "Hello, how are you?")
	req.ModelID = "arn:aws:bedrock:us-east-1:000000000000:provisioned-model/a0a0a0a0a0a0"
	r, err := c.Chat(ctx, req)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Text(), r.ModelID == req.ModelID)

	e, err := c.Embed(ctx, llm.EmbedRequest{
		Model:   "bedrock/amazon.titan-embed-text-v1",
		Inputs:  []string{"hi"},
		Options: llm.Options{ModelID: "arn:aws:bedrock:us-east-1:000000000000:provisioned-model/b1b1b1b1b1b1"},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(e.Vectors[0]))
	// Output:
	// You said: Hello, how are you? true
	// 1536
}

// "Titan V2 - encoding_format support".
func Example_embeddingEncoding() {
	ctx := context.Background()
	c, err := outcrop.New(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	const model = "bedrock/amazon.titan-embed-text-v2:0"
	floats, err := c.Embed(ctx, llm.EmbedRequest{Model: model, Inputs: []string{"good morning from outcrop"}, Encoding: "float"})
	if err != nil {
		log.Fatal(err)
	}
	binary, err := c.Embed(ctx, llm.EmbedRequest{Model: model, Inputs: []string{"good morning from outcrop"}, Encoding: "base64"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(floats.Vectors[0]), len(binary.Base64[0]))
	// Output:
	// 1024 5464
}

// "Set optional params" of image generation: the size, and the model's own seed.
func Example_imageParameters() {
	ctx := context.Background()
	c, err := outcrop.New(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	r, err := c.GenerateImage(ctx, llm.ImageRequest{
		Model:  "bedrock/stability.stable-diffusion-xl-v0",
		Prompt: "A cute baby sea otter",
		Size:   "128x512",
		Extra:  llm.Extra(map[string]any{"seed": 30}),
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Images[0].Type, string(r.Images[0].Seed))
	// Output:
	// image/png 30
}

// "Using Inference Profiles with Image Generation".
func Example_imageInferenceProfile() {
	ctx := context.Background()
	c, err := outcrop.New(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	r, err := c.GenerateImage(ctx, llm.ImageRequest{
		Model:   "bedrock/amazon.nova-canvas-v1:0",
		Prompt:  "A cute baby sea otter",
		Options: llm.Options{ModelID: "arn:aws:bedrock:eu-west-1:000000000000:application-inference-profile/a0a0a0a0a0a0"},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Images[0].Type, r.Region)
	// Output:
	// image/png eu-west-1
}

// "Color Guided Generation": a task of the model's own, with its parameters.
func Example_colorGuidedGeneration() {
	ctx := context.Background()
	c, err := outcrop.New(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	r, err := c.GenerateImage(ctx, llm.ImageRequest{
		Model:  "amazon.nova-canvas-v1:0",
		Prompt: "A cute baby sea otter",
		Extra: llm.Extra(map[string]any{
			"taskType":                    "COLOR_GUIDED_GENERATION",
			"colorGuidedGenerationParams": map[string]any{"colors": []string{"#FFFFFF"}},
		}),
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Images[0].Type)
	// Output:
	// image/png
}

// "Bedrock Application Inference Profile", by ModelID. The ARN as the model's name works, too.
func Example_applicationInferenceProfile() {
	ctx := context.Background()
	c, err := outcrop.New(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	req := llm.Ask("bedrock/anthropic.claude-3-5-sonnet-20240620-v1:0", "Hello, how are you?")
	req.ModelID = "arn:aws:bedrock:eu-central-1:000000000000:application-inference-profile/a0a0a0a0a0a0"
	r, err := c.Chat(ctx, req)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Text(), r.Region)
	// Output:
	// You said: Hello, how are you? eu-central-1
}
