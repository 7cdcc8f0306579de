package detect_test

import (
	"image"
	"math"
	"math/rand/v2"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"

	"imageflow.dev/functions"
	"imageflow.dev/functions/resize"
	"imageflow.dev/internal/imaging"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// geometryAtRandom returns a resize of an image, of which nothing is cut off but by trim, and by
// crop_after if it is not rotated by an angle.
func geometryAtRandom(random *rand.Rand) *imageflowv1.ResizeRequest {
	r := &imageflowv1.ResizeRequest{
		TargetWidth: int32(100 + random.IntN(300)), TargetHeight: int32(100 + random.IntN(300)), Enlarge: random.IntN(2) == 0,
		Fit: []imageflowv1.Fit{0, 1, 3, 4}[random.IntN(4)], Rotate: int32(90 * random.IntN(4)), Flip: imageflowv1.Flip(random.IntN(3)),
	}
	if random.IntN(2) == 0 {
		r.Angle = 360*random.Float64() - 180
	} else if random.IntN(2) == 0 {
		r.CropAfter = &imageflowv1.Crop{
			Left: 0.3 * random.Float64(), Top: 0.3 * random.Float64(), Width: 0.7, Height: 0.7, Fractions: true,
		}
	}
	if random.IntN(2) == 0 {
		r.Extend = &imageflowv1.Extend{Left: int32(random.IntN(50)), Bottom: int32(random.IntN(50))}
	}
	if random.IntN(4) == 0 {
		r.Trim = &imageflowv1.Trim{}
	}
	return r
}

// corners are the bounds of four points, from left, top to right, bottom.
type corners [4]float64

// moved returns the bounds of the corners of b, each moved by a map.
func (b corners) moved(by func(x, y float64) (float64, float64)) corners {
	out := corners{math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)}
	for _, at := range [][2]float64{{b[0], b[1]}, {b[2], b[1]}, {b[0], b[3]}, {b[2], b[3]}} {
		x, y := by(at[0], at[1])
		out = corners{min(out[0], x), min(out[1], y), max(out[2], x), max(out[3], y)}
	}
	return out
}

// within returns the part of b in another rectangle.
func (b corners) within(r corners) corners {
	return corners{max(b[0], r[0]), max(b[1], r[1]), min(b[2], r[2]), min(b[3], r[3])}
}

// expected returns the box of a rectangle: around its place in the output, and around that in the
// original.
func expected(rect image.Rectangle, m *imageflowv1.ResizeMetadata, shown corners) corners {
	a := m.GetOriginalFromOutput()
	toOriginal := func(x, y float64) (float64, float64) {
		return a.GetXx()*x + a.GetXy()*y + a.GetX0(), a.GetYx()*x + a.GetYy()*y + a.GetY0()
	}
	det := a.GetXx()*a.GetYy() - a.GetXy()*a.GetYx()
	toOutput := func(x, y float64) (float64, float64) {
		x, y = x-a.GetX0(), y-a.GetY0()
		return (a.GetYy()*x - a.GetXy()*y) / det, (a.GetXx()*y - a.GetYx()*x) / det
	}
	original := corners{float64(rect.Min.X), float64(rect.Min.Y), float64(rect.Max.X), float64(rect.Max.Y)}
	return original.moved(toOutput).within(shown).moved(toOriginal).
		within(corners{0, 0, float64(m.GetOriginalWidth()), float64(m.GetOriginalHeight())})
}

// TestBoxes_areMappedToTheOriginal_ofRotatedImages finds rectangles in outputs of random geometry.
func TestBoxes_areMappedToTheOriginal_ofRotatedImages(t *testing.T) {
	random := newRandom()
	in := size{320, 320}
	p, err := newProcessor(t, finder(in))
	if err != nil {
		t.Fatal(err)
	}
	for range 60 {
		width, height := 100+random.IntN(300), 100+random.IntN(300)
		rect := image.Rect(width/4, height/4, width/2+random.IntN(width/4), height/2+random.IntN(height/4))
		g, m := geometryAtRandom(random), redRectangle(t, width, height, rect)
		out, resp, err := resize.Processor.Apply(t.Context(), g, functions.Input{Image: m, Format: imaging.PNG})
		if err != nil {
			t.Fatal(g, err)
		}
		metadata := resp.(*imageflowv1.ResizeResponse).GetMetadata()
		if metadata.GetOriginalFromOutput() == nil || g.GetFit() == imageflowv1.Fit_FIT_PAD && g.GetCropAfter() != nil {
			continue // not moved, or the padding hides a part of the rectangle
		}
		left, bottom := float64(g.GetExtend().GetLeft()), float64(g.GetExtend().GetBottom())
		want := expected(rect, metadata, corners{left, 0, float64(out.Width), float64(out.Height) - bottom})
		sideCar, err := protojson.Marshal(metadata)
		if err != nil {
			t.Fatal(err)
		}
		r := &request{ResizeMetadataRef: &imageflowv1.ImageData{ObjectKey: "a_resize.json"}}
		_, found, err := apply(t.Context(), p, r, functions.Input{Image: open(t, out.Data), Format: imaging.PNG, Reference: sideCar})
		if err != nil {
			t.Fatal(err)
		}
		expectCorners(t, g, found, want, 2*coarseness(out.Width, out.Height, in, "letterbox")*coarsest(metadata))
	}
}

// coarsest returns the largest size of a pixel of the output in pixels of the original, at least 1.
func coarsest(m *imageflowv1.ResizeMetadata) float64 {
	a := m.GetOriginalFromOutput()
	return max(1, math.Hypot(a.GetXx(), a.GetYx()), math.Hypot(a.GetXy(), a.GetYy()))
}

func expectCorners(t *testing.T, g *imageflowv1.ResizeRequest, resp *response, want corners, slack float64) {
	t.Helper()
	if len(resp.GetDetections()) != 1 {
		t.Fatalf("%v: got %q, want one box at %.1f", g, lines(resp), want)
	}
	b := resp.GetDetections()[0].GetBbox()
	for i, v := range []float32{b.X1, b.Y1, b.X2, b.Y2} {
		if math.Abs(float64(v)-want[i]) > max(1.5, slack) {
			t.Errorf("%v: got %v, want %.1f to %.1f", g, b, want, slack)
		}
	}
}
