package detect_test

import (
	"bytes"
	"errors"
	"image/jpeg"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"imageflow.dev/functions"
	"imageflow.dev/functions/detect"
	"imageflow.dev/internal/inference"
	"imageflow.dev/internal/testing/onnx"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// saved returns a repository with one model.
func saved(t *testing.T, m onnx.Model) inference.Repository {
	t.Helper()
	dir := t.TempDir()
	if err := m.Save(dir, "m", "3", "model.onnx"); err != nil {
		t.Fatal(err)
	}
	return repository(t, dir)
}

// TestGet_describesModel: the answer says how the model was understood, and shows it.
func TestGet_describesModel(t *testing.T) {
	output := endToEnd(object{10, 20, 30, 50, []float32{0, 0.9}})
	m := onnx.Always(input, output, metadata("args", "{'nms': True, 'conf': 0.4}"))
	models := detect.NewModels(saved(t, m), "m")
	got, err := models.Get(t.Context(), &imageflowv1.GetModelRequest{Trial: true})
	if err != nil {
		t.Fatal(err)
	}
	want := &imageflowv1.GetModelResponse{
		Model: got.GetModel(), LayoutReason: "chosen by its metadata", IncludesNms: true, Digest: got.GetDigest(),
		Inputs:        []*imageflowv1.ModelTensor{{Name: "input", Type: "FP32", Shape: input}},
		Outputs:       []*imageflowv1.ModelTensor{{Name: "output", Type: "FP32", Shape: output.Shape}},
		Preprocessing: &imageflowv1.ModelPreprocessing{ChannelOrder: "rgb", PixelRange: 1, Interpolation: "bilinear"},
		Notes:         got.GetNotes(), Trial: got.GetTrial(),
	}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("model (-want +got):\n%s", diff)
	}
	if m := got.GetModel(); m.GetLayout() != "end-to-end" || !m.GetDefault() || got.GetDigest() == "" {
		t.Errorf("got %v, want the default of the layout end-to-end, and a digest", got)
	}
	if notes := got.GetNotes(); len(notes) != 1 || !strings.Contains(notes[0], "0.4") {
		t.Errorf("got the notes %q, want the confidence of the export", notes)
	}
	trial := got.GetTrial()
	if _, err := jpeg.Decode(bytes.NewReader(trial.GetImage())); err != nil || trial.GetContentType() != "image/jpeg" {
		t.Errorf("trial: %v, %s", err, trial.GetContentType())
	}
	if found := trial.GetDetections(); len(found) != 1 || found[0].GetClassName() != "dog" {
		t.Errorf("got %v in the trial, want one dog", found)
	}
}

// TestGet_refusedAndMissing: a refused model has its reason, and a missing one is an error.
func TestGet_refusedAndMissing(t *testing.T) {
	models := detect.NewModels(saved(t, onnx.Always(input, shaped(1, 9, 11), metadata())), "m")
	got, err := models.Get(t.Context(), &imageflowv1.GetModelRequest{Name: "m", Trial: true})
	m := got.GetModel()
	if err != nil || m.GetReady() || !strings.Contains(m.GetReason(), "[1 9 11]") || got.GetTrial() != nil {
		t.Errorf("got %v, %v, want the reason", got, err)
	}
	var e *functions.Error
	_, err = models.Get(t.Context(), &imageflowv1.GetModelRequest{Name: "none"})
	if !errors.As(err, &e) || e.Kind != functions.NotFound {
		t.Errorf("got %v, want NotFound", err)
	}
}
