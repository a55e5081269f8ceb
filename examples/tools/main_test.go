package main

import (
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	t.Chdir(t.TempDir())
	var out strings.Builder
	if err := run(t.Context(), []string{"-sim"}, &out); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); !strings.HasPrefix(got, "looking up Boston, MA\nThe tool said: {\"sky\":\"sunny\",\"celsius\":22}") {
		t.Errorf("%s", got)
	}
}
