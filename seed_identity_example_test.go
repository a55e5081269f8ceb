package outcrop_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime"

	"github.com/outcrop-ai/outcrop"
	"github.com/outcrop-ai/outcrop/llm"
)

// "Passing credentials as parameters".
func Example_credentials() {
	ctx := context.Background()
	c, err := outcrop.New(ctx, outcrop.WithStaticKeys("AKIAIOSFODNN7EXAMPLE", "secret", ""), outcrop.WithRegion("us-west-2"))
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	r, err := c.Chat(ctx, llm.Ask("bedrock/anthropic.claude-instant-v1", "Hello, how are you?"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Text())
	// Output:
	// You said: Hello, how are you?
}

// The same for one request: it goes as somebody else, to another region.
func Example_requestIdentity() {
	ctx := context.Background()
	c, err := outcrop.New(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	req := llm.Ask("bedrock/anthropic.claude-instant-v1", "Hello, how are you?")
	req.Identity = &llm.Identity{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "secret", Region: "eu-central-1"}
	r, err := c.Chat(ctx, req)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Text(), r.Region)
	// Output:
	// You said: Hello, how are you? eu-central-1
}

// "Passing extra headers + Custom API Endpoints". Authorization as a header replaces the signature.
func Example_endpointAndHeaders() {
	ctx := context.Background()
	c, err := outcrop.New(ctx, outcrop.WithEndpoint(os.Getenv("AWS_ENDPOINT_URL")), outcrop.WithHeader("key", "value"))
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	r, err := c.Chat(ctx, llm.Ask("bedrock/anthropic.claude-instant-v1", "Hello, how are you?"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Text())
	// Output:
	// You said: Hello, how are you?
}

// "SSO Login (AWS Profile)": a profile of AWS's shared files. The variable AWS_PROFILE is read without a word.
func Example_profile() {
	ctx := context.Background()
	c, err := outcrop.New(ctx, outcrop.WithProfile("dev-profile"))
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	r, err := c.Chat(ctx, llm.Ask("bedrock/anthropic.claude-instant-v1", "Hello, how are you?"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Text())
	// Output:
	// You said: Hello, how are you?
}

// "STS (Role-based Auth)".
func Example_assumeRole() {
	ctx := context.Background()
	c, err := outcrop.New(ctx, outcrop.WithAssumeRole("arn:aws:iam::888602223428:role/iam_local_role", "my-test-session"))
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	req := llm.Ask("bedrock/anthropic.claude-instant-v1", "Hello, how are you?")
	req.MaxTokens = llm.Int(10)
	req.Temperature = llm.Float(0.1)
	r, err := c.Chat(ctx, req)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Text())
	// Output:
	// You said: Hello, how are you?
}

// "STS (Role-based Auth)" with the credentials of the user that assumes the role.
func Example_assumeRoleWithKeys() {
	ctx := context.Background()
	c, err := outcrop.New(ctx, outcrop.WithRegion("us-east-1"),
		outcrop.WithStaticKeys("AKIAOUTCROPSIMULATOR", "outcrop-simulator-secret-access-key-0000", ""),
		outcrop.WithAssumeRole("arn:aws:iam::888602223428:role/iam_local_role", "my-test-session"))
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	req := llm.Ask("bedrock/anthropic.claude-instant-v1", "Hello, how are you?")
	req.MaxTokens = llm.Int(10)
	r, err := c.Chat(ctx, req)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Text())
	// Output:
	// You said: Hello, how are you?
}

// A role by a web identity token: the token, a file that holds it, or a source such as oidc/github/AUDIENCE.
func Example_webIdentity() {
	ctx := context.Background()
	c, err := outcrop.New(ctx, outcrop.WithWebIdentity("token.jwt", "arn:aws:iam::888602223428:role/web"))
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	r, err := c.Chat(ctx, llm.Ask("bedrock/anthropic.claude-instant-v1", "Hello, how are you?"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Text())
	// Output:
	// You said: Hello, how are you?
}

// "Calling via Internal Proxy (not bedrock url compatible)": the address takes Converse's requests as it stands.
func Example_internalProxy() {
	ctx := context.Background()
	c, err := outcrop.New(ctx, outcrop.WithBaseURL(documents.URL+"/models"),
		outcrop.WithBearerToken("sk-1234"),
		outcrop.WithHeader("test", "hello world"))
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	r, err := c.Chat(ctx, llm.Ask("bedrock/converse_like/some-model", "What's AWS?"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Text())
	// Output:
	// A cloud.
}

// The Router of a config.yaml, in process: its names, deployments, retries and fallbacks.
func Example_config() {
	ctx := context.Background()
	c, err := outcrop.New(ctx, outcrop.WithConfig("config.yaml"))
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	r, err := c.Chat(ctx, llm.Ask("claude", "Hello, how are you?"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Text(), r.Model)
	// Output:
	// You said: Hello, how are you? claude
}

// The Router without a file: one name in two regions, and a model that stands in for both.
func Example_deployments() {
	ctx := context.Background()
	c, err := outcrop.New(ctx, outcrop.WithDeployments(
		outcrop.Deployment{Name: "claude", Model: "bedrock/anthropic.claude-3-5-sonnet-20240620-v1:0", Region: "us-east-1"},
		outcrop.Deployment{Name: "claude", Model: "bedrock/anthropic.claude-3-5-sonnet-20240620-v1:0", Region: "us-west-2"},
	), outcrop.WithFallbacks("claude", "bedrock/amazon.nova-pro-v1:0"))
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	r, err := c.Chat(ctx, llm.Ask("claude", "Hello, how are you?"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Text(), r.Model)
	// Output:
	// You said: Hello, how are you? claude
}

// "Drop Unsupported Params": what the model does not take is left out, and named.
func Example_dropParams() {
	ctx := context.Background()
	c, err := outcrop.New(ctx, outcrop.WithDropParams())
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	req := llm.Ask("bedrock/amazon.nova-lite-v1:0", "Hello")
	req.Params = llm.Extra(map[string]any{"seed": 7})
	r, err := c.Chat(ctx, req)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Text(), r.Losses)
	// Output:
	// You said: Hello [{seed unsupported}]
}

// Spend and metrics: one record for each call.
func Example_observer() {
	ctx := context.Background()
	c, err := outcrop.New(ctx, outcrop.WithObserver(func(_ context.Context, call llm.Call) {
		fmt.Println(call.Verb, call.ModelID, call.Usage.Sum(), call.Cost, call.Err == nil)
	}))
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	if _, err := c.Chat(ctx, llm.Ask("bedrock/amazon.nova-lite-v1:0", "Hello")); err != nil {
		log.Fatal(err)
	}
	// Output:
	// Chat amazon.nova-lite-v1:0 6 $0.00000108 true
}

// Errors say what happened, and whether another try may help.
func Example_errors() {
	ctx := context.Background()
	c, err := outcrop.New(ctx, outcrop.WithRetries(0))
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	_, err = c.Chat(ctx, llm.Ask("bedrock/anthropic.claude-3-sonnet-20240229-v1:0", "[[fault:throttle]]"))
	var failed *llm.Error
	if errors.As(err, &failed) {
		fmt.Println(failed.Kind == llm.KindRateLimit, failed.Status(), failed.AWSType, failed.RequestID != "", failed.Retryable())
	}
	// Output:
	// true 429 ThrottlingException true true
}

// "Passing an external BedrockRuntime.Client": its credentials, region, endpoint and HTTP client are used.
func Example_bedrockRuntimeClient() {
	ctx := context.Background()
	bedrock := bedrockruntime.New(bedrockruntime.Options{
		Region:       "us-east-1",
		Credentials:  credentials.NewStaticCredentialsProvider("AKIAIOSFODNN7EXAMPLE", "secret", ""),
		BaseEndpoint: aws.String(os.Getenv("AWS_ENDPOINT_URL")),
	})
	c, err := outcrop.New(ctx, outcrop.WithBedrockRuntime(bedrock))
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	r, err := c.Chat(ctx, llm.Ask("bedrock/anthropic.claude-instant-v1", "Hello, how are you?"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Text())
	// Output:
	// You said: Hello, how are you?
}

// "Create a client from AWS profile": the AWS SDK's own configuration.
func Example_awsConfig() {
	ctx := context.Background()
	cfg, err := config.LoadDefaultConfig(ctx, config.WithSharedConfigProfile("dev-profile"), config.WithRegion("us-east-1"))
	if err != nil {
		log.Fatal(err)
	}
	c, err := outcrop.New(ctx, outcrop.WithAWSConfig(cfg))
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	r, err := c.Chat(ctx, llm.Ask("bedrock/anthropic.claude-instant-v1", "Hello, how are you?"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Text())
	// Output:
	// You said: Hello, how are you?
}
