package deployment

import (
	"net/http"
	"testing"

	"github.com/outcrop-ai/outcrop/internal/bedrock/identity"
	"github.com/outcrop-ai/outcrop/internal/catalog"
	"github.com/outcrop-ai/outcrop/internal/config"
)

// probed returns the way of the one deployment that has params, in an environment.
func probed(t *testing.T, params string, vars map[string]string) *Probe {
	t.Helper()
	env := func(name string) (string, bool) { v, ok := vars[name]; return v, ok }
	c, problems := (&config.Loader{Env: env}).Parse("config.yaml", []byte("model_list: [{model_name: m, litellm_params: {"+params+"}}]"))
	if config.HasErrors(problems) {
		t.Fatal(problems)
	}
	cat, err := catalog.Default()
	if err != nil {
		t.Fatal(err)
	}
	pool := identity.NewPool(env)
	t.Cleanup(pool.Close)
	table, err := NewTable(c, Options{Catalog: cat, Pool: pool, Env: env, UserAgent: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(table.Close)
	p, err := table.Probe(table.Router.All()[0])
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestWhereDeploymentsCall(t *testing.T) {
	const keys = "model: bedrock/amazon.nova-lite-v1:0, aws_access_key_id: AKIDEXAMPLE, aws_secret_access_key: canary, "
	f := func(params string, vars map[string]string, region, runtime, control string) {
		t.Helper()
		p := probed(t, keys+params, vars)
		got := ""
		if p.Control != nil {
			got = p.Control.URL("")
		}
		if p.Region != region || p.Runtime.URL("") != runtime || got != control {
			t.Errorf("%s: %s %s %s, want %s %s %s", params, p.Region, p.Runtime.URL(""), got, region, runtime, control)
		}
		if e := p.Runtime.Endpoint(); e.Region != region || e.Service != "bedrock" {
			t.Errorf("%s: signed for %s in %s", params, e.Service, e.Region)
		}
	}
	fips := map[string]string{"AWS_USE_FIPS_ENDPOINT": "true"}
	dual := map[string]string{"AWS_USE_DUALSTACK_ENDPOINT": "true"}
	f("aws_region_name: us-east-1", nil, "us-east-1", "https://bedrock-runtime.us-east-1.amazonaws.com", "https://bedrock.us-east-1.amazonaws.com")
	f("aws_region_name: us-east-1", fips, "us-east-1", "https://bedrock-runtime-fips.us-east-1.amazonaws.com", "https://bedrock-fips.us-east-1.amazonaws.com")
	f("aws_region_name: us-east-1", dual, "us-east-1", "https://bedrock-runtime.us-east-1.api.aws", "https://bedrock.us-east-1.api.aws")
	f("aws_region_name: us-gov-west-1", fips, "us-gov-west-1", "https://bedrock-runtime-fips.us-gov-west-1.amazonaws.com", "https://bedrock-fips.us-gov-west-1.amazonaws.com")
	f("aws_region_name: cn-north-1", nil, "cn-north-1", "https://bedrock-runtime.cn-north-1.amazonaws.com.cn", "https://bedrock.cn-north-1.amazonaws.com.cn")
	// A VPC endpoint is signed for the resolved region, and beats the switches.
	const vpce = "https://vpce-0a1b.bedrock-runtime.eu-west-1.vpce.amazonaws.com"
	f("aws_region_name: eu-west-1, aws_bedrock_runtime_endpoint: '"+vpce+"/'", fips, "eu-west-1", vpce, "")
	f("aws_region_name: eu-west-1, api_base: 'https://proxy.corp/aws', aws_bedrock_control_plane_endpoint: 'https://control.corp'", nil, "eu-west-1", "https://proxy.corp/aws", "https://control.corp")
	f("aws_region_name: eu-west-1, api_base: 'https://proxy.corp', aws_bedrock_runtime_endpoint: '"+vpce+"'", nil, "eu-west-1", vpce, "")
	f("api_base: ''", map[string]string{"AWS_REGION": "eu-west-2", "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": "https://r.corp", "AWS_ENDPOINT_URL_BEDROCK": "https://c.corp"}, "eu-west-2", "https://r.corp", "https://c.corp")
}

func TestAHeaderOfTheConfigurationsReplacesTheIdentity(t *testing.T) {
	const params = "model: bedrock/amazon.nova-lite-v1:0, aws_region_name: us-east-1, aws_access_key_id: AKIDEXAMPLE, aws_secret_access_key: canary, extra_headers: "
	if p := probed(t, params+"{AUTHORIZATION: Bearer x}", nil); p.Identity != nil || p.Control != nil {
		t.Errorf("%v signs, or asks AWS with what is meant for another host", p.Identity)
	}
	if p := probed(t, params+"{authorization: AWS4-HMAC-SHA256 x}", nil); p.Identity == nil {
		t.Error("a signature from the configuration replaces the identity")
	}
}

// The environment's own identity never joins, wraps or replaces what a deployment says.
func TestDeploymentsKeepTheirOwnIdentities(t *testing.T) {
	env := map[string]string{
		"AWS_BEARER_TOKEN_BEDROCK": "envbearer", "AWS_SESSION_TOKEN": "envsession", "AWS_ROLE_NAME": "arn:aws:iam::1:role/env",
		"AWS_ACCESS_KEY_ID": "AKIAENVIRONMENT", "AWS_SECRET_ACCESS_KEY": "e", "AWS_REGION": "us-east-1",
	}
	for _, id := range []string{"AKIAFIRSTACCOUNT", "AKIASECONDACCOUNT"} {
		p := probed(t, "model: bedrock/amazon.nova-lite-v1:0, aws_access_key_id: "+id+", aws_secret_access_key: k", env)
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.Runtime.URL("/model/x/converse"), nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Identity.For("bedrock", "us-east-1").Authenticate(t.Context(), r, "00"); err != nil {
			t.Fatal(err)
		}
		const scheme = "AWS4-HMAC-SHA256 Credential="
		if got := r.Header.Get("Authorization"); len(got) < len(scheme+id) || got[:len(scheme+id)] != scheme+id || r.Header.Get("X-Amz-Security-Token") != "" {
			t.Errorf("%s proves %s with the token %q", id, got, r.Header.Get("X-Amz-Security-Token"))
		}
	}
}
