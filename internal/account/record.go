package account

import (
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/outcrop-ai/outcrop/llm"
)

// Record is one finished call: who asked for what, what answered, what it used and what it cost. It is passed by value
// from the request's goroutine and kept until a [Sink] has it, so its strings and lists must be its own: nothing in it
// may alias a buffer that goes back to a pool, and nobody changes a list that was handed in.
type Record struct {
	// CallID names the call; a client may have chosen it, so it need not be unique. Entry, set by [Ledger.Add], tells
	// two calls with one id apart: a row is known by both, and writing it twice leaves one row.
	CallID string
	Entry  uint64
	// RequestID is the id of the answer that the client got, empty when it got none.
	RequestID string
	// Type is LiteLLM's word for the kind of call: acompletion, aembedding, …. Path is the client's endpoint.
	Type, Path string

	// KeyHash is the caller's [Caller.KeyHash]; User is the end user that the client named; Tags are the request's tags.
	KeyHash, User string
	Tags          []string
	// KeyAlias is the name of the caller's key; UserID, TeamID and OrganizationID say whose it is, TeamAlias is the team's
	// name. All are empty where that is not known.
	KeyAlias, UserID, TeamID, TeamAlias, OrganizationID string
	// Session is the client's name for the conversation; IP the address that it called from, kept unless the configuration says
	// otherwise; Metadata is a JSON object that the client, the key's owner or the team's wants to find in the row.
	Session, IP string
	Metadata    json.RawMessage
	// CacheKey is the name of the answer in the cache of answers, CacheHit says that it came from there.
	CacheKey string
	CacheHit bool

	// Asked is the model as the client named it, Group the model group that answers to the name, Deployment the id of
	// the deployment that was chosen. Model is the id in AWS's URL, Region the AWS region, Route the Bedrock API
	// (converse, invoke, …), Tier the service tier that AWS billed. All are empty when it did not come so far.
	Asked, Group, Deployment   string
	Model, Region, Route, Tier string

	// Usage is what was counted, UsageSource says by whom.
	Usage       llm.Usage
	UsageSource UsageSource
	// Cost is the price of Usage in pico-dollars, as an [Amount] has it. It means something only when CostKnown is true: an
	// unknown price is never zero. PriceKey names the price that was applied, PriceVersion the price list that it came
	// from.
	Cost                   int64
	CostKnown              bool
	PriceKey, PriceVersion string
	// Lines are the parts of Cost by what was paid for; after a discount or with a margin they are those before it.
	Lines Lines
	// Charges are the counters of spend that Cost is added to when the row is written.
	Charges []Charge

	// Status is the HTTP status that the client got, 0 when it got none.
	Status int
	// ErrorKind is empty for a success, else a word of [KindName]; a stream that failed half-way has Status 200 and a
	// kind. ErrorCode and Message are what the client was told, AWSException is AWS's name for it. [Record.SetError]
	// fills all four.
	ErrorKind, ErrorCode, Message, AWSException string
	// AWSRequestID is AWS's request id of the call, whether it failed or not.
	AWSRequestID string

	// Stream says that the client asked for a stream, ClientClosed that it left before the end.
	Stream, ClientClosed bool
	// Tries are those that failed before, as deployment;status, with commas between them.
	Tries string
	// Losses are what was asked for and not done.
	Losses []llm.Loss

	// Start is when the request came in, FirstToken when the first piece of the answer went out (zero if none did), End
	// when the call was settled.
	Start, FirstToken, End time.Time
	// Body is what was said, nil unless it is to be kept.
	Body *Body

	// Upstream is the time spent waiting for AWS, Own the rest.
	Upstream, Own time.Duration
}

// UsageSource says where a usage comes from.
type UsageSource uint8

// The sources of a usage.
const (
	// UsageNone: nothing was used, or nobody knows.
	UsageNone UsageSource = iota
	// UsageAWS: AWS counted.
	UsageAWS
	// UsageEstimated: AWS gave no count and Outcrop guessed from what was sent and received.
	UsageEstimated
)

// String returns none, aws or estimated.
func (s UsageSource) String() string {
	switch s {
	case UsageAWS:
		return "aws"
	case UsageEstimated:
		return "estimated"
	default:
		return "none"
	}
}

// maxMessage bounds the message kept of an error, in bytes: AWS may quote much of a request.
const maxMessage = 1 << 10

// SetError fills in what the record says about a failure; nil leaves it a success. A long message is cut. An AWS
// request id that the error lacks is left as it was.
func (r *Record) SetError(err *llm.Error) {
	if err == nil {
		return
	}
	r.ErrorKind, r.ErrorCode, r.AWSException = KindName(err.Kind), err.Code, err.AWSType
	r.Message = clip(err.Message, maxMessage)
	if err.RequestID != "" {
		r.AWSRequestID = err.RequestID
	}
}

// Failed reports whether the call ended in an error.
func (r *Record) Failed() bool { return r.ErrorKind != "" }

// clip cuts text to at most limit bytes, not inside a character. What is cut is copied, so that the rest can be freed.
func clip(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	for limit > 0 && !utf8.RuneStart(text[limit]) {
		limit--
	}
	return strings.Clone(text[:limit]) + "…"
}

// KindName returns the word that rows and log lines have for a kind of error.
func KindName(k llm.Kind) string { return k.String() }

// KindOf returns the kind of a [KindName], KindInternal for what is none.
func KindOf(name string) llm.Kind {
	for k := llm.KindInternal; k <= llm.KindCanceled; k++ {
		if KindName(k) == name {
			return k
		}
	}
	return llm.KindInternal
}
