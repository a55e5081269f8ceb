package account

import (
	"encoding/base64"
	"net/http"
	"strings"
)

// keyHeaders carry a bare key, in the order in which they are looked at after Authorization: Azure's, Anthropic's,
// Google's, Azure API Management's.
var keyHeaders = [...]string{"Api-Key", "X-Api-Key", "X-Goog-Api-Key", "Ocp-Apim-Subscription-Key"}

// FromHeader returns the key that a client sent, empty if it sent none. The first place that holds something counts:
//
//   - the header named custom if that is not empty, then x-litellm-api-key; both with or without "Bearer ";
//   - Authorization: "Bearer K"; "Basic K", with K as it is or as the password of a base64 pair; or AWS's
//     "AWS4-HMAC-SHA256 Credential=K/…", where the key stands for the access key id;
//   - api-key, x-api-key, x-goog-api-key, Ocp-Apim-Subscription-Key.
//
// An Authorization header of any other form is malformed. custom need not be in canonical form, but it costs less.
func FromHeader(h http.Header, custom string) (key string, malformed bool) {
	if custom != "" {
		if key = bearerOrBare(first(h, http.CanonicalHeaderKey(custom))); key != "" {
			return key, false
		}
	}
	if key = bearerOrBare(first(h, "X-Litellm-Api-Key")); key != "" {
		return key, false
	}
	if value := first(h, "Authorization"); value != "" {
		if key, malformed = fromAuthorization(value); key != "" || malformed {
			return key, malformed
		}
	}
	for _, name := range keyHeaders {
		if key = first(h, name); key != "" {
			return key, false
		}
	}
	return "", false
}

// first returns the first value of the header with this canonical name, without the space around it.
func first(h http.Header, name string) string {
	if values := h[name]; len(values) > 0 {
		return strings.Trim(values[0], " \t")
	}
	return ""
}

// scheme splits "Bearer K" and the like; the word is compared without regard to case, as RFC 9110 has it. A value that is
// only the word has an empty rest.
func scheme(value, word string) (rest string, ok bool) {
	if len(value) < len(word) || !strings.EqualFold(value[:len(word)], word) {
		return "", false
	}
	rest = value[len(word):]
	if rest != "" && rest[0] != ' ' && rest[0] != '\t' {
		return "", false
	}
	return strings.Trim(rest, " \t"), true
}

func bearerOrBare(value string) string {
	if key, ok := scheme(value, "Bearer"); ok {
		return key
	}
	return value
}

func fromAuthorization(value string) (key string, malformed bool) {
	if key, ok := scheme(value, "Bearer"); ok {
		return key, false
	}
	if key, ok := scheme(value, "Basic"); ok {
		return password(key), false
	}
	if rest, ok := scheme(value, "AWS4-HMAC-SHA256"); ok {
		_, credential, found := strings.Cut(rest, "Credential=")
		key, _, scoped := strings.Cut(credential, "/")
		if !found || !scoped {
			return "", true
		}
		key = bearerOrBare(strings.Trim(key, " \t"))
		return key, key == ""
	}
	return "", true
}

// password returns K of base64("user:K"), or the text itself when it is not such a pair.
func password(text string) string {
	pair, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return text
	}
	for _, c := range pair {
		if c < ' ' || c > '~' { // decoded by chance: a bare key may well be of base64's alphabet
			return text
		}
	}
	if _, key, found := strings.Cut(string(pair), ":"); found {
		return key
	}
	return text
}
