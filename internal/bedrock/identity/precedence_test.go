package identity

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/outcrop-ai/outcrop/internal/secret"
)

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
	f(nil, Options{RoleARN: "arn", WebIdentity: secret.New("oidc/nobody/aud")})
	f(nil, Options{RoleARN: "arn", WebIdentity: secret.New("oidc/google/")})
	f(nil, Options{RoleARN: "arn", SessionName: "no spaces"})
	f(nil, Options{RoleARN: "arn", SessionTags: make([]Tag, 51)})
	f(nil, Options{RoleARN: "arn", STSEndpoint: "http://sts.example.com"})
	f(nil, Options{RoleARN: "arn", STSRegion: "No Region"})
}
