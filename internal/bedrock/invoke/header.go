package invoke

import (
	"maps"
	"net/http"
	"strings"

	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
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

// GuardrailHeader says in headers what Converse has as guardrailConfig, nil for none.
func GuardrailHeader(config []byte) (http.Header, *llm.Error) {
	if len(config) == 0 || string(config) == "null" {
		return nil, nil
	}
	h := http.Header{}
	for _, part := range [...]struct{ header, name string }{
		{headerGuardrail, "guardrailIdentifier"}, {headerGuardrailVersion, "guardrailVersion"}, {headerTrace, "trace"},
	} {
		text := jsonscan.Text(jsonscan.Member(config, part.name))
		if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }) {
			return nil, llm.Invalid("guardrailConfig."+part.name, "guardrailConfig."+part.name+" holds characters that AWS has none of there")
		}
		if part.header == headerTrace {
			text = strings.ToUpper(text) // Converse has it in lower case
		}
		if text != "" {
			h[part.header] = []string{text}
		}
	}
	if (h[headerGuardrail] == nil) != (h[headerGuardrailVersion] == nil) {
		return nil, llm.Invalid("guardrailConfig", "guardrailConfig needs an identifier and a version, or neither")
	}
	return h, nil
}

// header says in headers what Converse has in its body.
func (e *encoder) header() http.Header {
	h := http.Header{}
	set := func(name string, value []byte) {
		if text := jsonscan.Text(value); text != "" {
			h[name] = []string{text}
		}
	}
	d := &e.doc
	guardrail, err := GuardrailHeader(d.guardrail)
	if err != nil && e.err == nil {
		e.err = err
	}
	maps.Copy(h, guardrail)
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
