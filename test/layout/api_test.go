package layout

import (
	"bytes"
	"flag"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the exported API into testdata; read every change before it is kept")

// TestAPI compares what the public packages export with testdata/api.txt. A line that goes away or changes there breaks
// programs: the README says when that may be.
func TestAPI(t *testing.T) {
	const golden = "testdata/api.txt"
	var got bytes.Buffer
	for _, folder := range []string{".", "llm"} {
		for _, line := range exported(t, filepath.Join(root, folder)) {
			got.WriteString(line + "\n")
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil && !*update {
		t.Fatal(err)
	}
	if bytes.Equal(got.Bytes(), want) {
		return
	}
	if *update {
		if err := os.WriteFile(golden, got.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	have, had := strings.Split(got.String(), "\n"), strings.Split(string(want), "\n")
	for _, line := range had {
		if !slices.Contains(have, line) {
			t.Errorf("gone or changed: %s", line)
		}
	}
	for _, line := range have {
		if !slices.Contains(had, line) {
			t.Errorf("new: %s", line)
		}
	}
	t.Error("the exported API is another: look at it, and run go test ./test/layout -run TestAPI -update")
}

// exported lists what a package exports, a line for each name, member and method.
func exported(t *testing.T, folder string) []string {
	t.Helper()
	set := token.NewFileSet()
	names, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(set, name, nil, 0) // without comments
		if err != nil {
			t.Fatal(err)
		}
		ast.FileExports(file)
		for _, d := range file.Decls {
			lines = append(lines, declaration(set, file.Name.Name, d)...)
		}
	}
	slices.Sort(lines)
	return lines
}

func declaration(set *token.FileSet, pkg string, d ast.Decl) []string {
	text := func(n any) string {
		var out bytes.Buffer
		_ = printer.Fprint(&out, set, n) // a bytes.Buffer takes everything
		return strings.Join(strings.Fields(out.String()), " ")
	}
	if f, ok := d.(*ast.FuncDecl); ok {
		f.Body = nil
		if f.Recv != nil && !ast.IsExported(strings.TrimLeft(text(f.Recv.List[0].Type), "*")) {
			return nil
		}
		return []string{pkg + ": " + text(f)}
	}
	group, ok := d.(*ast.GenDecl)
	if !ok || group.Tok == token.IMPORT {
		return nil
	}
	var lines []string
	kind := ""
	for _, spec := range group.Specs {
		switch spec := spec.(type) {
		case *ast.ValueSpec:
			if spec.Type != nil {
				kind = " " + text(spec.Type)
			} else if len(spec.Values) > 0 {
				kind = ""
			}
			for i, name := range spec.Names {
				line := pkg + ": " + group.Tok.String() + " " + name.Name + kind
				if i < len(spec.Values) && group.Tok == token.CONST {
					line += " = " + text(spec.Values[i])
				}
				lines = append(lines, line)
			}
		case *ast.TypeSpec:
			members, isStruct := spec.Type.(*ast.StructType)
			if !isStruct {
				lines = append(lines, pkg+": type "+text(spec))
				continue
			}
			lines = append(lines, pkg+": type "+spec.Name.Name+" struct")
			for _, m := range members.Fields.List {
				for _, name := range m.Names {
					lines = append(lines, pkg+": type "+spec.Name.Name+" struct, "+name.Name+" "+text(m.Type))
				}
				if len(m.Names) == 0 {
					lines = append(lines, pkg+": type "+spec.Name.Name+" struct, embedded "+text(m.Type))
				}
			}
		}
	}
	return lines
}
