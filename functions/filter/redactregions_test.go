package filter_test

import (
	"image"
	"image/color"
	"math/rand/v2"
	"slices"
	"testing"

	"imageflow.dev/functions"
	"imageflow.dev/functions/filter"
	"imageflow.dev/internal/imaging"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// codec is a format in which tests redact images.
type codec struct {
	name     string
	format   imaging.Format
	encoding imaging.Encoding
}

// codecs are PNG and formats whose decoders mix the colours of pixels.
var codecs = []codec{
	{"PNG", imaging.PNG, imaging.Encoding{}},
	{"JPEG 4:2:0", imaging.JPEG, imaging.Encoding{Quality: 90, Chroma: imaging.Chroma420}},
	{"JPEG 4:4:4", imaging.JPEG, imaging.Encoding{Quality: 90, Chroma: imaging.Chroma444}},
	{"WebP", imaging.WebP, imaging.Encoding{Quality: 90}},
	{"AVIF", imaging.AVIF, imaging.Encoding{Quality: 90}},
}

// encode returns an image in the format.
func (c codec) encode(t *testing.T, m image.Image) []byte {
	t.Helper()
	source := open(t, encodedPNG(t, m))
	source.Encoding = c.encoding
	out, err := source.Convert(t.Context(), c.format)
	if err != nil {
		t.Fatal(err)
	}
	return out.Data
}

// spread is how far a hidden pixel can colour others in the decoder of the format, and so how far beside regions
// visible pixels may change: the side of a sample of colour, and one pixel for the interpolation between samples.
func (c codec) spread() int {
	if c.format == imaging.PNG || c.encoding.Chroma == imaging.Chroma444 {
		return 0
	}
	return 2
}

// redacted redacts an image, and returns its pixels before and after.
func redacted(t *testing.T, data []byte, to imaging.Format, r *request) (before, after *imaging.Pixels) {
	t.Helper()
	m := open(t, data)
	before, err := m.Pixels(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	out, _, err := filter.Processor.Apply(t.Context(), r, functions.Input{Image: m, Format: to})
	if err != nil {
		t.Fatal(err)
	}
	if after, err = open(t, out.Data).Pixels(t.Context()); err != nil {
		t.Fatal(err)
	}
	return before, after
}

// rgb returns the colour of a pixel.
func rgb(p *imaging.Pixels, x, y int) color.RGBA {
	c := p.Pix[(y*p.Width+x)*p.Channels:]
	return color.RGBA{c[0], c[1], c[2], 255}
}

// A region shows nothing of its pixels but what the filter allows, and no pixel outside changes, except for those
// that hidden pixels have coloured.
func TestRedaction_changesRegionsOnly(t *testing.T) {
	const width, height = 90, 60
	for _, c := range codecs {
		t.Run(c.name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(3, 4))
			data := c.encode(t, noise(width, height, true))
			for i := range 100 {
				kind := []imageflowv1.FilterType{pixelate, fill, blur}[random.IntN(3)]
				r := randomRedaction(random, width, height, i)
				if kind == fill {
					r.Color = "807060"
				}
				before, after := redacted(t, data, imaging.PNG, redacting(kind, r))
				whole := image.Rect(0, 0, width, height)
				for i := range width * height {
					at := image.Pt(i%width, i/width)
					inside, outside := isHidden(r, at), isVisible(r, at, c.spread(), whole)
					is, was := rgb(after, at.X, at.Y), rgb(before, at.X, at.Y)
					if inside && (is == was && c.format == imaging.PNG || kind == fill && is != color.RGBA{0x80, 0x70, 0x60, 255}) {
						t.Fatalf("%s %v: hidden pixel %v is %v, and was %v", kind, r, at, is, was)
					}
					if outside && is != was {
						t.Fatalf("%s %v: visible pixel %v is %v, and was %v", kind, r, at, is, was)
					}
				}
			}
		})
	}
}

// randomRedaction returns a redaction of boxes, also beyond the edges of an image.
func randomRedaction(random *rand.Rand, width, height, i int) *imageflowv1.Redaction {
	r := &imageflowv1.Redaction{Invert: i%2 == 1, Shape: imageflowv1.RedactionShape(i % 3)}
	for range 1 + random.IntN(3) {
		x, y := random.IntN(width-4), random.IntN(height-4)
		at := image.Rect(x, y, x+4+random.IntN(width-x-3), y+4+random.IntN(height-y-3))
		r.Boxes = append(r.Boxes, boxOf(at.Sub(image.Pt(random.IntN(20), random.IntN(20)))))
	}
	return r
}

// covers reports whether a pixel is in a region of a redaction: with its centre, or at least in the box around it.
func covers(r *imageflowv1.Redaction, at image.Point) (withCentre, inBox bool) {
	for _, b := range r.GetBoxes() {
		region := image.Rect(int(b.X1), int(b.Y1), int(b.X2), int(b.Y2))
		inBox = inBox || at.In(region)
		withCentre = withCentre || at.In(region) && (r.Shape != ellipse || isInEllipse(at, region))
	}
	return withCentre, inBox
}

// isHidden reports whether a pixel must be hidden.
func isHidden(r *imageflowv1.Redaction, at image.Point) bool {
	withCentre, inBox := covers(r, at)
	return r.GetInvert() && !inBox || !r.GetInvert() && withCentre
}

// isVisible reports whether a pixel must not change: none that is so near may be hidden.
func isVisible(r *imageflowv1.Redaction, at image.Point, distance int, whole image.Rectangle) bool {
	near := image.Rectangle{at, at.Add(image.Pt(1, 1))}.Inset(-distance).Intersect(whole)
	for y := near.Min.Y; y < near.Max.Y; y++ {
		for x := near.Min.X; x < near.Max.X; x++ {
			withCentre, inBox := covers(r, image.Pt(x, y))
			if r.GetInvert() && !withCentre || !r.GetInvert() && inBox {
				return false
			}
		}
	}
	return true
}

// TestRedaction_inTheFormatOfTheImage: in an image without noise, visible pixels have at most the errors of encoding once
// more, and hidden ones are near the colour of FILL. A JPEG keeps its quality and its sampling, so blocks without a hidden
// pixel stay as they are. In the others, half a step of quantisation in each coefficient may move: at most 32 of 255
// was measured. WebP and AVIF are encoded at their default quality; 15 and 9 were measured, far from the regions.
func TestRedaction_inTheFormatOfTheImage(t *testing.T) {
	const width, height = 96, 64
	m := image.NewNRGBA(image.Rect(0, 0, width, height))
	for i := range width * height {
		m.SetNRGBA(i%width, i/width, color.NRGBA{uint8(2 * (i % width)), uint8(3 * (i / width)), uint8(200 - i%width), 255})
	}
	limits := map[imaging.Format]struct{ far, near int }{
		imaging.JPEG: {1, 40}, imaging.WebP: {24, 255}, imaging.AVIF: {24, 255},
	}
	for _, c := range codecs {
		t.Run(c.name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(5, 6))
			data, limit := c.encode(t, m), limits[c.format]
			for i := range 60 {
				r := randomRedaction(random, width, height, 2*i)
				r.Color = "807060"
				before, after := redacted(t, data, c.format, redacting(fill, r))
				hidden, sum := 0, 0
				for i := range width * height {
					x, y := i%width, i/width
					d := differ(rgb(after, x, y), rgb(before, x, y))
					beside := isBeside(r, image.Pt(x, y), c.spread())
					switch isNear := isBeside(r, image.Pt(x, y), c.spread()+16); {
					case isHidden(r, image.Pt(x, y)):
						hidden++
						sum += differ(rgb(after, x, y), color.RGBA{0x80, 0x70, 0x60, 255})
					case !isNear && d > limit.far, !beside && d > limit.near:
						t.Fatalf("%v: pixel %d, %d changed by %d, near the region %t", r, x, y, d, isNear)
					}
				}
				if sum > 24*hidden {
					t.Errorf("%v: hidden pixels differ by %d/%d from the colour", r, sum, hidden)
				}
			}
		})
	}
}

// isBeside reports whether a pixel is at most a distance from a region.
func isBeside(r *imageflowv1.Redaction, at image.Point, distance int) bool {
	return slices.ContainsFunc(r.GetBoxes(), func(b *imageflowv1.BoundingBox) bool {
		return at.In(image.Rect(int(b.X1), int(b.Y1), int(b.X2), int(b.Y2)).Inset(-distance))
	})
}

// differ returns the largest difference of a channel.
func differ(a, b color.RGBA) int {
	d := func(v, w uint8) int { return max(int(v)-int(w), int(w)-int(v)) }
	return max(d(a.R, b.R), d(a.G, b.G), d(a.B, b.B))
}
