package job

import (
	_ "embed"
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"
)

//go:embed run.go
var runFile string

// run can be read from top to bottom: it and all methods of Runner that it calls, directly
// or not, are in one file of at most 300 lines.
func TestRun_isInOneFile(t *testing.T) {
	const name, maxLines = "run.go", 300
	if lines := strings.Count(runFile, "\n"); lines > maxLines {
		t.Errorf("%s has %d lines", name, lines)
	}
	file, err := parser.ParseFile(token.NewFileSet(), name, runFile, 0)
	if err != nil {
		t.Fatal(err)
	}
	methods := map[string]*ast.FuncDecl{}
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Recv != nil {
			methods[f.Name.Name] = f
		}
	}
	if methods["run"] == nil {
		t.Fatalf("run is not in %s", name)
	}
	for _, m := range methods {
		for _, called := range calledOn(m) {
			if methods[called] == nil {
				t.Errorf("%s calls %s, which is not in %s", m.Name.Name, called, name)
			}
		}
	}
}

// calledOn returns the methods that a method calls on its receiver.
func calledOn(m *ast.FuncDecl) (names []string) {
	receiver := m.Recv.List[0].Names[0].Name
	ast.Inspect(m.Body, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			if f, ok := call.Fun.(*ast.SelectorExpr); ok {
				if x, ok := f.X.(*ast.Ident); ok && x.Name == receiver {
					names = append(names, f.Sel.Name)
				}
			}
		}
		return true
	})
	return names
}
