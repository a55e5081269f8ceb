package converse

import (
	"bytes"

	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

const emptySchema = `{"type":"object","properties":{}}`

// schema appends a tool's JSON Schema. AWS demands that its top is an object: a missing type is added, any other
// schema becomes the member "value" of one, which it reports. All else is the client's, byte for byte.
func (e *encoder) schema(raw []byte) (wrapped bool, err error) {
	if len(raw) == 0 || string(raw) == "null" {
		e.dst = append(e.dst, emptySchema...)
		return false, nil
	}
	top, err := readSchemaTop(raw)
	switch {
	case err != nil:
		return false, err
	case top.members == 0:
		e.dst = append(e.dst, emptySchema...)
	case top.isObject && !top.hasNull:
		e.dst = append(e.dst, raw...)
	case top.kind == nil && !top.hasNull:
		e.dst = append(e.dst, `{"type":"object",`...)
		e.dst = append(e.dst, bytes.TrimLeft(raw, " \t\r\n")[1:]...)
	case top.kind == nil || top.isObject || string(top.kind) == `"custom"` || bytes.Contains(top.kind, []byte(`"object"`)):
		e.rewriteSchema(raw)
	default:
		e.dst = append(e.dst, `{"type":"object","properties":{"value":`...)
		e.dst = append(e.dst, raw...)
		e.dst = append(e.dst, `},"required":["value"]}`...)
		return true, nil
	}
	return false, nil
}

// schemaTop is what matters of a schema's own members.
type schemaTop struct {
	members int
	// kind is the value of "type", nil if there is none.
	kind     []byte
	isObject bool
	// hasNull says that "properties" or "required" is null, as some serializers write them.
	hasNull bool
}

func readSchemaTop(raw []byte) (schemaTop, error) {
	var top schemaTop
	s := jsonscan.New(raw)
	more, err := s.OpenObject()
	for ; err == nil && more; more, err = s.NextMember() {
		key, err := s.Key()
		if err != nil {
			return top, err
		}
		value, err := s.Skip()
		if err != nil {
			return top, err
		}
		top.members++
		switch string(key) {
		case "type":
			top.kind = value
			top.isObject = string(value) == `"object"`
		case "properties", "required":
			top.hasNull = top.hasNull || string(value) == "null"
		}
	}
	if err != nil {
		return top, err
	}
	return top, s.End()
}

// rewriteSchema copies an object schema with its type set right and without null members.
func (e *encoder) rewriteSchema(raw []byte) {
	e.dst = append(e.dst, `{"type":"object"`...)
	s := jsonscan.New(raw)
	more, err := s.OpenObject()
	for ; err == nil && more; more, err = s.NextMember() {
		key, keyErr := s.Key()
		if keyErr != nil {
			return
		}
		value, valueErr := s.Skip()
		if valueErr != nil {
			return
		}
		name := string(key)
		if name == "type" || name == "required" && string(value) == "null" {
			continue
		}
		e.dst = append(e.dst, ',')
		e.dst = llm.AppendString(e.dst, name)
		e.dst = append(e.dst, ':')
		if name == "properties" && string(value) == "null" {
			e.dst = append(e.dst, `{}`...)
			continue
		}
		e.dst = append(e.dst, value...)
	}
	e.dst = append(e.dst, '}')
}
