package gateway

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/outcrop-ai/outcrop/internal/sim"
)

// The client's own credentials, which occur nowhere else.
const (
	clientKeyID  = "AKIDCLIENTSOWN"
	clientSecret = "canaryClientSecret/+4b8d"
	clientBearer = "canaryClientBearer55aa"
	clientToken  = "canaryClientSession91ee"
)

// lenient is a gateway whose deployment lets clients say something of the connection, in front of two simulators: the
// configuration's and one that only clients name.
type lenient struct {
	*rig
	t               *testing.T
	ours, theirs    *sim.Server
	oursAt, theirAt string
}

// newLenient starts one. params are further litellm_params of the deployment, which signs with the simulator's usual key
// unless they have credentials. OURS and THEIRS in them stand for the addresses.
func newLenient(t *testing.T, allowed, params string) *lenient {
	t.Helper()
	o := sim.Options{
		RecordLimit: 100, BearerTokens: []string{clientBearer, "gatewaysBearer"},
		Credentials: []sim.Credential{
			{AccessKeyID: sim.AccessKeyID, SecretAccessKey: sim.SecretAccessKey},
			{AccessKeyID: clientKeyID, SecretAccessKey: clientSecret},
			{AccessKeyID: "ASIACLIENT", SecretAccessKey: clientSecret, SessionToken: clientToken},
		},
	}
	l := &lenient{t: t}
	l.ours, l.oursAt = upstream(t, o)
	l.theirs, l.theirAt = upstream(t, o)
	if !strings.Contains(params, "api_key") && !strings.Contains(params, "aws_access_key_id") {
		params += fmt.Sprintf("\naws_access_key_id: %s\naws_secret_access_key: %s", sim.AccessKeyID, sim.SecretAccessKey)
	}
	config := fmt.Sprintf(`model_list:
  - model_name: m
    litellm_params: &params
      model: bedrock/amazon.nova-lite-v1:0
      aws_region_name: us-east-1
      aws_bedrock_runtime_endpoint: OURS
      aws_sts_endpoint: OURS
      configurable_clientside_auth_params: %s
%s
  - model_name: e
    litellm_params: {<<: *params, model: 'bedrock/amazon.titan-embed-text-v2:0'}
  - model_name: r
    litellm_params: {<<: *params, model: 'bedrock/cohere.rerank-v3-5:0'}
  - model_name: strict
    litellm_params: {model: 'bedrock/amazon.nova-lite-v1:0', aws_bedrock_runtime_endpoint: OURS}
general_settings: {master_key: %s}
`, allowed, "      "+strings.ReplaceAll(strings.TrimSpace(params), "\n", "\n      "), testKey)
	l.rig = newRig(t, l.fill(config), nil)
	return l
}

func (l *lenient) fill(text string) string {
	return strings.NewReplacer("OURS", l.oursAt, "THEIRS", l.theirAt).Replace(text)
}

// ask sends a chat with further members.
func (l *lenient) ask(members string) (*http.Response, string) {
	l.t.Helper()
	return l.post("/v1/chat/completions", l.fill(`{"model":"m","messages":[{"role":"user","content":"hi"}],`+members+`}`))
}

// proofs returns who signed the requests that a simulator got: "sts", "us-east-1" and so on, and the access key id.
func proofs(s *sim.Server) string {
	var list []string
	for _, r := range s.Requests() {
		auth := r.Header.Get("Authorization")
		if rest, ok := strings.CutPrefix(auth, "AWS4-HMAC-SHA256 Credential="); ok {
			scope := strings.Split(rest, "/")
			id := scope[0]
			if strings.HasPrefix(id, "ASIA") && id != "ASIACLIENT" {
				id = "ROLE"
			}
			if auth = id + "@" + scope[2]; scope[3] == "sts" {
				auth = id + "@sts"
			}
		}
		list = append(list, auth)
	}
	return strings.Join(list, " ")
}

func refusal(t *testing.T, body string) (code, param, message string) {
	t.Helper()
	var answer struct {
		Error struct{ Code, Param, Message string }
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	return answer.Error.Code, answer.Error.Param, answer.Error.Message
}

const (
	ownKeys  = `"aws_access_key_id":"` + clientKeyID + `","aws_secret_access_key":"` + clientSecret + `"`
	allKeys  = "aws_access_key_id, aws_secret_access_key, aws_session_token"
	allNames = "[" + allKeys + ", api_key, api_base, aws_region_name, aws_session_name, aws_profile_name, aws_role_name, aws_external_id, " +
		"aws_web_identity_token, aws_sts_endpoint, aws_bedrock_runtime_endpoint]"
	gateway = sim.AccessKeyID
)

func webToken() string {
	return "e30." + base64.RawURLEncoding.EncodeToString([]byte(`{"iss":"https://issuer","aud":"sts.amazonaws.com","sub":"canaryWebIdentity"}`)) + ".sig"
}

// TestClientsGoAsTheyAreAllowedTo: each row is a deployment, what a client sends, and who asks which host.
func TestClientsGoAsTheyAreAllowedTo(t *testing.T) {
	f := func(allowed, params, members, ours, theirs string) {
		t.Helper()
		l := newLenient(t, allowed, params)
		resp, body := l.ask(members)
		if resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %d %s", members, resp.StatusCode, body)
		}
		if resp.Header.Get("X-Litellm-Model-Api-Base") != "" {
			t.Errorf("%s: the address is told", members)
		}
		if got := proofs(l.ours); got != ours {
			t.Errorf("%s: the configuration's host sees %q, want %q", members, got, ours)
		}
		if got := proofs(l.theirs); got != theirs {
			t.Errorf("%s: the client's host sees %q, want %q", members, got, theirs)
		}
	}
	const role = "arn:aws:iam::123456789012:role/"
	pattern := `[{api_base: "http://127\\.0\\.0\\.1:\\d+"}, {aws_sts_endpoint: "http://127\\.0\\.0\\.1:\\d+"}, aws_role_name, aws_session_name]`

	f("[aws_region_name]", "", `"aws_region_name":"eu-west-1"`, gateway+"@eu-west-1", "")
	f("["+allKeys+"]", "", ownKeys, clientKeyID+"@us-east-1", "")
	f("["+allKeys+"]", "", `"extra_body":{`+ownKeys+`}`, clientKeyID+"@us-east-1", "")
	f("["+allKeys+"]", "", `"aws_access_key_id":"ASIACLIENT","aws_secret_access_key":"`+clientSecret+`","aws_session_token":"`+clientToken+`"`, "ASIACLIENT@us-east-1", "")
	f("[api_key]", "", `"api_key":"`+clientBearer+`"`, "Bearer "+clientBearer, "")

	// A client's credentials replace all of the deployment's.
	f("["+allKeys+"]", "api_key: gatewaysBearer", ownKeys, clientKeyID+"@us-east-1", "")
	f("["+allKeys+"]", "aws_role_name: "+role+"a", ownKeys, clientKeyID+"@us-east-1", "")
	f("["+allKeys+"]", "extra_headers: {Authorization: Bearer gatewaysBearer}", ownKeys, clientKeyID+"@us-east-1", "")
	f("[api_key]", "extra_headers: {authorization: Bearer gatewaysBearer}", `"api_key":"`+clientBearer+`"`, "Bearer "+clientBearer, "")
	f("["+allKeys+", aws_role_name]", "", ownKeys+`,"aws_role_name":"`+role+`b"`, clientKeyID+"@sts ROLE@us-east-1", "")
	f("[aws_role_name, aws_web_identity_token]", "", `"aws_role_name":"`+role+`b","aws_web_identity_token":"`+webToken()+`"`, " ROLE@us-east-1", "")

	// A role alone is assumed with the deployment's identity, which may be a role itself.
	f("[aws_role_name]", "", `"aws_role_name":"`+role+`b"`, gateway+"@sts ROLE@us-east-1", "")
	f("[aws_role_name]", "aws_role_name: "+role+"a", `"aws_role_name":"`+role+`b"`, gateway+"@sts ROLE@sts ROLE@us-east-1", "")
	f("[aws_role_name]", "aws_role_name: "+role+"a", `"aws_role_name":"`+role+`a"`, gateway+"@sts ROLE@us-east-1", "")
	f("[aws_session_name, aws_external_id]", "aws_role_name: "+role+"a", `"aws_session_name":"ada","aws_external_id":"x1"`, gateway+"@sts ROLE@us-east-1", "")

	// Where the configuration names no hosts, the client brings the credentials; where it does, the gateway's go there.
	f(allNames, "", ownKeys+`,"api_base":"THEIRS"`, "", clientKeyID+"@us-east-1")
	f(allNames, "", ownKeys+`,"base_url":"THEIRS"`, "", clientKeyID+"@us-east-1")
	f(allNames, "", ownKeys+`,"api_base":"http://127.0.0.1:1","aws_bedrock_runtime_endpoint":"THEIRS/"`, "", clientKeyID+"@us-east-1")
	f(allNames, "", ownKeys+`,"aws_role_name":"`+role+`b","aws_sts_endpoint":"THEIRS","api_base":"THEIRS"`, "", clientKeyID+"@sts ROLE@us-east-1")
	f(allNames, "", `"api_key":"`+clientBearer+`","api_base":"THEIRS","aws_region_name":"eu-west-1"`, "", "Bearer "+clientBearer)
	f(pattern, "", `"api_base":"THEIRS"`, "", gateway+"@us-east-1")
	f(pattern, "extra_headers: {Authorization: Bearer gatewaysBearer}", `"api_base":"THEIRS"`, "", "Bearer gatewaysBearer")
	f(pattern, "", `"aws_role_name":"`+role+`b","aws_sts_endpoint":"THEIRS","api_base":"THEIRS"`, "", gateway+"@sts ROLE@us-east-1")
}

func TestEveryEndpointTakesThem(t *testing.T) {
	l := newLenient(t, "["+allKeys+"]", "")
	for path, body := range map[string]string{
		"/v1/chat/completions": `{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}],` + ownKeys + `}`,
		"/v1/completions":      `{"model":"m","prompt":["a","b"],"n":2,` + ownKeys + `}`,
		"/v1/embeddings":       `{"model":"e","input":["a","b"],` + ownKeys + `}`,
		"/v1/rerank":           `{"model":"r","query":"a","documents":["a","b"],` + ownKeys + `}`,
	} {
		if resp, answer := l.post(path, body); resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %d %s", path, resp.StatusCode, answer)
		}
		if resp, answer := l.post(path, strings.Replace(body, clientSecret, "wrong", 1)); resp.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %d %s", path, resp.StatusCode, answer)
		}
		resp, answer := l.post(path, strings.Replace(body, ownKeys, `"extra_body":{"api_key":"x"}`, 1))
		if code, param, _ := refusal(t, answer); resp.StatusCode != http.StatusBadRequest || code != "forbidden_parameter" || param != "api_key" {
			t.Errorf("%s: %d %s", path, resp.StatusCode, answer)
		}
	}
	if got := proofs(l.ours); strings.Contains(got, gateway) {
		t.Errorf("the gateway's key signed: %s", got)
	}
	// Calls without stay the deployment's.
	if resp, answer := l.post("/v1/chat/completions", greeting); resp.StatusCode != http.StatusOK || !strings.HasSuffix(proofs(l.ours), " "+gateway+"@us-east-1") {
		t.Errorf("%d %s", resp.StatusCode, answer)
	}
}

// TestRerankersGoTheSameWay: they have a host of their own, which follows the client's, and takes no API keys.
func TestRerankersGoTheSameWay(t *testing.T) {
	f := func(allowed, members, ours, theirs string) {
		t.Helper()
		l := newLenient(t, allowed, "")
		resp, body := l.post("/v1/rerank", l.fill(`{"model":"r","query":"a","documents":["a","b"],`+members+`}`))
		if resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %d %s", members, resp.StatusCode, body)
		}
		var paths []string
		for _, s := range []*sim.Server{l.ours, l.theirs} {
			got := proofs(s)
			for _, r := range s.Requests() {
				paths = append(paths, r.Path)
			}
			if want := map[*sim.Server]string{l.ours: ours, l.theirs: theirs}[s]; got != want {
				t.Errorf("%s: %q, want %q", members, got, want)
			}
		}
		want := "/rerank"
		if strings.Contains(members, "api_key") {
			want = "/model/cohere.rerank-v3-5%3A0/invoke"
		}
		if strings.Join(paths, " ") != want {
			t.Errorf("%s: %v", members, paths)
		}
	}
	f(allNames, `"top_n":1`, gateway+"@us-east-1", "")
	f(allNames, ownKeys, clientKeyID+"@us-east-1", "")
	f(allNames, ownKeys+`,"api_base":"THEIRS"`, "", clientKeyID+"@us-east-1")
	f(allNames, `"api_key":"`+clientBearer+`"`, "Bearer "+clientBearer, "")
	f(allNames, `"api_key":"`+clientBearer+`","api_base":"THEIRS"`, "", "Bearer "+clientBearer)
	f(`[{api_base: "http://127.*"}]`, `"api_base":"THEIRS"`, "", gateway+"@us-east-1")
}

func TestWhatClientsAreRefused(t *testing.T) {
	gateways := map[string]*lenient{}
	f := func(allowed, params, members, code, param, words string) {
		t.Helper()
		l := gateways[allowed+params]
		if l == nil {
			l = newLenient(t, allowed, params)
			gateways[allowed+params] = l
		}
		for _, body := range []string{members, `"extra_body":{` + members + `}`} {
			resp, answer := l.ask(body)
			gotCode, gotParam, message := refusal(t, answer)
			if resp.StatusCode != http.StatusBadRequest || gotCode != code || gotParam != param || !strings.Contains(message, words) {
				t.Errorf("%s: %d %s", body, resp.StatusCode, answer)
			}
		}
		if sent := proofs(l.ours) + proofs(l.theirs); sent != "" {
			t.Errorf("%s: something was sent: %s", members, sent)
		}
	}
	const no = "forbidden_parameter"
	const missing = "missing_required_parameter"
	const role = `"aws_role_name":"arn:aws:iam::123456789012:role/b"`
	bad := "invalid_value"

	// Nothing but what is listed, whatever it holds.
	for _, name := range []string{
		"api_base", "base_url", "api_key", "aws_access_key_id", "aws_secret_access_key", "aws_session_token", "aws_region_name", "aws_session_name",
		"aws_profile_name", "aws_role_name", "aws_external_id", "aws_web_identity_token", "aws_sts_endpoint", "aws_bedrock_runtime_endpoint",
	} {
		f("[]", "", `"`+name+`":"x"`, no, name, "cannot be set by a client")
		f("[]", "", `"`+name+`":{"a":["x"]}`, no, name, "cannot be set by a client")
		f(allNames, "", `"`+name+`":7`, bad, name, "must be")
		f(allNames, "", `"`+name+`":""`, bad, name, "must be")
		f(allNames, "", `"`+name+`":"os.environ/HOME"`, bad, name, "the value itself")
		f(allNames, "", `"`+name+`":"file:/etc/passwd"`, bad, name, "the value itself")
		f(allNames, "", `"`+name+`":"oidc/env/HOME"`, bad, name, "the value itself")
		f(allNames, "", `"`+name+`":"a\r\nX-Evil: b"`, bad, name, "must be")
	}
	for _, name := range []string{"model_id", "aws_session_tags", "aws_session_policy", "ssl_verify", "litellm_credential_name", "aws_anything"} {
		f(allNames, "", `"`+name+`":"x"`, no, name, "cannot be set by a client")
	}
	f("["+allKeys+"]", "", ownKeys+`,"api_base":"THEIRS"`, no, "api_base", "")

	// Half an identity, and two.
	f(allNames, "", `"aws_access_key_id":"`+clientKeyID+`"`, missing, "aws_secret_access_key", "aws_access_key_id needs it")
	f(allNames, "", `"aws_secret_access_key":"`+clientSecret+`"`, missing, "aws_access_key_id", "aws_secret_access_key needs it")
	f(allNames, "", `"aws_session_token":"`+clientToken+`"`, missing, "aws_access_key_id", "aws_session_token needs it")
	f(allNames, "aws_role_name: arn:aws:iam::123456789012:role/a", `"aws_web_identity_token":"`+webToken()+`"`, missing, "aws_role_name", "")
	f(allNames, "", ownKeys+`,"api_key":"`+clientBearer+`"`, bad, "aws_access_key_id", "two identities")
	f(allNames, "", ownKeys+`,"aws_profile_name":"dev"`, bad, "aws_profile_name", "two identities")
	f(allNames, "", `"api_key":"`+clientBearer+`",`+role, bad, "aws_role_name", "two identities")
	f(allNames, "", ownKeys+`,"api_base":"THEIRS","base_url":"THEIRS"`, bad, "base_url", "the same parameter")
	f(allNames, "api_key: gatewaysBearer", role, bad, "aws_role_name", "API key")
	f(allNames, "extra_headers: {Authorization: Bearer gatewaysBearer}", role, bad, "aws_role_name", "header")

	// The gateway's credentials go to the configuration's hosts: a role and a profile are the gateway's.
	for _, name := range []string{"api_base", "base_url", "aws_bedrock_runtime_endpoint", "aws_sts_endpoint"} {
		for _, with := range []string{"", "," + role, `,"aws_profile_name":"dev"`, `,"aws_profile_name":"dev",` + role, `,"aws_region_name":"eu-west-1"`} {
			shown := strings.Replace(name, "base_url", "api_base", 1)
			f(allNames, "", `"`+name+`":"THEIRS"`+with, bad, shown, "needs credentials of your own")
			f(allNames, "extra_headers: {Authorization: Bearer gatewaysBearer}", `"`+name+`":"THEIRS"`+with, bad, shown, "needs credentials of your own")
		}
	}
	pattern := `[` + allKeys + `, {api_base: "^https://[a-z]+\\.corp\\.example(/.*)?"}, {aws_region_name: "eu-.*"}]`
	for _, address := range []string{
		"https://a.corp.example.evil.example", "https://evil.example/https://a.corp.example", "https://a.corp.example:8443",
	} {
		f(pattern, "", ownKeys+`,"api_base":"`+address+`"`, no, "api_base", "permits others")
	}
	f(pattern, "", `"aws_region_name":"us-east-1"`, no, "aws_region_name", "permits others")

	// Values that are none.
	for _, address := range []string{
		"https://a:b@host", "https://host/?x=y", "https://host/#x", "ftp://host", "host", "https://", "http://bedrock.example.com", "https://user@a.corp.example/",
	} {
		for _, name := range []string{"api_base", "aws_bedrock_runtime_endpoint", "aws_sts_endpoint"} {
			f(allNames, "", ownKeys+`,"`+name+`":"`+address+`"`, bad, name, "must be a URL")
		}
	}
	for _, region := range []string{"US-EAST-1", "us_east_1", "evil.example.com/", "-us"} {
		f(allNames, "", `"aws_region_name":"`+region+`"`, bad, "aws_region_name", "AWS region")
	}
	for _, token := range []string{"/var/run/secrets/token", "a.b", "../a.b.c", "/a.b.c", "a.b.c.d", "a..c", "C:\\\\a.b.c"} {
		f(allNames, "", role+`,"aws_web_identity_token":"`+token+`"`, bad, "aws_web_identity_token", "a JWT")
	}
	f(allNames, "", `"aws_role_name":"arn:aws:iam::1:user/x"`, bad, "aws_role_name", "ARN of a role")
	f(allNames, "", `"api_key":"`+strings.Repeat("k", 20_001)+`"`, bad, "api_key", "too long")
}

// TestHeadersStayWithTheirHost: what the configuration sends to its own host is not for one that a client names.
func TestHeadersStayWithTheirHost(t *testing.T) {
	f := func(allowed, members string, want string) {
		t.Helper()
		l := newLenient(t, allowed, "extra_headers: {x-proxy-password: canary-of-the-gateway}")
		if resp, body := l.ask(members); resp.StatusCode != http.StatusOK {
			t.Fatalf("%d %s", resp.StatusCode, body)
		}
		for _, s := range []*sim.Server{l.ours, l.theirs} {
			for _, r := range s.Requests() {
				if got := r.Header.Get("X-Proxy-Password"); got != want {
					t.Errorf("%s: %q", members, got)
				}
			}
		}
	}
	f(allNames, ownKeys+`,"api_base":"THEIRS"`, "")
	f(allNames, ownKeys, "canary-of-the-gateway")
	f(`[{api_base: "http://.*"}]`, `"api_base":"THEIRS"`, "canary-of-the-gateway")
}

// TestWhoseCredentialsAreRefused: a client can tell its own from the gateway's.
func TestWhoseCredentialsAreRefused(t *testing.T) {
	f := func(params, members string, own int) {
		t.Helper()
		l := newLenient(t, allNames, params)
		for _, kind := range []string{"", `"stream":true,`, `"n":2,`} {
			resp, body := l.ask(kind + members)
			code, _, message := refusal(t, body)
			if resp.StatusCode != http.StatusForbidden || code != "aws_credentials" && !strings.Contains(members, "api_key") || strings.Count(message, "that the request brought") != own {
				t.Errorf("%d %s", resp.StatusCode, body)
			}
		}
	}
	const denied = `"aws_role_name":"arn:aws:iam::123456789012:role/denied"`
	f("", strings.Replace(ownKeys, clientSecret, "wrong", 1), 1)
	f("", `"api_key":"wrong"`, 1)
	f("", ownKeys+","+denied, 1)
	f("", denied, 0)
	f("aws_access_key_id: AKIDGATEWAY\naws_secret_access_key: wrong", `"aws_region_name":"us-east-1"`, 0)
}

func TestRowsAndPricesAreTheRegions(t *testing.T) {
	l := newLenient(t, "[aws_region_name]", "")
	if resp, body := l.ask(`"aws_region_name":"eu-west-1"`); resp.StatusCode != http.StatusOK || resp.Header.Get("X-Litellm-Model-Region") != "eu-west-1" {
		t.Errorf("%d %s %s", resp.StatusCode, resp.Header, body)
	}
	if r := l.books.next(t); r.Region != "eu-west-1" {
		t.Errorf("%+v", r)
	}
}

// TestClientsSecretsAreInNoSink reads answers, logs with bodies, and rows.
func TestClientsSecretsAreInNoSink(t *testing.T) {
	l := newLenient(t, allNames, "")
	var all strings.Builder
	for _, members := range []string{
		ownKeys, strings.Replace(ownKeys, clientSecret, clientSecret+"x", 1),
		ownKeys + `,"api_base":"http://127.0.0.1:1"`, ownKeys + `,"aws_role_name":"arn:aws:iam::123456789012:role/denied","aws_external_id":"canaryExternal"`,
		ownKeys + `,"aws_session_token":"` + clientToken + `"`, `"api_key":"` + clientBearer + `"`, `"api_key":"` + clientBearer + `x"`,
		`"aws_secret_access_key":"` + clientSecret + `"`, `"api\u005fkey":"` + clientBearer + `","aws_secret_access_key":"` + clientSecret + `"`,
		`"aws_web_identity_token":"` + webToken() + `"`, `"aws_web_identity_token":"` + webToken() + `","aws_role_name":"arn:aws:iam::123456789012:role/denied"`,
		`"aws_web_identity_token":"/` + clientToken + `"`, `"aws_access_key_id":"` + clientSecret + `"`, `"api_key":"os.environ/` + clientToken + `"`,
	} {
		for _, body := range []string{members, `"extra_body":{` + members + `}`, `"stream":true,` + members} {
			resp, answer := l.ask(body)
			fmt.Fprintln(&all, resp.Header, answer)
			r := l.books.next(t)
			r.IP = "" // the client's own
			fmt.Fprintf(&all, "%+v\n", r)
		}
	}
	// Of a model that allows none of it, and of one that there is not.
	for _, model := range []string{"strict", "nope"} {
		_, answer := l.post("/v1/chat/completions", `{"model":"`+model+`","messages":[{"role":"user","content":"hi"}],`+ownKeys+`}`)
		all.WriteString(answer)
	}
	if strings.Contains(all.String(), "127.0.0.1") {
		t.Error("an address is shown")
	}
	text := all.String() + l.logs.String()
	for _, secret := range []string{clientSecret, clientBearer, clientToken, clientKeyID, webToken(), "canaryWebIdentity", "canaryExternal", sim.SecretAccessKey} {
		if i := strings.Index(text, secret); i >= 0 {
			t.Errorf("%s is shown: …%s…", secret, text[max(0, i-200):min(len(text), i+100)])
		}
	}
}

func TestDirectAddressesOfClients(t *testing.T) {
	f := func(allowed, members string, status int, ours, theirs string) {
		t.Helper()
		o := sim.Options{RecordLimit: 10, BearerTokens: []string{clientBearer, "gatewaysBearer"}}
		ours0, at := upstream(t, o)
		theirs0, theirAt := upstream(t, o)
		const path = "/model/amazon.nova-lite-v1%3A0/converse"
		g := newRig(t, fmt.Sprintf(`model_list:
  - model_name: m
    litellm_params: {model: bedrock/converse_like/amazon.nova-lite-v1:0, api_base: '%s', api_key: gatewaysBearer, configurable_clientside_auth_params: %s}
general_settings: {master_key: %s}
`, at+path, allowed, testKey), nil)
		members = strings.ReplaceAll(members, "THEIRS", theirAt+path)
		resp, body := g.post("/v1/chat/completions", `{"model":"m","messages":[{"role":"user","content":"hi"}]`+members+`}`)
		if resp.StatusCode != status || proofs(ours0) != ours || proofs(theirs0) != theirs {
			t.Errorf("%s: %d %q %q %s", members, resp.StatusCode, proofs(ours0), proofs(theirs0), body)
		}
	}
	f("[api_base, api_key]", "", 200, "Bearer gatewaysBearer", "")
	f("[api_base, api_key]", `,"api_key":"`+clientBearer+`"`, 200, "Bearer "+clientBearer, "")
	f("[api_base, api_key]", `,"api_key":"`+clientBearer+`","api_base":"THEIRS"`, 200, "", "Bearer "+clientBearer)
	f("[api_base, api_key]", `,"api_base":"THEIRS"`, 400, "", "")
	f("[{api_base: 'http://.*'}]", `,"api_base":"THEIRS"`, 200, "", "Bearer gatewaysBearer")
	f("[aws_region_name]", `,"aws_region_name":"eu-west-1"`, 400, "", "")
	f("[]", `,"api_key":"`+clientBearer+`"`, 400, "", "")
}

// TestOwnCredentialsAreNotAttributed: the operator's bill has nothing of them; a role that the gateway assumes is on it.
func TestOwnCredentialsAreNotAttributed(t *testing.T) {
	const params = "aws_role_name: arn:aws:iam::123456789012:role/a\n" +
		"aws_attribution: {session_name: end_user, tags: {U: \"from:end_user\"}, on_missing: refuse}"
	f := func(members string, status int, forms ...url.Values) {
		t.Helper()
		l := newLenient(t, "["+allKeys+", aws_role_name, aws_profile_name, aws_region_name]", params)
		resp, body := l.ask(members)
		if resp.StatusCode != status {
			t.Errorf("%s: %d %s", members, resp.StatusCode, body)
		}
		got := assumed(t, l.ours)
		if len(got) != len(forms) {
			t.Fatalf("%s: STS was asked %d times: %v", members, len(got), got)
		}
		for i, want := range forms {
			for name := range want {
				if got[i].Get(name) != want.Get(name) {
					t.Errorf("%s: %s is %q, want %q", members, name, got[i].Get(name), want.Get(name))
				}
			}
		}
	}
	named := url.Values{"RoleSessionName": {"ada"}, "Tags.member.1.Key": {"U"}, "Tags.member.1.Value": {"ada"}}
	plain := url.Values{"Tags.member.1.Key": {""}}
	const role = `"aws_role_name":"arn:aws:iam::123456789012:role/b"`
	f(ownKeys, 200)
	f(ownKeys+`,`+role, 200, plain)
	f(role, 403)
	f(role+`,"user":"ada"`, 200, plain, named)
	f(`"aws_region_name":"eu-west-1"`, 403)
	f(`"aws_region_name":"eu-west-1","user":"ada"`, 200, named)
	f(`"aws_profile_name":"dev","user":"ada"`, 403)
}
