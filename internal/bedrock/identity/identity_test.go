package identity

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"

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
	transport := &http.Transport{}
	p := NewPool(env.lookup)
	p.http = &http.Client{Transport: transport}
	t.Cleanup(func() {
		p.Close()
		transport.CloseIdleConnections()
	})
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

// The signatures that botocore makes of these requests.
func TestWorkedSignatures(t *testing.T) {
	const hash = "23aab397f4d1f51b8846a1cea8ead51c4766038fe8b80730645a50f05af4d41e"
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
		if got.ContentLength != 61 || hash == "" {
			t.Errorf("length %d", got.ContentLength)
		}
	}
	f("anthropic.claude-3-5-sonnet-20240620-v1:0", "b017704e350a950ffd4af30c2063936fa8c9d1b8de469824ba4469bd9f32fe90")
	f("arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a0a0a0a0a0a0", "8b2f950579c1375a87b82a46e385415bc7b0dfd9afd95db36fedacae029afbef")
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestPrecedence(t *testing.T) {
	sts := newSTS(t)
	dir := t.TempDir()
	files := environ{"AWS_CONFIG_FILE": filepath.Join(dir, "config"), "AWS_SHARED_CREDENTIALS_FILE": filepath.Join(dir, "credentials"), "AWS_STS_ENDPOINT": sts.URL}
	write(t, files["AWS_SHARED_CREDENTIALS_FILE"], "[corp]\naws_access_key_id = AKIAPROFILE\naws_secret_access_key = p\n[default]\naws_access_key_id = AKIADEFAULT\naws_secret_access_key = d\n")
	write(t, files["AWS_CONFIG_FILE"], "[profile corp]\nregion = eu-west-3\n")
	token := filepath.Join(dir, "token")
	write(t, token, jwt("file"))
	with := func(pairs ...string) environ {
		e := environ{}
		for k, v := range files {
			e[k] = v
		}
		for i := 0; i < len(pairs); i += 2 {
			e[pairs[i]] = pairs[i+1]
		}
		return e
	}
	everything := with("AWS_BEARER_TOKEN_BEDROCK", "envbearer", "AWS_ROLE_NAME", "arn:aws:iam::1:role/env", "AWS_ACCESS_KEY_ID", "AKIAENV",
		"AWS_SECRET_ACCESS_KEY", "e", "AWS_SESSION_TOKEN", "envsession", "AWS_PROFILE", "corp", "AWS_WEB_IDENTITY_TOKEN_FILE", token, "AWS_ROLE_ARN", "arn:aws:iam::1:role/pod")
	bearer := Options{APIKey: secret.New("ABSKparam")}
	role := Options{RoleARN: "arn:aws:iam::2:role/target"}
	n := 0
	assumed := func() string { n++; return fmt.Sprintf("ASIA%d session%d", n, n) }

	// Explicit beats ambient: the environment takes no part.
	wantProof(t, newPool(t, everything), bearer, "Bearer ABSKparam")
	wantProof(t, newPool(t, everything), keyed("AKIAPARAM", "k", ""), "AKIAPARAM")
	wantProof(t, newPool(t, everything), keyed("AKIAPARAM", "k", "mine"), "AKIAPARAM mine")
	wantProof(t, newPool(t, everything), Options{Profile: "corp"}, "AKIAPROFILE")
	own := Options{Provider: func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "AKIAOWN", SecretAccessKey: "o"}, nil
	}}
	wantProof(t, newPool(t, everything), own, "AKIAOWN")
	if sts.calls() != 0 {
		t.Fatal("STS was asked")
	}

	// Among explicit ones: bearer, web identity, role, profile, keys.
	both := keyed("AKIAPARAM", "k", "")
	both.Profile = "corp"
	wantProof(t, newPool(t, everything), both, "AKIAPROFILE")
	all := both
	all.APIKey, all.RoleARN, all.WebIdentity = secret.New("ABSKparam"), role.RoleARN, secret.New(jwt("x"))
	wantProof(t, newPool(t, everything), all, "Bearer ABSKparam")
	all.APIKey = secret.Secret{}
	wantProof(t, newPool(t, everything), all, assumed())
	if form := sts.form(n - 1); form.Get("Action") != "AssumeRoleWithWebIdentity" || sts.auth(n-1) != "" || form.Get("DurationSeconds") != "" || form.Has("Policy") {
		t.Errorf("%v signed %q", form, sts.auth(n-1))
	}

	// A role's source: the keys beside it, the profile beside it, else the ambient identity without its own role and bearer.
	source := func(env environ, o Options, want string) {
		t.Helper()
		wantProof(t, newPool(t, env), o, assumed())
		if form := sts.form(n - 1); form.Get("Action") != "AssumeRole" || form.Get("RoleArn") != o.RoleARN || !strings.Contains(sts.auth(n-1), "Credential="+want+"/") {
			t.Errorf("%v signed %s, want %s", form, sts.auth(n-1), want)
		}
	}
	keysAndRole := both
	keysAndRole.RoleARN = role.RoleARN
	source(everything, keysAndRole, "AKIAPARAM")
	source(everything, Options{RoleARN: role.RoleARN, Profile: "corp"}, "AKIAPROFILE")
	source(everything, role, "AKIAENV")
	source(with("AWS_PROFILE_NAME", "corp"), role, "AKIAPROFILE")

	// Ambient.
	wantProof(t, newPool(t, everything), Options{}, "Bearer envbearer")
	delete(everything, "AWS_BEARER_TOKEN_BEDROCK")
	wantProof(t, newPool(t, everything), Options{}, assumed())
	if sts.form(n-1).Get("RoleArn") != "arn:aws:iam::1:role/env" || !strings.Contains(sts.auth(n-1), "AKIAENV") {
		t.Errorf("%v", sts.form(n-1))
	}
	delete(everything, "AWS_ROLE_NAME")
	wantProof(t, newPool(t, everything), Options{}, "AKIAENV envsession")
	delete(everything, "AWS_ACCESS_KEY_ID")
	delete(everything, "AWS_SECRET_ACCESS_KEY")
	wantProof(t, newPool(t, everything), Options{}, assumed())
	if form := sts.form(n - 1); form.Get("RoleArn") != "arn:aws:iam::1:role/pod" || form.Get("WebIdentityToken") != jwt("file") {
		t.Errorf("%v", form)
	}
	// The pod's role and another: web identity first, then AssumeRole with what it gave.
	n++
	source(everything, role, fmt.Sprintf("ASIA%d", n))
	// The pod's role itself is not assumed again, unless something is asked of the session.
	wantProof(t, newPool(t, everything), Options{RoleARN: "arn:aws:iam::1:role/pod"}, assumed())
	if sts.form(n-1).Get("Action") != "AssumeRoleWithWebIdentity" {
		t.Errorf("%v", sts.form(n-1))
	}
	delete(everything, "AWS_WEB_IDENTITY_TOKEN_FILE")
	wantProof(t, newPool(t, everything), Options{}, "AKIAPROFILE")
	wantProof(t, newPool(t, files), Options{}, "AKIADEFAULT")
	wantProof(t, newPool(t, with("AWS_ROLE_NAME", "arn:aws:iam::1:role/env", "AWS_WEB_IDENTITY_TOKEN", jwt("env"))), Options{}, assumed())
	if sts.form(n-1).Get("WebIdentityToken") != jwt("env") {
		t.Errorf("%v", sts.form(n-1))
	}
	if sts.calls() != n {
		t.Errorf("%d calls of STS, want %d", sts.calls(), n)
	}
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

func TestContradictions(t *testing.T) {
	f := func(env environ, o Options) {
		t.Helper()
		if _, err := newPool(t, env).For(o); err == nil {
			t.Errorf("%+v is accepted", o)
		}
	}
	f(nil, Options{AccessKeyID: "AKIA"})
	f(nil, Options{SecretAccessKey: secret.New("k")})
	f(environ{"AWS_ACCESS_KEY_ID": "AKIAENV", "AWS_SECRET_ACCESS_KEY": "e"}, Options{SessionToken: secret.New("t")})
	f(environ{"AWS_ACCESS_KEY_ID": "AKIAENV"}, Options{})
	f(environ{"AWS_SECRET_ACCESS_KEY": "e"}, Options{RoleARN: "arn:aws:iam::1:role/r"})
	f(environ{"AWS_WEB_IDENTITY_TOKEN_FILE": "f"}, Options{})
	f(environ{"AWS_ROLE_ARN": "arn:aws:iam::1:role/pod"}, Options{WebIdentity: secret.New(jwt("x"))})
	f(nil, Options{RoleARN: "arn", WebIdentity: secret.New("oidc/google/aud")})
	f(nil, Options{RoleARN: "arn", SessionName: "no spaces"})
	f(nil, Options{RoleARN: "arn", SessionTags: make([]Tag, 51)})
	f(nil, Options{RoleARN: "arn", STSEndpoint: "http://sts.example.com"})
	f(nil, Options{RoleARN: "arn", STSRegion: "No Region"})
}

func TestAssumeRoleForm(t *testing.T) {
	sts := newSTS(t)
	o := keyed("AKIAPARAM", "k", "")
	o.RoleARN, o.SessionName, o.ExternalID, o.SourceIdentity = "arn:aws:iam::2:role/target", "me@corp", "ext", "who"
	o.SessionPolicy, o.RoleDuration, o.STSEndpoint = `{"Version":"2012-10-17"}`, 20*time.Minute, sts.URL
	o.SessionTags = []Tag{{"b", "2"}, {"a", "1"}}
	wantProof(t, newPool(t, nil), o, "ASIA1 session1")
	want := url.Values{
		"Action": {"AssumeRole"}, "Version": {"2011-06-15"}, "RoleArn": {o.RoleARN}, "RoleSessionName": {"me@corp"}, "ExternalId": {"ext"},
		"SourceIdentity": {"who"}, "Policy": {o.SessionPolicy}, "DurationSeconds": {"1200"},
		"Tags.member.1.Key": {"a"}, "Tags.member.1.Value": {"1"}, "Tags.member.2.Key": {"b"}, "Tags.member.2.Value": {"2"},
	}
	if got := sts.form(0).Encode(); got != want.Encode() {
		t.Errorf("\n got %s\nwant %s", got, want.Encode())
	}

	plain := keyed("AKIAPARAM", "k", "")
	plain.RoleARN, plain.STSEndpoint = "arn:aws:iam::2:role/target", sts.URL
	wantProof(t, newPool(t, nil), plain, "ASIA2 session2")
	form := sts.form(1)
	if name := form.Get("RoleSessionName"); !strings.HasPrefix(name, "outcrop-") || !validSessionName(name) {
		t.Errorf("the session's name is %q", name)
	}
	form.Del("RoleSessionName")
	if got := form.Encode(); got != (url.Values{"Action": {"AssumeRole"}, "Version": {"2011-06-15"}, "RoleArn": {plain.RoleARN}}).Encode() {
		t.Errorf("more than is asked for: %s", got)
	}
}

func TestSTSRegion(t *testing.T) {
	f := func(endpoint, deployment string, env environ, arn, want string) {
		t.Helper()
		p := newPool(t, env)
		client, err := p.stsClient(&Options{STSEndpoint: endpoint, STSRegion: deployment, RoleARN: arn}, nil)
		if err != nil {
			t.Fatal(err)
		}
		o := client.Options()
		if got := o.Region + " " + *o.BaseEndpoint; got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	env := environ{"AWS_REGION": "eu-west-1"}
	f("https://sts.ap-south-1.amazonaws.com", "us-east-2", env, "", "ap-south-1 https://sts.ap-south-1.amazonaws.com")
	f("https://sts.amazonaws.com", "us-east-2", env, "", "us-east-1 https://sts.amazonaws.com")
	f("https://vpce-1.sts.ap-south-1.vpce.amazonaws.com", "", env, "", "ap-south-1 https://vpce-1.sts.ap-south-1.vpce.amazonaws.com")
	f("https://sts.corp.example", "us-east-2", env, "", "us-east-2 https://sts.corp.example")
	f("", "cn-north-1", env, "", "cn-north-1 https://sts.cn-north-1.amazonaws.com.cn")
	f("", "", env, "", "eu-west-1 https://sts.eu-west-1.amazonaws.com")
	f("", "", environ{"AWS_DEFAULT_REGION": "eu-west-2"}, "", "eu-west-2 https://sts.eu-west-2.amazonaws.com")
	f("", "", nil, "arn:aws-us-gov:iam::1:role/r", "us-gov-west-1 https://sts.us-gov-west-1.amazonaws.com")
	f("", "", nil, "arn:aws:iam::1:role/r", "us-east-1 https://sts.us-east-1.amazonaws.com")
	f("", "us-east-2", environ{"AWS_USE_FIPS_ENDPOINT": "true"}, "", "us-east-2 https://sts-fips.us-east-2.amazonaws.com")
	f("", "us-east-2", environ{"AWS_ENDPOINT_URL_STS": "https://sts.corp.example"}, "", "us-east-2 https://sts.corp.example")
}

func TestOneFetchForManyRequests(t *testing.T) {
	sts := newSTS(t)
	sts.gate = make(chan struct{})
	p := newPool(t, nil)
	o := keyed("AKIAPARAM", "k", "")
	o.RoleARN, o.STSEndpoint = "arn:aws:iam::2:role/target", sts.URL
	var wg sync.WaitGroup
	started := make(chan struct{}, 1000)
	for range 1000 {
		wg.Go(func() {
			i, err := p.For(o)
			if err != nil {
				t.Error(err)
			}
			started <- struct{}{}
			if got, err := proof(t, i); err != nil || got != "ASIA1 session1" {
				t.Errorf("%q %v", got, err)
			}
		})
	}
	for range 1000 {
		<-started
	}
	close(sts.gate)
	wg.Wait()
	if sts.calls() != 1 {
		t.Errorf("%d calls of STS", sts.calls())
	}
}

// clock is a time that tests set.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func TestRenewalAheadOfExpiry(t *testing.T) {
	sts := newSTS(t)
	p := newPool(t, nil)
	at := &clock{at: time.Now()}
	p.now = at.now
	o := keyed("AKIAPARAM", "k", "")
	o.RoleARN, o.STSEndpoint = "arn:aws:iam::2:role/target", sts.URL
	i := wantProof(t, p, o, "ASIA1 session1")
	at.forward(50 * time.Minute)
	wantProof(t, p, o, "ASIA1 session1")
	if sts.calls() != 1 {
		t.Fatal("renewed too early")
	}
	// In the last five minutes a failing renewal leaves the old credentials in use.
	sts.mu.Lock()
	sts.fail, sts.gate = "AccessDenied", make(chan struct{})
	sts.mu.Unlock()
	at.forward(6 * time.Minute)
	wantProof(t, p, o, "ASIA1 session1") // does not wait for the gate
	close(sts.gate)
	p.fetches.Wait()
	wantProof(t, p, o, "ASIA1 session1")
	p.fetches.Wait()
	if sts.calls() != 2 {
		t.Errorf("%d calls: a failed renewal is tried again at once", sts.calls())
	}
	// And one that works replaces them.
	sts.mu.Lock()
	sts.fail, sts.gate, sts.life = "", nil, 2*time.Hour
	sts.mu.Unlock()
	at.forward(pauseAfter)
	wantProof(t, p, o, "ASIA1 session1")
	p.fetches.Wait()
	wantProof(t, p, o, "ASIA3 session3")
	// After the end nothing but new ones will do.
	sts.mu.Lock()
	sts.fail = "AccessDenied"
	sts.mu.Unlock()
	at.forward(3 * time.Hour)
	if _, err := proof(t, i); err == nil {
		t.Error("expired credentials are used")
	}
}

func TestAFetchOutlivesItsFirstCaller(t *testing.T) {
	sts := newSTS(t)
	sts.gate = make(chan struct{})
	p := newPool(t, nil)
	o := keyed("AKIAPARAM", "k", "")
	o.RoleARN, o.STSEndpoint = "arn:aws:iam::2:role/target", sts.URL
	i, err := p.For(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := i.For("bedrock", "us-east-1").Authenticate(ctx, newRequest(t), emptyHash); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	close(sts.gate)
	if got, err := proof(t, i); got != "ASIA1 session1" || err != nil {
		t.Errorf("%q %v", got, err)
	}
}

func TestInvalidate(t *testing.T) {
	sts := newSTS(t)
	p := newPool(t, nil)
	o := keyed("AKIAPARAM", "k", "")
	static, err := p.For(o)
	if err != nil {
		t.Fatal(err)
	}
	r := newRequest(t)
	if err := static.For("bedrock", "us-east-1").Authenticate(t.Context(), r, emptyHash); err != nil {
		t.Fatal(err)
	}
	if static.For("bedrock", "us-east-1").Invalidate(r) {
		t.Error("static keys are thought to be replaceable")
	}
	o.RoleARN, o.STSEndpoint = "arn:aws:iam::2:role/target", sts.URL
	i, err := p.For(o)
	if err != nil {
		t.Fatal(err)
	}
	signer := i.For("bedrock", "us-east-1")
	if err := signer.Authenticate(t.Context(), r, emptyHash); err != nil {
		t.Fatal(err)
	}
	// A thousand requests come back with the same bad news: one fetch.
	for range 1000 {
		if !signer.Invalidate(r) {
			t.Fatal("no hope for a role")
		}
		if got, err := proof(t, i); got != "ASIA2 session2" || err != nil {
			t.Fatalf("%q %v", got, err)
		}
	}
}

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
	if !s.LearnClock(r, ours.Add(20*time.Minute)) || !s.LearnClock(r, ours.Add(20*time.Minute)) {
		t.Error("twenty minutes are not learnt by all who met them")
	}
	again := sign()
	if got := again.Header.Get("X-Amz-Date"); got != "20260102T032405Z" {
		t.Errorf("signed with %s", got)
	}
	if s.LearnClock(again, ours.Add(20*time.Minute)) {
		t.Error("learnt what was known")
	}
}

func TestBearerFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	p := newPool(t, nil)
	at := &clock{at: time.Now()}
	p.now = at.now
	o := Options{APIKey: secret.New("file:" + path)}
	i, err := p.For(o)
	if err != nil {
		t.Fatal(err)
	}
	_, err = proof(t, i)
	wantError(t, err, llm.KindPermission)
	write(t, path, "first\n")
	wantProof(t, p, o, "Bearer first")
	write(t, path, "the second\n")
	wantProof(t, p, o, "Bearer first")
	at.forward(lookEvery)
	wantProof(t, p, o, "Bearer the second")
	write(t, path, "3rd")
	r := newRequest(t)
	r.Header.Set("Authorization", "Bearer the second")
	if !i.For("bedrock", "us-east-1").Invalidate(r) {
		t.Error("a file cannot give another token?")
	}
	wantProof(t, p, o, "Bearer 3rd")
	if fixed, _ := p.For(Options{APIKey: secret.New("x")}); fixed.For("bedrock", "us-east-1").Invalidate(r) {
		t.Error("a fixed token can be replaced?")
	}
}

func TestBearerExpiry(t *testing.T) {
	text := "bedrock.amazonaws.com/?Action=CallWithBearerToken&X-Amz-Date=20260102T030405Z&X-Amz-Expires=43200&X-Amz-Signature=x&Version=1"
	key := secret.New(shortTermPrefix + base64.StdEncoding.EncodeToString([]byte(text)))
	at, ok := BearerExpiry(key)
	if !ok || !at.Equal(time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)) {
		t.Errorf("%v %v", at, ok)
	}
	for _, other := range []string{"ABSKlong", shortTermPrefix, shortTermPrefix + "!!", shortTermPrefix + "eA=="} {
		if _, ok := BearerExpiry(secret.New(other)); ok {
			t.Errorf("%s has an end", other)
		}
	}
	i, err := newPool(t, nil).For(Options{APIKey: key})
	if err != nil || !strings.Contains(i.Describe(), "2026-01-02T15:04:05Z") {
		t.Errorf("%v %v", i, err)
	}
}

func TestProfileFilesAreReadAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "credentials")
	write(t, path, "[corp]\naws_access_key_id = AKIAONE\naws_secret_access_key = p\n")
	p := newPool(t, environ{"AWS_SHARED_CREDENTIALS_FILE": path})
	at := &clock{at: time.Now()}
	p.now = at.now
	o := Options{Profile: "corp"}
	wantProof(t, p, o, "AKIAONE")
	write(t, path, "[corp]\naws_access_key_id = AKIANUMBERTWO\naws_secret_access_key = p\n")
	wantProof(t, p, o, "AKIAONE")
	at.forward(lookEvery)
	wantProof(t, p, o, "AKIANUMBERTWO")
}

func TestProgramsAreNotStarted(t *testing.T) {
	dir := t.TempDir()
	config, mark := filepath.Join(dir, "config"), filepath.Join(dir, "started")
	write(t, config, "[profile tool]\nregion = eu-west-3\ncredential_process = touch "+mark+"\n[profile chained]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = tool\n")
	for _, profile := range []string{"tool", "chained"} {
		p := newPool(t, environ{"AWS_CONFIG_FILE": config})
		i, err := p.For(Options{Profile: profile})
		if err != nil {
			t.Fatal(err)
		}
		_, err = proof(t, i)
		if e := wantError(t, err, llm.KindPermission); !strings.Contains(e.Message, "allow_credential_process") {
			t.Errorf("%s", e.Message)
		}
		if _, err := os.Stat(mark); err == nil {
			t.Fatal("the program was started")
		}
	}
	i, err := newPool(t, environ{"AWS_CONFIG_FILE": config}).For(Options{Profile: "tool", AllowProcess: true})
	if err != nil {
		t.Fatal(err)
	}
	_, _ = proof(t, i)
	if _, err := os.Stat(mark); err != nil {
		t.Error("the program was not started though it may be")
	}
}

func TestWebIdentitySources(t *testing.T) {
	sts := newSTS(t)
	path := filepath.Join(t.TempDir(), "token")
	write(t, path, jwt("1")+"\n")
	env := environ{"TOKEN": jwt("env"), "TOKEN_PATH": path}
	n := 0
	f := func(source, want string) {
		t.Helper()
		n++
		o := Options{RoleARN: "arn:aws:iam::2:role/target", WebIdentity: secret.New(source), STSEndpoint: sts.URL}
		wantProof(t, newPool(t, env), o, fmt.Sprintf("ASIA%d session%d", n, n))
		if got := sts.form(n - 1).Get("WebIdentityToken"); got != want {
			t.Errorf("%s gives %s", source, got)
		}
	}
	f(jwt("literal"), jwt("literal"))
	f(path, jwt("1"))
	f("oidc/file/"+path, jwt("1"))
	f("oidc/env/TOKEN", jwt("env"))
	f("oidc/env_path/TOKEN_PATH", jwt("1"))

	// The file is read anew for each fetch.
	p := newPool(t, nil)
	o := Options{RoleARN: "arn:aws:iam::2:role/target", WebIdentity: secret.New(path), STSEndpoint: sts.URL}
	i, err := p.For(o)
	if err != nil {
		t.Fatal(err)
	}
	r := newRequest(t)
	if err := i.For("bedrock", "us-east-1").Authenticate(t.Context(), r, emptyHash); err != nil {
		t.Fatal(err)
	}
	write(t, path, jwt("2"))
	i.For("bedrock", "us-east-1").Invalidate(r)
	if _, err := proof(t, i); err != nil {
		t.Fatal(err)
	}
	if got := sts.form(sts.calls() - 1).Get("WebIdentityToken"); got != jwt("2") {
		t.Errorf("the old token %s", got)
	}
}

func wantError(t testing.TB, err error, kind llm.Kind) *llm.Error {
	t.Helper()
	var e *llm.Error
	if !errors.As(err, &e) || e.Kind != kind || e.Code != wire.CodeCredentials {
		t.Fatalf("%#v", err)
	}
	return e
}

func TestErrors(t *testing.T) {
	sts := newSTS(t)
	sts.fail = "AccessDenied"
	o := keyed("AKIAPARAM", "k", "")
	o.RoleARN, o.STSEndpoint = "arn:aws:iam::2:role/target", sts.URL
	get := func(env environ, o Options) error {
		t.Helper()
		i, err := newPool(t, env).For(o)
		if err != nil {
			t.Fatal(err)
		}
		_, err = proof(t, i)
		return err
	}
	if e := wantError(t, get(nil, o), llm.KindPermission); e.Status() != 403 || !strings.Contains(e.Message, "STS says no") || !strings.Contains(e.Hint, "sts:AssumeRole") || e.AWSType != "AccessDenied" {
		t.Errorf("%+v", e)
	}
	sts.fail = "InvalidIdentityToken"
	web := Options{RoleARN: o.RoleARN, WebIdentity: secret.New(jwt("x")), STSEndpoint: sts.URL}
	if e := wantError(t, get(nil, web), llm.KindPermission); !strings.Contains(e.Error(), "https://issuer") || !strings.Contains(e.Error(), "sts.amazonaws.com") || strings.Contains(e.Error(), jwt("x")) {
		t.Errorf("%+v", e)
	}
	o.STSEndpoint = "http://127.0.0.1:1"
	if e := wantError(t, get(nil, o), llm.KindUnavailable); e.Status() != 503 {
		t.Errorf("%+v", e)
	}
	e := wantError(t, get(nil, Options{}), llm.KindPermission)
	for _, source := range []string{"AWS_BEARER_TOKEN_BEDROCK", "AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "profile", "instance"} {
		if !strings.Contains(e.Message, source) {
			t.Errorf("%q does not name %s", e.Message, source)
		}
	}
	if e := wantError(t, get(nil, Options{Profile: "nobody"}), llm.KindPermission); !strings.Contains(e.Message, "nobody") {
		t.Errorf("%+v", e)
	}
	role := Options{RoleARN: o.RoleARN, STSEndpoint: sts.URL}
	wantError(t, get(nil, role), llm.KindPermission)
	wantError(t, get(environ{"TOKEN": ""}, Options{RoleARN: o.RoleARN, WebIdentity: secret.New("oidc/env/TOKEN"), STSEndpoint: sts.URL}), llm.KindPermission)
}

func TestAClosedPoolFetchesNothing(t *testing.T) {
	p := newPool(t, nil)
	p.Close()
	i, err := p.For(Options{Profile: "corp"})
	if err != nil {
		t.Fatal(err)
	}
	if err := i.Warm(t.Context()); err == nil {
		t.Error("fetched")
	}
}

func TestIdentitiesAreShared(t *testing.T) {
	p := newPool(t, nil)
	get := func(o Options) *Identity {
		t.Helper()
		i, err := p.For(o)
		if err != nil {
			t.Fatal(err)
		}
		return i
	}
	a := keyed("AKIAPARAM", "k", "")
	b := a
	b.STSRegion = "eu-west-1" // static keys do not ask STS
	if get(a) != get(b) {
		t.Error("the same keys are two identities")
	}
	b.SecretAccessKey = secret.New("other")
	if get(a) == get(b) {
		t.Error("two keys are one identity")
	}
	one, two := Options{RoleARN: "arn", SessionTags: []Tag{{"a", "1"}, {"b", "2"}}}, Options{RoleARN: "arn", SessionTags: []Tag{{"b", "2"}, {"a", "1"}}}
	if get(one) != get(two) {
		t.Error("the order of tags makes another identity")
	}
	for n := range maxIdentities + 10 {
		get(Options{Profile: fmt.Sprint(n)})
	}
	if len(p.identities) != maxIdentities || p.recent.Len() != maxIdentities {
		t.Errorf("%d identities", len(p.identities))
	}
}

func TestRegions(t *testing.T) {
	f := func(s RegionSources, env environ, want string, warns bool) {
		t.Helper()
		region, warning := ResolveRegion(s, env.lookup)
		if region != want || (warning != "") != warns {
			t.Errorf("%+v gives %s, warning %q", s, region, warning)
		}
	}
	all := environ{"AWS_REGION_NAME": "name-1", "AWS_REGION": "region-1", "AWS_DEFAULT_REGION": "default-1"}
	f(RegionSources{Parameter: "p", Profile: "f"}, all, "p", false)
	f(RegionSources{Parameter: "p", Path: "q"}, all, "p", true)
	f(RegionSources{Parameter: "p", ModelID: "a"}, all, "p", true)
	f(RegionSources{Parameter: "p", ModelID: "p", Model: "b"}, all, "p", false)
	f(RegionSources{Path: "q", Profile: "f"}, all, "q", false)
	f(RegionSources{Path: "q", Model: "m"}, all, "q", true)
	f(RegionSources{ModelID: "a", Model: "m"}, all, "a", false)
	f(RegionSources{Model: "m"}, all, "m", false)
	f(RegionSources{Profile: "f"}, all, "name-1", false)
	f(RegionSources{Profile: "f"}, environ{"AWS_REGION": "region-1", "AWS_DEFAULT_REGION": "default-1"}, "region-1", false)
	f(RegionSources{Profile: "f"}, environ{"AWS_DEFAULT_REGION": "default-1"}, "default-1", false)
	f(RegionSources{Profile: "f"}, nil, "f", false)
	f(RegionSources{}, nil, DefaultRegion, true)

	path := filepath.Join(t.TempDir(), "config")
	write(t, path, "[profile corp]\nregion = eu-west-3\n[default]\nregion = eu-north-1\n")
	own := func(o Options, want string) {
		t.Helper()
		i, err := newPool(t, environ{"AWS_CONFIG_FILE": path}).For(o)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := i.Region(t.Context()); got != want || err != nil {
			t.Errorf("%s %v, want %s", got, err, want)
		}
	}
	own(Options{Profile: "corp"}, "eu-west-3")
	own(Options{}, "eu-north-1")
	own(keyed("AKIA", "k", ""), "")
	own(Options{APIKey: secret.New("x")}, "")
}

func TestNoSecretIsShown(t *testing.T) {
	const canary = "canary-Zk0x9Qg"
	sts := newSTS(t)
	sts.fail = "AccessDenied"
	o := keyed("AKIAVISIBLE12345678", canary+"key", canary+"token")
	role := o
	role.RoleARN, role.STSEndpoint = "arn:aws:iam::2:role/target", sts.URL
	own := Options{Provider: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "AKIAOWN", SecretAccessKey: canary}, nil
	})}
	env := environ{"AWS_BEARER_TOKEN_BEDROCK": canary + "bearer"}
	var out strings.Builder
	for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		log := slog.New(h)
		for _, o := range []Options{o, role, own, {}, {APIKey: secret.New(canary)}, {RoleARN: "arn", WebIdentity: secret.New(canary + "/file"), STSEndpoint: sts.URL}} {
			p := newPool(t, env)
			i, err := p.For(o)
			if err != nil {
				t.Fatal(err)
			}
			_, failed := proof(t, i)
			p.fetches.Wait() // what fmt finds in the pool is guarded by nothing
			for _, v := range []any{o, &o, i, *i.For("bedrock", "us-east-1"), i.For("bedrock", "us-east-1"), failed, p, i.credentials, i.bearer, []any{i}, struct{ I *Identity }{i}} {
				fmt.Fprintf(&out, "%v %+v %#v %s %q %x\n", v, v, v, v, v, v)
				log.Info("m", "v", v)
				if _, isError := v.(error); !isError { // slog writes errors as text
					text, _ := json.Marshal(v)
					out.Write(text)
				}
			}
			if i.credentials != nil {
				if creds := i.credentials.current.Load(); creds != nil {
					fmt.Fprintf(&out, "%v %+v %#v %s", creds, creds, creds, creds)
				}
			}
		}
	}
	for _, form := range []string{canary, fmt.Sprintf("%x", canary), strings.ToUpper(fmt.Sprintf("%x", canary))} {
		if at := strings.Index(out.String(), form); at >= 0 {
			t.Errorf("%q is shown: …%s…", form, out.String()[max(0, at-200):at+40])
		}
	}
	if !strings.Contains(out.String(), "****5678") {
		t.Error("nothing is shown at all")
	}
}

func TestTheSDKsClientIsBuildable(t *testing.T) {
	// The SDK shortens the time-outs of its instance metadata client only for a client of this type.
	p := NewPool(environ(nil).lookup)
	defer p.Close()
	if _, ok := p.http.(*awshttp.BuildableClient); !ok {
		t.Errorf("%T", p.http)
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
