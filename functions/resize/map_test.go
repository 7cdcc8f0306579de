package resize_test

import (
	"image"
	"image/color"
	"image/draw"
	"math"
	"math/rand/v2"
	"testing"

	"google.golang.org/protobuf/proto"

	"imageflow.dev/functions"
	"imageflow.dev/functions/resize"
	"imageflow.dev/internal/imaging"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// requestAtRandom uses the fields of the geometry in all combinations that are valid for an upright
// image.
func requestAtRandom(random *rand.Rand, width, height int) *request {
	r := &request{
		TargetWidth: int32(30 + random.IntN(120)), TargetHeight: int32(30 + random.IntN(120)),
		Enlarge: random.IntN(2) == 0, Fit: imageflowv1.Fit(random.IntN(5)),
		Rotate: int32(90 * random.IntN(4)), Flip: imageflowv1.Flip(random.IntN(3)),
		Dpr: []float64{0, 0.7, 1.3}[random.IntN(3)],
	}
	if random.IntN(2) == 0 {
		r.Angle = []float64{-180, -90, 0.001, 45, 360*random.Float64() - 180, 20*random.Float64() - 10}[random.IntN(6)]
	}
	if random.IntN(3) == 0 {
		r.Trim = &imageflowv1.Trim{Tolerance: proto.Int32(int32(random.IntN(8)))}
	}
	switch {
	case r.Fit != cover && r.Fit != pad:
	case r.Fit == cover && random.IntN(3) == 0:
		r.FocalPoint = &imageflowv1.FocalPoint{X: random.Float64(), Y: random.Float64()}
	case r.Fit == pad || r.Trim != nil && r.Enlarge:
		r.Gravity = imageflowv1.Gravity(random.IntN(10))
	default:
		r.Gravity = imageflowv1.Gravity(random.IntN(13))
	}
	if random.IntN(2) == 0 {
		w, h := 40+random.IntN(width-40), 40+random.IntN(height-40)
		r.Crop = part(float64(random.IntN(width-w+1)), float64(random.IntN(height-h+1)), float64(w), float64(h))
	}
	if random.IntN(3) == 0 {
		left, top := random.Float64()/2, random.Float64()/2
		r.CropAfter = part(left, top, (1-left)*(0.3+0.7*random.Float64()), (1-top)*(0.3+0.7*random.Float64()))
		r.CropAfter.Fractions = true
	}
	addObjects(r, random, width, height)
	if random.IntN(3) == 0 {
		r.Extend = &imageflowv1.Extend{
			Left: int32(random.IntN(20)), Top: int32(random.IntN(20)), Right: int32(random.IntN(20)), Bottom: int32(random.IntN(20)),
		}
	}
	return r
}

func innerAtRandom(random *rand.Rand) image.Rectangle {
	return image.Rect(random.IntN(40), random.IntN(40), 150-random.IntN(40), 110-random.IntN(40))
}

// framed returns a gradient in a frame of one colour.
func framed(width, height int, inner image.Rectangle) image.Image {
	m := image.NewNRGBA(image.Rect(0, 0, width, height))
	draw.Draw(m, m.Rect, image.NewUniform(color.NRGBA{90, 90, 250, 255}), image.Point{}, draw.Src)
	draw.Draw(m, inner, gradient(inner.Dx(), inner.Dy()), image.Point{}, draw.Src)
	return m
}

// used returns the part of an upright image that a request uses.
func used(r *request, p *imaging.Pixels) image.Rectangle {
	whole := image.Rect(0, 0, p.Width, p.Height)
	if c := r.GetCrop(); c != nil {
		whole = image.Rect(int(c.Left), int(c.Top), int(c.Left+c.Width), int(c.Top+c.Height))
	}
	if r.ObjectCrop != 0 {
		whole = aroundObjects(r, whole)
	}
	if r.GetTrim() == nil {
		return whole
	}
	inner, first := image.Rectangle{}, p.Pix[(whole.Min.Y*p.Width+whole.Min.X)*p.Channels:]
	for y := whole.Min.Y; y < whole.Max.Y; y++ {
		for x := whole.Min.X; x < whole.Max.X; x++ {
			for c := range 3 {
				if d := int(p.Pix[(y*p.Width+x)*p.Channels+c]) - int(first[c]); max(d, -d) > int(r.GetTrim().GetTolerance()) {
					inner = inner.Union(image.Rect(x, y, x+1, y+1))
				}
			}
		}
	}
	if inner.Empty() {
		return whole
	}
	return inner
}

// TestMap_leadsToTheSamePixels compares pixels of the output with those at their places in the
// original, for all orientations and random requests.
func TestMap_leadsToTheSamePixels(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	compared := 0
	for i := range 500 {
		orientation := 1 + random.IntN(8)
		width, height := 150, 110
		if orientation >= 5 {
			width, height = height, width
		}
		r := requestAtRandom(random, width, height)
		format, content := []imaging.Format{imaging.PNG, imaging.JPEG}[i%2], gradient(150, 110)
		if r.Trim != nil {
			format, content = imaging.PNG, framed(150, 110, innerAtRandom(random))
		}
		m := encoded(t, content, format)
		m.Orientation = orientation
		if r.GetFit() == pad || r.Extend != nil || r.Angle != 0 {
			format = imaging.PNG // a JPEG is not exact at edges
		}
		compared += checkMap(t, r, m, format)
	}
	if compared < 120_000 {
		t.Errorf("only %d pixels were compared", compared)
	}
}

// checkMap returns the number of compared pixels.
func checkMap(t *testing.T, r *request, m *imaging.Image, format imaging.Format) (compared int) {
	t.Helper()
	original, err := m.Pixels(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	out, resp, err := resize.Processor.Apply(t.Context(), r, functions.Input{Image: m, Format: format})
	if err != nil {
		t.Fatal(r, err)
	}
	p, err := open(t, out.Data).Pixels(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	untrimmed := used(&request{Crop: r.Crop, Objects: r.Objects, ObjectCrop: r.ObjectCrop}, original)
	corner := original.Pix[(untrimmed.Min.Y*original.Width+untrimmed.Min.X)*3:]
	if r.Trim != nil && corner[2] != 250 {
		return 0 // the edge of the frame remains in the image
	}
	toOriginal := mapping(resp.(*imageflowv1.ResizeResponse).GetMetadata())
	inner, border := image.Rect(0, 0, p.Width, p.Height), r.GetExtend()
	inner.Min = image.Pt(int(border.GetLeft()), int(border.GetTop()))
	inner.Max = inner.Max.Sub(image.Pt(int(border.GetRight()), int(border.GetBottom())))
	x0, y0 := toOriginal(0, 0)
	x1, y1 := toOriginal(1, 1)
	c := mapChecker{r: r, original: original, part: used(r, original), inner: inner}
	if r.Angle != 0 || r.Trim != nil {
		c.margin = 1 + 3*math.Hypot(x1-x0, y1-y0) // edges are blended
	}
	for y := 0; y < p.Height; y += 3 {
		for x := 0; x < p.Width; x += 3 {
			ox, oy := toOriginal(float64(x)+0.5, float64(y)+0.5)
			compared += c.check(t, image.Pt(x, y), p.Pix[(y*p.Width+x)*p.Channels:][:p.Channels], ox, oy)
		}
	}
	return compared
}

// mapChecker checks pixels of an output.
type mapChecker struct {
	r        *request
	original *imaging.Pixels
	part     image.Rectangle // of the original, that is used
	inner    image.Rectangle // the output without extend
	margin   float64         // at the edges of the part, in pixels
}

// check tolerates the pixels around a place, and the loss of a JPEG. It returns 1 if the pixel shows
// the original.
func (c mapChecker) check(t *testing.T, at image.Point, got []byte, x, y float64) int {
	t.Helper()
	beside := len(got) == 4 && got[3] == 0 || len(got) == 3 && min(got[0], got[1], got[2]) > 200
	left, right := x-float64(c.part.Min.X), float64(c.part.Max.X)-x
	top, bottom := y-float64(c.part.Min.Y), float64(c.part.Max.Y)-y
	depth := min(left, right, top, bottom)
	switch {
	case !at.In(c.inner) && !beside, depth < -c.margin && !beside:
		t.Fatalf("%v: pixel %v is beside the image, but %v", c.r, at, got)
	case !at.In(c.inner), depth < c.margin:
		return 0
	case beside && c.r.GetFit() == pad && c.r.GetCropAfter() != nil: // the padding replaces what was cut off
		return 0
	}
	want := c.original.Pix[(int(y)*c.original.Width+int(x))*c.original.Channels:]
	for i := range 3 {
		if d := int(got[i]) - int(want[i]); d < -14 || d > 14 {
			t.Fatalf("%v: pixel %v is %v, but %v at %.1f, %.1f", c.r, at, got, want[:3], x, y)
		}
	}
	return 1
}
