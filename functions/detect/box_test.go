package detect_test

import (
	"fmt"
	"image"
	"image/color"
	"testing"

	"imageflow.dev/functions"
	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/testing/onnx"
)

func cat(x1, y1, x2, y2, confidence float32) object {
	return object{x1, y1, x2, y2, []float32{confidence, 0}}
}

func TestNMS(t *testing.T) {
	dog := object{0, 0, 20, 20, []float32{0, 0.95}}
	half := []object{cat(0, 0, 20, 20, 0.75), cat(0, 0, 20, 10, 0.875)} // their IoU is exactly 0.5
	// The IoU of neighbours is 0.43, of the first and the last 0.11.
	chain := []object{cat(0, 0, 20, 20, 0.9), cat(0, 8, 20, 28, 0.8), cat(0, 16, 20, 36, 0.7)}
	for name, c := range map[string]struct {
		objects []object
		r       *request
		want    []string
	}{
		"IoU above the threshold": {half, &request{NmsThreshold: 0.49}, []string{"cat/0 0.88: 0.0 0.0 20.0 10.0"}},
		"IoU at the threshold": {half, &request{NmsThreshold: 0.5}, []string{
			"cat/0 0.88: 0.0 0.0 20.0 10.0", "cat/0 0.75: 0.0 0.0 20.0 20.0"}},
		"default threshold": {half, &request{}, []string{"cat/0 0.88: 0.0 0.0 20.0 10.0"}},
		"threshold of 1 drops no box": {half, &request{NmsThreshold: 1}, []string{
			"cat/0 0.88: 0.0 0.0 20.0 10.0", "cat/0 0.75: 0.0 0.0 20.0 20.0"}},
		"other classes stay": {append(half[:1:1], dog), &request{}, []string{
			"dog/1 0.95: 0.0 0.0 20.0 20.0", "cat/0 0.75: 0.0 0.0 20.0 20.0"}},
		"dropped boxes drop no others": {chain, &request{NmsThreshold: 0.4}, []string{
			"cat/0 0.90: 0.0 0.0 20.0 20.0", "cat/0 0.70: 0.0 16.0 20.0 36.0"}},
		"limit keeps the most confident": {append(chain[:3:3], dog), &request{NmsThreshold: 0.9, MaxDetections: 2}, []string{
			"dog/1 0.95: 0.0 0.0 20.0 20.0", "cat/0 0.90: 0.0 0.0 20.0 20.0"}},
	} {
		t.Run(name, func(t *testing.T) {
			for layout, output := range map[string]onnx.Tensor{"v8": v8(c.objects...), "v5": v5(c.objects...)} {
				t.Run(layout, func(t *testing.T) {
					expect(t, detectConstant(t, output, greyImage(t, side, side), c.r), c.want...)
				})
			}
		})
	}
	// End-to-end models include NMS, so no box is dropped.
	expect(t, detectConstant(t, endToEnd(half...), greyImage(t, side, side), &request{}),
		"cat/0 0.88: 0.0 0.0 20.0 10.0", "cat/0 0.75: 0.0 0.0 20.0 20.0")
	expect(t, detectConstant(t, endToEnd(half...), greyImage(t, side, side), &request{MaxDetections: 1}),
		"cat/0 0.88: 0.0 0.0 20.0 10.0")
}

// TestBoxes_areClippedToTheImage has boxes outside an image of 128×64 pixels, which
// covers the letterbox from y = 16 to y = 48.
func TestBoxes_areClippedToTheImage(t *testing.T) {
	resp := detectConstant(t, v8(
		cat(-20, 30, 10, 90, 0.9),
		cat(50, 0, 90, 20, 0.8),
		cat(10, 0, 30, 15, 0.7),  // in the padding above
		cat(10, 50, 30, 60, 0.6), // in the padding below
		cat(20, 20, 20, 40, 0.5), // without width
	), greyImage(t, 128, 64), &request{})
	expect(t, resp, "cat/0 0.90: 0.0 28.0 20.0 64.0", "cat/0 0.80: 100.0 0.0 128.0 8.0")
}

// TestInput_hasChannelsInOrder uses a model that finds a box at 40 times the means of
// its three channels. The channels are in [0, 1] by default.
func TestInput_hasChannelsInOrder(t *testing.T) {
	for _, c := range []struct {
		settings []string
		times    float32
		want     string
	}{
		{nil, 40, "cat/0 0.90: 8.0 16.0 60.0 52.0"},
		{[]string{"channel_order", "bgr"}, 40, "cat/0 0.90: 32.0 16.0 60.0 28.0"},
		{[]string{"pixel_range", "255"}, 40. / 255, "cat/0 0.90: 8.0 16.0 60.0 52.0"},
		{[]string{"channel_order", "rgb", "pixel_range", "1"}, 40, "cat/0 0.90: 8.0 16.0 60.0 52.0"},
	} {
		t.Run(fmt.Sprint(c.settings), func(t *testing.T) {
			box, scale := endToEnd(), onnx.Tensor{Shape: []int64{3, 6}, Data: make([]float32, 18)}
			copy(box.Data, []float32{0, 0, 60, 20, 0.9, 0})
			scale.Data[0], scale.Data[6+1], scale.Data[12+3] = c.times, c.times, c.times
			p, err := newProcessor(t, onnx.Model{
				Input: input, Output: box.Shape, Metadata: metadata(c.settings...),
				Constants: map[string]onnx.Tensor{"box": box, "scale": scale},
				Nodes: []onnx.Node{
					{Op: "GlobalAveragePool", Inputs: []string{"input"}, Output: "means"},
					{Op: "Squeeze", Inputs: []string{"means"}, Output: "colour"},
					{Op: "MatMul", Inputs: []string{"colour", "scale"}, Output: "scaled"},
					{Op: "Add", Inputs: []string{"scaled", "box"}, Output: "output"},
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			m := image.NewNRGBA(image.Rect(0, 0, side, side))
			for i := range side * side {
				m.SetNRGBA(i%side, i/side, color.NRGBA{51, 102, 204, 255})
			}
			_, resp, err := apply(t.Context(), p, &request{}, functions.Input{Image: encoded(t, m), Format: imaging.PNG})
			if err != nil {
				t.Fatal(err)
			}
			expect(t, resp, c.want)
		})
	}
}

// TestInput_hasGreyPadding uses a model whose confidence is the mean of its input: of
// a white image of 64×32 pixels, and of grey 114 in the padding.
func TestInput_hasGreyPadding(t *testing.T) {
	for resize, want := range map[string]string{
		"letterbox": "cat/0 0.72: 0.0 0.0 64.0 32.0", "top-left": "cat/0 0.72: 0.0 16.0 64.0 32.0",
		"stretch": "cat/0 1.00: 0.0 8.0 64.0 24.0",
	} {
		box, scale := endToEnd(), onnx.Tensor{Shape: []int64{3, 6}, Data: make([]float32, 18)}
		copy(box.Data, []float32{0, 16, 64, 48, 0, 0})
		scale.Data[4] = 1
		p, err := newProcessor(t, onnx.Model{
			Input: input, Output: box.Shape, Metadata: metadata("resize", resize, "layout", "end-to-end"),
			Constants: map[string]onnx.Tensor{"box": box, "scale": scale},
			Nodes: []onnx.Node{
				{Op: "GlobalAveragePool", Inputs: []string{"input"}, Output: "means"},
				{Op: "Squeeze", Inputs: []string{"means"}, Output: "colour"},
				{Op: "MatMul", Inputs: []string{"colour", "scale"}, Output: "scaled"},
				{Op: "Add", Inputs: []string{"scaled", "box"}, Output: "output"},
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		m := image.NewGray(image.Rect(0, 0, 64, 32))
		for i := range m.Pix {
			m.Pix[i] = 255
		}
		_, resp, err := apply(t.Context(), p, &request{MaxDetections: 1}, functions.Input{Image: encoded(t, m), Format: imaging.PNG})
		if err != nil {
			t.Fatal(err)
		}
		expect(t, resp, want)
	}
}

// TestMaxDetections_countsBoxesInTheImage: boxes in the padding are more confident.
func TestMaxDetections_countsBoxesInTheImage(t *testing.T) {
	var objects []object
	for i := range 7 {
		x := float32(8 * i)
		objects = append(objects, object{x, 1, x + 6, 7, []float32{0.9}}, object{x, 20, x + 6, 26, []float32{0.8}})
	}
	resp := detectConstant(t, v8(objects...), greyImage(t, 64, 32), &request{MaxDetections: 5}, "names", "{0: 'cat'}")
	if n := len(resp.GetDetections()); n != 5 || resp.GetMetadata().GetTotalDetections() != 5 {
		t.Errorf("%d detections, want 5: %q", n, lines(resp))
	}
}
