package gateway

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/outcrop-ai/outcrop/internal/engine"
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/internal/telemetry"
)

// watchedServices is a gateway before AWS's services whose calls are watched.
func watchedServices(t *testing.T, watch *Watch) (*rig, *serviceUps, *watcher) {
	t.Helper()
	w := &watcher{}
	watchEngines = w
	defer func() { watchEngines = nil }()
	g, up := usageRig(t)
	g.server.Watch = watch
	return g, up, w
}

// says has everything answered by a text: as frames where it begins with that word, else as the Content-Type in its first line,
// or as JSON.
func (u *serviceUps) says(t *testing.T, answer string) {
	u.do = func(w http.ResponseWriter, _ string) {
		kind, rest, _ := strings.Cut(answer, "\n")
		switch {
		case kind == "frames":
			w.Header().Set("Content-Type", "application/vnd.amazon.eventstream")
			var frames bytes.Buffer
			writeFrames(t, &frames, rest+"\n")
			_, _ = w.Write(frames.Bytes())
		case strings.Contains(kind, "/"):
			w.Header().Set("Content-Type", kind)
			_, _ = io.WriteString(w, rest)
		default:
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, answer)
		}
	}
}

const converseFrames = `frames
messageStart {"role":"assistant","p":"abc"}
contentBlockDelta {"contentBlockIndex":0,"delta":{"reasoningContent":{"text":"Hm "}},"p":"ab"}
contentBlockDelta {"contentBlockIndex":0,"delta":{"reasoningContent":{"text":"\u00e9"}}}
contentBlockDelta {"contentBlockIndex":0,"delta":{"reasoningContent":{"signature":"U0lH"}}}
contentBlockStop {"contentBlockIndex":0}
contentBlockDelta {"contentBlockIndex":1,"delta":{"text":"Hel"},"p":"abcdef"}
contentBlockDelta {"contentBlockIndex":1,"delta":{"text":"lo \"you\" \ud83d"}}
contentBlockDelta {"contentBlockIndex":1,"delta":{"text":"\ude00"}}
contentBlockStop {"contentBlockIndex":1}
contentBlockStart {"contentBlockIndex":2,"start":{"toolUse":{"toolUseId":"t1","name":"f"}}}
contentBlockDelta {"contentBlockIndex":2,"delta":{"toolUse":{"input":"{\"a\":"}}}
contentBlockDelta {"contentBlockIndex":2,"delta":{"toolUse":{"input":"1}"}}}
contentBlockStart {"contentBlockIndex":3,"start":{"toolUse":{"toolUseId":"t2","name":"g"}}}
contentBlockDelta {"contentBlockIndex":4,"delta":{"text":"cited"}}
contentBlockDelta {"contentBlockIndex":4,"delta":{"citation":{"title":"T"}}}
contentBlockDelta {"contentBlockIndex":5,"delta":{"reasoningContent":{"redactedContent":"VWtWRQ=="}}}
contentBlockDelta {"contentBlockIndex":6,"delta":{"brandNew":[1]}}
messageStop {"stopReason":"tool_use","p":"a"}
metadata {"usage":{"inputTokens":10,"outputTokens":5,"totalTokens":15},"metrics":{"latencyMs":9},"p":"abc"}`

const converseWhole = `{"output":{"message":{"role":"assistant","content":[{"reasoningContent":{"reasoningText":{"text":"Hm \u00e9","signature":"U0lH"}}},{"text":"Hello \"you\" \ud83d\ude00"},` +
	`{"toolUse":{"toolUseId":"t1","name":"f","input":{"a":1}}},{"toolUse":{"toolUseId":"t2","name":"g","input":{}}},{"citationsContent":{"content":[{"text":"cited"}],"citations":[{"title":"T"}]}},` +
	`{"reasoningContent":{"redactedContent":"VWtWRQ=="}},{"events":[{"brandNew":[1]}]}]}},"stopReason":"tool_use","usage":{"inputTokens":10,"outputTokens":5,"totalTokens":15},"metrics":{"latencyMs":9}}`

const claudeEvents = `{"type":"message_start","message":{"id":"m1","type":"message","role":"assistant","model":"claude","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":10,"output_tokens":1}}}
{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}
{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Hm"}}
{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"U0lH"}}
{"type":"content_block_stop","index":0}
{"type":"content_block_start","index":1,"content_block":{"type":"text","text":"","citations":null}}
{"type":"ping"}
{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"Hel"}}
{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"lo"}}
{"type":"content_block_delta","index":1,"delta":{"type":"citations_delta","citation":{"title":"T"}}}
{"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"t1","name":"f","input":{}}}
{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":""}}
{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"a\":1}"}}
{"type":"content_block_start","index":3,"content_block":{"type":"redacted_thinking","data":"VWtWRQ=="}}
{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null,"container":null},"usage":{"output_tokens":7}}
{"type":"message_stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":10,"outputTokenCount":7}}`

const claudeWhole = `{"id":"m1","type":"message","role":"assistant","model":"claude","content":[{"type":"thinking","thinking":"Hm","signature":"U0lH"},{"type":"text","text":"Hello","citations":[{"title":"T"}]},` +
	`{"type":"tool_use","id":"t1","name":"f","input":{"a":1}},{"type":"redacted_thinking","data":"VWtWRQ=="}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":10,"output_tokens":7},"container":null}`

// TestWatchersAreToldOfAWSsOwnWords keeps request and answer of every kind of relayed call, as they are; streams put together.
func TestWatchersAreToldOfAWSsOwnWords(t *testing.T) {
	g, up, w := watchedServices(t, &Watch{Contents: true})
	const claude, nova = "/bedrock/model/us.anthropic.claude-sonnet-4-5-20250929-v1:0/", "/bedrock/model/amazon.nova-lite-v1:0/"
	const hi = `{"messages":[{"role":"user","content":[{"text":"hi"}]}],"system":[{"text":"be kind"}],"inferenceConfig":{"maxTokens":9},"requestMetadata":{"user_id":"ann"}}`
	image := strings.Repeat("iVBORw0K", 100)
	chunks := func(events string) string { return "frames\nchunk " + strings.ReplaceAll(events, "\n", "\nchunk ") }
	for _, c := range []struct{ name, path, asked, answer, request, messages, response string }{
		{"converse", claude + "converse", hi, `{"output":{"message":{"content":[{"text":"you"}]}}}`, hi, `[{"role":"system","content":[{"text":"be kind"}]},{"role":"user","content":[{"text":"hi"}]}]`, `{"output":{"message":{"content":[{"text":"you"}]}}}`},
		{"converse-stream", claude + "converse-stream", hi, converseFrames, hi, "", converseWhole},
		{
			"converse-stream of a tool whose input was cut off", claude + "converse-stream", hi, "frames\n" + `messageStart {"role":"assistant"}` + "\n" + `contentBlockStart {"contentBlockIndex":0,"start":{"toolUse":{"toolUseId":"t","name":"f"}}}` + "\n" +
				`contentBlockDelta {"contentBlockIndex":0,"delta":{"toolUse":{"input":"{\"a\":"}}}`, hi, "",
			`{"output":{"message":{"role":"assistant","content":[{"toolUse":{"toolUseId":"t","name":"f","input":"{\"a\":"}}]}}}`,
		},
		{"claude's own stream", claude + "invoke-with-response-stream", `{"prompt":"hi"}`, chunks(claudeEvents), `{"prompt":"hi"}`, `"hi"`, claudeWhole},
		{"claude's own path", "/bedrock/anthropic/v1/messages", `{"model":"us.anthropic.claude-sonnet-4-5-20250929-v1:0","stream":true}`, "text/event-stream\nevent: x\ndata: " + strings.ReplaceAll(claudeEvents, "\n", "\n\ndata: ") + "\n\n", "", "", claudeWhole},
		{"nova's own stream", nova + "invoke-with-response-stream", `{"inputText":"hi"}`, chunks(`{"messageStart":{"role":"assistant"}}` + "\n" + `{"contentBlockDelta":{"contentBlockIndex":0,"delta":{"text":"you"}}}` + "\n" + `{"messageStop":{"stopReason":"end_turn"}}` + "\n" + `{"metadata":{"usage":{"inputTokens":1}},"amazon-bedrock-invocationMetrics":{"inputTokenCount":1}}`), "", `"hi"`, `{"output":{"message":{"role":"assistant","content":[{"text":"you"}]}},"stopReason":"end_turn","usage":{"inputTokens":1}}`},
		{"another stream", "/bedrock/model/meta.llama3-1-8b-instruct-v1:0/invoke-with-response-stream", `{"prompt":"hi","max_gen_len":5}`, chunks(`{"generation":"yo"}` + "\n" + `{"generation":"u"}`), `{"prompt":"hi","max_gen_len":5}`, `"hi"`, `[{"generation":"yo"},{"generation":"u"}]`},
		{"chat completions, streamed", "/bedrock/openai/v1/chat/completions", `{"model":"gpt","stream":true,"messages":[]}`, "text/event-stream\ndata: {\"choices\":[1]}\n\ndata: {\"usage\":{}}\n\ndata: [DONE]\n\n", "", "[]", `[{"choices":[1]},{"usage":{}}]`},
		{"responses, streamed", "/bedrock/openai/v1/responses", `{"model":"gpt","stream":true,"input":"hi"}`, "text/event-stream\ndata: {\"type\":\"response.created\"}\n\ndata: {\"type\":\"response.completed\",\"response\":{\"output\":[]}}\n\n", "", `"hi"`, `{"output":[]}`},
		{"an agent", "/bedrock/agents/A/agentAliases/B/sessions/C/text", `{"inputText":"hi"}`, "frames\n" + `trace {"trace":{"a":1}}` + "\n" + `chunk you`, `{"inputText":"hi"}`, `"hi"`, `[{"trace":{"trace":{"a":1}}},{"chunk":{"bytes":"you","p":"abc"}}]`},
		{"an image", "/bedrock/model/amazon.nova-canvas-v1:0/invoke", `{"taskType":"IMAGE_VARIATION","images":["` + image + `"]}`, `{"images":["` + image + `"]}`, `{"taskType":"IMAGE_VARIATION","images":["(800 characters of base64 left out)"]}`, `{"taskType":"IMAGE_VARIATION","images":["(800 characters of base64 left out)"]}`, `{"images":["(800 characters of base64 left out)"]}`},
		{"a secret", claude + "invoke", `{"messages":[],"api_key":"c4n4ry"}`, `{"token":"c4n4ry","usage":{"inputTokens":1}}`, `{"messages":[],"api_key":"****"}`, "[]", `{"token":"****","usage":{"inputTokens":1}}`},
		{"what is no JSON", "/bedrock/model/new.vendor-v1:0/invoke", "\x89PNG", "image/png\n\x89PNG\r\n", `"unknown type, 4 bytes, left out"`, `"unknown type, 4 bytes, left out"`, `"image/png, 6 bytes, left out"`},
		{"an empty answer", "/bedrock/model/new.vendor-v1:0/invoke", `{"a":1}`, "application/json\n", `{"a":1}`, `{"a":1}`, ``},
	} {
		up.says(t, c.answer)
		resp, body := g.post(c.path, c.asked)
		g.books.next(t)
		e := w.take(t)
		if resp.StatusCode != 200 || e.Content == nil {
			t.Fatalf("%s: %d %s", c.name, resp.StatusCode, body)
		}
		for _, one := range []struct {
			what, got, want string
		}{{"request", string(e.Content.Request), c.request}, {"messages", string(e.Content.Messages), c.messages}, {"response", string(e.Content.Response), c.response}} {
			if one.want != "" && one.got != one.want || one.got != "" && !json.Valid([]byte(one.got)) || one.want == "" && one.what == "response" && one.got != "" {
				t.Errorf("%s: the %s is\n%s, want\n%s", c.name, one.what, one.got, one.want)
			}
		}
		if c.asked == hi && (string(e.Content.Parameters) != `{"inferenceConfig":{"maxTokens":9}}` || string(e.Content.Metadata) != `{"user_id":"ann"}`) {
			t.Errorf("%s: %s %s", c.name, e.Content.Parameters, e.Content.Metadata)
		}
		if all, err := json.Marshal(e); err != nil || bytes.Contains(all, []byte("c4n4ry")) || bytes.Contains(all, []byte(testKey)) || bytes.Contains(all, []byte("AKID")) {
			t.Errorf("%s: %v a secret is told: %s", c.name, err, all)
		}
	}
}

// TestAWSsOwnWordsAreBounded leaves out what is too long, in requests, answers and streams.
func TestAWSsOwnWordsAreBounded(t *testing.T) {
	g, up, w := watchedServices(t, &Watch{Contents: true})
	long := strings.Repeat("many words ", maxContent/11+1)
	up.says(t, `{"completion":"`+long+`"}`)
	g.post("/bedrock/model/m/invoke", `{"prompt":"`+long+`"}`)
	if c := w.take(t).Content; !strings.HasPrefix(string(c.Request), `"left out: 1048`) || !strings.HasPrefix(string(c.Messages), `"left out: 1048`) || !strings.HasPrefix(string(c.Response), `"left out: 1048`) {
		t.Errorf("%.80s %.80s %.80s", c.Request, c.Messages, c.Response)
	}
	up.says(t, "frames\nmessageStart {}\n"+strings.Repeat(`contentBlockDelta {"contentBlockIndex":0,"delta":{"text":"`+long[:60_000]+"\"}}\n", 20))
	_, relayed := g.post("/bedrock/model/m/converse-stream", `{}`)
	if c := w.take(t).Content; !strings.HasPrefix(string(c.Response), `"left out: 12`) || len(relayed) < 1_200_000 {
		t.Errorf("%.80s, %d bytes relayed", c.Response, len(relayed))
	}
	// An image is left out before the rest is measured.
	up.says(t, `{"images":["`+strings.Repeat("iVBORw0K", 300_000)+`"]}`)
	g.post("/bedrock/model/m/invoke", `{"prompt":"a"}`)
	if c := w.take(t).Content; string(c.Response) != `{"images":["(2400000 characters of base64 left out)"]}` {
		t.Errorf("%.80s", c.Response)
	}
}

// TestAWSsOwnWordsAreKeptBack tells nobody who is not to know, and of failures no answer.
func TestAWSsOwnWordsAreKeptBack(t *testing.T) {
	f := func(watch *Watch, header string, told bool) {
		t.Helper()
		g, up, w := watchedServices(t, watch)
		up.says(t, `{"completion":"hush"}`)
		h := bearer(testKey)
		if header != "" {
			h.Set(header, "true")
		}
		g.send(http.MethodPost, "/bedrock/model/m/invoke", `{"prompt":"hush"}`, h)
		e := w.take(t)
		if all, _ := json.Marshal(e.Content); strings.Contains(string(all), "hush") != told {
			t.Errorf("%+v %s: %s", watch, header, all)
		}
		up.do = func(w http.ResponseWriter, _ string) {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"message":"hush, it is wrong"}`)
		}
		g.send(http.MethodPost, "/bedrock/model/m/invoke", `{"prompt":"hush"}`, h)
		if c := w.take(t).Content; c != nil && c.Response != nil {
			t.Errorf("%+v: a failure has an answer: %s", watch, c.Response)
		}
	}
	f(&Watch{Contents: true}, "", true)
	f(&Watch{Contents: true, Redact: true}, "", false)
	f(&Watch{Contents: true}, "X-Litellm-Enable-Message-Redaction", false)
	f(&Watch{}, "", false)
	f(nil, "", false)
}

// TestAStreamThatIsTornIsToldAsFarAsItCame: what the client has got is what is told.
func TestAStreamThatIsTornIsToldAsFarAsItCame(t *testing.T) {
	g, up, w := watchedServices(t, &Watch{Contents: true})
	up.says(t, "frames\n"+`messageStart {"role":"assistant"}`+"\n"+`contentBlockDelta {"contentBlockIndex":0,"delta":{"text":"Hel"}}`+"\n"+`!throttlingException {"message":"slow down"}`)
	g.post("/bedrock/model/m/converse-stream", `{}`)
	if c := w.take(t).Content; string(c.Response) != `{"output":{"message":{"role":"assistant","content":[{"text":"Hel"}]}}}` {
		t.Errorf("%s", c.Response)
	}
}

// TestNobodyWatchesForNothing: without anybody who wants to know, nothing is allocated.
func TestNobodyWatchesForNothing(t *testing.T) {
	body := []byte(`{"messages":[{"role":"user","content":[{"text":"hi"}]}]}`)
	header := http.Header{"Content-Type": {"application/json"}}
	for _, watch := range []*Watch{nil, {}} {
		x := &exchange{server: &Server{Options: Options{Watch: watch}}, call: &engine.Call{}, r: httptest.NewRequest(http.MethodPost, "/", nil)}
		if n := testing.AllocsPerRun(100, func() {
			x.watchNative(body)
			x.watchedNative(header, body)
			x.heard(x.hear(nil))
		}); n != 0 || x.call.Content != nil {
			t.Errorf("%+v: %v allocations, %+v", watch, n, x.call.Content)
		}
	}
}

// TestImagesAreTold keeps what was asked for and what was made, without the images.
func TestImagesAreTold(t *testing.T) {
	g, w := watchedRig(t, &Watch{Contents: true})
	f := func(resp *http.Response, body string) {
		t.Helper()
		g.books.next(t)
		c := w.take(t).Content
		if resp.StatusCode != 200 || string(c.Messages) != `"a \"hill\""` || !json.Valid(c.Response) || len(c.Response) > 1000 {
			t.Errorf("%d %.200s: %s %.300s", resp.StatusCode, body, c.Messages, c.Response)
		}
		n := 0
		for one := range jsonscan.Elements(jsonscan.Member(c.Response, "data")) {
			if n++; !strings.Contains(string(one), " characters of base64 left out)") {
				t.Errorf("%.300s", one)
			}
		}
		if n == 0 {
			t.Errorf("%s", c.Response)
		}
	}
	f(g.post("/v1/images/generations", `{"model":"paint","prompt":"a \"hill\"","n":2,"response_format":"b64_json"}`))
	f(g.post("/v1/images/generations", `{"model":"paint","prompt":"a \"hill\"","response_format":"url"}`))
	const pixel = "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x02\x00\x00\x00\x02\x00\x08\x02\x00\x00\x00\x90wS\xde"
	f(g.form("/v1/images/edits", [][2]string{{"model", "paint"}, {"prompt", `a "hill"`}, {"@image", pixel}}))
}

// FuzzNativeEvents puts together whatever comes: it is JSON.
func FuzzNativeEvents(f *testing.F) {
	for _, seed := range []string{
		`messageStart {"role":"a"}` + "\n" + `contentBlockDelta {"contentBlockIndex":0,"delta":{"text":"a"}}` + "\n" + `metadata {"usage":{}}`,
		"messageStart {}\n" + `contentBlockStart {"start":{"toolUse":{"toolUseId":"t"}}}` + "\n" + `contentBlockDelta {"delta":{"toolUse":{"input":"{}"}}}`,
		`{"type":"message_start","message":{"content":[],"usage":{}}}` + "\n" + `{"type":"content_block_start","content_block":{"text":""}}` + "\n" + `{"type":"content_block_delta","delta":{"text":"a"}}`,
		`{"type":"message_start","message":{}}` + "\n" + `{"type":"message_delta","delta":{"stop_reason":"a"},"usage":{"output_tokens":1}}`,
		"messageStart {}\nx 1", `{"messageStart":{}}` + "\n" + `{"contentBlockStart":{"start":{"toolUse":7}}}`, `{"type":"message_start","message":7}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e := &nativeEvents{}
		for line := range strings.Lines(text) {
			name, data := "", strings.TrimSuffix(line, "\n")
			if !strings.HasPrefix(data, "{") {
				name, data, _ = strings.Cut(data, " ")
			}
			e.add(name, []byte(data))
		}
		if answer := e.answer(); answer != nil && !json.Valid(answer) {
			t.Errorf("%s\nis no JSON: %s", text, answer)
		}
		c := &telemetry.Content{Request: keptNative("", []byte(text))}
		readNative(c)
		for _, raw := range []json.RawMessage{c.Messages, c.Parameters, c.Request} {
			if raw != nil && !json.Valid(raw) {
				t.Errorf("%s\nis no JSON: %s", text, raw)
			}
		}
	})
}
