package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/outcrop-ai/outcrop/bench/load"
)

// mishap is something that goes wrong upstream while calls are made.
type mishap struct {
	name string
	// all is the script of every deployment's simulator, first that of the first one; empty is an answer after 20 ms.
	all, first string
	dead       bool // nobody listens at the first
	stream     bool
	settings   string
}

func mishaps() []mishap {
	always := func(fault string) string { return "rules: [{fault: " + fault + "}]\n" }
	return []mishap{
		{name: "nothing"},
		{name: "nothing, streams", stream: true},
		{name: "30 % of calls throttled, everywhere", all: "rules: [{match: {share: 0.3}, fault: throttle}]\n"},
		{name: "30 % of streams throttled, everywhere", all: "rules: [{match: {share: 0.3}, fault: stream-throttle;after=0}]\n", stream: true},
		{name: "one region answers 503", first: always("unavailable")},
		{name: "one region is not there", dead: true},
		{name: "first byte of one after 3 s", first: "rules: [{first_event: 3s}]\n", stream: true, settings: "  stream_timeout: 1\n"},
		{name: "the same, hedged after 0.2 s", first: "rules: [{first_event: 3s}]\n", stream: true, settings: "  stream_timeout: 1\n  hedge_after: 0.2\n  hedge_max_percent: 100\n"},
		{name: "one hangs", first: always("stall"), settings: "  timeout: 1\n"},
		{name: "one hangs, least-busy", first: always("stall"), settings: "  timeout: 1\n  routing_strategy: least-busy\n"},
		{name: "streams of one cut before they say anything", first: always("cut-stream;after=1"), stream: true},
		{name: "streams of one cut in the middle", first: always("cut-stream;after=3"), stream: true},
	}
}

const (
	// stormRate is how many calls a second are made, stormTime for how long; quietRate are those to another model meanwhile.
	stormRate = 60
	quietRate = 60
	stormTime = 8 * time.Second
)

// storms makes calls while things go wrong, to groups of two and of five deployments, and to another model meanwhile.
func (b *bench) storms(ctx context.Context) (string, error) {
	var out strings.Builder
	out.WriteString("| upstream | deployments | calls | failed | p50 ms | p99 ms | p99 of another model ÷ that without mishap |\n|---|---|---|---|---|---|---|\n")
	for _, n := range []int{2, 5} {
		usual := map[bool]time.Duration{}
		for _, m := range mishaps() {
			got, err := b.storm(ctx, &m, n)
			if err != nil {
				return "", fmt.Errorf("%s, %d deployments: %w", m.name, n, err)
			}
			quiet := got.other[len(got.other)*99/100]
			if usual[m.stream] == 0 {
				usual[m.stream] = quiet
			}
			ms := func(d time.Duration) string { return strconv.FormatFloat(d.Seconds()*1000, 'f', 0, 64) }
			fmt.Fprintf(&out, "| %s | %d | %d | %d | %s | %s | %s |\n", m.name, n, len(got.latencies), got.failed, ms(got.latencies[len(got.latencies)/2]),
				ms(got.latencies[len(got.latencies)*99/100]), strconv.FormatFloat(float64(quiet)/float64(usual[m.stream]), 'f', 2, 64))
			fmt.Fprintln(os.Stderr, m.name, n, "done")
		}
	}
	return out.String(), nil
}

// outcome is what came of one storm.
type outcome struct {
	latencies, other []time.Duration // ascending
	failed           int
}

func (b *bench) storm(ctx context.Context, m *mishap, n int) (*outcome, error) {
	dir, err := os.MkdirTemp("", "outcrop-bench")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	var config strings.Builder
	config.WriteString("model_list:\n")
	for i := range n + 1 {
		port, err := freePort()
		if err != nil {
			return nil, err
		}
		script := m.all
		if i == 0 && m.first != "" {
			script = m.first
		}
		group := "m"
		if i == n { // the other model's works
			group, script = "n", ""
		}
		file := filepath.Join(dir, strconv.Itoa(i)+".yaml")
		if err := os.WriteFile(file, []byte(script+"\n"), 0o600); err != nil {
			return nil, err
		}
		if i > 0 || !m.dead {
			args := []string{"sim", "--no-auth", "--port", strconv.Itoa(port), "--latency", "20ms"}
			if script != "" {
				args = append(args, "--scenario", file)
			}
			s, err := start(ctx, "simulator", port, "/_sim/health", dir+"/sim.log", append([]string{b.outcrop}, args...)...)
			if err != nil {
				return nil, err
			}
			defer s.stop()
		}
		fmt.Fprintf(&config, "  - {model_name: %s, litellm_params: {model: bedrock/%s, aws_access_key_id: %s, aws_secret_access_key: %s, aws_region_name: %s, aws_bedrock_runtime_endpoint: 'http://127.0.0.1:%d'}, model_info: {id: d%d}}\n",
			group, model, keyID, keySecret, region, port, i)
	}
	fmt.Fprintf(&config, "general_settings: {master_key: %s}\nrouter_settings:\n  num_retries: 5\n%s", masterKey, m.settings)
	file := filepath.Join(dir, "config.yaml")
	if err := os.WriteFile(file, []byte(config.String()), 0o600); err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	g, err := start(ctx, "outcrop", port, "/health/liveliness", dir+"/outcrop.log", b.outcrop, "--config", file, "--host", "127.0.0.1", "--port", strconv.Itoa(port))
	if err != nil {
		return nil, err
	}
	defer g.stop()
	target := func(model string) *load.Target {
		stream := ""
		if m.stream {
			stream = `,"stream":true`
		}
		return &load.Target{
			URL: g.url + "/v1/chat/completions", Body: []byte(`{"model":"` + model + `","messages":[{"role":"user","content":"Say something of some length, please."}]` + stream + `}`),
			Header: http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer " + masterKey}},
		}
	}
	if _, _, err := load.Storm(ctx, b.client, target("n"), quietRate, time.Second); err != nil { // warm up
		return nil, err
	}
	var (
		got  outcome
		both sync.WaitGroup
		errs [2]error
	)
	both.Go(func() {
		got.latencies, got.failed, errs[0] = load.Storm(ctx, b.client, target("m"), stormRate, stormTime)
	})
	both.Go(func() { got.other, _, errs[1] = load.Storm(ctx, b.client, target("n"), quietRate, stormTime) })
	both.Wait()
	if errs[0] != nil {
		return nil, errs[0]
	}
	return &got, errs[1]
}
