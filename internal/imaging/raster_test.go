package imaging_test

import (
	"maps"
	"math"
	"slices"
	"testing"

	"imageflow.dev/internal/imaging"
)

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
		want := pixels(t, data)
		if err := want.Adjust(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		if db := likeness(lumaOf(pixels(t, out.Data)), lumaOf(want)); db < 40 {
			t.Errorf("%s: %.1f dB", name, db)
		}
	}
}
