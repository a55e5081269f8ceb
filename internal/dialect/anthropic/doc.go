// Package anthropic is what Anthropic's clients speak: the Messages API.
//
// In comes the body of POST /v1/messages, out goes an [llm.Request]; in come [llm.Response] and [llm.Event], out go a message
// and its server-sent events. Beside what it means the request keeps how it was written ([llm.Original]): Claude on Bedrock
// speaks the same words, and gets them as they stand. What no model on Bedrock takes is cut out of them here, by the one
// table in fields.go, and named.
//
// The package knows no HTTP and no AWS, and must never import a codec or another dialect. Start reading at [Decode] and
// [Events].
package anthropic
