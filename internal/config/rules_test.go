package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestUnknownKeys(t *testing.T) {
	f := func(text string, want ...string) {
		t.Helper()
		complains(t, text, nil, want...)
	}
	f(model("aws_region_nam: us-east-1"),
		`config.yaml:5:7: error: unknown key "aws_region_nam" in litellm_params; did you mean "aws_region_name"?`)
	f(model("temprature: 1"),
		`config.yaml:5:7: error: unknown key "temprature" in litellm_params; did you mean "temperature"?`)
	f(model("aws_secret_access_id: my-id", "aws_secret_access_key: k"),
		`config.yaml:5:7: warning: aws_secret_access_id is taken for aws_access_key_id; did you mean "aws_access_key_id"?`)
	f(model("aws_secret_access_id: my-id", "aws_access_key_id: id", "aws_secret_access_key: k"),
		`config.yaml:5:7: error: unknown key "aws_secret_access_id" in litellm_params; did you mean "aws_access_key_id"?`)
	f(model("aws_region: us-east-1"),
		`config.yaml:5:7: error: unknown key "aws_region" in litellm_params; did you mean "aws_region_name"?`)
	f(model("aws_colour: red"), `config.yaml:5:7: error: unknown key "aws_colour" in litellm_params`)
	f(model("master_key: sk-1"), `config.yaml:5:7: error: unknown key "master_key" in litellm_params: it belongs in general_settings`)
	f(model("whatever_the_model_knows: 1", "top_k: 3", "topP: 1"))
	f(inSection("general_settings", "mster_key: x"),
		`config.yaml:3:3: error: unknown key "mster_key" in general_settings; did you mean "master_key"?`)
	f(inSection("general_settings", "drop_params: true"),
		`config.yaml:3:3: error: unknown key "drop_params" in general_settings`)
	f(inSection("general_settings", "json_logs: true"),
		`config.yaml:3:3: error: unknown key "json_logs" in general_settings: it belongs in litellm_settings`)
	f(inSection("litellm_settings", "nobody_knows_this: 1"),
		`config.yaml:3:3: error: unknown key "nobody_knows_this" in litellm_settings`)
	f(inSection("model_lists", "a: 1"),
		`config.yaml:2:1: error: unknown key "model_lists" in the configuration; did you mean "model_list"?`)
	f("model_list: [{model_name: m, litelm_params: 1, litellm_params: {model: bedrock/amazon.nova-lite-v1:0}}]",
		`config.yaml:1:30: error: unknown key "litelm_params" in model_list; did you mean "litellm_params"?`)
	f("model_list:\n- model_name: m\n  litellm_params: {model: bedrock/amazon.nova-lite-v1:0}\n  model_info: {owner: me, base_modl: x}",
		`config.yaml:4:27: warning: "base_modl" in model_info is kept, but means nothing; did you mean "base_model"?`)
	f(inSection("router_settings", "model_group_alias: {a: {modl: m}}"),
		`config.yaml:3:23: error: an alias needs model, the name of a model group`,
		`config.yaml:3:27: error: unknown key "modl" in an alias; did you mean "model"?`)
	// A listing that lost its indentation.
	f("model_list:\n-model_name: m\n",
		"config.yaml:1:1: warning: there is no model_list: no model can be called",
		`config.yaml:2:1: error: unknown key "-model_name" in the configuration: a list item needs a space after its dash, and its keys need indentation`)
}

func TestSettingsThatOutcropDoesNotHave(t *testing.T) {
	f := func(text string, want ...string) {
		t.Helper()
		complains(t, text, nil, want...)
	}
	f(inSection("litellm_settings", "num_retries_per_request: 3", "cache: true", "log_raw_request_response: true"),
		"config.yaml:3:3: warning: Outcrop does not have num_retries_per_request in litellm_settings: write num_retries",
		"config.yaml:5:3: note: log_raw_request_response in litellm_settings has no effect: use --detailed_debug")
	f(inSection("litellm_settings", "cache: false", "callbacks: ~"))
	f(inSection("general_settings", "custom_auth: my_auth.check"),
		"config.yaml:3:3: error: custom_auth in general_settings: Python code cannot run in Outcrop")
	f(model("ssl_verify: false"),
		"config.yaml:5:19: warning: ssl_verify is off: whoever is in between can read credentials and prompts")
	f(model("ssl_verify: /etc/ca.pem") + "litellm_settings: {ssl_verify: true}\n")
	f(model("ssl_verify: [x]"), "config.yaml:5:19: error: ssl_verify must be a string, not a list")
	f("guardrails: [{guardrail_name: x}]\n"+model("rpm: 1"),
		"config.yaml:1:1: warning: Outcrop does not have guardrails in the configuration: there are no gateway guardrails, policies or prompt stores yet; guardrailConfig in litellm_params works")
	f(inSection("general_settings", "database_url: postgresql://u:p@h/db"))
	f(inSection("general_settings", "database_url: sqlite:/data/outcrop.db"))
	f(inSection("general_settings", "database_url: mysql://h/db"),
		"config.yaml:3:17: error: database_url must begin with sqlite: or postgresql://")
	f(inSection("router_settings", "routing_strategy: least-busy"))
	f(inSection("router_settings", "routing_strategy_args: {lowest_latency_buffer: 0.5, ttl: 60}"),
		"config.yaml:3:55: note: ttl in routing_strategy_args has no effect: what is known of a latency fades by itself")
	f(inSection("litellm_settings", "cache_params: {type: s3, mode: off}"),
		"config.yaml:3:24: error: type s3 is not there: answers are kept in memory (local) or in Valkey or Redis (redis)",
		`config.yaml:3:34: error: mode must be default_on or default_off, not "off"`)
	f(inSection("litellm_settings", "budget_duration: 1y"), `config.yaml:3:20: error: budget_duration must be a number and a unit, such as 30s, 20m, 12h, 1d, 2w or 1mo, not "1y"`)
	f(inSection("litellm_settings", "timezone: Mars"), `config.yaml:3:13: error: timezone must be a time zone such as Europe/Berlin, not "Mars"`)
	f(inSection("general_settings", "token_rate_limit_type: all"), `config.yaml:3:26: error: token_rate_limit_type must be total, input or output, not "all"`)
	f(inSection("router_settings", "provider_budget_config: {openai: {budget_limit: 1}, bedrock: {budget_limit: 1, time_period: soon}}"),
		"config.yaml:3:28: note: openai has no effect: only bedrock is called",
		`config.yaml:3:95: error: time_period must be a number and a unit, such as 30s, 20m, 12h, 1d, 2w or 1mo, not "soon"`)
	f(inSection("router_settings", "optional_pre_call_checks: [prompt_caching, encrypted_content_affinity, session_afinity]"),
		"config.yaml:3:46: warning: encrypted_content_affinity is not there yet",
		`config.yaml:3:74: error: unknown optional_pre_call_checks "session_afinity"; did you mean "session_affinity"?`)
	f(inSection("router_settings", "routing_strategy: simple-shufle"),
		`config.yaml:3:21: error: unknown routing_strategy "simple-shufle"; did you mean "simple-shuffle"?`)
	f(model("vertex_project: p", "input_cost_per_token_flex: 1"),
		"config.yaml:5:7: note: vertex_project in litellm_params has no effect: another provider's; Outcrop serves Amazon Bedrock only",
		"config.yaml:6:7: warning: Outcrop does not have input_cost_per_token_flex in litellm_params: prices of this kind are not used yet")

	// One warning for a setting, wherever it stands.
	entry := "  - {model_name: %s, litellm_params: {model: bedrock/amazon.nova-lite-v1:0, tag_regex: 1}}\n"
	f("model_list:\n"+fmt.Sprintf(entry+entry+entry, "a", "b", "c"),
		"config.yaml:2:76: warning: Outcrop does not have tag_regex in litellm_params: tag routing is not there yet (also in 2 other places)")
}

func TestEnvironmentReferences(t *testing.T) {
	f := func(text string, env func(string) (string, bool), want ...string) *Config {
		t.Helper()
		return complains(t, text, env, want...)
	}
	f(model("aws_region_name: os.environ/R"), nil,
		"config.yaml:5:24: warning: environment variable R is not set, but aws_region_name needs it; the key counts as absent")
	for _, key := range []string{"aws_access_key_id", "aws_secret_access_key", "api_key"} {
		f(model(key+": os.environ/K"), nil,
			fmt.Sprintf("config.yaml:5:%d: error: environment variable K is not set, but %s needs it", 9+len(key), key))
	}
	f(inSection("general_settings", "master_key: os.environ/K", "database_url: os.environ/D"), nil,
		"config.yaml:3:15: error: environment variable K is not set, but master_key needs it",
		"config.yaml:4:17: error: environment variable D is not set, but database_url needs it")
	f(inSection("general_settings", "master_key: os.environ/K"), vars("K", ""),
		"config.yaml:3:15: error: environment variable K is empty, but master_key needs it")
	f(model("api_key: os.environ/K"), vars("K", ""))
	f(model("api_key: os.environ/"), nil, "config.yaml:5:16: error: os.environ/ must be followed by the name of a variable")

	c := f(model("rpm: os.environ/N", "temperature: os.environ/T", "user: os.environ/N", "drop_params: os.environ/B",
		"aws_external_id: os.environ/N", "aws_role_name: os.environ/ROLE", "made_up: {deep: [os.environ/T, os.environ/B]}"),
		vars("N", "42", "T", "0.5", "B", "True", "ROLE", "arn:aws:iam::111122223333:role/r"))
	p := c.ModelList[0].Params
	equal(t, *p.RPM, 42)
	equal(t, *p.DropParams, true)
	equal(t, p.AWSExternalID, "42")
	equal(t, string(p.Defaults), `{"temperature":0.5,"user":"42","made_up":{"deep":[0.5,true]}}`)

	c = f(model("made_up: [1, os.environ/GONE, 2]"), nil,
		"config.yaml:5:20: warning: environment variable GONE is not set, but made_up[1] needs it; the key counts as absent")
	equal(t, string(c.ModelList[0].Params.Defaults), `{"made_up":[1,2]}`)

	// The name of the wrong variable must not bring its value into a message.
	f(model("aws_region_name: os.environ/SECRET", "rpm: os.environ/SECRET", "timeout: os.environ/SECRET"), vars("SECRET", "Not/For/You"),
		"config.yaml:5:24: error: aws_region_name must be a region such as us-east-1, not the value of environment variable SECRET",
		"config.yaml:6:12: error: rpm must be a whole number, not the value of environment variable SECRET",
		`config.yaml:7:16: error: timeout must be seconds or a duration such as "30s", not the value of environment variable SECRET`)
	f("environment_variables: [a]\n"+model("rpm: 1"), nil,
		"config.yaml:1:24: error: environment_variables must be a mapping of names to values, not a list")
}

func TestContradictions(t *testing.T) {
	f := func(text string, want ...string) {
		t.Helper()
		complains(t, text, vars("SET", "x"), want...)
	}
	keys := []string{"aws_access_key_id: a", "aws_secret_access_key: b"}
	f(model(keys...))
	f(model(keys[0]), "config.yaml:5:26: error: aws_access_key_id needs aws_secret_access_key beside it")
	f(model(keys[1]), "config.yaml:5:30: error: aws_secret_access_key needs aws_access_key_id beside it")
	f(model("aws_session_token: t"),
		"config.yaml:5:26: error: aws_session_token needs aws_access_key_id and aws_secret_access_key beside it")
	// One complaint is enough where the variable of a half is missing.
	f(model(keys[0], "aws_secret_access_key: os.environ/GONE"),
		"config.yaml:6:30: error: environment variable GONE is not set, but aws_secret_access_key needs it")
	f(model(`aws_access_key_id: ""`, `aws_secret_access_key: ""`))
	f(model("aws_web_identity_token: oidc/file/x"),
		"config.yaml:5:31: error: aws_web_identity_token needs aws_role_name, the role to assume with it")
	f(model("aws_session_name: me"), "config.yaml:5:25: warning: aws_session_name has no effect without aws_role_name")
	f(model("aws_role_name: reader"),
		`config.yaml:5:22: error: aws_role_name must be the ARN of a role, arn:aws:iam::ACCOUNT:role/NAME, not "reader"`)
	f(model("aws_role_name: arn:aws:iam::111122223333:role/r", "aws_session_name: not good"),
		"config.yaml:6:25: error: aws_session_name must be 2 to 64 letters, digits or characters of _+=,.@-")
	f(model("aws_region_name: US East"), `config.yaml:5:24: error: aws_region_name must be a region such as us-east-1, not "US East"`)
	f(model(`aws_region_name: "us-east-1,"`), "config.yaml:5:24: error: aws_region_name ends with a comma: YAML needs none between lines")
	f(model(keys[0], `aws_secret_access_key: "b,"`), "config.yaml:6:30: error: aws_secret_access_key ends with a comma: YAML needs none between lines")
	f(model("api_key: <your-key>"), "config.yaml:5:16: error: api_key still has the placeholder <your-key>")
	f(model("temperature: <your-temp>"), "config.yaml:5:20: warning: temperature still has the placeholder <your-temp>; it is left out")
	f(model("api_key: k", "extra_headers: {authorization: Bearer x}"),
		"config.yaml:6:23: warning: Authorization in extra_headers replaces the api_key beside it")
	f(model("api_key: k", keys[0], keys[1]), "config.yaml:6:26: warning: aws_access_key_id is not used: the api_key beside it wins")
	f(model("extra_headers: {Host: h, content-length: 1, Transfer-Encoding: c, connection: x, 'a b': c, X-A: 1, x-a: 2}"),
		"config.yaml:5:23: error: header Host cannot be set: it belongs to the connection",
		"config.yaml:5:32: error: header Content-Length cannot be set: it belongs to the connection",
		"config.yaml:5:51: error: header Transfer-Encoding cannot be set: it belongs to the connection",
		"config.yaml:5:73: error: header Connection cannot be set: it belongs to the connection",
		`config.yaml:5:88: error: "a b" is no header name`,
		`config.yaml:5:106: error: header X-A stands here twice, as "X-A" and "x-a"`)
	f(model("on_client_disconnect: drian"), `config.yaml:5:29: error: on_client_disconnect must be cancel or drain, not "drian"; did you mean "drain"?`)
	f(inSection("general_settings", "on_client_disconnect: wait"), `config.yaml:3:25: error: on_client_disconnect must be cancel or drain, not "wait"`)
	f(model("api_base: http://proxy.example.com"),
		"config.yaml:5:17: error: api_base sends keys and prompts in the clear; use https, or set allow_http_upstream: true")
	f(model("api_base: http://proxy.example.com", "allow_http_upstream: true"))
	for _, host := range []string{"localhost:4566", "127.0.0.1", "10.1.2.3", "[::1]:80", "sim:4566", "host.docker.internal"} {
		f(model("api_base: http://" + host))
	}
	f(model("aws_bedrock_runtime_endpoint: proxy.corp"),
		"config.yaml:5:37: error: aws_bedrock_runtime_endpoint must be a URL such as https://host/path, without user, query or fragment")
	f(model("model_id: arn:aws:bedrock:eu-west-1:000000000000:application-inference-profile/a0", "aws_region_name: us-east-1"),
		`config.yaml:6:24: warning: aws_region_name is "us-east-1", but the ARN of the model is in eu-west-1; AWS will refuse the call`)
	two := "  - model_name: %s\n    litellm_params: {model: bedrock/amazon.nova-lite-v1:0}\n    model_info: {id: x}\n"
	f("model_list:\n"+fmt.Sprintf(two+two, "a", "b"), `config.yaml:7:22: error: model_info.id "x" is taken already, in line 4 of config.yaml`)
	f(model("rpm: 1", "rpm: 2"), `config.yaml:6:7: error: key "rpm" stands here twice, first in line 5`)
	f(inSection("general_settings", `master_key: ""`), "config.yaml:3:15: error: master_key is empty; leave the line out to run without one")
	f(inSection("router_settings", "model_group_alias: {gpt-4: mm}"),
		`config.yaml:3:30: error: alias "gpt-4" stands for "mm", which no entry of model_list has as model_name`)
	f(inSection("litellm_settings", "model_group_settings: {forward_client_headers_to_llm_api: [m, other]}"),
		`config.yaml:3:65: error: no entry of model_list has the model_name "other"`)
}

func TestCredentialList(t *testing.T) {
	list := "credential_list:\n  - credential_name: prod\n    credential_values: {aws_access_key_id: a, aws_secret_access_key: b, aws_session_token: t}\n"
	f := func(text string, want ...string) *Config {
		t.Helper()
		return complains(t, text, nil, want...)
	}
	c := f(list + model("litellm_credential_name: prod"))
	equal(t, c.ModelList[0].Params.AWSSessionToken.Reveal(), "t")
	// The token of another key is not taken along.
	c = f(list + model("litellm_credential_name: prod", "aws_access_key_id: own", "aws_secret_access_key: own"))
	equal(t, c.ModelList[0].Params.AWSSecretAccessKey.Reveal(), "own")
	equal(t, c.ModelList[0].Params.AWSSessionToken.IsSet(), false)
	f(list+model("litellm_credential_name: prdo"), `config.yaml:8:32: error: credential_list has no entry "prdo"; did you mean "prod"?`)
	c = f(list + model("rpm: 1") + "general_settings: {bedrock_passthrough_credential: prod}\n")
	equal(t, c.PassThroughUnlisted(), false)
	f(list+model("rpm: 1")+"general_settings:\n  bedrock_passthrough_credential: prdo\n",
		`config.yaml:10:35: error: bedrock_passthrough_credential names neither an entry of credential_list nor a deployment: "prdo"; did you mean "prod"?`)
	f("credential_list: [{credential_name: x}]\n"+model("rpm: 1"),
		"config.yaml:1:19: error: an entry of credential_list needs credential_name and credential_values")
	f("credential_list: [{credential_name: x, credential_values: {api_kee: k}}]\n"+model("litellm_credential_name: x"),
		`config.yaml:1:60: error: unknown key "api_kee" in litellm_params; did you mean "api_key"?`)
}

func TestModelsOfOtherProviders(t *testing.T) {
	file := func(params string) string { return "model_list: [{model_name: m, litellm_params: {" + params + "}}]" }
	f := func(params string, want ...string) {
		t.Helper()
		l := &Loader{KnownModel: func(id string) bool { return id == "claude-3-haiku" }}
		_, problems := l.Parse("c", []byte(file(params)))
		equal(t, strings.Join(printed(problems), "\n"), strings.Join(want, "\n"))
	}
	for _, good := range []string{
		`"bedrock/*"`, `"*"`, "bedrock/converse/x", "anthropic.claude-v2", "us.anthropic.claude-v2:0", "claude-3-haiku",
		"arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0", "anything, custom_llm_provider: bedrock",
	} {
		f("model: " + good)
	}
	f("model: openai/gpt-4", `c:1:54: error: model "openai/gpt-4" is not one of Amazon Bedrock, which is all that Outcrop serves`)
	f("model: azure/x", `c:1:54: error: model "azure/x" is not one of Amazon Bedrock, which is all that Outcrop serves`)
	f("model: bedrok/x", `c:1:54: error: model "bedrok/x" is not one of Amazon Bedrock, which is all that Outcrop serves; did you mean "bedrock/x"?`)
	f("model: gpt-4.1", `c:1:54: error: model "gpt-4.1" is not known as one of Amazon Bedrock; write bedrock/ before it, or custom_llm_provider: bedrock beside it, if it is`)
	f("model: x, custom_llm_provider: azure", `c:1:78: error: custom_llm_provider is "azure", but Outcrop serves Amazon Bedrock only`)
	f("model: bedrock/", `c:1:54: error: model has no id after bedrock/`)
	f("rpm: 1", "c:1:46: error: model is missing: bedrock/ and a model id, an inference profile or an ARN")
}

func TestWrongTypes(t *testing.T) {
	f := func(text string, want ...string) {
		t.Helper()
		complains(t, text, nil, want...)
	}
	f(model("timeout: -1"), "config.yaml:5:16: error: timeout must not be negative")
	f(model("timeout: soon"), `config.yaml:5:16: error: timeout must be seconds or a duration such as "30s", not "soon"`)
	f(model("timeout: [1]"), `config.yaml:5:16: error: timeout must be seconds or a duration such as "30s", not a list`)
	f(model("rpm: 1.5"), `config.yaml:5:12: error: rpm must be a whole number, not "1.5"`)
	f(model(`rpm: "5"`))
	f(model("weight: -2"), "config.yaml:5:15: error: weight must not be negative")
	f(model("drop_params: maybe"), `config.yaml:5:20: error: drop_params must be true or false, not "maybe"`)
	f(model("drop_params: {}"), `config.yaml:5:20: error: drop_params must be true or false, not a mapping`)
	f(model("aws_region_name: [a]"), "config.yaml:5:24: error: aws_region_name must be a string, not a list")
	f(model("aws_region_name: true"), "config.yaml:5:24: error: aws_region_name must be a string, not true or false; put it in quotes if it is meant so")
	f(model("additional_drop_params: x"), "config.yaml:5:31: error: additional_drop_params must be a list of strings, not a string")
	f(model("extra_headers: x"), "config.yaml:5:22: error: extra_headers must be a mapping of header names to values, not a string")
	f(model("input_cost_per_token: cheap"), `config.yaml:5:29: error: input_cost_per_token must be a price in USD, not "cheap"`)
	f(model("temperature: hot"), `config.yaml:5:20: error: temperature must be a number, not "hot"`)
	f(model("temperature: .nan"), `config.yaml:5:20: error: ".nan" is not a finite number`)
	f(model("max_tokens: 1.5"), `config.yaml:5:19: error: max_tokens must be an integer, not "1.5"`)
	f(model("tools: {}"), `config.yaml:5:14: error: tools must be a list, not a mapping`)
	f(model("user_continue_message: hello"), "config.yaml:5:30: error: user_continue_message must be a message: a mapping with role and content")
	f(model(`user_continue_message: {role: user, content: go on}`))
	f(model("unknown_anthropic_betas: deny"), `config.yaml:5:32: error: unknown_anthropic_betas must be pass, drop or refuse, not "deny"`)
	f(model("prompt_template: lama3"), `config.yaml:5:24: error: prompt_template must be llama2, llama3, llama4, chatml, r1 or mistral, not "lama3"; did you mean "llama3"?`)
	f(model("prompt_template: chatml", "bos_token: <s>", `roles: {user: {pre_message: "[U]", post_message: ""}}`))
	f(model("roles: [user]"), "config.yaml:5:14: error: roles must be a mapping of system, user and assistant, not a list")
	f(model("roles: {usr: {pre_message: x}}"), `config.yaml:5:15: error: unknown role "usr"; did you mean "user"?`)
	f(model("roles: {user: x}"), "config.yaml:5:21: error: user must be a mapping with pre_message and post_message, not a string")
	f(model("roles: {user: {pre: x}}"), `config.yaml:5:22: error: unknown key "pre"`)
	f(model("roles: {user: {pre_message: 1}}"), "config.yaml:5:35: error: pre_message must be text, not \"1\"")
	f(model("aws_session_tags: {a: b}", "aws_role_name: arn:aws:iam::111122223333:role/r"),
		"config.yaml:5:25: error: aws_session_tags must be a list of {Key: …, Value: …}, not a mapping")
	f(model("aws_session_tags: [{Key: a, Value: b}, {Key: a, Value: c}, {key: x}]", "aws_role_name: arn:aws:iam::111122223333:role/r"),
		`config.yaml:5:46: error: session tag "a" stands here twice`,
		"config.yaml:5:66: error: aws_session_tags must be a list of {Key: …, Value: …}")
	f(inSection("general_settings", "max_request_size_mb: 0"), "config.yaml:3:24: error: max_request_size_mb must be more than 0")
	f(inSection("general_settings", "litellm_key_header_name: a b"), `config.yaml:3:28: error: litellm_key_header_name must be the name of a header, not "a b"`)
	f("general_settings: x\n"+model("rpm: 1"), "config.yaml:1:19: error: general_settings must be a mapping, not a string")
	f("model_list: {a: b}", "config.yaml:1:13: error: model_list must be a list, not a mapping")
	f("model_list: [x]", "config.yaml:1:14: error: an entry of model_list must be a mapping, not a string")
	f("model_list: [{}]",
		"config.yaml:1:14: error: model_name is missing: the name that clients send as model",
		"config.yaml:1:14: error: litellm_params is missing: at least litellm_params.model is needed")
	f("model_list:\n- model_name: m\n  litellm_params: {model: bedrock/amazon.nova-lite-v1:0}\n  model_info: {mode: caht}",
		`config.yaml:4:22: error: unknown mode "caht"; did you mean "chat"?`)
	f(model("made_up: !!binary aGk="), "config.yaml:5:16: error: the YAML tag !!binary is not supported")
	f(model("? [a]\n      : 1"), "config.yaml:5:9: error: a key must be a plain name")
	f(model("<<: 3"), "config.yaml:5:11: error: the merge key << takes a mapping or a list of mappings, not a number")
}

func TestDurations(t *testing.T) {
	f := func(text string, want float64) {
		t.Helper()
		c := complains(t, model("timeout: "+text), nil)
		equal(t, c.ModelList[0].Params.Timeout.Seconds(), want)
	}
	f("30", 30)
	f("0.5", 0.5)
	f(`"30"`, 30)
	f("30s", 30)
	f("1h30m", 5400)
	f("2d", 172800)
	f("1w", 604800)
	f("1mo", 2592000)
	f("500ms", 0.5)
}

func TestFilesThatAreNoConfiguration(t *testing.T) {
	const none = "config.yaml:1:1: error: the file is empty; it needs at least a model_list"
	f := func(text string, want ...string) {
		t.Helper()
		complains(t, text, nil, want...)
	}
	f("", none)
	f("# nothing\n", none)
	f("---\n", none)
	f("just words", "config.yaml:1:1: error: the file must be a mapping with model_list and the like, not a string")
	f("a: b: c", "config.yaml:1:1: error: not valid YAML: mapping values are not allowed in this context")
	f("a: [1", "config.yaml:1:1: error: not valid YAML: did not find expected ',' or ']'")
	f("a: *nowhere", "config.yaml:1:1: error: not valid YAML: unknown anchor 'nowhere' referenced")
	f("model_list:\n\t- a: 1", "config.yaml:2:1: error: not valid YAML: a tab in the indentation; use spaces")
	f(model("rpm: 1")+"---\na: 1\n", "config.yaml:6:1: error: a second YAML document begins here; one file holds one")
	f(model(`aws_region_name: "us-east-1",`, "rpm: 1"), "config.yaml:5:35: error: not valid YAML: a comma follows the quoted value; remove it")
	// Within braces the same comma is right, and the cause is another one.
	f(model("made_up: {", `  a: "b",`, `  c: "d",`, "}", `rpm: "1", # twice`),
		"config.yaml:9:15: error: not valid YAML: a comma follows the quoted value; remove it")
	f(strings.Repeat("#", maxFileSize+1), fmt.Sprintf("config.yaml:1:1: error: the file has %d bytes; at most %d are read", maxFileSize+1, maxFileSize))
	f(model("a: &a [*a]"), `config.yaml:5:14: error: anchor "a" contains itself`)
	f(model("made_up: "+strings.Repeat("[", 150)+strings.Repeat("]", 150)), "config.yaml:5:113: error: nested deeper than 100 levels")

	bomb := "x-a: &a [1,1,1,1,1,1,1,1,1,1]\n"
	for c := 'b'; c < 'k'; c++ {
		bomb += fmt.Sprintf("x-%c: &%c [%s]\n", c, c, strings.TrimSuffix(strings.Repeat("*"+string(c-1)+",", 10), ","))
	}
	_, problems := Parse("config.yaml", []byte(bomb+model("rpm: 1")), nil)
	equal(t, len(problems), 1)
	equal(t, problems[0].Message, "anchors multiply the file to more than 100000 values")
}

func TestLoadReadsFiles(t *testing.T) {
	dir := t.TempDir()
	missing := filepath.Join(dir, "gone.yaml")
	_, problems := Load(missing, nil)
	equal(t, strings.Join(printed(problems), "\n"), missing+": error: the file cannot be read: no such file or directory")
	_, problems = Load(dir, nil)
	equal(t, strings.Join(printed(problems), "\n"), dir+": error: the file cannot be read: is a directory")

	path := filepath.Join(dir, "config.yaml")
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("config.yaml", "include: [more.yaml]\n")
	write("more.yaml", model("rpm: 1"))
	c, problems := Load(path, nil)
	equal(t, len(problems), 0)
	equal(t, len(c.ModelList), 1)
	write("config.yaml", strings.Repeat("#", maxFileSize+1))
	_, problems = Load(path, nil)
	equal(t, HasErrors(problems), true)
}

func TestNearest(t *testing.T) {
	known := []string{"temperature", "top_p", "aws_region_name", "stop", "n"}
	f := func(name, want string) {
		t.Helper()
		equal(t, Nearest(name, known), want)
	}
	f("temprature", "temperature")
	f("tmeperature", "temperature") // two neighbours swapped count once
	f("Temperature", "temperature")
	f("aws_region", "")
	f("aws_region_nmae", "aws_region_name")
	f("stpo", "stop")
	f("spot", "")
	f("m", "")
	f("", "")
	f("anything else", "")
}
