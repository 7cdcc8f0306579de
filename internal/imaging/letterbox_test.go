package imaging_test

import (
	"image/color"
	"math"
	"math/rand/v2"
	"testing"

	"imageflow.dev/internal/imaging"
)

// TestLetterboxPlacement marks a spot in pictures of random sizes and finds it
// in the box where the placement says.
func TestLetterboxPlacement(t *testing.T) {
	const side = 160
	random := rand.New(rand.NewPCG(5, 6))
	for range 40 {
		width, height, orientation := 40+random.IntN(400), 40+random.IntN(400), 1+random.IntN(8)
		// The spot is a tenth of the picture, on dark.
		r := max(width, height) / 20
		x0, y0 := r+random.IntN(max(1, width-2*r)), r+random.IntN(max(1, height-2*r))
		m := flat(width, height, color.NRGBA{20, 20, 20, 255})
		var sx, sy, n float64
		for y := max(0, y0-r); y < min(height, y0+r); y++ {
			for x := max(0, x0-r); x < min(width, x0+r); x++ {
				m.SetNRGBA(x, y, color.NRGBA{240, 20, 20, 255})
				sx, sy, n = sx+float64(x)+0.5, sy+float64(y)+0.5, n+1
			}
		}
		picture := open(t, withOrientation(asJPEG(t, m), orientation))
		shownX, shownY := turn(sx/n, sy/n, float64(width), float64(height), orientation)
		box, place, err := picture.Letterbox(side)
		if err != nil {
			t.Fatal(err)
		}
		if box.Width != side || box.Height != side || box.Channels != 3 || len(box.Pix) != side*side*3 {
			t.Fatalf("got %d×%d×%d in %d bytes", box.Width, box.Height, box.Channels, len(box.Pix))
		}
		gotX, gotY := redness(box)
		wantX, wantY := shownX*place.ScaleX+place.PadX, shownY*place.ScaleY+place.PadY
		if math.Abs(gotX-wantX) > 0.6 || math.Abs(gotY-wantY) > 0.6 {
			t.Errorf("%d×%d, orientation %d: the spot is at (%.2f, %.2f), want (%.2f, %.2f)",
				width, height, orientation, gotX, gotY, wantX, wantY)
		}
	}
}

// turn says where a stored point is when shown.
func turn(x, y, width, height float64, orientation int) (float64, float64) {
	switch orientation {
	case 2:
		return width - x, y
	case 3:
		return width - x, height - y
	case 4:
		return x, height - y
	case 5:
		return y, x
	case 6:
		return height - y, x
	case 7:
		return height - y, width - x
	case 8:
		return y, width - x
	}
	return x, y
}

// redness returns the middle of what is redder than grey.
func redness(p *imaging.Pixels) (x, y float64) {
	var sum float64
	for i := range p.Width * p.Height {
		red := math.Max(0, float64(p.Pix[3*i])-float64(p.Pix[3*i+1])-12)
		x, y, sum = x+red*(float64(i%p.Width)+0.5), y+red*(float64(i/p.Width)+0.5), sum+red
	}
	return x / sum, y / sum
}

// TestLetterboxBorder: the border is grey 114, the picture whole, and what is
// transparent white.
func TestLetterboxBorder(t *testing.T) {
	for _, test := range []struct {
		width, height int
		picture       color.NRGBA
		shown         [3]byte
		left, top     int
	}{
		{200, 100, color.NRGBA{10, 20, 30, 255}, [3]byte{10, 20, 30}, 0, 16},
		{10, 20, color.NRGBA{10, 20, 30, 255}, [3]byte{10, 20, 30}, 16, 0},
		{64, 64, color.NRGBA{10, 20, 30, 255}, [3]byte{10, 20, 30}, 0, 0},
		{3000, 4, color.NRGBA{10, 20, 30, 255}, [3]byte{10, 20, 30}, 0, 31},
		{64, 32, color.NRGBA{10, 20, 30, 0}, [3]byte{255, 255, 255}, 0, 16},
	} {
		const side = 64
		p, place, err := open(t, asPNG(t, flat(test.width, test.height, test.picture))).Letterbox(side)
		if err != nil {
			t.Fatal(err)
		}
		if place.PadX != float64(test.left) || place.PadY != float64(test.top) {
			t.Errorf("%d×%d: got %+v, want padding of (%d, %d)", test.width, test.height, place, test.left, test.top)
		}
		right, bottom := test.left+int(float64(test.width)*place.ScaleX), test.top+int(float64(test.height)*place.ScaleY)
		for i := range side * side {
			x, y, want := i%side, i/side, [3]byte{114, 114, 114}
			if x >= test.left && x < right && y >= test.top && y < bottom {
				want = test.shown
			}
			if got := [3]byte(p.Pix[3*i:]); got != want {
				t.Fatalf("%d×%d: (%d, %d) is %v, want %v", test.width, test.height, x, y, got, want)
			}
		}
	}
}
