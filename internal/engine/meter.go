package engine

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"strconv"

	"github.com/outcrop-ai/outcrop/internal/bedrock/wire"
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// meter reads what an answer in AWS's own words has used: the body's own counts, else the headers', else those that
// InvokeModel adds to a stream's last chunk. It needs to know no family of models.
type meter struct {
	asked []byte // the request's body
	// direct says that no model was asked: what is counted then is what agents say of the models that they asked.
	direct bool
	tier   string
	bytes  int64 // of the answer, for an estimate

	// hear is told each event of a stream, nil if nobody wants to know.
	hear func(event string, data []byte)

	// exception is what a stream has ended with in the place of its answer's end.
	exception *llm.Error

	body, header, metrics llm.Usage
	// made is what the answer holds that is paid for by the piece.
	made struct {
		results, artifacts, images []byte
		embeddings                 bool
	}

	// invoking is the model that an agent has asked last, invoked what such models have used.
	invoking string
	invoked  []invocation
}

// invocation is what one model has used that an agent asked.
type invocation struct {
	model string
	usage llm.Usage
}

// usage returns what is known best, and whether anything is. What the body says beside tokens goes with the tokens that
// somebody else counted.
func (m *meter) usage() (llm.Usage, bool) {
	u := m.body
	for _, other := range []llm.Usage{m.header, m.metrics} {
		if u.Prompt()+u.Output > 0 {
			if u.Output == 0 { // some bodies have the prompt's count alone
				u.Output = other.Output
			}
			continue
		}
		other.Images, other.Queries, other.Made, other.Searches = u.Images, u.Queries, u.Made, u.Searches
		u = other
	}
	for _, i := range m.invoked {
		u = u.Plus(i.usage)
	}
	return u, u != (llm.Usage{})
}

// whole reads an answer that came in one piece.
func (m *meter) whole(data []byte, h http.Header) {
	m.bytes += int64(len(data))
	if m.direct {
		return
	}
	m.object(data)
	count := func(name string) int64 {
		values := h[name] // the names are canonical
		if len(values) == 0 {
			return 0
		}
		n, _ := strconv.ParseInt(values[0], 10, 64)
		return max(n, 0)
	}
	m.header = llm.Usage{
		Input: count("X-Amzn-Bedrock-Input-Token-Count"), Output: count("X-Amzn-Bedrock-Output-Token-Count"),
		CacheRead: count("X-Amzn-Bedrock-Cache-Read-Input-Token-Count"), CacheWrite5m: count("X-Amzn-Bedrock-Cache-Write-Input-Token-Count"),
	}
	m.things()
}

// stream reads a stream to its end. Frames that cannot be read are the client's business: the bytes have been relayed.
func (m *meter) stream(frames *wire.Frames) error {
	for {
		f, err := frames.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if !f.IsEvent() {
			m.exception = wire.FrameError(f, "")
			continue
		}
		m.frame(&f)
	}
}

// frame reads one event of a stream.
func (m *meter) frame(f *wire.Frame) {
	payload := f.Payload()
	m.bytes += int64(len(payload))
	switch event := string(f.EventType()); {
	case m.direct:
		if m.hear != nil {
			m.hear(event, payload)
		}
		if event == "trace" {
			m.trace(payload)
		}
		return
	case event != "chunk":
		if m.hear != nil {
			m.hear(event, payload)
		}
		m.object(payload)
		return
	}
	inner, ok := jsonscan.Inner(jsonscan.Member(payload, "bytes"))
	if !ok {
		return
	}
	data, err := base64.StdEncoding.AppendDecode(nil, inner)
	if err == nil && m.hear != nil {
		m.hear("", data)
	}
	if err == nil && (bytes.Contains(data, []byte(`"usage"`)) || bytes.Contains(data, []byte(`invocationMetrics`)) || bytes.Contains(data, []byte(`oken_count"`)) || bytes.Contains(data, []byte(serverTool))) {
		m.object(data)
	}
}

// serverTool is the type of a call of a tool that runs at AWS.
const serverTool = "server_tool_use"

// The names of searches in answers: of Nova's tool, and of an item of OpenAI's Responses.
const (
	grounding = "nova_grounding"
	webSearch = "web_search_call"
)

// searches counts what an answer has searched for at AWS: Nova's calls of its grounding among Converse's blocks, or the items
// of OpenAI's Responses.
func (m *meter) searches(output []byte) {
	if !bytes.Contains(output, []byte(grounding)) && !bytes.Contains(output, []byte(webSearch)) { // as nearly always: AWS writes names as they are
		return
	}
	var n int64
	for block := range jsonscan.Elements(jsonscan.Member(output, "message", "content")) {
		if isSearch(jsonscan.Member(block, "toolUse")) {
			n++
		}
	}
	for item := range jsonscan.Elements(output) {
		if jsonscan.Text(jsonscan.Member(item, "type")) == webSearch {
			n++
		}
	}
	m.body.Searches = max(m.body.Searches, n)
}

// isSearch reports whether a call of a tool is Nova's, for a search.
func isSearch(call []byte) bool {
	return call != nil && jsonscan.Text(jsonscan.Member(call, "type")) == serverTool && jsonscan.Text(jsonscan.Member(call, "name")) == grounding
}

// object reads the counts in one JSON object, in one pass over it. Those of a stream's events are running totals: the largest
// counts.
func (m *meter) object(data []byte) {
	for key, value := range jsonscan.Fields(data) {
		switch string(key) {
		case "usage":
			m.counts(value)
		case "message", "response": // Anthropic's first event, the last one of OpenAI's Responses
			m.counts(jsonscan.Member(value, "usage"))
			m.searches(jsonscan.Member(value, "output"))
		case "output": // Converse's, Nova's, or OpenAI's Responses'
			m.searches(value)
		case "start": // of a block in Converse's stream
			if isSearch(jsonscan.Member(value, "toolUse")) {
				m.body.Searches++
			}
		case "contentBlockStart": // of a block in Nova's
			if isSearch(jsonscan.Member(value, "start", "toolUse")) {
				m.body.Searches++
			}
		case "inputTextTokenCount", "prompt_token_count":
			most(&m.body.Input, value)
		case "generation_token_count":
			most(&m.body.Output, value)
		case "amazon-bedrock-invocationMetrics":
			m.invocation(value)
		case "serviceTier":
			if tier := jsonscan.Text(jsonscan.Member(value, "type")); tier != "" {
				m.tier = tier
			}
		case "results":
			m.made.results = value
		case "artifacts":
			m.made.artifacts = value
		case "images":
			m.made.images = value
		case "embedding", "embeddings", "data":
			m.made.embeddings = true
		}
	}
}

// most raises a count to what a number says.
func most(target *int64, raw []byte) {
	if len(raw) == 0 || raw[0] < '0' || raw[0] > '9' {
		return
	}
	n, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil { // a guardrail makes floats of them
		f, _ := strconv.ParseFloat(string(raw), 64)
		n = int64(min(f, mostTokens))
	}
	if n <= mostTokens {
		*target = max(*target, n)
	}
}

// mostTokens bounds what is believed.
const mostTokens = 1 << 40

// invocation reads what InvokeModel adds to a stream's last chunk.
func (m *meter) invocation(raw []byte) {
	for key, value := range jsonscan.Fields(raw) {
		switch string(key) {
		case "inputTokenCount":
			most(&m.metrics.Input, value)
		case "outputTokenCount":
			most(&m.metrics.Output, value)
		case "cacheReadInputTokenCount":
			most(&m.metrics.CacheRead, value)
		case "cacheWriteInputTokenCount":
			most(&m.metrics.CacheWrite5m, value)
		}
	}
}

// counts reads a usage: Converse's, Nova's, Anthropic's or OpenAI's.
func (m *meter) counts(raw []byte) {
	u := &m.body
	var plain, all, input, written, five, hour int64
	details := false
	for key, value := range jsonscan.Fields(raw) {
		switch string(key) {
		case "inputTokens":
			most(&plain, value)
		case "input_tokens":
			most(&input, value)
		case "prompt_tokens":
			most(&all, value)
		case "outputTokens", "output_tokens", "completion_tokens":
			most(&u.Output, value)
		case "totalTokens":
			most(&u.Total, value)
		case "cacheReadInputTokens", "cacheReadInputTokenCount", "cache_read_input_tokens":
			most(&u.CacheRead, value)
		case "prompt_tokens_details", "input_tokens_details":
			most(&u.CacheRead, jsonscan.Member(value, "cached_tokens"))
			details = details || string(key) == "input_tokens_details"
		case "cacheWriteInputTokens", "cacheWriteInputTokenCount", "cache_creation_input_tokens":
			most(&written, value)
		case serverTool:
			most(&u.Searches, jsonscan.Member(value, "web_search_requests"))
		case "cache_creation":
			most(&five, jsonscan.Member(value, "ephemeral_5m_input_tokens"))
			most(&hour, jsonscan.Member(value, "ephemeral_1h_input_tokens"))
		case "cacheDetails":
			for detail := range jsonscan.Elements(value) {
				var n int64
				most(&n, jsonscan.Member(detail, "inputTokens"))
				if jsonscan.Text(jsonscan.Member(detail, "ttl")) == "1h" {
					hour += n
				} else {
					five += n
				}
			}
		}
	}
	if details { // of OpenAI's Responses
		all, input = max(all, input), 0
	}
	if all > 0 { // OpenAI counts the cached ones, too
		plain = all - u.CacheRead
	}
	u.Input = max(u.Input, plain, input)
	if written > 0 && five+hour == written { // the two lifes of cached tokens are told apart
		u.CacheWrite5m, u.CacheWrite1h, u.CacheSplit = max(u.CacheWrite5m, five), max(u.CacheWrite1h, hour), true
	} else {
		u.CacheWrite5m = max(u.CacheWrite5m, written)
	}
}
