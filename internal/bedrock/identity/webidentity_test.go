package identity

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/outcrop-ai/outcrop/internal/secret"
	"github.com/outcrop-ai/outcrop/llm"
)

// TestTokenIssuers fetches web identity tokens where LiteLLM's names for the sources say.
func TestTokenIssuers(t *testing.T) {
	var asked *http.Request
	status, answer := http.StatusOK, ""
	issuer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r
		w.WriteHeader(status)
		fmt.Fprint(w, answer)
	}))
	t.Cleanup(issuer.Close)
	host := strings.TrimPrefix(issuer.URL, "http://")
	sts := newSTS(t)
	n := 0
	role := func(source string) Options {
		return Options{RoleARN: "arn:aws:iam::2:role/target", WebIdentity: secret.New(source), STSEndpoint: sts.URL}
	}
	f := func(env environ, source, says, wantRequest string) {
		t.Helper()
		n++
		asked, answer = nil, says
		wantProof(t, newPool(t, env), role(source), fmt.Sprintf("ASIA%d session%d", n, n))
		if got := sts.form(n - 1).Get("WebIdentityToken"); got != jwt("1") {
			t.Errorf("%s: the token is %q", source, got)
		}
		got := ""
		if asked != nil {
			got = asked.URL.String()
			for _, name := range []string{"Authorization", "Metadata-Flavor", "Metadata", "X-Identity-Header"} {
				if v := asked.Header.Get(name); v != "" {
					got += " " + name + "=" + v
				}
			}
		}
		if got != wantRequest {
			t.Errorf("%s asked\n%s, want\n%s", source, got, wantRequest)
		}
	}
	path := filepath.Join(t.TempDir(), "token")
	write(t, path, jwt("1"))
	github := environ{"ACTIONS_ID_TOKEN_REQUEST_URL": issuer.URL + "/id?api-version=2.0", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "gh-key"}
	f(github, "oidc/github/sts.amazonaws.com", `{"value":"`+jwt("1")+`"}`, "/id?api-version=2.0&audience=sts.amazonaws.com Authorization=Bearer gh-key")
	google := environ{"GCE_METADATA_HOST": host}
	f(google, "oidc/google/https://sts.amazonaws.com", jwt("1")+"\n",
		"/computeMetadata/v1/instance/service-accounts/default/identity?audience=https%3A%2F%2Fsts.amazonaws.com Metadata-Flavor=Google")
	azure := environ{"AZURE_POD_IDENTITY_AUTHORITY_HOST": issuer.URL}
	says := `{"access_token":"` + jwt("1") + `","token_type":"Bearer"}`
	f(azure, "oidc/azure/api://aws/.default", says, "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=api%3A%2F%2Faws Metadata=true")
	f(environ{"IDENTITY_ENDPOINT": issuer.URL + "/msi", "IDENTITY_HEADER": "h", "AZURE_CLIENT_ID": "c"}, "oidc/azure/api://aws", says,
		"/msi?api-version=2019-08-01&client_id=c&resource=api%3A%2F%2Faws X-Identity-Header=h")
	f(environ{"AZURE_FEDERATED_TOKEN_FILE": path}, "oidc/azure/api://aws", "", "")
	f(environ{"CIRCLE_OIDC_TOKEN": jwt("1")}, "oidc/circleci/", "", "")
	f(environ{"CIRCLE_OIDC_TOKEN_V2": jwt("1")}, "oidc/circleci_v2/", "", "")

	fails := func(env environ, source, says string, code int, kind llm.Kind, want string) {
		t.Helper()
		status, answer = code, says
		i, err := newPool(t, env).For(role(source))
		if err != nil {
			t.Fatal(err)
		}
		err = i.For("bedrock", "us-east-1").Authenticate(t.Context(), newRequest(t), emptyHash)
		var e *llm.Error
		if !errors.As(err, &e) {
			t.Fatal(err)
		}
		text := e.Message
		if e.Kind != kind || !strings.Contains(text, want) || strings.Contains(text, "gh-key") || strings.Contains(text, "leak") {
			t.Errorf("%s: %s, want %s", source, text, want)
		}
	}
	fails(github, "oidc/github/a", "leak", http.StatusForbidden, llm.KindPermission, "GitHub Actions gives no web identity token: it answered 403")
	fails(github, "oidc/github/a", `{"count":"leak"}`, http.StatusOK, llm.KindPermission, "GitHub Actions answered without a web identity token")
	fails(nil, "oidc/github/a", "", http.StatusOK, llm.KindPermission, "the permission id-token: write")
	fails(environ{"GCE_METADATA_HOST": "127.0.0.1:1"}, "oidc/google/a", "", http.StatusOK, llm.KindUnavailable, "the service that gives AWS credentials cannot be reached")
	fails(google, "oidc/google/a", "leak", http.StatusBadGateway, llm.KindUnavailable, "cannot be reached")
	fails(azure, "oidc/azure/a", "leak", http.StatusOK, llm.KindPermission, "Azure's managed identity answered without")
	fails(nil, "oidc/circleci/", "", http.StatusOK, llm.KindPermission, "CIRCLE_OIDC_TOKEN")
}
