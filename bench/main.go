// Command bench measures what Outcrop costs: CPU time per request, added latency, memory and start, beside three
// baselines in the same run. The upstream is Outcrop's own simulator in its cheapest mode.
//
// Usage:
//
//	go run ./bench [-rounds 3] [-out bench/results.md] -outcrop bin/outcrop
//	go run ./bench -reliability -outcrop bin/outcrop
//
// The machine's speed drifts, so trust the ratios to the bare proxy, which are taken round by round, and not the
// milliseconds.
package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/outcrop-ai/outcrop/bench/baseline"
	"github.com/outcrop-ai/outcrop/bench/load"
)

// The identity that all sign as; the simulator in its cheapest mode verifies none.
const (
	region    = "us-east-1"
	keyID     = "AKIDEXAMPLE"
	keySecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
	masterKey = "sk-bench-0123456789abcdef0123456789abcdef"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	outcrop := flags.String("outcrop", "bin/outcrop", "the program to measure")
	rounds := flags.Int("rounds", 3, "interleaved rounds")
	out := flags.String("out", "", "write the tables to this file, too")
	streams := flags.Int("streams", 1000, "open streams in the streaming test")
	rate := flags.Int("rate", 500, "requests per second in the latency test")
	only := flags.String("only", "", "measure the shapes whose names begin so")
	reliability := flags.Bool("reliability", false, "instead: what clients see while upstreams fail")
	soak := flags.Duration("soak", 0, "instead: keep Outcrop busy for so long and see whether it grows")
	serve := flags.String("serve", "", "run a baseline instead: bare or floor")
	listen := flags.String("listen", "", "address of the baseline")
	upstream := flags.String("upstream", "", "URL of the baseline's upstream")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *serve != "" {
		return serveBaseline(*serve, *listen, *upstream)
	}
	b := &bench{only: *only, outcrop: *outcrop, rounds: *rounds, streams: *streams, rate: *rate, client: load.Client()}
	measure := b.run
	switch {
	case *reliability:
		measure = b.storms
	case *soak > 0:
		measure = func(ctx context.Context) (string, error) { return b.soak(ctx, *soak) }
	}
	report, err := measure(ctx)
	if err != nil {
		return err
	}
	fmt.Print(report)
	if *out != "" {
		return os.WriteFile(*out, []byte(report), 0o644)
	}
	return nil
}

func serveBaseline(kind, listen, upstream string) error {
	u, err := url.Parse(upstream)
	if err != nil {
		return err
	}
	target := baseline.Upstream{URL: u, Region: region, KeyID: keyID, KeySecret: keySecret}
	handler := baseline.BareProxy(target)
	if kind == "floor" {
		handler = baseline.Floor(target)
	}
	return (&http.Server{Addr: listen, Handler: handler, ReadHeaderTimeout: 10 * time.Second}).ListenAndServe()
}

// bench is one run of all measurements.
type bench struct {
	outcrop, only         string
	rounds, streams, rate int
	client                *http.Client
	upstream              *process
	systems               []*system
}

// system is one way to get an answer.
type system struct {
	*process
	name     string
	converse bool // takes the Converse call instead of OpenAI's
	samples  map[string][]float64
}

func (s *system) add(metric string, v float64) { s.samples[metric] = append(s.samples[metric], v) }

func (s *system) target(sh *shape) *load.Target {
	t := &load.Target{URL: s.url + "/v1/chat/completions", Body: sh.openAI, Header: http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer " + masterKey}}}
	if sh.inputs > 0 {
		t.URL = s.url + "/v1/embeddings"
	}
	if sh.messages {
		t.URL = s.url + "/v1/messages"
	}
	if s.converse || sh.native {
		operation, id := "converse", model
		if sh.stream {
			operation = "converse-stream"
		}
		if sh.inputs > 0 {
			operation, id = "invoke", embedder
		}
		if sh.messages {
			operation = "invoke-with-response-stream"
		}
		path := "/model/" + url.PathEscape(id) + "/" + operation
		if !s.converse {
			path = "/bedrock" + path
		}
		t.URL, t.Body = s.url+path, sh.converse
	}
	return t
}

func (b *bench) run(ctx context.Context) (string, error) {
	list, err := shapes()
	if err != nil {
		return "", err
	}
	for round := range b.rounds {
		if err := b.round(ctx, list, round); err != nil {
			return "", fmt.Errorf("round %d: %w", round+1, err)
		}
		fmt.Fprintf(os.Stderr, "round %d of %d done\n", round+1, b.rounds)
	}
	return b.report(list), nil
}

// round starts every program anew and measures all of them on every shape, one after the other.
func (b *bench) round(ctx context.Context, list []shape, round int) error {
	dir, err := os.MkdirTemp("", "outcrop-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := b.start(ctx, dir, round == 0); err != nil {
		return err
	}
	defer func() {
		for _, s := range b.systems {
			if s.process != nil && s.process != b.upstream {
				s.stop()
			}
		}
		b.upstream.stop()
	}()
	time.Sleep(time.Second) // let the programs come to rest
	for _, s := range b.systems {
		s.add("cold start, s", s.cold.Seconds())
		rss, err := s.rss()
		if err != nil {
			return err
		}
		s.add("idle RSS, MiB", float64(rss)/(1<<20))
	}
	for i := range list {
		sh := &list[i]
		if !strings.HasPrefix(sh.name, b.only) {
			continue
		}
		if !sh.stream {
			if err := b.measure(ctx, sh); err != nil {
				return fmt.Errorf("%s: %w", sh.name, err)
			}
			continue
		}
		for _, s := range b.systems {
			if !s.serves(sh) {
				continue
			}
			if err := b.measureStreams(ctx, s, s.target(sh), sh); err != nil {
				return fmt.Errorf("%s, %s: %w", s.name, sh.name, err)
			}
		}
	}
	return nil
}

func (b *bench) start(ctx context.Context, dir string, first bool) error {
	ports := make([]int, 4)
	for i := range ports {
		var err error
		if ports[i], err = freePort(); err != nil {
			return err
		}
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	b.upstream, err = start(ctx, "simulator", ports[0], "/_sim/health", dir+"/simulator.log",
		b.outcrop, "sim", "--fast", "--port", strconv.Itoa(ports[0]), "--chunk-delay", "25ms")
	if err != nil {
		return err
	}
	if first {
		b.systems = []*system{
			{name: "direct", converse: true}, {name: "bare proxy", converse: true}, {name: "floor translator"}, {name: "Outcrop"},
		}
		for _, s := range b.systems {
			s.samples = map[string][]float64{}
		}
	}
	b.systems[0].process = b.upstream
	for i, kind := range []string{"bare", "floor"} {
		s := b.systems[i+1]
		port := ports[i+1]
		s.process, err = start(ctx, s.name, port, "/", dir+"/"+kind+".log", self, "-serve", kind, "-listen", "127.0.0.1:"+strconv.Itoa(port), "-upstream", b.upstream.url)
		if err != nil {
			return err
		}
	}
	config := dir + "/config.yaml"
	text := fmt.Sprintf(`model_list:
  - model_name: %s
    litellm_params:
      model: bedrock/%s
      aws_access_key_id: %s
      aws_secret_access_key: %s
      aws_region_name: %s
      aws_bedrock_runtime_endpoint: %s
  - model_name: %s
    litellm_params:
      model: bedrock/%s
      aws_access_key_id: %s
      aws_secret_access_key: %s
      aws_region_name: %s
      aws_bedrock_runtime_endpoint: %s
general_settings:
  master_key: %s
`, model, model, keyID, keySecret, region, b.upstream.url, embedder, embedder, keyID, keySecret, region, b.upstream.url, masterKey)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return err
	}
	b.systems[3].process, err = start(ctx, "outcrop", ports[3], "/health/liveliness", dir+"/outcrop.log",
		b.outcrop, "--config", config, "--host", "127.0.0.1", "--port", strconv.Itoa(ports[3]))
	return err
}

// turns is in how many parts the requests of a shape are sent.
const turns = 12

// serves reports whether a system knows requests of a shape: the floor translator relays nothing, and speaks one dialect, of
// chats.
func (s *system) serves(sh *shape) bool {
	return s.name != "floor translator" || !sh.native && !sh.messages && sh.inputs == 0
}

// requests is how many of a shape a system gets: of one that takes each embedding by itself as many as there are inputs.
func (s *system) requests(sh *shape) int {
	if sh.inputs > 0 && s.converse {
		return sh.requests * sh.inputs
	}
	return sh.requests
}

// measure sends the requests of a shape. The programs take turns, in a new order each time, so that none has the machine's good
// moments for itself. What one of them has still to do when its turn is over counts as well; the simulator, which works for all
// of them, is measured in its own turns alone.
func (b *bench) measure(ctx context.Context, sh *shape) error {
	var systems []*system
	begun, used := map[*system]time.Duration{}, map[*system]time.Duration{}
	for _, s := range b.systems {
		if !s.serves(sh) {
			continue
		}
		systems = append(systems, s)
		if err := load.Saturate(ctx, b.client, s.target(sh), 16, max(s.requests(sh)/3, 1)); err != nil { // to be warm
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	time.Sleep(time.Second)
	for _, s := range systems {
		var err error
		if begun[s], err = s.cpu(); err != nil {
			return err
		}
	}
	for range turns {
		for _, i := range rand.Perm(len(systems)) {
			s := systems[i]
			before, err := s.cpu()
			if err != nil {
				return err
			}
			if err := load.Saturate(ctx, b.client, s.target(sh), 16, max(s.requests(sh)/turns, 1)); err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			after, err := s.cpu()
			if err != nil {
				return err
			}
			used[s] += after - before
		}
	}
	time.Sleep(time.Second)
	for _, s := range systems {
		if s.process != b.upstream {
			end, err := s.cpu()
			if err != nil {
				return err
			}
			used[s] = end - begun[s]
		}
		calls := max(s.requests(sh)/turns, 1) * turns
		if !s.converse {
			calls *= max(sh.inputs, 1)
		}
		s.add("CPU ms, "+sh.name, used[s].Seconds()*1000/float64(calls))
		rss, err := s.rss()
		if err != nil {
			return err
		}
		s.add("RSS after "+sh.name+", MiB", float64(rss)/(1<<20))
		if sh.name != "small chat" {
			continue
		}
		latencies, err := load.AtRate(ctx, b.client, s.target(sh), b.rate, 5*time.Second)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		s.add("p50 ms", latencies[len(latencies)/2].Seconds()*1000)
		s.add("p99 ms", latencies[len(latencies)*99/100].Seconds()*1000)
	}
	return nil
}

func (b *bench) measureStreams(ctx context.Context, s *system, t *load.Target, sh *shape) error {
	if s.name == "direct" {
		return nil // frames are not lines; the bare proxy shows what relaying them costs
	}
	if _, err := load.Streams(ctx, b.client, t, 20, func() {}); err != nil {
		return err
	}
	before, err := s.cpu()
	if err != nil {
		return err
	}
	var open int64
	if _, err := load.Streams(ctx, b.client, t, b.streams, func() { open, _ = s.rss() }); err != nil {
		return err
	}
	after, err := s.cpu()
	if err != nil {
		return err
	}
	const chunks = 200
	metric := "CPU ms per 1,000 chunks"
	if sh.native {
		metric += ", relayed"
	}
	if sh.messages {
		metric += ", Claude's own"
	}
	s.add(metric, (after-before).Seconds()*1000*1000/float64(b.streams*chunks))
	if !sh.native && !sh.messages {
		s.add("RSS with "+strconv.Itoa(b.streams)+" open streams, MiB", float64(open)/(1<<20))
	}
	return nil
}

// report writes one table: medians, and for each system the median of its round-by-round ratios to the bare proxy.
func (b *bench) report(list []shape) string {
	var metrics []string
	for i := range list {
		if !list[i].stream {
			metrics = append(metrics, "CPU ms, "+list[i].name)
		}
	}
	metrics = append(metrics, "CPU ms per 1,000 chunks", "CPU ms per 1,000 chunks, relayed", "CPU ms per 1,000 chunks, Claude's own", "p50 ms", "p99 ms", "cold start, s", "idle RSS, MiB", "RSS after 200 KB chat, MiB",
		"RSS with "+strconv.Itoa(b.streams)+" open streams, MiB")
	var out strings.Builder
	out.WriteString("| median of " + strconv.Itoa(b.rounds) + " rounds |")
	for _, s := range b.systems {
		out.WriteString(" " + s.name + " |")
	}
	out.WriteString(" Outcrop ÷ bare proxy | floor ÷ bare proxy |\n|---|" + strings.Repeat("---|", len(b.systems)+2) + "\n")
	bare, floor, own := b.systems[1], b.systems[2], b.systems[3]
	for _, m := range metrics {
		out.WriteString("| " + m + " |")
		for _, s := range b.systems {
			out.WriteString(" " + figure(median(s.samples[m])) + " |")
		}
		out.WriteString(" " + figure(median(ratios(own.samples[m], bare.samples[m]))) + " | " + figure(median(ratios(floor.samples[m], bare.samples[m]))) + " |\n")
	}
	return out.String()
}

func ratios(a, b []float64) []float64 {
	var list []float64
	for i := range min(len(a), len(b)) {
		if b[i] > 0 {
			list = append(list, a[i]/b[i])
		}
	}
	return list
}

func median(list []float64) float64 {
	if len(list) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(list))
	return sorted[len(sorted)/2]
}

func figure(v float64) string {
	if v == 0 {
		return "–"
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}
