package imaging_test

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"math"
	"math/rand/v2"
	"testing"

	"imageflow.dev/internal/imaging"
)

// TestScaledTo_keepsPositions draws a spot in images of random size and orientation, and finds
// it at the same relative position in the scaled image.
func TestScaledTo_keepsPositions(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	for range 40 {
		width, height, orientation := 40+random.IntN(400), 40+random.IntN(400), 1+random.IntN(8)
		r := max(4, min(width, height)/10)
		x, y := r+random.IntN(width-2*r), r+random.IntN(height-2*r)
		m := flat(width, height, color.NRGBA{20, 20, 20, 255})
		spot := image.Rect(x-r, y-r, x+r, y+r)
		draw.Draw(m, spot, image.NewUniform(color.NRGBA{240, 20, 20, 255}), image.Point{}, draw.Src)
		shownX, shownY := turn(float64(x), float64(y), float64(width), float64(height), orientation)
		if orientation >= 5 {
			width, height = height, width
		}

		w, h := 80+random.IntN(300), 80+random.IntN(300)
		p, err := scaled(t.Context(), open(t, withOrientation(asJPEG(t, m), orientation)), w, h)
		if err != nil {
			t.Fatal(err)
		}
		if p.Width != w || p.Height != h || p.Channels != 3 || len(p.Pix) != 3*w*h {
			t.Fatalf("got %d×%d×%d in %d bytes, want %d×%d×3", p.Width, p.Height, p.Channels, len(p.Pix), w, h)
		}
		gotX, gotY := redness(p)
		scaleX, scaleY := float64(w)/float64(width), float64(h)/float64(height)
		if math.Abs(gotX-shownX*scaleX) > max(0.6, scaleX) || math.Abs(gotY-shownY*scaleY) > max(0.6, scaleY) {
			t.Errorf("%d×%d → %d×%d, orientation %d: the spot is at (%.2f, %.2f), want (%.2f, %.2f)",
				width, height, w, h, orientation, gotX, gotY, shownX*scaleX, shownY*scaleY)
		}
	}
}

// turn returns the position of a stored point after orientation.
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

// redness returns the centre of the pixels that are redder than grey.
func redness(p *imaging.Pixels) (x, y float64) {
	var sum float64
	for i := range p.Width * p.Height {
		red := math.Max(0, float64(p.Pix[3*i])-float64(p.Pix[3*i+1])-12)
		x, y, sum = x+red*(float64(i%p.Width)+0.5), y+red*(float64(i/p.Width)+0.5), sum+red
	}
	return x / sum, y / sum
}

// TestScaledTo_isWhiteWhereTransparent matters since models have no alpha.
func TestScaledTo_isWhiteWhereTransparent(t *testing.T) {
	p, err := scaled(t.Context(), open(t, asPNG(t, flat(40, 30, color.NRGBA{255, 0, 0, 0}))), 20, 20)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range p.Pix {
		if v != 255 || p.Channels != 3 {
			t.Fatalf("byte %d of %d channels is %d, want white", i, p.Channels, v)
		}
	}
}

// scaled returns what ScaledTo writes as pixels.
func scaled(ctx context.Context, m *imaging.Image, width, height int) (*imaging.Pixels, error) {
	n := width * height
	all := make([]float32, 3*n)
	err := m.ScaledTo(ctx, width, height, imaging.Fast, imaging.Floats{
		Red: all[:n], Green: all[n : 2*n], Blue: all[2*n:], Stride: width, White: 255,
	})
	p := imaging.NewPixels(width, height, 3)
	for i := range p.Pix {
		p.Pix[i] = byte(math.Round(float64(all[i%3*n+i/3])))
	}
	return p, err
}

// TestScaledTo_divides: a value of a pixel becomes the number nearest to v/255, as in NumPy and PyTorch. Models of
// float16 amplify the last bit.
func TestScaledTo_divides(t *testing.T) {
	m := image.NewGray(image.Rect(0, 0, 256, 1))
	for v := range m.Pix {
		m.Pix[v] = byte(v)
	}
	var jpg bytes.Buffer
	if err := jpeg.Encode(&jpg, m, &jpeg.Options{Quality: 100}); err != nil {
		t.Fatal(err)
	}
	for _, data := range [][]byte{asPNG(t, m), jpg.Bytes()} {
		p := pixels(t, data)
		numbers := make([]float32, 3*256)
		to := imaging.Floats{Red: numbers, Green: numbers[256:], Blue: numbers[512:], Stride: 256, White: 1}
		if err := open(t, data).ScaledTo(t.Context(), 256, 1, imaging.Bilinear, to); err != nil {
			t.Fatal(err)
		}
		for i, v := range numbers[:256] {
			if want := float32(p.Pix[i*p.Channels]) / 255; v != want {
				t.Errorf("%d becomes %v, want %v", p.Pix[i*p.Channels], v, want)
			}
		}
	}
}
