package imaging_test

import (
	"bytes"
	"fmt"
	"image"
	"testing"

	"imageflow.dev/internal/imaging"
)

// output is an output of a shared image: its window in fractions, its size and its format.
type output struct {
	left, top, width, height float64
	size                     image.Point
	format                   imaging.Format
	encoding                 imaging.Encoding
}

func (o output) window(m *imaging.Image) imaging.Window {
	w, h := m.Size()
	x, y := float64(w), float64(h)
	return imaging.Window{Left: o.left * x, Top: o.top * y, Width: o.width * x, Height: o.height * y}
}

func whole(width, height int, f imaging.Format) output {
	return output{0, 0, 1, 1, image.Pt(width, height), f, imaging.Encoding{}}
}

// shared is an image and outputs that share its decoding.
type shared struct {
	data    []byte
	outputs []output
}

func sharedImages(t *testing.T) map[string]shared {
	photo, clear, grey := detailed(1200, 800), noisy(600, 400), image.NewGray(image.Rect(0, 0, 600, 400))
	for i := range grey.Pix {
		grey.Pix[i] = uint8(i / 600 * 255 / 400)
	}
	fine := whole(300, 200, imaging.JPEG)
	fine.encoding.Quality = 95 // colours of full resolution
	corner := output{0.5, 0.25, 0.5, 0.5, image.Pt(150, 100), imaging.JPEG, imaging.Encoding{}}
	small := func(f imaging.Format) output { return whole(60, 40, f) }
	return map[string]shared{
		"jpeg": {asJPEG(t, photo), []output{
			whole(700, 467, imaging.JPEG), fine, corner, small(imaging.JPEG), whole(10, 7, imaging.JPEG),
		}},
		"jpeg, turned": {withOrientation(asJPEG(t, photo), 6), []output{
			whole(400, 600, imaging.JPEG), whole(40, 60, imaging.JPEG), whole(200, 300, imaging.PNG), whole(50, 75, imaging.WebP),
		}},
		"jpeg to others": {asJPEG(t, photo), []output{whole(500, 333, imaging.WebP), small(imaging.PNG), small(imaging.JPEG)}},
		"png": {asPNG(t, photo), []output{
			whole(1200, 800, imaging.PNG), whole(300, 200, imaging.PNG), whole(50, 33, imaging.JPEG),
		}},
		"png with alpha": {asPNG(t, clear), []output{whole(300, 200, imaging.PNG), small(imaging.PNG)}},
		"grey png":       {asPNG(t, grey), []output{whole(300, 200, imaging.PNG), small(imaging.PNG), small(imaging.WebP)}},
		"webp":           {encoded(t, photo, imaging.WebP), []output{whole(600, 400, imaging.WebP), small(imaging.WebP)}},
		"tiff":           {encoded(t, clear, imaging.TIFF), []output{whole(300, 200, imaging.PNG), small(imaging.TIFF)}},
	}
}

// TestShare compares outputs that share a decoding with outputs that are made alone: they are as close to the best
// quality, and have the same form.
func TestShare(t *testing.T) {
	for name, test := range sharedImages(t) {
		t.Run(name, func(t *testing.T) {
			m, share := open(t, test.data), &imaging.Share{}
			for _, o := range test.outputs {
				share.Serve(m.EncodedBy(o.encoding), o.window(m), o.size.X, o.size.Y, imaging.Good, o.format)
			}
			for _, o := range test.outputs {
				compare(t, m.EncodedBy(o.encoding), share, o)
			}
		})
	}
}

// compare compares an output that shares a decoding with the one that is made alone.
func compare(t *testing.T, alone *imaging.Image, share *imaging.Share, o output) {
	t.Helper()
	resize := func(m *imaging.Image, q imaging.Quality) imaging.Encoded {
		out, err := m.ResizeWindow(t.Context(), o.window(m), o.size.X, o.size.Y, q, o.format)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	got, want, best := resize(alone.With(share), imaging.Good), resize(alone, imaging.Good), resize(alone, imaging.Best)
	if got.Path != want.Path || got.Format != want.Format || got.Width != want.Width || got.Height != want.Height {
		t.Errorf("%v: %s of %s %d×%d, alone %s of %s %d×%d", o.size, got.Path, got.Format, got.Width, got.Height,
			want.Path, want.Format, want.Width, want.Height)
	}
	distance := psnrOf(t, pixels(t, got.Data), pixels(t, best.Data))
	if other := psnrOf(t, pixels(t, want.Data), pixels(t, best.Data)); distance < min(other, 60)-0.2 {
		t.Errorf("%s of %v: %.1f dB from the best quality, alone %.1f dB", o.format, o.size, distance, other)
	}
	if len(got.Data) > len(want.Data)*11/10+100 {
		t.Errorf("%s of %v: %d bytes, alone %d", o.format, o.size, len(got.Data), len(want.Data))
	}
}

// TestShare_damage: damage is found for each output.
func TestShare_damage(t *testing.T) {
	data := asJPEG(t, detailed(600, 400))
	data = append(bytes.Clone(data[:len(data)/2]), 0xff, 0xd9)
	m, share := open(t, data), &imaging.Share{}
	for _, f := range []imaging.Format{imaging.JPEG, imaging.PNG} {
		for range 2 {
			share.Serve(m, m.Whole(), 300, 200, imaging.Good, f)
		}
	}
	for _, f := range []imaging.Format{imaging.JPEG, imaging.PNG, imaging.JPEG, imaging.PNG} {
		if out, err := m.With(share).Resize(t.Context(), 300, 200, imaging.Good, f); err == nil {
			t.Errorf("%s of %d bytes", fmt.Sprint(f), len(out.Data))
		}
	}
}
