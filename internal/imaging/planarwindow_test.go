package imaging

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	"math/rand/v2"
	"testing"
)

// ofNoise returns a JPEG of noise as an image with an orientation.
func ofNoise(t *testing.T, width, height, orientation int) *Image {
	t.Helper()
	random := rand.New(rand.NewPCG(5, 6))
	m := image.NewYCbCr(image.Rect(0, 0, width, height), image.YCbCrSubsampleRatio420)
	for _, samples := range [][]byte{m.Y, m.Cb, m.Cr} {
		for i := range samples {
			samples[i] = byte(random.IntN(256))
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, nil); err != nil {
		t.Fatal(err)
	}
	opened, err := Open(b.Bytes(), Limits{MaxSide: 1000, MaxPixels: 1e6})
	if err != nil {
		t.Fatal(err)
	}
	opened.Orientation = orientation
	return opened
}

// TestPlanarWindow_isAPartOfTheWhole compares the samples of an even window with those of the
// resized whole.
func TestPlanarWindow_isAPartOfTheWhole(t *testing.T) {
	for orientation := 1; orientation <= 8; orientation++ {
		m := ofNoise(t, 402, 306, orientation)
		for _, size := range [][2]int{{100, 80}, {480, 402}, {34, 26}} {
			width, height := size[0], size[1]
			w, h := m.Size()
			part := image.Rect(width/10*2, height/6*2, width/10*8, height/4*2)
			x, y := float64(w)/float64(width), float64(h)/float64(height)
			window := Window{
				float64(part.Min.X) * x, float64(part.Min.Y) * y, float64(part.Dx()) * x, float64(part.Dy()) * y,
			}
			for q := Fast; q <= Best; q++ {
				t.Run(fmt.Sprint(orientation, size, q), func(t *testing.T) {
					checkPart(t, m, window, part, m.wholeView(width, height), q)
				})
			}
		}
	}
}

func checkPart(t *testing.T, m *Image, window Window, part image.Rectangle, all view, q Quality) {
	t.Helper()
	v := m.view(window, part.Dx(), part.Dy())
	if !m.isPlanar(v, q, Chroma420) {
		t.Fatal("not planar")
	}
	got, err := m.scaledPlanes(t.Context(), v, q, Chroma420)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := m.scaledPlanes(t.Context(), all, q, Chroma420)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range got.all {
		size := 1 + min(i, 1) // pixels along a side of a sample
		for at, v := range c.samples {
			x, y := part.Min.X/size+at%c.width, part.Min.Y/size+at/c.width
			if want := whole.all[i].samples[y*whole.all[i].width+x]; int(v)-int(want) > 1 || int(want)-int(v) > 1 {
				t.Fatalf("plane %d, sample %d: got %d, want %d", i, at, v, want)
			}
		}
	}
}
