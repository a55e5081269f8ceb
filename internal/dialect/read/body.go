package read

import (
	"errors"
	"math"
	"strconv"
	"strings"

	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// Body is a position in a client's body. The methods consume a value; a path is where it stands, for errors.
type Body struct{ jsonscan.Scanner }

// New returns a position at the start of data.
func New(data []byte) Body { return Body{jsonscan.New(data)} }

// Object walks the whole body, an object, and has member consume each value.
func (b *Body) Object(member func(name []byte) error) error {
	if b.Peek() != jsonscan.KindObject {
		if err := jsonscan.Valid(b.Data); err != nil {
			return Syntax(err)
		}
		return llm.Invalid("request_body", "the request body must be a JSON object, not "+Article(b.Peek()))
	}
	if err := b.Each("request_body", member); err != nil {
		return Syntax(err)
	}
	return Syntax(b.End())
}

// Syntax turns a scanner's error into the client's; other errors pass.
func Syntax(err error) error {
	var bad *jsonscan.Error
	if errors.As(err, &bad) {
		return &llm.Error{Kind: llm.KindInvalid, Code: "invalid_json", Param: "request_body", Message: "Invalid JSON payload: " + bad.Error()}
	}
	return err
}

// WrongType says what a value should have been.
func (b *Body) WrongType(path, expected string) error {
	if b.Peek() == jsonscan.KindNone {
		_, err := b.Skip() // not JSON at all: let the scanner say why
		return err
	}
	return llm.Invalid(path, path+" must be "+expected+", not "+Article(b.Peek()))
}

// Article returns a kind of value as messages have it, such as "an object".
func Article(k jsonscan.Kind) string {
	switch k {
	case jsonscan.KindObject, jsonscan.KindArray:
		return "an " + k.String()
	case jsonscan.KindNull, jsonscan.KindNone:
		return k.String()
	default:
		return "a " + k.String()
	}
}

// Text reads a string that is passed on: it stays in its spelling.
func (b *Body) Text(path string) (llm.Text, error) {
	if b.Peek() != jsonscan.KindString {
		return llm.Text{}, b.WrongType(path, "a string")
	}
	raw, err := b.String()
	return llm.RawText(raw), err
}

// Word reads a string whose value is looked at.
func (b *Body) Word(path string) (string, error) {
	text, err := b.Text(path)
	if err != nil {
		return "", err
	}
	return text.String(), nil
}

// Flag reads true or false.
func (b *Body) Flag(path string) (bool, error) {
	if k := b.Peek(); k != jsonscan.KindTrue && k != jsonscan.KindFalse {
		return false, b.WrongType(path, "a boolean")
	}
	return b.Bool()
}

// Float reads a number between low and high.
func (b *Body) Float(path string, low, high float64) (*float64, error) {
	if b.Peek() != jsonscan.KindNumber {
		return nil, b.WrongType(path, "a number")
	}
	raw, err := b.Number()
	if err != nil {
		return nil, err
	}
	v, err := strconv.ParseFloat(string(raw), 64)
	if err != nil || v < low || v > high {
		return nil, llm.Invalid(path, path+" must be between "+short(low)+" and "+short(high)+", not "+Clip(string(raw)))
	}
	return &v, nil
}

func short(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }

// Int reads an integer of at least low. 5.0 and 5e2 are integers to JSON's users.
func (b *Body) Int(path string, low int64) (*int64, error) {
	if b.Peek() != jsonscan.KindNumber {
		return nil, b.WrongType(path, "an integer")
	}
	raw, err := b.Number()
	if err != nil {
		return nil, err
	}
	f, err := strconv.ParseFloat(string(raw), 64)
	if err != nil || f != math.Trunc(f) {
		return nil, llm.Invalid(path, path+" must be an integer, not "+Clip(string(raw)))
	}
	if f < float64(low) || f > math.MaxInt32 {
		return nil, llm.Invalid(path, path+" must be between "+strconv.FormatInt(low, 10)+" and 2147483647, not "+Clip(string(raw)))
	}
	v := int64(f)
	return &v, nil
}

// Clip keeps quoted input short in messages.
func Clip(s string) string {
	if len(s) > 40 {
		return s[:40] + "…"
	}
	return s
}

// Each walks an object and has member consume each value. A member that is null counts as one that is not there.
func (b *Body) Each(path string, member func(name []byte) error) error {
	if b.Peek() != jsonscan.KindObject {
		return b.WrongType(path, "an object")
	}
	more, err := b.OpenObject()
	for ; err == nil && more; more, err = b.NextMember() {
		key, err := b.Key()
		if err != nil {
			return err
		}
		if absent, err := b.Null(); err != nil {
			return err
		} else if absent {
			continue
		}
		if err := member(key); err != nil {
			return err
		}
	}
	return err
}

// Raw reads an object unread.
func (b *Body) Raw(path string) ([]byte, error) {
	if b.Peek() != jsonscan.KindObject {
		return nil, b.WrongType(path, "an object")
	}
	return b.Skip()
}

// Words reads a list of strings.
func (b *Body) Words(path string) ([]string, error) {
	if b.Peek() != jsonscan.KindArray {
		return nil, b.WrongType(path, "an array of strings")
	}
	list := []string{}
	more, err := b.OpenArray()
	for ; err == nil && more; more, err = b.NextElement() {
		word, err := b.Word(Index(path, len(list)))
		if err != nil {
			return nil, err
		}
		list = append(list, word)
	}
	return list, err
}

// Index is the path of an element.
func Index(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// Duplicate says that a member stands twice: two readers would understand the body in two ways.
func Duplicate(path string) *llm.Error {
	return &llm.Error{Kind: llm.KindInvalid, Code: "duplicate_key", Param: path, Message: "the member " + path + " stands twice in its object"}
}

// Missing says that a member must be there.
func Missing(path string) *llm.Error {
	return &llm.Error{Kind: llm.KindInvalid, Code: "missing_required_parameter", Param: path, Message: path + " is missing"}
}

// Within puts prefix before the path that err names. Paths are built from the inside out, and only for errors, so that a
// conversation without one pays nothing for them.
func Within(err error, prefix string) error {
	var e *llm.Error
	if !errors.As(err, &e) || e.Kind != llm.KindInvalid {
		return err
	}
	if e.Param == "" {
		e.Param, e.Message = prefix, prefix+e.Message
		return e
	}
	param := prefix + "." + e.Param
	if strings.HasPrefix(e.Param, "[") {
		param = prefix + e.Param
	}
	e.Message = strings.Replace(e.Message, e.Param, param, 1)
	e.Param = param
	return e
}
