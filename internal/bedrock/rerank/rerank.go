// Package rerank carries questions to rerankers: as the Rerank operation of bedrock-agent-runtime, or through InvokeModel
// with the body of the model's family.
package rerank

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/outcrop-ai/outcrop/internal/catalog"
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// maxText is how many characters a document may have that is sent as a text.
const maxText = 32_000

// unit is how many documents AWS bills as one query, and long what it may cut into several: about 500 tokens.
// Source: the Bedrock price list, "Rerank".
const (
	unit = 100
	long = 2000
)

// Query is a request that is ready to be written for either way.
type Query struct {
	// Wanted is how many results are asked for: no more than there are documents.
	Wanted int

	req    *llm.Request
	ref    catalog.Ref
	invoke bool
	texts  []llm.Text // of the documents; empty for an object that is sent as it is
	fields []llm.Field
}

// NewQuery reads a request for the way that ref's route names. An *llm.Error names the field at fault; what is left out is
// added to req.Losses.
func NewQuery(req *llm.Request, ref catalog.Ref) (*Query, error) {
	q := &Query{req: req, ref: ref, invoke: ref.Route == catalog.RouteInvoke}
	for _, read := range []func() *llm.Error{q.parameters, q.provider, q.documents} {
		if err := read(); err != nil {
			return nil, err
		}
	}
	q.Wanted = len(req.Rerank.Documents)
	if n := req.Rerank.TopN; n != nil && *n < int64(q.Wanted) {
		q.Wanted = int(*n)
	}
	if q.invoke && q.family() == "" {
		return nil, &llm.Error{
			Kind: llm.KindInvalid, Code: "invalid_model", Param: "model",
			Message: "it is not known which family of rerankers is behind " + ref.ID + ": set base_model",
		}
	}
	return q, nil
}

// The families' bodies, by the catalogue's words.
const (
	cohere = "cohere-rerank"
	amazon = "amazon-rerank"
)

// family returns the body that the model takes on InvokeModel, "" if it is not known.
func (q *Query) family() string {
	switch {
	case q.ref.Model != nil:
		return q.ref.Model.Body
	case strings.Contains(q.ref.ID, "cohere.rerank"), q.ref.Family == "cohere":
		return cohere
	case strings.Contains(q.ref.ID, "amazon.rerank"), q.ref.Family == "amazon":
		return amazon
	}
	return ""
}

const paramMaxTokens = "max_tokens_per_doc"

// parameters judges those of Cohere's parameters that Bedrock has no general counterpart for.
func (q *Query) parameters() *llm.Error {
	for _, p := range q.req.Params {
		if p.Name == paramMaxTokens && q.invoke && q.family() == cohere || slices.Contains(q.req.Policy.Allowed, p.Name) {
			q.fields = append(q.fields, p)
			continue
		}
		if err := q.req.Unsupported(p.Name, q.ref.ID); err != nil {
			return err
		}
	}
	if !q.invoke && len(q.req.Guardrail) > 0 {
		return llm.Invalid("guardrailConfig", "the Rerank operation applies no guardrails: take guardrailConfig out, or use the route invoke/")
	}
	return nil
}

// provider sorts the provider's own parameters, and what the configuration says in the words of a request.
func (q *Query) provider() *llm.Error {
	r := q.req.Rerank
	for _, f := range q.req.Extra {
		switch f.Name {
		case "top_n":
			n, err := strconv.ParseInt(string(f.Value), 10, 64)
			if err != nil || n < 1 {
				return llm.Invalid(f.Name, "top_n must be a whole number above 0")
			}
			if r.TopN == nil {
				r.TopN = &n
			}
		case "return_documents":
			if is := string(f.Value) == "true"; r.ReturnDocuments == nil {
				r.ReturnDocuments = &is
			}
		case "rank_fields":
			if r.Fields != nil {
				continue
			}
			for name := range jsonscan.Elements(f.Value) {
				r.Fields = append(r.Fields, jsonscan.Text(name))
			}
		case "additionalModelRequestFields":
			for name, value := range jsonscan.Members(f.Value) {
				q.fields = append(q.fields, llm.Field{Name: name, Value: value})
			}
		case "max_chunks_per_doc", paramMaxTokens, "priority": // of the configuration: the operator knows the model
			if llm.Lookup(q.req.Params, f.Name) == nil {
				q.fields = append(q.fields, f)
			}
		default:
			q.fields = append(q.fields, f)
		}
	}
	return nil
}

// documents chooses what of each document is sent.
func (q *Query) documents() *llm.Error {
	r := q.req.Rerank
	q.texts = make([]llm.Text, len(r.Documents))
	had := make([]bool, len(r.Fields))
	for i, doc := range r.Documents {
		q.texts[i] = doc.Text
		switch {
		case r.Fields != nil && doc.Object != nil:
			q.texts[i] = lines(doc.Object, r.Fields, had)
		case r.Fields != nil: // a text is what Cohere calls {"text": …}
			if at := slices.Index(r.Fields, "text"); at >= 0 {
				had[at] = true
			}
		case q.invoke && doc.Text.IsEmpty():
			q.texts[i] = lines(doc.Object, nil, nil)
		default:
			continue
		}
		where := "documents[" + strconv.Itoa(i) + "]"
		switch {
		case q.texts[i].IsBlank() && r.Fields != nil:
			return llm.Invalid(where, where+" has nothing in any of the rank_fields")
		case q.texts[i].IsBlank():
			return llm.Invalid(where, where+" is empty")
		case q.texts[i].Runes() > maxText:
			return llm.Invalid(where, where+" has more than 32,000 characters")
		}
	}
	if at := slices.Index(had, false); at >= 0 {
		return llm.Invalid("rank_fields["+strconv.Itoa(at)+"]", "no document has the field "+strconv.Quote(r.Fields[at]))
	}
	return nil
}

// lines writes an object as a text: a line "field: value" for each of the fields in their order, or for every member. It
// marks the fields that it found.
func lines(object json.RawMessage, fields []string, had []bool) llm.Text {
	var b strings.Builder
	line := func(name string, value []byte) {
		if b.Len() > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(name)
		b.WriteString(": ")
		if _, isString := jsonscan.Inner(value); isString {
			b.WriteString(jsonscan.Text(value))
		} else {
			b.Write(value)
		}
	}
	if fields == nil {
		for name, value := range jsonscan.Members(object) {
			line(name, value)
		}
	}
	for i, name := range fields {
		if value := jsonscan.Member(object, name); value != nil {
			had[i] = true
			line(name, value)
		}
	}
	return llm.NewText(b.String())
}

// AppendRerank appends the body of the Rerank operation. model is an ARN, or an id where there is none; token is that of
// the page before, "" for the first.
func (q *Query) AppendRerank(dst []byte, model, token string) []byte {
	dst = append(dst, `{"queries":[{"type":"TEXT","textQuery":{"text":`...)
	dst = q.req.Rerank.Query.AppendJSON(dst)
	dst = append(dst, `}}],"sources":[`...)
	for i := range q.texts {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"type":"INLINE","inlineDocumentSource":{"type":`...)
		if q.texts[i].IsEmpty() {
			dst = append(dst, `"JSON","jsonDocument":`...)
			dst = append(dst, q.req.Rerank.Documents[i].Object...)
		} else {
			dst = append(dst, `"TEXT","textDocument":{"text":`...)
			dst = append(q.texts[i].AppendJSON(dst), '}')
		}
		dst = append(dst, '}', '}')
	}
	dst = append(dst, `],"rerankingConfiguration":{"type":"BEDROCK_RERANKING_MODEL","bedrockRerankingConfiguration":{"numberOfResults":`...)
	dst = strconv.AppendInt(dst, int64(q.Wanted), 10)
	dst = append(dst, `,"modelConfiguration":{"modelArn":`...)
	dst = llm.AppendString(dst, model)
	for i, f := range q.fields {
		if i == 0 {
			dst = append(dst, `,"additionalModelRequestFields":{`...)
		} else {
			dst = append(dst, ',')
		}
		dst = append(llm.AppendString(dst, f.Name), ':')
		dst = append(dst, f.Value...)
	}
	if len(q.fields) > 0 {
		dst = append(dst, '}')
	}
	dst = append(dst, '}', '}', '}')
	if token != "" {
		dst = llm.AppendString(append(dst, `,"nextToken":`...), token)
	}
	return append(dst, '}')
}

// AppendInvoke appends the body of the model's family for InvokeModel.
func (q *Query) AppendInvoke(dst []byte) []byte {
	dst = append(dst, `{"query":`...)
	dst = q.req.Rerank.Query.AppendJSON(dst)
	dst = append(dst, `,"documents":[`...)
	for i := range q.texts {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = q.texts[i].AppendJSON(dst)
	}
	dst = append(dst, `],"top_n":`...)
	dst = strconv.AppendInt(dst, int64(q.Wanted), 10)
	if q.family() == cohere {
		dst = append(dst, `,"api_version":2`...)
	}
	for _, f := range q.fields {
		dst = append(llm.AppendString(append(dst, ','), f.Name), ':')
		dst = append(dst, f.Value...)
	}
	return append(dst, '}')
}

// Usage counts what AWS bills. Documents that it may cut into several make the count an estimate.
func (q *Query) Usage() llm.Usage {
	n := int64(len(q.texts))
	u := llm.Usage{Queries: (n + unit - 1) / unit}
	for i := range q.texts {
		size := q.texts[i].Size()
		if size == 0 {
			size = len(q.req.Rerank.Documents[i].Object)
		}
		u.Estimated = u.Estimated || size+q.req.Rerank.Query.Size() > long
	}
	return u
}

// Decode adds the results of an answer of either way to found. token leads to the next page, "" when there is none. An
// answer that speaks of a document that was not sent is no answer.
func (q *Query) Decode(body []byte, found *llm.Ranking) (token string, err error) {
	if err := jsonscan.Valid(body); err != nil {
		return "", &llm.Error{Kind: llm.KindUpstream, Message: "the answer of AWS is not JSON", Cause: err}
	}
	for result := range jsonscan.Elements(jsonscan.Member(body, "results")) {
		i, bad := strconv.Atoi(string(jsonscan.Member(result, "index")))
		if bad != nil || i < 0 || i >= len(q.texts) {
			return "", &llm.Error{Kind: llm.KindUpstream, Message: "the answer of AWS ranks a document that was not sent"}
		}
		score := jsonscan.Member(result, "relevanceScore")
		if score == nil {
			score = jsonscan.Member(result, "relevance_score")
		}
		if _, bad := strconv.ParseFloat(string(score), 64); bad != nil {
			return "", &llm.Error{Kind: llm.KindUpstream, Message: "the answer of AWS has no score for document " + strconv.Itoa(i)}
		}
		found.Results = append(found.Results, llm.Ranked{Index: i, Score: score})
	}
	return jsonscan.Text(jsonscan.Member(body, "nextToken")), nil
}
