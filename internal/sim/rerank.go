package sim

import (
	"encoding/json"
	"math"
	"net/http"
	"sort"
	"strconv"
	"strings"
	"sync"
)

// reranker is one reranking model behind InvokeModel.
type reranker struct {
	ids   string
	shape *shape
}

// rerankerOf returns nil for models that rank nothing.
func rerankerOf(model string) *reranker {
	for i := range rerankers() {
		if strings.Contains(model, rerankers()[i].ids) {
			return &rerankers()[i]
		}
	}
	return nil
}

var rerankers = sync.OnceValue(func() []reranker {
	body := func(more ...member) *shape {
		return structure("Request", append([]member{
			need("query", text().from(1)), need("documents", list(text().from(1)).between(1, 1000)), may("top_n", integer().between(1, 1000)),
		}, more...)...)
	}
	return []reranker{
		{"cohere.rerank", body(need("api_version", integer().between(2, 2)), may("max_tokens_per_doc", integer().from(1)))},
		{"amazon.rerank", body()},
	}
})

// serveRanking answers an InvokeModel call of a reranker.
func (s *Server) serveRanking(w http.ResponseWriter, r *http.Request, c *call, model *reranker, fault *Fault) {
	var body struct {
		Query     string
		Documents []string
		TopN      int `json:"top_n"`
	}
	if refused := checked(c.body, model.shape, &body); refused != nil {
		writeError(w, refused)
		return
	}
	if !pause(r.Context(), s.options.Latency) {
		return
	}
	results := []object{}
	for _, one := range best(body.Query, body.Documents, body.TopN) {
		results = append(results, object{"index": one.index, "relevance_score": one.score})
	}
	w.Header().Set("X-Amzn-Bedrock-Invocation-Latency", strconv.FormatInt(s.options.Latency.Milliseconds(), 10))
	s.deliverBody(w, r, fault, mustJSON(object{"results": results}))
}

// rerankShape is the body of bedrock-agent-runtime's Rerank, from its service model.
var rerankShape = sync.OnceValue(func() *shape {
	said := structure("textDocument", need("text", text().between(1, 32000)))
	query := structure("RerankQuery", need("type", oneOf("TEXT")), need("textQuery", said))
	inline := structure("RerankDocument", need("type", oneOf("TEXT", "JSON")), may("textDocument", said), may("jsonDocument", anyJSON()))
	source := structure("RerankSource", need("type", oneOf("INLINE")), need("inlineDocumentSource", inline))
	model := structure("modelConfiguration", need("modelArn", text().between(1, 2048)), may("additionalModelRequestFields", anyJSON()))
	bedrock := structure("bedrockRerankingConfiguration", need("modelConfiguration", model), may("numberOfResults", integer().between(1, 1000)))
	return structure("RerankRequest", need("queries", list(query).between(1, 1)), need("sources", list(source).between(1, 1000)),
		need("rerankingConfiguration", structure("rerankingConfiguration", need("type", oneOf("BEDROCK_RERANKING_MODEL")), need("bedrockRerankingConfiguration", bedrock))),
		may("nextToken", text().between(1, 2048)))
})

// rankPage is how many results stand on one page of Rerank's answer.
const rankPage = 100

// serveRerank answers the Rerank operation. It takes no bearer keys, as AWS's host does not.
func (s *Server) serveRerank(w http.ResponseWriter, r *http.Request, c *call) {
	var body struct {
		Queries []struct{ TextQuery struct{ Text string } }
		Sources []struct {
			InlineDocumentSource struct {
				TextDocument *struct{ Text string }
				JSONDocument any `json:"jsonDocument"`
			}
		}
		RerankingConfiguration struct {
			BedrockRerankingConfiguration struct {
				ModelConfiguration struct{ ModelArn string }
				NumberOfResults    int
			}
		}
		NextToken string
	}
	v, refused := parseJSON(c.body)
	if refused == nil {
		refused = bedrockWords(rerankShape().check(v))
	}
	if err := json.Unmarshal(c.body, &body); refused == nil && err != nil {
		refused = serializationError("The request could not be read: %v", err)
	}
	if refused != nil {
		writeError(w, refused)
		return
	}
	config := body.RerankingConfiguration.BedrockRerankingConfiguration
	c.asked = config.ModelConfiguration.ModelArn
	c.model, _, _ = strings.Cut(c.asked, faultSuffix)
	c.dice = newDice(s.options.Seed, c.operation, []byte(c.asked), c.body)
	if !s.serves(c.model) || rerankerOf(c.model) == nil {
		writeError(w, validationError("The provided model identifier is invalid or is not a reranking model."))
		return
	}
	fault, refused := s.earlyFault(r.Header, c)
	if refused != nil {
		writeError(w, refused)
		return
	}
	if !pause(r.Context(), s.options.Latency) || fault != nil && s.failInstead(w, r, fault, false) {
		return
	}
	var documents []string
	for _, source := range body.Sources {
		switch doc := source.InlineDocumentSource; {
		case doc.TextDocument != nil:
			documents = append(documents, doc.TextDocument.Text)
		case doc.JSONDocument != nil:
			documents = append(documents, string(mustJSON(doc.JSONDocument)))
		default:
			writeError(w, validationError("An inline document source needs the document of its type."))
			return
		}
	}
	all := best(body.Queries[0].TextQuery.Text, documents, config.NumberOfResults)
	start := 0
	if body.NextToken != "" {
		n, err := strconv.Atoi(body.NextToken)
		if err != nil || n <= 0 || n >= len(all) {
			writeError(w, validationError("The provided nextToken is invalid."))
			return
		}
		start = n
	}
	end := min(start+rankPage, len(all))
	results := []object{}
	for _, one := range all[start:end] {
		results = append(results, object{"index": one.index, "relevanceScore": one.score})
	}
	out := object{"results": results}
	if end < len(all) {
		out["nextToken"] = strconv.Itoa(end)
	}
	s.deliverBody(w, r, fault, mustJSON(out))
}

type ranked struct {
	index int
	score float64
}

// best ranks documents by how near they are to the query: see [unitVector]. top is how many are wanted, 0 for all.
func best(query string, documents []string, top int) []ranked {
	const dimensions = 512
	q := unitVector(query, dimensions)
	list := make([]ranked, len(documents))
	for i, d := range documents {
		near := 0.0
		for j, x := range unitVector(d, dimensions) {
			near += x * q[j]
		}
		// As models do: between 0 and 1, and rarely in the middle.
		list[i] = ranked{i, math.Round(1e6/(1+math.Exp(4-16*near))) / 1e6}
	}
	sort.SliceStable(list, func(i, j int) bool { return list[i].score > list[j].score })
	if top > 0 && top < len(list) {
		list = list[:top]
	}
	return list
}
