package detect_test

import (
	"image"
	"image/color"
	"image/draw"
	"math"
	"math/rand/v2"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"

	"imageflow.dev/functions"
	"imageflow.dev/functions/resize"
	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/testing/onnx"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// finder returns a model that finds a red rectangle with subpixel accuracy: the box has
// the centre and the size of the projections of the red pixels onto both axes.
func finder(s size, pairs ...string) onnx.Model {
	w, h := int64(s.width), int64(s.height)
	m := onnx.Model{
		Input: []int64{1, 3, h, w}, Output: []int64{1, 300, 6},
		Metadata: metadata(append(pairs, "layout", "end-to-end")...), // a grey image has no box
		Constants: map[string]onnx.Tensor{
			"red":   {Shape: []int64{1, 3, 1, 1}, Data: []float32{1, -1, 0}},
			"x":     {Shape: []int64{1, 1, 1, w}, Data: centres(s.width)},
			"y":     {Shape: []int64{1, 1, h, 1}, Data: centres(s.height)},
			"half":  {Shape: []int64{1}, Data: []float32{0.5}},
			"tiny":  {Shape: []int64{1}, Data: []float32{1e-6}}, // without red, the box is empty
			"found": {Shape: []int64{1, 300, 6}, Data: append([]float32{0, 0, 0, 0, 0.9}, make([]float32, 1795)...)},
		},
		Nodes: []onnx.Node{{Op: "Conv", Inputs: []string{"input", "red"}, Output: "map"}},
	}
	add := func(op, output string, inputs ...string) {
		m.Nodes = append(m.Nodes, onnx.Node{Op: op, Inputs: inputs, Output: output})
	}
	sum := "found"
	for axis, side := range []string{"x", "y"} {
		m.Nodes = append(m.Nodes, onnx.Node{
			Op: "ReduceMax", Inputs: []string{"map"}, Output: side + "shadow", Ints: map[string][]int64{"axes": {int64(2 + axis)}},
		})
		add("ReduceSum", side+"all", side+"shadow")
		add("Mul", side+"weighted", side+"shadow", side)
		add("ReduceSum", side+"moment", side+"weighted")
		add("Max", side+"divisor", side+"all", "tiny")
		add("Div", side+"middle", side+"moment", side+"divisor")
		add("Mul", side+"half", side+"all", "half")
		for i, op := range []string{"Sub", "Add"} { // the first corner, the second
			name := side + op
			m.Constants[name+"place"] = unit(axis + 2*i)
			add(op, name, side+"middle", side+"half")
			add("Squeeze", name+"scalar", name)
			add("Mul", name+"row", name+"scalar", name+"place")
			add("Add", name+"sum", sum, name+"row")
			sum = name + "sum"
		}
	}
	add("Identity", "output", sum)
	return m
}

// unit returns the output of a finder with a 1 at an index, and else 0.
func unit(at int) onnx.Tensor {
	t := onnx.Tensor{Shape: []int64{1, 300, 6}, Data: make([]float32, 1800)}
	t.Data[at] = 1
	return t
}

// centres returns the coordinates of the centres of n pixels.
func centres(n int) []float32 {
	all := make([]float32, n)
	for i := range all {
		all[i] = float32(i) + 0.5
	}
	return all
}

// redRectangle returns a black image with a red rectangle.
func redRectangle(t *testing.T, width, height int, r image.Rectangle) *imaging.Image {
	t.Helper()
	m := image.NewPaletted(image.Rect(0, 0, width, height), color.Palette{color.Black, color.RGBA{255, 0, 0, 255}})
	draw.Draw(m, r, image.NewUniform(m.Palette[1]), image.Point{}, draw.Src)
	return encoded(t, m)
}

// expectNear checks that the only box is the rectangle, within slack pixels.
func expectNear(t *testing.T, resp *response, want image.Rectangle, slack float64) {
	t.Helper()
	if len(resp.GetDetections()) != 1 {
		t.Fatalf("got %q, want one box at %v", lines(resp), want)
	}
	b := resp.GetDetections()[0].GetBbox()
	for _, off := range []float32{
		b.X1 - float32(want.Min.X), b.Y1 - float32(want.Min.Y), b.X2 - float32(want.Max.X), b.Y2 - float32(want.Max.Y),
	} {
		if float64(max(off, -off)) > slack {
			t.Errorf("got %v, want %v to %.1f", b, want, slack)
		}
	}
}

var fits = []string{"letterbox", "top-left", "stretch"}

// TestBoxes_areMappedToTheImage finds rectangles in images of random sizes, within one
// pixel of the image or of the input, whichever is larger.
func TestBoxes_areMappedToTheImage(t *testing.T) {
	random := newRandom()
	for _, fit := range fits {
		in := size{256, 160}
		p, err := newProcessor(t, finder(in, "resize", fit))
		if err != nil {
			t.Fatal(err)
		}
		for range 15 {
			width, height := 40+random.IntN(500), 40+random.IntN(500)
			want := randomRect(random, width, height, 1+min(width, height, max(width, height)/10)/2)
			m := redRectangle(t, width, height, want)
			_, resp, err := apply(t.Context(), p, &request{}, functions.Input{Image: m, Format: imaging.PNG})
			if err != nil {
				t.Fatal(err)
			}
			expectNear(t, resp, want, max(1, coarseness(width, height, in, fit)))
		}
	}
}

// coarseness returns the size of a pixel of the input in pixels of the image.
func coarseness(width, height int, in size, fit string) float64 {
	x, y := float64(width)/float64(in.width), float64(height)/float64(in.height)
	return max(x, y)
}

// TestBoxes_areMappedToTheOriginal resizes images of random sizes at random, with or
// without their aspect ratio, and finds the rectangle with the side-car of the resize.
// The box is in pixels of the original, within one pixel of the coarsest of original,
// resized image and input.
func TestBoxes_areMappedToTheOriginal(t *testing.T) {
	random := newRandom()
	in := size{320, 320}
	p, err := newProcessor(t, finder(in))
	if err != nil {
		t.Fatal(err)
	}
	for range 25 {
		width, height := 40+random.IntN(700), 40+random.IntN(500)
		want := randomRect(random, width, height, 1+min(width, height, max(width, height)/10)/2)
		resized, sizes := resizeAtRandom(t, redRectangle(t, width, height, want), random)
		sideCar, err := protojson.Marshal(sizes)
		if err != nil {
			t.Fatal(err)
		}
		r := &request{ResizeMetadataRef: &imageflowv1.ImageData{ObjectKey: "a_resize.json"}}
		_, resp, err := apply(t.Context(), p, r, functions.Input{Image: resized, Format: imaging.PNG, Reference: sideCar})
		if err != nil {
			t.Fatal(err)
		}
		w, h := resized.Size()
		x, y := float64(width)/float64(w), float64(height)/float64(h)
		expectNear(t, resp, want, max(1, x, y, max(x, y)*coarseness(w, h, in, "letterbox")))
	}
}

// resizeAtRandom resizes an image and returns the metadata of the resize too.
func resizeAtRandom(t *testing.T, m *imaging.Image, random *rand.Rand) (*imaging.Image, *imageflowv1.ResizeMetadata) {
	t.Helper()
	r := &imageflowv1.ResizeRequest{
		TargetWidth: int32(60 + random.IntN(400)), TargetHeight: int32(60 + random.IntN(400)), MaintainAspectRatio: random.IntN(2) == 0,
		Quality: imageflowv1.ResizeQuality(random.IntN(4)),
	}
	out, resp, err := resize.Processor.Apply(t.Context(), r, functions.Input{Image: m, Format: imaging.PNG})
	if err != nil {
		t.Fatal(err)
	}
	return open(t, out.Data), resp.(*imageflowv1.ResizeResponse).GetMetadata()
}

// TestBoxes_areMappedToTheOriginal_ofTurnedParts crops images around the rectangle, and rotates,
// flips and resizes them at random.
func TestBoxes_areMappedToTheOriginal_ofTurnedParts(t *testing.T) {
	random := newRandom()
	in := size{320, 320}
	p, err := newProcessor(t, finder(in))
	if err != nil {
		t.Fatal(err)
	}
	for range 40 {
		width, height := 60+random.IntN(500), 60+random.IntN(400)
		want := randomRect(random, width, height, 1+min(width, height, max(width, height)/10)/2)
		resized, metadata := cropAtRandom(t, redRectangle(t, width, height, want), want, random)
		sideCar, err := protojson.Marshal(metadata)
		if err != nil {
			t.Fatal(err)
		}
		r := &request{ResizeMetadataRef: &imageflowv1.ImageData{ObjectKey: "a_resize.json"}}
		_, resp, err := apply(t.Context(), p, r, functions.Input{Image: resized, Format: imaging.PNG, Reference: sideCar})
		if err != nil {
			t.Fatal(err)
		}
		w, h := resized.Size()
		a := metadata.GetOriginalFromOutput()
		scale := max(math.Abs(a.GetXx()+a.GetXy()), math.Abs(a.GetYx()+a.GetYy())) // one of each two is 0
		expectNear(t, resp, want, max(1, scale, scale*coarseness(w, h, in, "letterbox")))
	}
}

// cropAtRandom crops an image to a part with a rectangle, and rotates and flips it.
func cropAtRandom(
	t *testing.T, m *imaging.Image, around image.Rectangle, random *rand.Rand,
) (*imaging.Image, *imageflowv1.ResizeMetadata) {
	t.Helper()
	width, height := m.Size()
	r := &imageflowv1.ResizeRequest{
		TargetWidth: int32(60 + random.IntN(400)), TargetHeight: int32(60 + random.IntN(400)), Enlarge: random.IntN(2) == 0,
		Fit: imageflowv1.Fit(random.IntN(2) * 3), Rotate: int32(180 * random.IntN(2)), Flip: imageflowv1.Flip(1 + random.IntN(2)),
	}
	left, top := random.IntN(around.Min.X+1), random.IntN(around.Min.Y+1)
	r.Crop = &imageflowv1.Crop{
		Left: float64(left), Top: float64(top),
		Width:  float64(around.Max.X - left + random.IntN(width-around.Max.X+1)),
		Height: float64(around.Max.Y - top + random.IntN(height-around.Max.Y+1)),
	}
	out, resp, err := resize.Processor.Apply(t.Context(), r, functions.Input{Image: m, Format: imaging.PNG})
	if err != nil {
		t.Fatal(err)
	}
	return open(t, out.Data), resp.(*imageflowv1.ResizeResponse).GetMetadata()
}
