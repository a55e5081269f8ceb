package jsonscan

import (
	"slices"
	"strings"
	"testing"
)

func TestMembers(t *testing.T) {
	var got []string
	for name, value := range Members([]byte(`{"a":1,"b\u0062":{"c":"d"},"e":[ ]} `)) {
		got = append(got, name, string(value))
	}
	if want := []string{"a", "1", "bb", `{"c":"d"}`, "e", "[ ]"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	for name := range Members([]byte(`{"a":1,"b":2}`)) {
		if name != "a" {
			t.Error("it does not stop")
		}
		break
	}
	for _, raw := range []string{``, `[1]`, `"a"`, `{`, `{"a"}`, `{"a":}`} {
		for name := range Members([]byte(raw)) {
			t.Errorf("%s has %s", raw, name)
		}
	}
}

func TestElements(t *testing.T) {
	var got []string
	for value := range Elements([]byte(`[1, "b",[3],{}]`)) {
		got = append(got, string(value))
	}
	if want := []string{"1", `"b"`, "[3]", "{}"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	for _, raw := range []string{``, `{"a":1}`, `[`, `[}`} {
		for value := range Elements([]byte(raw)) {
			t.Errorf("%s has %s", raw, value)
		}
	}
}

func TestMemberAndText(t *testing.T) {
	raw := []byte(`{"a":{"b":[1],"c":"x\ny"},"a2":null}`)
	if got := Member(raw, "a", "b"); string(got) != "[1]" {
		t.Errorf("%s", got)
	}
	if Member(raw, "a", "z") != nil || Member(raw, "a", "b", "c") != nil || Member(nil, "a") != nil {
		t.Error("a member that is not there")
	}
	if got := Text(Member(raw, "a", "c")); got != "x\ny" {
		t.Errorf("%q", got)
	}
	if got := Text(Member(raw, "a2")); got != "" {
		t.Errorf("%q", got)
	}
	if inner, ok := Inner([]byte(`"a\"b"`)); !ok || string(inner) != `a\"b` {
		t.Errorf("%s %v", inner, ok)
	}
}

func TestReplace(t *testing.T) {
	f := func(raw, path, want string, n int) {
		t.Helper()
		got, found := Replace([]byte(raw), []byte(`7`), strings.Split(path, ".")...)
		if string(got) != want || found != n || len(All([]byte(raw), strings.Split(path, ".")...)) != n {
			t.Errorf("%s of %s: %s, %d", path, raw, got, found)
		}
	}
	f(`{"a":1}`, "a", `{"a":7}`, 1)
	f("{ \"b\" : [ 1 ] ,\n\"a\"\t:\r{ } , \"c\":1e3}", "a", "{ \"b\" : [ 1 ] ,\n\"a\"\t:\r7 , \"c\":1e3}", 1)
	f(`{"a":1,"\u0061":"x"}`, "a", `{"a":7,"\u0061":7}`, 2)
	f(`{"a":{"b":1},"b":2,"a":{"c":3,"b":4}}`, "a.b", `{"a":{"b":7},"b":2,"a":{"c":3,"b":7}}`, 2)
	f(`{"a":[{"b":1}]}`, "a.b", `{"a":[{"b":1}]}`, 0)
	f(`[1]`, "a", `[1]`, 0)
	f(``, "a", ``, 0)
}

func TestAppend(t *testing.T) {
	f := func(raw, want string) {
		t.Helper()
		if got := string(Append([]byte(raw), `a"b`, []byte(`[1]`))); got != want {
			t.Errorf("%s: %s", raw, got)
		}
	}
	f(`{}`, `{"a\"b":[1]}`)
	f("{ \"x\":1 }\n", "{ \"x\":1 ,\"a\\\"b\":[1]}\n")
}
