package jsonscan

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"unicode/utf8"
)

// MaxDepth is how deep arrays and objects may nest: no client needs more, and every reader behind us is spared worse.
const MaxDepth = 128

// Error is text that is not JSON: what is wrong at which byte of the input.
type Error struct {
	Offset int
	Reason string
}

// Error returns the reason with its offset.
func (e *Error) Error() string { return fmt.Sprintf("%s at byte %d", e.Reason, e.Offset) }

// Kind is the kind of the next value, told by its first byte.
type Kind byte

// The kinds of values; KindNone is the end of the input or a byte that begins no value.
const (
	KindNone   Kind = 0
	KindObject Kind = '{'
	KindArray  Kind = '['
	KindString Kind = '"'
	KindNumber Kind = '0'
	KindTrue   Kind = 't'
	KindFalse  Kind = 'f'
	KindNull   Kind = 'n'
)

// String names the kind as JSON's users do.
func (k Kind) String() string {
	switch k {
	case KindObject:
		return "object"
	case KindArray:
		return "array"
	case KindString:
		return "string"
	case KindNumber:
		return "number"
	case KindTrue, KindFalse:
		return "boolean"
	case KindNull:
		return "null"
	default:
		return "nothing"
	}
}

// Scanner is a position in JSON text. The zero value with Data set is ready. All spans that it returns alias Data.
// After an error the scanner must not be used further.
type Scanner struct {
	Data  []byte
	Pos   int
	depth int
}

// New returns a scanner at the start of data.
func New(data []byte) Scanner { return Scanner{Data: data} }

func (s *Scanner) fail(reason string) error { return &Error{Offset: s.Pos, Reason: reason} }

func (s *Scanner) space() {
	for s.Pos < len(s.Data) {
		switch s.Data[s.Pos] {
		case ' ', '\t', '\n', '\r':
			s.Pos++
		default:
			return
		}
	}
}

// Peek returns the kind of the next value without consuming it.
func (s *Scanner) Peek() Kind {
	s.space()
	if s.Pos >= len(s.Data) {
		return KindNone
	}
	switch c := s.Data[s.Pos]; c {
	case '{', '[', '"', 't', 'f', 'n':
		return Kind(c)
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return KindNumber
	default:
		return KindNone
	}
}

// End checks that nothing but white space is left.
func (s *Scanner) End() error {
	s.space()
	if s.Pos < len(s.Data) {
		return s.fail("unexpected text after the value")
	}
	return nil
}

// OpenObject consumes "{" and reports whether a first member follows; of an empty object it consumes the end, too.
//
//	more, err := s.OpenObject()
//	for ; err == nil && more; more, err = s.NextMember() {
//		key, err := s.Key()
//		…consume the value…
//	}
func (s *Scanner) OpenObject() (bool, error) { return s.open('{', '}') }

// OpenArray consumes "[" and reports whether a first element follows; of an empty array it consumes the end, too.
func (s *Scanner) OpenArray() (bool, error) { return s.open('[', ']') }

// NextMember consumes "," or "}" after a member's value and reports whether another member follows.
func (s *Scanner) NextMember() (bool, error) { return s.next('}', "',' or '}'") }

// NextElement consumes "," or "]" after an element and reports whether another one follows.
func (s *Scanner) NextElement() (bool, error) { return s.next(']', "',' or ']'") }

func (s *Scanner) open(begin, end byte) (bool, error) {
	s.space()
	if s.Pos >= len(s.Data) || s.Data[s.Pos] != begin {
		return false, s.fail("expected '" + string(rune(begin)) + "'")
	}
	if s.depth >= MaxDepth {
		return false, s.fail("nested deeper than 128 levels")
	}
	s.Pos++
	s.space()
	if s.Pos < len(s.Data) && s.Data[s.Pos] == end {
		s.Pos++
		return false, nil
	}
	s.depth++
	return true, nil
}

func (s *Scanner) next(end byte, expected string) (bool, error) {
	s.space()
	if s.Pos >= len(s.Data) {
		return false, s.fail("unexpected end of the text")
	}
	switch s.Data[s.Pos] {
	case ',':
		s.Pos++
		return true, nil
	case end:
		s.Pos++
		s.depth--
		return false, nil
	default:
		return false, s.fail("expected " + expected)
	}
}

// Key consumes a member's name and the colon behind it. The name is unescaped if it has escapes, which allocates.
func (s *Scanner) Key() ([]byte, error) {
	raw, err := s.String()
	if err != nil {
		return nil, err
	}
	s.space()
	if s.Pos >= len(s.Data) || s.Data[s.Pos] != ':' {
		return nil, s.fail("expected ':'")
	}
	s.Pos++
	for _, c := range raw {
		if c == '\\' {
			return AppendUnescaped(nil, raw), nil
		}
	}
	return raw, nil
}

// String consumes a string and returns its spelling without the quotes.
func (s *Scanner) String() ([]byte, error) {
	s.space()
	if s.Pos >= len(s.Data) || s.Data[s.Pos] != '"' {
		return nil, s.fail("expected a string")
	}
	start := s.Pos + 1
	end, err := s.scanString(start)
	if err != nil {
		return nil, err
	}
	s.Pos = end + 1
	return s.Data[start:end], nil
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// scanString returns the position of the closing quote of the string whose first character is at i. Eight bytes are
// looked at together; a false hit can only stand above a true one in a word, so the lowest hit is always right.
func (s *Scanner) scanString(i int) (int, error) {
	data, start := s.Data, i
	var nonASCII uint64
	for {
		for i+8 <= len(data) {
			w := binary.LittleEndian.Uint64(data[i:])
			quote := w ^ (ones * '"')
			slash := w ^ (ones * '\\')
			hit := ((quote-ones)&^quote | (slash-ones)&^slash | (w-ones*' ')&^w) & highs
			nonASCII |= w & highs
			if hit != 0 {
				i += bits.TrailingZeros64(hit) >> 3
				break
			}
			i += 8
		}
		if i >= len(data) {
			s.Pos = len(data)
			return 0, s.fail("unterminated string")
		}
		switch c := data[i]; {
		case c == '"':
			if nonASCII != 0 && !utf8.Valid(data[start:i]) {
				s.Pos = start
				return 0, s.fail("string is not valid UTF-8")
			}
			return i, nil
		case c == '\\':
			n := escapeLength(data[i:])
			if n == 0 {
				s.Pos = i
				return 0, s.fail("invalid escape in a string")
			}
			i += n
		case c < ' ':
			s.Pos = i
			return 0, s.fail("control character in a string")
		default: // a byte of the last, short word
			nonASCII |= uint64(c & utf8.RuneSelf)
			i++
		}
	}
}

// escapeLength returns the length of the escape sequence that b begins with, 0 if it is none.
func escapeLength(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if len(b) >= 6 && isHex(b[2]) && isHex(b[3]) && isHex(b[4]) && isHex(b[5]) {
			return 6
		}
	}
	return 0
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// Number consumes a number and returns its spelling.
func (s *Scanner) Number() ([]byte, error) {
	s.space()
	start := s.Pos
	if err := s.scanNumber(); err != nil {
		return nil, err
	}
	return s.Data[start:s.Pos], nil
}

func (s *Scanner) scanNumber() error {
	data, i := s.Data, s.Pos
	if i < len(data) && data[i] == '-' {
		i++
	}
	switch {
	case i >= len(data) || data[i] < '0' || data[i] > '9':
		s.Pos = i
		return s.fail("expected a number")
	case data[i] == '0':
		i++
	default:
		i = digits(data, i)
	}
	if i < len(data) && data[i] == '.' {
		end := digits(data, i+1)
		if end == i+1 {
			s.Pos = end
			return s.fail("expected a digit after the decimal point")
		}
		i = end
	}
	if i < len(data) && (data[i] == 'e' || data[i] == 'E') {
		i++
		if i < len(data) && (data[i] == '+' || data[i] == '-') {
			i++
		}
		end := digits(data, i)
		if end == i {
			s.Pos = end
			return s.fail("expected a digit in the exponent")
		}
		i = end
	}
	s.Pos = i
	return nil
}

func digits(data []byte, i int) int {
	for i < len(data) && '0' <= data[i] && data[i] <= '9' {
		i++
	}
	return i
}

// Bool consumes true or false.
func (s *Scanner) Bool() (bool, error) {
	if s.Peek() == KindTrue {
		return true, s.literal("true")
	}
	return false, s.literal("false")
}

// Null consumes null if it is next and reports whether it did.
func (s *Scanner) Null() (bool, error) {
	if s.Peek() != KindNull {
		return false, nil
	}
	return true, s.literal("null")
}

func (s *Scanner) literal(word string) error {
	if len(s.Data)-s.Pos < len(word) || string(s.Data[s.Pos:s.Pos+len(word)]) != word {
		return s.fail("expected " + word)
	}
	s.Pos += len(word)
	return nil
}

// Skip consumes any value, checks it, and returns its bytes without the white space around it.
func (s *Scanner) Skip() ([]byte, error) {
	s.space()
	start := s.Pos
	base := s.depth
	var objects [2]uint64 // one bit per open level below base: is it an object?
	for {
		opened, err := s.skipToken(base, &objects)
		if err != nil {
			return nil, err
		}
		if opened {
			continue
		}
		for { // a value has ended: close levels until another member or element follows
			if s.depth == base {
				return s.Data[start:s.Pos], nil
			}
			level := s.depth - base - 1
			isObject := objects[level>>6]&(1<<(level&63)) != 0
			var more bool
			if isObject {
				more, err = s.NextMember()
			} else {
				more, err = s.NextElement()
			}
			if err != nil {
				return nil, err
			}
			if !more {
				continue
			}
			if isObject {
				if err := s.skipKey(); err != nil {
					return nil, err
				}
			}
			break
		}
	}
}

// skipToken consumes a scalar, an empty array or object, or the opening of one that has content; it reports the latter.
func (s *Scanner) skipToken(base int, objects *[2]uint64) (bool, error) {
	switch s.Peek() {
	case KindObject:
		more, err := s.OpenObject()
		if err != nil || !more {
			return false, err
		}
		level := s.depth - base - 1
		objects[level>>6] |= 1 << (level & 63)
		return true, s.skipKey()
	case KindArray:
		more, err := s.OpenArray()
		if err != nil || !more {
			return false, err
		}
		level := s.depth - base - 1
		objects[level>>6] &^= 1 << (level & 63)
		return true, nil
	case KindString:
		end, err := s.scanString(s.Pos + 1)
		if err != nil {
			return false, err
		}
		s.Pos = end + 1
		return false, nil
	case KindNumber:
		return false, s.scanNumber()
	case KindTrue:
		return false, s.literal("true")
	case KindFalse:
		return false, s.literal("false")
	case KindNull:
		return false, s.literal("null")
	default:
		if s.Pos >= len(s.Data) {
			return false, s.fail("unexpected end of the text")
		}
		return false, s.fail("unexpected character")
	}
}

func (s *Scanner) skipKey() error {
	if _, err := s.String(); err != nil {
		return err
	}
	s.space()
	if s.Pos >= len(s.Data) || s.Data[s.Pos] != ':' {
		return s.fail("expected ':'")
	}
	s.Pos++
	return nil
}

// Valid returns nil if data is one JSON value within the limits of this package.
func Valid(data []byte) error {
	s := New(data)
	if _, err := s.Skip(); err != nil {
		return err
	}
	return s.End()
}
