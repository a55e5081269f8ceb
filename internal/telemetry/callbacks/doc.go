// Package callbacks tells other systems of finished calls: a file, a webhook, S3, Langfuse.
//
// In comes a telemetry.Event for every call, out go LiteLLM's standard logging payloads, or Langfuse's events, in batches.
// Each [Sink] has a [Queue] of its own with a goroutine behind it: a sink that is slow or away holds up no request and no
// other sink. A queue is bounded by records and by bytes; what does not fit is dropped, counted and logged. A batch that
// fails is tried again with growing pauses, and what a sink refuses for good is dropped.
//
// The package must never delay or fail an answer, and never print a secret. Start reading at [New] and [Queue].
package callbacks
