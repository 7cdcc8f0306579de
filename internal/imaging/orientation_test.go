package imaging_test

import (
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"testing"

	"imageflow.dev/internal/imaging"
)

// corners are the colours of the quarters of an upright image: top left, top right, bottom
// left, bottom right.
var corners = [4]color.NRGBA{{220, 30, 30, 255}, {30, 200, 30, 255}, {30, 30, 220, 255}, {240, 240, 240, 255}}

// stored returns the quarters as a camera with this orientation stores them. EXIF defines an
// orientation by the sides of the upright image where the stored row 0 and column 0 are.
func stored(width, height, orientation int) image.Image {
	sides := [...]struct{ row, column string }{
		1: {"top", "left"}, 2: {"top", "right"}, 3: {"bottom", "right"}, 4: {"bottom", "left"},
		5: {"left", "top"}, 6: {"right", "top"}, 7: {"right", "bottom"}, 8: {"left", "bottom"},
	}[orientation]
	w, h := width, height
	if orientation >= 5 {
		w, h = height, width
	}
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	for row := range h {
		for column := range w {
			var x, y int
			for _, edge := range [2]struct {
				side string
				at   int
			}{{sides.row, row}, {sides.column, column}} {
				switch edge.side {
				case "top":
					y = edge.at
				case "bottom":
					y = height - 1 - edge.at
				case "left":
					x = edge.at
				case "right":
					x = width - 1 - edge.at
				}
			}
			m.SetNRGBA(column, row, corners[2*(2*y/height)+2*x/width])
		}
	}
	return m
}

// checkCorners checks the colours in the middle of the quarters of a part of an image.
func checkCorners(t *testing.T, p *imaging.Pixels, part image.Rectangle) {
	t.Helper()
	for i, want := range corners {
		x := part.Min.X + part.Dx()*(1+2*(i%2))/4
		y := part.Min.Y + part.Dy()*(1+2*(i/2))/4
		got := p.Pix[(y*p.Width+x)*p.Channels:]
		for c, v := range []uint8{want.R, want.G, want.B} {
			if diff := int(got[c]) - int(v); diff < -12 || diff > 12 {
				t.Errorf("quarter %d: got %v, want %v", i, got[:3], want)
				break
			}
		}
	}
}

// TestOrientation_isAppliedByAllOperations covers all orientations.
func TestOrientation_isAppliedByAllOperations(t *testing.T) {
	const width, height = 192, 144
	for orientation := 1; orientation <= 8; orientation++ {
		t.Run(fmt.Sprint(orientation), func(t *testing.T) {
			m := open(t, withOrientation(asJPEG(t, stored(width, height, orientation)), orientation))
			if w, h := m.Size(); w != width || h != height {
				t.Fatalf("got %d×%d, want %d×%d", w, h, width, height)
			}
			for _, f := range []imaging.Format{imaging.PNG, imaging.WebP} {
				for name, e := range everyWay(t, m, f) {
					p := pixels(t, e.Data)
					if p.Width != e.Width || p.Height != e.Height || 3*p.Width != 4*p.Height {
						t.Errorf("%s: got %d×%d, reported %d×%d", name, p.Width, p.Height, e.Width, e.Height)
						continue
					}
					t.Run(name, func(t *testing.T) { checkCorners(t, p, image.Rect(0, 0, p.Width, p.Height)) })
				}
			}
			p, err := scaled(t.Context(), m, 64, 48)
			if err != nil {
				t.Fatal(err)
			}
			checkCorners(t, p, image.Rect(0, 0, 64, 48))
		})
	}
}

// TestOrientation_ofOtherTypes covers integers that are no SHORT, which some cameras and tools write.
func TestOrientation_ofOtherTypes(t *testing.T) {
	const unsignedByte, signedLong = 1, 9
	plain := asJPEG(t, stored(64, 48, 6))
	for _, kind := range []uint16{unsignedByte, short, long, signedLong} {
		block := asTIFF(binary.LittleEndian, entry{274, kind, []uint32{6}})
		data := withSegment(plain, 0xe1, append([]byte("Exif\x00\x00"), block...))
		m := open(t, data)
		if w, h := m.Size(); w != 64 || h != 48 {
			t.Errorf("type %d: got %d×%d pixels, want 64×48", kind, w, h)
		}
		if again := open(t, kept(t, data, imaging.JPEG, imaging.KeepAll)); again.Orientation != 1 || again.Width != 64 {
			t.Errorf("type %d: got an output with orientation %d", kind, again.Orientation)
		}
	}
}
