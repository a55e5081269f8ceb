package identity

import (
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/outcrop-ai/outcrop/internal/secret"
	"github.com/outcrop-ai/outcrop/llm"
)

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

func TestOwnCertificateAuthorities(t *testing.T) {
	plain := newSTS(t)
	server := httptest.NewTLSServer(http.HandlerFunc(plain.serve))
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "ca.pem")
	write(t, file, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	o := keyed("AKIAPARAM", "k", "")
	o.RoleARN, o.STSEndpoint = "arn:aws:iam::2:role/target", server.URL
	wantProof(t, newPool(t, environ{"AWS_CA_BUNDLE": file}), o, "ASIA1 session1")
	i, err := newPool(t, nil).For(o)
	if err != nil {
		t.Fatal(err)
	}
	_, err = proof(t, i)
	wantError(t, err, llm.KindUnavailable)
	if _, err := newPool(t, environ{"AWS_CA_BUNDLE": file + ".none"}).For(o); err == nil {
		t.Error("a bundle that is not there is no error")
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
