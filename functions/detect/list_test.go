package detect_test

import (
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	"imageflow.dev/functions/detect"
	"imageflow.dev/internal/inference"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
	"imageflow.dev/test/onnx"
	"imageflow.dev/test/triton"
)

// TestList wants of every model what it is, or why it cannot be used, from both
// backends.
func TestList(t *testing.T) {
	dir := t.TempDir()
	triton.Save(t, onnx.Always([]int64{-1, 3, 64, 96}, rows(size{96, 64}.cells(), 7), metadata()), dir, "wide", "2")
	triton.Save(t, onnx.Always([]int64{1, 7}, onnx.Tensor{Shape: []int64{1}, Data: []float32{1}}, metadata()), dir, "other", "1")
	server := triton.New(t, dir)
	server.Start()
	there, err := inference.Dial(server.Address, time.Minute, detect.Prepare)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = there.Close() })
	for backend, r := range map[string]inference.Repository{"onnxruntime": repository(t, dir), "triton": there} {
		t.Run(backend, func(t *testing.T) {
			got, err := detect.List(t.Context(), r, "wide")
			if err != nil {
				t.Fatal(err)
			}
			want := &imageflowv1.ListModelsResponse{Models: []*imageflowv1.Model{
				{Name: "other", Versions: []string{"1"}, Reason: "its input is [1 7] but must be [N, 3, height, width]"},
				{
					Name: "wide", Default: true, Ready: true, Version: "2", Versions: []string{"2"}, Layout: "yolox",
					Labels: []string{"cat", "dog"}, InputWidth: 96, InputHeight: 64, Resize: "top-left", Backend: backend,
				},
			}}
			if backend == "onnxruntime" {
				want.Models[1].Provider = "cpu"
			}
			if !proto.Equal(got, want) {
				t.Errorf("got\n%s\nwant\n%s", prototext.Format(got), prototext.Format(want))
			}
		})
	}
	// A default that is missing is what a reader looks for.
	got, err := detect.List(t.Context(), repository(t, dir), "none")
	if err != nil || len(got.GetModels()) != 3 {
		t.Fatalf("got %v, %v, want three", got, err)
	}
	if last := got.GetModels()[2]; last.GetName() != "none" || !last.GetDefault() || last.GetReady() || last.GetReason() == "" {
		t.Errorf("got %v, want the default and why it is not ready", last)
	}
}

// TestListOfServerAway: nothing is told where nothing is known.
func TestListOfServerAway(t *testing.T) {
	server := triton.New(t, t.TempDir())
	r, err := inference.Dial(server.Address, time.Minute, detect.Prepare)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	if got, err := detect.List(t.Context(), r, "m"); kindOf(err) != "unavailable" {
		t.Errorf("got %v, %v, want it unavailable", got, err)
	}
}
