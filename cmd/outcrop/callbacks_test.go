package main

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A gateway with every callback tells each of them of a call before it ends, and tells none a secret.
func TestCallbacksOfARunningGateway(t *testing.T) {
	const key, canary = "sk-5c1e9b7d20a84f36", "c4n4ry5ecret"
	got := make(chan string, 100)
	sink := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Content-Encoding") == "gzip" {
			plain, err := gzip.NewReader(r.Body)
			if err != nil {
				t.Error(err)
				return
			}
			r.Body = plain
		}
		body, _ := io.ReadAll(r.Body)
		got <- r.Method + " " + r.URL.Path + "\n" + string(body)
	}))
	defer sink.Close()
	dir := t.TempDir()
	config := serveConfig(simulated(t), key, "") + `
litellm_settings:
  callbacks: [generic_api, langfuse, file, mine, langfuse_otel, silent]
  success_callback: [s3_v2, datadog]
  generic_logger_headers: {X-Token: ` + canary + `}
  file_callback_params: {path: ` + filepath.Join(dir, "calls.jsonl") + `}
  s3_callback_params: {s3_bucket_name: logs, s3_region_name: us-east-1, s3_endpoint_url: "` + sink.URL + `", s3_aws_access_key_id: AKIDEXAMPLE, s3_aws_secret_access_key: ` + canary + `}
callback_settings:
  mine: {callback_type: generic_api, endpoint: "` + sink.URL + `/mine?token=` + canary + `", log_format: single}
  silent: {callback_type: generic_api, endpoint: "` + sink.URL + `/silent", message_logging: false}
`
	p, address := running(t, map[string]string{
		"GENERIC_LOGGER_ENDPOINT": sink.URL + "/hook", "LANGFUSE_HOST": sink.URL, "LANGFUSE_PUBLIC_KEY": "pk", "LANGFUSE_SECRET_KEY": canary,
		"DD_API_KEY": canary, "DD_SITE": "datadoghq.com", "DD_BASE_URL": sink.URL,
	}, "--config", write(t, config), "--host", "127.0.0.1")
	body := `{"model":"m","metadata":{"trace_name":"mine"},"messages":[{"role":"user","content":"Hello!"}],"user":"alice"}`
	if status, text := post(t, address, key, body); status != 200 {
		t.Fatalf("%d %s", status, text)
	}
	p.end(t)
	close(got)
	seen := map[string]string{}
	for text := range got {
		if strings.Contains(text, canary) || strings.Contains(text, key) {
			t.Errorf("a secret is told: %s", text)
		}
		head, body, _ := strings.Cut(text, "\n")
		if strings.HasPrefix(head, "PUT /logs/") {
			head = "PUT"
		}
		seen[head] = body
	}
	file, err := os.ReadFile(filepath.Join(dir, "calls.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(file), canary) || strings.Contains(string(file), key) || strings.Contains(p.err.text(), canary) {
		t.Error("a secret is written")
	}
	seen["file"] = string(file)
	if text := seen["POST /silent"]; !json.Valid([]byte(text)) || strings.Contains(text, "Hello!") || !strings.Contains(text, "redacted-by-litellm") {
		t.Errorf("what was said is told: %s", text)
	}
	if text := seen["POST /api/public/otel/v1/traces"]; !strings.Contains(text, "langfuse.observation.input") || !strings.Contains(text, "Hello!") {
		t.Errorf("Langfuse got the span %q", text)
	}
	for _, head := range []string{"POST /hook", "POST /api/public/ingestion", "PUT", "file", "POST /mine", "POST /api/v2/logs"} {
		if text := seen[head]; !json.Valid([]byte(text)) || !strings.Contains(text, "Hello!") || !strings.Contains(text, "alice") {
			t.Errorf("%s: got %s", head, text)
		}
	}
}

func TestCheckNamesCallbacksThatCannotBeUsed(t *testing.T) {
	config := serveConfig("http://127.0.0.1:1", "sk-5c1e9b7d20a84f36", "") + `
litellm_settings: {callbacks: [generic_api, langfuse, s3_v2]}
`
	p := start(t, nil, "check", "--config", write(t, config))
	<-p.code
	for _, want := range []string{
		"warning: the callback generic_api cannot be used: the variable GENERIC_LOGGER_ENDPOINT is not set",
		"warning: the callback langfuse cannot be used: the variable LANGFUSE_PUBLIC_KEY is not set",
		"warning: the callback s3_v2 cannot be used: s3_callback_params.s3_bucket_name is not set",
	} {
		if !strings.Contains(p.out.text(), want) {
			t.Errorf("no line %q in %s", want, p.out.text())
		}
	}
}
