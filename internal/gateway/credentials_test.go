package gateway

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/outcrop-ai/outcrop/internal/sim"
)

// roleOf is a configuration whose one model is called as a role of a simulated STS.
func roleOf(url, role string) string {
	return fmt.Sprintf(`model_list:
  - model_name: m
    litellm_params: {model: bedrock/amazon.nova-lite-v1:0, aws_region_name: us-east-1, aws_bedrock_runtime_endpoint: '%[1]s', aws_sts_endpoint: '%[1]s',
      aws_access_key_id: %s, aws_secret_access_key: %s, aws_external_id: canary-external, aws_role_name: 'arn:aws:iam::123456789012:role/%s'}
general_settings: {master_key: %s}
`, url, sim.AccessKeyID, sim.SecretAccessKey, role, testKey)
}

const greeting = `{"model":"m","messages":[{"role":"user","content":"hi"}]}`

func TestExpiredTokensAreRenewedOnceUnderLoad(t *testing.T) {
	bedrock := sim.New(sim.Options{
		RecordLimit: 1 << 12,
		Scenario:    &sim.Scenario{Rules: []sim.Rule{{Match: sim.Match{Times: 1}, Fault: &sim.Fault{Name: "expired-token"}}}},
	})
	url, err := bedrock.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(bedrock.Close)
	g := newRig(t, roleOf(url, "chat"), nil)
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			if resp, body := g.post("/v1/chat/completions", greeting); resp.StatusCode != http.StatusOK {
				t.Errorf("%d %s", resp.StatusCode, body)
			}
		})
	}
	wg.Wait()
	count := map[string]int{}
	for _, r := range bedrock.Requests() {
		count[r.Path]++
	}
	// One identity for all, one renewal for the one that AWS refused.
	if count["/"] != 2 || count["/model/amazon.nova-lite-v1%3A0/converse"] != 101 {
		t.Errorf("%v", count)
	}
}

func TestClientsCanTellTheGatewaysIdentityFromTheirKey(t *testing.T) {
	bedrock := sim.New(sim.Options{})
	url, err := bedrock.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(bedrock.Close)
	f := func(config, key string, status int, code, words string) {
		t.Helper()
		g := newRig(t, config, nil)
		resp, body := g.send(http.MethodPost, "/v1/chat/completions", greeting, bearer(key))
		var answer struct {
			Error struct{ Message, Type, Code string }
		}
		if err := json.Unmarshal([]byte(body), &answer); err != nil {
			t.Fatalf("%v: %s", err, body)
		}
		if resp.StatusCode != status || answer.Error.Code != code || !strings.Contains(answer.Error.Message, words) {
			t.Errorf("%d %+v, want %d %s %q", resp.StatusCode, answer.Error, status, code, words)
		}
		_, info := g.send(http.MethodGet, "/model/info", "", bearer(testKey))
		for _, secret := range []string{sim.SecretAccessKey, sim.AccessKeyID, "canary-external", "canary-secret", "goroutine", ".go:"} {
			if all := body + info + g.logs.String(); strings.Contains(all, secret) {
				t.Errorf("%q is shown in %s", secret, all)
			}
		}
	}
	denied := roleOf(url, "denied")
	f(denied, "sk-of-nobody", 401, "invalid_api_key", "")
	f(denied, testKey, 403, "aws_credentials", "is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::123456789012:role/denied")
	f(denied, testKey, 403, "aws_credentials", `{"Effect":"Allow","Action":["sts:AssumeRole"],"Resource":"arn:aws:iam::123456789012:role/denied"}`)
	f(strings.Replace(denied, sim.SecretAccessKey, "canary-secret", 1), testKey, 403, "aws_credentials", "")
	f(strings.Replace(denied, "aws_sts_endpoint: '"+url, "aws_sts_endpoint: 'http://127.0.0.1:1", 1), testKey, 503, "aws_credentials", "cannot be reached")
	f(strings.Replace(denied, ", aws_role_name: 'arn:aws:iam::123456789012:role/denied'", "", 1), testKey, 200, "", "")
	f(strings.Replace(strings.Replace(denied, ", aws_role_name: 'arn:aws:iam::123456789012:role/denied'", "", 1), sim.SecretAccessKey, "canary-secret", 1), testKey, 403, "aws_credentials", "")
}
