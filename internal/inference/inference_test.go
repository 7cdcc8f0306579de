package inference_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"imageflow.dev/internal/inference"
	"imageflow.dev/internal/testing/onnx"
)

func options() inference.Options {
	return inference.Options{Library: os.Getenv("ONNXRUNTIME_LIB"), Threads: 1, Versions: 2}
}

// echo returns a model whose output is its input of n numbers.
func echo(n int64) onnx.Model {
	return onnx.Model{
		Input: []int64{-1, n}, Output: []int64{-1, n},
		Nodes: []onnx.Node{{Op: "Identity", Inputs: []string{"input"}, Output: "output"}},
	}
}

// openModel returns the only model of a new folder.
func openModel(t *testing.T, m onnx.Model) inference.Model {
	t.Helper()
	dir := t.TempDir()
	if err := m.Save(dir, "m", "1", "model.onnx"); err != nil {
		t.Fatal(err)
	}
	r := openFolder(t, dir, options())
	model, err := r.Model(t.Context(), "m", "")
	if err != nil {
		t.Fatal(err)
	}
	return model
}

// openFolder opens a folder of models until the end of the test.
func openFolder(t testing.TB, dir string, o inference.Options) *inference.Folder {
	t.Helper()
	r, err := inference.Open(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func save(t *testing.T, m onnx.Model, file ...string) {
	t.Helper()
	if err := m.Save(file...); err != nil {
		t.Fatal(err)
	}
}

func TestOpen_loadsHighestVersion(t *testing.T) {
	dir := t.TempDir()
	for _, version := range []string{"2", "10", "9"} {
		m := echo(3)
		m.Metadata = map[string]string{"names": "{0: 'cat'}", "from": version}
		save(t, m, dir, "m", version, "model.onnx")
	}
	save(t, echo(3), dir, "another", "1", "model.onnx")
	for _, other := range []string{"011", "latest", "-20", "0"} { // not versions, for Triton either
		if err := os.MkdirAll(filepath.Join(dir, "m", other), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{"99", "config.pbtxt"} {
		if err := os.WriteFile(filepath.Join(dir, "m", file), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r := openFolder(t, dir, options())
	want := []inference.Listing{
		{Name: "another", Versions: []string{"1"}, Available: []string{"1"}},
		{Name: "m", Versions: []string{"2", "9", "10"}, Available: []string{"10"}},
	}
	if got, err := r.List(t.Context()); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("list %v, %v, want %v", got, err, want)
	}
	if _, err := r.Model(t.Context(), "none", ""); !errors.Is(err, inference.ErrNotFound) {
		t.Errorf("unknown model: %v, want ErrNotFound", err)
	}
	m, err := r.Model(t.Context(), "m", "")
	if err != nil {
		t.Fatal(err)
	}
	info := m.Info()
	if info.Name != "m" || info.Version != "10" || info.Metadata["from"] != "10" || info.Metadata["names"] != "{0: 'cat'}" {
		t.Errorf("info %+v, want version 10 and its metadata", info)
	}
	if shape := []int64{-1, 3}; !slices.Equal(info.Inputs[0].Shape, shape) || len(info.Outputs) != 1 ||
		!slices.Equal(info.Outputs[0], shape) {
		t.Errorf("inputs %v, outputs %v, want [-1 3] and [[-1 3]]", info.Inputs, info.Outputs)
	}
}

func TestOpen_failsWithoutModels(t *testing.T) {
	empty := t.TempDir()
	for dir, wants := range map[string][]string{
		empty: {empty, "no model", "<name>/<version>/model.onnx"}, "/nowhere": {"/nowhere"},
	} {
		_, err := inference.Open(t.Context(), dir, options())
		for _, want := range wants {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want an error that contains %q", err, want)
			}
		}
	}
}

// TestOpen_failsWithoutLibrary runs itself in new processes, because a process loads
// the runtime only once.
func TestOpen_failsWithoutLibrary(t *testing.T) {
	if library := os.Getenv("TEST_LIBRARY"); library != "" {
		_, err := inference.Open(t.Context(), t.TempDir(), inference.Options{Library: library, Threads: 1})
		t.Log(err)
		return
	}
	garbage := filepath.Join(t.TempDir(), "garbage.so")
	if err := os.WriteFile(garbage, []byte("not a library"), 0o600); err != nil {
		t.Fatal(err)
	}
	for library, want := range map[string]string{"/nowhere/libonnxruntime.so": "ONNXRUNTIME_LIB", garbage: "ONNX Runtime"} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestOpen_failsWithoutLibrary$", "-test.v")
		cmd.Env = append(os.Environ(), "TEST_LIBRARY="+library)
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), library) || !strings.Contains(string(out), want) {
			t.Errorf("%s: %v, want an error that contains the path and %s:\n%s", library, err, want, out)
		}
	}
}

// TestInfer_doesNotLeak runs a model so often that a leak would show.
func TestInfer_doesNotLeak(t *testing.T) {
	if testing.Short() {
		t.Skip("measures memory over many runs: make test")
	}
	const runs = 100000
	m := openModel(t, echo(1))
	input := inference.Tensor{Shape: []int64{1, 1}, Data: make([]float32, 1)}
	var before int64
	for run := range runs {
		if err := m.Infer(t.Context(), []inference.Tensor{input}, func([]inference.Tensor) error { return nil }); err != nil {
			t.Fatal(err)
		}
		if run == runs/10 {
			before = resident(t)
		}
	}
	if grown := resident(t) - before; grown > 10<<20 {
		t.Errorf("the process grew by %d MB", grown>>20)
	}
}

// resident returns the resident memory of the process in bytes.
func resident(t *testing.T) (size int64) {
	t.Helper()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscan(strings.Fields(string(text))[1], &size); err != nil {
		t.Fatal(err)
	}
	return size * int64(os.Getpagesize())
}

// TestInfer_stopsWithItsContext cancels a run that would take minutes.
func TestInfer_stopsWithItsContext(t *testing.T) {
	m := openModel(t, slow(2000))
	input := numbers(slowSide, slowSide)
	use := func([]inference.Tensor) error {
		t.Error("a cancelled run returned a result")
		return nil
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	start := time.Now()
	if err := m.Infer(ctx, []inference.Tensor{input}, use); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the context's error", err)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("the run took %v", took)
	}
}

// TestOpen_readsKubernetesVolumes: the files of a volume are behind links, next to
// folders that are not models.
func TestOpen_readsKubernetesVolumes(t *testing.T) {
	dir := t.TempDir()
	save(t, echo(3), dir, "..2026_11_25", "m", "1", "model.onnx")
	for _, folder := range []string{"lost+found", ".git", "..2026_11_25/m/.trash"} {
		if err := os.Mkdir(filepath.Join(dir, folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for link, target := range map[string]string{"..data": "..2026_11_25", "m": "..data/m", "..2026_11_25/m/2": "1"} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	r := openFolder(t, dir, options())
	if got, err := r.List(t.Context()); err != nil || len(got) != 1 || got[0].Name != "m" {
		t.Errorf("list %v, %v, want only m", got, err)
	}
	if got := modelOf(t, r, "m").Info().Version; got != "2" {
		t.Errorf("version %q, want 2, which is a link to 1", got)
	}
}

func TestOpen_failsWithoutCUDA(t *testing.T) {
	dir := t.TempDir()
	save(t, echo(3), dir, "m", "1", "model.onnx")
	o := options()
	o.Provider = inference.CUDA
	_, err := inference.Open(t.Context(), dir, o)
	if err == nil {
		t.Skip("this machine has CUDA")
	}
	for _, want := range []string{o.Library, "ONNXRUNTIME_PROVIDER", "CUDA", "GPU"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not contain %s", err, want)
		}
	}
	t.Log(err)
}

func TestFolder_isEmptyAfterClose(t *testing.T) {
	dir := t.TempDir()
	save(t, echo(3), dir, "m", "1", "model.onnx")
	r := openFolder(t, dir, options())
	m := modelOf(t, r, "m")
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if _, err := r.Model(t.Context(), "m", ""); !errors.Is(err, inference.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
	if err := m.Infer(t.Context(), []inference.Tensor{numbers(1, 3)}, nil); !errors.Is(err, inference.ErrChanged) {
		t.Errorf("got %v, want ErrChanged", err)
	}
}
