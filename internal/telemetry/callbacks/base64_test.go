package callbacks

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestMessagesWithoutFiles(t *testing.T) {
	f := func(messages, want string) {
		t.Helper()
		if got := string(withoutFiles(json.RawMessage(messages))); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	}
	f(`[{"role":"user","content":"see data:image/png;base64,QUJD\/RA== (a cat)"}]`, `[{"role":"user","content":"see [BASE64_REDACTED](a cat)"}]`)
	f(`[{"content":[{"type":"text","text":"hi"},{"type":"image_url","image_url":{"url":"data:x"}},{"file":{"a":1}},"plain",{"text":"untyped"}],"z":1.50}]`,
		`[{"content":[{"type":"text","text":"hi"},"plain",{"text":"untyped"}],"z":1.50}]`)
	f(`[{"tool_calls":[{"type":"function","url":"data:application/pdf;base64,AA"}],"content":null}]`, `[{"tool_calls":[{"type":"function","url":"[BASE64_REDACTED]"}],"content":null}]`)
	f(`"data:audio/mpeg;base64,AAAA"`, `"[BASE64_REDACTED]"`)
	f(`[]`, `[]`)
	f(``, ``)
	if deep := strings.Repeat("[", 100) + strings.Repeat("]", 100); !json.Valid(withoutFiles(json.RawMessage(deep))) {
		t.Error("a deep value is no JSON any more")
	}
}
