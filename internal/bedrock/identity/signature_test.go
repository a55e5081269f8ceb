package identity

import (
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/outcrop-ai/outcrop/internal/bedrock/wire"
)

// The signatures that botocore makes of these requests.
func TestWorkedSignatures(t *testing.T) {
	f := func(id, signature string) {
		t.Helper()
		p := newPool(t, nil)
		p.now = func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }
		i, err := p.For(keyed("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", ""))
		if err != nil {
			t.Fatal(err)
		}
		var got *http.Request
		e, err := wire.ResolveEndpoint("bedrock-runtime", "us-east-1", wire.EndpointOptions{})
		if err != nil {
			t.Fatal(err)
		}
		c := wire.NewClient(wire.ClientOptions{
			Endpoint: e, Authenticator: i.For(e.Service, e.Region), UserAgent: "outcrop/1",
			Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				got = r
				return &http.Response{StatusCode: 200, Header: http.Header{}, Body: http.NoBody}, nil
			}),
		})
		body := wire.NewBody()
		body.B = append(body.B, `{"messages": [{"role": "user", "content": [{"text": "hi"}]}]}`...)
		reply, err := c.Send(t.Context(), &wire.Call{Path: wire.ModelPath(id, "converse"), Body: body})
		if err != nil {
			t.Fatal(err)
		}
		_ = reply.Close()
		want := "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260102/us-east-1/bedrock/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=" + signature
		if auth := got.Header.Get("Authorization"); auth != want {
			t.Errorf("%s:\n got %s\nwant %s", id, auth, want)
		}
		if got.ContentLength != 61 {
			t.Errorf("length %d", got.ContentLength)
		}
	}
	f("anthropic.claude-3-5-sonnet-20240620-v1:0", "b017704e350a950ffd4af30c2063936fa8c9d1b8de469824ba4469bd9f32fe90")
	f("arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a0a0a0a0a0a0", "8b2f950579c1375a87b82a46e385415bc7b0dfd9afd95db36fedacae029afbef")
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestClockSkew(t *testing.T) {
	p := newPool(t, nil)
	ours := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	p.now = func() time.Time { return ours }
	i, err := p.For(keyed("AKIAPARAM", "k", ""))
	if err != nil {
		t.Fatal(err)
	}
	s := i.For("bedrock", "us-east-1")
	sign := func() *http.Request {
		r := newRequest(t)
		if err := s.Authenticate(t.Context(), r, emptyHash); err != nil {
			t.Fatal(err)
		}
		return r
	}
	r := sign()
	if s.LearnClock(r, ours.Add(3*time.Minute)) {
		t.Error("three minutes are tolerated by AWS: they are not the reason")
	}
	for range 2 {
		if !s.LearnClock(r, ours.Add(20*time.Minute)) {
			t.Error("twenty minutes are not learnt by all who met them")
		}
	}
	again := sign()
	if got := again.Header.Get("X-Amz-Date"); got != "20260102T032405Z" {
		t.Errorf("signed with %s", got)
	}
	if s.LearnClock(again, ours.Add(20*time.Minute)) {
		t.Error("learnt what was known")
	}
}

// signLikeSDK signs a request by our own signer and by the SDK's, and compares all that they have changed.
func signLikeSDK(t *testing.T, r *http.Request, c aws.Credentials, at time.Time) (ours bool) {
	t.Helper()
	s := &Signer{service: "bedrock", region: "eu-west-1"}
	own, theirs := r.Clone(t.Context()), r.Clone(t.Context())
	before := r.Clone(t.Context())
	if !s.sign(&c, own, emptyHash, at) {
		if !reflect.DeepEqual(own.Header, before.Header) || !reflect.DeepEqual(own.URL, before.URL) {
			t.Errorf("a request that is left to the SDK has changed: %v", own.Header)
		}
		return false
	}
	if err := v4.NewSigner().SignHTTP(t.Context(), c, theirs, emptyHash, "bedrock", "eu-west-1", at); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(own.Header, theirs.Header) || !reflect.DeepEqual(own.URL, theirs.URL) || own.Host != theirs.Host {
		t.Errorf("%s %s\n got %v\nwant %v", r.Method, r.URL, own.Header, theirs.Header)
	}
	return true
}

func TestSignatureLikeSDK(t *testing.T) {
	plain := aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}
	token := plain
	token.SessionToken = "IQoJb3JpZ2luX2VjE/+=="
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("", 3600))
	f := func(ours bool, c aws.Credentials, method, url string, header http.Header) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if header != nil {
			r.Header = header
		}
		if got := signLikeSDK(t, r, c, at); got != ours {
			t.Errorf("%s %s %v: signed by ourselves: %v", method, url, header, got)
		}
	}
	const base = "https://bedrock-runtime.eu-west-1.amazonaws.com"
	json := http.Header{"Content-Type": {"application/json"}}
	f(true, plain, "POST", base+"/model/anthropic.claude-3-5-sonnet-20240620-v1%3A0/converse", json)
	f(true, token, "POST", base+"/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fx/invoke", json)
	f(true, plain, "POST", base+"/model/a%3ab%2Fc%20d/x:y@z", json)
	f(true, plain, "POST", base+"/model/a%3A+b%2B,/(x)", json)
	f(true, plain, "GET", base, nil)
	f(true, plain, "GET", base+"/a b/\u00fc/~c_d.e-f/$&+,;=:@", nil)
	f(true, token, "POST", "http://127.0.0.1:4566/model/x/converse", http.Header{
		"Content-Type": {"application/json"}, "X-Amzn-Bedrock-Guardrailidentifier": {"g1"}, "X-Amz-Meta": {"a", "b c", ""}, "X-Amz": {"1"}, "X-Amz-2": {"2"}, "X-Amza": {"3"},
		"Authorization": {"old"}, "X-Amz-Date": {"old"}, "X-Amz-Security-Token": {"old"}, "User-Agent": {"u"}, "X-Amzn-Trace-Id": {"t"}, "Expect": {"100-continue"},
	})
	f(true, plain, "POST", base+"/x", http.Header{"X-Amz-Security-Token": {"the caller's"}})
	// What needs more thought is the SDK's.
	f(false, plain, "GET", base+"/foundation-models?byProvider=x", nil)
	f(false, plain, "POST", base+":443/x", json)
	f(false, plain, "POST", "http://localhost:80/x", json)
	f(false, plain, "POST", base+"/x", http.Header{"X-Amz-Meta": {"two  spaces"}})
	f(false, plain, "POST", base+"/x", http.Header{"X-Amz-Meta": {" before"}})
	f(false, plain, "POST", base+"/x", http.Header{"X-Amz-Meta": {"\tbefore"}})
	f(false, plain, "POST", base+"/x", http.Header{"X-Amz-Meta": {"\u00fc"}})
	f(false, plain, "POST", base+"/x", http.Header{"x-amz-meta": {"small"}})
	f(false, plain, "POST", base+"/x", http.Header{"X-Amz_meta": {"_"}})
	f(false, plain, "POST", base+"/x", http.Header{"Content-Length": {"3"}})
	many := http.Header{}
	for i := range 20 {
		many.Set("X-Amz-"+strconv.Itoa(i), "v")
	}
	f(false, plain, "POST", base+"/x", many)
}

// A key is derived once a day, and anew for other credentials.
func TestDayKeys(t *testing.T) {
	s := &Signer{service: "bedrock", region: "eu-west-1"}
	at := time.Date(2026, 1, 2, 23, 59, 59, 0, time.UTC)
	first := aws.Credentials{AccessKeyID: "A", SecretAccessKey: "one"}
	f := func(c *aws.Credentials, at time.Time, same bool) {
		t.Helper()
		before := s.day.Load()
		own, theirs := newRequest(t), newRequest(t)
		if !s.sign(c, own, emptyHash, at) {
			t.Fatal("not signed")
		}
		if err := v4.NewSigner().SignHTTP(t.Context(), *c, theirs, emptyHash, s.service, s.region, at); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(own.Header, theirs.Header) {
			t.Errorf("got %v\nwant %v", own.Header, theirs.Header)
		}
		if (s.day.Load() == before) != same {
			t.Errorf("the same key: %v", !same)
		}
	}
	f(&first, at, false)
	f(&first, at.Add(-time.Hour), true)
	f(&first, at.Add(time.Second), false)
	f(&aws.Credentials{AccessKeyID: "A", SecretAccessKey: "two"}, at.Add(time.Second), false)
	f(&aws.Credentials{AccessKeyID: "B", SecretAccessKey: "two"}, at.Add(time.Second), false)
}

func FuzzSignature(f *testing.F) {
	f.Add("POST", "/model/a%3A0/converse", "Content-Type", "application/json", "X-Amz-Meta", "a b", "token", int64(1767323045))
	f.Add("GET", "/", "X-Amz-A-1", "", "X-Amz-A1", "~", "", int64(0))
	f.Add("POST", "/a%2", "X-Amz-A-1", "", "X-Amz-A1", "~", "", int64(0))
	f.Fuzz(func(t *testing.T, method, path, name1, value1, name2, value2, token string, at int64) {
		u, err := url.Parse("https://bedrock.eu-west-1.amazonaws.com" + path)
		if err != nil || at < 0 || at > 1<<37 { // four digits of a year
			return
		}
		if token != "" && token[0] == '/' { // an odd pair that nobody parsed
			u.RawPath = token
		}
		r := &http.Request{Method: method, URL: u, Host: u.Host, Header: http.Header{name1: {value1}, name2: {value2, value1}}}
		signLikeSDK(t, r, aws.Credentials{AccessKeyID: "AKID", SecretAccessKey: value1, SessionToken: token}, time.Unix(at, 0))
	})
}

func BenchmarkSign(b *testing.B) {
	p := newPool(b, nil)
	i, err := p.For(keyed("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", ""))
	if err != nil {
		b.Fatal(err)
	}
	s := i.For("bedrock", "us-east-1")
	r := newRequest(b)
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Authenticate(b.Context(), r, emptyHash); err != nil {
			b.Fatal(err)
		}
	}
}
