package jsonscan

import "iter"

// Members goes over the members of the object raw, in their order: name, unescaped, and value. It ends early where raw
// is no JSON, and at once where it is no object.
func Members(raw []byte) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		for key, value := range Fields(raw) {
			if !yield(string(key), value) {
				return
			}
		}
	}
}

// Fields is Members without a copy of each name: a name is valid until the next one.
func Fields(raw []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(key, value []byte) bool) {
		s := New(raw)
		if s.Peek() != KindObject {
			return
		}
		more, err := s.OpenObject()
		for ; err == nil && more; more, err = s.NextMember() {
			key, keyErr := s.Key()
			if keyErr != nil {
				return
			}
			value, valueErr := s.Skip()
			if valueErr != nil || !yield(key, value) {
				return
			}
		}
	}
}

// Elements goes over the elements of the array raw, in their order. It ends early where raw is no JSON, and at once where
// it is no array.
func Elements(raw []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		s := New(raw)
		if s.Peek() != KindArray {
			return
		}
		more, err := s.OpenArray()
		for ; err == nil && more; more, err = s.NextElement() {
			value, valueErr := s.Skip()
			if valueErr != nil || !yield(value) {
				return
			}
		}
	}
}

// Member returns the value at the end of a path of members' names, nil if there is none.
func Member(raw []byte, path ...string) []byte {
	for _, name := range path {
		var found []byte
		for key, value := range Fields(raw) {
			if string(key) == name {
				found = value
				break
			}
		}
		if raw = found; raw == nil {
			return nil
		}
	}
	return raw
}

// Inner returns the spelling of the JSON string raw without its quotes, and whether raw is a string.
func Inner(raw []byte) ([]byte, bool) {
	if len(raw) < 2 || raw[0] != '"' {
		return nil, false
	}
	return raw[1 : len(raw)-1], true
}

// Text returns the text of the JSON string raw, "" if it is none.
func Text(raw []byte) string {
	inner, ok := Inner(raw)
	if !ok {
		return ""
	}
	return string(AppendUnescaped(nil, inner))
}
