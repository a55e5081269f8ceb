package config

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"
)

// vars makes an environment of NAME, value pairs.
func vars(pairs ...string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1], true
			}
		}
		return "", false
	}
}

// printed gives the problems as lines.
func printed(problems []Problem) []string {
	out := make([]string, 0, len(problems))
	for _, p := range problems {
		out = append(out, p.String())
	}
	return out
}

// complains fails unless text gives exactly the problems in want.
func complains(t *testing.T, text string, env func(string) (string, bool), want ...string) *Config {
	t.Helper()
	c, problems := Parse("config.yaml", []byte(text), env)
	if got := printed(problems); !slices.Equal(got, want) {
		t.Errorf("for\n%s\ngot  %s\nwant %s", text, strings.Join(got, "\n     "), strings.Join(want, "\n     "))
	}
	return c
}

// model wraps lines of litellm_params into a file: they begin in line 5.
func model(lines ...string) string {
	return "model_list:\n  - model_name: m\n    litellm_params:\n      model: bedrock/anthropic.claude-v2\n      " +
		strings.Join(lines, "\n      ") + "\n"
}

// settings wraps lines of another section: they begin in line 3.
func inSection(name string, lines ...string) string {
	return "model_list: [{model_name: m, litellm_params: {model: bedrock/amazon.nova-lite-v1:0}}]\n" + name + ":\n  " +
		strings.Join(lines, "\n  ") + "\n"
}

func TestWholeConfig(t *testing.T) {
	c := complains(t, `
environment_variables: {REGION: eu-central-1}
model_list:
  - model_name: claude
    litellm_params:
      model: bedrock/converse/eu.anthropic.claude-sonnet-4-20250514-v1:0
      litellm_credential_name: prod
      aws_region_name: os.environ/REGION
      temperature: 0.50
      stop: [END]
      requestMetadata: {b: 1, a: {z: yes-please, y: 1.0}}
      timeout: 30s
      stream_timeout: 2.5
      weight: 3
      drop_params: true
      additional_drop_params: ["tools[*].strict"]
      on_client_disconnect: drain
      input_cost_per_token: 3e-06
      output_cost_per_token: 0
      extra_headers: {X-Team: blue}
    model_info:
      id: claude-eu
      mode: chat
      supports_vision: true
      owner: platform
litellm_settings: {modify_params: true, json_logs: true}
router_settings:
  model_group_alias: {gpt-4: claude, secret-4: {model: claude, hidden: true}}
general_settings:
  master_key: os.environ/KEY
  max_request_size_mb: 10
credential_list:
  - credential_name: prod
    credential_values:
      aws_access_key_id: AKIAX
      aws_secret_access_key: os.environ/SECRET
      aws_region_name: us-east-1
`, vars("KEY", "sk-real", "SECRET", "s3cret"))
	d := &c.ModelList[0]
	p := d.Params
	equal(t, d.ModelName, "claude")
	equal(t, d.Pos, Pos{"config.yaml", 4, 5})
	equal(t, p.AWSRegionName, "eu-central-1")
	equal(t, p.AWSAccessKeyID, "AKIAX")
	equal(t, p.AWSSecretAccessKey.Reveal(), "s3cret")
	equal(t, string(p.Defaults), `{"temperature":0.50,"stop":["END"],"requestMetadata":{"b":1,"a":{"z":"yes-please","y":1.0}}}`)
	equal(t, p.Timeout, 30*time.Second)
	equal(t, p.StreamTimeout, 2500*time.Millisecond)
	equal(t, *p.Weight, 3)
	equal(t, strings.Join(p.AdditionalDropParams, " "), "tools[*].strict")
	equal(t, p.Prices["input_cost_per_token"], 3e-6)
	price, ok := p.Prices["output_cost_per_token"]
	equal(t, price, 0)
	equal(t, ok, true)
	equal(t, p.ExtraHeaders["X-Team"].Reveal(), "blue")
	equal(t, d.Info.ID, "claude-eu")
	equal(t, d.Info.Supports["vision"], true)
	equal(t, string(d.Info.Extra), `{"owner":"platform"}`)
	equal(t, c.DropParams(d), true)
	equal(t, c.ModifyParams(d), true)
	equal(t, c.OnClientDisconnect(d), Drain)
	equal(t, c.Timeouts(d), Timeouts{
		Total: 30 * time.Second, Stream: 2500 * time.Millisecond, StreamIdle: 120 * time.Second,
		Connect: 5 * time.Second, FirstByte: 30 * time.Second,
	})
	equal(t, c.RouterSettings.ModelGroupAlias["gpt-4"], Alias{"claude", false})
	equal(t, c.RouterSettings.ModelGroupAlias["secret-4"], Alias{"claude", true})
	equal(t, c.GeneralSettings.MasterKey.Reveal(), "sk-real")
	equal(t, c.MaxRequestBytes(), 10<<20)
	equal(t, c.Credentials["prod"].AWSRegionName, "us-east-1")
	v, _ := c.LookupEnv(vars("REGION", "other"))("REGION")
	equal(t, v, "eu-central-1")
	v, _ = c.LookupEnv(vars("HOME", "/root"))("HOME")
	equal(t, v, "/root")
}

func equal[T comparable](t *testing.T, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestDefaultConfig(t *testing.T) {
	c, problems := Default(vars("LITELLM_MASTER_KEY", "sk-a", "GRACEFUL_SHUTDOWN_TIMEOUT", "7",
		"LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY", "true"))
	equal(t, len(problems), 0)
	equal(t, c.ModelList[0].Params.Model, "bedrock/*")
	equal(t, c.GeneralSettings.MasterKey.Reveal(), "sk-a")
	equal(t, c.GeneralSettings.PermitWeakMasterKey, true)
	equal(t, c.GeneralSettings.GracefulShutdownTimeout, 7*time.Second)
	equal(t, c.GeneralSettings.OnClientDisconnect, Cancel)
	equal(t, c.RouterSettings.RoutingStrategy, "simple-shuffle")
	equal(t, c.RouterSettings.Timeout, 600*time.Second)
	equal(t, c.MaxRequestBytes(), 32<<20)
	equal(t, c.DropParams(&c.ModelList[0]), false)

	c, _ = Default(vars("LITELLM_MASTER_KEY", "sk-a", "OUTCROP_MASTER_KEY", "sk-b"))
	equal(t, c.GeneralSettings.MasterKey.Reveal(), "sk-b")
	c, problems = Default(vars("DATABASE_URL", "postgres://u:p@h/db"))
	equal(t, c.GeneralSettings.DatabaseURL.Reveal(), "postgres://u:p@h/db")
	equal(t, len(problems), 0)
	c, problems = Default(vars("DATABASE_URL", "mysql://u:CANARY@h/db"))
	equal(t, c.GeneralSettings.DatabaseURL.IsSet(), false)
	equal(t, problems[0].Message, "environment variable DATABASE_URL has no effect: it begins neither with sqlite: nor with postgresql://")
	_, problems = Default(vars("GRACEFUL_SHUTDOWN_TIMEOUT", "soon"))
	equal(t, problems[0].Message, "environment variable GRACEFUL_SHUTDOWN_TIMEOUT must be seconds")
}

func TestDefaultsKeepTheirForm(t *testing.T) {
	f := func(line, want string) {
		t.Helper()
		c := complains(t, model(line), nil)
		equal(t, string(c.ModelList[0].Params.Defaults), want)
	}
	f("top_k: 1", `{"top_k":1}`)
	f("max_tokens: 1_000", `{"max_tokens":1000}`)
	f("seed: 0x1F", `{"seed":31}`)
	f("seed: 12345678901234567890", `{"seed":12345678901234567890}`)
	f("temperature: 1", `{"temperature":1}`)
	f("temperature: .5", `{"temperature":0.5}`)
	f("top_p: 1e-2", `{"top_p":1e-2}`)
	f(`performanceConfig: {"latency": "optimized"}`, `{"performanceConfig":{"latency":"optimized"}}`)
	f("made_up: {b: [1, 2.0, ~, true, 'x<y'], a: {}}", `{"made_up":{"b":[1,2.0,null,true,"x<y"],"a":{}}}`)
	f("user: 007", `{"user":"007"}`)
	f("parallel_tool_calls: no", `{"parallel_tool_calls":false}`)
	f("response_format: {type: json_object}", `{"response_format":{"type":"json_object"}}`)
	f("made_up: 2024-01-01", `{"made_up":"2024-01-01"}`)
	f("rpm: 5", ``)
}

func TestDeploymentID(t *testing.T) {
	id := func(text string) string {
		t.Helper()
		c, problems := Parse("c", []byte(text), vars("S", "abc", "T", "abd"))
		if HasErrors(problems) {
			t.Fatal(printed(problems))
		}
		return c.ModelList[0].Info.ID
	}
	base := id(model("aws_access_key_id: a", "aws_secret_access_key: os.environ/S"))
	equal(t, len(base), 64)
	// The id must never change between versions: spend is booked under it.
	equal(t, id("model_list: [{model_name: m, litellm_params: {model: bedrock/amazon.nova-lite-v1:0}}]"),
		"bfee1ed180703327c347eab407e05df586a4a7a81109ef4113ad7c24d1fbafe5")
	equal(t, id(model("aws_secret_access_key: abc", "aws_access_key_id: a")), base)
	for _, other := range []string{
		model("aws_access_key_id: a", "aws_secret_access_key: os.environ/T"),
		model("aws_access_key_id: b", "aws_secret_access_key: os.environ/S"),
		model("aws_access_key_id: a", "aws_secret_access_key: os.environ/S", "temperature: 1"),
		strings.Replace(model("aws_access_key_id: a", "aws_secret_access_key: abc"), "model_name: m", "model_name: n", 1),
	} {
		if id(other) == base {
			t.Errorf("the same id for\n%s", other)
		}
	}
	entry := "  - {model_name: m, litellm_params: {model: bedrock/amazon.nova-lite-v1:0}}\n"
	c := complains(t, "model_list:\n"+entry+entry+entry, nil,
		"config.yaml:3:5: warning: this deployment is the same as the one in line 2 of config.yaml",
		"config.yaml:4:5: warning: this deployment is the same as the one in line 2 of config.yaml")
	if a, b, d := c.ModelList[0].Info.ID, c.ModelList[1].Info.ID, c.ModelList[2].Info.ID; a == b || b == d || a == d {
		t.Error("equal deployments have equal ids")
	}
}

func TestAnchorsAndMergeKeys(t *testing.T) {
	c := complains(t, `
x-aws: &aws
  aws_region_name: us-east-1
  aws_profile_name: prod
limits: &limits {rpm: 5, tpm: 7}
model_list:
  - model_name: a
    litellm_params: &a
      <<: [*limits, *aws]
      model: bedrock/amazon.nova-lite-v1:0
      tpm: 9
  - model_name: b
    litellm_params:
      <<: *a
      aws_region_name: eu-west-1
`, nil)
	a, b := c.ModelList[0].Params, c.ModelList[1].Params
	equal(t, a.AWSRegionName, "us-east-1")
	equal(t, *a.RPM, 5)
	equal(t, *a.TPM, 9)
	equal(t, b.AWSRegionName, "eu-west-1")
	equal(t, b.AWSProfileName, "prod")
	equal(t, b.Model, "bedrock/amazon.nova-lite-v1:0")
	equal(t, *b.TPM, 9)
}

func TestQuotasBesideParams(t *testing.T) {
	c := complains(t, "model_list: [{model_name: m, rpm: 3, tpm: 4, litellm_params: {model: bedrock/amazon.nova-lite-v1:0, tpm: 5}}]", nil)
	equal(t, *c.ModelList[0].Params.RPM, 3)
	equal(t, *c.ModelList[0].Params.TPM, 5)
}

// files makes a loader that reads from a map.
func files(m map[string]string) *Loader {
	return &Loader{ReadFile: func(path string) ([]byte, error) {
		text, ok := m[path]
		if !ok {
			return nil, &fs.PathError{Op: "open", Path: path, Err: errors.New("no such file or directory")}
		}
		return []byte(text), nil
	}}
}

func TestInclude(t *testing.T) {
	entry := func(name string) string {
		return "model_list: [{model_name: " + name + ", litellm_params: {model: bedrock/amazon.nova-lite-v1:0}}]\n"
	}
	l := files(map[string]string{
		"conf/main.yaml":      "include: [models/eu.yaml, extra.yaml]\n" + entry("a") + "litellm_settings: {drop_params: true, json_logs: true}\n",
		"conf/models/eu.yaml": "include: [deep.yaml]\n" + entry("b"),
		// Variables of an included file count everywhere.
		"conf/models/deep.yaml": entry("c") + "environment_variables: {KEY: sk-included}\ngeneral_settings: {master_key: os.environ/KEY}\n",
		"conf/extra.yaml":       "litellm_settings: {drop_params: false, request_timeout: x}\n",
	})
	c, problems := l.Load("conf/main.yaml")
	equal(t, strings.Join(printed(problems), "\n"),
		`conf/extra.yaml:1:57: error: request_timeout must be seconds or a duration such as "30s", not "x"`)
	var names []string
	for _, d := range c.ModelList {
		names = append(names, d.ModelName)
	}
	equal(t, strings.Join(names, " "), "a b c")
	equal(t, c.LitellmSettings.DropParams, false)
	equal(t, c.LitellmSettings.JSONLogs, true)
	equal(t, c.GeneralSettings.MasterKey.Reveal(), "sk-included")
	equal(t, strings.Join(c.Files, " "), "conf/main.yaml conf/models/eu.yaml conf/models/deep.yaml conf/extra.yaml")
}

func TestIncludeComplaints(t *testing.T) {
	entry := "model_list: [{model_name: a, litellm_params: {model: bedrock/amazon.nova-lite-v1:0}}]\n"
	f := func(m map[string]string, want ...string) {
		t.Helper()
		_, problems := files(m).Load("main.yaml")
		equal(t, strings.Join(printed(problems), "\n"), strings.Join(want, "\n"))
	}
	f(map[string]string{"main.yaml": entry + "include: [a.yaml]\n", "a.yaml": "include: [b.yaml]\n", "b.yaml": "include: [a.yaml]\n"},
		"b.yaml:1:11: error: a.yaml includes itself: main.yaml → a.yaml → b.yaml → a.yaml")
	f(map[string]string{"main.yaml": entry + "include: main.yaml\n"},
		"main.yaml:2:10: error: main.yaml includes itself: main.yaml → main.yaml")
	f(map[string]string{"main.yaml": entry + "include:\n  - gone.yaml\n"},
		"main.yaml:3:5: error: gone.yaml cannot be read: no such file or directory")
	f(map[string]string{"main.yaml": entry + "include: [a.yaml, ./a.yaml]\n", "a.yaml": "litellm_settings: {json_logs: true}\n"},
		"main.yaml:2:19: warning: a.yaml is included already")
	f(map[string]string{"main.yaml": entry + "include: {a: b}\n"},
		"main.yaml:2:10: error: include must be a list of files, not a mapping")
}
