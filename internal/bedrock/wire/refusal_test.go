package wire

import (
	"io"
	"slices"
	"testing"

	"github.com/outcrop-ai/outcrop/llm"
)

func TestWhatARefusalIsAbout(t *testing.T) {
	betas := []string{"output-128k-2025-02-19", "context-1m-2025-08-07"}
	f := func(message string, betas []string, want Refusal) {
		t.Helper()
		got := RefusalOf(ErrorFrom(400, awsHeader("ValidationException"), body(message)), betas)
		if !slices.Equal(got.Betas, want.Betas) || got.Schema != want.Schema || got.Strict != want.Strict || got.Converse != want.Converse {
			t.Errorf("%q: got %+v, want %+v", message, got, want)
		}
	}
	for _, p := range refusals {
		f(p.sample, betas, Refusal{Schema: p.schema, Strict: p.strict, Converse: p.converse})
	}
	f("The model returned the following errors: Unexpected value(s) `context-1m-2025-08-07` for the `anthropic-beta` header.", betas, Refusal{Betas: betas[1:]})
	f("Unknown beta flags: output-128k-2025-02-19, Context-1M-2025-08-07.", betas, Refusal{Betas: betas})
	f("invalid beta flag", betas, Refusal{})
	f("invalid beta flag", betas[:1], Refusal{Betas: betas[:1]})
	f("invalid beta flag: other-2025-01-01", nil, Refusal{})
	// A flag that is only spoken of is not refused; nor is one whose name is a part of another's.
	f("max_tokens: 128000 > 64000, even with output-128k-2025-02-19", betas, Refusal{})
	f("Unknown flag: my-output-128k-2025-02-19", betas, Refusal{})
	f("Unknown flag: output-128k-2025-02-19-x", betas, Refusal{})
	// Neither is strictness by a word that only begins like it.
	f("This is strictly not permitted", nil, Refusal{})
	f("Access is restricted: not supported", nil, Refusal{})
	f("tools.0.toolSpec.strict is fine", nil, Refusal{})
	f("bad", betas, Refusal{})

	for _, err := range []error{
		nil, io.EOF, &llm.Error{Kind: llm.KindRateLimit, AWSType: "ThrottlingException", Message: refusals[0].sample},
		&llm.Error{Kind: llm.KindInvalid, AWSType: "ConflictException", Message: refusals[0].sample},
		&llm.Error{Kind: llm.KindInvalid, HTTPStatus: 418, Message: refusals[0].sample},
		&llm.Error{Kind: llm.KindContextWindow, AWSType: "ValidationException", Message: refusals[0].sample},
	} {
		if got := RefusalOf(err, betas); got.Schema || got.Strict || got.Betas != nil {
			t.Errorf("%v: %+v", err, got)
		}
	}
}
