package main

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/internal/secret"
	"github.com/outcrop-ai/outcrop/test/databases"
	"github.com/outcrop-ai/outcrop/test/servers"
)

// generate makes a key at a gateway, once its database is there.
func generate(t *testing.T, url, master, body string) string {
	t.Helper()
	within(t, url+"/health/readiness", master, `"db":"connected"`)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/key/generate", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+master)
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var made struct{ Key string }
	if err := json.NewDecoder(resp.Body).Decode(&made); err != nil || resp.StatusCode != http.StatusOK || made.Key == "" {
		t.Fatalf("%d %v", resp.StatusCode, err)
	}
	return made.Key
}

// know waits until gateways know a key: they follow the database.
func know(t *testing.T, key string, urls ...string) {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true}
	for _, url := range urls {
		for {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/v1/models", nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer "+key)
			resp, err := transport.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				break
			}
		}
	}
}

// burst sends requests from many clients at once to gateways in turn, and counts what they get.
func burst(n int, key string, urls ...string) map[int]int {
	var counts [600]atomic.Int64
	var clients sync.WaitGroup
	next := atomic.Int64{}
	transport := &http.Transport{MaxIdleConnsPerHost: 16}
	defer transport.CloseIdleConnections()
	for range 16 {
		clients.Go(func() {
			for i := next.Add(1); i <= int64(n); i = next.Add(1) {
				r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, urls[i%int64(len(urls))]+"/v1/chat/completions", strings.NewReader(ask))
				if err != nil {
					return
				}
				r.Header.Set("Authorization", "Bearer "+key)
				resp, err := transport.RoundTrip(r)
				if err != nil {
					counts[0].Add(1)
					continue
				}
				_ = resp.Body.Close()
				counts[resp.StatusCode].Add(1)
			}
		})
	}
	clients.Wait()
	out := map[int]int{}
	for status := range counts {
		if c := counts[status].Load(); c > 0 {
			out[status] = int(c)
		}
	}
	return out
}

// TestTwoGatewaysKeepOneLimit: two gateways that share a database and Valkey let through what one would, and what they let
// through without Valkey is what each has for its share.
func TestTwoGatewaysKeepOneLimit(t *testing.T) {
	databases.Each(t, func(t *testing.T, d databases.Database) {
		bedrock := simulated(t)
		shared := servers.StartValkey(t)
		vars := on(d, map[string]string{"REDIS_URL": shared.URL})
		const master = "sk-limits-0123456789abcdef"
		// A busy machine is no lost server: without patience each gateway would count by itself.
		config := write(t, serveConfig(bedrock, master, "")+"  coordination_redis: {socket_timeout: 30}\n")
		a, first := running(t, vars, "--config", config, "--host", "127.0.0.1")
		b, second := running(t, vars, "--config", config, "--host", "127.0.0.1")
		const limit = 100
		key := generate(t, first, master, `{"rpm_limit":100}`)
		know(t, key, first, second)
		if got := burst(400, key, first, second); got[http.StatusOK] != limit || got[http.StatusTooManyRequests] != 300 {
			t.Errorf("of 400 requests %v, want %d let through", got, limit)
		}
		// A budget, too: each call's price is far more than what is left after some.
		poor := generate(t, second, master, `{"max_budget":0.0001}`)
		know(t, poor, first, second)
		got := burst(200, poor, first, second)
		if got[http.StatusOK] == 0 || got[http.StatusOK]+got[http.StatusUnprocessableEntity]+got[http.StatusTooManyRequests] != 200 {
			t.Errorf("of 200 requests %v", got)
		}
		// To the last row: what was spent is over the budget by less than one request.
		hash := account.HashKey(secret.New(poor))
		d.Becomes(t, `SELECT count(*) FROM spend_logs WHERE api_key = '`+hash+`'`, "200")
		if over := d.Value(t, `SELECT CASE WHEN sum(spend_pico) < 100000000 + max(spend_pico) THEN 'no' ELSE 'yes' END FROM spend_logs WHERE api_key = '`+hash+`'`); over != "no" {
			t.Errorf("the budget is overrun: %s", d.Value(t, `SELECT sum(spend_pico) || ' of 100000000, at most ' || max(spend_pico) FROM spend_logs WHERE api_key = '`+hash+`'`))
		}
		shared.Stop()
		other := generate(t, first, master, `{"rpm_limit":100}`)
		know(t, other, first, second)
		got = burst(400, other, first, second)
		if ok := got[http.StatusOK]; ok < limit/2 || ok > limit || ok+got[http.StatusTooManyRequests] != 400 {
			t.Errorf("without Valkey, of 400 requests %v, want no more than %d let through, and no other failure", got, limit)
		}
		a.end(t)
		b.end(t)
	})
}
