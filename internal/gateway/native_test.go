package gateway

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/outcrop-ai/outcrop/internal/sim"
)

// wireUp is an upstream that notes what it got, byte for byte.
type wireUp struct {
	mu     sync.Mutex
	path   string
	query  string
	header http.Header
	body   []byte
	do     func(w http.ResponseWriter)
}

func nativeRig(t *testing.T, up *wireUp, more string) *rig {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		up.mu.Lock()
		up.path, up.query, up.header, up.body = r.URL.EscapedPath(), r.URL.RawQuery, r.Header.Clone(), body
		up.mu.Unlock()
		up.do(w)
	}))
	t.Cleanup(server.Close)
	const params = "aws_access_key_id: AKIDEXAMPLE, aws_secret_access_key: s, aws_region_name: us-east-1"
	return newRig(t, fmt.Sprintf(`
model_list:
  - {model_name: my-model, litellm_params: {model: bedrock/converse/anthropic.claude-3-sonnet-20240229-v1:0, %[1]s, aws_bedrock_runtime_endpoint: %[2]s}}
  - {model_name: team/claude, litellm_params: {model: bedrock/anthropic.claude-3-sonnet-20240229-v1:0, model_id: 'arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc', %[1]s, aws_bedrock_runtime_endpoint: %[2]s}}
  - {model_name: guarded, litellm_params: {model: bedrock/anthropic.claude-3-sonnet-20240229-v1:0, guardrailConfig: {guardrailIdentifier: gr-own, guardrailVersion: '1'}, %[1]s, aws_bedrock_runtime_endpoint: %[2]s}}
%[3]sgeneral_settings: {master_key: %[4]s, bedrock_passthrough_credential: my-model}
`, params, server.URL, more, testKey), nil)
}

func TestNativePaths(t *testing.T) {
	up := &wireUp{do: func(w http.ResponseWriter) { _, _ = io.WriteString(w, plainAnswer) }}
	g := nativeRig(t, up, "")
	for _, c := range []struct {
		path, upstream string
		status         int
		exception      string
	}{
		{"/bedrock/model/my-model/converse", "/model/anthropic.claude-3-sonnet-20240229-v1%3A0/converse", 200, ""},
		{"/bedrock/v2/model/my-model/converse", "/model/anthropic.claude-3-sonnet-20240229-v1%3A0/converse", 200, ""},
		{"/model/my-model/invoke", "/model/anthropic.claude-3-sonnet-20240229-v1%3A0/invoke", 200, ""},
		{"/bedrock/model/team/claude/converse", "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Aapplication-inference-profile%2Fabc/converse", 200, ""},
		{"/bedrock/model/team%2Fclaude/converse", "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Aapplication-inference-profile%2Fabc/converse", 200, ""},
		{"/bedrock/model/team%2Fclaude/count-tokens?a=1&X-Amz-Signature=x", "/model/anthropic.claude-3-sonnet-20240229-v1%3A0/count-tokens", 200, ""},
		{"/bedrock/model/unknown/converse", "", 404, "ResourceNotFoundException"},
		{"/bedrock/model/a%2F..%2Fb/converse", "", 400, "ValidationException"},
		{"/bedrock/model/a%0Ab/converse", "", 400, "ValidationException"},
		{"/bedrock/model/my-model/a-new-operation", "/model/anthropic.claude-3-sonnet-20240229-v1%3A0/a-new-operation", 200, ""},
		{"/bedrock/model/my-model/invoke-with-bidirectional-stream", "", 501, "UnknownOperationException"},
		{"/bedrock/a-new-thing/of:aws", "/a-new-thing/of%3Aaws", 200, ""},
		{"/bedrock/agents/a//b", "", 400, "ValidationException"},
		{"/bedrock/agents/../model/x/invoke", "", 400, "ValidationException"},
		{"/bedrock/agents/%2E%2E/b", "", 400, "ValidationException"},
		{"/bedrock/agents/a%2F..%2Fb", "", 400, "ValidationException"},
		{"/bedrock/model%2Fmy-model%2Finvoke", "", 400, "ValidationException"},
		{"/bedrock/model/my-model%2Finvoke", "", 400, "ValidationException"},
		{"/bedrock/", "", 400, "ValidationException"},
	} {
		up.path = ""
		resp, body := g.send(http.MethodPost, c.path, `{"messages":[]}`, bearer(testKey))
		if resp.StatusCode != c.status || up.path != c.upstream || resp.Header.Get("X-Amzn-Errortype") != c.exception || c.exception != "" && !strings.HasPrefix(body, `{"message":"`) {
			t.Errorf("%s: %d %s, upstream %s: %s", c.path, resp.StatusCode, resp.Header.Get("X-Amzn-Errortype"), up.path, body)
		}
		if strings.Contains(c.path, "?") && up.query != "a=1" {
			t.Errorf("%s: query %s", c.path, up.query)
		}
	}
	for name, header := range map[string]http.Header{"no key": {}, "a wrong one": bearer("sk-wrong")} {
		resp, body := g.send(http.MethodPost, "/bedrock/model/my-model/converse", `{}`, header)
		if resp.StatusCode != 403 || resp.Header.Get("X-Amzn-Errortype") != "UnrecognizedClientException" || resp.Header.Get("X-Amzn-Requestid") == "" {
			t.Errorf("%s: %d %s %s", name, resp.StatusCode, resp.Header, body)
		}
	}
	for name, value := range map[string]string{"a key as access key id": testKey, "LangChain's way": "Bearer " + testKey} {
		header := http.Header{"Authorization": {"AWS4-HMAC-SHA256 Credential=" + value + "/20260801/us-east-1/bedrock/aws4_request, SignedHeaders=host, Signature=0"}, "X-Amz-Date": {"20260801T000000Z"}, "X-Amz-Security-Token": {"theirs"}}
		resp, body := g.send(http.MethodPost, "/bedrock/model/my-model/converse", `{}`, header)
		if resp.StatusCode != 200 {
			t.Errorf("%s: %d %s", name, resp.StatusCode, body)
		}
		if got := up.header.Get("Authorization"); !strings.Contains(got, "Credential=AKIDEXAMPLE/") || up.header.Get("X-Amz-Security-Token") != "" || up.header.Get("X-Amz-Date") == "20260801T000000Z" {
			t.Errorf("%s: %v", name, up.header)
		}
	}
}

// TestNativeBytes relays bodies and headers as they are, in both directions.
func TestNativeBytes(t *testing.T) {
	answer := []byte("{ \"usage\":{\"inputTokens\":3,\"outputTokens\":5,\"totalTokens\":8},\t\"x\" : 1e5 , \"x\":2}\n")
	up := &wireUp{do: func(w http.ResponseWriter) {
		w.Header().Set("X-Amzn-Requestid", "aws-1")
		w.Header().Set("X-Amzn-Bedrock-Something", "new")
		w.Header().Set("Set-Cookie", "a=b")
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write(answer)
	}}
	g := nativeRig(t, up, "")
	large := make([]byte, 4<<20)
	for i := range large {
		large[i] = byte(rand.IntN(256))
	}
	for name, body := range map[string][]byte{
		"blanks and doubles": []byte("{ \"b\":1 ,\r\n\"a\" : [ ] , \"b\":2 }"), "no JSON": []byte("\x00\xff{"), "empty": {}, "large": large,
	} {
		header := bearer(testKey)
		for _, h := range []string{"X-Amzn-Bedrock-Trace", "X-Amzn-Bedrock-Guardrailidentifier", "X-Amzn-Bedrock-Guardrailversion", "X-Amzn-Bedrock-Performanceconfig-Latency", "X-Amzn-Bedrock-Accept", "X-Amzn-Bedrock-Service-Tier", "Anthropic-Beta", "X-Amz-Source-Arn", "Amz-Sdk-Invocation-Id"} {
			header.Set(h, "value-"+h)
		}
		header.Set("Content-Type", "application/x-own")
		header.Set("Accept", "application/json, */*")
		header.Set("Cookie", "secret=1")
		header.Set("X-Forwarded-For", "192.0.2.1")
		header.Set("X-Litellm-Tags", "a")
		resp, got := g.send(http.MethodPost, "/bedrock/model/my-model/converse", string(body), header)
		if !bytes.Equal(up.body, body) || got != string(answer) || resp.StatusCode != http.StatusCreated || resp.Header.Get("X-Amzn-Requestid") != "aws-1" ||
			resp.Header.Get("X-Amzn-Bedrock-Something") != "new" || resp.Header.Get("Set-Cookie") != "" {
			t.Errorf("%s: %d %v %q, upstream got %d bytes", name, resp.StatusCode, resp.Header, got, len(up.body))
		}
		signed := up.header.Get("Authorization")
		for h, values := range header {
			sent := strings.Contains("Cookie X-Forwarded-For X-Litellm-Tags Authorization", h)
			if !sent && up.header.Get(h) != values[0] && (h != "Content-Type" || len(body) > 0) || sent && h != "Authorization" && up.header.Get(h) != "" {
				t.Errorf("%s: %s came as %q", name, h, up.header.Get(h))
			}
			if strings.HasPrefix(h, "X-Amz") && !strings.Contains(signed, strings.ToLower(h)) {
				t.Errorf("%s: %s is not signed: %s", name, h, signed)
			}
		}
		if r := g.books.next(t); r.Type != "allm_passthrough_route" || r.Usage.Input != 3 || r.Usage.Output != 5 || !r.CostKnown || r.Cost <= 0 {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// TestNativeRefusals come as AWS said them, and are not asked for twice.
func TestNativeRefusals(t *testing.T) {
	calls := 0
	up := &wireUp{do: func(w http.ResponseWriter) {
		calls++
		w.Header().Set("X-Amzn-Errortype", "ValidationException:http://internal.amazon.com/")
		w.Header().Set("X-Amzn-Requestid", "aws-2")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{ "message":"bad",  "other":1}`)
	}}
	g := nativeRig(t, up, "")
	resp, body := g.send(http.MethodPost, "/bedrock/model/my-model/invoke", `{}`, bearer(testKey))
	if resp.StatusCode != 400 || body != `{ "message":"bad",  "other":1}` || resp.Header.Get("X-Amzn-Errortype") != "ValidationException:http://internal.amazon.com/" || resp.Header.Get("X-Amzn-Requestid") != "aws-2" || calls != 1 {
		t.Errorf("%d %v %s, %d calls", resp.StatusCode, resp.Header, body, calls)
	}
}

// TestNativeIsAWSsWhateverElseIsSaid: a header of Anthropic's clients does not make an answer under /bedrock one of Anthropic's.
func TestNativeIsAWSsWhateverElseIsSaid(t *testing.T) {
	up := &wireUp{do: func(w http.ResponseWriter) { _, _ = io.WriteString(w, plainAnswer) }}
	g := nativeRig(t, up, "")
	header := bearer(testKey)
	header.Set("Anthropic-Version", "2023-06-01")
	for _, model := range []string{"my-model", "unknown"} {
		resp, body := g.send(http.MethodPost, "/bedrock/model/"+model+"/converse", `{"messages":[]}`, header)
		if id, there := resp.Header["Request-Id"]; there || resp.StatusCode == 404 && resp.Header.Get("X-Amzn-Errortype") != "ResourceNotFoundException" {
			t.Errorf("%s: %d %v %v %s", model, resp.StatusCode, id, resp.Header, body)
		}
	}
}

// TestNativeGuardrail cannot be taken off by a client.
func TestNativeGuardrail(t *testing.T) {
	up := &wireUp{do: func(w http.ResponseWriter) { _, _ = io.WriteString(w, plainAnswer) }}
	g := nativeRig(t, up, "")
	for body, want := range map[string]string{
		`{"messages":[]}`: `{"messages":[],"guardrailConfig":{"guardrailIdentifier":"gr-own","guardrailVersion":"1"}}`,
		`{}`:              `{"guardrailConfig":{"guardrailIdentifier":"gr-own","guardrailVersion":"1"}}`,
		`{"guardrailConfig":{"guardrailIdentifier":"mine"},"a": 1}`: `{"guardrailConfig":{"guardrailIdentifier":"gr-own","guardrailVersion":"1"},"a": 1}`,
		`{ "a" : 1 , "guardrailConfig" : {} }`:                      `{ "a" : 1 , "guardrailConfig" : {"guardrailIdentifier":"gr-own","guardrailVersion":"1"} }`,
	} {
		if resp, answer := g.send(http.MethodPost, "/bedrock/model/guarded/converse", body, bearer(testKey)); resp.StatusCode != 200 || string(up.body) != want {
			t.Errorf("%s: %d %s, upstream %s", body, resp.StatusCode, answer, up.body)
		}
	}
	header := bearer(testKey)
	header.Set("X-Amzn-Bedrock-Guardrailidentifier", "mine")
	header.Set("X-Amzn-Bedrock-Guardrailversion", "DRAFT")
	if resp, _ := g.send(http.MethodPost, "/bedrock/model/guarded/invoke", `{ }`, header); resp.StatusCode != 200 || up.header.Get("X-Amzn-Bedrock-Guardrailidentifier") != "gr-own" ||
		up.header.Get("X-Amzn-Bedrock-Guardrailversion") != "1" || string(up.body) != `{ }` {
		t.Errorf("%d %v %s", resp.StatusCode, up.header, up.body)
	}
}

// TestNativeStreams relays the bytes of frames however they are cut, broken ones, too, and counts beside that.
func TestNativeStreams(t *testing.T) {
	var frames bytes.Buffer
	writeFrames(t, &frames, `messageStart {"role":"assistant"}`+"\n"+strings.Repeat(`contentBlockDelta {"contentBlockIndex":0,"delta":{"text":"hello"},"p":"abc"}`+"\n", 50)+
		`metadata {"usage":{"inputTokens":7,"outputTokens":9,"totalTokens":16,"cacheWriteInputTokens":30,"cacheDetails":[{"ttl":"1h","inputTokens":30}]}}`+"\n")
	var chunks bytes.Buffer
	writeFrames(t, &chunks, `chunk {"type":"message_stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":11,"outputTokenCount":4}}`+"\n")
	broken := bytes.Clone(frames.Bytes())
	broken[40] ^= 1
	for _, c := range []struct {
		name, operation string
		stream          []byte
		input, output   int64
		estimated       bool
	}{
		{"converse", "converse-stream", frames.Bytes(), 7, 9, false},
		{"invoke", "invoke-with-response-stream", chunks.Bytes(), 11, 4, false},
		{"a frame with a wrong checksum", "converse-stream", broken, 0, 0, true},
	} {
		up := &wireUp{do: func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/vnd.amazon.eventstream")
			w.Header().Set("X-Amzn-Bedrock-Content-Type", "application/json")
			for rest := c.stream; len(rest) > 0; {
				n := min(len(rest), 1+rand.IntN(400))
				_, _ = w.Write(rest[:n])
				w.(http.Flusher).Flush()
				rest = rest[n:]
			}
		}}
		g := nativeRig(t, up, "")
		for range 340 { // a thousand in all
			resp, body := g.send(http.MethodPost, "/bedrock/model/my-model/"+c.operation, `{}`, bearer(testKey))
			if resp.StatusCode != 200 || body != string(c.stream) || resp.Header.Get("Content-Type") != "application/vnd.amazon.eventstream" || resp.Header.Get("X-Amzn-Bedrock-Content-Type") != "application/json" {
				t.Fatalf("%s: %d %v, %d bytes of %d", c.name, resp.StatusCode, resp.Header, len(body), len(c.stream))
			}
			r := g.books.next(t)
			if !c.estimated && (r.Usage.Input != c.input || r.Usage.Output != c.output || r.Usage.Estimated) || c.estimated != r.Usage.Estimated || !r.Stream {
				t.Fatalf("%s: %+v", c.name, r.Usage)
			}
			if c.operation == "converse-stream" && !c.estimated && r.Usage.CacheWrite1h != 30 {
				t.Fatalf("%+v", r.Usage)
			}
		}
	}
}

// TestNativeStreamThatBreaks ends in a broken connection.
func TestNativeStreamThatBreaks(t *testing.T) {
	var frames bytes.Buffer
	writeFrames(t, &frames, `messageStart {"role":"assistant"}`+"\n")
	up := &wireUp{do: func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "application/vnd.amazon.eventstream")
		_, _ = w.Write(frames.Bytes()[:frames.Len()-3])
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}}
	g := nativeRig(t, up, "")
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, g.url+"/bedrock/model/my-model/converse-stream", strings.NewReader(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = bearer(testKey)
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err == nil || !bytes.Equal(got, frames.Bytes()[:frames.Len()-3]) {
		t.Errorf("%v after %d bytes", err, len(got))
	}
	if r := g.books.next(t); r.ErrorKind == "" || r.Status != 200 {
		t.Errorf("%+v", r)
	}
}

// TestNativeGoesElsewhere when a deployment throttles.
func TestNativeGoesElsewhere(t *testing.T) {
	b := newBedrocks(t, map[string]func(http.ResponseWriter, string){"a": throttles, "b": works})
	g := newRig(t, routes(b.url, "", "m a", "m b order: 2"), nil)
	resp, body := g.send(http.MethodPost, "/bedrock/model/m/converse", `{"messages":[]}`, bearer(testKey))
	if got := b.asked(); resp.StatusCode != 200 || body != plainAnswer || got != "a b" {
		t.Errorf("%d, asked %s: %s", resp.StatusCode, got, body)
	}
	b = newBedrocks(t, map[string]func(http.ResponseWriter, string){"a": throttles})
	g = newRig(t, routes(b.url, "", "m a"), nil)
	resp, body = g.send(http.MethodPost, "/bedrock/model/m/converse", `{"messages":[]}`, bearer(testKey))
	if got := b.asked(); resp.StatusCode != 429 || got != "a" || body != `{"message":"Too many requests"}` { // an SDK tries again itself
		t.Errorf("%d, asked %s: %s", resp.StatusCode, got, body)
	}
}

// TestNativeUsageOfFamilies reads the counts of every kind of answer, against the simulator.
func TestNativeUsageOfFamilies(t *testing.T) {
	bedrock := sim.New(sim.Options{Auth: sim.AuthOff})
	upstream, err := bedrock.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(bedrock.Close)
	g := newRig(t, fmt.Sprintf(embedding, upstream, testKey), nil)
	for _, c := range []struct{ model, operation, body string }{
		{"anthropic.claude-3-sonnet-20240229-v1:0", "invoke", `{"anthropic_version":"bedrock-2023-05-31","max_tokens":100,"messages":[{"role":"user","content":"Hi"}]}`},
		{"anthropic.claude-3-sonnet-20240229-v1:0", "invoke-with-response-stream", `{"anthropic_version":"bedrock-2023-05-31","max_tokens":100,"messages":[{"role":"user","content":"Hi"}]}`},
		{"us.amazon.nova-pro-v1:0", "converse-stream", `{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}`},
		{"us.meta.llama3-3-70b-instruct-v1:0", "invoke", `{"prompt":"Hi"}`},
		{"amazon.titan-embed-text-v2:0", "invoke", `{"inputText":"Hi"}`},
		{"amazon.nova-canvas-v1:0", "invoke", `{"taskType":"TEXT_IMAGE","textToImageParams":{"text":"Hi"},"imageGenerationConfig":{"numberOfImages":2}}`},
		{"cohere.rerank-v3-5:0", "invoke", `{"query":"a","documents":["a","b"],"api_version":2}`},
	} {
		resp, body := g.send(http.MethodPost, "/bedrock/model/"+c.model+"/"+c.operation, c.body, bearer(testKey))
		if resp.StatusCode != 200 {
			t.Errorf("%s: %d %.300s", c.model, resp.StatusCode, body)
			continue
		}
		if r := g.books.next(t); !r.CostKnown || r.Cost <= 0 || r.Usage.Estimated {
			t.Errorf("%s %s: %+v", c.model, c.operation, r)
		}
	}
	resp, body := g.send(http.MethodPost, "/bedrock/model/anthropic.claude-3-sonnet-20240229-v1:0/count-tokens", `{"input":{"converse":{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}}}`, bearer(testKey))
	if r := g.books.next(t); resp.StatusCode != 200 || !strings.Contains(body, "inputTokens") || r.Cost != 0 {
		t.Errorf("%d %s %+v", resp.StatusCode, body, r)
	}
}

// FuzzNativePath reads paths.
func FuzzNativePath(f *testing.F) {
	for _, seed := range []string{"/bedrock/model/a/invoke", "/model/a%2Fb/converse", "/bedrock/v2/model//x", "/bedrock/", "/bedrock/model/%zz/invoke", "/x", "/bedrock/agents/a%2F..", "/async-invoke/arn%3Aaws", "/bedrock/%6dodel/a/invoke", "/bedrock/sessions/"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		u, err := url.Parse(path)
		if err != nil {
			return
		}
		p, ok := nativeOf(&http.Request{URL: u})
		switch {
		case !ok || p.bad:
		case p.id != "" && (strings.Contains(p.id, "..") || p.service != "bedrock-runtime" || p.operation == ""):
			t.Errorf("%q: %+v", path, p)
		case p.id == "" && (p.service == "" || p.first() == "model" || strings.Contains(p.path(), "//") || strings.Contains(p.path()+"/", "/../")):
			t.Errorf("%q: %+v", path, p)
		}
	})
}
