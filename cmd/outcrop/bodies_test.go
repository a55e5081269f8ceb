package main

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestBodiesAreKeptWhereTheConfigurationSaysSo: what was said is in the database, apart from rows, and shown with a call that
// is asked for by its id; streams are put together, images are left out, and without the setting nothing is kept.
func TestBodiesAreKeptWhereTheConfigurationSaysSo(t *testing.T) {
	const key, canary = "sk-5c1e9b7d20a84f36", "c4n4ry5ecret"
	config := serveConfig(simulated(t), key, "")
	body := func(stream, content string) string {
		return `{"model":"m","temperature":0.5,"metadata":{"api_key":"` + canary + `"},"stream":` + stream + `,"messages":[{"role":"user","content":` + content + `}]}`
	}
	dir := t.TempDir()
	p, address := running(t, map[string]string{"MAX_STRING_LENGTH_PROMPT_IN_DB": "400"}, "--config", write(t, config+"  store_prompts_in_spend_logs: true\n"), "--host", "127.0.0.1", "--data-dir", dir)
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
	if n := rows(t, dir, `SELECT count(*) || ' ' || sum(instr(request || response, '`+canary+`')) FROM spend_log_bodies`); n != "4 0" {
		t.Errorf("%s bodies", n)
	}

	dir = t.TempDir()
	p, address = running(t, nil, "--config", write(t, config), "--host", "127.0.0.1", "--data-dir", dir)
	if status, text := post(t, address, key, body("false", `"Hello!"`)); status != 200 {
		t.Fatalf("%d %s", status, text)
	}
	p.end(t)
	if n := rows(t, dir, `SELECT (SELECT count(*) FROM spend_logs) || ' ' || (SELECT count(*) FROM spend_log_bodies)`); n != "1 0" {
		t.Errorf("%s rows and bodies", n)
	}
}
