package telemetry

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/llm"
)

// MaxString is how long a string of a body that is kept in the database may be, in bytes, unless the operator says otherwise:
// as long as LiteLLM keeps it.
const MaxString = 2048

// longBase64 is from how many characters on a string without anything but base64 counts as binary.
const longBase64 = 256

// Stored is the content as the database keeps it, nil if nothing is to be kept. asked is the model as the client named it, said
// the name that messages have in requests of the kind. A string longer than limit is cut in its middle, as by LiteLLM; base64
// is left out, so that no image is stored; a body that is still longer than [MaxBody] is cut off. Each says so.
func (c *Content) Stored(asked, said string, limit int) *account.Body {
	if c == nil || c.Redacted || c.NoLog {
		return nil
	}
	if c.Request != nil {
		b := &account.Body{Request: stored(c.Request, limit)}
		if c.Response != nil {
			b.Response = stored(c.Response, limit)
		}
		return b
	}
	request := llm.AppendString([]byte(`{"model":`), asked)
	if c.Messages != nil {
		request = append(append(append(append(request, `,"`...), said...), `":`...), c.Messages...)
	}
	if inner := bytes.TrimPrefix(c.Parameters, []byte("{")); len(inner) > 1 {
		request = append(append(request, ','), inner[:len(inner)-1]...)
	}
	if c.Metadata != nil {
		request = append(append(request, `,"metadata":`...), c.Metadata...)
	}
	b := &account.Body{Request: stored(append(request, '}'), limit)}
	if c.Response != nil {
		b.Response = stored(c.Response, limit)
	}
	return b
}

// Kept returns a body in AWS's own words for those who are told of calls: a copy, with credentials masked and base64 left out.
func Kept(body []byte) json.RawMessage { return shorten(maskMembers(body), math.MaxInt) }

func stored(body []byte, limit int) string {
	body = shorten(maskMembers(body), limit)
	whole := len(body)
	if whole <= MaxBody && json.Valid(body) {
		return string(body)
	}
	text := string(body[:min(whole, MaxBody)])
	if whole > MaxBody {
		for len(text) > 0 && !utf8.ValidString(text[max(0, len(text)-utf8.UTFMax):]) && len(text) > MaxBody-utf8.UTFMax {
			text = text[:len(text)-1]
		}
		text += fmt.Sprintf("… (cut off: %d bytes in all)", whole)
	}
	return string(llm.AppendString(nil, text))
}

// shorten returns JSON with its long strings cut.
func shorten(body []byte, limit int) []byte {
	out := make([]byte, 0, min(len(body), MaxBody))
	for i := 0; i < len(body); {
		if body[i] != '"' {
			out = append(out, body[i])
			i++
			continue
		}
		end := endOfString(body, i+1)
		out = append(out, '"')
		out = appendShort(out, body[i+1:end], limit)
		if end < len(body) {
			out = append(out, '"')
		}
		i = end + 1
	}
	return out
}

// appendShort appends a string in its spelling, cut where it is long.
func appendShort(dst, s []byte, limit int) []byte {
	if head := dataHead(s); head > 0 {
		return append(append(append(dst, s[:head]...), '('), strconv.Itoa(len(s)-head)+" characters left out)"...)
	}
	if len(s) > longBase64 && isBase64(s) {
		return append(append(append(dst, '('), strconv.Itoa(len(s))...), " characters of base64 left out)"...)
	}
	if len(s) <= limit {
		return append(dst, s...)
	}
	// The beginning says what it is about, the end what is wanted: LiteLLM keeps as much of each.
	first, last := 0, len(s)
	for i := 0; i < len(s); {
		if i <= limit*35/100 {
			first = i
		}
		if i >= len(s)-limit*65/100 {
			last = i
			break
		}
		i += characterLength(s[i:])
	}
	dst = append(dst, s[:first]...)
	dst = append(append(append(dst, "... (litellm_truncated skipped "...), strconv.Itoa(last-first)...), " chars) ..."...)
	return append(dst, s[last:]...)
}

// characterLength is how long the spelling of a character is.
func characterLength(s []byte) int {
	n := 1
	switch {
	case s[0] == '\\' && len(s) > 1 && s[1] == 'u':
		n = 6
	case s[0] == '\\':
		n = 2
	case s[0] >= utf8.RuneSelf:
		_, n = utf8.DecodeRune(s)
	}
	return min(n, len(s))
}

// dataHead is how long the beginning of a data URL is, before its base64; 0 if it is none.
func dataHead(s []byte) int {
	const mark = ";base64,"
	if !bytes.HasPrefix(s, []byte("data:")) {
		return 0
	}
	if i := bytes.Index(s[:min(len(s), longBase64)], []byte(mark)); i >= 0 {
		return i + len(mark)
	}
	return 0
}

func isBase64(s []byte) bool {
	const ends = 32 << 10
	if len(s) > 2*ends { // as long as no text is that has no space in it
		return bytes.IndexByte(s, ' ') < 0 && isBase64(s[:ends]) && isBase64(s[len(s)-ends:])
	}
	for _, c := range s {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '+', c == '/', c == '-', c == '_', c == '=', c == '\\':
		default:
			return false
		}
	}
	return true
}
