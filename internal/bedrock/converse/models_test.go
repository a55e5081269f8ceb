package converse

import (
	"testing"

	"github.com/outcrop-ai/outcrop/internal/catalog"
)

// The models of the tests, by what is special about them.
const (
	claude3    = "anthropic.claude-3-sonnet-20240229-v1:0"
	claude35   = "anthropic.claude-3-5-sonnet-20241022-v2:0"
	claude37   = "us.anthropic.claude-3-7-sonnet-20250219-v1:0"
	sonnet45   = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
	opus45     = "us.anthropic.claude-opus-4-5-20251101-v1:0"
	opus46     = "us.anthropic.claude-opus-4-6-v1"
	sonnet46   = "us.anthropic.claude-sonnet-4-6"
	opus47     = "us.anthropic.claude-opus-4-7"
	opus48     = "us.anthropic.claude-opus-4-8"
	fable5     = "us.anthropic.claude-fable-5"
	fable51    = "us.anthropic.claude-fable-5-1"
	novaPro    = "us.amazon.nova-pro-v1:0"
	nova2      = "us.amazon.nova-2-lite-v1:0"
	llama33    = "us.meta.llama3-3-70b-instruct-v1:0"
	mistral7b  = "mistral.mistral-7b-instruct-v0:2"
	cohereText = "cohere.command-text-v14"
	gptOSS     = "openai.gpt-oss-120b-1:0"
	gpt54      = "openai.gpt-5.4"
	gpt56      = "openai.gpt-5.6-luna"
	qwen3      = "qwen.qwen3-32b-v1:0"
	deepseekV3 = "deepseek.v3-v1:0"
	deepseekR1 = "us.deepseek.r1-v1:0"
	kimiK3     = "moonshotai.kimi-k3"
	voxtral    = "mistral.voxtral-mini-3b-2507"
	unknown    = "foo.bar-v1"
)

func ref(t testing.TB, id string) catalog.Ref {
	t.Helper()
	models, err := catalog.Default()
	if err != nil {
		t.Fatal(err)
	}
	r, err := models.Resolve(id)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
