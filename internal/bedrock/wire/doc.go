// Package wire speaks AWS's HTTP: endpoints, model paths, signed calls, event-stream frames and errors.
//
// In goes a [Call] with a body that a codec encoded; out comes a [Reply], whole or as [Frames], or an *llm.Error with
// AWS's own words. Who signs, and with what, is the [Authenticator]'s business. The package knows nothing of chat and
// never follows a redirect or sends a credential to a host other than the endpoint's.
//
// The frame decoder works in place, since the AWS SDK's costs twenty times as much; a fuzz target holds the two equal.
// Start reading at [Client.Send].
package wire
