package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/outcrop-ai/outcrop/bench/load"
)

// soakRate is how many calls of each kind a soak makes a second.
const soakRate = 40

// sample is how much a gateway holds at one time.
type sample struct {
	at         time.Duration
	rss        int64
	goroutines float64
}

// soak keeps a gateway busy for a time with whole answers, streams and embeddings of several virtual keys with limits and
// budgets, and reports how much it holds meanwhile. It fails if that grows.
func (b *bench) soak(ctx context.Context, lasts time.Duration) (string, error) {
	dir, err := os.MkdirTemp("", "outcrop-bench")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	if err := b.start(ctx, dir, true); err != nil {
		return "", err
	}
	defer func() {
		for _, s := range b.systems {
			s.process.stop()
		}
	}()
	gateway := b.systems[len(b.systems)-1].process
	var keys []string
	for i := range 4 {
		key, err := makeKey(ctx, gateway.url, i)
		if err != nil {
			return "", err
		}
		keys = append(keys, key)
	}
	ctx, stop := context.WithTimeout(ctx, lasts)
	defer stop()
	var busy sync.WaitGroup
	var failed error
	var once sync.Once
	for i, body := range []string{
		`{"model":"` + model + `","max_tokens":50,"messages":[{"role":"user","content":"Hello!"}]}`,
		`{"model":"` + model + `","max_tokens":50,"stream":true,"messages":[{"role":"user","content":"Tell me of it."}]}`,
		`{"model":"` + model + `","max_tokens":50,"user":"ann","tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}],"messages":[{"role":"user","content":"Hello!"}]}`,
	} {
		t := &load.Target{URL: gateway.url + "/v1/chat/completions", Body: []byte(body), Header: http.Header{"Authorization": {"Bearer " + keys[i%len(keys)]}, "Content-Type": {"application/json"}}}
		busy.Go(func() {
			for ctx.Err() == nil {
				if _, err := load.AtRate(ctx, b.client, t, soakRate, 5*time.Second); err != nil && ctx.Err() == nil {
					once.Do(func() { failed = err })
					stop()
				}
			}
		})
	}
	samples, err := watch(ctx, gateway)
	busy.Wait()
	if err = errors.Join(err, failed); err != nil {
		return "", err
	}
	return judge(samples)
}

// makeKey makes a virtual key with limits that a soak never meets.
func makeKey(ctx context.Context, url string, i int) (string, error) {
	body := `{"key_alias":"soak-` + strconv.Itoa(i) + `","rpm_limit":1000000,"tpm_limit":1000000000,"max_budget":1000000,"budget_duration":"1d"}`
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/key/generate", strings.NewReader(body))
	if err != nil {
		return "", err
	}
	r.Header.Set("Authorization", "Bearer "+masterKey)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var made struct{ Key string }
	if err := json.NewDecoder(resp.Body).Decode(&made); err != nil || made.Key == "" {
		return "", fmt.Errorf("no key was made: status %d, %w", resp.StatusCode, err)
	}
	return made.Key, nil
}

// watch looks at a gateway every five seconds until the context ends.
func watch(ctx context.Context, p *process) ([]sample, error) {
	var list []sample
	began := time.Now()
	ticker := time.NewTicker(5 * time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return list, nil
		case <-ticker.C:
		}
		rss, err := p.rss()
		if err != nil {
			return nil, err
		}
		n, err := goroutines(ctx, p.url)
		if ctx.Err() != nil {
			return list, nil
		}
		if err != nil {
			return nil, err
		}
		list = append(list, sample{time.Since(began), rss, n})
	}
}

// goroutines reads a gateway's number of goroutines from its metrics.
func goroutines(ctx context.Context, url string) (float64, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	r.Header.Set("Authorization", "Bearer "+masterKey)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(data) {
		if value, ok := bytes.CutPrefix(line, []byte("go_goroutines ")); ok {
			return strconv.ParseFloat(string(bytes.TrimSpace(value)), 64)
		}
	}
	return 0, errors.New("the metrics have no go_goroutines")
}

// mostGrowth is how much memory the second half of a soak may hold above the first, after the warm-up: 8 MiB, what a garbage
// collector's moods come to. Goroutines may differ by mostGoroutines, the connections of a moment.
const (
	mostGrowth     = 8 << 20
	mostGoroutines = 64
)

// errGrows says that a gateway holds more and more.
var errGrows = errors.New("memory or goroutines grow")

// judge compares the halves of a soak after its first fifth.
func judge(list []sample) (string, error) {
	list = list[len(list)/5:]
	if len(list) < 4 {
		return "", errors.New("the soak is too short to be judged")
	}
	middle := func(list []sample, of func(sample) float64) float64 {
		var values []float64
		for _, s := range list {
			values = append(values, of(s))
		}
		return median(values)
	}
	rss := func(s sample) float64 { return float64(s.rss) }
	threads := func(s sample) float64 { return s.goroutines }
	first, second := list[:len(list)/2], list[len(list)/2:]
	out := fmt.Sprintf("| soak of %s, medians | first half | second half |\n|---|---|---|\n| RSS, MiB | %.1f | %.1f |\n| goroutines | %.0f | %.0f |\n",
		list[len(list)-1].at.Round(time.Second), middle(first, rss)/(1<<20), middle(second, rss)/(1<<20), middle(first, threads), middle(second, threads))
	if middle(second, rss)-middle(first, rss) > mostGrowth || middle(second, threads)-middle(first, threads) > mostGoroutines {
		return "", fmt.Errorf("%w:\n%s", errGrows, out)
	}
	return out, nil
}
