// Package sim plays Amazon Bedrock: an HTTP handler that answers as bedrock-runtime, bedrock-agent-runtime, the model lists
// of the control plane, and STS do, without an AWS account.
//
// In come the requests of any AWS client (SigV4 or bearer token, both really verified) or of the gateway; they are
// checked against Converse's shapes and rules. Out go AWS's own JSON, event-stream frames, headers and errors. The
// model behind it is an echo with a handful of triggers, or a [Scenario]; the same request always gets the same answer,
// ids and token counts included (only cache usage and counted faults remember earlier requests, until [Server.Reset]).
//
// It must never call anything outside the process, and never share state between two servers. Start reading at
// [Server]; a request's way is server.go → auth.go → model_calls.go → converse_read.go (checks) → answer.go (what the
// model says) → converse_write.go → deliver.go (frames, delays, faults).
//
// # Triggers in the last user message's text
//
//	call NAME, call A and B     tool use of these tools; JSON behind a name ("call A {"x":1}") is its input
//	[[say:TEXT]]                the answer is TEXT
//	[[words:N]]                 the answer is N numbered words
//	[[guardrail]]               a configured guardrail intervenes
//	[[fault:NAME;key=value]]    a fault, see [Fault]
//
// # Usage
//
// Tokens are characters: ceil(characters / 4) over all text of the prompt (tool definitions as compact JSON, tool input
// and results, reasoning, and document bytes included), 258 more for each image, video and audio clip. Output counts
// the same way per block. A cache point splits the prompt: what stands before it is written on first sight and read
// while its time to live lasts; there is no minimum length.
//
// # Faults
//
// Three ways to ask, in order of precedence: the request header x-outcrop-sim-fault, a model id that ends in
// .fault-NAME, and (if no scenario rule has one) the text trigger above. [Fault] lists the names.
package sim
