package media

import (
	"bytes"
	"encoding/base64"
	"errors"
	"net/url"

	"github.com/outcrop-ai/outcrop/llm"
)

// The ways in which a data URL or base64 text can be wrong.
var (
	ErrNotDataURL = errors.New("not a data URL")
	ErrNotBase64  = errors.New("not base64")
	ErrEmpty      = errors.New("empty file")
)

// FromDataURL splits a data URL (RFC 2397) into its MIME type, which may be empty, and its content as standard padded
// base64. Base64 that is standard already is returned as it stands, aliasing text.
func FromDataURL(text []byte) (mime string, content []byte, err error) {
	rest, ok := cutPrefixFold(text, "data:")
	if !ok {
		return "", nil, ErrNotDataURL
	}
	head, data, ok := bytes.Cut(rest, []byte(","))
	if !ok {
		return "", nil, ErrNotDataURL
	}
	params := bytes.Split(head, []byte(";"))
	mime = string(params[0])
	last := params[len(params)-1]
	if len(params) > 1 && bytes.EqualFold(bytes.TrimSpace(last), []byte("base64")) {
		content, err = Base64(data)
		return mime, content, err
	}
	plain, err := url.PathUnescape(string(data))
	if err != nil {
		return mime, nil, ErrNotDataURL
	}
	if plain == "" {
		return mime, nil, ErrEmpty
	}
	return mime, base64.StdEncoding.AppendEncode(nil, []byte(plain)), nil
}

// IsDataURL reports whether text begins like a data URL.
func IsDataURL(text []byte) bool {
	_, ok := cutPrefixFold(text, "data:")
	return ok
}

func cutPrefixFold(text []byte, prefix string) ([]byte, bool) {
	if len(text) < len(prefix) || !bytes.EqualFold(text[:len(prefix)], []byte(prefix)) {
		return nil, false
	}
	return text[len(prefix):], true
}

// isBase64 marks the characters of the standard alphabet.
var isBase64 = func() (table [256]bool) {
	for _, c := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/" {
		table[c] = true
	}
	return table
}()

// Base64 checks base64 text and returns it in the standard alphabet with padding, which is the only form that AWS
// takes. Clients also send the URL alphabet, leave the padding out, or break lines: those are put right.
func Base64(text []byte) ([]byte, error) {
	if len(text) == 0 {
		return nil, ErrEmpty
	}
	if isStandard(text) {
		return text, nil
	}
	clean := make([]byte, 0, len(text)+3)
	for _, c := range text {
		switch {
		case isBase64[c]:
			clean = append(clean, c)
		case c == '-':
			clean = append(clean, '+')
		case c == '_':
			clean = append(clean, '/')
		case c == '=' || c == '\n' || c == '\r' || c == ' ' || c == '\t':
		default:
			return nil, ErrNotBase64
		}
	}
	if len(clean) == 0 {
		return nil, ErrEmpty
	}
	if len(clean)%4 == 1 {
		return nil, ErrNotBase64
	}
	for len(clean)%4 != 0 {
		clean = append(clean, '=')
	}
	return clean, nil
}

func isStandard(text []byte) bool {
	if len(text)%4 != 0 {
		return false
	}
	end := len(text)
	for end > 0 && end > len(text)-2 && text[end-1] == '=' {
		end--
	}
	for _, c := range text[:end] {
		if !isBase64[c] {
			return false
		}
	}
	return true
}

// Size returns how many bytes standard base64 text stands for.
func Size(content llm.Text) int64 {
	raw, ok := content.Raw()
	if !ok {
		raw = []byte(content.String())
	}
	return int64(len(bytes.TrimRight(raw, "="))) * 3 / 4
}
