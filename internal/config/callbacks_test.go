package config

import (
	"slices"
	"testing"
)

func TestCallbacksAreMappedOrNamed(t *testing.T) {
	const has = ": nobody is told of calls through it (those it has: otel, file, s3_v2, generic_api, langfuse, prometheus)"
	complains(t, inSection("litellm_settings", `callbacks: ["otel", prometheus, datadog]`, "success_callback: [langfuse, s3]", "failure_callback: sentry"), nil,
		`config.yaml:3:35: warning: Outcrop does not have the callback "datadog"`+has,
		`config.yaml:5:21: warning: Outcrop does not have the callback "sentry"`+has)
	complains(t, inSection("litellm_settings", "callbacks: custom_callbacks.proxy_handler_instance"), nil,
		`config.yaml:3:14: warning: Outcrop does not have the callback "custom_callbacks.proxy_handler_instance"`+has)
	complains(t, inSection("litellm_settings", "s3_callback_params: {s3_bucket_name: b, s3_verify: true, s3_batch_size: 5, s3_bucket: x}"), nil,
		`config.yaml:3:43: warning: Outcrop does not have s3_verify in s3_callback_params: certificates are always verified; SSL_CERT_FILE names further authorities`,
		`config.yaml:3:60: note: s3_batch_size in s3_callback_params has no effect: a callback's queue has bounds and retries of its own`,
		`config.yaml:3:78: error: unknown key "s3_bucket" in s3_callback_params`)
}

func TestCallbackList(t *testing.T) {
	s := LitellmSettings{Callbacks: []string{"otel", "prometheus", "nobody"}, SuccessCallback: []string{"s3", "langfuse"}, FailureCallback: []string{"s3_v2"}}
	want := []Callback{{"otel", true, true}, {"s3_v2", true, true}, {"langfuse", true, false}}
	if got := s.CallbackList(); !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}
