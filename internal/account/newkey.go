package account

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"

	"github.com/outcrop-ai/outcrop/internal/secret"
)

const (
	keyPrefix = "sk-"
	// madeLength is the length of the keys that Outcrop makes: 256 bits in base64.
	madeLength = len(keyPrefix) + 43
	// minOwnKey is the least length of a key that somebody has chosen, maxKey the greatest of any.
	minOwnKey = 16
	maxKey    = 256
)

// MakeKey returns a new key: 256 random bits, in letters, digits, - and _, which need no escape anywhere.
func MakeKey() secret.Secret {
	var bits [32]byte
	_, _ = rand.Read(bits[:]) // never fails: see crypto/rand
	return secret.New(keyPrefix + base64.RawURLEncoding.EncodeToString(bits[:]))
}

// HashKey returns the id of a key: the SHA-256 of its whole text in lower-case hex, as LiteLLM has it.
func HashKey(key secret.Secret) string {
	digest := sum(key.Reveal())
	return hex.EncodeToString(digest[:])
}

// KeyName returns what may be shown of a key: sk-... and its last four characters.
func KeyName(key secret.Secret) string {
	text := key.Reveal()
	return keyPrefix + "..." + text[max(0, len(text)-4):]
}

// IsKeyHash reports whether a text is made like the id of a key.
func IsKeyHash(text string) bool {
	if len(text) != 2*sha256.Size {
		return false
	}
	return strings.Trim(text, "0123456789abcdef") == ""
}

// CheckOwnKey says what is wrong with a key that somebody has chosen, in a sentence; empty is nothing.
func CheckOwnKey(key secret.Secret) string {
	text := key.Reveal()
	switch {
	case !strings.HasPrefix(text, keyPrefix):
		return "a key must begin with sk-"
	case len(text) < minOwnKey || len(text) > maxKey:
		return "a key must have 16 to 256 characters"
	case !canBeKey(text):
		return "a key must be made of visible ASCII characters without / and ,"
	case IsWeak(key):
		return "this key is publicly known, or easily guessed"
	}
	return ""
}

// canBeKey reports whether a text is made like a key that somebody could have made: only then is the store asked for one that
// nobody here knows.
func canBeKey(text string) bool {
	if !strings.HasPrefix(text, keyPrefix) || len(text) < minOwnKey || len(text) > maxKey {
		return false
	}
	for i := range len(text) {
		if c := text[i]; c <= ' ' || c > '~' || c == '/' || c == ',' {
			return false
		}
	}
	return true
}

// isMade reports whether a text is made like a key of [MakeKey], which nobody can guess.
func isMade(text string) bool {
	if len(text) != madeLength || !strings.HasPrefix(text, keyPrefix) {
		return false
	}
	for i := len(keyPrefix); i < len(text); i++ {
		if c := text[i]; c != '-' && c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}
