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

// All returns every value that path leads to: a name that stands twice in an object leads to two, of which most readers take the
// last. It ends early where raw is no JSON.
func All(raw []byte, path ...string) [][]byte {
	var list [][]byte
	for _, at := range places(raw, path) {
		list = append(list, raw[at.from:at.to])
	}
	return list
}

// Replace returns raw with value in the place of every value that path leads to, and how many those are. Everything else stays
// as it is spelled. raw must be valid JSON; it is not changed.
func Replace(raw, value []byte, path ...string) ([]byte, int) {
	found := places(raw, path)
	if len(found) == 0 {
		return raw, 0
	}
	out, from := make([]byte, 0, len(raw)+len(found)*len(value)), 0
	for _, at := range found {
		out = append(append(out, raw[from:at.from]...), value...)
		from = at.to
	}
	return append(out, raw[from:]...), len(found)
}

// Append returns the object raw, which must be valid JSON, with one member more at its end. Everything else stays as it is
// spelled.
func Append(raw []byte, name string, value []byte) []byte {
	end := bytes.LastIndexByte(raw, '}')
	out := append(make([]byte, 0, len(raw)+len(name)+len(value)+8), raw[:end]...)
	s := New(raw)
	if more, err := s.OpenObject(); err == nil && more {
		out = append(out, ',')
	}
	out = append(AppendEscaped(append(out, '"'), []byte(name)), '"', ':')
	return append(append(out, value...), raw[end:]...)
}

type place struct{ from, to int }

// places returns where the values stand that path leads to.
func places(raw []byte, path []string) []place {
	s := New(raw)
	var found []place
	_ = find(&s, path, &found) // what was found before an error stands
	return found
}

func find(s *Scanner, path []string, found *[]place) error {
	kind := s.Peek()
	from := s.Pos
	if len(path) == 0 || kind != KindObject {
		if _, err := s.Skip(); err != nil {
			return err
		}
		if len(path) == 0 {
			*found = append(*found, place{from, s.Pos})
		}
		return nil
	}
	more, err := s.OpenObject()
	for ; err == nil && more; more, err = s.NextMember() {
		key, keyErr := s.Key()
		if keyErr != nil {
			return keyErr
		}
		if string(key) != path[0] {
			if _, err := s.Skip(); err != nil {
				return err
			}
			continue
		}
		if err := find(s, path[1:], found); err != nil {
			return err
		}
	}
	return err
}
