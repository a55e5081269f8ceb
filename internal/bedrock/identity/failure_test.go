package identity

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/smithy-go"

	"github.com/outcrop-ai/outcrop/internal/secret"
	"github.com/outcrop-ai/outcrop/internal/sim"
	"github.com/outcrop-ai/outcrop/llm"
)

// failing returns the error that the first call as o gets.
func failing(t *testing.T, env environ, o Options) *llm.Error {
	t.Helper()
	i, err := newPool(t, env).For(o)
	if err != nil {
		t.Fatal(err)
	}
	_, err = proof(t, i)
	return wantError(t, err, llm.KindPermission)
}

func TestADeniedRoleNamesPrincipalRoleAndPermission(t *testing.T) {
	server := sim.New(sim.Options{})
	address, err := server.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	const arn = "arn:aws:iam::123456789012:role/denied-role"
	o := keyed(sim.AccessKeyID, sim.SecretAccessKey, "")
	o.RoleARN, o.STSEndpoint, o.ExternalID = arn, address, "ext-canary"
	const user = "arn:aws:iam::123456789012:user/simulator"
	e := failing(t, nil, o)
	if want := "User: " + user + " is not authorized to perform: sts:AssumeRole on resource: " + arn; !strings.Contains(e.Message, want) {
		t.Errorf("STS's own words are missing in %q", e.Message)
	}
	want := user + ` needs this statement in its policy: {"Effect":"Allow","Action":["sts:AssumeRole"],"Resource":"` + arn + `"}, and the trust policy of ` +
		arn + " must permit sts:AssumeRole to it, with the external id that is configured."
	if e.Hint != want || e.Status() != 403 || e.AWSType != "AccessDenied" {
		t.Errorf("%d %s\n%s\nwant\n%s", e.Status(), e.AWSType, e.Hint, want)
	}
	if text := e.Error() + e.Hint; strings.Contains(text, "ext-canary") || strings.Contains(text, sim.SecretAccessKey) {
		t.Errorf("a secret in %s", text)
	}

	o.SessionTags, o.SourceIdentity = []Tag{{"team", "a"}}, "who"
	if e := failing(t, nil, o); !strings.Contains(e.Hint, `["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"]`) {
		t.Errorf("%s", e.Hint)
	}
	web := Options{RoleARN: arn, WebIdentity: secret.New(jwt("x")), STSEndpoint: address}
	if e := failing(t, nil, web); !strings.Contains(e.Hint, "The trust policy of "+arn+" must permit sts:AssumeRoleWithWebIdentity") {
		t.Errorf("%s", e.Hint)
	}
	token := filepath.Join(t.TempDir(), "token")
	write(t, token, jwt("pod"))
	pod := environ{"AWS_WEB_IDENTITY_TOKEN_FILE": token, "AWS_ROLE_ARN": arn, "AWS_STS_ENDPOINT": address}
	if e := failing(t, pod, Options{}); !strings.Contains(e.Message, "the pod's role "+arn) || !strings.Contains(e.Hint, "AssumeRoleWithWebIdentity") {
		t.Errorf("%s %s", e.Message, e.Hint)
	}
}

// sso is a shared configuration with a profile of IAM Identity Center, old and new style, whose service is at address.
func sso(t *testing.T, expires string) environ {
	t.Helper()
	home := t.TempDir()
	config := filepath.Join(home, ".aws", "config")
	cache := filepath.Join(home, ".aws", "sso", "cache")
	if err := os.MkdirAll(cache, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, config, `[sso-session corp]
sso_start_url = https://corp.example/start
sso_region = us-east-1
[profile new]
sso_session = corp
sso_account_id = 123456789012
sso_role_name = chat
[profile old]
sso_start_url = https://corp.example/start
sso_region = us-east-1
sso_account_id = 123456789012
sso_role_name = chat
[profile chained]
role_arn = arn:aws:iam::1:role/r
source_profile = new
`)
	if expires != "" {
		// Named by the SHA-1 of the session's name, and of the start URL.
		text := fmt.Sprintf(`{"accessToken":"canary-token","expiresAt":%q}`, expires)
		for _, name := range []string{"ee0bfd2552fbd840c02cc48b6e823320543c450f", "f7c9b39d0b4c7a7d82c79307585f77e1c5e74378"} {
			write(t, filepath.Join(cache, name+".json"), text)
		}
	}
	t.Setenv("HOME", home)
	return environ{"AWS_CONFIG_FILE": config}
}

func TestAnExpiredSSOSessionSaysHowToLogIn(t *testing.T) {
	for _, expires := range []string{"", "2020-01-02T03:04:05Z"} {
		for profile, login := range map[string]string{"new": "new", "old": "old", "chained": "new"} {
			e := failing(t, sso(t, expires), Options{Profile: profile})
			if !strings.Contains(e.Message, "the profile "+profile) || !strings.Contains(e.Hint, "aws sso login --profile "+login) || e.Status() != 403 {
				t.Errorf("%s: %d %s %s", profile, e.Status(), e.Message, e.Hint)
			}
			if strings.Contains(e.Error()+e.Hint, "canary") {
				t.Errorf("%s shows the token", e.Error())
			}
		}
	}
}

func TestWhatALoginCannotMend(t *testing.T) {
	f := func(err error, want bool) {
		t.Helper()
		if got := wantsLogin(err); got != want {
			t.Errorf("%v wants a login: %v", err, got)
		}
	}
	f(&smithy.GenericAPIError{Code: "UnauthorizedException"}, true)
	f(&smithy.GenericAPIError{Code: "InvalidGrantException"}, true)
	f(&smithy.GenericAPIError{Code: "ForbiddenException"}, false)
	f(&smithy.GenericAPIError{Code: "TooManyRequestsException"}, false)
	f(fmt.Errorf("slow: %w", context.DeadlineExceeded), false)
	f(os.ErrNotExist, true)
}

func TestAnUnknownProfileNamesTheFiles(t *testing.T) {
	e := failing(t, nil, Options{Profile: "nobody"})
	if !strings.Contains(e.Message, "the profile nobody: the shared AWS files have no such profile") || !strings.Contains(e.Hint, "AWS_CONFIG_FILE") {
		t.Errorf("%s %s", e.Message, e.Hint)
	}
}

func TestASTSThatFailsIsUnavailable(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/xml")
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte(`<ErrorResponse><Error><Type>Receiver</Type><Code>ServiceUnavailable</Code><Message>later</Message></Error></ErrorResponse>`))
	}))
	t.Cleanup(server.Close)
	o := keyed("AKIAPARAM", "k", "")
	o.RoleARN, o.STSEndpoint = "arn:aws:iam::2:role/target", server.URL
	i, err := newPool(t, nil).For(o)
	if err != nil {
		t.Fatal(err)
	}
	_, err = proof(t, i)
	if e := wantError(t, err, llm.KindUnavailable); e.Status() != 503 || !e.Retryable() || !strings.Contains(e.Message, "later") {
		t.Errorf("%+v", e)
	}
}

func TestASSOSessionThatIsOpenGivesCredentials(t *testing.T) {
	var ended atomic.Bool
	portal := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if ended.Load() {
			w.Header().Set("X-Amzn-Errortype", "UnauthorizedException")
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if r.URL.Path != "/federation/credentials" || r.URL.Query().Get("role_name") != "chat" || r.Header.Get("X-Amz-Sso_bearer_token") != "canary-token" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"roleCredentials":{"accessKeyId":"ASIASSO","secretAccessKey":"s","sessionToken":"t","expiration":%d}}`, time.Now().Add(time.Hour).UnixMilli())
	}))
	t.Cleanup(portal.Close)
	for _, profile := range []string{"new", "old"} {
		env := sso(t, "2099-01-02T03:04:05Z")
		p := newPool(t, env)
		t.Setenv("AWS_ENDPOINT_URL_SSO", portal.URL) // which the AWS SDK reads by itself
		wantProof(t, p, Options{Profile: profile}, "ASIASSO t")
	}
	// A session that the portal has ended.
	ended.Store(true)
	env := sso(t, "2099-01-02T03:04:05Z")
	p := newPool(t, env)
	t.Setenv("AWS_ENDPOINT_URL_SSO", portal.URL)
	i, err := p.For(Options{Profile: "old"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = proof(t, i)
	if e := wantError(t, err, llm.KindPermission); !strings.Contains(e.Hint, "aws sso login --profile old") || strings.Contains(e.Error(), "canary") {
		t.Errorf("%s %s", e, e.Hint)
	}
}
