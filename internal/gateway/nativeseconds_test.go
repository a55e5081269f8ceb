package gateway

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
)

// wavOf is sound of so many seconds, in base64: 8,000 bytes each.
func wavOf(seconds float64) string {
	size := uint32(seconds * 8000)
	var b bytes.Buffer
	b.WriteString("RIFF\x00\x00\x00\x00WAVEfmt ")
	for _, v := range []any{uint32(16), uint16(1), uint16(1), uint32(8000), uint32(8000), uint16(1), uint16(8)} {
		_ = binary.Write(&b, binary.LittleEndian, v)
	}
	b.WriteString("data")
	_ = binary.Write(&b, binary.LittleEndian, size)
	b.Write(make([]byte, size))
	return base64.StdEncoding.EncodeToString(b.Bytes())
}

// filmOf is an MP4 that says that it has so many milliseconds.
func filmOf(ms uint32) string {
	header := binary.BigEndian.AppendUint32(make([]byte, 12), 1000)
	header = append(binary.BigEndian.AppendUint32(header, ms), make([]byte, 80)...)
	box := func(kind string, body []byte) []byte {
		return append(append(binary.BigEndian.AppendUint32(nil, uint32(8+len(body))), kind...), body...)
	}
	return base64.StdEncoding.EncodeToString(append(box("ftyp", []byte("isom\x00\x00\x00\x00")), box("moov", box("mvhd", header))...))
}

// TestNativeSeconds has what AWS is paid for by the second and by the search in the books. What nobody can count has no known
// cost.
func TestNativeSeconds(t *testing.T) {
	const (
		claude  = "/bedrock/model/us.anthropic.claude-sonnet-4-5-20250929-v1:0/"
		nova    = "/bedrock/model/amazon.nova-2-multimodal-embeddings-v1:0/invoke"
		pegasus = "/bedrock/model/us.twelvelabs.pegasus-1-2-v1:0/"
		marengo = "/bedrock/model/twelvelabs.marengo-embed-2-7-v1:0/invoke"
		zero    = "aws in=0 out=0 read=0 5m=0 1h=0 "
		s3      = `{"s3Location":{"uri":"s3://b/k"}}`
	)
	for _, c := range []struct{ name, path, asked, answer, want string }{
		{"nova's sound", nova, `{"singleEmbeddingParams":{"audio":{"format":"wav","source":{"bytes":"` + wavOf(2.5) + `"}}}}`, `{"embeddings":[{}]}`, zero + "sound=2.5s $0.00035"},
		{"nova's video", nova, `{"singleEmbeddingParams":{"video":{"format":"mp4","source":{"bytes":"` + filmOf(10_000) + `"}}}}`, `{"embeddings":[{}]}`, zero + "video=10s $0.007"},
		{"nova's video in S3", nova, `{"singleEmbeddingParams":{"video":{"format":"mp4","source":` + s3 + `}}}`, `{"embeddings":[{}]}`, zero + "unpriced"},
		{"nova's video that is none", nova, `{"singleEmbeddingParams":{"video":{"format":"mp4","source":{"bytes":"aGkgdGhlcmU="}}}}`, `{"embeddings":[{}]}`, zero + "unpriced"},
		{"nova's image is none", nova, `{"singleEmbeddingParams":{"image":{"format":"png","source":{"bytes":"aGk="}}}}`, `{"embeddings":[{}]}`, zero + "images=1 queries=0 made=0 $0.00006"},
		{"a part of marengo's video", marengo, `{"inputType":"video","mediaSource":{"base64String":"` + filmOf(10_000) + `"},"startSec":2,"lengthSec":5.5}`, `{"data":[{}]}`, zero + "video=5.5s $0.00385"},
		{"the end of marengo's sound", "/bedrock/model/twelvelabs.marengo-embed-3-0-v1:0/invoke", `{"inputType":"audio","audio":{"mediaSource":{"base64String":"` + wavOf(3) + `"},"startSec":1,"endSec":60}}`, `{"data":[{}]}`, zero + "sound=2s $0.00028"},
		{"marengo's video in S3", marengo, `{"inputType":"video","mediaSource":` + s3 + `}`, `{"data":[{}]}`, zero + "unpriced"},
		{"pegasus", pegasus + "invoke", `{"inputPrompt":"What is it?","mediaSource":{"base64String":"` + filmOf(30_000) + `"}}`, `{"message":"A film","finishReason":"stop","usage":{"outputTokens":200}}`, "aws in=0 out=200 read=0 5m=0 1h=0 video=30s $0.0162"},
		{"pegasus in S3", pegasus + "invoke", `{"inputPrompt":"What is it?","mediaSource":` + s3 + `}`, `{"message":"A film","usage":{"outputTokens":200}}`, "aws in=0 out=200 read=0 5m=0 1h=0 unpriced"},
		{"pegasus, streamed", pegasus + "invoke-with-response-stream", `{"inputPrompt":"What is it?","mediaSource":{"base64String":"` + filmOf(30_000) + `"}}`, "frames" +
			`chunk {"message":"A film"}` + "\n" + `chunk {"amazon-bedrock-invocationMetrics":{"inputTokenCount":7,"outputTokenCount":200}}`, "aws in=7 out=200 read=0 5m=0 1h=0 video=30s $0.0162"},
		{"pegasus, whose tokens nobody counts", pegasus + "invoke", `{"inputPrompt":"","mediaSource":{"base64String":"` + filmOf(30_000) + `"}}`, `{"message":"12345678","a":1}`, "estimated in=13 out=7 read=0 5m=0 1h=0 video=30s $0.0147525"},
		{"claude's searches", claude + "invoke", `{}`, `{"usage":{"input_tokens":1000,"output_tokens":500,"server_tool_use":{"web_search_requests":3}}}`, "aws in=1000 out=500 read=0 5m=0 1h=0 searches=3 $0.04155"},
		{"claude's searches, streamed", claude + "invoke-with-response-stream", `{}`, "frames" +
			`chunk {"type":"message_start","message":{"usage":{"input_tokens":1000,"output_tokens":1,"server_tool_use":{"web_search_requests":0}}}}` + "\n" +
			`chunk {"type":"message_delta","usage":{"output_tokens":500,"server_tool_use":{"web_search_requests":3}}}`, "aws in=1000 out=500 read=0 5m=0 1h=0 searches=3 $0.04155"},
		{
			"nova's searches", "/bedrock/model/us.amazon.nova-2-lite-v1:0/converse", `{}`,
			`{"output":{"message":{"content":[{"toolUse":{"toolUseId":"a","name":"nova_grounding","type":"server_tool_use"}},{"toolUse":{"toolUseId":"b","name":"f","input":{}}},{"toolUse":{"toolUseId":"c","name":"nova_grounding","type":"server_tool_use"}}]}},"usage":{"inputTokens":10,"outputTokens":5,"totalTokens":15}}`,
			"aws in=10 out=5 read=0 5m=0 1h=0 searches=2 unpriced",
		},
		{
			"nova's searches, streamed", "/bedrock/model/us.amazon.nova-2-lite-v1:0/converse-stream", `{}`, "frames" +
				`contentBlockStart {"start":{"toolUse":{"toolUseId":"a","name":"nova_grounding","type":"server_tool_use"}},"contentBlockIndex":0}` + "\n" +
				`contentBlockStart {"start":{"toolUse":{"toolUseId":"a","name":"f"}},"contentBlockIndex":1}` + "\n" + `metadata {"usage":{"inputTokens":10,"outputTokens":5,"totalTokens":15}}`,
			"aws in=10 out=5 read=0 5m=0 1h=0 searches=1 unpriced",
		},
		{
			"nova's searches, streamed in its own words", "/bedrock/model/us.amazon.nova-2-lite-v1:0/invoke-with-response-stream", `{}`, "frames" +
				`chunk {"contentBlockStart":{"start":{"toolUse":{"toolUseId":"a","name":"nova_grounding","type":"server_tool_use"}},"contentBlockIndex":0}}` + "\n" +
				`chunk {"metadata":{},"amazon-bedrock-invocationMetrics":{"inputTokenCount":10,"outputTokenCount":5}}`,
			"aws in=10 out=5 read=0 5m=0 1h=0 searches=1 unpriced",
		},
		{
			"searches of the Responses API", "/bedrock/openai/v1/responses", `{"model":"gpt"}`,
			`{"output":[{"type":"web_search_call"},{"type":"message"}],"usage":{"input_tokens":10,"output_tokens":5}}`, "aws in=10 out=5 read=0 5m=0 1h=0 searches=1 unpriced",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			g, up := usageRig(t)
			up.do = func(w http.ResponseWriter, _ string) {
				lines, framed := strings.CutPrefix(c.answer, "frames")
				if !framed {
					_, _ = io.WriteString(w, c.answer)
					return
				}
				w.Header().Set("Content-Type", "application/vnd.amazon.eventstream")
				var frames bytes.Buffer
				writeFrames(t, &frames, lines+"\n")
				_, _ = w.Write(frames.Bytes())
			}
			resp, body := g.post(c.path, c.asked)
			r := g.books.next(t)
			if got := bookedAs(&r); resp.StatusCode != 200 || got != c.want {
				t.Errorf("%d: %s, want %s\n%.300s", resp.StatusCode, got, c.want, body)
			}
			if r.CostKnown && r.Lines.Total() != account.Amount(r.Cost) {
				t.Errorf("the lines %+v are not %d", r.Lines, r.Cost)
			}
		})
	}
}

// TestNativeAsyncLengths has the lengths of what jobs make and read, as they are asked for.
func TestNativeAsyncLengths(t *testing.T) {
	const head = "estimated in=0 out=0 read=0 5m=0 1h=0 "
	for _, c := range []struct{ model, input, want string }{
		{"film", `{"taskType":"TEXT_VIDEO"}`, head + "film=6s $0.48"},
		{"film", `{"taskType":"MULTI_SHOT_MANUAL","multiShotManualParams":{"shots":[{"text":"a"},{"text":"b"},{"text":"c"}]}}`, head + "film=18s $1.44"},
		{"film", `{"taskType":"MULTI_SHOT_AUTOMATED","videoGenerationConfig":{"durationSeconds":120}}`, head + "film=2m0s $9.6"},
		{"film", `{"taskType":"MULTI_SHOT_AUTOMATED"}`, head + "unpriced"},
		{"film", `{"taskType":"TEXT_VIDEO","videoGenerationConfig":{"durationSeconds":-6}}`, head + "unpriced"},
		{"luma.ray-v2:0", `{"prompt":"a","duration":"9s"}`, head + "film=9s $13.5"},
		{"luma.ray-v2:0", `{"prompt":"a"}`, head + "film=5s $7.5"},
		{"twelvelabs.marengo-embed-2-7-v1:0", `{"inputType":"video","mediaSource":{"s3Location":{"uri":"s3://b/k"}},"startSec":10,"lengthSec":60}`, head + "video=1m0s $0.042"},
		{"twelvelabs.marengo-embed-2-7-v1:0", `{"inputType":"audio","mediaSource":{"base64String":"` + wavOf(1) + `"}}`, head + "sound=1s $0.00014"},
		{"twelvelabs.marengo-embed-2-7-v1:0", `{"inputType":"video","mediaSource":{"s3Location":{"uri":"s3://b/k"}}}`, head + "unpriced"},
		{"amazon.nova-2-multimodal-embeddings-v1:0", `{"taskType":"SEGMENTED_EMBEDDING","segmentedEmbeddingParams":{"video":{"format":"mp4","source":{"s3Location":{"uri":"s3://b/k"}}}}}`, head + "unpriced"},
	} {
		g, up := usageRig(t)
		up.do = func(w http.ResponseWriter, path string) {
			_, _ = io.WriteString(w, `{"invocationArn":"arn:aws:bedrock:us-east-1:1:async-invoke/a","status":"Completed"}`)
		}
		if resp, body := g.post("/bedrock/async-invoke", `{"modelId":"`+c.model+`","modelInput":`+c.input+`}`); resp.StatusCode != 200 {
			t.Fatalf("%d %s", resp.StatusCode, body)
		}
		g.books.next(t)
		g.send(http.MethodGet, "/bedrock/async-invoke/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Aasync-invoke%2Fa", "", bearer(testKey))
		r := g.books.next(t)
		if got := bookedAs(&r); got != c.want {
			t.Errorf("%s: %s, want %s", c.input, got, c.want)
		}
	}
}

// secondsRig serves the catalogue's models and capacity that costs something by the second, answered by do.
func secondsRig(t *testing.T, do http.HandlerFunc) *rig {
	t.Helper()
	up := httptest.NewServer(do)
	t.Cleanup(up.Close)
	return newRig(t, fmt.Sprintf(`
model_list:
  - model_name: capacity
    litellm_params: {model: "bedrock/arn:aws:bedrock:us-east-1:123456789012:provisioned-model/abc", input_cost_per_second: 2, %[1]s}
    model_info: {base_model: amazon.nova-lite-v1:0}
  - model_name: cheap-film
    litellm_params: {model: bedrock/us.twelvelabs.pegasus-1-2-v1:0, input_cost_per_second: 0.001, %[1]s}
  - model_name: grounded
    litellm_params: {model: bedrock/us.amazon.nova-2-lite-v1:0, web_search_cost_per_query: 0.03, %[1]s}
  - model_name: "*"
    litellm_params: {model: "bedrock/*", %[1]s}
general_settings: {master_key: %[2]s}
`, "aws_access_key_id: AKIDEXAMPLE, aws_secret_access_key: secret, aws_region_name: us-east-1, aws_bedrock_runtime_endpoint: "+up.URL, testKey), nil)
}

// TestSecondsInChatsAndEmbeddings has the same in the dialects: a video that a client sends is measured.
func TestSecondsInChatsAndEmbeddings(t *testing.T) {
	g := secondsRig(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Amzn-Bedrock-Output-Token-Count", "200")
		w.Header().Set("X-Amzn-Bedrock-Input-Token-Count", "0")
		switch {
		case strings.Contains(r.URL.Path, "embed"):
			_, _ = io.WriteString(w, `{"embeddings":[{"embedding":[0.5]}]}`)
		case strings.HasSuffix(r.URL.Path, "stream"):
			w.Header().Set("Content-Type", "application/vnd.amazon.eventstream")
			var frames bytes.Buffer
			writeFrames(t, &frames, `chunk {"message":"A film","finishReason":"stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":0,"outputTokenCount":200}}`+"\n")
			_, _ = w.Write(frames.Bytes())
		default:
			_, _ = io.WriteString(w, `{"message":"A film","finishReason":"stop"}`)
		}
	})
	watch := func(model, url, more string) string {
		return `{"model":"` + model + `","messages":[{"role":"user","content":[{"type":"text","text":"What is it?"},{"type":"video_url","video_url":{"url":"` + url + `"}}]}]` + more + `}`
	}
	const pegasus = "bedrock/us.twelvelabs.pegasus-1-2-v1:0"
	film := "data:video/mp4;base64," + filmOf(30_000)
	for _, c := range []struct{ path, body, want string }{
		{"/v1/chat/completions", watch(pegasus, film, ""), "aws in=0 out=200 read=0 5m=0 1h=0 video=30s $0.0162"},
		{"/v1/chat/completions", watch(pegasus, film, `,"stream":true`), "aws in=0 out=200 read=0 5m=0 1h=0 video=30s $0.0162"},
		{"/v1/chat/completions", watch("cheap-film", film, ""), "aws in=0 out=200 read=0 5m=0 1h=0 video=30s $0.0315"},
		{"/v1/chat/completions", watch(pegasus, "s3://bucket/film.mp4", ""), "aws in=0 out=200 read=0 5m=0 1h=0 unpriced"},
		{"/v1/embeddings", `{"model":"bedrock/amazon.nova-2-multimodal-embeddings-v1:0","input":"data:audio/wav;base64,` + wavOf(2.5) + `"}`, "aws in=0 out=0 read=0 5m=0 1h=0 sound=2.5s $0.00035"},
		{"/v1/embeddings", `{"model":"bedrock/amazon.nova-2-multimodal-embeddings-v1:0","input":["` + film + `","data:image/png;base64,iVBORw0K"]}`, "aws in=0 out=0 read=0 5m=0 1h=0 images=1 queries=0 made=0 video=30s $0.02106"},
		{"/v1/embeddings", `{"model":"bedrock/amazon.nova-2-multimodal-embeddings-v1:0","input":"s3://bucket/film.mp4"}`, "aws in=0 out=0 read=0 5m=0 1h=0 unpriced"},
	} {
		resp, body := g.post(c.path, c.body)
		r := g.books.next(t)
		if got := bookedAs(&r); resp.StatusCode != 200 || got != c.want {
			t.Errorf("%.200s: %d %s, want %s\n%s", c.body, resp.StatusCode, got, c.want, body)
		}
		if r.Usage.AudioIn > 0 && !strings.Contains(body, `"prompt_tokens_details":{"audio_length_seconds":2.5}`) {
			t.Error(body)
		}
		if r.CostKnown && resp.Header.Get("X-Litellm-Response-Cost-Input") != "" && resp.Header.Get("X-Litellm-Response-Cost-Input") != r.Lines.Read().String() {
			t.Errorf("headers %v", resp.Header)
		}
	}
}

// TestTimeThatIsPaidFor books capacity by the time that its calls take.
func TestTimeThatIsPaidFor(t *testing.T) {
	g := secondsRig(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"output":{"message":{"role":"assistant","content":[{"text":"hi"}]}},"stopReason":"end_turn","usage":{"inputTokens":10,"outputTokens":5,"totalTokens":15}}`)
	})
	for _, path := range []string{"/v1/chat/completions", "/bedrock/model/capacity/converse"} {
		resp, body := g.post(path, `{"model":"capacity","messages":[{"role":"user","content":"hi"}]}`)
		r := g.books.next(t)
		want := account.Amount(2_000 * int64(r.Usage.Time)) // 2 USD a second are 2,000 pico-dollars a nanosecond
		if resp.StatusCode != 200 || r.Usage.Time <= 0 || r.Usage.Time > r.End.Sub(r.Start)+time.Millisecond || !r.CostKnown || account.Amount(r.Cost) != want || r.Lines != (account.Lines{Time: want}) {
			t.Errorf("%s: %d %+v %+v %d, want %d: %s", path, resp.StatusCode, r.Usage, r.Lines, r.Cost, want, body)
		}
		if resp.Header.Get("X-Litellm-Response-Cost") != want.String() || resp.Header.Get("X-Litellm-Response-Cost-Input") != want.String() {
			t.Errorf("%s: %v", path, resp.Header)
		}
	}
}

// TestSearchesThatArePaidFor books Nova's own searches in a chat: at a price of one's own, or as unknown.
func TestSearchesThatArePaidFor(t *testing.T) {
	g := secondsRig(t, func(w http.ResponseWriter, r *http.Request) {
		const start = `{"start":{"toolUse":{"toolUseId":"a","name":"nova_grounding","type":"server_tool_use"}},"contentBlockIndex":0}`
		if strings.HasSuffix(r.URL.Path, "stream") {
			w.Header().Set("Content-Type", "application/vnd.amazon.eventstream")
			var frames bytes.Buffer
			writeFrames(t, &frames, "messageStart {\"role\":\"assistant\"}\ncontentBlockStart "+start+"\ncontentBlockStop {\"contentBlockIndex\":0}\ncontentBlockDelta {\"contentBlockIndex\":1,\"delta\":{\"text\":\"hi\"}}\n"+
				"messageStop {\"stopReason\":\"end_turn\"}\nmetadata {\"usage\":{\"inputTokens\":10,\"outputTokens\":0,\"totalTokens\":10}}\n")
			_, _ = w.Write(frames.Bytes())
			return
		}
		_, _ = io.WriteString(w, `{"output":{"message":{"role":"assistant","content":[{"toolUse":{"toolUseId":"a","name":"nova_grounding","type":"server_tool_use","input":{}}},{"text":"hi"}]}},"stopReason":"end_turn","usage":{"inputTokens":10,"outputTokens":0,"totalTokens":10}}`)
	})
	for _, more := range []string{"", `,"stream":true`} {
		resp, body := g.post("/v1/chat/completions", `{"model":"grounded","web_search_options":{},"messages":[{"role":"user","content":"hi"}]`+more+`}`)
		r := g.books.next(t)
		if resp.StatusCode != 200 || r.Usage.Searches != 1 || !r.CostKnown || r.Lines.Searches != 30_000_000_000 || account.Amount(r.Cost) != r.Lines.Searches+r.Lines.Input {
			t.Errorf("%d %s %+v: %s", resp.StatusCode, bookedAs(&r), r.Lines, body)
		}
		if more == "" && resp.Header.Get("X-Litellm-Response-Cost-Tool-Usage") != "0.03" {
			t.Errorf("%v", resp.Header)
		}
		g.post("/v1/chat/completions", `{"model":"bedrock/us.amazon.nova-2-lite-v1:0","web_search_options":{},"messages":[{"role":"user","content":"hi"}]`+more+`}`)
		if r := g.books.next(t); r.Usage.Searches != 1 || r.CostKnown {
			t.Errorf("%s", bookedAs(&r))
		}
	}
}
