package config

// jsonType is the type that a request parameter has in a request body.
type jsonType string

const (
	anyJSON    jsonType = ""
	jsonNumber jsonType = "a number"
	jsonInt    jsonType = "an integer"
	jsonBool   jsonType = "true or false"
	jsonString jsonType = "a string"
	jsonList   jsonType = "a list"
	jsonObject jsonType = "a mapping"
)

// requestParams lists the parameters of a chat request that can stand in litellm_params as defaults. The list serves
// two ends: a value of the wrong type is found at load instead of in every request, and a name close to one of these
// is taken for a slip. Names that are not here pass as they are: they are the model provider's own.
// It is read only.
var requestParams = map[string]jsonType{
	// OpenAI's, and LiteLLM's additions to them.
	"temperature": jsonNumber, "top_p": jsonNumber, "n": jsonInt, "stop": anyJSON, "seed": jsonInt,
	"max_tokens": jsonInt, "max_completion_tokens": jsonInt, "presence_penalty": jsonNumber,
	"frequency_penalty": jsonNumber, "logit_bias": jsonObject, "logprobs": jsonBool, "top_logprobs": jsonInt,
	"tools": jsonList, "tool_choice": anyJSON, "parallel_tool_calls": jsonBool, "functions": jsonList,
	"function_call": anyJSON, "response_format": jsonObject, "reasoning_effort": anyJSON, "thinking": jsonObject,
	"verbosity": jsonString, "user": jsonString, "metadata": jsonObject, "modalities": jsonList, "audio": jsonObject,
	"prediction": jsonObject, "stream": jsonBool, "stream_options": jsonObject, "service_tier": jsonString,
	"store": jsonBool, "safety_identifier": jsonString, "prompt_cache_key": jsonString,
	"prompt_cache_retention": jsonString, "web_search_options": jsonObject, "context_management": anyJSON,
	"dimensions": jsonInt, "encoding_format": jsonString, "messages": jsonList, "extra_body": jsonObject,
	"cache_control_injection_points": jsonList,
	// Converse's.
	"requestMetadata": jsonObject, "performanceConfig": jsonObject, "guardrailConfig": jsonObject,
	"serviceTier": anyJSON, "additionalModelRequestFields": jsonObject,
	"additionalModelResponseFieldPaths": jsonList, "inferenceConfig": jsonObject, "outputConfig": jsonObject,
	"promptVariables": jsonObject,
	// Of the model families. Here so that they are not taken for slips of the above.
	"top_k": jsonNumber, "min_p": jsonNumber, "top_a": jsonNumber, "repetition_penalty": jsonNumber,
	"system": anyJSON, "anthropic_version": jsonString, "anthropic_beta": anyJSON, "stop_sequences": jsonList,
	"max_tokens_to_sample": jsonInt, "max_gen_len": jsonInt, "maxTokens": jsonInt, "maxTokenCount": jsonInt,
	"topP": jsonNumber, "topK": jsonNumber, "stopSequences": jsonList, "textGenerationConfig": jsonObject,
	"countPenalty": anyJSON, "presencePenalty": anyJSON, "frequencyPenalty": anyJSON, "prompt": jsonString,
	"enable_thinking": jsonBool, "chat_template_kwargs": jsonObject, "output_config": jsonObject,
	"num_generations": jsonInt, "return_likelihoods": jsonString, "truncate": jsonString, "input_type": jsonString,
	"embedding_types": jsonList, "normalize": jsonBool, "embeddingConfig": jsonObject,
	"imageGenerationConfig": jsonObject, "taskType": jsonString, "textToImageParams": jsonObject,
	"quality": jsonString, "size": jsonString, "style": jsonString, "style_preset": jsonString, "steps": jsonInt,
	"cfg_scale": jsonNumber, "cfgScale": jsonNumber, "width": jsonInt, "height": jsonInt, "samples": jsonInt,
	"aspect_ratio": jsonString, "negative_prompt": jsonString, "output_format": jsonString, "mode": jsonString,
	"image": jsonString, "strength": jsonNumber, "documents": jsonList, "preamble": jsonString,
	"safe_prompt": jsonBool, "random_seed": jsonInt, "language": jsonString, "top_n": jsonInt,
}

// slips are names that people write for another one that is not near in letters.
// It is read only.
var slips = map[string]string{
	// LiteLLM's page on Bedrock has an example with this name.
	"aws_secret_access_id":  "aws_access_key_id",
	"aws_access_key":        "aws_access_key_id",
	"aws_secret_key":        "aws_secret_access_key",
	"aws_region":            "aws_region_name",
	"aws_default_region":    "aws_region_name",
	"aws_profile":           "aws_profile_name",
	"aws_role_arn":          "aws_role_name",
	"aws_role":              "aws_role_name",
	"aws_role_session_name": "aws_session_name",
	"aws_endpoint":          "aws_bedrock_runtime_endpoint",
	"aws_endpoint_url":      "aws_bedrock_runtime_endpoint",
	"base_url":              "api_base",
	"endpoint_url":          "aws_bedrock_runtime_endpoint",
	"api_key_base":          "api_base",
	"guardrail_config":      "guardrailConfig",
	"request_metadata":      "requestMetadata",
}
