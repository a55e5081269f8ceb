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
	if got := out.String(); !strings.Contains(got, "Washington, D.C. is the capital of the United States.\n") {
		t.Errorf("%s", got)
	}
}
