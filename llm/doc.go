// Package llm is Outcrop's vocabulary: what a model is asked and what it says, in nobody's dialect.
//
// A client's dialect (OpenAI, Anthropic, …) is decoded to a [Request]; a Bedrock codec encodes the Request for one
// of AWS's APIs, and decodes the answer to a [Response] or to the [Event]s of a [Stream]; the dialect writes those
// back. The Go SDK takes and gives the same types, so nothing is lost between a program and the model.
//
// Text and opaque JSON (tool schemas, tool inputs, provider parameters) may be kept in the spelling in which they
// arrived, see [Text]: a long prompt then crosses the gateway without being unescaped and escaped again. Values that
// keep a spelling alias the buffer they were decoded from and live as long as that buffer does.
//
// The package imports nothing else of Outcrop. Start reading at [Request] and [Block].
package llm
