package wire

import (
	"github.com/outcrop-ai/outcrop/llm"
)

const (
	hintAccess = "Allow the AWS identity that Outcrop uses the IAM action bedrock:InvokeModel (for streams bedrock:InvokeModelWithResponseStream), " +
		"and see that the account has access to the model (Bedrock console, Model access)."
	// HintCredentials says whose credentials AWS refused; who knows that they are not Outcrop's says another thing.
	HintCredentials = "AWS refused the credentials that Outcrop signs with; the key that the client sent to Outcrop is not at fault."
	hintClock       = "The clock of the machine that Outcrop runs on differs from AWS's."
	// HintProfile is given where a model needs an inference profile; who knows the model's profiles names them instead.
	HintProfile    = "Use the id or ARN of an inference profile that contains the model, such as the model id with the prefix us., eu., apac. or global."
	hintFirstUser  = "Set user_continue_message for the model, or modify_params: true, to have such a turn added."
	hintSameTurn   = "Set modify_params: true to have the turns parted."
	hintIdentifier = "Compare the model id with the models that Bedrock offers in this region."
	hintUseCase    = "The account's owner must send in the provider's use case form once (Bedrock console, Model access)."
)

// exception says what one of AWS's exceptions means. The name alone decides, whatever the HTTP status beside it.
type exception struct {
	kind llm.Kind
	code string
	hint string
}

// exceptions are all exceptions of Bedrock, of its front end, and the throttles that the AWS SDKs know.
// Sources: the service models of bedrock-runtime and bedrock-agent-runtime, "Troubleshooting Amazon Bedrock API error
// codes" in the Bedrock user guide, and botocore's list of codes in its standard retry mode.
var exceptions = map[string]exception{
	"ValidationException":           {kind: llm.KindInvalid},
	"SerializationException":        {kind: llm.KindInvalid},
	"ConflictException":             {kind: llm.KindInvalid},
	"ServiceQuotaExceededException": {kind: llm.KindRateLimit},

	"AccessDeniedException":   {kind: llm.KindPermission, hint: hintAccess},
	"AccessDenied":            {kind: llm.KindPermission, hint: hintAccess},
	"NotAuthorized":           {kind: llm.KindPermission, hint: hintAccess},
	"OptInRequired":           {kind: llm.KindPermission, hint: hintAccess},
	"BadCScoreException":      {kind: llm.KindPermission},
	"MPAgreementBeingCreated": {kind: llm.KindPermission},

	"UnrecognizedClientException":         {llm.KindPermission, CodeCredentials, HintCredentials},
	"InvalidClientTokenId":                {llm.KindPermission, CodeCredentials, HintCredentials},
	"InvalidSignatureException":           {llm.KindPermission, CodeCredentials, HintCredentials},
	"SignatureDoesNotMatch":               {llm.KindPermission, CodeCredentials, HintCredentials},
	"IncompleteSignature":                 {llm.KindPermission, CodeCredentials, HintCredentials},
	"IncompleteSignatureException":        {llm.KindPermission, CodeCredentials, HintCredentials},
	"MissingAuthenticationToken":          {llm.KindPermission, CodeCredentials, HintCredentials},
	"MissingAuthenticationTokenException": {llm.KindPermission, CodeCredentials, HintCredentials},
	"ExpiredToken":                        {llm.KindPermission, CodeCredentials, HintCredentials},
	"ExpiredTokenException":               {llm.KindPermission, CodeCredentials, HintCredentials},
	"AuthFailure":                         {llm.KindPermission, CodeCredentials, HintCredentials},
	"RequestExpired":                      {llm.KindPermission, CodeCredentials, hintClock},
	"RequestTimeTooSkewed":                {llm.KindPermission, CodeCredentials, hintClock},

	"ResourceNotFoundException": {kind: llm.KindNotFound},
	"UnknownOperationException": {kind: llm.KindNotFound},
	"FTUFormNotFilled":          {kind: llm.KindNotFound, hint: hintUseCase},

	"ModelTimeoutException":     {kind: llm.KindTimeout},
	"RequestTimeout":            {kind: llm.KindTimeout},
	"RequestTimeoutException":   {kind: llm.KindTimeout},
	"ModelErrorException":       {kind: llm.KindUpstream},
	"ModelStreamErrorException": {kind: llm.KindUpstream},
	"DependencyFailedException": {kind: llm.KindUpstream},
	"BadGatewayException":       {kind: llm.KindUpstream},

	"ThrottlingException":                    {kind: llm.KindRateLimit},
	"Throttling":                             {kind: llm.KindRateLimit},
	"ThrottledException":                     {kind: llm.KindRateLimit},
	"RequestThrottled":                       {kind: llm.KindRateLimit},
	"RequestThrottledException":              {kind: llm.KindRateLimit},
	"TooManyRequestsException":               {kind: llm.KindRateLimit},
	"RequestLimitExceeded":                   {kind: llm.KindRateLimit},
	"LimitExceededException":                 {kind: llm.KindRateLimit},
	"BandwidthLimitExceeded":                 {kind: llm.KindRateLimit},
	"ProvisionedThroughputExceededException": {kind: llm.KindRateLimit},
	"SlowDown":                               {kind: llm.KindRateLimit},
	"ModelNotReadyException":                 {kind: llm.KindRateLimit},

	"InternalServerException":       {kind: llm.KindUpstreamInternal},
	"InternalFailure":               {kind: llm.KindUpstreamInternal},
	"InternalServerError":           {kind: llm.KindUpstreamInternal},
	"ServiceUnavailableException":   {kind: llm.KindUnavailable},
	"ServiceUnavailable":            {kind: llm.KindUnavailable},
	"RequestEntityTooLarge":         {kind: llm.KindTooLarge},
	"RequestTooLarge":               {kind: llm.KindTooLarge},
	"PayloadTooLargeException":      {kind: llm.KindTooLarge},
	"UnsupportedMediaType":          {kind: llm.KindInvalid},
	"UnsupportedOperationException": {kind: llm.KindInvalid},
}

// phrase is a text by which AWS tells apart what it gives one exception to. Beside refusals this is the only place
// where the words of a message decide anything.
type phrase struct {
	// on is the exception's kind that the phrase refines: a throttle also says "Too many tokens", and stays a throttle.
	on llm.Kind
	// words stand in the message in this order, in any case.
	words []string
	// kind, code and hint replace those of the exception; an empty code or hint leaves it.
	kind llm.Kind
	code string
	hint string
	// sample is a message that AWS or a model behind it sends.
	sample string
}

// phrases are gone through from the top; the first that fits counts.
var phrases = []phrase{
	{llm.KindInvalid, []string{"input is too long"}, llm.KindContextWindow, CodeContextLength, "", "Input is too long for requested model."},
	{llm.KindInvalid, []string{"prompt is too long"}, llm.KindContextWindow, CodeContextLength, "", "The model returned the following errors: prompt is too long: 204051 tokens > 200000 maximum"},
	{llm.KindInvalid, []string{"too many input tokens"}, llm.KindContextWindow, CodeContextLength, "", "Too many input tokens. Max input tokens: 8192, request input token count: 10001"},
	{llm.KindInvalid, []string{"too many tokens"}, llm.KindContextWindow, CodeContextLength, "", "The model returned the following errors: too many tokens: size limit exceeded by 512 tokens"},
	{llm.KindInvalid, []string{"too many total text bytes"}, llm.KindContextWindow, CodeContextLength, "", "The model returned the following errors: Too many total text bytes: 26143210 > 20000000"},
	{llm.KindInvalid, []string{"expected maxlength"}, llm.KindContextWindow, CodeContextLength, "", "Malformed input request: expected maxLength: 50000, actual: 60000, please reformat your input and try again."},
	{llm.KindInvalid, []string{"prompt: length: 1.."}, llm.KindContextWindow, CodeContextLength, "", "The model returned the following errors: prompt: length: 1..100000, got 120000"},
	{llm.KindInvalid, []string{"input tokens exceed"}, llm.KindContextWindow, CodeContextLength, "", "Input tokens exceeded: your prompt holds 131073 tokens, the limit is 128000"},
	{llm.KindInvalid, []string{"exceed", "context"}, llm.KindContextWindow, CodeContextLength, "", "input length and `max_tokens` exceed context limit: 199000 + 8192 > 200000, decrease input length or `max_tokens` and try again"},
	{llm.KindInvalid, []string{"exceeds the maximum number of tokens"}, llm.KindContextWindow, CodeContextLength, "", "The request exceeds the maximum number of tokens that the model takes."},
	{llm.KindInvalid, []string{"exceeds the model's maximum"}, llm.KindContextWindow, CodeContextLength, "", "The prompt's length of 140000 exceeds the model's maximum of 131072."},
	{llm.KindInvalid, []string{"maximum context"}, llm.KindContextWindow, CodeContextLength, "", "This model's maximum context length is 131072 tokens. Please reduce the length of the prompt"},
	{llm.KindInvalid, []string{"context window"}, llm.KindContextWindow, CodeContextLength, "", "The prompt does not fit the model's context window."},

	{llm.KindInvalid, []string{"model identifier is invalid"}, llm.KindNotFound, CodeModelNotFound, hintIdentifier, "The provided model identifier is invalid."},
	{llm.KindInvalid, []string{"on-demand throughput isn"}, llm.KindInvalid, "", HintProfile, "Invocation of model ID anthropic.claude-3-7-sonnet-20250219-v1:0 with on-demand throughput isn’t supported. Retry your request with the ID or ARN of an inference profile that contains this model."},
	{llm.KindInvalid, []string{"content filtered"}, llm.KindContentFilter, CodeContentPolicy, "", "The request's content filtered by the provider."},
	{llm.KindInvalid, []string{"blocked by", "content filter"}, llm.KindContentFilter, CodeContentPolicy, "", "Output blocked by content filtering policy"},
	{llm.KindInvalid, []string{"blocked by our content"}, llm.KindContentFilter, CodeContentPolicy, "", "This request has been blocked by our content filters."},
	{llm.KindInvalid, []string{"must start with a user message"}, llm.KindInvalid, "", hintFirstUser, "A conversation must start with a user message. Try again with a conversation that starts with a user message."},
	{llm.KindInvalid, []string{"cannot be provided in the same turn"}, llm.KindInvalid, "", hintSameTurn, "Conversation blocks and tool result blocks cannot be provided in the same turn."},

	{llm.KindNotFound, []string{"use case details have not been submitted"}, llm.KindNotFound, "", hintUseCase, "Model use case details have not been submitted for this account. Fill out the Anthropic use case details form before using the model."},
	{llm.KindPermission, []string{"security token included in the request is expired"}, llm.KindPermission, CodeCredentials, HintCredentials, "The security token included in the request is expired"},
	{llm.KindPermission, []string{"security token included in the request is invalid"}, llm.KindPermission, CodeCredentials, HintCredentials, "The security token included in the request is invalid."},
	{llm.KindPermission, []string{"bearer token has expired"}, llm.KindPermission, CodeCredentials, HintCredentials, "Bearer Token has expired"},
}
