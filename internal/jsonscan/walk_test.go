package jsonscan

import (
	"slices"
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
