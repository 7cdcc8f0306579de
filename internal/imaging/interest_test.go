package imaging_test

import (
	"image"
	"image/color"
	"image/draw"
	"testing"

	"imageflow.dev/internal/imaging"
)

// TestInteresting_containsTheDetail hides one detail in a dull image of each orientation.
func TestInteresting_containsTheDetail(t *testing.T) {
	for name, by := range map[string]imaging.Interest{"attention": imaging.Attention, "entropy": imaging.Entropy} {
		for orientation := 1; orientation <= 8; orientation++ {
			for _, at := range []image.Point{{20, 30}, {300, 40}, {200, 210}} {
				m := flat(400, 280, color.NRGBA{120, 120, 120, 255})
				detail := image.Rectangle{at, at.Add(image.Pt(50, 50))}
				draw.Draw(m, detail, noisyOpaque(50, 50), image.Point{}, draw.Src)
				whole := open(t, withOrientation(asJPEG(t, m), orientation))
				w, h := whole.Size()
				p, err := whole.Pixels(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				got, err := whole.Interesting(t.Context(), whole.Whole(), 140, 120, by)
				if err != nil {
					t.Fatal(err)
				}
				if got.Left < 0 || got.Top < 0 || got.Left+140 > float64(w) || got.Top+120 > float64(h) {
					t.Fatalf("%s: %v is not in %d×%d", name, got, w, h)
				}
				if in, all := colourful(p, got), colourful(p, whole.Whole()); in < all*9/10 {
					t.Errorf("%s, orientation %d: %v has %d of %d pixels", name, orientation, got, in, all)
				}
			}
		}
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
