package identity

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/outcrop-ai/outcrop/internal/bedrock/wire"
	"github.com/outcrop-ai/outcrop/internal/secret"
	"github.com/outcrop-ai/outcrop/llm"
)

// environ is an environment without a shared file, and without a metadata service.
type environ map[string]string

func (e environ) lookup(name string) (string, bool) {
	if v, ok := e[name]; ok {
		return v, true
	}
	switch name {
	case "AWS_EC2_METADATA_DISABLED":
		return "true", true
	case "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE":
		return "testdata/none", true
	}
	return "", false
}

func newPool(t testing.TB, env environ) *Pool {
	t.Helper()
	// What the AWS SDK reads by itself must not come from the machine that the test runs on.
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "")
		}
	}
	p := NewPool(env.lookup)
	t.Cleanup(p.Close)
	return p
}

// fakeSTS hands out the credentials ASIA1, ASIA2, …
type fakeSTS struct {
	URL   string
	life  time.Duration
	gate  chan struct{} // when set, answers wait for it
	mu    sync.Mutex
	forms []url.Values
	auths []string
	fail  string // an error's code
}

func newSTS(t testing.TB) *fakeSTS {
	s := &fakeSTS{life: time.Hour}
	server := httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(server.Close)
	s.URL = server.URL
	return s
}

func (s *fakeSTS) serve(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	s.mu.Lock()
	s.forms = append(s.forms, r.PostForm)
	s.auths = append(s.auths, r.Header.Get("Authorization"))
	n, fail, gate, life := len(s.forms), s.fail, s.gate, s.life
	s.mu.Unlock()
	if gate != nil {
		<-gate
	}
	w.Header().Set("Content-Type", "text/xml")
	if fail != "" {
		w.WriteHeader(403)
		fmt.Fprintf(w, `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>%s</Code><Message>STS says no</Message></Error><RequestId>r</RequestId></ErrorResponse>`, fail)
		return
	}
	action := r.PostForm.Get("Action")
	fmt.Fprintf(w, `<%[1]sResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><%[1]sResult><Credentials><AccessKeyId>ASIA%[2]d</AccessKeyId><SecretAccessKey>secret%[2]d</SecretAccessKey><SessionToken>session%[2]d</SessionToken><Expiration>%[3]s</Expiration></Credentials></%[1]sResult></%[1]sResponse>`,
		action, n, time.Now().Add(life).UTC().Format(time.RFC3339))
}

func (s *fakeSTS) calls() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.forms)
}

func (s *fakeSTS) form(i int) url.Values {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.forms[i]
}

func (s *fakeSTS) auth(i int) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.auths[i]
}

func newRequest(t testing.TB) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://bedrock-runtime.us-east-1.amazonaws.com/model/x/converse", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	return r
}

const emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// proof authenticates a request and returns what is proved: "Bearer TOKEN", or the access key id and the session token.
func proof(t testing.TB, i *Identity) (string, error) {
	t.Helper()
	r := newRequest(t)
	if err := i.For("bedrock", "us-east-1").Authenticate(t.Context(), r, emptyHash); err != nil {
		return "", err
	}
	auth := r.Header.Get("Authorization")
	if rest, ok := strings.CutPrefix(auth, "AWS4-HMAC-SHA256 Credential="); ok {
		id, _, _ := strings.Cut(rest, "/")
		return strings.TrimSpace(id + " " + r.Header.Get("X-Amz-Security-Token")), nil
	}
	return auth, nil
}

func wantProof(t testing.TB, p *Pool, o Options, want string) *Identity {
	t.Helper()
	i, err := p.For(o)
	if err != nil {
		t.Fatal(err)
	}
	got, err := proof(t, i)
	if err != nil || got != want {
		t.Fatalf("proved %q, want %q: %v", got, want, err)
	}
	return i
}

func keyed(id, key, token string) Options {
	return Options{AccessKeyID: id, SecretAccessKey: secret.New(key), SessionToken: secret.New(token)}
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func jwt(subject string) string {
	return "e30." + base64.RawURLEncoding.EncodeToString([]byte(`{"iss":"https://issuer","aud":"sts.amazonaws.com","sub":"`+subject+`"}`)) + ".sig"
}

func wantError(t testing.TB, err error, kind llm.Kind) *llm.Error {
	t.Helper()
	var e *llm.Error
	if !errors.As(err, &e) || e.Kind != kind || e.Code != wire.CodeCredentials {
		t.Fatalf("%#v", err)
	}
	return e
}
