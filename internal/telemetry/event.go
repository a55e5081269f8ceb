package telemetry

import (
	"encoding/json"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
)

// Watcher is told of every finished call, in the request's goroutine, before the last byte of its answer: it must not wait
// for anything. The event is the watcher's to keep; nobody changes it any more.
type Watcher interface{ Finished(*Event) }

// Event is a finished call: its record, and what the books do not keep.
type Event struct {
	account.Record
	// Lines are what the cost is made of; Reasoning is the part of the output's that was thinking.
	Lines     account.Lines
	Reasoning account.Amount
	// Caller is who called.
	Caller account.Caller
	// Endpoint is the URL of Bedrock that was called, empty if it is not one of AWS's public addresses.
	Endpoint string
	// Session is the client's name of the conversation, Agent what its User-Agent header says.
	Session, Agent string
	// Stop is why the model ended its turn, in OpenAI's word; empty if it did not.
	Stop string
	// Attempts are the upstream calls in their order, the one that answered last.
	Attempts []Attempt
	// TraceParent and TraceState are the client's headers of that name (W3C Trace Context).
	TraceParent, TraceState string
	// Content is what was said, nil if nobody asked for it.
	Content *Content
}

// Attempt is one upstream call.
type Attempt struct {
	// Deployment is the id of the deployment, Group its group, Model and Region where the call went, as far as known.
	Deployment, Group, Model, Region string
	// Status is what came of it, as HTTP's; Error is AWS's name of the failure, or ours, empty for a success.
	Status int
	Error  string
	// Start and End are zero when they are not known.
	Start, End time.Time
}

// Content is what was said in a call. Its bytes are its own.
type Content struct {
	// Messages is what the client sent (messages, input or prompt), Response what it got, each JSON; nil if there was none.
	Messages, Response json.RawMessage
	// Request is the whole of what the client sent, of a call in AWS's own words; its messages are in Messages, too.
	Request json.RawMessage
	// Redacted says that both are left out because somebody wants them kept secret.
	Redacted bool
	// NoLog says that the client wants no callback to know of the call, and may: who only counts calls counts it all the same.
	NoLog bool
	// Parameters is a JSON object with the parameters of the model, Metadata the client's metadata, nil if there are none.
	Parameters, Metadata json.RawMessage
}

// Size is about how many bytes the event holds.
func (e *Event) Size() int {
	const record = 1 << 10
	size := record + len(e.Message) + len(e.Agent) + 128*len(e.Attempts)
	if c := e.Content; c != nil {
		size += len(c.Messages) + len(c.Request) + len(c.Response) + len(c.Parameters) + len(c.Metadata)
	}
	return size
}
