package invoke

import (
	"strings"

	"github.com/outcrop-ai/outcrop/internal/bedrock/converse"
	"github.com/outcrop-ai/outcrop/internal/catalog"
)

// family is the body that a group of models takes. Its functions are in the file of its name.
type family struct {
	// name is the catalogue's word for the body.
	name string
	// body says what it lacks of Converse; nil is the same for all models.
	body func(ref catalog.Ref) converse.Body
	// encode writes a request.
	encode func(e *encoder)
	// answer reads a whole answer, chunk one object of a stream.
	answer func(a *answer, body []byte)
	chunk  func(c *chunks, chunk []byte)
}

// families are all of them, by the catalogue's word.
var families = map[string]*family{
	anthropicMessages.name: &anthropicMessages, anthropicText.name: &anthropicText, titanText.name: &titanText, nova.name: &nova,
	llama.name: &llama, mistralText.name: &mistralText, cohereCommand.name: &cohereCommand, cohereCommandR.name: &cohereCommandR,
	ai21J2.name: &ai21J2, ai21Jamba.name: &ai21Jamba, openaiChat.name: &openaiChat, deepseekR1.name: &deepseekR1,
	importedR1.name: &importedR1, qwenChatML.name: &qwenChatML, pegasus.name: &pegasus,
}

// words are the families that stand before an ARN in a model's name.
var words = map[string]*family{
	"llama": &llama, "meta": &llama, "deepseek_r1": &importedR1, "qwen2": &qwenChatML, "qwen3": &qwenChatML, "openai": &openaiChat,
	"moonshot": &openaiChat, "mistral": &mistralText, "anthropic": &anthropicMessages, "amazon": &nova, "nova": &nova, "nova-2": &nova,
	"cohere": &cohereCommandR, "ai21": &ai21Jamba, "twelvelabs": &pegasus,
}

// ids are the beginnings of ids that tell the family of a model which the catalogue does not know; the first match counts.
var ids = [...]struct {
	prefix string
	family *family
}{
	{"anthropic.claude-v", &anthropicText},
	{"anthropic.claude-instant", &anthropicText},
	{"anthropic.", &anthropicMessages},
	{"amazon.titan-text", &titanText},
	{"amazon.titan-tg1", &titanText},
	{"amazon.nova", &nova},
	{"meta.llama", &llama},
	{"mistral.mistral-7b", &mistralText},
	{"mistral.mixtral-8x7b", &mistralText},
	{"mistral.mistral-large-2402", &mistralText},
	{"mistral.mistral-small-2402", &mistralText},
	{"cohere.command-r", &cohereCommandR},
	{"cohere.command", &cohereCommand},
	{"ai21.j2", &ai21J2},
	{"ai21.", &ai21Jamba},
	{"deepseek.r1", &deepseekR1},
	{"twelvelabs.pegasus", &pegasus},
}

// familyOf returns the family of a model: by the word before its ARN, by the catalogue, or by its id. Unknown models are
// taken to speak OpenAI's Chat Completions, as nearly all new ones do; of an ARN that tells nothing there is none.
func familyOf(ref catalog.Ref) *family {
	if f := words[ref.Family]; f != nil {
		return f
	}
	if ref.Model != nil {
		if f := families[ref.Model.Body]; f != nil {
			return f
		}
	}
	if ref.ARN != nil && ref.Model == nil {
		return nil
	}
	id := ref.ID
	if geography, rest, ok := strings.Cut(id, "."); ok && len(geography) <= 6 && strings.Contains(rest, ".") {
		id = rest
	}
	for i := range ids {
		if strings.HasPrefix(id, ids[i].prefix) {
			return ids[i].family
		}
	}
	return &openaiChat
}

// Serves reports whether InvokeModel can be called for a chat with the model: its family is known.
func Serves(ref catalog.Ref) bool { return familyOf(ref) != nil }

// SpeaksMessages reports whether the model's own body is Anthropic's Messages API.
func SpeaksMessages(ref catalog.Ref) bool { return familyOf(ref) == &anthropicMessages }

// promptBody is what bodies lack that are one text.
func promptBody(params ...string) converse.Body {
	return converse.Body{
		NoTools: true, NoVision: true, NoVideo: true, NoAudio: true, NoDocuments: true, NoS3: true, NoCache: true, NoReasoning: true, Params: params,
	}
}

// withoutTopK is a prompt's body that has no top_k either.
func withoutTopK(params ...string) converse.Body {
	b := promptBody(params...)
	b.NoTopK = true
	return b
}
