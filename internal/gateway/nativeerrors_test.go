package gateway

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/outcrop-ai/outcrop/internal/bedrock/wire"
	"github.com/outcrop-ai/outcrop/internal/engine"
	"github.com/outcrop-ai/outcrop/llm"
)

// TestNativeErrors says each of the gateway's own refusals in AWS's words, as docs/pass-through.md has them.
func TestNativeErrors(t *testing.T) {
	g, _ := servicesRig(t, ownKey, "")
	f := func(e *llm.Error, status int, exception string) {
		t.Helper()
		w := httptest.NewRecorder()
		e.Message = `what "happened"`
		x := &exchange{w: w, r: httptest.NewRequest(http.MethodPost, "/bedrock/x", nil), call: &engine.Call{ID: "call-1"}, native: true, server: g.server}
		x.fail(e)
		h := w.Header()
		if w.Code != status || h.Get("X-Amzn-Errortype") != exception || w.Body.String() != `{"message":"what \"happened\""}` || h.Get("Content-Type") != "application/json" || h.Get("X-Amzn-Requestid") != "call-1" {
			t.Errorf("%+v: %d %v %s", e, w.Code, h, w.Body)
		}
		if e.RetryAfter > 0 && h.Get("Retry-After") != "2" {
			t.Errorf("%v", h)
		}
	}
	f(&llm.Error{Kind: llm.KindAuth, Code: "invalid_api_key"}, 403, "UnrecognizedClientException")
	f(&llm.Error{Kind: llm.KindPermission}, 403, "AccessDeniedException")
	f(&llm.Error{Kind: llm.KindNotFound, Code: "model_not_found"}, 404, "ResourceNotFoundException")
	f(&llm.Error{Kind: llm.KindInvalid}, 400, "ValidationException")
	f(&llm.Error{Kind: llm.KindRateLimit, RetryAfter: 1500 * time.Millisecond}, 429, "ThrottlingException")
	f(&llm.Error{Kind: llm.KindRateLimit, Type: "budget_exceeded"}, 400, "ServiceQuotaExceededException")
	f(&llm.Error{Kind: llm.KindTooLarge}, 413, "RequestEntityTooLargeException")
	f(&llm.Error{Kind: llm.KindPermission, Code: wire.CodeCredentials}, 503, "ServiceUnavailableException")
	f(&llm.Error{Kind: llm.KindRateLimit, Code: "no_deployments_available", RetryAfter: 2 * time.Second}, 503, "ServiceUnavailableException")
	f(&llm.Error{Kind: llm.KindUpstream}, 503, "ServiceUnavailableException")
	f(&llm.Error{Kind: llm.KindUnavailable}, 503, "ServiceUnavailableException")
	f(&llm.Error{Kind: llm.KindGatewayTimeout}, 408, "ModelTimeoutException")
	f(&llm.Error{Kind: llm.KindInternal}, 500, "InternalServerException")
}
