package detect_test

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/draw"
	"image/gif"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"

	"imageflow.dev/functions"
	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/testing/onnx"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// segmentFinder is finder with a mask: the red pixels.
func segmentFinder() onnx.Model {
	m := finder(size{side, side}, "task", "segment")
	delete(m.Metadata, "layout")
	maps.Copy(m.Metadata, map[string]string{"names": "{0: 'cat'}", "end2end": "True"})
	m.Output = []int64{1, 300, 7}
	m.MoreOutputs = []onnx.Value{{Name: "output1", Shape: []int64{1, 1, side, side}}}
	one := shaped(1, 300, 1)
	one.Data[0] = 1
	m.Constants["coefficients"] = one
	last := len(m.Nodes) - 1
	m.Nodes[last] = onnx.Node{
		Op: "Concat", Inputs: []string{m.Nodes[last].Inputs[0], "coefficients"}, Output: "output", Int: map[string]int64{"axis": 2},
	}
	m.Nodes = append(m.Nodes, onnx.Node{Op: "Sub", Inputs: []string{"map", "half"}, Output: "output1"})
	return m
}

// dotted returns an image with a red rectangle that has black dots.
func dotted(width, height int, at image.Rectangle) *image.Paletted {
	m := image.NewPaletted(image.Rect(0, 0, width, height), color.Palette{color.Black, color.RGBA{255, 0, 0, 255}})
	draw.Draw(m, at, image.NewUniform(m.Palette[1]), image.Point{}, draw.Src)
	for y := at.Min.Y; y < at.Max.Y; y += 4 {
		for x := at.Min.X; x < at.Max.X; x += 4 {
			m.SetColorIndex(x, y, 0)
		}
	}
	return m
}

// expectMask compares a mask with the red pixels of an image in the box of its detection. Some more may be in it
// if more is true.
func expectMask(t *testing.T, d *imageflowv1.Detection, m *image.Paletted, more bool) {
	t.Helper()
	width, height := m.Bounds().Dx(), m.Bounds().Dy()
	for i, inMask := range decodeRuns(t, d.GetMask().GetRle(), width, height) {
		x, y := float32(i%width), float32(i/width)
		b := d.GetBbox()
		inBox := x >= b.X1 && x < b.X2 && y >= b.Y1 && y < b.Y2
		isRed := m.ColorIndexAt(i%width, i/width) == 1
		if more && inMask && inBox {
			continue
		}
		if inMask != (inBox && isRed) {
			t.Fatalf("pixel %g, %g: in the mask %t, red %t, in the box %t", x, y, inMask, isRed, inBox)
		}
	}
}

// TestTiles_joinMasks: the mask of an object that the borders of tiles cut is that of its parts, at its place.
func TestTiles_joinMasks(t *testing.T) {
	p, err := newProcessor(t, segmentFinder())
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(5, 6))
	for i := range 20 {
		const width, height = 300, 200
		at := image.Rect(0, 0, 10+random.IntN(180), 10+random.IntN(120)).Add(image.Pt(random.IntN(110), random.IntN(70)))
		m := dotted(width, height, at)
		overlap, withoutWhole := 0.3, i%2 == 0
		r := &request{
			Tiles: &tiles{Overlap: &overlap, WithoutWhole: withoutWhole}, Masks: []imageflowv1.MaskFormat{rle, polygons}, DrawBoxes: true,
		}
		_, resp, err := apply(t.Context(), p, r, functions.Input{Image: encoded(t, m), Format: imaging.PNG})
		if err != nil {
			t.Fatal(err)
		}
		found := resp.GetDetections()
		if len(found) != 1 || !isNear(found[0].GetBbox(), at, 2) {
			t.Fatalf("%v: got %q", at, lines(resp))
		}
		expectMask(t, found[0], m, !withoutWhole)
		middle := at.Min.Add(at.Size().Div(2))
		if !isInside(found[0].GetMask(), float64(middle.X), float64(middle.Y)) {
			t.Errorf("%v: the middle is not in the polygons", at)
		}
	}
}

// TestTiles_joinMasksInFrames: each frame has its own.
func TestTiles_joinMasksInFrames(t *testing.T) {
	all := &gif.GIF{}
	for i := range 3 {
		all.Image = append(all.Image, dotted(200, 100, image.Rect(10, 10, 120, 90).Add(image.Pt(30*i, 0))))
		all.Delay = append(all.Delay, 10)
	}
	var data bytes.Buffer
	if err := gif.EncodeAll(&data, all); err != nil {
		t.Fatal(err)
	}
	overlap := 0.3
	_, resp, err := detectFrames(t, segmentFinder(), data.Bytes(), &request{
		Frames: 1, Tiles: &tiles{WithoutWhole: true, Overlap: &overlap}, Masks: []imageflowv1.MaskFormat{rle},
	}, imaging.GIF)
	if err != nil {
		t.Fatal(err)
	}
	if len(resp.GetDetections()) != len(all.Image) {
		t.Fatalf("got %q, want a box in each frame", lines(resp))
	}
	for i, d := range resp.GetDetections() {
		expectMask(t, d, all.Image[i], false)
	}
}

// TestTiles_boundMasks: the boxes of all tiles count. The advice is one that helps.
func TestTiles_boundMasks(t *testing.T) {
	many := randomSegments(newRandom())
	for len(many.boxes) < 80 {
		many.boxes = append(many.boxes, [4]float32{1, 1, 63, 63})
		many.coefficients = append(many.coefficients, many.coefficients[0])
	}
	p, err := newProcessor(t, many.model(true))
	if err != nil {
		t.Fatal(err)
	}
	r := &request{
		Masks: []imageflowv1.MaskFormat{rle}, ConfidenceThreshold: 1e-9, MaxDetections: 1, Tiles: &tiles{WithoutWhole: true},
	}
	_, _, err = apply(t.Context(), p, r, functions.Input{Image: greyImage(t, 2*side, side), Format: imaging.PNG})
	var e *functions.Error
	if !errors.As(err, &e) || e.Kind != functions.Invalid || e.Field != "masks" ||
		!strings.HasSuffix(e.Message, "set a higher confidence_threshold") {
		t.Errorf("got %v, want Invalid for masks", err)
	}
}
