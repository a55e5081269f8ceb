package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/internal/secret"
	"github.com/outcrop-ai/outcrop/test/servers"
)

// TestReplicas: what one gateway learns of a deployment the other one acts upon; without the server in between each goes on.
func TestReplicas(t *testing.T) {
	shared := servers.StartValkey(t)
	var asked atomic.Int64
	bedrock := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if strings.HasPrefix(r.URL.Path, "/first/") && asked.Add(1) == 1 {
			w.Header().Set("X-Amzn-Errortype", "ResourceNotFoundException")
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, `{"message":"gone"}`)
			return
		}
		_, _ = io.WriteString(w, `{"output":{"message":{"role":"assistant","content":[{"text":"ok"}]}},"stopReason":"end_turn","usage":{"inputTokens":1,"outputTokens":2,"totalTokens":3}}`)
	}))
	defer bedrock.Close()
	const key = "sk-replicas-0123456789abcdef"
	entry := "  - {model_name: m, litellm_params: {model: bedrock/us.amazon.nova-pro-v1:0, aws_access_key_id: A, aws_secret_access_key: s, aws_region_name: us-east-1, aws_bedrock_runtime_endpoint: '%s/%s', order: %d}, model_info: {id: %s}}\n"
	config := write(t, "model_list:\n"+fmt.Sprintf(entry, bedrock.URL, "first", 1, "first")+fmt.Sprintf(entry, bedrock.URL, "second", 2, "second")+
		"general_settings: {master_key: "+key+"}\nrouter_settings: {cooldown_time: 600}\n")
	vars := map[string]string{"REDIS_URL": shared.URL}
	a, first := running(t, vars, "--config", config, "--host", "127.0.0.1")
	b, second := running(t, vars, "--config", config, "--host", "127.0.0.1")
	answers := func(url string) string {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/v1/chat/completions", strings.NewReader(ask))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+key)
		resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if body, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK {
			t.Fatalf("%d %s", resp.StatusCode, body)
		}
		return resp.Header.Get("X-Litellm-Model-Id")
	}
	if answers(first) != "second" {
		t.Fatal("the first deployment has failed")
	}
	if answers(second) != "first" {
		t.Fatal("it works again, and nobody has said otherwise yet")
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for answers(second) != "second" {
		select {
		case <-tick.C:
		case <-t.Context().Done():
			t.Fatal("the other replica has never heard of it")
		}
	}
	// A server that stops in the middle of everything: nobody waits for it, and it is heard again when it goes on.
	if err := shared.Pause(); err != nil {
		t.Fatal(err)
	}
	for _, p := range []*process{a, b} {
		p.err.wait(t, "the other replicas cannot be reached")
	}
	for range 20 {
		if answers(first) != "second" || answers(second) != "second" {
			t.Error("each goes on with what it knows")
		}
	}
	if err := shared.Resume(); err != nil {
		t.Fatal(err)
	}
	for _, p := range []*process{a, b} {
		p.err.wait(t, "the other replicas can be reached again")
	}
	shared.Stop()
	if a.err.wait(t, "the other replicas cannot be reached"); answers(first) != "second" || answers(second) != "second" {
		t.Error("each goes on with what it knows")
	}
	a.end(t)
	b.end(t)
	if text := a.err.text() + b.err.text(); strings.Contains(text, shared.URL) {
		t.Errorf("where the server is may hold a password: %s", text)
	}
}

// TestChangesOfKeysAreTold: a running gateway says on the replicas' channel that keys have changed, and says no key.
func TestChangesOfKeysAreTold(t *testing.T) {
	shared := servers.StartValkey(t)
	o, err := redis.ParseURL(shared.URL)
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(o)
	defer client.Close()
	channels := client.PSubscribe(t.Context(), "*")
	defer channels.Close()
	if _, err := channels.Receive(t.Context()); err != nil {
		t.Fatal(err)
	}
	const master = "sk-replicas-0123456789abcdef"
	p, url := running(t, map[string]string{"REDIS_URL": shared.URL}, "--config", write(t, serveConfig(simulated(t), master, "")), "--host", "127.0.0.1")
	key := generate(t, url, master, `{"key_alias":"ci"}`)
	m, err := channels.ReceiveMessage(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{key, account.HashKey(secret.New(key)), "ci", master} {
		if strings.Contains(m.Payload, word) {
			t.Errorf("a message tells %s: %s", word, m)
		}
	}
	if m.Channel != "outcrop:0:changed" {
		t.Errorf("%s", m)
	}
	p.end(t)
}

func TestAnAddressOfReplicasThatIsNone(t *testing.T) {
	config := write(t, serveConfig("http://127.0.0.1:1", "sk-replicas-0123456789abcdef", ""))
	code, _, stderr := command(t, map[string]string{"REDIS_URL": "http://:geheim@x"}, "", "--config", config, "--port", "0", "--data-dir", t.TempDir())
	if code == exitOK || !strings.Contains(stderr, "redis://") || strings.Contains(stderr, "geheim") {
		t.Errorf("%d %s", code, stderr)
	}
}
