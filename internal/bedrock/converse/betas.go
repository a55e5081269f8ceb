package converse

import (
	"strings"

	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// uselessBetas are the beginnings of Anthropic's flags that mean nothing on Converse or are refused there: features of
// Anthropic's own API and of InvokeModel. All other flags pass; AWS knows best.
var uselessBetas = [...]string{
	"prompt-caching-", "files-api-", "mcp-", "web-", "code-execution-", "skills-", "fast-mode-", "advisor-tool-", "claude-code-",
	"oauth-", "context-management-", "compact-", "tool-search-tool-", "advanced-tool-use-",
}

// betaParam reads feature flags: a list, or one string with commas.
func (e *encoder) betaParam(name string, value []byte) []string {
	s := jsonscan.New(value)
	if s.Peek() == jsonscan.KindString {
		text, err := s.String()
		if err == nil && s.End() == nil {
			return strings.Split(llm.RawText(text).String(), ",")
		}
	} else if list, ok := stringList(value); ok {
		return list
	}
	e.refuse(name, name+" must be a list of strings")
	return nil
}

// anthropicBeta writes the feature flags of all sources, each once, in the order of first sight. Other families than
// Claude refuse them.
func (e *encoder) anthropicBeta() {
	var list []string
	f := &e.fields
	for _, source := range [...][]string{e.req.Betas, f.betas, f.clientBetas} {
		for _, beta := range source {
			if beta = strings.TrimSpace(beta); beta == "" {
				continue
			}
			if e.m.isAnthropic() && strings.HasPrefix(beta, "advanced-tool-use-") { // Bedrock's name for it is another
				beta = toolSearchBeta
			}
			if !e.m.takesBetas() || isUselessBeta(beta) && !(e.m.isAnthropic() && isInvokeBeta(beta)) {
				e.req.Lose("anthropic_beta."+beta, "unsupported")
				continue
			}
			list = addOnce(list, beta)
		}
	}
	if e.m.context1M && e.m.takesBetas() {
		list = addOnce(list, "context-1m-2025-08-07")
	}
	if e.tools.anthropic > 0 {
		for i := range e.req.Tools {
			if t := &e.req.Tools[i]; t.Type != "" && e.isAnthropicTool(t.Type) {
				list = addOnce(list, anthropicToolBeta(t.Type))
			}
		}
	}
	if e.think.beta != "" {
		list = addOnce(list, e.think.beta)
	}
	if f.compacts {
		list = addOnce(list, "compact-2026-01-12")
	}
	if f.clears {
		list = addOnce(list, "context-management-2025-06-27")
	}
	if len(list) == 0 || !e.fieldOf("anthropic_beta") {
		return
	}
	for i, beta := range list {
		if i == 0 {
			e.dst = append(e.dst, '[')
		} else {
			e.dst = append(e.dst, ',')
		}
		e.dst = llm.AppendString(e.dst, beta)
	}
	e.dst = append(e.dst, ']')
}

const toolSearchBeta = "tool-search-tool-2025-10-19"

// isInvokeBeta names flags that mean nothing on Converse but something on InvokeModel.
func isInvokeBeta(beta string) bool {
	for _, prefix := range [...]string{"context-management-", "compact-", "tool-search-tool-"} {
		if strings.HasPrefix(beta, prefix) {
			return true
		}
	}
	return false
}

func isUselessBeta(beta string) bool {
	for _, prefix := range uselessBetas {
		if strings.HasPrefix(beta, prefix) {
			return true
		}
	}
	return false
}

func addOnce(list []string, s string) []string {
	for _, have := range list {
		if have == s {
			return list
		}
	}
	return append(list, s)
}
