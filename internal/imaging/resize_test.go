package imaging_test

import (
	"image"
	"math"
	"math/rand/v2"
	"testing"

	"golang.org/x/image/draw"

	"imageflow.dev/internal/imaging"
)

// reference resizes an opaque image in double precision with Lanczos3.
func reference(m *imaging.Pixels, width, height int) *image.RGBA {
	lanczos3 := &draw.Kernel{Support: 3, At: func(d float64) float64 {
		if d == 0 {
			return 1
		}
		return 3 * math.Sin(math.Pi*d) * math.Sin(math.Pi*d/3) / (math.Pi * math.Pi * d * d)
	}}
	from := image.NewRGBA(image.Rect(0, 0, m.Width, m.Height))
	for i := range m.Width * m.Height {
		copy(from.Pix[4*i:], []byte{0, 0, 0, 255})
		copy(from.Pix[4*i:], m.Pix[m.Channels*i:][:m.Channels])
	}
	to := image.NewRGBA(image.Rect(0, 0, width, height))
	lanczos3.Scale(to, to.Bounds(), from, from.Bounds(), draw.Src, nil)
	return to
}

// psnr returns the PSNR of the colours in dB, and 99 for equal images.
func psnr(got *imaging.Pixels, want *image.RGBA) float64 {
	var sum float64
	for i := range got.Width * got.Height {
		for c := range 3 {
			d := float64(got.Pix[got.Channels*i+c]) - float64(want.Pix[4*i+c])
			sum += d * d
		}
	}
	return math.Min(99, 10*math.Log10(255*255*float64(3*got.Width*got.Height)/sum))
}

func resized(t testing.TB, data []byte, width, height int, q imaging.Quality) *imaging.Pixels {
	t.Helper()
	e, err := open(t, data).Resize(t.Context(), width, height, q, imaging.PNG)
	if err != nil {
		t.Fatal(err)
	}
	p := pixels(t, e.Data)
	if p.Width != width || p.Height != height || e.Width != width || e.Height != height {
		t.Fatalf("got %d×%d, reported %d×%d, want %d×%d", p.Width, p.Height, e.Width, e.Height, width, height)
	}
	return p
}

// TestResize_keepsFinestDetails has minimum PSNRs about 3 dB below the measured values, for
// images with details at the limit of the output's resolution.
func TestResize_keepsFinestDetails(t *testing.T) {
	small, large, odd := detailed(300, 224), detailed(640, 480), detailed(501, 401)
	for _, test := range []struct {
		name          string
		data          []byte
		width, height int
		fast, good    float64 // dB; BEST has one minimum for all
	}{
		{"png by a whole number", asPNG(t, small), 150, 112, 38, 49},
		{"png by a fraction", asPNG(t, small), 125, 93, 35, 49},
		{"png by ten", asPNG(t, small), 30, 22, 35, 48},
		{"png enlarged", asPNG(t, small), 500, 373, 43, 49},
		{"png enlarged slightly", asPNG(t, small), 303, 226, 43, 49},
		{"png along one side", asPNG(t, small), 300, 25, 36, 48},
		{"png wider and lower", asPNG(t, small), 450, 45, 34, 48},
		{"png squeezed", asPNG(t, small), 200, 15, 34, 46},
		{"png by thirty", asPNG(t, detailed(480, 360)), 16, 12, 32, 46},
		{"jpeg by a whole number", asJPEG(t, large), 160, 120, 34, 41},
		{"jpeg by a fraction", asJPEG(t, large), 133, 100, 34, 42},
		{"jpeg of odd size by ten", asJPEG(t, odd), 50, 40, 27, 43},
		{"jpeg by ten", asJPEG(t, detailed(480, 320)), 48, 32, 27, 43},
		{"jpeg by thirty", asJPEG(t, detailed(480, 360)), 16, 12, 31, 43},
		{"jpeg squeezed", asJPEG(t, large), 320, 24, 34, 48},
	} {
		checkFidelity(t, test.name, test.data, test.width, test.height, [3]float64{test.fast, test.good, 46})
	}
}

// checkFidelity compares the PSNR of each quality with its minimum in dB.
func checkFidelity(t *testing.T, name string, data []byte, width, height int, minimum [3]float64) {
	t.Helper()
	want := reference(pixels(t, data), width, height)
	for q, db := range minimum {
		got := psnr(resized(t, data, width, height, imaging.Quality(q)), want)
		t.Logf("%s, quality %d: %.1f dB", name, q, got)
		if got < db {
			t.Errorf("%s, quality %d: %.1f dB, want at least %.0f", name, q, got, db)
		}
	}
}

// TestPhotoFidelity uses photographs whose sizes the shrinking decoder does and does not
// divide. The most difficult one has the minimum PSNRs of resize.proto, the others have
// about 3 dB below the measured values. test/bench measures more photographs.
func TestPhotoFidelity(t *testing.T) {
	for _, test := range []struct {
		file          string
		width, height int
		minimum       [3]float64
	}{
		{"test_square.jpg", 240, 240, [3]float64{38, 48, 50}},   // 999×999
		{"test_issue.jpg", 100, 67, [3]float64{36, 46, 50}},     // 550×368
		{"test_smart_crop.jpg", 61, 61, [3]float64{29, 43, 48}}, // 300×300
		{"test_gif.jpg", 150, 145, [3]float64{28, 34, 50}},      // 703×681, bright lines on black
	} {
		checkFidelity(t, test.file, photo(t, test.file), test.width, test.height, test.minimum)
	}
}

// TestResize_toAnySize resizes to exactly the requested size, in every quality.
func TestResize_toAnySize(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	side := func() int { return int(math.Exp(random.Float64() * math.Log(400))) }
	for i := range 60 {
		m := detailed(side(), side())
		data := asPNG(t, m)
		if i%2 == 0 {
			data = asJPEG(t, m)
		}
		resized(t, data, side(), side(), imaging.Quality(i%3))
	}
	for _, size := range [][4]int{
		{3000, 3, 192, 1}, {3, 3000, 1, 192}, {1, 1, 1, 1}, {1, 1, 50, 40},
		{1, 900, 1, 90}, {900, 1, 90, 7}, {64, 7, 8, 1}, {65, 8, 8, 1},
	} {
		for q := imaging.Fast; q <= imaging.Best; q++ {
			resized(t, asJPEG(t, detailed(size[0], size[1])), size[2], size[3], q)
			resized(t, asPNG(t, noisy(size[0], size[1])), size[2], size[3], q)
		}
	}
}

// TestEnlarge_keepsFlatColour detects dark or shifted edges.
func TestEnlarge_keepsFlatColour(t *testing.T) {
	colour := corners[0]
	for q := imaging.Fast; q <= imaging.Best; q++ {
		p := resized(t, asPNG(t, flat(37, 23, colour)), 301, 200, q)
		for i := 0; i < len(p.Pix); i += p.Channels {
			if [3]byte(p.Pix[i:]) != [3]byte{colour.R, colour.G, colour.B} {
				t.Fatalf("quality %d: pixel %d is %v, want %v", q, i/p.Channels, p.Pix[i:i+3], colour)
			}
		}
	}
}

// TestEnlarge_keepsPosition checks that a spot in the middle stays in the middle.
func TestEnlarge_keepsPosition(t *testing.T) {
	m := flat(9, 9, corners[0])
	m.SetNRGBA(4, 4, corners[2])
	for q := imaging.Fast; q <= imaging.Best; q++ {
		p := resized(t, asPNG(t, m), 45, 72, q)
		var x, y, sum float64
		for i := range p.Width * p.Height {
			blue := float64(p.Pix[p.Channels*i+2]) - float64(corners[0].B)
			x, y, sum = x+blue*float64(i%45), y+blue*float64(i/45), sum+blue
		}
		if x, y := x/sum, y/sum; math.Abs(x-22) > 0.1 || math.Abs(y-35.5) > 0.1 {
			t.Errorf("quality %d: the middle is at (%.2f, %.2f), want (22, 35.5)", q, x, y)
		}
	}
}
