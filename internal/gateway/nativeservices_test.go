package gateway

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// serviceUps is an upstream that tells the services apart by the base of their paths, and notes what came.
type serviceUps struct {
	mu   sync.Mutex
	last struct {
		service, path, method, query string
		header                       http.Header
		body                         string
	}
	calls int
	do    func(w http.ResponseWriter, path string)
	url   string
}

func (u *serviceUps) got() (service, path string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.last.service, u.last.path
}

const ownKey = "aws_access_key_id: AKIDEXAMPLE, aws_secret_access_key: s, aws_region_name: us-east-1"

// servicesRig is a gateway with a model and, as pass-through credential, an entry whose services are told apart.
func servicesRig(t *testing.T, identity, general string) (*rig, *serviceUps) {
	t.Helper()
	up := &serviceUps{do: func(w http.ResponseWriter, _ string) { _, _ = io.WriteString(w, "{}") }}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		service, path, _ := strings.Cut(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
		up.mu.Lock()
		up.calls++
		up.last.service, up.last.path, up.last.method, up.last.query = service, "/"+path, r.Method, r.URL.RawQuery
		up.last.header, up.last.body = r.Header.Clone(), string(body)
		up.mu.Unlock()
		up.do(w, "/"+path)
	}))
	t.Cleanup(server.Close)
	up.url = server.URL
	endpoints := fmt.Sprintf("aws_bedrock_runtime_endpoint: %[1]s/bedrock-runtime, aws_bedrock_agent_runtime_endpoint: %[1]s/bedrock-agent-runtime, aws_bedrock_control_plane_endpoint: %[1]s/bedrock", server.URL)
	return newRig(t, fmt.Sprintf(`
model_list:
  - {model_name: m, litellm_params: {model: bedrock/us.anthropic.claude-3-5-sonnet-20240620-v1:0, %[1]s, %[2]s}}
  - {model_name: ranks, litellm_params: {model: bedrock/cohere.rerank-v3-5:0, %[1]s, %[2]s}}
  - {model_name: film, litellm_params: {model: bedrock/amazon.nova-reel-v1:1, %[1]s, %[2]s}}
  - {model_name: gpt, litellm_params: {model: bedrock/openai.gpt-oss-120b-1:0, %[1]s, %[2]s}}
  - {model_name: 'bedrock/amazon.*', litellm_params: {model: 'bedrock/amazon.*', %[1]s, %[2]s}}
credential_list:
  - {credential_name: relays, credential_values: {%[3]s, %[2]s}}
general_settings: {master_key: %[4]s, bedrock_passthrough_credential: relays, %[5]s}
`, ownKey, endpoints, identity, testKey, general), nil), up
}

var label = regexp.MustCompile(`\{[^}]*\}`)

// TestNativeOperations sends every operation of AWS's service models to the service that has it, below /bedrock and, where
// it is signed as boto3 does, at the root.
func TestNativeOperations(t *testing.T) {
	g, up := servicesRig(t, ownKey, "")
	f, err := os.Open("testdata/operations.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	signed := http.Header{"Authorization": {"AWS4-HMAC-SHA256 Credential=" + testKey + "/20260801/us-east-1/bedrock/aws4_request, SignedHeaders=host, Signature=0"}}
	n := 0
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if fields[0] == "#" {
			continue
		}
		n++
		service, operation, method, template := fields[0], fields[1], fields[2], fields[3]
		path := label.ReplaceAllString(template, "m")
		if operation == "GetAsyncInvoke" {
			path = strings.ReplaceAll(template, "{invocationArn}", "arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Aasync-invoke%2Fx")
		}
		for _, prefix := range []string{"/bedrock", "/bedrock/v2", ""} {
			up.last.service, up.last.path = "", ""
			resp, body := g.send(method, prefix+path, "", signed)
			want := strings.Replace(strings.TrimSuffix(path, "/"), "/model/m/", "/model/us.anthropic.claude-3-5-sonnet-20240620-v1%3A0/", 1)
			if operation == "CountTokens" {
				want = strings.Replace(want, "us.", "", 1)
			}
			if operation == "InvokeModelWithBidirectionalStream" {
				if resp.StatusCode != http.StatusNotImplemented || resp.Header.Get("X-Amzn-Errortype") != "UnknownOperationException" {
					t.Errorf("%s %s: %d %s", operation, prefix+path, resp.StatusCode, body)
				}
				continue
			}
			if prefix == "" && strings.HasPrefix(path, "/v1/") { // /v1/… is OpenAI's
				continue
			}
			got, at := up.got()
			if resp.StatusCode != 200 || got != service || strings.TrimSuffix(at, "/") != want || up.last.method != method {
				t.Errorf("%s %s %s: %d, %s%s: %s", operation, method, prefix+path, resp.StatusCode, got, at, body)
			}
			if !strings.Contains(up.last.header.Get("Authorization"), "Credential=AKIDEXAMPLE/") {
				t.Errorf("%s: %s", operation, up.last.header.Get("Authorization"))
			}
		}
	}
	if n < 150 {
		t.Errorf("%d operations", n)
	}
}

// TestNativeAtTheRoot leaves the gateway's own paths alone.
func TestNativeAtTheRoot(t *testing.T) {
	g, up := servicesRig(t, ownKey, "")
	f := func(path, want string) {
		t.Helper()
		up.last.service = ""
		g.send(http.MethodPost, path, `{"model":"m","query":"q","documents":["a"]}`, bearer(testKey))
		if got, _ := up.got(); got != want {
			t.Errorf("%s went to %q, want %q", path, got, want)
		}
	}
	f("/knowledgebases/kb/retrieve", "bedrock-agent-runtime")
	f("/retrieveAndGenerate", "bedrock-agent-runtime")
	f("/guardrail/g/version/1/apply", "bedrock-runtime")
	f("/foundation-models", "bedrock")
	f("/agents/session", "") // without a signature it may be LiteLLM's
	f("/guardrails", "")
	f("/model/info", "")
	f("/something", "")
}

// TestNativeUnknownPaths guesses by the SDK that asks.
func TestNativeUnknownPaths(t *testing.T) {
	g, up := servicesRig(t, ownKey, "")
	f := func(agent, want string) {
		t.Helper()
		header := bearer(testKey)
		header.Set("User-Agent", agent)
		resp, body := g.send(http.MethodPut, "/bedrock/new/thing?b=2&a=%20x", "{}", header)
		if got, path := up.got(); resp.StatusCode != 200 || got != want || path != "/new/thing" || up.last.query != "b=2&a=%20x" {
			t.Errorf("%s: %d, %s%s?%s: %s", agent, resp.StatusCode, got, path, up.last.query, body)
		}
	}
	f("curl/8", "bedrock-runtime")
	f("Boto3/1.44.5 md/Botocore#1.44.5", "bedrock-runtime")
	f("aws-sdk-js/3.9 ua/2.1 os/linux lang/js api/bedrock-agent-runtime#3.9", "bedrock-agent-runtime")
	f("aws-sdk-go-v2/1.3 api/bedrockagentruntime#1.2", "bedrock-agent-runtime")
	f("aws-sdk-go-v2/1.3 api/bedrock#1.2", "bedrock")
}

// TestNativeRights closes what is for administrators, and what is switched off.
func TestNativeRights(t *testing.T) {
	f := func(g *rig, up *serviceUps, method, path string, status int, exception string) {
		t.Helper()
		before := up.calls
		resp, body := g.send(method, path, "", bearer(testKey))
		if resp.StatusCode != status || resp.Header.Get("X-Amzn-Errortype") != exception || (up.calls > before) != (status == 200) {
			t.Errorf("%s %s: %d %s: %s", method, path, resp.StatusCode, resp.Header.Get("X-Amzn-Errortype"), body)
		}
	}
	g, up := servicesRig(t, ownKey, "disable_bedrock_agent_runtime_passthrough: true")
	f(g, up, http.MethodPost, "/bedrock/rerank", 403, "AccessDeniedException")
	f(g, up, http.MethodPost, "/bedrock/agents/a/agentAliases/b/sessions/c/text", 403, "AccessDeniedException")
	f(g, up, http.MethodGet, "/bedrock/foundation-models", 200, "")
	f(g, up, http.MethodPost, "/bedrock/guardrail/g/version/1/apply", 200, "")
	// A key that everybody knows makes nobody an administrator.
	weak := newRig(t, strings.ReplaceAll(`
model_list: [{model_name: m, litellm_params: {model: bedrock/anthropic.claude-3-haiku-20240307-v1:0, `+ownKey+`, aws_bedrock_control_plane_endpoint: URL}}]
general_settings: {master_key: sk-1234, bedrock_passthrough_credential: m}`, "URL", up.url), nil)
	resp, _ := weak.send(http.MethodGet, "/bedrock/foundation-models", "", bearer("sk-1234"))
	if resp.StatusCode != 403 || resp.Header.Get("X-Amzn-Errortype") != "AccessDeniedException" {
		t.Errorf("%d %v", resp.StatusCode, resp.Header)
	}
}

// TestNativeRegion follows the ARN, the administrator's header, and the client's signature where that is trusted.
func TestNativeRegion(t *testing.T) {
	signed := func(more ...string) http.Header {
		h := http.Header{"Authorization": {"AWS4-HMAC-SHA256 Credential=Bearer " + testKey + "/20260801/eu-west-3/bedrock/aws4_request, SignedHeaders=host, Signature=0"}}
		for i := 0; i < len(more); i += 2 {
			h.Set(more[i], more[i+1])
		}
		return h
	}
	f := func(g *rig, up *serviceUps, path, want string, header http.Header) {
		t.Helper()
		resp, body := g.send(http.MethodPost, path, "{}", header)
		_, scope, _ := strings.Cut(up.last.header.Get("Authorization"), "AKIDEXAMPLE/")
		if resp.StatusCode != 200 || !strings.Contains(scope, "/"+want+"/") || resp.Header.Get("X-Litellm-Model-Region") != want {
			t.Errorf("%s: %d %s %s: %s", path, resp.StatusCode, scope, resp.Header.Get("X-Litellm-Model-Region"), body)
		}
	}
	g, up := servicesRig(t, ownKey, "")
	f(g, up, "/bedrock/guardrail/g/version/1/apply", "us-east-1", signed())
	f(g, up, "/bedrock/guardrail/arn%3Aaws%3Abedrock%3Aus-west-2%3A123456789012%3Aguardrail%2Fabc/version/1/apply", "us-west-2", signed())
	f(g, up, "/bedrock/retrieveAndGenerate", "sa-east-1", signed("X-Outcrop-Region", "sa-east-1"))
	resp, _ := g.send(http.MethodPost, "/bedrock/retrieveAndGenerate", "{}", signed("X-Outcrop-Region", "evil.example/"))
	if resp.StatusCode != 400 {
		t.Errorf("%d", resp.StatusCode)
	}
	g, up = servicesRig(t, ownKey, "trust_client_region: true, bedrock_passthrough_unlisted: true")
	f(g, up, "/bedrock/retrieveAndGenerate", "eu-west-3", signed())
	f(g, up, "/bedrock/model/writer.palmyra-x5-v1:0/invoke", "eu-west-3", signed())
	f(g, up, "/bedrock/model/arn:aws:bedrock:ap-south-1:123456789012:imported-model%2Fabc/invoke", "ap-south-1", signed())
	f(g, up, "/bedrock/model/m/converse", "us-east-1", signed()) // a deployment has its own
}

// TestNativeUnlisted relays models that no name is for where the configuration allows it.
func TestNativeUnlisted(t *testing.T) {
	f := func(general, id string, status int, upstream string) {
		t.Helper()
		g, up := servicesRig(t, ownKey, general)
		resp, body := g.send(http.MethodPost, "/bedrock/model/"+id+"/invoke", "{}", bearer(testKey))
		if _, path := up.got(); resp.StatusCode != status || path != upstream {
			t.Errorf("%s: %d %s: %s", id, resp.StatusCode, path, body)
		}
		if status == 404 && (resp.Header.Get("X-Amzn-Errortype") != "ResourceNotFoundException" || !strings.Contains(body, "ranks")) {
			t.Errorf("%s: %v %s", id, resp.Header, body)
		}
	}
	const allow = "bedrock_passthrough_unlisted: true"
	f("", "a-vendor.of-tomorrow-v1:0", 404, "")
	f(allow, "a-vendor.of-tomorrow-v1:0", 200, "/model/a-vendor.of-tomorrow-v1%3A0/invoke")
	f(allow, "a-vendor.of-tomorrow-v1%3A0", 200, "/model/a-vendor.of-tomorrow-v1%3A0/invoke")
	f(allow, "arn:aws:bedrock:us-east-1:123456789012:prompt/ABC:1", 200, "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Aprompt%2FABC%3A1/invoke")
	f(allow, "arn%3Aaws%3Asagemaker%3Aus-east-1%3A123456789012%3Aendpoint%2Fx", 200, "/model/arn%3Aaws%3Asagemaker%3Aus-east-1%3A123456789012%3Aendpoint%2Fx/invoke")
	// A wildcard serves what it matches, known or not.
	f("", "amazon.of-tomorrow-v9:0", 200, "/model/amazon.of-tomorrow-v9%3A0/invoke")
	f("", "amazon.nova-reel-v1:1", 200, "/model/amazon.nova-reel-v1%3A1/invoke")
}

// TestNativeModelsInBodies replaces the name of a model in a body by the deployment's id, and nothing else.
func TestNativeModelsInBodies(t *testing.T) {
	g, up := servicesRig(t, ownKey, "")
	f := func(path, body, service, want string) {
		t.Helper()
		resp, answer := g.send(http.MethodPost, path, body, bearer(testKey))
		if got, _ := up.got(); resp.StatusCode != 200 || got != service || up.last.body != want {
			t.Errorf("%s: %d %s, upstream %s: %s", path, resp.StatusCode, answer, got, up.last.body)
		}
		if r := g.books.next(t); r.Type != "allm_passthrough_route" {
			t.Errorf("%s: %s", path, r.Type)
		}
	}
	f("/bedrock/openai/v1/chat/completions", "{ \"messages\":[ ],\n\"model\" : \"gpt\" ,\"x\":1.0}", "bedrock-runtime", "{ \"messages\":[ ],\n\"model\" : \"openai.gpt-oss-120b-1:0\" ,\"x\":1.0}")
	f("/bedrock/anthropic/v1/messages", `{"mod\u0065l":"m","max_tokens":1}`, "bedrock-runtime", `{"mod\u0065l":"us.anthropic.claude-3-5-sonnet-20240620-v1:0","max_tokens":1}`)
	f("/bedrock/async-invoke", `{"modelId":"film"}`, "bedrock-runtime", `{"modelId":"amazon.nova-reel-v1:1"}`)
	f("/bedrock/async-invoke", `{ "modelId":"amazon.nova-reel-v1:0"}`, "bedrock-runtime", `{ "modelId":"amazon.nova-reel-v1:0"}`)
	const ranking = `{"queries":[],"sources":[],"rerankingConfiguration":{"type":"BEDROCK_RERANKING_MODEL","bedrockRerankingConfiguration":{"modelConfiguration":{"modelArn":"%s"}}}}`
	f("/bedrock/rerank", fmt.Sprintf(ranking, "ranks"), "bedrock-agent-runtime", fmt.Sprintf(ranking, "arn:aws:bedrock:us-east-1::foundation-model/cohere.rerank-v3-5:0"))
	for body, exception := range map[string]string{
		`{"model":"nobody"}`:          "ResourceNotFoundException",
		`{"model":"m","model":"gpt"}`: "ValidationException",
		`{"model":"m"`:                "ValidationException",
	} {
		resp, answer := g.send(http.MethodPost, "/bedrock/openai/v1/chat/completions", body, bearer(testKey))
		if resp.Header.Get("X-Amzn-Errortype") != exception {
			t.Errorf("%s: %d %s %s", body, resp.StatusCode, resp.Header.Get("X-Amzn-Errortype"), answer)
		}
	}
	arn := fmt.Sprintf(ranking, "arn:aws:bedrock:us-west-2::foundation-model/amazon.rerank-v1:0")
	if resp, answer := g.send(http.MethodPost, "/bedrock/rerank", arn, bearer(testKey)); resp.StatusCode != 404 {
		t.Errorf("%d %s", resp.StatusCode, answer)
	}
	// A request without a model is none of a model's.
	if resp, _ := g.send(http.MethodGet, "/bedrock/openai/v1/models", "", bearer(testKey)); resp.StatusCode != 200 || up.last.method != http.MethodGet {
		t.Errorf("%d %s", resp.StatusCode, up.last.method)
	}
	g, up = servicesRig(t, ownKey, "bedrock_passthrough_unlisted: true")
	f("/bedrock/rerank", arn, "bedrock-agent-runtime", arn)
	if !strings.Contains(up.last.header.Get("Authorization"), "/us-west-2/") {
		t.Errorf("%v", up.last.header)
	}
}

// TestNativeIdentities signs for bedrock-agent-runtime, which knows no keys, where there are credentials for it.
func TestNativeIdentities(t *testing.T) {
	g, up := servicesRig(t, "api_key: ABSKkey, aws_region_name: us-east-1", "")
	resp, body := g.send(http.MethodPost, "/bedrock/guardrail/g/version/1/apply", "{}", bearer(testKey))
	if resp.StatusCode != 200 || up.last.header.Get("Authorization") != "Bearer ABSKkey" {
		t.Errorf("%d %s %v", resp.StatusCode, body, up.last.header)
	}
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	if resp, body = g.send(http.MethodPost, "/bedrock/retrieveAndGenerate", "{}", bearer(testKey)); resp.StatusCode != 200 || up.last.header.Get("Authorization") != "Bearer ABSKkey" {
		t.Errorf("%d %s %v", resp.StatusCode, body, up.last.header)
	}
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDENVIRONMENT")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "s")
	g, up = servicesRig(t, "api_key: ABSKkey, aws_region_name: us-east-1", "")
	if resp, body = g.send(http.MethodPost, "/bedrock/retrieveAndGenerate", "{}", bearer(testKey)); resp.StatusCode != 200 || !strings.Contains(up.last.header.Get("Authorization"), "Credential=AKIDENVIRONMENT/") {
		t.Errorf("%d %s %v", resp.StatusCode, body, up.last.header)
	}
}

// TestNativeWithoutCredentials says what is missing.
func TestNativeWithoutCredentials(t *testing.T) {
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	g := newRig(t, `
model_list: [{model_name: m, litellm_params: {model: bedrock/anthropic.claude-3-haiku-20240307-v1:0, `+ownKey+`}}]
general_settings: {master_key: `+testKey+`}`, nil)
	resp, body := g.send(http.MethodPost, "/bedrock/retrieveAndGenerate", "{}", bearer(testKey))
	if resp.StatusCode != 503 || resp.Header.Get("X-Amzn-Errortype") != "ServiceUnavailableException" || !strings.Contains(body, "bedrock_passthrough_credential") {
		t.Errorf("%d %s: %s", resp.StatusCode, resp.Header.Get("X-Amzn-Errortype"), body)
	}
}
