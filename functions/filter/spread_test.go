package filter_test

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"testing"

	"imageflow.dev/functions"
	"imageflow.dev/functions/filter"
	"imageflow.dev/internal/imaging"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// TestRedaction_leavesNoColourInPixels: decoders of formats that store colours at a lower resolution mix hidden pixels
// into their neighbours. These tell no colour either.
func TestRedaction_leavesNoColourInPixels(t *testing.T) {
	for _, from := range []imaging.Format{imaging.JPEG, imaging.WebP, imaging.AVIF} {
		for _, to := range []imaging.Format{imaging.PNG, imaging.WebP} {
			for _, region := range []image.Rectangle{image.Rect(17, 17, 41, 41), image.Rect(16, 32, 48, 34), image.Rect(5, 4, 60, 61)} {
				for _, shape := range []imageflowv1.RedactionShape{0, imageflowv1.RedactionShape_REDACTION_SHAPE_ELLIPSE} {
					for _, invert := range []bool{false, true} {
						r := redacting(fill, &imageflowv1.Redaction{
							Boxes: []*imageflowv1.BoundingBox{boxOf(region)}, Shape: shape, Invert: invert,
						})
						red := redactedTo(t, secretImage(t, from, r, color.NRGBA{255, 0, 0, 255}), to, r)
						blue := redactedTo(t, secretImage(t, from, r, color.NRGBA{0, 0, 255, 255}), to, r)
						if d := largestDifference(red, blue); d > 16 {
							t.Errorf("%s to %s, %v: pixels differ by %d with the hidden colour", from, to, r.GetRedaction(), d)
						}
					}
				}
			}
		}
	}
}

// secretImage returns an image that is grey, and has a secret colour where a request hides it.
func secretImage(t *testing.T, f imaging.Format, r *request, secret color.NRGBA) []byte {
	t.Helper()
	m := flat(64, 64, color.NRGBA{128, 128, 128, 255})
	black := redactedTo(t, encodedPNG(t, m), imaging.PNG, r)
	for i := 0; i < len(m.Pix); i += 4 {
		if black.Pix[i/4*black.Channels] == 0 {
			draw.Draw(m, image.Rect(i/4%64, i/4/64, i/4%64+1, i/4/64+1), image.NewUniform(secret), image.Point{}, draw.Src)
		}
	}
	source := open(t, encodedPNG(t, m))
	source.Encoding = imaging.Encoding{Quality: 100} // lower qualities add noise to whole blocks
	if f != imaging.WebP {
		source.Encoding.Chroma = imaging.Chroma420
	}
	out, err := source.Convert(t.Context(), f)
	if err != nil {
		t.Fatal(fmt.Errorf("%s: %w", f, err))
	}
	return out.Data
}

// redactedTo redacts an image to a format without losses, and decodes the output.
func redactedTo(t *testing.T, data []byte, to imaging.Format, r *request) *imaging.Pixels {
	t.Helper()
	m := open(t, data)
	m.Encoding.Lossless = to == imaging.WebP
	out, _, err := filter.Processor.Apply(t.Context(), r, functions.Input{Image: m, Format: to})
	if err != nil {
		t.Fatal(err)
	}
	p, err := open(t, out.Data).Pixels(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func largestDifference(a, b *imaging.Pixels) (most int) {
	for i, v := range a.Pix {
		most = max(most, int(v)-int(b.Pix[i]), int(b.Pix[i])-int(v))
	}
	return most
}
