package converse

import (
	"encoding/base64"

	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// AWS's redactedContent is a blob, base64 in JSON. Its bytes are the string that Anthropic's own API calls data, which is
// base64 itself: clients that speak to both must see the same string, so the outer layer is taken off and put on here.

// unwrapRedacted returns what is inside of the outer layer, or data if it has none.
func unwrapRedacted(data []byte) llm.Text {
	if inner, ok := redactedInside(jsonscan.AppendUnescaped(nil, data)); ok {
		return llm.NewText(string(inner))
	}
	return llm.RawText(data)
}

// wrapRedacted returns data with the outer layer, which it may have already.
func wrapRedacted(data string) string {
	if _, ok := redactedInside([]byte(data)); ok {
		return data
	}
	return base64.StdEncoding.EncodeToString([]byte(data))
}

// redactedInside takes the outer layer off, and reports whether there was one: what is inside is base64 again.
func redactedInside(data []byte) ([]byte, bool) {
	inner, err := base64.StdEncoding.AppendDecode(nil, data)
	if err != nil || len(inner) == 0 {
		return nil, false
	}
	_, err = base64.StdEncoding.AppendDecode(nil, inner)
	return inner, err == nil
}
