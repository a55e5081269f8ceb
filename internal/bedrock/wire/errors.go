package wire

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/outcrop-ai/outcrop/llm"
)

// Codes of errors that this package gives; programs branch on them.
const (
	// CodeCredentials says that AWS refused Outcrop's own credentials, or that there are none: an operator's business,
	// never the client's.
	CodeCredentials = "aws_credentials"
	// CodeModelNotFound says that AWS does not know the model.
	CodeModelNotFound = "model_not_found"
	// CodeContextLength says that the prompt is longer than the model's context window.
	CodeContextLength = "context_length_exceeded"
	// CodeContentPolicy says that the provider's filter refused the content.
	CodeContentPolicy = "content_policy_violation"
)

const (
	hintAccess = "Allow the AWS identity that Outcrop uses the IAM action bedrock:InvokeModel (for streams bedrock:InvokeModelWithResponseStream), " +
		"and see that the account has access to the model (Bedrock console, Model access)."
	hintCredentials = "AWS refused the credentials that Outcrop signs with; the key that the client sent to Outcrop is not at fault."
	hintClock       = "The clock of the machine that Outcrop runs on differs from AWS's."
	hintProfile     = "Use the id or ARN of an inference profile that contains the model, such as the model id with the prefix us., eu., apac. or global."
	hintFirstUser   = "Set user_continue_message for the model, or modify_params: true, to have such a turn added."
	hintSameTurn    = "Set modify_params: true to have the turns parted."
	hintIdentifier  = "Compare the model id with the models that Bedrock offers in this region."
	hintUseCase     = "The account's owner must send in the provider's use case form once (Bedrock console, Model access)."
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

	"UnrecognizedClientException":         {llm.KindPermission, CodeCredentials, hintCredentials},
	"InvalidClientTokenId":                {llm.KindPermission, CodeCredentials, hintCredentials},
	"InvalidSignatureException":           {llm.KindPermission, CodeCredentials, hintCredentials},
	"SignatureDoesNotMatch":               {llm.KindPermission, CodeCredentials, hintCredentials},
	"IncompleteSignature":                 {llm.KindPermission, CodeCredentials, hintCredentials},
	"IncompleteSignatureException":        {llm.KindPermission, CodeCredentials, hintCredentials},
	"MissingAuthenticationToken":          {llm.KindPermission, CodeCredentials, hintCredentials},
	"MissingAuthenticationTokenException": {llm.KindPermission, CodeCredentials, hintCredentials},
	"ExpiredToken":                        {llm.KindPermission, CodeCredentials, hintCredentials},
	"ExpiredTokenException":               {llm.KindPermission, CodeCredentials, hintCredentials},
	"AuthFailure":                         {llm.KindPermission, CodeCredentials, hintCredentials},
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

// phrase is a text by which AWS tells apart what it gives one exception to. This is the only place where the words of a
// message decide anything.
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
	{llm.KindInvalid, []string{"on-demand throughput isn"}, llm.KindInvalid, "", hintProfile, "Invocation of model ID anthropic.claude-3-7-sonnet-20250219-v1:0 with on-demand throughput isn’t supported. Retry your request with the ID or ARN of an inference profile that contains this model."},
	{llm.KindInvalid, []string{"content filtered"}, llm.KindContentFilter, CodeContentPolicy, "", "The request's content filtered by the provider."},
	{llm.KindInvalid, []string{"blocked by", "content filter"}, llm.KindContentFilter, CodeContentPolicy, "", "Output blocked by content filtering policy"},
	{llm.KindInvalid, []string{"blocked by our content"}, llm.KindContentFilter, CodeContentPolicy, "", "This request has been blocked by our content filters."},
	{llm.KindInvalid, []string{"must start with a user message"}, llm.KindInvalid, "", hintFirstUser, "A conversation must start with a user message. Try again with a conversation that starts with a user message."},
	{llm.KindInvalid, []string{"cannot be provided in the same turn"}, llm.KindInvalid, "", hintSameTurn, "Conversation blocks and tool result blocks cannot be provided in the same turn."},

	{llm.KindNotFound, []string{"use case details have not been submitted"}, llm.KindNotFound, "", hintUseCase, "Model use case details have not been submitted for this account. Fill out the Anthropic use case details form before using the model."},
	{llm.KindPermission, []string{"security token included in the request is expired"}, llm.KindPermission, CodeCredentials, hintCredentials, "The security token included in the request is expired"},
	{llm.KindPermission, []string{"security token included in the request is invalid"}, llm.KindPermission, CodeCredentials, hintCredentials, "The security token included in the request is invalid."},
	{llm.KindPermission, []string{"bearer token has expired"}, llm.KindPermission, CodeCredentials, hintCredentials, "Bearer Token has expired"},
}

// ErrorFrom turns an answer that is not 2xx into an error: AWS's exception name from the header x-amzn-ErrorType up to
// its colon, else from the body's __type or code; its message bare; its request id; what its retry-after asks for.
// body may be cut off.
func ErrorFrom(status int, header http.Header, body []byte) *llm.Error {
	told := readErrorBody(body)
	name, _, _ := strings.Cut(header.Get("X-Amzn-Errortype"), ":")
	if name = strings.TrimSpace(name); name == "" {
		name = told.name
	}
	e := newError(name, status, told.message)
	e.RequestID = RequestID(header)
	e.RetryAfter = retryAfter(header, time.Now())
	if e.Message == "" {
		if e.Message = http.StatusText(status); e.Message == "" {
			e.Message = "status " + strconv.Itoa(status)
		}
		if len(body) > 0 && !told.json {
			e.Cause = errors.New("the answer was not JSON: " + excerpt(body))
		}
	}
	return e
}

// FrameError turns an exception or error frame of a stream into an error. requestID is that of the call. Exceptions that
// are not known are AWS's failures: status 502.
func FrameError(f Frame, requestID string) *llm.Error {
	name, message := string(f.EventType()), ""
	if f.IsError() {
		name, message = string(f.ErrorCode()), string(f.ErrorMessage())
	}
	told := readErrorBody(f.payload)
	if name == "" {
		name = told.name
	}
	if message == "" {
		message = told.message
	}
	e := newError(name, http.StatusBadGateway, message)
	e.RequestID = requestID
	if e.Message == "" {
		e.Message = "the upstream stream failed"
	}
	return e
}

// newError finds the kind of an exception; status decides only where the name is unknown.
func newError(name string, status int, message string) *llm.Error {
	if name = validName(name); name != "" && 'a' <= name[0] && name[0] <= 'z' {
		name = string(name[0]-'a'+'A') + name[1:] // frames carry the member's name: throttlingException
	}
	e := &llm.Error{AWSType: name, Message: message}
	if x, ok := exceptions[name]; ok {
		e.Kind, e.Code, e.Hint = x.kind, x.code, x.hint
	} else {
		e.Kind, e.HTTPStatus = kindOf(status)
	}
	// Words count for a ValidationException, or where there is no name at all: other exceptions use the same ones.
	if e.Kind == llm.KindInvalid && name != "" && name != "ValidationException" {
		return e
	}
	lower := strings.ToLower(message)
	for i := range phrases {
		if p := &phrases[i]; p.on == e.Kind && hasWords(lower, p.words) {
			e.Kind = p.kind
			if p.kind != p.on {
				e.HTTPStatus = 0
			}
			if p.code != "" {
				e.Code = p.code
			}
			if p.hint != "" {
				e.Hint = p.hint
			}
			break
		}
	}
	return e
}

// kindOf classes an answer whose exception is unknown. The second result is the client's status where the kind's own
// would be another.
func kindOf(status int) (llm.Kind, int) {
	switch status {
	case http.StatusBadRequest:
		return llm.KindInvalid, 0
	case http.StatusUnauthorized, http.StatusForbidden:
		return llm.KindPermission, 0 // a 401 would tell clients that their own key is wrong
	case http.StatusNotFound:
		return llm.KindNotFound, 0
	case http.StatusRequestTimeout:
		return llm.KindTimeout, 0
	case http.StatusRequestEntityTooLarge:
		return llm.KindTooLarge, 0
	case http.StatusTooManyRequests:
		return llm.KindRateLimit, 0
	case http.StatusInternalServerError:
		return llm.KindUpstreamInternal, 0
	case http.StatusServiceUnavailable:
		return llm.KindUnavailable, 0
	case http.StatusFailedDependency, http.StatusBadGateway:
		return llm.KindUpstream, 0
	}
	switch {
	case status >= 400 && status < 500:
		return llm.KindInvalid, status
	case status > 500 && status < 600:
		return llm.KindUpstream, status
	default: // a redirect, say: nothing that AWS answers
		return llm.KindUpstream, 0
	}
}

func hasWords(text string, words []string) bool {
	for _, w := range words {
		i := strings.Index(text, w)
		if i < 0 {
			return false
		}
		text = text[i+len(w):]
	}
	return true
}

// validName returns name if it can be an exception's name, else "": it goes into logs and headers.
func validName(name string) string {
	if len(name) > 100 {
		return ""
	}
	for i := range len(name) {
		if !unreserved(name[i]) {
			return ""
		}
	}
	return name
}

type toldError struct {
	name, message string
	json          bool
}

// readErrorBody reads the JSON of an error as botocore does, and the {"error":{"message"}} of Bedrock's endpoints that
// speak OpenAI's and Anthropic's languages.
func readErrorBody(body []byte) toldError {
	var members map[string]json.RawMessage
	if len(body) == 0 || json.Unmarshal(body, &members) != nil {
		return toldError{}
	}
	told := toldError{json: true}
	for _, key := range []string{"message", "Message"} {
		if told.message = jsonString(members[key]); told.message != "" {
			break
		}
	}
	if told.message == "" {
		var inner struct {
			Message string `json:"message"`
		}
		if json.Unmarshal(members["error"], &inner) == nil {
			told.message = inner.Message
		}
	}
	name := jsonString(members["__type"])
	if i := strings.LastIndexByte(name, '#'); i >= 0 {
		name = name[i+1:]
	}
	if name == "" {
		name = jsonString(members["code"])
	}
	told.name, _, _ = strings.Cut(name, ":")
	return told
}

func jsonString(raw json.RawMessage) string {
	var s string
	if len(raw) == 0 || json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

// isExpired reports whether AWS refused the credentials in a way that new ones may mend.
func isExpired(e *llm.Error) bool {
	switch e.AWSType {
	case "ExpiredToken", "ExpiredTokenException", "UnrecognizedClientException", "InvalidClientTokenId":
		return true
	case "", "AccessDeniedException", "AccessDenied":
		return e.Code == CodeCredentials // by its words, see phrases
	}
	return false
}

// isSkewed reports whether AWS refused a signature in a way that a wrong clock may be the reason of.
func isSkewed(e *llm.Error) bool {
	switch e.AWSType {
	case "RequestTimeTooSkewed", "RequestExpired", "InvalidSignatureException", "SignatureDoesNotMatch":
		return true
	}
	return false
}

// RequestID returns AWS's id of a call from the headers of its answer.
func RequestID(header http.Header) string {
	if id := header.Get("X-Amzn-Requestid"); id != "" {
		return id
	}
	return header.Get("X-Amz-Request-Id")
}

// maxRetryAfter bounds what retry-after may ask for.
const maxRetryAfter = 24 * time.Hour

// retryAfter reads seconds or a date; a date is taken against the answer's own clock where it tells it.
func retryAfter(header http.Header, now time.Time) time.Duration {
	text := strings.TrimSpace(header.Get("Retry-After"))
	if text == "" {
		return 0
	}
	var wait time.Duration
	if seconds, err := strconv.ParseFloat(text, 64); err == nil {
		if seconds > maxRetryAfter.Seconds() {
			return maxRetryAfter
		}
		wait = time.Duration(seconds * float64(time.Second))
	} else if at, err := http.ParseTime(text); err == nil {
		if date, err := http.ParseTime(header.Get("Date")); err == nil {
			now = date
		}
		wait = at.Sub(now)
	}
	return min(max(wait, 0), maxRetryAfter)
}

// excerpt is the beginning of a body for logs, on one line.
func excerpt(body []byte) string {
	body = body[:min(len(body), 200)] // a rune cut in half becomes a space below
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == utf8.RuneError {
			return ' '
		}
		return r
	}, string(body))
}
