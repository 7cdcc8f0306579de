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

// scalings are how other libraries scale pattern: red, green and blue.
var scalings = []struct {
	quality  imaging.Quality
	from, to image.Point
	numbers  [3][]float32
	within   float64
}{
	// cv2.resize with INTER_LINEAR, OpenCV 4.11.0; every bit counts
	{imaging.Bilinear, image.Pt(9, 7), image.Pt(4, 3), [3][]float32{
		{74, 157, 70, 68, 94, 81, 165, 152, 178, 176, 88, 171},
		{65, 63, 88, 56, 141, 155, 25, 169, 161, 73, 129, 117},
		{222, 210, 199, 188, 117, 106, 94, 83, 97, 86, 75, 234},
	}, 0},
	{imaging.Bilinear, image.Pt(7, 7), image.Pt(5, 4), [3][]float32{
		{8, 60, 112, 164, 216, 14, 66, 117, 169, 221, 19, 71, 123, 174, 226, 24, 76, 128, 179, 231},
		{24, 75, 90, 89, 96, 135, 84, 118, 187, 65, 159, 127, 90, 88, 164, 178, 120, 6, 196, 61},
	}, 0},
	// tf.image.resizeBilinear, TensorFlow.js 4.22.0
	{imaging.BilinearAsymmetric, image.Pt(9, 7), image.Pt(4, 3), [3][]float32{
		{0, 83.25, 166.5, 57.75, 179.67, 134.92, 90.17, 173.42, 103.33, 186.58, 99.17, 97.08},
	}, 0.5},
	// Image.resize with BILINEAR, Pillow 12.0.0, which rounds twice
	{imaging.Triangle, image.Pt(9, 7), image.Pt(4, 3), [3][]float32{
		{97, 133, 112, 94, 120, 112, 134, 126, 152, 134, 113, 149},
		{75, 94, 119, 101, 134, 118, 126, 141, 160, 121, 132, 130},
		{212, 202, 190, 180, 116, 106, 95, 96, 111, 101, 97, 167},
	}, 1},
}

// TestScaledTo_numbers: the numbers that a model gets are those of the libraries it is trained with.
func TestScaledTo_numbers(t *testing.T) {
	for _, s := range scalings {
		for c, plane := range planes(t, open(t, asPNG(t, pattern(s.from.X, s.from.Y))), s.to, s.quality) {
			for i, v := range s.numbers[c] {
				if math.Abs(float64(plane[i]-v)) > s.within {
					t.Errorf("quality %d, %v to %v: number %d of plane %d is %v, want %v",
						s.quality, s.from, s.to, i, c, plane[i], v)
				}
			}
		}
	}
}
