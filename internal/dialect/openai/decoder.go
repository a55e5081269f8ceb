package openai

import (
	"errors"
	"math"
	"strconv"

	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// decoder reads one body. Its methods consume a value and say what was expected, with the value's path, when it is
// something else.
type decoder struct {
	s   jsonscan.Scanner
	req *llm.Request
	// blocks is the arena from which messages take their content.
	blocks []llm.Block
	// calls remembers what tool results need to know about the calls before them.
	calls callLog
	// control receives what concerns the gateway rather than the model.
	control *Control
	seen    memberSet
	// partIndex is the number of the content part that is being read, for the paths of losses.
	partIndex int
	// responses is set for requests of the Responses API, whose conversation is a list of items; items says which list is
	// being read.
	responses *Responses
	items     itemsOf
}

// memberSet finds members that stand twice in one object. Known members have a bit; others are looked up by name.
type memberSet uint64

func (m *memberSet) add(bit uint) bool {
	had := *m&(1<<bit) != 0
	*m |= 1 << bit
	return !had
}

func duplicate(path string) *llm.Error {
	if path == "" {
		path = "request_body"
	}
	return &llm.Error{
		Kind: llm.KindInvalid, Code: "duplicate_key", Param: path,
		Message: "the member " + path + " stands twice in its object",
	}
}

// syntax turns a scanner's error into the client's; other errors pass.
func syntax(err error) error {
	var bad *jsonscan.Error
	if errors.As(err, &bad) {
		return &llm.Error{
			Kind: llm.KindInvalid, Code: "invalid_json", Param: "request_body",
			Message: "Invalid JSON payload: " + bad.Error(),
		}
	}
	return err
}

// wrongType says what a value should have been.
func (d *decoder) wrongType(path, expected string) error {
	if d.s.Peek() == jsonscan.KindNone {
		_, err := d.s.Skip() // not JSON at all: let the scanner say why
		return err
	}
	return llm.Invalid(path, path+" must be "+expected+", not "+article(d.s.Peek()))
}

func article(k jsonscan.Kind) string {
	switch k {
	case jsonscan.KindObject, jsonscan.KindArray:
		return "an " + k.String()
	case jsonscan.KindNull, jsonscan.KindNone:
		return k.String()
	default:
		return "a " + k.String()
	}
}

func (d *decoder) string(path string) ([]byte, error) {
	if d.s.Peek() != jsonscan.KindString {
		return nil, d.wrongType(path, "a string")
	}
	return d.s.String()
}

// word reads a string whose value is looked at, not passed on.
func (d *decoder) word(path string) (string, error) {
	raw, err := d.string(path)
	if err != nil {
		return "", err
	}
	return llm.RawText(raw).String(), nil
}

func (d *decoder) text(path string) (llm.Text, error) {
	raw, err := d.string(path)
	return llm.RawText(raw), err
}

func (d *decoder) bool(path string) (bool, error) {
	if k := d.s.Peek(); k != jsonscan.KindTrue && k != jsonscan.KindFalse {
		return false, d.wrongType(path, "a boolean")
	}
	return d.s.Bool()
}

func (d *decoder) float(path string, low, high float64) (*float64, error) {
	if d.s.Peek() != jsonscan.KindNumber {
		return nil, d.wrongType(path, "a number")
	}
	raw, err := d.s.Number()
	if err != nil {
		return nil, err
	}
	v, err := strconv.ParseFloat(string(raw), 64)
	if err != nil || v < low || v > high {
		return nil, llm.Invalid(path, path+" must be between "+short(low)+" and "+short(high)+", not "+clip(raw))
	}
	return &v, nil
}

func (d *decoder) int(path string, low int64) (*int64, error) {
	if d.s.Peek() != jsonscan.KindNumber {
		return nil, d.wrongType(path, "an integer")
	}
	raw, err := d.s.Number()
	if err != nil {
		return nil, err
	}
	v, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil { // 5.0 and 5e2 are integers to JSON's users
		f, ferr := strconv.ParseFloat(string(raw), 64)
		if ferr != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
			return nil, llm.Invalid(path, path+" must be an integer, not "+clip(raw))
		}
		v = int64(f)
	}
	if v < low || v > math.MaxInt32 {
		return nil, llm.Invalid(path, path+" must be between "+strconv.FormatInt(low, 10)+" and 2147483647, not "+clip(raw))
	}
	return &v, nil
}

func short(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }

// clip keeps quoted input short in messages.
func clip(raw []byte) string {
	if len(raw) > 40 {
		return string(raw[:40]) + "…"
	}
	return string(raw)
}

// object consumes an object's opening; see jsonscan.Scanner.OpenObject.
func (d *decoder) object(path string) (bool, error) {
	if d.s.Peek() != jsonscan.KindObject {
		return false, d.wrongType(path, "an object")
	}
	return d.s.OpenObject()
}

// each walks an object and has member consume each value.
func (d *decoder) each(path string, member func(name []byte) error) error {
	more, err := d.object(path)
	for ; err == nil && more; more, err = d.s.NextMember() {
		key, err := d.s.Key()
		if err != nil {
			return err
		}
		if err := member(key); err != nil {
			return err
		}
	}
	return err
}

// present is each for objects in which a member that is null counts as one that is not there.
func (d *decoder) present(path string, member func(name []byte) error) error {
	return d.each(path, func(name []byte) error {
		if absent, err := d.null(); absent || err != nil {
			return err
		}
		return member(name)
	})
}

func (d *decoder) array(path string) (bool, error) {
	if d.s.Peek() != jsonscan.KindArray {
		return false, d.wrongType(path, "an array")
	}
	return d.s.OpenArray()
}

// rawObject consumes an object unread.
func (d *decoder) rawObject(path string) ([]byte, error) {
	if d.s.Peek() != jsonscan.KindObject {
		return nil, d.wrongType(path, "an object")
	}
	return d.s.Skip()
}

// null consumes null, which everywhere means that the member is not there.
func (d *decoder) null() (bool, error) { return d.s.Null() }

func index(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }
