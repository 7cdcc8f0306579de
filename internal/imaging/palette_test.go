package imaging_test

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	"image/png"
	"testing"

	"imageflow.dev/internal/imaging"
)

// indexed returns m as a PNG with a palette, and its pixels, read by Go's decoder.
func indexed(t *testing.T, m image.Image, e imaging.Encoding) ([]byte, *image.Paletted) {
	t.Helper()
	source := open(t, asPNG(t, m))
	e.Palette = true
	source.Encoding = e
	out, err := source.Convert(t.Context(), imaging.PNG)
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := png.Decode(bytes.NewReader(out.Data))
	if err != nil {
		t.Fatal(err)
	}
	p, ok := decoded.(*image.Paletted)
	if !ok {
		t.Fatalf("got a %T", decoded)
	}
	return out.Data, p
}

// fewColours returns an image with exactly n colours, each in several places.
func fewColours(n int, alpha bool) *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, 53, 37))
	for i := range 53 * 37 {
		v := i * 7 % n
		c := color.NRGBA{uint8(v * 5), uint8(200 - v), uint8(v / 2), 255}
		if alpha && v%3 == 0 {
			c.A = uint8(255 - v/3)
		}
		m.SetNRGBA(i%53, i/53, c)
	}
	return m
}

// TestPalette_keepsFewColours: up to 256 colours stay as they are, with as few bits as they need.
func TestPalette_keepsFewColours(t *testing.T) {
	for n, depth := range map[int]byte{1: 1, 2: 1, 3: 2, 4: 2, 5: 4, 16: 4, 17: 8, 200: 8, 256: 8} {
		for _, alpha := range []bool{false, true} {
			m := fewColours(n, alpha)
			data, got := indexed(t, m, imaging.Encoding{})
			if data[24] != depth || len(got.Palette) != n {
				t.Errorf("%d colours: %d bits and a palette of %d, want %d bits", n, data[24], len(got.Palette), depth)
			}
			for i := range 53 * 37 {
				x, y := i%53, i/53
				if have, want := color.NRGBAModel.Convert(got.At(x, y)), m.NRGBAAt(x, y); have != want {
					t.Fatalf("%d colours, alpha %t: got %v at %d,%d, want %v", n, alpha, have, x, y, want)
				}
			}
		}
	}
}

// TestPalette_ofManyColours: the palette is close to the image, also if it has more colours than
// are counted apart.
func TestPalette_ofManyColours(t *testing.T) {
	gradient := image.NewNRGBA(image.Rect(0, 0, 400, 300))
	for i := range 400 * 300 {
		x, y := i%400, i/400
		gradient.SetNRGBA(x, y, color.NRGBA{uint8(x * 255 / 400), uint8(y * 255 / 300), uint8((x + y) * 255 / 700), 255})
	}
	for name, c := range map[string]struct {
		image   *image.NRGBA
		minPSNR float64
	}{"gradient": {gradient, 33}, "detailed": {detailed(320, 240), 29}, "noise": {noisy(320, 240), 20}} {
		_, got := indexed(t, c.image, imaging.Encoding{})
		if n := len(got.Palette); n < 200 || n > 256 {
			t.Errorf("%s: a palette of %d colours", name, n)
		}
		have, err := open(t, asPNG(t, got)).Pixels(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		want, err := open(t, asPNG(t, c.image)).Pixels(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got := psnrOf(t, premultiplied(have), premultiplied(want)); got < c.minPSNR {
			t.Errorf("%s: %.1f dB, want %.0f", name, got, c.minPSNR)
		}
	}
}

// premultiplied returns the pixels with colours multiplied by alpha.
func premultiplied(p *imaging.Pixels) *imaging.Pixels {
	if p.Channels == 4 {
		for i := 0; i < len(p.Pix); i += 4 {
			for c := range 3 {
				p.Pix[i+c] = byte(int(p.Pix[i+c]) * int(p.Pix[i+3]) / 255)
			}
		}
	}
	return p
}

// TestCompression: a higher level makes a smaller file of the same pixels.
func TestCompression(t *testing.T) {
	for _, palette := range []bool{false, true} {
		size := 1 << 30
		for _, level := range []int{0, 9} {
			m := open(t, asPNG(t, detailed(300, 200)))
			m.Encoding = imaging.Encoding{Compression: level, Palette: palette}
			out, err := m.Resize(t.Context(), 300, 200, imaging.Good, imaging.PNG)
			if err != nil || len(out.Data) >= size {
				t.Fatalf("level %d, palette %t: %d bytes after %d, %v", level, palette, len(out.Data), size, err)
			}
			size = len(out.Data)
			if palette {
				continue
			}
			have, err := open(t, out.Data).Pixels(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if want, err := m.Pixels(t.Context()); err != nil || !bytes.Equal(have.Pix, want.Pix) {
				t.Errorf("level %d: other pixels, %v", level, err)
			}
		}
	}
}

func TestPalette_endsWithItsContext(t *testing.T) {
	m := open(t, asPNG(t, detailed(64, 64)))
	m.Encoding = imaging.Encoding{Palette: true}
	p, err := m.Pixels(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("no time"))
	if _, err := p.Encode(ctx, imaging.PNG); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
