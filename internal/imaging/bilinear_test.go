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

// interpolated returns channel c at (x, y) of a resize to width × height by the formula of OpenCV's
// INTER_LINEAR: the pixel at ((x + 0.5) · scale − 0.5), interpolated between the four around it.
func interpolated(m *image.NRGBA, width, height, x, y, c int) float64 {
	side := func(i, from, to int) (first, second int, part float64) {
		at := (float64(i)+0.5)*float64(from)/float64(to) - 0.5
		low := math.Floor(at)
		clamp := func(v float64) int { return int(min(max(v, 0), float64(from-1))) }
		return clamp(low), clamp(low + 1), at - low
	}
	x0, x1, px := side(x, m.Rect.Dx(), width)
	y0, y1, py := side(y, m.Rect.Dy(), height)
	at := func(x, y int) float64 { return float64(m.Pix[m.PixOffset(x, y)+c]) }
	top, bottom := at(x0, y0)*(1-px)+at(x1, y0)*px, at(x0, y1)*(1-px)+at(x1, y1)*px
	return top*(1-py) + bottom*py
}

// TestBilinear_isThatOfOpenCV: also where it shrinks, only the four nearest pixels count.
func TestBilinear_isThatOfOpenCV(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for range 60 {
		m := pattern(1+random.IntN(80), 1+random.IntN(80))
		width, height := 1+random.IntN(100), 1+random.IntN(100)
		n := width * height
		all := make([]float32, 3*n)
		err := open(t, asPNG(t, m)).ScaledTo(t.Context(), width, height, imaging.Bilinear, imaging.Floats{
			Red: all[:n], Green: all[n : 2*n], Blue: all[2*n:], Stride: width, White: 255,
		})
		if err != nil {
			t.Fatal(err)
		}
		for i, got := range all {
			want := interpolated(m, width, height, i%n%width, i%n/width, i/n)
			if math.Abs(float64(got)-want) > 1 {
				t.Fatalf("%v to %d×%d: number %d is %v, want %.2f", m.Rect.Max, width, height, i, got, want)
			}
		}
	}
}

// TestBilinear_numbers has numbers of cv2.resize (OpenCV 5.0.0): the first channel of pattern(9, 7)
// at 4×3 pixels.
func TestBilinear_numbers(t *testing.T) {
	want := []float32{74, 157, 70, 68, 94, 81, 165, 152, 178, 176, 88, 171}
	p := make([]float32, 3*12)
	err := open(t, asPNG(t, pattern(9, 7))).ScaledTo(t.Context(), 4, 3, imaging.Bilinear, imaging.Floats{
		Red: p[:12], Green: p[12:24], Blue: p[24:], Stride: 4, White: 255,
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range want {
		if math.Abs(float64(p[i]-v)) > 1 {
			t.Errorf("number %d is %v, want %v", i, p[i], v)
		}
	}
}
