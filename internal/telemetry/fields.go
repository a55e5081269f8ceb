package telemetry

// The names of log fields. A fact has one name wherever it is logged, so that a search finds every line of a call.
const (
	// FieldCallID names the call, FieldRequestID the answer, FieldAWSRequestID AWS's part of it.
	FieldCallID       = "call_id"
	FieldRequestID    = "request_id"
	FieldAWSRequestID = "aws_request_id"

	// FieldPath is the client's endpoint, FieldType LiteLLM's word for the kind of call.
	FieldPath = "path"
	FieldType = "call_type"
	// FieldStatus is the HTTP status that the client got.
	FieldStatus = "status"
	// FieldError is the kind of a failure, FieldErrorCode the word that clients branch on, FieldAWSException AWS's name,
	// FieldMessage what the client was told.
	FieldError        = "error"
	FieldErrorCode    = "error_code"
	FieldAWSException = "aws_exception"
	FieldMessage      = "error_message"

	// FieldKeyHash names the caller's key, FieldUser the end user.
	FieldKeyHash = "key_hash"
	FieldUser    = "user"
	FieldTags    = "tags"

	// FieldModel is the model as the client named it, FieldGroup its model group, FieldDeployment the chosen deployment,
	// FieldUpstreamModel the id in AWS's URL.
	FieldModel      = "model"
	FieldGroup      = "model_group"
	FieldDeployment = "deployment"
	// FieldTries are the tries before, which failed.
	FieldTries         = "tries"
	FieldUpstreamModel = "upstream_model"
	FieldRegion        = "region"
	FieldRoute         = "route"
	FieldTier          = "service_tier"

	// Tokens: the prompt includes what was read from or written to a cache.
	FieldPromptTokens     = "prompt_tokens"
	FieldCompletionTokens = "completion_tokens"
	FieldCacheReadTokens  = "cache_read_tokens"
	FieldCacheWriteTokens = "cache_write_tokens"
	FieldReasoningTokens  = "reasoning_tokens"
	// Media in seconds, read and made, and searches of the web at AWS.
	FieldVideoIn   = "input_video_seconds"
	FieldAudioIn   = "input_audio_seconds"
	FieldVideoMade = "video_seconds"
	FieldSearches  = "web_searches"
	// FieldUsageSource is aws or estimated.
	FieldUsageSource = "usage_source"
	// FieldCost is US dollars. FieldCostUnknown stands in its place, as true, when there is usage and no price.
	FieldCost        = "cost_usd"
	FieldCostUnknown = "cost_unknown"

	FieldStream       = "stream"
	FieldClientClosed = "client_closed"
	FieldLosses       = "dropped"

	// Times in milliseconds: the whole, until the first piece of the answer, waiting for AWS, and the rest.
	FieldDuration   = "duration_ms"
	FieldFirstToken = "first_token_ms"
	FieldUpstream   = "upstream_ms"
	FieldOwn        = "own_ms"
)
