package sim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
)

func TestFaultsInsteadOfAnAnswer(t *testing.T) {
	b := open(t)
	f := func(spec string, status int, code string) {
		t.Helper()
		for _, r := range []reply{
			b.post(claude, "converse", user("x [[fault:"+spec+"]]")),
			b.post(claude, "converse-stream", user("x"), "x-outcrop-sim-fault", spec),
			b.post(claude+".fault-"+spec, "invoke", messages("x", "")),
			b.post(claude, "count-tokens", `{"input":{"converse":`+user("[[fault:"+spec+"]]")+`}}`),
		} {
			equal(t, r.status, status)
			equal(t, r.header.Get("x-amzn-ErrorType"), code+errorTypeSuffix)
			if r.tree(t).at("message") == "" || r.header.Get("x-amzn-RequestId") == "" {
				t.Errorf("%s: %v", r.body, r.header)
			}
		}
	}
	f("validation", 400, "ValidationException")
	f("quota", 400, "ServiceQuotaExceededException")
	f("access-denied", 403, "AccessDeniedException")
	f("expired-token", 403, "ExpiredTokenException")
	f("404", 404, "ResourceNotFoundException")
	f("408", 408, "ModelTimeoutException")
	f("424", 424, "ModelErrorException")
	f("429", 429, "ThrottlingException")
	f("not-ready", 429, "ModelNotReadyException")
	f("500", 500, "InternalServerException")
	f("503", 503, "ServiceUnavailableException")
	equal(t, b.post(claude, "converse", user("[[fault:424]]")).tree(t).at("originalStatusCode"), any(500.0))
	r := b.post(claude, "converse", user("[[fault:throttle;retry-after=7;message=slow down]]"))
	equal(t, r.header.Get("Retry-After"), "7")
	equal(t, r.tree(t).at("message"), any("slow down"))
	equal(t, b.post(claude, "converse", user("x"), "x-outcrop-sim-fault", "explode").status, 400)
}

func TestCountedAndSelectiveFaults(t *testing.T) {
	b := open(t)
	status := func(model, text string) int { return b.post(model, "converse", user(text)).status }
	const twice = "[[fault:throttle;times=2]]"
	equal(t, status(claude, twice), 429)
	equal(t, status(claude, twice), 429)
	equal(t, status(claude, twice), 200)
	equal(t, status(llama, twice), 429) // each model counts for itself
	b.sim.Reset()
	equal(t, status(claude, twice), 429)
	equal(t, status(claude, "[[fault:500;model=claude]]"), 500)
	equal(t, status(llama, "[[fault:500;model=claude]]"), 200)
}

func TestStreamExceptions(t *testing.T) {
	b := open(t)
	f := func(spec, want string) decoded {
		t.Helper()
		all := b.stream(claude, user("a rather long text to stream [[fault:"+spec+"]]"))
		equal(t, kinds(all), want)
		return all[len(all)-1]
	}
	const seen = "messageStart contentBlockDelta contentBlockDelta "
	last := f("stream-throttle", seen+"exception:throttlingException")
	equal(t, strings.Join(last.order, " "), ":exception-type :content-type :message-type")
	equal(t, parse(t, last.payload).at("message"), any("Too many requests, please wait before trying again."))
	f("stream-internal;after=1", "messageStart exception:internalServerException")
	f("stream-validation;after=0", "exception:validationException")
	f("stream-unavailable", seen+"exception:serviceUnavailableException")
	last = f("stream-model-error", seen+"exception:modelStreamErrorException")
	equal(t, parse(t, last.payload).at("originalStatusCode"), any(500.0))
	last = f("stream-error", seen+"error:InternalFailure")
	equal(t, len(last.payload), 0)
	equal(t, last.headers[":error-message"], "The service failed while streaming.")
	all := b.stream(claude, user("x"), "x-outcrop-sim-fault", "no-metadata")
	equal(t, all[len(all)-1].kind(), "messageStop")
	all = b.stream(claude, user("x"), "x-outcrop-sim-fault", "no-message-stop")
	if strings.Contains(kinds(all), "messageStop") {
		t.Error(kinds(all))
	}

	r := b.post(claude, "invoke-with-response-stream", messages("x [[fault:stream-timeout;after=1]]", ""))
	chunks, err := frames(bytes.NewReader(r.body))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, kinds(chunks), "chunk exception:modelTimeoutException")
	equal(t, b.post(claude, "converse", user("[[fault:stream-throttle]]")).status, 429)
	equal(t, b.post(claude, "converse", user("[[fault:stream-model-error]]")).header.Get("x-amzn-ErrorType"), "ModelStreamErrorException"+errorTypeSuffix)
}

func TestBrokenConnectionsAndFrames(t *testing.T) {
	b := open(t)
	long := user("a rather long text to stream")
	if r := b.post(claude, "converse", long, "x-outcrop-sim-fault", "cut"); r.err == nil {
		t.Error("cut: got an answer")
	}
	r := b.post(claude, "converse-stream", long, "x-outcrop-sim-fault", "cut-stream;after=2")
	all, err := frames(bytes.NewReader(r.body))
	equal(t, kinds(all), "messageStart contentBlockDelta")
	if r.err == nil || err != nil {
		t.Error("cut-stream: ", r.err, err)
	}
	whole := len(r.body)
	r = b.post(claude, "converse-stream", long, "x-outcrop-sim-fault", "cut-frame;after=2")
	all, _ = frames(bytes.NewReader(r.body))
	equal(t, kinds(all), "messageStart contentBlockDelta")
	if r.err == nil || len(r.body) <= whole {
		t.Error("cut-frame: ", r.err, len(r.body), whole)
	}
	r = b.post(claude, "converse-stream", long, "x-outcrop-sim-fault", "corrupt-frame;after=1")
	all, err = frames(bytes.NewReader(r.body))
	equal(t, kinds(all), "messageStart")
	if err == nil || r.err != nil {
		t.Error("corrupt-frame: ", err, r.err)
	}
	r = b.post(claude, "converse-stream", long, "x-outcrop-sim-fault", "cut-stream;after=1000")
	all, _ = frames(bytes.NewReader(r.body))
	if strings.Contains(kinds(all), "metadata") || r.err == nil {
		t.Error("cut at the end at the latest: ", kinds(all), r.err)
	}

	r = b.post(claude, "converse", long, "x-outcrop-sim-fault", "cut-stream")
	if !errors.Is(r.err, io.ErrUnexpectedEOF) {
		t.Error("half an answer: ", r.err)
	}
	r = b.post(claude, "converse", long, "x-outcrop-sim-fault", "corrupt-frame")
	contains(t, string(r.body), "!!!!")
	equal(t, b.post(claude, "converse", long, "x-outcrop-sim-fault", "no-metadata").tree(t).at("usage"), nil)
}

func TestStallsLastUntilTheClientLeaves(t *testing.T) {
	b := open(t)
	ctx, leave := context.WithCancel(context.Background())
	defer leave()
	r := b.request(http.MethodPost, modelPath(claude, "converse-stream"), user("x"), "x-outcrop-sim-fault", "stall-stream;after=1").WithContext(ctx)
	res, err := b.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	first := make([]byte, 4)
	if _, err := io.ReadFull(res.Body, first); err != nil {
		t.Fatal(err)
	}
	leave()
	if _, err := io.Copy(io.Discard, res.Body); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}

	// A server that closes ends stalls too; goleak sees whether one stays.
	res, err = b.client.Do(b.request(http.MethodPost, modelPath(claude, "converse-stream"), user("x"), "x-outcrop-sim-fault", "stall-stream;after=0"))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b.sim.Close()
	if n, err := io.Copy(io.Discard, res.Body); n != 0 {
		t.Error(n, err)
	}
}

func TestAStallBeforeTheHeadersSaysNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, leave := context.WithCancel(context.Background())
		r := httptest.NewRequest(http.MethodPost, modelPath(claude, "converse"), strings.NewReader(user("[[fault:stall]]"))).WithContext(ctx)
		r.Header.Set("Authorization", "Bearer "+BearerToken)
		w := httptest.NewRecorder()
		left := false
		go func() { New(Options{}).ServeHTTP(w, r); left = true }()
		synctest.Wait()
		equal(t, left, false)
		leave()
		synctest.Wait()
		equal(t, left, true)
		equal(t, w.Body.Len(), 0)
	})
}

func TestFaultTexts(t *testing.T) {
	for _, name := range FaultNames() {
		if _, err := ParseFault(name + "; after=1 ;times=2;retry_after=3;model=m;message=a=b"); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range []string{"", "bang", "cut;after=x", "cut;color=red", "cut;after=-1", "throttle;times=-1"} {
		if _, err := ParseFault(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
	f, _ := ParseFault("429;message=a=b")
	equal(t, fmt.Sprint(f.Name, " ", f.Message), "throttle a=b")
}
