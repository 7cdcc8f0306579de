package imaging_test

import (
	"image"
	"image/color"
	"math"
	"math/rand/v2"
	"testing"

	"imageflow.dev/internal/imaging"
)

// pattern returns an image with large and small steps between neighbours.
func pattern(width, height int) *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, width, height))
	for i := range width * height {
		m.SetNRGBA(i%width, i/width, color.NRGBA{byte(i * 37 % 256), byte(i * i * 11 % 256), byte(255 - i*5%256), 255})
	}
	return m
}

// interpolated returns the number at (x, y) of plane, which has from.X × from.Y numbers, resized to
// to.X × to.Y by linear interpolation between the four nearest numbers. position returns where an
// output lies among the inputs of one side.
func interpolated(plane []float32, from, to image.Point, x, y int, position func(i int, scale float64) float64) float64 {
	side := func(i, from, to int) (first, second int, part float64) {
		at := position(i, float64(from)/float64(to))
		low := math.Floor(at)
		clamp := func(v float64) int { return int(min(max(v, 0), float64(from-1))) }
		return clamp(low), clamp(low + 1), at - low
	}
	x0, x1, px := side(x, from.X, to.X)
	y0, y1, py := side(y, from.Y, to.Y)
	at := func(x, y int) float64 { return float64(plane[y*from.X+x]) }
	top, bottom := at(x0, y0)*(1-px)+at(x1, y0)*px, at(x0, y1)*(1-px)+at(x1, y1)*px
	return top*(1-py) + bottom*py
}

// planes returns the red, green and blue of an image, scaled to a size.
func planes(t *testing.T, m *imaging.Image, size image.Point, q imaging.Quality) [3][]float32 {
	t.Helper()
	n := size.X * size.Y
	p := [3][]float32{make([]float32, n), make([]float32, n), make([]float32, n)}
	err := m.ScaledTo(t.Context(), size.X, size.Y, q, imaging.Floats{
		Red: p[0], Green: p[1], Blue: p[2], Stride: size.X, White: 255,
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestBilinear_isInterpolation: also where it shrinks, only the four nearest pixels count, in the
// upright image of any orientation. Outputs lie where OpenCV's INTER_LINEAR and the
// coordinate_transformation_mode "asymmetric" of ONNX's Resize have them.
func TestBilinear_isInterpolation(t *testing.T) {
	for q, position := range map[imaging.Quality]func(i int, scale float64) float64{
		imaging.Bilinear:           func(i int, scale float64) float64 { return (float64(i)+0.5)*scale - 0.5 },
		imaging.BilinearAsymmetric: func(i int, scale float64) float64 { return float64(i) * scale },
	} {
		random := rand.New(rand.NewPCG(5, 6))
		for i := range 80 {
			m := open(t, asPNG(t, pattern(1+random.IntN(80), 1+random.IntN(80))))
			m.Orientation = 1 + i%8
			var from image.Point
			from.X, from.Y = m.Size()
			to := image.Pt(1+random.IntN(100), 1+random.IntN(100))
			whole := planes(t, m, from, q)
			for c, plane := range planes(t, m, to, q) {
				for i, got := range plane {
					want := interpolated(whole[c], from, to, i%to.X, i/to.X, position)
					if math.Abs(float64(got)-want) > 1 {
						t.Fatalf("%v to %v, quality %d, orientation %d: number %d of plane %d is %v, want %.2f",
							from, to, q, m.Orientation, i, c, got, want)
					}
				}
			}
		}
	}
}

// TestBilinear_numbers has numbers of cv2.resize (OpenCV 5.0.0) and of tf.image.resizeBilinear
// (TensorFlow.js 4.22.0): the first channel of pattern(9, 7) at 4×3 pixels.
func TestBilinear_numbers(t *testing.T) {
	for q, want := range map[imaging.Quality][]float32{
		imaging.Bilinear:           {74, 157, 70, 68, 94, 81, 165, 152, 178, 176, 88, 171},
		imaging.BilinearAsymmetric: {0, 83.25, 166.5, 57.75, 179.67, 134.92, 90.17, 173.42, 103.33, 186.58, 99.17, 97.08},
	} {
		got := planes(t, open(t, asPNG(t, pattern(9, 7))), image.Pt(4, 3), q)[0]
		for i, v := range want {
			if math.Abs(float64(got[i]-v)) > 1 {
				t.Errorf("quality %d: number %d is %v, want %v", q, i, got[i], v)
			}
		}
	}
}
