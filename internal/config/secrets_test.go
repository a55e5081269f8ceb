package config

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

const canary = "CANARY-hunter2"

// TestNoSecretIsPrinted puts a secret wherever one can stand, prints the configuration in every way, and looks for it.
func TestNoSecretIsPrinted(t *testing.T) {
	text := `
environment_variables: {TOKEN: CANARY-hunter2}
model_list:
  - model_name: m
    litellm_params:
      model: bedrock/amazon.nova-lite-v1:0
      aws_access_key_id: AKIAX
      aws_secret_access_key: CANARY-hunter2
      aws_session_token: os.environ/TOKEN
      aws_web_identity_token: CANARY-hunter2
      aws_role_name: arn:aws:iam::111122223333:role/r
      extra_headers: {X-Secret: CANARY-hunter2}
  - model_name: n
    litellm_params: {model: bedrock/amazon.nova-lite-v1:0, api_key: os.environ/TOKEN}
general_settings: {master_key: CANARY-hunter2, database_url: "sqlite:CANARY-hunter2"}
credential_list: [{credential_name: c, credential_values: {api_key: CANARY-hunter2}}]
`
	c, problems := Parse("c.yaml", []byte(text), nil)
	if HasErrors(problems) {
		t.Fatal(printed(problems))
	}
	equal(t, c.ModelList[0].Params.AWSSecretAccessKey.Reveal(), canary)
	hidden := struct{ c *Config }{c}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, v := range []any{c, *c, hidden, c.ModelList, c.Credentials, c.Environment, problems} {
			unseen(t, verb, fmt.Sprintf(verb, v))
		}
	}
	out, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	unseen(t, "json", string(out))
	var b strings.Builder
	slog.New(slog.NewTextHandler(&b, nil)).Info("m", "config", c, "params", c.ModelList[0].Params)
	slog.New(slog.NewJSONHandler(&b, nil)).Info("m", "config", c, "params", c.ModelList[0].Params)
	unseen(t, "slog", b.String())
}

// TestNoProblemQuotesASecret gives secrets in wrong shapes and places.
func TestNoProblemQuotesASecret(t *testing.T) {
	env := vars("S", canary, "BAD", canary+"/ ,", "PATTERN", canary+"(")
	for _, text := range []string{
		model("aws_secret_access_key: [CANARY-hunter2]", "api_key: {CANARY-hunter2: 1}"),
		model(`aws_secret_access_key: "CANARY-hunter2,"`, `aws_session_token: "CANARY-hunter2,"`),
		model("aws_secret_access_key: os.environ/BAD", "aws_region_name: os.environ/BAD", "aws_role_name: os.environ/BAD"),
		model("api_base: os.environ/BAD", "timeout: os.environ/BAD", "on_client_disconnect: os.environ/S", "order: os.environ/S"),
		model("litellm_credential_name: os.environ/S", "input_cost_per_token: os.environ/S", "temperature: os.environ/S"),
		model("extra_headers: {Authorization: CANARY-hunter2, Host: CANARY-hunter2, x-a: [CANARY-hunter2]}", "api_key: CANARY-hunter2"),
		inSection("general_settings", "database_url: mysql://u:CANARY-hunter2@h/db", "master_key: {a: CANARY-hunter2}", "litellm_key_header_name: os.environ/BAD"),
		inSection("router_settings", "routing_strategy: os.environ/S", "model_group_alias: {a: os.environ/S, b: {model: os.environ/S}}"),
		"model_list: [{model_name: m, litellm_params: {model: os.environ/BAD, custom_llm_provider: os.environ/S}}]",
		"model_list: [{model_name: m, litellm_params: {model: os.environ/BAD}, model_info: {mode: os.environ/S}}]",
		model("aws_secret_access_key:CANARY-hunter2"),
		model(`aws_secret_access_key: "CANARY-hunter2`),
		model(`aws_secret_access_key: "CANARY-hunter2",`),
		model("aws_role_name: arn:aws:iam::111122223333:role/r", "aws_attribution: {session_name: os.environ/S, tags: {a: os.environ/BAD}, on_missing: os.environ/S, max_sessions: os.environ/S}"),
		model("configurable_clientside_auth_params: [os.environ/S, {api_base: os.environ/PATTERN}]"),
		"general_settings: CANARY-hunter2\n",
		"CANARY-hunter2",
	} {
		_, problems := Parse("c.yaml", []byte(text), env)
		if len(problems) == 0 {
			t.Errorf("no problem in %s", text)
		}
		for _, p := range problems {
			unseen(t, "problem", p.String()+p.Key)
		}
	}
}

func unseen(t *testing.T, how, out string) {
	t.Helper()
	if strings.Contains(out, canary) || strings.Contains(out, fmt.Sprintf("%x", canary)) {
		t.Errorf("%s shows the secret: %s", how, out)
	}
}
