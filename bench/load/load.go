package load

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Target is one request, sent again and again.
type Target struct {
	URL    string
	Header http.Header
	Body   []byte
}

// Client is an HTTP client that keeps as many connections as there are requests at once.
func Client() *http.Client {
	return &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 4096, DisableCompression: true}}
}

func (t *Target) do(ctx context.Context, c *http.Client) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, t.URL, bytes.NewReader(t.Body))
	if err != nil {
		return nil, err
	}
	r.Header = t.Header.Clone()
	resp, err := c.Do(r)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		text, err := io.ReadAll(io.LimitReader(resp.Body, 2048))
		return nil, errors.Join(fmt.Errorf("status %d: %s", resp.StatusCode, text), err)
	}
	return resp, nil
}

// once sends one request and reads its answer to the end.
func (t *Target) once(ctx context.Context, c *http.Client) error {
	resp, err := t.do(ctx, c)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

// Saturate sends n requests over workers connections as fast as the answers come.
func Saturate(ctx context.Context, c *http.Client, t *Target, workers, n int) error {
	var left atomic.Int64
	left.Store(int64(n))
	errs := make(chan error, workers)
	for range workers {
		go func() {
			for left.Add(-1) >= 0 {
				if err := t.once(ctx, c); err != nil {
					errs <- err
					return
				}
			}
			errs <- nil
		}()
	}
	var failed error
	for range workers {
		failed = errors.Join(failed, <-errs)
	}
	return failed
}

// AtRate sends requests at fixed times, whether or not earlier ones have been answered, for the given time, and returns
// their latencies in ascending order. A latency counts from the time at which the request was due, so that a stall
// cannot hide the requests behind it.
func AtRate(ctx context.Context, c *http.Client, t *Target, perSecond int, d time.Duration) ([]time.Duration, error) {
	var mu sync.Mutex
	var failed error
	latencies := atRate(perSecond, d, func() {
		if err := t.once(ctx, c); err != nil {
			mu.Lock()
			failed = errors.Join(failed, err)
			mu.Unlock()
		}
	})
	return latencies, failed
}

// Storm is AtRate where calls may fail: it counts them by what the client is told. A stream fails that does not come to its
// end, or says that it has failed.
func Storm(ctx context.Context, c *http.Client, t *Target, perSecond int, d time.Duration) (latencies []time.Duration, failures map[string]int, err error) {
	var mu sync.Mutex
	failures = map[string]int{}
	latencies = atRate(perSecond, d, func() {
		if cause := t.whole(ctx, c); cause != "" {
			mu.Lock()
			defer mu.Unlock()
			failures[cause]++
		}
	})
	return latencies, failures, ctx.Err()
}

// whole sends one request and looks whether the whole of its answer has come; else it says in a few words what has.
func (t *Target) whole(ctx context.Context, c *http.Client) (cause string) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, t.URL, bytes.NewReader(t.Body))
	if err != nil {
		return err.Error()
	}
	r.Header = t.Header.Clone()
	resp, err := c.Do(r)
	if err != nil {
		return "no answer"
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	isStream := bytes.HasPrefix(body, []byte("data:"))
	_, failure, hasFailed := bytes.Cut(body, []byte(`{"error":`))
	switch {
	case err != nil:
		return "broken off"
	case hasFailed:
		var e struct{ Message, Code string }
		_ = json.NewDecoder(bytes.NewReader(failure)).Decode(&e) // what is no error of ours has no code
		if cause = strconv.Itoa(resp.StatusCode) + " " + e.Code; isStream {
			cause = "error event after the first content"
		}
		return cause
	case resp.StatusCode != http.StatusOK:
		return strconv.Itoa(resp.StatusCode)
	case isStream && !bytes.HasSuffix(body, []byte("data: [DONE]\n\n")):
		return "a stream without end"
	}
	return ""
}

// atRate does something at fixed times and returns how long each took from its time on, in ascending order.
func atRate(perSecond int, d time.Duration, do func()) []time.Duration {
	n := int(d.Seconds() * float64(perSecond))
	gap := time.Second / time.Duration(perSecond)
	latencies := make([]time.Duration, n)
	var wg sync.WaitGroup
	start := time.Now()
	for i := range n {
		due := start.Add(time.Duration(i) * gap)
		time.Sleep(time.Until(due))
		wg.Go(func() {
			do()
			latencies[i] = time.Since(due)
		})
	}
	wg.Wait()
	slices.Sort(latencies)
	return latencies
}

// Streams opens n streams at once, reads all of them to their end, and returns how many server-sent events or frames of
// bytes came in all. opened is called when every stream has had its first bytes.
func Streams(ctx context.Context, c *http.Client, t *Target, n int, opened func()) (events int64, err error) {
	var total, first atomic.Int64
	errs := make(chan error, n)
	for range n {
		go func() {
			resp, err := t.do(ctx, c)
			if err != nil {
				errs <- err
				return
			}
			defer resp.Body.Close()
			scanner := bufio.NewReaderSize(resp.Body, 2048)
			seen := false
			for {
				line, err := scanner.ReadSlice('\n')
				if !seen && len(line) > 0 {
					seen = true
					if first.Add(1) == int64(n) {
						opened()
					}
				}
				if bytes.HasPrefix(line, []byte("data: ")) {
					total.Add(1)
				}
				if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
					if errors.Is(err, io.EOF) {
						err = nil
					}
					errs <- err
					return
				}
			}
		}()
	}
	for range n {
		err = errors.Join(err, <-errs)
	}
	return total.Load(), err
}
