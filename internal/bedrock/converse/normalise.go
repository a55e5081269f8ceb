package converse

import (
	"bytes"
	"slices"
	"strings"

	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// keepsRefs lists the families whose models read "$ref" in a tool's schema: Claude, and those whose own API is OpenAI's.
// For all others the definitions are put where they are referred to.
func (f family) keepsRefs() bool {
	switch f {
	case familyClaude, familyGPTOSS, familyGPT, familyGrok, familyDeepSeekV3, familyKimi, familyKimi3, familyOpenAIBody:
		return true
	default:
		return false
	}
}

// maxSchema bounds a schema with its definitions put in, in bytes.
const maxSchema = 4 << 20

// normalSchema returns a schema as the family takes it: what it does not take is rewritten, and named. Nearly all
// schemas are returned as they are.
// tool is the number of the tool that it belongs to, -1 for the schema of a structured answer.
func (e *encoder) normalSchema(raw []byte, tool int) []byte {
	inline := !e.m.keepsRefs() && bytes.Contains(raw, []byte(`"$ref"`))
	if !inline && !(e.m.noLookaround && hasLookaround(raw)) {
		return raw
	}
	if jsonscan.Valid(raw) != nil {
		return raw // whoever writes it says so
	}
	param := "response_format.json_schema.schema"
	if tool >= 0 {
		param = toolParam(tool, ".function.parameters")
	}
	n := schemaRewriter{root: raw, inline: inline, noLookaround: e.m.noLookaround}
	n.schema(raw, true)
	if n.tooLarge {
		e.refuse(param, "the schema has more than 4 MiB with its definitions put in, which "+e.m.name+" needs")
		return raw
	}
	if n.cut {
		e.req.Lose(param, "recursion")
	}
	if n.removed {
		e.req.Lose(param, "lookaround")
	}
	return n.out
}

// hasLookaround reports whether text may hold a regular expression that looks around.
func hasLookaround(text []byte) bool {
	for _, mark := range [...]string{"(?=", "(?!", "(?<=", "(?<!"} {
		if bytes.Contains(text, []byte(mark)) {
			return true
		}
	}
	return false
}

// schemaRewriter copies a schema.
type schemaRewriter struct {
	root, out            []byte
	inline, noLookaround bool
	// open are the definitions that are being put in: one among them refers to itself.
	open []string
	// found are the definitions by their references.
	found map[string][]byte
	// cut says that a definition refers to itself, removed that a pattern was left out.
	cut, removed, tooLarge bool
}

// schema appends one schema; top says that it is the whole.
func (n *schemaRewriter) schema(raw []byte, top bool) {
	s := jsonscan.New(raw)
	if len(n.out) > maxSchema {
		n.tooLarge = true
		return
	}
	if s.Peek() != jsonscan.KindObject {
		n.out = append(n.out, raw...)
		return
	}
	if name := jsonscan.Text(jsonscan.Member(raw, "$ref")); n.inline && name != "" && n.reference(raw, name) {
		return
	}
	n.out = append(n.out, '{')
	n.members(raw, top, nil)
	n.out = append(n.out, '}')
}

// members appends the members of a schema but those in without, and reports whether there were any.
func (n *schemaRewriter) members(raw []byte, top bool, without []string) bool {
	written := false
	for name, value := range jsonscan.Members(raw) {
		switch {
		case slices.Contains(without, name):
			continue
		case top && n.inline && (name == "$defs" || name == "definitions"): // all of it is where it belongs
			continue
		case name == "pattern" && n.noLookaround && hasLookaround(value):
			n.removed = true
			continue
		}
		if written {
			n.out = append(n.out, ',')
		}
		written = true
		n.out = append(llm.AppendString(n.out, name), ':')
		n.keyword(name, value)
	}
	return written
}

// keyword appends the value of a schema's keyword, in which other schemas may stand.
func (n *schemaRewriter) keyword(name string, value []byte) {
	switch name {
	case "properties", "patternProperties", "dependentSchemas", "$defs", "definitions": // schemas by names of the client's
		s := jsonscan.New(value)
		if s.Peek() != jsonscan.KindObject {
			break
		}
		n.out = append(n.out, '{')
		first := true
		for property, schema := range jsonscan.Members(value) {
			if !first {
				n.out = append(n.out, ',')
			}
			first = false
			n.out = append(llm.AppendString(n.out, property), ':')
			n.schema(schema, false)
		}
		n.out = append(n.out, '}')
		return
	case "items", "prefixItems", "additionalItems", "contains", "additionalProperties", "propertyNames", "not", "if", "then", "else",
		"allOf", "anyOf", "oneOf", "unevaluatedItems", "unevaluatedProperties":
		s := jsonscan.New(value)
		if s.Peek() != jsonscan.KindArray {
			n.schema(value, false)
			return
		}
		n.out = append(n.out, '[')
		first := true
		for schema := range jsonscan.Elements(value) {
			if !first {
				n.out = append(n.out, ',')
			}
			first = false
			n.schema(schema, false)
		}
		n.out = append(n.out, ']')
		return
	}
	n.out = append(n.out, value...)
}

// definition returns what a reference names, nil if that is no object of this schema. Definitions may be wanted a
// thousand times over.
func (n *schemaRewriter) definition(name string) []byte {
	if found, ok := n.found[name]; ok {
		return found
	}
	target := n.root
	if name != "#" {
		path, ok := strings.CutPrefix(name, "#/")
		if !ok {
			return nil
		}
		steps := strings.Split(path, "/")
		for i := range steps {
			steps[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(steps[i])
		}
		target = jsonscan.Member(n.root, steps...)
	}
	if s := jsonscan.New(target); target == nil || s.Peek() != jsonscan.KindObject {
		target = nil
	}
	if n.found == nil {
		n.found = map[string][]byte{}
	}
	n.found[name] = target
	return target
}

// reference appends the definition that a schema refers to, with the members beside the reference. It returns false
// where there is no such definition: the reference stays.
func (n *schemaRewriter) reference(raw []byte, name string) bool {
	target := n.definition(name)
	if target == nil {
		return false
	}
	if slices.Contains(n.open, name) {
		n.cut = true
		n.out = append(n.out, `{"type":"object"}`...)
		return true
	}
	n.open = append(n.open, name)
	without := []string{"$ref", "$defs", "definitions"}
	n.out = append(n.out, '{')
	beside := n.members(raw, false, without)
	at := len(n.out)
	if next := jsonscan.Text(jsonscan.Member(target, "$ref")); next != "" { // a reference to a reference
		n.schema(target, false)
		if inner := bytes.TrimSpace(n.out[at:]); len(inner) > 2 { // its braces are ours already
			inner = slices.Clone(inner[1 : len(inner)-1])
			n.out = append(n.out[:at], inner...)
		} else {
			n.out = n.out[:at]
		}
	} else {
		for member := range jsonscan.Members(raw) {
			without = append(without, member)
		}
		n.members(target, false, without)
	}
	if beside && len(n.out) > at { // a comma between the two parts
		n.out = slices.Insert(n.out, at, ',')
	}
	n.out = append(n.out, '}')
	n.open = n.open[:len(n.open)-1]
	return true
}
