// Package outcrop calls every model of Amazon Bedrock: the Outcrop gateway's core, without HTTP in between.
//
// A first answer takes three lines. Credentials and region are found as the AWS SDK finds them; LiteLLM's variables
// (AWS_REGION_NAME, AWS_PROFILE_NAME, …) and AWS_BEARER_TOKEN_BEDROCK count, too:
//
//	c, err := outcrop.New(ctx)
//	r, err := c.Chat(ctx, llm.Ask("bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0", "Hello, how are you?"))
//	fmt.Println(r.Text(), r.Usage.Sum(), r.Cost)
//
// Requests and answers are the plain structs of package llm: what is asked is filled in, and nil means unsaid. Any name
// that LiteLLM knows for a model works: ids, inference profiles and ARNs, with or without bedrock/ and a route.
//
// # Verbs
//
// [Client.Chat] answers whole, [Client.ChatStream] as an iterator of events that [llm.Collect] joins again.
// [Client.RunTools] lets the model call Go functions, [llm.Into] decodes an answer into a Go type. [Client.Complete],
// [Client.Embed], [Client.GenerateImage], [Client.EditImage], [Client.VaryImage] and [Client.Rerank] are the other models';
// [Client.Invoke] and [Client.InvokeStream] speak with a model in its own words; [Client.CountTokens] and
// [Client.ApplyGuardrail] are AWS's operations of these names. [Client.Model] says what a model can do and what it costs.
//
// # Errors
//
// Every error is an *llm.Error, which errors.As finds: its Kind says what happened, Status, Code, Param, Message, AWSType
// and RequestID say more, Retryable and RetryAfter whether and when another try may help. Failed calls have been tried
// again already: twice, unless [WithRetries] says otherwise.
//
// # Several deployments
//
// [WithDeployments] and [WithFallbacks] give names to models in several regions and accounts, among which calls are
// balanced, retried and passed on; [WithConfig] reads all of it from the gateway's (and LiteLLM's) config.yaml.
//
// # Other SDKs
//
// [Client.OpenAITransport] and [Client.AnthropicTransport] are each an http.RoundTripper that answers the API in process:
// with it the official Go client, and whatever builds on it, reaches Bedrock without a server.
//
// # Contract
//
// A Client is safe for concurrent use, and its zero value works. The context of a call ends everything about it; a stream
// that is left by break ends its upstream call, and leaves no goroutine behind. Nothing is global: any number of clients
// with different accounts may live in one program. Nothing is logged unless [WithLogger] asks for it. The environment is
// read by New alone, but for what the AWS SDK's own search for credentials reads at the first call, where nothing nearer
// names any.
package outcrop
