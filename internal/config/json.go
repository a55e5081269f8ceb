package config

import (
	"bytes"
	"encoding/json"
)

// appendJSON appends n as JSON: keys in the order of the file, numbers as they are spelled where JSON allows it.
// Unset variables and what stands under them are left out.
func appendJSON(dst []byte, n *node) []byte {
	switch n.kind {
	case kindBool:
		return append(dst, n.lowerBool()...)
	case kindInt, kindFloat:
		text, ok := numberJSON(n.text)
		if !ok {
			return append(dst, "null"...)
		}
		return append(dst, text...)
	case kindString:
		return appendString(dst, n.text)
	case kindList:
		dst = append(dst, '[')
		first := true
		for _, item := range n.items {
			if item.kind == kindMissing {
				continue
			}
			if !first {
				dst = append(dst, ',')
			}
			first = false
			dst = appendJSON(dst, item)
		}
		return append(dst, ']')
	case kindMap:
		return appendObject(dst, n.fields)
	default:
		return append(dst, "null"...)
	}
}

// appendObject appends fields as a JSON object.
func appendObject(dst []byte, fields []field) []byte {
	dst = append(dst, '{')
	first := true
	for _, f := range fields {
		if f.value.kind == kindMissing {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(appendString(dst, f.key), ':')
		dst = appendJSON(dst, f.value)
	}
	return append(dst, '}')
}

// appendString appends s as a JSON string. Bytes that are not UTF-8, which only a variable can bring, become U+FFFD.
func appendString(dst []byte, s string) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		return append(dst, `""`...)
	}
	return append(dst, bytes.TrimSuffix(b.Bytes(), []byte("\n"))...)
}

// lowerBool spells a boolean as JSON does.
func (n *node) lowerBool() string {
	if b, _ := truth(n); b {
		return "true"
	}
	return "false"
}
