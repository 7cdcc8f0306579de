package events_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// contractWords match the texts that only this package may contain: event types,
// names of extensions, and keys of the metadata of results and objects.
var contractWords = regexp.MustCompile(`com\.amazonaws\.s3|\bdev\.imageflow\.|\.completed\.v1|` +
	`imageflowsig|causationid|correlationid|partitionkey|knativeerror|knativebrokerttl|` +
	`^(origin|began|hops)$|^(source_bucket|source_key|source_etag|side_car|repaired|error_code|error_field)$|` +
	`^(queue|fetch|apply|store)_ms$`)

// exempt folders have no production code of the contract's users. The local broker
// stands in for Knative's and must not know ImageFlow: it repeats Knative's words.
var exempt = []string{"internal/events", "internal/local", "test", "proto", "hack"}

func TestNoLiteralsElsewhere(t *testing.T) {
	root := filepath.Join("..", "..")
	files := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(root, path)
		name = filepath.ToSlash(name)
		for _, folder := range exempt {
			if name == folder {
				return fs.SkipDir
			}
		}
		switch {
		case d.IsDir() && name != "." && strings.HasPrefix(d.Name(), "."), d.Name() == "testdata":
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		files++
		return findLiterals(t, path, name)
	})
	if err != nil || files < 100 {
		t.Errorf("read %d files: %v", files, err)
	}
}

// findLiterals fails the test at each literal of the contract in a file.
func findLiterals(t *testing.T, path, name string) error {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, path, nil, 0)
	if err != nil {
		return err
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Field: // a struct's tags are the contract of its own JSON
			return n.Tag == nil
		case *ast.BasicLit:
			if text, err := strconv.Unquote(n.Value); err == nil && n.Kind == token.STRING && contractWords.MatchString(text) {
				t.Errorf("%s:%d: %s has its name in internal/events", name, fset.Position(n.Pos()).Line, n.Value)
			}
		case *ast.IndexExpr:
			call, isCall := n.X.(*ast.CallExpr)
			_, isLiteral := n.Index.(*ast.BasicLit)
			if !isCall || !isLiteral {
				return true
			}
			if method, ok := call.Fun.(*ast.SelectorExpr); ok && method.Sel.Name == "GetMetadata" {
				t.Errorf("%s:%d: read the metadata with a key of internal/events", name, fset.Position(n.Pos()).Line)
			}
		}
		return true
	})
	return nil
}
