package sim

import (
	"strings"
)

// exampleDepth ends schemas that contain themselves.
const exampleDepth = 8

// exampleOf builds the plainest value that fits a JSON schema: the given constant, enum value, default or example where
// there is one, required members only where some are required. name is the member's name, for texts. The same schema
// gives the same value.
func exampleOf(schema any, name string) any {
	return exampler{root: schema}.value(schema, name, 0)
}

type exampler struct{ root any }

func (e exampler) value(schema any, name string, depth int) any {
	s, ok := schema.(map[string]any)
	if !ok || depth > exampleDepth {
		return "sim " + name
	}
	if ref, ok := s["$ref"].(string); ok {
		return e.value(e.resolve(ref), name, depth+1)
	}
	if v, ok := s["const"]; ok {
		return v
	}
	for _, key := range []string{"enum", "examples"} {
		if list, ok := s[key].([]any); ok && len(list) > 0 {
			return list[0]
		}
	}
	if v, ok := s["default"]; ok {
		return v
	}
	for _, key := range []string{"anyOf", "oneOf", "allOf"} {
		if list, ok := s[key].([]any); ok && len(list) > 0 && s["properties"] == nil {
			return e.value(list[0], name, depth+1)
		}
	}
	switch typeOf(s) {
	case "object":
		return e.object(s, depth)
	case "array":
		n := max(1, int(numberOr(s["minItems"], 1)))
		items := make([]any, 0, min(n, 16))
		for range min(n, 16) {
			items = append(items, e.value(s["items"], strings.TrimSuffix(name, "s"), depth+1))
		}
		return items
	case "integer":
		return int(numberOr(s["minimum"], min(1, numberOr(s["maximum"], 1))))
	case "number":
		return numberOr(s["minimum"], min(1.5, numberOr(s["maximum"], 1.5)))
	case "boolean":
		return true
	case "null":
		return nil
	}
	return exampleText(s, name)
}

func (e exampler) object(s map[string]any, depth int) map[string]any {
	object := map[string]any{}
	properties, _ := s["properties"].(map[string]any)
	required, _ := s["required"].([]any)
	if len(required) > 0 {
		for _, r := range required {
			if name, ok := r.(string); ok {
				object[name] = e.value(properties[name], name, depth+1)
			}
		}
		return object
	}
	for name, p := range properties {
		object[name] = e.value(p, name, depth+1)
	}
	return object
}

// resolve follows a reference inside the schema, e.g. #/$defs/City.
func (e exampler) resolve(ref string) any {
	at := e.root
	if ref == "#" {
		return at
	}
	for _, step := range strings.Split(strings.TrimPrefix(ref, "#/"), "/") {
		m, ok := at.(map[string]any)
		if !ok {
			return nil
		}
		at = m[step]
	}
	return at
}

// typeOf is the schema's type; of several the first that is not null.
func typeOf(s map[string]any) string {
	switch t := s["type"].(type) {
	case string:
		return t
	case []any:
		for _, one := range t {
			if name, ok := one.(string); ok && name != "null" {
				return name
			}
		}
		return "null"
	}
	if s["properties"] != nil {
		return "object"
	}
	return "string"
}

func exampleText(s map[string]any, name string) string {
	switch s["format"] {
	case "date":
		return "2026-01-02"
	case "date-time":
		return "2026-01-02T03:04:05Z"
	case "time":
		return "03:04:05Z"
	case "email":
		return "sim@example.com"
	case "uri", "url":
		return "https://example.com/"
	case "uuid":
		return "00000000-0000-4000-8000-000000000000"
	}
	v := "sim " + name
	if n := int(numberOr(s["minLength"], 0)); n > len(v) && n < 10000 {
		v += strings.Repeat("x", n-len(v))
	}
	if n := int(numberOr(s["maxLength"], 1e6)); n >= 0 && n < len(v) {
		v = strings.ToValidUTF8(v[:n], "")
	}
	return v
}

func numberOr(v any, fallback float64) float64 {
	if f, ok := v.(float64); ok {
		return f
	}
	return fallback
}
