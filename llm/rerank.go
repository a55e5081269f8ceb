package llm

import "encoding/json"

// Rerank is what a reranker is asked: how well each document answers the query.
type Rerank struct {
	Query Text
	// Documents are in the client's order, which the results refer to.
	Documents []Document
	// TopN is how many results are wanted; nil is one for each document.
	TopN *int64
	// ReturnDocuments has the results carry their documents. They are the client's own: AWS is not asked for them.
	ReturnDocuments *bool
	// Fields are the members of documents that are objects which are looked at, in that order; nil is the whole document.
	Fields []string
}

// Document is one document: a text, or an object as the client wrote it, in which case Text is that of its member text if
// it has no other.
type Document struct {
	Text   Text
	Object json.RawMessage
}

// Ranking is the answer of a reranker, in AWS's order: the best first.
type Ranking struct {
	Results []Ranked
	// Usage counts queries: one for up to a hundred documents.
	Usage Usage
}

// Ranked is one result: the number of its document, and how well that answers the query, as AWS spelled it.
type Ranked struct {
	Index int
	Score json.RawMessage
}
