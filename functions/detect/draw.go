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

// drawBox draws a box and its label in the colour of its class. Lines and text
// scale with the image. drawBox returns the rectangle of the label, which is empty
// if no legible label fits, and changes no pixel outside the box and the label.
func drawBox(p *imaging.Pixels, b box, label string) image.Rectangle {
	paint := colour(b.class)
	size := float64(max(p.Width, p.Height))
	line := max(1, int(math.Round(size/400)))
	x1, y1, x2, y2 := int(b.x1), int(b.y1), int(math.Ceil(float64(b.x2))), int(math.Ceil(float64(b.y2)))
	for _, side := range []image.Rectangle{
		{image.Pt(x1, y1), image.Pt(x2, y1+line)}, {image.Pt(x1, y2-line), image.Pt(x2, y2)},
		{image.Pt(x1, y1), image.Pt(x1+line, y2)}, {image.Pt(x2-line, y1), image.Pt(x2, y2)},
	} {
		fill(p, side.Intersect(image.Rect(x1, y1, x2, y2)), paint)
	}
	for height := math.Max(textHeight, size/50); height >= minTextHeight; height = math.Floor(0.9 * height) {
		if t := newText(label, height); t.width <= p.Width && t.height <= p.Height {
			return t.draw(p, image.Pt(x1, y1), paint)
		}
	}
	return image.Rectangle{}
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

// draw draws the text on a coloured background and returns the rectangle of the
// background. That is above the point, but moved so that it lies in the image.
func (t text) draw(p *imaging.Pixels, at image.Point, paint color.RGBA) image.Rectangle {
	background := image.Rect(0, -t.height, t.width, 0).Add(at)
	background = background.Add(image.Pt(min(0, p.Width-background.Max.X), max(0, -background.Min.Y)))
	m := image.NewRGBA(background)
	draw.Draw(m, background, image.NewUniform(paint), image.Point{}, draw.Src)
	start := fixed.P(background.Min.X+t.margin, background.Min.Y+t.above)
	d := font.Drawer{Dst: m, Src: image.Black, Face: t.face, Dot: start}
	d.DrawString(t.label)
	each(p, background, func(x, y int) []byte { return m.Pix[m.PixOffset(x, y):] })
	return background
}

// fill paints the part of a rectangle that lies in the image.
func fill(p *imaging.Pixels, r image.Rectangle, paint color.RGBA) {
	colour := []byte{paint.R, paint.G, paint.B}
	each(p, r.Intersect(image.Rect(0, 0, p.Width, p.Height)), func(int, int) []byte { return colour })
}

// each paints every pixel of a rectangle in the image, without transparency.
func each(p *imaging.Pixels, r image.Rectangle, paint func(x, y int) []byte) {
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			pixel := p.Pix[(y*p.Width+x)*p.Channels:]
			copy(pixel[:3], paint(x, y))
			if p.Channels == 4 {
				pixel[3] = 255
			}
		}
	}
}
