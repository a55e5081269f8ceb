package wire

import (
	"errors"
	"net/http"
	"strings"

	"github.com/outcrop-ai/outcrop/llm"
)

// Refusal says which parts of a request, of those that it can do without, AWS found fault with.
type Refusal struct {
	// Betas are those of Anthropic's feature flags that were refused.
	Betas []string
	// UnnamedBeta says that one of them was refused, and not which.
	UnnamedBeta bool
	// Schema says that the schema of a structured answer was refused, Strict that the strictness of tools was.
	Schema, Strict bool
	// Converse says that the model cannot be called through Converse at all, CountTokens that its tokens cannot be counted.
	Converse, CountTokens bool
}

// RefusalOf reads err, which answered a request with the feature flags betas. It is zero for errors other than a
// ValidationException, which is the only one to speak of the request's parts.
func RefusalOf(err error, betas []string) Refusal {
	var e *llm.Error
	if !errors.As(err, &e) || e.Kind != llm.KindInvalid || e.Status() != http.StatusBadRequest || e.AWSType != "" && e.AWSType != "ValidationException" {
		return Refusal{}
	}
	lower := strings.ToLower(e.Message)
	var r Refusal
	for i := range refusals {
		if p := &refusals[i]; standsIn(lower, p.word) && hasAny(lower, p.fault) {
			r.Schema, r.Strict, r.Converse = r.Schema || p.schema, r.Strict || p.strict, r.Converse || p.converse
			r.CountTokens = r.CountTokens || p.countTokens
		}
	}
	if !hasAny(lower, flagFaults) {
		return r
	}
	for _, beta := range betas {
		if standsIn(lower, strings.ToLower(beta)) {
			r.Betas = append(r.Betas, beta)
		}
	}
	if len(r.Betas) == 0 && len(betas) > 0 && strings.Contains(lower, "invalid beta flag") {
		if len(betas) == 1 { // the only one can be meant
			r.Betas = betas
		} else {
			r.UnnamedBeta = true
		}
	}
	return r
}

// refusalPhrase is a text by which AWS refuses a part of a request. Beside phrases this is the only place where the words
// of a message decide anything.
type refusalPhrase struct {
	// word stands in the message by itself, in any case, and with it one of fault, if there are any.
	word                     string
	fault                    []string
	schema, strict, converse bool
	countTokens              bool
	// sample is a message that AWS or a model behind it sends.
	sample string
}

var refusals = []refusalPhrase{
	{word: "converse", fault: []string{"doesn't support", "does not support", "not supported"}, converse: true, sample: "The model that you provided doesn't support Converse."},
	{word: "this action doesn't support the model", converse: true, sample: "This action doesn't support the model that you provided. Try again with a supported text or chat model."},
	{word: "counting tokens", fault: []string{"doesn't support", "does not support"}, countTokens: true, sample: "The provided model doesn't support counting tokens."},
	{word: "schema is too complex", schema: true, strict: true, sample: "The model returned the following errors: Schema is too complex for compilation."},
	{word: "output_config.format", schema: true, sample: "The model returned the following errors: output_config.format.schema: For 'object' type, 'additionalProperties' must be explicitly set to false"},
	{word: "outputconfig", schema: true, sample: "This model doesn't support the outputConfig field. Remove outputConfig and try again."},
	{word: "strict", fault: []string{"extra inputs", "not permitted", "not supported", "unsupported", "support", "too many", "invalid"}, strict: true, sample: "The model returned the following errors: tools.0.custom.strict: Extra inputs are not permitted"},
}

// flagFaults are the words that go with a feature flag that is refused.
var flagFaults = []string{
	"invalid", "unknown", "unexpected", "unsupported", "not supported", "isn't supported", "does not support", "doesn't support", "unrecognized",
	"not recognized", "not allowed", "not permitted", "not available", "not enabled",
}

func hasAny(text string, words []string) bool {
	for _, w := range words {
		if strings.Contains(text, w) {
			return true
		}
	}
	return len(words) == 0
}

// standsIn reports whether word stands in text by itself, not as a part of a longer name.
func standsIn(text, word string) bool {
	for from := 0; word != ""; {
		i := strings.Index(text[from:], word)
		if i < 0 {
			return false
		}
		start := from + i
		end := start + len(word)
		if (start == 0 || !isWordByte(text[start-1])) && (end == len(text) || !isWordByte(text[end])) {
			return true
		}
		from = start + 1
	}
	return false
}

func isWordByte(c byte) bool {
	return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_'
}
