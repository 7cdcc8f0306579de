package imageflow_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// TestTypeParameters checks that only package functions declares type parameters: its
// New erases the types of a processor, so that no other package needs them.
func TestTypeParameters(t *testing.T) {
	files := token.NewFileSet()
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, ".pb.go") {
			return err
		}
		file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil || filepath.Dir(path) == "functions" {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			var parameters *ast.FieldList
			switch n := n.(type) {
			case *ast.FuncDecl:
				parameters = n.Type.TypeParams
			case *ast.TypeSpec:
				parameters = n.TypeParams
			}
			if parameters != nil {
				t.Errorf("%s declares type parameters", files.Position(parameters.Pos()))
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
