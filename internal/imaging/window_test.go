package imaging_test

import (
	"fmt"
	"image"
	"image/color"
	"testing"

	"imageflow.dev/internal/imaging"
)

// cropped returns a part of an image.
func cropped(p *imaging.Pixels, part image.Rectangle) *imaging.Pixels {
	out := imaging.NewPixels(part.Dx(), part.Dy(), p.Channels)
	for y := range part.Dy() {
		from := ((part.Min.Y+y)*p.Width + part.Min.X) * p.Channels
		copy(out.Pix[y*out.Width*p.Channels:][:out.Width*p.Channels], p.Pix[from:])
	}
	return out
}

// windowed resizes the window of an image that becomes a part of its resized whole.
func windowed(t *testing.T, m *imaging.Image, width, height int, part image.Rectangle, q imaging.Quality) *imaging.Pixels {
	t.Helper()
	w, h := m.Size()
	x, y := float64(w)/float64(width), float64(h)/float64(height)
	window := imaging.Window{
		Left: float64(part.Min.X) * x, Top: float64(part.Min.Y) * y, Width: float64(part.Dx()) * x, Height: float64(part.Dy()) * y,
	}
	e, err := m.ResizeWindow(t.Context(), window, part.Dx(), part.Dy(), q, imaging.PNG)
	if err != nil {
		t.Fatal(err)
	}
	return pixels(t, e.Data)
}

// TestWindow_isAPartOfTheWhole compares with a part of the resized whole, by way of pixels.
func TestWindow_isAPartOfTheWhole(t *testing.T) {
	for _, orientation := range orientations() {
		for format, data := range map[imaging.Format][]byte{
			imaging.JPEG: withOrientation(asJPEG(t, detailed(401, 303)), orientation),
			imaging.PNG:  encoded(t, detailed(401, 303), imaging.PNG), imaging.WebP: turnedWebP(t, 401, 303, orientation),
		} {
			for _, size := range windowSizes() {
				for q := imaging.Fast; q <= imaging.Best; q++ {
					t.Run(fmt.Sprint(format, orientation, size, q), func(t *testing.T) {
						whole := resized(t, data, size[0], size[1], q)
						part := image.Rect(size[0]/5, size[1]/3, size[0]*4/5, size[1]*3/4)
						got := windowed(t, open(t, data), size[0], size[1], part, q)
						if db := likeness(got, cropped(whole, part)); db < 48 {
							t.Errorf("%.1f dB", db)
						}
					})
				}
			}
		}
	}
}

// windowSizes returns sizes of the whole output; in short mode one.
func windowSizes() [][2]int {
	if testing.Short() {
		return [][2]int{{100, 80}}
	}
	return [][2]int{{100, 80}, {501, 399}, {30, 26}}
}

// TestWindow_ofWholePixelsIsExact crops without a change of the scale.
func TestWindow_ofWholePixelsIsExact(t *testing.T) {
	m := open(t, asPNG(t, detailed(90, 70)))
	whole := pixels(t, asPNG(t, detailed(90, 70)))
	for _, part := range []image.Rectangle{{image.Pt(0, 0), image.Pt(1, 1)}, {image.Pt(13, 7), image.Pt(80, 70)}} {
		got, want := windowed(t, m, 90, 70, part, imaging.Good), cropped(whole, part)
		if string(got.Pix) != string(want.Pix) {
			t.Errorf("%v: other pixels", part)
		}
	}
}

// TestWindow_seesNoPixelsBeyondTheKernel has noise there.
func TestWindow_seesNoPixelsBeyondTheKernel(t *testing.T) {
	const reach = 3 * 4 // the support of Lanczos at a quarter of the size
	colour := color.NRGBA{90, 140, 200, 255}
	m := noisy(320, 240)
	window := image.Rect(100, 80, 220, 160)
	for y := range 240 {
		for x := range 320 {
			if (image.Point{x, y}).In(window.Inset(-reach)) {
				m.SetNRGBA(x, y, colour)
			}
		}
	}
	part := image.Rect(25, 20, 55, 40)
	got := windowed(t, open(t, asPNG(t, m)), 80, 60, part, imaging.Best)
	for i := 0; i < len(got.Pix); i += got.Channels {
		if p := got.Pix[i:]; p[0] != colour.R || p[1] != colour.G || p[2] != colour.B {
			t.Fatalf("pixel %d is %v", i/got.Channels, p[:3])
		}
	}
}

// TestWindow_reportsDamageBelowIt cuts files below the window.
func TestWindow_reportsDamageBelowIt(t *testing.T) {
	jpeg := asJPEG(t, detailed(320, 240))
	webp := encoded(t, detailed(320, 240), imaging.WebP)
	lossless := asPNG(t, detailed(320, 240))
	tiff := encoded(t, detailed(320, 240), imaging.TIFF)
	for name, data := range map[string][]byte{
		"JPEG": end(jpeg[:len(jpeg)*4/5]), "WebP": webp[:len(webp)*4/5], "PNG": lossless[:len(lossless)*4/5],
		"TIFF": tiff[:len(tiff)*4/5],
	} {
		for _, f := range []imaging.Format{imaging.JPEG, imaging.WebP, imaging.PNG} {
			m, err := imaging.Open(data, roomy)
			if err == nil {
				_, err = m.ResizeWindow(t.Context(), imaging.Window{Left: 40, Top: 8, Width: 80, Height: 40}, 40, 20, imaging.Good, f)
			}
			if !isInputError(err) {
				t.Errorf("%s to %s: %v", name, f, err)
			}
		}
	}
}

// moved returns an image of width × height pixels that has the pixels of p at other places.
func moved(p *imaging.Pixels, width, height int, to func(x, y int) (int, int)) *imaging.Pixels {
	out := imaging.NewPixels(width, height, p.Channels)
	for i := range p.Width * p.Height {
		x, y := to(i%p.Width, i/p.Width)
		copy(out.Pix[(y*width+x)*p.Channels:][:p.Channels], p.Pix[i*p.Channels:])
	}
	return out
}

// TestTurned undoes the turns and looks at the quarters of the image.
func TestTurned(t *testing.T) {
	for orientation := 1; orientation <= 8; orientation++ {
		m := open(t, withOrientation(asJPEG(t, stored(48, 32, orientation)), orientation))
		for quarters := range 4 {
			for _, mirrored := range []bool{false, true} {
				p, err := m.Turned(quarters, mirrored).Pixels(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if mirrored {
					p = moved(p, p.Width, p.Height, func(x, y int) (int, int) { return p.Width - 1 - x, y })
				}
				for range (4 - quarters) % 4 {
					p = moved(p, p.Height, p.Width, func(x, y int) (int, int) { return p.Height - 1 - y, x })
				}
				checkCorners(t, p, image.Rect(0, 0, p.Width, p.Height))
			}
		}
	}
}
