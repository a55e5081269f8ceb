package engine

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/outcrop-ai/outcrop/internal/router"
	"github.com/outcrop-ai/outcrop/llm"
)

func TestAChatIsAnsweredPricedAndBooked(t *testing.T) {
	e := newBench(t, answer(plainAnswer), &router.Deployment{Group: "m", Model: nova})
	call := said("m", "hi")
	resp, failed := e.Chat(t.Context(), call)
	if failed != nil {
		t.Fatal(failed)
	}
	if len(resp.Blocks) != 1 || resp.Blocks[0].Text.String() != "ok" || resp.Stop != llm.StopEnd {
		t.Errorf("answer %+v", resp)
	}
	// Nova Pro: 0.8 USD for a million tokens in, 3.2 USD out.
	if cost, known := call.CostUSD(); !known || cost != "0.00112" {
		t.Errorf("cost %s, %v", cost, known)
	}
	e.Settle(call, http.StatusOK, nil)
	r := e.books.last(t)
	if r.Asked != "m" || r.Group != "m" || r.Deployment != "m-id" || r.Model != "us.amazon.nova-pro-v1:0" || r.Region != "us-east-1" || r.Route != "converse" {
		t.Errorf("where: %+v", r)
	}
	if r.Usage.Input != 1000 || r.Usage.Output != 100 || r.UsageSource.String() != "aws" || !r.CostKnown || r.Cost != 1_120_000_000 || r.PriceKey == "" {
		t.Errorf("how much: %+v", r)
	}
	if r.RequestID != "chatcmpl-1" || r.AWSRequestID != "aws-1" || r.Status != 200 || r.ErrorKind != "" || r.Upstream <= 0 || r.FirstToken.IsZero() {
		t.Errorf("how: %+v", r)
	}
}

func TestAFailureIsBookedWithItsReason(t *testing.T) {
	e := newBench(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Amzn-Errortype", "ThrottlingException")
		w.Header().Set("X-Amzn-Requestid", "aws-9")
		w.WriteHeader(http.StatusTooManyRequests)
		_, _ = io.WriteString(w, `{"message":"slow down"}`)
	}, &router.Deployment{Group: "m", Model: nova})
	call := said("m", "hi")
	_, failed := e.Chat(t.Context(), call)
	if failed == nil || failed.Kind != llm.KindRateLimit || failed.Message != "slow down" || failed.RequestID != "aws-9" {
		t.Fatalf("%+v", failed)
	}
	e.Settle(call, failed.Status(), failed)
	r := e.books.last(t)
	if r.Status != 429 || r.ErrorKind != "rate_limit" || r.AWSException != "ThrottlingException" || r.Message != "slow down" || r.UsageSource.String() != "none" || r.CostKnown || r.RequestID != "" || r.AWSRequestID != "aws-9" {
		t.Errorf("%+v", r)
	}
}

func TestWhatIsNoCallOfAModelIsNotBooked(t *testing.T) {
	e := newBench(t, answer(plainAnswer), &router.Deployment{Group: "m", Model: nova})
	e.Settle(&Call{ID: NewID(), Path: "/models"}, 200, nil)
	if len(e.books.list) != 0 {
		t.Errorf("%+v", e.books.list)
	}
}

func TestAnAnswerThatIsNoneIsAFailure(t *testing.T) {
	for _, text := range []string{"", "<html>", `{}`, `{"output":{}}`, `{"output"`} {
		e := newBench(t, answer(text), &router.Deployment{Group: "m", Model: nova})
		if _, failed := e.Chat(t.Context(), said("m", "hi")); failed == nil || failed.Kind != llm.KindUpstream || failed.RequestID != "aws-1" {
			t.Errorf("%q: %+v", text, failed)
		}
	}
}

func TestAWholeAnswerToAStreamIsToldAsAStream(t *testing.T) {
	const whole = `{"output":{"message":{"role":"assistant","content":[
		{"reasoningContent":{"reasoningText":{"text":"hm","signature":"U0lH"}}},{"reasoningContent":{"redactedContent":"cmVk"}},{"text":"Hello"},
		{"toolUse":{"toolUseId":"t1","name":"f","input":{"a":1}}},{"hologram":{}}]}},
		"stopReason":"tool_use","usage":{"inputTokens":3,"outputTokens":4,"totalTokens":7},"serviceTier":{"type":"flex"}}`
	e := newBench(t, answer(whole), &router.Deployment{Group: "m", Model: claude})
	call := said("m", "hi")
	call.Request.Stream = true
	s, failed := e.ChatStream(t.Context(), call)
	if failed != nil {
		t.Fatal(failed)
	}
	var kinds []llm.EventKind
	for {
		ev, err := s.Next()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				t.Error(err)
			}
			break
		}
		kinds = append(kinds, ev.Kind)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	want := []llm.EventKind{
		llm.EventStart, llm.EventThinking, llm.EventSignature, llm.EventBlockStop, llm.EventRedacted, llm.EventBlockStop, llm.EventText, llm.EventBlockStop,
		llm.EventToolStart, llm.EventToolInput, llm.EventBlockStop, llm.EventOther, llm.EventBlockStop, llm.EventStop, llm.EventUsage,
	}
	if !slices.Equal(kinds, want) {
		t.Errorf("got %v, want %v", kinds, want)
	}
	if call.Usage.Input != 3 || call.Usage.Output != 4 || call.Tier != "flex" {
		t.Errorf("booked %+v, tier %s", call.Usage, call.Tier)
	}
}

func TestExplainSendsNothing(t *testing.T) {
	e := newBench(t, func(http.ResponseWriter, *http.Request) { t.Error("AWS was called") }, &router.Deployment{
		Group: "m", Model: nova, Policy: llm.Policy{Drop: true},
	})
	call := said("m", "hi")
	call.Request.Params = []llm.Field{{Name: "seed", Value: []byte("1")}}
	x, failed := e.Explain(t.Context(), call)
	if failed != nil {
		t.Fatal(failed)
	}
	if x.Deployment != "m-id" || x.Route != "converse" || x.Region != "us-east-1" || !strings.HasSuffix(x.URL, "/model/us.amazon.nova-pro-v1%3A0/converse") ||
		string(x.Body) != `{"messages":[{"role":"user","content":[{"text":"hi"}]}]}` || len(x.Losses) != 1 || x.Losses[0] != (llm.Loss{Path: "seed", Why: "unsupported"}) || len(x.Prices) == 0 {
		t.Errorf("%+v %s", x, x.Body)
	}
	call = said("m", "hi")
	call.Request.Stream = true
	if x, failed := e.Explain(t.Context(), call); failed != nil || !strings.HasSuffix(x.URL, "/converse-stream") {
		t.Errorf("%+v %+v", x, failed)
	}
}

func TestForwardedHeaders(t *testing.T) {
	f := func(want string, names ...string) {
		t.Helper()
		h := http.Header{}
		for _, n := range names {
			h.Set(n, "v")
		}
		var got []string
		for n := range forwarded(h, "X-Team-Key") {
			got = append(got, n)
		}
		slices.Sort(got)
		if strings.Join(got, " ") != want {
			t.Errorf("%v: got %v", names, got)
		}
	}
	f("X-Custom X-Trace", "x-custom", "x-trace", "accept", "user-agent", "authorization", "cookie", "anthropic-beta")
	f("", "x-api-key", "x-team-key", "x-litellm-api-key", "x-goog-api-key", "x-amz-date", "x-amz-security-token", "x-amzn-trace", "x-forwarded-for", "x-real-ip", "x-stainless-lang", "x-outcrop-loss")
}
