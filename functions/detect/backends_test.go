package detect_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"imageflow.dev/functions"
	"imageflow.dev/functions/detect"
	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/inference"
	"imageflow.dev/internal/testing/onnx"
	"imageflow.dev/internal/testing/triton"
)

// onTriton returns the processor over the models of a server, which may be
// started later.
func onTriton(t testing.TB, server *triton.Server, defaultModel string) functions.Processor {
	t.Helper()
	r, err := inference.Dial(server.Address, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return detect.New(detect.NewModels(r, defaultModel))
}

// TestBackendsDetectTheSame: the demo model, as it is, finds the same on both.
func TestBackendsDetectTheSame(t *testing.T) {
	server := triton.New(t, filepath.Join("model", "repository"))
	server.Start()
	here, there := demo(t), onTriton(t, server, "yolo")
	for _, s := range heldOut(t) {
		r := &request{ConfidenceThreshold: 0.1}
		want, got := seen(t, here, s.data, r), seen(t, there, s.data, r)
		if !slices.Equal(lines(got), lines(want)) || len(lines(want)) == 0 {
			t.Errorf("%s: got %q, want %q", s.File, lines(got), lines(want))
		}
		if got.GetMetadata().GetModelName() != "yolo" || got.GetMetadata().GetModelVersion() != want.GetMetadata().GetModelVersion() {
			t.Errorf("%s: got %v, want version %s of yolo", s.File, got.GetMetadata(), want.GetMetadata().GetModelVersion())
		}
	}
}

// kindOf is the kind of an error of a processor.
func kindOf(err error) string {
	if err == nil {
		return "none"
	}
	return functions.AsError(err).Kind.String()
}

// TestTritonComesAndGoes: until a server answers, and while it does not, detect
// is unavailable; then it detects with what is there.
func TestTritonComesAndGoes(t *testing.T) {
	dir := t.TempDir()
	cat := onnx.Always(input, v8(object{10, 20, 30, 50, []float32{0.9, 0}}), metadata())
	triton.Save(t, cat, dir, "m", "1")
	triton.Save(t, onnx.Always([]int64{1, 7}, onnx.Tensor{Shape: []int64{1}, Data: []float32{1}}, nil), dir, "other", "1")
	server := triton.New(t, dir)
	p := onTriton(t, server, "m")
	apply := func(model string) (*response, error) {
		r := &request{ModelName: model}
		if err := p.Check(r); err != nil {
			return nil, err
		}
		_, resp, err := apply(t.Context(), p, r, functions.Input{Image: picture(t, side, side), Format: imaging.PNG})
		return resp, err
	}
	want := func(kind, model string) *response {
		t.Helper()
		resp, err := apply(model)
		if got := kindOf(err); got != kind {
			t.Errorf("model %q: %s (%v), want %s", model, got, err, kind)
		}
		return resp
	}
	recover := func() *response {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); ; {
			resp, err := apply("")
			if kindOf(err) != "unavailable" || time.Now().After(deadline) {
				if err != nil {
					t.Fatal(err)
				}
				return resp
			}
		}
	}
	want("unavailable", "")
	if _, err := p.Variant(t.Context(), &request{}); kindOf(err) != "unavailable" {
		t.Errorf("variant: %v, want it unavailable", err)
	}
	server.Start()
	expect(t, recover(), "cat/0 0.90: 10.0 20.0 30.0 50.0")
	want("not found", "none")
	want("unavailable", "other")
	// That the default is missing is not the fault of who asks for none.
	r := &request{}
	if _, err := onTriton(t, server, "none").Variant(t.Context(), r); kindOf(err) != "unavailable" {
		t.Errorf("no default: %v, want it unavailable", err)
	}

	server.Stop()
	want("unavailable", "")
	dog := onnx.Always(input, endToEnd(object{8, 8, 24, 24, []float32{0.1, 0.8}}), metadata("names", "{0: 'fish', 1: 'bird'}"))
	triton.Save(t, dog, dir, "m", "2")
	server.Start()
	expect(t, recover(), "bird/1 0.80: 8.0 8.0 24.0 24.0")
	if variant, err := p.Variant(t.Context(), &request{}); err != nil || variant != "m/2" {
		t.Errorf("variant %q, %v, want m/2", variant, err)
	}
}

// TestBackendsTakeParameters: a YOLOX export says nothing of itself; what is said
// beside it is read alike on both backends.
func TestBackendsTakeParameters(t *testing.T) {
	dir := t.TempDir()
	o := object{10, 20, 30, 50, []float32{0.9, 0}}
	m := onnx.Always(input, encoders["yolox"](size{side, side}, o), metadata("resize", "letterbox"))
	triton.Save(t, m, dir, "m", "1")
	m.Metadata = nil
	if err := m.Save(dir, "m", "1", "model.onnx"); err != nil {
		t.Fatal(err)
	}
	server := triton.New(t, dir)
	server.Start()
	for name, p := range map[string]functions.Processor{"onnxruntime": over(repository(t, dir), "m"), "triton": onTriton(t, server, "m")} {
		t.Run(name, func(t *testing.T) {
			expect(t, seen(t, p, flat(t, 2*side, side), &request{}), "cat/0 0.90: 20.0 8.0 60.0 64.0")
		})
	}
}

// TestReplacedUnderLoad: while a model is replaced by its next versions, no call
// fails, and each says which version has answered it.
func TestReplacedUnderLoad(t *testing.T) {
	dir := t.TempDir()
	save := func(version int) {
		m := onnx.Always(input, v8(object{10, 20, float32(30 + version), 50, []float32{0.9, 0}}), metadata())
		if err := m.Save(dir, "m", strconv.Itoa(version), "model.onnx"); err != nil {
			t.Fatal(err)
		}
	}
	save(1)
	models, err := inference.Open(t.Context(), dir, inference.Options{
		Library: os.Getenv("ONNXRUNTIME_LIB"), Threads: 1, Accept: detect.Accept, PollInterval: 5 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer models.Close()
	p := over(models, "m")
	ctx, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	black := flat(t, side, side)
	var newest atomic.Int64
	for range 3 {
		all.Go(func() {
			for ctx.Err() == nil && !t.Failed() {
				resp := seen(t, p, black, &request{})
				version, _ := strconv.Atoi(resp.GetMetadata().GetModelVersion())
				if got, want := lines(resp), fmt.Sprintf("cat/0 0.90: 10.0 20.0 %d.0 50.0", 30+version); len(got) != 1 || got[0] != want {
					t.Errorf("version %d: got %q, want %q", version, got, want)
				}
				newest.Store(int64(version))
			}
		})
	}
	for version := 2; version < 6; version++ {
		save(version)
		for deadline := time.Now().Add(time.Minute); newest.Load() != int64(version) && !t.Failed(); time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Errorf("version %d is not there", version)
			}
		}
	}
	stop()
	all.Wait()
	before, err := p.Variant(t.Context(), &request{})
	if err != nil || !strings.HasPrefix(before, "m/5@") {
		t.Errorf("variant %q, %v, want version 5 and its digest", before, err)
	}
}
