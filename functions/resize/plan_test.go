package resize_test

import (
	"image"
	"math"
	"testing"

	"imageflow.dev/functions"
	"imageflow.dev/functions/resize"
	"imageflow.dev/internal/imaging"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

const (
	contain = imageflowv1.Fit_FIT_CONTAIN
	cover   = imageflowv1.Fit_FIT_COVER
	fill    = imageflowv1.Fit_FIT_FILL
	pad     = imageflowv1.Fit_FIT_PAD
)

func focus(x, y float64) *imageflowv1.FocalPoint { return &imageflowv1.FocalPoint{X: x, Y: y} }

func part(left, top, width, height float64) *imageflowv1.Crop {
	return &imageflowv1.Crop{Left: left, Top: top, Width: width, Height: height}
}

// fitCases have an image of 300 × 200 pixels. want is the size of the output, and seen the part of
// the original that the whole output shows, which is larger than the original with PAD.
var fitCases = map[string]struct {
	r    *request
	want image.Point
	seen [4]float64 // left, top, right, bottom
}{
	"contain": {&request{TargetWidth: 60, TargetHeight: 60, Fit: contain}, image.Pt(60, 40), [4]float64{0, 0, 300, 200}},
	"fill":    {&request{TargetWidth: 60, TargetHeight: 60, Fit: fill}, image.Pt(60, 60), [4]float64{0, 0, 300, 200}},
	"cover":   {&request{TargetWidth: 60, TargetHeight: 60, Fit: cover}, image.Pt(60, 60), [4]float64{50, 0, 250, 200}},
	"cover, upright": {
		&request{TargetWidth: 60, TargetHeight: 20, Fit: cover}, image.Pt(60, 20), [4]float64{0, 50, 300, 150},
	},
	"cover to the right": {
		&request{TargetWidth: 60, TargetHeight: 60, Fit: cover, Gravity: imageflowv1.Gravity_GRAVITY_BOTTOM_RIGHT},
		image.Pt(60, 60), [4]float64{100, 0, 300, 200},
	},
	"cover around a point": {
		&request{TargetWidth: 50, TargetHeight: 50, Fit: cover, FocalPoint: focus(0.4, 0.9)},
		image.Pt(50, 50), [4]float64{20, 0, 220, 200},
	},
	"cover around the edge": {
		&request{TargetWidth: 50, TargetHeight: 50, Fit: cover, FocalPoint: focus(1, 0.9)},
		image.Pt(50, 50), [4]float64{100, 0, 300, 200},
	},
	"cover of a small image": {
		&request{TargetWidth: 400, TargetHeight: 800, Fit: cover}, image.Pt(100, 200), [4]float64{100, 0, 200, 200},
	},
	"cover, enlarged": {
		&request{TargetWidth: 400, TargetHeight: 800, Fit: cover, Enlarge: true}, image.Pt(400, 800), [4]float64{100, 0, 200, 200},
	},
	"pad": {&request{TargetWidth: 60, TargetHeight: 60, Fit: pad}, image.Pt(60, 60), [4]float64{0, -50, 300, 250}},
	"pad of a small image": {
		&request{TargetWidth: 500, TargetHeight: 200, Fit: pad, Gravity: imageflowv1.Gravity_GRAVITY_LEFT},
		image.Pt(500, 200), [4]float64{0, 0, 500, 200},
	},
	"crop": {&request{Crop: part(10, 20, 30, 40)}, image.Pt(30, 40), [4]float64{10, 20, 40, 60}},
	"crop in fractions": {
		&request{Crop: &imageflowv1.Crop{Left: 0.5, Top: 0, Width: 0.5, Height: 1, Fractions: true}},
		image.Pt(150, 200), [4]float64{150, 0, 300, 200},
	},
	"crop and cover": {
		&request{TargetWidth: 20, TargetHeight: 20, Fit: cover, Crop: part(100, 0, 200, 100)},
		image.Pt(20, 20), [4]float64{150, 0, 250, 100},
	},
	"crop of the last pixel": {&request{Crop: part(299.9, 199, 0.1, 0.6)}, image.Pt(1, 1), [4]float64{299, 199, 300, 200}},
	"two pixels for one": {
		&request{TargetWidth: 30, TargetHeight: 30, Fit: cover, Dpr: 2}, image.Pt(60, 60), [4]float64{50, 0, 250, 200},
	},
	"crop before and after": {
		&request{TargetWidth: 100, Crop: part(100, 0, 200, 100), CropAfter: part(10, 5, 30, 20)},
		image.Pt(30, 20), [4]float64{120, 10, 180, 50},
	},
	"crop before a quarter": {&request{Crop: part(200, 50, 60, 30), Rotate: 90}, image.Pt(30, 60), [4]float64{200, 80, 260, 50}},
	"extended": {
		&request{TargetWidth: 60, Extend: &imageflowv1.Extend{Left: 1, Top: 2, Right: 3, Bottom: 4}},
		image.Pt(64, 46), [4]float64{-5, -10, 315, 220},
	},
	"crop after, pad and extended": {
		&request{
			TargetWidth: 60, TargetHeight: 60, Fit: pad, CropAfter: part(30, 10, 20, 20),
			Extend: &imageflowv1.Extend{Left: 10},
		},
		image.Pt(70, 60), [4]float64{0, -50, 350, 250},
	},
	"by 180 in another field": {&request{Rotate: 270, Angle: -90}, image.Pt(300, 200), [4]float64{300, 200, 0, 0}},
	"a quarter":               {&request{Rotate: 90}, image.Pt(200, 300), [4]float64{0, 200, 300, 0}},
	"mirrored":                {&request{Flip: imageflowv1.Flip_FLIP_HORIZONTAL}, image.Pt(300, 200), [4]float64{300, 0, 0, 200}},
}

func TestFits(t *testing.T) {
	for name, c := range fitCases {
		t.Run(name, func(t *testing.T) { checkFit(t, c.r, c.want, c.seen) })
	}
}

func checkFit(t *testing.T, r *request, want image.Point, seen [4]float64) {
	t.Helper()
	out, resp := apply(t, encoded(t, gradient(300, 200), imaging.PNG), r)
	if out.Width != want.X || out.Height != want.Y {
		t.Errorf("got %d×%d, want %v", out.Width, out.Height, want)
	}
	toOriginal := mapping(resp.GetMetadata())
	left, top := toOriginal(0, 0)
	right, bottom := toOriginal(float64(out.Width), float64(out.Height))
	for i, v := range []float64{left, top, right, bottom} {
		if math.Abs(v-seen[i]) > 1e-9 {
			t.Errorf("the output shows %v, want %v", []float64{left, top, right, bottom}, seen)
			break
		}
	}
}

// mapping returns the map that metadata describes.
func mapping(m *imageflowv1.ResizeMetadata) func(x, y float64) (float64, float64) {
	a := m.GetOriginalFromOutput()
	if a == nil {
		a = &imageflowv1.AffineMap{Xx: 1 / m.GetScaleFactorX(), Yy: 1 / m.GetScaleFactorY()}
	}
	return func(x, y float64) (float64, float64) {
		return a.GetXx()*x + a.GetXy()*y + a.GetX0(), a.GetYx()*x + a.GetYy()*y + a.GetY0()
	}
}

func TestCropBeyondTheImage_isInvalid(t *testing.T) {
	m := encoded(t, gradient(300, 200), imaging.PNG)
	for name, c := range map[string]*imageflowv1.Crop{
		"to the right":  {Left: 200, Width: 101, Height: 10},
		"below":         {Top: 199.6, Width: 10, Height: 1},
		"far":           {Left: 1e300, Width: 1, Height: 1},
		"a large crop":  {Width: 1e300, Height: 1e300},
		"outside of it": {Left: 300, Width: 0.2, Height: 1},
	} {
		for field, r := range map[string]*request{"crop": {Crop: c}, "crop_after": {CropAfter: c}} {
			_, _, err := resize.Processor.Apply(t.Context(), r, functions.Input{Image: m, Format: m.Format})
			if e := functions.AsError(err); err == nil || e.Kind != functions.Invalid || e.Field != field {
				t.Errorf("%s: %s: %v", field, name, err)
			}
		}
	}
}
