package account

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/outcrop-ai/outcrop/internal/secret"
	"github.com/outcrop-ai/outcrop/llm"
)

const goodKey = "sk-3f9a1c77e0b24d58"

// headers makes a header of name, value pairs, spelt as clients spell them.
func headers(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Add(pairs[i], pairs[i+1])
	}
	return h
}

func TestKeyIsReadFromEveryPlace(t *testing.T) {
	f := func(want string, pairs ...string) {
		t.Helper()
		if got, malformed := FromHeader(headers(pairs...), "X-Our-Key"); got != want || malformed {
			t.Errorf("%q: got %q, malformed %v; want %q", pairs, got, malformed, want)
		}
	}
	f("K", "x-our-key", "K")
	f("K", "x-our-key", "Bearer K")
	f("K", "x-litellm-api-key", "K")
	f("K", "x-litellm-api-key", "Bearer K")
	f("K", "x-litellm-api-key", "bearer K")
	f("K", "Authorization", "Bearer K")
	f("K", "Authorization", "bearer K")
	f("K", "Authorization", "BEARER  K ")
	f("K", "Authorization", "Basic K")
	f(goodKey, "Authorization", "Basic "+goodKey)
	f(goodKey, "Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("user:"+goodKey)))
	f("abcdabcd", "Authorization", "Basic abcdabcd")
	f("K", "Authorization", "AWS4-HMAC-SHA256 Credential=K/20260801/us-east-1/bedrock/aws4_request, SignedHeaders=host, Signature=00")
	f("K", "Authorization", "AWS4-HMAC-SHA256 Credential=Bearer K/20260801/us-east-1/bedrock/aws4_request, SignedHeaders=host, Signature=00")
	f("K", "Authorization", "AWS4-HMAC-SHA256 SignedHeaders=host, Credential=K/20260801/us-east-1/bedrock/aws4_request, Signature=00")
	f("K", "api-key", "K")
	f("K", "x-api-key", " K ")
	f("K", "x-goog-api-key", "K")
	f("K", "Ocp-Apim-Subscription-Key", "K")
	f("Bearer K", "api-key", "Bearer K") // these headers carry bare keys
	f("")
	f("", "Authorization", "")
	f("", "Authorization", "Bearer")
	f("", "Authorization", "Bearer ")
	f("K", "Authorization", "Bearer ", "x-api-key", "K")
	f("", "x-key", "K", "key", "K", "Cookie", "key=K")
}

func TestFirstPlaceCounts(t *testing.T) {
	places := []string{
		"x-our-key", "x-litellm-api-key", "Authorization", "api-key", "x-api-key", "x-goog-api-key", "Ocp-Apim-Subscription-Key",
	}
	for i := range places {
		h := http.Header{}
		for _, name := range places[i:] {
			h.Set(name, "Bearer "+name)
		}
		got, _ := FromHeader(h, "x-our-key")
		if strings.TrimPrefix(got, "Bearer ") != places[i] {
			t.Errorf("of %q, %q was taken", places[i:], got)
		}
	}
	if got, _ := FromHeader(headers("x-our-key", "K", "api-key", "L"), ""); got != "L" {
		t.Errorf("a header that nobody configured was read: %q", got)
	}
}

func TestMalformedAuthorization(t *testing.T) {
	f := func(value string) {
		t.Helper()
		if got, malformed := FromHeader(headers("Authorization", value, "x-api-key", goodKey), ""); got != "" || !malformed {
			t.Errorf("%q: got %q, malformed %v", value, got, malformed)
		}
	}
	f(goodKey)
	f("Bearer" + goodKey)
	f("Digest username=x")
	f("AWS4-HMAC-SHA256")
	f("AWS4-HMAC-SHA256 Credential=K")
	f("AWS4-HMAC-SHA256 Credential=/20260801/us-east-1/bedrock/aws4_request")
	f("AWS4-HMAC-SHA256 SignedHeaders=host/x")
}

func TestAuthenticate(t *testing.T) {
	f := func(k *Keys, want Caller, message string, pairs ...string) {
		t.Helper()
		got, err := k.Authenticate(&http.Request{Header: headers(pairs...)})
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%q: caller %+v, want %+v", pairs, got, want)
		}
		if message == "" {
			if err != nil {
				t.Errorf("%q: %v", pairs, err)
			}
			return
		}
		if err == nil || err.Status() != http.StatusUnauthorized || err.Kind != llm.KindAuth || !strings.HasPrefix(err.Message, message) {
			t.Fatalf("%q: got %v, want 401 %s", pairs, err, message)
		}
		for i := 1; i < len(pairs); i += 2 {
			key := strings.TrimPrefix(pairs[i], "Bearer ")
			if text := err.Error() + err.Hint + err.Param; key != "" && strings.Contains(text, key) {
				t.Errorf("the error holds the key: %s", text)
			}
		}
	}
	const (
		none      = "Authentication Error, No api key passed in."
		malformed = "Authentication Error, Malformed API Key passed in."
		unknown   = "Authentication Error, Invalid API key provided."
	)
	admin := Caller{Role: Admin, KeyHash: MasterKeyHash}
	closed := KeysOf(KeyOptions{Master: secret.New(goodKey), Header: "x-our-key"})
	f(closed, admin, "", "Authorization", "Bearer "+goodKey)
	f(closed, admin, "", "x-our-key", goodKey)
	f(closed, admin, "", "x-api-key", goodKey)
	f(closed, Caller{}, none)
	f(closed, Caller{}, none, "Authorization", "Bearer ")
	f(closed, Caller{}, malformed, "Authorization", goodKey)
	f(closed, Caller{}, unknown, "Authorization", "Bearer sk-wrong-key")
	f(closed, Caller{}, unknown, "Authorization", "Bearer "+goodKey+"x")
	f(closed, Caller{}, unknown, "Authorization", "Bearer "+goodKey[:len(goodKey)-1])
	f(closed, Caller{}, unknown, "Authorization", "Bearer "+strings.Repeat("k", 10000))
	f(closed, Caller{}, unknown, "Authorization", "Bearer "+secret.New(goodKey).Digest())
	f(closed, Caller{}, unknown, "Authorization", "Bearer "+MasterKeyHash)
	f(closed, Caller{}, unknown, "Authorization", "Bearer wrong", "x-api-key", goodKey)

	long := strings.Repeat("Xb7Qm2LrT9wVzE4a", 100)
	f(KeysOf(KeyOptions{Master: secret.New(long)}), admin, "", "Authorization", "Bearer "+long)

	// A publicly known key must be sent, and makes nobody an admin.
	weak := KeysOf(KeyOptions{Master: secret.New("sk-1234")})
	f(weak, Caller{KeyHash: MasterKeyHash}, "", "Authorization", "Bearer sk-1234")
	f(weak, Caller{}, unknown, "Authorization", "Bearer anything")
	f(weak, Caller{}, none)

	open := KeysOf(KeyOptions{})
	f(open, Caller{}, "")
	f(open, Caller{}, "", "Authorization", "Bearer anything")
	f(open, Caller{}, "", "Authorization", "no scheme")
	if open.caller.Admin() || (Caller{KeyHash: MasterKeyHash}).Admin() || !admin.Admin() {
		t.Error("wrong callers are admins")
	}
}

func TestMasterKeyHashIsThatOfThePseudonym(t *testing.T) {
	sum := sha256.Sum256([]byte("litellm_proxy_master_key"))
	if got := hex.EncodeToString(sum[:]); got != MasterKeyHash {
		t.Errorf("got %s", got)
	}
}

func TestAuthenticateAllocatesNothing(t *testing.T) {
	k := KeysOf(KeyOptions{Master: secret.New(goodKey), Header: "x-our-key"})
	for _, name := range []string{"x-our-key", "x-litellm-api-key", "Authorization", "x-api-key", "api-key"} {
		h := headers(name, "Bearer "+goodKey)
		if name == "x-api-key" || name == "api-key" {
			h = headers(name, goodKey)
		}
		r := &http.Request{Header: h}
		if n := testing.AllocsPerRun(100, func() {
			if _, err := k.Authenticate(r); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func TestIsWeak(t *testing.T) {
	f := func(want bool, keys ...string) {
		t.Helper()
		for _, key := range keys {
			if got := IsWeak(secret.New(key)); got != want {
				t.Errorf("%q: got %v", key, got)
			}
		}
	}
	f(true, "", "sk-1234", "SK-1234", "sk-12345", "sk-1234567890", "sk-0123456789", "sk-987654321", "anything", "your-api-key", "changeme",
		"ChangeMe123", "password", "Password1234", "sk-aaaaaaaaaaaaaaaa", "aaaaaaaaaaaa", "12345678", "abababababab", "sk-litellm-master-key",
		"my-secret-key", "test-key-2024", "sk-test-1234", "short", "sk-xxxxxxxx", "<your master key here>", "replace_me", "sk-outcrop-demo", "        ")
	f(false, goodKey, "sk-Xb7Qm2LrT9wVzE4a", "correct horse battery staple", "5f4dcc3b5aa765d61d83", "sk-73920175", "schlüssel-für-uns", "8c1f0d2b-77aa-4c11-9e55-0a1b2c3d4e5f")
}

func FuzzFromHeader(f *testing.F) {
	for _, s := range []string{"Bearer K", "Basic dTpr", "AWS4-HMAC-SHA256 Credential=K/2", "K", "", "bearer\tK", "Basic ====", "AWS4-HMAC-SHA256 Credential=Bearer /"} {
		f.Add(s)
	}
	k := KeysOf(KeyOptions{Master: secret.New(goodKey)})
	f.Fuzz(func(t *testing.T, value string) {
		key, malformed := FromHeader(http.Header{"Authorization": {value}}, "")
		if malformed && key != "" {
			t.Errorf("%q is malformed and has the key %q", value, key)
		}
		if caller, err := k.Authenticate(&http.Request{Header: http.Header{"Authorization": {value}}}); err == nil && (key != goodKey || !caller.Admin()) {
			t.Errorf("%q let %+v in", value, caller)
		}
	})
}

func BenchmarkAuthenticate(b *testing.B) {
	k := KeysOf(KeyOptions{Master: secret.New(goodKey)})
	h := &http.Request{Header: headers("Authorization", "Bearer "+goodKey)}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := k.Authenticate(h); err != nil {
			b.Fatal(err)
		}
	}
}

func secretOf(text string) secret.Secret { return secret.New(text) }
