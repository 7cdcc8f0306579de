package inference_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"imageflow.dev/internal/inference"
	"imageflow.dev/internal/testing/onnx"
)

// constant returns a model whose output is one number.
func constant(v float32) onnx.Model {
	return onnx.Always([]int64{1, 3}, onnx.Tensor{Shape: []int64{1}, Data: []float32{v}}, nil)
}

// openConstant opens a folder with version 1 of the model "m", whose output is 1.
func openConstant(t *testing.T, interval time.Duration) (string, *inference.Folder) {
	t.Helper()
	dir := t.TempDir()
	save(t, constant(1), dir, "m", "1", "model.onnx")
	o := options()
	o.PollInterval = interval
	return dir, openFolder(t, dir, o)
}

// refresh refreshes twice: the first Refresh only notes that files have changed.
func refresh(t *testing.T, r *inference.Folder) {
	t.Helper()
	for range 2 {
		if err := r.Refresh(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// result returns the current output of a model. It retries after a replacement.
func result(r *inference.Folder, name string) (v float32, version string, err error) {
	for range 6 {
		m, err := r.Model(context.Background(), name, "")
		if err != nil {
			return 0, "", err
		}
		err = m.Infer(context.Background(), []inference.Tensor{numbers(1, 3)}, func(outputs []inference.Tensor) error {
			v = outputs[0].Data[0]
			return nil
		})
		if !errors.Is(err, inference.ErrChanged) {
			return v, m.Info().Version, err
		}
	}
	return 0, "", inference.ErrChanged
}

func expect(t *testing.T, r *inference.Folder, name string, want float32, wantVersion string) {
	t.Helper()
	if v, version, err := result(r, name); err != nil || v != want || version != wantVersion {
		t.Errorf("output of %s is %g, version %s, %v, want %g, version %s", name, v, version, err, want, wantVersion)
	}
}

// TestRefresh_followsTheFolder: models are added, replaced and removed with their
// files.
func TestRefresh_followsTheFolder(t *testing.T) {
	dir, r := openConstant(t, 0)
	same := modelOf(t, r, "m")
	refresh(t, r)
	if modelOf(t, r, "m") != same {
		t.Error("an unchanged model was loaded again")
	}

	save(t, constant(2), dir, "m", "1", "model.onnx") // the same version
	if err := r.Refresh(t.Context()); err != nil || modelOf(t, r, "m") != same {
		t.Errorf("%v: files that may be incomplete were loaded", err)
	}
	refresh(t, r)
	expect(t, r, "m", 2, "1")
	if a, b := same.Info().Digest, modelOf(t, r, "m").Info().Digest; a == b || a == "" {
		t.Errorf("digests %q and %q, want different ones", a, b)
	}

	save(t, constant(3), dir, "m", "2", "model.onnx")
	save(t, constant(4), dir, "new", "1", "model.onnx")
	if err := r.Refresh(t.Context()); err != nil {
		t.Error(err)
	}
	refused(t, r, "new", "not loaded yet")
	refresh(t, r)
	expect(t, r, "m", 3, "2")
	expect(t, r, "new", 4, "1")

	if err := os.RemoveAll(filepath.Join(dir, "m", "2")); err != nil { // back to version 1
		t.Fatal(err)
	}
	refresh(t, r)
	expect(t, r, "m", 2, "1")

	if err := os.RemoveAll(filepath.Join(dir, "new")); err != nil {
		t.Fatal(err)
	}
	refresh(t, r)
	if _, err := r.Model(t.Context(), "new", ""); !errors.Is(err, inference.ErrNotFound) || r.Has("new") || !r.Has("m") {
		t.Errorf("got %v, want only m", err)
	}
}

// TestRefresh_keepsModelOfBadReplacement: the model in use stays until the files are
// fixed.
func TestRefresh_keepsModelOfBadReplacement(t *testing.T) {
	dir, r := openConstant(t, 0)
	write(t, []byte("garbage"), dir, "m", "2", "model.onnx")
	refresh(t, r)
	expect(t, r, "m", 1, "1")
	list, err := r.List(t.Context())
	if err != nil || len(list) != 1 || list[0].Reason == "" || len(list[0].Versions) != 2 {
		t.Errorf("list %v, %v, want the reason why version 2 is not in use", list, err)
	}
	save(t, constant(2), dir, "m", "2", "model.onnx")
	refresh(t, r)
	expect(t, r, "m", 2, "2")
	if list, err := r.List(t.Context()); err != nil || list[0].Reason != "" {
		t.Errorf("list %v, %v, want no reason", list, err)
	}
}

func TestRefresh_keepsModelsOfMissingFolder(t *testing.T) {
	dir, r := openConstant(t, 0)
	if err := os.Rename(dir, dir+"-away"); err != nil {
		t.Fatal(err)
	}
	if err := r.Refresh(t.Context()); err == nil {
		t.Error("Refresh of a missing folder returned no error")
	}
	expect(t, r, "m", 1, "1")
	if err := os.Rename(dir+"-away", dir); err != nil {
		t.Fatal(err)
	}
	refresh(t, r)
	expect(t, r, "m", 1, "1")
}

// TestPoll_replacesUnderLoad: no call fails, and no caller gets an older model than
// before.
func TestPoll_replacesUnderLoad(t *testing.T) {
	dir, r := openConstant(t, 5*time.Millisecond)
	ctx, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	var newest atomic.Int64
	for range 4 {
		all.Go(func() {
			for last := float32(0); ctx.Err() == nil; {
				v, _, err := result(r, "m")
				if err != nil || v < last {
					t.Errorf("got %g after %g, %v", v, last, err)
					return
				}
				last = v
				newest.Store(int64(v))
			}
		})
	}
	for n := int64(2); n < 12 && !t.Failed(); n++ {
		save(t, constant(float32(n)), dir, "m", "1", "model.onnx")
		for deadline := time.Now().Add(soon); newest.Load() < n; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) || t.Failed() {
				t.Fatalf("the newest is %d, want %d", newest.Load(), n)
			}
		}
	}
	stop()
	all.Wait()
}

// TestRefresh_finishesRuns: a run keeps its model until it ends.
func TestRefresh_finishesRuns(t *testing.T) {
	dir, r := openConstant(t, 0)
	m := modelOf(t, r, "m")
	err := m.Infer(t.Context(), []inference.Tensor{numbers(1, 3)}, func(outputs []inference.Tensor) error {
		save(t, constant(2), dir, "m", "1", "model.onnx")
		refresh(t, r)
		expect(t, r, "m", 2, "1")
		if outputs[0].Data[0] != 1 {
			t.Errorf("the output changed to %g during the run", outputs[0].Data[0])
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if err := m.Infer(t.Context(), []inference.Tensor{numbers(1, 3)}, nil); !errors.Is(err, inference.ErrChanged) {
		t.Errorf("got %v, want ErrChanged from a replaced model", err)
	}
}
