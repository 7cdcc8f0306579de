package imaging_test

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	"testing"

	"imageflow.dev/internal/imaging"
)

// TestTransformed_movesWholePixels: turned by a quarter and moved, pixels keep their values.
func TestTransformed_movesWholePixels(t *testing.T) {
	for _, m := range []image.Image{noisyOpaque(40, 30), noisy(40, 30)} {
		p := pixels(t, asPNG(t, m))
		// (x, y) becomes (30 - y + 5, x + 2).
		out, err := p.Transformed(t.Context(), imaging.Affine{0, -1, 35, 1, 0, 2}, 60, 50)
		if err != nil {
			t.Fatal(err)
		}
		for y := range 50 {
			for x := range 60 {
				from := image.Pt(y-2, 34-x)
				got, want := out.Pix[(y*60+x)*4:][:4], []byte{0, 0, 0, 0}
				if from.In(image.Rect(0, 0, 40, 30)) {
					want = append([]byte{}, p.Pix[(from.Y*40+from.X)*p.Channels:][:p.Channels]...)
					if p.Channels == 3 {
						want = append(want, 255)
					}
				}
				if got[3] != want[3] || got[3] > 8 && !bytes.Equal(got, want) {
					t.Fatalf("%d channels: pixel %d,%d is %v, want %v", p.Channels, x, y, got, want)
				}
			}
		}
	}
}

// TestTransformed_hasNoFringes: the edges of a rotated image are transparent and of its colour.
func TestTransformed_hasNoFringes(t *testing.T) {
	p := pixels(t, asPNG(t, flat(40, 40, color.NRGBA{200, 100, 50, 255})))
	out, err := p.Transformed(t.Context(), imaging.Affine{0.8, -0.6, 30, 0.6, 0.8, 5}, 70, 70)
	if err != nil {
		t.Fatal(err)
	}
	solid, edge := 0, 0
	for i := 0; i < len(out.Pix); i += 4 {
		switch c := out.Pix[i : i+4]; {
		case c[3] == 255:
			solid++
		case c[3] > 16:
			edge++
			if max(absolute(int(c[0])-200), absolute(int(c[1])-100), absolute(int(c[2])-50)) > 8 {
				t.Fatalf("an edge is %v", c)
			}
		}
	}
	if solid < 1400 || solid > 1600 || edge < 50 {
		t.Errorf("%d solid pixels and %d of edges, of 1600", solid, edge)
	}
}

func TestTransformed_stops(t *testing.T) {
	p := imaging.NewPixels(200, 200, 3)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Transformed(ctx, imaging.Affine{1, 0, 0, 0, 1, 0}, 200, 200); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
