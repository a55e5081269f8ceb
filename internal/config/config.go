package config

import (
	"encoding/json"
	"time"

	"github.com/outcrop-ai/outcrop/internal/secret"
)

// Config is a whole configuration, every reference resolved. It is not changed after it was loaded.
type Config struct {
	// ModelList holds the deployments in the order of the file.
	ModelList []Deployment
	// LitellmSettings holds what applies to every call.
	LitellmSettings LitellmSettings
	// RouterSettings holds how a deployment is chosen. A key here wins over the same key in LitellmSettings.
	RouterSettings RouterSettings
	// GeneralSettings holds what concerns the server itself.
	GeneralSettings GeneralSettings
	// CallbackSettings holds callback_settings: settings of callbacks by their names.
	CallbackSettings map[string]CallbackSetting
	// Credentials holds credential_list by credential_name. They are merged into the deployments that name them.
	Credentials map[string]LitellmParams
	// Environment holds environment_variables: what this file adds to the process environment for this configuration.
	Environment map[string]secret.Secret
	// Files holds every file that was read, the main one first.
	Files []string
}

// Deployment is one entry of model_list: a way to call one model. Deployments with the same name form a model group.
type Deployment struct {
	// ModelName is what clients send as model. A * in it matches any text: bedrock/*, or * for every model.
	ModelName string `yaml:"model_name"`
	// Params says how the model is called.
	Params LitellmParams `yaml:"litellm_params"`
	// Info describes the model. Its ID is always set: the one from the file, else a hash of name and params.
	Info ModelInfo `yaml:"model_info"`
	// Pos is where the entry begins.
	Pos Pos `yaml:"-"`
}

// LitellmParams says how one deployment is called: connection, identity, policy, and the parameters that a request
// gets when the client leaves them out.
type LitellmParams struct {
	// Model is [bedrock/][route/]id, where the id is a model id, an inference profile or an ARN. The prefix bedrock/ can
	// be left out when custom_llm_provider is bedrock or the id is clearly one of Bedrock's. Required.
	Model string `yaml:"model" check:"no-comma"`
	// CustomLLMProvider is bedrock, the only provider. Default: taken from the prefix of model.
	CustomLLMProvider string `yaml:"custom_llm_provider"`
	// ModelID goes into the URL instead of model: a provisioned, imported or application inference profile ARN. The
	// family, the price and the capabilities still come from model.
	ModelID string `yaml:"model_id" check:"no-comma"`

	// AWSAccessKeyID is the id of a static key, aws_secret_access_key beside it.
	AWSAccessKeyID string `yaml:"aws_access_key_id" check:"no-comma"`
	// AWSSecretAccessKey is the secret of a static key.
	AWSSecretAccessKey secret.Secret `yaml:"aws_secret_access_key" check:"no-comma"`
	// AWSSessionToken belongs to a temporary key. That of the environment never joins a key configured here.
	AWSSessionToken secret.Secret `yaml:"aws_session_token" check:"no-comma"`
	// AWSRegionName is the region to call, such as eu-central-1. Default: the region in model or in its ARN, then
	// AWS_REGION_NAME, AWS_REGION, AWS_DEFAULT_REGION, the profile's, the instance's, us-west-2.
	AWSRegionName string `yaml:"aws_region_name" check:"no-comma,region"`
	// AWSProfileName is a profile of the shared AWS files.
	AWSProfileName string `yaml:"aws_profile_name" check:"no-comma"`
	// AWSRoleName is the ARN of a role to assume, with the identity configured beside it, else the ambient one.
	AWSRoleName string `yaml:"aws_role_name" check:"no-comma,role"`
	// AWSSessionName is the RoleSessionName of the assumed role. Default: one made from the host's name.
	AWSSessionName string `yaml:"aws_session_name" check:"no-comma,session-name"`
	// AWSExternalID is the ExternalId that the role's trust policy asks for.
	AWSExternalID string `yaml:"aws_external_id" check:"no-comma"`
	// AWSSessionTags are the session tags of the assumed role, at most 50.
	AWSSessionTags SessionTags `yaml:"aws_session_tags"`
	// AWSSessionPolicy is an inline session policy (JSON) for the assumed role. Default: none.
	AWSSessionPolicy string `yaml:"aws_session_policy"`
	// AWSRoleDuration is the life of the assumed role's credentials. Default: what STS gives, one hour.
	AWSRoleDuration time.Duration `yaml:"aws_role_duration" check:"not-negative"`
	// AWSWebIdentityToken is a token, a file, or a source (oidc/file/…, oidc/github/… and others: docs/authentication.md) for
	// AssumeRoleWithWebIdentity.
	// It needs aws_role_name.
	AWSWebIdentityToken secret.Secret `yaml:"aws_web_identity_token" check:"no-comma"`
	// AWSAttribution names who calls in the sessions of aws_role_name, so that AWS's bill does: session_name, tags, max_sessions
	// and on_missing, see docs/authentication.md. false switches off that of litellm_settings. Default: that of
	// litellm_settings.
	AWSAttribution *Attribution `yaml:"aws_attribution"`
	// AWSSTSEndpoint is the URL of STS. Default: the one of the region.
	AWSSTSEndpoint string `yaml:"aws_sts_endpoint" check:"no-comma,url"`
	// AWSBedrockRuntimeEndpoint is the URL of bedrock-runtime. It wins over api_base. Default: the one of the region.
	AWSBedrockRuntimeEndpoint string `yaml:"aws_bedrock_runtime_endpoint" check:"no-comma,url"`
	// AWSBedrockControlPlaneEndpoint is the URL of the control plane. Default: the one of the region.
	AWSBedrockControlPlaneEndpoint string `yaml:"aws_bedrock_control_plane_endpoint" check:"no-comma,url"`
	// AWSBedrockAgentRuntimeEndpoint is the URL of bedrock-agent-runtime, or off: rerankers are then called through
	// InvokeModel. Default: that of bedrock-runtime with the other service's name in its host, else the one of the region.
	AWSBedrockAgentRuntimeEndpoint string `yaml:"aws_bedrock_agent_runtime_endpoint" check:"no-comma,service"`
	// AWSBedrockMantleEndpoint is the URL of Bedrock's Mantle endpoint. Default: BEDROCK_MANTLE_API_BASE, else that of
	// bedrock-runtime where that is a proxy's, else the one of the region.
	AWSBedrockMantleEndpoint string `yaml:"aws_bedrock_mantle_endpoint" check:"no-comma,url"`
	// AWSBedrockProjectID is the project that calls to Bedrock's Mantle endpoint are booked to: it goes up as OpenAI-Project,
	// and to Claude as Anthropic-Workspace-Id.
	AWSBedrockProjectID string `yaml:"aws_bedrock_project_id" check:"no-comma"`
	// APIKey is a Bedrock API key. It is sent as a bearer token and nothing is signed. Empty means: none.
	APIKey secret.Secret `yaml:"api_key"`
	// APIBase is the URL of bedrock-runtime; with the converse_like route the whole URL, nothing appended.
	APIBase string `yaml:"api_base" check:"no-comma,url"`
	// SSLVerify is true, false (no certificate of AWS's or STS's is looked at: for trials only) or a file of certificate
	// authorities in PEM form. Default: that of litellm_settings.
	SSLVerify TLSVerify `yaml:"ssl_verify" check:"no-comma"`
	// AllowHTTPUpstream permits http:// towards hosts that are neither loopback nor private. Default: false.
	AllowHTTPUpstream bool `yaml:"allow_http_upstream"`
	// CredentialName names the entry of credential_list whose values apply where no value stands here.
	CredentialName string `yaml:"litellm_credential_name"`
	// ClientsideAuthParams are the connection parameters that clients may set in their requests: names, or {name: pattern} with
	// a regular expression that the whole value must match. See docs/authentication.md. Default: none.
	ClientsideAuthParams ClientParams `yaml:"configurable_clientside_auth_params"`
	// ExtraHeaders are sent on every call upstream, before signing. Authorization here replaces ours.
	ExtraHeaders map[string]secret.Secret `yaml:"extra_headers"`

	// DropParams removes OpenAI parameters that the model does not know instead of refusing the request.
	// Default: litellm_settings.drop_params.
	DropParams *bool `yaml:"drop_params"`
	// AdditionalDropParams are paths that are always removed from requests, such as response_format or tools[*].strict.
	AdditionalDropParams []string `yaml:"additional_drop_params"`
	// AllowedOpenAIParams are OpenAI parameters that pass without a check.
	AllowedOpenAIParams []string `yaml:"allowed_openai_params"`
	// ModifyParams allows repairs of requests that Bedrock would refuse. Default: litellm_settings.modify_params.
	ModifyParams *bool `yaml:"modify_params"`
	// UserContinueMessage is the message that repairs a conversation where a user turn is missing.
	UserContinueMessage json.RawMessage `yaml:"user_continue_message" check:"message"`
	// AssistantContinueMessage is the message that repairs a conversation where an assistant turn is missing.
	AssistantContinueMessage json.RawMessage `yaml:"assistant_continue_message" check:"message"`
	// UnknownAnthropicBetas says what becomes of anthropic-beta flags that Outcrop does not know: pass, drop (named in
	// x-outcrop-loss) or refuse. Default: pass.
	UnknownAnthropicBetas string `yaml:"unknown_anthropic_betas" check:"betas"`
	// GuardrailLastUserTurn has the guardrail judge the user's last messages only, where no text is marked for it as
	// guarded_text. Default: false, which has AWS judge the whole conversation.
	GuardrailLastUserTurn bool `yaml:"guardrail_last_user_turn"`
	// DefaultMaxTokens is the limit of an answer, in tokens, for models that demand one on InvokeModel (Claude), where the
	// request has none. Default: the model's own limit, at most 8192, since AWS books it against the quota.
	DefaultMaxTokens int `yaml:"default_max_tokens" check:"not-negative"`
	// PromptTemplate is how an imported model wants its conversation as one text: llama2, llama3, llama4, chatml, r1 or
	// mistral. Default: that of the family in the model's name.
	PromptTemplate string `yaml:"prompt_template" check:"template"`
	// HFModelName is the model's name at Hugging Face, which tells the template, too.
	HFModelName string `yaml:"hf_model_name"`
	// Roles are own marks around the texts of system, user and assistant: {user: {pre_message: …, post_message: …}}.
	Roles json.RawMessage `yaml:"roles" check:"roles"`
	// InitialPromptValue stands before the conversation, with roles.
	InitialPromptValue string `yaml:"initial_prompt_value" check:"mark"`
	// FinalPromptValue stands behind the conversation, with roles.
	FinalPromptValue string `yaml:"final_prompt_value" check:"mark"`
	// BOSToken begins the conversation, with roles.
	BOSToken string `yaml:"bos_token" check:"mark"`
	// EOSToken ends an answer of the conversation, with roles.
	EOSToken string `yaml:"eos_token" check:"mark"`
	// RawPromptTokens leaves a template's marks in texts as they are, so that texts can speak in another role.
	// Default: false.
	RawPromptTokens bool `yaml:"raw_prompt_tokens"`
	// OnClientDisconnect is cancel (end the call upstream) or drain (read it to its end, for its usage).
	// Default: general_settings.on_client_disconnect.
	OnClientDisconnect Disconnect `yaml:"on_client_disconnect" check:"disconnect"`

	// Timeout bounds a whole call that is not a stream. 0 or absent: router_settings.timeout.
	Timeout time.Duration `yaml:"timeout" check:"not-negative"`
	// StreamTimeout bounds the time to the first event of a stream. 0 or absent: router_settings.stream_timeout.
	StreamTimeout time.Duration `yaml:"stream_timeout" check:"not-negative"`
	// StreamIdleTimeout bounds the silence between two events of a stream. 0 or absent: the router's.
	StreamIdleTimeout time.Duration `yaml:"stream_idle_timeout" check:"not-negative"`
	// ConnectTimeout bounds the TCP and TLS handshake. 0 or absent: the router's.
	ConnectTimeout time.Duration `yaml:"connect_timeout" check:"not-negative"`
	// FirstByteTimeout bounds the wait for the answer's headers. 0 or absent: the router's.
	FirstByteTimeout time.Duration `yaml:"first_byte_timeout" check:"not-negative"`
	// MaxRetries is how often a failed call is tried again. Default: the router's.
	MaxRetries *int `yaml:"max_retries" check:"not-negative"`
	// NumRetries is LiteLLM's other name for max_retries, and wins over it.
	NumRetries *int `yaml:"num_retries" check:"not-negative"`

	// Weight is the deployment's share when its group is shuffled. Default: rpm, else tpm, else equal shares.
	Weight *float64 `yaml:"weight" check:"not-negative"`
	// RPM is the deployment's quota of requests per minute: it weighs the shuffle, and another deployment is used while the
	// quota is used up. It is enforced with enforce_model_rate_limits in router_settings.optional_pre_call_checks.
	RPM *int `yaml:"rpm" check:"not-negative"`
	// TPM is its quota of tokens per minute as AWS counts them: input, tokens written to a cache, and max_tokens while a call
	// runs; then the real output, five times for Claude from 3.7 on.
	TPM *int `yaml:"tpm" check:"not-negative"`
	// ITPM is its quota of tokens of prompts per minute.
	ITPM *int `yaml:"itpm" check:"not-negative"`
	// OTPM is its quota of tokens of answers per minute.
	OTPM *int `yaml:"otpm" check:"not-negative"`
	// RPD is its quota of requests per day.
	RPD *int `yaml:"rpd" check:"not-negative"`
	// TPD is its quota of tokens per day.
	TPD *int `yaml:"tpd" check:"not-negative"`
	// Order ranks the deployments of a group: the lowest is used while it works.
	Order *int `yaml:"order"`
	// Tags are what requests can ask for with tag filtering.
	Tags []string `yaml:"tags"`
	// MaxParallelRequests bounds the calls in flight to this deployment. Default: router_settings.default_max_parallel_requests.
	MaxParallelRequests *int `yaml:"max_parallel_requests" check:"not-negative"`
	// MaxBudget is what the deployment may cost in one budget_duration, in USD. Default: no bound.
	MaxBudget *float64 `yaml:"max_budget" check:"not-negative"`
	// BudgetDuration is the period of max_budget: 30s, 20m, 12h, 1d, 7d, 30d, 1mo. Default: for ever.
	BudgetDuration string `yaml:"budget_duration" check:"budget-duration"`
	// MockResponse is answered without a call to AWS.
	MockResponse string `yaml:"mock_response"`

	// Prices replace the catalogue's, by LiteLLM's names such as input_cost_per_token: USD per unit. 0 is a price: free.
	Prices map[string]float64 `yaml:"-"`

	// Defaults is a JSON object with every other key, in the order of the file: OpenAI's parameters and those of the
	// model's family. They are used where a client leaves the field out. nil when there are none.
	Defaults json.RawMessage `yaml:"-"`
}

// ModelInfo describes a deployment's model.
type ModelInfo struct {
	// ID names the deployment and is stable over restarts and replicas. Default: SHA-256 of name and params, in hex.
	ID string `yaml:"id"`
	// Mode is what the model does: chat, completion, embedding, image_generation, rerank …. Default: the catalogue's.
	Mode string `yaml:"mode" check:"mode"`
	// BaseModel is the model whose price and capabilities apply when the id in model is opaque.
	BaseModel string `yaml:"base_model"`
	// MaxTokens is the largest number of tokens in an answer. Default: the catalogue's.
	MaxTokens *int `yaml:"max_tokens" check:"not-negative"`
	// MaxInputTokens is the size of the context in tokens. Default: the catalogue's.
	MaxInputTokens *int `yaml:"max_input_tokens" check:"not-negative"`
	// MaxOutputTokens is the same as max_tokens, and wins over it.
	MaxOutputTokens *int `yaml:"max_output_tokens" check:"not-negative"`
	// Tags are those of litellm_params, too.
	Tags []string `yaml:"tags"`
	// AccessGroups are names under which the models of keys, teams and organizations may allow this one.
	AccessGroups []string `yaml:"access_groups"`
	// AllowedFails replaces the router's for this deployment, which is then left alone even if its group has no other.
	AllowedFails *int `yaml:"allowed_fails" check:"not-negative"`
	// AllowedFailsPolicy is allowed_fails by the class of the failure: {RateLimitErrorAllowedFails: 100, …}.
	AllowedFailsPolicy FailureCounts `yaml:"allowed_fails_policy"`
	// Blocked takes the deployment out of use. Default: false.
	Blocked bool `yaml:"blocked"`
	// CooldownTime is how long it is left alone. Default: the router's.
	CooldownTime time.Duration `yaml:"cooldown_time" check:"not-negative"`
	// GuardrailOverridable lets a client replace a guardrailConfig of litellm_params. Default: false.
	GuardrailOverridable bool `yaml:"guardrail_overridable"`
	// Prices replace the catalogue's, as in litellm_params, which wins.
	Prices map[string]float64 `yaml:"-"`
	// Supports holds the supports_… keys without that prefix: what the model can do, whatever the catalogue says.
	Supports map[string]bool `yaml:"-"`
	// Extra is a JSON object with every other key, in the order of the file. /model/info gives it back.
	// nil when there are none.
	Extra json.RawMessage `yaml:"-"`
}

// LitellmSettings holds what applies to every call.
type LitellmSettings struct {
	// NumRetries is how many further tries a failed call gets in its model group. Default: 2.
	NumRetries *int `yaml:"num_retries" check:"not-negative"`
	// Fallbacks are the models that stand in for a group's when all tries have failed: [{group: [model, …]}]; "*" is any group.
	Fallbacks Fallbacks `yaml:"fallbacks"`
	// ContextWindowFallbacks stand in where the prompt is too long for the model.
	ContextWindowFallbacks Fallbacks `yaml:"context_window_fallbacks"`
	// ContentPolicyFallbacks stand in where the model's filter refuses the prompt or the answer.
	ContentPolicyFallbacks Fallbacks `yaml:"content_policy_fallbacks"`
	// DefaultFallbacks stand in for every group that has no fallbacks of its own.
	DefaultFallbacks FallbackList `yaml:"default_fallbacks"`
	// MaxFallbacks bounds how many of them are asked for one call. Default: 5.
	MaxFallbacks *int `yaml:"max_fallbacks" check:"not-negative"`
	// AllowedFails is how many calls of a minute may fail before a deployment is left alone, if its group has another.
	// Default: a throttle, or more than half of at least five calls.
	AllowedFails *int `yaml:"allowed_fails" check:"not-negative"`
	// CooldownTime is how long it is left alone, if AWS does not say. Default: 5 s.
	CooldownTime time.Duration `yaml:"cooldown_time" check:"not-negative"`
	// DropParams removes OpenAI parameters that the model does not know instead of refusing the request. Default: false.
	DropParams bool `yaml:"drop_params"`
	// ModifyParams allows repairs of requests that Bedrock would refuse. Default: false.
	ModifyParams bool `yaml:"modify_params"`
	// RequestTimeout bounds a whole call that is not a stream. The timeout of the router or of a deployment wins.
	// Default: none, the router's 600 s apply.
	RequestTimeout time.Duration `yaml:"request_timeout" check:"not-negative"`
	// SSLVerify is the ssl_verify of deployments that have none. Default: SSL_VERIFY of the environment, then true with the
	// authorities of the system, of AWS_CA_BUNDLE and of SSL_CERT_FILE.
	SSLVerify TLSVerify `yaml:"ssl_verify" check:"no-comma"`
	// AWSAttribution is the aws_attribution of deployments that have none. Each of them needs aws_role_name then, or
	// aws_attribution: false. Default: none.
	AWSAttribution *Attribution `yaml:"aws_attribution"`
	// Callbacks are told of every call: otel, file, s3_v2, generic_api, langfuse, langfuse_otel, datadog, sumologic, and names of
	// callback_settings; prometheus is always there. See docs/observability.md. Default: none.
	Callbacks []string `yaml:"callbacks" check:"callback"`
	// SuccessCallback are callbacks that are told of calls that went well.
	SuccessCallback []string `yaml:"success_callback" check:"callback"`
	// FailureCallback are callbacks that are told of calls that failed.
	FailureCallback []string `yaml:"failure_callback" check:"callback"`
	// FileCallbackParams say where the callback file writes.
	FileCallbackParams FileCallback `yaml:"file_callback_params"`
	// S3CallbackParams say where the callback s3_v2 writes, and as whom.
	S3CallbackParams S3Callback `yaml:"s3_callback_params"`
	// GenericLoggerHeaders are sent with every request of the callback generic_api.
	GenericLoggerHeaders map[string]secret.Secret `yaml:"generic_logger_headers"`
	// LangfuseDefaultTags are further tags of Langfuse's traces: cache_hit, cache_key.
	LangfuseDefaultTags []string `yaml:"langfuse_default_tags"`
	// TurnOffMessageLogging keeps what was said from all callbacks. Clients can ask for it with the header
	// x-litellm-enable-message-redaction: true. Default: false.
	TurnOffMessageLogging bool `yaml:"turn_off_message_logging"`
	// RedactUserAPIKeyInfo keeps from callbacks with whose key a call was made. Default: false.
	RedactUserAPIKeyInfo bool `yaml:"redact_user_api_key_info"`
	// GlobalDisableNoLogParam has callbacks told of calls whose body says "no-log": true, too. Default: false.
	GlobalDisableNoLogParam bool `yaml:"global_disable_no_log_param"`
	// StandardLoggingPayloadExcludedFields are left out of the payloads of file, s3_v2 and generic_api, such as messages.
	StandardLoggingPayloadExcludedFields []string `yaml:"standard_logging_payload_excluded_fields"`
	// JSONLogs writes the log as JSON lines. Default: false.
	JSONLogs bool `yaml:"json_logs"`
	// SetVerbose sets the log level to debug. Default: false.
	SetVerbose bool `yaml:"set_verbose"`
	// UserURLAllowedHosts names hosts from which files that clients name by URL are fetched although their addresses are
	// not public, such as media.internal or media.internal:8080. Default: none.
	UserURLAllowedHosts []string `yaml:"user_url_allowed_hosts"`
	// ModelGroupSettings holds settings for some model groups only.
	ModelGroupSettings ModelGroupSettings `yaml:"model_group_settings"`
	// DefaultKeyGenerateParams are the fields of /key/generate that apply where a request leaves them out. Default: none.
	DefaultKeyGenerateParams json.RawMessage `yaml:"default_key_generate_params"`
	// UpperboundKeyGenerateParams bound those of every new key: max_budget, budget_duration, duration, tpm_limit, rpm_limit and
	// max_parallel_requests. More is lowered, and the answer's warnings say so. Default: none.
	UpperboundKeyGenerateParams json.RawMessage `yaml:"upperbound_key_generate_params"`
	// KeyGenerationSettings say which users may make keys: team_key_generation.allowed_team_member_roles (else the team's
	// admins only) and personal_key_generation.allowed_user_roles (else every internal_user), each with required_params.
	KeyGenerationSettings json.RawMessage `yaml:"key_generation_settings"`
	// DefaultTeamParams are the fields of /team/new that apply where a request leaves them out. Default: none.
	DefaultTeamParams json.RawMessage `yaml:"default_team_params"`
	// DefaultInternalUserParams are the fields of /user/new that apply where a request leaves them out. Default: none.
	DefaultInternalUserParams json.RawMessage `yaml:"default_internal_user_params"`
	// MaxInternalUserBudget is the max_budget of new users that have none, in USD. Default: none.
	MaxInternalUserBudget *float64 `yaml:"max_internal_user_budget" check:"not-negative"`
	// InternalUserBudgetDuration is its budget_duration, such as 30d. Default: for ever.
	InternalUserBudgetDuration string `yaml:"internal_user_budget_duration"`
	// Cache keeps answers and gives them again to the same question, see cache_params. Default: false.
	Cache bool `yaml:"cache"`
	// CacheParams say where answers are kept, and for how long.
	CacheParams CacheParams `yaml:"cache_params"`
	// RequireAuthForMetrics asks for a key on /metrics, whose numbers say who has spent what. Default: true.
	RequireAuthForMetrics *bool `yaml:"require_auth_for_metrics_endpoint"`
	// PrometheusLatencyBuckets are the upper bounds of the buckets of latencies, in seconds. Default: 0.005 to 300.
	PrometheusLatencyBuckets []float64 `yaml:"prometheus_latency_buckets" check:"positive"`
	// PrometheusEndUsers adds end users to the labels of metrics. Clients choose them, so there may be many. Default: false.
	PrometheusEndUsers bool `yaml:"enable_end_user_cost_tracking_prometheus_only"`
	// PrometheusMetrics are the only metrics of LiteLLM's names that /metrics has, in groups of {group, metrics, include_labels}.
	// Outcrop's own stay. Default: all, with the labels that docs/observability.md names.
	PrometheusMetrics []MetricsGroup `yaml:"prometheus_metrics_config"`
	// PrometheusExcludeMetrics are metrics that /metrics lacks.
	PrometheusExcludeMetrics []string `yaml:"prometheus_exclude_metrics" check:"metrics"`
	// PrometheusExcludeLabels are labels that no metric of LiteLLM's names has.
	PrometheusExcludeLabels []string `yaml:"prometheus_exclude_labels" check:"metric-labels"`
	// CustomPrometheusMetadataLabels are members of the metadata of requests and keys that become labels of metrics that count
	// calls: metadata.foo, foo.bar.
	CustomPrometheusMetadataLabels []string `yaml:"custom_prometheus_metadata_labels"`
	// CustomPrometheusTags are tags of requests that become labels tag_… of metrics that count calls, true or false. A * in one is
	// any text.
	CustomPrometheusTags []string `yaml:"custom_prometheus_tags"`
	// PrometheusInitializeBudgets has the metrics of budgets tell of all keys, teams, users and organizations, not only of those
	// that have called since the start. Default: false.
	PrometheusInitializeBudgets bool `yaml:"prometheus_initialize_budget_metrics"`
	// PrometheusStreamLabel adds the label stream to litellm_proxy_total_requests_metric. Default: false.
	PrometheusStreamLabel bool `yaml:"prometheus_emit_stream_label"`
	// PrometheusSequenceLabel adds the label input_sequence_length (0-1k to 64k+) to the latencies of calls. Default: false.
	PrometheusSequenceLabel bool `yaml:"prometheus_emit_input_sequence_length_label"`
	// PrometheusRateLimitLabels adds rate_limit_category and rate_limit_type to litellm_proxy_failed_requests_metric. Default:
	// false.
	PrometheusRateLimitLabels bool `yaml:"prometheus_emit_rate_limit_labels"`
	// PrometheusCallerIdentity tells callers apart in the metrics of latencies and deployments by api_key_alias, user_email or
	// both. Default: api_key_alias.
	PrometheusCallerIdentity string `yaml:"prometheus_deployment_and_latency_caller_identity" check:"caller-identity"`
	// PrometheusUserNames adds user_email and user_alias to the metrics of users' budgets. Default: false.
	PrometheusUserNames bool `yaml:"prometheus_user_budget_label_include_email_alias"`
	// PrometheusMaxSeries bounds the sets of labels; calls beyond are counted together. Default: 10000.
	PrometheusMaxSeries int `yaml:"prometheus_metrics_max_series_per_metric" check:"positive"`
	// MaxBudget is what all calls together may cost in one budget_duration, in USD. Default: no bound.
	MaxBudget *float64 `yaml:"max_budget" check:"not-negative"`
	// BudgetDuration is the period of max_budget: 30s, 20m, 12h, 1d (from midnight), 7d (from Monday), 30d or 1mo (from the
	// first). Default: for ever.
	BudgetDuration string `yaml:"budget_duration" check:"budget-duration"`
	// BudgetExceededStatusCode is the HTTP status of a call over budget. Default: 422.
	BudgetExceededStatusCode int `yaml:"budget_exceeded_status_code" check:"not-negative"`
	// MaxEndUserBudget is what each end user (the request's user) may cost, in USD. Default: no bound.
	MaxEndUserBudget *float64 `yaml:"max_end_user_budget" check:"not-negative"`
	// Timezone is that of the calendar by which budgets are reset, such as Europe/Berlin. Default: UTC.
	Timezone string `yaml:"timezone" check:"timezone"`
	// DefaultEstimatedOutputTokens are the tokens of an answer that limits of tokens count while a call without max_tokens
	// runs. Default: 4096, or the model's longest answer if that is less.
	DefaultEstimatedOutputTokens int `yaml:"default_estimated_output_tokens" check:"not-negative"`
}

// CallbackSetting are settings of the callback of a name.
type CallbackSetting struct {
	// CallbackType is generic_api: the callback posts payloads to endpoint, and callbacks may name it. Default: the name is that
	// of a callback that there is.
	CallbackType string `yaml:"callback_type" check:"callback-type"`
	// Endpoint is the URL that payloads are posted to, of callback_type generic_api.
	Endpoint secret.Secret `yaml:"endpoint"`
	// Headers are sent with them.
	Headers map[string]secret.Secret `yaml:"headers"`
	// EventTypes are the calls that are told of: llm_api_success, llm_api_failure. Default: both.
	EventTypes []string `yaml:"event_types" check:"event-types"`
	// LogFormat is json_array, ndjson or single (a request for each call). Default: json_array.
	LogFormat string `yaml:"log_format" check:"log-format"`
	// MessageLogging has the callback told what was said. Default: true; of otel false.
	MessageLogging *bool `yaml:"message_logging"`
}

// MetricsGroup is a group of metrics for Prometheus.
type MetricsGroup struct {
	// Group names the group, for people.
	Group string `yaml:"group"`
	// Metrics are LiteLLM's names of the metrics, without _total.
	Metrics []string `yaml:"metrics" check:"metrics"`
	// IncludeLabels are the only labels that they have. Default: all.
	IncludeLabels []string `yaml:"include_labels"`
}

// FileCallback says where the callback file writes.
type FileCallback struct {
	// Path is the file, one JSON object a line. Default: calls.jsonl in the data directory.
	Path string `yaml:"path"`
	// MaxSizeMB is the size in MiB at which a new file begins; the old one is renamed to path.1. Default: 100.
	MaxSizeMB float64 `yaml:"max_size_mb" check:"positive"`
	// MaxBackups is how many old files are kept. Default: 5.
	MaxBackups *int `yaml:"max_backups" check:"not-negative"`
}

// S3Callback says where the callback s3_v2 writes, and as whom: an object for each call.
type S3Callback struct {
	// Bucket is the bucket's name. Required.
	Bucket string `yaml:"s3_bucket_name"`
	// Region is the bucket's region. Default: AWS_REGION of the environment.
	Region string `yaml:"s3_region_name" check:"region"`
	// Path is put before each object's key.
	Path string `yaml:"s3_path"`
	// EndpointURL is the URL of S3. Default: the one of the region.
	EndpointURL string `yaml:"s3_endpoint_url" check:"url"`
	// VirtualHosted puts the bucket into the host of s3_endpoint_url. Default: false.
	VirtualHosted bool `yaml:"s3_use_virtual_hosted_style"`
	// AccessKeyID is the id of a static key. Default: the environment's identity.
	AccessKeyID string `yaml:"s3_aws_access_key_id"`
	// SecretAccessKey is the secret of the static key.
	SecretAccessKey secret.Secret `yaml:"s3_aws_secret_access_key"`
	// SessionToken belongs to a temporary key.
	SessionToken secret.Secret `yaml:"s3_aws_session_token"`
	// RoleName is the ARN of a role to assume.
	RoleName string `yaml:"s3_aws_role_name" check:"role"`
	// SessionName is the RoleSessionName of the assumed role.
	SessionName string `yaml:"s3_aws_session_name" check:"session-name"`
	// ProfileName is a profile of the shared AWS files.
	ProfileName string `yaml:"s3_aws_profile_name"`
	// WebIdentityToken is as aws_web_identity_token of litellm_params.
	WebIdentityToken secret.Secret `yaml:"s3_aws_web_identity_token"`
	// STSEndpoint is the URL of STS. Default: the one of the region.
	STSEndpoint string `yaml:"s3_aws_sts_endpoint" check:"url"`
	// TeamPrefix puts the team's id into each object's key. Default: false.
	TeamPrefix bool `yaml:"s3_use_team_prefix"`
	// KeyPrefix puts the alias of the caller's key into each object's key. Default: false.
	KeyPrefix bool `yaml:"s3_use_key_prefix"`
	// Partition is day or hour: how objects are put into folders. Default: day.
	Partition string `yaml:"s3_partition_granularity" check:"partition"`
	// Encryption is S3's server-side encryption: AES256 or aws:kms. Default: the bucket's.
	Encryption string `yaml:"s3_server_side_encryption"`
	// KMSKeyID is the key of aws:kms. Default: AWS's own.
	KMSKeyID string `yaml:"s3_sse_kms_key_id"`
	// Verify is false, or a file of further authorities, for an s3_endpoint_url with a certificate of its own. Default: true.
	Verify TLSVerify `yaml:"s3_verify"`
	// StripBase64 leaves images and files out of the messages of payloads. Default: false.
	StripBase64 bool `yaml:"s3_strip_base64_files"`
}

// ModelGroupSettings holds settings for some model groups only.
type ModelGroupSettings struct {
	// ForwardClientHeaders lists the groups whose calls carry the client's x- headers. Default: none.
	ForwardClientHeaders []string `yaml:"forward_client_headers_to_llm_api"`
}

// RouterSettings holds how a deployment of a model group is chosen and how long it may take.
type RouterSettings struct {
	// RoutingStrategy chooses among the deployments of a group: simple-shuffle (at random, by weight), least-busy (fewest calls
	// under way), latency-based-routing (fastest of late), usage-based-routing or usage-based-routing-v2 (fewest tokens in
	// the minute), cost-based-routing (cheapest), headroom (largest share of its quota left). Default: simple-shuffle.
	RoutingStrategy string `yaml:"routing_strategy" check:"strategy"`
	// RoutingStrategyArgs tune latency-based-routing: lowest_latency_buffer lets those share the traffic that are slower than
	// the fastest by this share.
	RoutingStrategyArgs RoutingStrategyArgs `yaml:"routing_strategy_args"`
	// EnablePreCallChecks looks before a call whether a deployment's context window and abilities suffice for it.
	EnablePreCallChecks bool `yaml:"enable_pre_call_checks"`
	// OptionalPreCallChecks are further rules: enforce_model_rate_limits (a quota is never exceeded), session_affinity (calls
	// with one x-litellm-session-id stay together), deployment_affinity (those of one user or key do), prompt_caching (which
	// is on anyway, see cache_aware_routing).
	OptionalPreCallChecks []string `yaml:"optional_pre_call_checks" check:"pre-call"`
	// DeploymentAffinityTTL is how long a session or a caller is remembered. Default: 1 h.
	DeploymentAffinityTTL time.Duration `yaml:"deployment_affinity_ttl_seconds" check:"not-negative"`
	// CacheAwareRouting keeps a conversation with cache points at the deployment that holds its prefix, for as long as AWS
	// does. Default: true.
	CacheAwareRouting *bool `yaml:"cache_aware_routing"`
	// EnableTagFiltering sends requests with tags to the deployments that have them. Requests without tags, and those whose tags
	// none has, go to those tagged default; requests without tags else to those without.
	EnableTagFiltering bool `yaml:"enable_tag_filtering"`
	// TagFilteringMatchAny is content with one of a request's tags, instead of all. Default: true.
	TagFilteringMatchAny *bool `yaml:"tag_filtering_match_any"`
	// DefaultMaxParallelRequests bounds the calls in flight to each deployment that has no bound of its own. Default: none.
	DefaultMaxParallelRequests *int `yaml:"default_max_parallel_requests" check:"not-negative"`
	// ModelGroupAlias gives further names to model groups: {name: group}, or {name: {model: group, hidden: true}}.
	ModelGroupAlias Aliases `yaml:"model_group_alias"`
	// NumRetries is how many further tries a failed call gets in its model group. Default: that of litellm_settings, else 2.
	NumRetries *int `yaml:"num_retries" check:"not-negative"`
	// Fallbacks are the models that stand in for a group's when all tries have failed: [{group: [model, …]}]; "*" is any group.
	Fallbacks Fallbacks `yaml:"fallbacks"`
	// ContextWindowFallbacks stand in where the prompt is too long for the model.
	ContextWindowFallbacks Fallbacks `yaml:"context_window_fallbacks"`
	// ContentPolicyFallbacks stand in where the model's filter refuses the prompt or the answer.
	ContentPolicyFallbacks Fallbacks `yaml:"content_policy_fallbacks"`
	// DefaultFallbacks stand in for every group that has no fallbacks of its own.
	DefaultFallbacks FallbackList `yaml:"default_fallbacks"`
	// MaxFallbacks bounds how many of them are asked for one call. Default: 5.
	MaxFallbacks *int `yaml:"max_fallbacks" check:"not-negative"`
	// AllowedFails is how many calls of a minute may fail before a deployment is left alone, if its group has another.
	// Default: a throttle, or more than half of at least five calls.
	AllowedFails *int `yaml:"allowed_fails" check:"not-negative"`
	// CooldownTime is how long it is left alone, if AWS does not say. Default: 5 s.
	CooldownTime time.Duration `yaml:"cooldown_time" check:"not-negative"`
	// AllowedFailsPolicy is allowed_fails by the class of the failure: {RateLimitErrorAllowedFails: 100, …}.
	AllowedFailsPolicy FailureCounts `yaml:"allowed_fails_policy"`
	// RetryAfter is the least time before the same deployment is asked again. Default: 0.5 s, twice as long each time.
	RetryAfter time.Duration `yaml:"retry_after" check:"not-negative"`
	// HedgeAfter asks a second deployment of the group when the first has not begun to answer for so long; whichever answers
	// first is used, and the other call ends. Default: off.
	HedgeAfter time.Duration `yaml:"hedge_after" check:"not-negative"`
	// HedgeMaxPercent is how many of a hundred calls may be asked twice. Default: 5.
	HedgeMaxPercent *float64 `yaml:"hedge_max_percent" check:"not-negative"`
	// RetryPolicy is num_retries by the class of the failure: {RateLimitErrorRetries: 3, …}.
	RetryPolicy FailureCounts `yaml:"retry_policy"`
	// ProviderBudgetConfig is what all calls to AWS may cost together: {bedrock: {budget_limit: USD, time_period: 1d}}.
	ProviderBudgetConfig ProviderBudgets `yaml:"provider_budget_config"`
	// ModelGroupRetryPolicy is retry_policy by model group.
	ModelGroupRetryPolicy GroupFailureCounts `yaml:"model_group_retry_policy"`
	// DisableCooldowns leaves no deployment alone.
	DisableCooldowns bool `yaml:"disable_cooldowns"`
	// RedisURL says where replicas of the gateway meet, as coordination_redis of general_settings does, which wins.
	RedisURL secret.Secret `yaml:"redis_url"`
	// RedisHost is the server's name.
	RedisHost string `yaml:"redis_host"`
	// RedisPort is the server's port. Default: 6379.
	RedisPort string `yaml:"redis_port"`
	// RedisPassword is the password of its default user.
	RedisPassword secret.Secret `yaml:"redis_password"`
	// RedisDB is the number of its database. Default: 0.
	RedisDB int `yaml:"redis_db" check:"not-negative"`
	// Timeout bounds a whole call that is not a stream. Default: 600 s, or litellm_settings.request_timeout if set.
	Timeout time.Duration `yaml:"timeout" check:"not-negative"`
	// StreamTimeout bounds the time to the first event of a stream. Default: the timeout of the call.
	StreamTimeout time.Duration `yaml:"stream_timeout" check:"not-negative"`
	// StreamIdleTimeout bounds the silence between two events of a stream. Default: 120 s.
	StreamIdleTimeout time.Duration `yaml:"stream_idle_timeout" check:"not-negative"`
	// ConnectTimeout bounds the TCP and TLS handshake. Default: 5 s.
	ConnectTimeout time.Duration `yaml:"connect_timeout" check:"not-negative"`
	// FirstByteTimeout bounds the wait for the answer's headers. Default: the timeout of the call.
	FirstByteTimeout time.Duration `yaml:"first_byte_timeout" check:"not-negative"`
}

// RoutingStrategyArgs tune a strategy.
type RoutingStrategyArgs struct {
	// LowestLatencyBuffer is a share: 0.5 is 50 % slower.
	LowestLatencyBuffer float64 `yaml:"lowest_latency_buffer" check:"not-negative"`
}

// ProviderBudget is what calls may cost in one period.
type ProviderBudget struct {
	// BudgetLimit is in USD.
	BudgetLimit *float64 `yaml:"budget_limit" check:"not-negative"`
	// TimePeriod is the period of it: 1d, 30d, …. Default: for ever.
	TimePeriod string `yaml:"time_period" check:"budget-duration"`
}

// CacheParams say where answers are kept, and for how long.
type CacheParams struct {
	// Type is local (in memory) or redis (Valkey or Redis, which replicas share). Default: local.
	Type string `yaml:"type" check:"cache-type"`
	// TTL is how long an answer is kept when its request does not say. Default: 10 min.
	TTL time.Duration `yaml:"ttl" check:"not-negative"`
	// Namespace tells the answers of several gateways apart that share a server. Default: none.
	Namespace string `yaml:"namespace"`
	// Mode is default_on, or default_off: then only requests with cache: {use-cache: true} use it. Default: default_on.
	Mode string `yaml:"mode" check:"cache-mode"`
	// SupportedCallTypes are the kinds of calls whose answers are kept, by LiteLLM's words. Default: acompletion,
	// atext_completion, anthropic_messages, aembedding, arerank.
	SupportedCallTypes []string `yaml:"supported_call_types"`
	// MaxSizeMB bounds the answers in memory, in MiB. Default: 256.
	MaxSizeMB float64 `yaml:"max_size_mb" check:"positive"`
	// SharedAcrossKeys lets every key read every answer. Default: false, and keys of a team share theirs, other keys have
	// their own.
	SharedAcrossKeys bool `yaml:"shared_across_keys"`
	// URL is that of the server of type redis. Default: host and port, else coordination_redis.
	URL secret.Secret `yaml:"url"`
	// Host is the server's name.
	Host string `yaml:"host"`
	// Port is the server's port. Default: 6379.
	Port string `yaml:"port"`
	// Password is the password of its user.
	Password secret.Secret `yaml:"password"`
	// SSL speaks TLS. Default: false.
	SSL bool `yaml:"ssl"`
}

// Redis says where a Valkey or Redis server is.
type Redis struct {
	// URL is redis://user:password@host:port/database, or rediss:// with TLS. It wins over the other keys.
	URL secret.Secret `yaml:"url"`
	// Host is the server's name. Default: localhost, if another key is set.
	Host string `yaml:"host"`
	// Port is a number. Default: 6379.
	Port string `yaml:"port"`
	// Username is the user's name. Default: none.
	Username string `yaml:"username"`
	// Password is the user's password. Default: none.
	Password secret.Secret `yaml:"password"`
	// DB is the number of the database. Default: 0.
	DB int `yaml:"db" check:"not-negative"`
	// SSL speaks TLS. Default: false.
	SSL bool `yaml:"ssl"`
	// SocketTimeout is how long a request waits for the shared counters of limits before the gateway counts by itself, until
	// the server answers again. Default: 100 ms.
	SocketTimeout time.Duration `yaml:"socket_timeout" check:"not-negative"`
}

// GeneralSettings holds what concerns the server itself.
type GeneralSettings struct {
	// MasterKey is the administrator's key. With it every route but the health probes needs a key. Default: the variable
	// OUTCROP_MASTER_KEY or LITELLM_MASTER_KEY; without any the server listens on loopback only.
	MasterKey secret.Secret `yaml:"master_key"`
	// PermitWeakMasterKey allows a listener that is reachable from outside to run without a master key, or with a
	// publicly known one. Default: false, or the variable LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY.
	PermitWeakMasterKey bool `yaml:"dangerously_permit_weak_or_unset_master_key"`
	// DatabaseURL says where keys and spend are kept: sqlite:PATH, or postgresql://USER:PASSWORD@HOST/DATABASE, which several
	// replicas share (docs/spend.md). Default: the variable DATABASE_URL, else a SQLite file beside the configuration.
	DatabaseURL secret.Secret `yaml:"database_url"`
	// LedgerDir is the folder of the log in which the rows of finished requests are safe until the database has them, see
	// docs/ledger.md. Default: beside the database's file, with .wal in place of .db; else outcrop.wal in the data directory.
	LedgerDir string `yaml:"ledger_dir"`
	// LedgerMaxSizeMB is the size in MiB at which that log is full. Default: 1024, some two and a half million rows.
	LedgerMaxSizeMB float64 `yaml:"ledger_max_size_mb" check:"positive"`
	// LedgerOnFull is refuse or drop: while the log is full or its disk refuses, requests are refused with 503, or answered
	// without a row. Default: refuse; but a gateway whose log cannot be opened when it starts says so and serves without one.
	LedgerOnFull LedgerPolicy `yaml:"ledger_on_full" check:"ledger-policy"`
	// LedgerSync is none, interval or always: whether rows are forced to the disk by the operating system's own will, once a
	// second, or before each answer's end. A crash of the machine may cost the rows since; that of the gateway costs none
	// in any case. Default: interval.
	LedgerSync LedgerSync `yaml:"ledger_sync" check:"ledger-sync"`
	// StorePrompts keeps what is sent and answered in the database, apart from the rows of calls: strings longer than the
	// variable MAX_STRING_LENGTH_PROMPT_IN_DB says (2048) are cut, images and other base64 are left out. Default: false.
	StorePrompts bool `yaml:"store_prompts_in_spend_logs"`
	// SpendRetention is how long rows of the book of calls are kept ("30d"); sums for reports are kept for ever. Default: for
	// ever.
	SpendRetention time.Duration `yaml:"maximum_spend_logs_retention_period" check:"not-negative"`
	// SpendRetentionInterval is how often rows that are too old are removed. Default: 1 day.
	SpendRetentionInterval time.Duration `yaml:"maximum_spend_logs_retention_interval" check:"positive"`
	// CoordinationRedis is the Valkey or Redis server through which several replicas of the gateway share the counters of limits
	// and budgets, what they know of deployments (use of quotas, and which are left alone), and that keys have changed. Default:
	// the variables REDIS_URL, or REDIS_HOST, REDIS_PORT and REDIS_PASSWORD; else none, and each replica decides by itself.
	CoordinationRedis Redis `yaml:"coordination_redis"`
	// Alerting are the places that alerts go to: webhook (events of budgets, to the URL in WEBHOOK_URL), slack (SLACK_WEBHOOK_URL)
	// and ms_teams (MS_TEAMS_WEBHOOK_URL). See docs/keys.md. Default: none.
	Alerting []string `yaml:"alerting" check:"alerting"`
	// AlertTypes are the alerts that are sent: budget_alerts, cooldown_deployment, outage_alerts, region_outage_alerts,
	// db_exceptions, failed_tracking_spend. Default: all of these.
	AlertTypes []string `yaml:"alert_types" check:"alert-types"`
	// AlertToWebhookURL are the URLs of Slack for some types of alerts: {budget_alerts: URL, outage_alerts: [URL, URL]}. Default:
	// SLACK_WEBHOOK_URL for all.
	AlertToWebhookURL AlertURLs `yaml:"alert_to_webhook_url"`
	// AlertingArgs say when alerts are due.
	AlertingArgs AlertingArgs `yaml:"alerting_args"`
	// AllowedIPs are the addresses and networks that may call; others get 403. Default: all.
	AllowedIPs []string `yaml:"allowed_ips" check:"networks"`
	// UseXForwardedFor takes the client's address from X-Forwarded-For, where a proxy of trusted_proxy_ranges sends it: the
	// last one in it that is none of theirs. Default: false.
	UseXForwardedFor bool `yaml:"use_x_forwarded_for"`
	// NoAddressLogging keeps the addresses that requests come from out of the rows of calls; callbacks are told all the same.
	// Default: false.
	NoAddressLogging bool `yaml:"disable_requester_ip_address_logging"`
	// TrustedProxyRanges are the addresses and networks of proxies before the gateway. Default: loopback and private ones.
	TrustedProxyRanges []string `yaml:"trusted_proxy_ranges" check:"networks"`
	// MaxWrongKeysPerMinute is how many wrong keys an address may send in a minute before it gets 429 for the rest of it; 0 is
	// any number. Default: 100.
	MaxWrongKeysPerMinute *int `yaml:"max_wrong_keys_per_minute" check:"not-negative"`
	// KeySnapshotMaxAge is how long known keys go on working while the database is away, even over a restart. Default: 1 h.
	KeySnapshotMaxAge time.Duration `yaml:"key_snapshot_max_age" check:"positive"`
	// AllowRequestsOnDBUnavailable admits keys while the database is away that nobody can look up, for models only, and known
	// ones after key_snapshot_max_age. Default: false, they get 503.
	AllowRequestsOnDBUnavailable bool `yaml:"allow_requests_on_db_unavailable"`
	// UserHeaderName is a header that names the end user. Default: none, x-litellm-end-user-id and x-litellm-customer-id do.
	UserHeaderName string `yaml:"user_header_name" check:"header"`
	// EnforceUserParam refuses requests that name no end user. Default: false.
	EnforceUserParam bool `yaml:"enforce_user_param"`
	// AdminOnlyRoutes are routes, or paths that end in /*, that need an administrator. Default: those of the admin API.
	AdminOnlyRoutes []string `yaml:"admin_only_routes" check:"routes"`
	// AllowedRoutes are the only routes that callers may use who are no administrators. Default: all.
	AllowedRoutes []string `yaml:"allowed_routes" check:"routes"`
	// GlobalMaxParallelRequests bounds the requests under way in the whole gateway; more get 429. Default: no bound.
	GlobalMaxParallelRequests *int `yaml:"global_max_parallel_requests" check:"not-negative"`
	// TokenRateLimitType says what counts against limits of tokens a minute: total, input or output. Default: total.
	TokenRateLimitType string `yaml:"token_rate_limit_type" check:"token-type"`
	// FailClosedRateLimits refuses calls with 503 while the counters that replicas share cannot be reached. Default: false,
	// and each replica then keeps the limits by itself.
	FailClosedRateLimits bool `yaml:"fail_closed_rate_limit_enforcement"`
	// KeyHeaderName is a further header that carries the client's key. Default: none.
	KeyHeaderName string `yaml:"litellm_key_header_name" check:"header"`
	// MaxRequestSizeMB bounds a request's body in MiB; larger ones get 413. Default: 32.
	MaxRequestSizeMB float64 `yaml:"max_request_size_mb" check:"positive"`
	// CountTokensEstimates lets /v1/messages/count_tokens answer with an estimate, which is rather too high and named by the
	// header x-outcrop-estimated, where Bedrock does not count a model's tokens; false answers with an error. Default: true.
	CountTokensEstimates *bool `yaml:"count_tokens_estimates"`
	// MaxChoices bounds how many answers one request may ask for (n); each is an upstream call. Default: 8.
	MaxChoices int `yaml:"max_choices" check:"positive"`
	// ImageGenerationModel is the model of image requests that name none. Default: none.
	ImageGenerationModel string `yaml:"image_generation_model"`
	// ImageConcurrency is how many of one request's upstream calls for images are made at once. Default: 4.
	ImageConcurrency int `yaml:"image_concurrency" check:"positive"`
	// ForwardClientHeaders sends the client's x- headers and anthropic-beta upstream, for all models. Default: false.
	ForwardClientHeaders bool `yaml:"forward_client_headers_to_llm_api"`
	// NoAgentRuntime refuses to relay what is of bedrock-agent-runtime: agents, knowledge bases, flows, Rerank. Default: false.
	NoAgentRuntime bool `yaml:"disable_bedrock_agent_runtime_passthrough"`
	// PassThroughUnlisted relays requests in AWS's own words to models that no model_name is for, as the environment's
	// identity or that of bedrock_passthrough_credential. Default: true without a model_list, else false.
	PassThroughUnlisted *bool `yaml:"bedrock_passthrough_unlisted"`
	// PassThroughCredential names the entry of credential_list, or the deployment by model_name or id, as which requests are
	// relayed that are for no model: guardrails, agents, knowledge bases, lists of models. Default: the environment's identity.
	PassThroughCredential string `yaml:"bedrock_passthrough_credential"`
	// TrustClientRegion has requests that are relayed to no deployment go to the region that the client has signed for, or names
	// in x-outcrop-region. Default: false; the administrator may name one all the same.
	TrustClientRegion bool `yaml:"trust_client_region"`
	// IncludeCallID adds litellm_call_id to error bodies. Default: false.
	IncludeCallID bool `yaml:"include_call_id_in_error_body"`
	// AllowCredentialProcess permits AWS profiles whose credential_process starts a program. Default: false.
	AllowCredentialProcess bool `yaml:"allow_credential_process"`
	// OnClientDisconnect is cancel or drain: what becomes of a call whose client has gone. Default: cancel.
	OnClientDisconnect Disconnect `yaml:"on_client_disconnect" check:"disconnect"`
	// ShutdownDelay is the time between the stop signal and the closing of the listeners. Default: 0 s.
	ShutdownDelay time.Duration `yaml:"shutdown_delay" check:"not-negative"`
	// GracefulShutdownTimeout is the time that running requests get after the stop signal. Default: 30 s, or the
	// variable GRACEFUL_SHUTDOWN_TIMEOUT.
	GracefulShutdownTimeout time.Duration `yaml:"graceful_shutdown_timeout" check:"not-negative"`
}

// AlertURLs are places of alerts by their types.
type AlertURLs map[string][]secret.Secret

// AlertingArgs say when alerts are due.
type AlertingArgs struct {
	// BudgetAlertTTL is how long an event of one key's, team's, … budget is not told again. Default: 24 h.
	BudgetAlertTTL time.Duration `yaml:"budget_alert_ttl" check:"positive"`
	// OutageAlertTTL is how long failures of a deployment count together. Default: 1 min.
	OutageAlertTTL time.Duration `yaml:"outage_alert_ttl" check:"positive"`
	// RegionOutageAlertTTL is how long failures of several deployments in a region count together. Default: 1 min.
	RegionOutageAlertTTL time.Duration `yaml:"region_outage_alert_ttl" check:"positive"`
	// MinorOutageAlertThreshold is how many failures are a minor outage. Default: 5.
	MinorOutageAlertThreshold int `yaml:"minor_outage_alert_threshold" check:"positive"`
	// MajorOutageAlertThreshold is how many failures are a major one. Default: 10.
	MajorOutageAlertThreshold int `yaml:"major_outage_alert_threshold" check:"positive"`
}

// Disconnect says what becomes of a call whose client has gone. The zero value means: as the level above says.
type Disconnect string

const (
	// Cancel ends the call upstream at once.
	Cancel Disconnect = "cancel"
	// Drain reads the call to its end, within bounds, to learn its usage.
	Drain Disconnect = "drain"
)

// LedgerPolicy says what becomes of requests whose rows cannot be kept. The zero value means: refuse, if there was a log.
type LedgerPolicy string

const (
	// LedgerRefuse refuses them.
	LedgerRefuse LedgerPolicy = "refuse"
	// LedgerDrop answers them without a row.
	LedgerDrop LedgerPolicy = "drop"
)

// LedgerSync says when rows are forced to the disk: none, interval or always.
type LedgerSync string

// SessionTag is one session tag of an assumed role.
type SessionTag struct{ Key, Value string }

// TLSVerify says how certificates are verified: "" is unsaid, "true" the usual way, "false" not at all; anything else is a
// file of certificate authorities, in PEM form.
type TLSVerify string

// SessionTags are the session tags of an assumed role, in the order of the file.
type SessionTags []SessionTag

// Alias is what a further name of a model group stands for.
type Alias struct {
	// Model is the group's name.
	Model string
	// Hidden leaves the alias out of /models. It works all the same.
	Hidden bool
}

// Aliases maps further names to model groups.
type Aliases map[string]Alias
