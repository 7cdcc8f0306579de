package imaging_test

import (
	"bytes"
	"image"
	"image/color"
	"image/gif"
	"testing"

	"imageflow.dev/internal/imaging"
)

// gifFrames writes a GIF with red frames on a canvas with a blue background.
func gifFrames(t *testing.T, width, height int, transparent bool, frames ...image.Rectangle) []byte {
	t.Helper()
	palette := color.Palette{color.NRGBA{0, 0, 255, 255}, color.NRGBA{255, 0, 0, 255}}
	if transparent {
		palette = append(palette, color.NRGBA{})
	}
	all := &gif.GIF{Config: image.Config{ColorModel: palette, Width: width, Height: height}}
	for _, frame := range frames {
		m := image.NewPaletted(frame, palette)
		for i := range m.Pix {
			m.Pix[i] = 1
		}
		all.Image, all.Delay = append(all.Image, m), append(all.Delay, 10)
	}
	var b bytes.Buffer
	if err := gif.EncodeAll(&b, all); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestGIFCanvas_isTransparentAroundTheFrame uses canvases of many sizes, since libvips
// handles only some of them.
func TestGIFCanvas_isTransparentAroundTheFrame(t *testing.T) {
	frame := image.Rect(12, 8, 52, 38)
	for _, canvas := range []image.Point{{52, 38}, {60, 40}, {640, 480}, {800, 600}, {2048, 60}, {3000, 60}, {60, 2049}} {
		for _, transparent := range []bool{false, true} {
			data := gifFrames(t, canvas.X, canvas.Y, transparent, frame, image.Rect(0, 0, 20, 20))
			m := open(t, data)
			if m.Width != canvas.X || m.Height != canvas.Y || !m.Alpha || !m.Animated {
				t.Errorf("%v: got the header %+v", canvas, m.Header)
			}
			checkFrame(t, pixels(t, data), frame)
			half, err := m.Resize(t.Context(), canvas.X/2, canvas.Y/2, imaging.Good, imaging.PNG)
			if err != nil {
				t.Fatal(err)
			}
			checkFrame(t, pixels(t, half.Data), image.Rect(6, 4, 26, 19))
		}
	}
	white, err := open(t, gifFrames(t, 640, 480, false, frame)).Convert(t.Context(), imaging.JPEG)
	if err != nil {
		t.Fatal(err)
	}
	if p := pixels(t, white.Data).Pix; !bytes.HasSuffix(p, []byte{255, 255, 255}) {
		t.Errorf("as JPEG: the canvas around the frame is %v, want white", p[len(p)-3:])
	}
}

// checkFrame checks that the frame is red and the rest is transparent.
func checkFrame(t *testing.T, p *imaging.Pixels, frame image.Rectangle) {
	t.Helper()
	for y := range p.Height {
		for x := range p.Width {
			got := [4]byte(p.Pix[4*(y*p.Width+x):])
			at := image.Pt(x, y)
			if at.In(frame.Inset(3)) && got != [4]byte{255, 0, 0, 255} || !at.In(frame.Inset(-3)) && got[3] != 0 {
				t.Fatalf("%d×%d, frame %v: pixel %v is %v", p.Width, p.Height, frame, at, got)
			}
		}
	}
}

// TestGIFCanvas_growsToTheFrame uses frames that extend beyond the canvas, and canvases
// without a size.
func TestGIFCanvas_growsToTheFrame(t *testing.T) {
	frame := [4]int{3, 4, 1, 1}
	for screen, want := range map[image.Point]image.Point{
		{0, 0}: {4, 5}, {0, 128}: {4, 5}, {2, 2}: {4, 5}, {9, 3}: {9, 5},
	} {
		data := gifOf(screen.X, screen.Y, frame)
		if p := pixels(t, data); p.Width != want.X || p.Height != want.Y {
			t.Errorf("screen %v: got %d×%d, want %v", screen, p.Width, p.Height, want)
		}
	}
}
