package function_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// module is the function's.
const module = "imageflow.dev/func"

// scaffoldings lists the releases of func whose scaffolding differs. testdata has their go.mod and go.sum; 1.22 has
// those of 1.21. go.mod names a module "function", which func replaces by the function's.
var scaffoldings = []string{"func-1.21", "func-1.23"}

// TestScaffoldingBuilds builds the function as `func build --builder host` does: in a module of func's own, whose
// requirements are fixed, without changing them. make func-test does the same with func itself.
func TestScaffoldingBuilds(t *testing.T) {
	folder, err := filepath.Abs("../../func")
	if err != nil {
		t.Fatal(err)
	}
	for _, release := range scaffoldings {
		t.Run(release, func(t *testing.T) {
			out := t.TempDir()
			if err := os.Symlink(folder, filepath.Join(out, "f")); err != nil {
				t.Fatal(err)
			}
			for from, to := range map[string]string{
				"main.go.txt": "main.go", release + "/go.mod": "go.mod", release + "/go.sum": "go.sum",
			} {
				text, err := os.ReadFile(filepath.Join("testdata", from))
				if err != nil {
					t.Fatal(err)
				}
				patched := strings.ReplaceAll(string(text), "function", module)
				if err := os.WriteFile(filepath.Join(out, to), []byte(patched), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			run(t, out, "go", "mod", "edit", "-go", goVersion(t, folder))
			run(t, out, "go", "build", "-o", "f.bin")
		})
	}
}

// goVersion returns the version of Go in the go.mod of a folder. func copies it.
func goVersion(t *testing.T, folder string) string {
	t.Helper()
	_, version, _ := strings.Cut(read(t, filepath.Join(folder, "go.mod")), "\ngo ")
	return strings.TrimSpace(version)
}

// TestFunctionNeedsNoModules: a requirement of the function would have to fit to those of func, and its files
// would need one of the same module.
func TestFunctionNeedsNoModules(t *testing.T) {
	if text := read(t, "../../func/go.mod"); strings.Contains(text, "require") {
		t.Errorf("func/go.mod requires modules:\n%s", text)
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func run(t *testing.T, folder, command string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), command, args...)
	cmd.Dir = folder
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=readonly", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", command, strings.Join(args, " "), err, out)
	}
}
