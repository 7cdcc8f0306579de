package manifests_test

import (
	"bufio"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// runtimeVariables are read by the libraries in the binary, not by its roles.
var runtimeVariables = []string{"GOGC", "GOMEMLIMIT", "OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG"}

// folder holds the built command.
var folder string

func TestMain(m *testing.M) {
	var err error
	if folder, err = os.MkdirTemp("", "manifests"); err != nil {
		panic(err)
	}
	code := m.Run()
	_ = os.RemoveAll(folder)
	os.Exit(code)
}

// built builds the command and returns its path.
var built = sync.OnceValues(func() (string, error) {
	args := []string{"-C", root, "build", "-o", folder}
	if race { // as the other tests of `make test` have built its packages
		args = append(args, "-race")
	}
	out, err := exec.Command("go", append(args, "./cmd/imageflow")...).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, out)
	}
	return filepath.Join(folder, "imageflow"), err
})

func command(t *testing.T) string {
	t.Helper()
	// The cache of go test does not know the files that go build reads, so they are read here.
	if err := filepath.Walk(filepath.Join(root, "cmd"), func(string, fs.FileInfo, error) error { return nil }); err != nil {
		t.Fatal(err)
	}
	binary, err := built()
	if err != nil {
		t.Fatalf("building the command: %v", err)
	}
	return binary
}

var variable = regexp.MustCompile(`(?m)^  ([A-Z][A-Z0-9_]+)\s`)

// TestVariablesAreRead: a role reads every variable that a manifest gives it.
func TestVariablesAreRead(t *testing.T) {
	reads := map[string][]string{}
	each(t, func(t *testing.T, o object) {
		_, spec := pod(t, o)
		if spec == nil || o.Metadata.Namespace != "image-processing" {
			return
		}
		c := spec.Containers[0]
		role := c.Args[0]
		if reads[role] == nil {
			help, err := exec.Command(command(t), role, "--help").Output()
			if err != nil {
				t.Fatal(err)
			}
			for _, match := range variable.FindAllStringSubmatch(string(help), -1) {
				reads[role] = append(reads[role], match[1])
			}
		}
		for _, e := range c.Env {
			if !slices.Contains(reads[role], e.Name) && !slices.Contains(runtimeVariables, e.Name) {
				t.Errorf("%v sets %s, which %s does not read", o, e.Name, role)
			}
		}
	})
}

// TestRolesStart: each role starts with the environment of its manifest, on a port of the test.
func TestRolesStart(t *testing.T) {
	t.Run("console", func(t *testing.T) {
		t.Parallel()
		start(t, service(t, find(t, "console", "Service", "console")).Spec.Template.Spec.Containers[0])
	})
	for _, render := range []string{"overlay test", "overlay production"} {
		for _, name := range []string{
			"resize-grpc-service", "ai-detection-grpc-service", "filter-grpc-service", "grpc-gateway", "bridge",
		} {
			t.Run(render+" "+name, func(t *testing.T) {
				t.Parallel()
				c := service(t, find(t, render, "Service", name)).Spec.Template.Spec.Containers[0]
				start(t, c)
			})
		}
	}
}

func start(t *testing.T, c corev1.Container) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, command(t), c.Args...)
	cmd.Env = []string{
		"HOST=127.0.0.1", "PORT=0", "METRICS_PORT=0",
		"MODEL_REPOSITORY=" + filepath.Join(root, "functions/detect/model/repository"),
		"ONNXRUNTIME_LIB=" + os.Getenv("ONNXRUNTIME_LIB"),
	}
	for _, e := range c.Env {
		if e.ValueFrom != nil {
			e.Value = "of-the-secret-at-least-32-characters"
		}
		if e.Name == "PRESETS_FILE" {
			e.Value = filepath.Join(root, "config/components/presets/presets.yaml")
		}
		cmd.Env = append(cmd.Env, e.Name+"="+e.Value)
	}
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Wait() }()
	defer cancel()
	var said []string
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if strings.Contains(lines.Text(), `"msg":"serving"`) {
			return
		}
		said = append(said, lines.Text())
	}
	t.Errorf("imageflow %v does not start:\n%s", c.Args, strings.Join(said, "\n"))
}
