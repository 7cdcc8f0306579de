package inference_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"imageflow.dev/internal/inference"
	"imageflow.dev/internal/testing/triton"
)

// soon bounds the wait for a condition.
const soon = time.Minute

// eventually waits until a model runs. Until then, only ErrUnavailable is allowed.
func eventually(t *testing.T, r inference.Repository, name string) inference.Model {
	t.Helper()
	for deadline := time.Now().Add(soon); ; time.Sleep(10 * time.Millisecond) {
		m, err := r.Model(t.Context(), name, "")
		if err == nil {
			err = m.Infer(t.Context(), []inference.Tensor{numbers(1, 3)}, func([]inference.Tensor) error { return nil })
		}
		if err == nil {
			return m
		}
		if !errors.Is(err, inference.ErrUnavailable) {
			t.Fatalf("got %v, want ErrUnavailable until the model runs", err)
		}
		if time.Now().After(deadline) {
			t.Fatalf("the model does not run: %v", err)
		}
	}
}

func TestTriton_startsAfterItsClient(t *testing.T) {
	dir := t.TempDir()
	triton.Save(t, echo(3), dir, "echo", "1")
	server := triton.New(t, dir)
	r := dial(t, server.Address)
	if err := r.Ready(t.Context()); !errors.Is(err, inference.ErrUnavailable) {
		t.Errorf("ready: %v, want ErrUnavailable", err)
	}
	if _, err := r.Model(t.Context(), "echo", ""); !errors.Is(err, inference.ErrUnavailable) {
		t.Errorf("model: %v, want ErrUnavailable", err)
	}
	server.Start()
	eventually(t, r, "echo")
	if err := r.Ready(t.Context()); err != nil {
		t.Errorf("ready: %v", err)
	}
}

// load calls the model echo in four loops, and counts the outcomes.
type load struct {
	succeeded, unavailable atomic.Int64
	stop                   func()
}

func startLoad(t *testing.T, r *inference.Triton) *load {
	l := &load{}
	ctx, cancel := context.WithCancel(t.Context())
	var loops sync.WaitGroup
	l.stop = func() { cancel(); loops.Wait() }
	for range 4 {
		loops.Go(func() {
			for ctx.Err() == nil && l.call(t, r) {
			}
		})
	}
	return l
}

// call calls the model once. It returns false after a failure of the test.
func (l *load) call(t *testing.T, r *inference.Triton) bool {
	m, err := r.Model(t.Context(), "echo", "")
	if err == nil {
		err = m.Infer(t.Context(), []inference.Tensor{numbers(64, 3)}, func([]inference.Tensor) error { return nil })
	}
	switch {
	case err == nil:
		l.succeeded.Add(1)
	case errors.Is(err, inference.ErrUnavailable):
		l.unavailable.Add(1)
	default:
		t.Errorf("got %v, want ErrUnavailable", err)
		return false
	}
	return true
}

// TestTriton_restartsUnderLoad: every call succeeds or returns ErrUnavailable, and
// calls succeed again after the restart.
func TestTriton_restartsUnderLoad(t *testing.T) {
	dir := t.TempDir()
	triton.Save(t, echo(3), dir, "echo", "1")
	server := triton.New(t, dir)
	server.Start()
	r := dial(t, server.Address)
	l := startLoad(t, r)
	more := func(counter *atomic.Int64) {
		t.Helper()
		before := counter.Load()
		for deadline := time.Now().Add(soon); counter.Load() < before+10; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) || t.Failed() {
				t.Errorf("%d succeeded, %d unavailable", l.succeeded.Load(), l.unavailable.Load())
				return
			}
		}
	}
	more(&l.succeeded)
	server.Stop()
	more(&l.unavailable)
	server.Start()
	more(&l.succeeded)
	l.stop()
}

// TestTriton_noticesNewVersion: a run by another version returns ErrChanged, and Model
// then fetches the new description.
func TestTriton_noticesNewVersion(t *testing.T) {
	dir := t.TempDir()
	first, second := echo(3), echo(3)
	first.Metadata, second.Metadata = map[string]string{"names": "old"}, map[string]string{"names": "new"}
	triton.Save(t, first, dir, "echo", "1")
	server := triton.New(t, dir)
	server.Start()
	r := dial(t, server.Address)
	old := eventually(t, r, "echo")
	server.Stop()
	triton.Save(t, second, dir, "echo", "2")
	server.Start()
	for deadline := time.Now().Add(soon); ; {
		err := old.Infer(t.Context(), []inference.Tensor{numbers(1, 3)}, func([]inference.Tensor) error {
			t.Error("use was called for the outputs of another version")
			return nil
		})
		if errors.Is(err, inference.ErrChanged) {
			break
		}
		if !errors.Is(err, inference.ErrUnavailable) || time.Now().After(deadline) {
			t.Fatalf("got %v, want ErrChanged", err)
		}
	}
	m := modelOf(t, r, "echo")
	if info := m.Info(); m == old || info.Version != "2" || info.Metadata["names"] != "new" {
		t.Errorf("info %+v, want version 2 and its metadata", info)
	}
	eventually(t, r, "echo")
}

// TestTriton_returnsLargeOutputs: the output exceeds gRPC's default limit of 4 MiB.
func TestTriton_returnsLargeOutputs(t *testing.T) {
	const n = 5 << 18 // 5 MiB of float32
	dir := t.TempDir()
	triton.Save(t, echo(n), dir, "echo", "1")
	server := triton.New(t, dir)
	server.Start()
	input := numbers(1, n)
	for i := range input.Data {
		input.Data[i] = float32(i)
	}
	m := modelOf(t, dial(t, server.Address), "echo")
	err := m.Infer(t.Context(), []inference.Tensor{input}, func(outputs []inference.Tensor) error {
		if !slices.Equal(outputs[0].Data, input.Data) {
			t.Error("the output differs from the input")
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
