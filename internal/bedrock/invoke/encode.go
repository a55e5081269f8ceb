package invoke

import (
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"

	"github.com/outcrop-ai/outcrop/internal/bedrock/converse"
	"github.com/outcrop-ai/outcrop/internal/catalog"
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// Request is a chat ready for InvokeModel.
type Request struct {
	// Body is the family's JSON. Header are the headers in which InvokeModel takes what Converse has in its body.
	Body   []byte
	Header http.Header
	Turn   *Turn
}

// Turn is what an answer needs to know about its request. It is not changed after Encode.
type Turn struct {
	family *family
	chat   *converse.Turn
	// prefill says that the answer goes on from the assistant's own words; a leading blank is then part of it.
	prefill bool
	// stops are stop sequences that the body does not take: the answer is cut at the first of them.
	stops []string
	// native says that the client speaks the family's own words: answers and events carry them. It is not about endpoints.
	native bool
}

// Encode appends the body of req to dst, in the words of the family behind ref. An *llm.Error names the field at fault;
// what is left out or changed is added to req.Losses.
func Encode(dst []byte, req *llm.Request, ref catalog.Ref) (*Request, error) {
	f := familyOf(ref)
	if f == nil {
		return nil, &llm.Error{
			Kind: llm.KindInvalid, Code: "invalid_model", Param: "model",
			Message: "it is not known which family of models is behind " + ref.ID + ": set base_model, or write the family's word before the ARN (llama/, openai/, …)",
		}
	}
	return encode(dst, req, ref, f, nil)
}

// encode writes the body of a family, for InvokeModel or for a native endpoint.
func encode(dst []byte, req *llm.Request, ref catalog.Ref, f *family, n *Native) (*Request, error) {
	body := f.body(ref)
	if f == &nativeResponses && Relays(req) {
		return relay(dst, req, n)
	}
	if f == &anthropicMessages && req.Original.Speaks(llm.DialectMessages) {
		normal, whole, err := converse.EncodeAround(nil, req, ref, &body)
		if err != nil {
			return nil, err
		}
		if whole {
			e := encoder{dst: dst, start: len(dst), doc: readDocument(normal), req: req, ref: ref, turn: &Turn{family: f, native: true}, original: req.Original, native: n}
			return e.encode()
		}
	}
	normal, turn, err := converse.EncodeFor(nil, req, ref, &body)
	if err != nil {
		return nil, err
	}
	e := encoder{dst: dst, start: len(dst), doc: readDocument(normal), req: req, ref: ref, turn: &Turn{family: f, chat: turn}, native: n}
	e.turn.prefill = e.doc.prefill()
	return e.encode()
}

// encode writes the body and its headers.
func (e *encoder) encode() (*Request, error) {
	f := e.turn.family
	header := e.header()
	if e.native != nil {
		e.nativeHead(header)
	}
	f.encode(e)
	if e.err != nil {
		return nil, e.err
	}
	e.guardrailBody()
	if len(e.dst) == e.start {
		e.dst = append(e.dst, '{')
	}
	e.dst[e.start] = '{'
	return &Request{Body: append(e.dst, '}'), Header: header, Turn: e.turn}, nil
}

// encoder is one run of Encode.
type encoder struct {
	dst   []byte
	start int
	doc   document
	req   *llm.Request
	ref   catalog.Ref
	turn  *Turn
	err   *llm.Error
	// original has the conversation in the family's own words, nil where doc has it.
	original *llm.Original
	// native is the endpoint that the body is for, nil for InvokeModel.
	native *Native

	// written are the members that the family has written itself.
	written []string
	// suffix ends the tags around guarded text; it is random, so that no text can close them.
	suffix string
}

func (e *encoder) refuse(param, message string) {
	if e.err == nil {
		e.err = llm.Invalid(param, message)
	}
}

// unsupported drops param by name where the policy allows, else refuses the request.
func (e *encoder) unsupported(param string) {
	if err := e.req.Unsupported(param, e.ref.ID); err != nil && e.err == nil {
		e.err = err
	}
}

// name opens a member of the body.
func (e *encoder) name(name string) {
	e.written = append(e.written, name)
	e.dst = append(e.dst, ',')
	e.dst = llm.AppendString(e.dst, name)
	e.dst = append(e.dst, ':')
}

// raw writes a member, unless there is nothing to write or the client says it among the family's own fields.
func (e *encoder) raw(name string, value []byte) {
	if value != nil && !e.doc.has(name) {
		e.name(name)
		e.dst = append(e.dst, value...)
	}
}

// verbatim writes a member whose value the client wrote in the family's own words.
func (e *encoder) verbatim(name string, part llm.Span) {
	if !part.IsEmpty() {
		e.name(name)
		e.dst = e.original.Append(e.dst, part)
	}
}

func (e *encoder) string(name, text string) { e.raw(name, llm.AppendString(nil, text)) }

// strings writes a list of strings, if there are any.
func (e *encoder) strings(name string, list []string) {
	if len(list) == 0 || e.doc.has(name) {
		return
	}
	e.name(name)
	e.list(len(list), func(i int) { e.dst = llm.AppendString(e.dst, list[i]) })
}

// list writes a list of n elements.
func (e *encoder) list(n int, element func(i int)) {
	e.dst = append(e.dst, '[')
	for i := range n {
		if i > 0 {
			e.dst = append(e.dst, ',')
		}
		element(i)
	}
	e.dst = append(e.dst, ']')
}

// messages writes the turns as Anthropic and Nova have them: a role, and a list of blocks.
func (e *encoder) messages(content func([]block)) {
	e.name("messages")
	e.list(len(e.doc.turns), func(i int) {
		role := "user"
		if e.doc.turns[i].assistant {
			role = "assistant"
		}
		e.dst = append(append(append(e.dst, `{"role":"`...), role...), `","content":`...)
		content(e.doc.turns[i].blocks)
		e.dst = append(e.dst, '}')
	})
}

// object writes a member that is an object with the members that fill writes.
func (e *encoder) object(name string, fill func()) {
	e.name(name)
	start := len(e.dst)
	fill()
	if len(e.dst) == start {
		e.dst = append(e.dst, '{')
	}
	e.dst[start] = '{' // for the first member's comma
	e.dst = append(e.dst, '}')
}

// rest writes the family's own fields that are left, as they came. What the body has already is not said twice.
func (e *encoder) rest() {
	for i := range e.doc.fields {
		f := &e.doc.fields[i]
		if slices.Contains(e.written, f.Name) {
			e.req.Lose("additionalModelRequestFields."+f.Name, "overridden")
			continue
		}
		e.name(f.Name)
		e.dst = append(e.dst, f.Value...)
	}
}

// emulateStops keeps stop sequences back that the body does not take.
func (e *encoder) emulateStops(stops []string) {
	if len(stops) > 0 {
		e.turn.stops = stops
		e.req.Lose("stop", "emulated")
	}
}

// maxTokensOr returns the limit of the answer: the request's, else the deployment's, else the catalogue's but at most
// ceiling, since AWS books the limit against the quota.
func (e *encoder) maxTokensOr(ceiling int64) []byte {
	if e.doc.maxTokens != nil {
		return e.doc.maxTokens
	}
	n := ceiling
	switch m := e.ref.Model; {
	case e.req.Policy.MaxTokens > 0:
		n = e.req.Policy.MaxTokens
	case m != nil && m.MaxOutput > 0:
		n = min(n, m.MaxOutput)
	}
	return strconv.AppendInt(nil, n, 10)
}

// guardSuffix returns the ending of the tags around guarded text, made up at first use.
func (e *encoder) guardSuffix() string {
	if e.suffix == "" {
		var b [4]byte
		_, _ = rand.Read(b[:]) // never fails: see crypto/rand
		e.suffix = hex.EncodeToString(b[:])
	}
	return e.suffix
}

// guarded returns text between the tags by which a guardrail knows what to judge.
func (e *encoder) guarded(text string) string {
	tag := "amazon-bedrock-guardrails-guardContent_" + e.guardSuffix()
	return "<" + tag + ">" + text + "</" + tag + ">"
}

// guardedText writes guarded text as a JSON string, between its tags.
func (e *encoder) guardedText(b *block) {
	e.dst = llm.AppendString(e.dst, e.guarded(jsonscan.Text(jsonscan.Member(b.value, "text", "text"))))
}
