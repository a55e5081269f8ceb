package openai

import (
	"math"
	"strconv"

	"github.com/outcrop-ai/outcrop/internal/dialect/read"
	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// decoder reads one body. Its methods consume a value and say what was expected, with the value's path, when it is
// something else.
type decoder struct {
	s   read.Body
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
	return read.Duplicate(path)
}

func (d *decoder) string(path string) ([]byte, error) {
	if d.s.Peek() != jsonscan.KindString {
		return nil, d.s.WrongType(path, "a string")
	}
	return d.s.String()
}

func (d *decoder) int(path string, low int64) (*int64, error) {
	if d.s.Peek() != jsonscan.KindNumber {
		return nil, d.s.WrongType(path, "an integer")
	}
	raw, err := d.s.Number()
	if err != nil {
		return nil, err
	}
	v, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil { // 5.0 and 5e2 are integers to JSON's users
		f, ferr := strconv.ParseFloat(string(raw), 64)
		if ferr != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
			return nil, llm.Invalid(path, path+" must be an integer, not "+read.Clip(string(raw)))
		}
		v = int64(f)
	}
	if v < low || v > math.MaxInt32 {
		return nil, llm.Invalid(path, path+" must be between "+strconv.FormatInt(low, 10)+" and 2147483647, not "+read.Clip(string(raw)))
	}
	return &v, nil
}

// object consumes an object's opening; see jsonscan.Scanner.OpenObject.
func (d *decoder) object(path string) (bool, error) {
	if d.s.Peek() != jsonscan.KindObject {
		return false, d.s.WrongType(path, "an object")
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

func (d *decoder) array(path string) (bool, error) {
	if d.s.Peek() != jsonscan.KindArray {
		return false, d.s.WrongType(path, "an array")
	}
	return d.s.OpenArray()
}
