package sim

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxWords bounds [[words:N]].
const maxWords = 100000

// blockedText is what Bedrock's guardrails say unless told otherwise.
const blockedText = "Sorry, the model cannot answer this question."

type answerKind uint8

const (
	answerText answerKind = iota
	answerReasoning
	answerTool
)

// answerBlock is one block of what the model says.
type answerBlock struct {
	kind      answerKind
	text      string
	pieces    []string // text as streamed deltas; nil: cut by ChunkSize
	signature string   // of reasoning
	cited     *Cited   // the source of the text
	id, name  string   // of a tool call
	input     json.RawMessage
}

func (b answerBlock) tokens() int {
	if b.kind == answerTool {
		return countTokens(b.name) + countTokens(string(b.input))
	}
	return countTokens(b.text)
}

// answer is what the model says to one prompt, before any API gives it a shape.
type answer struct {
	blocks       []answerBlock
	stop         string // Converse's word
	stopSequence string
	usage        usage
	blocked      bool // by the guardrail
	latencyMs    int64
	chunkSize    int
}

// compose lets the model answer p: by the script when there is one, else by echo and triggers. The answer depends on
// the request, the script and the prompt cache alone.
func (s *Server) compose(p *prompt, d *dice, script *Reply, chunkSize int) *answer {
	a := &answer{stop: "end_turn", chunkSize: chunkSize}
	if p.guardrail != nil && strings.Contains(p.lastText, "[[guardrail]]") {
		a.blocked, a.stop = true, "guardrail_intervened"
		a.blocks = []answerBlock{{text: blockedText, pieces: []string{blockedText}}}
		return a // nothing reached the model: no usage
	}
	if script != nil {
		a.recite(script, p, d)
	} else {
		a.echo(p, d)
	}
	a.cut(p)
	if script != nil && script.StopReason != "" {
		a.stop = script.StopReason
	}
	a.usage = s.cache.bill(p.meter, s.options.Now())
	for _, b := range a.blocks {
		a.usage.output += b.tokens()
	}
	if script != nil && script.Usage != nil {
		a.usage = script.Usage.usage()
	}
	return a
}

// recite says what the script wants.
func (a *answer) recite(script *Reply, p *prompt, d *dice) {
	if script.Reasoning != "" {
		a.blocks = append(a.blocks, reasoning(script.Reasoning, p))
	}
	said := script.Text
	if said == "" {
		said = strings.Join(script.Chunks, "")
	}
	if said != "" {
		a.blocks = append(a.blocks, answerBlock{text: said, pieces: script.Chunks})
	}
	for i := range script.Cited {
		a.blocks = append(a.blocks, answerBlock{text: script.Cited[i].Text, cited: &script.Cited[i]})
	}
	for _, t := range script.ToolCalls {
		b := answerBlock{kind: answerTool, id: t.ID, name: t.Name, input: t.json()}
		if b.id == "" {
			b.id = toolUseID(d)
		}
		a.blocks = append(a.blocks, b)
		a.stop = "tool_use"
	}
}

// echo answers by the rules of the package documentation.
func (a *answer) echo(p *prompt, d *dice) {
	if p.thinking {
		a.blocks = append(a.blocks, reasoning("Let me think about what was said: "+head(p.lastText, 80), p))
	}
	calls := requestedCalls(p)
	if said := spoken(p); said != "" && len(calls) == 0 {
		a.blocks = append(a.blocks, answerBlock{text: said})
	}
	for _, c := range calls {
		a.blocks = append(a.blocks, answerBlock{kind: answerTool, id: toolUseID(d), name: c.name, input: c.input})
		a.stop = "tool_use"
	}
}

func toolUseID(d *dice) string { return "tooluse_" + d.word(22) }

func reasoning(said string, p *prompt) answerBlock {
	b := answerBlock{kind: answerReasoning, text: said}
	if p.signed {
		sum := sha256.Sum256([]byte(said))
		b.signature = base64.StdEncoding.EncodeToString(sum[:])
	}
	return b
}

// spoken is the text of the answer.
func spoken(p *prompt) string {
	if p.format != nil {
		var schema any
		if json.Unmarshal(p.format, &schema) == nil {
			return string(mustJSON(exampleOf(schema, "answer")))
		}
	}
	if say, ok := bracketed(p.lastText, "say:"); ok {
		return say
	}
	if words, ok := bracketed(p.lastText, "words:"); ok {
		if n, err := strconv.Atoi(words); err == nil && n > 0 {
			return numberedWords(min(n, maxWords))
		}
	}
	var lines []string
	if len(p.results) > 0 {
		lines = append(lines, "The tool said: "+strings.Join(p.results, "; "))
	}
	for _, m := range p.media {
		line := "You sent: " + m.kind + "/" + m.format
		if m.name != "" {
			line += " " + strconv.Quote(m.name)
		}
		lines = append(lines, fmt.Sprintf("%s (%d bytes)", line, m.bytes))
	}
	if p.lastText != "" {
		lines = append(lines, "You said: "+p.lastText)
	}
	return strings.Join(lines, "\n")
}

func numberedWords(n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString("word")
		b.WriteString(strconv.Itoa(i + 1))
	}
	return b.String()
}

// bracketed returns what stands between [[prefix and ]].
func bracketed(s, prefix string) (string, bool) {
	_, rest, ok := strings.Cut(s, "[["+prefix)
	if !ok {
		return "", false
	}
	inner, _, ok := strings.Cut(rest, "]]")
	return inner, ok
}

// head returns at most n characters of s.
func head(s string, n int) string {
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}

// cut applies stop sequences and the token limit. A tool call is given whole or, when the limit leaves too little room,
// not at all.
func (a *answer) cut(p *prompt) {
	left := p.maxTokens
	for i := range a.blocks {
		b := &a.blocks[i]
		if b.kind == answerText {
			if at, stop := firstStop(b.text, p.stops); at >= 0 {
				b.text, b.pieces = b.text[:at], nil
				a.blocks = a.blocks[:i+1]
				a.stop, a.stopSequence = "stop_sequence", stop
				if p.maxTokens == 0 || b.tokens() <= left {
					a.dropEmpty()
					return
				}
			}
		}
		if p.maxTokens == 0 {
			continue
		}
		if b.tokens() <= left {
			left -= b.tokens()
			continue
		}
		a.stop, a.stopSequence = "max_tokens", ""
		if b.kind == answerTool {
			a.blocks = a.blocks[:i]
			return
		}
		b.text, b.pieces = head(b.text, 4*left), nil
		a.blocks = a.blocks[:i+1]
		a.dropEmpty()
		return
	}
}

// dropEmpty removes a last text block of which nothing is left.
func (a *answer) dropEmpty() {
	if n := len(a.blocks); n > 0 && a.blocks[n-1].kind != answerTool && a.blocks[n-1].text == "" {
		a.blocks = a.blocks[:n-1]
	}
}

func firstStop(s string, stops []string) (int, string) {
	at, found := -1, ""
	for _, stop := range stops {
		if i := strings.Index(s, stop); i >= 0 && (at < 0 || i < at) {
			at, found = i, stop
		}
	}
	return at, found
}

// deltas cuts the block's text as it is streamed.
func (a *answer) deltas(b answerBlock) []string {
	if b.pieces != nil {
		return b.pieces
	}
	return split(b.text, a.chunkSize)
}

// inputDeltas cuts a tool's input: an empty piece first, as Claude does; nothing more when there are no arguments.
func (a *answer) inputDeltas(b answerBlock) []string {
	if string(b.input) == "{}" {
		return []string{""}
	}
	return slices.Insert(split(string(b.input), a.chunkSize), 0, "")
}

// split cuts s into pieces of n characters.
func split(s string, n int) []string {
	pieces := make([]string, 0, utf8.RuneCountInString(s)/n+1)
	for s != "" {
		piece := head(s, n)
		pieces = append(pieces, piece)
		s = s[len(piece):]
	}
	return pieces
}
