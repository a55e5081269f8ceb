package outcrop_test

import (
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the examples into the documentation")

// prologue is how the examples begin that need no option; the documentation shows it once.
const prologue = `ctx := context.Background()
c, err := outcrop.New(ctx)
if err != nil {
	log.Fatal(err)
}
defer c.Close()

`

// TestDocs holds the code in docs/sdk.md equal to the examples that run as tests: behind a comment with the name of one, its
// body stands as a block of Go.
func TestDocs(t *testing.T) {
	bodies := examples(t, sources)
	path := filepath.Join(sources, "docs", "sdk.md")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	marks := regexp.MustCompile("(?s)<!-- (Example\\w*) -->\n```go\n(.*?)```\n")
	seen := map[string]bool{}
	text := marks.ReplaceAllStringFunc(string(data), func(block string) string {
		parts := marks.FindStringSubmatch(block)
		name, code := parts[1], parts[2]
		seen[name] = true
		body, known := bodies[name]
		switch {
		case !known:
			t.Errorf("there is no example %s", name)
			return block
		case name != "Example": // which shows the prologue
			body = strings.TrimPrefix(body, prologue)
		}
		if code != body && !*update {
			t.Errorf("%s: the code is\n%s\nand the example has\n%s", name, code, body)
		}
		return "<!-- " + name + " -->\n```go\n" + body + "```\n"
	})
	for name := range bodies {
		if !seen[name] {
			t.Errorf("the example %s is not in docs/sdk.md", name)
		}
	}
	if *update {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// examples returns the bodies of the example functions, as they would stand at the left margin.
func examples(t *testing.T, folder string) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*_example_test.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	found := map[string]string{}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		set := token.NewFileSet()
		syntax, err := parser.ParseFile(set, file, source, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range syntax.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || !strings.HasPrefix(f.Name.Name, "Example") {
				continue
			}
			lines := strings.Split(string(source[set.Position(f.Body.Lbrace).Offset+2:set.Position(f.Body.Rbrace).Offset]), "\n")
			for i := range lines {
				lines[i] = strings.TrimPrefix(lines[i], "\t")
			}
			found[f.Name.Name] = strings.Join(lines, "\n")
			if !slices.ContainsFunc(lines, func(line string) bool { return strings.HasPrefix(line, "// Output:") }) {
				t.Errorf("%s has no output, and does not run", f.Name.Name)
			}
		}
	}
	return found
}
