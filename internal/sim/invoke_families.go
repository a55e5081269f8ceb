package sim

import (
	"strings"
	"sync"
)

// The members and limits of the bodies are those of the Bedrock User Guide, "Inference request parameters and response
// fields".

// promptFamilies is the table of families whose body is one text.
var promptFamilies = sync.OnceValue(func() []promptFamily {
	generation := promptFamily{
		text: "prompt", limit: "max_gen_len", stops: "stop", words: stopLength(),
		whole: func(_ *prompt, a *answer, text, reason string) object {
			return object{"generation": text, "prompt_token_count": a.usage.input, "generation_token_count": a.usage.output, "stop_reason": reason}
		},
		piece: func(_ *prompt, a *answer, at int, text, reason string) object {
			o := object{"generation": text, "prompt_token_count": nil, "generation_token_count": at + 1, "stop_reason": orNull(reason)}
			if at == 0 {
				o["prompt_token_count"] = a.usage.input
			}
			if reason != "" {
				o["generation_token_count"] = a.usage.output
			}
			return o
		},
	}
	bounded := func(most float64, more ...member) *shape {
		return structure("Request", append([]member{
			need("prompt", text().from(1)), may("max_gen_len", integer().between(1, most)), may("temperature", number().between(0, 1)), may("top_p", number().between(0, 1)),
			guardrailMember(),
		}, more...)...)
	}
	holds := func(marks ...string) func(members) bool {
		return func(body members) bool {
			prompt := rawMember(body["prompt"])
			for _, mark := range marks {
				if strings.Contains(prompt, mark) {
					return true
				}
			}
			return false
		}
	}

	r1 := generation
	r1.arn, r1.shape, r1.thinks = holds("<｜User｜>"), bounded(32768), true
	r1.turn, r1.ends = "<｜User｜>", []string{"<｜Assistant｜>"}

	qwen := generation
	qwen.arn, qwen.shape = holds("<|im_start|>"), bounded(32768, may("top_k", integer().from(0)), may("stop", list(text())))
	qwen.turn, qwen.ends = "<|im_start|>user\n", []string{"<|im_end|>"}

	llama := generation
	llama.ids, llama.arn = []string{"meta.llama"}, func(body members) bool { return body.have("prompt") && !body.have("max_tokens") }
	llama.shape = bounded(8192, may("images", list(blob().from(1))))
	llama.turn, llama.ends = "user<|end_header_id|>\n\n", []string{"<|eot_id|>"}

	llama4 := llama
	llama4.ids, llama4.arn, llama4.turn, llama4.ends = []string{"meta.llama4"}, nil, "user<|header_end|>\n\n", []string{"<|eot|>"}
	llama2 := llama
	llama2.ids, llama2.arn, llama2.shape, llama2.turn, llama2.ends = []string{"meta.llama2"}, nil, bounded(2048), "[INST] ", []string{" [/INST]"}
	llama2.rule = needsMarks("[INST]", "[/INST]")

	return []promptFamily{r1, qwen, llama4, llama2, llama, titanText(), mistralText(), cohereCommand(), anthropicText(), jurassic(), deepseekR1()}
})

// needsMarks demands that a prompt holds the template's marks.
func needsMarks(marks ...string) func(string) string {
	return func(prompt string) string {
		for _, mark := range marks {
			if !strings.Contains(prompt, mark) {
				return "Malformed input request: the prompt must hold " + mark + ", please reformat your input and try again."
			}
		}
		return ""
	}
}

func titanText() promptFamily {
	words := map[string]string{"end_turn": "FINISH", "stop_sequence": "STOP_CRITERIA_MET", "max_tokens": "LENGTH", "guardrail_intervened": "FINISH"}
	return promptFamily{
		ids: []string{"amazon.titan-text", "amazon.titan-tg1"}, text: "inputText", limit: "textGenerationConfig.maxTokenCount", stops: "textGenerationConfig.stopSequences",
		shape: structure("Request", need("inputText", text().from(1)), may("textGenerationConfig", structure("textGenerationConfig",
			may("maxTokenCount", integer().between(0, 8192)), may("temperature", number().between(0, 1)), may("topP", number().between(0, 1)),
			may("stopSequences", list(text().matching(`^(\|+|User:)$`))))), guardrailMember()),
		turn: "\nUser: ", ends: []string{"\n\nBot:"}, lead: "\n", words: words,
		whole: func(_ *prompt, a *answer, text, reason string) object {
			return object{"inputTextTokenCount": a.usage.input, "results": []object{{"tokenCount": a.usage.output, "outputText": text, "completionReason": reason}}}
		},
		piece: func(p *prompt, a *answer, at int, text, reason string) object {
			o := object{"outputText": text, "index": 0, "totalOutputTextTokenCount": nil, "completionReason": orNull(reason), "inputTextTokenCount": nil}
			if at == 0 {
				o["inputTextTokenCount"] = a.usage.input
			}
			if reason != "" {
				o["totalOutputTextTokenCount"] = a.usage.output
			}
			return o
		},
	}
}

func mistralText() promptFamily {
	return promptFamily{
		ids:  []string{"mistral.mistral-7b", "mistral.mixtral-8x7b", "mistral.mistral-large-2402", "mistral.mistral-small-2402"},
		text: "prompt", limit: "max_tokens", stops: "stop", words: stopLength(),
		shape: structure("Request", need("prompt", text().from(1)), may("max_tokens", integer().between(1, 8192)), may("temperature", number().between(0, 1)),
			may("top_p", number().between(0, 1)), may("top_k", integer().between(0, 200)), may("stop", list(text())), guardrailMember()),
		rule: needsMarks("[INST]", "[/INST]"), turn: "[INST] ", ends: []string{" [/INST]"}, lead: " ",
		whole: func(_ *prompt, _ *answer, text, reason string) object {
			return object{"outputs": []object{{"text": text, "stop_reason": reason}}}
		},
		piece: func(_ *prompt, _ *answer, _ int, text, reason string) object {
			return object{"outputs": []object{{"text": text, "stop_reason": orNull(reason)}}}
		},
	}
}

func cohereCommand() promptFamily {
	words := map[string]string{"end_turn": "COMPLETE", "stop_sequence": "COMPLETE", "max_tokens": "MAX_TOKENS", "guardrail_intervened": "ERROR_TOXIC"}
	return promptFamily{
		ids: []string{"cohere.command-text", "cohere.command-light"}, text: "prompt", limit: "max_tokens", stops: "stop_sequences", words: words,
		shape: structure("Request", need("prompt", text().from(1)), may("max_tokens", integer().between(1, 4096)), may("temperature", number().between(0, 5)),
			may("p", number().between(0, 1)), may("k", number().between(0, 500)), may("stop_sequences", list(text())), may("num_generations", integer().between(1, 5)),
			may("return_likelihoods", oneOf("GENERATION", "ALL", "NONE")), may("stream", boolean()), may("truncate", oneOf("NONE", "START", "END")),
			may("logit_bias", anyJSON()), guardrailMember()),
		turn: "User: ", ends: []string{"\nChatbot:"}, lead: " ", tellStream: true,
		whole: func(p *prompt, _ *answer, text, reason string) object {
			return object{"id": "5e6f2a3c", "prompt": p.lastText, "generations": []object{{"id": "7b0e", "text": text, "finish_reason": reason}}}
		},
		piece: func(_ *prompt, _ *answer, _ int, text, reason string) object {
			if reason != "" {
				return object{"is_finished": true, "finish_reason": reason}
			}
			return object{"text": text, "is_finished": false}
		},
	}
}

func anthropicText() promptFamily {
	words := map[string]string{"end_turn": "stop_sequence", "stop_sequence": "stop_sequence", "max_tokens": "max_tokens", "guardrail_intervened": "stop_sequence"}
	return promptFamily{
		ids: []string{"anthropic.claude-v", "anthropic.claude-instant"}, text: "prompt", limit: "max_tokens_to_sample", stops: "stop_sequences", words: words,
		shape: structure("Request", need("prompt", text().from(1)), need("max_tokens_to_sample", integer().between(0, 8191)), may("temperature", number().between(0, 1)),
			may("top_p", number().between(0, 1)), may("top_k", integer().between(0, 500)), may("stop_sequences", list(text())), may("anthropic_version", text()), guardrailMember()),
		rule: func(prompt string) string {
			switch {
			case !strings.Contains(prompt, "\n\nHuman:"):
				return `Invalid prompt: prompt must start with "` + "\n\nHuman:" + `" turn`
			case !strings.Contains(prompt, "\n\nAssistant:"):
				return `Invalid prompt: prompt must end with "` + "\n\nAssistant:" + `" turn`
			case strings.HasSuffix(prompt, " "):
				return "Invalid prompt: prompt must not end with trailing whitespace"
			}
			return ""
		},
		turn: "\n\nHuman: ", ends: []string{"\n\nAssistant:"}, lead: " ",
		whole: func(_ *prompt, a *answer, text, reason string) object {
			return object{"type": "completion", "completion": text, "stop_reason": reason, "stop": orNull(a.stopSequence)}
		},
		piece: func(_ *prompt, a *answer, _ int, text, reason string) object {
			return object{"type": "completion", "completion": text, "stop_reason": orNull(reason), "stop": orNull(a.stopSequence)}
		},
	}
}

func jurassic() promptFamily {
	words := map[string]string{"end_turn": "endoftext", "stop_sequence": "stop", "max_tokens": "length", "guardrail_intervened": "endoftext"}
	tokens := func(n int) []object {
		list := make([]object, n)
		for i := range list {
			list[i] = object{"generatedToken": object{"token": "▁", "logprob": -0.5, "raw_logprob": -0.5}, "topTokens": nil}
		}
		return list
	}
	penalty := structure("penalty", need("scale", number().between(0, 5))).extensible()
	return promptFamily{
		ids: []string{"ai21.j2"}, text: "prompt", limit: "maxTokens", stops: "stopSequences", words: words, silent: true, lead: "\n",
		shape: structure("Request", need("prompt", text().from(1)), may("maxTokens", integer().between(0, 8191)), may("temperature", number().between(0, 1)),
			may("topP", number().between(0, 1)), may("stopSequences", list(text())), may("numResults", integer().between(1, 16)),
			may("countPenalty", penalty), may("presencePenalty", penalty), may("frequencyPenalty", penalty), guardrailMember()),
		turn: "User: ", ends: []string{"\nAssistant:"},
		whole: func(p *prompt, a *answer, text, reason string) object {
			return object{
				"id": 1234, "prompt": object{"text": p.lastText, "tokens": tokens(a.usage.input)},
				"completions": []object{{"data": object{"text": text, "tokens": tokens(a.usage.output)}, "finishReason": object{"reason": reason}}},
			}
		},
	}
}

func deepseekR1() promptFamily {
	return promptFamily{
		ids: []string{"deepseek.r1"}, text: "prompt", limit: "max_tokens", stops: "stop", words: stopLength(), thinks: true,
		shape: structure("Request", need("prompt", text().from(1)), may("max_tokens", integer().between(1, 32768)), may("temperature", number().between(0, 1)),
			may("top_p", number().between(0, 1)), may("stop", list(text()).to(10)), guardrailMember()),
		turn: "<｜User｜>", ends: []string{"<｜Assistant｜>"},
		whole: func(_ *prompt, _ *answer, text, reason string) object {
			return object{"choices": []object{{"text": text, "stop_reason": reason}}}
		},
		piece: func(_ *prompt, _ *answer, _ int, text, reason string) object {
			return object{"choices": []object{{"text": text, "stop_reason": orNull(reason)}}}
		},
	}
}
