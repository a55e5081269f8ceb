package config

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// environPrefix marks a scalar that stands for an environment variable.
const environPrefix = "os.environ/"

// needed lists the settings whose variable must be set: going on without them would open the gateway, or sign with
// another identity than the file names.
var needed = []string{"master_key", "aws_access_key_id", "aws_secret_access_key", "api_key", "database_url"}

// environ looks variables up: first those of environment_variables, then those of the process.
type environ struct {
	overlay map[string]string
	process func(string) (string, bool)
}

func (e *environ) lookup(name string) (string, bool) {
	if v, ok := e.overlay[name]; ok {
		return v, true
	}
	if e.process == nil {
		return "", false
	}
	return e.process(name)
}

// expand replaces every os.environ/NAME in the tree, in place. key is the setting that n belongs to.
func (e *environ) expand(c *complaints, n *node, path, key string) {
	switch n.kind {
	case kindList:
		for i, item := range n.items {
			e.expand(c, item, fmt.Sprintf("%s[%d]", path, i), key)
		}
		n.items = slices.DeleteFunc(n.items, func(i *node) bool { return i.kind == kindMissing })
	case kindMap:
		for _, f := range n.fields {
			e.expand(c, f.value, join(path, f.key), f.key)
		}
	case kindString:
		name, ok := strings.CutPrefix(n.text, environPrefix)
		if !ok {
			return
		}
		severity := Warning
		if slices.Contains(needed, key) {
			severity = Error
		}
		value, ok := e.lookup(name)
		switch {
		case name == "":
			c.errorf(n.at, path, "os.environ/ must be followed by the name of a variable")
			n.kind, n.text = kindMissing, ""
		case !ok:
			tail := "; the key counts as absent"
			if severity == Error {
				tail = ""
			}
			c.add(severity, n.at, path, "", "environment variable %s is not set, but %s needs it%s", clip(name), lastKey(path), tail)
			n.kind, n.text = kindMissing, ""
		// An empty api_key means "no bearer key" to LiteLLM's users; the others have no such meaning.
		case value == "" && severity == Error && key != "api_key":
			c.errorf(n.at, path, "environment variable %s is empty, but %s needs it", clip(name), lastKey(path))
			n.kind, n.text = kindMissing, ""
		default:
			n.kind, n.text, n.env = kindOf(value), value, name
		}
	}
}

// kindOf resolves a variable's text as YAML resolves a plain scalar, so that a number in a variable is a number. Where
// a string is wanted the text itself counts.
func kindOf(text string) kind {
	y := yaml.Node{Kind: yaml.ScalarNode, Value: text}
	switch y.ShortTag() {
	case "!!bool":
		return kindBool
	case "!!int":
		if _, ok := numberJSON(text); ok {
			return kindInt
		}
	case "!!float":
		if _, ok := numberJSON(text); ok {
			return kindFloat
		}
	}
	return kindString
}

// lastKey returns the last part of a dotted path.
func lastKey(path string) string {
	if i := strings.LastIndexByte(path, '.'); i >= 0 {
		return path[i+1:]
	}
	return path
}
