package converse

import (
	"slices"
	"strings"

	"github.com/outcrop-ai/outcrop/internal/catalog"
)

// reasoningKind is how a model is asked to think.
type reasoningKind uint8

const (
	// reasoningNone: the model has no parameter for it.
	reasoningNone reasoningKind = iota
	// reasoningClaude: Anthropic's thinking object, see traits.budget and traits.adaptive.
	reasoningClaude
	// reasoningNova: Nova 2's reasoningConfig.
	reasoningNova
	// reasoningGPTOSS: reasoning_effort low, medium or high.
	reasoningGPTOSS
	// reasoningGPT: OpenAI's reasoning object.
	reasoningGPT
	// reasoningPlain: reasoning_effort as the client said it.
	reasoningPlain
)

// traits is what this package must know of a model, read once per request from the catalogue. The zero value is a
// model of which nothing is known: nothing is missing then, AWS decides.
type traits struct {
	// name is the model's id for messages.
	name  string
	known bool
	family
	// body is the family's own body that the request is prepared for; nil for Converse.
	body *Body

	// promptResource says that the id names a prompt and no model; context1M that it ended in "[1m]".
	promptResource, context1M bool

	noSystem, noVision, noVideo, noAudio, noDocuments      bool
	noTools, noToolChoice, noForcedTool, noStrict          bool
	noSampling, noTopPBesideTemperature, noStop            bool
	effortIsPlain, noLookaround                            bool
	noCache, noCacheInTools, noTTL5m, noTTL1h              bool
	noResultImages, thinkTags, midSystem                   bool
	native, nativeWhenThinking, outputEffort, effortIsBeta bool

	reasoning        reasoningKind
	budget, adaptive bool
	alwaysThinks     bool
	// noNone and noMinimal are levels that the model refuses; xhigh and max are levels that it has.
	noNone, noMinimal, xhigh, max bool
}

// takesThoughts reports whether reasoning of the history may go back to the model.
func (t *traits) takesThoughts() bool { return t.maybeClaude() }

// takesBetas reports whether Anthropic's feature flags may go up: to Claude, and to what may be Claude.
func (t *traits) takesBetas() bool { return t.maybeClaude() }

func (t *traits) maybeClaude() bool {
	if t.body != nil {
		return t.body.Anthropic
	}
	return t.family == familyClaude || !t.known && t.family == familyOther
}

// takesResultStatus reports whether a tool result may say that it failed: AWS documents it for Claude and Nova only.
func (t *traits) takesResultStatus() bool {
	return !t.known || t.family == familyClaude || t.family == familyNova1 || t.family == familyNova2
}

// takesTTL reports whether a cache point may carry ttl.
func (t *traits) takesTTL(ttl string) bool {
	switch ttl {
	case "5m":
		return !t.noTTL5m
	case "1h":
		return !t.noTTL1h
	default:
		return false
	}
}

// read fills the traits of the model that ref names.
func (t *traits) read(ref catalog.Ref) {
	m := ref.Model
	t.name, t.context1M = ref.ID, ref.Beta1M
	t.promptResource = ref.ARN != nil && ref.ARN.Kind == "prompt"
	if m == nil {
		t.readUnknown(ref)
		return
	}
	t.known = true
	t.family = familyOf(m.ID)
	if t.family == familyOther && m.Body == "openai-chat" {
		t.family = familyOpenAIBody
	}
	t.readCaps(m)
	t.readReasoning(m)
}

// readUnknown takes what the name alone tells: nothing is taken as missing.
func (t *traits) readUnknown(ref catalog.Ref) {
	t.family = familyOf(ref.Family)
	isARN := strings.HasPrefix(ref.ID, "arn:")
	if t.family == familyOther && !isARN {
		t.family = familyOf(ref.ID)
	}
	t.thinkTags = t.family.writesThinkTags()
	t.noStop = t.family == familyGrok
	switch {
	case t.family == familyClaude: // a new one, most likely
		t.reasoning, t.adaptive, t.budget, t.xhigh, t.max = reasoningClaude, true, true, true, true
	case t.family == familyNova2:
		t.reasoning = reasoningNova
	case t.family == familyGPTOSS:
		t.reasoning = reasoningGPTOSS
	case t.family == familyGPT || t.family == familyGrok:
		t.reasoning, t.xhigh, t.max = reasoningGPT, true, true
	case t.family == familyOther && isARN: // as LiteLLM does: most profiles with a name of their own are Claude's
		t.reasoning, t.budget = reasoningClaude, true
	default:
		t.reasoning = reasoningPlain
	}
}

// readCaps goes over the capabilities once: this is on the way of every request.
func (t *traits) readCaps(m *catalog.Model) {
	t.noCache = m.Cache == nil || t.family == familyGPT
	t.noAudio = true
	for _, c := range m.Capabilities {
		switch c {
		case "audio_in":
			t.noAudio = false
		case "structured_native":
			t.native = true
		case "structured_native_converse":
			t.nativeWhenThinking = true
		case "output_effort":
			t.outputEffort = true
		case "!vision":
			t.noVision = true
		case "!video":
			t.noVideo = true
		case "!documents":
			t.noDocuments = true
		case "!tools":
			t.noTools = true
		case "!tool_choice":
			t.noToolChoice = true
		case "!forced_tool":
			t.noForcedTool = true
		case "!strict_tools":
			t.noStrict = true
		case "!sampling":
			t.noSampling = true
		case "!regex_lookaround":
			t.noLookaround = true
		case "mid_system":
			t.midSystem = true
		case "!tool_result_images":
			t.noResultImages = true
		case "!cache", "!cache_breakpoint":
			t.noCache = true
		}
	}
	t.noSystem = m.Converse != nil && m.Converse.System != nil && !*m.Converse.System
	t.noTopPBesideTemperature = t.family == familyClaude && isClaude41OrLater(m.Family)
	t.noStop = t.family == familyGrok || t.family == familyGPT && isGPT56OrLater(m.Family)
	t.noCacheInTools = t.family == familyNova1 || t.family == familyNova2
	t.noTTL5m, t.noTTL1h = true, true
	if m.Cache != nil {
		t.noTTL5m, t.noTTL1h = !slices.Contains(m.Cache.TTL, "5m"), !slices.Contains(m.Cache.TTL, "1h")
	}
	t.thinkTags = t.family.writesThinkTags()
}

func (t *traits) readReasoning(m *catalog.Model) {
	r := m.Reasoning
	if r == nil {
		return
	}
	t.alwaysThinks = r.AlwaysOn
	t.budget, t.adaptive = slices.Contains(r.Kind, "budget"), slices.Contains(r.Kind, "adaptive")
	t.effortIsBeta = t.outputEffort && !t.adaptive
	t.noNone, t.noMinimal = slices.Contains(r.Levels, "!none"), slices.Contains(r.Levels, "!minimal")
	t.xhigh = slices.Contains(r.Levels, "xhigh") && r.Ceiling != "high"
	t.max = slices.Contains(r.Levels, "max") && r.Ceiling != "high" && r.Ceiling != "xhigh"
	switch {
	case t.family == familyClaude:
		t.reasoning = reasoningClaude
	case t.family == familyDeepSeekV3:
		t.reasoning = reasoningPlain
	case !slices.Contains(r.Kind, "effort"): // by template or always: there is no parameter
	case t.family == familyNova2:
		t.reasoning = reasoningNova
	case t.family == familyGPTOSS:
		t.reasoning = reasoningGPTOSS
	default:
		t.reasoning = reasoningGPT
	}
}

// isClaude41OrLater tells by the catalogue's family whether temperature and top_p exclude each other.
func isClaude41OrLater(family string) bool {
	switch family {
	case "claude-1", "claude-2", "claude-3", "claude-3.5", "claude-3.7", "claude-4":
		return false
	default:
		return true
	}
}

func isGPT56OrLater(family string) bool {
	switch family {
	case "gpt-5.4", "gpt-5.5":
		return false
	default:
		return true
	}
}
