package gateway

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/outcrop-ai/outcrop/internal/bedrock/wire"
)

// nativePath is a path in AWS's own words: /bedrock/… with or without v2 behind it, or the same at the root.
type nativePath struct {
	// service is the one of Bedrock's that has the operation. segments are those of its path, as AWS encodes them.
	service  string
	segments []string
	// id and operation are those of /model/{id}/{operation}, unescaped; both are empty for all other paths.
	id, operation string
	// bad says that the path cannot be anybody's.
	bad bool
}

// path returns what goes upstream, for an operation whose path holds no model.
func (p *nativePath) path() string { return "/" + strings.Join(p.segments, "/") }

// first returns the first segment.
func (p *nativePath) first() string { return p.segments[0] }

// isSigned reports whether a request carries a signature of AWS's, which only AWS's SDKs make.
func isSigned(h http.Header) bool {
	values := h["Authorization"]
	return len(values) > 0 && strings.HasPrefix(values[0], "AWS4-HMAC-SHA256")
}

// nativeOf reads a request's path as it was sent. ok is false for paths that are not AWS's. At the root, for SDKs that can put
// no path before theirs, a path is AWS's where nothing of the gateway's own can be meant: by its first segment, or by that and
// an AWS signature.
func nativeOf(r *http.Request) (p nativePath, ok bool) {
	escaped := r.URL.EscapedPath()
	rest, below := strings.CutPrefix(escaped, "/bedrock/")
	if below {
		rest = strings.TrimPrefix(rest, "v2/") // LiteLLM's clients write it; AWS knows none
	} else {
		rest = strings.TrimPrefix(escaped, "/")
		head, _, _ := strings.Cut(rest, "/")
		switch service, shared := serviceOf(head); {
		case service == "", shared && !isSigned(r.Header):
			return p, false
		case head == "model" && !isModelOperation(rest[strings.LastIndexByte(rest, '/')+1:]): // /model/info is LiteLLM's
			return p, false
		}
	}
	p.read(rest)
	if p.service == "" && !p.bad {
		p.service = guessService(r.Header.Get("User-Agent"))
	}
	return p, true
}

// read takes a path apart.
func (p *nativePath) read(rest string) {
	if middle, isModel := strings.CutPrefix(strings.TrimSuffix(rest, "/"), "model/"); isModel && strings.Contains(middle, "/") {
		at := strings.LastIndexByte(middle, '/')
		id, err := url.PathUnescape(middle[:at])
		p.service, p.id, p.operation = wire.ServiceRuntime, id, middle[at+1:]
		operation, wrong := url.PathUnescape(p.operation)
		p.bad = err != nil || wrong != nil || operation != p.operation || operation == ".." || id == "" || strings.Contains(id, "..") || strings.Contains(id, "//") ||
			strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r == 0x7f })
		return
	}
	p.segments = strings.Split(rest, "/")
	for i, segment := range p.segments {
		label, err := url.PathUnescape(segment)
		isLast := i > 0 && i == len(p.segments)-1
		if err != nil || label == "" && !isLast || climbs(label) || strings.ContainsFunc(label, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			p.bad = true
			return
		}
		p.segments[i] = wire.Label(label)
	}
	p.service, _ = serviceOf(p.first())
	// What is no model's operation must not become one on the way: rights go by the segments.
	p.bad = p.first() == "model" || strings.Contains(p.first(), "%")
}

// climbs reports whether a label would lead out of its place if somebody took its slashes for the path's own.
func climbs(label string) bool {
	for part := range strings.SplitSeq(label, "/") {
		if part == "." || part == ".." {
			return true
		}
	}
	return false
}

// isModelOperation reports whether AWS has an operation of that name on models.
func isModelOperation(name string) bool {
	switch name {
	case "invoke", "invoke-with-response-stream", "invoke-with-bidirectional-stream", "converse", "converse-stream", "count-tokens":
		return true
	}
	return false
}

// serviceOf returns which of Bedrock's services has the paths that begin with a segment, "" if none is known to. shared says
// that a path of the gateway's own, or of LiteLLM's, may begin with it, too. Source: botocore's service models (see
// testdata/operations.txt) and AWS's pages on the OpenAI- and Anthropic-shaped endpoints of bedrock-runtime.
func serviceOf(segment string) (service string, shared bool) {
	switch segment {
	case "model", "guardrail", "guardrail-checks", "async-invoke":
		return wire.ServiceRuntime, false
	case "openai", "anthropic":
		return wire.ServiceRuntime, true
	case "knowledgebases", "flows", "retrieveAndGenerate", "retrieveAndGenerateStream", "agenticRetrieveStream", "generateQuery", "optimize-prompt":
		return wire.ServiceAgentRuntime, false
	case "agents", "rerank", "sessions", "tags":
		return wire.ServiceAgentRuntime, true
	case "foundation-models", "inference-profiles", "model-invocation-job", "model-invocation-jobs", "provisioned-model-throughput",
		"provisioned-model-throughputs", "imported-models", "prompt-routers", "custom-models":
		return wire.ServiceControl, false
	case "guardrails", "v1", "projects", "logging", "data-retention", "resource-policy", "advanced-prompt-optimization-job", "advanced-prompt-optimization-jobs",
		"automated-reasoning-policies", "create-foundation-model-agreement", "delete-foundation-model-agreement", "list-foundation-model-agreement-offers",
		"enforcedGuardrailsConfiguration", "evaluation-job", "evaluation-jobs", "foundation-model-availability", "marketplace-model", "model-copy-jobs",
		"model-customization", "model-customization-jobs", "model-import-jobs", "listTagsForResource", "tagResource", "untagResource",
		"trusted-access-programs", "use-case-for-model-access":
		return wire.ServiceControl, true
	}
	return "", false
}

// guessService returns the service of a path that AWS has got since: most of its SDKs name in their User-Agent the client that
// they speak for (api/bedrock-agent-runtime#3.1, api/bedrockagentruntime#1.2). Others mean bedrock-runtime.
func guessService(agent string) string {
	_, api, _ := strings.Cut(agent, "api/")
	api, _, _ = strings.Cut(api, "#")
	switch strings.ToLower(strings.NewReplacer("-", "", "_", "").Replace(api)) {
	case "bedrockagentruntime":
		return wire.ServiceAgentRuntime
	case "bedrock":
		return wire.ServiceControl
	}
	return wire.ServiceRuntime
}

// streams reports whether the answer is a stream of events, by what is known of AWS's operations. One that is not known to be
// is relayed all the same: this decides how long it may take, and what is asked for where the client does not say.
func (p *nativePath) streams() bool {
	if p.id != "" {
		return p.operation == "converse-stream" || p.operation == "invoke-with-response-stream"
	}
	switch p.first() {
	case "retrieveAndGenerateStream", "agenticRetrieveStream", "optimize-prompt":
		return true
	case "agents": // {session}, or {agent}/agentAliases/{alias}/sessions/{session}/text
		return len(p.segments) == 2 || p.segments[len(p.segments)-1] == "text"
	case "flows": // {flow}/aliases/{alias}
		return len(p.segments) == 4
	}
	return false
}

// modelAt returns where in its body a request names its model, nil where it names none. isARN says that it is named by an ARN.
func (p *nativePath) modelAt(method string) (at []string, isARN bool) {
	if method != http.MethodPost || p.id != "" {
		return nil, false
	}
	switch p.first() {
	case "openai", "anthropic":
		return []string{"model"}, false
	case "async-invoke":
		return []string{"modelId"}, false
	case "rerank":
		return []string{"rerankingConfiguration", "bedrockRerankingConfiguration", "modelConfiguration", "modelArn"}, true
	}
	return nil, false
}

// arnRegion returns the region of the first ARN in the path, "" if there is none.
func (p *nativePath) arnRegion() string {
	for _, segment := range p.segments {
		label, err := url.PathUnescape(segment)
		if parts := strings.SplitN(label, ":", 6); err == nil && len(parts) == 6 && parts[0] == "arn" && wire.ValidRegion(parts[3]) {
			return parts[3]
		}
	}
	return ""
}

// scopeRegion returns the region for which a client has signed, "" if it has signed for none. An access key id may hold
// blanks and slashes here: the scope is counted from its end.
func scopeRegion(h http.Header) string {
	if !isSigned(h) {
		return ""
	}
	_, credential, _ := strings.Cut(h.Get("Authorization"), "Credential=")
	credential, _, _ = strings.Cut(credential, ",")
	scope := strings.Split(strings.TrimSpace(credential), "/")
	if n := len(scope); n >= 5 && scope[n-1] == "aws4_request" && wire.ValidRegion(scope[n-3]) {
		return scope[n-3]
	}
	return ""
}
