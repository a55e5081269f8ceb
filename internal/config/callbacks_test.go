package config

import (
	"reflect"
	"testing"

	"github.com/outcrop-ai/outcrop/internal/secret"
)

func TestCallbacksAreMappedOrNamed(t *testing.T) {
	const has = ": nobody is told of calls through it (those it has: otel, file, s3_v2, generic_api, langfuse, langfuse_otel, datadog, sumologic, prometheus, and those that callback_settings makes of generic_api)"
	complains(t, inSection("litellm_settings", `callbacks: ["otel", prometheus, helicone]`, "success_callback: [langfuse, s3, datadog]", "failure_callback: sentry"), nil,
		`config.yaml:3:35: warning: Outcrop does not have the callback "helicone"`+has,
		`config.yaml:5:21: warning: Outcrop does not have the callback "sentry"`+has)
	complains(t, inSection("litellm_settings", "callbacks: custom_callbacks.proxy_handler_instance"), nil,
		`config.yaml:3:14: warning: Outcrop does not have the callback "custom_callbacks.proxy_handler_instance"`+has)
	complains(t, inSection("litellm_settings", "s3_callback_params: {s3_bucket_name: b, s3_verify: true, s3_batch_size: 5, s3_bucket: x}"), nil,
		`config.yaml:3:60: note: s3_batch_size in s3_callback_params has no effect: a callback's queue has bounds and retries of its own`,
		`config.yaml:3:78: error: unknown key "s3_bucket" in s3_callback_params`)
}

func TestCallbackSettings(t *testing.T) {
	c := complains(t, inSection("callback_settings",
		"mine: {callback_type: generic_api, endpoint: os.environ/MINE, headers: {Authorization: secret}, event_types: [llm_api_failure], log_format: ndjson, max_retries: 3}",
		"otel: {message_logging: true}", "s3: {message_logging: false}",
		"yours: {endpoint: https://x.example}", "theirs: {callback_type: generic_api}", "langfuse: {endpoint: https://x.example}", "datadog: {callback_type: other, event_types: [success], log_format: xml}",
	)+"litellm_settings: {callbacks: [mine, otel], success_callback: [s3, mine]}\n", vars("MINE", "https://mine.example/token"),
		`config.yaml:3:151: note: max_retries in callback_settings has no effect: a callback's queue has bounds and retries of its own`,
		`config.yaml:6:3: error: there is no callback yours: callback_settings has settings of callbacks, and makes ones of callback_type generic_api`,
		`config.yaml:7:3: error: callback_settings.theirs needs endpoint, the URL that payloads are posted to`,
		`config.yaml:8:3: warning: endpoint, headers and log_format of langfuse have no effect without callback_type: generic_api`,
		`config.yaml:9:28: error: callback_type must be generic_api, not "other"`,
		`config.yaml:9:49: error: event_types must be llm_api_success or llm_api_failure, not "success"`,
		`config.yaml:9:71: error: log_format must be json_array, ndjson or single, not "xml"`,
	)
	list := c.Callbacks()
	if len(list) != 3 {
		t.Fatalf("got %+v", list)
	}
	mine, otel, s3 := list[0], list[1], list[2]
	if mine.Name != "mine" || mine.Success || !mine.Failure || !mine.TellsContents() || mine.Settings.Endpoint.Reveal() != "https://mine.example/token" || mine.Settings.LogFormat != "ndjson" ||
		!reflect.DeepEqual(mine.Settings.Headers, map[string]secret.Secret{"Authorization": secret.New("secret")}) {
		t.Errorf("got %+v", mine)
	}
	if otel.Name != "otel" || !otel.TellsContents() || s3.Name != "s3_v2" || s3.TellsContents() {
		t.Errorf("got %+v and %+v", otel, s3)
	}
}

func TestCallbackList(t *testing.T) {
	c := Config{LitellmSettings: LitellmSettings{Callbacks: []string{"otel", "prometheus", "nobody"}, SuccessCallback: []string{"s3", "langfuse"}, FailureCallback: []string{"s3_v2"}}}
	want := []Callback{{Name: "otel", Success: true, Failure: true}, {Name: "s3_v2", Success: true, Failure: true}, {Name: "langfuse", Success: true}}
	if got := c.Callbacks(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v", got)
	}
	if c.Callbacks()[0].TellsContents() {
		t.Error("spans say what was said, and nobody asked")
	}
}
