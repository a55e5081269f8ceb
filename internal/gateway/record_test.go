package gateway

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/outcrop-ai/outcrop/internal/sim"
)

const everyMode = `model_list:
  - {model_name: chat, litellm_params: {model: bedrock/us.amazon.nova-pro-v1:0, aws_region_name: us-east-1, aws_bedrock_runtime_endpoint: "%[1]s", api_key: k}}
  - {model_name: embed, litellm_params: {model: bedrock/amazon.titan-embed-text-v2:0, aws_region_name: us-east-1, aws_bedrock_runtime_endpoint: "%[1]s", api_key: k}}
  - {model_name: rank, litellm_params: {model: bedrock/cohere.rerank-v3-5:0, aws_region_name: us-east-1, aws_bedrock_runtime_endpoint: "%[1]s", aws_bedrock_agent_runtime_endpoint: "off", api_key: k}}
  - {model_name: paint, litellm_params: {model: bedrock/amazon.nova-canvas-v1:0, aws_region_name: us-east-1, aws_bedrock_runtime_endpoint: "%[1]s", api_key: k}}
general_settings: {master_key: %[2]s}
`

// modeRig is a gateway with a model of each kind before a simulator.
func modeRig(t *testing.T, change func(*Options)) *rig {
	t.Helper()
	bedrock := sim.New(sim.Options{Auth: sim.AuthOff})
	upstream, err := bedrock.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(bedrock.Close)
	return newRig(t, fmt.Sprintf(everyMode, upstream, testKey), change)
}

// countingRequests are a request of each kind, and what ends its answer for a client: the end of the connection's answer, or
// an event before it.
var countingRequests = []struct {
	path, body, end string
	status          int
}{
	{"/v1/chat/completions", `{"model":"chat","messages":[{"role":"user","content":"hi"}]}`, "", 200},
	{"/v1/chat/completions", `{"model":"chat","n":2,"messages":[{"role":"user","content":"hi"}]}`, "", 200},
	{"/v1/chat/completions", `{"model":"chat","stream":true,"messages":[{"role":"user","content":"hi"}]}`, "data: [DONE]", 200},
	{"/v1/chat/completions", `{"model":"chat","stream":true,"messages":[{"role":"user","content":"[[fault:stream-throttle;after=3]]"}]}`, `data: {"error"`, 200},
	{"/v1/chat/completions", `{"model":"chat","messages":[{"role":"user","content":"[[fault:throttle]]"}]}`, "", 429},
	{"/v1/chat/completions", `{"model":"nobody","messages":[{"role":"user","content":"hi"}]}`, "", 404},
	{"/v1/chat/completions", `{"model":7}`, "", 400},
	{"/v1/messages", `{"model":"chat","max_tokens":50,"messages":[{"role":"user","content":"hi"}]}`, "", 200},
	{"/v1/messages", `{"model":"chat","max_tokens":50,"stream":true,"messages":[{"role":"user","content":"hi"}]}`, "event: message_stop", 200},
	{"/v1/messages", `{"model":"chat","max_tokens":50,"stream":true,"messages":[{"role":"user","content":"[[fault:stream-throttle;after=3]]"}]}`, "event: error", 200},
	{"/v1/responses", `{"model":"chat","input":"hi"}`, "", 200},
	{"/v1/responses", `{"model":"chat","stream":true,"input":"hi"}`, "event: response.completed", 200},
	{"/v1/responses", `{"model":"chat","stream":true,"input":"[[fault:stream-throttle;after=3]]"}`, "event: response.failed", 200},
	{"/v1/completions", `{"model":"chat","prompt":"hi"}`, "", 200},
	{"/v1/completions", `{"model":"chat","prompt":"hi","stream":true}`, "data: [DONE]", 200},
	{"/v1/embeddings", `{"model":"embed","input":["a","b"]}`, "", 200},
	{"/v1/rerank", `{"model":"rank","query":"q","documents":["a","b"]}`, "", 200},
	{"/v1/images/generations", `{"model":"paint","prompt":"a cat"}`, "", 200},
	{"/bedrock/model/chat/converse", `{"messages":[{"role":"user","content":[{"text":"hi"}]}]}`, "", 200},
	{"/bedrock/model/chat/converse", `{"messages":[{"role":"user","content":[{"text":"[[fault:throttle]]"}]}]}`, "", 429},
	{"/bedrock/model/nobody/converse", `{}`, "", 404},
	{"/bedrock/model/chat/converse-stream", `{"messages":[{"role":"user","content":[{"text":"hi"}]}]}`, "", 200},
}

// endWatcher is a client that looks into the books when the end of its answer is written, and not later.
type endWatcher struct {
	*httptest.ResponseRecorder
	end   string
	ended bool
	look  func()
}

func (w *endWatcher) Write(p []byte) (int, error) {
	n, err := w.ResponseRecorder.Write(p)
	body := w.Body.String()
	whole := w.Header().Get("Content-Length") == strconv.Itoa(len(body))
	if !w.ended && (whole || w.end != "" && strings.Contains(body, w.end)) {
		w.ended = true
		w.look()
	}
	return n, err
}

// TestTheRowIsMadeBeforeTheLastByte: a client that has its answer whole has a row, whatever happens to the gateway next.
func TestTheRowIsMadeBeforeTheLastByte(t *testing.T) {
	g := modeRig(t, nil)
	for i, c := range countingRequests {
		id := fmt.Sprintf("call-%08d", i)
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, c.path, strings.NewReader(c.body))
		r.Header = bearer(testKey)
		r.Header.Set("X-Litellm-Call-Id", id)
		booked := func() (n int) {
			g.books.mu.Lock()
			defer g.books.mu.Unlock()
			for _, r := range g.books.records {
				if r.CallID == id {
					n++
					if r.Status != c.status || r.End.IsZero() || r.Failed() != (c.status != 200 || strings.Contains(c.body, "[[fault")) {
						t.Errorf("%s %s: %+v", c.path, c.body, r)
					}
				}
			}
			return n
		}
		atEnd := -1
		w := &endWatcher{ResponseRecorder: httptest.NewRecorder(), end: c.end, look: func() { atEnd = booked() }}
		g.server.ServeHTTP(w, r)
		if strings.HasSuffix(c.path, "/converse-stream") { // whose client waits for the end of the answer itself
			w.ended, atEnd = true, booked()
		}
		if !w.ended || atEnd != 1 || booked() != 1 || w.Code != c.status {
			t.Errorf("%s %s: %d row(s) at the end, %d after it, status %d: %s", c.path, c.body, atEnd, booked(), w.Code, w.Body)
		}
	}
}

func TestCallsWhoseRowsCannotBeKeptAreRefused(t *testing.T) {
	full := errors.New("the log is full")
	g := modeRig(t, func(o *Options) { o.Refusal = func() error { return full } })
	for _, c := range countingRequests {
		resp, body := g.post(c.path, c.body)
		status := 503
		if strings.HasPrefix(c.path, "/v1/messages") {
			status = 529 // Anthropic's word for it
		}
		if resp.StatusCode != status || !strings.Contains(body, "cannot keep the record") || resp.Header.Get("Retry-After") != "5" {
			t.Errorf("%s: %d %v %s", c.path, resp.StatusCode, resp.Header, body)
		}
		if native := strings.HasPrefix(c.path, "/bedrock/"); native != slices.Contains(resp.Header["X-Amzn-Errortype"], "ServiceUnavailableException") {
			t.Errorf("%s: %v", c.path, resp.Header)
		}
	}
	resp, body := g.send(http.MethodGet, "/health/readiness", "", nil)
	if resp.StatusCode != 503 || body != `{"status":"ledger full","db":"Not connected"}` {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	if resp, _ := g.send(http.MethodGet, "/v1/models", "", bearer(testKey)); resp.StatusCode != 200 {
		t.Errorf("what has no row: %d", resp.StatusCode)
	}
	if n := len(g.books.records); n != 0 {
		t.Errorf("%d row(s)", n)
	}
}
