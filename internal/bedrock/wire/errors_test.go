package wire

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/outcrop-ai/outcrop/llm"
)

func awsHeader(name string) http.Header {
	return http.Header{
		"X-Amzn-Errortype": {name + ":http://internal.amazon.com/coral/com.amazon.bedrock/"},
		"X-Amzn-Requestid": {"5f0c"},
	}
}

func body(message string) []byte { return []byte(`{"message":` + quote(message) + `}`) }

func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

func TestErrorsOfAWS(t *testing.T) {
	f := func(status int, name, message string, kind llm.Kind, client int, code string) {
		t.Helper()
		e := ErrorFrom(status, awsHeader(name), body(message))
		if e.Kind != kind || e.Status() != client || e.Code != code || e.AWSType != name || e.RequestID != "5f0c" || e.Message != message {
			t.Errorf("%d %s %q gives kind %d, status %d, %+v", status, name, message, e.Kind, e.Status(), e)
		}
	}
	f(400, "ValidationException", "bad", llm.KindInvalid, 400, "")
	f(400, "ServiceQuotaExceededException", "quota", llm.KindRateLimit, 429, "")
	f(404, "ResourceNotFoundException", "gone", llm.KindNotFound, 404, "")
	f(403, "AccessDeniedException", "You don't have access to the model with the specified model ID.", llm.KindPermission, 403, "")
	f(403, "UnrecognizedClientException", "The security token included in the request is invalid.", llm.KindPermission, 403, CodeCredentials)
	f(403, "InvalidSignatureException", "The request signature we calculated does not match", llm.KindPermission, 403, CodeCredentials)
	f(403, "ExpiredTokenException", "The security token included in the request is expired", llm.KindPermission, 403, CodeCredentials)
	f(400, "ExpiredToken", "expired", llm.KindPermission, 403, CodeCredentials)
	f(403, "MissingAuthenticationTokenException", "Missing Authentication Token", llm.KindPermission, 403, CodeCredentials)
	f(400, "IncompleteSignature", "x", llm.KindPermission, 403, CodeCredentials)
	f(403, "AccessDeniedException", "Bearer Token has expired", llm.KindPermission, 403, CodeCredentials)
	f(429, "ThrottlingException", "Too many tokens, please wait before trying again.", llm.KindRateLimit, 429, "")
	f(429, "ModelNotReadyException", "loading", llm.KindRateLimit, 429, "")
	f(408, "ModelTimeoutException", "slow", llm.KindTimeout, 408, "")
	f(424, "ModelErrorException", "prompt is too long for the model", llm.KindUpstream, 502, "")
	f(424, "ModelStreamErrorException", "x", llm.KindUpstream, 502, "")
	f(500, "InternalServerException", "x", llm.KindUpstreamInternal, 500, "")
	f(503, "ServiceUnavailableException", "x", llm.KindUnavailable, 503, "")
	f(502, "BadGatewayException", "x", llm.KindUpstream, 502, "")
	// Unknown names go by the status.
	f(400, "NewException", "input is too long", llm.KindInvalid, 400, "")
	f(401, "NewException", "x", llm.KindPermission, 403, "")
	f(418, "NewException", "x", llm.KindInvalid, 418, "")
	f(413, "NewException", "x", llm.KindTooLarge, 413, "")
	f(504, "NewException", "x", llm.KindUpstream, 504, "")
	f(302, "NewException", "x", llm.KindUpstream, 502, "")
}

// Each phrase has the effect that its row says on its own sample, whatever rows stand above it.
func TestPhrases(t *testing.T) {
	exceptionOf := map[llm.Kind]string{
		llm.KindInvalid: "ValidationException", llm.KindNotFound: "ResourceNotFoundException", llm.KindPermission: "AccessDeniedException",
	}
	for _, p := range phrases {
		e := ErrorFrom(400, awsHeader(exceptionOf[p.on]), body(p.sample))
		if e.Kind != p.kind || p.code != "" && e.Code != p.code || p.hint != "" && e.Hint != p.hint || e.Message != p.sample {
			t.Errorf("%q gives kind %d, code %q, hint %q", p.sample, e.Kind, e.Code, e.Hint)
		}
		// The same words with a throttle stay a throttle.
		if e := ErrorFrom(429, awsHeader("ThrottlingException"), body(p.sample)); e.Kind != llm.KindRateLimit || e.Code != "" {
			t.Errorf("%q with a throttle gives kind %d, code %q", p.sample, e.Kind, e.Code)
		}
	}
}

func TestWhereTheNameComesFrom(t *testing.T) {
	f := func(header, body, wantType, wantMessage string) {
		t.Helper()
		h := http.Header{}
		if header != "" {
			h.Set("x-amzn-ErrorType", header)
		}
		e := ErrorFrom(400, h, []byte(body))
		if e.AWSType != wantType || e.Message != wantMessage {
			t.Errorf("%q %s gives %q, %q", header, body, e.AWSType, e.Message)
		}
	}
	f("ThrottlingException", `{"message":"m"}`, "ThrottlingException", "m")
	f("ThrottlingException:http://x/", `{"__type":"Other","message":"m"}`, "ThrottlingException", "m")
	f("", `{"__type":"com.amazon.coral.service#ThrottlingException","Message":"M"}`, "ThrottlingException", "M")
	f("", `{"code":"ThrottlingException","message":"m","Message":"M"}`, "ThrottlingException", "m")
	f("", `{"code":400,"message":"m"}`, "", "m")
	f("", `{"error":{"message":"deep"}}`, "", "deep")
	f("", `{"message":{"a":1}}`, "", "Bad Request")
	f("", `<html>no</html>`, "", "Bad Request")
	f("", ``, "", "Bad Request")
	f("bad name\r\nX: y", `{"message":"m"}`, "", "m")
}

func TestAnAnswerThatIsNotJSONIsInTheCauseOnly(t *testing.T) {
	e := ErrorFrom(502, http.Header{}, []byte("<html>\r\nproxy at 10.0.0.1 failed"))
	if e.Message != "Bad Gateway" || e.Cause == nil || !strings.Contains(e.Cause.Error(), "proxy at 10.0.0.1") || strings.ContainsAny(e.Cause.Error(), "\r\n") {
		t.Errorf("%q, cause %v", e.Message, e.Cause)
	}
}

func TestRetryAfter(t *testing.T) {
	f := func(value, date string, want time.Duration) {
		t.Helper()
		h := awsHeader("ThrottlingException")
		h.Set("Retry-After", value)
		h.Set("Date", date)
		if got := ErrorFrom(429, h, nil).RetryAfter; got != want {
			t.Errorf("%q gives %v, want %v", value, got, want)
		}
	}
	f("", "", 0)
	f("7", "", 7*time.Second)
	f("0.5", "", 500*time.Millisecond)
	f("-3", "", 0)
	f("soon", "", 0)
	f("1e300", "", maxRetryAfter)
	f("NaN", "", 0)
	f("Fri, 02 Jan 2026 03:04:35 GMT", "Fri, 02 Jan 2026 03:04:05 GMT", 30*time.Second)
	f("Fri, 02 Jan 2026 03:04:00 GMT", "Fri, 02 Jan 2026 03:04:05 GMT", 0)
}

func TestHints(t *testing.T) {
	f := func(name, message, want string) {
		t.Helper()
		if e := ErrorFrom(400, awsHeader(name), body(message)); !strings.Contains(e.Hint, want) || want == "" && e.Hint != "" {
			t.Errorf("%s %q has the hint %q", name, message, e.Hint)
		}
	}
	f("ValidationException", "bad", "")
	f("AccessDeniedException", "no", "bedrock:InvokeModel")
	f("RequestTimeTooSkewed", "no", "clock")
	f("ValidationException", "Invocation of model ID x with on-demand throughput isn't supported.", "inference profile")
	f("ValidationException", "A conversation must start with a user message.", "user_continue_message")
}

func FuzzErrorFrom(f *testing.F) {
	f.Add(400, "ValidationException:http://x", "3", []byte(`{"message":"too many tokens"}`))
	f.Add(429, "", "Fri, 02 Jan 2026 03:04:35 GMT", []byte(`{"__type":"a#ThrottlingException","Message":"m"}`))
	f.Add(502, "", "", []byte("<html>\xff\xfe"))
	f.Add(0, "#", "-1", []byte(`{"error":{"message":1}}`))
	f.Fuzz(func(t *testing.T, status int, name, retry string, body []byte) {
		e := ErrorFrom(status, http.Header{"X-Amzn-Errortype": {name}, "Retry-After": {retry}}, body)
		if s := e.Status(); s < 400 || s > 599 {
			t.Fatalf("status %d for a client", s)
		}
		if e.Status() == http.StatusUnauthorized {
			t.Fatal("a 401 tells clients that their own key is wrong")
		}
		if e.Message == "" || e.RetryAfter < 0 || e.RetryAfter > maxRetryAfter || strings.ContainsAny(e.AWSType, "\r\n \x00") {
			t.Fatalf("%+v", e)
		}
	})
}
