package sim

import (
	"encoding/json"
	"slices"
	"strings"
)

// promptFamily is a family whose body is one text: a row of a table.
type promptFamily struct {
	// ids are parts of the ids of its models; arn tells by the body whether an imported model is one of them.
	ids []string
	arn func(body members) bool
	// shape is the request. text, limit and stops are the members (dotted) that hold the prompt and its bounds.
	shape              *shape
	text, limit, stops string
	// rule complains about a prompt, "" if it is good.
	rule func(prompt string) string
	// turn is what stands before the user's words, ends what may stand behind them.
	turn string
	ends []string
	// thinks says that the prompt ends inside of reasoning, and the answer begins there.
	thinks bool
	// tellStream wants "stream": true in the body of a stream; silent models do not stream. lead is what they say before the first word.
	tellStream, silent bool
	lead               string
	// words are the family's for why it stopped; others are Converse's.
	words map[string]string
	// whole is the answer, piece a part of it; the last part has a reason.
	whole func(p *prompt, a *answer, text, reason string) object
	piece func(p *prompt, a *answer, at int, text, reason string) object
}

func (f *promptFamily) speaks(model string, body members) bool {
	if isARN(model) && !strings.Contains(model, "foundation-model/") && !strings.Contains(model, "inference-profile/") {
		return f.arn != nil && f.arn(body)
	}
	return slices.ContainsFunc(f.ids, func(part string) bool { return strings.Contains(model, part) }) && body.have(strings.SplitN(f.text, ".", 2)[0])
}

func (f *promptFamily) read(model string, body []byte) (*prompt, *apiError) {
	var all map[string]any
	if refused := checked(body, f.shape, &all); refused != nil {
		return nil, refused
	}
	said, _ := member1(all, f.text).(string)
	if f.rule != nil {
		if complaint := f.rule(said); complaint != "" {
			return nil, validationError("%s", complaint)
		}
	}
	p := &prompt{model: model, meter: newMeter(model), choice: "none", thinking: f.thinks && strings.HasSuffix(said, "<think>\n")}
	p.meter.text(said)
	if n, ok := member1(all, f.limit).(float64); ok {
		p.maxTokens = int(n)
	}
	if list, ok := member1(all, f.stops).([]any); ok {
		for _, stop := range list {
			if s, ok := stop.(string); ok {
				p.stops = append(p.stops, s)
			}
		}
	}
	if images, ok := all["images"].([]any); ok {
		for range images {
			p.media = append(p.media, attachment{kind: "image", format: "png"})
			p.meter.attach([]byte("image"))
		}
	}
	p.lastText = f.lastSaid(said)
	return p, nil
}

// member1 returns a member by its dotted path, nil if it is not there.
func member1(v map[string]any, dotted string) any {
	outer, inner, nested := strings.Cut(dotted, ".")
	if !nested {
		return v[outer]
	}
	deeper, ok := v[outer].(map[string]any)
	if !ok {
		return nil
	}
	return member1(deeper, inner)
}

// lastSaid returns what the user said last in a prompt.
func (f *promptFamily) lastSaid(prompt string) string {
	said := prompt
	if at := strings.LastIndex(prompt, f.turn); at >= 0 && f.turn != "" {
		said = prompt[at+len(f.turn):]
	}
	for _, end := range f.ends {
		said, _, _ = strings.Cut(said, end)
	}
	return strings.TrimSpace(said)
}

// say is the answer as one text: reasoning first, since the prompt has opened it.
func (f *promptFamily) say(a *answer) string {
	var thought, said string
	for _, b := range a.blocks {
		switch b.kind {
		case answerReasoning:
			thought += b.text
		case answerText:
			said += b.text
		}
	}
	if thought != "" {
		return thought + "\n</think>\n\n" + said
	}
	return f.lead + said
}

func (f *promptFamily) reason(a *answer) string {
	if word := f.words[a.stop]; word != "" {
		return word
	}
	return f.words["end_turn"]
}

func (f *promptFamily) write(p *prompt, a *answer, _ *dice) object {
	return f.whole(p, a, f.say(a), f.reason(a))
}

func (f *promptFamily) stream(p *prompt, a *answer, _ *dice) []object {
	var out []object
	pieces := split(f.say(a), a.chunkSize)
	for i, piece := range pieces {
		out = append(out, f.piece(p, a, i, piece, ""))
	}
	return append(out, f.piece(p, a, len(pieces), "", f.reason(a)))
}

func orNull(reason string) any {
	if reason == "" {
		return nil
	}
	return reason
}

// stopLength are the words of most families.
func stopLength() map[string]string {
	return map[string]string{"end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length", "guardrail_intervened": "stop"}
}

// guardrailMember is what a guardrail with tags in the prompt is told by.
func guardrailMember() member { return may("amazon-bedrock-guardrailConfig", anyJSON()) }

func rawMember(raw json.RawMessage) string {
	var s string
	_ = json.Unmarshal(raw, &s) // what is no text is the empty one
	return s
}
