package imaging_test

import (
	"image/color"
	"testing"

	"imageflow.dev/internal/imaging"
)

// disc returns opaque red on transparent green. Any visible green is a fringe.
func disc(side int) []uint8 {
	m := flat(side, side, color.NRGBA{0, 255, 0, 0})
	for y := range side {
		for x := range side {
			if dx, dy := 2*x+1-side, 2*y+1-side; 4*(dx*dx+dy*dy) < side*side*3 {
				m.SetNRGBA(x, y, color.NRGBA{255, 0, 0, 255})
			}
		}
	}
	return m.Pix
}

func discPNG(t testing.TB, side int) []byte {
	m := flat(side, side, color.NRGBA{})
	copy(m.Pix, disc(side))
	return asPNG(t, m)
}

// checkDisc checks that all visible pixels are red, and that the disc is in its place.
func checkDisc(t *testing.T, p *imaging.Pixels) {
	t.Helper()
	if p.Channels != 4 {
		t.Fatalf("got %d channels, want 4", p.Channels)
	}
	soft := 0
	for i := 0; i < len(p.Pix); i += 4 {
		r, g, b, a := p.Pix[i], p.Pix[i+1], p.Pix[i+2], p.Pix[i+3]
		if a > 0 && (r != 255 || g != 0 || b != 0) {
			t.Fatalf("pixel %d is %v: a fringe", i/4, p.Pix[i:i+4])
		}
		if a > 0 && a < 255 {
			soft++
		}
	}
	if soft == 0 {
		t.Error("the edge is hard: no pixels were mixed")
	}
	if middle := p.Pix[4*(p.Height/2*p.Width+p.Width/2):]; middle[3] != 255 {
		t.Errorf("the middle is %v", middle[:4])
	}
	if p.Pix[3] != 0 {
		t.Errorf("the corner is %v", p.Pix[:4])
	}
}

func TestAlpha_hasNoFringes(t *testing.T) {
	data := discPNG(t, 120)
	for _, side := range []int{50, 13, 200} {
		for q := imaging.Fast; q <= imaging.Best; q++ {
			checkDisc(t, resized(t, data, side, side, q))
		}
	}
	webp, err := open(t, discPNG(t, 400)).Convert(t.Context(), imaging.WebP)
	if err != nil {
		t.Fatal(err)
	}
	if p := resized(t, webp.Data, 40, 40, imaging.Good); p.Channels != 4 {
		t.Errorf("WebP: got %d channels, want 4", p.Channels)
	}
}

// TestAlpha_of16BitsKeepsTheUpper8 converts with and without a profile.
func TestAlpha_of16BitsKeepsTheUpper8(t *testing.T) {
	plain := asPNG(t, deep(64, 48, color.NRGBA64{0x8080, 0x8080, 0x8080, 0x4040}))
	linear := withChunk(plain, "iCCP", deflated(profile("RGB ", 1)))
	for name, data := range map[string][]byte{"plain": plain, "profile": linear} {
		for way, e := range everyWay(t, open(t, data), imaging.PNG) {
			if p := pixels(t, e.Data); p.Channels != 4 || p.Pix[3] != 0x40 {
				t.Errorf("%s, %s: %v of %d channels, want an alpha of 64", name, way, p.Pix[:4], p.Channels)
			}
		}
	}
}

func TestAlpha_isCompositedOnWhiteInJPEG(t *testing.T) {
	m := open(t, discPNG(t, 480))
	for name, e := range everyWay(t, m, imaging.JPEG) {
		p := pixels(t, e.Data)
		for what, at := range map[string]int{"corner": 0, "middle": p.Height/2*p.Width + p.Width/2} {
			want := map[string][3]int{"corner": {255, 255, 255}, "middle": {255, 0, 0}}[what]
			for c := range 3 {
				if got := int(p.Pix[3*at+c]); got < want[c]-6 || got > want[c]+6 {
					t.Errorf("%s: the %s is %v, want %v", name, what, p.Pix[3*at:3*at+3], want)
				}
			}
		}
	}
}
