package invoke

import (
	"strings"
	"unicode/utf8"

	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// template turns a conversation into one text.
type template struct {
	begin string
	// What stands before and behind a text of the role. Where inUser is set, the system text and its marks stand in the
	// first user turn.
	system, user, assistant [2]string
	inUser                  bool
	// userFirst demands a turn of the user's at the beginning.
	userFirst bool
	// open begins the answer; inThought says that it does so inside of reasoning.
	open      string
	inThought bool
	// trim cuts white space around texts, dropThoughts the reasoning off earlier answers.
	trim, dropThoughts bool
	// marks are what no text may hold.
	marks []string
}

// templates are the usual ways by their names.
var templates = map[string]*template{
	"llama2": &llama2Template, "llama3": &llama3Template, "llama4": &llama4Template, "chatml": &chatMLTemplate, "r1": &r1Template,
	"mistral": &mistralTemplate,
}

// Templates are the names that prompt_template may have.
func Templates() []string { return []string{"llama2", "llama3", "llama4", "chatml", "r1", "mistral"} }

// templateByModel tells the template by a part of a model's name at Hugging Face, the first match counts.
var templateByModel = [...]struct{ part, name string }{
	{"llama-2", "llama2"},
	{"llama2", "llama2"},
	{"llama-3", "llama3"},
	{"llama3", "llama3"},
	{"llama-4", "llama4"},
	{"deepseek-r1", "r1"},
	{"mistral", "mistral"},
	{"mixtral", "mistral"},
	{"qwen", "chatml"},
}

// template returns the template that the deployment asks for, else usual.
func (e *encoder) template(usual *template) *template {
	p := e.req.Policy.Prompt
	if p == nil {
		return usual
	}
	if len(p.Roles) > 0 || p.Initial != "" || p.Final != "" {
		return ownTemplate(p)
	}
	if t := templates[p.Template]; t != nil {
		return t
	}
	name := strings.ToLower(p.ModelName)
	for i := range templateByModel {
		if p.ModelName != "" && strings.Contains(name, templateByModel[i].part) {
			return templates[templateByModel[i].name]
		}
	}
	return usual
}

func ownTemplate(p *llm.Prompt) *template {
	marks := func(role string) [2]string { return [2]string{p.Roles[role].Before, p.Roles[role].After} }
	t := &template{begin: p.BOS + p.Initial, system: marks("system"), user: marks("user"), assistant: marks("assistant"), open: p.Final}
	t.assistant[1] += p.EOS
	for _, pair := range [...][2]string{t.system, t.user, t.assistant, {p.BOS, p.EOS}} {
		for _, mark := range pair {
			if strings.TrimSpace(mark) != "" {
				t.marks = append(t.marks, strings.TrimSpace(mark))
			}
		}
	}
	return t
}

// rawTokens reports whether the deployment leaves a template's marks in texts.
func (e *encoder) rawTokens() bool {
	return e.req.Policy.Prompt != nil && e.req.Policy.Prompt.RawTokens
}

// prompt returns the conversation as one text.
func (e *encoder) prompt(t *template) string {
	w := promptWriter{e: e, t: t}
	w.b.WriteString(t.begin)
	system := w.join(e.doc.system)
	turns := e.doc.turns
	switch {
	case system == "":
	case t.inUser:
		system = t.system[0] + system + t.system[1]
	default:
		w.b.WriteString(t.system[0] + system + t.system[1])
		system = ""
	}
	if len(turns) > 0 && turns[0].assistant && (t.userFirst && !w.spoken() || system != "") {
		w.b.WriteString(t.user[0] + system + t.user[1])
		system = ""
	}
	for i := range turns {
		text := w.join(turns[i].blocks)
		if turns[i].assistant && t.dropThoughts && strings.HasPrefix(text, "<think>") {
			_, answer, _ := strings.Cut(text, "</think>")
			text = strings.TrimLeft(answer, "\n")
		}
		switch last := i == len(turns)-1; {
		case !turns[i].assistant:
			w.b.WriteString(t.user[0] + system + text + t.user[1])
			system = ""
		case last:
			w.b.WriteString(t.assistant[0] + text)
		default:
			w.b.WriteString(t.assistant[0] + text + t.assistant[1])
		}
	}
	if !e.doc.prefill() {
		w.b.WriteString(t.open)
	}
	return w.b.String()
}

// promptWriter is one run of prompt.
type promptWriter struct {
	e *encoder
	t *template
	b strings.Builder
}

// spoken reports whether the text has a user's turn already, as which some templates give the system prompt.
func (w *promptWriter) spoken() bool { return strings.Contains(w.b.String(), w.t.user[0]) }

// join returns the texts of blocks, a line each.
func (w *promptWriter) join(blocks []block) string {
	var texts []string
	for i := range blocks {
		b := &blocks[i]
		switch b.kind {
		case kindText:
			texts = append(texts, w.clean(jsonscan.Text(b.value)))
		case kindGuarded:
			texts = append(texts, w.e.guarded(w.clean(jsonscan.Text(jsonscan.Member(b.value, "text", "text")))))
		case kindImage:
			texts = append(texts, imageMark) // only for models that see, whose bodies have the images beside the prompt
		case kindCitations:
			texts = append(texts, w.clean(citedText(b.value)))
		default:
			w.e.refuse("messages", b.kind+" has no place in the prompt of "+w.e.ref.ID)
		}
	}
	text := strings.Join(texts, "\n")
	if len(texts) > 1 && !w.e.rawTokens() {
		text = w.defuse(text, "\n") // a mark can come about where two texts meet
	}
	return text
}

// clean keeps texts from holding the template's marks, with which they could speak as somebody else.
func (w *promptWriter) clean(text string) string {
	if w.t.trim {
		text = strings.TrimSpace(text)
	}
	if w.e.rawTokens() {
		return text
	}
	return w.defuse(text, "")
}

// defuse breaks the marks in text that begin with prefix, by a character without width behind their first one.
func (w *promptWriter) defuse(text, prefix string) string {
	for _, mark := range w.t.marks {
		if !strings.HasPrefix(mark, prefix) || !strings.Contains(text, mark) {
			continue
		}
		_, first := utf8.DecodeRuneInString(mark)
		text = strings.ReplaceAll(text, mark, mark[:first]+"\u200b"+mark[first:])
		w.e.req.Lose("messages", "template_mark")
	}
	return text
}

// citedText joins the texts of a citationsContent.
func citedText(raw []byte) string {
	var text string
	for part := range jsonscan.Elements(jsonscan.Member(raw, "content")) {
		text += jsonscan.Text(jsonscan.Member(part, "text"))
	}
	return text
}

// writePrompt writes the conversation as the member name.
func (e *encoder) writePrompt(name string, t *template) {
	e.name(name)
	e.dst = llm.AppendString(e.dst, e.prompt(t))
	if t.inThought && !e.doc.prefill() {
		e.turn.chat = e.turn.chat.StartInThought()
	}
}
