package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/outcrop-ai/outcrop/bench/load"
)

// mishap is something that goes wrong upstream while calls are made.
type mishap struct {
	name string
	// all is the script of every deployment's simulator, first that of the first one; empty is one that works.
	all, first string
	dead       bool // nobody listens at the first
	stream     bool
	settings   string
}

// mishaps are what happens to calls, and to streams.
func mishaps() []mishap {
	always := func(fault string) string { return "rules: [{fault: " + fault + "}]\n" }
	const patience, streamPatience = "  timeout: 1\n", "  stream_timeout: 1\n"
	const hedged = "  hedge_after: 0.3\n  hedge_max_percent: 100\n"
	return []mishap{
		{name: "nothing"},
		{name: "30 % of calls throttled, everywhere", all: "rules: [{match: {share: 0.3}, fault: throttle}]\n"},
		{name: "one region answers 503", first: always("unavailable")},
		{name: "one region is not there", dead: true},
		{name: "one answers after 3 s, `timeout: 1`", first: "rules: [{latency: 3s}]\n", settings: patience},
		{name: "the same, hedged after 0.3 s", first: "rules: [{latency: 3s}]\n", settings: patience + hedged},
		{name: "one hangs, `timeout: 1`", first: always("stall"), settings: patience},
		{name: "connections of one cut before a header", first: always("cut")},
		{name: "answers of one cut in the middle", first: always("cut-stream")},
		{name: "nothing", stream: true},
		{name: "30 % of streams throttled, everywhere", all: "rules: [{match: {share: 0.3}, fault: stream-throttle;after=0}]\n", stream: true},
		{name: "one region answers 503", first: always("unavailable"), stream: true},
		{name: "one region is not there", dead: true, stream: true},
		{name: "first event of one after 3 s, `stream_timeout: 1`", first: "rules: [{first_event: 3s}]\n", stream: true, settings: streamPatience},
		{name: "the same, hedged after 0.3 s", first: "rules: [{first_event: 3s}]\n", stream: true, settings: streamPatience + hedged},
		{name: "one hangs, `stream_timeout: 1`", first: always("stall-stream;after=0"), stream: true, settings: streamPatience},
		{name: "streams of one cut before they say anything", first: always("cut-stream;after=1"), stream: true},
		{name: "streams of one cut in the middle", first: always("cut-stream;after=3"), stream: true},
	}
}

const (
	// stormRate is how many calls a second are made to the model whose upstreams fail, quietRate to another one meanwhile.
	stormRate = 60
	quietRate = 200
	// A storm is made of short parts, with and without the mishap by turns: the machine's speed drifts.
	stormParts = 7
	stormTime  = 2 * time.Second
	// upstreamTime is how long an upstream takes that works.
	upstreamTime = "250ms"
)

// The models of a storm: whose upstreams fail, whose upstreams are as many and work, and that of the other traffic.
const (
	struck = "m"
	well   = "w"
	quiet  = "n"
)

// storms makes calls while things go wrong, to groups of two and of five deployments, and to another model meanwhile.
func (b *bench) storms(ctx context.Context) (string, error) {
	var out strings.Builder
	out.WriteString("| upstream | deployments | answered | failures that clients see | p50 ms | p99 ms | p50, p99 of another model, ÷ without |\n|---|---|---|---|---|---|---|\n")
	for _, n := range []int{2, 5} {
		for _, m := range mishaps() {
			got, err := b.storm(ctx, &m, n)
			if err != nil {
				return "", fmt.Errorf("%s, %d deployments: %w", m.name, n, err)
			}
			name := m.name
			if m.stream && !strings.Contains(name, "stream") {
				name += ", streams"
			}
			calls, failed := len(got.struck), 0
			var causes []string
			for _, cause := range slices.Sorted(maps.Keys(got.failures)) {
				failed += got.failures[cause]
				causes = append(causes, strconv.Itoa(got.failures[cause])+" × "+cause)
			}
			if failed == 0 {
				causes = []string{"none"}
			}
			ms := func(list []time.Duration, percent int) string {
				return strconv.FormatFloat(at(list, percent).Seconds()*1000, 'f', 0, 64)
			}
			ratio := func(percent int) string {
				return strconv.FormatFloat(usual(got.during, percent)/usual(got.without, percent), 'f', 2, 64)
			}
			fmt.Fprintf(&out, "| %s | %d | %.2f %% of %d | %s | %s | %s | %s, %s |\n", name, n, 100*float64(calls-failed)/float64(calls), calls, strings.Join(causes, ", "),
				ms(got.struck, 50), ms(got.struck, 99), ratio(50), ratio(99))
			fmt.Fprintln(os.Stderr, name, n, "done")
		}
	}
	return out.String(), nil
}

// at returns a percentile of what is in ascending order.
func at(list []time.Duration, percent int) time.Duration { return list[len(list)*percent/100] }

// usual returns the median of a percentile of some lists in ascending order, in seconds: a moment in which the machine is
// busy with something else counts once.
func usual(lists [][]time.Duration, percent int) float64 {
	var all []float64
	for _, list := range lists {
		all = append(all, at(list, percent).Seconds())
	}
	return median(all)
}

// outcome is what came of one storm.
type outcome struct {
	// struck are the latencies of the calls whose upstreams fail; during those of another model's calls meanwhile, and without
	// those while as many calls went to upstreams that work, part by part. All are ascending.
	struck          []time.Duration
	during, without [][]time.Duration
	// failures counts those of struck by what clients are told.
	failures map[string]int
}

func (b *bench) storm(ctx context.Context, m *mishap, n int) (*outcome, error) {
	dir, err := os.MkdirTemp("", "outcrop-bench")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	upstream := func(script string) (string, func(), error) {
		port, err := freePort()
		if err != nil {
			return "", nil, err
		}
		url, file := "http://127.0.0.1:"+strconv.Itoa(port), filepath.Join(dir, strconv.Itoa(port)+".yaml")
		if script == "" {
			script = "rules: []\n"
		}
		if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
			return "", nil, err
		}
		s, err := start(ctx, "simulator", port, "/_sim/health", file+".log", b.outcrop, "sim", "--no-auth", "--port", strconv.Itoa(port), "--latency", upstreamTime, "--scenario", file)
		if err != nil {
			return "", nil, err
		}
		return url, s.stop, nil
	}
	works, stop, err := upstream("")
	if err != nil {
		return nil, err
	}
	defer stop()
	first, others := works, works
	switch {
	case m.dead:
		port, err := freePort()
		if err != nil {
			return nil, err
		}
		first = "http://127.0.0.1:" + strconv.Itoa(port)
	case m.first != "" || m.all != "":
		if first, stop, err = upstream(m.first + m.all); err != nil {
			return nil, err
		}
		defer stop()
	}
	if m.all != "" {
		others = first
	}
	g, err := b.gateway(ctx, dir, m.settings, n, first, others, works)
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
	got := &outcome{failures: map[string]int{}}
	// both makes calls to a model and to the other one at once.
	both := func(model string, d time.Duration) (storm, other []time.Duration, failures map[string]int, err error) {
		var wg sync.WaitGroup
		var errs [2]error
		wg.Go(func() { storm, failures, errs[0] = load.Storm(ctx, b.client, target(model), stormRate, d) })
		wg.Go(func() { other, _, errs[1] = load.Storm(ctx, b.client, target(quiet), quietRate, d) })
		wg.Wait()
		return storm, other, failures, errors.Join(errs[0], errs[1])
	}
	if _, _, _, err := both(well, time.Second); err != nil { // to warm up
		return nil, err
	}
	for range stormParts {
		_, other, _, err := both(well, stormTime)
		if err != nil {
			return nil, err
		}
		got.without = append(got.without, other)
		storm, other, failures, err := both(struck, stormTime)
		if err != nil {
			return nil, err
		}
		got.struck, got.during = append(got.struck, storm...), append(got.during, other)
		for cause, n := range failures {
			got.failures[cause] += n
		}
	}
	slices.Sort(got.struck)
	return got, nil
}

// gateway starts Outcrop with two groups of n deployments, the first of which has another upstream than the others, or all
// have one that works, and with a model beside them.
func (b *bench) gateway(ctx context.Context, dir, settings string, n int, first, others, works string) (*process, error) {
	var config strings.Builder
	config.WriteString("model_list:\n")
	entry := func(group, url string, i int) {
		fmt.Fprintf(&config, "  - {model_name: %s, litellm_params: {model: bedrock/%s, aws_access_key_id: %s, aws_secret_access_key: %s, aws_region_name: %s, aws_bedrock_runtime_endpoint: '%s'}, model_info: {id: %s%d}}\n",
			group, model, keyID, keySecret, region, url, group, i)
	}
	for i := range n {
		entry(struck, first, i)
		entry(well, works, i)
		first = others
	}
	entry(quiet, works, 0)
	fmt.Fprintf(&config, "general_settings: {master_key: %s}\nrouter_settings:\n  num_retries: 8\n%s", masterKey, settings)
	file := filepath.Join(dir, "config.yaml")
	if err := os.WriteFile(file, []byte(config.String()), 0o600); err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	return start(ctx, "outcrop", port, "/health/liveliness", dir+"/outcrop.log", b.outcrop, "--config", file, "--data-dir", dir, "--host", "127.0.0.1", "--port", strconv.Itoa(port))
}
