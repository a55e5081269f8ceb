package invoke

import (
	"net/http"
	"strconv"

	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// usage is what AWS counted, in tokens. Input excludes what came from the cache or went into it.
type usage struct {
	input, output, read, written, written5m, written1h, reasoning int64
	// searches are those that the model made on the web, at AWS.
	searches int64
	// known says that input and output were told.
	known bool
}

// number reads a count; under a guardrail some families write floats. What is no number, or negative, counts nothing.
func number(raw []byte) (int64, bool) {
	f, err := strconv.ParseFloat(string(raw), 64)
	const most = 1 << 50
	if err != nil || f < 0 {
		return 0, false
	}
	return int64(min(f, most)), true
}

// set takes over a count if raw is one.
func set(target *int64, raw []byte) bool {
	n, ok := number(raw)
	if ok {
		*target = n
	}
	return ok
}

// counts takes over input and output from the members of an object.
func (u *usage) counts(raw []byte, input, output string) {
	in := set(&u.input, jsonscan.Member(raw, input))
	out := set(&u.output, jsonscan.Member(raw, output))
	u.known = u.known || in && out
}

// metrics takes over what AWS itself counted, if the family's own object told nothing.
func (u *usage) metrics(raw []byte) {
	if !u.known {
		u.counts(raw, "inputTokenCount", "outputTokenCount")
	}
	if u.read == 0 && u.written == 0 {
		set(&u.read, jsonscan.Member(raw, "cacheReadInputTokenCount"))
		set(&u.written, jsonscan.Member(raw, "cacheWriteInputTokenCount"))
	}
}

// header takes over the counts of the answer's headers, if its body told none.
func (u *usage) header(h http.Header) {
	if !u.known {
		in := set(&u.input, []byte(h.Get("X-Amzn-Bedrock-Input-Token-Count")))
		out := set(&u.output, []byte(h.Get("X-Amzn-Bedrock-Output-Token-Count")))
		u.known = in && out
	}
	if u.read == 0 && u.written == 0 {
		set(&u.read, []byte(h.Get("X-Amzn-Bedrock-Cache-Read-Input-Token-Count")))
		set(&u.written, []byte(h.Get("X-Amzn-Bedrock-Cache-Write-Input-Token-Count")))
	}
}

// total returns the counts, zero if nobody counted.
func (u *usage) total() llm.Usage {
	if !u.known {
		return llm.Usage{}
	}
	out := llm.Usage{Input: u.input, Output: u.output, CacheRead: u.read, CacheWrite5m: u.written, Reasoning: u.reasoning, Searches: u.searches}
	if u.written > 0 && u.written5m+u.written1h == u.written {
		out.CacheWrite5m, out.CacheWrite1h, out.CacheSplit = u.written5m, u.written1h, true
	}
	return out
}

// append writes the usage in Converse's words.
func (u *usage) append(dst []byte) []byte {
	add := func(name string, n int64) {
		dst = strconv.AppendInt(append(append(append(dst, '"'), name...), `":`...), n, 10)
	}
	dst = append(dst, `"usage":{`...)
	add("inputTokens", u.input)
	dst = append(dst, ',')
	add("outputTokens", u.output)
	if u.read > 0 || u.written > 0 {
		dst = append(dst, ',')
		add("cacheReadInputTokens", u.read)
		dst = append(dst, ',')
		add("cacheWriteInputTokens", u.written)
	}
	if u.reasoning > 0 {
		dst = append(dst, ',')
		add("reasoningTokens", u.reasoning)
	}
	if u.searches > 0 {
		dst = append(dst, ',')
		add("webSearches", u.searches)
	}
	if u.written5m+u.written1h > 0 {
		dst = append(dst, `,"cacheDetails":[{"ttl":"5m",`...)
		add("inputTokens", u.written5m)
		dst = append(dst, `},{"ttl":"1h",`...)
		add("inputTokens", u.written1h)
		dst = append(dst, `}]`...)
	}
	return append(dst, '}')
}
