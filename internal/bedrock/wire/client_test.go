package wire

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/outcrop-ai/outcrop/llm"
)

func TestWhatIsSent(t *testing.T) {
	var got *http.Request
	var gotBody string
	auth := &fakeAuth{}
	c := upstream(t, auth, http.Header{"x-amzn-trace": {"1"}, "X-Corp": {"2"}, "Host": {"evil"}, "X-Amz-Date": {"x"}}, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got, gotBody = r, string(b)
		w.Header().Set("X-Amzn-Requestid", "5f0c")
		fmt.Fprint(w, `{"ok":true}`)
	})
	body := newBody(`{"a":1}`)
	defer body.Release()
	call := &Call{
		Path: ModelPath("anthropic.x-v1:0", "converse"), Body: body,
		Header: http.Header{"x-forwarded": {"3"}, "authorization": {"Bearer client"}, "X-Corp": {"no"}, "X-Amzn-Bedrock-Trace": {"ENABLED"}},
	}
	reply, err := c.Send(t.Context(), call)
	if err != nil {
		t.Fatal(err)
	}
	data, err := reply.ReadAll(1 << 20)
	if err != nil || string(data) != `{"ok":true}` || cap(data) != len(data) || reply.RequestID != "5f0c" || reply.Status != 200 || reply.IsEventStream() {
		t.Errorf("%s %v %+v", data, err, reply)
	}
	if got.Method != "POST" || got.RequestURI != "/base/model/anthropic.x-v1%3A0/converse" || gotBody != `{"a":1}` || got.ContentLength != 7 {
		t.Errorf("%s %s %q", got.Method, got.RequestURI, gotBody)
	}
	for name, want := range map[string]string{
		"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "outcrop/test", "X-Amzn-Trace": "1", "X-Corp": "2",
		"X-Forwarded": "3", "X-Amzn-Bedrock-Trace": "ENABLED", "Authorization": "Fake /base/model/anthropic.x-v1%3A0/converse",
		"X-Amz-Date": "", "Accept-Encoding": "", "Idempotency-Key": "",
	} {
		if v := got.Header.Get(name); v != want {
			t.Errorf("%s is %q, want %q", name, v, want)
		}
	}
	if strings.HasPrefix(got.Host, "evil") {
		t.Error("the host was replaced")
	}
	if len(auth.signed) != 3 || auth.hash != "015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862" {
		t.Errorf("signed %v, hash %s", auth.signed, auth.hash)
	}
}

func TestOtherMethods(t *testing.T) {
	c := upstream(t, &fakeAuth{}, nil, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Method, r.RequestURI, r.Header.Get("Content-Type"), r.Header.Get("Accept"), r.ContentLength)
	})
	reply, err := c.Send(t.Context(), &Call{Method: "GET", Path: "/async-invoke", Query: url.Values{"maxResults": {"1"}}, Accept: "image/png"})
	if err != nil {
		t.Fatal(err)
	}
	if data, err := reply.ReadAll(100); err != nil || string(data) != "GET/base/async-invoke?maxResults=1image/png0" {
		t.Errorf("%s %v", data, err)
	}
}

func TestConfiguredAuthorizationSignsNothing(t *testing.T) {
	f := func(name, value, want string) {
		t.Helper()
		auth := &fakeAuth{}
		c := upstream(t, auth, http.Header{name: {value}}, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Header.Get("Authorization")) })
		body := newBody("{}")
		defer body.Release()
		reply, err := c.Send(t.Context(), &Call{Path: "/x", Body: body})
		if err != nil {
			t.Fatal(err)
		}
		if data, _ := reply.ReadAll(100); string(data) != want {
			t.Errorf("%s: %s gives %q", name, value, data)
		}
	}
	f("Authorization", "Bearer mine", "Bearer mine")
	f("authorization", "Basic abc", "Basic abc")
	f("AUTHORIZATION", "AWS4-HMAC-SHA256 Credential=old", "Fake /base/x")
}

func TestRefusalsAreRetriedOnce(t *testing.T) {
	f := func(name, message string, helps bool, failures, wantCalls, wantInvalidated, wantClocks int, wantOK bool) {
		t.Helper()
		var calls atomic.Int32
		auth := &fakeAuth{helps: helps}
		c := upstream(t, auth, nil, func(w http.ResponseWriter, r *http.Request) {
			if int(calls.Add(1)) <= failures {
				w.Header().Set("X-Amzn-Errortype", name)
				w.WriteHeader(403)
				fmt.Fprintf(w, `{"message":%q}`, message)
				return
			}
			b, _ := io.ReadAll(r.Body)
			w.Write(b)
		})
		body := newBody("{}")
		defer body.Release()
		reply, err := c.Send(t.Context(), &Call{Path: "/x", Body: body})
		if (err == nil) != wantOK {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil {
			if data, err := reply.ReadAll(100); string(data) != "{}" || err != nil {
				t.Errorf("%s: %q %v", name, data, err)
			}
		} else if reply != nil {
			t.Error("an error with a reply")
		}
		if int(calls.Load()) != wantCalls || auth.invalidated != wantInvalidated || auth.clocks != wantClocks {
			t.Errorf("%s: %d calls, %d invalidated, %d clocks", name, calls.Load(), auth.invalidated, auth.clocks)
		}
	}
	f("ExpiredTokenException", "The security token included in the request is expired", true, 1, 2, 1, 0, true)
	f("ExpiredTokenException", "expired", true, 2, 2, 1, 0, false)
	f("ExpiredTokenException", "expired", false, 1, 1, 1, 0, false)
	f("UnrecognizedClientException", "The security token included in the request is invalid", true, 1, 2, 1, 0, true)
	f("AccessDeniedException", "Bearer Token has expired", true, 1, 2, 1, 0, true)
	f("", "The security token included in the request is expired", true, 1, 2, 1, 0, true)
	f("AccessDeniedException", "no access", true, 1, 1, 0, 0, false)
	f("RequestTimeTooSkewed", "skewed", true, 1, 2, 0, 1, true)
	f("InvalidSignatureException", "Signature expired: 20260102T030405Z is now earlier than", true, 2, 2, 0, 1, false)
	f("InvalidSignatureException", "does not match", false, 1, 1, 0, 1, false)
	f("ThrottlingException", "slow", true, 1, 1, 0, 0, false)
}

func TestAnswersOtherThan2xx(t *testing.T) {
	f := func(status int, kind llm.Kind) {
		t.Helper()
		var calls atomic.Int32
		c := upstream(t, &fakeAuth{}, nil, func(w http.ResponseWriter, _ *http.Request) {
			calls.Add(1)
			w.Header().Set("Location", "/elsewhere")
			w.Header().Set("X-Amzn-Requestid", "5f0c")
			w.WriteHeader(status)
			io.WriteString(w, strings.Repeat("x", 1<<20)) // more than is read
		})
		body := newBody("{}")
		defer body.Release()
		_, err := c.Send(t.Context(), &Call{Path: "/x", Body: body, Stream: true})
		if e := wantKind(t, err, kind); e.RequestID != "5f0c" || calls.Load() != 1 {
			t.Errorf("%d: %d calls, %+v", status, calls.Load(), e)
		}
	}
	f(301, llm.KindUpstream)
	f(307, llm.KindUpstream)
	f(400, llm.KindInvalid)
	f(429, llm.KindRateLimit)
	f(500, llm.KindUpstreamInternal)
}

func TestConnectionsThatFail(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := "http://" + l.Addr().String()
	l.Close()
	transport, err := NewTransport(TransportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	e, err := ResolveEndpoint("bedrock-runtime", "us-east-1", EndpointOptions{Override: address})
	if err != nil {
		t.Fatal(err)
	}
	c := NewClient(ClientOptions{Endpoint: e, Authenticator: &fakeAuth{}, Transport: transport})
	body := newBody("{}")
	defer body.Release()
	_, err = c.Send(t.Context(), &Call{Path: "/x", Body: body})
	if e := wantKind(t, err, llm.KindUpstream); strings.Contains(e.Message, "127.0.0.1") || e.Status() != 502 {
		t.Errorf("%q", e.Message)
	}

	c = upstream(t, &fakeAuth{}, nil, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	_, err = c.Send(t.Context(), &Call{Path: "/x", Body: body})
	wantKind(t, err, llm.KindUpstream)
}

func TestAuthenticatorsErrorsPass(t *testing.T) {
	none := &llm.Error{Kind: llm.KindPermission, Code: CodeCredentials, Message: "no AWS credentials"}
	c := upstream(t, &fakeAuth{err: none}, nil, func(http.ResponseWriter, *http.Request) { t.Error("sent") })
	body := newBody("{}")
	defer body.Release()
	if _, err := c.Send(t.Context(), &Call{Path: "/x", Body: body}); err != error(none) {
		t.Error(err)
	}
}

func TestWholeAnswersThatCannotBeRead(t *testing.T) {
	f := func(limit int64, h http.HandlerFunc) {
		t.Helper()
		c := upstream(t, &fakeAuth{}, nil, h)
		body := newBody("{}")
		defer body.Release()
		reply, err := c.Send(t.Context(), &Call{Path: "/x", Body: body})
		if err != nil {
			t.Fatal(err)
		}
		_, err = reply.ReadAll(limit)
		wantKind(t, err, llm.KindUpstream)
	}
	f(3, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "long") })
	f(3, func(w http.ResponseWriter, _ *http.Request) {
		w.(http.Flusher).Flush()
		io.WriteString(w, "long and chunked")
	})
	f(100, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "50")
		io.WriteString(w, "short")
	})
	f(100, func(w http.ResponseWriter, _ *http.Request) {
		w.(http.Flusher).Flush()
		io.WriteString(w, "cut")
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	})
}

func BenchmarkSend(b *testing.B) {
	c := upstream(b, &fakeAuth{}, nil, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		io.WriteString(w, `{"ok":true}`)
	})
	text := strings.Repeat("x", 1000)
	b.ReportAllocs()
	for b.Loop() {
		body := newBody(text)
		reply, err := c.Send(b.Context(), &Call{Path: "/model/x/converse", Body: body, Timeouts: Timeouts{FirstByte: time.Minute, Total: time.Hour}})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := reply.ReadAll(1 << 20); err != nil {
			b.Fatal(err)
		}
		body.Release()
	}
}
