package detect_test

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"math"
	"slices"
	"strings"
	"testing"

	"imageflow.dev/functions"
	"imageflow.dev/functions/detect"
	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/inference"
	"imageflow.dev/internal/testing/onnx"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// classifier returns a model with a constant value for each class.
func classifier(shape []int64, values []float32, pairs ...string) onnx.Model {
	var names []string
	for i := range values {
		names = append(names, fmt.Sprintf("%d: 'c%d'", i, i))
	}
	settings := map[string]string{"names": "{" + strings.Join(names, ", ") + "}", "task": "classify"}
	for i := 0; i < len(pairs); i += 2 {
		settings[pairs[i]] = pairs[i+1]
	}
	return onnx.Always(input, onnx.Tensor{Shape: shape, Data: values}, settings)
}

// classes returns the classifications as text.
func classes(r *response) (all []string) {
	for _, c := range r.GetClassifications() {
		all = append(all, fmt.Sprintf("%s/%d %.3f", c.GetClassName(), c.GetClassId(), c.GetConfidence()))
	}
	return all
}

func TestClassifications(t *testing.T) {
	probabilities := []float32{0.05, 0.2, 0.1, 0.4, 0.17, 0.08}
	logits := make([]float32, len(probabilities))
	for i, p := range probabilities {
		logits[i] = float32(math.Log(float64(p))) + 7
	}
	many, _ := newProcessor(t, classifier([]int64{1, 6}, probabilities))
	flat, _ := newProcessor(t, classifier([]int64{6}, probabilities))
	raw, _ := newProcessor(t, classifier([]int64{1, 6}, logits))
	unknown, _ := newProcessor(t, classifier([]int64{1, 6}, logits, "task", "")) // as others export it
	best := []string{"c3/3 0.400", "c1/1 0.200", "c4/4 0.170", "c2/2 0.100", "c5/5 0.080"}
	for i, c := range []struct {
		p    functions.Processor
		r    *request
		want []string
	}{
		{many, &request{}, best},
		{flat, &request{}, best},
		{raw, &request{DrawBoxes: true}, best},
		{unknown, &request{}, best},
		{many, &request{MaxDetections: 2}, best[:2]},
		{many, &request{ConfidenceThreshold: 0.15}, best[:3]},
		{many, &request{Classes: []string{"c0", "2"}}, []string{"c2/2 0.100", "c0/0 0.050"}},
		{many, &request{ClassThresholds: map[string]float32{"c3": 0.5}}, append(slices.Clone(best[1:]), "c0/0 0.050")},
	} {
		resp := detectIn(t, c.p, blackPNG(t, 90, 50), c.r)
		if got := classes(resp); !slices.Equal(got, c.want) || len(resp.GetDetections()) > 0 {
			t.Errorf("%d: got %q and %q, want %q", i, got, lines(resp), c.want)
		}
		m := resp.GetMetadata()
		if m.GetModelName() != "m" || m.GetInferenceTimeMs() <= 0 || m.GetConfidenceThreshold() != c.r.ConfidenceThreshold {
			t.Errorf("%d: metadata %v", i, m)
		}
	}
}

// TestClassifier_isRefused: the error names the way out.
func TestClassifier_isRefused(t *testing.T) {
	nan := float32(math.NaN())
	for want, m := range map[string]onnx.Model{
		"parameter activation": classifier([]int64{1, 3}, []float32{0.5, 0.25, 0.5}),
		"no numbers":           classifier([]int64{1, 3}, []float32{0.5, nan, 0.5}),
		`task "classify"`:      classifier([]int64{1, 2, 2}, []float32{0.25, 0.25, 0.25, 0.25}),
		"none or softmax":      classifier([]int64{1, 2}, []float32{0.5, 0.5}, "activation", "sigmoid"),
	} {
		if _, err := newProcessor(t, m); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	for activation, want := range map[string]string{"none": "c0/0 0.500", "softmax": "c0/0 0.360"} {
		p, err := newProcessor(t, classifier([]int64{1, 3}, []float32{0.5, 0.25, 0.5}, "activation", activation))
		if err != nil {
			t.Fatal(err)
		}
		if got := classes(detectIn(t, p, blackPNG(t, 9, 9), &request{})); got[0] != want {
			t.Errorf("%s: got %q, want %s", activation, got, want)
		}
	}
}

// TestClassifier_refusesFieldsOfBoxes: they would have no effect.
func TestClassifier_refusesFieldsOfBoxes(t *testing.T) {
	p, err := newProcessor(t, classifier([]int64{1, 2}, []float32{0.5, 0.5}))
	if err != nil {
		t.Fatal(err)
	}
	for field, r := range map[string]*request{
		"frames": {Frames: 1}, "tiles": {Tiles: &imageflowv1.Tiles{}}, "crops": {Crops: &imageflowv1.DetectionCrops{}},
		"masks": {Masks: []imageflowv1.MaskFormat{rle}}, "min_size": {MinSize: 1}, "agnostic_nms": {AgnosticNms: true},
		"regions": {Regions: []*imageflowv1.Region{{X2: 5, Y2: 5}}},
	} {
		_, _, err := apply(t.Context(), p, r, functions.Input{Image: greyImage(t, 9, 9), Format: imaging.PNG})
		var e *functions.Error
		if !errors.As(err, &e) || e.Kind != functions.Invalid || e.Field != field {
			t.Errorf("%s: got %v, want Invalid", field, err)
		}
	}
}

// TestClassifier_seesTheCentre: the model returns the mean of each channel.
func TestClassifier_seesTheCentre(t *testing.T) {
	means := onnx.Model{
		Input: input, Output: []int64{1, 3},
		Nodes: []onnx.Node{{
			Op: "ReduceMean", Inputs: []string{"input"}, Output: "output",
			Ints: map[string][]int64{"axes": {2, 3}}, Int: map[string]int64{"keepdims": 0},
		}},
		Metadata: map[string]string{"names": "['red', 'green', 'blue']", "task": "classify", "activation": "none"},
	}
	p, err := newProcessor(t, means)
	if err != nil {
		t.Fatal(err)
	}
	m := image.NewNRGBA(image.Rect(0, 0, 300, 100))
	for i := range 300 * 100 {
		x := i % 300
		m.SetNRGBA(x, i/300, [...]color.NRGBA{{255, 0, 0, 255}, {0, 255, 0, 255}, {0, 0, 255, 255}}[x/100])
	}
	_, resp, err := apply(t.Context(), p, &request{}, functions.Input{Image: encoded(t, m), Format: imaging.PNG})
	if err != nil {
		t.Fatal(err)
	}
	if best := resp.GetClassifications()[0]; best.GetClassName() != "green" || best.GetConfidence() < 0.98 {
		t.Errorf("got %q, want green, the centre", classes(resp))
	}
}

// TestCentreCrop_positions: in a ramp, values say from where pixels come. The shorter side becomes as long as
// the input, the longer one is rounded down, and the crop is in its middle, as in torchvision.
func TestCentreCrop_positions(t *testing.T) {
	for _, of := range []image.Point{{301, 97}, {97, 301}, {640, 427}, {64, 64}, {50, 60}} {
		m := image.NewGray16(image.Rectangle{Max: of})
		long := max(of.X, of.Y)
		for i := range of.X * of.Y {
			x, y := i%of.X, i/of.X
			at := x
			if of.Y > of.X {
				at = y
			}
			m.SetGray16(x, y, color.Gray16{uint16(math.Round(65535 * (float64(at) + 0.5) / float64(long)))})
		}
		numbers, width, height, err := detect.InputOf(t, encoded(t, m), inference.Float32, []int64{1, 3, 64, 64},
			map[string]string{"resize": "center-crop"})
		if err != nil || width != 64 || height != 64 {
			t.Fatalf("%d×%d, %v", width, height, err)
		}
		scaled := int(64 * float64(long) / float64(min(of.X, of.Y)))
		offset := math.RoundToEven(float64(scaled-64) / 2)
		for i, v := range numbers[:64*64] {
			at := i % 64
			if of.Y > of.X {
				at = i / 64
			}
			want := (offset + float64(at) + 0.5) / float64(scaled)
			if far := math.Abs(float64(v) - want); far > 0.006 && at > 1 && at < 62 {
				t.Fatalf("%v: number %d is %g, want %g", of, i, v, want)
			}
		}
	}
}
