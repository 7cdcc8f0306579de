package detect_test

import (
	"fmt"
	"testing"

	"imageflow.dev/functions"
	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/testing/onnx"
)

// ofSize returns a model whose only box has 0.5 of the width and 0.6 of the height of its dynamic
// input. It fails if rows is not 0 and the input has another number of rows.
func ofSize(rows int64, pairs ...string) onnx.Model {
	constant := func(shape []int64, numbers ...float32) onnx.Tensor { return onnx.Tensor{Shape: shape, Data: numbers} }
	six := []int64{1, 1, 6}
	m := onnx.Model{
		Input: []int64{-1, 3, -1, -1}, Output: six, Metadata: metadata(append(pairs, "imgsz", "64", "layout", "end-to-end")...),
		Constants: map[string]onnx.Tensor{
			"height": constant([]int64{4}, 0, 0, 1, 0), "width": constant([]int64{4}, 0, 0, 0, 1),
			"x2": constant(six, 0, 0, 0.5, 0, 0, 0), "y2": constant(six, 0, 0, 0, 0.6, 0, 0), "rest": constant(six, 0, 0, 0, 0, 0.9, 0),
		},
	}
	add := func(op, output string, inputs ...string) {
		m.Nodes = append(m.Nodes, onnx.Node{Op: op, Inputs: inputs, Output: output})
	}
	from := "input"
	if rows > 0 {
		m.Constants["rows"] = constant([]int64{1, 1, rows, 1}, make([]float32, rows)...)
		add("Add", "checked", "input", "rows")
		from = "checked"
	}
	add("Shape", "shape", from)
	m.Nodes = append(m.Nodes, onnx.Node{Op: "Cast", Inputs: []string{"shape"}, Output: "numbers", To: onnx.Float32})
	sum := "rest"
	for side, place := range map[string]string{"width": "x2", "height": "y2"} {
		add("Mul", side+"only", "numbers", side)
		add("ReduceSum", side+"all", side+"only")
		add("Mul", side+"placed", side+"all", place)
		add("Add", side+"sum", sum, side+"placed")
		sum = side + "sum"
	}
	add("Identity", "output", sum)
	return m
}

// TestRectangular: an image of 192×60 becomes 64×20 pixels of the input: 22 pixels below the top of an input of
// 64×64, 6 pixels below the top of one of 64×32, or stretched to one of them.
func TestRectangular(t *testing.T) {
	const square, rectangle = "cat/0 0.90: 0.0 0.0 96.0 49.2", "cat/0 0.90: 0.0 0.0 96.0 39.6"
	const stretched = "cat/0 0.90: 0.0 0.0 96.0 36.0"
	for name, c := range map[string]struct {
		model onnx.Model
		want  string
	}{
		"dynamic":            {ofSize(0), rectangle},
		"off":                {ofSize(0, "rectangular", "false"), square},
		"needs its own size": {ofSize(64), square},
		"stretched":          {ofSize(64, "resize", "stretch"), stretched},
	} {
		p, err := newProcessor(t, c.model)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		expect(t, detectIn(t, p, blackPNG(t, 192, 60), &request{}), c.want)
	}
	if _, err := newProcessor(t, ofSize(64, "rectangular", "true")); err == nil {
		t.Error("a model that works with one size only was accepted as rectangular")
	}
}

// TestBatch_ofFixedSize: only the results for the first image of a batch count.
func TestBatch_ofFixedSize(t *testing.T) {
	first, second := object{10, 20, 30, 50, []float32{0.9, 0}}, object{1, 2, 3, 4, []float32{0, 0.8}}
	for layout, encode := range encoders {
		output, other := encode(size{side, side}, first), encode(size{side, side}, second)
		output.Shape[0], output.Data = 2, append(output.Data, other.Data...)
		p, err := newProcessor(t, onnx.Always([]int64{2, 3, side, side}, output, metadata("layout", layout, "resize", "stretch")))
		if err != nil {
			t.Errorf("%s: %v", layout, err)
			continue
		}
		expect(t, detectIn(t, p, blackPNG(t, side, side), &request{}), "cat/0 0.90: 10.0 20.0 30.0 50.0")
	}
}

// TestBytes_channelsLast: a model that takes bytes, channels last and in batches sees the image as others do.
func TestBytes_channelsLast(t *testing.T) {
	in := size{64, 48}
	for _, batch := range []int64{1, 3} {
		m := finder(in)
		m.Input, m.InputType = []int64{batch, 48, 64, 3}, onnx.Uint8
		m.Constants["white"] = onnx.Tensor{Shape: []int64{1}, Data: []float32{255}}
		m.Nodes[0].Inputs[0] = "planes"
		m.Nodes = append([]onnx.Node{
			{Op: "Cast", Inputs: []string{"input"}, Output: "numbers", To: onnx.Float32},
			{Op: "Div", Inputs: []string{"numbers", "white"}, Output: "fractions"},
			{Op: "Transpose", Inputs: []string{"fractions"}, Output: "planes", Ints: map[string][]int64{"perm": {0, 3, 1, 2}}},
		}, m.Nodes...)
		p, err := newProcessor(t, m)
		if err != nil {
			t.Fatal(err)
		}
		want := randomRect(newRandom(), 64, 48, 5)
		_, resp, err := apply(t.Context(), p, &request{}, functions.Input{Image: redRectangle(t, 64, 48, want), Format: imaging.PNG})
		if err != nil {
			t.Fatal(fmt.Errorf("batch of %d: %w", batch, err))
		}
		expectNear(t, resp, want, 0.1)
	}
}
