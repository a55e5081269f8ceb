package llm

import (
	"encoding/json"
	"testing"
)

func TestTextSpellings(t *testing.T) {
	f := func(spelling, want string, blank bool) {
		t.Helper()
		raw := RawText([]byte(spelling))
		if raw.String() != want || raw.IsBlank() != blank {
			t.Errorf("%s: got %q blank %v", spelling, raw.String(), raw.IsBlank())
		}
		if got := string(raw.AppendJSON(nil)); got != `"`+spelling+`"` {
			t.Errorf("%s is written as %s", spelling, got)
		}
		plain := NewText(want)
		var back string
		if err := json.Unmarshal(plain.AppendJSON(nil), &back); err != nil || back != want || plain.IsBlank() != blank {
			t.Errorf("%q is written as %s", want, plain.AppendJSON(nil))
		}
	}
	f(`hello`, "hello", false)
	f(``, "", true)
	f(`  `, "  ", true)
	f(`\n\t `, "\n\t ", true)
	f(`\u00a0`, "\u00a0", true)
	f(`\u0041`, "A", false)
	f(`é \"x\" \\ \/`, `é "x" \ /`, false)
	f(`\ud83d\ude00`, "😀", false)
	f(`\u0001`, "\x01", false)
}

func TestTrimRight(t *testing.T) {
	f := func(text Text, want string) {
		t.Helper()
		if got := text.TrimRight().String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	f(NewText("{ \n"), "{")
	f(RawText([]byte(`{ \n`)), "{")
	f(RawText([]byte(`a b`)), "a b")
}

func TestInvalidUTF8BecomesReplacement(t *testing.T) {
	if got := string(AppendString(nil, "a\xffb")); got != `"a\ufffdb"` {
		t.Errorf("got %s", got)
	}
}

func TestApplyDefaultsLetsTheClientWin(t *testing.T) {
	num := func(v float64) *float64 { return &v }
	r := &Request{Temperature: num(0.9), Extra: []Field{{Name: "a", Value: json.RawMessage("1")}}, Metadata: []Pair{{"k", "client"}}}
	r.ApplyDefaults(&Request{
		Temperature: num(0.1), TopP: num(0.5), Extra: []Field{{Name: "a", Value: json.RawMessage("2")}, {Name: "b", Value: json.RawMessage("3")}},
		Metadata: []Pair{{"k", "default"}, {"l", "default"}}, Betas: []string{"x"},
	})
	got, err := json.Marshal([]any{*r.Temperature, *r.TopP, r.Extra, r.Metadata, r.Betas})
	if err != nil {
		t.Fatal(err)
	}
	const want = `[0.9,0.5,[{"Name":"a","Value":1},{"Name":"b","Value":3}],[{"Key":"k","Value":"client"},{"Key":"l","Value":"default"}],["x"]]`
	if string(got) != want {
		t.Errorf("got %s", got)
	}
	r.ApplyDefaults(nil)
}

func TestUnsupportedFollowsThePolicy(t *testing.T) {
	r := &Request{}
	if err := r.Unsupported("seed", "m"); err == nil || err.Param != "seed" || err.Status() != 400 {
		t.Errorf("got %v", err)
	}
	r.Policy.Drop = true
	if err := r.Unsupported("seed", "m"); err != nil || len(r.Losses) != 1 || r.Losses[0] != (Loss{"seed", "unsupported"}) {
		t.Errorf("got %v, %v", err, r.Losses)
	}
}

func FuzzAppendString(f *testing.F) {
	for _, s := range []string{"", "a\"b", "\x00\x1f\x7f", "é\xff😀", "\u2028"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var back, want string
		if err := json.Unmarshal(AppendString(nil, s), &back); err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		encoded, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(encoded, &want); err != nil || back != want {
			t.Fatalf("%q: got %q, want %q", s, back, want)
		}
	})
}

func TestRunes(t *testing.T) {
	f := func(text Text, want int) {
		t.Helper()
		if got := text.Runes(); got != want {
			t.Errorf("%q: %d, not %d", text.String(), got, want)
		}
	}
	f(Text{}, 0)
	f(NewText("aé😀"), 3)
	f(RawText([]byte("aé😀")), 3)
	f(RawText([]byte(`a\né\ud83d\ude00\"`)), 5)
}
