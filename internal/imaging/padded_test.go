package imaging_test

import (
	"fmt"
	"image"
	"image/color"
	"math/rand/v2"
	"testing"

	"imageflow.dev/internal/imaging"
)

// smooth returns an image of slow changes of all colours.
func smooth(width, height int) *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			m.SetNRGBA(x, y, color.NRGBA{uint8(255 * x / width), uint8(255 * y / height), uint8(255 - 255*x/width), 255})
		}
	}
	return m
}

// TestResizePadded_onPlanes: a JPEG with a border made on planes is as close to the exact pixels as
// one made of pixels, at even and odd places, for all orientations and samplings of the output.
func TestResizePadded_onPlanes(t *testing.T) {
	random := rand.New(rand.NewPCG(9, 1))
	for i := range 96 {
		m := open(t, asJPEG(t, smooth(200, 150)))
		m.Orientation = 1 + i%8
		m.Encoding = imaging.Encoding{Quality: 95, Chroma: []imaging.Chroma{imaging.Chroma420, imaging.Chroma444}[i/8%2]}
		if i/16%2 == 1 {
			m.Encoding.Background = color.RGBA{20, 90, 160, 255}
		}
		width, height := 30+random.IntN(200), 30+random.IntN(200)
		canvas := image.Rect(-random.IntN(30), -random.IntN(30), width+random.IntN(30), height+random.IntN(30))
		t.Run(fmt.Sprint(m.Orientation, m.Encoding, width, height, canvas), func(t *testing.T) {
			out, err := m.ResizePadded(t.Context(), m.Whole(), width, height, canvas, imaging.Good, imaging.JPEG)
			if err != nil || out.Path != imaging.Planar || out.Width != canvas.Dx() || out.Height != canvas.Dy() {
				t.Fatalf("got %s, %d×%d, %v", out.Path, out.Width, out.Height, err)
			}
			p, err := m.ScaledWindow(t.Context(), m.Whole(), width, height, imaging.Good)
			if err != nil {
				t.Fatal(err)
			}
			if p, err = p.Padded(t.Context(), canvas, imaging.JPEG); err != nil {
				t.Fatal(err)
			}
			general, err := p.Encode(t.Context(), imaging.JPEG)
			if err != nil {
				t.Fatal(err)
			}
			onPlanes, onPixels := psnrOf(t, pixels(t, out.Data), p), psnrOf(t, pixels(t, general.Data), p)
			if onPlanes < onPixels-0.5 {
				t.Errorf("%.1f dB, but %.1f dB on pixels", onPlanes, onPixels)
			}
		})
	}
}

// TestResizePadded_keepsGrey: a grey JPEG stays grey on a grey background.
func TestResizePadded_keepsGrey(t *testing.T) {
	for _, c := range []struct {
		background color.RGBA
		path       imaging.Path
	}{
		{color.RGBA{}, imaging.Planar}, {color.RGBA{70, 70, 70, 255}, imaging.Planar},
		{color.RGBA{200, 0, 0, 255}, imaging.General},
	} {
		m := open(t, asJPEG(t, image.NewGray(image.Rect(0, 0, 80, 60))))
		m.Encoding.Background = c.background
		out, err := m.ResizePadded(t.Context(), m.Whole(), 40, 30, image.Rect(-8, -8, 48, 40), imaging.Good, imaging.JPEG)
		if err != nil || out.Path != c.path {
			t.Fatalf("%v: got %s, %v", c.background, out.Path, err)
		}
		want := []byte{c.background.R, c.background.G, c.background.B}
		if c.background.A == 0 {
			want = []byte{255, 255, 255}
		}
		for i, v := range pixels(t, out.Data).Pix[:3] {
			if absolute(int(v)-int(want[i])) > 6 {
				t.Errorf("the border is %v, want %v", pixels(t, out.Data).Pix[:3], want)
			}
		}
	}
}
