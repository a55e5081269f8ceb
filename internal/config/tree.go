package config

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Pos is a place in a file. Line and Column count from 1.
type Pos struct {
	File         string
	Line, Column int
}

// String gives file:line:column.
func (p Pos) String() string { return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column) }

const (
	// maxDepth bounds the nesting of the file, anchors followed.
	maxDepth = 100
	// maxCopied bounds how many nodes anchors may multiply to, over a whole file.
	maxCopied = 100_000
)

type kind int

const (
	kindNull kind = iota
	kindBool
	kindInt
	kindFloat
	kindString
	kindList
	kindMap
	// kindMissing stands for os.environ/NAME with NAME unset: the key counts as absent.
	kindMissing
)

// node is a YAML value after anchors, aliases and merge keys are resolved, with its place in its file.
// Trees share no nodes, so the environment can be put into one in place.
type node struct {
	kind   kind
	at     Pos
	text   string // of a scalar, as the file or the variable spells it
	env    string // name of the variable that text came from, "" for the file
	anchor bool   // the value, or one within it, has an anchor: something else may refer to it
	items  []*node
	fields []field
}

// field is one key of a mapping, in the order of the file.
type field struct {
	key   string
	at    Pos
	value *node
}

// get returns the value of key, nil if n is no mapping or has no such key.
func (n *node) get(key string) *node {
	if n == nil {
		return nil
	}
	for i := range n.fields {
		if n.fields[i].key == key {
			return n.fields[i].value
		}
	}
	return nil
}

// present returns the value of key unless it is null or an unset variable.
func (n *node) present(key string) *node {
	if v := n.get(key); v.isSet() {
		return v
	}
	return nil
}

// isSet tells whether there is a value: n is neither absent, null nor an unset variable.
func (n *node) isSet() bool { return n != nil && n.kind != kindNull && n.kind != kindMissing }

// what names the kind of the value in words for a message. It never shows the value.
func (n *node) what() string {
	switch n.kind {
	case kindNull, kindMissing:
		return "nothing"
	case kindBool:
		return "true or false"
	case kindInt, kindFloat:
		return "a number"
	case kindString:
		return "a string"
	case kindList:
		return "a list"
	default:
		return "a mapping"
	}
}

// quote shows a scalar in a message, unless it came from the environment: then only the variable is named.
func (n *node) quote() string {
	if n.env != "" {
		return "the value of environment variable " + n.env
	}
	if n.kind == kindList || n.kind == kindMap {
		return n.what()
	}
	return strconv.Quote(clip(n.text))
}

// planter turns yaml.v3's nodes into ours.
type planter struct {
	*complaints
	file string
	// open holds the anchors that are being followed, to find one that contains itself.
	open   map[*yaml.Node]bool
	copied int
}

func (p *planter) pos(y *yaml.Node) Pos {
	return Pos{File: p.file, Line: max(y.Line, 1), Column: max(y.Column, 1)}
}

// plant returns the tree of y. Values that cannot be used are complained about and become null.
func (p *planter) plant(y *yaml.Node, path string, depth int, copying bool) *node {
	n := &node{at: p.pos(y), anchor: y.Anchor != ""}
	if copying {
		p.copied++
		if p.copied > maxCopied {
			if p.copied == maxCopied+1 {
				p.errorf(n.at, path, "anchors multiply the file to more than %d values", maxCopied)
			}
			return n
		}
	}
	if depth > maxDepth {
		p.errorf(n.at, path, "nested deeper than %d levels", maxDepth)
		return n
	}
	switch y.Kind {
	case yaml.AliasNode:
		if p.open[y.Alias] {
			p.errorf(n.at, path, "anchor %q contains itself", clip(y.Value))
			return n
		}
		p.open[y.Alias] = true
		n = p.plant(y.Alias, path, depth+1, true)
		delete(p.open, y.Alias)
		n.anchor = false
	case yaml.SequenceNode:
		p.open[y] = true
		n.kind = kindList
		for i, item := range y.Content {
			child := p.plant(item, fmt.Sprintf("%s[%d]", path, i), depth+1, copying)
			n.anchor = n.anchor || child.anchor
			n.items = append(n.items, child)
		}
		delete(p.open, y)
	case yaml.MappingNode:
		p.open[y] = true
		n.kind = kindMap
		p.mapping(n, y, path, depth, copying)
		delete(p.open, y)
	case yaml.ScalarNode:
		p.scalar(n, y, path)
	}
	return n
}

func (p *planter) mapping(n *node, y *yaml.Node, path string, depth int, copying bool) {
	index := make(map[string]int, len(y.Content)/2)
	var merged []*node
	for i := 0; i+1 < len(y.Content); i += 2 {
		k, v := y.Content[i], y.Content[i+1]
		for k.Kind == yaml.AliasNode {
			k = k.Alias
		}
		at := p.pos(y.Content[i])
		if k.Kind != yaml.ScalarNode {
			p.errorf(at, path, "a key must be a plain name")
			continue
		}
		if k.Tag == "!!merge" {
			merged = append(merged, p.mergeSources(v, path, depth, copying)...)
			continue
		}
		childPath := join(path, k.Value)
		if first, ok := index[k.Value]; ok {
			p.errorf(at, childPath, "key %q stands here twice, first in line %d", clip(k.Value), n.fields[first].at.Line)
			continue
		}
		child := p.plant(v, childPath, depth+1, copying)
		n.anchor = n.anchor || child.anchor || k.Anchor != ""
		index[k.Value] = len(n.fields)
		n.fields = append(n.fields, field{key: k.Value, at: at, value: child})
	}
	// Keys beside a merge key win; of several merged mappings the earlier one does (YAML's merge key type).
	for _, m := range merged {
		for _, f := range m.fields {
			if _, ok := index[f.key]; !ok {
				index[f.key] = len(n.fields)
				n.fields = append(n.fields, f)
			}
		}
	}
}

// mergeSources returns the mappings behind "<<".
func (p *planter) mergeSources(v *yaml.Node, path string, depth int, copying bool) []*node {
	source := p.plant(v, path, depth+1, copying)
	switch source.kind {
	case kindMap:
		return []*node{source}
	case kindList:
		var out []*node
		for _, item := range source.items {
			if item.kind != kindMap {
				p.errorf(item.at, path, "the merge key << takes a mapping or a list of mappings, not %s", item.what())
				continue
			}
			out = append(out, item)
		}
		return out
	case kindNull:
		return nil
	default:
		p.errorf(source.at, path, "the merge key << takes a mapping or a list of mappings, not %s", source.what())
		return nil
	}
}

func (p *planter) scalar(n *node, y *yaml.Node, path string) {
	n.text = y.Value
	switch tag := y.ShortTag(); tag {
	case "!!null":
		n.kind = kindNull
	case "!!bool":
		n.kind = kindBool
		var b bool
		if err := y.Decode(&b); err != nil {
			p.errorf(n.at, path, "expected true or false after !!bool")
			n.kind = kindNull
			return
		}
		n.text = strconv.FormatBool(b)
	case "!!int", "!!float":
		n.kind = kindInt
		if tag == "!!float" {
			n.kind = kindFloat
		}
		if _, ok := numberJSON(y.Value); !ok {
			p.errorf(n.at, path, "%s is not a finite number", strconv.Quote(clip(y.Value)))
			n.kind = kindNull
		}
	case "!!str", "!!timestamp", "!!merge":
		n.kind = kindString
	default:
		p.errorf(n.at, path, "the YAML tag %s is not supported", clip(tag))
		n.kind = kindNull
	}
}

// numberJSON returns the JSON spelling of a YAML number, keeping the file's own where JSON has the same.
func numberJSON(text string) (string, bool) {
	if isJSONNumber(text) {
		f, err := strconv.ParseFloat(text, 64)
		return text, err == nil && !math.IsInf(f, 0)
	}
	y := yaml.Node{Kind: yaml.ScalarNode, Value: text}
	var v any
	if err := y.Decode(&v); err != nil {
		return "", false
	}
	switch v := v.(type) {
	case int:
		return strconv.Itoa(v), true
	case int64:
		return strconv.FormatInt(v, 10), true
	case uint64:
		return strconv.FormatUint(v, 10), true
	case float64:
		if math.IsInf(v, 0) || math.IsNaN(v) {
			return "", false
		}
		return strconv.FormatFloat(v, 'g', -1, 64), true
	default:
		return "", false
	}
}

func isJSONNumber(s string) bool {
	if s == "" || (s[0] != '-' && (s[0] < '0' || s[0] > '9')) {
		return false
	}
	return json.Valid([]byte(s))
}

// join appends a key to a dotted path.
func join(path, key string) string {
	key = clip(key)
	if strings.ContainsAny(key, ".[]\" ") {
		key = strconv.Quote(key)
	}
	if path == "" {
		return key
	}
	return path + "." + key
}
