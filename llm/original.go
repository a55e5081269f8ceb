package llm

// Dialect names a client's dialect that some models speak themselves.
type Dialect uint8

// The dialects. Of others no original is kept.
const (
	// DialectNone is any other.
	DialectNone Dialect = iota
	// DialectMessages is Anthropic's Messages API.
	DialectMessages
	// DialectResponses is OpenAI's Responses API.
	DialectResponses
)

// Original is a request's body in the client's own words. A codec whose model speaks them takes over the conversation as it
// stands, but for what Bedrock does not take of it, and so loses nothing that this vocabulary has no word for; whatever
// else the request says it takes from the [Request], which knows the deployment's defaults and rules. Answers then come
// with [Response.Native] and [Event.Native].
type Original struct {
	Dialect Dialect
	// Body is the client's JSON; System, Messages and Tools are the values of those members in it, empty where there is none.
	Body                    []byte
	System, Messages, Tools Span
	// Cuts are the places where the body says what no model on Bedrock takes, in their order, none inside another. What is
	// lost by them is among the request's losses already.
	Cuts []Cut
	// Fields are the members of a request of the Responses API that models which speak it know, as they are spelled; input has
	// the whole conversation. Losses are what is lost of the request where it is said in other words.
	Fields []Field
	Losses []Loss
	// Changed says that the request's conversation or tools are no longer those of the body, which must not be used then.
	Changed bool
}

// Span is a part of a body, in bytes.
type Span struct{ From, To int }

// IsEmpty reports whether there is nothing in the span.
func (s Span) IsEmpty() bool { return s.From == s.To }

// Cut is a span to be left out, and what is written in its place.
type Cut struct {
	Span
	With string
}

// Speaks reports whether there is a body in the dialect d that says what the request says.
func (o *Original) Speaks(d Dialect) bool { return o != nil && o.Dialect == d && !o.Changed }

// Append appends a part of the body to dst, without what is cut.
func (o *Original) Append(dst []byte, part Span) []byte {
	at := part.From
	for _, c := range o.Cuts {
		if c.From < at || c.To > part.To {
			continue
		}
		dst = append(append(dst, o.Body[at:c.From]...), c.With...)
		at = c.To
	}
	return append(dst, o.Body[at:part.To]...)
}

// Change says that the request's conversation is another one than that of its original body. Copies of the request that
// were made before keep theirs.
func (r *Request) Change() {
	if r.Original != nil && !r.Original.Changed {
		o := *r.Original
		o.Changed = true
		r.Original = &o
	}
}
