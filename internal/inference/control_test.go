package inference_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"imageflow.dev/internal/inference"
)

// openExplicit opens a folder with the models "m", which is loaded, and "n", which is not. Loads count.
func openExplicit(t *testing.T, loads *atomic.Int64) (string, *inference.Folder) {
	t.Helper()
	dir := t.TempDir()
	save(t, constant(1), dir, "m", "1", "model.onnx")
	save(t, constant(5), dir, "n", "1", "model.onnx")
	o := options()
	o.Explicit, o.Initial, o.Versions = true, []string{"m"}, 4
	o.Accept = func(context.Context, inference.Model) error {
		loads.Add(1)
		time.Sleep(10 * time.Millisecond)
		return nil
	}
	return dir, openFolder(t, dir, o)
}

// expectRefused expects that a model is refused for a reason, for good.
func expectRefused(t *testing.T, r *inference.Folder, name, version, reason string) {
	t.Helper()
	_, err := r.Model(t.Context(), name, version)
	var refused *inference.RefusedError
	if !errors.As(err, &refused) || refused.Temporary || !strings.Contains(refused.Reason, reason) {
		t.Errorf("model %s: got %v, want it refused: %s", name, err, reason)
	}
}

// TestLoad_decidesWhatIsLoaded: only Load and Unload change models, whatever happens to the files.
func TestLoad_decidesWhatIsLoaded(t *testing.T) {
	var loads atomic.Int64
	dir, r := openExplicit(t, &loads)
	expect(t, r, "m", 1, "1")
	expectRefused(t, r, "n", "", "not loaded")
	expectRefused(t, r, "n", "1", "not loaded")

	save(t, constant(2), dir, "m", "1", "model.onnx")
	save(t, constant(6), dir, "new", "3", "model.onnx")
	refresh(t, r)
	expect(t, r, "m", 1, "1")
	expectRefused(t, r, "new", "", "not loaded")
	if loads.Load() != 1 {
		t.Errorf("%d loads, want 1", loads.Load())
	}
	for name, want := range map[string]float32{"m": 2, "n": 5, "new": 6} {
		if err := r.Load(t.Context(), name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if v, _, err := result(r, name); err != nil || v != want {
			t.Errorf("%s: got %g, %v, want %g", name, v, err, want)
		}
	}
	if err := r.Load(t.Context(), "m"); err != nil || loads.Load() != 4 {
		t.Errorf("%v, %d loads, want 4: unchanged files are not loaded again", err, loads.Load())
	}
	for range 2 {
		if err := r.Unload(t.Context(), "n"); err != nil {
			t.Error(err)
		}
		expectRefused(t, r, "n", "", "not loaded")
	}
}

// TestLoad_ofMissingFiles: a model whose folder is gone stays, and names of no model are ErrNotFound.
func TestLoad_ofMissingFiles(t *testing.T) {
	dir, r := openExplicit(t, new(atomic.Int64))
	if err := os.RemoveAll(filepath.Join(dir, "m")); err != nil {
		t.Fatal(err)
	}
	refresh(t, r)
	expect(t, r, "m", 1, "1")
	if err := r.Load(t.Context(), "m"); !errors.Is(err, inference.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
	for _, change := range []func(context.Context, string) error{r.Load, r.Unload} {
		for _, name := range []string{"none", "..", "../" + filepath.Base(dir), "", "n/1"} {
			if err := change(t.Context(), name); !errors.Is(err, inference.ErrNotFound) {
				t.Errorf("%q: got %v, want ErrNotFound", name, err)
			}
		}
	}
}

// TestLoad_keepsModelOfBadFiles: a load that fails has a reason, and the model in use stays.
func TestLoad_keepsModelOfBadFiles(t *testing.T) {
	var loads atomic.Int64
	dir, r := openExplicit(t, &loads)
	for _, name := range []string{"m", "n"} {
		if err := os.WriteFile(filepath.Join(dir, name, "1", "model.onnx"), []byte("garbage"), 0o600); err != nil {
			t.Fatal(err)
		}
		var refused *inference.RefusedError
		if err := r.Load(t.Context(), name); !errors.As(err, &refused) || refused.Reason == "" {
			t.Errorf("%s: got %v, want a reason", name, err)
		}
	}
	expect(t, r, "m", 1, "1")
	expectRefused(t, r, "n", "", "Protobuf parsing failed")
	for i := range 100 {
		save(t, constant(1), dir, "files", "1", fmt.Sprintf("another-name-%d", i))
	}
	err := r.Load(t.Context(), "files")
	if err == nil || len(err.Error()) > 500 || !strings.Contains(err.Error(), "another-name-0") {
		t.Errorf("got %v, want the first names in the folder", err)
	}
	save(t, constant(7), dir, "n", "1", "model.onnx")
	if err := r.Load(t.Context(), "n"); err != nil {
		t.Error(err)
	}
	expect(t, r, "n", 7, "1")
}

// TestLoad_concurrentIsOne: concurrent loads of a model are one load, which a caller that gives up does not end.
func TestLoad_concurrentIsOne(t *testing.T) {
	var loads atomic.Int64
	_, r := openExplicit(t, &loads)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	var all sync.WaitGroup
	begin := make(chan struct{})
	for i := range 20 {
		all.Go(func() {
			<-begin
			ctx := t.Context()
			if i%2 == 0 {
				ctx = gone
			}
			if err := r.Load(ctx, "n"); err != nil && (ctx != gone || !errors.Is(err, context.Canceled)) {
				t.Error(err)
			}
		})
	}
	close(begin)
	all.Wait()
	expect(t, r, "n", 5, "1")
	if loads.Load() != 2 {
		t.Errorf("%d loads, want those of Open and one more", loads.Load())
	}
}

// TestUnload_finishesRuns: a run that has begun ends well, later ones are refused.
func TestUnload_finishesRuns(t *testing.T) {
	var loads atomic.Int64
	_, r := openExplicit(t, &loads)
	m := modelOf(t, r, "m")
	err := m.Infer(t.Context(), []inference.Tensor{numbers(1, 3)}, func(outputs []inference.Tensor) error {
		if err := r.Unload(t.Context(), "m"); err != nil {
			t.Error(err)
		}
		if outputs[0].Data[0] != 1 {
			t.Errorf("the output changed to %g during the run", outputs[0].Data[0])
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if err := m.Infer(t.Context(), []inference.Tensor{numbers(1, 3)}, nil); !errors.Is(err, inference.ErrChanged) {
		t.Errorf("got %v, want ErrChanged", err)
	}
	expectRefused(t, r, "m", "", "not loaded")
}

// TestLoad_underLoad: while models are loaded, unloaded and polled, runs give the output of the model or are refused,
// and nothing is left after Close.
func TestLoad_underLoad(t *testing.T) {
	before := runtime.NumGoroutine()
	var loads atomic.Int64
	dir, r := openExplicit(t, &loads)
	useWhileChanging(t, r)
	loading := make(chan error, 1)
	save(t, constant(8), dir, "n", "1", "model.onnx")
	go func() { loading <- r.Load(context.Background(), "n") }()
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if err := <-loading; err != nil {
		t.Log(err) // the folder was closed before
	}
	if err := r.Load(t.Context(), "n"); err == nil {
		t.Error("a closed folder loads a model")
	}
	for deadline := time.Now().Add(soon); runtime.NumGoroutine() > before; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, before %d", runtime.NumGoroutine(), before)
		}
	}
}

// useWhileChanging runs a model for a second while it is loaded, unloaded and polled.
func useWhileChanging(t *testing.T, r *inference.Folder) {
	t.Helper()
	var all sync.WaitGroup
	ctx, stop := context.WithTimeout(t.Context(), time.Second)
	defer stop()
	for range 3 {
		all.Go(func() {
			for ctx.Err() == nil {
				v, _, err := result(r, "n")
				var refused *inference.RefusedError
				if err == nil && v < 5 || err != nil && !errors.As(err, &refused) && !errors.Is(err, inference.ErrChanged) {
					t.Errorf("got %g, %v", v, err)
				}
			}
		})
		all.Go(func() {
			for ctx.Err() == nil {
				if err := errors.Join(r.Load(t.Context(), "n"), r.Unload(t.Context(), "n")); err != nil {
					t.Error(err)
				}
			}
		})
		all.Go(func() {
			for ctx.Err() == nil {
				if err := r.Refresh(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
}

// TestRefresh_keepsVersionsOfLoadedModels: a version that comes later is not listed for a loaded model before its load.
func TestRefresh_keepsVersionsOfLoadedModels(t *testing.T) {
	dir, r := openExplicit(t, new(atomic.Int64))
	save(t, constant(9), dir, "m", "2", "model.onnx")
	refresh(t, r)
	for _, want := range []string{"1", "2"} {
		list, err := r.List(t.Context())
		if err != nil || list[0].Available[0] != want {
			t.Errorf("got %v, %v, want version %s", list, err, want)
		}
		if err := r.Load(t.Context(), "m"); err != nil {
			t.Error(err)
		}
	}
}
