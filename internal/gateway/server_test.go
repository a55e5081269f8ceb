package gateway

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/outcrop-ai/outcrop/internal/sim"
	"github.com/outcrop-ai/outcrop/internal/store/relational"
)

// upstream starts a simulator and returns it with its address.
func upstream(t *testing.T, o sim.Options) (*sim.Server, string) {
	t.Helper()
	s := sim.New(o)
	url, err := s.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s, url
}

// simConfig is a configuration in front of the simulator.
func simConfig(url, extra string) string {
	return fmt.Sprintf(`model_list:
  - model_name: claude
    litellm_params: &params
      model: bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0
      aws_access_key_id: %s
      aws_secret_access_key: %s
      aws_region_name: us-east-1
      aws_bedrock_runtime_endpoint: %s
  - model_name: bedrock/*
    litellm_params:
      <<: *params
      model: bedrock/*
%s`, sim.AccessKeyID, sim.SecretAccessKey, url, extra)
}

const withKey = "general_settings:\n  master_key: " + testKey + "\n"

const hello = `{"model":"claude","messages":[{"role":"user","content":"Hello!"}]}`

// errorOf reads OpenAI's error shape, which every refusal must have.
func errorOf(t *testing.T, body string) (message, kind, param, code string) {
	t.Helper()
	var answer struct {
		Error *struct {
			Message, Type string
			Param         *string
			Code          string
		}
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil || answer.Error == nil || answer.Error.Message == "" || answer.Error.Type == "" || answer.Error.Code == "" {
		t.Fatalf("not OpenAI's error shape: %s", body)
	}
	if answer.Error.Param != nil {
		param = *answer.Error.Param
	}
	return answer.Error.Message, answer.Error.Type, param, answer.Error.Code
}

func TestEveryRouteAsksForAKeyUnlessItIsOpen(t *testing.T) {
	onBoth(t, func(t *testing.T, store *relational.Store) {
		g := newKeyRig(t, store, "", "")
		open := map[string]bool{}
		for _, r := range g.server.Routes() {
			path := strings.ReplaceAll(r.Path, "{id}", "claude")
			for _, spelling := range []string{path, "/v1" + path, "/openai/v1" + path, path + "/"} {
				if path == "/" && spelling != "/" {
					continue
				}
				for name, header := range map[string]http.Header{
					"anonymous": nil, "wrong key": bearer("sk-wrong"), "empty key": bearer(""), "no scheme": {"Authorization": {testKey}},
					"key in the wrong case": bearer(strings.ToUpper(testKey)), "key in a query": nil,
				} {
					target := spelling
					if name == "key in a query" {
						target += "?key=" + testKey + "&api_key=" + testKey
					}
					resp, body := g.send(r.Method, target, hello, header)
					if r.Access == Open {
						open[r.Path] = true
						if resp.StatusCode != http.StatusOK {
							t.Errorf("%s %s, %s: %d", r.Method, target, name, resp.StatusCode)
						}
						continue
					}
					if resp.StatusCode != http.StatusUnauthorized {
						t.Errorf("%s %s, %s: %d %s", r.Method, target, name, resp.StatusCode, body)
						continue
					}
					if strings.HasPrefix(path, "/messages") {
						if !strings.HasPrefix(body, `{"type":"error","error":{"type":"authentication_error"`) || strings.Contains(body, testKey) {
							t.Errorf("%s %s: not Anthropic's refusal: %s", r.Method, target, body)
						}
					} else if message, _, _, _ := errorOf(t, body); strings.Contains(message, testKey) {
						t.Errorf("%s %s: the refusal shows the key", r.Method, target)
					}
				}
			}
		}
		if len(open) != 3 || !open["/health/liveliness"] || !open["/health/liveness"] || !open["/health/readiness"] {
			t.Errorf("open routes: %v", open)
		}
		for _, path := range []string{"/nothing", "/v1/chat/completions/../../key/generate", "/health/readinessx", "/health", "/key/generate", "//chat/completions"} {
			if resp, body := g.send(http.MethodPost, path, hello, nil); resp.StatusCode != http.StatusUnauthorized {
				t.Errorf("%s: %d %s", path, resp.StatusCode, body)
			}
		}
	})
}

func TestKeysAreTakenFromTheirHeaders(t *testing.T) {
	_, url := upstream(t, sim.Options{})
	g := newRig(t, simConfig(url, withKey+"  litellm_key_header_name: X-Team-Key\n"), nil)
	for name, header := range map[string]http.Header{
		"bearer": bearer(testKey), "x-api-key": {"X-Api-Key": {testKey}}, "api-key": {"Api-Key": {testKey}}, "own header": {"X-Team-Key": {testKey}},
		"lower-case scheme": {"Authorization": {"bearer " + testKey}},
	} {
		if resp, body := g.send(http.MethodPost, "/v1/chat/completions", hello, header); resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %d %s", name, resp.StatusCode, body)
		}
	}
}

func TestKeysNeverReachAWS(t *testing.T) {
	bedrock, url := upstream(t, sim.Options{})
	g := newRig(t, simConfig(url, withKey+"  forward_client_headers_to_llm_api: true\n  litellm_key_header_name: X-Team-Key\n"), nil)
	for _, header := range []http.Header{bearer(testKey), {"X-Api-Key": {testKey}}, {"Api-Key": {testKey}}, {"X-Team-Key": {testKey}}, {"X-Litellm-Api-Key": {testKey}}} {
		g.send(http.MethodPost, "/v1/chat/completions", hello, header)
	}
	for _, r := range bedrock.Requests() {
		if strings.Contains(fmt.Sprint(r.Header)+string(r.Body), testKey) {
			t.Errorf("the client's key went to AWS: %v", r.Header)
		}
	}
}

func TestEverySpellingOfAPathIsServed(t *testing.T) {
	_, url := upstream(t, sim.Options{})
	g := newRig(t, simConfig(url, withKey), nil)
	for _, path := range []string{
		"/chat/completions", "/v1/chat/completions", "/openai/v1/chat/completions", "/chat/completions/", "/v1/chat/completions/",
		"/engines/claude/chat/completions", "/v1/engines/claude/chat/completions", "/openai/deployments/claude/chat/completions",
		"/openai/deployments/bedrock%2Fus.amazon.nova-pro-v1%3A0/chat/completions", "/openai/deployments/bedrock/us.amazon.nova-pro-v1:0/chat/completions",
	} {
		if resp, body := g.post(path, hello); resp.StatusCode != http.StatusOK || !strings.Contains(body, "You said: Hello!") {
			t.Errorf("%s: %d %s", path, resp.StatusCode, body)
		}
	}
	for _, path := range []string{"/completions", "/v1/completions", "/engines/claude/completions", "/openai/deployments/claude/completions"} {
		if resp, body := g.post(path, `{"model":"claude","prompt":"Hello!"}`); resp.StatusCode != http.StatusOK || !strings.Contains(body, `"text":"You said: Hello!"`) {
			t.Errorf("%s: %d %s", path, resp.StatusCode, body)
		}
	}
}

func TestUnknownPathsAndMethods(t *testing.T) {
	_, url := upstream(t, sim.Options{})
	g := newRig(t, simConfig(url, withKey), nil)
	f := func(method, path string, status int, code, allow string) {
		t.Helper()
		resp, body := g.send(method, path, "", bearer(testKey))
		if resp.StatusCode != status || resp.Header.Get("Allow") != allow {
			t.Errorf("%s %s: %d, Allow %q: %s", method, path, resp.StatusCode, resp.Header.Get("Allow"), body)
			return
		}
		if _, _, _, got := errorOf(t, body); got != code {
			t.Errorf("%s %s: code %s", method, path, got)
		}
	}
	f(http.MethodGet, "/nothing", 404, "unknown_url", "")
	f(http.MethodGet, "/v1/v1/models", 404, "unknown_url", "")
	f(http.MethodPost, "/engines/claude/images", 404, "unknown_url", "")
	f(http.MethodGet, "/v1/chat/completions", 405, "method_not_allowed", "POST")
	f(http.MethodDelete, "/models", 405, "method_not_allowed", "GET")
}

func TestLimits(t *testing.T) {
	_, url := upstream(t, sim.Options{})
	g := newRig(t, simConfig(url, withKey+"  max_request_size_mb: 0.01\n"), nil)
	large := `{"model":"claude","messages":[{"role":"user","content":"` + strings.Repeat("x", 20000) + `"}]}`
	resp, body := g.send(http.MethodPost, "/v1/chat/completions", large, nil)
	if _, _, param, code := errorOf(t, body); resp.StatusCode != 413 || param != "request_body" || code != "request_too_large" {
		t.Errorf("by its length, before a key is asked for: %d %s", resp.StatusCode, body)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, g.url+"/v1/chat/completions", io.MultiReader(strings.NewReader(large)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = bearer(testKey)
	transport := &http.Transport{DisableKeepAlives: true}
	chunked, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer chunked.Body.Close()
	if chunked.StatusCode != 413 {
		t.Errorf("in chunks: %d", chunked.StatusCode)
	}
	header := bearer(testKey)
	header.Set("Content-Encoding", "gzip")
	if resp, body := g.send(http.MethodPost, "/v1/chat/completions", hello, header); resp.StatusCode != 415 {
		t.Errorf("compressed: %d %s", resp.StatusCode, body)
	}
	deep := `{"model":"claude","messages":[{"role":"user","content":"x"}],"a":` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `}`
	resp, body = g.post("/v1/chat/completions", deep)
	if message, _, _, _ := errorOf(t, body); resp.StatusCode != 400 || !strings.Contains(message, "128 levels") {
		t.Errorf("deep: %d %s", resp.StatusCode, body)
	}
}

func TestModels(t *testing.T) {
	_, url := upstream(t, sim.Options{})
	g := newRig(t, simConfig(url, withKey+"router_settings:\n  model_group_alias:\n    gpt-4: claude\n    secret: {model: claude, hidden: true}\n"), nil)
	_, body := g.send(http.MethodGet, "/v1/models", "", bearer(testKey))
	for _, want := range []string{
		`{"id":"claude","object":"model","created":1677610602,"owned_by":"bedrock","mode":"chat","max_input_tokens":200000,`, `"id":"bedrock/us.amazon.nova-pro-v1:0"`,
		`"id":"gpt-4"`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("%s is not listed", want)
		}
	}
	for _, not := range []string{`"id":"secret"`, `bedrock/*`, "nova-reel"} {
		if strings.Contains(body, not) {
			t.Errorf("%s is listed", not)
		}
	}
	if _, body := g.send(http.MethodGet, "/models?return_wildcard_routes=true", "", bearer(testKey)); !strings.Contains(body, `"id":"bedrock/*"`) {
		t.Error("the pattern is not listed")
	}
	f := func(id string, status int) {
		t.Helper()
		resp, body := g.send(http.MethodGet, "/v1/models/"+id, "", bearer(testKey))
		if resp.StatusCode != status {
			t.Errorf("%s: %d %s", id, resp.StatusCode, body)
		}
	}
	f("claude", 200)
	f("gpt-4", 200)
	f("secret", 200)
	f("us.amazon.nova-pro-v1%3A0", 200)
	f("bedrock/us.amazon.nova-pro-v1:0", 200)
	f("nope", 404)
	for _, model := range []string{"gpt-4", "secret", "us.amazon.nova-pro-v1:0", "bedrock/us.amazon.nova-pro-v1:0"} {
		resp, body := g.post("/v1/chat/completions", `{"model":"`+model+`","messages":[{"role":"user","content":"hi"}]}`)
		if resp.StatusCode != 200 || !strings.Contains(body, `"model":"`+model+`"`) {
			t.Errorf("%s: %d %s", model, resp.StatusCode, body)
		}
	}
}

func TestModelInfoShowsNoSecret(t *testing.T) {
	_, url := upstream(t, sim.Options{})
	g := newRig(t, simConfig(url, withKey), nil)
	resp, body := g.send(http.MethodGet, "/model/info", "", bearer(testKey))
	if resp.StatusCode != 200 {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	for _, want := range []string{`"model_name":"claude"`, `"aws_region_name":"us-east-1"`, `"input_cost_per_token":0.0000033`, `"max_input_tokens":200000`} {
		if !strings.Contains(body, want) {
			t.Errorf("%s is not in %s", want, body)
		}
	}
	for _, s := range []string{sim.SecretAccessKey, sim.AccessKeyID, testKey} {
		if strings.Contains(body, s) {
			t.Errorf("shows %s", s)
		}
	}
	if resp, _ := g.send(http.MethodGet, "/model/info?litellm_model_id=nope", "", bearer(testKey)); resp.StatusCode != 404 {
		t.Errorf("an unknown id: %d", resp.StatusCode)
	}
}

func TestAdminRoutesStayClosedWithoutARealKey(t *testing.T) {
	_, url := upstream(t, sim.Options{})
	for name, settings := range map[string]string{"no key": "", "a known key": "general_settings:\n  master_key: sk-1234\n"} {
		g := newRig(t, simConfig(url, settings), nil)
		if resp, body := g.send(http.MethodGet, "/model/info", "", bearer("sk-1234")); resp.StatusCode != 403 {
			t.Errorf("%s: %d %s", name, resp.StatusCode, body)
		}
		if resp, body := g.send(http.MethodPost, "/chat/completions", hello, bearer("sk-1234")); resp.StatusCode != 200 {
			t.Errorf("%s: chat: %d %s", name, resp.StatusCode, body)
		}
	}
}

func TestHealth(t *testing.T) {
	g := newRig(t, simConfig("http://127.0.0.1:1", withKey), nil)
	f := func(path string, status int, want string) {
		t.Helper()
		if resp, body := g.send(http.MethodGet, path, "", nil); resp.StatusCode != status || body != want {
			t.Errorf("%s: %d %s", path, resp.StatusCode, body)
		}
	}
	f("/health/liveliness", 200, `"I'm alive!"`)
	f("/health/liveness", 200, `"I'm alive!"`)
	f("/health/readiness", 200, `{"status":"healthy","db":"Not connected"}`)
	g.server.Drain()
	f("/health/readiness", 503, `{"status":"draining","db":"Not connected"}`)
	f("/health/liveliness", 200, `"I'm alive!"`)
	if resp, body := g.send(http.MethodHead, "/health/liveliness", "", nil); resp.StatusCode != 200 || body != "" {
		t.Errorf("HEAD: %d %q", resp.StatusCode, body)
	}
	if resp, body := g.send(http.MethodGet, "/", "", bearer(testKey)); resp.StatusCode != 200 || !strings.Contains(body, "/v1/chat/completions") || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") {
		t.Errorf("/: %d %s", resp.StatusCode, body)
	}
}

func TestUnreachableUpstream(t *testing.T) {
	g := newRig(t, simConfig("http://127.0.0.1:1", withKey), nil)
	resp, body := g.post("/v1/chat/completions", hello)
	message, kind, _, _ := errorOf(t, body)
	if resp.StatusCode != 502 || kind != "internal_server_error" || strings.Contains(message, "127.0.0.1") || resp.Header.Get("X-Should-Retry") != "true" {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

func TestPanicIsAnError(t *testing.T) {
	g := newRig(t, simConfig("http://127.0.0.1:1", withKey), nil)
	g.server.routes["/models"][http.MethodGet] = &Route{serve: func(*Server, *exchange) { panic("boom") }}
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "/models", nil)
	r.Header = bearer(testKey)
	g.server.ServeHTTP(w, r)
	if message, _, _, _ := errorOf(t, w.Body.String()); w.Code != 500 || message != "internal error" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestOneLineAndOneRecordForEachRequest(t *testing.T) {
	_, url := upstream(t, sim.Options{})
	g := newRig(t, simConfig(url, withKey), nil)
	f := func(body string, status int, kind, source string, priced bool) {
		t.Helper()
		g.post("/v1/chat/completions", body)
		r := g.books.next(t)
		if r.Status != status || r.ErrorKind != kind || r.UsageSource.String() != source || r.CostKnown != priced || r.Asked != "claude" && status == 200 {
			t.Errorf("%s: %+v", body, r)
		}
	}
	f(hello, 200, "", "aws", true)
	f(strings.Replace(hello, `"model"`, `"stream":true,"model"`, 1), 200, "", "aws", true)
	f(`{"model":"claude"}`, 400, "invalid_request", "none", false)
	f(`{"model":"nope","messages":[{"role":"user","content":"x"}]}`, 404, "not_found", "none", false)
	f(`{"model":"claude","messages":[{"role":"user","content":"[[fault:throttle]]"}]}`, 429, "rate_limit", "none", false)
	if n := strings.Count(g.logs.String(), "msg=request "); n != 5 {
		t.Errorf("%d log lines for 5 requests", n)
	}
}

// FuzzGateway sends any body through the whole gateway: it is answered, or refused by the name of the field that is at
// fault. The golden cases are among its seeds.
func FuzzGateway(f *testing.F) {
	for _, seed := range []string{
		hello, `{`, `[]`, `{"model":"claude","messages":[{"role":"tool","content":"x"}]}`, `{"model":"claude","messages":[{"role":"user","content":[{"type":"image_url","image_url":"x"}]}],"tools":[{}]}`,
		`{"model":"bedrock/x.y","messages":[{"role":"assistant","content":"a"}],"stream":true,"stop":[1]}`,
	} {
		f.Add([]byte(seed), false)
	}
	f.Add([]byte(`{"model":"claude","prompt":["x"],"stream":true}`), true)
	for seed := range uint64(20) {
		k := newTalk(seed, manyModels[0])
		f.Add([]byte(strings.Replace(k.body(len(k.messages)), `"sonnet"`, `"claude"`, 1)), false)
	}
	files, err := filepath.Glob("testdata/golden/*/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, section := range archive.Files {
			if section.Name == "request" {
				f.Add(bytes.ReplaceAll(section.Data, []byte(`"sonnet"`), []byte(`"claude"`)), strings.Contains(file, "/completions/"))
			}
		}
	}
	answers := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, plainAnswer)
	}))
	f.Cleanup(answers.Close)
	g := newRig(f, simConfig(answers.URL, withKey), nil)
	f.Fuzz(func(t *testing.T, body []byte, text bool) {
		path := "/v1/chat/completions"
		if text {
			path = "/v1/completions"
		}
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodPost, path, bytes.NewReader(body))
		r.Header = bearer(testKey)
		g.server.ServeHTTP(w, r)
		switch {
		case w.Code == 200 && strings.HasPrefix(w.Header().Get("Content-Type"), "text/event-stream"):
			if !strings.HasSuffix(w.Body.String(), "data: [DONE]\n\n") {
				t.Fatalf("%q: the stream does not end: %s", body, w.Body)
			}
		case w.Code == 200:
			if !json.Valid(w.Body.Bytes()) {
				t.Fatalf("%q: no JSON: %s", body, w.Body)
			}
		case w.Code >= 500:
			t.Fatalf("%q: %d %s", body, w.Code, w.Body)
		default:
			if _, _, param, _ := errorOf(t, w.Body.String()); param == "" {
				t.Fatalf("%q: %d names no field: %s", body, w.Code, w.Body)
			}
		}
	})
}
