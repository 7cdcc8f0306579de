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

// tritonProcessor returns the processor for the models of a server, which may start
// later.
func tritonProcessor(t testing.TB, server *triton.Server, defaultModel string) functions.Processor {
	t.Helper()
	r, err := inference.Dial(server.Address, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return detect.New(detect.NewModels(r, defaultModel))
}

func TestBackends_detectTheSame(t *testing.T) {
	server := triton.New(t, filepath.Join("model", "repository"))
	server.Start()
	here, there := demo(t), tritonProcessor(t, server, "yolo")
	for _, s := range heldOut(t) {
		r := &request{ConfidenceThreshold: 0.1}
		want, got := detectIn(t, here, s.data, r), detectIn(t, there, s.data, r)
		if !slices.Equal(lines(got), lines(want)) || len(lines(want)) == 0 {
			t.Errorf("%s: got %q, want %q", s.File, lines(got), lines(want))
		}
		if got.GetMetadata().GetModelName() != "yolo" || got.GetMetadata().GetModelVersion() != want.GetMetadata().GetModelVersion() {
			t.Errorf("%s: got %v, want version %s of yolo", s.File, got.GetMetadata(), want.GetMetadata().GetModelVersion())
		}
	}
}

// kindOf returns the kind of an error of a processor.
func kindOf(err error) string {
	if err == nil {
		return "none"
	}
	return functions.AsError(err).Kind.String()
}

// detectGrey detects objects on a grey image by a model; empty means the default.
func detectGrey(t *testing.T, p functions.Processor, model string) (*response, error) {
	r := &request{ModelName: model}
	if err := p.Check(r); err != nil {
		return nil, err
	}
	_, resp, err := apply(t.Context(), p, r, functions.Input{Image: greyImage(t, side, side), Format: imaging.PNG})
	return resp, err
}

// awaitTriton waits until detection is available again.
func awaitTriton(t *testing.T, p functions.Processor) *response {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		resp, err := detectGrey(t, p, "")
		if kindOf(err) != "unavailable" || time.Now().After(deadline) {
			if err != nil {
				t.Fatal(err)
			}
			return resp
		}
	}
}

// TestTriton_restarts: without a server, detection is unavailable; with one, it uses
// the server's current models.
func TestTriton_restarts(t *testing.T) {
	dir := t.TempDir()
	cat := onnx.Always(input, v8(object{10, 20, 30, 50, []float32{0.9, 0}}), metadata())
	triton.Save(t, cat, dir, "m", "1")
	triton.Save(t, onnx.Always([]int64{1, 7}, onnx.Tensor{Shape: []int64{1}, Data: []float32{1}}, nil), dir, "other", "1")
	server := triton.New(t, dir)
	p := tritonProcessor(t, server, "m")
	want := func(kind, model string) {
		t.Helper()
		if _, err := detectGrey(t, p, model); kindOf(err) != kind {
			t.Errorf("model %q: %v, want %s", model, err, kind)
		}
	}
	want("unavailable", "")
	if _, err := p.Identity(t.Context(), &request{}); kindOf(err) != "unavailable" {
		t.Errorf("identity: %v, want unavailable", err)
	}
	server.Start()
	expect(t, awaitTriton(t, p), "cat/0 0.90: 10.0 20.0 30.0 50.0")
	want("not found", "none")
	want("invalid", "other")
	// A missing default model is not the caller's fault.
	r := &request{}
	if _, err := tritonProcessor(t, server, "none").Identity(t.Context(), r); kindOf(err) != "unavailable" {
		t.Errorf("missing default: %v, want unavailable", err)
	}

	server.Stop()
	want("unavailable", "")
	dog := onnx.Always(input, endToEnd(object{8, 8, 24, 24, []float32{0.1, 0.8}}), metadata("names", "{0: 'fish', 1: 'bird'}"))
	triton.Save(t, dog, dir, "m", "2")
	server.Start()
	expect(t, awaitTriton(t, p), "bird/1 0.80: 8.0 8.0 24.0 24.0")
	if identity, err := p.Identity(t.Context(), &request{}); err != nil || identity != "m/2" {
		t.Errorf("identity %q, %v, want m/2", identity, err)
	}
}

// TestBackends_readParameters: a YOLOX export has no metadata; both backends read its
// config.pbtxt.
func TestBackends_readParameters(t *testing.T) {
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
	for name, p := range map[string]functions.Processor{
		"onnxruntime": processorOf(repository(t, dir), "m"), "triton": tritonProcessor(t, server, "m"),
	} {
		t.Run(name, func(t *testing.T) {
			expect(t, detectIn(t, p, blackPNG(t, 2*side, side), &request{}), "cat/0 0.90: 20.0 8.0 60.0 64.0")
		})
	}
}

// polled opens a repository whose folder is read again every 5 ms.
func polled(t *testing.T, dir string) *inference.Folder {
	t.Helper()
	models, err := inference.Open(t.Context(), dir, inference.Options{
		Library: os.Getenv("ONNXRUNTIME_LIB"), Threads: 1, Accept: detect.Accept, PollInterval: 5 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { models.Close() })
	return models
}

// detectVersion returns the version of the model that has detected objects, and checks that the
// object is the right one for this version.
func detectVersion(t *testing.T, p functions.Processor, black []byte) int {
	resp := detectIn(t, p, black, &request{})
	version, _ := strconv.Atoi(resp.GetMetadata().GetModelVersion())
	if got, want := lines(resp), fmt.Sprintf("cat/0 0.90: 10.0 20.0 %d.0 50.0", 30+version); len(got) != 1 || got[0] != want {
		t.Errorf("version %d: got %q, want %q", version, got, want)
	}
	return version
}

// TestModels_replacedUnderLoad: no call fails, and each response has the version that
// produced it.
func TestModels_replacedUnderLoad(t *testing.T) {
	dir := t.TempDir()
	save := func(version int) {
		m := onnx.Always(input, v8(object{10, 20, float32(30 + version), 50, []float32{0.9, 0}}), metadata())
		if err := m.Save(dir, "m", strconv.Itoa(version), "model.onnx"); err != nil {
			t.Fatal(err)
		}
	}
	save(1)
	models := polled(t, dir)
	p := processorOf(models, "m")
	ctx, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	black := blackPNG(t, side, side)
	var newest atomic.Int64
	for range 3 {
		all.Go(func() {
			for ctx.Err() == nil && !t.Failed() {
				version := detectVersion(t, p, black)
				newest.Store(int64(version))
			}
		})
	}
	for version := 2; version < 6; version++ {
		save(version)
		for deadline := time.Now().Add(time.Minute); newest.Load() != int64(version) && !t.Failed(); time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Errorf("version %d is not in use", version)
			}
		}
	}
	stop()
	all.Wait()
	before, err := p.Identity(t.Context(), &request{})
	if err != nil || !strings.HasPrefix(before, "m/5@") {
		t.Errorf("identity %q, %v, want version 5 and its digest", before, err)
	}
}
