package openai

import (
	"encoding/base64"
	"strings"

	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// sealMark begins the encrypted_content that this gateway gives. What follows is base64 of the reasoning as the model
// signed it: {"text", "signature"}, or {"redacted"} with what the provider itself has encrypted. It goes back to the model byte
// for byte, whatever a client makes of the summary beside it.
const sealMark = "oc1."

// appendSeal writes reasoning as a JSON string that unseal reads. Without a signature no model takes it back: that is null.
func appendSeal(dst []byte, b *llm.Block) []byte {
	if b.Signature.IsEmpty() {
		return append(dst, "null"...)
	}
	var inner []byte
	if b.Kind == llm.BlockRedacted {
		inner = b.Signature.AppendJSON([]byte(`{"redacted":`))
	} else {
		inner = b.Text.AppendJSON([]byte(`{"text":`))
		inner = b.Signature.AppendJSON(append(inner, `,"signature":`...))
	}
	inner = append(inner, '}')
	dst = append(append(dst, '"'), sealMark...)
	dst = base64.RawURLEncoding.AppendEncode(dst, inner)
	return append(dst, '"')
}

// unseal reads what appendSeal wrote; it reports false for anything else.
func unseal(sealed string) ([]llm.Block, bool) {
	encoded, ours := strings.CutPrefix(sealed, sealMark)
	if !ours {
		return nil, false
	}
	raw, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil || jsonscan.Valid(raw) != nil {
		return nil, false
	}
	member := func(name string) (llm.Text, bool) {
		inner, ok := jsonscan.Inner(jsonscan.Member(raw, name))
		return llm.RawText(inner), ok && len(inner) > 0
	}
	if data, ok := member("redacted"); ok {
		return []llm.Block{{Kind: llm.BlockRedacted, Signature: data}}, true
	}
	signature, ok := member("signature")
	if !ok {
		return nil, false
	}
	text, _ := member("text")
	return []llm.Block{{Kind: llm.BlockThinking, Text: text, Signature: signature}}, true
}
