package gateway

import (
	"net/http"
	"strings"
)

// hop are the headers of one connection (RFC 9110, 7.6.1), and those that a proxy says of itself.
func isHop(name string) bool {
	switch name {
	case "Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Http2-Settings":
		return true
	}
	return false
}

// nativeHeader returns the headers that go up: all but those of the connection, of the client's own identity and key, of
// proxies on the way, and what is said to the gateway. X-Amzn-Bedrock-… always travel: a guardrail is among them.
func nativeHeader(client http.Header, keyHeader string) http.Header {
	var named map[string]bool
	for _, value := range client["Connection"] {
		for name := range strings.SplitSeq(value, ",") {
			if named == nil {
				named = map[string]bool{}
			}
			named[http.CanonicalHeaderKey(strings.TrimSpace(name))] = true
		}
	}
	out := make(http.Header, len(client))
	for name, values := range client {
		switch name {
		case "Host", "Content-Length", "Authorization", "Api-Key", "X-Api-Key", "X-Goog-Api-Key", "Ocp-Apim-Subscription-Key", "X-Amz-Date", "X-Amz-Security-Token",
			"X-Amz-Content-Sha256", "Cookie", "Forwarded", "Via", "Accept-Encoding", "Expect", "X-Real-Ip":
			continue
		}
		if isHop(name) || named[name] || strings.EqualFold(name, keyHeader) || strings.HasPrefix(name, "X-Forwarded-") || strings.HasPrefix(name, "X-Litellm-") || strings.HasPrefix(name, "X-Outcrop-") {
			continue
		}
		out[name] = values
	}
	return out
}

// withoutSignature leaves out what a signature put into a query.
func withoutSignature(raw string) string {
	if !strings.Contains(raw, "X-Amz-") {
		return raw
	}
	var kept []string
	for part := range strings.SplitSeq(raw, "&") {
		if !strings.HasPrefix(part, "X-Amz-") {
			kept = append(kept, part)
		}
	}
	return strings.Join(kept, "&")
}

// answerHeader copies AWS's headers.
func (x *exchange) answerHeader(upstream http.Header) {
	h := x.w.Header()
	for name, values := range upstream {
		if !isHop(name) && name != "Set-Cookie" && name != "Alt-Svc" && name != "Content-Length" {
			h[name] = values
		}
	}
}
