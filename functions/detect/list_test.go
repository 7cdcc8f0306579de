package detect_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"imageflow.dev/functions/detect"
	"imageflow.dev/internal/inference"
	"imageflow.dev/internal/testing/onnx"
	"imageflow.dev/internal/testing/triton"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// TestBackends_listModels: both backends list every model, with the reason why it is
// refused if it is.
func TestBackends_listModels(t *testing.T) {
	dir := t.TempDir()
	triton.Save(t, onnx.Always([]int64{-1, 3, 64, 96}, rows(size{96, 64}.cells(), 7), metadata()), dir, "wide", "2")
	triton.Save(t, onnx.Always([]int64{1, 7}, onnx.Tensor{Shape: []int64{1}, Data: []float32{1}}, metadata()), dir, "other", "1")
	server := triton.New(t, dir)
	server.Start()
	there, err := inference.Dial(server.Address, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = there.Close() })
	for backend, r := range map[string]inference.Repository{"onnxruntime": repository(t, dir), "triton": there} {
		t.Run(backend, func(t *testing.T) {
			got, err := detect.NewModels(r, "wide").List(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			want := wantWide(backend)
			if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
				t.Errorf("models (-want +got):\n%s", diff)
			}
		})
	}
	// A missing default model is listed too.
	got, err := detect.NewModels(repository(t, dir), "none").List(t.Context())
	if err != nil || len(got.GetModels()) != 3 {
		t.Fatalf("got %v, %v, want three", got, err)
	}
	if last := got.GetModels()[2]; last.GetName() != "none" || !last.GetDefault() || last.GetReady() || last.GetReason() == "" {
		t.Errorf("got %v, want the default and the reason why it is not ready", last)
	}
}

// wantWide returns the list of TestBackends_listModels.
func wantWide(backend string) *imageflowv1.ListModelsResponse {
	wide := &imageflowv1.Model{
		Name: "wide", Default: true, Ready: true, Version: "2", Versions: []string{"2"}, AvailableVersions: []string{"2"},
		Layout: "yolox", Labels: []string{"cat", "dog"}, InputWidth: 96, InputHeight: 64, Resize: "top-left", Backend: backend,
	}
	if backend == "onnxruntime" {
		wide.Provider, wide.Precision, wide.Threads = "cpu", "FP32", 1
	}
	return &imageflowv1.ListModelsResponse{Models: []*imageflowv1.Model{{
		Name: "other", Versions: []string{"1"}, AvailableVersions: []string{"1"},
		Reason: "its input is [1 7] but must be [N, 3, height, width]",
	}, wide}}
}

// TestBackends_refuseBadModel: a model that cannot be loaded is listed with the reason,
// requests for it fail with the reason, and other models work.
func TestBackends_refuseBadModel(t *testing.T) {
	dir := t.TempDir()
	good := onnx.Always(input, v8(object{10, 20, 30, 50, []float32{0.9, 0}}), metadata())
	triton.Save(t, good, dir, "good", "1")
	triton.Save(t, good, dir, "bad", "1")
	if err := os.WriteFile(filepath.Join(dir, "bad", "1", "model.onnx"), []byte("garbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	server := triton.New(t, dir, "bad")
	server.Start()
	there, err := inference.Dial(server.Address, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = there.Close() })
	for backend, r := range map[string]inference.Repository{"onnxruntime": repository(t, dir), "triton": there} {
		t.Run(backend, func(t *testing.T) {
			got, err := detect.NewModels(r, "good").List(t.Context())
			if err != nil || len(got.GetModels()) != 2 || !got.GetModels()[1].GetReady() {
				t.Fatalf("got %v, %v, want good ready", got, err)
			}
			bad := got.GetModels()[0]
			if bad.GetName() != "bad" || bad.GetReady() || bad.GetReason() == "" {
				t.Errorf("got %v, want bad and the reason", bad)
			}
			p := processorOf(r, "good")
			expect(t, detectIn(t, p, blackPNG(t, side, side), &request{}), "cat/0 0.90: 10.0 20.0 30.0 50.0")
			_, err = p.Identity(t.Context(), &request{ModelName: "bad"})
			if kindOf(err) != "invalid" || !strings.Contains(err.Error(), bad.GetReason()) {
				t.Errorf("got %v, want invalid because of %q", err, bad.GetReason())
			}
		})
	}
}

func TestList_isUnavailableWithoutTriton(t *testing.T) {
	server := triton.New(t, t.TempDir())
	r, err := inference.Dial(server.Address, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	if got, err := detect.NewModels(r, "m").List(t.Context()); kindOf(err) != "unavailable" {
		t.Errorf("got %v, %v, want unavailable", got, err)
	}
}
