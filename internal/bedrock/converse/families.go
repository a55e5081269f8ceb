package converse

import "strings"

// family groups the models whose own parameters and habits are alike.
type family uint8

const (
	familyOther family = iota
	familyClaude
	familyNova1
	familyNova2
	familyLlama
	familyMistral
	familyCohere
	familyCohereR
	familyGPTOSS
	familyGPT
	familyGrok
	familyDeepSeekR1
	familyDeepSeekV3
	familyKimi
	familyKimi3
	// familyOpenAIBody are other models whose own API is OpenAI's Chat Completions: Qwen, GLM, MiniMax, Gemma, ….
	familyOpenAIBody
)

// familyPatterns finds the family in a model's id or in the family word before an ARN; the first match counts. The
// catalogue is asked first where it knows more.
var familyPatterns = [...]struct {
	part   string
	family family
}{
	{"anthropic", familyClaude},
	{"claude", familyClaude},
	{"nova-2", familyNova2},
	{"nova", familyNova1},
	{"llama", familyLlama},
	{"meta.", familyLlama},
	{"deepseek.r1", familyDeepSeekR1},
	{"deepseek_r1", familyDeepSeekR1},
	{"deepseek-r1", familyDeepSeekR1},
	{"deepseek", familyDeepSeekV3},
	{"gpt-oss", familyGPTOSS},
	{"openai.gpt", familyGPT},
	{"xai.", familyGrok},
	{"kimi-k3", familyKimi3},
	{"moonshot", familyKimi},
	{"kimi", familyKimi},
	{"command-r", familyCohereR},
	{"cohere", familyCohere},
	{"mistral", familyMistral},
	{"mixtral", familyMistral},
	{"qwen", familyOpenAIBody},
	{"zai.", familyOpenAIBody},
	{"minimax", familyOpenAIBody},
	{"google.gemma", familyOpenAIBody},
	{"nvidia", familyOpenAIBody},
	{"writer.", familyOpenAIBody},
}

func familyOf(id string) family {
	for i := range familyPatterns {
		if strings.Contains(id, familyPatterns[i].part) {
			return familyPatterns[i].family
		}
	}
	return familyOther
}

// topKName is what the family calls top_k in additionalModelRequestFields; Nova has it inside inferenceConfig.
func (f family) topKName() string {
	switch f {
	case familyCohere, familyCohereR:
		return "k"
	default:
		return "top_k"
	}
}

// minMaxTokens is the smallest maxTokens that the family takes.
func (f family) minMaxTokens() int64 {
	switch f {
	case familyGPT, familyGrok, familyKimi3:
		return 16
	default:
		return 1
	}
}

// takes reports whether the family's own API has OpenAI's parameter under OpenAI's name and meaning, and returns
// nothing that an answer of Converse could not carry (as log probabilities would be).
func (f family) takes(param string) bool {
	switch f {
	case familyGPTOSS, familyOpenAIBody, familyDeepSeekV3, familyKimi:
		return param == "seed" || param == "logit_bias" || param == "presence_penalty" || param == "frequency_penalty"
	case familyCohereR:
		return param == "seed" || param == "presence_penalty" || param == "frequency_penalty"
	case familyCohere:
		return param == "logit_bias"
	default:
		return false
	}
}

// writesThinkTags reports whether the family writes its reasoning into the text.
func (f family) writesThinkTags() bool {
	switch f {
	case familyNova1, familyDeepSeekR1, familyGPTOSS, familyKimi, familyKimi3:
		return true
	default:
		return false
	}
}
