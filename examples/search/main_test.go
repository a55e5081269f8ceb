package main

import (
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	t.Chdir(t.TempDir())
	var out strings.Builder
	if err := run(t.Context(), []string{"-sim", "Granite is an igneous rock."}, &out); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); !strings.HasPrefix(got, "+1.000  Granite is an igneous rock.\n") {
		t.Errorf("%s", got)
	}
}
