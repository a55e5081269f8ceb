package invoke

import (
	"bytes"
	"cmp"
	"net/http"
	"strings"

	"github.com/outcrop-ai/outcrop/internal/bedrock/converse"
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// Decode reads a whole answer of InvokeModel with its headers, which count the tokens of families whose bodies do not. An
// answer that is not the family's is an *llm.Error of [llm.KindUpstream].
func Decode(body []byte, header http.Header, turn *Turn) (*llm.Response, error) {
	if err := jsonscan.Valid(body); err != nil {
		return nil, &llm.Error{Kind: llm.KindUpstream, Message: "the answer of AWS is not JSON", Cause: err}
	}
	a := answer{turn: turn}
	turn.family.answer(&a, body)
	if a.err != nil {
		return nil, a.err
	}
	a.usage.header(header)
	a.aws(body)
	normal := a.converse(header)
	resp, err := converse.Decode(normal, turn.chat)
	if err != nil {
		return resp, err
	}
	if !a.usage.known {
		resp.Usage = llm.Usage{} // nobody counted: the caller estimates
	}
	if turn.native {
		resp.Native = body
	}
	return resp, nil
}

// answer collects what a family's answer says, in Converse's words.
type answer struct {
	turn *Turn
	err  *llm.Error
	// blocks is the inside of the content list, open says that it has a block.
	blocks []byte
	// stop is the family's word for why it stopped, trace a guardrail's.
	stop, trace []byte
	// logprobs are those of the text, in OpenAI's shape.
	logprobs []byte
	usage    usage
	// tier is the service tier that the body tells.
	tier string
}

// shape says that an answer is not the family's.
func (a *answer) shape() {
	if a.err == nil {
		a.err = &llm.Error{Kind: llm.KindUpstream, Message: "the answer of AWS is not one of " + a.turn.family.name}
	}
}

// block opens a block of the kind, whose value follows and then "}".
func (a *answer) block(kind string) {
	if len(a.blocks) > 0 {
		a.blocks = append(a.blocks, ',')
	}
	a.blocks = append(append(append(a.blocks, `{"`...), kind...), `":`...)
}

// member adds a block whose value is JSON already.
func (a *answer) member(kind string, value []byte) {
	a.block(kind)
	a.blocks = append(append(a.blocks, value...), '}')
}

// text adds the answer's text, a JSON string. A blank that a prompt's end leaves at its beginning is cut, and all from the
// first emulated stop sequence.
func (a *answer) text(raw []byte, lead string) {
	if _, ok := jsonscan.Inner(raw); !ok {
		return
	}
	if lead == "" && len(a.turn.stops) == 0 {
		a.member(kindText, raw)
		return
	}
	text := jsonscan.Text(raw)
	if !a.turn.prefill {
		text = cutLead(text, lead)
	}
	if at := firstStop(text, a.turn.stops); at >= 0 {
		text, a.stop = text[:at], []byte(`"stop_sequence"`)
	}
	a.block(kindText)
	a.blocks = append(llm.AppendString(a.blocks, text), '}')
}

// cited adds text with its citations, each of which add says in Converse's words.
func (a *answer) cited(text, citations []byte, add func(dst, citation []byte) []byte) {
	a.block(kindCitations)
	a.blocks = append(append(append(a.blocks, `{"content":[{"text":`...), text...), `}],"citations":[`...)
	first := true
	for citation := range jsonscan.Elements(citations) {
		if !first {
			a.blocks = append(a.blocks, ',')
		}
		first = false
		a.blocks = add(a.blocks, citation)
	}
	a.blocks = append(a.blocks, `]}}`...)
}

// cutLead cuts one character of lead off the beginning.
func cutLead(text, lead string) string {
	if text != "" && strings.IndexByte(lead, text[0]) >= 0 {
		return text[1:]
	}
	return text
}

// firstStop returns where the first of the stop sequences begins, -1 if there is none.
func firstStop(text string, stops []string) int {
	first := -1
	for _, stop := range stops {
		if at := strings.Index(text, stop); at >= 0 && (first < 0 || at < first) {
			first = at
		}
	}
	return first
}

// stopWord takes over the family's word for why it stopped, unless a stop sequence was met here.
func (a *answer) stopWord(raw []byte) {
	if _, ok := jsonscan.Inner(raw); ok && a.stop == nil {
		a.stop = raw
	}
}

// thinking adds reasoning, a JSON string, with its signature if it has one.
func (a *answer) thinking(text, signature []byte) {
	if inner, ok := jsonscan.Inner(text); !ok || len(inner) == 0 && len(signature) == 0 {
		return
	}
	a.block(kindReasoning)
	a.blocks = append(append(a.blocks, `{"reasoningText":{"text":`...), text...)
	if signature != nil {
		a.blocks = append(append(a.blocks, `,"signature":`...), signature...)
	}
	a.blocks = append(a.blocks, `}}}`...)
}

// call adds a call of a tool: id and name are JSON strings, input is an object.
func (a *answer) call(id, name, input []byte) {
	a.block(kindToolUse)
	a.blocks = append(append(a.blocks, `{"toolUseId":`...), id...)
	a.blocks = append(append(a.blocks, `,"name":`...), name...)
	a.blocks = append(append(a.blocks, `,"input":`...), input...)
	a.blocks = append(a.blocks, '}', '}')
}

// aws reads what AWS adds to any family's object: a guardrail's word, and counts.
func (a *answer) aws(body []byte) {
	if !bytes.Contains(body, []byte(`"amazon-bedrock-`)) {
		return
	}
	for name, value := range jsonscan.Members(body) {
		switch name {
		case memberMetrics:
			a.usage.metrics(value)
		case memberGuardrail:
			if jsonscan.Text(value) == "INTERVENED" {
				a.stop = []byte(stopIntervened)
			}
		case memberTrace:
			a.trace = value
		}
	}
}

// The members that AWS adds to a family's object.
const (
	memberMetrics   = "amazon-bedrock-invocationMetrics"
	memberGuardrail = "amazon-bedrock-guardrailAction"
	memberTrace     = "amazon-bedrock-trace"
	stopIntervened  = `"guardrail_intervened"`
)

// converse returns the answer in Converse's words.
func (a *answer) converse(header http.Header) []byte {
	out := make([]byte, 0, len(a.blocks)+len(a.trace)+512)
	out = append(append(append(out, `{"output":{"message":{"role":"assistant","content":[`...), a.blocks...), `]}},`...)
	if a.stop != nil {
		out = append(append(append(out, `"stopReason":`...), a.stop...), ',')
	}
	if a.trace != nil {
		out = append(append(append(out, `"trace":`...), a.trace...), ',')
	}
	if a.logprobs != nil {
		out = append(append(append(out, `"logprobs":`...), a.logprobs...), ',')
	}
	if tier := cmp.Or(header.Get(headerTier), a.tier); tier != "" {
		out = append(llm.AppendString(append(out, `"serviceTier":{"type":`...), tier), '}', ',')
	}
	if latency := header.Get(headerLatency); latency != "" {
		out = append(llm.AppendString(append(out, `"performanceConfig":{"latency":`...), latency), '}', ',')
	}
	return append(a.usage.append(out), '}')
}
