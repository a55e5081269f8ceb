package jsonscan

import "bytes"

// Wildcard is the path element that stands for every element of an array.
const Wildcard = "*"

// Delete returns raw without the members that path leads to, and whether there were any. A path element is a member's
// name, or [Wildcard] for all elements of an array. raw must be valid JSON; it is not changed.
func Delete(raw []byte, path ...string) ([]byte, bool) {
	if len(path) == 0 {
		return raw, false
	}
	s := New(raw)
	out, changed, err := deleteIn(make([]byte, 0, len(raw)), &s, path)
	if err != nil || !changed {
		return raw, false
	}
	return out, true
}

func deleteIn(dst []byte, s *Scanner, path []string) ([]byte, bool, error) {
	kind := s.Peek()
	if len(path) == 0 || kind != KindObject && (kind != KindArray || path[0] != Wildcard) {
		span, err := s.Skip()
		return append(dst, span...), false, err
	}
	if kind == KindArray {
		return deleteInElements(dst, s, path[1:])
	}
	changed, first := false, true
	dst = append(dst, '{')
	more, err := s.OpenObject()
	for ; err == nil && more; more, err = s.NextMember() {
		s.space()
		keyStart := s.Pos
		key, err := s.Key()
		if err != nil {
			return dst, false, err
		}
		keySpan := bytes.TrimRight(s.Data[keyStart:s.Pos], " \t\r\n:")
		match := string(key) == path[0]
		if match && len(path) == 1 {
			if _, err := s.Skip(); err != nil {
				return dst, false, err
			}
			changed = true
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(append(dst, keySpan...), ':')
		rest := []string(nil)
		if match {
			rest = path[1:]
		}
		var did bool
		if dst, did, err = deleteIn(dst, s, rest); err != nil {
			return dst, false, err
		}
		changed = changed || did
	}
	return append(dst, '}'), changed, err
}

func deleteInElements(dst []byte, s *Scanner, path []string) ([]byte, bool, error) {
	changed, first := false, true
	dst = append(dst, '[')
	more, err := s.OpenArray()
	for ; err == nil && more; more, err = s.NextElement() {
		if !first {
			dst = append(dst, ',')
		}
		first = false
		var did bool
		if dst, did, err = deleteIn(dst, s, path); err != nil {
			return dst, false, err
		}
		changed = changed || did
	}
	return append(dst, ']'), changed, err
}
