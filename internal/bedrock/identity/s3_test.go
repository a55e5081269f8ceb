package identity

import (
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/outcrop-ai/outcrop/internal/secret"
)

// S3 has a path signed as it is sent; every other service has it escaped once more.
func TestPathsAreSignedForS3AsTheyAreSent(t *testing.T) {
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	pool := NewPool(func(string) (string, bool) { return "", false })
	defer pool.Close()
	pool.now = func() time.Time { return at }
	who, err := pool.For(Options{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: secret.New("secret")})
	if err != nil {
		t.Fatal(err)
	}
	put := func() *http.Request {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "https://b.s3.us-east-1.amazonaws.com/a%20b/p%3D1", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	f := func(service string, asSent bool) {
		t.Helper()
		got, want := put(), put()
		if err := who.For(service, "us-east-1").Authenticate(t.Context(), got, "UNSIGNED-PAYLOAD"); err != nil {
			t.Fatal(err)
		}
		err := v4.NewSigner().SignHTTP(t.Context(), aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret"}, want, "UNSIGNED-PAYLOAD", service, "us-east-1", at,
			func(o *v4.SignerOptions) { o.DisableURIPathEscaping = asSent })
		if err != nil {
			t.Fatal(err)
		}
		if g, w := got.Header.Get("Authorization"), want.Header.Get("Authorization"); g != w {
			t.Errorf("%s: got %s, want %s", service, g, w)
		}
	}
	f("s3", true)
	f("bedrock", false)
}
