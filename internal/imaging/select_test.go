package imaging_test

import (
	"bytes"
	"context"
	"errors"
	"image"
	"testing"

	"imageflow.dev/internal/imaging"
)

func TestSelect(t *testing.T) {
	all := movie(3)
	data := encodedGIF(t, all)
	for _, c := range []struct {
		s           imaging.Selection
		first, last int
	}{
		{imaging.Selection{First: 1}, 1, 5}, {imaging.Selection{First: 2, Count: 2}, 2, 4},
		{imaging.Selection{First: 4, Count: 9}, 4, 5}, {imaging.Selection{Count: 2}, 0, 2},
		{imaging.Selection{First: 3, Count: 1}, 3, 4},
	} {
		m, err := open(t, data).Select(c.s, true)
		if err != nil {
			t.Fatal(err)
		}
		checkFrames(t, m, shown(all)[c.first:c.last])
		if c.last == c.first+1 {
			got := pixels(t, reencodedStill(t, m))
			if want := opaquePixels(shown(all)[c.first]); !bytes.Equal(opaquePixels(&image.NRGBA{Pix: got.Pix}), want) {
				t.Errorf("%v: the still image differs", c.s)
			}
		}
	}
	for s, field := range map[imaging.Selection]string{{First: 5}: "page", {First: 1 << 30}: "page", {Count: 2}: "pages"} {
		_, err := open(t, data).Select(s, field == "page")
		var e *imaging.SelectionError
		if !errors.As(err, &e) || e.Field != field {
			t.Errorf("%v: got %v, want an error of %s", s, err, field)
		}
	}
}

// reencodedStill converts the only selected frame to PNG.
func reencodedStill(t *testing.T, m *imaging.Image) []byte {
	t.Helper()
	out, err := m.Convert(t.Context(), imaging.PNG)
	if err != nil {
		t.Fatal(err)
	}
	return out.Data
}

// TestAnimate_limits: frames and their pixels are limited before any is decoded.
func TestAnimate_limits(t *testing.T) {
	data := encodedGIF(t, movie(0))
	for limits, accepted := range map[imaging.Limits]bool{
		{MaxSide: 40, MaxPixels: 1200, MaxFrames: 5, MaxAnimationPixels: 6000}: true,
		{MaxSide: 40, MaxPixels: 1200, MaxFrames: 4, MaxAnimationPixels: 6000}: false,
		{MaxSide: 40, MaxPixels: 1200, MaxFrames: 5, MaxAnimationPixels: 5999}: false,
	} {
		m, err := imaging.Open(data, limits)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = m.Select(imaging.Selection{}, true); (err == nil) != accepted || err != nil && !isInputError(err) {
			t.Errorf("%+v: %v", limits, err)
		}
	}
}

// TestAnimate_stops: the work ends with its context, between two frames.
func TestAnimate_stops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	_, err := moving(t, encodedGIF(t, movie(0))).Animate(ctx, imaging.WebP,
		func(_ context.Context, frame *imaging.Image) (*imaging.Pixels, error) {
			n++
			cancel()
			return frame.Pixels(t.Context())
		})
	if !errors.Is(err, context.Canceled) || n != 1 {
		t.Errorf("%d frames, %v", n, err)
	}
}
