package secret

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
)

// Mask is what a set Secret prints as. It has a fixed length: not even the length of the value is told.
const Mask = "****"

// Secret is a string that cannot be printed, logged or marshalled by accident.
// The zero value is the unset Secret: it prints as nothing, reveals "" and is equal to nothing.
//
// The text sits behind a pointer because fmt does not call the methods of values in unexported fields: it walks into
// them, and would show a plain string there, but shows only the address of a pointer.
// Secrets cannot be compared with ==, which would not be done in constant time; use Equal.
type Secret struct {
	_    [0]func() // makes == a compile error
	text *string
}

// New returns text as a Secret. An empty text gives the unset Secret.
func New(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{text: &text}
}

// Reveal returns the text, "" for an unset Secret. Call it where the text is put to use, and keep no copy.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// IsSet tells whether there is a value.
func (s Secret) IsSet() bool { return s.text != nil }

// IsZero is true for the unset Secret, for encoding/json's omitzero.
func (s Secret) IsZero() bool { return s.text == nil }

// Equal compares in time that depends on neither value. An unset Secret is equal to nothing, not even to another unset
// one: an empty key in a request never matches a key that was never configured.
func (s Secret) Equal(other Secret) bool {
	if s.text == nil || other.text == nil {
		return false
	}
	a, b := sha256.Sum256([]byte(*s.text)), sha256.Sum256([]byte(*other.text))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// EqualString is Equal for a text that came from outside.
func (s Secret) EqualString(text string) bool { return s.Equal(New(text)) }

// Digest returns the SHA-256 of the text in hex: a stable name for the secret that may be stored and compared.
// It returns "" for an unset Secret.
func (s Secret) Digest() string {
	if s.text == nil {
		return ""
	}
	sum := sha256.Sum256([]byte(*s.text))
	return hex.EncodeToString(sum[:])
}

// String returns Mask, or "" when unset.
func (s Secret) String() string {
	if s.text == nil {
		return ""
	}
	return Mask
}

// GoString is what %#v prints: the same as String.
func (s Secret) GoString() string { return s.String() }

// Format writes what String returns, whatever the verb and the flags.
func (s Secret) Format(f fmt.State, _ rune) {
	// The error of a fmt.State has nowhere to go; fmt itself reports failed writes to its caller.
	_, _ = io.WriteString(f, s.String())
}

// MarshalText gives the masked form, to encoding/json, encoding/xml, YAML and all others that ask for text.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalJSON gives the masked form as a JSON string.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + s.String() + `"`), nil }

// LogValue gives the masked form to slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }
