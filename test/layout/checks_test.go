package layout

import (
	"go/parser"
	"go/token"
	"slices"
	"testing"
)

// The checks above pass on a clean repository; these show that they can fail.

func TestWritesAreFound(t *testing.T) {
	f := func(body string, want ...string) {
		t.Helper()
		source := "package p\nvar table = map[string]int{}\nvar state struct{ n int }\nfunc f(list []int) {\n" + body + "\n}\n"
		syntax, err := parser.ParseFile(token.NewFileSet(), "p.go", source, 0)
		if err != nil {
			t.Fatal(err)
		}
		globals := map[string]bool{}
		for _, name := range packageVariables(syntax) {
			globals[name] = true
		}
		globals["other"] = true // of another file of the package
		if got := writes(syntax, globals); !slices.Equal(got, want) {
			t.Errorf("writes(%s) = %v, want %v", body, got, want)
		}
	}
	f(`table["a"] = 1`, "table")
	f(`delete(table, "a")`, "table")
	f(`clear(table)`, "table")
	f(`state.n++`, "state")
	f(`(&state).n, other = 1, 2`, "state", "other")
	f(`for state.n = range list {}`, "state")
	f(`other.x[1].y = 2`, "other")
	f(`table := map[string]int{}; table["a"] = 1`)
	f(`n := table["a"]; n++`)
	f(`list[0] = 1`)
}

func TestMatches(t *testing.T) {
	f := func(pattern, name string, want bool) {
		t.Helper()
		if got := matches([]string{pattern}, name); got != want {
			t.Errorf("matches(%q, %q) = %v", pattern, name, got)
		}
	}
	f("internal/…", "internal/sim", true)
	f("internal/bedrock/…", "internal/bedrock/wire", true)
	f("internal/bedrock/…", "internal/router", false)
	f("llm", "llm", true)
	f("llm", "llm/more", false)
}

func TestMentionsAreFound(t *testing.T) {
	f := func(text string, want bool) {
		t.Helper()
		if got := mention(text) != ""; got != want {
			t.Errorf("mention(%q) found: %v, want %v", text, got, want)
		}
	}
	f("see /wor"+"k/main/x", true)
	f("cd /ro"+"ot", true)
	f("GOPROXY=https://proxy.go"+"lang.org", true)
	f("\"resolved\": \"https://registry.npm"+"js.org/x\"", true)
	f("https://pypi"+".org/simple", true)
	f("network/main and roots of trust", false)
	f("https://docs.aws.amazon.com/bedrock/", false)
	f("https://homework/rooted", false)
}
