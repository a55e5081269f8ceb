package engine

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/outcrop-ai/outcrop/internal/router"
	"github.com/outcrop-ai/outcrop/llm"
)

// asks is a request for n answers.
func asks(n int) *Call {
	call := said("m", "hi")
	call.Request.N = n
	return call
}

// prompts are as many prompts, p0, p1, …, in one request.
func prompts(n int) *Call {
	call := said("m", "p0")
	for i := range n {
		call.Prompts = append(call.Prompts, llm.Message{Blocks: []llm.Block{{Text: llm.NewText("p" + strconv.Itoa(i))}}})
	}
	return call
}

// echo answers with what the user said, and counts it.
func echo(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	_, said, _ := strings.Cut(string(body), `{"text":"`)
	said, _, _ = strings.Cut(said, `"`)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Amzn-Requestid", "aws-"+said)
	_, _ = io.WriteString(w, `{"output":{"message":{"role":"assistant","content":[{"text":"`+said+`"}]}},"stopReason":"end_turn","usage":{"inputTokens":1000,"outputTokens":100,"totalTokens":1100}}`)
}

func TestSeveralAnswersAreOneCallInTheBooks(t *testing.T) {
	e := newBench(t, echo, &router.Deployment{Group: "m", Model: nova})
	call := asks(3)
	resp, failed := e.Chat(t.Context(), call)
	if failed != nil {
		t.Fatal(failed)
	}
	if len(resp.Further) != 2 || resp.Usage.Input != 3000 || resp.Usage.Output != 300 || resp.Usage.Total != 3300 || resp.Usage.Estimated {
		t.Errorf("%+v", resp)
	}
	if cost, known := call.CostUSD(); !known || cost != "0.00336" { // three times that of one
		t.Errorf("cost %s, %v", cost, known)
	}
	e.Settle(call, 200, nil)
	if len(e.books.list) != 1 {
		t.Fatalf("%d records", len(e.books.list))
	}
	if r := e.books.last(t); r.Usage.Input != 3000 || r.UsageSource.String() != "aws" || r.Cost != 3_360_000_000 || r.AWSRequestID != "aws-hi" || r.Upstream <= 0 || r.FirstToken.IsZero() {
		t.Errorf("%+v", r)
	}
}

// A prompt is billed at the rates of its own length, not of that of all prompts together.
func TestEachAnswerHasItsOwnPrice(t *testing.T) {
	const long = `{"output":{"message":{"role":"assistant","content":[{"text":"ok"}]}},"stopReason":"end_turn","usage":{"inputTokens":150000,"outputTokens":0,"totalTokens":150000}}`
	cost := func(n int) float64 {
		t.Helper()
		e := newBench(t, answer(long), &router.Deployment{Group: "m", Model: "bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0"})
		call := asks(n)
		if _, failed := e.Chat(t.Context(), call); failed != nil {
			t.Fatal(failed)
		}
		text, known := call.CostUSD()
		usd, err := strconv.ParseFloat(text, 64)
		if !known || err != nil {
			t.Fatalf("%s, %v, %v", text, known, err)
		}
		return usd
	}
	if one, two := cost(1), cost(2); two != 2*one {
		t.Errorf("one answer costs %v, two %v", one, two)
	}
}

func TestEachPromptIsAnswered(t *testing.T) {
	var at, most atomic.Int64
	e := newBench(t, func(w http.ResponseWriter, r *http.Request) {
		defer at.Add(-1)
		for now := at.Add(1); ; {
			if seen := most.Load(); now <= seen || most.CompareAndSwap(seen, now) {
				break
			}
		}
		echo(w, r)
	}, &router.Deployment{Group: "m", Model: nova})
	call := prompts(32)
	call.Request.N = 2
	resp, failed := e.Chat(t.Context(), call)
	if failed != nil {
		t.Fatal(failed)
	}
	all := append([]*llm.Response{resp}, resp.Further...)
	if len(all) != 64 {
		t.Fatalf("%d answers", len(all))
	}
	for i, r := range all {
		if want := "p" + strconv.Itoa(i/2); r.Text() != want {
			t.Errorf("answer %d is %s, want %s", i, r.Text(), want)
		}
	}
	if most.Load() > maxParallel {
		t.Errorf("%d calls at once", most.Load())
	}
	if resp.Usage.Input != 64000 {
		t.Errorf("%+v", resp.Usage)
	}
}

func TestTheFirstFailureFailsAll(t *testing.T) {
	var calls atomic.Int64
	gone := make(chan struct{}, 3)
	e := newBench(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if calls.Add(1) == 3 {
			w.Header().Set("X-Amzn-Errortype", "ThrottlingException")
			w.Header().Set("X-Amzn-Requestid", "aws-3")
			w.WriteHeader(http.StatusTooManyRequests)
			_, _ = io.WriteString(w, `{"message":"slow down"}`)
			return
		}
		<-r.Context().Done()
		gone <- struct{}{}
	}, &router.Deployment{Group: "m", Model: nova})
	f := func(run func(*Call) *llm.Error) {
		t.Helper()
		calls.Store(0)
		call := asks(3)
		failed := run(call)
		if failed == nil || failed.Kind != llm.KindRateLimit || failed.RequestID != "aws-3" || call.RequestID != "aws-3" || call.ClientClosed {
			t.Errorf("%+v, call %+v", failed, call)
		}
		for range 2 {
			<-gone // the others have ended
		}
		if call.HasUsage {
			t.Errorf("%+v", call.Usage)
		}
	}
	f(func(call *Call) *llm.Error {
		_, failed := e.Chat(t.Context(), call)
		return failed
	})
	f(func(call *Call) *llm.Error {
		call.Request.Stream = true
		s, failed := e.ChatStream(t.Context(), call)
		if failed != nil {
			return failed
		}
		_, err := s.Next()
		if _, again := s.Next(); !errors.Is(again, err) { // for ever
			t.Errorf("%v after %v", again, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		errors.As(err, &failed)
		return failed
	})
}

func TestWhatWasAnsweredBeforeAFailureIsBooked(t *testing.T) {
	e := newBench(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if !strings.Contains(string(body), "p8") {
			answer(plainAnswer)(w, r)
			return
		}
		w.WriteHeader(http.StatusInternalServerError)
	}, &router.Deployment{Group: "m", Model: nova})
	call := prompts(maxParallel + 1) // the last is sent when one of the others has been answered
	_, failed := e.Chat(t.Context(), call)
	if failed == nil || failed.Kind != llm.KindUpstreamInternal {
		t.Fatalf("%+v", failed)
	}
	if call.Usage.Input < 1000 || !call.costKnown {
		t.Errorf("%+v", call.Usage)
	}
}

func TestAClientThatLeavesEndsAllCalls(t *testing.T) {
	var calls sync.WaitGroup
	gone := make(chan struct{}, 3)
	e := newBench(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		calls.Done()
		<-r.Context().Done()
		gone <- struct{}{}
	}, &router.Deployment{Group: "m", Model: nova})
	calls.Add(3)
	ctx, leave := context.WithCancel(t.Context())
	go func() {
		calls.Wait()
		leave()
	}()
	call := asks(3)
	if _, failed := e.Chat(ctx, call); failed == nil || failed.Kind != llm.KindCanceled || !call.ClientClosed {
		t.Errorf("%+v", failed)
	}
	for range 3 {
		<-gone
	}
}

func TestAPromptThatCannotBeSentFailsAll(t *testing.T) {
	e := newBench(t, func(http.ResponseWriter, *http.Request) { t.Error("AWS was called") }, &router.Deployment{Group: "m", Model: nova})
	f := func(run func(*Call) *llm.Error) {
		t.Helper()
		call := prompts(3)
		call.Prompts[2].Blocks = []llm.Block{{Kind: llm.BlockText, Text: llm.NewText(" ")}}
		if failed := run(call); failed == nil || failed.Kind != llm.KindInvalid {
			t.Errorf("%+v", failed)
		}
	}
	f(func(call *Call) *llm.Error { _, failed := e.Chat(t.Context(), call); return failed })
	f(func(call *Call) *llm.Error { _, failed := e.ChatStream(t.Context(), call); return failed })
}

func TestHowManyAnswersMayBeAskedFor(t *testing.T) {
	e := newBench(t, answer(plainAnswer), &router.Deployment{Group: "m", Model: nova})
	f := func(n int, ok bool) {
		t.Helper()
		_, failed := e.Explain(t.Context(), asks(n))
		if (failed == nil) != ok || !ok && (failed.Param != "n" || failed.Status() != 400) {
			t.Errorf("%d: %+v", n, failed)
		}
	}
	f(-1, false)
	f(0, true)
	f(1, true)
	f(8, true)
	f(9, false)
}

func TestAPanicIsOnesOwn(t *testing.T) {
	e := newBench(t, answer(plainAnswer), &router.Deployment{Group: "m", Model: nova})
	if failed := e.guarded(func() *llm.Error { panic("oops") }); failed == nil || failed.Kind != llm.KindInternal || strings.Contains(failed.Message, "oops") {
		t.Errorf("%+v", failed)
	}
	if failed := e.guarded(func() *llm.Error { return nil }); failed != nil {
		t.Errorf("%+v", failed)
	}
}
