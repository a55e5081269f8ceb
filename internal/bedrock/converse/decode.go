package converse

import (
	"strings"

	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// Decode reads the answer of Converse. The response's spans alias body. A body that is no Converse answer is an
// *llm.Error of [llm.KindUpstream]; members that are not known are passed over.
func Decode(body []byte, turn *Turn) (*llm.Response, error) {
	d := decoder{s: jsonscan.New(body), turn: turn, out: &llm.Response{}}
	err := d.answer()
	if err == nil {
		err = d.s.End()
	}
	if err != nil {
		return nil, notAnAnswer("the answer of AWS is not JSON", err)
	}
	if !d.hasMessage {
		return nil, notAnAnswer("the answer of AWS has no message", nil)
	}
	d.finish()
	return d.out, nil
}

func notAnAnswer(message string, cause error) *llm.Error {
	return &llm.Error{Kind: llm.KindUpstream, Message: message, Cause: cause}
}

// decoder is one run of Decode.
type decoder struct {
	s    jsonscan.Scanner
	turn *Turn
	out  *llm.Response

	hasMessage bool
	// calls counts the calls that the client is to see; answered says that the tool of a structured answer was called.
	calls    int
	answered bool
	// answerAdded says that the structured answer is among the blocks: other text is not wanted beside it.
	answerAdded bool
}

func (d *decoder) answer() error {
	more, err := d.s.OpenObject()
	for ; err == nil && more; more, err = d.s.NextMember() {
		key, err := d.s.Key()
		if err != nil {
			return err
		}
		switch string(key) {
		case "output":
			err = d.output()
		case "stopReason":
			err = d.stopReason()
		case "usage":
			err = readUsage(&d.s, &d.out.Usage)
		case "trace":
			d.out.Trace, err = d.s.Skip()
		case "performanceConfig":
			d.out.Performance, err = d.s.Skip()
		case "additionalModelResponseFields":
			d.out.Fields, err = d.s.Skip()
			if string(d.out.Fields) == "null" {
				d.out.Fields = nil
			}
		case "logprobs": // said by a family's own body
			d.out.Logprobs, err = d.s.Skip()
		case "serviceTier":
			d.out.Tier, err = readTier(&d.s)
		default:
			_, err = d.s.Skip()
		}
		if err != nil {
			return err
		}
	}
	return err
}

func (d *decoder) output() error {
	if d.s.Peek() != jsonscan.KindObject {
		_, err := d.s.Skip()
		return err
	}
	more, err := d.s.OpenObject()
	for ; err == nil && more; more, err = d.s.NextMember() {
		key, err := d.s.Key()
		if err != nil {
			return err
		}
		if string(key) != "message" || d.s.Peek() != jsonscan.KindObject {
			if _, err := d.s.Skip(); err != nil {
				return err
			}
			continue
		}
		d.hasMessage = true
		if err := d.message(); err != nil {
			return err
		}
	}
	return err
}

func (d *decoder) message() error {
	more, err := d.s.OpenObject()
	for ; err == nil && more; more, err = d.s.NextMember() {
		key, err := d.s.Key()
		if err != nil {
			return err
		}
		if string(key) != "content" || d.s.Peek() != jsonscan.KindArray {
			if _, err := d.s.Skip(); err != nil {
				return err
			}
			continue
		}
		if err := d.content(); err != nil {
			return err
		}
	}
	return err
}

func (d *decoder) content() error {
	more, err := d.s.OpenArray()
	for ; err == nil && more; more, err = d.s.NextElement() {
		if d.s.Peek() != jsonscan.KindObject {
			if _, err := d.s.Skip(); err != nil {
				return err
			}
			continue
		}
		if err := d.block(); err != nil {
			return err
		}
	}
	return err
}

// block reads one content block: an object with one member, beside which unknown ones may stand.
func (d *decoder) block() error {
	start := d.s.Pos
	var b llm.Block
	found := false
	more, err := d.s.OpenObject()
	for ; err == nil && more; more, err = d.s.NextMember() {
		key, err := d.s.Key()
		if err != nil {
			return err
		}
		kind := d.s.Peek()
		switch {
		case found:
			_, err = d.s.Skip()
		case kind == jsonscan.KindString && string(key) == "text":
			var text []byte
			text, err = d.s.String()
			b.Kind, b.Text, found = llm.BlockText, llm.RawText(text), true
		case kind == jsonscan.KindObject:
			found, err = d.objectBlock(string(key), &b)
		default:
			_, err = d.s.Skip()
		}
		if err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	if !found {
		b = llm.Block{Kind: llm.BlockOther, Raw: trimSpan(d.s.Data[start:d.s.Pos])}
	}
	d.add(b)
	return nil
}

// objectBlock reads the inside of a content block of the named kind; found is false if it has none here.
func (d *decoder) objectBlock(kind string, b *llm.Block) (found bool, err error) {
	switch kind {
	case "toolUse":
		return d.toolUse(b)
	case "reasoningContent":
		return d.reasoning(b)
	case "citationsContent":
		span, err := d.s.Skip()
		b.Kind, b.Raw, b.Text = llm.BlockCitations, span, citedText(span)
		return true, err
	case "image":
		span, err := d.s.Skip()
		return imageBlock(span, b), err
	default:
		_, err := d.s.Skip()
		return false, err
	}
}

// toolUse reads a call. Newer Claude models write "type":"tool_use" here, which says nothing; calls of tools that run
// at AWS say "server_tool_use" and are not the client's to answer.
func (d *decoder) toolUse(b *llm.Block) (bool, error) {
	var name, input []byte
	t := &llm.ToolBlock{}
	client := true
	more, err := d.s.OpenObject()
	for ; err == nil && more; more, err = d.s.NextMember() {
		key, err := d.s.Key()
		if err != nil {
			return false, err
		}
		isString := d.s.Peek() == jsonscan.KindString
		switch {
		case isString && string(key) == "toolUseId":
			id, err := d.s.String()
			if err != nil {
				return false, err
			}
			t.ID = llm.RawText(id).String()
		case isString && string(key) == "name":
			if name, err = d.s.String(); err != nil {
				return false, err
			}
		case isString && string(key) == "type":
			kind, err := d.s.String()
			if err != nil {
				return false, err
			}
			client = client && string(kind) != "server_tool_use"
		case string(key) == "input":
			if input, err = d.s.Skip(); err != nil {
				return false, err
			}
		default:
			if _, err := d.s.Skip(); err != nil {
				return false, err
			}
		}
	}
	if err == nil && !client && string(name) == toolGrounding {
		d.out.Usage.Searches++
	}
	if err != nil || !client {
		return false, err
	}
	if len(input) == 0 || string(input) == "null" || string(input) == `""` {
		input = []byte(`{}`)
	}
	if d.turn.isWrapped(name) {
		input = unwrapValue(input)
	}
	if d.turn.isJSONTool(name) {
		d.jsonAnswer(input, b)
		return true, nil
	}
	t.Name, t.Input = d.turn.clientName(name), input
	b.Kind, b.Tool = llm.BlockToolUse, t
	d.calls++
	return true, nil
}

// jsonAnswer turns the call of the tool for structured answers into the answer's text. Of several the first counts.
func (d *decoder) jsonAnswer(input []byte, b *llm.Block) {
	b.Kind = llm.BlockText
	if d.answered {
		return
	}
	d.answered, d.answerAdded = true, false
	if !d.turn.keepProperties {
		input = unwrapProperties(input)
	}
	b.Text = quoted(input)
	// What the model said around the call is not JSON: only the answer and real calls stay.
	kept := d.out.Blocks[:0]
	for _, have := range d.out.Blocks {
		if have.Kind != llm.BlockText {
			kept = append(kept, have)
		}
	}
	d.out.Blocks = kept
}

func (d *decoder) reasoning(b *llm.Block) (bool, error) {
	found := false
	more, err := d.s.OpenObject()
	for ; err == nil && more; more, err = d.s.NextMember() {
		key, err := d.s.Key()
		if err != nil {
			return false, err
		}
		switch kind := d.s.Peek(); {
		case kind == jsonscan.KindObject && string(key) == "reasoningText":
			b.Kind, found = llm.BlockThinking, true
			if err := d.reasoningText(b); err != nil {
				return false, err
			}
		case kind == jsonscan.KindString && string(key) == "redactedContent":
			data, err := d.s.String()
			if err != nil {
				return false, err
			}
			b.Kind, b.Signature, found = llm.BlockRedacted, unwrapRedacted(data), true
		default:
			if _, err := d.s.Skip(); err != nil {
				return false, err
			}
		}
	}
	return found, err
}

func (d *decoder) reasoningText(b *llm.Block) error {
	more, err := d.s.OpenObject()
	for ; err == nil && more; more, err = d.s.NextMember() {
		key, err := d.s.Key()
		if err != nil {
			return err
		}
		if d.s.Peek() != jsonscan.KindString {
			if _, err := d.s.Skip(); err != nil {
				return err
			}
			continue
		}
		text, err := d.s.String()
		if err != nil {
			return err
		}
		switch string(key) {
		case "text":
			b.Text = llm.RawText(text)
		case "signature":
			b.Signature = llm.RawText(text)
		}
	}
	return err
}

// citedText joins the text of a citationsContent: it stands nowhere else in the answer.
func citedText(raw []byte) llm.Text {
	content, ok := memberOf(raw, "content")
	if !ok {
		return llm.Text{}
	}
	s := jsonscan.New(content)
	if s.Peek() != jsonscan.KindArray {
		return llm.Text{}
	}
	var joined []byte
	more, err := s.OpenArray()
	for ; err == nil && more; more, err = s.NextElement() {
		part, err := s.Skip()
		if err != nil {
			break
		}
		text, ok := memberOf(part, "text")
		if !ok || len(text) < 2 || text[0] != '"' {
			continue
		}
		text = text[1 : len(text)-1]
		if joined == nil {
			joined = text[:len(text):len(text)] // one text, the usual case, is not copied
			continue
		}
		joined = append(joined, text...)
	}
	return llm.RawText(joined)
}

// imageBlock reads an image that the model made.
func imageBlock(raw []byte, b *llm.Block) bool {
	format, _ := memberOf(raw, "format")
	source, _ := memberOf(raw, "source")
	content, _ := memberOf(source, "bytes")
	if len(format) < 2 || len(content) < 2 || content[0] != '"' {
		return false
	}
	b.Kind = llm.BlockImage
	b.Media = &llm.Media{Format: string(format[1 : len(format)-1]), Base64: llm.RawText(content[1 : len(content)-1])}
	return true
}

func (d *decoder) add(b llm.Block) {
	if b.Kind == llm.BlockText {
		if b.Text.IsEmpty() { // gpt-oss opens with one
			return
		}
		if d.turn != nil && (d.answered && d.answerAdded || d.addSplit(b)) {
			return
		}
		d.answerAdded = d.answered
	}
	d.out.Blocks = append(d.out.Blocks, b)
}

// addSplit adds text that holds more than an answer, of families and requests for which that is known.
func (d *decoder) addSplit(b llm.Block) bool {
	t := d.turn
	if (t.thinkTags || t.inThought) && len(d.out.Blocks) == 0 {
		if thought, rest, ok := t.splitThought(b.Text.String()); ok {
			d.out.Blocks = append(d.out.Blocks, llm.Block{Kind: llm.BlockThinking, Text: llm.NewText(thought)})
			d.add(llm.Block{Kind: llm.BlockText, Text: llm.NewText(rest)})
			return true
		}
	}
	if t.fences {
		if inner, ok := cutFence(b.Text.String()); ok {
			d.out.Blocks = append(d.out.Blocks, llm.Block{Kind: llm.BlockText, Text: llm.NewText(inner)})
			return true
		}
	}
	if t.textCalls {
		if call, ok := textCall(b.Text.String(), t); ok {
			d.calls++
			d.out.Blocks = append(d.out.Blocks, llm.Block{Kind: llm.BlockToolUse, Tool: call})
			return true
		}
	}
	return false
}

func (d *decoder) stopReason() error {
	if d.s.Peek() != jsonscan.KindString {
		_, err := d.s.Skip()
		return err
	}
	raw, err := d.s.String()
	if err != nil {
		return err
	}
	d.out.Stop, d.out.StopRaw = stopOf(raw)
	return nil
}

// finish settles what depends on the whole answer.
func (d *decoder) finish() {
	d.out.Stop = settleStop(d.out.Stop, d.calls > 0)
	if d.out.Fields != nil {
		d.out.Usage.Reasoning = reasoningTokens(d.out.Fields)
	}
}

// trimSpan cuts white space off both ends of a JSON value.
func trimSpan(raw []byte) []byte {
	for len(raw) > 0 && strings.IndexByte(" \t\r\n", raw[0]) >= 0 {
		raw = raw[1:]
	}
	return raw
}
