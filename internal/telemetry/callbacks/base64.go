package callbacks

import (
	"encoding/json"
	"regexp"

	"github.com/outcrop-ai/outcrop/internal/jsonscan"
)

// inlineBase64 finds files in data URLs.
var inlineBase64 = regexp.MustCompile(`data:(?:application|image|audio|video)/[a-zA-Z0-9.+-]+;base64,[A-Za-z0-9+/=\s]+`)

const (
	// withoutBase64 stands where a file was: LiteLLM's words.
	withoutBase64 = "[BASE64_REDACTED]"
	// maxNested bounds how deep messages are looked into.
	maxNested = 64
)

// withoutFiles returns messages as LiteLLM's s3_strip_base64_files leaves them: without parts that are no text, and without
// what is in data URLs. What is no list of messages has its data URLs taken out.
func withoutFiles(messages json.RawMessage) json.RawMessage {
	if len(messages) == 0 {
		return messages
	}
	return appendBare(nil, messages, 0)
}

// appendBare appends a value without files. Parts of a content that are no text are left out: a message is at depth 1, its
// content at 2.
func appendBare(dst, raw []byte, depth int) []byte {
	switch {
	case depth > maxNested:
		return append(dst, `"[MAX_DEPTH_REACHED]"`...)
	case raw[0] == '"':
		return appendBareText(dst, raw)
	case raw[0] == '[':
		dst = append(dst, '[')
		some := false
		for one := range jsonscan.Elements(raw) {
			if depth == contentDepth && isFile(one) {
				continue
			}
			if some {
				dst = append(dst, ',')
			}
			dst, some = appendBare(dst, one, depth+1), true
		}
		return append(dst, ']')
	case raw[0] == '{':
		dst = append(dst, '{')
		some := false
		for name, value := range jsonscan.Members(raw) {
			if some {
				dst = append(dst, ',')
			}
			text, err := json.Marshal(name)
			if err != nil { // it is a text
				continue
			}
			dst = append(append(dst, text...), ':')
			inner := depth + 1
			if depth == 1 && name != "content" {
				inner = contentDepth + 1 // its lists are no parts
			}
			dst, some = appendBare(dst, value, inner), true
		}
		return append(dst, '}')
	}
	return append(dst, raw...)
}

// contentDepth is where the content of a message is.
const contentDepth = 2

// isFile reports whether a part of a content is anything but text.
func isFile(part []byte) bool {
	if part[0] != '{' {
		return false
	}
	if jsonscan.Member(part, "file") != nil {
		return true
	}
	kind := jsonscan.Member(part, "type")
	return len(kind) > 0 && kind[0] == '"' && jsonscan.Text(kind) != "text"
}

func appendBareText(dst, raw []byte) []byte {
	text := jsonscan.Text(raw)
	bare := inlineBase64.ReplaceAllString(text, withoutBase64)
	if bare == text {
		return append(dst, raw...)
	}
	spelled, err := json.Marshal(bare)
	if err != nil { // it is a text
		return append(dst, `""`...)
	}
	return append(dst, spelled...)
}
