package telemetry

import (
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"github.com/outcrop-ai/outcrop/internal/secret"
)

// credentialEndings are the ends of names whose values are credentials, in lower case with "_" for "-".
var credentialEndings = [...]string{
	"api_key", "access_key", "access_key_id", "master_key", "private_key", "subscription_key", "salt_key", "license_key", "encryption_key",
	"apikey", "accesskey", "accesskeyid", "secretkey", "sessiontoken", "privatekey",
	"token", "secret", "secret_key", "password", "passwd", "passphrase", "credential", "credentials", "authorization", "bearer", "jwt",
	"cookie", "x_amz_signature", "database_url", "connection_string", "dsn", "aws_bearer_token_bedrock",
	"external_id",
}

// isCredential reports whether a field or header of this name holds a credential.
func isCredential(name string) bool {
	var room [64]byte
	if len(name) > len(room) {
		return isCredential(name[len(name)-len(room):])
	}
	lower := room[:len(name)]
	for i := range len(name) {
		c := name[i]
		switch {
		case c >= 'A' && c <= 'Z':
			c += 'a' - 'A'
		case c == '-', c == '.', c == ' ':
			c = '_'
		}
		lower[i] = c
	}
	for _, ending := range credentialEndings {
		if len(ending) <= len(lower) && string(lower[len(lower)-len(ending):]) == ending {
			return true
		}
	}
	return false
}

// isOwnField knows the fields of a request's line, which need no further look at their names.
func isOwnField(name string) bool {
	switch name {
	case slog.TimeKey, slog.LevelKey, slog.MessageKey,
		FieldCallID, FieldRequestID, FieldAWSRequestID, FieldPath, FieldType, FieldStatus,
		FieldError, FieldErrorCode, FieldAWSException, FieldMessage, FieldKeyHash, FieldUser, FieldTags,
		FieldModel, FieldGroup, FieldDeployment, FieldUpstreamModel, FieldRegion, FieldRoute, FieldTier,
		FieldPromptTokens, FieldCompletionTokens, FieldCacheReadTokens, FieldCacheWriteTokens, FieldReasoningTokens,
		FieldVideoIn, FieldAudioIn, FieldVideoMade, FieldSearches, FieldUsageSource, FieldCost, FieldCostUnknown, FieldStream, FieldClientClosed, FieldLosses,
		FieldDuration, FieldFirstToken, FieldUpstream, FieldOwn:
		return true
	default:
		return false
	}
}

// maskAttr is slog's ReplaceAttr: it masks by name, and headers and URLs by what they are. slog calls it for the leaves
// of groups, too.
func maskAttr(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindAny {
		switch v := a.Value.Any().(type) {
		case http.Header:
			a.Value = slog.AnyValue(Redact(v))
		case *url.URL:
			if v != nil {
				a.Value = slog.StringValue(v.Redacted())
			}
		}
	}
	if !isOwnField(a.Key) && isCredential(a.Key) {
		a.Value = slog.StringValue(secret.Mask)
	}
	return a
}

// Redact returns a copy of h for the log: headers with the name of a credential, headers named in also, and values that
// look like a credential wherever they stand are masked.
func Redact(h http.Header, also ...string) http.Header {
	masked := make(http.Header, len(h))
	for name, values := range h {
		hide := isCredential(name)
		for _, other := range also {
			hide = hide || strings.EqualFold(name, other)
		}
		list := make([]string, len(values))
		for i, v := range values {
			if list[i] = v; hide || looksSecret(v) {
				list[i] = secret.Mask
			}
		}
		masked[name] = list
	}
	return masked
}

// looksSecret knows credentials by their first letters: schemes of Authorization, keys of OpenAI's kind, and AWS's
// bearer keys, temporary and long-term access key ids.
func looksSecret(value string) bool {
	for _, prefix := range [...]string{"Bearer ", "Basic ", "AWS4-HMAC-SHA256 ", "sk-", "ABSK", "bedrock-api-key-", "AKIA", "ASIA"} {
		if len(value) >= len(prefix) && strings.EqualFold(value[:len(prefix)], prefix) {
			return true
		}
	}
	return false
}
