package main

import (
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	t.Chdir(t.TempDir())
	var out strings.Builder
	if err := run(t.Context(), []string{"-sim", "hello", "there"}, &out); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); !strings.HasPrefix(got, "You said: hello there\n(9 tokens, $0.") {
		t.Errorf("%s", got)
	}
}
