package invoke

import (
	"net/http"
	"strings"

	"github.com/outcrop-ai/outcrop/internal/jsonscan"
)

// The headers in which InvokeModel takes what Converse has in its body, from its API reference.
const (
	headerGuardrail        = "X-Amzn-Bedrock-Guardrailidentifier"
	headerGuardrailVersion = "X-Amzn-Bedrock-Guardrailversion"
	headerTrace            = "X-Amzn-Bedrock-Trace"
	headerLatency          = "X-Amzn-Bedrock-Performanceconfig-Latency"
	headerTier             = "X-Amzn-Bedrock-Service-Tier"
	headerMetadata         = "X-Amzn-Bedrock-Request-Metadata"
)

// maxMetadata is AWS's limit of the header, in characters.
const maxMetadata = 8500

// header says in headers what Converse has in its body.
func (e *encoder) header() http.Header {
	h := http.Header{}
	set := func(name string, value []byte) {
		text := jsonscan.Text(value)
		if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }) {
			e.refuse("guardrailConfig", "guardrailConfig holds characters that no identifier or version has")
		}
		if text != "" {
			h[name] = []string{text}
		}
	}
	d := &e.doc
	set(headerGuardrail, jsonscan.Member(d.guardrail, "guardrailIdentifier"))
	set(headerGuardrailVersion, jsonscan.Member(d.guardrail, "guardrailVersion"))
	set(headerTrace, jsonscan.Member(d.guardrail, "trace"))
	for i := range h[headerTrace] {
		h[headerTrace][i] = strings.ToUpper(h[headerTrace][i]) // Converse has it in lower case
	}
	set(headerLatency, d.latency)
	set(headerTier, d.tier)
	if d.metadata != nil {
		pairs := jsonscan.AppendCompact(nil, d.metadata)
		if len(pairs) > maxMetadata {
			e.refuse("requestMetadata", "requestMetadata has more than 8,500 characters, which InvokeModel takes at most")
		}
		h[headerMetadata] = []string{string(pairs)}
	}
	return h
}

// guardrailBody writes what a guardrail wants to know in the body: the ending of the tags, and how a stream is judged.
func (e *encoder) guardrailBody() {
	mode := jsonscan.Text(jsonscan.Member(e.doc.guardrail, "streamProcessingMode"))
	if e.suffix == "" && mode == "" {
		return
	}
	e.name("amazon-bedrock-guardrailConfig")
	e.dst = append(e.dst, '{')
	if e.suffix != "" {
		e.dst = append(append(append(e.dst, `"tagSuffix":"`...), e.suffix...), '"')
	}
	switch {
	case mode == "":
	case strings.HasPrefix(mode, "async"):
		e.streamMode("ASYNCHRONOUS")
	default:
		e.streamMode("SYNCHRONOUS")
	}
	e.dst = append(e.dst, '}')
}

func (e *encoder) streamMode(mode string) {
	if e.suffix != "" {
		e.dst = append(e.dst, ',')
	}
	e.dst = append(append(append(e.dst, `"streamProcessingMode":"`...), mode...), '"')
}
