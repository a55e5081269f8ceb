package layout

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// private are what no file may mention: folders of the machines that it was written on, and hosts that an ordinary
// package client finds by itself. The words are cut in two, so that this file passes.
var private = regexp.MustCompile(`(^|[^A-Za-z0-9._/-])/(wor` + `k|ro` + `ot|home/[a-z]+)(/|\s|$)` +
	`|(proxy|sum)\.go` + `lang\.org|registry\.npm` + `js\.org|registry\.yarn` + `pkg\.com|pypi` + `\.org|pythonhosted` + `\.org` +
	`|(static|index)\.crat` + `es\.io|repo[0-9]*\.maven|deb\.debi` + `an\.org`)

// mention returns the forbidden words in a text, or nothing.
func mention(text string) string { return private.FindString(text) }

func TestFilesMentionNothingPrivate(t *testing.T) {
	seen := 0
	files(t, func(name string, size int64) {
		if size > 8<<20 {
			t.Errorf("%s has %d bytes: no file of ours needs that", name, size)
			return
		}
		data, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.IndexByte(data, 0) >= 0 {
			return // not text
		}
		seen++
		for i, line := range strings.Split(string(data), "\n") {
			if found := mention(line); found != "" {
				t.Errorf("%s:%d mentions %q", name, i+1, strings.TrimSpace(found))
			}
		}
	})
	if seen < 100 {
		t.Fatalf("looked at only %d files", seen)
	}
}
