package account

import (
	"strings"

	"github.com/outcrop-ai/outcrop/internal/secret"
)

// minMasterKey is the length below which every master key is weak: eight characters can be tried out.
const minMasterKey = 8

// wellKnown are words of which keys in documentation, examples and templates are made.
var wellKnown = []string{
	"anything", "admin", "changeit", "changeme", "default", "demo", "dummy", "example", "fake", "foobar", "key", "letmein",
	"litellm", "master", "outcrop", "password", "placeholder", "replaceme", "sample", "secret", "sk", "test", "token", "api",
	"your", "my", "here", "the", "a", "me", "proxy", "bedrock", "gateway", "openai", "anthropic", "aws", "prod", "dev", "local",
	"pass", "word", "change", "replace", "insert", "put", "this", "is", "not", "real", "none", "null", "undefined", "xxx",
	"abc", "abcd", "abcdef", "qwerty",
}

// IsWeak reports whether a master key protects nothing, since it is unset, shorter than eight characters, or publicly
// known: made of nothing but the words of documentation (sk-1234, your-master-key, litellm-secret-123), counted digits,
// or hardly any different characters. What it lets pass may still be guessable.
func IsWeak(master secret.Secret) bool {
	key := strings.ToLower(master.Reveal())
	if len(key) < minMasterKey || distinct(key) < 5 {
		return true
	}
	return onlyKnownWords(key)
}

func distinct(key string) int {
	var seen [256]bool
	n := 0
	for i := range len(key) {
		if !seen[key[i]] {
			seen[key[i]] = true
			n++
		}
	}
	return n
}

// onlyKnownWords reports whether the letters of a key are chains of well-known words and its digits short or a run.
func onlyKnownWords(key string) bool {
	for i := 0; i < len(key); {
		end := i + 1
		for end < len(key) && class(key[end]) == class(key[i]) {
			end++
		}
		part := key[i:end]
		switch class(part[0]) {
		case 'a':
			if !isChain(part) {
				return false
			}
		case '0':
			if len(part) > 4 && !isRun(part) {
				return false
			}
		}
		i = end
	}
	return true
}

// class sorts bytes into letters ('a'), digits ('0') and others ('-'). Bytes beyond ASCII are letters of no known word.
func class(c byte) byte {
	switch {
	case c >= 'a' && c <= 'z', c >= 0x80:
		return 'a'
	case c >= '0' && c <= '9':
		return '0'
	default:
		return '-'
	}
}

// isChain reports whether letters can be cut into well-known words. reach[i] says that letters[:i] can.
func isChain(letters string) bool {
	reach := make([]bool, len(letters)+1)
	reach[0] = true
	for i := range len(letters) {
		if !reach[i] {
			continue
		}
		for _, word := range wellKnown {
			if strings.HasPrefix(letters[i:], word) {
				reach[i+len(word)] = true
			}
		}
	}
	return reach[len(letters)]
}

// isRun reports whether digits count up (…9 0 1…), count down or stay.
func isRun(digits string) bool {
	for _, step := range []byte{0, 1, 9} { // modulo 10: stays, counts up, counts down
		run := true
		for i := 1; i < len(digits) && run; i++ {
			run = (digits[i] - '0') == (digits[i-1]-'0'+step)%10
		}
		if run {
			return true
		}
	}
	return false
}
