package detect_test

import (
	"strings"
	"testing"

	"imageflow.dev/functions"
	"imageflow.dev/internal/testing/onnx"
	"imageflow.dev/internal/testing/triton"
)

// sized returns a model whose only box is half of the width and height that it gets in its
// input of sizes, [height, width] or [width, height]. Its own input is 64 high and 96 wide.
func sized(size onnx.Value, pairs ...string) onnx.Model {
	constant := func(numbers ...float32) onnx.Tensor {
		return onnx.Tensor{Shape: []int64{1, 1, int64(len(numbers))}, Data: numbers}
	}
	return onnx.Model{
		Input: []int64{1, 3, 64, 96}, Output: []int64{1, 1, 6}, Metadata: metadata(pairs...),
		MoreInputs: []onnx.Value{size},
		Constants:  map[string]onnx.Tensor{"zeros": constant(0, 0), "half": constant(0.5), "last": constant(0.9, 1)},
		Nodes: []onnx.Node{
			{Op: "Cast", Inputs: []string{size.Name}, Output: "numbers", To: onnx.Float32},
			{Op: "Mul", Inputs: []string{"numbers", "half"}, Output: "corner"}, // [1, 1, 2]
			{Op: "Concat", Inputs: []string{"zeros", "corner", "last"}, Output: "output", Int: map[string]int64{"axis": 2}},
		},
	}
}

// TestInputs_ofSizes: inputs of sizes get those of the model's input, so that boxes are in its pixels.
func TestInputs_ofSizes(t *testing.T) {
	number := func(name string, kind uint64) onnx.Value {
		return onnx.Value{Name: name, Type: kind, Shape: []int64{-1, 2}}
	}
	other, size := number("sizes", onnx.Int64), number("orig_target_sizes", onnx.Int64)
	for name, c := range map[string]struct {
		model onnx.Model
		want  string
	}{
		"D-FINE":          {sized(size), "dog/1 0.90: 0.0 0.0 48.0 32.0"},
		"Paddle's size":   {sized(number("im_shape", onnx.Float32)), "dog/1 0.90: 0.0 0.0 32.0 48.0"},
		"Paddle's scale":  {sized(number("scale_factor", onnx.Float32)), "dog/1 0.90: 0.0 0.0 0.5 0.5"},
		"other parameter": {sized(other, "inputs", "sizes=width_height"), "dog/1 0.90: 0.0 0.0 48.0 32.0"},
		"other order":     {sized(size, "inputs", "orig_target_sizes = height_width"), "dog/1 0.90: 0.0 0.0 32.0 48.0"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			c.model.Metadata["layout"] = "end-to-end"
			triton.Save(t, c.model, dir, "m", "1")
			server := triton.New(t, dir)
			server.Start()
			for _, p := range []functions.Processor{processorOf(repository(t, dir), "m"), tritonProcessor(t, server, "m")} {
				expect(t, detectIn(t, p, blackPNG(t, 96, 64), &request{}), c.want)
			}
		})
	}
}

func TestInputs_refused(t *testing.T) {
	sizes := onnx.Value{Name: "sizes", Type: onnx.Int64, Shape: []int64{1, 2}}
	flag := onnx.Value{Name: "flag", Shape: []int64{1}}
	two := onnx.Always(input, v8(object{10, 20, 30, 50, []float32{0.9, 0}}), metadata())
	two.MoreInputs = []onnx.Value{{Name: "mask", Shape: []int64{1, 1, 64, 64}}}
	for name, c := range map[string]struct {
		model onnx.Model
		wants []string
	}{
		"unknown name":      {sized(sizes), []string{"sizes of INT64", "inputs", "sizes=width_height"}},
		"unknown shape":     {sized(flag), []string{"flag of FP32", "inputs"}},
		"two images":        {two, []string{"input of FP32", "mask of FP32", "both images"}},
		"wrong kind":        {sized(sizes, "inputs", "sizes=area"), []string{"sizes=area", "width_height"}},
		"unknown parameter": {sized(sizes, "inputs", "size=scale"), []string{"size=scale", "sizes of INT64"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := newProcessor(t, c.model)
			for _, want := range c.wants {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want a refusal with %q", err, want)
				}
			}
		})
	}
}
