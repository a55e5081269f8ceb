package deployment

import (
	"strings"
	"testing"

	"github.com/outcrop-ai/outcrop/internal/bedrock/identity"
	"github.com/outcrop-ai/outcrop/internal/catalog"
	"github.com/outcrop-ai/outcrop/internal/config"
)

// table makes the deployments of a configuration under an environment.
func table(t *testing.T, yaml string, vars map[string]string) (*Table, error) {
	t.Helper()
	env := func(name string) (string, bool) { v, ok := vars[name]; return v, ok }
	c, problems := config.Parse("config.yaml", []byte(yaml), env)
	if config.HasErrors(problems) {
		t.Fatalf("%v", problems)
	}
	cat, err := catalog.Default()
	if err != nil {
		t.Fatal(err)
	}
	pool := identity.NewPool(env)
	t.Cleanup(pool.Close)
	made, err := NewTable(c, Options{Catalog: cat, Pool: pool, Env: env, UserAgent: "outcrop/test"})
	if err == nil {
		t.Cleanup(made.Close)
	}
	return made, err
}

func TestEndpointsFollowTheirOrder(t *testing.T) {
	f := func(params string, vars map[string]string, region, want string) {
		t.Helper()
		made, err := table(t, "model_list:\n  - model_name: m\n    litellm_params:\n      model: bedrock/amazon.nova-lite-v1:0\n"+params, vars)
		if err != nil {
			t.Fatal(err)
		}
		client, err := made.Connections[0].Client(region)
		if err != nil {
			t.Fatal(err)
		}
		if got := client.URL("/x"); got != want+"/x" {
			t.Errorf("%s %v: got %s, want %s/x", params, vars, got, want)
		}
	}
	const aws = "https://bedrock-runtime"
	f("", nil, "us-east-1", aws+".us-east-1.amazonaws.com")
	f("", map[string]string{"AWS_USE_FIPS_ENDPOINT": "true"}, "us-east-1", aws+"-fips.us-east-1.amazonaws.com")
	f("", map[string]string{"AWS_USE_DUALSTACK_ENDPOINT": "true"}, "us-east-1", aws+".us-east-1.api.aws")
	f("", nil, "cn-north-1", aws+".cn-north-1.amazonaws.com.cn")
	f("      aws_bedrock_runtime_endpoint: https://a.example/base/\n      api_base: https://b.example\n", nil, "us-east-1", "https://a.example/base")
	f("      api_base: https://b.example\n", map[string]string{"AWS_BEDROCK_RUNTIME_ENDPOINT": "https://c.example"}, "us-east-1", "https://b.example")
	f("", map[string]string{"AWS_BEDROCK_RUNTIME_ENDPOINT": "https://c.example", "AWS_ENDPOINT_URL": "https://d.example"}, "us-east-1", "https://c.example")
	f("", map[string]string{"AWS_ENDPOINT_URL_BEDROCK_RUNTIME": "https://e.example"}, "us-east-1", "https://e.example")
}

func TestRegionsFollowTheirOrder(t *testing.T) {
	f := func(params string, vars map[string]string, path, modelARN, idARN, want string, warned bool) {
		t.Helper()
		if vars == nil {
			vars = map[string]string{}
		}
		vars["AWS_EC2_METADATA_DISABLED"] = "true"
		vars["HOME"] = t.TempDir()
		made, err := table(t, "model_list:\n  - model_name: m\n    litellm_params:\n      model: bedrock/amazon.nova-lite-v1:0\n"+params, vars)
		if err != nil {
			t.Fatal(err)
		}
		got, warning := made.Connections[0].Region(path, modelARN, idARN)
		if got != want || (warning != "") != warned {
			t.Errorf("%s %v: got %s, %q", params, vars, got, warning)
		}
	}
	f("      aws_region_name: eu-west-1\n", map[string]string{"AWS_REGION": "us-east-1"}, "", "", "", "eu-west-1", false)
	f("      aws_region_name: eu-west-1\n", nil, "us-east-1", "", "", "eu-west-1", true)
	f("      aws_region_name: eu-west-1\n", nil, "", "us-east-1", "", "eu-west-1", true)
	f("", nil, "us-east-1", "eu-west-1", "eu-west-2", "us-east-1", true)
	f("", nil, "", "eu-west-1", "eu-west-2", "eu-west-2", false)
	f("", map[string]string{"AWS_REGION_NAME": "a-b-1", "AWS_REGION": "c-d-1"}, "", "", "", "a-b-1", false)
	f("", map[string]string{"AWS_DEFAULT_REGION": "e-f-1"}, "", "", "", "e-f-1", false)
	f("", nil, "", "", "", "us-west-2", true)
}

func TestGroupsAreWeighedAsWithLiteLLM(t *testing.T) {
	f := func(want []float64, params ...string) {
		t.Helper()
		yaml := "model_list:\n"
		for _, p := range params {
			yaml += "  - model_name: m\n    litellm_params: {model: bedrock/amazon.nova-lite-v1:0, " + p + "}\n    model_info: {id: '" + p + "'}\n"
		}
		made, err := table(t, yaml, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i, d := range made.Router.All() {
			if d.Weight != want[i] {
				t.Errorf("%v: deployment %d weighs %v", params, i, d.Weight)
			}
		}
	}
	f([]float64{2, 0}, "weight: 2", "rpm: 9")
	f([]float64{10, 90}, "rpm: 10, tpm: 1", "rpm: 90")
	f([]float64{0, 5}, "temperature: 0", "tpm: 5")
	f([]float64{0, 0}, "temperature: 0", "temperature: 1")
}

func TestUnusableDeploymentsAreRefusedWithTheirPlace(t *testing.T) {
	f := func(params, want string) {
		t.Helper()
		_, err := table(t, "model_list:\n  - model_name: m\n    litellm_params: {"+params+"}\n", nil)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "config.yaml:2:5: model_list[0] (m): ") {
			t.Errorf("%s: %v", params, err)
		}
	}
	f("model: 'bedrock/arn:aws:bedrock:us-east-1:1:x'", "names no resource")
	f("model: bedrock/agentcore/x", "agentcore")
	f("model: bedrock/amazon.nova-lite-v1:0, stop: 7", "stop must be a string")
}
