package openai

import (
	"strconv"

	"github.com/outcrop-ai/outcrop/internal/dialect/read"
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// maxDocuments and maxDocument are AWS's limits of the Rerank operation: how many documents, and how many characters a
// text may have, the query included.
const (
	maxDocuments = 1000
	maxDocument  = 32_000
)

// DecodeRerank reads the body of a rerank request. Its fields are Cohere's, of both versions of its API; what is said to
// the gateway, and the shape of errors, are as everywhere here.
func DecodeRerank(body []byte) (*llm.Request, *Control, error) {
	d := decoder{s: read.New(body), req: &llm.Request{Rerank: &llm.Rerank{}}, control: &Control{}}
	if err := d.document(d.rerankMember); err != nil {
		return nil, nil, err
	}
	r := d.req.Rerank
	switch {
	case d.req.Model == "":
		return nil, nil, read.Missing("model")
	case !d.seen.has(memberQuery):
		return nil, nil, read.Missing("query")
	case r.Query.IsEmpty():
		return nil, nil, llm.Invalid("query", "query must be a string of 1 to 32,000 characters")
	case !d.seen.has(memberDocuments):
		return nil, nil, read.Missing("documents")
	case len(r.Documents) == 0:
		return nil, nil, llm.Invalid("documents", "documents must not be empty")
	}
	return d.req, d.control, nil
}

func (d *decoder) rerankMember(key []byte) error {
	r := d.req.Rerank
	switch name := string(key); name {
	case "query":
		return d.one(memberQuery, name, func() (err error) {
			if r.Query, err = d.s.Text(name); err == nil && r.Query.Runes() > maxDocument {
				err = llm.Invalid(name, "query has more than 32,000 characters")
			}
			return err
		})
	case "documents":
		return d.one(memberDocuments, name, d.documents)
	case "top_n":
		return d.one(memberTopN, name, func() (err error) { r.TopN, err = d.int(name, 1); return })
	case "return_documents":
		return d.one(memberReturnDocuments, name, func() (err error) { r.ReturnDocuments, err = d.boolPointer(name); return })
	case "rank_fields":
		return d.one(memberRankFields, name, func() (err error) { r.Fields, err = d.strings(name); return })
	case "max_chunks_per_doc", "max_tokens_per_doc", "priority":
		return d.parameter(name)
	}
	return d.sharedMember(key, d.rerankMember)
}

// parameter keeps a parameter of the client's dialect for the codec to judge.
func (d *decoder) parameter(name string) error {
	if absent, err := d.s.Null(); absent || err != nil {
		return err
	}
	if llm.Lookup(d.req.Params, name) != nil {
		return duplicate(name)
	}
	value, err := d.s.Skip()
	d.req.Params = append(d.req.Params, llm.Field{Name: name, Value: value})
	return err
}

// documents reads a list of texts and objects.
func (d *decoder) documents() error {
	more, err := d.array("documents")
	for i := 0; err == nil && more; more, err = d.s.NextElement() {
		if i == maxDocuments {
			return llm.Invalid("documents", "documents has more than "+strconv.Itoa(maxDocuments)+" elements")
		}
		if err := d.oneDocument(read.Index("documents", i)); err != nil {
			return err
		}
		i++
	}
	return err
}

// oneDocument reads one document.
func (d *decoder) oneDocument(path string) error {
	var doc llm.Document
	switch d.s.Peek() {
	case jsonscan.KindString:
		var err error
		if doc.Text, err = d.s.Text(path); err != nil {
			return err
		}
	case jsonscan.KindObject:
		raw, err := d.s.Skip()
		if err != nil {
			return err
		}
		doc.Object = raw
		text, only := onlyText(raw)
		if !only {
			d.req.Rerank.Documents = append(d.req.Rerank.Documents, doc)
			return nil
		}
		doc.Text = llm.RawText(text)
	default:
		return d.s.WrongType(path, "a string or an object")
	}
	switch {
	case doc.Text.IsBlank():
		return llm.Invalid(path, path+" is blank")
	case doc.Text.Runes() > maxDocument:
		return llm.Invalid(path, path+" has more than 32,000 characters")
	}
	d.req.Rerank.Documents = append(d.req.Rerank.Documents, doc)
	return nil
}

// onlyText reports whether an object is {"text": "…"} and nothing else, and returns the text's spelling.
func onlyText(object []byte) (text []byte, only bool) {
	n := 0
	for name, value := range jsonscan.Members(object) {
		n++
		if inner, isString := jsonscan.Inner(value); name == "text" && isString {
			text, only = inner, true
		}
	}
	return text, only && n == 1
}

// AppendRerank appends the answer to a rerank request, in Cohere's shape. Documents that are asked for are the client's
// own, a text as {"text": …}.
func AppendRerank(dst []byte, id string, asked *llm.Rerank, found *llm.Ranking) []byte {
	dst = append(dst, `{"id":`...)
	dst = llm.AppendString(dst, id)
	dst = append(dst, `,"results":[`...)
	for i, r := range found.Results {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendInt(append(dst, `{"index":`...), int64(r.Index), 10)
		dst = append(append(dst, `,"relevance_score":`...), r.Score...)
		if asked.ReturnDocuments != nil && *asked.ReturnDocuments {
			dst = append(dst, `,"document":`...)
			if doc := &asked.Documents[r.Index]; doc.Object != nil {
				dst = append(dst, doc.Object...)
			} else {
				dst = append(doc.Text.AppendJSON(append(dst, `{"text":`...)), '}')
			}
		}
		dst = append(dst, '}')
	}
	dst = append(dst, `],"meta":{"api_version":{"version":"2"},"billed_units":{"search_units":`...)
	dst = strconv.AppendInt(dst, found.Usage.Queries, 10)
	return append(dst, '}', '}', '}')
}
