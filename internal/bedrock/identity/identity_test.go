package identity

import (
	"strings"
	"testing"

	"github.com/outcrop-ai/outcrop/internal/secret"
	"github.com/outcrop-ai/outcrop/llm"
)

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
