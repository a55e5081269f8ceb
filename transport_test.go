package outcrop_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/outcrop-ai/outcrop"
	"github.com/outcrop-ai/outcrop/internal/sim"
	"github.com/outcrop-ai/outcrop/llm"
)

// post sends a chat to OpenAI's API, wherever that is.
func post(ctx context.Context, t testing.TB, c *outcrop.Client, body string) (*http.Response, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://api.openai.com/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer sk-anything")
	return (&http.Client{Transport: c.OpenAITransport()}).Do(r)
}

func TestTheTransportAnswersInProcess(t *testing.T) {
	s, address := simulated(t, sim.Options{})
	var calls []llm.Call
	c := client(t, address, keys(), outcrop.WithObserver(func(_ context.Context, call llm.Call) { calls = append(calls, call) }))
	resp, err := post(t.Context(), t, c, `{"model":"amazon.nova-lite-v1:0","messages":[{"role":"user","content":"hi"}]}`)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil || resp.StatusCode != http.StatusOK || resp.ContentLength != int64(len(body)) || !strings.Contains(string(body), `"content":"You said: hi"`) {
		t.Errorf("%d %s %v", resp.StatusCode, body, err)
	}
	if got := s.Requests()[0]; strings.Contains(got.Header.Get("Authorization"), "sk-anything") {
		t.Error("the key of the client went to AWS")
	}
	resp, err = post(t.Context(), t, c, `{"model":"amazon.nova-lite-v1:0","messages":[{"role":"user","content":"[[fault:throttle]]"}]}`)
	if err != nil {
		t.Fatal(err)
	}
	body, _ = io.ReadAll(resp.Body)
	resp.Body.Close()
	if resp.StatusCode != http.StatusTooManyRequests || !strings.Contains(string(body), `"error"`) {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	if len(calls) != 2 || calls[0].Verb != "/v1/chat/completions" || !calls[0].Cost.Known() || calls[1].Err == nil || calls[1].Err.Kind != llm.KindRateLimit {
		t.Errorf("%+v", calls)
	}
}

// A stream's first event is there before its last has been made, and closing the body ends the upstream call.
func TestStreamsOfTheTransportAreStreams(t *testing.T) {
	done := make(chan llm.Call, 8)
	const body = `{"model":"amazon.nova-lite-v1:0","stream":true,"messages":[{"role":"user","content":"[[fault:stall-stream;after=3]] hi"}]}`
	for _, leave := range []string{"close", "cancel"} {
		_, address := simulated(t, sim.Options{ChunkSize: 3})
		ctx, cancel := context.WithCancel(t.Context())
		stalled := client(t, address, keys(), outcrop.WithObserver(func(_ context.Context, call llm.Call) { done <- call }))
		resp, err := post(ctx, t, stalled, body)
		if err != nil {
			t.Fatal(err)
		}
		line, err := bufio.NewReader(resp.Body).ReadString('\n')
		if err != nil || !strings.HasPrefix(line, "data: ") {
			t.Errorf("%q %v", line, err)
		}
		if leave == "cancel" {
			cancel()
			if _, err := io.ReadAll(resp.Body); !errors.Is(err, context.Canceled) {
				t.Errorf("%v", err)
			}
		}
		resp.Body.Close()
		cancel()
		if call := <-done; !call.Abandoned {
			t.Errorf("%+v", call)
		}
	}
	_, address := simulated(t, sim.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if resp, err := post(ctx, t, client(t, address, keys()), body); err == nil {
		resp.Body.Close()
		t.Error("a request that is over is answered")
	}
}

func TestBrokenStreamsOfTheTransport(t *testing.T) {
	_, address := simulated(t, sim.Options{})
	c := client(t, address, keys())
	resp, err := post(t.Context(), t, c, `{"model":"amazon.nova-lite-v1:0","stream":true,"messages":[{"role":"user","content":"[[fault:stream-throttle]] hello there"}]}`)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || !strings.Contains(string(body), `"error"`) || strings.Contains(string(body), "[DONE]") {
		t.Errorf("%s %v", body, err)
	}
}
