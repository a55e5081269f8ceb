package config

import "testing"

func TestRoutingSettings(t *testing.T) {
	text := `model_list:
  - {model_name: m, litellm_params: {model: bedrock/amazon.nova-lite-v1:0}}
router_settings:
  num_retries: 0
  fallbacks: [{m: [a, {model: b, max_tokens: 5}]}, {"*": c}]
  default_fallbacks: d
  retry_policy: {RateLimitErrorRetries: 3, TimeoutErrorRetries: 0}
  model_group_retry_policy: {m: {InternalServerErrorRetries: 1}}
  allowed_fails: 3
  cooldown_time: 30
litellm_settings:
  num_retries: 4
  context_window_fallbacks: [{m: [l]}]
`
	c, problems := Parse("config.yaml", []byte(text), func(string) (string, bool) { return "", false })
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	r := &c.RouterSettings
	if *r.NumRetries != 0 || *c.LitellmSettings.NumRetries != 4 || *r.AllowedFails != 3 || r.RetryPolicy["RateLimit"] != 3 || r.ModelGroupRetryPolicy["m"]["InternalServer"] != 1 {
		t.Errorf("%+v", r)
	}
	if f := r.Fallbacks["m"]; len(f) != 2 || f[0].Model != "a" || f[1].Model != "b" || string(f[1].Params) != `{"max_tokens":5}` || r.Fallbacks["*"][0].Model != "c" || r.DefaultFallbacks[0].Model != "d" {
		t.Errorf("%+v", r.Fallbacks)
	}
	f := func(line, want string) {
		t.Helper()
		complains(t, inSection("router_settings", line), nil, want)
	}
	f("fallbacks: 5", `config.yaml:3:14: error: fallbacks must be a list of {model group: [models]}, not a number`)
	f("fallbacks: [{m: [{max_tokens: 5}]}]", `config.yaml:3:20: error: a fallback needs model, the name of a model group`)
	f("retry_policy: {RateLimitErrorRetrys: 3}", `config.yaml:3:18: error: unknown key "RateLimitErrorRetrys" in retry_policy; did you mean "RateLimitErrorRetries"?`)
	f("retry_policy: {RateLimitErrorRetries: -3}", `config.yaml:3:41: error: RateLimitErrorRetries must be a whole number, not "-3"`)
	f("num_retries: -1", `config.yaml:3:16: error: num_retries must not be negative`)
}
