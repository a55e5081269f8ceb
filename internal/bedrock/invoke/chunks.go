package invoke

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/outcrop-ai/outcrop/internal/bedrock/converse"
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// NewStream returns the events of a streamed answer of InvokeModel; it owns frames from then on. requestID is AWS's, for
// errors, header that of the answer.
func NewStream(frames converse.Frames, header http.Header, turn *Turn, requestID string) llm.Stream {
	return newStream(&framed{Frames: frames, requestID: requestID}, header, turn, requestID)
}

// NewEventStream is [NewStream] for an answer of a native endpoint, which comes in server-sent events.
func NewEventStream(events Events, header http.Header, turn *Turn, requestID string) llm.Stream {
	return newStream(sent{events}, header, turn, requestID)
}

func newStream(from objects, header http.Header, turn *Turn, requestID string) llm.Stream {
	if turn.native {
		if turn.family == &nativeResponses {
			return &relayed{from: from, header: header, requestID: requestID}
		}
		return &reframed{from: from, header: header, requestID: requestID}
	}
	c := &chunks{from: from, header: header, turn: turn, requestID: requestID, block: -1}
	return converse.NewStreamOf(c, turn.chat, requestID)
}

// chunks says a family's chunks in Converse's events. It implements [converse.Events].
type chunks struct {
	from      objects
	header    http.Header
	turn      *Turn
	requestID string

	// queue are events whose payloads are in buf, next the first that was not taken.
	queue []event
	next  int
	buf   []byte
	// object is the chunk's object.
	object []byte
	err    error

	// started says that the answer has begun, stopped that the family said why it stopped.
	started, stopped bool
	// intervened says that a guardrail stopped the answer, whatever the family calls it.
	intervened bool
	// block is the number of the open block, -1 if none is; blocks counts them.
	block, blocks int
	kind          string
	usage         usage
	trace         []byte
	// tier is the service tier that a chunk told.
	tier string
	// lead is cut off the first text; held is text that may be the beginning of a stop sequence.
	leadDone bool
	held     string
	// calls are the open calls of families that give them numbers.
	calls map[int]int
}

// event is one event of Converse's: its name, and where its payload is in the buffer.
type event struct {
	kind     []byte
	from, to int
}

// The names of Converse's events.
var (
	eventStart      = []byte("messageStart")
	eventBlockStart = []byte("contentBlockStart")
	eventDelta      = []byte("contentBlockDelta")
	eventBlockStop  = []byte("contentBlockStop")
	eventStop       = []byte("messageStop")
	eventMetadata   = []byte("metadata")
)

// Next returns the next event in Converse's words.
func (c *chunks) Next() (kind, payload []byte, err error) {
	for {
		if c.next < len(c.queue) {
			ev := c.queue[c.next]
			c.next++
			return ev.kind, c.buf[ev.from:ev.to], nil
		}
		c.queue, c.next, c.buf = c.queue[:0], 0, c.buf[:0]
		if c.err != nil {
			return nil, nil, c.err
		}
		object, err := c.from.next()
		switch {
		case errors.Is(err, io.EOF):
			c.end()
			c.err = io.EOF
		case err != nil:
			c.err = err
		case object != nil:
			c.read(object)
		}
	}
}

// Buffered reports that the next event has been received.
func (c *chunks) Buffered() bool { return c.next < len(c.queue) || c.err == nil && c.from.Buffered() }

// Close ends the upstream call.
func (c *chunks) Close() error { return c.from.Close() }

// read takes one of the family's objects.
func (c *chunks) read(object []byte) {
	if err := jsonscan.Valid(object); err != nil {
		c.fail(notJSON(c.requestID, err))
		return
	}
	c.object = object
	metrics := c.aws()
	first := !c.started
	if first {
		c.started = true
		c.add(eventStart, []byte(`{"role":"assistant"}`))
	}
	queued := len(c.queue)
	c.turn.family.chunk(c, c.object)
	if first && c.err != nil && len(c.queue) == queued { // a stream that only fails has not begun
		c.queue = c.queue[:0]
	}
	c.usage.metrics(metrics) // behind the family's own counts, which say more
	if c.intervened {
		c.finish("")
	}
}

// aws reads what AWS adds to any family's object: a guardrail's word, and its own counts, which it returns.
func (c *chunks) aws() (metrics []byte) {
	if !bytes.Contains(c.object, []byte(`"amazon-bedrock-`)) {
		return nil
	}
	for name, value := range jsonscan.Members(c.object) {
		switch name {
		case memberMetrics:
			metrics = value
		case memberGuardrail:
			c.intervened = c.intervened || jsonscan.Text(value) == "INTERVENED"
		case memberTrace:
			c.trace = append([]byte(nil), value...)
		}
	}
	return metrics
}

func (c *chunks) fail(err *llm.Error) {
	if c.err == nil {
		c.err = err
	}
}

// add queues an event.
func (c *chunks) add(kind, payload []byte) {
	from := len(c.buf)
	c.buf = append(c.buf, payload...)
	c.queue = append(c.queue, event{kind, from, len(c.buf)})
}

// ofBlock queues an event of the open block: its number, and the member name with the parts of its value.
func (c *chunks) ofBlock(kind []byte, name, before string, value []byte, after string) {
	if c.stopped {
		return // nothing that comes now belongs to the answer
	}
	from := len(c.buf)
	c.buf = strconv.AppendInt(append(c.buf, `{"contentBlockIndex":`...), int64(c.block), 10)
	if name != "" {
		c.buf = append(append(append(c.buf, `,"`...), name...), `":`...)
	}
	c.buf = append(append(append(c.buf, before...), value...), after...)
	c.buf = append(c.buf, '}')
	c.queue = append(c.queue, event{kind, from, len(c.buf)})
}

// delta queues a delta of the open block: value between the spellings before and after it.
func (c *chunks) delta(before string, value []byte, after string) {
	c.ofBlock(eventDelta, "delta", before, value, after)
}

// open makes a block of the kind the open one; blocks of the same kind go on.
func (c *chunks) open(kind string) {
	if c.block >= 0 && c.kind == kind {
		return
	}
	c.close()
	c.block, c.kind = c.blocks, kind
	c.blocks++
}

// close ends the open block.
func (c *chunks) close() {
	if c.block >= 0 {
		c.ofBlock(eventBlockStop, "", "", nil, "")
		c.block = -1
	}
}

// text queues a piece of the answer, a JSON string.
func (c *chunks) text(raw []byte, lead string) {
	inner, ok := jsonscan.Inner(raw)
	if !ok || len(inner) == 0 || c.stopped {
		return
	}
	if (lead == "" || c.leadDone) && len(c.turn.stops) == 0 {
		c.open(kindText)
		c.delta(`{"text":"`, inner, `"}`)
		return
	}
	text := jsonscan.Text(raw)
	if !c.leadDone {
		c.leadDone = true
		if !c.turn.prefill {
			text = cutLead(text, lead)
		}
	}
	c.held += text
	c.release()
}

// textWith queues a piece of the answer with its log probabilities.
func (c *chunks) textWith(raw, logprobs []byte) {
	if inner, ok := jsonscan.Inner(raw); ok && len(inner) > 0 {
		c.open(kindText)
		c.delta(`{"text":"`, inner, `"},"logprobs":`+string(logprobs))
	}
}

// release lets out held text but for what may be the beginning of a stop sequence, and ends the answer at a whole one.
func (c *chunks) release() {
	if at := firstStop(c.held, c.turn.stops); at >= 0 {
		c.held = c.held[:at]
		c.letOut(0)
		c.finish("stop_sequence")
		c.end()
		c.err = io.EOF // nobody reads what the model says from here on
		return
	}
	c.letOut(partOfStop(c.held, c.turn.stops))
}

// letOut queues held text but for its last keep bytes.
func (c *chunks) letOut(keep int) {
	text := c.held[:len(c.held)-keep]
	c.held = c.held[len(text):]
	if text != "" {
		c.open(kindText)
		c.delta(`{"text":`, llm.AppendString(nil, text), `}`)
	}
}

// partOfStop returns how many bytes at the end of text may be the beginning of a stop sequence.
func partOfStop(text string, stops []string) int {
	longest := 0
	for _, stop := range stops {
		for n := min(len(text), len(stop)-1); n > longest; n-- {
			if strings.HasSuffix(text, stop[:n]) {
				longest = n
				break
			}
		}
	}
	return longest
}

// thinking queues a piece of reasoning, a JSON string.
func (c *chunks) thinking(raw []byte) {
	if inner, ok := jsonscan.Inner(raw); ok && len(inner) > 0 {
		c.open(kindReasoning)
		c.delta(`{"reasoningContent":{"text":"`, inner, `"}}`)
	}
}

// callStart begins a call: id and name are JSON strings.
func (c *chunks) callStart(id, name []byte) {
	c.close()
	c.block, c.kind = c.blocks, kindToolUse
	c.blocks++
	start := append(append(append([]byte(nil), id...), `,"name":`...), name...)
	c.ofBlock(eventBlockStart, "start", `{"toolUse":{"toolUseId":`, start, `}}`)
}

// callInput queues a piece of the open call's arguments, a JSON string.
func (c *chunks) callInput(raw []byte) {
	if inner, ok := jsonscan.Inner(raw); ok && len(inner) > 0 && c.block >= 0 {
		c.delta(`{"toolUse":{"input":"`, inner, `"}}`)
	}
}

// finishWith ends the answer if raw is a word for why it stopped.
func (c *chunks) finishWith(raw []byte) {
	if word := jsonscan.Text(raw); word != "" {
		c.finish(word)
	}
}

// finish says why the answer ended: the family's first word counts, but a guardrail's more.
func (c *chunks) finish(stop string) {
	if c.stopped {
		return
	}
	c.letOut(0)
	c.close()
	c.stopped = true
	if c.intervened {
		stop = "guardrail_intervened"
	}
	c.add(eventStop, append(llm.AppendString([]byte(`{"stopReason":`), stop), '}'))
}

// end comes after the last chunk: the counts of all of them go out.
func (c *chunks) end() {
	if !c.stopped || !c.usage.known && c.trace == nil {
		return // cut off, or nobody counted: the caller knows what to do
	}
	from := len(c.buf)
	c.buf = append(c.buf, '{')
	if c.trace != nil {
		c.buf = append(append(append(c.buf, `"trace":`...), c.trace...), ',')
	}
	if tier := cmp.Or(c.header.Get(headerTier), c.tier); tier != "" {
		c.buf = append(llm.AppendString(append(c.buf, `"serviceTier":{"type":`...), tier), '}', ',')
	}
	if latency := c.header.Get(headerLatency); latency != "" {
		c.buf = append(llm.AppendString(append(c.buf, `"performanceConfig":{"latency":`...), latency), '}', ',')
	}
	if c.usage.known {
		c.buf = c.usage.append(c.buf)
	} else {
		c.buf = append(c.buf, `"usage":null`...)
	}
	c.buf = append(c.buf, '}')
	c.queue = append(c.queue, event{eventMetadata, from, len(c.buf)})
}
