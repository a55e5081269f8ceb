package llm

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Text is a piece of text: either a Go string, or the JSON spelling in which it arrived (escapes and all). The zero
// value is the empty text. A Text made by [RawText] aliases its buffer.
type Text struct {
	s   string
	raw []byte
}

// NewText returns s as a Text.
func NewText(s string) Text { return Text{s: s} }

// RawText returns the text whose JSON spelling, without the surrounding quotes, is spelling. The caller vouches that
// it is the inside of a valid JSON string in valid UTF-8, and must not change the bytes while the Text is in use.
func RawText(spelling []byte) Text {
	if len(spelling) == 0 {
		return Text{}
	}
	return Text{raw: spelling}
}

// IsEmpty reports whether the text has no characters.
func (t Text) IsEmpty() bool { return t.s == "" && len(t.raw) == 0 }

// IsBlank reports whether the text is empty or only white space: AWS refuses such text blocks.
func (t Text) IsBlank() bool {
	if t.raw == nil {
		return strings.TrimSpace(t.s) == ""
	}
	for _, c := range t.raw {
		switch c {
		case ' ':
		case '\\':
			return strings.TrimSpace(t.String()) == ""
		default:
			if c >= utf8.RuneSelf {
				return strings.TrimSpace(t.String()) == ""
			}
			return false
		}
	}
	return true
}

// Size returns the number of bytes that the text takes as it is held. For a spelling that counts escapes as they are
// written; it is meant for estimates and limits, not for cutting.
func (t Text) Size() int { return len(t.s) + len(t.raw) }

// Runes returns the number of Unicode characters in the text.
func (t Text) Runes() int {
	if t.raw == nil {
		return utf8.RuneCountInString(t.s)
	}
	if bytes.IndexByte(t.raw, '\\') < 0 {
		return utf8.RuneCount(t.raw)
	}
	return utf8.RuneCountInString(t.String())
}

// String returns the text itself. A spelling is unescaped: an unpaired surrogate escape becomes U+FFFD, as in
// encoding/json.
func (t Text) String() string {
	if t.raw == nil {
		return t.s
	}
	for _, c := range t.raw {
		if c == '\\' {
			quoted := make([]byte, 0, len(t.raw)+2)
			quoted = append(quoted, '"')
			quoted = append(quoted, t.raw...)
			quoted = append(quoted, '"')
			var s string
			if json.Unmarshal(quoted, &s) != nil {
				return string(t.raw) // RawText's promise was broken: show what is there
			}
			return s
		}
	}
	return string(t.raw)
}

// Raw returns the JSON spelling without quotes, and whether the text is held as one.
func (t Text) Raw() ([]byte, bool) { return t.raw, t.raw != nil }

// AppendJSON appends the text to dst as a JSON string, quotes included.
func (t Text) AppendJSON(dst []byte) []byte {
	if t.raw == nil {
		return AppendString(dst, t.s)
	}
	dst = append(dst, '"')
	dst = append(dst, t.raw...)
	return append(dst, '"')
}

// AppendInner appends the text's JSON spelling without quotes, for joining several texts into one JSON string.
func (t Text) AppendInner(dst []byte) []byte {
	if t.raw == nil {
		return appendEscaped(dst, t.s)
	}
	return append(dst, t.raw...)
}

// MarshalJSON makes a Text a JSON string.
func (t Text) MarshalJSON() ([]byte, error) { return t.AppendJSON(nil), nil }

// UnmarshalJSON reads a JSON string; the Text owns its bytes afterwards.
func (t *Text) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	*t = NewText(s)
	return nil
}

// TrimRight returns the text without trailing white space. Claude refuses a prefill that ends in white space.
func (t Text) TrimRight() Text {
	if t.raw == nil {
		return NewText(strings.TrimRightFunc(t.s, unicode.IsSpace))
	}
	s := t.String()
	trimmed := strings.TrimRightFunc(s, unicode.IsSpace)
	if len(trimmed) == len(s) {
		return t
	}
	return NewText(trimmed)
}

// AppendString appends s to dst as a JSON string, quotes included. Only what RFC 8259 demands is escaped, HTML
// characters are left alone; bytes that are not UTF-8 become U+FFFD.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	dst = appendEscaped(dst, s)
	return append(dst, '"')
}

const hexDigits = "0123456789abcdef"

func appendEscaped(dst []byte, s string) []byte {
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				dst = append(dst, s[start:i]...)
				dst = append(dst, `\ufffd`...)
				i += size
				start = i
				continue
			}
			i += size
			continue
		}
		dst = append(dst, s[start:i]...)
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		i++
		start = i
	}
	return append(dst, s[start:]...)
}
