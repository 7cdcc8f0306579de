package detect

import (
	"image"
	"image/color"
	"image/draw"
	"math"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"

	"imageflow.dev/internal/imaging"
)

// colour returns the colour of a class. The hues of successive classes differ by the
// golden angle; all colours are light enough for black text.
func colour(class int) color.RGBA {
	const golden, light = 137.508, 150
	hue := math.Mod(45+golden*float64(class), 360) / 60
	channel := func(offset float64) float64 { // at full saturation, in [0, 1]
		return min(max(math.Abs(math.Mod(hue+offset, 6)-3)-1, 0), 1)
	}
	r, g, b := channel(0), channel(4), channel(2)
	white := max(0, (light-255*luma(r, g, b))/(255-255*luma(r, g, b)))
	mix := func(v float64) uint8 { return uint8(math.Round(255 * (v + (1-v)*white))) }
	return color.RGBA{mix(r), mix(g), mix(b), 255}
}

// luma returns the perceived brightness of a colour, in [0, 1].
func luma(r, g, b float64) float64 { return 0.299*r + 0.587*g + 0.114*b }

var labelFont = func() *opentype.Font {
	f, err := opentype.Parse(goregular.TTF)
	if err != nil {
		panic(err) // the font is compiled in
	}
	return f
}()

// drawBox returns a box and its label in the colour of its class, for an image of width ×
// height pixels. Lines and text scale with the image. The label comes last; it is missing if
// no legible label fits. Nothing is painted outside the box and the label.
func drawBox(width, height int, b box, label string) []imaging.Patch {
	paint := colour(b.class)
	size := float64(max(width, height))
	patches := b.outline(width, height, paint)
	for points := math.Max(textHeight, size/50); points >= minTextHeight; points = math.Floor(0.9 * points) {
		if t := newText(label, points); t.width <= width && t.height <= height {
			return append(patches, t.draw(t.place(width, image.Pt(int(b.x1), int(b.y1))), paint))
		}
	}
	return patches
}

// The height of text in pixels: in small images, and the lower limit for labels
// that do not fit otherwise.
const (
	textHeight    = 10
	minTextHeight = 7
)

// text is a label in a font face. Its sizes are in pixels; above is the ascent.
type text struct {
	label                        string
	face                         font.Face
	width, height, margin, above int
}

func newText(label string, height float64) text {
	face, err := opentype.NewFace(labelFont, &opentype.FaceOptions{Size: height, DPI: 72, Hinting: font.HintingFull})
	if err != nil {
		panic(err) // this font is valid in all sizes
	}
	metrics := face.Metrics()
	margin := int(height / 4)
	return text{
		label: label, face: face, margin: margin, above: metrics.Ascent.Ceil(),
		width:  font.MeasureString(face, label).Ceil() + 2*margin,
		height: (metrics.Ascent + metrics.Descent).Ceil(),
	}
}

// place returns the rectangle of the text's background: above the point, but moved so that it
// lies in an image of this width.
func (t text) place(width int, at image.Point) image.Rectangle {
	r := image.Rect(0, -t.height, t.width, 0).Add(at)
	return r.Add(image.Pt(min(0, width-r.Max.X), max(0, -r.Min.Y)))
}

// draw draws the text on a coloured background.
func (t text) draw(background image.Rectangle, paint color.RGBA) imaging.Patch {
	m := image.NewRGBA(background)
	draw.Draw(m, background, image.NewUniform(paint), image.Point{}, draw.Src)
	start := fixed.P(background.Min.X+t.margin, background.Min.Y+t.above)
	d := font.Drawer{Dst: m, Src: image.Black, Face: t.face, Dot: start}
	d.DrawString(t.label)
	opaque := image.NRGBA(*m)
	return imaging.Patch{At: background, Pixels: &opaque}
}
