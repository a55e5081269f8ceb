package layout

import (
	"go/ast"
	"go/token"
	"testing"
)

// Package-level variables are tables and pools: nothing may assign to them, to their elements or to their fields.
func TestGlobalsNeverChange(t *testing.T) {
	packages := map[string][]*goFile{}
	for _, f := range goFiles(t) {
		if !f.isTest() {
			packages[f.folder()] = append(packages[f.folder()], f)
		}
	}
	for _, list := range packages {
		globals := map[string]bool{}
		for _, f := range list {
			for _, name := range packageVariables(f.syntax) {
				globals[name] = true
			}
		}
		for _, f := range list {
			for _, name := range writes(f.syntax, globals) {
				t.Errorf("%s writes to the package-level variable %s", f.path, name)
			}
		}
	}
}

func TestNoInit(t *testing.T) {
	for _, f := range goFiles(t) {
		for _, d := range f.syntax.Decls {
			if function, ok := d.(*ast.FuncDecl); ok && function.Recv == nil && function.Name.Name == "init" {
				t.Errorf("%s has an init function: effects belong where they can be seen", f.path)
			}
		}
	}
}

func packageVariables(f *ast.File) []string {
	var names []string
	for _, d := range f.Decls {
		group, ok := d.(*ast.GenDecl)
		if !ok || group.Tok != token.VAR {
			continue
		}
		for _, spec := range group.Specs {
			for _, name := range spec.(*ast.ValueSpec).Names {
				if name.Name != "_" {
					names = append(names, name.Name)
				}
			}
		}
	}
	return names
}

// writes returns the globals that a file assigns to, increments, or deletes from.
func writes(f *ast.File, globals map[string]bool) []string {
	var names []string
	write := func(target ast.Expr) {
		name := rootOf(target)
		// The parser resolves names of the same file: what it found in a function is not the global.
		if name != nil && globals[name.Name] && (name.Obj == nil || f.Scope.Lookup(name.Name) == name.Obj) {
			names = append(names, name.Name)
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			if n.Tok != token.DEFINE {
				for _, target := range n.Lhs {
					write(target)
				}
			}
		case *ast.RangeStmt:
			if n.Tok == token.ASSIGN {
				write(n.Key)
				write(n.Value)
			}
		case *ast.IncDecStmt:
			write(n.X)
		case *ast.CallExpr:
			if name, ok := n.Fun.(*ast.Ident); ok && (name.Name == "delete" || name.Name == "clear") && len(n.Args) > 0 {
				write(n.Args[0])
			}
		}
		return true
	})
	return names
}

// rootOf returns the variable that an assignment's target belongs to: t in t, t[i], t.field, *t.
func rootOf(target ast.Expr) *ast.Ident {
	for {
		switch e := target.(type) {
		case *ast.Ident:
			return e
		case *ast.IndexExpr:
			target = e.X
		case *ast.SelectorExpr:
			target = e.X
		case *ast.StarExpr:
			target = e.X
		case *ast.ParenExpr:
			target = e.X
		case *ast.UnaryExpr:
			target = e.X
		default:
			return nil
		}
	}
}

// calls returns the functions that a file calls with their package's name, such as time.Sleep.
func calls(f *ast.File) []string {
	var names []string
	ast.Inspect(f, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			if s, ok := call.Fun.(*ast.SelectorExpr); ok {
				if x, ok := s.X.(*ast.Ident); ok {
					names = append(names, x.Name+"."+s.Sel.Name)
				}
			}
		}
		return true
	})
	return names
}
