package jsonscan

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestSkipAcceptsWhatEncodingJSONAccepts(t *testing.T) {
	for _, text := range seeds {
		checkAgainstEncodingJSON(t, []byte(text))
	}
}

func TestErrorsNameTheirOffset(t *testing.T) {
	f := func(text string, offset int, reason string) {
		t.Helper()
		var e *Error
		if err := Valid([]byte(text)); !errors.As(err, &e) || e.Offset != offset || !strings.Contains(e.Reason, reason) {
			t.Errorf("%q: got %v, want %q at %d", text, err, reason, offset)
		}
	}
	f(`{"a":}`, 5, "unexpected character")
	f(`{"a" 1}`, 5, "expected ':'")
	f(`[1 2]`, 3, "',' or ']'")
	f(`{"a":1`, 6, "unexpected end")
	f(`"abc`, 4, "unterminated")
	f("\"a\nb\"", 2, "control character")
	f(`"\x"`, 1, "invalid escape")
	f("\"\xff\"", 1, "UTF-8")
	f(`NaN`, 0, "unexpected character")
	f(`-Infinity`, 1, "expected a number")
	f(`1.`, 2, "decimal point")
	f(`1e`, 2, "exponent")
	f(`tru`, 0, "expected true")
	f(`{} {}`, 3, "after the value")
	f(strings.Repeat("[", 129), 128, "128 levels")
}

func TestDepthLimitHoldsAcrossOpenAndSkip(t *testing.T) {
	f := func(levels int, ok bool) {
		t.Helper()
		s := New([]byte(`{"a":` + strings.Repeat(`[`, levels) + strings.Repeat(`]`, levels) + `}`))
		if _, err := s.OpenObject(); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Key(); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Skip(); (err == nil) != ok {
			t.Errorf("%d levels: %v", levels, err)
		}
	}
	f(127, true)
	f(128, false)
}

func TestKeyIsUnescaped(t *testing.T) {
	s := New([]byte(`{"mod\u0065l":1}`))
	if _, err := s.OpenObject(); err != nil {
		t.Fatal(err)
	}
	if key, err := s.Key(); err != nil || string(key) != "model" {
		t.Errorf("got %q, %v", key, err)
	}
}

func TestDelete(t *testing.T) {
	f := func(raw, path, want string) {
		t.Helper()
		got, changed := Delete([]byte(raw), strings.Split(path, ".")...)
		if string(got) != want || changed != (raw != want) {
			t.Errorf("%s without %s: got %s", raw, path, got)
		}
	}
	f(`{"a":1,"b":2}`, "a", `{"b":2}`)
	f(`{"a":1, "b" : 2}`, "b", `{"a":1}`)
	f(`{"a":{"b":{"c":1,"d":[1, 2]}}}`, "a.b.c", `{"a":{"b":{"d":[1, 2]}}}`)
	f(`[{"strict":true,"x":1},{"x":2},3]`, "*.strict", `[{"x":1},{"x":2},3]`)
	f(`{"a":[{"b":1},{"b":2,"c":{}}]}`, "a.*.b", `{"a":[{},{"c":{}}]}`)
	f(`{"a":1}`, "b", `{"a":1}`)
	f(`{"a":1}`, "a.b", `{"a":1}`)
	f(`{"\u0061":1}`, "a", `{}`)
}

func TestCompactAndEscape(t *testing.T) {
	f := func(in, compact string) {
		t.Helper()
		if got := AppendCompact(nil, []byte(in)); string(got) != compact {
			t.Errorf("compact %s: got %s", in, got)
		}
		quoted := append(append([]byte{'"'}, AppendEscaped(nil, []byte(in))...), '"')
		var back string
		if err := json.Unmarshal(quoted, &back); err != nil || back != in {
			t.Errorf("escape %s: got %s, %v", in, quoted, err)
		}
	}
	f(`{ "a" : [ 1 , "b c\" d" ] }`, `{"a":[1,"b c\" d"]}`)
	f("{\n\t\"a\":\r 1}", `{"a":1}`)
	f(`{"a":1}`, `{"a":1}`)
	f(`"é \\"`, `"é \\"`)
}

var seeds = []string{
	``, ` `, `null`, `true`, `false`, `0`, `-0`, `01`, `1.5e+10`, `1E5`, `-`, `.5`, `+1`, `"a"`, `"\u00e9\ud83d\ude00"`, `"\ud800"`,
	`"\u12g4"`, `[]`, `[ ]`, `[1,2,]`, `[,]`, `{}`, `{ }`, `{"a":1,"a":2}`, `{"a":{"b":[{"c":[]},{}]}}`, `{"a":1,}`, `{a:1}`, `{"a":1}x`,
	`[[[[]]]]`, `[{"a":[1,{"b":null}],"c":true}]`, "\"\x00\"", "\"\xc3\xa9 é 日本語 long enough to cross words\"", "\"\xc3\"", "\"1234567\xff\"",
	"\ufeff{}", `"\/\b\f\n\r\t\"\\"`, `{"a":"` + strings.Repeat("x", 100) + `\n"}`, "[1\n,\t2\r]", `"unterminated\`, `{"a"`, `{"a":`, `[1`, `[1 `,
}

func FuzzScanner(f *testing.F) {
	for _, text := range seeds {
		f.Add([]byte(text))
	}
	f.Fuzz(checkAgainstEncodingJSON)
}

func checkAgainstEncodingJSON(t *testing.T, data []byte) {
	if depth(data) > MaxDepth {
		return
	}
	want := json.Valid(data) && utf8.Valid(data)
	err := Valid(data)
	if (err == nil) != want {
		t.Fatalf("%q: err %v, want valid %v", data, err, want)
	}
	if err != nil {
		return
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, data); err != nil {
		t.Fatal(err)
	}
	if got := AppendCompact(nil, data); !bytes.Equal(got, compact.Bytes()) {
		t.Fatalf("compact %q: got %q, want %q", data, got, compact.Bytes())
	}
	s := New(data)
	if s.Peek() == KindString {
		raw, err := s.String()
		if err != nil {
			t.Fatal(err)
		}
		var want string
		if err := json.Unmarshal(data, &want); err != nil {
			t.Fatal(err)
		}
		if got := AppendUnescaped(nil, raw); string(got) != want {
			t.Fatalf("unescape %q: got %q, want %q", raw, got, want)
		}
	}
}

func depth(data []byte) int {
	deepest, now := 0, 0
	for _, c := range data {
		switch c {
		case '[', '{':
			now++
			deepest = max(deepest, now)
		case ']', '}':
			now--
		}
	}
	return deepest
}

func BenchmarkSkip(b *testing.B) {
	text := []byte(`{"messages":[{"role":"user","content":"` + strings.Repeat(`The quick brown fox.\n`, 10000) + `"}]}`)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if err := Valid(text); err != nil {
			b.Fatal(err)
		}
	}
}
