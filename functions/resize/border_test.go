package resize_test

import (
	"bytes"
	"image/color"
	"math/rand/v2"
	"testing"

	"google.golang.org/protobuf/proto"

	"imageflow.dev/functions"
	"imageflow.dev/functions/resize"
	"imageflow.dev/internal/imaging"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// TestBorders_haveABackground checks the first pixel of padding, of a border and of the corner of
// a rotated image.
func TestBorders_haveABackground(t *testing.T) {
	blue := color.RGBA{30, 60, 200, 255}
	for name, r := range map[string]*request{
		"padding":  {TargetWidth: 120, TargetHeight: 120, Fit: pad},
		"extend":   {TargetWidth: 120, Extend: &imageflowv1.Extend{Left: 20, Top: 20}},
		"angle":    {TargetWidth: 120, Angle: 30},
		"together": {TargetWidth: 120, TargetHeight: 60, Fit: pad, Angle: -20, Extend: &imageflowv1.Extend{Top: 3}},
	} {
		for _, c := range []struct {
			format     imaging.Format
			background color.RGBA
			want       []byte
		}{
			{imaging.PNG, color.RGBA{}, []byte{0, 0, 0, 0}}, {imaging.WebP, color.RGBA{}, []byte{0, 0, 0, 0}},
			{imaging.JPEG, color.RGBA{}, []byte{255, 255, 255}}, {imaging.PNG, blue, []byte{30, 60, 200}},
		} {
			m := encoded(t, gradient(300, 200), imaging.PNG)
			m.Encoding.Background = c.background
			out, _, err := resize.Processor.Apply(t.Context(), r, functions.Input{Image: m, Format: c.format})
			if err != nil {
				t.Fatal(err)
			}
			p, err := open(t, out.Data).Pixels(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			got := p.Pix[:p.Channels]
			if c.format == imaging.WebP {
				got[0], got[1], got[2] = 0, 0, 0 // colours of transparent pixels are lost
			}
			if string(got) != string(c.want) {
				t.Errorf("%s: %s: %v, want %v", name, c.format, got, c.want)
			}
		}
	}
}

// TestTrim_isACrop: a trim gives the same output as a crop to the part that it leaves, and its footprint covers
// that crop.
func TestTrim_isACrop(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for range 80 {
		m := encoded(t, framed(150, 110, innerAtRandom(random)), imaging.PNG)
		m.Orientation = 1 + 2*random.IntN(2) // upright or upside down
		r := requestAtRandom(random, 150, 110)
		r.Trim = &imageflowv1.Trim{Tolerance: proto.Int32(3)}
		if r.Enlarge {
			r.Gravity %= 10
		}
		in := functions.Input{Image: m, Format: imaging.PNG}
		trimmed, resp, err := resize.Processor.Apply(t.Context(), r, in)
		if err != nil {
			t.Fatal(err)
		}
		original, err := m.Pixels(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		left := used(r, original)
		footprint := resize.Processor.Footprint(r, in)
		same := proto.Clone(r).(*request)
		same.Trim, same.Crop = nil, part(float64(left.Min.X), float64(left.Min.Y), float64(left.Dx()), float64(left.Dy()))
		cropped, want, err := resize.Processor.Apply(t.Context(), same, in)
		if err != nil || !bytes.Equal(trimmed.Data, cropped.Data) || !proto.Equal(resp, want) {
			t.Fatalf("%v: differs from a crop to %v: %v", r, left, err)
		}
		if needed := resize.Processor.Footprint(same, in); footprint < needed {
			t.Errorf("%v: the footprint is %d, but %d after trim", r, footprint, needed)
		}
	}
}

// TestLimits_nameTheField asks for outputs that are too large.
func TestLimits_nameTheField(t *testing.T) {
	m := encoded(t, gradient(3000, 2000), imaging.JPEG)
	m.Limits.MaxPixels = 7e6
	for name, c := range map[string]struct {
		r    *request
		want string
	}{
		"a long border":       {&request{TargetWidth: 9000, Enlarge: true, Extend: &imageflowv1.Extend{Right: 8000}}, "extend"},
		"a large border":      {&request{TargetWidth: 300, Extend: &imageflowv1.Extend{Left: 9000, Top: 9000}}, "extend"},
		"a large rotation":    {&request{Angle: 30}, "angle"},
		"an enlarged one":     {&request{TargetWidth: 4000, Angle: 30, Enlarge: true}, "enlarge"},
		"a large canvas":      {&request{TargetWidth: 9000, TargetHeight: 9000, Fit: pad}, "target_width"},
		"an interesting part": {&request{TargetWidth: 9000, TargetHeight: 9, Fit: cover, Enlarge: true, Gravity: 10}, "enlarge"},
	} {
		_, _, err := resize.Processor.Apply(t.Context(), c.r, functions.Input{Image: m, Format: m.Format})
		if e := functions.AsError(err); err == nil || e.Kind != functions.Invalid || e.Field != c.want {
			t.Errorf("%s: got %v, want an error of %s", name, err, c.want)
		}
	}
}
