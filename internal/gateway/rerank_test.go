package gateway

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/outcrop-ai/outcrop/internal/bedrock/identity"
	"github.com/outcrop-ai/outcrop/internal/catalog"
	"github.com/outcrop-ai/outcrop/internal/config"
	"github.com/outcrop-ai/outcrop/internal/deployment"
	"github.com/outcrop-ai/outcrop/internal/sim"
)

type ranking struct {
	ID      string
	Results []struct {
		Index    int
		Score    float64         `json:"relevance_score"`
		Document json.RawMessage `json:"document"`
	}
	Meta struct {
		BilledUnits struct {
			SearchUnits int `json:"search_units"`
		} `json:"billed_units"`
	}
}

// TestRerankOfEveryModel asks every reranker of the catalogue, both ways, against the simulator, which checks signatures and
// bodies as AWS does and cuts long answers into pages.
func TestRerankOfEveryModel(t *testing.T) {
	models, err := catalog.Default()
	if err != nil {
		t.Fatal(err)
	}
	bedrock := sim.New(sim.Options{Credentials: []sim.Credential{{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret"}}, BearerTokens: []string{"my-bedrock-key"}})
	upstream, err := bedrock.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(bedrock.Close)
	g := newRig(t, fmt.Sprintf(`
model_list:
  - model_name: "bearer/*"
    litellm_params: {model: "bedrock/*", api_key: my-bedrock-key, aws_region_name: us-east-1, aws_bedrock_runtime_endpoint: %[1]s}
  - model_name: "*"
    litellm_params: {model: "bedrock/*", aws_access_key_id: AKIDEXAMPLE, aws_secret_access_key: secret, aws_region_name: us-east-1, aws_bedrock_runtime_endpoint: %[1]s}
general_settings: {master_key: %[2]s}
`, upstream, testKey), nil)
	asked := 0
	for _, m := range models.Models() {
		if m.Mode != "rerank" {
			continue
		}
		asked++
		for _, name := range []string{"bedrock/" + m.ID, "bedrock/invoke/" + m.ID, "bearer/" + m.ID} {
			for _, n := range []int{3, 100, 101, 250} {
				documents := []string{`"the rain in Oslo falls"`, `{"title":"the rain in Bergen","said":"rain, rain"}`, `"SELECT 1"`}
				for len(documents) < n {
					documents = append(documents, `"nothing of interest `+strconv.Itoa(len(documents))+`"`)
				}
				resp, body := g.send(http.MethodPost, "/v2/rerank", `{"model":"`+name+`","query":"the rain in Oslo falls","documents":[`+strings.Join(documents, ",")+`]}`, bearer(testKey))
				var answer ranking
				if err := json.Unmarshal([]byte(body), &answer); err != nil || resp.StatusCode != 200 || len(answer.Results) != n {
					t.Fatalf("%s, %d documents: %d %v %.300s", name, n, resp.StatusCode, err, body)
				}
				seen := map[int]bool{}
				for i, r := range answer.Results {
					if seen[r.Index] || r.Score < 0 || r.Score > 1 || i > 0 && r.Score > answer.Results[i-1].Score || r.Document != nil {
						t.Fatalf("%s, %d documents: result %d is %+v", name, n, i, r)
					}
					seen[r.Index] = true
				}
				units := (n + 99) / 100
				cost := strconv.FormatFloat(float64(units)*map[string]float64{"amazon": 0.001, "cohere": 0.002}[m.Provider], 'f', -1, 64)
				if answer.Results[0].Index != 0 || answer.Results[1].Index != 1 || answer.Meta.BilledUnits.SearchUnits != units || resp.Header.Get("X-Litellm-Response-Cost") != cost {
					t.Errorf("%s, %d documents: %.200s, %s USD", name, n, body, resp.Header.Get("X-Litellm-Response-Cost"))
				}
				r := g.books.next(t)
				if r.Type != "arerank" || !r.CostKnown || r.Usage.Queries != int64(units) || r.Usage.Estimated || r.Usage.Input != 0 {
					t.Errorf("%s: %+v", name, r)
				}
			}
		}
	}
	if asked < 2 {
		t.Errorf("%d models", asked)
	}
}

// TestRerankTooLarge sends more documents than AWS takes in a call: nothing goes up.
func TestRerankTooLarge(t *testing.T) {
	g := newRig(t, fmt.Sprintf(embedding, "http://127.0.0.1:1", testKey), nil)
	one := `"` + strings.Repeat("a ", 15_500) + `"`
	body := `{"model":"bedrock/cohere.rerank-v3-5:0","query":"q","documents":[` + strings.TrimSuffix(strings.Repeat(one+",", 820), ",") + `]}`
	resp, answer := g.send(http.MethodPost, "/v1/rerank", body, bearer(testKey))
	if resp.StatusCode != http.StatusRequestEntityTooLarge || !strings.Contains(answer, `"param":"documents"`) {
		t.Errorf("%d %.300s", resp.StatusCode, answer)
	}
	for name, body := range map[string]string{
		"documents[1]": `{"model":"bedrock/cohere.rerank-v3-5:0","query":"q","documents":["a","` + strings.Repeat("é", 32_001) + `"]}`,
		"documents":    `{"model":"bedrock/cohere.rerank-v3-5:0","query":"q","documents":[` + strings.TrimSuffix(strings.Repeat(`"a",`, 1001), ",") + `]}`,
		"query":        `{"model":"bedrock/cohere.rerank-v3-5:0","query":"` + strings.Repeat("é", 32_001) + `","documents":["a"]}`,
	} {
		if resp, answer := g.send(http.MethodPost, "/v1/rerank", body, bearer(testKey)); resp.StatusCode != 400 || !strings.Contains(answer, `"param":"`+name+`"`) {
			t.Errorf("%s: %d %.300s", name, resp.StatusCode, answer)
		}
	}
	long := `{"model":"bedrock/cohere.rerank-v3-5:0","query":"q","documents":["` + strings.Repeat("a ", 1500) + `"]}`
	if resp, answer := g.send(http.MethodPost, "/v1/rerank", long, bearer(testKey)); resp.StatusCode != http.StatusBadGateway {
		t.Errorf("%d %.300s", resp.StatusCode, answer)
	}
}

// TestAgentRuntimeHost finds the address of bedrock-agent-runtime from what the configuration and the environment say.
func TestAgentRuntimeHost(t *testing.T) {
	for _, c := range []struct{ params, env, want string }{
		{"", "", "https://bedrock-agent-runtime.us-east-1.amazonaws.com"},
		{"", "AWS_USE_FIPS_ENDPOINT=true", "https://bedrock-agent-runtime-fips.us-east-1.amazonaws.com"},
		{"aws_bedrock_agent_runtime_endpoint: https://agents.corp.example/a/", "AWS_ENDPOINT_URL_BEDROCK_AGENT_RUNTIME=https://env.example", "https://agents.corp.example/a"},
		{"aws_bedrock_runtime_endpoint: https://proxy.corp.example/aws", "AWS_ENDPOINT_URL_BEDROCK_AGENT_RUNTIME=https://env.example", "https://env.example"},
		{"aws_bedrock_runtime_endpoint: https://proxy.corp.example/bedrock-runtime", "", "https://proxy.corp.example/bedrock-runtime"},
		{"aws_bedrock_runtime_endpoint: https://bedrock-runtime.us-east-1.amazonaws.com", "", "https://bedrock-agent-runtime.us-east-1.amazonaws.com"},
		{"api_base: https://vpce-1.bedrock-runtime.us-east-1.vpce.amazonaws.com/x", "", "https://vpce-1.bedrock-agent-runtime.us-east-1.vpce.amazonaws.com/x"},
		{"", "AWS_BEDROCK_RUNTIME_ENDPOINT=https://bedrock-runtime.eu-west-1.amazonaws.com", "https://bedrock-agent-runtime.eu-west-1.amazonaws.com"},
		{`aws_bedrock_agent_runtime_endpoint: "off"`, "", ""},
		{"api_key: my-bedrock-key", "", ""},
		{"", "AWS_BEARER_TOKEN_BEDROCK=my-bedrock-key", ""},
		{"extra_headers: {authorization: Bearer of-a-proxy}", "", "https://bedrock-agent-runtime.us-east-1.amazonaws.com"},
	} {
		env := func(name string) (string, bool) {
			if set, value, _ := strings.Cut(c.env, "="); set == name {
				return value, true
			}
			return "", false
		}
		conf, problems := config.Parse("config.yaml", []byte("model_list:\n  - model_name: m\n    litellm_params:\n      model: bedrock/amazon.rerank-v1:0\n      aws_region_name: us-east-1\n      "+c.params+"\n"), env)
		if config.HasErrors(problems) {
			t.Fatalf("%s: %v", c.params, problems)
		}
		models, err := catalog.Default()
		if err != nil {
			t.Fatal(err)
		}
		pool := identity.NewPool(env)
		table, err := deployment.NewTable(conf, deployment.Options{Catalog: models, Pool: pool, Env: env})
		if err != nil {
			t.Fatal(err)
		}
		client, err := table.Connections[0].AgentRuntime("us-east-1")
		got := ""
		if client != nil {
			got = client.URL("")
		}
		if err != nil || got != c.want {
			t.Errorf("%q %s: %q, %v; want %q", c.params, c.env, got, err, c.want)
		}
		table.Close()
		pool.Close()
	}
}
