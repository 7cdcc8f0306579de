package detect_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/inference"
	"imageflow.dev/internal/testing/onnx"
)

// syntheticModel returns a model of the layout v8 with 640 pixels and 80 classes. It
// always finds three objects, after 1.5 billion multiplications in convolutions, a
// third of those of the smallest YOLOv8.
func syntheticModel() onnx.Model {
	in := size{640, 640}
	var objects []object
	for i := range 3 {
		o := object{float32(100 * i), 200, float32(100*i + 90), 300, make([]float32, 80)}
		o.classes[i] = 0.9
		objects = append(objects, o)
	}
	found := encoders["v8"](in, objects...)
	m := onnx.Model{
		Input: []int64{1, 3, 640, 640}, Output: found.Shape,
		Constants: map[string]onnx.Tensor{"found": found, "none": {Shape: []int64{1}, Data: []float32{0}}},
		Metadata:  map[string]string{"names": "{"},
	}
	for i := range 80 {
		m.Metadata["names"] += fmt.Sprintf("%d: 'c%d', ", i, i)
	}
	random, from := rand.New(rand.NewPCG(1, 2)), "input"
	for i, c := range []struct{ in, out, stride int64 }{
		{3, 16, 2}, {16, 32, 2}, {32, 64, 2}, {64, 64, 1}, {64, 64, 1}, {64, 64, 1}, {64, 64, 1}, {64, 64, 1}, {64, 1, 1},
	} {
		weights, name := onnx.Tensor{Shape: []int64{c.out, c.in, 3, 3}, Data: make([]float32, c.out*c.in*9)}, fmt.Sprint("weights", i)
		for k := range weights.Data {
			weights.Data[k] = random.Float32() - 0.5
		}
		m.Constants[name] = weights
		m.Nodes = append(m.Nodes,
			onnx.Node{
				Op: "Conv", Inputs: []string{from, name}, Output: name + "sum",
				Ints: map[string][]int64{"strides": {c.stride, c.stride}, "pads": {1, 1, 1, 1}},
			},
			onnx.Node{Op: "Relu", Inputs: []string{name + "sum"}, Output: name + "out"})
		from = name + "out"
	}
	m.Nodes = append(m.Nodes,
		onnx.Node{Op: "ReduceMean", Inputs: []string{from}, Output: "mean"},
		onnx.Node{Op: "Mul", Inputs: []string{"mean", "none"}, Output: "zeros"},
		onnx.Node{Op: "Squeeze", Inputs: []string{"zeros"}, Output: "zero"},
		onnx.Node{Op: "Add", Inputs: []string{"found", "zero"}, Output: "output"})
	return m
}

func report(b *testing.B, metrics map[string]float64) {
	for name, value := range metrics {
		b.ReportMetric(value, name)
	}
}

// sample returns the image that make run uses.
func sample(b *testing.B) []byte {
	b.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "test", "images", "sample.jpg"))
	if err != nil {
		b.Fatal(err)
	}
	return data
}

// BenchmarkCompute detects objects in a JPEG of 1920×1080 pixels, starting from its
// bytes, alternating with the unavoidable parts: decoding at the model's size, and
// the run alone. It reports the medians, the ratio of the whole to both parts, and
// the time of the rest.
func BenchmarkCompute(b *testing.B) {
	data := sample(b)
	dir := b.TempDir()
	if err := syntheticModel().Save(dir, "m", "1", "model.onnx"); err != nil {
		b.Fatal(err)
	}
	r := repository(b, dir)
	m, err := r.Model(b.Context(), "m", "")
	if err != nil {
		b.Fatal(err)
	}
	p, input := processorOf(r, "m"), inference.Tensor{Shape: []int64{1, 3, 640, 640}, Data: make([]float32, 3*640*640)}
	planes := imaging.Floats{
		Red: input.Data[:640*640], Green: input.Data[640*640:], Blue: input.Data[2*640*640:], Stride: 640, White: 1,
	}
	var whole, decoded, ran, rest []float64
	for b.Loop() {
		start := time.Now()
		resp := detectIn(b, p, data, &request{})
		whole = append(whole, since(start))
		if len(resp.GetDetections()) != 3 {
			b.Fatalf("got %q, want three", lines(resp))
		}

		start = time.Now()
		if err := open(b, data).ScaledTo(b.Context(), 640, 360, imaging.Fast, planes); err != nil {
			b.Fatal(err)
		}
		decoded = append(decoded, since(start))

		start = time.Now()
		if err := m.Infer(b.Context(), []inference.Tensor{input}, func([]inference.Tensor) error { return nil }); err != nil {
			b.Fatal(err)
		}
		ran = append(ran, since(start))
		rest = append(rest, whole[len(whole)-1]-decoded[len(decoded)-1]-resp.GetMetadata().GetInferenceTimeMs())
	}
	report(b, map[string]float64{
		"whole-p50-ms": median(whole), "decode-p50-ms": median(decoded), "run-p50-ms": median(ran), "rest-p50-ms": median(rest),
		"ratio": median(whole) / (median(decoded) + median(ran)), "ns/op": 0,
	})
}

func since(start time.Time) float64 { return float64(time.Since(start)) / float64(time.Millisecond) }

func median(all []float64) float64 {
	slices.Sort(all)
	return all[len(all)/2]
}
