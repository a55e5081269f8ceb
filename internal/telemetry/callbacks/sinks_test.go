package callbacks

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/outcrop-ai/outcrop/internal/secret"
	"github.com/outcrop-ai/outcrop/internal/telemetry"
)

func TestWebhook(t *testing.T) {
	url, got := listen(t, nil)
	o := Options{
		Wishes: []Wish{{Name: GenericAPI}}, Env: env("GENERIC_LOGGER_ENDPOINT="+url+"/in?token=t", "GENERIC_LOGGER_HEADERS=Authorization=Bearer x, X-A = 1"),
		WebhookHeaders: map[string]secret.Secret{"X-A": secret.New("2")}, Limits: Limits{Delay: 1 << 40},
	}
	c := started(t, o)
	c.Finished(success())
	c.Finished(failure())
	c.Close(t.Context())
	r := <-got
	if r.method != http.MethodPost || r.path != "/in" || r.header.Get("Authorization") != "Bearer x" || r.header.Get("X-A") != "2" || r.header.Get("Content-Type") != "application/json" {
		t.Errorf("got %s %s %v", r.method, r.path, r.header)
	}
	golden(t, "generic_api.json", r.body)
	if s := c.Stats()[GenericAPI]; s.Sent != 2 || s.Queued != 0 || s.Bytes != 0 || s.Dropped != 0 {
		t.Errorf("stats %+v", s)
	}
}

func TestEachIsToldOfWhatItAsksFor(t *testing.T) {
	f := func(w Wish, want string) {
		t.Helper()
		url, got := listen(t, nil)
		w.Name = GenericAPI
		c := started(t, Options{Wishes: []Wish{w}, Env: env("GENERIC_LOGGER_ENDPOINT=" + url), Limits: Limits{Delay: 1 << 40}})
		c.Finished(success())
		c.Finished(failure())
		c.Close(t.Context())
		var list []struct {
			ID string `json:"litellm_call_id"`
		}
		if err := json.Unmarshal((<-got).body, &list); err != nil {
			t.Fatal(err)
		}
		if text := fmt.Sprint(list); text != want {
			t.Errorf("%+v: got %s", w, text)
		}
	}
	f(Wish{Success: true}, "[{call-1}]")
	f(Wish{Failure: true}, "[{call-2}]")
	f(Wish{Success: true, Failure: true}, "[{call-1} {call-2}]")
}

func TestKeysAndMembersCanBeLeftOut(t *testing.T) {
	w := Writer{HideKeys: true, Without: []string{"messages", "response", "nothing"}}
	data, err := w.Payload(success())
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"hash-of-a-key", "laptop", "team-a", `"u1"`, `"messages"`, `"response":`} {
		if bytes.Contains(data, []byte(word)) {
			t.Errorf("%s is told", word)
		}
	}
	if !json.Valid(data) || !bytes.Contains(data, []byte(`"litellm_call_id":"call-1"`)) {
		t.Errorf("got %s", data)
	}
}

func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "calls.jsonl")
	f, err := newFile(&Options{File: FileOptions{Path: path, MaxSize: 4 << 10, Backups: 2}})
	if err != nil {
		t.Fatal(err)
	}
	defer f.close()
	send := func() {
		t.Helper()
		if left, err := f.Send(t.Context(), []*telemetry.Event{success(), failure()}); err != nil || left != nil {
			t.Fatal(left, err)
		}
	}
	for range 5 { // each batch fills a file
		send()
	}
	for _, name := range []string{path, path + ".1", path + ".2"} {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(string(data)), "\n")
		if len(lines) != 2 || !json.Valid([]byte(lines[0])) || !json.Valid([]byte(lines[1])) {
			t.Errorf("%s: %d lines", name, len(lines))
		}
	}
	if _, err := os.Stat(path + ".3"); err == nil {
		t.Error("more old files are kept than asked for")
	}
	// Somebody else rotates it: a new file begins.
	if err := os.Rename(path, path+".moved"); err != nil {
		t.Fatal(err)
	}
	send()
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
	// It cannot be opened: what is there is tried again.
	f.close()
	f.path = filepath.Join(path, "below a file")
	if left, err := f.Send(t.Context(), []*telemetry.Event{success()}); err == nil || len(left) != 1 {
		t.Errorf("got %v %v", left, err)
	}
}

// signer writes what was to be signed into a header.
type signer struct{}

func (signer) Authenticate(_ context.Context, r *http.Request, hash string) error {
	r.Header.Set("Authorization", "signed "+r.URL.EscapedPath()+" "+hash)
	return nil
}

func TestS3(t *testing.T) {
	url, got := listen(t, nil)
	o := Options{Wishes: []Wish{{Name: S3}}, S3: S3Options{
		Bucket: "logs", Region: "eu-central-1", Path: "llm calls/p=1/", Endpoint: url, TeamPrefix: true, KeyPrefix: true, Hourly: true,
		Encryption: "aws:kms", KMSKey: "key-1", Signer: signer{},
	}}
	c := started(t, o)
	c.Finished(success())
	c.Close(t.Context())
	r := <-got
	const path = "/logs/llm%20calls/p%3D1/team-a/laptop/2026-03-04/05/time-05-06-07-890123_chatcmpl-call-1.json"
	if r.method != http.MethodPut || r.path != path {
		t.Errorf("got %s %s", r.method, r.path)
	}
	hash := r.header.Get("X-Amz-Content-Sha256")
	if len(hash) != 64 || r.header.Get("Authorization") != "signed "+path+" "+hash {
		t.Errorf("got %v", r.header)
	}
	if r.header.Get("X-Amz-Server-Side-Encryption") != "aws:kms" || r.header.Get("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id") != "key-1" {
		t.Errorf("got %v", r.header)
	}
	golden(t, "s3.json", r.body)
}

func TestS3Addresses(t *testing.T) {
	f := func(o S3Options, want string) {
		t.Helper()
		o.Signer = signer{}
		s, err := newS3(&Options{S3: o})
		if err != nil {
			t.Fatal(err)
		}
		s.close()
		if s.base != want {
			t.Errorf("got %s, want %s", s.base, want)
		}
	}
	f(S3Options{Bucket: "b", Region: "us-east-1"}, "https://b.s3.us-east-1.amazonaws.com/")
	f(S3Options{Bucket: "b.c", Region: "us-east-1"}, "https://s3.us-east-1.amazonaws.com/b.c/")
	f(S3Options{Bucket: "b", Region: "cn-north-1"}, "https://b.s3.cn-north-1.amazonaws.com.cn/")
	f(S3Options{Bucket: "b", Region: "x", Endpoint: "http://minio:9000"}, "http://minio:9000/b/")
	f(S3Options{Bucket: "b", Region: "x", Endpoint: "http://minio:9000/", VirtualHosted: true}, "http://b.minio:9000/")
	long := success()
	long.RequestID = strings.Repeat("x", 2000)
	s := s3{}
	if key := s.key(long); len(key) != len("2026-03-04/")+maxName {
		t.Errorf("a key of %d bytes", len(key))
	}
	long.RequestID = "a/../b:c"
	if key := s.key(long); key != "2026-03-04/time-05-06-07-890123_a_.._b_c.json" {
		t.Errorf("got %s", key)
	}
}

func TestS3TriesAgainWhatFailed(t *testing.T) {
	url, got := listen(t, func(n int) (int, string) {
		if n < 2 {
			return []int{http.StatusServiceUnavailable, http.StatusForbidden}[n], "<Code>SlowDown</Code>"
		}
		return http.StatusOK, ""
	})
	c := started(t, Options{Wishes: []Wish{{Name: S3}}, S3: S3Options{Bucket: "b", Region: "x", Endpoint: url, Signer: signer{}}})
	c.Finished(success())
	first := <-got
	<-got
	third := <-got
	if first.path != third.path || !bytes.Equal(first.body, third.body) {
		t.Error("another object was put")
	}
	c.Close(t.Context())
	if s := c.Stats()[S3]; s.Sent != 1 || s.Failures != 2 {
		t.Errorf("stats %+v", s)
	}
}

func TestLangfuse(t *testing.T) {
	url, got := listen(t, nil)
	c := started(t, Options{
		Wishes: []Wish{{Name: Langfuse}}, LangfuseTags: []string{"cache_hit", "cache_key", "other"}, Limits: Limits{Delay: 1 << 40},
		Env: env("LANGFUSE_HOST="+url+"/", "LANGFUSE_PUBLIC_KEY=pk-1", "LANGFUSE_SECRET_KEY=sk-1", "LANGFUSE_RELEASE=r1"),
	})
	c.Finished(success())
	c.Finished(failure())
	c.Close(t.Context())
	r := <-got
	if r.method != http.MethodPost || r.path != "/api/public/ingestion" || r.header.Get("Authorization") != "Basic cGstMTpzay0x" {
		t.Errorf("got %s %s %v", r.method, r.path, r.header)
	}
	golden(t, "langfuse.json", r.body)
}

func TestLangfuseRefusesSome(t *testing.T) {
	url, got := listen(t, func(n int) (int, string) {
		if n == 0 {
			return http.StatusMultiStatus, `{"successes":[],"errors":[{"id":"call-1-trace-event","status":503},{"id":"call-2-generation-event","status":400,"message":"bad"}]}`
		}
		return http.StatusMultiStatus, `{"successes":[{"id":"call-1-trace-event"}],"errors":[]}`
	})
	c := started(t, Options{Wishes: []Wish{{Name: Langfuse}}, Limits: Limits{Delay: 1 << 40, RetryMin: 1}, Env: env("LANGFUSE_HOST="+url, "LANGFUSE_PUBLIC_KEY=p", "LANGFUSE_SECRET=s")})
	c.Finished(success())
	c.Finished(failure())
	c.Close(t.Context())
	<-got
	if again := <-got; !bytes.Contains(again.body, []byte("call-1-trace-event")) || bytes.Contains(again.body, []byte("call-2")) {
		t.Errorf("got %s", again.body)
	}
	if s := c.Stats()[Langfuse]; s.Sent != 1 || s.Dropped != 1 {
		t.Errorf("stats %+v", s)
	}
}

func TestWhatIsMissingIsNamed(t *testing.T) {
	f := func(name, want string, pairs ...string) {
		t.Helper()
		o := Options{Wishes: []Wish{{Name: name}}, Env: env(pairs...), S3: S3Options{Region: "x"}}
		if err := Check(o)[name]; err == nil || err.Error() != want {
			t.Errorf("%s: got %v", name, err)
		}
		if c := New(o); c.Used() {
			t.Errorf("%s is used", name)
		}
	}
	f(GenericAPI, "the variable GENERIC_LOGGER_ENDPOINT is not set")
	f(GenericAPI, "GENERIC_LOGGER_ENDPOINT must be an http:// or https:// URL", "GENERIC_LOGGER_ENDPOINT=ftp://user:canary@x")
	f(Langfuse, "the variable LANGFUSE_PUBLIC_KEY is not set")
	f(Langfuse, "the variable LANGFUSE_SECRET_KEY is not set", "LANGFUSE_PUBLIC_KEY=x")
	f(S3, "s3_callback_params.s3_bucket_name is not set")
	f(File, "file_callback_params.path is not set")
	f("sentry", `there is no callback of the name "sentry"`)
}

// Errors are logged: none may repeat what is secret in an address or an answer.
func TestErrorsHoldNoSecret(t *testing.T) {
	const canary = "c4n4ry"
	url, _ := listen(t, func(int) (int, string) { return http.StatusTeapot, canary })
	f := func(address string) {
		t.Helper()
		r, err := telemetry.NewRequest(t.Context(), http.MethodPost, address, nil)
		if err == nil {
			c := newClient()
			defer c.CloseIdleConnections()
			_, err = do(c, r)
		}
		if err == nil || strings.Contains(err.Error(), canary) {
			t.Errorf("%s: %v", address, err)
		}
	}
	f(url + "/" + canary)
	f("http://127.0.0.1:1/" + canary + "?x=" + canary)
	f("http://\x7f" + canary)
	if !isFinal(&telemetry.StatusError{Code: 418, Host: "h"}) {
		t.Error("418 is tried again")
	}
}
