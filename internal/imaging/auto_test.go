package imaging_test

import (
	"errors"
	"image"
	"image/color"
	"testing"

	"imageflow.dev/internal/imaging"
)

func formats(all ...imaging.Format) (s imaging.Formats) {
	for _, f := range all {
		s = s.With(f)
	}
	return s
}

// auto returns m at 60×40 in the smallest format.
func auto(t *testing.T, m image.Image, e imaging.Encoding) (imaging.Encoded, error) {
	t.Helper()
	source := open(t, asPNG(t, m))
	source.Encoding = e
	return source.Resize(t.Context(), 60, 40, imaging.Good, imaging.Auto)
}

// TestAuto_isTheSmallest compares with an output in each of the formats.
func TestAuto_isTheSmallest(t *testing.T) {
	accepted := []imaging.Format{imaging.JPEG, imaging.PNG, imaging.WebP, imaging.AVIF}
	for name, m := range map[string]*image.NRGBA{
		"photo": detailed(120, 80), "chart": fewColours(3, false), "alpha": noisy(120, 80),
		"flat": image.NewNRGBA(image.Rect(0, 0, 9, 6)),
	} {
		for _, e := range []imaging.Encoding{
			{}, {Quality: 40}, {MaxBytes: 4000}, {Palette: true, Compression: 9}, {Lossless: true},
			{Background: color.RGBA{255, 255, 255, 255}}, {Profile: imaging.DisplayP3},
		} {
			e.Accept = formats(accepted...)
			out, err := auto(t, m, e)
			if err != nil {
				t.Errorf("%s, %+v: %v", name, e, err)
				continue
			}
			got, err := open(t, out.Data).Pixels(t.Context())
			if err != nil || out.Format != open(t, out.Data).Format || got.Width != 60 || got.Height != 40 {
				t.Fatalf("%s, %+v: %s of %d×%d, %v", name, e, out.Format, got.Width, got.Height, err)
			}
			encodes := 0
			for _, f := range e.Candidates() {
				one := e
				one.Accept = formats(f)
				alone, err := auto(t, m, one)
				if encodes += alone.Encodes; err == nil && len(alone.Data) < len(out.Data) {
					t.Errorf("%s, %+v: %d bytes as %s, but %d as %s", name, e, len(out.Data), out.Format, len(alone.Data), f)
				}
			}
			if e.MaxBytes == 0 && encodes != out.Encodes || out.Encodes == 0 {
				t.Errorf("%s, %+v: %d encodes, want %d", name, e, out.Encodes, encodes)
			}
		}
	}
}

// TestAuto_transparency: JPEG is chosen only for an opaque image or with a background.
func TestAuto_transparency(t *testing.T) {
	transparent, opaque := noisy(120, 80), noisy(120, 80)
	for i := 3; i < len(opaque.Pix); i += 4 {
		opaque.Pix[i] = 255
	}
	for _, c := range []struct {
		image *image.NRGBA
		e     imaging.Encoding
		want  imaging.Format // empty means an error
	}{
		{transparent, imaging.Encoding{Accept: formats(imaging.JPEG)}, ""},
		{transparent, imaging.Encoding{Accept: formats(imaging.JPEG, imaging.PNG)}, imaging.PNG},
		{transparent, imaging.Encoding{Accept: formats(imaging.JPEG), Background: color.RGBA{1, 2, 3, 255}}, imaging.JPEG},
		{opaque, imaging.Encoding{Accept: formats(imaging.JPEG, imaging.PNG)}, imaging.JPEG},
	} {
		out, err := auto(t, c.image, c.e)
		var input *imaging.InputError
		if out.Format != c.want || (c.want == "") != errors.As(err, &input) {
			t.Errorf("%+v: got %s, %v, want %q", c.e, out.Format, err, c.want)
		}
	}
}

func TestAuto_maxBytes(t *testing.T) {
	accepted := formats(imaging.PNG, imaging.JPEG, imaging.WebP)
	out, err := auto(t, detailed(120, 80), imaging.Encoding{Accept: accepted, MaxBytes: 1500})
	if err != nil || len(out.Data) > 1500 || out.Format == imaging.PNG || out.Encodes > 8 {
		t.Errorf("%d bytes as %s after %d encodes, %v", len(out.Data), out.Format, out.Encodes, err)
	}
	_, err = auto(t, detailed(120, 80), imaging.Encoding{Accept: accepted, MaxBytes: 10})
	var tooLarge *imaging.TooLargeError
	if !errors.As(err, &tooLarge) {
		t.Errorf("got %v", err)
	}
}

// TestAuto_footprint is at least the footprint of each format.
func TestAuto_footprint(t *testing.T) {
	h := open(t, asPNG(t, noisy(120, 80))).Header
	accepted := []imaging.Format{imaging.JPEG, imaging.PNG, imaging.WebP, imaging.AVIF}
	h.Encoding.Accept = formats(accepted...)
	for _, f := range accepted {
		if got, one := h.ResizeFootprint(60, 40, imaging.Auto), h.ResizeFootprint(60, 40, f); got < one {
			t.Errorf("%d bytes, but %s takes %d", got, f, one)
		}
	}
}

// TestAuto_animation is the smallest of the formats that move. Without one, the first frame is encoded.
func TestAuto_animation(t *testing.T) {
	m := moving(t, encodedGIF(t, movie(0)))
	m.Encoding.Accept = formats(imaging.WebP, imaging.GIF, imaging.PNG)
	out := reencoded(t, m, imaging.Auto)
	if !m.Moves(imaging.Auto) || out.Frames != 5 || out.Encodes != 2 {
		t.Errorf("%d frames as %s after %d encodes", out.Frames, out.Format, out.Encodes)
	}
	for _, f := range []imaging.Format{imaging.WebP, imaging.GIF} {
		if one := reencoded(t, m, f); len(one.Data) < len(out.Data) {
			t.Errorf("%d bytes as %s, but %d as %s", len(out.Data), out.Format, len(one.Data), f)
		}
		if got, one := m.ResizeFootprint(60, 40, imaging.Auto), m.ResizeFootprint(60, 40, f); got < one {
			t.Errorf("a footprint of %d bytes, but %s takes %d", got, f, one)
		}
	}
	m.Encoding.Accept = formats(imaging.PNG, imaging.JPEG)
	if m.Moves(imaging.Auto) {
		t.Error("a still format moves")
	}
}
