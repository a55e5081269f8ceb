package telemetry

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"unicode/utf8"

	"github.com/outcrop-ai/outcrop/internal/secret"
)

// MaxBody is how much of a body a debug line shows, in bytes.
const MaxBody = 64 << 10

// Body is a request's or answer's body as a debug line shows it: cut to [MaxBody], with the strings of JSON members that
// have the name of a credential masked. Nothing is copied or looked at unless the line is written.
type Body []byte

// LogValue gives the text to slog.
func (b Body) LogValue() slog.Value {
	shown := []byte(b)
	if len(shown) > MaxBody {
		end := MaxBody
		for end > MaxBody-utf8.UTFMax && !utf8.RuneStart(shown[end]) {
			end--
		}
		shown = shown[:end]
	}
	if !utf8.Valid(shown) {
		return slog.StringValue(fmt.Sprintf("(%d bytes that are no text)", len(b)))
	}
	text := string(maskMembers(shown))
	if len(shown) < len(b) {
		text += fmt.Sprintf("… (%d bytes in all)", len(b))
	}
	return slog.StringValue(text)
}

// maskMembers returns body with the string values of credentials' members masked. It follows strings alone, so that it
// works on JSON that is cut off or broken, and leaves other text as it is.
func maskMembers(body []byte) []byte {
	var masked []byte
	copied := 0
	for i := 0; i < len(body); {
		if body[i] != '"' {
			i++
			continue
		}
		start := i + 1
		end := endOfString(body, start)
		i = end + 1
		colon := skipSpace(body, i)
		if colon >= len(body) || body[colon] != ':' {
			continue
		}
		value := skipSpace(body, colon+1)
		if value >= len(body) || body[value] != '"' || !isCredentialMember(body[start:end]) {
			continue
		}
		i = endOfString(body, value+1)
		masked = append(masked, body[copied:value+1]...)
		masked = append(masked, secret.Mask...)
		copied = i
		i++
	}
	if copied == 0 {
		return body
	}
	return append(masked, body[copied:]...)
}

// isCredentialMember is isCredential for the spelling of a member's name: escapes must not hide it.
func isCredentialMember(name []byte) bool {
	if bytes.IndexByte(name, '\\') >= 0 {
		var text string
		if json.Unmarshal(slices.Concat([]byte{'"'}, name, []byte{'"'}), &text) == nil {
			return isCredential(text)
		}
	}
	return isCredential(string(name))
}

// endOfString returns the place of the quote that ends a string, or the end of the body. It looks for quotes and for what may
// escape them, not at each byte: an image in base64 is one long string.
func endOfString(body []byte, i int) int {
	quote := nextQuote(body, i)
	for i < len(body) {
		escape := bytes.IndexByte(body[i:quote], '\\')
		if escape < 0 {
			return quote
		}
		if i += escape + 2; i > quote { // it was the quote that was escaped
			quote = nextQuote(body, i)
		}
	}
	return len(body)
}

func nextQuote(body []byte, i int) int {
	if i < len(body) {
		if n := bytes.IndexByte(body[i:], '"'); n >= 0 {
			return i + n
		}
	}
	return len(body)
}

func skipSpace(body []byte, i int) int {
	for i < len(body) && (body[i] == ' ' || body[i] == '\t' || body[i] == '\n' || body[i] == '\r') {
		i++
	}
	return i
}
