package sim

import (
	"encoding/json"
	"strings"
)

// toolCall is a call that the model makes.
type toolCall struct {
	name  string
	input json.RawMessage
}

// requestedCalls are the calls that tool choice forces or the last user text asks for: "call NAME", "call A, B and C",
// each name optionally followed by a JSON object as its input. Input that is not given is made up from the schema.
func requestedCalls(p *prompt) []toolCall {
	if len(p.tools) == 0 || p.choice == "none" {
		return nil
	}
	calls := namedCalls(p)
	switch p.choice {
	case "tool":
		for _, c := range calls {
			if c.name == p.choiceName {
				return []toolCall{c}
			}
		}
		return []toolCall{{name: p.choiceName, input: p.exampleInput(p.choiceName)}}
	case "any":
		if len(calls) == 0 {
			first := p.tools[0].name
			return []toolCall{{name: first, input: p.exampleInput(first)}}
		}
	}
	return calls
}

func (p *prompt) exampleInput(name string) json.RawMessage {
	for _, t := range p.tools {
		if t.name != name {
			continue
		}
		if object, ok := exampleOf(t.schema, "input").(map[string]any); ok {
			return mustJSON(object)
		}
	}
	return json.RawMessage("{}")
}

// namedCalls reads the calls out of the text.
func namedCalls(p *prompt) []toolCall {
	var calls []toolCall
	rest := p.lastText
	for {
		at := wordIndex(rest, "call")
		if at < 0 {
			return calls
		}
		rest = rest[at+len("call"):]
		for {
			next := strings.TrimLeft(rest, " \t\n`'\"")
			name := next[:len(next)-len(strings.TrimLeft(next, nameCharacters))]
			if !p.offers(name) {
				break
			}
			call := toolCall{name: name}
			rest = strings.TrimLeft(next[len(name):], " \t`'\"")
			if strings.HasPrefix(rest, "{") {
				d := json.NewDecoder(strings.NewReader(rest))
				if d.Decode(&call.input) == nil {
					rest = rest[d.InputOffset():]
				}
			}
			if call.input == nil {
				call.input = p.exampleInput(name)
			}
			calls = append(calls, toolCall{name: call.name, input: json.RawMessage(compact(call.input))})
			rest = strings.TrimLeft(rest, " \t,")
			if wordIndex(rest, "and") == 0 {
				rest = rest[len("and"):]
			}
		}
	}
}

const nameCharacters = alphabet + "_-"

// wordIndex finds word in s as a whole word, in any case; -1 when it is not there.
func wordIndex(s, word string) int {
	for from := 0; from+len(word) <= len(s); from++ {
		if !strings.EqualFold(s[from:from+len(word)], word) {
			continue
		}
		end := from + len(word)
		if (from == 0 || !strings.ContainsRune(nameCharacters, rune(s[from-1]))) &&
			(end == len(s) || !strings.ContainsRune(nameCharacters, rune(s[end]))) {
			return from
		}
	}
	return -1
}
