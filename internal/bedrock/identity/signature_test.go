package identity

import (
	"net/http"
	"testing"
	"time"

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
