package imageflow_test

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "imageflow.dev/"

// floors lists the packages of this module that each package may import. The names are
// patterns of path.Match, and the first entry that matches a package applies.
var floors = []struct {
	pkg string
	may []string
}{
	{"proto/imageflow/v1", nil},
	{"proto/inference", nil},
	{"internal/imaging", nil},
	{"internal/httpevent", nil},
	{"internal/inference", []string{"proto/inference", "internal/metrics"}},
	{"internal/jsonlimit", nil},
	{"internal/metrics", nil},
	{"internal/mirror", []string{"internal/objects"}},
	{"internal/objects", nil},
	{"internal/oidc", nil},
	{"internal/openinference", []string{"proto/imageflow/v1", "internal/server"}},
	{"internal/processors", []string{"proto/imageflow/v1", "internal/rules"}},
	{"internal/presets", []string{"proto/imageflow/v1", "internal/requestjson", "internal/rules"}},
	{"internal/protolimit", nil},
	{"internal/queryparams", []string{"internal/jsonlimit", "internal/requestjson", "internal/rules"}},
	{"internal/requestjson", []string{"internal/rules"}},
	{"internal/rules", nil},
	{"internal/signedurl", nil},
	{"internal/server", []string{"internal/protolimit", "internal/metrics"}},
	{"internal/signature", []string{"internal/events", "internal/httpevent", "internal/jsonlimit"}},
	{"internal/storeadmin", nil},
	{"internal/telemetry", []string{"internal/jsonlimit", "internal/metrics"}},
	{"internal/triggers", []string{
		"internal/events", "internal/execution", "internal/presets", "internal/processors", "internal/queryparams",
		"internal/rules", "proto/imageflow/v1",
	}},
	{"internal/uploads", nil},
	{"internal/local/broker", []string{"internal/httpevent"}},
	{"internal/local/*", nil},
	{"internal/testing/stores", []string{
		"internal/objects", "internal/local/s3server", "internal/testing/freeport", "internal/testing/minio",
		"internal/testing/plainproxy",
	}},
	{"internal/testing/minio", []string{"internal/testing/freeport"}},
	{"internal/testing/triton", []string{"internal/inference", "proto/inference", "internal/testing/onnx"}},
	{"internal/testing/*", nil},

	{"functions", []string{"proto/imageflow/v1", "internal/imaging", "internal/processors"}},
	{"functions/detect", []string{
		"functions", "proto/imageflow/v1", "internal/imaging", "internal/inference", "internal/processors",
	}},
	{"functions/*", []string{"functions", "proto/imageflow/v1", "internal/imaging", "internal/processors"}},

	{"internal/execution", []string{
		"internal/objects", "internal/jsonlimit", "internal/processors", "internal/rules", "proto/imageflow/v1",
	}},
	{"internal/index", []string{"internal/objects", "internal/execution", "internal/metrics"}},
	{"internal/events", []string{"proto/imageflow/v1", "internal/execution", "internal/httpevent", "internal/objects"}},
	{"internal/dataset", []string{
		"internal/objects", "internal/execution", "internal/events", "internal/imaging", "internal/processors",
		"proto/imageflow/v1",
	}},
	{"internal/job", []string{
		"functions", "proto/imageflow/v1", "internal/imaging", "internal/objects", "internal/events",
		"internal/telemetry", "internal/execution", "internal/presets", "internal/processors", "internal/rules",
	}},

	{"internal/rpc", []string{"internal/job", "internal/events", "functions", "proto/imageflow/v1"}},
	{"internal/event", []string{
		"internal/job", "functions", "proto/imageflow/v1", "internal/objects", "internal/events",
		"internal/queryparams", "internal/jsonlimit", "internal/httpevent", "internal/signature",
		"internal/metrics", "internal/presets",
	}},
	{"internal/gateway", []string{
		"proto/imageflow/v1", "internal/processors", "internal/server", "internal/objects", "internal/execution", "internal/index",
		"internal/events", "internal/queryparams", "internal/jsonlimit", "internal/metrics", "internal/presets",
		"internal/signature", "internal/signedurl", "internal/httpevent", "internal/triggers", "internal/requestjson",
		"internal/rules",
	}},
	{"internal/bridge", []string{
		"proto/imageflow/v1", "internal/objects", "internal/events", "internal/execution", "internal/index", "internal/jsonlimit",
		"internal/httpevent", "internal/signature", "internal/metrics", "internal/server", "internal/uploads",
	}},

	{"internal/console", []string{
		"internal/objects", "internal/events", "internal/execution", "internal/httpevent", "internal/processors",
		"internal/queryparams", "internal/rules", "internal/signature", "internal/triggers", "internal/uploads",
		"proto/imageflow/v1",
	}},
	{"internal/notify", []string{
		"internal/objects", "internal/events", "internal/execution", "internal/httpevent", "internal/signature", "internal/metrics",
		"internal/rules",
	}},

	{"cmd/imageflow", []string{"*", "*/*", "*/*/*"}},
	{"cmd/imageflow-local", []string{"*", "*/*", "*/*/*"}},
	{"cmd/internal/moment", nil},
	{"cmd/internal/version", nil},
	{"cmd/internal/role", []string{"functions/*", "functions", "internal/*", "proto/imageflow/v1"}},
	{"examples/*", []string{"proto/imageflow/v1"}},
	{"hack/*", nil},
	{".", nil},
}

// walls lists packages that only some packages may import.
var walls = map[string][]string{
	"C":                                    {"internal/imaging"},
	"github.com/h2non/bimg":                {"internal/imaging"},
	"github.com/yalue/onnxruntime_go":      {"internal/inference"},
	"github.com/minio/minio-go/v7":         {"internal/objects", "internal/testing/*"},
	"github.com/kelseyhightower/envconfig": {"cmd/internal/role"},
	"go.opentelemetry.io/otel/sdk/trace":   {"internal/telemetry"},
	"go.opentelemetry.io/otel/sdk/metric":  {"internal/telemetry"},
	module + "internal/local/s3server":     {"cmd/imageflow-local", "internal/testing/*"},
	module + "internal/local/broker":       {"cmd/imageflow-local"},
}

type goPackage struct {
	ImportPath string
	Imports    []string
}

func TestFloors(t *testing.T) {
	for _, p := range listPackages(t) {
		name := nameOf(p.ImportPath)
		may, ok := allowed(name)
		if !ok {
			t.Errorf("%s has no entry in floors", name)
		}
		for _, imported := range p.Imports {
			if strings.HasPrefix(imported, module) && !matchAny(may, nameOf(imported)) {
				t.Errorf("%s may not import %s", name, nameOf(imported))
			}
			if strings.HasPrefix(imported, module+"internal/testing/") && !strings.HasPrefix(name, "internal/testing/") {
				t.Errorf("%s imports %s, which only tests may", name, imported)
			}
			if who, walled := walls[imported]; walled && !matchAny(who, name) {
				t.Errorf("%s imports %s, which only %v may import", name, imported, who)
			}
		}
	}
}

// TestModuleOfTestsCompiles vets test/, which ./... does not include.
func TestModuleOfTestsCompiles(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles Kubernetes' packages: make test")
	}
	if out, err := exec.Command("go", "-C", "test", "vet", "./...").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// generic lists the packages whose declarations may have type parameters: functions
// has the one constructor of processors.
var generic = []string{"functions"}

// TestTypeParameters: everything behind the constructor of processors is free of type
// parameters.
func TestTypeParameters(t *testing.T) {
	files, err := exec.Command("git", "ls-files", "*.go").Output()
	if err != nil {
		t.Fatal(err)
	}
	for name := range strings.FieldsSeq(string(files)) {
		if slices.Contains(generic, path.Dir(name)) || strings.HasSuffix(name, "_test.go") || strings.HasPrefix(name, "test/") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncType:
				if n.TypeParams != nil {
					t.Errorf("%s: a function has type parameters", name)
				}
			case *ast.TypeSpec:
				if n.TypeParams != nil {
					t.Errorf("%s: %s has type parameters", name, n.Name)
				}
			}
			return true
		})
	}
}

// TestGatewayIsPureGo: the gateway needs no C compiler and no libvips.
func TestGatewayIsPureGo(t *testing.T) {
	cmd := exec.Command("go", "list", "-deps", "-f", "{{if .CgoFiles}}{{.ImportPath}}{{end}}", "./internal/gateway")
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=1")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range strings.Fields(string(out)) {
		if strings.Contains(p, ".") { // packages of the standard library have variants without cgo
			t.Errorf("internal/gateway needs cgo through %s", p)
		}
	}
}

// TestBinariesLinkNoKubernetes: Knative's packages are for tests.
func TestBinariesLinkNoKubernetes(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "./cmd/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range strings.Fields(string(out)) {
		if strings.HasPrefix(p, "knative.dev/") || strings.HasPrefix(p, "k8s.io/") {
			t.Errorf("a binary links %s", p)
		}
	}
}

var registryHost = regexp.MustCompile(`\b((registry[.])?npmjs[.](org|com)|pypi[.]org|files[.]pythonhosted[.]org|` +
	`(proxy|sum|index)[.]golang[.]org|deb[.]debian[.]org|crates[.]io|repo1?[.]maven|` +
	`docker[.]io|ghcr[.]io|gcr[.]io|quay[.]io|registry[.]k8s[.]io|nvcr[.]io)\b`)

// TestNoRegistryHost: no file names a registry. Package clients know their registries,
// and users can configure others.
func TestNoRegistryHost(t *testing.T) {
	out, err := exec.Command("git", "ls-files", "-z").Output()
	if err != nil {
		t.Fatal(err)
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if host := registryHost.Find(content); host != nil {
			t.Errorf("%s names %s", name, host)
		}
	}
}

func allowed(name string) ([]string, bool) {
	for _, floor := range floors {
		if ok, _ := path.Match(floor.pkg, name); ok {
			return floor.may, true
		}
	}
	return nil, false
}

func matchAny(patterns []string, name string) bool {
	for _, p := range patterns {
		if ok, _ := path.Match(p, name); ok {
			return true
		}
	}
	return false
}

func nameOf(importPath string) string {
	if importPath == strings.TrimSuffix(module, "/") {
		return "."
	}
	return strings.TrimPrefix(importPath, module)
}

func listPackages(t *testing.T) []goPackage {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	var packages []goPackage
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}
