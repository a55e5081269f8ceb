package converse

import (
	"strconv"
	"strings"

	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// betaRule says what becomes of one of Anthropic's feature flags on Bedrock.
type betaRule struct {
	// flag is the whole flag, or its beginning if it ends in "-".
	flag string
	// converse and invoke say on which routes it means something; elsewhere it is left out by name.
	converse, invoke bool
	// rename is Bedrock's own name of it.
	rename string
}

const (
	context1MBeta  = "context-1m-2025-08-07"
	compactBeta    = "compact-2026-01-12"
	contextBeta    = "context-management-2025-06-27"
	effortBeta     = "effort-2025-11-24"
	toolSearchBeta = "tool-search-tool-2025-10-19"
)

// betaRules are the flags that are known: those of Claude on Bedrock, and those of Anthropic's own API that mean nothing
// there or are refused. The first match counts. What is not here follows the deployment's unknown_anthropic_betas.
var betaRules = [...]betaRule{
	{flag: "context-1m-", converse: true, invoke: true},
	{flag: "computer-use-", converse: true, invoke: true},
	{flag: "token-efficient-tools-", converse: true, invoke: true},
	{flag: "interleaved-thinking-", converse: true, invoke: true},
	{flag: "output-128k-", converse: true, invoke: true},
	{flag: "dev-full-thinking-", converse: true, invoke: true},
	{flag: "effort-", converse: true, invoke: true},
	{flag: "fine-grained-tool-streaming-", converse: true, invoke: true},
	{flag: "structured-outputs-", converse: true, invoke: true},
	{flag: "context-management-", invoke: true},
	{flag: "compact-", invoke: true},
	{flag: "tool-search-tool-", invoke: true},
	{flag: "advanced-tool-use-", invoke: true, rename: toolSearchBeta},
	{flag: "prompt-caching-"},
	{flag: "files-api-"},
	{flag: "mcp-"},
	{flag: "web-"},
	{flag: "code-execution-"},
	{flag: "skills-"},
	{flag: "fast-mode-"},
	{flag: "advisor-tool-"},
	{flag: "claude-code-"},
	{flag: "oauth-"},
}

// KnowsBeta reports whether a flag is one of those that Bedrock is known to have, under its own name or another one.
func KnowsBeta(beta string) bool {
	for i := range betaRules {
		r := &betaRules[i]
		if beta == r.flag || strings.HasSuffix(r.flag, "-") && strings.HasPrefix(beta, r.flag) {
			return r.converse || r.invoke
		}
	}
	return false
}

// sentBeta returns the flag that goes up for a client's, "" for none.
func (e *encoder) sentBeta(beta string) string {
	const param = "anthropic_beta"
	if !e.m.takesBetas() {
		e.req.Lose(param+"."+beta, "unsupported")
		return ""
	}
	for i := range betaRules {
		r := &betaRules[i]
		if beta != r.flag && (!strings.HasSuffix(r.flag, "-") || !strings.HasPrefix(beta, r.flag)) {
			continue
		}
		switch {
		case !r.converse && !e.m.isAnthropic(), !r.invoke && e.m.isAnthropic():
			e.req.Lose(param+"."+beta, "unsupported")
			return ""
		case r.rename != "":
			return r.rename
		}
		return beta
	}
	switch e.req.Policy.UnknownBetas {
	case llm.BetasDrop:
		e.req.Lose(param+"."+beta, "unknown")
		return ""
	case llm.BetasRefuse:
		e.refuse(param, "the feature flag "+strconv.Quote(beta)+" is not known; the configuration refuses such flags (unknown_anthropic_betas)")
		return ""
	default:
		return beta
	}
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
			if beta = e.sentBeta(beta); beta != "" {
				list = addOnce(list, beta)
			}
		}
	}
	if e.m.context1M && e.m.takesBetas() {
		list = addOnce(list, context1MBeta)
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
		list = addOnce(list, compactBeta)
	}
	if f.clears {
		list = addOnce(list, contextBeta)
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

func addOnce(list []string, s string) []string {
	for _, have := range list {
		if have == s {
			return list
		}
	}
	return append(list, s)
}
