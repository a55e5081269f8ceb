package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestDocumentedConfigs loads one file for each shape of configuration that LiteLLM's pages on Bedrock show. The
// comments of a file list the problems that it must give, if any, each after "# want: ".
func TestDocumentedConfigs(t *testing.T) {
	paths, err := filepath.Glob("testdata/documented/*.yaml")
	if err != nil || len(paths) == 0 {
		t.Fatal("no files", err)
	}
	env := vars("AWS_ACCESS_KEY_ID", "AKIAX", "AWS_SECRET_ACCESS_KEY", "secret", "AWS_REGION_NAME", "us-west-2",
		"CUSTOM_AWS_ACCESS_KEY_ID", "AKIAY", "CUSTOM_AWS_SECRET_ACCESS_KEY", "secret", "CUSTOM_AWS_REGION_NAME", "eu-west-1")
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var want []string
			for line := range strings.Lines(string(data)) {
				if w, ok := strings.CutPrefix(strings.TrimSpace(line), "# want: "); ok {
					want = append(want, w)
				}
			}
			c, problems := Parse("c.yaml", data, env)
			if got := printed(problems); !slices.Equal(got, want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			if !HasErrors(problems) && len(c.ModelList) == 0 {
				t.Error("no deployments")
			}
		})
	}
}
