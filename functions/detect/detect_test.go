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

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"imageflow.dev/functions"
	"imageflow.dev/functions/detect"
	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/inference"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
	"imageflow.dev/internal/testing/onnx"
)

type (
	request  = imageflowv1.DetectionRequest
	response = imageflowv1.DetectionResponse
)

// side is that of the tests' models' input.
const side = 64

var input = []int64{1, 3, side, side}

// newProcessor opens a repository with the one model "m".
func newProcessor(t testing.TB, m onnx.Model) (functions.Processor, error) {
	t.Helper()
	dir := t.TempDir()
	if err := m.Save(dir, "m", "3", "model.onnx"); err != nil {
		t.Fatal(err)
	}
	r := repository(t, dir)
	_, err := r.Model(t.Context(), "m")
	return over(r, "m"), err
}

// over returns the processor over the models of a repository.
func over(r inference.Repository, defaultModel string) functions.Processor {
	return detect.New(detect.NewModels(r, defaultModel))
}

func repository(t testing.TB, dir string) *inference.Folder {
	t.Helper()
	r, err := inference.Open(t.Context(), dir, inference.Options{Library: os.Getenv("ONNXRUNTIME_LIB"), Threads: 1, Accept: detect.Accept})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// metadata is that of a model of two classes, which tells what it is where the
// shape of its output does not.
func metadata(pairs ...string) map[string]string {
	m := map[string]string{"names": "{0: 'cat', 1: 'dog'}", "end2end": "True"}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return m
}

// picture is a grey PNG.
func picture(t testing.TB, width, height int) *imaging.Image {
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

// found sends a picture through a model that always gives the output.
func found(t testing.TB, output onnx.Tensor, m *imaging.Image, r *request, pairs ...string) *response {
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

// lines returns detections as text: class, confidence, box.
func lines(r *response) []string {
	var all []string
	for _, d := range r.GetDetections() {
		b := d.GetBbox()
		all = append(all, fmt.Sprintf("%s/%d %.2f: %.1f %.1f %.1f %.1f", d.GetClassName(), d.GetClassId(), d.GetConfidence(), b.GetX1(), b.GetY1(), b.GetX2(), b.GetY2()))
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

// TestResponse wants the facts of a run.
func TestResponse(t *testing.T) {
	resp := found(t, v8(object{10, 20, 30, 50, []float32{0.9, 0}}), picture(t, side, side), &request{})
	expect(t, resp, "cat/0 0.90: 10.0 20.0 30.0 50.0")
	m := resp.GetMetadata()
	if m.GetModelName() != "m" || m.GetModelVersion() != "3" || m.GetConfidenceThreshold() != 0.25 || m.GetNmsThreshold() != 0.45 {
		t.Errorf("got %v, want version 3 of m and the thresholds 0.25 and 0.45", m)
	}
	if m.GetInferenceTimeMs() <= 0 || m.GetNmsTimeMs() <= 0 || resp.GetResult() == nil {
		t.Errorf("got %v, want measured times and an empty result", resp)
	}
	resp = found(t, v8(object{10, 20, 30, 50, []float32{0.9, 0}}), picture(t, side, side), &request{ConfidenceThreshold: 0.91, NmsThreshold: 0.6})
	expect(t, resp)
	if m := resp.GetMetadata(); m.GetConfidenceThreshold() != 0.91 || m.GetNmsThreshold() != 0.6 {
		t.Errorf("got %v, want the thresholds of the request", m)
	}
}

func TestNoDrawingHandsPictureOn(t *testing.T) {
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
			t.Errorf("draw_boxes %t: the output's being the input is %t", draw, draw)
		}
		if sideCar := p.SideCar(resp); !proto.Equal(sideCar, resp) {
			t.Errorf("side-car %v, want the whole response", sideCar)
		}
	}
}

// TestUnknownModel wants it refused before anything is fetched.
func TestUnknownModel(t *testing.T) {
	p, err := newProcessor(t, onnx.Always(input, endToEnd(), metadata()))
	if err != nil {
		t.Fatal(err)
	}
	var e *functions.Error
	err = p.Check(&request{ModelName: "yolo99"})
	if !errors.As(err, &e) || e.Kind != functions.NotFound || e.Field != "model_name" || !strings.Contains(e.Message, "yolo99") {
		t.Errorf("got %v, want NotFound naming model_name and yolo99", err)
	}
	for _, name := range []string{"", "m"} {
		if err := p.Check(&request{ModelName: name}); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestCancelled(t *testing.T) {
	p, err := newProcessor(t, onnx.Always(input, endToEnd(), metadata()))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err = apply(ctx, p, &request{}, functions.Input{Image: picture(t, 9, 9), Format: imaging.PNG})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
}

// TestResizeMetadata wants boxes in the original's pixels.
func TestResizeMetadata(t *testing.T) {
	facts := &imageflowv1.ResizeMetadata{OriginalWidth: 1280, OriginalHeight: 320, OutputWidth: 128, OutputHeight: 64}
	text, err := protojson.MarshalOptions{UseProtoNames: true, EmitUnpopulated: true}.Marshal(facts)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := referring(t)(text)
	if err != nil {
		t.Fatal(err)
	}
	// In the letterbox the picture is 64×32, from 16 down; shrunk by 2.
	expect(t, resp, "cat/0 0.90: 320.0 80.0 960.0 240.0")
}

func TestWrongResizeMetadata(t *testing.T) {
	apply := referring(t)
	for _, wrong := range [][]byte{
		nil, {}, []byte("{}"), []byte("garbage"), []byte(`{"original_width": 1280}`), []byte(`{"detections": []}`),
		[]byte(`{"original_width": 1280, "original_height": 320, "output_width": 64, "output_height": 128}`),
		[]byte(`{"original_width": 1280, "original_height": 320, "output_width": 128, "output_height": 65}`),
	} {
		_, err := apply(wrong)
		var e *functions.Error
		if !errors.As(err, &e) || e.Kind != functions.Invalid || e.Field != "resize_metadata_ref" {
			t.Errorf("%q: got %v, want it refused naming resize_metadata_ref", wrong, err)
		}
	}
}

// referring returns what detects in a picture of 128×64 pixels with a side-car.
func referring(t *testing.T) func(sideCar []byte) (*response, error) {
	t.Helper()
	p, err := newProcessor(t, onnx.Always(input, v8(object{16, 24, 48, 40, []float32{0.9, 0}}), metadata()))
	if err != nil {
		t.Fatal(err)
	}
	r := &request{ResizeMetadataRef: &imageflowv1.ImageData{ObjectKey: "a_resize.json"}}
	if got := p.Reference(r); got != r.ResizeMetadataRef || p.Reference(&request{}) != nil {
		t.Errorf("reference %v, want that of the request, or none", got)
	}
	return func(sideCar []byte) (*response, error) {
		_, resp, err := apply(t.Context(), p, r, functions.Input{
			Image: picture(t, 128, 64), Format: imaging.PNG, Reference: sideCar,
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
