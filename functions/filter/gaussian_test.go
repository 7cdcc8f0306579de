package filter_test

import (
	"image"
	"image/color"
	"math"
	"testing"
)

// TestBlur_ignoresTransparentPixels: their colours do not spread to visible pixels.
func TestBlur_ignoresTransparentPixels(t *testing.T) {
	red, hidden := color.NRGBA{255, 0, 0, 255}, color.NRGBA{0, 0, 255, 0}
	m := flat(40, 20, hidden)
	for y := range 20 {
		for x := range 20 {
			m.SetNRGBA(x, y, red)
		}
	}
	for _, sigma := range []float32{1, 8} {
		got := filtered(t, m, &request{FilterType: gaussian, Intensity: sigma})
		for x := range 40 {
			if c := got.NRGBAAt(x, 10); x < 20 && c != red || x > 35 && sigma == 1 && c != hidden || c.A != m.NRGBAAt(x, 10).A {
				t.Errorf("standard deviation %g: at %d %v, want %v", sigma, x, c, m.NRGBAAt(x, 10))
			}
		}
	}
}

// reference filters a channel with a Gaussian of five standard deviations on each side, by its
// definition. The image is reflected at its edges.
func reference(m *image.NRGBA, sigma float64, at func(x, y int) float64) func(x, y int) float64 {
	reach := int(math.Ceil(5 * sigma))
	weight := func(d int) float64 { return math.Exp(-float64(d*d) / (2 * sigma * sigma)) }
	mirror := func(i, n int) int {
		for i < 0 || i >= n {
			i = max(-1-i, min(i, 2*n-1-i))
		}
		return i
	}
	pass := func(at func(x, y int) float64, dx, dy int) func(x, y int) float64 {
		values := make([]float64, m.Rect.Dx()*m.Rect.Dy())
		for i := range values {
			x, y := i%m.Rect.Dx(), i/m.Rect.Dx()
			var sum, weights float64
			for d := -reach; d <= reach; d++ {
				sum += weight(d) * at(mirror(x+d*dx, m.Rect.Dx()), mirror(y+d*dy, m.Rect.Dy()))
				weights += weight(d)
			}
			values[i] = sum / weights
		}
		return func(x, y int) float64 { return values[y*m.Rect.Dx()+x] }
	}
	return pass(pass(at, 1, 0), 0, 1)
}

// off returns the largest and the mean difference between an image and the expected one, 0 to 255.
func off(got *image.NRGBA, want func(x, y, channel int) float64) (most, mean float64) {
	w, h := got.Rect.Dx(), got.Rect.Dy()
	for i := range w * h * 3 {
		x, y, c := i/3%w, i/3/w, i%3
		d := math.Abs(float64(got.Pix[got.PixOffset(x, y)+c]) - math.Max(0, math.Min(255, want(x, y, c))))
		most, mean = math.Max(most, d), mean+d/float64(w*h*3)
	}
	return most, mean
}

// steps returns an image of black and white blocks, which are the most difficult for a filter, with
// some noise.
func steps(width, height int) *image.NRGBA {
	m := noise(width, height, true)
	for y := range height {
		for x := range width {
			if block := (x/30 + y/30) % 3; block < 2 {
				m.SetNRGBA(x, y, color.NRGBA{byte(255 * block), byte(255 * block), byte(255 * block), 255})
			}
		}
	}
	return m
}

func TestGaussianIsGaussian(t *testing.T) {
	m := steps(120, 90)
	sigmas := []float64{0.3, 1, 1.9, 2, 3, 6, 20}
	if testing.Short() {
		sigmas = sigmas[:5] // the reference is slow for large ones
	}
	for _, sigma := range sigmas {
		got := filtered(t, m, &request{FilterType: gaussian, Intensity: float32(sigma)})
		var want [3]func(x, y int) float64
		for c := range want {
			want[c] = reference(m, sigma, func(x, y int) float64 { return float64(m.Pix[m.PixOffset(x, y)+c]) })
		}
		most, mean := off(got, func(x, y, c int) float64 { return want[c](x, y) })
		if most > 0.6 || mean > 0.26 { // rounding errors
			t.Errorf("standard deviation %g: off by %.2f at most, %.2f in the mean", sigma, most, mean)
		}
	}
}

func TestSharpenIsUnsharpMasking(t *testing.T) {
	m := steps(60, 50)
	luma := func(x, y int) float64 {
		c := m.NRGBAAt(x, y)
		return 0.299*float64(c.R) + 0.587*float64(c.G) + 0.114*float64(c.B)
	}
	for _, c := range []struct {
		sigma string
		value float64
	}{{"", 1}, {"0.5", 0.5}, {"3", 3}} {
		r := &request{FilterType: sharpen, Intensity: 1.5}
		if c.sigma != "" {
			r.Parameters = map[string]string{"sigma": c.sigma}
		}
		blurred := reference(m, c.value, luma)
		most, _ := off(filtered(t, m, r), func(x, y, channel int) float64 {
			return float64(m.Pix[m.PixOffset(x, y)+channel]) + (luma(x, y)-blurred(x, y))*1.5
		})
		if most > 1 {
			t.Errorf("sigma %q: off by %.2f", c.sigma, most)
		}
	}
}
