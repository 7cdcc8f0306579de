package imaging_test

import (
	"bytes"
	"image"
	"math"
	"testing"

	"imageflow.dev/internal/imaging"
)

// TestTile_hasThePixels compares parts of decoded images with the same pixels of the whole images: as they
// are, and as the input of a model at half the size.
func TestTile_hasThePixels(t *testing.T) {
	for name, data := range map[string][]byte{
		"JPEG": asJPEG(t, noisy(90, 70)), "turned JPEG": withOrientation(asJPEG(t, noisy(70, 90)), 6),
		"PNG with alpha": asPNG(t, noisy(90, 70)),
	} {
		m := open(t, data)
		m.Encoding.Profile = imaging.DisplayP3 // of outputs
		p, err := m.PixelsInSRGB(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		at := image.Rect(17, 9, 17+60, 9+40)
		err = p.EachTile([]image.Rectangle{image.Rect(0, 0, 70, 45), at}, func(part image.Rectangle, tile *imaging.Image) error {
			if part == at {
				checkTile(t, name, data, at, tile)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func checkTile(t *testing.T, name string, data []byte, at image.Rectangle, tile *imaging.Image) {
	t.Helper()
	got, err := tile.Pixels(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := pixels(t, data)
	length := at.Dx() * want.Channels
	for y := range at.Dy() {
		from := ((at.Min.Y+y)*want.Width + at.Min.X) * want.Channels
		if !bytes.Equal(got.Pix[y*length:(y+1)*length], want.Pix[from:from+length]) {
			t.Fatalf("%s: row %d differs", name, y)
		}
	}
	half, err := scaled(t.Context(), tile, 30, 20)
	if err != nil {
		t.Fatal(err)
	}
	again, err := scaled(t.Context(), open(t, encodedAs(t, got, imaging.PNG)), 30, 20)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range half.Pix {
		if math.Abs(float64(v)-float64(again.Pix[i])) > 1 {
			t.Fatalf("%s: number %d is %d, want %d", name, i, v, again.Pix[i])
		}
	}
}

func encodedAs(t *testing.T, p *imaging.Pixels, f imaging.Format) []byte {
	t.Helper()
	out, err := p.Encode(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	return out.Data
}
