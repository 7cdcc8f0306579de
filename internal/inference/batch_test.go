package inference_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"imageflow.dev/internal/inference"
	"imageflow.dev/internal/testing/onnx"
)

// counting is a model that adds to three numbers how many inputs it was run on
// together. Each of these begins with a 1.
func counting() onnx.Model {
	return onnx.Model{
		Input: []int64{-1, 3}, Output: []int64{-1, 3},
		Constants: map[string]onnx.Tensor{"first": {Shape: []int64{3, 1}, Data: []float32{1, 0, 0}}},
		Nodes: []onnx.Node{
			{Op: "MatMul", Inputs: []string{"input", "first"}, Output: "ones"},
			{Op: "ReduceSum", Inputs: []string{"ones"}, Output: "count"},
			{Op: "Add", Inputs: []string{"input", "count"}, Output: "output"},
		},
	}
}

// batching opens the model "m" with batches of at most 4.
func batching(t *testing.T, m onnx.Model, wait time.Duration) inference.Model {
	t.Helper()
	dir := t.TempDir()
	save(t, m, dir, "m", "1", "model.onnx")
	o := options()
	o.MaxBatch, o.BatchWait = 4, wait
	r, err := inference.Open(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return modelOf(t, r, "m")
}

// counted runs the model on 1, v, -v and returns with how many others. Between the
// run and the reading of its output, held is called.
func counted(t *testing.T, ctx context.Context, m inference.Model, v float32, held func()) (n float32, err error) {
	t.Helper()
	input := inference.Tensor{Shape: []int64{1, 3}, Data: []float32{1, v, -v}}
	err = m.Infer(ctx, input, func(outputs []inference.Tensor) error {
		held()
		out := outputs[0].Data
		if n = out[0] - 1; len(out) != 3 || out[1] != v+n || out[2] != n-v {
			t.Errorf("got %v for %g", out, v)
		}
		return nil
	})
	return n, err
}

func nothing() {}

// held runs the model until the returned function is called.
func held(t *testing.T, m inference.Model) (release func()) {
	t.Helper()
	runs, ends, ended := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		if n, err := counted(t, context.Background(), m, 7, func() { close(runs); <-ends }); err != nil || n != 1 {
			t.Errorf("the first ran with %g, %v, want it to run alone", n, err)
		}
	}()
	<-runs
	return func() { close(ends); <-ended }
}

// group runs n inputs at once and returns with how many others each ran.
func group(t *testing.T, m inference.Model, n int) <-chan float32 {
	counts := make(chan float32, n)
	for i := range n {
		go func() {
			count, err := counted(t, context.Background(), m, float32(10*i), nothing)
			if err != nil {
				t.Error(err)
			}
			counts <- count
		}()
	}
	return counts
}

// TestAloneDoesNotWait: where nothing runs there is nothing to wait for.
func TestAloneDoesNotWait(t *testing.T) {
	m := batching(t, counting(), time.Hour)
	for range 3 {
		if n, err := counted(t, t.Context(), m, 5, nothing); err != nil || n != 1 {
			t.Errorf("ran with %g, %v", n, err)
		}
	}
}

// TestBatchStarts when it is full, when the run before is over, or when it has
// waited long enough.
func TestBatchStarts(t *testing.T) {
	t.Run("full", func(t *testing.T) {
		m := batching(t, counting(), time.Hour)
		defer held(t, m)()
		counts := group(t, m, 4)
		for range 4 {
			if n := <-counts; n != 4 {
				t.Errorf("one ran with %g, want 4", n)
			}
		}
	})
	t.Run("the run before is over", func(t *testing.T) {
		m := batching(t, counting(), time.Hour)
		release := held(t, m)
		counts := group(t, m, 3)
		for m := m.(interface{ Waiting() int }); m.Waiting() < 3; time.Sleep(time.Millisecond) {
		}
		release()
		for range 3 {
			if n := <-counts; n != 3 {
				t.Errorf("one ran with %g, want 3", n)
			}
		}
	})
	t.Run("long enough", func(t *testing.T) {
		m := batching(t, counting(), 100*time.Millisecond)
		defer held(t, m)()
		counts := group(t, m, 2)
		for range 2 {
			if n := <-counts; n != 1 && n != 2 {
				t.Errorf("one ran with %g, want 2, or 1 on a slow machine", n)
			}
		}
	})
}

// TestLeavingABatch: who waits no longer gets the error of its context, and the
// others their answers.
func TestLeavingABatch(t *testing.T) {
	m := batching(t, counting(), time.Hour)
	release := held(t, m)
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan error)
	go func() {
		_, err := counted(t, ctx, m, 1, func() { t.Error("a cancelled run gave a result") })
		gone <- err
	}()
	waiting := m.(interface{ Waiting() int })
	for ; waiting.Waiting() < 1; time.Sleep(time.Millisecond) {
	}
	counts := group(t, m, 2)
	for ; waiting.Waiting() < 3; time.Sleep(time.Millisecond) {
	}
	cancel()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
	release()
	for range 2 {
		if n := <-counts; n != 2 {
			t.Errorf("one ran with %g, want 2", n)
		}
	}
}

// TestBatchesUnderLoad: every input has its own answer, whoever leaves meanwhile.
func TestBatchesUnderLoad(t *testing.T) {
	m := batching(t, counting(), 2*time.Millisecond)
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(g)))
			for run := range 300 {
				ctx, cancel := context.WithCancel(t.Context())
				if random.IntN(4) == 0 {
					time.AfterFunc(time.Duration(random.IntN(300))*time.Microsecond, cancel)
				}
				n, err := counted(t, ctx, m, float32(1000*g+run), nothing)
				if err != nil && ctx.Err() == nil || err == nil && (n < 1 || n > 4) {
					t.Errorf("ran with %g, %v", n, err)
				}
				cancel()
			}
		})
	}
	all.Wait()
}

// TestNoBatches: a model of a fixed batch, one that says that it takes fewer and
// one that gives no more for more are run one by one.
func TestNoBatches(t *testing.T) {
	one := onnx.Tensor{Shape: []int64{1, 3}, Data: []float32{2, 6, -4}} // what counting gives alone for 5
	liar := onnx.Always([]int64{-1, 3}, one, nil)
	liar.Output = []int64{-1, 3}
	fixed := counting()
	fixed.Input, fixed.Output = []int64{1, 3}, []int64{1, 3}
	for name, model := range map[string]onnx.Model{"a liar": liar, "a fixed batch": fixed} {
		t.Run(name, func(t *testing.T) {
			m := batching(t, model, time.Millisecond)
			var all sync.WaitGroup
			for range 8 {
				all.Go(func() {
					for range 20 {
						if n, err := counted(t, t.Context(), m, 5, nothing); err != nil || n != 1 {
							t.Errorf("ran with %g, %v, want alone", n, err)
						}
					}
				})
			}
			all.Wait()
		})
	}
}

// BenchmarkBatches runs the demo model for eight callers at once, in batches of at
// most so many.
func BenchmarkBatches(b *testing.B) {
	for _, most := range []int{1, 2, 4, 8} {
		b.Run(fmt.Sprint(most), func(b *testing.B) {
			o := options()
			o.MaxBatch, o.BatchWait = most, 2*time.Millisecond
			r, err := inference.Open(b.Context(), filepath.Join("..", "..", "functions", "detect", "model", "repository"), o)
			if err != nil {
				b.Fatal(err)
			}
			m := modelOf(b, r, "yolo")
			b.SetParallelism(8 / runtime.GOMAXPROCS(0))
			b.RunParallel(func(pb *testing.PB) {
				for input := numbers(1, 3, 384, 384); pb.Next(); {
					if err := m.Infer(b.Context(), input, func([]inference.Tensor) error { return nil }); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}
