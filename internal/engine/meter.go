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

	// exception is what a stream has ended with in the place of its answer's end.
	exception *llm.Error

	body, header, metrics llm.Usage

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
			break
		}
		other.Images, other.Queries, other.Made = u.Images, u.Queries, u.Made
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
		n, _ := strconv.ParseInt(h.Get(name), 10, 64)
		return max(n, 0)
	}
	m.header = llm.Usage{
		Input: count("X-Amzn-Bedrock-Input-Token-Count"), Output: count("X-Amzn-Bedrock-Output-Token-Count"),
		CacheRead: count("X-Amzn-Bedrock-Cache-Read-Input-Token-Count"), CacheWrite5m: count("X-Amzn-Bedrock-Cache-Write-Input-Token-Count"),
	}
	m.things(data)
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
		payload := f.Payload()
		m.bytes += int64(len(payload))
		switch event := string(f.EventType()); {
		case m.direct:
			if event == "trace" {
				m.trace(payload)
			}
			continue
		case event != "chunk":
			m.object(payload)
			continue
		}
		inner, ok := jsonscan.Inner(jsonscan.Member(payload, "bytes"))
		if !ok {
			continue
		}
		data, err := base64.StdEncoding.AppendDecode(nil, inner)
		if err == nil && (bytes.Contains(data, []byte(`"usage"`)) || bytes.Contains(data, []byte(`invocationMetrics`)) || bytes.Contains(data, []byte(`oken_count"`))) {
			m.object(data)
		}
	}
}

// object reads the counts in one JSON object. Those of a stream's events are running totals: the largest counts.
func (m *meter) object(data []byte) {
	if jsonscan.Valid(data) != nil {
		return
	}
	most := func(target *int64, values ...[]byte) {
		for _, raw := range values {
			if f, err := strconv.ParseFloat(string(raw), 64); err == nil && f > 0 && f < 1<<40 {
				*target = max(*target, int64(f))
			}
		}
	}
	member := func(path ...string) []byte { return jsonscan.Member(data, path...) }
	u := &m.body
	for _, at := range [][]string{{"usage"}, {"message", "usage"}, {"response", "usage"}} {
		raw := member(at...)
		if len(raw) == 0 || raw[0] != '{' {
			continue
		}
		in := func(path ...string) []byte { return jsonscan.Member(raw, path...) }
		most(&u.Output, in("outputTokens"), in("output_tokens"), in("completion_tokens"))
		most(&u.CacheRead, in("cacheReadInputTokens"), in("cacheReadInputTokenCount"), in("cache_read_input_tokens"), in("prompt_tokens_details", "cached_tokens"), in("input_tokens_details", "cached_tokens"))
		most(&u.Total, in("totalTokens"))
		m.cacheWrites(in, most)
		var all int64 // OpenAI counts the cached ones, too
		if most(&all, in("prompt_tokens")); in("input_tokens_details") != nil {
			most(&all, in("input_tokens"))
		}
		if all > 0 {
			u.Input = max(u.Input, all-u.CacheRead)
		} else {
			most(&u.Input, in("inputTokens"), in("input_tokens"))
		}
	}
	most(&u.Input, member("inputTextTokenCount"), member("prompt_token_count"))
	most(&u.Output, member("generation_token_count"))
	if metrics := member("amazon-bedrock-invocationMetrics"); metrics != nil {
		in := func(name string) []byte { return jsonscan.Member(metrics, name) }
		most(&m.metrics.Input, in("inputTokenCount"))
		most(&m.metrics.Output, in("outputTokenCount"))
		most(&m.metrics.CacheRead, in("cacheReadInputTokenCount"))
		most(&m.metrics.CacheWrite5m, in("cacheWriteInputTokenCount"))
	}
	if tier := jsonscan.Text(member("serviceTier", "type")); tier != "" {
		m.tier = tier
	}
}

// cacheWrites tells the two lifes of cached tokens apart, where AWS or Anthropic does.
func (m *meter) cacheWrites(in func(...string) []byte, most func(*int64, ...[]byte)) {
	u := &m.body
	var all, five, hour int64
	most(&all, in("cacheWriteInputTokens"), in("cacheWriteInputTokenCount"), in("cache_creation_input_tokens"))
	most(&five, in("cache_creation", "ephemeral_5m_input_tokens"))
	most(&hour, in("cache_creation", "ephemeral_1h_input_tokens"))
	for detail := range jsonscan.Elements(in("cacheDetails")) {
		target := &five
		if jsonscan.Text(jsonscan.Member(detail, "ttl")) == "1h" {
			target = &hour
		}
		var n int64
		most(&n, jsonscan.Member(detail, "inputTokens"))
		*target += n
	}
	if all > 0 && five+hour == all {
		u.CacheWrite5m, u.CacheWrite1h, u.CacheSplit = max(u.CacheWrite5m, five), max(u.CacheWrite1h, hour), true
	} else {
		u.CacheWrite5m = max(u.CacheWrite5m, all)
	}
}
