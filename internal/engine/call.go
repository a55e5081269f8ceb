package engine

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/internal/bedrock/wire"
	"github.com/outcrop-ai/outcrop/internal/router"
	"github.com/outcrop-ai/outcrop/internal/secret"
	"github.com/outcrop-ai/outcrop/internal/telemetry"
	"github.com/outcrop-ai/outcrop/llm"
)

// Call is one request on its way. The first part is set by the caller; the second is filled in by the engine and may be
// read when Chat or ChatStream has returned.
type Call struct {
	// ID is the call's own id, a UUID.
	ID string
	// Type is LiteLLM's word for the kind of call, such as acompletion; Path is the client's endpoint.
	Type, Path string
	// AnswerID is the id of the answer that the client gets.
	AnswerID string
	// Start is when the call came in.
	Start time.Time
	// Caller is who calls.
	Caller account.Caller
	// EndUser is what is said of the customer that the request names, nil if nothing is. The engine looks it up.
	EndUser *account.EndUser
	// Request is what is asked. It may alias a buffer that lives until the call is settled.
	Request *llm.Request
	// Prompts are answered one by one in place of Request's messages, each with as many answers as Request asks for. With
	// fewer than two, Request's messages are the prompt.
	Prompts []llm.Message
	// Drop and Modify are the request's own word on dropping and repairing; nil leaves it to the deployment. Remove lists
	// further parameters that are removed.
	Drop, Modify *bool
	Remove       []string
	// UserContinue and AssistantContinue replace the deployment's.
	UserContinue, AssistantContinue *llm.Message
	// Timeout replaces the deployment's total time-out, StreamTimeout the time to a stream's first event; 0 leaves them.
	Timeout, StreamTimeout time.Duration
	// Header are the client's headers; what the deployment allows of them is sent upstream.
	Header http.Header
	// Connection are the connection parameters that the client sent; nil for nearly all calls. The deployment says which of
	// them it obeys, and the call is refused for any other.
	Connection map[string]secret.Secret
	// Owner says that whoever calls owns the configuration: what Connection says needs no leave.
	Owner bool
	// Headers are sent upstream as they are, whatever the deployment lets through.
	Headers http.Header
	// OwnModelID goes into AWS's URL in the place of the deployment's; empty leaves that.
	OwnModelID string

	// Retries replaces the configuration's number of further tries; nil leaves it. Fallbacks, ContextFallbacks and
	// FilterFallbacks replace the models of the configuration that stand in for the one that is asked for; NoFallbacks says
	// that none does.
	Retries                                      *int
	Fallbacks, ContextFallbacks, FilterFallbacks []Fallback
	NoFallbacks                                  bool
	// Mock is the failure of the model that is asked for, which is then not called; nil calls it.
	Mock *llm.Error
	// Content is what is said in the call, kept for those who watch; nil if nobody wants it.
	Content *telemetry.Content
	// Session is the client's own name for the conversation that the call belongs to. Regions are those that may answer it:
	// names, or geographies such as eu; nil is any.
	Session string
	Regions []string
	// Metadata is a compact JSON object that the client wants to find in the call's row; IP the address that it called from,
	// empty where that is not known. Neither may alias a buffer.
	Metadata json.RawMessage
	IP       string

	// Deployment is the one that was chosen, with the model that it stands for.
	Deployment *router.Deployment
	// Region, ModelID and Endpoint are where the call went; Endpoint is empty if it is not one of AWS's public addresses.
	Region, ModelID, Endpoint string
	// Upstream holds AWS's answer headers, RequestID its request id.
	Upstream  http.Header
	RequestID string
	// Usage is what AWS counted, or Outcrop's estimate.
	Usage llm.Usage
	// HasUsage says that Usage holds something.
	HasUsage bool
	// Tier is the service tier that AWS billed.
	Tier string
	// ClientClosed says that the client went away before the answer was complete.
	ClientClosed bool
	// Tries are the tries that failed. Retried counts the further tries within a group, FellBack those of other groups, of which
	// Fallback is the last: the name that stands in for the one that was asked for.
	// Why is the reason for which its deployment was chosen, in a word; Skipped are the others and why it was none of them.
	Why               string
	Skipped           []Skipped
	Tries             []Try
	Retried, FellBack int
	Fallback          string
	// Warning says in ASCII what the client should know of how the call went upstream; usually empty.
	Warning string

	// CacheKey is the name of the answer in the cache of answers, CacheHit says that it came from there. Filtered says that a
	// guardrail or a filter has ended an answer, which is not to be given again.
	CacheKey           string
	CacheHit, Filtered bool

	group string // that answers, where no deployment does
	// lease is what is held of the caller's limits.
	lease     *account.Lease
	relayed   *Native  // the request in AWS's own words
	reads     *reading // what it has a model read
	ended     *job     // that the call has found to be over
	target    *target
	place     place
	tries     *tries
	hope      hope // when no deployment could take the call
	native    bool // in AWS's own words
	brought   bool // the credentials are the client's own
	cost      account.Amount
	lines     account.Lines // of the cost
	costKnown bool
	stop      llm.StopReason // why the model ended its turn
	refused   wire.Refused   // AWS's last refusal
	// record is what the books got, when booked.
	record                     account.Record
	booked                     bool
	sent, firstToken, answered time.Time
}

// NewID returns a UUID of version 7: it begins with the time, so that rows in the order of their ids are rows in the
// order of time, and the database's index grows at its end.
func NewID() string {
	var b [16]byte
	_, _ = rand.Read(b[6:]) // never fails: see crypto/rand
	ms := time.Now().UnixMilli()
	for i := range 6 {
		b[i] = byte(ms >> (40 - 8*i)) //nolint:gosec // the byte of that place is what is wanted
	}
	b[6] = b[6]&0x0f | 0x70
	b[8] = b[8]&0x3f | 0x80
	var out [36]byte
	hex.Encode(out[:8], b[:4])
	hex.Encode(out[9:13], b[4:6])
	hex.Encode(out[14:18], b[6:8])
	hex.Encode(out[19:23], b[8:10])
	hex.Encode(out[24:], b[10:])
	out[8], out[13], out[18], out[23] = '-', '-', '-', '-'
	return string(out[:])
}
