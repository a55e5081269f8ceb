package converse

import (
	"strings"

	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// fromMessages reports whether the client speaks Anthropic's Messages API. Its clients are agents that say of every model
// what they say of Claude: how hard to think is a wish there, which a model without it leaves unheard, by name.
func (e *encoder) fromMessages() bool {
	return e.req.Original != nil && e.req.Original.Dialect == llm.DialectMessages
}

// planAgentEffort takes output_config.effort for what reasoning_effort says, where the model is not Claude.
func (e *encoder) planAgentEffort() {
	f := &e.fields
	if !e.fromMessages() || f.claudeOutput == nil || e.m.maybeClaude() {
		return
	}
	level := levelOf(jsonscan.Text(jsonscan.Member(f.claudeOutput, "effort")))
	if level < 0 || e.m.reasoning == reasoningNone {
		return
	}
	f.claudeOutput = nil
	if e.req.Effort == "" {
		e.planEffort(level)
	}
}

// thinkByEffort says a budget in levels, the highest whose own budget it covers; a model that decides by itself gets the
// middle one.
func (e *encoder) thinkByEffort(budget int64) {
	switch {
	case e.m.reasoning == reasoningNone:
		e.req.Lose("thinking", "unsupported")
	case e.think.effort != "" || e.req.Effort != "": // said in levels already
	default:
		level := levelMedium
		if budget > 0 {
			level = levelLow
			for l := levelMedium; l <= levelHigh; l++ {
				if budget >= effortBudgets[l] {
					level = l
				}
			}
			e.req.Lose("thinking.budget_tokens", "effort")
		}
		e.planEffort(level)
	}
}

// serverTool says what the tools are called that run on Anthropic's own servers; "" for all others.
func serverTool(kind string) string {
	for _, tool := range [...]struct{ prefix, name string }{
		{"web_search_", "web search"},
		{"web_fetch_", "web fetch"},
		{"code_execution_", "code execution"},
		{"mcp_toolset", "the MCP connector"},
		{"advisor_", "the advisor"},
		{"tool_search_tool_", "tool search"},
	} {
		if strings.HasPrefix(kind, tool.prefix) {
			return tool.name
		}
	}
	return ""
}

// planServerTool deals with a tool that runs on Anthropic's servers: Nova has a web search of its own, nothing else is to
// be had, and an agent must not wait for results that never come.
func (e *encoder) planServerTool(i int) {
	kind := e.req.Tools[i].Type
	what := serverTool(kind)
	switch {
	case strings.HasPrefix(kind, "web_search_") && (e.m.family == familyNova1 || e.m.family == familyNova2) && !e.m.noTools && e.m.body == nil:
		e.tools.grounding = true
		e.req.Lose(toolParam(i, ""), "nova_grounding")
	case isToolSearch(kind): // without it all tools are there at once
		e.req.Lose(toolParam(i, ""), "unsupported")
	case what == "" || !e.fromMessages() || e.req.Policy.Drop:
		e.req.Lose(toolParam(i, ""), "unsupported")
	default:
		e.refuse(toolParam(i, ".type"), what+" ("+kind+") runs on Anthropic's own servers, which Bedrock does not have: leave the tool out, or set drop_params to have that done")
	}
	e.dropTool(i)
}
