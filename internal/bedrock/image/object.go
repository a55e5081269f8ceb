package image

import (
	"encoding/json"
	"strconv"

	"github.com/outcrop-ai/outcrop/internal/jsonscan"
	"github.com/outcrop-ai/outcrop/llm"
)

// object is a JSON object that is put together, in the order in which its members came.
type object []llm.Field

// parsed returns the members of a JSON object.
func parsed(raw []byte) object {
	var o object
	for name, value := range jsonscan.Members(raw) {
		o.set(name, value)
	}
	return o
}

func (o object) get(name string) json.RawMessage { return llm.Lookup(o, name) }

// set gives a member a value.
func (o *object) set(name string, value []byte) {
	for i := range *o {
		if (*o)[i].Name == name {
			(*o)[i].Value = value
			return
		}
	}
	*o = append(*o, llm.Field{Name: name, Value: value})
}

// fill gives a member a value, if it has none.
func (o *object) fill(name string, value []byte) {
	if value != nil && o.get(name) == nil {
		*o = append(*o, llm.Field{Name: name, Value: value})
	}
}

// fillAll is fill for the members of another object.
func (o *object) fillAll(other object) {
	for _, f := range other {
		o.fill(f.Name, f.Value)
	}
}

// take removes a member and returns its value.
func (o *object) take(name string) json.RawMessage {
	for i := range *o {
		if (*o)[i].Name == name {
			value := (*o)[i].Value
			*o = append((*o)[:i:i], (*o)[i+1:]...)
			return value
		}
	}
	return nil
}

func (o *object) integer(name string, n int) {
	if n != 0 {
		o.fill(name, strconv.AppendInt(nil, int64(n), 10))
	}
}

func (o *object) text(name, s string) {
	if s != "" {
		o.fill(name, llm.AppendString(nil, s))
	}
}

// picture gives a member an image, if it has none.
func (o *object) picture(name string, p *llm.Picture) {
	if p != nil {
		o.fill(name, quoted(p.Base64))
	}
}

// quoted makes base64 a JSON string: nothing in it needs an escape.
func quoted(base64 []byte) []byte {
	return append(append(append(make([]byte, 0, len(base64)+2), '"'), base64...), '"')
}

func (o object) append(dst []byte) []byte {
	dst = append(dst, '{')
	for i, f := range o {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(llm.AppendString(dst, f.Name), ':')
		dst = append(dst, f.Value...)
	}
	return append(dst, '}')
}

// isNumber names the parameters that are numbers: forms bring them as texts.
func isNumber(name string) bool {
	switch name {
	case "seed", "steps", "cfg_scale", "cfgScale", "width", "height", "samples", "numberOfImages", "left", "right", "up", "down", "grow_mask", "strength",
		"creativity", "control_strength", "controlStrength", "similarityStrength", "fidelity", "composition_fidelity", "style_strength", "change_strength",
		"image_strength":
		return true
	}
	return false
}

// clean makes a parameter what the model takes: a number that came as a text, an object or a list that came as one, and
// images without the beginning of their data URLs.
func clean(name string, raw []byte) []byte {
	if _, isText := jsonscan.Inner(raw); isText {
		text := jsonscan.Text(raw)
		if _, err := strconv.ParseFloat(text, 64); err == nil && isNumber(name) && jsonscan.Valid([]byte(text)) == nil {
			return []byte(text)
		}
		if isStructured := text != "" && (text[0] == '{' || text[0] == '['); isStructured && name != "negative_prompt" && jsonscan.Valid([]byte(text)) == nil {
			raw = []byte(text)
		}
	}
	return withoutDataURLs(raw)
}
