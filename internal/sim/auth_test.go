package sim

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// The two signatures were computed with botocore.
func TestSignaturesMadeByBotocoreAreAccepted(t *testing.T) {
	const body = `{"messages": [{"role": "user", "content": [{"text": "hi"}]}]}`
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	s := New(Options{
		Now:         func() time.Time { return at.Add(time.Minute) },
		Credentials: []Credential{{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}},
	})
	f := func(path, signature string, status int) {
		t.Helper()
		r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
		r.Host = "bedrock-runtime.us-east-1.amazonaws.com"
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("X-Amz-Date", "20260102T030405Z")
		r.Header.Set("User-Agent", "Boto3/1.40")
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260102/us-east-1/bedrock/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature="+signature)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code != status {
			t.Errorf("%s: status %d: %s", path, w.Code, w.Body)
		}
	}
	const plain = "/model/anthropic.claude-3-5-sonnet-20240620-v1%3A0/converse"
	const plainSignature = "b017704e350a950ffd4af30c2063936fa8c9d1b8de469824ba4469bd9f32fe90"
	const profile = "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Aapplication-inference-profile%2Fa0a0a0a0a0a0/converse"
	const profileSignature = "8b2f950579c1375a87b82a46e385415bc7b0dfd9afd95db36fedacae029afbef"
	f(plain, plainSignature, 200)
	f(profile, profileSignature, 200)
	f(profile, plainSignature, 403)
	f(strings.ReplaceAll(plain, "%3A", ":"), plainSignature, 403) // another spelling has another canonical path
}

func TestSDKSignaturesAreAcceptedForEachSpellingOfThePath(t *testing.T) {
	b := open(t)
	key := Credential{AccessKeyID: AccessKeyID, SecretAccessKey: SecretAccessKey}
	for _, path := range []string{
		"/model/anthropic.claude-3-haiku-20240307-v1%3A0/converse",
		"/model/anthropic.claude-3-haiku-20240307-v1:0/converse",
		"/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Ainference-profile%2Fus.anthropic.claude-3-haiku-20240307-v1%3A0/converse",
	} {
		r := b.send(signed(t, b.request(http.MethodPost, path, user("hi")), key, "bedrock", "us-east-1", time.Now()))
		if r.status != 200 {
			t.Errorf("%s: %d %s", path, r.status, r.body)
		}
	}
	r := b.send(signed(t, b.request(http.MethodGet, "/foundation-models?byProvider=Amazon&byOutputModality=TEXT", ""), key, "bedrock", "eu-west-1", time.Now()))
	equal(t, r.status, 200)
}

func TestRequestsThatAWSWouldRefuse(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	old := Credential{AccessKeyID: "ASIAOLD", SecretAccessKey: "s", SessionToken: "t", Expires: now.Add(-time.Second)}
	young := Credential{AccessKeyID: "ASIAYOUNG", SecretAccessKey: "s", SessionToken: "t", Expires: now.Add(time.Second)}
	long := Credential{AccessKeyID: "AKIA", SecretAccessKey: "s"}
	b := start(t, Options{Region: "us-west-2", Now: func() time.Time { return now }, Credentials: []Credential{old, young, long}})
	sign := func(c Credential, at time.Time, service, region string) *http.Request {
		return signed(t, b.request(http.MethodPost, modelPath(claude, "converse"), user("hi")), c, service, region, at)
	}
	f := func(r *http.Request, status int, code, part string) {
		t.Helper()
		got := b.send(r)
		equal(t, got.status, status)
		if status == 200 {
			return
		}
		equal(t, got.header.Get("x-amzn-ErrorType"), code+":http://internal.amazon.com/coral/com.amazon.bedrock/")
		equal(t, got.header.Get("Content-Type"), "application/json")
		if got.header.Get("x-amzn-RequestId") == "" {
			t.Error("no request id")
		}
		contains(t, fmt.Sprint(got.tree(t).at("message")), part)
	}
	f(sign(long, now, "bedrock", "us-west-2"), 200, "", "")
	f(sign(long, now.Add(5*time.Minute), "bedrock", "us-west-2"), 200, "", "")
	f(sign(young, now, "bedrock", "us-west-2"), 200, "", "")
	f(sign(old, now, "bedrock", "us-west-2"), 403, "ExpiredTokenException", "The security token included in the request is expired")
	f(sign(Credential{AccessKeyID: "AKIANOBODY", SecretAccessKey: "s"}, now, "bedrock", "us-west-2"), 403, "UnrecognizedClientException", "security token included in the request is invalid")
	f(sign(Credential{AccessKeyID: "ASIAYOUNG", SecretAccessKey: "s"}, now, "bedrock", "us-west-2"), 403, "UnrecognizedClientException", "invalid")
	f(sign(Credential{AccessKeyID: "AKIA", SecretAccessKey: "wrong"}, now, "bedrock", "us-west-2"), 403, "InvalidSignatureException", "does not match the signature you provided")
	f(sign(long, now.Add(-6*time.Minute), "bedrock", "us-west-2"), 403, "InvalidSignatureException", "Signature expired: 20260102T025805Z is now earlier than 20260102T025905Z")
	f(sign(long, now.Add(6*time.Minute), "bedrock", "us-west-2"), 403, "InvalidSignatureException", "Signature not yet current")
	f(sign(long, now, "sts", "us-west-2"), 403, "InvalidSignatureException", "correct service: 'bedrock'")
	f(sign(long, now, "bedrock", "us-east-1"), 403, "InvalidSignatureException", "valid region")

	none := b.request(http.MethodPost, modelPath(claude, "converse"), user("hi"))
	none.Header.Del("Authorization")
	f(none, 403, "MissingAuthenticationTokenException", "Missing Authentication Token")
	f(b.request(http.MethodPost, modelPath(claude, "converse"), user("hi"), "Authorization", "Bearer nope"), 403, "AccessDeniedException", "make sure your API Key is valid")
	f(b.request(http.MethodPost, modelPath(claude, "converse"), user("hi")), 200, "", "")
	f(b.request(http.MethodPost, modelPath(claude, "converse"), user("hi"), "Authorization", "AWS4-HMAC-SHA256 Credential=x"), 400, "IncompleteSignatureException", "requires 'Signature'")

	tampered := sign(long, now, "bedrock", "us-west-2")
	tampered.Body = http.NoBody
	tampered.GetBody = nil
	tampered.ContentLength = 0
	f(tampered, 403, "InvalidSignatureException", "does not match")
}

func TestAuthOffTakesEverything(t *testing.T) {
	b := start(t, Options{Auth: AuthOff})
	r := b.request(http.MethodPost, modelPath(claude, "converse"), user("hi"))
	r.Header.Del("Authorization")
	equal(t, b.send(r).status, 200)
}

func TestCredentialsCannotBePrinted(t *testing.T) {
	o := Options{Credentials: []Credential{{AccessKeyID: "id", SecretAccessKey: "canary", SessionToken: "canary"}}, BearerTokens: []string{"canary"}}
	r := Recorded{Header: http.Header{"Authorization": {"canary"}}, Body: []byte("canary")}
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		if s := fmt.Sprintf(format+format+format+format, o, &o, o.Credentials[0], r); strings.Contains(s, "canary") {
			t.Errorf("%s shows %s", format, s)
		}
	}
}
