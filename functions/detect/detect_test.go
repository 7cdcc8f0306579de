package detect_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/testing/protocmp"

	"imageflow.dev/functions"
	"imageflow.dev/functions/detect"
	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/inference"
	"imageflow.dev/internal/processors"
	"imageflow.dev/internal/testing/onnx"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

type (
	request  = imageflowv1.DetectionRequest
	response = imageflowv1.DetectionResponse
)

// side is the width and height of the input of the tests' models, in pixels.
const side = 64

var input = []int64{1, 3, side, side}

// newProcessor returns the processor for a folder whose only model is "m". The error
// is the refusal of the model.
func newProcessor(t testing.TB, m onnx.Model) (functions.Processor, error) {
	t.Helper()
	dir := t.TempDir()
	if err := m.Save(dir, "m", "3", "model.onnx"); err != nil {
		t.Fatal(err)
	}
	r := repository(t, dir)
	_, err := r.Model(t.Context(), "m", "")
	return processorOf(r, "m"), err
}

// processorOf returns the processor for the models of a repository.
func processorOf(r inference.Repository, defaultModel string) functions.Processor {
	return detect.New(detect.NewModels(r, defaultModel))
}

func repository(t testing.TB, dir string) *inference.Folder {
	t.Helper()
	r, err := inference.Open(t.Context(), dir, inference.Options{
		Library: os.Getenv("ONNXRUNTIME_LIB"), Threads: 1, Accept: detect.Accept,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

// metadata returns the metadata of a model with two classes, changed by pairs of keys
// and values. It decides where the shape of the output is ambiguous.
func metadata(pairs ...string) map[string]string {
	m := map[string]string{"names": "{0: 'cat', 1: 'dog'}", "end2end": "True"}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return m
}

// greyImage returns a grey PNG.
func greyImage(t testing.TB, width, height int) *imaging.Image {
	t.Helper()
	m := image.NewGray(image.Rect(0, 0, width, height))
	for i := range m.Pix {
		m.Pix[i] = 100
	}
	return encoded(t, m)
}

func encoded(t testing.TB, m image.Image) *imaging.Image {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return open(t, b.Bytes())
}

func open(t testing.TB, data []byte) *imaging.Image {
	t.Helper()
	m, err := imaging.Open(data, imaging.Limits{MaxSide: 16383, MaxPixels: 50e6})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// detectConstant applies the processor to an image, with a model whose output is
// constant.
func detectConstant(t testing.TB, output onnx.Tensor, m *imaging.Image, r *request, pairs ...string) *response {
	t.Helper()
	p, err := newProcessor(t, onnx.Always(input, output, metadata(pairs...)))
	if err != nil {
		t.Fatal(err)
	}
	_, resp, err := apply(t.Context(), p, r, functions.Input{Image: m, Format: m.Format})
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

// lines returns the detections as text: class, confidence, box.
func lines(r *response) []string {
	var all []string
	for _, d := range r.GetDetections() {
		b := d.GetBbox()
		all = append(all, fmt.Sprintf("%s/%d %.2f: %.1f %.1f %.1f %.1f",
			d.GetClassName(), d.GetClassId(), d.GetConfidence(), b.GetX1(), b.GetY1(), b.GetX2(), b.GetY2()))
	}
	return all
}

func expect(t *testing.T, r *response, want ...string) {
	t.Helper()
	if got := lines(r); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if got := r.GetMetadata().GetTotalDetections(); int(got) != len(want) {
		t.Errorf("total %d, want %d", got, len(want))
	}
}

func TestResponse_hasMetadata(t *testing.T) {
	resp := detectConstant(t, v8(object{10, 20, 30, 50, []float32{0.9, 0}}), greyImage(t, side, side), &request{})
	expect(t, resp, "cat/0 0.90: 10.0 20.0 30.0 50.0")
	m := resp.GetMetadata()
	if m.GetModelName() != "m" || m.GetModelVersion() != "3" || m.GetConfidenceThreshold() != 0.25 || m.GetNmsThreshold() != 0.45 {
		t.Errorf("got %v, want version 3 of m and the thresholds 0.25 and 0.45", m)
	}
	if m.GetInferenceTimeMs() <= 0 || m.GetNmsTimeMs() <= 0 || resp.GetResult() == nil {
		t.Errorf("got %v, want measured times and an empty result", resp)
	}
	r := &request{ConfidenceThreshold: 0.91, NmsThreshold: 0.6}
	resp = detectConstant(t, v8(object{10, 20, 30, 50, []float32{0.9, 0}}), greyImage(t, side, side), r)
	expect(t, resp)
	if m := resp.GetMetadata(); m.GetConfidenceThreshold() != 0.91 || m.GetNmsThreshold() != 0.6 {
		t.Errorf("got %v, want the thresholds of the request", m)
	}
}

func TestApply_convertsImageUnlessDrawing(t *testing.T) {
	p, err := newProcessor(t, onnx.Always(input, v8(object{10, 20, 30, 50, []float32{0.9, 0}}), metadata()))
	if err != nil {
		t.Fatal(err)
	}
	m := encoded(t, image.NewGray(image.Rect(0, 0, side, side)))
	same, err := m.Convert(t.Context(), imaging.PNG)
	if err != nil {
		t.Fatal(err)
	}
	for _, draw := range []bool{false, true} {
		out, resp, err := apply(t.Context(), p, &request{DrawBoxes: draw}, functions.Input{Image: m, Format: imaging.PNG})
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Equal(out.Data, same.Data) == draw {
			t.Errorf("draw_boxes %t: output equal to the converted input: %t", draw, draw)
		}
		if diff := cmp.Diff(resp, p.SideCar(resp), protocmp.Transform()); diff != "" {
			t.Errorf("side-car differs from the response (-want +got):\n%s", diff)
		}
	}
}

func TestCheck_rejectsUnknownModel(t *testing.T) {
	p, err := newProcessor(t, onnx.Always(input, endToEnd(), metadata()))
	if err != nil {
		t.Fatal(err)
	}
	var e *functions.Error
	err = p.Check(&request{ModelName: "yolo99"})
	if !errors.As(err, &e) || e.Kind != functions.NotFound || e.Field != "model_name" || !strings.Contains(e.Message, "yolo99") {
		t.Errorf("got %v, want NotFound for model_name and yolo99", err)
	}
	for _, name := range []string{"", "m"} {
		if err := p.Check(&request{ModelName: name}); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestApply_stopsWithItsContext(t *testing.T) {
	p, err := newProcessor(t, onnx.Always(input, endToEnd(), metadata()))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err = apply(ctx, p, &request{}, functions.Input{Image: greyImage(t, 9, 9), Format: imaging.PNG})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
}

// TestResizeMetadata_mapsBoxes: boxes are in pixels of the original image.
func TestResizeMetadata_mapsBoxes(t *testing.T) {
	resized := &imageflowv1.ResizeMetadata{OriginalWidth: 1280, OriginalHeight: 320, OutputWidth: 128, OutputHeight: 64}
	text, err := protojson.MarshalOptions{UseProtoNames: true, EmitUnpopulated: true}.Marshal(resized)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := applyWithSideCar(t)(text)
	if err != nil {
		t.Fatal(err)
	}
	// In the letterbox the image has 64×32 pixels and starts at y = 16.
	expect(t, resp, "cat/0 0.90: 320.0 80.0 960.0 240.0")
}

// TestResizeMetadata_mapsBoxesOfTurnedParts has a box from (32, 16) to (96, 48) in the output.
func TestResizeMetadata_mapsBoxesOfTurnedParts(t *testing.T) {
	for sideCar, want := range map[string][]string{
		`"xx": 2, "x0": 100, "yy": 3, "y0": 10`:   {"cat/0 0.90: 164.0 58.0 292.0 154.0"},
		`"xy": 1, "x0": 7, "yx": -1, "y0": 128`:   {"cat/0 0.90: 23.0 32.0 55.0 96.0"},
		`"xx": -1, "x0": 128, "yy": 1, "y0": -20`: {"cat/0 0.90: 32.0 0.0 96.0 28.0"},
		`"xx": 1, "x0": -97, "yy": 1`:             nil, // in the padding
	} {
		resp, err := applyWithSideCar(t)([]byte(`{"original_width": 1280, "original_height": 320, "output_width": 128,
			"output_height": 64, "original_from_output": {` + sideCar + `}}`))
		if err != nil {
			t.Fatal(err)
		}
		expect(t, resp, want...)
	}
}

func TestResizeMetadata_isValidated(t *testing.T) {
	apply := applyWithSideCar(t)
	for _, wrong := range [][]byte{
		nil, {}, []byte("{}"), []byte("garbage"), []byte(`{"original_width": 1280}`), []byte(`{"detections": []}`),
		[]byte(`{"original_width": 1280, "original_height": 320, "output_width": 64, "output_height": 128}`),
		[]byte(`{"original_width": 1280, "original_height": 320, "output_width": 128, "output_height": 65}`),
		[]byte(`{"original_width": 1280, "original_height": 320, "output_width": 128, "output_height": 64,
			"original_from_output": {"xx": "NaN"}}`),
	} {
		_, err := apply(wrong)
		var e *functions.Error
		if !errors.As(err, &e) || e.Kind != functions.Invalid || e.Field != "resize_metadata_ref" {
			t.Errorf("%q: got %v, want Invalid for resize_metadata_ref", wrong, err)
		}
	}
}

// applyWithSideCar returns a function that applies the processor to an image of 128×64
// pixels and the side-car of a resize.
func applyWithSideCar(t *testing.T) func(sideCar []byte) (*response, error) {
	t.Helper()
	p, err := newProcessor(t, onnx.Always(input, v8(object{16, 24, 48, 40, []float32{0.9, 0}}), metadata()))
	if err != nil {
		t.Fatal(err)
	}
	r := &request{ResizeMetadataRef: &imageflowv1.ImageData{ObjectKey: "a_resize.json"}}
	if got, _ := p.Reference(r, processors.Names{}); got != r.ResizeMetadataRef {
		t.Errorf("reference %v, want the one of the request", got)
	}
	if got, _ := p.Reference(&request{}, processors.Names{}); got != nil {
		t.Errorf("reference %v, want none", got)
	}
	return func(sideCar []byte) (*response, error) {
		_, resp, err := apply(t.Context(), p, r, functions.Input{
			Image: greyImage(t, 128, 64), Format: imaging.PNG, Reference: sideCar,
		})
		return resp, err
	}
}

// apply is p.Apply with the types of detect.
func apply(ctx context.Context, p functions.Processor, r *request, in functions.Input) (imaging.Encoded, *response, error) {
	out, resp, err := p.Apply(ctx, r, in)
	if err != nil {
		return out, nil, err
	}
	return out, resp.(*response), nil
}
