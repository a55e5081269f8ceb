package converse

import (
	"bytes"

	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// The limits of Claude's grammar compiler.
const (
	maxUnions    = 16
	maxOptionals = 24
)

// schemaWalk rewrites a schema for native structured output.
type schemaWalk struct {
	claude            bool
	unions, optionals int
	root              []byte
}

// nativeSchema returns the schema with every object closed and, for Claude, without the keywords that its grammar
// lacks: they move into the description. It returns false if the grammar cannot hold the schema at all.
func nativeSchema(raw []byte, claude bool) ([]byte, bool) {
	w := schemaWalk{claude: claude, root: raw}
	out, ok := w.node(make([]byte, 0, len(raw)+256), raw, 0)
	if !ok || claude && (w.unions > maxUnions || w.optionals > maxOptionals) {
		return nil, false
	}
	return out, true
}

// node appends one schema node.
func (w *schemaWalk) node(dst, raw []byte, depth int) ([]byte, bool) {
	s := jsonscan.New(raw)
	if s.Peek() != jsonscan.KindObject { // true and false are schemas too
		return append(dst, raw...), !w.claude
	}
	if depth > jsonscan.MaxDepth/2 {
		return dst, false
	}
	var n schemaNode
	if !n.read(raw, w.claude) {
		return dst, false
	}
	if n.isObject() {
		if n.open && w.claude || n.properties == nil && w.claude {
			return dst, false
		}
		w.optionals += max(0, n.countProperties()-n.countRequired())
	}
	if n.isUnion() {
		w.unions++
	}
	if n.ref != nil && !w.resolves(n.ref) {
		return dst, false
	}
	dst = append(dst, '{')
	first := true
	for _, m := range n.members {
		if m.moved {
			continue
		}
		dst = appendKey(dst, &first, m.name)
		var ok bool
		if dst, ok = w.member(dst, m.name, m.value, depth); !ok {
			return dst, false
		}
	}
	if n.isObject() && !n.hasAdditional {
		dst = append(appendKey(dst, &first, "additionalProperties"), `false`...)
	}
	if n.notes != nil {
		dst = n.description(dst, &first)
	}
	return append(dst, '}'), true
}

func appendKey(dst []byte, first *bool, name string) []byte {
	if !*first {
		dst = append(dst, ',')
	}
	*first = false
	return append(llm.AppendString(dst, name), ':')
}

// member appends the value of a keyword, with the schemas in it rewritten.
func (w *schemaWalk) member(dst []byte, name string, value []byte, depth int) ([]byte, bool) {
	switch name {
	case "properties", "$defs", "definitions":
		return w.eachMember(dst, value, depth)
	case "items", "not":
		if s := jsonscan.New(value); s.Peek() == jsonscan.KindObject {
			return w.node(dst, value, depth+1)
		}
	case "anyOf", "allOf", "oneOf", "prefixItems":
		return w.eachElement(dst, value, depth)
	}
	return append(dst, value...), true
}

func (w *schemaWalk) eachMember(dst, raw []byte, depth int) ([]byte, bool) {
	s := jsonscan.New(raw)
	if s.Peek() != jsonscan.KindObject {
		return append(dst, raw...), !w.claude
	}
	dst = append(dst, '{')
	var ok bool
	first := true
	more, err := s.OpenObject()
	for ; err == nil && more; more, err = s.NextMember() {
		key, keyErr := s.Key()
		value, valueErr := s.Skip()
		if keyErr != nil || valueErr != nil {
			return dst, false
		}
		dst = appendKey(dst, &first, string(key))
		if dst, ok = w.node(dst, value, depth+1); !ok {
			return dst, false
		}
	}
	return append(dst, '}'), err == nil
}

func (w *schemaWalk) eachElement(dst, raw []byte, depth int) ([]byte, bool) {
	s := jsonscan.New(raw)
	if s.Peek() != jsonscan.KindArray {
		return append(dst, raw...), !w.claude
	}
	dst = append(dst, '[')
	more, err := s.OpenArray()
	for n := 0; err == nil && more; more, err = s.NextElement() {
		value, err := s.Skip()
		if err != nil {
			return dst, false
		}
		if n > 0 {
			dst = append(dst, ',')
		}
		n++
		var ok bool
		if dst, ok = w.node(dst, value, depth+1); !ok {
			return dst, false
		}
	}
	return append(dst, ']'), err == nil
}

// resolves reports whether a $ref points into the schema's own definitions.
func (w *schemaWalk) resolves(ref []byte) bool {
	for _, defs := range [...]string{"$defs", "definitions"} {
		prefix := `"#/` + defs + `/`
		if name, ok := bytes.CutPrefix(ref, []byte(prefix)); ok && len(name) > 1 {
			all, ok := memberOf(w.root, defs)
			if !ok {
				return false
			}
			_, ok = memberOf(all, string(name[:len(name)-1]))
			return ok
		}
	}
	return false
}

// schemaNode is one object of a schema, its keywords sorted out.
type schemaNode struct {
	members                     []schemaMember
	kind, properties, ref       []byte
	required, text              []byte
	hasAdditional, open, either bool
	notes                       []byte
}

type schemaMember struct {
	name  string
	value []byte
	// moved says that it is written elsewhere.
	moved bool
}

// claudeLacks are the keywords that Claude's grammar does not enforce.
func claudeLacks(name string) bool {
	switch name {
	case "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "maxItems",
		"uniqueItems", "minProperties", "maxProperties", "contains", "minContains", "maxContains", "if", "then", "else",
		"patternProperties", "propertyNames", "dependentRequired", "dependentSchemas", "not", "unevaluatedProperties":
		return true
	default:
		return false
	}
}

func (n *schemaNode) read(raw []byte, claude bool) bool {
	s := jsonscan.New(raw)
	more, err := s.OpenObject()
	for ; err == nil && more; more, err = s.NextMember() {
		key, keyErr := s.Key()
		value, valueErr := s.Skip()
		if keyErr != nil || valueErr != nil {
			return false
		}
		m := schemaMember{name: string(key), value: value}
		switch m.name {
		case "type":
			n.kind = value
		case "properties":
			n.properties = value
		case "required":
			n.required = value
		case "$ref":
			n.ref = value
		case "additionalProperties":
			n.hasAdditional, n.open = true, string(value) != "false"
		case "description":
			n.text = value
		case "anyOf", "oneOf":
			n.either = true
			if claude {
				m.name = "anyOf"
			}
		case "minItems":
			if claude && string(value) != "0" && string(value) != "1" {
				n.note(m.name, value)
				m.moved = true
			}
		case "pattern":
			if claude && bytes.Contains(value, []byte("(?")) {
				n.note(m.name, value)
				m.moved = true
			}
		default:
			if claude && claudeLacks(m.name) {
				n.note(m.name, value)
				m.moved = true
			}
		}
		n.members = append(n.members, m)
	}
	for i := range n.members {
		if n.members[i].name == "description" {
			n.members[i].moved = n.notes != nil // something comes behind it
		}
	}
	return err == nil
}

func (n *schemaNode) note(name string, value []byte) {
	if n.notes != nil {
		n.notes = append(n.notes, ", "...)
	}
	n.notes = append(append(n.notes, name...), ": "...)
	n.notes = append(n.notes, jsonscan.AppendCompact(nil, value)...)
}

// description appends the node's description with the keywords that moved into it.
func (n *schemaNode) description(dst []byte, first *bool) []byte {
	dst = append(appendKey(dst, first, "description"), '"')
	if len(n.text) > 2 && n.text[0] == '"' {
		dst = append(append(dst, n.text[1:len(n.text)-1]...), ' ')
	}
	dst = jsonscan.AppendEscaped(append(dst, '('), n.notes)
	return append(dst, ')', '"')
}

func (n *schemaNode) isObject() bool {
	return n.properties != nil || bytes.Contains(n.kind, []byte(`"object"`))
}

func (n *schemaNode) isUnion() bool {
	return n.either || len(n.kind) > 0 && n.kind[0] == '['
}

func (n *schemaNode) countProperties() int {
	count := 0
	s := jsonscan.New(n.properties)
	if s.Peek() != jsonscan.KindObject {
		return 0
	}
	more, err := s.OpenObject()
	for ; err == nil && more; more, err = s.NextMember() {
		if _, err := s.Key(); err != nil {
			break
		}
		if _, err := s.Skip(); err != nil {
			break
		}
		count++
	}
	return count
}

func (n *schemaNode) countRequired() int {
	list, _ := stringList(n.required)
	return len(list)
}
