package resize_test

import (
	"image"
	"image/color"
	"math"
	"math/rand/v2"
	"testing"

	"imageflow.dev/functions"
	"imageflow.dev/functions/resize"
	"imageflow.dev/internal/imaging"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// disc returns a white image with a black disc of soft edges around a point.
func disc(width, height int, x, y float64) image.Image {
	m := image.NewGray(image.Rect(0, 0, width, height))
	for i := range m.Pix {
		d := math.Hypot(float64(i%width)+0.5-x, float64(i/width)+0.5-y)
		m.Pix[i] = uint8(255 * min(1, max(0, (d-8)/4)))
	}
	return m
}

// centre returns the centre of gravity of the pixels that are not white.
func centre(p *imaging.Pixels) (x, y float64) {
	sum := 0.0
	for i := range p.Width * p.Height {
		dark := 255 - float64(p.Pix[i*p.Channels])
		sum += dark
		x += dark * (float64(i%p.Width) + 0.5)
		y += dark * (float64(i/p.Width) + 0.5)
	}
	return x / sum, y / sum
}

// TestMap_isExact finds the centre of a disc after random requests within a small part of a pixel.
func TestMap_isExact(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		m := encoded(t, disc(150, 110, 40, 60), imaging.PNG)
		m.Orientation = 1 + random.IntN(8)
		m.Encoding.Background = color.RGBA{255, 255, 255, 255}
		original, err := m.Pixels(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		wantX, wantY := centre(original)
		r := &request{
			TargetWidth: int32(60 + random.IntN(200)), TargetHeight: int32(60 + random.IntN(200)), Enlarge: random.IntN(2) == 0,
			Fit: []imageflowv1.Fit{0, contain, fill, pad}[random.IntN(4)], Rotate: int32(90 * random.IntN(4)),
			Flip: imageflowv1.Flip(random.IntN(3)), Angle: float64(random.IntN(2)) * (360*random.Float64() - 180),
			Extend: &imageflowv1.Extend{Left: int32(random.IntN(9)), Top: int32(random.IntN(9))},
		}
		out, resp, err := resize.Processor.Apply(t.Context(), r, functions.Input{Image: m, Format: imaging.PNG})
		if err != nil {
			t.Fatal(err)
		}
		p, err := open(t, out.Data).Pixels(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		x, y := mapping(resp.(*imageflowv1.ResizeResponse).GetMetadata())(centre(p))
		if off := math.Hypot(x-wantX, y-wantY); off > 0.05 {
			t.Errorf("%v: the disc is at %.3f, %.3f, want %.3f, %.3f", r, x, y, wantX, wantY)
		}
	}
}
