package gateway

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// TestAnswerHeaders: every answer says how it came about, on every way that it may take.
func TestAnswerHeaders(t *testing.T) {
	const claude = "bedrock/us.anthropic.claude-3-7-sonnet-20250219-v1:0"
	answers := func(w http.ResponseWriter, _ string) {
		h := w.Header()
		h.Set("X-Amzn-Requestid", "aws-1")
		h.Set("X-Amzn-Bedrock-Invocation-Latency", "7")
		h.Set("Set-Cookie", "a=b")
		h.Set("Keep-Alive", "timeout=5")
		_, _ = io.WriteString(w, `{"output":{"message":{"role":"assistant","content":[{"text":"ok"}]}},"stopReason":"end_turn","usage":{"inputTokens":1000,"outputTokens":100,"cacheReadInputTokens":10000,"cacheWriteInputTokens":2000,"totalTokens":13100}}`)
	}
	streams := func(w http.ResponseWriter, _ string) {
		h := w.Header()
		h.Set("Content-Type", "application/vnd.amazon.eventstream")
		h.Set("X-Amzn-Requestid", "aws-1")
		writeFrames(t, w, `messageStart {"role":"assistant"}`+"\n"+`contentBlockDelta {"contentBlockIndex":0,"delta":{"text":"ok"}}`+"\n"+`contentBlockStop {"contentBlockIndex":0}`+"\n"+
			`messageStop {"stopReason":"end_turn"}`+"\n"+`metadata {"usage":{"inputTokens":1000,"outputTokens":100,"totalTokens":1100}}`+"\n")
	}
	refuses := func(w http.ResponseWriter, body string) {
		w.Header().Set("X-Amzn-Requestid", "aws-2")
		w.Header().Set("Retry-After", "3")
		throttles(w, body)
	}
	how := map[string]string{ // of every answer
		"X-Litellm-Model-Id": "*", "X-Litellm-Model-Name": "bedrock/us.anthropic.claude-3-7-sonnet-20250219-v1:0", "X-Litellm-Model-Group": "*",
		"X-Litellm-Model-Region": "us-east-1", "X-Litellm-Call-Id": "call-id-12345", "X-Litellm-Version": "test", "X-Litellm-Max-Fallbacks": "4",
		"X-Litellm-Attempted-Retries": "0", "X-Litellm-Attempted-Fallbacks": "0", "X-Litellm-Timeout": "600.0", "X-Outcrop-Route": "converse",
		"X-Litellm-Model-Api-Base": "", // it is no public address of AWS's
		"Llm_provider-Set-Cookie":  "", "Llm_provider-Keep-Alive": "", "Set-Cookie": "",
	}
	times := map[string]string{"X-Litellm-Response-Duration-Ms": "*", "X-Litellm-Overhead-Duration-Ms": "*"}
	// Of a million tokens: 3 USD in, 15 out, 0.30 read, 3.75 written.
	costs := map[string]string{
		"X-Litellm-Response-Cost": "0.015", "X-Litellm-Response-Cost-Original": "0.015", "X-Litellm-Response-Cost-Input": "0.003", "X-Litellm-Response-Cost-Output": "0.0015",
		"X-Litellm-Response-Cost-Cache-Read": "0.003", "X-Litellm-Response-Cost-Cache-Creation": "0.0075", "X-Litellm-Response-Cost-Reasoning": "",
	}
	noCost := map[string]string{"X-Litellm-Response-Cost": "", "X-Litellm-Response-Cost-Original": "", "X-Litellm-Response-Cost-Input": "", "X-Litellm-Response-Cost-Output": ""}
	with := func(maps ...map[string]string) map[string]string {
		all := map[string]string{}
		for _, m := range maps {
			for k, v := range m {
				all[k] = v
			}
		}
		return all
	}
	provided := map[string]string{"Llm_provider-X-Amzn-Requestid": "aws-1", "Llm_provider-Content-Type": "*"}
	for _, c := range []struct {
		name, path, body string
		status           int
		want             map[string]string
	}{
		{"whole", "/v1/chat/completions", fmt.Sprintf(sayHi, ""), 200, with(how, times, costs, provided, map[string]string{"Llm_provider-X-Amzn-Bedrock-Invocation-Latency": "7"})},
		{"a stream, whose cost is not known when it begins", "/v1/chat/completions", `{"model":"s","stream":true,"stream_timeout":90.5,"messages":[{"role":"user","content":"hi"}]}`, 200, with(how, noCost, provided, map[string]string{"X-Litellm-Timeout": "90.5"})},
		{"AWS's own words", "/bedrock/model/m/converse", `{"messages":[{"role":"user","content":[{"text":"hi"}]}]}`, 200, with(how, times, costs, map[string]string{"X-Amzn-Requestid": "aws-1", "Llm_provider-X-Amzn-Requestid": ""})}, // AWS's headers have their own names
		{"a failure", "/v1/chat/completions", `{"model":"f","num_retries":0,"messages":[{"role":"user","content":"hi"}]}`, 429, with(how, times, noCost, map[string]string{
			"Llm_provider-X-Amzn-Requestid": "aws-2", "Llm_provider-Retry-After": "3", "Llm_provider-X-Amzn-Errortype": "ThrottlingException", "Retry-After": "3",
		})},
		{"a failure after others", "/v1/chat/completions", `{"model":"f","num_retries":0,"fallbacks":["f2"],"messages":[{"role":"user","content":"hi"}]}`, 429, map[string]string{
			"Llm_provider-X-Amzn-Requestid": "aws-2", "Llm_provider-Retry-After": "3", "X-Litellm-Attempted-Fallbacks": "1",
		}},
	} {
		b := newBedrocks(t, map[string]func(http.ResponseWriter, string){"m": answers, "s": streams, "f": refuses, "f2": breaks})
		var entries []string
		for _, name := range []string{"m", "s", "f", "f2"} {
			entries = append(entries, name+" "+name+" model: "+claude+", timeout: 600, stream_timeout: 30")
		}
		g := newRig(t, routes(b.url, "  max_fallbacks: 4\n", entries...), nil)
		header := bearer(testKey)
		header.Set("X-Litellm-Call-Id", "call-id-12345")
		resp, body := g.send(http.MethodPost, c.path, c.body, header)
		if resp.StatusCode != c.status {
			t.Errorf("%s: %d %s", c.name, resp.StatusCode, body)
		}
		for name, want := range c.want {
			got := strings.Join(resp.Header[name], "|")
			if want == "*" && got != "" || got == want {
				continue
			}
			t.Errorf("%s: %s is %q, want %q", c.name, name, got, want)
		}
		for name := range times {
			if v := resp.Header.Get(name); v != "" {
				if ms, err := strconv.ParseFloat(v, 64); err != nil || ms <= 0 {
					t.Errorf("%s: %s is %q", c.name, name, v)
				}
			}
		}
	}
}
