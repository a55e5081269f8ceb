package main

import (
	"bytes"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/outcrop-ai/outcrop/internal/sim"
	"github.com/outcrop-ai/outcrop/test/servers"
)

// fetch reads a path of a gateway.
func fetch(t *testing.T, url, key string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+key)
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(data)
}

// within asks until the answer holds text. It fails when that takes longer than a store's time for recovery, and what a
// batch of rows waits.
func within(t *testing.T, url, key, text string) {
	t.Helper()
	end := time.After(8 * time.Second)
	for {
		_, body := fetch(t, url, key)
		if strings.Contains(body, text) {
			return
		}
		select {
		case <-end:
			t.Fatalf("%s: want %s, got %s", url, text, body)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// TestTwoGatewaysOnPostgres: both keep their rows there, requests go on while the server is away, no row is lost, none is
// there twice, and no log line has the password.
func TestTwoGatewaysOnPostgres(t *testing.T) {
	bedrock := sim.New(sim.Options{Scenario: mustScenario(t)})
	upstream, err := bedrock.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(bedrock.Close)
	server := servers.StartPostgres(t)
	vars := map[string]string{"DATABASE_URL": server.Database(t) + "&connection_limit=3&pool_timeout=20"}
	const key = "sk-5c1e9b7d20a84f36"
	config := write(t, serveConfig(upstream, key, ""))

	var out, complaints bytes.Buffer
	if code := run(t.Context(), []string{"migrate", "--config", config}, stdio{strings.NewReader(""), &out, &complaints}, lookup(vars)); code != exitOK || !strings.Contains(out.String(), "up to date") {
		t.Fatalf("%d %s %s", code, &out, &complaints)
	}
	folder := t.TempDir()
	one, first := running(t, vars, "--config", config, "--host", "127.0.0.1", "--data-dir", folder)
	two, second := running(t, vars, "--config", config, "--host", "127.0.0.1")
	ask := func(url string) {
		t.Helper()
		if status, body := post(t, url, key, `{"model":"m","messages":[{"role":"user","content":"Hello!"}]}`); status != http.StatusOK {
			t.Errorf("%d %s", status, body)
		}
	}
	report := func(url string) string { return url + "/global/spend?start_date=2020-01-01&end_date=2099-12-31" }
	ask(first)
	ask(second)
	within(t, report(first), key, `"api_requests":2`)
	within(t, report(second), key, `"api_requests":2`)

	server.Kill()
	ask(first)
	ask(second)
	within(t, first+"/health/readiness", key, "Not connected")
	if status, body := fetch(t, report(first), key); status != http.StatusServiceUnavailable || strings.Contains(body, "s3cret") {
		t.Errorf("%d %s", status, body)
	}
	server.Start(t)
	within(t, report(first), key, `"api_requests":4`)
	within(t, first+"/health/readiness", key, `"db":"connected"`)
	within(t, first+"/spend/logs/v2", key, `"total":4`)
	one.end(t)
	two.end(t)

	out.Reset()
	if code := run(t.Context(), []string{"ledger", "verify", "--config", config, "--data-dir", folder}, stdio{strings.NewReader(""), &out, &complaints}, lookup(vars)); code != exitOK || !strings.Contains(out.String(), filepath.Join(folder, "outcrop.wal")) {
		t.Errorf("%d %s %s", code, &out, &complaints)
	}
	for _, text := range []string{one.err.text(), two.err.text(), out.String(), complaints.String()} {
		if strings.Contains(text, "s3cret") || strings.Contains(text, servers.PostgresPassword) {
			t.Errorf("the password shows: %s", text)
		}
	}
	if text := one.err.text(); !strings.Contains(text, "pool_timeout") {
		t.Errorf("what has no effect is not named: %s", text)
	}
}
