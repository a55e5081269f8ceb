package gateway

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
)

// usageRig relays to whatever model is asked for, answered by do.
func usageRig(t *testing.T) (*rig, *serviceUps) {
	t.Helper()
	return servicesRig(t, ownKey, "bedrock_passthrough_unlisted: true")
}

// bookedAs writes down what a record says of usage and cost.
func bookedAs(r *account.Record) string {
	u := r.Usage
	out := fmt.Sprintf("%s in=%d out=%d read=%d 5m=%d 1h=%d", r.UsageSource, u.Input, u.Output, u.CacheRead, u.CacheWrite5m, u.CacheWrite1h)
	if u.Images+u.Queries+u.Made > 0 {
		out += fmt.Sprintf(" images=%d queries=%d made=%d", u.Images, u.Queries, u.Made)
	}
	for _, one := range []struct {
		name string
		long time.Duration
	}{{"video", u.VideoIn}, {"sound", u.AudioIn}, {"film", u.VideoMade}} {
		if one.long > 0 {
			out += " " + one.name + "=" + one.long.String()
		}
	}
	if u.Searches > 0 {
		out += fmt.Sprintf(" searches=%d", u.Searches)
	}
	if !r.CostKnown {
		return out + " unpriced"
	}
	return out + " $" + account.Amount(r.Cost).String()
}

// TestNativeUsage has the books of every family and operation, by answers as AWS gives them: counts in the body, in headers, or
// in a stream's last chunk. Prices are those of us-east-1 in the catalogue.
func TestNativeUsage(t *testing.T) {
	const (
		claude = "/bedrock/model/anthropic.claude-sonnet-4-5-20250929-v1:0/"
		tokens = "X-Amzn-Bedrock-Input-Token-Count: 1000\nX-Amzn-Bedrock-Output-Token-Count: 200"
	)
	for _, c := range []struct{ name, path, asked, header, answer, want string }{
		{
			"converse with caches", claude + "converse", `{}`, "", `{"usage":{"inputTokens":100,"outputTokens":50,"totalTokens":1150,"cacheReadInputTokens":400,"cacheWriteInputTokens":600,"cacheDetails":[{"ttl":"1h","inputTokens":200},{"ttl":"5m","inputTokens":400}]}}`,
			"aws in=100 out=50 read=400 5m=400 1h=200 $0.00387",
		},
		{
			"converse-stream", claude + "converse-stream", `{}`, "frames", `messageStart {"role":"assistant"}` + "\n" + `metadata {"usage":{"inputTokens":100,"outputTokens":50,"totalTokens":150}}`,
			"aws in=100 out=50 read=0 5m=0 1h=0 $0.00105",
		},
		{
			"converse-stream of a tier", claude + "converse-stream", `{}`, "frames", `metadata {"usage":{"inputTokens":100,"outputTokens":50,"totalTokens":150},"serviceTier":{"type":"default"}}`,
			"aws in=100 out=50 read=0 5m=0 1h=0 $0.00105",
		},
		{
			"anthropic", claude + "invoke", `{}`, "", `{"usage":{"input_tokens":10,"output_tokens":20,"cache_read_input_tokens":30,"cache_creation_input_tokens":70,"cache_creation":{"ephemeral_5m_input_tokens":40,"ephemeral_1h_input_tokens":30}}}`,
			"aws in=10 out=20 read=30 5m=40 1h=30 $0.000669",
		},
		{
			"anthropic stream: totals, which do not add up", claude + "invoke-with-response-stream", `{}`, "frames",
			`chunk {"type":"message_start","message":{"usage":{"input_tokens":10,"output_tokens":1}}}` + "\n" + `chunk {"type":"message_delta","usage":{"output_tokens":20}}` + "\n" +
				`chunk {"type":"message_stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":10,"outputTokenCount":20}}`,
			"aws in=10 out=20 read=0 5m=0 1h=0 $0.00033",
		},
		{
			"nova", "/bedrock/model/amazon.nova-lite-v1:0/invoke", `{}`, "", `{"usage":{"inputTokens":1000,"outputTokens":100,"totalTokens":1100,"cacheReadInputTokenCount":0}}`,
			"aws in=1000 out=100 read=0 5m=0 1h=0 $0.000084",
		},
		{
			"nova stream", "/bedrock/model/amazon.nova-lite-v1:0/invoke-with-response-stream", `{}`, "frames", `chunk {"metadata":{"usage":{}},"amazon-bedrock-invocationMetrics":{"inputTokenCount":1000,"outputTokenCount":100}}`,
			"aws in=1000 out=100 read=0 5m=0 1h=0 $0.000084",
		},
		{
			"llama", "/bedrock/model/meta.llama3-1-8b-instruct-v1:0/invoke", `{}`, "", `{"generation":"x","prompt_token_count":1000,"generation_token_count":1000}`,
			"aws in=1000 out=1000 read=0 5m=0 1h=0 $0.00044",
		},
		{
			"mistral by headers", "/bedrock/model/mistral.mistral-7b-instruct-v0:2/invoke", `{}`, tokens, `{"outputs":[{"text":"x"}]}`,
			"aws in=1000 out=200 read=0 5m=0 1h=0 $0.00019",
		},
		{
			"ai21 by headers", "/bedrock/model/ai21.jamba-1-5-mini-v1:0/invoke", `{}`, tokens, `{"text":"x"}`,
			"aws in=1000 out=200 read=0 5m=0 1h=0 $0.00028",
		},
		{
			"titan", "/bedrock/model/amazon.titan-text-lite-v1/invoke", `{}`, "X-Amzn-Bedrock-Input-Token-Count: 7", `{"inputTextTokenCount":7,"results":[{"tokenCount":32,"outputText":"x","completionReason":"FINISH"}]}`,
			"aws in=7 out=32 read=0 5m=0 1h=0 $0.00000745",
		},
		{
			"titan stream", "/bedrock/model/amazon.titan-text-lite-v1/invoke-with-response-stream", `{}`, "frames",
			`chunk {"outputText":"x","index":0,"inputTextTokenCount":7,"totalOutputTextTokenCount":32,"amazon-bedrock-invocationMetrics":{"inputTokenCount":7,"outputTokenCount":32}}`,
			"aws in=7 out=32 read=0 5m=0 1h=0 $0.00000745",
		},
		{
			"a vendor of tomorrow", "/bedrock/model/new.vendor-v1:0/invoke", `{}`, tokens, `{"text":"x"}`,
			"aws in=1000 out=200 read=0 5m=0 1h=0 unpriced",
		},
		{
			"nobody counts", "/bedrock/model/mistral.mistral-7b-instruct-v0:2/invoke", `{"prompt":"12345678901"}`, "", `{"text":"1234"}`,
			"estimated in=6 out=3 read=0 5m=0 1h=0 $0.0000015",
		},
		{
			"openai chat", "/bedrock/model/openai.gpt-oss-120b-1:0/invoke", `{}`, "", `{"usage":{"prompt_tokens":100,"completion_tokens":10,"prompt_tokens_details":{"cached_tokens":40}}}`,
			"aws in=60 out=10 read=40 5m=0 1h=0 $0.000021",
		},
		{
			"openai's own path", "/bedrock/openai/v1/chat/completions", `{"model":"gpt"}`, "", `{"usage":{"prompt_tokens":100,"completion_tokens":10}}`,
			"aws in=100 out=10 read=0 5m=0 1h=0 $0.000021",
		},
		{
			"openai's own path, streamed", "/bedrock/openai/v1/chat/completions", `{"model":"gpt","stream":true}`, "Content-Type: text/event-stream",
			"data: {\"choices\":[]}\n\ndata: {\"choices\":[],\"usage\":{\"prompt_tokens\":100,\"completion_tokens\":10}}\n\ndata: [DONE]\n\n",
			"aws in=100 out=10 read=0 5m=0 1h=0 $0.000021",
		},
		{
			"responses, streamed", "/bedrock/openai/v1/responses", `{"model":"gpt","stream":true}`, "Content-Type: text/event-stream",
			"event: response.completed\r\ndata: {\"type\":\"response.completed\",\"response\":{\"usage\":{\"input_tokens\":100,\"input_tokens_details\":{\"cached_tokens\":0},\"output_tokens\":10}}}\r\n\r\n",
			"aws in=100 out=10 read=0 5m=0 1h=0 $0.000021",
		},
		{
			"anthropic's own path, streamed", "/bedrock/anthropic/v1/messages", `{"model":"anthropic.claude-sonnet-4-5-20250929-v1:0","stream":true}`, "Content-Type: text/event-stream; charset=utf-8",
			"event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":10,\"output_tokens\":1}}}\n\nevent: message_delta\ndata: {\"type\":\"message_delta\",\"usage\":{\"output_tokens\":20}}\n\n",
			"aws in=10 out=20 read=0 5m=0 1h=0 $0.00033",
		},
		{
			"titan embeddings", "/bedrock/model/amazon.titan-embed-text-v2:0/invoke", `{"inputText":"x"}`, "", `{"embedding":[1],"inputTextTokenCount":1000}`,
			"aws in=1000 out=0 read=0 5m=0 1h=0 $0.00002",
		},
		{
			"titan embeddings of an image", "/bedrock/model/amazon.titan-embed-image-v1/invoke", `{"inputText":"x","inputImage":"aaaa"}`, "", `{"embedding":[1],"inputTextTokenCount":10}`,
			"aws in=10 out=0 read=0 5m=0 1h=0 images=1 queries=0 made=0 $0.000068",
		},
		{
			"cohere embeddings by headers", "/bedrock/model/cohere.embed-english-v3/invoke", `{"texts":["x"],"input_type":"search_query"}`, "X-Amzn-Bedrock-Input-Token-Count: 1000", `{"embeddings":[[1]],"id":"a"}`,
			"aws in=1000 out=0 read=0 5m=0 1h=0 $0.0001",
		},
		{
			"marengo's text", "/bedrock/model/twelvelabs.marengo-embed-2-7-v1:0/invoke", `{"inputType":"text","inputText":"x"}`, "", `{"data":[{"embedding":[1]}]}`,
			"aws in=0 out=0 read=0 5m=0 1h=0 images=0 queries=1 made=0 $0.00007",
		},
		{
			"images", "/bedrock/model/amazon.nova-canvas-v1:0/invoke", `{"imageGenerationConfig":{"numberOfImages":2}}`, "", `{"images":["a","b"]}`,
			"aws in=0 out=0 read=0 5m=0 1h=0 images=0 queries=0 made=2 $0.12",
		},
		{
			"stability", "/bedrock/model/stability.sd3-5-large-v1:0/invoke", `{"prompt":"x"}`, "", `{"images":["a"],"seeds":[1],"finish_reasons":[null]}`,
			"aws in=0 out=0 read=0 5m=0 1h=0 images=0 queries=0 made=1 $0.08",
		},
		{
			"rerank by invoke", "/bedrock/model/cohere.rerank-v3-5:0/invoke", `{"documents":["a","b"]}`, "", `{"results":[{"index":0}]}`,
			"aws in=0 out=0 read=0 5m=0 1h=0 images=0 queries=1 made=0 $0.002",
		},
		{
			"rerank", "/bedrock/rerank", `{"sources":[` + strings.Repeat("1,", 150) + `1],"rerankingConfiguration":{"bedrockRerankingConfiguration":{"modelConfiguration":{"modelArn":"ranks"}}}}`, "", `{"results":[{"index":0}]}`,
			"aws in=0 out=0 read=0 5m=0 1h=0 images=0 queries=2 made=0 $0.004",
		},
		{"count-tokens", claude + "count-tokens", `{}`, "", `{"inputTokens":100}`, "none in=0 out=0 read=0 5m=0 1h=0 $0"},
		{
			"guardrail", "/bedrock/guardrail/g/version/1/apply", `{}`, "", `{"usage":{"topicPolicyUnits":2,"contentPolicyUnits":1,"wordPolicyUnits":5,"sensitiveInformationPolicyFreeUnits":1}}`,
			"none in=0 out=0 read=0 5m=0 1h=0 $0.00045",
		},
		{
			"a guardrail's policy of tomorrow", "/bedrock/guardrail/g/version/1/apply", `{}`, "", `{"usage":{"newPolicyUnits":1}}`,
			"none in=0 out=0 read=0 5m=0 1h=0 unpriced",
		},
		{
			"knowledge bases", "/bedrock/retrieveAndGenerate", `{}`, "", `{"output":{"text":"{\"usage\":{\"inputTokens\":5}}"},"usage":{"inputTokens":5}}`,
			"none in=0 out=0 read=0 5m=0 1h=0 unpriced",
		},
		{
			"an agent with its trace", "/bedrock/agents/A/agentAliases/B/sessions/C/text", `{"enableTrace":true}`, "frames",
			`trace {"trace":{"preProcessingTrace":{"modelInvocationInput":{"foundationModel":"anthropic.claude-sonnet-4-5-20250929-v1:0"}}}}` + "\n" +
				`trace {"trace":{"preProcessingTrace":{"modelInvocationOutput":{"metadata":{"usage":{"inputTokens":100,"outputTokens":50}}}}}}` + "\n" +
				`trace {"trace":{"orchestrationTrace":{"modelInvocationInput":{"foundationModel":"amazon.nova-lite-v1:0"}}}}` + "\n" +
				`trace {"trace":{"orchestrationTrace":{"modelInvocationOutput":{"metadata":{"usage":{"inputTokens":1000,"outputTokens":100}}}}}}` + "\n" + `chunk {"usage":{"inputTokens":9}}`,
			"aws in=1100 out=150 read=0 5m=0 1h=0 $0.001134",
		},
		{
			"an inline agent", "/bedrock/agents/session", `{"foundationModel":"amazon.nova-lite-v1:0","enableTrace":true}`, "frames",
			`trace {"trace":{"orchestrationTrace":{"modelInvocationOutput":{"metadata":{"usage":{"inputTokens":1000,"outputTokens":100}}}}}}`,
			"aws in=1000 out=100 read=0 5m=0 1h=0 $0.000084",
		},
		{
			"an agent without its trace", "/bedrock/agents/A/agentAliases/B/sessions/C/text", `{}`, "frames", `chunk {"usage":{"inputTokens":9}}`,
			"none in=0 out=0 read=0 5m=0 1h=0 unpriced",
		},
		{"a session", "/bedrock/sessions/s/invocations/", `{}`, "", `{"sessionId":"s"}`, "none in=0 out=0 read=0 5m=0 1h=0 $0"},
		{"the control plane", "/bedrock/foundation-models", ``, "", `{"modelSummaries":[]}`, "none in=0 out=0 read=0 5m=0 1h=0 $0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g, up := usageRig(t)
			up.do = func(w http.ResponseWriter, _ string) {
				if c.header == "frames" {
					w.Header().Set("Content-Type", "application/vnd.amazon.eventstream")
					var frames bytes.Buffer
					writeFrames(t, &frames, c.answer+"\n")
					_, _ = w.Write(frames.Bytes())
					return
				}
				for line := range strings.SplitSeq(c.header, "\n") {
					if name, value, ok := strings.Cut(line, ": "); ok {
						w.Header().Set(name, value)
					}
				}
				_, _ = io.WriteString(w, c.answer)
			}
			resp, body := g.send(http.MethodPost, c.path, c.asked, bearer(testKey))
			r := g.books.next(t)
			if got := bookedAs(&r); resp.StatusCode != 200 || got != c.want {
				t.Errorf("%d: %s, want %s\n%.300s", resp.StatusCode, got, c.want, body)
			}
			if cost := resp.Header.Get("X-Litellm-Response-Cost"); r.CostKnown && !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") && c.header != "frames" && cost != account.Amount(r.Cost).String() {
				t.Errorf("the header says %q", cost)
			}
		})
	}
}

// TestNativeAsync books a video when it is done, once, and asks about it as the one who has started it.
func TestNativeAsync(t *testing.T) {
	g, up := usageRig(t)
	const arn = "arn:aws:bedrock:us-east-1:123456789012:async-invoke/abc"
	status := "InProgress"
	up.do = func(w http.ResponseWriter, path string) {
		if path == "/async-invoke" {
			_, _ = io.WriteString(w, `{"invocationArn":"`+arn+`"}`)
			return
		}
		_, _ = io.WriteString(w, `{"invocationArn":"`+arn+`","status":"`+status+`"}`)
	}
	f := func(method, path, body, want string) {
		t.Helper()
		resp, answer := g.send(method, path, body, bearer(testKey))
		r := g.books.next(t)
		if got := bookedAs(&r); resp.StatusCode != 200 || got != want {
			t.Errorf("%s: %d %s, want %s: %s", path, resp.StatusCode, got, want, answer)
		}
	}
	const none = "none in=0 out=0 read=0 5m=0 1h=0"
	f(http.MethodPost, "/bedrock/async-invoke", `{"modelId":"film","modelInput":{"taskType":"TEXT_VIDEO","videoGenerationConfig":{"durationSeconds":12}}}`, none+" unpriced")
	if g.books.records[0].RequestID != arn || g.books.records[0].Deployment == "" {
		t.Errorf("%+v", g.books.records[0])
	}
	get := "/bedrock/async-invoke/" + strings.NewReplacer(":", "%3A", "/", "%2F").Replace(arn)
	f(http.MethodGet, get, "", none+" $0")
	status = "Completed"
	f(http.MethodGet, get, "", "estimated in=0 out=0 read=0 5m=0 1h=0 film=12s $0.96")
	if r := &g.books.records[len(g.books.records)-1]; r.Lines.VideoMade != 960_000_000_000 || r.Lines.Total() != r.Lines.VideoMade {
		t.Errorf("%+v", r.Lines)
	}
	f(http.MethodGet, get, "", none+" $0")
	f(http.MethodGet, "/bedrock/async-invoke/"+strings.ReplaceAll(strings.ReplaceAll(arn, ":", "%3A"), "/", "%2Fother-"), "", none+" $0")
}
