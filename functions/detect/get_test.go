package detect_test

import (
	"bytes"
	"errors"
	"image/jpeg"
	"slices"
	"strings"
	"testing"

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
	if got.GetModel().GetLayout() != "end-to-end" || !got.GetModel().GetDefault() || !strings.Contains(got.GetLayoutReason(), "metadata") {
		t.Errorf("got %v because %q, want end-to-end by its metadata", got.GetModel(), got.GetLayoutReason())
	}
	if in := got.GetInputs(); len(in) != 1 || in[0].GetName() != "input" || in[0].GetType() != "FP32" || !slices.Equal(in[0].GetShape(), input) {
		t.Errorf("got the inputs %v", in)
	}
	if out := got.GetOutputs(); len(out) != 1 || out[0].GetName() != "output" || !slices.Equal(out[0].GetShape(), output.Shape) {
		t.Errorf("got the outputs %v", out)
	}
	if p := got.GetPreprocessing(); p.GetChannelOrder() != "rgb" || p.GetPixelRange() != 1 || got.GetDigest() == "" || !got.GetIncludesNms() {
		t.Errorf("got %v, want rgb from 0 to 1, a digest, and NMS", got)
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
	if err != nil || got.GetModel().GetReady() || !strings.Contains(got.GetModel().GetReason(), "[1 9 11]") || got.GetTrial() != nil {
		t.Errorf("got %v, %v, want the reason", got, err)
	}
	var e *functions.Error
	if _, err := models.Get(t.Context(), &imageflowv1.GetModelRequest{Name: "none"}); !errors.As(err, &e) || e.Kind != functions.NotFound {
		t.Errorf("got %v, want NotFound", err)
	}
}
