package converse

import (
	"slices"
	"strings"

	"github.com/outcrop-ai/outcrop/internal/catalog"
	"github.com/outcrop-ai/outcrop/llm"
)

// Body says how a family's own body, which InvokeModel takes, differs from Converse. The zero value takes all that
// Converse takes.
type Body struct {
	// What the body has no place for.
	NoTools, NoVision, NoVideo, NoAudio, NoDocuments, NoS3, NoCache, NoTopK, NoStop, NoReasoning bool
	// Params are OpenAI's parameters that the body takes under OpenAI's names.
	Params []string
	// Strict says that tools may be strict.
	Strict bool
	// ThinkTags says that the model writes its reasoning into the text, between tags.
	ThinkTags bool
	// Anthropic says that the body is Claude's Messages API, OpenAI that it is OpenAI's Chat Completions.
	Anthropic, OpenAI bool
}

// EncodeFor encodes req as [Encode] does, prepared for a family's own body: Converse's words are the normal form of a
// conversation, which package invoke says again in the family's. It differs from what Converse would get only where the
// body asks for it: by what it lacks, and by values that Converse wraps (redacted reasoning, documents' names).
func EncodeFor(dst []byte, req *llm.Request, m catalog.Ref, body *Body) ([]byte, *Turn, error) {
	e := encoder{dst: dst, req: req}
	e.m.read(m)
	e.m.restrict(body)
	return e.encode(len(dst))
}

// restrict takes over what the body lacks. A system prompt has a place in every body, whatever Converse says.
func (t *traits) restrict(b *Body) {
	t.body = b
	t.noSystem, t.promptResource = false, false
	t.noTools = t.noTools || b.NoTools
	t.noVision = t.noVision || b.NoVision
	t.noVideo = t.noVideo || b.NoVideo
	t.noAudio = t.noAudio || b.NoAudio
	t.noDocuments = t.noDocuments || b.NoDocuments
	t.noCache = t.noCache || b.NoCache
	t.noStop = t.noStop || b.NoStop
	t.thinkTags = t.thinkTags || b.ThinkTags
	switch {
	case b.NoReasoning:
		t.reasoning, t.known = reasoningNone, true
	case b.OpenAI && t.reasoning == reasoningGPT:
		t.effortIsPlain = true
	case b.OpenAI && t.reasoning == reasoningClaude: // an ARN that was taken for Claude's
		t.reasoning = reasoningPlain
	}
	t.noResultImages = t.noResultImages || b.OpenAI
}

// isAnthropic and isOpenAI tell whose body is written.
func (t *traits) isAnthropic() bool { return t.body != nil && t.body.Anthropic }
func (t *traits) isOpenAI() bool    { return t.body != nil && t.body.OpenAI }

// takesNone reports whether tools can be sent with the word that none of them may be called. Converse has none.
func (t *traits) takesNone() bool { return t.isAnthropic() || t.isOpenAI() }

// takes reports whether the model has OpenAI's parameter under OpenAI's name.
func (t *traits) takes(param string) bool {
	if t.body != nil {
		// What stands between tags is no text: probabilities of tokens cannot be told apart then.
		return slices.Contains(t.body.Params, param) && !(t.thinkTags && strings.HasSuffix(param, "logprobs"))
	}
	return t.family.takes(param)
}

// isConverseOnly names members of Converse's request that no body of a family has.
func isConverseOnly(name string) bool {
	switch name {
	case "inferenceConfig", "outputConfig", "promptVariables", "additionalModelResponseFieldPaths":
		return true
	default:
		return false
	}
}
