package llm

import (
	"encoding/json"
	"strings"
	"time"
)

// StopReason says why the model ended its turn.
type StopReason uint8

// The reasons, named after what happened rather than after one provider's word for it.
const (
	// StopUnknown is a reason that Outcrop does not know; Response.StopRaw has the provider's word.
	StopUnknown StopReason = iota
	// StopEnd: the model was done, or met a stop sequence.
	StopEnd
	// StopSequence: a stop sequence was met.
	StopSequence
	// StopLength: the token limit or the context window was reached.
	StopLength
	// StopTool: the model calls tools.
	StopTool
	// StopFilter: a guardrail or content filter ended the answer.
	StopFilter
)

// String returns end, stop_sequence, length, tool, filter, or unknown.
func (s StopReason) String() string {
	switch s {
	case StopEnd:
		return "end"
	case StopSequence:
		return "stop_sequence"
	case StopLength:
		return "length"
	case StopTool:
		return "tool"
	case StopFilter:
		return "filter"
	default:
		return "unknown"
	}
}

// Usage is what AWS counts for one answer, in tokens. Input excludes cached tokens, as Bedrock reports it; the whole
// prompt is Input + CacheRead + CacheWrite5m + CacheWrite1h.
type Usage struct {
	Input, Output           int64
	CacheRead, CacheWrite5m int64
	CacheWrite1h            int64
	// Reasoning is the part of Output that was thinking, where AWS says so; 0 otherwise.
	Reasoning int64
	// Images and Queries are what embedding models and rerankers are paid for beside tokens.
	Images, Queries int64
	// Made is how many images an image model made.
	Made int64
	// VideoIn and AudioIn are how long the video and the sound are that the model read, VideoMade how long the video is that it
	// made, of models that are paid for by the second.
	VideoIn, AudioIn, VideoMade time.Duration
	// Searches is how often the model searched the web at AWS.
	Searches int64
	// Time is how long the call took, where that is what is paid for.
	Time time.Duration
	// Total is AWS's own sum; 0 when it gave none.
	Total int64
	// CacheSplit says that AWS told 5-minute and 1-hour writes apart.
	CacheSplit bool
	// Estimated says that AWS gave no count and Outcrop guessed from what was sent and received.
	Estimated bool
	// Uncounted says that something was used beside this, which is paid for, and of which nobody says how much it was: the
	// length of a video that AWS has read from S3. Such a call has no known cost.
	Uncounted bool
}

// Prompt returns all tokens that the model read, cached or not.
func (u Usage) Prompt() int64 { return u.Input + u.CacheRead + u.CacheWrite5m + u.CacheWrite1h }

// CacheWrite returns all tokens written to the cache.
func (u Usage) CacheWrite() int64 { return u.CacheWrite5m + u.CacheWrite1h }

// Sum returns AWS's total, or the sum of its parts when it gave none.
func (u Usage) Sum() int64 {
	if u.Total > 0 {
		return u.Total
	}
	return u.Prompt() + u.Output
}

// Plus returns the counts of two answers together.
func (u Usage) Plus(v Usage) Usage {
	sum := Usage{
		Input: u.Input + v.Input, Output: u.Output + v.Output, Reasoning: u.Reasoning + v.Reasoning,
		CacheRead: u.CacheRead + v.CacheRead, CacheWrite5m: u.CacheWrite5m + v.CacheWrite5m, CacheWrite1h: u.CacheWrite1h + v.CacheWrite1h,
		Images: u.Images + v.Images, Queries: u.Queries + v.Queries, Made: u.Made + v.Made,
		VideoIn: u.VideoIn + v.VideoIn, AudioIn: u.AudioIn + v.AudioIn, VideoMade: u.VideoMade + v.VideoMade,
		Searches: u.Searches + v.Searches, Time: u.Time + v.Time,
		Estimated: u.Estimated || v.Estimated, Uncounted: u.Uncounted || v.Uncounted,
	}
	if u.Total > 0 || v.Total > 0 {
		sum.Total = u.Sum() + v.Sum()
	}
	sum.CacheSplit = sum.CacheWrite() > 0 && (u.CacheSplit || u.CacheWrite() == 0) && (v.CacheSplit || v.CacheWrite() == 0)
	return sum
}

// Response is a whole answer.
type Response struct {
	// Blocks are what the model said, in its order.
	Blocks []Block
	Stop   StopReason
	// StopRaw is the provider's own word for the reason.
	StopRaw string
	Usage   Usage
	// Tier is the service tier that AWS billed; Trace, Performance and Fields are AWS's trace, performanceConfig and
	// additionalModelResponseFields, as they came.
	Tier        string
	Trace       json.RawMessage
	Performance json.RawMessage
	Fields      json.RawMessage
	// Logprobs are the log probabilities of the text's tokens in OpenAI's shape, of models that give them.
	Logprobs json.RawMessage
	// Native is the whole answer as the model wrote it, where that is the dialect of [Request.Original].
	Native json.RawMessage
	// Further are the other answers, where several were asked for. Usage counts them all, theirs count each its own.
	Further []*Response
	// Served says how the answer came about; the Go SDK fills it in.
	Served
}

// Text returns the answer's text, joined without separators.
func (r *Response) Text() string {
	var b strings.Builder
	for i := range r.Blocks {
		switch r.Blocks[i].Kind {
		case BlockText, BlockCitations:
			b.WriteString(r.Blocks[i].Text.String())
		}
	}
	return b.String()
}

// Reasoning returns the model's reasoning, joined without separators; what the provider encrypted is not in it.
func (r *Response) Reasoning() string {
	var b strings.Builder
	for i := range r.Blocks {
		if r.Blocks[i].Kind == BlockThinking {
			b.WriteString(r.Blocks[i].Text.String())
		}
	}
	return b.String()
}

// ToolCalls returns the model's calls of tools, in its order.
func (r *Response) ToolCalls() []*ToolBlock {
	var calls []*ToolBlock
	for i := range r.Blocks {
		if r.Blocks[i].Kind == BlockToolUse {
			calls = append(calls, r.Blocks[i].Tool)
		}
	}
	return calls
}

// Message returns the answer as the assistant's turn. Appended to the next request's messages it continues the
// conversation; signed reasoning goes back byte for byte.
func (r *Response) Message() Message { return Message{Role: RoleAssistant, Blocks: r.Blocks} }

// EventKind tells which fields of an [Event] are in use.
type EventKind uint8

// The kinds of events, in the order in which a stream may bring them.
const (
	// EventStart opens the answer.
	EventStart EventKind = iota
	// EventText brings Text, and in Raw its log probabilities in OpenAI's shape, of models that give them.
	EventText
	// EventThinking brings Text of reasoning; EventSignature its signature; EventRedacted encrypted reasoning. All three
	// carry in Text what AWS sent.
	EventThinking
	EventSignature
	EventRedacted
	// EventToolStart opens a call: ToolID and ToolName. EventToolInput brings a fragment of its arguments in Text, cut at
	// any character.
	EventToolStart
	EventToolInput
	// EventCitation brings a source of the text before it, in Raw as AWS sent it.
	EventCitation
	// EventBlockStop ends block Index.
	EventBlockStop
	// EventStop says why the model ended: Stop and StopRaw.
	EventStop
	// EventUsage is the last event of an answer: Usage, and Tail with what came beside it, if anything did.
	EventUsage
	// EventOther is something of AWS's that has no kind of its own: Raw.
	EventOther
)

// Event is one step of a streamed answer. Texts and Raw alias the stream's buffer and are valid until the next call of
// Next.
type Event struct {
	Kind EventKind
	Stop StopReason
	// Choice is the answer that the event belongs to, counted from 0, where several were asked for. The last event of such a
	// stream is an EventUsage that counts them all; those before it, which end one answer each, have no Usage.
	Choice uint16
	// Index is the content block's number as AWS counts it; numbers may skip.
	Index            int32
	Text             Text
	ToolID, ToolName string
	StopRaw          string
	Usage            *Usage
	Tail             *Tail
	Raw              json.RawMessage
	// Native is the event as the model wrote it, where that is the dialect of [Request.Original]: one line of JSON, which
	// the dialect hands over. The other members say what it means to everybody else.
	Native json.RawMessage
}

// Tail is what AWS says at the end of a stream beside the usage.
type Tail struct {
	Tier        string
	Trace       json.RawMessage
	Performance json.RawMessage
	Fields      json.RawMessage
	// Served says how the answer came about; the Go SDK fills it in.
	Served *Served
}

// Stream is an answer that is still being made. Next returns the events in order and io.EOF after the last; any other
// error ends the stream. Close must be called, ends the upstream call, and may be called at any time by the goroutine
// that calls Next.
type Stream interface {
	Next() (Event, error)
	// Buffered reports that the next event has already been received, so that a writer may hold its flush.
	Buffered() bool
	Close() error
}
