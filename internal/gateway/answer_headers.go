package gateway

import (
	"net/http"
	"strconv"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
)

// costHeaders says of what the cost of a call is made, in LiteLLM's headers. Input, output, reads and writes of the cache and
// the use of AWS's tools add up to the cost; reasoning is a part of output. A discount or a margin has no header as long
// as there is none.
func (x *exchange) costHeaders(total string) {
	h := x.w.Header()
	lines, reasoning := x.call.CostLines()
	h["X-Litellm-Response-Cost-Original"] = x.one(total)
	for _, part := range [...]struct {
		name   string
		amount account.Amount
		always bool
	}{
		{"X-Litellm-Response-Cost-Input", lines.Read(), true},
		{"X-Litellm-Response-Cost-Output", lines.Written(), true},
		{"X-Litellm-Response-Cost-Cache-Read", lines.CacheRead, false},
		{"X-Litellm-Response-Cost-Cache-Creation", lines.CacheWrite5m + lines.CacheWrite1h, false},
		{"X-Litellm-Response-Cost-Reasoning", reasoning, false},
		{"X-Litellm-Response-Cost-Tool-Usage", lines.Searches, false},
	} {
		if part.amount != 0 || part.always {
			h[part.name] = x.one(part.amount.String())
		}
	}
}

// providerPrefix stands before the names of AWS's headers: LiteLLM's word for the upstream.
const providerPrefix = "Llm_provider-"

// providerNames are AWS's usual headers with the prefix, so that a call need not join them.
var providerNames = func() map[string]string {
	names := map[string]string{}
	for _, name := range []string{"Date", "Content-Type", "Content-Length", "X-Amzn-Requestid", "X-Amzn-Errortype", "X-Amzn-Bedrock-Input-Token-Count", "X-Amzn-Bedrock-Output-Token-Count", "X-Amzn-Bedrock-Invocation-Latency", "X-Amzn-Bedrock-Content-Type"} {
		names[name] = providerPrefix + name
	}
	return names
}()

// providerHeaders hands over AWS's headers under names of their own: all but cookies, and those of the connection.
func providerHeaders(h, upstream http.Header) {
	for name, values := range upstream {
		if name == "Set-Cookie" || isHop(name) {
			continue
		}
		with, ok := providerNames[name]
		if !ok {
			with = providerPrefix + name
		}
		h[with] = values
	}
}

// seconds writes a time-out as LiteLLM does: 600.0, 0.25.
func seconds(d time.Duration) string {
	s := strconv.FormatFloat(d.Seconds(), 'f', -1, 64)
	if d%time.Second == 0 {
		s += ".0"
	}
	return s
}
