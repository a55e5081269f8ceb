package layout

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// root is the repository, seen from this package.
const root = "../.."

// module is the path that go.mod names.
const module = "github.com/outcrop-ai/outcrop"

// goFile is one Go file of the repository.
type goFile struct {
	path    string // from the root, with slashes
	syntax  *ast.File
	imports []string
}

func (f *goFile) isTest() bool { return strings.HasSuffix(f.path, "_test.go") }

func (f *goFile) folder() string { return path.Dir(f.path) }

// skipped says which folders hold nothing of ours: what is built, fetched or kept by Git.
func skipped(name string) bool {
	return slices.Contains([]string{".git", ".cache", "bin", "node_modules", "__pycache__", ".pytest_cache"}, name)
}

// files calls visit with every file of the repository.
func files(t *testing.T, visit func(name string, size int64)) {
	t.Helper()
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if skipped(d.Name()) {
				return filepath.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() || d.Name() == ".git" { // the latter is where a second worktree says where its repository is
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		visit(filepath.ToSlash(relative), info.Size())
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// goFiles parses every Go file of the repository, those for other systems too.
func goFiles(t *testing.T) []*goFile {
	t.Helper()
	var list []*goFile
	set := token.NewFileSet()
	files(t, func(name string, _ int64) {
		if path.Ext(name) != ".go" || strings.Contains(name, "/testdata/") {
			return
		}
		syntax, err := parser.ParseFile(set, filepath.Join(root, name), nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		f := &goFile{path: name, syntax: syntax}
		for _, spec := range syntax.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			f.imports = append(f.imports, imported)
		}
		list = append(list, f)
	})
	if len(list) < 100 {
		t.Fatalf("found only %d Go files below %s: the walk goes wrong", len(list), root)
	}
	return list
}
