package admin

import (
	"bytes"
	"encoding/json"
	"maps"
	"math/big"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/llm"
)

// field is one field of a body, and of the answer that tells what is stored.
type field[T any] struct {
	name string
	// set takes over a value; null sets it back to what it is without a word. The result is what is wrong with it: "must be …".
	set func(*T, json.RawMessage) string
	// get returns the value for an answer; nil leaves the field out of answers.
	get func(*T) any
}

// decode reads a body of these fields into dst and returns the names of those that it has.
func decode[T any](body []byte, dst *T, lists ...[]field[T]) (map[string]bool, *llm.Error) {
	members, failed := object(body)
	if failed != nil {
		return nil, failed
	}
	named := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		f := lookUp(name, lists)
		if f == nil {
			return nil, unknownField(name)
		}
		if wrong := f.set(dst, members[name]); wrong != "" {
			return nil, &llm.Error{Kind: llm.KindInvalid, HTTPStatus: http.StatusUnprocessableEntity, Code: "invalid_value", Param: name, Message: name + " " + wrong}
		}
		named[name] = true
	}
	return named, nil
}

func lookUp[T any](name string, lists [][]field[T]) *field[T] {
	for _, list := range lists {
		for i := range list {
			if list[i].name == name {
				return &list[i]
			}
		}
	}
	return nil
}

// unknownField refuses what nobody knows: it would be lost without a word.
func unknownField(name string) *llm.Error {
	return &llm.Error{Kind: llm.KindInvalid, HTTPStatus: http.StatusUnprocessableEntity, Code: "unknown_parameter", Param: clip(name), Message: "unknown field " + strconv.Quote(clip(name))}
}

func clip(name string) string {
	const most = 60
	if len(name) > most {
		return name[:most] + "…"
	}
	return name
}

// maxDepth bounds how deep values lie in each other.
const maxDepth = 64

// object reads the members of a JSON object, each once.
func object(body []byte) (map[string]json.RawMessage, *llm.Error) {
	bad := func(why string) *llm.Error {
		return &llm.Error{Kind: llm.KindInvalid, Code: "invalid_json", Param: "request_body", Message: "Invalid JSON payload: " + why}
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return map[string]json.RawMessage{}, nil
	}
	if tooDeep(body) {
		return nil, bad("values lie too deep in each other")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, bad("it must be an object")
	}
	members := map[string]json.RawMessage{}
	for d.More() {
		t, err := d.Token()
		name, ok := t.(string)
		if err != nil || !ok {
			return nil, bad("it is cut or malformed")
		}
		var value json.RawMessage
		if d.Decode(&value) != nil {
			return nil, bad("it is cut or malformed")
		}
		if _, twice := members[name]; twice {
			return nil, bad("the field " + strconv.Quote(clip(name)) + " stands there twice")
		}
		members[name] = value
	}
	if _, err := d.Token(); err != nil {
		return nil, bad("it is cut or malformed")
	}
	if _, err := d.Token(); err == nil || d.InputOffset() < int64(len(bytes.TrimRight(body, " \t\r\n"))) {
		return nil, bad("something follows the object")
	}
	return members, nil
}

func tooDeep(body []byte) bool {
	depth, inText := 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case inText && c == '\\':
			i++
		case c == '"':
			inText = !inText
		case inText:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

// show adds the fields of a value to an answer.
func show[T any](answer Answer, v *T, lists ...[]field[T]) {
	for _, list := range lists {
		for i := range list {
			if f := &list[i]; f.get != nil {
				answer[f.name] = f.get(v)
			}
		}
	}
}

// on makes fields of a part fields of the whole.
func on[T, P any](part func(*T) *P, list []field[P]) []field[T] {
	out := make([]field[T], len(list))
	for i, f := range list {
		out[i] = field[T]{name: f.name, set: func(v *T, raw json.RawMessage) string { return f.set(part(v), raw) }}
		if f.get != nil {
			out[i].get = func(v *T) any { return f.get(part(v)) }
		}
	}
	return out
}

func isNull(raw json.RawMessage) bool { return string(bytes.TrimSpace(raw)) == "null" }

// value reads JSON into a place. For null it sets the zero value.
func value[V any](dst *V, raw json.RawMessage, want string) string {
	var v V
	if !isNull(raw) {
		if err := json.Unmarshal(raw, &v); err != nil {
			return "must be " + want
		}
	}
	*dst = v
	return ""
}

// maxText bounds the texts of fields, in bytes.
const maxText = 1024

func text[T any](name string, at func(*T) *string) field[T] {
	return field[T]{name, func(v *T, raw json.RawMessage) string {
		var s string
		if wrong := value(&s, raw, "a string"); wrong != "" {
			return wrong
		}
		if len(s) > maxText || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return "must be a line of at most 1024 characters"
		}
		*at(v) = s
		return ""
	}, func(v *T) any { return orNull(*at(v)) }}
}

// choice is a text of a few words.
func choice[T any](name string, at func(*T) *string, words ...string) field[T] {
	f := text(name, at)
	set := f.set
	f.set = func(v *T, raw json.RawMessage) string {
		if wrong := set(v, raw); wrong != "" {
			return wrong
		}
		if s := *at(v); s != "" && !slices.Contains(words, s) {
			return "must be one of " + strings.Join(words, ", ")
		}
		return ""
	}
	return f
}

func list[T any](name string, at func(*T) *[]string) field[T] {
	return field[T]{
		name, func(v *T, raw json.RawMessage) string { return value(at(v), raw, "a list of strings") },
		func(v *T) any { return orEmpty(*at(v)) },
	}
}

func orEmpty(l []string) []string {
	if l == nil {
		return []string{}
	}
	return l
}

func flag[T any](name string, at func(*T) *bool) field[T] {
	return field[T]{
		name, func(v *T, raw json.RawMessage) string { return value(at(v), raw, "true or false") },
		func(v *T) any { return *at(v) },
	}
}

// count is a number that is not negative; null is no limit.
func count[T any](name string, at func(*T) **int64) field[T] {
	return field[T]{name, func(v *T, raw json.RawMessage) string {
		var n *int64
		if wrong := value(&n, raw, "a whole number"); wrong != "" {
			return wrong
		}
		if n != nil && *n < 0 {
			return "must not be negative"
		}
		*at(v) = n
		return ""
	}, func(v *T) any { return *at(v) }}
}

func counts[T any](name string, at func(*T) *map[string]int64) field[T] {
	return field[T]{name, func(v *T, raw json.RawMessage) string {
		var m map[string]int64
		if wrong := value(&m, raw, "an object of whole numbers by model"); wrong != "" {
			return wrong
		}
		for _, n := range m {
			if n < 0 {
				return "must not hold negative numbers"
			}
		}
		*at(v) = m
		return ""
	}, func(v *T) any { return orEmptyMap(*at(v)) }}
}

func names[T any](name string, at func(*T) *map[string]string) field[T] {
	return field[T]{
		name, func(v *T, raw json.RawMessage) string { return value(at(v), raw, "an object of strings") },
		func(v *T) any { return orEmptyMap(*at(v)) },
	}
}

func orEmptyMap[V any](m map[string]V) map[string]V {
	if m == nil {
		return map[string]V{}
	}
	return m
}

// dollars is a sum of money in USD, as a number or a string; null is none.
func dollars[T any](name string, at func(*T) **account.Amount) field[T] {
	return field[T]{name, func(v *T, raw json.RawMessage) string {
		a, wrong := parseUSD(raw)
		if wrong != "" {
			return wrong
		}
		*at(v) = a
		return ""
	}, func(v *T) any { return usdOrNull(*at(v)) }}
}

// parseUSD reads a sum of USD; null and "" are none.
func parseUSD(raw json.RawMessage) (*account.Amount, string) {
	const want = "must be a sum of USD from 0 to 9,000,000"
	digits := string(bytes.TrimSpace(raw))
	if strings.HasPrefix(digits, `"`) {
		if json.Unmarshal(raw, &digits) != nil {
			return nil, want
		}
	}
	if digits == "null" || digits == "" {
		return nil, ""
	}
	const longest = 40 // an exponent of a million digits is a number, too
	if len(digits) > longest || strings.ContainsAny(digits, "/_xXpPbBoO") {
		return nil, want
	}
	if f, err := strconv.ParseFloat(digits, 64); err != nil || !(f >= 0 && f <= 9_000_000) || f != 0 && f < 1e-13 {
		return nil, want
	}
	r, ok := new(big.Rat).SetString(digits)
	if !ok {
		return nil, want
	}
	r.Mul(r, big.NewRat(1_000_000_000_000, 1))
	n := new(big.Int).Quo(new(big.Int).Add(new(big.Int).Mul(r.Num(), big.NewInt(2)), r.Denom()), new(big.Int).Mul(r.Denom(), big.NewInt(2)))
	a := account.Amount(n.Int64())
	return &a, ""
}

// usd is a sum of money in answers: exact, as a JSON number.
func usd(a account.Amount) json.Number { return json.Number(a.String()) }

func usdOrNull(a *account.Amount) any {
	if a == nil {
		return nil
	}
	return usd(*a)
}

// duration is a text such as 30d.
func duration[T any](name string, at func(*T) *string) field[T] {
	return field[T]{name, func(v *T, raw json.RawMessage) string {
		var s string
		if wrong := value(&s, raw, "a string such as 30d"); wrong != "" {
			return wrong
		}
		if s != "" && account.CheckDuration(s) != nil {
			return "must be a number and a unit, such as 30s, 20m, 12h, 30d, 2w or 1mo"
		}
		*at(v) = s
		return ""
	}, func(v *T) any { return orNull(*at(v)) }}
}

func moment[T any](name string, at func(*T) *time.Time) field[T] {
	return field[T]{name, func(v *T, raw json.RawMessage) string {
		var s string
		if wrong := value(&s, raw, "a time such as 2026-12-31T00:00:00Z"); wrong != "" {
			return wrong
		}
		t, ok := parseTime(s)
		if !ok {
			return "must be a time such as 2026-12-31T00:00:00Z"
		}
		*at(v) = t
		return ""
	}, func(v *T) any { return when(*at(v)) }}
}

// parseTime reads RFC 3339 and what Python writes for it; without a zone it is UTC. Empty is the zero time.
func parseTime(s string) (time.Time, bool) {
	if s == "" {
		return time.Time{}, true
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999", "2006-01-02"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// document is any JSON object, kept as it is.
func document[T any](name string, at func(*T) *json.RawMessage) field[T] {
	return field[T]{name, func(v *T, raw json.RawMessage) string {
		if isNull(raw) {
			*at(v) = nil
			return ""
		}
		var m map[string]json.RawMessage
		if json.Unmarshal(raw, &m) != nil {
			return "must be an object"
		}
		*at(v) = compact(raw)
		return ""
	}, func(v *T) any {
		if len(*at(v)) == 0 {
			return Answer{}
		}
		return *at(v)
	}}
}

// rowMetadata is the metadata of those whose spend_logs_metadata the rows of their calls have: what no row could have is
// refused here, where somebody is told.
func rowMetadata[T any](name string, at func(*T) *json.RawMessage) field[T] {
	f := document(name, at)
	set := f.set
	f.set = func(v *T, raw json.RawMessage) string {
		if wrong := set(v, raw); wrong != "" {
			return wrong
		}
		var m map[string]json.RawMessage
		if json.Unmarshal(*at(v), &m) == nil && m["spend_logs_metadata"] != nil && !isNull(m["spend_logs_metadata"]) && account.SpendMetadata(*at(v)) == nil {
			return "has a spend_logs_metadata that must be an object of " + strconv.Itoa(account.MaxMetadata) + " bytes at most"
		}
		return ""
	}
	return f
}

func compact(raw json.RawMessage) json.RawMessage {
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return raw
	}
	return b.Bytes()
}

// kept are fields that are stored and returned, and that nothing here acts on: what they say concerns parts that LiteLLM has
// and Outcrop has not, or is for people.
func kept[T any](at func(*T) *json.RawMessage, fields ...string) []field[T] {
	var out []field[T]
	for _, name := range fields {
		out = append(out, field[T]{name, func(v *T, raw json.RawMessage) string {
			m := map[string]json.RawMessage{}
			_ = json.Unmarshal(*at(v), &m) // it was made here
			delete(m, name)
			if !isNull(raw) {
				m[name] = compact(raw)
			}
			*at(v) = nil
			if len(m) > 0 {
				*at(v), _ = json.Marshal(m) // of valid JSON
			}
			return ""
		}, func(v *T) any {
			m := map[string]json.RawMessage{}
			_ = json.Unmarshal(*at(v), &m) // as above
			if raw, ok := m[name]; ok {
				return raw
			}
			return nil
		}})
	}
	return out
}

// unserved are fields that change what a call does, in a way that Outcrop has not: to take them without a word would let
// people believe in what does not happen. What says nothing is let pass.
func unserved[T any](why string, fields ...string) []field[T] {
	var out []field[T]
	for _, name := range fields {
		out = append(out, field[T]{name: name, set: func(_ *T, raw json.RawMessage) string {
			switch string(compact(raw)) {
			case "null", "false", `""`, "[]", "{}":
				return ""
			}
			return "is not supported: " + why
		}})
	}
	return out
}

// ignored are fields that are read and come to nothing, since they say what is so anyway.
func ignored[T any](fields ...string) []field[T] {
	var out []field[T]
	for _, name := range fields {
		out = append(out, field[T]{name: name, set: func(*T, json.RawMessage) string { return "" }})
	}
	return out
}
