package sim

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// kind is what a shape is made of.
type kind uint8

const (
	kindText   kind = iota
	kindInt         // JSON number without fraction
	kindFloat       // JSON number
	kindBool        //
	kindBlob        // base64 text
	kindAny         // any JSON value
	kindList        // of elem
	kindMap         // text (key) → elem
	kindStruct      // members
	kindUnion       // exactly one of members
	kindTagged      // the member "type" chooses one of members
	kindEither      // text, or elem
)

// shape is one row of the table that requests are checked against. Limits hold for the length of texts (characters),
// lists and maps (entries), and for the value of numbers.
type shape struct {
	name     string
	kind     kind
	min, max float64 // NaN: none
	enum     []string
	pattern  *regexp.Regexp // anchored
	like     string         // the pattern as AWS prints it
	key      *shape
	elem     *shape
	members  []member
	open     bool // unknown members are accepted
}

type member struct {
	name     string
	shape    *shape
	required bool
}

func of(k kind) *shape     { return &shape{kind: k, min: math.NaN(), max: math.NaN()} }
func text() *shape         { return of(kindText) }
func integer() *shape      { return of(kindInt) }
func number() *shape       { return of(kindFloat) }
func boolean() *shape      { return of(kindBool) }
func blob() *shape         { return of(kindBlob) }
func anyJSON() *shape      { return of(kindAny) }
func list(e *shape) *shape { s := of(kindList); s.elem = e; return s }
func either(e *shape) *shape {
	s := of(kindEither)
	s.elem = e
	return s
}

func oneOf(values ...string) *shape { s := text(); s.enum = values; return s }

func mapping(key, value *shape) *shape {
	s := of(kindMap)
	s.key, s.elem = key, value
	return s
}

func structure(name string, members ...member) *shape {
	s := of(kindStruct)
	s.name, s.members = name, members
	return s
}

func union(name string, members ...member) *shape {
	s := of(kindUnion)
	s.name, s.members = name, members
	return s
}

func tagged(name string, members ...member) *shape {
	s := of(kindTagged)
	s.name, s.members = name, members
	return s
}

func need(name string, s *shape) member { return member{name: name, shape: s, required: true} }
func may(name string, s *shape) member  { return member{name: name, shape: s} }

func (s *shape) from(min float64) *shape         { s.min = min; return s }
func (s *shape) to(max float64) *shape           { s.max = max; return s }
func (s *shape) between(min, max float64) *shape { s.min, s.max = min, max; return s }
func (s *shape) extensible() *shape              { s.open = true; return s }

func (s *shape) matching(pattern string) *shape {
	s.like = pattern
	s.pattern = regexp.MustCompile(`\A(?:` + pattern + `)\z`)
	return s
}

// path is a place in a request; nil is its root.
type path struct {
	parent *path
	name   string // member, or
	index  int    // list index when name is empty
}

func (p *path) member(name string) *path { return &path{parent: p, name: name} }
func (p *path) at(i int) *path           { return &path{parent: p, index: i} }

func (p *path) steps() []*path {
	var steps []*path
	for ; p != nil; p = p.parent {
		steps = append(steps, p)
	}
	slices.Reverse(steps)
	return steps
}

// dotted is the zero-based spelling of Bedrock's own checks: messages.0.content.1.
func (p *path) dotted() string {
	var parts []string
	for _, s := range p.steps() {
		if s.name != "" {
			parts = append(parts, s.name)
		} else {
			parts = append(parts, strconv.Itoa(s.index))
		}
	}
	return strings.Join(parts, ".")
}

// coral is the one-based spelling of AWS's service framework: messages.1.member.content.2.member.
func (p *path) coral() string {
	var parts []string
	for _, s := range p.steps() {
		if s.name != "" {
			parts = append(parts, s.name)
		} else {
			parts = append(parts, strconv.Itoa(s.index+1), "member")
		}
	}
	return strings.Join(parts, ".")
}

// pointer is the spelling of the models' JSON Schema check: #/messages/0.
func (p *path) pointer() string {
	var b strings.Builder
	b.WriteByte('#')
	for _, s := range p.steps() {
		b.WriteByte('/')
		if s.name != "" {
			b.WriteString(s.name)
		} else {
			b.WriteString(strconv.Itoa(s.index))
		}
	}
	return b.String()
}

// mismatch is a way in which a value does not fit its shape.
type mismatch uint8

const (
	mismatchType       mismatch = iota // detail: AWS's sentence
	mismatchUnknown                    // detail: the member's name
	mismatchMissing                    //
	mismatchConstraint                 // detail: "Member must …"
	mismatchNone                       // a union without member
	mismatchMany                       // a union with several; detail: their names
	mismatchTag                        // detail: the type that is none
)

// problem is one thing that is wrong in a request. Each API has its own words for it.
type problem struct {
	what   mismatch
	at     *path
	shape  *shape
	detail string
}

// check holds v (as decoded by encoding/json with UseNumber) against s and returns all problems, in the table's order.
func (s *shape) check(v any) []problem {
	var c checker
	c.walk(s, v, nil)
	return c.problems
}

type checker struct{ problems []problem }

func (c *checker) add(what mismatch, at *path, s *shape, detail string) {
	c.problems = append(c.problems, problem{what: what, at: at, shape: s, detail: detail})
}

func (c *checker) walk(s *shape, v any, at *path) {
	switch s.kind {
	case kindAny:
	case kindText:
		t, ok := v.(string)
		if !ok {
			c.add(mismatchType, at, s, notConvertible(v, "String"))
			return
		}
		c.text(s, t, at)
	case kindInt, kindFloat:
		c.number(s, v, at)
	case kindBool:
		if _, ok := v.(bool); !ok {
			c.add(mismatchType, at, s, notConvertible(v, "Boolean"))
		}
	case kindBlob:
		t, ok := v.(string)
		if !ok {
			c.add(mismatchType, at, s, notConvertible(v, "Blob"))
		} else if _, err := base64.StdEncoding.DecodeString(t); err != nil {
			c.add(mismatchType, at, s, "Invalid base64 encoding")
		} else {
			c.size(s, len(t), at)
		}
	case kindList:
		l, ok := v.([]any)
		if !ok {
			c.add(mismatchType, at, s, "Expected list or null")
			return
		}
		c.size(s, len(l), at)
		for i, e := range l {
			c.walk(s.elem, e, at.at(i))
		}
	case kindMap:
		m, ok := v.(map[string]any)
		if !ok {
			c.add(mismatchType, at, s, "Expected map or null")
			return
		}
		c.size(s, len(m), at)
		for _, name := range sortedKeys(m) {
			c.text(s.key, name, at.member(name))
			c.walk(s.elem, m[name], at.member(name))
		}
	case kindEither:
		if _, ok := v.(string); ok {
			return
		}
		c.walk(s.elem, v, at)
	case kindStruct, kindUnion, kindTagged:
		m, ok := v.(map[string]any)
		if !ok {
			c.add(mismatchType, at, s, "Expected structure or null")
			return
		}
		if s.kind == kindTagged {
			c.tagged(s, m, at)
			return
		}
		c.members(s, m, at)
	}
}

// tagged checks {"type": T, …} against the member of s that is called T.
func (c *checker) tagged(s *shape, m map[string]any, at *path) {
	tag, ok := m["type"].(string)
	if !ok {
		c.add(mismatchMissing, at.member("type"), s, "")
		return
	}
	for _, alternative := range s.members {
		if alternative.name == tag {
			c.members(alternative.shape, m, at)
			return
		}
	}
	c.add(mismatchTag, at, s, tag)
}

func (c *checker) members(s *shape, m map[string]any, at *path) {
	var set []string
	for _, want := range s.members {
		v, ok := m[want.name]
		if !ok || v == nil { // the framework reads null as absent
			if want.required {
				c.add(mismatchMissing, at.member(want.name), want.shape, "")
			}
			continue
		}
		set = append(set, want.name)
		c.walk(want.shape, v, at.member(want.name))
	}
	if !s.open {
		for _, name := range sortedKeys(m) {
			if !slices.ContainsFunc(s.members, func(k member) bool { return k.name == name }) {
				c.add(mismatchUnknown, at, s, name)
			}
		}
	}
	if s.kind != kindUnion {
		return
	}
	switch {
	case len(set) == 0:
		c.add(mismatchNone, at, s, "")
	case len(set) > 1:
		c.add(mismatchMany, at, s, strings.Join(set, ", "))
	}
}

func (c *checker) text(s *shape, t string, at *path) {
	c.size(s, utf8.RuneCountInString(t), at)
	if s.enum != nil && !slices.Contains(s.enum, t) {
		c.add(mismatchConstraint, at, s, "Member must satisfy enum value set: ["+strings.Join(s.enum, ", ")+"]")
	}
	if s.pattern != nil && !s.pattern.MatchString(t) {
		c.add(mismatchConstraint, at, s, "Member must satisfy regular expression pattern: "+s.like)
	}
}

func (c *checker) size(s *shape, n int, at *path) {
	if float64(n) < s.min {
		c.add(mismatchConstraint, at, s, "Member must have length greater than or equal to "+limit(s.min))
	}
	if float64(n) > s.max {
		c.add(mismatchConstraint, at, s, "Member must have length less than or equal to "+limit(s.max))
	}
}

func (c *checker) number(s *shape, v any, at *path) {
	want := "Float"
	if s.kind == kindInt {
		want = "Integer"
	}
	n, ok := v.(json.Number)
	if !ok {
		c.add(mismatchType, at, s, notConvertible(v, want))
		return
	}
	f, err := n.Float64()
	if err != nil || (s.kind == kindInt && (f != math.Trunc(f) || math.Abs(f) > math.MaxInt32)) {
		c.add(mismatchType, at, s, "NUMBER_VALUE can not be converted to "+article(want)+want)
		return
	}
	if f < s.min {
		c.add(mismatchConstraint, at, s, "Member must have value greater than or equal to "+limit(s.min))
	}
	if f > s.max {
		c.add(mismatchConstraint, at, s, "Member must have value less than or equal to "+limit(s.max))
	}
}

// notConvertible is the sentence of AWS's JSON reader for a value of the wrong kind.
func notConvertible(v any, want string) string {
	var found string
	switch t := v.(type) {
	case string:
		found = "STRING_VALUE"
	case json.Number:
		found = "NUMBER_VALUE"
	case bool:
		found = strings.ToUpper(strconv.FormatBool(t)) + "_VALUE"
	case []any:
		return "Start of list found where not expected"
	case map[string]any:
		return "Start of structure or map found where not expected"
	default:
		found = "NULL_VALUE"
	}
	return found + " can not be converted to " + article(want) + want
}

func article(noun string) string {
	if strings.ContainsRune("AEIOU", rune(noun[0])) {
		return "an "
	}
	return "a "
}

func limit(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
