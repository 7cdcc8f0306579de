package imaging_test

import (
	"maps"
	"math"
	"slices"
	"testing"

	"imageflow.dev/internal/imaging"
)

// adjusted changes the colours of a JPEG: of its Raster, which is encoded, and of its pixels.
func adjusted(t *testing.T, data []byte, a imaging.Adjustment) (imaging.Encoded, *imaging.Pixels) {
	t.Helper()
	r, err := open(t, data).Raster(t.Context(), imaging.JPEG)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Adjust(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	out, err := r.Encode(t.Context(), imaging.JPEG)
	if err != nil {
		t.Fatal(err)
	}
	p := pixels(t, data)
	if err := p.Adjust(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	return out, p
}

// TestRaster_anySampling: a filter has the same result on the planes of a JPEG as on its
// pixels, whatever its sampling factors.
func TestRaster_anySampling(t *testing.T) {
	a := imaging.Adjustment{Own: 1.5, Offset: 0.1}
	vivid := func(c, x, y int, w, h float64) uint8 { // many of its pixels clip
		return uint8(40 + 170*math.Abs(math.Sin(4*float64(x)/w+3*float64(y)/h+float64(2*c))))
	}
	for _, name := range slices.Sorted(maps.Keys(commonSamplings)) {
		factors := commonSamplings[name]
		data := sampledJPEG(t, 165, 133, factors, vivid)
		out, want := adjusted(t, data, a)
		if db := likeness(lumaOf(pixels(t, out.Data)), lumaOf(want)); db < 40 {
			t.Errorf("%s: %.1f dB", name, db)
		}
	}
}

// TestRaster_anyOrientation: a filter has the same result on planes that are turned as on
// pixels. JPEGs with odd sides are included, whose last samples of colour cover less.
func TestRaster_anyOrientation(t *testing.T) {
	a := imaging.Adjustment{Own: 0.8, Offset: 0.1}
	for _, size := range [][2]int{{166, 134}, {165, 133}} {
		data := sampledJPEG(t, size[0], size[1], commonSamplings["4:2:0"], waves)
		for orientation := 1; orientation <= 8; orientation++ {
			turned := withOrientation(data, orientation)
			out, want := adjusted(t, turned, a)
			if size[0]%2 == 0 && out.Path != imaging.Planar {
				t.Errorf("%v, orientation %d: the %s path", size, orientation, out.Path)
			}
			if db := likeness(pixels(t, out.Data), want); db < 40 {
				t.Errorf("%v, orientation %d: %.1f dB", size, orientation, db)
			}
		}
	}
}
