package main

import (
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/outcrop-ai/outcrop/internal/sim"
)

// patient is a configuration of deployments at a simulated Bedrock; each one is its litellm_params but for the endpoints.
func patient(t *testing.T, url string, deployments ...string) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("model_list:\n")
	for i, params := range deployments {
		fmt.Fprintf(&b, "  - model_name: m%d\n    litellm_params: {%s, aws_region_name: us-east-1, aws_sts_endpoint: '%[3]s', aws_bedrock_runtime_endpoint: '%[3]s', aws_bedrock_control_plane_endpoint: '%[3]s'}\n",
			i, params, url)
	}
	return write(t, b.String())
}

const (
	simKeys = "aws_access_key_id: " + sim.AccessKeyID + ", aws_secret_access_key: " + sim.SecretAccessKey
	nova    = "model: bedrock/amazon.nova-lite-v1:0"
)

type report struct {
	OK          bool
	Deployments []diagnosis
}

func examined(t *testing.T, path string, args ...string) (report, int, string) {
	t.Helper()
	code, stdout, stderr := command(t, map[string]string{"AWS_EC2_METADATA_DISABLED": "true"}, "", append([]string{"doctor", "--json", "--config", path}, args...)...)
	var r report
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatalf("%v in %s%s", err, stdout, stderr)
	}
	if text := stdout + stderr; strings.Contains(text, sim.SecretAccessKey) || strings.Contains(text, sim.BearerToken) {
		t.Errorf("a secret in %s", text)
	}
	return r, code, stderr
}

func (x *diagnosis) wants(t *testing.T, check, state, detail string) {
	t.Helper()
	for _, c := range x.Checks {
		if c.Check == check {
			if c.State != state || !strings.Contains(c.Detail+" "+c.Hint, detail) {
				t.Errorf("%s: %s is %s: %s (%s), want %s: %s", x.ModelName, check, c.State, c.Detail, c.Hint, state, detail)
			}
			return
		}
	}
	t.Errorf("%s: no check of %s in %+v", x.ModelName, check, x.Checks)
}

func TestDoctorFindsHealthyDeployments(t *testing.T) {
	url := simulated(t)
	path := patient(t, url,
		nova+", "+simKeys,
		"model: bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0, aws_role_name: 'arn:aws:iam::123456789012:role/chat', aws_session_name: me, "+simKeys,
		nova+", api_key: "+sim.BearerToken,
		"model: bedrock/invoke/anthropic.claude-3-haiku-20240307-v1:0, "+simKeys,
	)
	r, code, _ := examined(t, path)
	if !r.OK || code != exitOK || len(r.Deployments) != 4 {
		t.Fatalf("%d %+v", code, r)
	}
	plain, role, bearer, invoke := &r.Deployments[0], &r.Deployments[1], &r.Deployments[2], &r.Deployments[3]
	plain.wants(t, "identity", stateOK, "arn:aws:iam::123456789012:user/simulator")
	plain.wants(t, "region", stateOK, "us-east-1")
	plain.wants(t, "endpoint", stateOK, "answers within")
	plain.wants(t, "clock", stateOK, "ahead")
	plain.wants(t, "model", stateOK, "offered in us-east-1")
	plain.wants(t, "price", stateOK, "")
	if plain.Account != sim.AccountID || plain.Prices["input_cost_per_token"] == 0 || plain.Route != "converse" || plain.Endpoint != url {
		t.Errorf("%+v", plain)
	}
	if !slices.Equal(plain.Actions, []string{"bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"}) ||
		!slices.Equal(plain.Resources, []string{"arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0"}) {
		t.Errorf("%v on %v", plain.Actions, plain.Resources)
	}
	role.wants(t, "identity", stateOK, "arn:aws:sts::123456789012:assumed-role/chat/me")
	role.wants(t, "profile", stateOK, "us.anthropic.claude-sonnet-4-5-20250929-v1:0 calls us-east-1")
	if !slices.Equal(role.Regions, []string{"us-east-1"}) || !slices.Contains(role.Resources, "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-sonnet-4-5-20250929-v1:0") {
		t.Errorf("%v %v", role.Regions, role.Resources)
	}
	bearer.wants(t, "identity", stateOK, "the configured api_key")
	if !slices.Contains(bearer.Actions, "bedrock:CallWithBearerToken") || bearer.Account != "" {
		t.Errorf("%+v", bearer)
	}
	if invoke.Route != "invoke" {
		t.Errorf("%+v", invoke)
	}
	for _, d := range r.Deployments {
		for _, c := range d.Checks {
			if c.Check == "call" || c.Check == "stream" {
				t.Error("a model was called without --call")
			}
		}
	}

	r, code, _ = examined(t, path, "--call")
	if !r.OK || code != exitOK {
		t.Fatalf("%d %+v", code, r)
	}
	for _, d := range r.Deployments {
		d.wants(t, "call", stateOK, "answers")
		d.wants(t, "stream", stateOK, "answers")
	}
	_, table, _ := command(t, nil, "", "doctor", path)
	for _, want := range []string{"m0 (bedrock/amazon.nova-lite-v1:0)", "ok       identity     arn:aws:iam::123456789012:user/simulator", "needs    iam          bedrock:InvokeModel, "} {
		if !strings.Contains(table, want) {
			t.Errorf("%q is not in\n%s", want, table)
		}
	}
}

func TestDoctorFindsWhatIsWrong(t *testing.T) {
	url := simulated(t)
	r, code, stderr := examined(t, patient(t, url,
		nova+", aws_access_key_id: AKIANOBODY, aws_secret_access_key: canary",
		nova+", aws_role_name: 'arn:aws:iam::123456789012:role/denied-role', "+simKeys,
		"model: bedrock/anthropic.claude-sonnet-4-5-20250929-v1:0, "+simKeys,
		"model: bedrock/missing.model-v1, "+simKeys,
		nova+", "+simKeys,
	), "--call")
	if r.OK || code != exitFinding || !strings.Contains(stderr, "4 of 5 deployment(s) would fail") {
		t.Errorf("%d %s", code, stderr)
	}
	r.Deployments[0].wants(t, "identity", stateFailed, "InvalidClientTokenId: STS refused the configured access key ****BODY")
	r.Deployments[0].wants(t, "call", stateFailed, "UnrecognizedClientException")
	r.Deployments[1].wants(t, "identity", stateFailed, `"Resource":"arn:aws:iam::123456789012:role/denied-role"`)
	r.Deployments[1].wants(t, "stream", stateFailed, "AccessDenied")
	r.Deployments[2].wants(t, "model", stateFailed, "through an inference profile only")
	r.Deployments[3].wants(t, "model", stateFailed, "ResourceNotFoundException")
	r.Deployments[3].wants(t, "price", stateWarning, "unknown")
	r.Deployments[4].wants(t, "stream", stateOK, "")

	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	r, code, _ = examined(t, patient(t, closed.URL, nova+", "+simKeys))
	if code != exitFinding {
		t.Errorf("exit code %d", code)
	}
	r.Deployments[0].wants(t, "endpoint", stateFailed, "cannot be reached")
	r.Deployments[0].wants(t, "identity", stateFailed, "")
}

func TestDoctorSeesAWrongClock(t *testing.T) {
	off := 20 * time.Minute
	bedrock := sim.New(sim.Options{Now: func() time.Time { return time.Now().Add(off) }})
	t.Cleanup(bedrock.Close)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", time.Now().Add(off).UTC().Format(http.TimeFormat))
		bedrock.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	r, _, _ := examined(t, patient(t, server.URL, nova+", "+simKeys), "--call")
	r.Deployments[0].wants(t, "clock", stateWarning, "ahead")
	r.Deployments[0].wants(t, "identity", stateOK, "user/simulator")
	r.Deployments[0].wants(t, "call", stateOK, "answers")
}

// What is meant for one host goes to no other: a proxy's key is not shown to AWS's control plane.
func TestDoctorAsksNoHostThatIsNotMeant(t *testing.T) {
	url := simulated(t)
	path := write(t, fmt.Sprintf(`model_list:
  - model_name: own
    litellm_params: {%s, aws_region_name: us-east-1, aws_bedrock_runtime_endpoint: '%[2]s', extra_headers: {authorization: Bearer %[3]s}}
  - model_name: proxied
    litellm_params: {%[1]s, aws_region_name: us-east-1, api_base: '%[2]s', api_key: %[3]s}
  - model_name: like
    litellm_params: {model: bedrock/converse_like/x, api_base: '%[2]s/converse', api_key: %[3]s}
  - model_name: "any/*"
    litellm_params: {model: "bedrock/*", aws_region_name: us-east-1, api_base: '%[2]s', api_key: %[3]s}
`, nova, url, sim.BearerToken))
	r, code, _ := examined(t, path)
	if code != exitOK {
		t.Errorf("%d %+v", code, r)
	}
	for i := range r.Deployments {
		d := &r.Deployments[i]
		d.wants(t, "identity", stateOK, "")
		d.wants(t, "endpoint", stateOK, "")
		d.wants(t, "model", stateUnknown, "")
	}
}

func TestDoctorsUsage(t *testing.T) {
	if code, _, stderr := command(t, nil, "", "doctor"); code != exitUsage || !strings.Contains(stderr, "doctor needs a configuration") {
		t.Errorf("%d %s", code, stderr)
	}
	if code, stdout, stderr := command(t, nil, "", "doctor", write(t, entry+"      nonsense_param_x_aws: [\n")); code != exitUsage || stdout != "" || stderr == "" {
		t.Errorf("%d %s %s", code, stdout, stderr)
	}
	if _, stdout, _ := command(t, nil, "", "doctor", "--help"); !strings.Contains(stdout, "--call") || !strings.Contains(stdout, "--json") {
		t.Errorf("%s", stdout)
	}
}

func TestWhoseCertificatesAreTrusted(t *testing.T) {
	bedrock := sim.New(sim.Options{})
	t.Cleanup(bedrock.Close)
	server := httptest.NewUnstartedServer(bedrock)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug) // of handshakes that are refused, which is what is tested
	server.StartTLS()
	t.Cleanup(server.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	f := func(params, settings string, vars map[string]string, trusted bool) {
		t.Helper()
		path := patient(t, server.URL, nova+", "+simKeys+params)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		want := exitFinding
		if trusted {
			want = exitOK
		}
		// STS, the endpoint, the control plane and the model are all behind the certificate.
		if code, stdout, stderr := command(t, vars, "", "doctor", "--call", write(t, string(text)+settings)); code != want {
			t.Errorf("%s %s %v: exit code %d\n%s%s", params, settings, vars, code, stdout, stderr)
		}
	}
	f("", "", nil, false)
	f(", ssl_verify: true", "", map[string]string{"SSL_VERIFY": "false"}, false)
	f(", ssl_verify: true", "litellm_settings: {ssl_verify: false}\n", nil, false)
	f(", ssl_verify: "+ca, "", nil, true)
	f(", ssl_verify: false", "", nil, true)
	f("", "litellm_settings: {ssl_verify: "+ca+"}\n", nil, true)
	f("", "litellm_settings: {ssl_verify: false}\n", nil, true)
	f("", "", map[string]string{"AWS_CA_BUNDLE": ca}, true)
	f("", "", map[string]string{"SSL_CERT_FILE": ca}, true)
	f("", "", map[string]string{"SSL_VERIFY": "false"}, true)
	f("", "environment_variables: {AWS_CA_BUNDLE: "+ca+"}\n", nil, true)
	if code, _, stderr := command(t, nil, "", "doctor", patient(t, server.URL, nova+", "+simKeys+", ssl_verify: /nowhere.pem")); code != exitUsage || !strings.Contains(stderr, "certificate authorities: open /nowhere.pem") {
		t.Errorf("%d %s", code, stderr)
	}
}

func TestDoctorSeesTheEndOfAnAPIKey(t *testing.T) {
	url := simulated(t)
	f := func(left time.Duration, state, words string, code int) {
		t.Helper()
		signed := time.Now().Add(left - 12*time.Hour).UTC().Format("20060102T150405Z")
		text := "bedrock.amazonaws.com/?Action=CallWithBearerToken&X-Amz-Date=" + signed + "&X-Amz-Expires=43200&X-Amz-Signature=canary&Version=1"
		key := "bedrock-api-key-" + base64.StdEncoding.EncodeToString([]byte(text))
		r, got, _ := examined(t, patient(t, url, nova+", api_key: "+key))
		r.Deployments[0].wants(t, "identity", state, words)
		if got != code {
			t.Errorf("%v left: exit code %d", left, got)
		}
	}
	f(-time.Minute, stateFailed, "it has ended", exitFinding)
	f(30*time.Minute, stateWarning, "that is soon", exitOK)
	f(6*time.Hour, stateOK, "a short-term key that ends at", exitOK)
}

// examinedWith is examined in front of a simulated Bedrock of its own, which IAM's simulator is, too.
func examinedWith(t *testing.T, o sim.Options, deployments ...string) report {
	t.Helper()
	bedrock := sim.New(o)
	url, err := bedrock.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(bedrock.Close)
	code, stdout, stderr := command(t, map[string]string{"AWS_EC2_METADATA_DISABLED": "true", "AWS_ENDPOINT_URL_IAM": url}, "",
		"doctor", "--json", "--call", "--config", patient(t, url, deployments...))
	var r report
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatalf("%d %v in %s%s", code, err, stdout, stderr)
	}
	return r
}

func TestDoctorAsksWhatIsPermitted(t *testing.T) {
	role := "model: bedrock/amazon.rerank-v1:0, aws_role_name: 'arn:aws:iam::123456789012:role/path/chat', " + simKeys
	r := examinedWith(t, sim.Options{}, nova+", "+simKeys, role, nova+", api_key: "+sim.BearerToken)
	r.Deployments[0].wants(t, "permissions", stateOK, "bedrock:InvokeModel, bedrock:InvokeModelWithResponseStream")
	r.Deployments[1].wants(t, "permissions", stateOK, "bedrock:Rerank, bedrock:InvokeModel")
	for _, c := range r.Deployments[2].Checks {
		if c.Check == "permissions" {
			t.Errorf("an API key has no policies to ask about: %+v", c)
		}
	}
	r = examinedWith(t, sim.Options{Denied: []string{"bedrock:InvokeModelWithResponseStream"}}, nova+", "+simKeys)
	r.Deployments[0].wants(t, "permissions", stateFailed, "bedrock:InvokeModelWithResponseStream on arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0")
	if r.OK {
		t.Error("ok")
	}
	r = examinedWith(t, sim.Options{Denied: []string{"iam:SimulatePrincipalPolicy"}}, nova+", "+simKeys)
	r.Deployments[0].wants(t, "permissions", stateUnknown, "grant iam:SimulatePrincipalPolicy")
	if !r.OK {
		t.Errorf("%+v", r)
	}
	plain, _, _ := examined(t, patient(t, simulated(t), nova+", "+simKeys))
	plain.Deployments[0].wants(t, "permissions", stateUnknown, "cannot be asked")
}

func TestDoctorCallsEveryKindOfModel(t *testing.T) {
	r := examinedWith(t, sim.Options{}, "model: bedrock/amazon.titan-embed-text-v2:0, "+simKeys, "model: bedrock/cohere.rerank-v3-5:0, "+simKeys,
		"model: bedrock/cohere.rerank-v3-5:0, api_key: "+sim.BearerToken, "model: bedrock/amazon.nova-canvas-v1:0, "+simKeys)
	for i := range 3 {
		r.Deployments[i].wants(t, "call", stateOK, "answers")
	}
	r.Deployments[3].wants(t, "call", stateUnknown, "image_generation")
}

func TestDoctorSaysWhatTheControlPlaneSays(t *testing.T) {
	o := sim.Options{
		Models: []sim.Model{{ID: "amazon.nova-lite-v1:0", Legacy: true}, {ID: "amazon.nova-pro-v1:0", Inference: []string{"INFERENCE_PROFILE"}}},
	}
	r := examinedWith(t, o, nova+", "+simKeys, "model: bedrock/amazon.nova-pro-v1:0, "+simKeys, "model: bedrock/us.amazon.nova-pro-v1:0, "+simKeys)
	r.Deployments[0].wants(t, "model", stateWarning, "legacy")
	r.Deployments[1].wants(t, "model", stateFailed, "inference profile")
	r.Deployments[2].wants(t, "profile", stateFailed, "does not exist")
}
