package llm

import (
	"encoding"
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// JSONSchema asks for an answer that follows a JSON Schema, for Request.Format. The name says what the answer is, in
// letters, digits, _ and -.
func JSONSchema(name string, schema json.RawMessage) *Format {
	return &Format{Type: "json_schema", Name: name, Schema: schema}
}

// JSONObject asks for an answer that is any JSON object, for Request.Format.
func JSONObject() *Format { return &Format{Type: "json_object"} }

// FormatOf asks for an answer that decodes into a T, for Request.Format; [Into] does so and decodes it, too.
func FormatOf[T any]() *Format {
	t := reflect.TypeFor[T]()
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	name := t.Name()
	if i := strings.IndexByte(name, '['); i >= 0 { // a generic type
		name = name[:i]
	}
	if name == "" {
		name = "answer"
	}
	return JSONSchema(name, SchemaOf[T]())
}

// SchemaOf returns the JSON Schema of what encoding/json reads into a T: of a tool's arguments, or of an answer.
//
// A struct's members have the names of their json tags, and are demanded unless the tag says omitempty or omitzero or the
// field is a pointer. A tag description:"…" tells the model what the member is, enum:"a,b" which words it may be. Types
// that write themselves as text are strings, and those that write themselves as JSON can be anything. Fields that JSON
// cannot hold, such as channels and functions, are left out.
func SchemaOf[T any]() json.RawMessage {
	s := schema{names: map[reflect.Type]string{}}
	t := reflect.TypeFor[T]()
	body := s.of(nil, t, "")
	if len(s.names) == 0 {
		return body
	}
	// Types that hold themselves are defined once and referred to.
	defs := []byte(`"$defs":{`)
	for written := 0; written < len(s.order); { // a definition may find more of them
		if written > 0 {
			defs = append(defs, ',')
		}
		t := s.order[written]
		defs = append(s.members(append(AppendString(defs, s.names[t]), ':'), t), '}')
		written++
	}
	defs = append(defs, '}')
	if len(body) == len("{}") {
		return append(append(body[:1], defs...), '}')
	}
	return append(append(append(body[:len(body)-1], ','), defs...), '}')
}

// schema writes the schema of a type.
type schema struct {
	open  []reflect.Type          // structs that are being written
	names map[reflect.Type]string // of those that hold themselves
	order []reflect.Type
}

// of appends the schema of a type. more are members that stand behind its type, each with a comma before it.
func (s *schema) of(dst []byte, t reflect.Type, more string) []byte {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	word := func(kind, rest string) []byte {
		return append(append(append(append(dst, `{"type":"`...), kind...), `"`+rest+more...), '}')
	}
	anything := func() []byte {
		return append(append(append(dst, '{'), strings.TrimPrefix(more, ",")...), '}')
	}
	switch {
	case t == reflect.TypeFor[time.Time]():
		return word("string", `,"format":"date-time"`)
	case t == reflect.TypeFor[json.RawMessage]():
		return anything()
	case t == reflect.TypeFor[json.Number]():
		return word("number", "")
	case implements(t, reflect.TypeFor[json.Marshaler]()):
		return anything()
	case implements(t, reflect.TypeFor[encoding.TextMarshaler]()):
		return word("string", "")
	}
	switch t.Kind() {
	case reflect.Bool:
		return word("boolean", "")
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return word("integer", "")
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return word("integer", `,"minimum":0`)
	case reflect.Float32, reflect.Float64:
		return word("number", "")
	case reflect.String:
		return word("string", "")
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 && t.Kind() == reflect.Slice {
			return word("string", `,"contentEncoding":"base64"`)
		}
		return word("array", `,"items":`+string(s.of(nil, t.Elem(), "")))
	case reflect.Map:
		return word("object", `,"additionalProperties":`+string(s.of(nil, t.Elem(), "")))
	case reflect.Struct:
		return s.object(dst, t, more)
	default:
		return anything()
	}
}

func implements(t, what reflect.Type) bool {
	return t.Implements(what) || reflect.PointerTo(t).Implements(what)
}

// object appends a struct, or a reference to it when it stands inside itself.
func (s *schema) object(dst []byte, t reflect.Type, more string) []byte {
	_, named := s.names[t]
	for _, open := range s.open {
		named = named || open == t
	}
	if !named {
		return append(append(s.members(dst, t), more...), '}')
	}
	if s.names[t] == "" {
		s.names[t] = t.Name() + strconv.Itoa(len(s.order)+1)
		s.order = append(s.order, t)
	}
	dst = append(append(append(dst, `{"$ref":"#/$defs/`...), s.names[t]...), '"')
	return append(append(dst, more...), '}')
}

// members appends a struct's schema but for the brace at its end.
func (s *schema) members(dst []byte, t reflect.Type) []byte {
	s.open = append(s.open, t)
	var properties, required []byte
	for _, f := range reflect.VisibleFields(t) {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "-" && options == "", !f.IsExported(), promoted(t, f) || f.Anonymous && name == "" && isStruct(f.Type), !writable(f.Type):
			continue
		}
		if name == "" {
			name = f.Name
		}
		if len(properties) > 0 {
			properties = append(properties, ',')
		}
		properties = append(AppendString(properties, name), ':')
		properties = s.of(properties, quoted(f.Type, options), details(f.Tag))
		if strings.Contains(options, "omitempty") || strings.Contains(options, "omitzero") || f.Type.Kind() == reflect.Pointer {
			continue
		}
		if len(required) > 0 {
			required = append(required, ',')
		}
		required = AppendString(required, name)
	}
	s.open = s.open[:len(s.open)-1]
	dst = append(append(dst, `{"type":"object","properties":{`...), properties...)
	if len(required) > 0 {
		dst = append(append(append(dst, `},"required":[`...), required...), ']')
	} else {
		dst = append(dst, '}')
	}
	return append(dst, `,"additionalProperties":false`...)
}

// promoted reports whether a field belongs to a struct inside that has a name of its own, and is no member of t's JSON.
func promoted(t reflect.Type, f reflect.StructField) bool {
	for _, i := range f.Index[:len(f.Index)-1] {
		for t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		through := t.Field(i)
		if name, _, _ := strings.Cut(through.Tag.Get("json"), ","); name != "" {
			return true
		}
		t = through.Type
	}
	return false
}

func isStruct(t reflect.Type) bool {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.Kind() == reflect.Struct && t != reflect.TypeFor[time.Time]()
}

func writable(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Chan, reflect.Func, reflect.UnsafePointer, reflect.Complex64, reflect.Complex128:
		return false
	}
	return true
}

// quoted returns the type as which a field is written: the option "string" puts numbers and booleans into strings.
func quoted(t reflect.Type, options string) reflect.Type {
	for option := range strings.SplitSeq(options, ",") {
		if option == "string" {
			return reflect.TypeFor[string]()
		}
	}
	return t
}

// details are the members that a field's tags add.
func details(tag reflect.StructTag) string {
	var out []byte
	if text := tag.Get("description"); text != "" {
		out = AppendString(append(out, `,"description":`...), text)
	}
	if words := tag.Get("enum"); words != "" {
		out = append(out, `,"enum":[`...)
		for i, word := range strings.Split(words, ",") {
			if i > 0 {
				out = append(out, ',')
			}
			out = AppendString(out, word)
		}
		out = append(out, ']')
	}
	return string(out)
}
