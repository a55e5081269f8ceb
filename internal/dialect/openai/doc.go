// Package openai is the dialect of OpenAI's API: Chat Completions, legacy Completions, Responses, Models and errors.
//
// In comes a client's JSON, out goes an llm.Request; back come an llm.Response or llm.Events and out goes the JSON, or
// the server-sent events, that OpenAI's own clients read. The package knows nothing of AWS, HTTP or configuration. It
// never loses a member in silence: each is mapped, kept for the codec, listed in the request's losses, or refused
// with its path.
//
// Decoded requests alias the body that they were decoded from. Start reading at [DecodeChat] and [Chunks], or [DecodeResponses] and
// [ResponseEvents].
package openai
