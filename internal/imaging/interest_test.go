package imaging_test

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"testing"

	"imageflow.dev/internal/imaging"
)

// TestResizeInteresting_containsTheDetail hides one detail in a dull image of each orientation.
func TestResizeInteresting_containsTheDetail(t *testing.T) {
	for name, by := range map[string]imaging.Interest{"attention": imaging.Attention, "entropy": imaging.Entropy} {
		for _, orientation := range orientations() {
			for _, at := range []image.Point{{20, 30}, {300, 40}, {200, 210}} {
				m := flat(400, 280, color.NRGBA{120, 120, 120, 255})
				detail := image.Rectangle{at, at.Add(image.Pt(50, 50))}
				draw.Draw(m, detail, noisyOpaque(50, 50), image.Point{}, draw.Src)
				data := withOrientation(asJPEG(t, m), orientation)
				for _, f := range []imaging.Format{imaging.JPEG, imaging.PNG} {
					t.Run(fmt.Sprint(name, orientation, at, f), func(t *testing.T) { checkInteresting(t, open(t, data), by, f) })
				}
			}
		}
	}
}

// checkInteresting checks that the part has nearly all of the detail, and that the output shows the
// part.
func checkInteresting(t *testing.T, m *imaging.Image, by imaging.Interest, f imaging.Format) {
	t.Helper()
	out, part, err := m.ResizeInteresting(t.Context(), m.Whole(), 71, 141, by, imaging.Good, f)
	if err != nil {
		t.Fatal(err)
	}
	w, h := m.Size()
	if part.Left < 0 || part.Top < 0 || part.Left+part.Width > float64(w) || part.Top+part.Height > float64(h) {
		t.Fatalf("%v is not in %d×%d", part, w, h)
	}
	p, err := m.Pixels(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if in, all := colourful(p, part), colourful(p, m.Whole()); in < all*9/10 {
		t.Errorf("%v has %d of %d pixels", part, in, all)
	}
	want, err := m.ResizeWindow(t.Context(), part, 71, 141, imaging.Good, f)
	if err != nil {
		t.Fatal(err)
	}
	minimum := 40.0
	if f == imaging.JPEG {
		minimum = 24 // two encodings of noise
	}
	if db := likeness(pixels(t, out.Data), pixels(t, want.Data)); db < minimum {
		t.Errorf("the output is another part: %.1f dB", db)
	}
}

// noisyOpaque returns noise of saturated colours.
func noisyOpaque(width, height int) *image.NRGBA {
	m := noisy(width, height)
	for i := 0; i < len(m.Pix); i += 4 {
		m.Pix[i+1], m.Pix[i+3] = m.Pix[i+1]/4, 255
	}
	return m
}

// colourful counts the pixels of a window that are not grey.
func colourful(p *imaging.Pixels, w imaging.Window) int {
	n := 0
	for y := int(w.Top); y < int(w.Top+w.Height); y++ {
		for x := int(w.Left); x < int(w.Left+w.Width); x++ {
			c := p.Pix[(y*p.Width+x)*p.Channels:]
			if d := int(c[0]) - int(c[1]); d > 20 || d < -20 {
				n++
			}
		}
	}
	return n
}
