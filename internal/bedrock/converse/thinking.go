package converse

import (
	"strconv"

	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// thinkingMode is the form in which Claude is asked to think.
type thinkingMode uint8

const (
	thinkingUnsaid thinkingMode = iota
	thinkingEnabled
	thinkingAdaptive
	thinkingDisabled
)

// thinkingPlan is what is decided about reasoning.
type thinkingPlan struct {
	// on says that Claude thinks in this call because it was asked to.
	on   bool
	mode thinkingMode
	// budget is in tokens, for thinkingEnabled.
	budget int64
	// rest are the other members of the client's thinking object.
	rest []llm.Field
	// display asks for readable summaries, which the newest models leave out otherwise.
	display bool
	// effort is the level for the family's own parameter.
	effort string
	beta   string
}

const (
	// minBudget is the smallest budget that Claude takes.
	minBudget = 1024
	// answerRoom is what is left for the answer when the client set no limit.
	answerRoom = 4096
	// adaptiveBudget stands for "adaptive" on models that know budgets only.
	adaptiveBudget = 2048
)

// effortLevels are the levels in order.
var effortLevels = [...]string{"none", "minimal", "low", "medium", "high", "xhigh", "max"}

// effortBudgets are LiteLLM's budgets for the levels.
var effortBudgets = [...]int64{0, 1024, 1024, 2048, 4096, 8192, 16384}

func levelOf(effort string) int {
	for i, l := range effortLevels {
		if l == effort {
			return i
		}
	}
	return -1
}

const (
	levelNone = iota
	levelMinimal
	levelLow
	levelMedium
	levelHigh
	levelXHigh
	levelMax
)

const paramEffort = "reasoning_effort"

func (e *encoder) planThinking() {
	e.planAgentEffort()
	if raw := e.req.Thinking; len(raw) > 0 && string(raw) != "null" {
		if e.readThinking(raw) {
			e.fitBudget()
			e.planOutputConfig()
			return
		}
	}
	effort := e.req.Effort
	if effort != "" && effort != "default" {
		level := levelOf(effort)
		if level < 0 {
			e.refuse(paramEffort, "reasoning_effort must be none, minimal, low, medium, high, xhigh or max")
			return
		}
		e.planEffort(level)
	}
	e.fitBudget()
	e.planOutputConfig()
}

// planEffort maps a level to the model's own way.
func (e *encoder) planEffort(level int) {
	t := &e.think
	switch e.m.reasoning {
	case reasoningNone:
		if level != levelNone {
			e.unsupported(paramEffort)
		}
	case reasoningClaude:
		switch {
		case level == levelNone:
		case e.m.adaptive:
			t.mode, t.display, t.effort = thinkingAdaptive, true, e.atMost(level, levelLow)
		default:
			t.mode, t.budget = thinkingEnabled, effortBudgets[level]
		}
	case reasoningNova:
		if level == levelNone {
			t.effort = effortLevels[levelNone]
			return
		}
		t.effort = e.between(level, levelLow, levelHigh)
	case reasoningGPTOSS:
		t.effort = e.between(level, levelLow, levelHigh)
	case reasoningGPT:
		if level == levelNone && e.m.noNone || level == levelMinimal && e.m.noMinimal {
			e.unsupported(paramEffort)
			return
		}
		t.effort = e.atMost(level, levelNone)
	case reasoningPlain:
		t.effort = effortLevels[level]
	}
}

// between clips a level to what the model has, by name.
func (e *encoder) between(level, lowest, highest int) string {
	clipped := min(max(level, lowest), highest)
	if clipped != level {
		e.req.Lose(paramEffort, "clipped")
	}
	return effortLevels[clipped]
}

// atMost returns the level, or the next lower one that the model has: never more thinking than was asked for.
func (e *encoder) atMost(level, lowest int) string {
	clipped := max(level, lowest)
	if clipped == levelMax && !e.m.max {
		clipped = levelXHigh
	}
	if clipped == levelXHigh && !e.m.xhigh {
		clipped = levelHigh
	}
	if clipped < level {
		e.req.Lose(paramEffort, "clipped")
	}
	return effortLevels[clipped]
}

// readThinking takes over Anthropic's thinking object, and reports whether the model thinks that way.
func (e *encoder) readThinking(raw []byte) bool {
	kind, budget, ok := e.thinkingObject(raw)
	if !ok {
		e.refuse("thinking", `thinking must be an object with type enabled, disabled or adaptive`)
		return false
	}
	t := &e.think
	if e.m.reasoning != reasoningClaude && (e.m.known || e.m.family != familyOther) {
		t.rest = nil
		switch {
		case kind == "disabled":
		case e.fromMessages():
			e.thinkByEffort(budget)
		default:
			e.unsupported("thinking")
		}
		return false
	}
	switch kind {
	case "disabled":
		if e.m.alwaysThinks {
			e.req.Lose("thinking", "unsupported")
			return true
		}
		t.mode = thinkingDisabled
	case "adaptive":
		if e.m.adaptive || !e.m.known {
			t.mode = thinkingAdaptive
			if level := levelOf(e.req.Effort); level > levelNone {
				t.effort = e.atMost(level, levelLow)
			}
			return true
		}
		t.mode, t.budget, t.rest = thinkingEnabled, adaptiveBudget, nil
		if e.sample.hasMax && e.sample.maxTokens > minBudget {
			t.budget = min(t.budget, e.sample.maxTokens-1)
		}
		e.req.Lose("thinking.type", "enabled")
	case "enabled":
		t.budget = max(budget, minBudget)
		if t.budget != budget {
			e.req.Lose("thinking.budget_tokens", "raised")
		}
		if !e.m.adaptive || e.m.budget {
			t.mode = thinkingEnabled
			return true
		}
		t.mode, t.display = thinkingAdaptive, true
		e.req.Lose("thinking.budget_tokens", "adaptive")
		switch {
		case budget >= effortBudgets[levelXHigh] && e.m.xhigh:
			t.effort = effortLevels[levelXHigh]
		case budget >= effortBudgets[levelHigh]:
			t.effort = effortLevels[levelHigh]
		case budget >= effortBudgets[levelMedium]:
			t.effort = effortLevels[levelMedium]
		default:
			t.effort = effortLevels[levelLow]
		}
	}
	return true
}

// thinkingObject reads type and budget_tokens and keeps the other members.
func (e *encoder) thinkingObject(raw []byte) (kind string, budget int64, ok bool) {
	s := jsonscan.New(raw)
	if s.Peek() != jsonscan.KindObject {
		return "", 0, false
	}
	more, err := s.OpenObject()
	for ; err == nil && more; more, err = s.NextMember() {
		key, keyErr := s.Key()
		value, valueErr := s.Skip()
		if keyErr != nil || valueErr != nil {
			return "", 0, false
		}
		switch string(key) {
		case "type":
			if len(value) > 2 && value[0] == '"' {
				kind = string(value[1 : len(value)-1])
			}
		case "budget_tokens":
			if string(value) == "null" {
				continue
			}
			n, err := strconv.ParseInt(string(value), 10, 64)
			if err != nil {
				return "", 0, false
			}
			budget = n
		default:
			e.think.rest = append(e.think.rest, llm.Field{Name: string(key), Value: value})
		}
	}
	ok = err == nil && s.End() == nil && (kind == "enabled" || kind == "disabled" || kind == "adaptive")
	return kind, budget, ok
}

// fitBudget keeps AWS's rule 1024 ≤ budget < maxTokens, and leaves thinking out where the history cannot carry it.
func (e *encoder) fitBudget() {
	t, s := &e.think, &e.sample
	if t.mode != thinkingEnabled && t.mode != thinkingAdaptive {
		return
	}
	// Claude demands reasoning blocks before its calls while it thinks; a history that was made without cannot have them.
	if e.talk.lastCalls && !e.talk.signed {
		e.dropThinking("history")
		return
	}
	t.on = true
	if t.mode != thinkingEnabled {
		return
	}
	switch {
	case !s.hasMax:
		s.hasMax, s.maxTokens = true, t.budget+answerRoom
	case s.maxTokens > t.budget:
	case s.maxTokens-1 >= minBudget:
		t.budget = s.maxTokens - 1
		e.req.Lose(e.thinkingParam(), "lowered")
	default:
		e.dropThinking("max_tokens")
	}
}

func (e *encoder) thinkingParam() string {
	if e.req.Thinking != nil {
		return "thinking"
	}
	return paramEffort
}

func (e *encoder) dropThinking(why string) {
	e.req.Lose(e.thinkingParam(), why)
	e.think = thinkingPlan{}
}

// planOutputConfig takes over Anthropic's own output_config.
func (e *encoder) planOutputConfig() {
	f := &e.fields
	if f.claudeOutput != nil && (!isObject(f.claudeOutput) || e.m.known && !e.m.outputEffort) {
		switch {
		case !isObject(f.claudeOutput):
			e.refuse("output_config", "output_config must be an object")
		case e.fromMessages(): // every request of an agent's has it
			e.req.Lose("output_config", "unsupported")
		default:
			e.unsupported("output_config")
		}
		f.claudeOutput = nil
	}
	if f.claudeOutput != nil && e.m.effortIsBeta {
		e.think.beta = effortBeta
	}
}

// planThinkingConflicts deals with what Claude refuses beside thinking, and Nova beside its high level. It runs after
// the tools are planned.
func (e *encoder) planThinkingConflicts() {
	s, p := &e.sample, &e.req.Policy
	if e.m.reasoning == reasoningNova && e.think.effort == effortLevels[levelHigh] {
		e.dropSampling(&s.hasTemperature, "temperature")
		e.dropSampling(&s.hasTopP, "top_p")
		e.dropSampling(&s.hasMax, "max_tokens")
	}
	if !e.think.on {
		return
	}
	if e.tools.isForced() {
		e.tools.choice.Mode = llm.ToolAuto
		e.req.Lose("tool_choice", "thinking")
	}
	if !p.Drop && !p.Modify {
		return // AWS says what is wrong
	}
	if s.temperature != 1 {
		e.dropSampling(&s.hasTemperature, "temperature")
	}
	if s.topP < 0.95 {
		e.dropSampling(&s.hasTopP, "top_p")
	}
	e.dropSampling(&s.hasTopK, "top_k")
}

func (e *encoder) dropSampling(has *bool, name string) {
	if *has {
		*has = false
		e.req.Lose(name, "thinking")
	}
}

// thinkingFields writes the plan in the family's words.
func (e *encoder) thinkingFields() {
	t := &e.think
	switch t.mode {
	case thinkingUnsaid:
		e.effortField()
	case thinkingEnabled:
		if e.field("thinking") {
			e.dst = strconv.AppendInt(append(e.dst, `{"type":"enabled","budget_tokens":`...), t.budget, 10)
			e.thinkingRest()
		}
	case thinkingDisabled:
		if e.field("thinking") {
			e.dst = append(e.dst, `{"type":"disabled"`...)
			e.thinkingRest()
		}
	case thinkingAdaptive:
		if e.field("thinking") {
			e.dst = append(e.dst, `{"type":"adaptive"`...)
			if t.display && llm.Lookup(t.rest, "display") == nil {
				e.dst = append(e.dst, `,"display":"summarized"`...)
			}
			e.thinkingRest()
		}
	}
	switch {
	case e.fields.claudeOutput != nil:
		if e.field("output_config") {
			e.dst = append(e.dst, e.fields.claudeOutput...)
		}
	case t.mode == thinkingAdaptive && t.effort != "":
		if e.field("output_config") {
			e.dst = append(append(append(e.dst, `{"effort":"`...), t.effort...), '"', '}')
		}
	}
}

func (e *encoder) thinkingRest() {
	for i := range e.think.rest {
		e.dst = llm.AppendString(append(e.dst, ','), e.think.rest[i].Name)
		e.dst = append(append(e.dst, ':'), e.think.rest[i].Value...)
	}
	e.dst = append(e.dst, '}')
}

func (e *encoder) effortField() {
	effort := e.think.effort
	if effort == "" {
		return
	}
	switch e.m.reasoning {
	case reasoningNova:
		if !e.field("reasoningConfig") {
			return
		}
		if effort == effortLevels[levelNone] {
			e.dst = append(e.dst, `{"type":"disabled"}`...)
			return
		}
		e.dst = append(append(append(e.dst, `{"type":"enabled","maxReasoningEffort":"`...), effort...), '"', '}')
	case reasoningGPT:
		if e.m.effortIsPlain {
			e.effortAsField(effort)
			return
		}
		if e.field("reasoning") {
			e.dst = append(append(append(e.dst, `{"effort":"`...), effort...), '"', '}')
		}
	default:
		e.effortAsField(effort)
	}
}

func (e *encoder) effortAsField(effort string) {
	if e.field(paramEffort) {
		e.dst = append(append(append(e.dst, '"'), effort...), '"')
	}
}
