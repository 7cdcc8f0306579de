package imaging_test

import (
	"image"
	"image/color"
	"image/draw"
	"testing"

	"imageflow.dev/internal/imaging"
)

// bordered returns a red rectangle on a background, with points added.
func bordered(background color.NRGBA, inner image.Rectangle, points map[image.Point]color.NRGBA) *image.NRGBA {
	m := flat(60, 40, background)
	draw.Draw(m, inner, image.NewUniform(color.NRGBA{200, 30, 30, 255}), image.Point{}, draw.Src)
	for at, c := range points {
		m.SetNRGBA(at.X, at.Y, c)
	}
	return m
}

func TestTrim(t *testing.T) {
	white, near, clear := color.NRGBA{255, 255, 255, 255}, color.NRGBA{250, 250, 250, 255}, color.NRGBA{10, 20, 30, 0}
	inner, whole, within := image.Rect(12, 7, 45, 31), image.Rect(0, 0, 60, 40), image.Rect(20, 10, 30, 20)
	point := func(x, y int, c color.NRGBA) map[image.Point]color.NRGBA {
		return map[image.Point]color.NRGBA{{x, y}: c}
	}
	for name, c := range map[string]struct {
		m         *image.NRGBA
		within    image.Rectangle
		colour    color.Color
		tolerance int
		want      image.Rectangle
	}{
		"a border":                        {bordered(white, inner, nil), whole, nil, 0, inner},
		"noise within the tolerance":      {bordered(white, inner, point(2, 3, near)), whole, nil, 5, inner},
		"noise beyond the tolerance":      {bordered(white, inner, point(2, 3, near)), whole, nil, 4, image.Rect(2, 3, 45, 31)},
		"one pixel at the right":          {bordered(white, inner, point(59, 20, near)), whole, nil, 0, image.Rect(12, 7, 60, 31)},
		"the first pixel is another":      {bordered(white, inner, point(0, 0, near)), whole, nil, 0, whole},
		"a given colour":                  {bordered(white, inner, point(0, 0, near)), whole, white, 5, inner},
		"another given colour":            {bordered(white, inner, nil), whole, color.Black, 10, whole},
		"one colour":                      {bordered(white, image.Rectangle{}, nil), whole, nil, 0, whole},
		"a part":                          {bordered(white, inner, nil), image.Rect(5, 10, 60, 20), nil, 0, image.Rect(12, 10, 45, 20)},
		"a part of one colour":            {bordered(white, inner, nil), within, nil, 0, within},
		"transparent, of any colour":      {bordered(clear, inner, point(1, 1, color.NRGBA{200, 0, 0, 0})), whole, nil, 0, inner},
		"white is not transparent":        {bordered(clear, inner, nil), whole, white, 10, whole},
		"a transparent image on a colour": {bordered(white, inner, point(58, 38, clear)), whole, nil, 10, image.Rect(12, 7, 59, 39)},
	} {
		m := open(t, asPNG(t, c.m))
		got, err := m.Trim(t.Context(), c.within, c.colour, c.tolerance)
		if err != nil || got != c.want {
			t.Errorf("%s: got %v, %v, want %v", name, got, err, c.want)
		}
	}
}

// TestTrim_isOfTheUprightImage: other encodings of the output change nothing.
func TestTrim_isOfTheUprightImage(t *testing.T) {
	m := open(t, withOrientation(asJPEG(t, bordered(color.NRGBA{255, 255, 255, 255}, image.Rect(8, 8, 48, 24), nil)), 6))
	m.Encoding = imaging.Encoding{Profile: imaging.DisplayP3}
	got, err := m.Trim(t.Context(), image.Rect(0, 0, 40, 60), color.White, 30)
	if want := image.Rect(16, 8, 32, 48); err != nil || got != want {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
}
