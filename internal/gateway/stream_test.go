package gateway

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/outcrop-ai/outcrop/internal/sim"
)

const streamed = `{"model":"claude","stream":true,"messages":[{"role":"user","content":"%s"}]}`

// handUpstream is an upstream whose streams a test writes by hand.
type handUpstream struct {
	url string
	// calls gives each call that has come in.
	calls chan *handCall
}

type handCall struct {
	t    *testing.T
	w    http.ResponseWriter
	gone <-chan struct{}
	done chan struct{}
}

func newHandUpstream(t *testing.T) *handUpstream {
	t.Helper()
	u := &handUpstream{calls: make(chan *handCall, 8)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/vnd.amazon.eventstream")
		c := &handCall{t: t, w: w, gone: r.Context().Done(), done: make(chan struct{})}
		u.calls <- c
		<-c.done
	}))
	t.Cleanup(server.Close)
	u.url = server.URL
	return u
}

// send writes frames in the notation of the golden cases, and sees to it that they leave.
func (c *handCall) send(frames string) {
	writeFrames(c.t, c.w, frames)
	_ = http.NewResponseController(c.w).Flush()
}

func (c *handCall) end() { close(c.done) }

const (
	startFrame = "messageStart {\"role\":\"assistant\"}\n"
	textFrame  = "contentBlockDelta {\"contentBlockIndex\":0,\"delta\":{\"text\":\"Hello\"}}\n"
	endFrames  = "contentBlockStop {\"contentBlockIndex\":0}\nmessageStop {\"stopReason\":\"end_turn\"}\nmetadata {\"usage\":{\"inputTokens\":10,\"outputTokens\":20,\"totalTokens\":30}}\n"
)

// open starts a streamed request; the answer's headers may still be to come.
func (g *rig) open(ctx context.Context, body string) <-chan *http.Response {
	answers := make(chan *http.Response, 1)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, g.url+"/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		g.t.Fatal(err)
	}
	r.Header = bearer(testKey)
	go func() {
		defer close(answers)
		resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
		if err == nil {
			answers <- resp
		}
	}()
	return answers
}

func TestHeadersWaitForTheFirstEvent(t *testing.T) {
	u := newHandUpstream(t)
	g := newRig(t, simConfig(u.url, withKey), nil)
	answers := g.open(t.Context(), fmt.Sprintf(streamed, "x"))
	call := <-u.calls
	_ = http.NewResponseController(call.w).Flush() // AWS has answered, with no event yet
	call.send("!throttlingException {\"message\":\"Too many\"}\n")
	resp := <-answers
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	call.end()
	if err != nil || resp.StatusCode != 429 || resp.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%v %v %s", err, resp.Status, body)
	}
	if r := g.books.next(t); r.Status != 429 || r.ErrorKind != "rate_limit" || r.UsageSource.String() != "none" {
		t.Errorf("record %+v", r)
	}
}

func TestEachEventReachesTheClientAtOnce(t *testing.T) {
	u := newHandUpstream(t)
	g := newRig(t, simConfig(u.url, withKey), nil)
	answers := g.open(t.Context(), fmt.Sprintf(streamed, "x"))
	call := <-u.calls
	call.send(startFrame)
	resp := <-answers // the headers are here before the second event is
	defer resp.Body.Close()
	lines := bufio.NewReader(resp.Body)
	for range 3 {
		call.send(textFrame)
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(line, `"content":"Hello"`) {
				break
			}
		}
	}
	call.send(endFrames)
	call.end()
	rest, err := io.ReadAll(lines)
	if err != nil || !strings.HasSuffix(string(rest), "data: [DONE]\n\n") {
		t.Errorf("%v %q", err, rest)
	}
}

func TestSilenceIsFilledWithComments(t *testing.T) {
	u := newHandUpstream(t)
	g := newRig(t, simConfig(u.url, withKey), func(o *Options) { o.KeepAlive = 5 * time.Millisecond })
	answers := g.open(t.Context(), fmt.Sprintf(streamed, "x"))
	call := <-u.calls
	resp := <-answers // nothing has come from AWS, and yet proxies between us and the client must see life
	defer resp.Body.Close()
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/event-stream; charset=utf-8" {
		t.Fatalf("%v %v", resp.Status, resp.Header)
	}
	lines := bufio.NewReader(resp.Body)
	comment := func() {
		t.Helper()
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			if line == ": keep-alive\n" {
				return
			}
		}
	}
	comment()
	call.send(startFrame + textFrame)
	comment()
	call.send("!internalServerException {\"message\":\"Oops\"}\n")
	call.end()
	rest, err := io.ReadAll(lines)
	if err != nil || !strings.Contains(string(rest), `data: {"error":{"message":"Oops","type":"internal_server_error"`) || strings.Contains(string(rest), "[DONE]") {
		t.Errorf("%v %q", err, rest)
	}
}

func TestClientThatLeavesEndsTheUpstreamCall(t *testing.T) {
	u := newHandUpstream(t)
	g := newRig(t, simConfig(u.url, withKey), nil)
	ctx, leave := context.WithCancel(t.Context())
	answers := g.open(ctx, fmt.Sprintf(streamed, "tell me something"))
	call := <-u.calls
	call.send(startFrame + textFrame)
	resp := <-answers
	defer resp.Body.Close()
	if _, err := bufio.NewReader(resp.Body).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	leave()
	<-call.gone
	call.end()
	r := g.books.next(t)
	if !r.ClientClosed || r.UsageSource.String() != "estimated" || r.Usage.Input == 0 || r.Usage.Output == 0 || !r.CostKnown || r.ErrorKind != "canceled" {
		t.Errorf("record %+v", r)
	}
}

func TestClientThatLeavesBeforeTheAnswer(t *testing.T) {
	u := newHandUpstream(t)
	g := newRig(t, simConfig(u.url, withKey), nil)
	for _, body := range []string{fmt.Sprintf(streamed, "x"), hello} {
		ctx, leave := context.WithCancel(t.Context())
		g.open(ctx, body)
		call := <-u.calls
		leave()
		<-call.gone
		call.end()
		if r := g.books.next(t); !r.ClientClosed || r.Status != 499 || r.ErrorKind != "canceled" {
			t.Errorf("record %+v", r)
		}
	}
}

const twoChoices = `{"model":"claude","stream":true,"n":2,"messages":[{"role":"user","content":"x"}]}`

func TestChoicesReachTheClientAsTheyCome(t *testing.T) {
	u := newHandUpstream(t)
	g := newRig(t, simConfig(u.url, withKey), nil)
	answers := g.open(t.Context(), twoChoices)
	one, two := <-u.calls, <-u.calls
	one.send(startFrame) // the other has not even answered
	resp := <-answers
	defer resp.Body.Close()
	lines := bufio.NewReader(resp.Body)
	line := func(want string) int {
		t.Helper()
		for {
			text, err := lines.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			if _, after, ok := strings.Cut(text, `"choices":[{"index":`); ok && strings.Contains(text, want) {
				return int(after[0] - '0')
			}
		}
	}
	first := line(`"role"`)
	one.send(textFrame)
	if i := line("Hello"); i != first {
		t.Errorf("choice %d, not %d", i, first)
	}
	two.send(startFrame + textFrame)
	if i := line("Hello"); i != 1-first {
		t.Errorf("choice %d, not %d", i, 1-first)
	}
	one.send(endFrames)
	one.end()
	if i := line(`"finish_reason":"stop"`); i != first {
		t.Errorf("choice %d, not %d", i, first)
	}
	two.send(textFrame + endFrames)
	two.end()
	rest, err := io.ReadAll(lines)
	if err != nil || strings.Count(string(rest), "[DONE]") != 1 || strings.Count(string(rest), `"finish_reason":"stop"`) != 1 {
		t.Errorf("%v %q", err, rest)
	}
	if r := g.books.next(t); len(g.books.records) != 1 || r.Usage.Input != 20 || r.Usage.Output != 40 || r.UsageSource.String() != "aws" || r.Status != 200 {
		t.Errorf("record %+v", r)
	}
}

func TestAFailureBeforeAnyChoiceHasItsStatus(t *testing.T) {
	u := newHandUpstream(t)
	g := newRig(t, simConfig(u.url, withKey), nil)
	answers := g.open(t.Context(), twoChoices)
	one, two := <-u.calls, <-u.calls
	one.send("!throttlingException {\"message\":\"Too many\"}\n")
	resp := <-answers
	_ = resp.Body.Close()
	<-two.gone // the other has ended
	one.end()
	two.end()
	if resp.StatusCode != 429 {
		t.Errorf("%v", resp.Status)
	}
	if r := g.books.next(t); r.Status != 429 || r.ErrorKind != "rate_limit" || r.ClientClosed {
		t.Errorf("record %+v", r)
	}
}

func TestAFailureAmongChoicesEndsTheStream(t *testing.T) {
	u := newHandUpstream(t)
	g := newRig(t, simConfig(u.url, withKey), nil)
	answers := g.open(t.Context(), twoChoices)
	one, two := <-u.calls, <-u.calls
	one.send(startFrame + textFrame)
	resp := <-answers
	two.send("!throttlingException {\"message\":\"Too many\"}\n")
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	<-one.gone
	one.end()
	two.end()
	if err != nil || !strings.Contains(string(body), `data: {"error":{"message":"Too many"`) || strings.Contains(string(body), "[DONE]") || strings.Contains(string(body), `"finish_reason":"stop"`) {
		t.Errorf("%v %q", err, body)
	}
}

func TestClientThatLeavesEndsTheCallsOfAllChoices(t *testing.T) {
	u := newHandUpstream(t)
	g := newRig(t, simConfig(u.url, withKey), nil)
	ctx, leave := context.WithCancel(t.Context())
	answers := g.open(ctx, twoChoices)
	one, two := <-u.calls, <-u.calls
	one.send(startFrame + textFrame)
	resp := <-answers
	defer resp.Body.Close()
	leave()
	<-one.gone
	<-two.gone
	one.end()
	two.end()
	if r := g.books.next(t); !r.ClientClosed || r.UsageSource.String() != "estimated" || r.ErrorKind != "canceled" {
		t.Errorf("record %+v", r)
	}
}

func TestDrainReadsTheAnswerToItsEnd(t *testing.T) {
	u := newHandUpstream(t)
	g := newRig(t, simConfig(u.url, withKey+"  on_client_disconnect: drain\n"), nil)
	ctx, leave := context.WithCancel(t.Context())
	answers := g.open(ctx, fmt.Sprintf(streamed, "x"))
	call := <-u.calls
	call.send(startFrame + textFrame)
	resp := <-answers
	leave()
	_ = resp.Body.Close()
	for range 50 { // enough for the gateway to find out that nobody listens
		call.send(textFrame)
	}
	select {
	case <-call.gone:
		t.Error("the upstream call was ended")
	default:
	}
	call.send(endFrames)
	call.end()
	if r := g.books.next(t); !r.ClientClosed || r.UsageSource.String() != "aws" || r.Usage.Input != 10 || r.Usage.Output != 20 {
		t.Errorf("record %+v", r)
	}
}

func TestSilentUpstreamEndsInATimeout(t *testing.T) {
	u := newHandUpstream(t)
	g := newRig(t, simConfig(u.url, withKey+"router_settings:\n  stream_idle_timeout: 0.02\n"), nil)
	answers := g.open(t.Context(), fmt.Sprintf(streamed, "x"))
	call := <-u.calls
	call.send(startFrame + textFrame)
	resp := <-answers
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	<-call.gone
	call.end()
	if err != nil || !strings.Contains(string(body), `"type":"timeout_error"`) || strings.Contains(string(body), "[DONE]") {
		t.Errorf("%v %q", err, body)
	}
	g = newRig(t, simConfig(u.url, withKey+"router_settings:\n  timeout: 0.02\n"), nil)
	answers = g.open(t.Context(), hello)
	call = <-u.calls
	resp = <-answers
	body, err = io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	call.end()
	if err != nil || resp.StatusCode != 504 || !strings.Contains(string(body), `"type":"timeout_error"`) {
		t.Errorf("%v %v %q", err, resp.Status, body)
	}
}

func TestFaultsOfTheSimulator(t *testing.T) {
	_, url := upstream(t, sim.Options{})
	g := newRig(t, simConfig(url, withKey), nil)
	f := func(fault string, status int, inBody string) {
		t.Helper()
		resp, body := g.post("/v1/chat/completions", fmt.Sprintf(streamed, "[[fault:"+fault+"]]"))
		if resp.StatusCode != status || !strings.Contains(body, inBody) {
			t.Errorf("%s: %d %s", fault, resp.StatusCode, body)
		}
		if status == 200 && strings.Contains(body, "[DONE]") != strings.Contains(inBody, "[DONE]") {
			t.Errorf("%s: %s", fault, body)
		}
	}
	for _, name := range sim.FaultNames() {
		switch {
		case strings.Contains(name, "stall"):
			continue // has a test of its own
		default:
			resp, body := g.post("/v1/chat/completions", fmt.Sprintf(streamed, "[[fault:"+name+";after=2]]"))
			if resp.StatusCode == 200 && !strings.Contains(body, "[DONE]") && !strings.Contains(body, `data: {"error":`) {
				t.Errorf("%s: ends without a word: %s", name, body)
			}
			if resp.StatusCode != 200 {
				errorOf(t, body)
			}
		}
	}
	f("throttle", 429, "rate_limit_error")
}

func TestManyStreamsAtOnce(t *testing.T) {
	_, url := upstream(t, sim.Options{})
	g := newRig(t, simConfig(url, withKey), nil)
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			say := fmt.Sprintf("stream number %d of many, each with words of its own", i)
			_, body := g.post("/v1/chat/completions", fmt.Sprintf(streamed, say))
			var text strings.Builder
			for line := range strings.Lines(body) {
				if _, after, ok := strings.Cut(line, `"delta":{"content":"`); ok {
					part, _, _ := strings.Cut(after, `"},"finish_reason"`)
					text.WriteString(part)
				}
			}
			if text.String() != "You said: "+say {
				t.Errorf("got %q", text.String())
			}
		}()
	}
	wg.Wait()
}

func TestShutdownIsSaidToWhoIsStillServed(t *testing.T) {
	u := newHandUpstream(t)
	g := newRig(t, simConfig(u.url, withKey), nil)
	requests, cut := context.WithCancelCause(context.Background())
	server := httptest.NewUnstartedServer(g.server)
	server.Config.BaseContext = func(net.Listener) context.Context { return requests }
	server.Start()
	t.Cleanup(server.Close)
	g.url = server.URL
	answers := g.open(t.Context(), fmt.Sprintf(streamed, "x"))
	call := <-u.calls
	call.send(startFrame + textFrame)
	resp := <-answers
	cut(ErrShuttingDown)
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	<-call.gone
	call.end()
	if err != nil || !strings.Contains(string(body), `"code":"server_shutting_down"`) || strings.Contains(string(body), "[DONE]") {
		t.Errorf("%v %q", err, body)
	}
	if r := g.books.next(t); r.ClientClosed || r.ErrorKind != "unavailable" || r.UsageSource.String() != "estimated" {
		t.Errorf("record %+v", r)
	}
}
