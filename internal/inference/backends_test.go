package inference_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"imageflow.dev/internal/inference"
	"imageflow.dev/internal/testing/onnx"
	"imageflow.dev/internal/testing/triton"
)

// backends are the ways to run the models of a folder.
var backends = map[string]func(t testing.TB, dir string) inference.Repository{
	"onnxruntime": func(t testing.TB, dir string) inference.Repository {
		r := openFolder(t, dir, options())
		return r
	},
	"triton": func(t testing.TB, dir string) inference.Repository {
		server := triton.New(t, dir)
		server.Start()
		return dial(t, server.Address)
	},
}

func dial(t testing.TB, address string) *inference.Triton {
	t.Helper()
	r, err := inference.Dial(address, time.Minute)
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

func TestBackends_behaveAlike(t *testing.T) {
	dir := t.TempDir()
	described := echo(3)
	described.Metadata = map[string]string{"names": `{0: 'cat', 1: "it's"}`, "imgsz": "[64, 64]"}
	triton.Save(t, described, dir, "echo", "7")
	triton.Save(t, slow(150), dir, "slow", "1")
	for name, start := range backends {
		t.Run(name, func(t *testing.T) {
			r := start(t, dir)
			t.Run("description", func(t *testing.T) { testDescription(t, r, described.Metadata) })
			t.Run("concurrent", func(t *testing.T) { testConcurrent(t, r) })
			t.Run("errors", func(t *testing.T) { testErrors(t, r) })
			t.Run("cancel", func(t *testing.T) { testCancel(t, r) })
		})
	}
}

func modelOf(t testing.TB, r inference.Repository, name string) inference.Model {
	t.Helper()
	m, err := r.Model(t.Context(), name, "")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func testDescription(t *testing.T, r inference.Repository, metadata map[string]string) {
	m := modelOf(t, r, "echo")
	info := m.Info()
	names := append([]string{info.Name, info.Version, info.Inputs[0].Name}, info.OutputNames...)
	if !slices.Equal(names, []string{"echo", "7", "input", "output"}) {
		t.Errorf("info %+v, want version 7 of echo with the tensors input and output", info)
	}
	if shape := []int64{-1, 3}; !slices.Equal(info.Inputs[0].Shape, shape) || len(info.Outputs) != 1 ||
		!slices.Equal(info.Outputs[0], shape) {
		t.Errorf("inputs %v, outputs %v, want [-1 3] and [[-1 3]]", info.Inputs, info.Outputs)
	}
	if !maps.Equal(info.Metadata, metadata) {
		t.Errorf("metadata %q, want %q", info.Metadata, metadata)
	}
	if again := modelOf(t, r, "echo"); again != m {
		t.Error("Model returned another Model although nothing changed")
	}
	_, err := r.Model(t.Context(), "none", "")
	if !errors.Is(err, inference.ErrNotFound) || errors.Is(err, inference.ErrUnavailable) {
		t.Errorf("unknown model: %v, want ErrNotFound", err)
	}
}

func testConcurrent(t *testing.T, r inference.Repository) {
	m := modelOf(t, r, "echo")
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for run := range 20 {
				n := run%4 + 1
				input := inference.Tensor{Shape: []int64{int64(n), 3}, Data: make([]float32, 3*n)}
				for i := range input.Data {
					input.Data[i] = -float32(g*1000+run) - float32(i)/8
				}
				err := m.Infer(t.Context(), []inference.Tensor{input}, func(outputs []inference.Tensor) error {
					if len(outputs) != 1 || !slices.Equal(outputs[0].Shape, input.Shape) || !slices.Equal(outputs[0].Data, input.Data) {
						t.Errorf("goroutine %d, run %d: got %v for %v", g, run, outputs, input)
					}
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func testErrors(t *testing.T, r inference.Repository) {
	m := modelOf(t, r, "echo")
	wanted := errors.New("wanted")
	err := m.Infer(t.Context(), []inference.Tensor{numbers(1, 3)}, func([]inference.Tensor) error { return wanted })
	if err != wanted { //nolint:errorlint // Infer must not wrap it
		t.Errorf("got %v, want the error of use unchanged", err)
	}
	short := numbers(1, 3)
	short.Data = short.Data[:2]
	for name, input := range map[string]inference.Tensor{
		"wrong shape": numbers(1, 4), "wrong rank": numbers(3), "too little data": short,
		"negative dimension": {Shape: []int64{-1, -3}, Data: make([]float32, 3)},
	} {
		err := m.Infer(t.Context(), []inference.Tensor{input}, func([]inference.Tensor) error {
			t.Errorf("%s: the model ran", name)
			return nil
		})
		if err == nil || errors.Is(err, inference.ErrUnavailable) || errors.Is(err, inference.ErrNotFound) {
			t.Errorf("%s: got %v, want a permanent error", name, err)
		}
	}
}

// numbers returns a tensor of zeros.
func numbers(shape ...int64) inference.Tensor {
	n := int64(1)
	for _, dim := range shape {
		n *= dim
	}
	return inference.Tensor{Shape: shape, Data: make([]float32, n)}
}

const slowSide = 1024

// slow returns a model that multiplies large matrices. A step takes about 100 ms.
func slow(steps int) onnx.Model {
	m := onnx.Model{Input: []int64{slowSide, slowSide}, Output: []int64{slowSide, slowSide}}
	from := "input"
	for i := range steps {
		to := fmt.Sprint("x", i)
		if i == steps-1 {
			to = "output"
		}
		m.Nodes = append(m.Nodes, onnx.Node{Op: "MatMul", Inputs: []string{from, from}, Output: to})
		from = to
	}
	return m
}

func testCancel(t *testing.T, r inference.Repository) {
	m := modelOf(t, r, "slow")
	use := func([]inference.Tensor) error {
		t.Error("a cancelled run returned a result")
		return nil
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err := m.Infer(ctx, []inference.Tensor{numbers(slowSide, slowSide)}, use)
	if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, inference.ErrUnavailable) {
		t.Errorf("after the deadline: %v", err)
	}
	cancelled, end := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, end)
	for _, when := range []string{"during", "before"} {
		err := m.Infer(cancelled, []inference.Tensor{numbers(slowSide, slowSide)}, use)
		if !errors.Is(err, context.Canceled) || errors.Is(err, inference.ErrUnavailable) {
			t.Errorf("cancelled %s the run: %v", when, err)
		}
	}
}

// BenchmarkBackends reports the median duration of a run of the demo model.
func BenchmarkBackends(b *testing.B) {
	for _, name := range slices.Sorted(maps.Keys(backends)) {
		b.Run(name, func(b *testing.B) {
			r := backends[name](b, filepath.Join("..", "..", "functions", "detect", "model", "repository"))
			m, input := modelOf(b, r, "yolo"), numbers(1, 3, 384, 384)
			var took []time.Duration
			for b.Loop() {
				start := time.Now()
				if err := m.Infer(b.Context(), []inference.Tensor{input}, func([]inference.Tensor) error { return nil }); err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(start))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2])/float64(time.Millisecond), "p50-ms")
			b.ReportMetric(0, "ns/op")
		})
	}
}
