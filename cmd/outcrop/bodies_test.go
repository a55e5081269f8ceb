package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/outcrop-ai/outcrop/internal/sim"
	"github.com/outcrop-ai/outcrop/test/databases"
)

// TestBodiesAreKeptWhereTheConfigurationSaysSo: what was said is in the database, apart from rows, and shown with a call that
// is asked for by its id; streams are put together, images are left out, and without the setting nothing is kept.
func TestBodiesAreKeptWhereTheConfigurationSaysSo(t *testing.T) {
	databases.Each(t, func(t *testing.T, d databases.Database) {
		const key, canary = "sk-5c1e9b7d20a84f36", "c4n4ry5ecret"
		config := serveConfig(simulated(t), key, "")
		body := func(stream, content string) string {
			return `{"model":"m","temperature":0.5,"metadata":{"api_key":"` + canary + `"},"stream":` + stream + `,"messages":[{"role":"user","content":` + content + `}]}`
		}
		p, address := runningOn(t, d, map[string]string{"MAX_STRING_LENGTH_PROMPT_IN_DB": "400"}, "--config", write(t, config+"  store_prompts_in_spend_logs: true\n"), "--host", "127.0.0.1")
		type row struct {
			Messages []struct{ Content any }
			Response struct {
				Choices []struct{ Message struct{ Content string } }
			}
			Request struct {
				Model       string
				Temperature float64
				Messages    []any
			} `json:"proxy_server_request"`
		}
		ask := func(body, said string) {
			t.Helper()
			status, answer := post(t, address, key, body)
			_, after, _ := strings.Cut(answer, `"id":"`)
			id, _, _ := strings.Cut(after, `"`)
			if status != 200 || id == "" {
				t.Fatalf("%d %s", status, answer)
			}
			within(t, address+"/spend/logs?request_id="+id, key, `"proxy_server_request":{"model":"m"`)
			_, text := fetch(t, address+"/spend/logs?request_id="+id, key)
			var rows []row
			if err := json.Unmarshal([]byte(text), &rows); err != nil || len(rows) != 1 {
				t.Fatalf("%v: %s", err, text)
			}
			r := rows[0]
			if len(r.Messages) != 1 || len(r.Response.Choices) != 1 || !strings.Contains(r.Response.Choices[0].Message.Content, said) || r.Request.Temperature != 0.5 || len(r.Request.Messages) != 1 {
				t.Errorf("got %s", text)
			}
			if strings.Contains(text, canary) || strings.Contains(text, "iVBORw0K") {
				t.Errorf("a secret or an image is kept: %s", text)
			}
		}
		ask(body("false", `"Hello!"`), "You said: Hello!")
		ask(body("true", `"Hello!"`), "You said: Hello!")
		ask(body("false", `"`+strings.Repeat("many words ", 500)+`"`), "litellm_truncated")
		ask(body("false", `[{"type":"text","text":"Hello!"},{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="}}]`), "Hello!")
		if _, text := fetch(t, address+"/spend/logs", key); strings.Contains(text, "Hello!") {
			t.Errorf("rows show what was said: %s", text)
		}
		p.end(t)
		if n := d.Value(t, `SELECT count(*) || ' ' || sum(CASE WHEN request || response LIKE '%`+canary+`%' THEN 1 ELSE 0 END) FROM spend_log_bodies`); n != "4 0" {
			t.Errorf("%s bodies", n)
		}

		none := databases.SQLite(t)
		if d.Name == "postgres" {
			none = databases.Postgres(t)
		}
		p, address = runningOn(t, none, nil, "--config", write(t, config), "--host", "127.0.0.1")
		if status, text := post(t, address, key, body("false", `"Hello!"`)); status != 200 {
			t.Fatalf("%d %s", status, text)
		}
		p.end(t)
		if n := none.Value(t, `SELECT (SELECT count(*) FROM spend_logs) || ' ' || (SELECT count(*) FROM spend_log_bodies)`); n != "1 0" {
			t.Errorf("%s rows and bodies", n)
		}
	})
}

// TestBodiesOfAWSsOwnAPIAreKept keeps what is said in AWS's own words, whole and streamed, and what images were asked for, in the
// database and in a callback's file; credentials are in neither, and neither are images.
func TestBodiesOfAWSsOwnAPIAreKept(t *testing.T) {
	databases.Each(t, func(t *testing.T, d databases.Database) {
		const key, canary = "sk-5c1e9b7d20a84f36", "c4n4ry5ecret"
		dir := t.TempDir()
		upstream := simulated(t)
		paint := fmt.Sprintf(`  - model_name: paint
    litellm_params: {model: bedrock/amazon.nova-canvas-v1:0, aws_access_key_id: %s, aws_secret_access_key: %s, aws_region_name: us-east-1, aws_bedrock_runtime_endpoint: %s}
`, sim.AccessKeyID, sim.SecretAccessKey, upstream)
		config := serveConfig(upstream, key, paint) + "  store_prompts_in_spend_logs: true\nlitellm_settings: {callbacks: [file]}\n"
		p, address := runningOn(t, d, nil, "--config", write(t, config), "--host", "127.0.0.1", "--data-dir", dir)
		ask := func(path, body string, wants ...string) {
			t.Helper()
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address+path, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer "+key)
			r.Header.Set("Content-Type", "application/json")
			resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			answer, err := io.ReadAll(resp.Body)
			id := resp.Header.Get("X-Litellm-Call-Id")
			if err != nil || resp.StatusCode != http.StatusOK || id == "" {
				t.Fatalf("%s: %d %v %.300s", path, resp.StatusCode, err, answer)
			}
			within(t, address+"/spend/logs?request_id="+id, key, wants[0])
			_, text := fetch(t, address+"/spend/logs?request_id="+id, key)
			for _, want := range wants {
				if !strings.Contains(text, want) {
					t.Errorf("%s: %s is not in %s", path, want, text)
				}
			}
			if strings.Contains(text, canary) || len(text) > 20_000 {
				t.Errorf("a secret or an image is kept: %.3000s", text)
			}
		}
		const hello = `{"messages":[{"role":"user","content":[{"text":"Hello!"}]}],"inferenceConfig":{"maxTokens":500},"requestMetadata":{"token":"` + canary + `"}}`
		const request, said = `"proxy_server_request":{"messages":[{"role":"user","content":[{"text":"Hello!"}]}],"inferenceConfig":{"maxTokens":500}`, `"messages":[{"role":"user","content":[{"text":"Hello!"}]}],"response":{`
		ask("/bedrock/model/m/converse", hello, request, said, `"content":[{"text":"You said: Hello!"`)
		ask("/bedrock/model/m/converse-stream", hello, request, said, `"content":[{"text":"You said: Hello!"`)
		ask("/model/m/invoke", `{"schemaVersion":"messages-v1","messages":[{"role":"user","content":[{"text":"Hello!"}]}]}`, `"proxy_server_request":{"schemaVersion":"messages-v1"`, "You said: Hello!")
		ask("/model/m/invoke-with-response-stream", `{"schemaVersion":"messages-v1","messages":[{"role":"user","content":[{"text":"Hello!"}]}]}`, `"proxy_server_request":{"schemaVersion":"messages-v1"`, "You said: Hello!")
		ask("/v1/images/generations", `{"model":"paint","prompt":"a hill"}`, `"messages":"a hill"`, `characters of base64 left out)"`)
		p.end(t)
		data, err := os.ReadFile(filepath.Join(dir, "calls.jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(string(data)), "\n")
		if len(lines) != 5 || strings.Contains(string(data), canary) || len(data) > 40_000 {
			t.Errorf("%d calls are told of in %d bytes: %.2000s", len(lines), len(data), data)
		}
		for i, line := range lines[:4] {
			var told struct{ Messages, Response json.RawMessage }
			if err := json.Unmarshal([]byte(line), &told); err != nil || string(told.Messages) != `[{"role":"user","content":[{"text":"Hello!"}]}]` || !strings.Contains(string(told.Response), "You said: Hello!") {
				t.Errorf("%d: %v %s", i, err, line)
			}
		}
	})
}
